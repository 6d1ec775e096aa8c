"""Section 1, second half: a server is not handed out early, nor lost."""

import time

import pytest

from harness import (assert_usable, behaviour, errors, eventually, pg, pooled, rows, statuses,
                     still_silent, tags, types, weir_only)

BIG = "select repeat('x', 1000) from generate_series(1, 50000)"


@behaviour(15)
@pooled
def test_not_released_while_an_answer_is_unread(start_pool):
    pool = start_pool(size=1)
    reader, waiter = pool.client(receive_buffer=4096), pool.client()
    reader.send(pg.query(BIG))
    assert reader.readable(20)  # it has the server
    waiter.send(pg.query("select 'now'"))
    assert still_silent(waiter, 0.5)
    assert len(rows(reader.until_ready())) == 50000
    assert rows(waiter.until_ready()) == [["now"]]


@behaviour(15)
@pooled
def test_not_released_in_the_middle_of_a_message(start_pool):
    pool = start_pool(size=1)
    slow, waiter = pool.client(), pool.client()
    whole = pg.batch("select 'slow'") + pg.sync()
    slow.send(whole[:-3])
    waiter.send(pg.query("select 'fast'"))
    slow.send(whole[-3:])
    assert rows(slow.until_ready()) == [["slow"]]
    assert rows(waiter.until_ready()) == [["fast"]]


@behaviour(15)
@pooled
def test_half_a_bind_holds_the_server_and_harms_nobody(start_pool):
    pool = start_pool(size=2)
    slow, others = pool.client(), pool.client()
    whole = pg.batch("select length($1)", ["v" * 200000]) + pg.sync()
    slow.send(whole[:100000])
    for n in range(20):
        assert others.value(f"select {n}") == str(n)
    slow.send(whole[100000:])
    assert rows(slow.until_ready()) == [["200000"]]


@behaviour(15)
@pooled
def test_not_released_while_copy_is_open(start_pool, table):
    pool = start_pool(size=1)
    copier, waiter = pool.client(), pool.client()
    copier.send(pg.query("copy t from stdin"))
    copier.read_types("G")
    waiter.send(pg.query("select count(*) from t"))
    copier.send(pg.copy_data(b"1\tone\n"))
    assert still_silent(waiter)
    copier.send(pg.copy_done())
    assert tags(copier.until_ready()) == ["COPY 1"]
    assert rows(waiter.until_ready()) == [["1"]]


@behaviour(16)
@pooled
@pytest.mark.parametrize("sql", ["select 1", "select pg_sleep(0.3)", "begin; select 1", BIG])
def test_terminate_right_behind_a_query(start_pool, postgres, sql):
    pool = start_pool(size=1)
    for _ in range(10 if sql == "select 1" else 2):
        leaver = pool.client()
        leaver.send(pg.query(sql), pg.terminate())
        leaver.close()
        assert_usable(pool)
    eventually(lambda: all(state == "idle" for _, state, _ in postgres.backends()))
    assert postgres.backend_count() <= 1


@behaviour(16)
@pooled
def test_terminate_behind_a_pipeline(start_pool, postgres):
    pool = start_pool(size=1)
    leaver = pool.client()
    leaver.send(*(pg.batch(f"select {n}, pg_sleep(0.01)") + pg.sync() for n in range(20)),
                pg.terminate())
    leaver.close()
    assert_usable(pool)
    assert postgres.backend_count() <= 1


def _ask_for_an_aside(message):
    """A fake server's hook: the query 'aside' makes it send `message` after its ready."""
    def on_query(connection, sql):
        if sql == "select 'aside'":
            return pg.result("done") + pg.ready(connection.status) + message
        return None
    return on_query


ASIDES = {
    "N": pg.notice("by the way"),
    "S": pg.parameter_status("application_name", "changed"),
    "A": pg.notification(4711, "channel", "payload"),
}


@behaviour(17)
@weir_only
@pytest.mark.parametrize("kind", list(ASIDES))
def test_async_message_while_linked_and_idle(start_pool, start_fake, kind):
    fake = start_fake(on_query=_ask_for_an_aside(ASIDES[kind]))
    pool = start_pool(fake, size=1)
    holder, waiter = pool.client(), pool.client()
    assert statuses(holder.query("begin")) == ["T"]
    waiter.send(pg.query("select 'waited'"))
    assert statuses(holder.query("select 'aside'")) == ["T"]
    assert holder.read().type == kind
    assert still_silent(waiter)
    assert statuses(holder.query("select 'still mine'")) == ["T"]
    found = holder.query("commit")
    assert tags(found) == ["COMMIT"] and statuses(found) == ["I"]
    assert statuses(waiter.until_ready()) == ["I"]


@behaviour(17)
@weir_only
def test_async_message_between_the_answers_of_a_pipeline(start_pool, start_fake):
    def on_query(connection, sql):
        return ASIDES["N"] + pg.result(sql) + ASIDES["S"] + pg.ready(connection.status)

    pool = start_pool(start_fake(on_query=on_query), size=1)
    client = pool.client()
    client.send(pg.query("select 1"), pg.query("select 2"), pg.query("select 3"))
    found = client.until_ready(3)
    assert rows(found) == [["select 1"], ["select 2"], ["select 3"]]
    assert [m.reason for m in found if m.type == "N"] == ["by the way"] * 3


@behaviour(18)
@pooled
def test_statement_mode_refuses_begin(start_pool, postgres):
    pool = start_pool(size=1, mode="statement")
    client = pool.client()
    client.send(pg.query("begin"))
    found = client.until("E")
    assert found[-1].sqlstate and found[-1].reason, found
    eventually(lambda: all(state == "idle" for _, state, _ in postgres.backends()),
               what="no open transaction")
    assert_usable(pool)


@behaviour(18)
@pooled
def test_statement_mode_with_several_statements_in_one_query(start_pool):
    pool = start_pool(size=1, mode="statement")
    client = pool.client()
    found = client.query("select pg_backend_pid(); select pg_backend_pid()")
    pids = [row[0] for row in rows(found)]
    assert errors(found) or (len(pids) == 2 and pids[0] == pids[1]), found
    assert types(found)[-1] == "Z"
    assert_usable(pool)


@behaviour(18)
@pooled
def test_statement_mode_shares_servers_between_statements(start_pool):
    pool = start_pool(size=1, mode="statement")
    one, two = pool.client(), pool.client()
    begin = time.monotonic()
    for n in range(20):
        assert one.value(f"select {n}") == two.value(f"select {n}")
    assert time.monotonic() - begin < 10
