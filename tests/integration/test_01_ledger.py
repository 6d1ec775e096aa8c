"""Section 1, first half: what a server still owes, and when it may go back to its pool."""

import pytest

from harness import (assert_usable, behaviour, errors, eventually, outcome, pg, pooled, rows,
                     statuses, still_silent, tags, types)

FAILS = "select 1/0"


@behaviour(1)
@pooled
@pytest.mark.parametrize("leave", ["close", "abort"])
@pytest.mark.parametrize("flushed", [True, False])
def test_client_vanishes_without_its_sync(start_pool, postgres, table, leave, flushed):
    pool = start_pool(size=1)
    for _ in range(5):
        lost = pool.client()
        lost.send(pg.batch("insert into t values (1)"), pg.batch("select 'not yours'"))
        if flushed:
            lost.send(pg.flush())
            lost.read_types("12C12DC")
        getattr(lost, leave)()
        assert_usable(pool)
        eventually(lambda: all(state == "idle" for _, state, _ in postgres.backends()),
                   what="no open transaction on a pooled server")


@behaviour(1)
@pooled
def test_client_vanishes_in_a_pipelined_transaction(start_pool, postgres, table):
    pool = start_pool(size=1)
    lost = pool.client()
    lost.send(pg.batch("begin"), pg.batch("insert into t values (1)"), pg.flush())
    lost.read_types("12C12C")
    lost.close()
    assert_usable(pool)
    assert postgres.value("select count(*) from t") == "0"


@behaviour(2)
@pooled
def test_flush_keeps_the_server_until_sync(start_pool):
    pool = start_pool(size=2)
    holder, passer = pool.client(), pool.client()
    holder.send(pg.batch("select pg_backend_pid()"), pg.flush())
    held = rows(holder.read_types("12DC"))[0][0]
    others = {passer.value("select pg_backend_pid()") for _ in range(5)}
    assert held not in others
    holder.send(pg.batch("select pg_backend_pid()"), pg.sync())
    assert rows(holder.until_ready()) == [[held]]


@behaviour(3)
def test_every_batch_of_a_pipeline_gets_its_ready(start_pool):
    client = start_pool(size=1).client()
    client.send(*(pg.batch(f"select {n}") + pg.sync() for n in range(50)))
    found = client.until_ready(50)
    assert types(found) == "12DCZ" * 50
    assert rows(found) == [[str(n)] for n in range(50)]


@behaviour(3)
@pooled
def test_server_is_released_after_the_last_ready_only(start_pool):
    pool = start_pool(size=1)
    piper, waiter = pool.client(), pool.client()
    piper.send(*(pg.batch("select clock_timestamp(), pg_sleep(0.1)") + pg.sync()
                 for _ in range(3)))
    first = piper.until_ready()
    waiter.send(pg.query("select clock_timestamp()"))
    last = piper.until_ready(2)
    turn = rows(waiter.until_ready())[0][0]
    assert rows(first)[0][0] < rows(last)[1][0] < turn


@behaviour(3)
@pooled
def test_pipeline_that_opens_and_ends_a_transaction(start_pool):
    pool = start_pool(size=1)
    piper, waiter = pool.client(), pool.client()
    piper.send(pg.batch("begin"), pg.sync(), pg.batch("select pg_sleep(0.1)"), pg.sync())
    found = piper.until_ready(2)
    assert statuses(found) == ["T", "T"]
    waiter.send(pg.query("select 'now'"))
    assert still_silent(waiter)
    piper.send(pg.batch("commit"), pg.sync(), pg.batch("select 1"), pg.sync())
    assert statuses(piper.until_ready(2)) == ["I", "I"]
    assert rows(waiter.until_ready()) == [["now"]]


@behaviour(4)
@pytest.mark.parametrize("failing", [0, 2, 4])
def test_error_in_one_batch_of_a_pipeline(start_pool, failing):
    client = start_pool(size=1).client()
    batches = [pg.batch("select 'a'") + pg.batch(FAILS if n == failing else f"select {n}")
               + pg.batch("select 'z'") + pg.sync() for n in range(5)]
    client.send(*batches)
    for n in range(5):
        found = client.until_ready()
        if n == failing:
            # 1/0 is folded while planning, hence at Bind
            assert types(found) == "12DC1EZ" and errors(found) == ["22012"], found
        else:
            assert rows(found) == [["a"], [str(n)], ["z"]], found


