"""Section 4: cancelling the right thing, and only that."""

import socket
import struct
import threading

import pytest

from harness import (LONG, Wire, assert_usable, behaviour, errors, eventually, never, pg, pooled,
                     rows, statuses, still_silent, tags, weir_only)

SLEEP = "select pg_sleep(20)"


def cancel_connection(pool, victim, *, surplus=b""):
    one = Wire(pool.address, login=False)
    one.send(pg.cancel_request(victim.pid, victim.secret), surplus)
    return one


def wait_until_sleeping(postgres):
    eventually(lambda: postgres.value("select count(*) from pg_stat_activity where "
                                      "state = 'active' and query like '%pg_sleep(20)%' and "
                                      "pid <> pg_backend_pid()") == "1", what="the long query")


@behaviour(51)
def test_cancel_stops_the_running_query(start_pool, postgres):
    pool = start_pool(size=1)
    client = pool.client()
    for _ in range(3):
        client.send(pg.query(SLEEP))
        wait_until_sleeping(postgres)
        client.cancel()
        found = client.until_ready()
        assert errors(found) == ["57014"] and statuses(found) == ["I"], found
        assert_usable(pool)


@behaviour(51)
def test_cancel_in_a_pipeline_and_in_a_transaction(start_pool, postgres):
    client = start_pool(size=1).client()
    client.query("begin")
    client.send(pg.batch(SLEEP), pg.batch("select 'cut'"), pg.sync(), pg.batch("rollback"),
                pg.sync())
    wait_until_sleeping(postgres)
    client.cancel()
    found = client.until_ready(2)
    assert errors(found) == ["57014"] and statuses(found) == ["E", "I"], found


@behaviour(59)
@weir_only
def test_long_cancel_keys(start_pool, postgres):
    """Clients of version 3.2 get 32 bytes; neither a part of them nor more cancels anything."""
    pool = start_pool(size=1)
    client = pool.client(version=pg.PROTOCOL_3_2)
    assert len(client.secret) == 32 and len(pool.client().secret) == 4
    assert all(found.type != "v" for found in client.login_messages)
    client.send(pg.query(SLEEP))
    wait_until_sleeping(postgres)
    for wrong in (client.secret[:4], client.secret[:31], client.secret + b"x", bytes(32)):
        client.cancel(secret=wrong)
    assert still_silent(client)
    client.cancel()
    assert errors(client.until_ready()) == ["57014"]
    assert_usable(pool)


@behaviour(59)
@weir_only
@pytest.mark.parametrize("key", [bytes(range(1, 33)), bytes(255) + b"x", b"k", b""])
def test_cancel_keys_of_servers(start_pool, start_fake, key):
    """Of any length; without one a cancel does nothing and the client's query goes on."""
    def log_in(connection):
        asked.append(connection.version)
        connection.send(pg.message("v", struct.pack("!II", pg.PROTOCOL_3_0, 0)),
                        pg.authentication_ok(), pg.parameter_status("server_version", "18.0"),
                        *([pg.backend_key(4711, key)] if key else []), pg.ready())
        return True

    asked = []
    fake = start_fake(on_query=lambda _, sql: b"" if sql == "hang" else None)
    fake.log_in = log_in
    pool = start_pool(fake, size=1, config={
        "databases": {"app": {"max_protocol_version": "3.2"}}})
    client = pool.client()
    client.send(pg.query("hang"))
    fake.wait_for_query("hang")
    client.cancel()
    if key:
        fake.wait_for_cancel()
        assert fake.cancels == [(4711, key)]
    assert still_silent(client)
    assert asked == [pg.PROTOCOL_3_2] and (key or not fake.cancels)


@behaviour(59)
@weir_only
def test_newest_version_of_real_servers(start_pool):
    """PostgreSQL before 18 says that it speaks 3.0 only, and is taken at that."""
    pool = start_pool(size=1, config={"databases": {"app": {"max_protocol_version": "latest"}}})
    assert pool.client().value("select 'in'") == "in"


