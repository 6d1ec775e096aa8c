"""The same conversations directly and through the pooler: every message must be the same.

WEIR_SEED repeats a run, WEIR_ROUNDS says how many; the seed is printed. WEIR_WITHOUT names kinds
of steps to leave out (`copy_extended,forget`), to look past a known difference."""

import os
import random
import threading

import pytest

from harness import pg
from support.generator import Generator, clear_sql, tables_sql

pytestmark = pytest.mark.targets("weir", "direct")

CLIENTS, STEPS = 4, 40
ROUNDS = int(os.environ.get("WEIR_ROUNDS", "10"))
FIRST_SEED = int(os.environ.get("WEIR_SEED", random.SystemRandom().randrange(1 << 32)))
WITHOUT = os.environ.get("WEIR_WITHOUT", "").split(",")
SHOWN_FIELDS = "SVCMDHP"  # without file, line and routine: they are the server's own


def comparable(message):
    """A message without what must differ: nothing but the source position of errors."""
    if message.type in "EN":
        fields = message.fields
        return message.type, {key: fields[key] for key in SHOWN_FIELDS if key in fields}
    return message.type, message.body


def programs(seed):
    return [Generator(random.Random(f"{seed}/{n}"), n, WITHOUT).program(STEPS)
            for n in range(CLIENTS)]


class Talk(threading.Thread):
    """One client that holds its conversation, in pieces and pipelines of its own."""

    def __init__(self, client, program, seed):
        super().__init__(daemon=True)
        self.client, self.program, self.random = client, program, random.Random(seed)
        self.answers, self.problem = [], None

    def run(self):
        try:
            self._talk()
        except Exception as problem:
            self.problem = problem

    def _talk(self):
        at = 0
        while at < len(self.program):
            together = self.program[at:at + self.random.choice([1, 1, 1, 2, 5])]
            self.client.chunk = self.random.choice([None, None, None, 3, 1000])
            if sum(len(step.data) for step in together) > 20000:
                self.client.chunk = None
            self.client.send(*(step.data for step in together))
            for step in together:
                self.answers.append([comparable(m)
                                     for m in self.client.until_ready(step.readies)])
            at += len(together)


def talk_all(clients, seed):
    talks = [Talk(client, program, f"{seed}/{n}/pieces")
             for n, (client, program) in enumerate(zip(clients, programs(seed)))]
    for one in talks:
        one.start()
    for one in talks:
        one.join(120)
        assert not one.is_alive(), "a conversation hangs"
    return talks


def is_known(want, have):
    """docs/limits.md: in a failed transaction no server learns a statement that it does not have,
    so Describe of one is refused there even if it gives no rows. What stands behind it is refused
    in any case, but for the end of the transaction."""
    return (want and have and [kind for kind, _ in want[:2]] == ["t", "n"]
            and [kind for kind, _ in want[2:]] in (["Z"], ["E", "Z"])
            and [kind for kind, _ in have] == ["E", "Z"]
            and all(body.get("C") == "25P02" for kind, body in want + have if kind == "E"))


def first_difference(seed, expected, found):
    for n, (right, got) in enumerate(zip(expected, found)):
        for at, step in enumerate(right.program):
            want = right.answers[at] if at < len(right.answers) else None
            have = got.answers[at] if at < len(got.answers) else None
            if want != have and not is_known(want, have):
                before = [s.data[:300] for s in right.program[max(0, at - 3):at]]
                return (f"WEIR_SEED={seed} client {n} step {at} ({step.what})\n"
                        f"before: {before}\nsent: {step.data[:2000]}\n"
                        f"direct: {_short(want)}\npooled: {_short(have)}\n"
                        f"problem: direct {right.problem!r}, pooled {got.problem!r}")
    return None


def _short(messages):
    return messages and [(kind, body if len(body) < 200 else body[:200]) if kind not in "EN"
                         else (kind, body) for kind, body in messages]


@pytest.fixture
def differential(postgres, start_pool):
    postgres.rows(tables_sql(CLIENTS))

    def compare(pool, seed):
        results = []
        for connect in (postgres.client, pool.client):
            postgres.rows(clear_sql(CLIENTS))
            clients = [connect(timeout=30) for _ in range(CLIENTS)]
            results.append(talk_all(clients, seed))
            for one in clients:
                one.close()
        wrong = [one.problem for one in results[0] if one.problem]
        assert not wrong, f"WEIR_SEED={seed}: the generator went astray: {wrong}"
        problem = first_difference(seed, *results)
        assert problem is None, problem

    return compare


POOLS = {"one server": {"size": 1}, "two servers": {"size": 2},
         "scattered": {"size": 3, "pick": "scatter"},
         "few statements": {"size": 2, "prepared_statements": 2}}


@pytest.mark.parametrize("shape", list(POOLS))
@pytest.mark.parametrize("workers", [1, 2])
def test_same_answers(start_pool, differential, shape, workers):
    print(f"WEIR_SEED={FIRST_SEED} WEIR_ROUNDS={ROUNDS}")
    pool = start_pool(config={"workers": workers}, **POOLS[shape])
    for turn in range(ROUNDS):
        differential(pool, FIRST_SEED + turn)


def test_same_answers_through_a_gate_in_pieces(start_pool, differential, gate):
    print(f"WEIR_SEED={FIRST_SEED} WEIR_ROUNDS={ROUNDS}")
    pool = start_pool(gate, size=2)
    gate.chunk = 1021
    for turn in range(max(1, ROUNDS // 5)):
        differential(pool, FIRST_SEED + turn)


def test_generator_says_the_same_for_the_same_seed():
    assert programs(7) == programs(7)
    assert programs(7) != programs(8)
    assert all(step.data[:1] in (b"Q", b"P", b"B", b"D", b"C", b"S", b"H", b"F", b"E", b"d")
               for program in programs(9) for step in program), pg.sync()
