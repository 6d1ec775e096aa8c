"""Redis clients that do not read, that block or that die, and servers that restart or are full."""

import contextlib
import signal
import threading
import time

import pytest

from harness import eventually, never, weir_only
from support.redis import RedisServer, command
from support.redis_cache import (at_rest, dial, dial3, fields, flags_of_servers, listening,
                                 server, small, start, wide)

pytestmark = weir_only

MEGABYTE = 1 << 20


# ---------------------------------------------------------------- clients that do not read


@pytest.mark.behaviour("redis", "R17")
@pytest.mark.parametrize("size", [1, 3])
def test_a_client_that_does_not_read_costs_little_and_delays_nobody(start, size):
    cache = start(size, lanes=1)
    with dial(cache) as greedy, dial(cache) as neighbour:
        big = bytes(range(256)) * (MEGABYTE // 256)
        assert greedy.do("SET", "big", big) == b"OK" and neighbour.do("SET", "small", 1) == b"OK"
        assert greedy.do("GET", "big") == big
        cache.forget_memory_peak()
        before = cache.memory_kib()
        greedy.send(command("GET", "big") * 200)
        slowest = 0
        for _ in range(200):
            began = time.monotonic()
            assert neighbour.do("GET", "small") == b"1"
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 2
        if cache.measurable:
            assert cache.memory_kib("VmHWM") - before < 4096
        for _ in range(200):
            assert greedy.read() == big
        assert greedy.do("PING") == neighbour.do("PING") == b"PONG"


@pytest.mark.behaviour("redis", "R17")
def test_a_client_that_never_reads_and_leaves(start):
    cache = start(1, lanes=1)
    with dial(cache) as neighbour:
        neighbour.do("SET", "big", b"x" * MEGABYTE)
        for _ in range(3):
            greedy = dial(cache)
            greedy.send(command("GET", "big") * 50)
            neighbour.do("PING")
            greedy.close()
        assert neighbour.do("STRLEN", "big") == MEGABYTE
        eventually(lambda: at_rest(cache))


# ---------------------------------------------------------------- servers that do not read


@pytest.mark.parametrize("how", ["timeout", "killed"])
def test_a_lane_that_dies_under_clients_who_cannot_write(start, how):
    other = RedisServer()
    try:
        timeouts = {"timeouts": {"query": "500ms"}} if how == "timeout" else {}
        cache = start(2, lanes=1, url=f"redis://127.0.0.1:{other.port}/0", **timeouts)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(dial(cache)) for _ in range(4)]
            value = b"x" * 60_000
            for client in clients:
                for _ in range(10):  # answers are small: many may be due
                    client.send(command("SET", "k", "v") * 20)
                    assert [client.read() for _ in range(20)] == [b"OK"] * 20
            other.process.send_signal(signal.SIGSTOP)
            threads = [threading.Thread(target=send_until_closed, args=(client, command("SET", "k", value)))
                       for client in clients]
            for each in threads:
                each.start()
            if how == "killed":
                eventually(lambda: sum(each.is_alive() for each in threads) > 0)
                time.sleep(0.5)
                other.process.kill()
            for each in threads:
                each.join(20)
                assert not each.is_alive()
            eventually(lambda: all(client.is_closed() for client in clients))
            other.process.send_signal(signal.SIGCONT)
            if how == "timeout":
                with dial(cache) as late:
                    eventually(lambda: late.do("PING") == b"PONG")
        eventually(lambda: cache.metrics().sum("weir_clients") == 0 and at_rest(cache))
    finally:
        other.stop()


def send_until_closed(client, bytes):
    """More than fits between it and a server that does not read."""
    try:
        for _ in range(400):
            client.send(bytes)
        while client.read() is not None:
            pass
    except OSError:
        pass


# ---------------------------------------------------------------- clients that block


@pytest.mark.behaviour("redis", "R36")
def test_many_blocked_clients_leave_the_others_a_server(start, server):
    cache = start(10, pool={"acquire_timeout": "1s"})
    clients = [dial(cache) for _ in range(500)]
    with dial(cache) as other:
        assert other.do("SET", "k", 1) == b"OK"
        for client in clients:
            client.send(command("BLPOP", "l", 0))
        for _ in range(50):
            assert other.do("GET", "k") == b"1"
        assert len(flags_of_servers(server)) <= 10