@behaviour(51)
@pooled
def test_late_cancel_never_hits_the_next_client(start_pool):
    """The query has just ended, its cancel is on the way, the server is lent to another."""
    pool = start_pool(size=1)
    hasty, victim = pool.client(), pool.client()
    for turn in range(2000 if LONG else 200):
        hasty.send(pg.query("select 1"))
        late = None
        if turn % 2:
            late = cancel_connection(pool, hasty)
        hasty.until_ready()
        victim.send(pg.query("select count(*) from generate_series(1, 30000)"))
        late = late or cancel_connection(pool, hasty)
        found = victim.until_ready()
        assert rows(found) == [["30000"]], found
        late.until_closed()
        late.close()
    assert hasty.value("select 'alive'") == "alive"


@behaviour(51)
@weir_only
def test_server_is_not_reused_while_its_cancel_is_open(start_pool, start_fake):
    """The server still holds the cancel connection when the query has already ended."""
    def on_query(connection, sql):
        if sql == "select 'slow'":
            connection.server.wait_for_cancel()
        return None

    fake = start_fake(on_query=on_query)
    fake.cancels_may_end.clear()
    pool = start_pool(fake, size=1)
    hasty, other = pool.client(), pool.client()
    hasty.send(pg.query("select 'slow'"))
    fake.wait_for_query("select 'slow'")
    with cancel_connection(pool, hasty):
        hasty.until_ready()
        first = fake.open_connections()[0]
        other.send(pg.query("select 'other'"))
        assert still_silent(other) or "select 'other'" not in first.queries
        fake.cancels_may_end.set()
        assert statuses(other.until_ready()) == ["I"]


@behaviour(52)
@pytest.mark.parametrize("wrong", ["key", "pid", "both", "short key", "no key"])
def test_wrong_cancel_key_is_ignored(start_pool, postgres, wrong):
    pool = start_pool(size=2)
    client = pool.client()
    client.send(pg.query("select 'undisturbed', pg_sleep(0.5)"))
    pid = client.pid + (12345 if wrong in ("pid", "both") else 0)
    flipped = bytes(byte ^ 1 for byte in client.secret)
    secret = {"key": flipped, "both": flipped, "short key": client.secret[:2],
              "no key": b""}.get(wrong, client.secret)
    with Wire(pool.address, login=False) as stranger:
        stranger.send(pg.cancel_request(pid, secret))
        assert stranger.until_closed() == []
    found = client.until_ready()
    assert not errors(found) and rows(found)[0][0] == "undisturbed", found


@behaviour(52)
@pooled
def test_cancel_keys_are_random(start_pool):
    pool = start_pool(size=1)
    keys = [(one.pid, one.secret) for one in (pool.client() for _ in range(50))]
    assert len(set(keys)) == 50
    secrets = [int.from_bytes(secret[:4], "big") for _, secret in keys]
    assert len(set(secrets)) > 45
    steps = {(b - a) % (1 << 32) for a, b in zip(secrets, secrets[1:])}
    assert len(steps) > 45, "the keys follow a pattern"


@behaviour(53)
@pooled
@pytest.mark.pgbouncer_fails("closes the waiting client, 1.18")
def test_cancel_while_waiting_for_a_server(start_pool):
    pool = start_pool(size=1)
    holder, waiter = pool.client(), pool.client()
    holder.query("begin")
    for extended in (False, True):
        asked = pg.batch("select 1") + pg.sync() if extended else pg.query("select 1")
        waiter.send(asked)
        assert still_silent(waiter)
        waiter.cancel()
        found = waiter.until_ready()
        assert errors(found) == ["57014"] and statuses(found) == ["I"], found
    assert tags(holder.query("commit")) == ["COMMIT"]
    assert waiter.value("select 'alive'") == "alive"


@behaviour(53)
@weir_only
def test_cancelled_waiter_leaves_the_queue(start_pool, table):
    pool = start_pool(size=1)
    holder, waiter, next_one = pool.client(), pool.client(), pool.client()
    holder.query("begin")
    waiter.send(pg.query("insert into t values (1)"))
    assert still_silent(waiter)
    next_one.send(pg.query("select count(*) from t"))
    waiter.cancel()
    assert errors(waiter.until_ready()) == ["57014"]
    holder.query("commit")
    assert rows(next_one.until_ready()) == [["0"]]
    assert pool.metrics().sum("weir_pool_waiting") == 0


