"""CLIENT PAUSE by one client: the writes of others wait, their reads do not."""

import time

import pytest

from harness import eventually, start_target, weir_only
from support.redis import command
from support.redis_cache import LISTENER, at_rest, dial, dial3, server, start

pytestmark = weir_only

HOUR = 3600_000


@pytest.fixture
def one_lane(server):
    """All share one lane and one for what is heavy."""
    pool = start_target({
        "workers": 1,
        "databases": {"cache": {"url": f"redis://127.0.0.1:{server.port}/0", "lanes": 1,
                                "pool": {"size": 30}}},
    }, listener=LISTENER)
    yield pool
    pool.stop()


def blocked(server):
    with server.client() as direct:
        return int(next(line for line in direct.do("INFO", "clients").decode().splitlines()
                        if line.startswith("blocked_clients:")).split(":")[1])


def lanes_only(cache):
    """Many clients write at the same time, over the connections that the lanes have."""
    clients = [dial(cache) for _ in range(20)]
    for client in clients:
        client.send(command("INCR", "n") * 20)
    for client in clients:
        for _ in range(20):
            assert isinstance(client.read(), int)
        client.close()
    eventually(lambda: at_rest(cache))


WRITES = [
    ("SET", "k", "1"),
    ("EVAL", "return 1", 0),
    ("PUBLISH", "c", "m"),
    ("PFCOUNT", "h"),
    ("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"),
    ("SORT", "l", "STORE", "m"),
]


@pytest.mark.parametrize("how", WRITES, ids=lambda how: how[0])
def test_a_write_that_waits_holds_up_no_read(one_lane, server, how):
    with dial(one_lane) as operator, dial(one_lane) as writer, dial(one_lane) as reader:
        assert reader.do("GET", "k") is None
        assert operator.do("CLIENT", "PAUSE", HOUR, "WRITE") == b"OK"
        writer.send(command(*how))
        eventually(lambda: blocked(server) == 1)
        for _ in range(50):
            assert reader.do("GET", "k") is None
        reader.send(command("MULTI") + command("GET", "k") + command("EXEC"))
        assert [reader.read() for _ in range(3)] == [b"OK", b"QUEUED", [None]]
        assert reader.do("EVAL_RO", "return 7", 0) == 7
        assert writer.silent()
        assert operator.do("CLIENT", "UNPAUSE") == b"OK"
        assert not isinstance(writer.read(), Exception)
    eventually(lambda: at_rest(one_lane))


@pytest.mark.parametrize("size", [2, 3])
def test_the_end_gets_through_when_all_other_connections_wait(start, server, size):
    cache = start(size, lanes=1)
    with dial(cache) as operator, dial(cache) as reader:
        assert reader.do("GET", "k") is None
        assert operator.do("CLIENT", "PAUSE", HOUR, "WRITE") == b"OK"
        writers = [dial(cache) for _ in range(10)]
        for writer in writers:
            writer.send(command("INCR", "n"))
        eventually(lambda: blocked(server) >= 1)
        assert reader.do("GET", "n") is None
        assert operator.do("CLIENT", "UNPAUSE") == b"OK"
        assert sorted(writer.read() for writer in writers) == list(range(1, 11))
        for writer in writers:
            writer.close()


def test_when_it_has_ended_by_itself_writes_share_lanes_again(one_lane, server):
    with dial(one_lane) as operator, dial(one_lane) as writer:
        assert operator.do("CLIENT", "PAUSE", 300, "WRITE") == b"OK"
        began = time.monotonic()
        assert writer.do("SET", "k", 1) == b"OK"
        assert 0.2 < time.monotonic() - began < 5
        opened = one_lane.metrics().sum("weir_server_opens_total", result="ok")
        lanes_only(one_lane)
        assert one_lane.metrics().sum("weir_server_opens_total", result="ok") == opened
        assert writer.do("GET", "n") == b"400"


def test_in_a_transaction_it_begins_with_exec(one_lane, server):
    cache = one_lane
    with dial(cache) as operator, dial(cache) as writer, dial(cache) as reader:
        assert operator.do("MULTI") == b"OK"
        assert operator.do("SET", "a", 1) == b"QUEUED"
        assert operator.do("CLIENT", "PAUSE", HOUR, "WRITE") == b"QUEUED"
        assert operator.do("SET", "b", 2) == b"QUEUED"
        assert writer.do("SET", "c", 3) == b"OK"
        assert operator.do("EXEC") == [b"OK"] * 3
        writer.send(command("SET", "d", 4))
        eventually(lambda: blocked(server) == 1)
        assert [reader.do("GET", key) for key in "abcd"] == [b"1", b"2", b"3", None]
        assert operator.do("CLIENT", "UNPAUSE") == b"OK"
        assert writer.read() == b"OK"