@pytest.mark.behaviour("redis", "R36")
def test_blocked_clients_take_no_more_servers_than_there_may_be(start, server):
    cache = start(10, pool={"acquire_timeout": "1s"})
    clients = [dial(cache) for _ in range(50)]
    for client in clients:
        client.send(command("BLPOP", "l", 0))
    eventually(lambda: sum(not client.silent() for client in clients) >= 40)
    refused = [client for client in clients if not client.silent()]
    waiting = [client for client in clients if client.silent()]
    assert all(str(client.read()).startswith("ERR ") for client in refused)
    with server.client() as direct:
        assert flags_of_servers(server).count("b") == len(waiting) <= 10
        direct.do("RPUSH", "l", *range(len(waiting)))
        found = sorted(int(client.read()[1]) for client in waiting)
        assert found == list(range(len(waiting)))
    assert all(client.do("PING") == b"PONG" for client in clients)
    eventually(lambda: at_rest(cache))


@pytest.mark.behaviour("redis", "R37")
@pytest.mark.parametrize("words", ["BLPOP l 0", "BLMOVE l m LEFT LEFT 0", "BRPOP a l 0"])
def test_a_client_that_dies_while_it_waits_takes_nothing(small, server, words):
    with server.client() as direct:
        for _ in range(5):
            leaver = dial(small)
            leaver.send(command(*words.split()))
            eventually(lambda: "b" in flags_of_servers(server))
            leaver.close()
            eventually(lambda: "b" not in flags_of_servers(server), within_s=2)
            assert direct.do("RPUSH", "l", "x") == direct.do("LLEN", "l") == 1
            direct.do("DEL", "l")
        eventually(lambda: at_rest(small))


@pytest.mark.behaviour("redis", "R41")
def test_wait_for_a_replica_that_has_stalled(wide, server):
    replica = RedisServer(["--replicaof", f"127.0.0.1 {server.port}",
                           "--repl-diskless-sync-delay", "0"])
    try:
        with dial(wide) as client:
            client.do("CONFIG", "SET", "repl-diskless-sync-delay", 0)
            client.do("SET", "k", 0)
            eventually(lambda: client.do("WAIT", 1, 100) == 1)
            replica.process.send_signal(signal.SIGSTOP)
            for n in range(3):
                assert client.do("SET", "k", n) == b"OK"
                assert client.do("WAIT", 1, 100) == 0
            client.send(command("SET", "k", "last") + command("WAIT", 1, 0) + command("PING"))
            assert client.read() == b"OK"
            never(lambda: not client.silent())
            replica.process.send_signal(signal.SIGCONT)
            assert [client.read(), client.read()] == [1, b"PONG"]
    finally:
        replica.stop()


# ---------------------------------------------------------------- servers that go