@behaviour(5)
def test_unknown_statement_in_a_pipeline(start_pool):
    client = start_pool(size=1).client()
    client.send(pg.batch("select 'first', pg_sleep(0.1)"), pg.sync(),
                pg.batch("select 'second'"), pg.bind("nowhere"), pg.execute(),
                pg.batch("select 'skipped'"), pg.sync(),
                pg.batch("select 'third'"), pg.sync())
    assert rows(client.until_ready())[0][0] == "first"
    second = client.until_ready()
    assert types(second) == "12DCEZ" and errors(second) == ["26000"], second
    assert rows(client.until_ready()) == [["third"]]


@behaviour(5)
def test_error_waits_for_the_clients_own_sync(start_pool):
    client = start_pool(size=1).client()
    client.send(pg.bind("nowhere"), pg.flush())
    assert client.read().sqlstate == "26000"
    client.send(pg.batch("select 1"), pg.flush())
    assert still_silent(client)
    client.send(pg.sync())
    assert outcome(client.until_ready()) == [("Z", "I")]
    assert client.value("select 'alive'") == "alive"


@behaviour(5)
@pooled
@pytest.mark.pgbouncer_fails("closes the client")
def test_acquire_timeout_in_pipeline_position(start_pool):
    pool = start_pool(size=1, acquire_timeout="500ms")
    holder, waiter = pool.client(), pool.client()
    holder.query("begin")
    waiter.send(pg.batch("select 1"), pg.flush())
    found = waiter.until("E")
    assert types(found) == "E" and errors(found) == ["53300"], found
    waiter.send(pg.batch("select 2"), pg.flush())
    assert still_silent(waiter)
    waiter.send(pg.sync())
    assert outcome(waiter.until_ready()) == [("Z", "I")]
    holder.query("commit")
    assert waiter.value("select 'served'") == "served"


@behaviour(6)
def test_three_queries_in_one_write(start_pool):
    client = start_pool(size=1).client()
    client.send(pg.query(FAILS), pg.query("select 'two'"), pg.query("select 'three'"))
    found = client.until_ready(3)
    assert types(found) == "EZTDCZTDCZ", found
    assert rows(found) == [["two"], ["three"]]


@behaviour(7)
def test_simple_and_extended_messages_mixed(start_pool):
    pool = start_pool(size=1)
    client = pool.client()
    client.send(pg.query("select 'simple'"), pg.batch("select 'extended'"), pg.sync(),
                pg.query("select 1; " + FAILS), pg.batch(FAILS), pg.batch("select 'cut'"),
                pg.sync(), pg.query("begin; select 2"), pg.batch("commit"), pg.sync())
    found = client.until_ready(6)
    assert types(found) == "TDCZ" "12DCZ" "TDCEZ" "1EZ" "CTDCZ" "12CZ", found
    assert statuses(found) == ["I", "I", "I", "I", "T", "I"]
    assert_usable(pool)


@behaviour(7)
def test_query_without_sync_before_it(start_pool):
    """A simple query right behind an unfinished extended batch ends it as a Sync would not."""
    client = start_pool(size=1).client()
    client.send(pg.batch("select 'extended'"), pg.query("select 'simple'"))
    found = client.until_ready()
    assert types(found) == "12DCTDCZ", found
    assert rows(found) == [["extended"], ["simple"]]
    assert client.value("select 'alive'") == "alive"


@behaviour(7)
def test_query_behind_an_error_is_skipped_until_sync(start_pool):
    client = start_pool(size=1).client()
    client.send(pg.batch(FAILS), pg.query("select 'skipped'"), pg.sync())
    found = client.until_ready()
    assert types(found) == "1EZ", found
    assert client.value("select 'alive'") == "alive"


@behaviour(8)
def test_several_statements_of_one_query_one_fails(start_pool, table):
    pool = start_pool(size=1)
    client = pool.client()
    found = client.query(f"insert into t values (1); select 'shown'; {FAILS}; select 'cut'")
    assert types(found) == "CTDCEZ", found
    assert statuses(found) == ["I"]
    assert client.value("select count(*) from t") == "0"