def test_a_transaction_that_is_open_waits_with_exec(one_lane, server):
    cache = one_lane
    with dial(cache) as operator, dial(cache) as writer, dial(cache) as reader:
        assert writer.do("MULTI") == b"OK" and writer.do("SET", "k", 1) == b"QUEUED"
        assert operator.do("CLIENT", "PAUSE", HOUR, "WRITE") == b"OK"
        writer.send(command("EXEC"))
        eventually(lambda: blocked(server) == 1)
        assert reader.do("GET", "k") is None
        assert operator.do("CLIENT", "UNPAUSE") == b"OK"
        assert writer.read() == [b"OK"]


def test_who_leaves_has_not_written(one_lane, server):
    cache = one_lane
    with dial(cache) as operator:
        writer = dial(cache)
        assert operator.do("CLIENT", "PAUSE", HOUR, "WRITE") == b"OK"
        writer.send(command("SET", "k", 1))
        eventually(lambda: blocked(server) == 1)
        writer.close()
        eventually(lambda: blocked(server) == 0)
        assert operator.do("CLIENT", "UNPAUSE") == b"OK"
        assert operator.do("GET", "k") is None


def test_a_pause_of_everything_ends_by_itself(start, server):
    """A server holds back even the command that would end it."""
    cache = start(8, lanes=1)
    with dial(cache) as operator, dial(cache) as writer, dial(cache) as reader:
        assert reader.do("GET", "k") is None
        began = time.monotonic()
        assert operator.do("CLIENT", "PAUSE", 500, "ALL") == b"OK"
        writer.send(command("SET", "k", 1))
        reader.send(command("GET", "k"))
        assert writer.silent(0.2) and reader.silent()
        assert operator.do("CLIENT", "UNPAUSE") == b"OK"
        assert writer.read() == b"OK" and reader.read() in (None, b"1")
        assert time.monotonic() - began > 0.4
        assert writer.do("SET", "k", 2) == b"OK" and reader.do("GET", "k") == b"2"


def test_who_listens_writes_meanwhile_elsewhere(one_lane, server):
    """It went round between the connection that it listens to and one of its own."""
    with dial3(one_lane) as listener, dial(one_lane) as operator, dial3(one_lane) as other:
        listener.send(command("SUBSCRIBE", "c"))
        assert listener.read() == [b"subscribe", b"c", 1]
        other.send(command("SUBSCRIBE", "c"))
        assert other.read() == [b"subscribe", b"c", 1]
        assert operator.do("CLIENT", "PAUSE", HOUR, "WRITE") == b"OK"
        listener.send(command("SET", "k", 1) + command("GET", "k"))
        eventually(lambda: blocked(server) == 1)
        assert other.do("GET", "k") is None
        before = one_lane.metrics().sum("process_cpu_seconds_total")
        assert listener.silent(1)
        assert one_lane.metrics().sum("process_cpu_seconds_total") - before < 0.5
        other.send(command("CLIENT", "REPLY", "SKIP") + command("CLIENT", "UNPAUSE") + command("PING"))
        assert other.read() == b"PONG"
        assert listener.read() == b"OK" and listener.read() == b"1"
        assert operator.do("PUBLISH", "c", "m") == 2
        assert listener.read() == other.read() == [b"message", b"c", b"m"]


def test_errors_come_at_once(start, server):
    cache = start(8, lanes=1)
    with dial(cache) as operator, dial(cache) as writer:
        assert operator.do("CLIENT", "PAUSE", HOUR, "WRITE") == b"OK"
        assert "wrong number of arguments for 'set' command" in str(writer.do("SET", "k"))
        assert "unknown command" in str(writer.do("NOSUCH"))
        assert "timeout is not an integer" in str(operator.do("CLIENT", "PAUSE", "x"))
        writer.send(command("SET", "k", 1))
        eventually(lambda: blocked(server) == 1)
        assert operator.do("CLIENT", "UNPAUSE") == b"OK" and writer.read() == b"OK"