@pytest.mark.behaviour("redis", "R49")
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("how", ["killed by number", "killed by type", "the server dies"])
def test_subscribers_hear_that_their_server_is_gone(listening, server, version, how):
    wide = listening(10)
    with dial(wide) as subscriber, dial(wide) as other:
        subscriber.do("HELLO", version)
        assert subscriber.do("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        assert other.do("PING") == b"PONG"
        with server.client() as direct:
            if how == "killed by type":
                assert direct.do("CLIENT", "KILL", "TYPE", "pubsub") == 1
            elif how == "killed by number":
                line = direct.do("CLIENT", "LIST", "TYPE", "pubsub")
                assert direct.do("CLIENT", "KILL", "ID", fields(line)["id"]) == 1
        if how == "the server dies":
            server.kill()
        eventually(subscriber.is_closed)
        if how == "the server dies":
            server.start()
        assert other.do("PING") == b"PONG"


@pytest.mark.behaviour("redis", "R62")
def test_idle_clients_outlive_a_restart_with_all_that_is_theirs(small, server):
    two, three = dial(small), dial(small)
    assert two.do("SELECT", 3) == two.do("CLIENT", "SETNAME", "two") == b"OK"
    assert three.do("HELLO", 3, "SETNAME", "three")[b"proto"] == 3
    assert two.do("SET", "k", 1) == three.do("SET", "k", 0) == b"OK"
    numbers = [each.do("CLIENT", "ID") for each in (two, three)]
    for _ in range(2):
        server.kill()
        server.start()
        assert two.do("SET", "k", "in 3") == b"OK"
        assert three.do_raw("GET", "k") == b"_\r\n"
        assert [each.do("CLIENT", "ID") for each in (two, three)] == numbers
        assert [each.do("CLIENT", "GETNAME") for each in (two, three)] == [b"two", b"three"]
        with server.client() as direct:
            direct.do("SELECT", 3)
            assert direct.do("GET", "k") == b"in 3"


@pytest.mark.behaviour("redis", "R62")
def test_who_kept_state_on_a_server_that_restarts_is_closed(wide, server):
    states = ["MULTI", "WATCH k", "SUBSCRIBE c", "MONITOR", "CLIENT TRACKING ON", "BLPOP l 0"]
    clients = [dial3(wide) for _ in states]
    for client, state in zip(clients, states):
        client.send(command(*state.split()))
        if state != "BLPOP l 0":
            client.read()
    eventually(lambda: "b" in flags_of_servers(server))
    server.kill()
    server.start()
    for client in clients:
        eventually(client.is_closed)
    with dial(wide) as other:
        assert other.do("MULTI") == b"OK" and other.do("EXEC") == []
        eventually(lambda: at_rest(wide))


@pytest.mark.behaviour("redis", "R63")
def test_a_server_that_is_full(start, server):
    cache = start(10, pool={"acquire_timeout": "1s"})
    with server.client() as direct, dial(cache) as idle:
        assert idle.do("SET", "k", 1) == b"OK"
        direct.do("CONFIG", "SET", "maxclients", 4)
        clients = [dial(cache) for _ in range(8)]
        for client in clients:
            client.send(command("BLPOP", "l", 0))
        eventually(lambda: sum(not client.silent() for client in clients) >= 5)
        refused = [client for client in clients if not client.silent()]
        words = [client.read() for client in refused]
        assert all(isinstance(each, RuntimeError) and "weir" in str(each) for each in words), words
        waiting = [client for client in clients if client not in refused]
        direct.do("CONFIG", "SET", "maxclients", 1000)
        direct.do("RPUSH", "l", *range(len(waiting)))
        assert all(client.read()[0] == b"l" for client in waiting)
        assert idle.do("GET", "k") == b"1"
        eventually(lambda: all(client.do("PING") == b"PONG" for client in clients))


# ---------------------------------------------------------------- clients that die


@pytest.mark.behaviour("redis", "R15")
@pytest.mark.behaviour("redis", "R32")
@pytest.mark.behaviour("redis", "R37")
def test_clients_that_die_in_any_state_leave_all_at_rest(start, server):
    cache = start(4)
    deaths = [b"", command("GET", "k")[:-3], command("MULTI") + command("RPUSH", "l", "x"),
              command("WATCH", "k"), command("BLPOP", "l", 0), command("SUBSCRIBE", "c"),
              command("HELLO", 3) + command("CLIENT", "TRACKING", "ON"), command("MONITOR"),
              command("SET", "k", b"x" * 100_000)[:-50_000], command("PSUBSCRIBE", "*"),
              command("SELECT", 3) + command("GET", "k"),
              command("CLIENT", "REPLY", "OFF") + command("BLPOP", "l", 0)]
    with dial(cache) as stays:
        for turn in range(3):
            for last_words in deaths:
                leaver = dial(cache)
                leaver.send(last_words)
                if turn > 0:
                    leaver.silent(0.02)  # it has an answer, or none will come
                leaver.close()
                assert stays.do("ECHO", "mine") == b"mine"
            eventually(lambda: at_rest(cache) and "b" not in flags_of_servers(server))
            assert stays.do("RPUSH", "l", "x") == stays.do("LLEN", "l") == 1
            assert stays.do("DEL", "l") == 1 and stays.do("PUBLISH", "c", "m") == 0
            assert stays.do("GET", "k") is None
        assert set(flags_of_servers(server)) <= {"N"} and len(flags_of_servers(server)) <= 4
        assert cache.metrics().sum("weir_clients") == 1


# ---------------------------------------------------------------- reads that are sent once more


def asked(cache, count):
    """So many clients have sent what is not answered yet."""
    return lambda: cache.metrics().sum("weir_clients", database="cache", state="active") == count


@pytest.mark.behaviour("redis", "R19")
def test_reads_are_sent_once_more_when_their_server_is_lost(start, server):
    cache = start(3, retry_reads=True)
    with dial(cache) as reader, dial(cache) as writer, dial(cache) as both, dial(cache) as silent, \
            dial(cache) as admin:
        clients = [reader, writer, both, silent, admin]
        assert all(client.do("PING") == b"PONG" for client in clients)
        server.process.send_signal(signal.SIGSTOP)
        reader.send(command("GET", "k") + command("HGETALL", "h"))
        writer.send(command("SET", "k", 1))
        both.send(command("GET", "k") + command("SET", "k", 2))
        silent.send(command("CLIENT", "REPLY", "OFF") + command("GET", "k"))
        admin.send(command("CONFIG", "SET", "maxmemory-samples", 5))
        eventually(asked(cache, 5))
        server.kill()
        server.start()
        assert [reader.read(), reader.read(), reader.do("GET", "k")] == [None, [], None]
        for client in (writer, both, silent, admin):
            eventually(client.is_closed)
    assert "2 reads are sent once more" in cache.log()


@pytest.mark.behaviour("redis", "R19")
@pytest.mark.behaviour("redis", "R49")
@pytest.mark.parametrize("words", ["GET k", "UNSUBSCRIBE c", "RESET"])
def test_who_listens_is_closed_all_the_same(start, server, words):
    cache = start(4, retry_reads=True)
    with dial3(cache) as listener, dial3(cache) as other:
        for client in (listener, other):
            assert client.do("SUBSCRIBE", "c")[0] == b"subscribe"
        server.process.send_signal(signal.SIGSTOP)
        listener.send(command(*words.split()))
        eventually(asked(cache, 1))
        server.kill()
        server.start()
        eventually(listener.is_closed)
        eventually(other.is_closed)


@pytest.mark.parametrize("before", [False, True], ids=["off to on", "on to off"])
def test_a_reload_of_retry_reads_loses_no_command(start, server, before):
    cache = start(3, retry_reads=before)
    with dial(cache) as client:
        assert client.do("PING") == b"PONG"
        server.process.send_signal(signal.SIGSTOP)
        client.send(command("GET", "k") if before else command("SET", "k", 1))
        eventually(asked(cache, 1))
        cache.config["databases"]["cache"]["retry_reads"] = not before
        cache.reload()
        client.send(command("SET", "k", 2) if before else command("GET", "k"))
        time.sleep(0.2)
        server.kill()
        server.start()
        eventually(client.is_closed)


def test_slow_commands_and_timeouts_of_shared_connections_are_said(start, server):
    cache = start(3, timeouts={"query": "1s"})
    cache.config.setdefault("log", {})["slow_query"] = "200ms"
    cache.reload()
    with dial(cache) as client, server.client() as direct:
        assert client.do("PING") == b"PONG"
        direct.send(command("DEBUG", "SLEEP", "0.5"))
        time.sleep(0.1)
        assert client.do("GET", "k") is None and direct.read() == b"OK"
        assert cache.metrics().sum("weir_slow_queries_total") == 1
        assert "slow query, " in cache.log()
        server.process.send_signal(signal.SIGSTOP)
        assert str(client.do("GET", "k")) == "ERR weir: query timeout"
        eventually(client.is_closed)
        server.process.send_signal(signal.SIGCONT)
        assert "query timeout after 1" in cache.log()
        assert cache.metrics().sum("weir_errors_total", kind="query_timeout") == 1
        assert cache.metrics().sum("weir_errors_total", kind="server_lost") == 0


@pytest.mark.behaviour("redis", "R19")
def test_reads_are_not_sent_a_third_time(start, server):
    cache = start(4, retry_reads=True)
    with dial(cache) as client, dial(cache) as other:
        for each in (client, other):  # two connections
            assert each.do("MULTI") == b"OK"
        for each in (client, other):
            assert each.do("EXEC") == []
        with server.client() as one, server.client() as two:
            assert client.do("GET", "k") is None
            lines = [fields(line) for line in one.do("CLIENT", "LIST").splitlines()]
            first = next(line["id"] for line in lines if line["cmd"] == "get")
            second = next(line["id"] for line in lines if line["cmd"] == "exec")
            one.send(command("DEBUG", "SLEEP", "0.5") + command("CLIENT", "KILL", "ID", first))
            time.sleep(0.1)
            two.send(command("DEBUG", "SLEEP", "0.5") + command("CLIENT", "KILL", "ID", second))
            client.send(command("GET", "k"))
            assert [one.read(), one.read(), two.read(), two.read()] == [b"OK", 1, b"OK", 1]
            eventually(client.is_closed)
            assert other.do("GET", "k") is None
