"""Section 2: forgetting statements by SQL, and statements of unusual size."""

import pytest

from harness import TARGET, Closed, assert_usable, behaviour, errors, pg, rows, tags, types
from test_02_prepared import assert_unknown, prepare, run_rows

pytestmark = pytest.mark.targets("weir", "direct")

MIB = 1 << 20


def _simple(client, sql):
    return client.query(sql)


def _extended(client, sql):
    return client.extended(sql)


def _prepared(client, sql):
    """The forgetting statement is a prepared one itself."""
    client.send(pg.parse(sql, "forget"), pg.bind("forget"), pg.execute(), pg.sync())
    return client.until_ready()


WAYS = pytest.mark.parametrize("send", [_simple, _extended, _prepared],
                               ids=["simple", "extended", "prepared"])


@behaviour(28)
@WAYS
@pytest.mark.parametrize("sql, tag", [
    ("deallocate all", "DEALLOCATE ALL"), ("DEALLOCATE PREPARE ALL", "DEALLOCATE ALL"),
    ("discard all", "DISCARD ALL"), ("  /* a comment */ Discard  All", "DISCARD ALL")])
def test_forgetting_everything(start_pool, send, sql, tag):
    pool = start_pool(size=1)
    client, other = pool.client(), pool.client()
    for one in (client, other):
        prepare(one, "s", "select 's'")
        prepare(one, "t", "select 't'")
    found = send(client, sql)
    assert tags(found) == [tag] and not errors(found), found
    assert_unknown(client, "s")
    assert_unknown(client, "t")
    assert run_rows(other, "s") == [["s"]] and run_rows(other, "t") == [["t"]]
    prepare(client, "s", "select 'anew'")
    assert run_rows(client, "s") == [["anew"]]


@behaviour(28)
@WAYS
@pytest.mark.parametrize("sql", ["deallocate s", "DEALLOCATE PREPARE S", 'deallocate "s"'])
def test_forgetting_one_name(start_pool, send, sql):
    pool = start_pool(size=1)
    client, other = pool.client(), pool.client()
    for one in (client, other):
        prepare(one, "s", "select 's'")
        prepare(one, "t", "select 't'")
    found = send(client, sql)
    assert tags(found) == ["DEALLOCATE"] and not errors(found), found
    assert_unknown(client, "s")
    assert run_rows(client, "t") == [["t"]]
    assert run_rows(other, "s") == [["s"]]


@behaviour(28)
def test_forgetting_an_unknown_name(start_pool):
    client = start_pool(size=1).client()
    prepare(client, "s", "select 's'")
    assert errors(client.query("deallocate nowhere")) == ["26000"]
    assert run_rows(client, "s") == [["s"]]


@behaviour(28)
@pytest.mark.parametrize("sql, tag", [
    ("discard plans", "DISCARD PLANS"), ("discard sequences", "DISCARD SEQUENCES"),
    ("discard temp", "DISCARD TEMP")])
def test_other_discards_keep_statements(start_pool, sql, tag):
    client = start_pool(size=1).client()
    prepare(client, "s", "select 's'")
    assert tags(client.query(sql)) == [tag]
    assert run_rows(client, "s") == [["s"]]


@behaviour(28)
def test_forgetting_in_a_pipeline(start_pool):
    client = start_pool(size=1).client()
    prepare(client, "s", "select 's'")
    client.send(pg.bind("s"), pg.execute(), pg.sync(), pg.query("deallocate all"),
                pg.bind("s"), pg.execute(), pg.sync(),
                pg.parse("select 'anew'", "s"), pg.bind("s"), pg.execute(), pg.sync())
    found = client.until_ready(4)
    assert types(found) == "2DCZ" "CZ" "EZ" "12DCZ" and errors(found) == ["26000"], found


@behaviour(28)
def test_forgetting_rolled_back_is_forgotten_all_the_same(start_pool):
    """DEALLOCATE is not transactional."""
    client = start_pool(size=1).client()
    prepare(client, "s", "select 's'")
    client.query("begin; deallocate all; rollback")
    assert_unknown(client, "s")


@behaviour(32)
def test_large_bind(start_pool):
    pool = start_pool(size=1)
    client = pool.client(timeout=60)
    prepare(client, "s", "select length($1::text), md5($1::text)")
    run_rows(client, "s", "warm")
    before = _peak(pool)
    value = "0123456789" * MIB
    assert run_rows(client, "s", value)[0][0] == str(10 * MIB)
    grown = _peak(pool) - before
    assert not pool.measurable or grown < 16 * 1024
    assert_usable(pool)


def answer_or_refusal(client):
    """Messages until ReadyForQuery, or until the end of the connection."""
    found = []
    try:
        while not found or found[-1].type != "Z":
            found.append(client.read())
    except Closed as ended:
        assert errors(found), f"closed without a word: {ended}"
    return found


def _peak(pool):
    return 0 if TARGET == "direct" else pool.memory_kib("VmHWM")


@behaviour(32)
def test_large_parse(start_pool):
    pool = start_pool(size=1)
    client = pool.client(timeout=60)
    literal = "x" * (10 * MIB)
    for name in ("", "large"):
        prepare(client, name, f"select length('{literal}'), $1::int")
        assert_usable(pool)
        assert run_rows(client, name, 3) == [[str(10 * MIB), "3"]]


@behaviour(32)
@pytest.mark.parametrize("length", [63, 64, 8191, 65536, 3 * MIB])
def test_long_statement_name(start_pool, length):
    """It works, or is refused in words; the refusal may cost the connection."""
    pool = start_pool(size=1)
    client = pool.client(timeout=60)
    name = "n" * length
    client.send(pg.parse("select 'named'", name), pg.bind(name), pg.execute(), pg.sync())
    found = answer_or_refusal(client)
    assert errors(found) or rows(found) == [["named"]], found
    assert_usable(pool)
    if not errors(found):
        assert run_rows(client, name) == [["named"]]
        assert client.value("select 'alive'") == "alive"


@behaviour(32)
def test_long_names_that_differ_at_their_end(start_pool):
    """PostgreSQL cuts names at 63 bytes; a pooler that renames may keep them apart."""
    client = start_pool(size=1).client()
    prepare(client, "n" * 100 + "1", "select 'one'")
    client.send(pg.parse("select 'two'", "n" * 100 + "2"), pg.sync())
    found = client.until_ready()
    assert errors(found) in ([], ["42P05"]), found
    assert run_rows(client, "n" * 100 + "1") == [["one"]]


@behaviour(32)
def test_many_statements(start_pool):
    pool = start_pool(size=1)
    client, count = pool.client(), 1000
    client.send(*(pg.parse(f"select {n}", f"s{n}") for n in range(count)), pg.sync())
    assert types(client.until_ready()) == "1" * count + "Z"
    assert_usable(pool)
    client.send(*(pg.bind(f"s{n}") + pg.execute() for n in range(count)), pg.sync())
    assert rows(client.until_ready()) == [[str(n)] for n in range(count)]


@behaviour(32)
def test_statement_larger_than_statement_bytes(start_pool):
    config = {"limits": {"statement_bytes": "1MiB"}} if TARGET == "weir" else {}
    pool = start_pool(size=1, config=config)
    client = pool.client(timeout=60)
    client.send(pg.parse(f"select length('{'x' * 2 * MIB}')", "large"), pg.sync())
    found = answer_or_refusal(client)
    assert errors(found) if TARGET == "weir" else types(found) == "1Z"
    assert_usable(pool)