@behaviour(9)
def test_empty_query(start_pool):
    pool = start_pool(size=1)
    client, other = pool.client(), pool.client()
    for sql in ("", " ; ", "-- nothing"):
        assert types(client.query(sql)) == "IZ"
        assert other.value("select 'free'") == "free"
    found = client.extended("")
    assert types(found) == "12IZ", found
    assert other.value("select 'free'") == "free"


@behaviour(10)
def test_function_call(start_pool):
    pool = start_pool(size=1)
    client, other = pool.client(), pool.client()
    sqrt_oid = int(client.value("select 'dsqrt'::regproc::oid"))
    for _ in range(3):
        client.send(pg.function_call(sqrt_oid, ["16"]))
        found = client.until_ready()
        assert types(found) == "VZ" and found[0].body[4:] == b"4", found
        assert other.value("select 'free'") == "free"
    client.send(pg.function_call(sqrt_oid, ["-1"]), pg.query("select 'next'"))
    found = client.until_ready(2)
    assert types(found) == "EZTDCZ", found


@behaviour(11)
def test_suspended_portal_resumes_inside_a_transaction(start_pool):
    client = start_pool(size=1).client()
    client.query("begin")
    client.send(pg.batch("select generate_series(1, 5)", portal="p", rows=2), pg.sync())
    assert types(client.until_ready()) == "12DDsZ"
    client.send(pg.execute("p", 2), pg.sync())
    assert types(client.until_ready()) == "DDsZ"
    client.send(pg.execute("p", 2), pg.sync())
    found = client.until_ready()
    assert types(found) == "DCZ" and tags(found) == ["SELECT 1"], found
    client.query("commit")


@behaviour(11)
def test_suspended_portal_is_gone_outside_a_transaction(start_pool):
    pool = start_pool(size=1)
    client, other = pool.client(), pool.client()
    client.send(pg.batch("select generate_series(1, 5)", portal="p", rows=2), pg.sync())
    assert types(client.until_ready()) == "12DDsZ"
    assert other.value("select 'free'") == "free"
    client.send(pg.execute("p", 2), pg.sync())
    found = client.until_ready()
    assert types(found) == "EZ" and errors(found) == ["34000"], found
    assert client.value("select 'alive'") == "alive"


@behaviour(12)
def test_portal_keeps_its_name(start_pool):
    client = start_pool(size=1).client()
    client.send(pg.parse("select generate_series(1, 4)", "statement"), pg.sync())
    client.until_ready()
    client.query("begin")
    client.send(pg.bind("statement", "my Portal"), pg.execute("my Portal", 1), pg.sync())
    assert types(client.until_ready()) == "2DsZ"
    assert client.value("select name from pg_cursors where name like 'my%'") == "my Portal"
    assert client.rows('fetch 2 from "my Portal"') == [["2"], ["3"]]
    client.send(pg.describe_portal("my Portal"), pg.close_portal("my Portal"), pg.sync())
    assert types(client.until_ready()) == "T3Z"
    client.query("commit")


@behaviour(13)
@pooled
def test_failed_transaction_is_not_released(start_pool):
    pool = start_pool(size=1)
    failed, waiter = pool.client(), pool.client()
    failed.query("begin")
    assert statuses(failed.query(FAILS)) == ["E"]
    waiter.send(pg.query("select 'at last'"))
    for _ in range(5):
        assert errors(failed.query("select 1")) == ["25P02"]
    assert still_silent(waiter)
    found = failed.query("rollback")
    assert tags(found) == ["ROLLBACK"] and statuses(found) == ["I"]
    assert rows(waiter.until_ready()) == [["at last"]]


@behaviour(14)
@pooled
@pytest.mark.parametrize("state", ["T", "E"])
@pytest.mark.parametrize("leave", ["close", "abort", "terminate"])
def test_client_leaves_in_a_transaction(start_pool, postgres, table, state, leave):
    pool = start_pool(size=2)
    lost = pool.client()
    lost.query("begin; insert into t values (1)")
    if state == "E":
        lost.query(FAILS)
    getattr(lost, leave)()
    eventually(lambda: all(now == "idle" for _, now, _ in postgres.backends()),
               what="no open transaction on a pooled server")
    for _ in range(3):
        assert_usable(pool)
    assert postgres.value("select count(*) from t") == "0"
