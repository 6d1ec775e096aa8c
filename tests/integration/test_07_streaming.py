"""Section 7, first half: much data, both ways, in bounded memory."""

import contextlib
import select
import time

import pytest

from harness import (LONG, TARGET, Closed, assert_usable, behaviour, eventually, pg, pooled, rows,
                     tags, types, weir_only)

MIB = 1 << 20
GROWTH_KIB_MAX = 16 * 1024


def assert_memory_bounded(pool, before_kib):
    grown = pool.memory_kib("VmHWM") - before_kib
    print(f"grown by {grown} KiB")
    assert not pool.measurable or grown < GROWTH_KIB_MAX


def memory_before(pool):
    """The peak so far, with the first buffers already allocated."""
    if TARGET == "direct":
        return 0
    pool.client().value("select 1")
    pool.forget_memory_peak()
    return pool.memory_kib("VmHWM")


def _memory_after(pool, before):
    if TARGET != "direct":
        assert_memory_bounded(pool, before)


class Echo:
    """A pipeline of `count` statements, each giving back its parameter of `size` bytes."""

    def __init__(self, count, size):
        self.count = count
        self.one = pg.batch("select $1::text", ["v" * size]) + pg.sync()
        answer = [pg.message("1"), pg.message("2"), pg.data_row("v" * size),
                  pg.command_complete("SELECT 1"), pg.ready()]
        self.answer_bytes = count * len(b"".join(answer))


def write_first_read_when_blocked(sock, echo, limit_s):
    """Writes the whole pipeline and reads only while it cannot write."""
    sock.setblocking(False)
    waiting, sent, received, last = memoryview(echo.one), 0, 0, b""
    deadline = time.monotonic() + limit_s
    while received < echo.answer_bytes:
        assert time.monotonic() < deadline, f"stuck: {sent} sent, {received} bytes back"
        wants = [sock] if sent < echo.count else []
        readable, writable, _ = select.select([sock], wants, [], 5)
        if writable:
            waiting = waiting[sock.send(waiting):]
            if not waiting:
                sent, waiting = sent + 1, memoryview(echo.one)
        elif readable:
            last = sock.recv(MIB)
            assert last, "closed"
            received += len(last)
    assert received == echo.answer_bytes
    assert last.endswith(pg.ready())


@behaviour(87)
def test_pipeline_both_ways_at_once(start_pool):
    pool = start_pool(size=1)
    before = memory_before(pool)
    client = pool.client()
    total = 100 * MIB if LONG else 20 * MIB
    for size in (100, 5000, 65536, MIB):
        amount = total if size >= 65536 else total // 10
        write_first_read_when_blocked(client.socket, Echo(amount // size, size), 120)
    client.socket.settimeout(20)
    assert client.value("select 'alive'") == "alive"
    _memory_after(pool, before)


def _fill_until_blocked(client, echo):
    """Writes and never reads, until nobody takes any more."""
    client.socket.setblocking(False)
    for _ in range(echo.count):
        waiting = memoryview(echo.one)
        while waiting:
            if not select.select([], [client.socket], [], 1)[1]:
                return True
            waiting = waiting[client.socket.send(waiting):]
    return False


@behaviour(87)
@pooled
def test_client_that_never_reads_is_paused(start_pool):
    pool = start_pool(size=2)
    before = memory_before(pool)
    deaf, other = pool.client(), pool.client()
    assert _fill_until_blocked(deaf, Echo(200, MIB))
    begin = time.monotonic()
    for n in range(200):
        assert other.value(f"select {n}") == str(n)
    assert time.monotonic() - begin < 5
    _memory_after(pool, before)
    deaf.close()
    assert_usable(pool)


@behaviour(87)
@behaviour(88)
@weir_only
@pytest.mark.parametrize("writing", [True, False])
def test_client_stall_ends_a_client_that_never_reads(start_pool, postgres, writing):
    config = {"defaults": {"timeouts": {"client_stall": "1s"}}}
    pool = start_pool(size=1, config=config)
    deaf, other = pool.client(), pool.client()
    if writing:
        with contextlib.suppress(ConnectionError):  # its time may be up while we still write
            _fill_until_blocked(deaf, Echo(200, MIB))
    else:
        deaf.send(pg.query("select repeat('x', 1000) from generate_series(1, 1000000)"))
    assert other.value("select 'after the stall'") == "after the stall"
    deaf.socket.settimeout(20)
    with pytest.raises((Closed, ConnectionError)):
        while True:
            deaf.read()
    eventually(lambda: all(state == "idle" for _, state, _ in postgres.backends()))


@behaviour(88)
@pooled
def test_client_that_stops_reading_stalls_only_itself(start_pool, postgres):
    pool = start_pool(size=2)
    before = memory_before(pool)
    deaf, other = pool.client(receive_buffer=8192), pool.client()
    deaf.send(pg.query("select repeat('x', 1000) from generate_series(1, 200000)"))
    eventually(lambda: postgres.value(
        "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'") == "1",
        what="the server waiting for us to read")
    begin = time.monotonic()
    for n in range(200):
        assert other.value(f"select {n}") == str(n)
    assert time.monotonic() - begin < 5
    _memory_after(pool, before)
    assert len(rows(deaf.until_ready())) == 200000
    assert deaf.value("select 'alive'") == "alive"


BYTEA = 17


@behaviour(89)
@pytest.mark.parametrize("direction", ["to the server", "to the client", "both"])
def test_one_huge_value(start_pool, direction):
    size = 512 * MIB if LONG else 64 * MIB
    pool = start_pool(size=1)
    before = memory_before(pool)
    client = pool.client(timeout=120)
    value = (bytes(range(256)) * 4096)[:MIB] * (size // MIB)
    if direction == "to the server":
        sql, values = "select length($1)::text", [value]
    elif direction == "to the client":
        sql = f"select convert_to(repeat('x', {size}), 'UTF8') where $1 is not null"
        values = [b"x"]
    else:
        sql, values = "select $1", [value]
    client.send(pg.parse(sql, types=[BYTEA]), pg.bind(values=values, formats=[1], results=[1]),
                pg.execute(), pg.sync())
    found = client.until_ready()
    assert types(found) == "12DCZ", found
    answer = found[2].body[6:]
    expected = {"to the server": str(size).encode(), "to the client": b"x" * size}
    assert answer == expected.get(direction, value)
    _memory_after(pool, before)


@behaviour(89)
def test_huge_values_in_a_simple_query(start_pool):
    size = (60 if LONG else 20) * MIB
    pool = start_pool(size=1)
    before = memory_before(pool)
    client = pool.client(timeout=120)
    found = client.query(f"select length('{'x' * size}'), repeat('y', {size})")
    assert tags(found) == ["SELECT 1"]
    assert rows(found) == [[str(size), "y" * size]]
    _memory_after(pool, before)
