"""Section 8, second half: servers that die, age or are refused, and counts that stay exact."""

import contextlib
import socket
import time

import pytest

from harness import (TARGET, Closed, ServerError, behaviour, errors, eventually, pg, rows, statuses,
                     still_silent, weir_only)
from test_06_startup import NO_SUCH_LOGIN

pytestmark = weir_only


def _lifetimes(postgres, count):
    """How long each of `count` sessions lived, watched until all are gone."""
    with postgres.client("postgres") as admin:
        born = dict(admin.rows("select pid, extract(epoch from backend_start) from "
                               "pg_stat_activity where usename = 'app'"))
        assert len(born) == count
        gone = {}
        deadline = time.monotonic() + 20
        while len(gone) < count and time.monotonic() < deadline:
            found = admin.rows("select pid, extract(epoch from clock_timestamp()) from "
                               "pg_stat_activity where usename = 'app' union all "
                               "select 0, extract(epoch from clock_timestamp())")
            now, alive = float(found[-1][1]), {pid for pid, _ in found}
            gone.update({pid: now - float(born[pid]) for pid in born
                         if pid not in alive and pid not in gone})
    return sorted(gone.values())


@behaviour(101)
def test_lifetimes_are_jittered(start_pool, postgres):
    pool = start_pool(size=20, max_lifetime="3s")
    clients = [pool.client() for _ in range(20)]
    for one in clients:
        one.query("begin")
    for one in clients:
        one.query("commit")
    lived = _lifetimes(postgres, 20)
    assert len(lived) == 20, "not every server was closed in time"
    print("lifetimes", [round(one, 2) for one in lived])
    assert lived[-1] - lived[0] > 0.15, lived
    assert pool.client().value("select 'next'") == "next"


LAST_WORDS = {
    "end": b"",
    "FATAL": pg.error("57P01", "terminating connection due to administrator command", "FATAL"),
    "ERROR": pg.error("XX000", "out of the blue"),
    "ready": pg.ready(),
    "row": pg.data_row("surplus"),
    "noise": b"\xde\xad\xbe\xef" * 4,
}


@behaviour(102)
@pytest.mark.parametrize("words", list(LAST_WORDS))
def test_idle_server_that_spoke_is_never_handed_out(start_pool, start_fake, words):
    fake = start_fake()
    pool = start_pool(fake, size=1)
    client = pool.client()
    client.query("select 'first'")
    idle = fake.open_connections()[0]
    if LAST_WORDS[words]:
        idle.send(LAST_WORDS[words])
    if words in ("end", "FATAL"):
        with contextlib.suppress(OSError):  # weir may have closed it meanwhile
            idle.socket.shutdown(socket.SHUT_RDWR)  # a close would wait for the thread that reads
        if TARGET == "weir":  # what arrives behind a request is another case
            eventually(lambda: pool.metrics().sum("weir_server_closes_total") >= 1)
    found = client.query("select 'second'")
    assert rows(found) == [["fake 1"]] and statuses(found) == ["I"], found
    assert "select 'second'" not in idle.queries


@behaviour(102)
def test_real_server_that_was_terminated_while_idle(start_pool, postgres):
    pool = start_pool(size=2)
    client = pool.client()
    for n in range(20):
        postgres.terminate_backends()
        eventually(lambda: postgres.backend_count() == 0)
        assert client.value(f"select {n}") == str(n)


@behaviour(103)
def test_server_lost_before_the_first_byte_is_replaced(start_pool, gate):
    pool = start_pool(gate, size=1)
    client = pool.client()
    for n in range(20):
        assert client.value(f"select {n}") == str(n)
        gate.reset_all()
        client.send(pg.batch(f"select {n}"), pg.sync())
        assert rows(client.until_ready()) == [[str(n)]]


@behaviour(103)
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("after", [b"", pg.row_description("half")])
def test_server_lost_after_the_query_was_sent(start_pool, start_fake, inside, after):
    def on_query(connection, sql):
        if sql != "select 'deadly'":
            return None
        connection.send(after)
        connection.reset()
        return b""

    fake = start_fake(on_query=on_query)
    pool = start_pool(fake, size=1)
    client = pool.client()
    if inside:
        client.query("begin")
    client.send(pg.query("select 'deadly'"))
    found = []
    with contextlib.suppress(Closed):
        while not found or found[-1].type != "Z":
            found.append(client.read())
    assert errors(found) == ["08006"], found
    assert fake.queries.count("select 'deadly'") == 1, "it was run again"
    assert pool.client().query("select 1")[-1].status == "I"


def _refusals(pool):
    """Every way in which a client can fail."""
    for user, database, password in (("app", "app", "wrong"), ("app", "missing", "secret"),
                                     ("nobody", "app", "secret")):
        with pytest.raises(ServerError):
            pool.client(user, database, password)
    for data in NO_SUCH_LOGIN.values():
        stranger = pool.raw()
        with contextlib.suppress(OSError):
            stranger.send(data)
        stranger.close()
    holder, waiter, leaver = pool.client(), pool.client(), pool.client()
    holder.query("begin")
    waiter.send(pg.query("select 1"))
    leaver.send(pg.query("select 1"))
    assert still_silent(leaver, 0.05)
    leaver.close()
    assert errors(waiter.until_ready()) == ["53300"]
    broken = pool.client()
    broken.send(b"z\0\0\0\x04")
    broken.until_closed()
    for one in (holder, waiter):
        one.close()


@behaviour(104)
def test_every_refusal_restores_the_counts(start_pool):
    pool = start_pool(size=1, acquire_timeout="300ms",
                      config={"auth": {"method": "scram-sha-256"},
                              "defaults": {"timeouts": {"client_login": "1s"}}})
    pool.client().value("select 1")
    for _ in range(3):
        _refusals(pool)
    pool.close_clients()
    eventually(lambda: pool.metrics().sum("weir_clients") == 0, what="no client left")
    eventually(lambda: pool.metrics().sum("weir_servers") in (0, 1), what="one server at most")
    assert pool.metrics().sum("weir_pool_waiting") == 0
    assert pool.client().value("select 'in'") == "in"


@behaviour(104)
def test_client_limits_are_given_back(start_pool):
    pool = start_pool(size=1, config={"max_clients": 3})
    for _ in range(5):
        some = [pool.client() for _ in range(3)]
        with pytest.raises(ServerError) as refused:
            pool.client()
        assert refused.value.sqlstate == "53300"
        for one in some:
            one.terminate()
        eventually(lambda: pool.metrics().sum("weir_clients") == 0)


@behaviour(105)
def test_no_file_descriptors_left(start_pool):
    pool = start_pool(size=2, options={"open_files_max": 64})
    faithful = pool.client()
    crowd = []
    for _ in range(120):
        with contextlib.suppress(OSError):
            crowd.append(pool.raw(timeout=1))
    for n in range(20):
        assert faithful.value(f"select {n}") == str(n)
    for one in crowd:
        one.close()
    eventually(lambda: _can_log_in(pool), what="new clients are taken again")


def _can_log_in(pool):
    try:
        return pool.client(timeout=2).value("select 'in'") == "in"
    except (OSError, Closed, ServerError):
        return False
