"""How Redis clients end or are ended, and errors of the server that are for one client alone."""

import socket

import pytest

from harness import eventually, weir_only
from support.redis import command
from support.redis_cache import at_rest, dial, dial3, listening, server, small, start, wide

pytestmark = weir_only

MEGABYTE = 1 << 20


@pytest.mark.behaviour("redis", "R16")
@pytest.mark.parametrize("count", [1, 3, 500])
def test_who_closes_its_half_gets_all_answers(wide, count):
    with dial(wide) as client:
        if count == 3:  # the lane is open already
            client.do("PING")
        client.send(b"".join(command("ECHO", f"{n}") for n in range(count)))
        client.socket.shutdown(socket.SHUT_WR)
        assert [client.read() for _ in range(count)] == [f"{n}".encode() for n in range(count)]
        eventually(client.is_closed)
        assert not client.buffer
    eventually(lambda: at_rest(wide))


@pytest.mark.behaviour("redis", "R16")
def test_who_closes_its_half_behind_quit_gets_all_answers(wide):
    """More of them than may be due at a time to who has only just come."""
    with dial(wide) as client:
        client.send(b"".join(command("ECHO", f"{n}") for n in range(7)) + command("QUIT"))
        client.socket.shutdown(socket.SHUT_WR)
        found = [client.read() for _ in range(8)]
        assert found == [f"{n}".encode() for n in range(7)] + [b"OK"]
        eventually(client.is_closed)


@pytest.mark.behaviour("redis", "R16")
def test_who_closes_its_half_and_waits_for_nothing_soon_is_gone(wide, server):
    with dial(wide) as client:
        client.send(command("BLPOP", "l", 0))
        eventually(lambda: b"blpop" in server.client().do("CLIENT", "LIST"))
        client.socket.shutdown(socket.SHUT_WR)
        eventually(client.is_closed)
    with dial(wide) as other:
        assert other.do("RPUSH", "l", 1) == 1 and other.do("LLEN", "l") == 1


@pytest.mark.behaviour("redis", "R21")
@pytest.mark.parametrize("setup, undo, asked, prefix", [
    (["CONFIG SET maxmemory 1"], ["CONFIG SET maxmemory 0"], "SET k v", "OOM"),
    (["REPLICAOF 127.0.0.1 1"], ["REPLICAOF NO ONE"], "SET k v", "READONLY"),
    (["CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1"],
     ["REPLICAOF NO ONE", "CONFIG SET replica-serve-stale-data yes"], "GET k", "MASTERDOWN"),
    (["ACL SETUSER default -get"], ["ACL SETUSER default +get"], "GET k", "NOPERM"),
])
def test_errors_of_the_server_pass_to_the_asker_only(wide, server, setup, undo, asked, prefix):
    with server.client() as direct, dial(wide) as client, dial(wide) as other:
        other.do("PING")
        for one in setup:
            assert direct.do(*one.split()) == b"OK"
        try:
            expected = direct.do_raw(*asked.split())
            other.send(command("ECHO", "before"))
            assert expected.startswith(b"-" + prefix.encode())
            assert client.do_raw(*asked.split()) == expected
            assert other.read() == b"before"
        finally:
            for one in undo:
                assert direct.do(*one.split()) == b"OK"
        assert not isinstance(client.do("PING"), Exception) and other.do("PING") == b"PONG"


@pytest.mark.behaviour("redis", "R31")
def test_a_watch_that_is_left_alone_ends_its_client(start):
    cache = start(6, timeouts={"pin_idle": "300ms"})
    with dial(cache) as watcher, dial(cache) as subscriber, dial(cache) as idle:
        subscriber.do("SUBSCRIBE", "c")
        assert idle.do("PING") == b"PONG"
        assert watcher.do("WATCH", "k") == b"OK"
        eventually(watcher.is_closed)
        assert watcher.buffer.startswith(b"-ERR weir: ")
        assert idle.do("PUBLISH", "c", "m") == 1
        assert subscriber.read() == [b"message", b"c", b"m"]
    assert cache.metrics().sum("weir_errors_total", kind="pin_idle") == 1


def test_pins_are_counted_by_their_reason(wide):
    def pinned():
        return wide.metrics().sum("weir_pinned_clients")

    with dial(wide) as watcher, dial(wide) as waiter, dial3(wide) as tracker, dial(wide) as other:
        assert watcher.do("WATCH", "k") == tracker.do("CLIENT", "TRACKING", "ON") == b"OK"
        waiter.send(command("BLPOP", "l", 0))
        eventually(lambda: pinned() == 3)
        other.do("RPUSH", "l", "x")
        assert waiter.read() == [b"l", b"x"]
        assert watcher.do("UNWATCH") == b"OK"
        assert tracker.do("CLIENT", "TRACKING", "OFF") == b"OK"
        assert other.do("MULTI") == b"OK" and other.do("EXEC") == []
        eventually(lambda: pinned() == 0)
        assert watcher.do("WATCH", "k") == b"OK"
    eventually(lambda: pinned() == 0)
    counted = {reason: wide.metrics().sum("weir_pins_total", reason=reason)
               for reason in ("watch", "blocking", "tracking", "monitor", "replication")}
    assert counted == {"watch": 2, "blocking": 1, "tracking": 1, "monitor": 0, "replication": 0}


@pytest.mark.behaviour("redis", "R48")
def test_a_slow_subscriber_is_ended_and_no_other(listening, server):
    wide = listening(10)
    with server.client() as direct:
        direct.do("CONFIG", "SET", "client-output-buffer-limit", "pubsub 4mb 2mb 1")
    with dial(wide) as slow, dial3(wide) as quick, dial(wide) as talker:
        slow.do("SUBSCRIBE", "c")
        quick.do("SUBSCRIBE", "c")
        wide.forget_memory_peak()
        before = wide.memory_kib()
        message = b"x" * MEGABYTE
        for _ in range(40):
            talker.do("PUBLISH", "c", message)
            assert quick.read()[2] == message
        eventually(slow.is_closed)
        if wide.measurable:
            assert wide.memory_kib("VmHWM") - before < (65536 if listening.shares else 16384)
        if listening.shares:
            assert wide.metrics().sum("weir_errors_total", kind="client_stall") == 1
        assert talker.do("PUBLISH", "c", "m") == 1
        assert quick.read() == [b"message", b"c", b"m"]