@behaviour(54)
@weir_only
def test_cancel_does_not_hit_the_reset(start_pool, start_fake):
    """A left state behind; weir resets before B's query, and B cancels just then."""
    reset_may_end = threading.Event()

    def on_query(_, sql):
        if "discard all" in sql.lower():
            assert reset_may_end.wait(30)
        return None

    fake = start_fake(on_query=on_query)
    pool = start_pool(fake, size=1)
    leaver, other = pool.client(), pool.client()
    leaver.query("reset work_mem")
    other.send(pg.query("select 'other'"))
    eventually(lambda: [q for q in fake.queries if "discard all" in q.lower()],
               what="the reset before another client's hold")
    with cancel_connection(pool, other) as asking:
        never(lambda: fake.cancels, what="a cancel during the pooler's own reset")
        reset_may_end.set()
        found = other.until_ready()
        assert errors(found) in ([], ["57014"]) and statuses(found) == ["I"], found
        asking.until_closed()
    assert statuses(other.query("select 'alive'")) == ["I"]
    assert len(fake.open_connections()) == 1


@behaviour(54)
@pooled
def test_cancel_while_idle_changes_nothing(start_pool):
    pool = start_pool(size=1)
    client = pool.client()
    for _ in range(10):
        client.cancel()
        assert client.value("select 'alive'") == "alive"
    client.query("begin")
    for _ in range(10):
        client.cancel()
        assert statuses(client.query("select 1")) == ["T"]
    client.query("commit")


@behaviour(55)
@weir_only
def test_cancel_at_every_limit(start_pool, postgres):
    """The pool is full, the server role is full, weir itself takes no further client."""
    pool = start_pool(size=3, config={"max_clients": 5})
    sleepers = [pool.client("three") for _ in range(3)]
    waiters = [pool.client("three") for _ in range(2)]
    for one in sleepers:
        one.send(pg.query(SLEEP))
    eventually(lambda: len([1 for _, state, _ in postgres.backends("three")
                            if state == "active"]) == 3)
    for one in waiters:
        one.send(pg.query("select 'waited'"))
    for one in sleepers:
        one.cancel()
        assert errors(one.until_ready()) == ["57014"]
    for one in waiters:
        assert rows(one.until_ready()) == [["waited"]]


@behaviour(57)
@pooled
@pytest.mark.pgbouncer_fails("forgets the cancel or dies, 1.18")
@pytest.mark.parametrize("manner", ["close", "half-close", "surplus", "reset"])
def test_hasty_cancellers(start_pool, postgres, manner):
    pool = start_pool(size=1)
    client = pool.client()
    for _ in range(3):
        client.send(pg.query(SLEEP))
        wait_until_sleeping(postgres)
        asking = cancel_connection(pool, client, surplus=b"more" if manner == "surplus" else b"")
        if manner == "half-close":
            asking.socket.shutdown(socket.SHUT_WR)
            asking.until_closed()
        if manner == "reset":
            asking.until_closed()
            asking.abort()
        asking.close()
        assert errors(client.until_ready()) == ["57014"]


@behaviour(57)
@pooled
@pytest.mark.pgbouncer_fails("forgets the cancel or dies, 1.18")
def test_cancel_packet_in_pieces(start_pool, postgres):
    pool = start_pool(size=1)
    client = pool.client()
    client.send(pg.query(SLEEP))
    wait_until_sleeping(postgres)
    with Wire(pool.address, login=False, chunk=1) as asking:
        asking.send(pg.cancel_request(client.pid, client.secret))
        assert asking.until_closed() == []
    assert errors(client.until_ready()) == ["57014"]


@behaviour(60)
@weir_only
def test_cancel_connection_ends_after_the_servers(start_pool, start_fake):
    def on_query(connection, sql):
        if sql == "select 'slow'":
            connection.server.wait_for_cancel()
        return None

    fake = start_fake(on_query=on_query)
    fake.cancels_may_end.clear()
    client = start_pool(fake, size=1).client()
    client.send(pg.query("select 'slow'"))
    fake.wait_for_query("select 'slow'")
    with Wire(client.address, login=False) as asking:
        asking.send(pg.cancel_request(client.pid, client.secret))
        fake.wait_for_cancel()
        assert still_silent(asking)
        fake.cancels_may_end.set()
        assert asking.until_closed() == []
    client.until_ready()
    assert statuses(client.query("select 'alive'")) == ["I"]
