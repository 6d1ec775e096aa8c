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
            assert talker.do("PUBLISH", "c", n) == 200
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
        assert other.do("PUBLISH", "c", "m") == len(alive)
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
        assert [client.read() for _ in range(4)] == [[b"message", b"c", b"m"], 2, [1, 2], b"v"]
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


# ---------------------------------------------------------------- how many listen


def counts(client, *channels):
    """By PUBSUB NUMSUB."""
    found = client.do("PUBSUB", "NUMSUB", *channels)
    assert found[::2] == [channel.encode() for channel in channels]
    return found[1::2]


def test_clients_are_counted_not_their_connections(start, server):
    """PUBLISH and PUBSUB said 1 or 2, however many clients listened."""
    cache = start(10, lanes=1)
    with crowd(cache, 30, "SUBSCRIBE c", "SUBSCRIBE d", "PSUBSCRIBE c*", "SSUBSCRIBE s") as clients, \
            dial(cache) as other, dial(cache) as holder, server.client() as direct:
        assert direct.do("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]  # without weir
        assert holder.do("WATCH", "k") == b"OK"  # on a server of its own
        assert len(hubs(server)) <= 3
        eventually(lambda: counts(clients[1], "c") == [31])
        for client in (other, holder, clients[1]):
            assert counts(client, "c", "d", "x") == [31, 30, 0]
            assert client.do("PUBSUB", "SHARDNUMSUB", "s", "c") == [b"s", 30, b"c", 0]
            assert client.do("PUBSUB", "NUMPAT") == 1
        for n, client in enumerate((other, holder)):
            assert client.do("PUBLISH", "c", n) == 61
            assert client.do("PUBLISH", "d", n) == 30
            assert client.do("PUBLISH", "cc", n) == 30
            assert client.do("SPUBLISH", "s", n) == 30
            assert client.do("PUBLISH", "nobody", "x" * 100_000) == 0
        # Each of them has heard as much.
        for client in clients:
            heard = [client.read()[0] for _ in range(10)]
            assert sorted(heard) == sorted([b"message"] * 4 + [b"pmessage"] * 4 + [b"smessage"] * 2)
        # One of those who listen hears it before its answer.
        clients[3].send(command("PUBLISH", "c", "m"))
        assert [clients[3].read() for _ in range(3)][2] == 61
        holder.send(command("MULTI") + command("PUBLISH", "d", "m") + command("EXEC"))
        assert holder.read() == b"OK" and holder.read() == b"QUEUED"
        assert holder.read()[0] == len(hubs(server)) - 1  # connections: what a server does by itself


def test_the_counts_follow_who_comes_and_goes(start, server):
    cache = start(10, lanes=1)
    with dial(cache) as other, server.client() as direct:
        for how_many in (1, 2, 7):
            with crowd(cache, how_many, "SUBSCRIBE c", "PSUBSCRIBE ?") as clients:
                assert counts(other, "c") == [how_many]  # each has been told of its own
                assert other.do("PUBLISH", "c", "m") == 2 * how_many
                for left, client in reversed(list(enumerate(clients))):
                    for _ in range(2):
                        assert client.read()[-1] == b"m"
                    assert client.do("UNSUBSCRIBE", "c")[1:] == [b"c", 1]
                    assert counts(other, "c") == [left]
                assert other.do("PUBLISH", "c", "m") == how_many
        eventually(lambda: other.do("PUBSUB", "NUMPAT") == 0)
        with crowd(cache, 8) as clients:
            for client in clients[:5]:
                client.close()
            eventually(lambda: counts(other, "c") == [3])
            assert other.do("PUBLISH", "c", "m") == 3
            for line in direct.do("CLIENT", "LIST", "TYPE", "pubsub").splitlines():
                assert direct.do("CLIENT", "KILL", "ID", fields(line)["id"]) == 1
            eventually(lambda: all(client.is_closed() for client in clients[5:]))
            assert counts(other, "c") == [0]
            assert other.do("PUBLISH", "c", "m") == 0
    eventually(lambda: at_rest(cache))


def test_unique_patterns_are_counted(start):
    cache = start(10, lanes=1)
    with crowd(cache, 6, "PSUBSCRIBE foo*", "PSUBSCRIBE bar*") as clients, dial(cache) as other:
        assert clients[0].do("PSUBSCRIBE", "baz*") == [b"psubscribe", b"baz*", 3]
        assert other.do("PUBSUB", "NUMPAT") == 3
        for client in clients:
            client.do("PUNSUBSCRIBE", "bar*")
        assert other.do("PUBSUB", "NUMPAT") == 2


PATTERNS = [b"*", b"**", b"a*", b"*a", b"?", b"a?c", b"*?", b"a*b*c", b"[abc]", b"[^abc]", b"[a-c]x", b"[c-a]", b"[]",
            b"[]a]", b"[^]", b"[^]a", b"[\\]]", b"[\\^a]", b"[a^]", b"[a-]", b"[-a]", b"[a-b-c]", b"[a\\-c]", b"[\\a-c]",
            b"[", b"[^", b"[ab", b"[^ab", b"[a-", b"[a\\", b"x[a", b"*[a", b"\\*", b"\\a", b"\\\\", b"\\", b"a\\",
            b"h\\[llo", b"*\\*", b"h[ae]*?o", b"A", b"[\x01-\xff]", b"a\0*", b"", b"*a" * 1000, b"*a" * 1001]
CHANNELS = [b"", b"a", b"b", b"c", b"d", b"ab", b"ba", b"aa", b"abc", b"abbc", b"axbxc", b"ac", b"ax", b"dx", b"xa", b"]a",
            b"[", b"]", b"^", b"-", b"\\", b"*", b"a*", b"?", b"\\*", b"\\\\", b"a\\", b"h[llo", b"hello", b"hllo", b"haxo",
            b"A", b"\0", b"\x01", b"\x80", b"\xff", b"a\0", b"a\0b", b"[ab", b"[]", b"a" * 2000]


def test_patterns_fit_as_the_server_says(start, server):
    cache = start(10, lanes=1)
    with crowd(cache, 4) as clients, dial(cache) as other, server.client() as direct:
        for client in clients:
            for n, pattern in enumerate(PATTERNS):
                assert client.do("PSUBSCRIBE", pattern)[1:] == [pattern, n + 2]
        some = 0
        for channel in CHANNELS:
            fit = direct.do("PUBLISH", channel, "m") // len(hubs(server))
            some += fit
            assert other.do("PUBLISH", channel, "m") == 4 * fit, channel
        assert some > len(CHANNELS)


def test_who_waits_for_the_other_instances(start):
    """As an application does: it asks how many of its own listen, then waits for so many answers."""
    cache = start(10, lanes=1)
    with crowd(cache, 9, "SUBSCRIBE request") as clients, dial3(cache) as asker:
        assert asker.do("SUBSCRIBE", "request") == [b"subscribe", b"request", 1]
        assert asker.do("SUBSCRIBE", "response") == [b"subscribe", b"response", 2]
        expected = counts(asker, "request")[0]
        assert expected == 10
        asker.send(command("PUBLISH", "request", "who"))
        found = [asker.read() for _ in range(2)]
        assert found == [[b"message", b"request", b"who"], expected]
        with dial(cache) as talker:
            for client in clients:
                assert client.read() == [b"message", b"request", b"who"]
                assert talker.do("PUBLISH", "response", "me") == 1
        assert [asker.read()[2] for _ in range(expected - 1)] == [b"me"] * 9


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
            assert talker.do("PUBLISH", "c", "m") == 4 + 3
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
        # What comes of it is the server's word alone: nobody listens when all are gone.
        client.send(command("SUBSCRIBE", "closed", "open3") + command("SUBSCRIBE", "open3"))
        assert str(client.read()).startswith("NOPERM ")
        assert client.read() == [b"subscribe", b"open3", 1]
        assert other.do("UNSUBSCRIBE", "open") == [b"unsubscribe", b"open", 0]
    eventually(lambda: at_rest(cache) and subscribed(server, "open3") == 0 and hubs(server) == [])


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
