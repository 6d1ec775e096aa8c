"""Section 7, second half: many clients, cut writes, and messages that are none."""

import contextlib
import struct
import subprocess
import time

import pytest

from harness import (LONG, TARGET, ServerError, Wire, assert_usable, behaviour, errors,
                     eventually, pg, pooled, weir_only)
from support.postgres_server import BIN

IDLE_CLIENTS = 10000 if LONG else 300


@contextlib.contextmanager
def flood(pool, sql):
    """Another process that pulls rows as fast as they come."""
    command = [str(BIN / "psql"), "-h", pool.host, "-p", str(pool.port), "-U", "app", "app",
               "-qAtc", sql]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


@behaviour(90)
@pooled
def test_latency_beside_idle_clients_and_a_flood(start_pool):
    pool = start_pool(size=3, config={"max_clients": IDLE_CLIENTS + 100})
    for _ in range(IDLE_CLIENTS):
        pool.client()
    probe, times = pool.client(), []
    with flood(pool, "copy (select repeat('x', 1000) from generate_series(1, 10000000)) "
                     "to stdout") as process:
        for _ in range(200):
            begin = time.monotonic()
            assert probe.value("select 1") == "1"
            times.append(time.monotonic() - begin)
        assert process.poll() is None, "the flood ended too early to say anything"
    times.sort()
    print(f"p50 {times[100] * 1000:.2f} ms, p95 {times[190] * 1000:.2f} ms, "
          f"max {times[-1] * 1000:.2f} ms")
    assert times[190] < 0.25 and times[-1] < 2


@behaviour(90)
@pooled
def test_latency_beside_a_flood_of_small_queries(start_pool):
    """A client with a long pipeline must yield to its neighbours."""
    pool = start_pool(size=2)
    busy, probe, times = pool.client(timeout=60), pool.client(), []
    busy.socket.setblocking(False)
    pipeline = (pg.batch("select 1") + pg.sync()) * 200
    for _ in range(100):
        with contextlib.suppress(BlockingIOError):
            busy.socket.send(pipeline)
        with contextlib.suppress(BlockingIOError):
            busy.socket.recv(1 << 20)
        begin = time.monotonic()
        assert probe.value("select 1") == "1"
        times.append(time.monotonic() - begin)
    times.sort()
    print(f"p50 {times[50] * 1000:.2f} ms, max {times[-1] * 1000:.2f} ms")
    assert times[90] < 0.25 and times[-1] < 2


def _read_in_small_bites(wire, size):
    received = bytearray()
    while len(received) < size:
        data = wire.socket.recv(min(size - len(received), 1 + len(received) % 1009))
        assert data, f"closed after {len(received)} bytes"
        received += data
    return bytes(received)


@behaviour(91)
def test_tiny_receive_buffer_gives_the_same_bytes(start_pool, postgres):
    sql = ("select n, repeat(chr(97 + n % 26), n) from generate_series(1, 1200) n; "
           "select 1/0")
    with postgres.client() as direct:
        found = direct.query(sql)
    expected = b"".join(pg.message(m.type, m.body) for m in found)
    client = start_pool(size=1).client(receive_buffer=1)
    client.send(pg.query(sql))
    assert _read_in_small_bites(client, len(expected)) == expected
    assert client.value("select 'alive'") == "alive"


@behaviour(91)
@pooled
@pytest.mark.parametrize("chunk", [1, 13, 4096])
def test_slow_server_side_gives_the_same_bytes(start_pool, gate, chunk):
    pool = start_pool(gate, size=1)
    client = pool.client()
    client.value("select 1")
    gate.chunk = chunk
    size = 3000 if chunk == 1 else 300000
    value = "".join(chr(97 + n % 26) for n in range(size))
    for _ in range(2):
        client.send(pg.batch("select $1::text", [value]), pg.sync(), pg.query("select 'q'"))
        found = client.until_ready(2)
        assert [m.row for m in found if m.type == "D"] == [[value], ["q"]]


