"""Redis clients that listen over one server connection."""

import contextlib
import json
import subprocess
import time

import pytest

from harness import eventually, never, weir_only
from support.pooler import weir_binary
from support.redis import Push, RedisServer, command
from support.redis_cache import at_rest, dial, dial3, fields, flags_of_servers, server, start

pytestmark = weir_only

MEGABYTE = 1 << 20


@contextlib.contextmanager
def crowd(cache, count, *steps):
    """Clients that listen; every other one speaks RESP3."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context((dial3 if n % 2 else dial)(cache)) for n in range(count)]
        for client in clients:
            for step in steps or ("SUBSCRIBE c",):
                assert client.do(*step.split())[2] > 0
        yield clients


def subscribed(server, channel="c"):
    """How many connections of the server are."""
    with server.client() as direct:
        return direct.do("PUBSUB", "NUMSUB", channel)[1]


def hubs(server):
    return [flags for flags in flags_of_servers(server) if "P" in flags]


def states_of_servers(cache):
    """As the console shows them."""
    place = ("-h", str(cache.directory / "admin"), "-p", str(cache.port))
    done = subprocess.run([str(weir_binary()), "ctl", *place, "--format", "json", "SHOW SERVERS"],
                          capture_output=True, text=True, timeout=20, check=True)
    return [row["state"] for row in json.loads(done.stdout)]


# ---------------------------------------------------------------- sharing


@pytest.mark.behaviour("redis", "R42")
@pytest.mark.behaviour("redis", "R43")
def test_many_listen_over_a_connection_for_each_worker(start, server):
    cache = start(3, lanes=1)
    with crowd(cache, 200) as clients, dial(cache) as talker:
        assert 1 <= len(hubs(server)) <= cache.config["workers"]
        assert len(flags_of_servers(server)) <= 3
        assert states_of_servers(cache).count("hub") == len(hubs(server))
        for n in range(20):
            assert talker.do("PUBLISH", "c", n) == len(hubs(server))
        for client in clients:
            found = [client.read() for _ in range(20)]
            assert found == [[b"message", b"c", str(n).encode()] for n in range(20)]
        assert all(isinstance(client.read(), Push) == bool(n % 2)
                   for n, client in enumerate(clients) if not client.send(command("SUBSCRIBE", "d")))
        # Each has its own counts, and others can see them.
        assert clients[0].do("UNSUBSCRIBE", "c") == [b"unsubscribe", b"c", 1]
        assert clients[0].do("PSUBSCRIBE", "p*") == [b"psubscribe", b"p*", 2]
        number = clients[1].do("CLIENT", "ID")
        lines = [fields(line) for line in talker.do("CLIENT", "LIST", "TYPE", "pubsub").splitlines()]
        assert len(lines) == 200
        mine = next(line for line in lines if int(line["id"]) == number)
        assert (mine["sub"], mine["psub"], mine["flags"]) == ("2", "0", "P")
        talker.do("PUBLISH", "c", "x")
        assert clients[1].read() == [b"message", b"c", b"x"] and clients[0].silent(0.1)
    eventually(lambda: at_rest(cache) and subscribed(server) == 0)
    assert hubs(server) == []


@pytest.mark.behaviour("redis", "R15")
@pytest.mark.behaviour("redis", "R49")
def test_subscribers_that_die_are_missed_by_nobody(start, server):
    cache = start(6, lanes=1)
    with crowd(cache, 40) as clients, dial(cache) as talker:
        stay = clients[::4]
        for n, client in enumerate(clients):
            talker.do("PUBLISH", "c", n)
            if client in stay:
                continue
            if n % 3 == 0:
                client.send(command("SUBSCRIBE", "d") + command("UNSUBSCRIBE", "c")[:-3])
            elif n % 3 == 1:
                client.send(command("UNSUBSCRIBE"))
            client.close()
        expected = [[b"message", b"c", str(n).encode()] for n in range(len(clients))]
        for client in stay:
            assert [client.read() for _ in expected] == expected
        eventually(lambda: subscribed(server, "d") == 0)
        assert subscribed(server) == len(hubs(server))
    eventually(lambda: at_rest(cache) and subscribed(server) == 0)


@pytest.mark.behaviour("redis", "R49")
def test_a_hub_that_is_killed_takes_its_own_clients_only(start, server):
    cache = start(10, lanes=1)
    with crowd(cache, 20) as clients, dial(cache) as other, server.client() as direct:
        assert other.do("SET", "k", 1) == b"OK"
        line = direct.do("CLIENT", "LIST", "TYPE", "pubsub").splitlines()[0]
        assert direct.do("CLIENT", "KILL", "ID", fields(line)["id"]) == 1
        left = len(hubs(server))
        eventually(lambda: sum(client.is_closed() for client in clients) >= (1 if left else 20))
        assert other.do("GET", "k") == b"1"
        alive = [client for client in clients if not client.is_closed()]
        assert bool(alive) == bool(left)
        assert other.do("PUBLISH", "c", "m") == left
        assert all(client.read() == [b"message", b"c", b"m"] for client in alive)
        with dial(cache) as late:
            assert late.do("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
            other.do("PUBLISH", "c", "n")
            assert late.read() == [b"message", b"c", b"n"]


# ---------------------------------------------------------------- large, slow


@pytest.mark.behaviour("redis", "R46")
@pytest.mark.behaviour("redis", "R48")
def test_large_messages_to_slow_and_quick_readers(start, server):
    cache = start(6, lanes=1)
    with crowd(cache, 6) as clients, dial(cache) as talker:
        slow, quick = clients[:2], clients[2:]
        messages = [bytes([65 + n]) * MEGABYTE for n in range(12)]
        for message in messages:
            talker.do("PUBLISH", "c", message)
            assert all(client.read() == [b"message", b"c", message] for client in quick)
        # 12 MB that they have not read are kept for them.
        for client in slow:
            assert [client.read()[2] for _ in messages] == messages
        for client in clients[1::2]:
            assert client.do("PING") == b"PONG"


@pytest.mark.behaviour("redis", "R48")
def test_who_reads_nothing_is_ended_in_time(start, server):
    cache = start(6, lanes=1, timeouts={"client_stall": "300ms"})
    with crowd(cache, 4) as clients, dial(cache) as talker:
        slow, quick = clients[0], clients[1:]
        message = b"x" * MEGABYTE
        for _ in range(12):
            talker.do("PUBLISH", "c", message)
            assert all(client.read()[2] == message for client in quick)
        eventually(lambda: cache.metrics().sum("weir_errors_total", kind="client_stall") == 1)
        eventually(slow.is_closed)
        talker.do("PUBLISH", "c", "m")
        assert all(client.read() == [b"message", b"c", b"m"] for client in quick)


# ---------------------------------------------------------------- with other commands


@pytest.mark.behaviour("redis", "R44")
@pytest.mark.behaviour("redis", "R45")
@pytest.mark.behaviour("redis", "R46")
def test_a_subscriber_of_resp3_goes_on_working(start, server):
    cache = start(10)
    with dial3(cache) as client, dial3(cache) as other:
        for each in (client, other):
            assert each.do("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        assert client.do("SET", "k", "v") == b"OK"
        client.send(command("PUBLISH", "c", "m") + command("EVAL", "return {1, 2}", 0) +
                    command("GET", "k"))
        assert [client.read() for _ in range(4)] == [[b"message", b"c", b"m"], len(hubs(server)),
                                                     [1, 2], b"v"]
        client.send(command("MULTI") + command("INCR", "n") + command("EXEC") +
                    command("BLPOP", "l", 0.01) + command("WATCH", "k") + command("SELECT", 3) +
                    command("SET", "k", 3) + command("GET", "k") + command("SELECT", 0) +
                    command("GET", "k") + command("UNWATCH"))
        assert [client.read() for _ in range(11)] == [b"OK", b"QUEUED", [1], None, b"OK", b"OK",
                                                      b"OK", b"3", b"OK", b"v", b"OK"]
        assert client.do("UNSUBSCRIBE") == [b"unsubscribe", b"c", 0]
        assert client.do("GET", "k") == b"v"
        other.read()
        assert other.do("PING") == b"PONG"
    eventually(lambda: at_rest(cache))


@pytest.mark.behaviour("redis", "R46")
def test_a_blocked_subscriber_hears_what_is_said(start, server):
    cache = start(10)
    with dial3(cache) as client, dial(cache) as other:
        client.do("SUBSCRIBE", "c")
        client.send(command("BLPOP", "l", 0))
        eventually(lambda: "b" in flags_of_servers(server))
        other.do("PUBLISH", "c", "m")
        assert client.read() == [b"message", b"c", b"m"]
        other.do("RPUSH", "l", "x")
        assert client.read() == [b"l", b"x"]


def test_a_silent_subscriber_is_not_idle(start):
    cache = start(6, timeouts={"client_idle": "200ms", "query": "200ms"})
    with crowd(cache, 2) as clients, dial(cache) as idle:
        assert idle.do("PING") == b"PONG"
        eventually(idle.is_closed)
        never(lambda: any(client.is_closed() for client in clients), for_s=0.6)
        with dial(cache) as talker:
            talker.do("PUBLISH", "c", "m")
        assert all(client.read() == [b"message", b"c", b"m"] for client in clients)


@pytest.mark.behaviour("redis", "R58")
def test_a_redirection_needs_a_target_of_its_own(start):
    cache = start(10)
    with dial(cache) as listener, dial(cache) as client:
        number = listener.do("CLIENT", "ID")
        listener.do("SUBSCRIBE", "c")
        missing = client.do("CLIENT", "TRACKING", "ON", "REDIRECT", number)
        assert str(missing) == "ERR The client ID you want redirect to does not exist"


# ---------------------------------------------------------------- settings


def test_a_reload_concerns_who_does_not_listen_yet(start, server):
    cache = start(10, lanes=1)
    with crowd(cache, 4) as clients, dial(cache) as talker:
        shared = len(hubs(server))
        cache.config["databases"]["cache"]["pubsub"] = "pin"
        cache.reload()
        with crowd(cache, 3) as late:
            assert len(hubs(server)) == shared + 3
            assert cache.metrics().sum("weir_pins_total", reason="subscription") == 3
            assert clients[0].do("SUBSCRIBE", "d") == [b"subscribe", b"d", 2]
            assert talker.do("PUBLISH", "c", "m") == shared + 3
            assert all(client.read() == [b"message", b"c", b"m"] for client in clients + late)


def test_a_reload_to_session_mode_keeps_nobody_waiting(start, server):
    cache = start(10, lanes=1)
    with crowd(cache, 4) as clients, dial(cache) as other:
        for client in (clients[1], other):
            assert client.do("MULTI") == b"OK"
        cache.config["databases"]["cache"].setdefault("pool", {})["mode"] = "session"
        cache.reload()
        for client in (clients[1], other):
            assert client.do("EXEC") == []
            assert client.do("SET", "k", "v") == b"OK"
        assert clients[1].do("SUBSCRIBE", "d") == [b"subscribe", b"d", 2]
        assert other.do("SUBSCRIBE", "d") == [b"subscribe", b"d", 1]


def test_a_server_without_resp3_says_so(start):
    old = RedisServer(["--rename-command", "HELLO", ""])
    try:
        cache = start(5, url=f"redis://127.0.0.1:{old.port}/0")
        with dial(cache) as client:
            assert str(client.do("SUBSCRIBE", "c")).startswith("ERR unknown command 'HELLO'")
            assert client.do("PING") == b"PONG"
    finally:
        old.stop()


@pytest.mark.behaviour("redis", "R59")
def test_a_channel_that_is_forbidden(start, server):
    with server.client() as direct:
        direct.do("ACL", "SETUSER", "default", "resetchannels", "&open*")
    cache = start(6)
    with dial(cache) as client, dial(cache) as other:
        assert other.do("SUBSCRIBE", "open") == [b"subscribe", b"open", 1]
        client.send(command("SUBSCRIBE", "open", "closed") + command("SUBSCRIBE", "open2") +
                    command("UNSUBSCRIBE"))
        assert str(client.read()).startswith("NOPERM ")
        assert client.read() == [b"subscribe", b"open2", 1]
        assert client.read() == [b"unsubscribe", b"open2", 0]
        assert client.do("PING") == b"PONG"


def test_a_storm_of_subscriptions(start, server):
    """Clients come and go, each hears what was published while it listened."""
    cache = start(8, lanes=1)
    with dial(cache) as talker, crowd(cache, 4, "PSUBSCRIBE storm*") as watchers:
        until = time.monotonic() + 3
        count = 0
        while time.monotonic() < until:
            with crowd(cache, 10, f"SUBSCRIBE storm{count % 3}") as clients:
                assert talker.do("PUBLISH", f"storm{count % 3}", count) > 0
                for client in clients:
                    assert client.read()[2] == str(count).encode()
                for client in clients[::2]:
                    assert client.do("UNSUBSCRIBE")[2] == 0
            count += 1
        for watcher in watchers:
            assert [watcher.read()[3] for _ in range(count)] == [str(n).encode() for n in range(count)]
    eventually(lambda: at_rest(cache))
    assert hubs(server) == []
