"""A hundred clients on five connections to SQL Server, who run transactions, take requests back,
vanish and make mistakes, for a while: each hears its own answers, and nothing is left in the end."""

import os
import random
import threading
import time

import pytest

from harness import LONG, eventually, weir_only
from support.tds_client import BATCH, Closed, errors, headers, packets
from support.tds_tokens import rows
from support.tds_weir import client_of, server, start  # noqa: F401

pytestmark = weir_only

SECONDS = 60 if LONG else 5
CLIENTS, SERVERS = 100, 5
BEGIN, COMMIT, ROLLBACK = b"\x05\0\0\0", b"\x07\0\0\0", b"\x08\0\0\0"


class Restless(threading.Thread):
    """One client after the other, all under one name."""

    def __init__(self, weir, name, seed, ends_at):
        super().__init__(daemon=True)
        self.weir, self.name_, self.ends_at = weir, name, ends_at
        self.random = random.Random(f"{seed} {name}")
        self.turns = self.count = 0
        self.client = self.problem = None

    def run(self):
        try:
            while time.monotonic() < self.ends_at and not self.problem:
                self.client = self.client or client_of(self.weir, app=self.name_)
                self.turn()
                self.turns += 1
            if self.client:
                self.client.close()
        except (OSError, Closed, AssertionError) as problem:
            self.problem = f"{self.name_}, turn {self.turns}: {problem!r}"

    def turn(self):
        kinds = [self.ask] * 4 + [self.by_text, self.by_request, self.fail] * 2 + [
            self.attention, self.vanish]
        self.random.choice(kinds)()

    def mark(self):
        self.count += 1
        return f"{self.name_}/{self.count}"

    def ask(self, trancount=0):
        mark = self.mark()
        found = self.client.rows(f"SELECT '{mark}', @@TRANCOUNT, APP_NAME()")
        assert found == [[mark, trancount, "weir"]], (mark, found)

    def by_text(self):
        assert not errors(self.client.batch("BEGIN TRAN"))
        self.ask(1)
        assert not errors(self.client.batch(self.random.choice(["COMMIT", "ROLLBACK"])))

    def by_request(self):
        assert not errors(self.client.manager(BEGIN))
        self.ask(1)
        assert not errors(self.client.manager(self.random.choice([COMMIT, ROLLBACK])))

    def fail(self):
        assert errors(self.client.batch("SELECT 1/0")) == [8134]

    def send(self, sql):
        self.client.write(packets(BATCH, headers(self.client.descriptor)
                                  + sql.encode("utf-16-le")))

    def attention(self):
        """At any moment: while it waits for a server, while it runs, when it is over."""
        mark, pause = self.mark(), self.random.choice([0, 0.002, 0.01])
        self.send(f"WAITFOR DELAY '00:00:00.00{self.random.randrange(1, 9)}' SELECT '{mark}'")
        time.sleep(pause)
        self.client.attention()
        while True:
            found = self.client.reply()
            assert rows(found) in ([], [[mark]]) and not errors(found), (mark, found)
            if found[-1].status & 0x20:
                return

    def vanish(self):
        """With a transaction open or not, while something runs or not."""
        if self.random.random() < 0.5:
            self.client.batch("BEGIN TRAN")
        if self.random.random() < 0.5:
            self.send("WAITFOR DELAY '00:00:00.005' SELECT 'nobody reads this'")
        self.client.close()
        self.client = None


class Watch(threading.Thread):
    """How many connections the server has had at once."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.most, self.over = server, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.02):
            self.most = max(self.most, len(self.server.sessions()))

    def stop(self):
        self.over.set()
        self.join(20)
        return self.most


@pytest.mark.behaviour("tds", "T60")
def test_a_storm(server, start):
    seed = int(os.environ.get("WEIR_STORM_SEED", random.SystemRandom().randrange(10**6)))
    print(f"WEIR_STORM_SEED={seed}")
    weir = start(size=SERVERS, defaults={"pool": {"acquire_timeout": "60s"}})
    watch, ends_at = Watch(server), time.monotonic() + SECONDS
    watch.start()
    storm = [Restless(weir, f"c{n}", seed, ends_at) for n in range(CLIENTS)]
    for one in storm:
        one.start()
    for one in storm:
        one.join(SECONDS + 60)
        assert not one.is_alive(), f"{one.name_} waits in vain (seed {seed})"
    most = watch.stop()
    assert [one.problem for one in storm if one.problem] == [], f"seed {seed}"
    assert all(one.turns > 0 for one in storm) and 0 < most <= SERVERS
    eventually(lambda: left_over(weir) == 0, what="that nobody is counted any more")
    sessions = eventually(lambda: at_rest(server), what="the servers at rest")
    assert all(one["options"] == {} and one["temp_tables"] == [] for one in sessions)
    counts = server.counts()
    assert counts["attentions"] == counts["acknowledged"] + killed_with_attention(server)
    with client_of(weir) as newcomer:
        assert newcomer.rows("SELECT 'mine', @@TRANCOUNT") == [["mine", 0]]


def left_over(weir):
    metrics = weir.metrics()
    return sum(metrics.sum(name, **labels) for name, labels in (
        ("weir_clients", {}), ("weir_pinned_clients", {}), ("weir_pool_waiting", {}),
        ("weir_servers", {"state": "active"}), ("weir_servers", {"state": "resetting"})))


def at_rest(server):
    """All sessions when none has anything open or under way."""
    found = server.sessions()
    quiet = all(one["trancount"] == 0 and not one["busy"] for one in found)
    return found if quiet and 0 < len(found) <= SERVERS else None


def killed_with_attention(server):
    """Of connections that weir has closed because it would have had to wait."""
    return sum(one["attentions"] - one["acknowledged"] for one in server.history())