BAD_MESSAGES = {
    "length 0": b"Q" + struct.pack("!I", 0),
    "length 3": b"Q" + struct.pack("!I", 3),
    "negative": b"Q" + struct.pack("!i", -1),
    "most negative": b"B" + struct.pack("!I", 0x80000000),
    "more than 1 GB": b"P" + struct.pack("!I", 0x40000001),
    "unknown type": b"z" + struct.pack("!I", 4),
    "type zero": b"\0" + struct.pack("!I", 4),
    "server's type": b"Z" + struct.pack("!I", 5) + b"I",
    "noise": b"\xde\xad\xbe\xef" * 16,
}


@behaviour(92)
@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("case", list(BAD_MESSAGES))
def test_bad_message_from_a_client(start_pool, case, linked):
    if (TARGET, case) == ("pgbouncer", "type zero"):
        pytest.skip("waits for more")
    pool = start_pool(size=2)
    bad, other = pool.client(), pool.client()
    other.query("begin")
    if linked:
        bad.query("begin")
    bad.send(BAD_MESSAGES[case])
    found = bad.until_closed()
    if TARGET == "weir":
        assert errors(found) == ["08P01"], found
    assert other.value("select 'unharmed'") == "unharmed"
    other.query("commit")
    for _ in range(2):
        assert_usable(pool)


@behaviour(92)
@weir_only
@pytest.mark.parametrize("case", ["Q", "P", "B", "E", "D", "C", "F"])
def test_truncated_body_gets_an_error_or_an_end(start_pool, case):
    """A body without its terminator: PostgreSQL's own words, or a closed pair, never a hang."""
    pool = start_pool(size=1)
    client = pool.client()
    client.send(pg.message(case, b"S" if case in "DC" else b"no end"), pg.sync())
    while True:
        try:
            found = client.read()
        except Exception as ended:
            assert "end of stream" in str(ended) or "reset" in str(ended), ended
            break
        if found.type == "Z":
            break
    assert_usable(pool)


BAD_ANSWERS = {
    "length 0": b"D" + struct.pack("!I", 0),
    "length 3": b"C" + struct.pack("!I", 3),
    "negative": b"D" + struct.pack("!i", -5),
    "unknown type": b"\x07" + struct.pack("!I", 4),
    "client's type": b"Q" + struct.pack("!I", 5) + b"\0",
    "noise": b"\xde\xad\xbe\xef" * 16,
    "ready with a long body": b"Z" + struct.pack("!I", 8) + b"IIII",
    "ready with an unknown status": b"Z" + struct.pack("!I", 5) + b"?",
    "an answer to nothing": pg.ready() + pg.ready() + pg.result("surplus") + pg.ready(),
}


@behaviour(92)
@weir_only
@pytest.mark.parametrize("case", list(BAD_ANSWERS))
def test_bad_message_from_a_server(start_pool, start_fake, case):
    def on_query(_, sql):
        return BAD_ANSWERS[case] if sql == "select 'bad'" else None

    fake = start_fake(on_query=on_query)
    pool = start_pool(fake, size=2)
    bad, other = pool.client(), pool.client()
    other.query("begin")
    bad.send(pg.query("select 'bad'"))
    found = bad.until_closed() if case != "an answer to nothing" else [bad.read()]
    if case != "an answer to nothing":
        assert len(errors(found)) == 1 and errors(found)[0].startswith("08"), found
    assert other.query("select 1")[-1].status == "T"
    other.query("commit")
    broken = eventually(lambda: [c for c in fake.connections if "select 'bad'" in c.queries])[0]
    eventually(broken.ended.is_set, what="weir closing the server that talks nonsense")
    with pool.client() as newcomer:
        assert newcomer.query("select 1")[-1].status == "I"


@behaviour(92)
@weir_only
def test_bad_message_from_a_server_at_login(start_pool, start_fake):
    fake = start_fake()
    fake.log_in = lambda connection: connection.send(BAD_ANSWERS["noise"])
    pool = start_pool(fake, size=1, acquire_timeout="1s")
    try:
        client = Wire(pool.address)
        found = client.query("select 1")
        client.close()
    except ServerError as refused:
        found = [refused.message]
    assert errors(found) and errors(found)[0].startswith("08"), found
