"""Redis clients that wait or listen: blocking commands, subscriptions, RESP3, tracking."""

import signal

import pytest

from harness import eventually, never, weir_only
from support.redis import Push, RedisClient, command
from support.redis_cache import (active, at_rest, dial, dial3, flags_of_servers, listening,
                                 same_words, server, small, start, wide)

pytestmark = weir_only

ONLY = ("ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
        "RESET are allowed in this context")


# ---------------------------------------------------------------- blocking


@pytest.mark.behaviour("redis", "R38")
def test_what_stands_behind_a_blocking_command_waits(small, server):
    with dial(small) as client, server.client() as direct:
        client.send(command("BLPOP", "l", 0) + command("PING") + command("RESET"))
        never(lambda: not client.silent())
        direct.do("RPUSH", "l", "x")
        assert [client.read() for _ in range(3)] == [[b"l", b"x"], b"PONG", b"RESET"]


@pytest.mark.behaviour("redis", "R39")
def test_blocking_commands_that_do_not_block(small):
    with dial(small) as client, dial(small) as other:
        client.send(command("MULTI") + command("BLPOP", "l", 0) + command("EXEC"))
        assert [client.raw() for _ in range(3)] == [b"+OK\r\n", b"+QUEUED\r\n", b"*1\r\n*-1\r\n"]
        assert other.do("XREAD", "STREAMS", "s", 0) is None
        eventually(lambda: at_rest(small))


@pytest.mark.behaviour("redis", "R39")
@pytest.mark.parametrize("words, blocks", [("XREAD STREAMS BLOCK 0", False),
                                           ("XREAD BLOCK 1 STREAMS s 0", True)])
def test_only_xread_with_block_has_a_server_to_itself(start, server, words, blocks):
    cache = start(10, lanes=1)
    clients = [dial(cache) for _ in range(5)]
    for client in clients:  # so that five servers are there
        client.send(command("BLPOP", "l", 0))
    eventually(lambda: flags_of_servers(server) == ["b"] * 5)
    with server.client() as direct:
        direct.do("RPUSH", "l", *range(5))
    assert all(client.read() for client in clients)
    server.process.send_signal(signal.SIGSTOP)
    try:
        for client in clients:
            client.send(command(*words.split()))
        if blocks:
            eventually(lambda: active(cache) == 5)
        else:
            eventually(lambda: active(cache) > 0)
            never(lambda: active(cache) > cache.config["workers"])
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert [client.read() for client in clients] == [None] * 5


@pytest.mark.behaviour("redis", "R39")
def test_a_blocked_client_outlives_all_timeouts(start, server):
    cache = start(3, timeouts={name: "200ms" for name in
                               ("query", "transaction", "idle_in_transaction", "client_idle")})
    with dial(cache) as pops, dial(cache) as reads, server.client() as direct:
        pops.send(command("BLPOP", "l", 0))
        reads.send(command("XREAD", "BLOCK", 0, "STREAMS", "s", "$"))
        eventually(lambda: flags_of_servers(server).count("b") == 2)
        never(lambda: not pops.silent() or not reads.silent(), for_s=1)
        direct.do("RPUSH", "l", "x")
        assert pops.read() == [b"l", b"x"]
        direct.do("XADD", "s", "1-1", "f", "v")
        assert reads.read() == [[b"s", [[b"1-1", [b"f", b"v"]]]]]


@pytest.mark.behaviour("redis", "R40")
def test_a_blocked_client_s_time_is_over(small, server):
    for steps in (["BLPOP l 0.01"], ["HELLO 3", "BLPOP l 0.01"], ["BZPOPMIN l 0.01"],
                  ["BRPOPLPUSH a b 0.01"], ["XREAD BLOCK 1 STREAMS s $"]):
        expected = b"_\r\n" if steps[0] == "HELLO 3" else None
        with server.client() as direct, dial(small) as client:
            for step in steps:
                plain, through = direct.do_raw(*step.split()), client.do_raw(*step.split())
            assert through == plain and through == (expected or plain)


@pytest.mark.behaviour("redis", "R40")
@pytest.mark.parametrize("reason, answer", [
    ([], b"*-1\r\n"), (["TIMEOUT"], b"*-1\r\n"),
    (["ERROR"], b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")])
def test_a_client_is_unblocked_by_the_number_it_knows(wide, server, reason, answer):
    with dial(wide) as blocked, dial(wide) as other:
        number = blocked.do("CLIENT", "ID")
        assert other.do("CLIENT", "UNBLOCK", number, *reason) == 0
        blocked.send(command("BLPOP", "l", 0))
        eventually(lambda: "b" in flags_of_servers(server))
        assert other.do("CLIENT", "UNBLOCK", number, *reason) == 1
        assert blocked.raw() == answer
        assert blocked.do("PING") == b"PONG"


@pytest.mark.behaviour("redis", "R41")
def test_wait_counts_who_has_got_what_the_client_wrote(wide):
    with dial(wide) as client:
        assert client.do("SET", "k", 1) == b"OK"
        assert client.do("WAIT", 1, 50) == 0
        client.send(command("SET", "k", 2) + command("WAIT", 0, 50) + command("GET", "k"))
        assert [client.read() for _ in range(3)] == [b"OK", 0, b"2"]


# ---------------------------------------------------------------- subscriptions


@pytest.mark.behaviour("redis", "R42")
def test_a_subscriber_of_resp2_can_do_little_else(listening, server):
    wide = listening(10)
    with dial(wide) as client:
        assert client.do("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        assert client.do_raw("PING") == b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
        assert client.do_raw("PING", "x") == b"*2\r\n$4\r\npong\r\n$1\r\nx\r\n"
        assert str(client.do("GET", "k")) == ONLY
        assert client.do("UNSUBSCRIBE", "c") == [b"unsubscribe", b"c", 0]
        assert client.do("SET", "k", 1) == b"OK" and client.do_raw("PING") == b"+PONG\r\n"
    # On a hub weir refuses what the server itself does not know, too.
    for word in ("MULTI", "SELECT 1", "CLIENT ID", "HELLO 3", "WATCH k", "CLIENT LIST", "EXEC",
                 "PING x y", "SUBSCRIBE", *(() if listening.shares else ("NOSUCH",))):
        same_words(wide, server, "SUBSCRIBE a", word, "PING", "UNSUBSCRIBE a", "GET k")


@pytest.mark.behaviour("redis", "R43")
def test_each_channel_is_confirmed(listening, server):
    wide = listening(10)

    def outcome(dialing):
        with dialing() as client:
            client.send(b"".join(command(*step.split()) for step in (
                "SUBSCRIBE a a b", "PSUBSCRIBE p*", "SSUBSCRIBE s", "UNSUBSCRIBE x y",
                "UNSUBSCRIBE a b",
                "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "SUNSUBSCRIBE", "PING")))
            return [client.raw() for _ in range(14)]
    found = outcome(lambda: dial(wide))
    assert found == outcome(server.client)
    assert [found[n][-4:-2] for n in (0, 1, 2)] == [b":1", b":1", b":2"]
    assert found[9] == b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:1\r\n"
    with dial(wide) as client:
        assert client.do_raw("UNSUBSCRIBE") == b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"
        client.send(command("UNSUBSCRIBE", "x", "y") + command("PING"))
        assert [client.read() for _ in range(3)] == [[b"unsubscribe", b"x", 0],
                                                     [b"unsubscribe", b"y", 0], b"PONG"]


@pytest.mark.behaviour("redis", "R44")
def test_a_confirmation_in_resp3_stands_between_the_answers(listening):
    with dial3(listening(10)) as client:
        client.send(command("SET", "k", 1) + command("SUBSCRIBE", "c") + command("SET", "k", 2) +
                    command("GET", "k") + command("UNSUBSCRIBE", "c") + command("PING"))
        found = [client.read() for _ in range(6)]
        assert found == [b"OK", [b"subscribe", b"c", 1], b"OK", b"2", [b"unsubscribe", b"c", 0],
                         b"PONG"]
        assert isinstance(found[1], Push) and isinstance(found[4], Push)


@pytest.mark.behaviour("redis", "R45")
def test_a_subscriber_hears_itself_before_the_answer(listening):
    with dial3(listening(10)) as client:
        client.do("SUBSCRIBE", "c")
        client.send(command("PUBLISH", "c", "m") * 20)
        found = [client.read() for _ in range(40)]
        assert found == [[b"message", b"c", b"m"], 1] * 20 and isinstance(found[0], Push)


@pytest.mark.behaviour("redis", "R46")
@pytest.mark.parametrize("tracks", [False, True], ids=["", "while it tracks keys"])
def test_no_push_stands_inside_an_answer(listening, tracks):
    wide = listening(10)
    with dial3(wide) as client, dial(wide) as other:
        client.do("SUBSCRIBE", "c")
        if tracks:
            client.do("CLIENT", "TRACKING", "ON")
        big = b">2\r\n" * 25_000
        client.do("SET", "big", big)
        client.do("SADD", "set", *range(1000))
        for _ in range(20):
            client.send((command("GET", "big") + command("SMEMBERS", "set")) * 5)
            other.send((command("PUBLISH", "c", b"m" * 5000) + command("SET", "other", 1)) * 20)
            found = [client.read() for _ in range(30)]
            answers = [each for each in found if not isinstance(each, Push)]
            assert answers[::2] == [big] * 5 and all(len(each) == 1000 for each in answers[1::2])
            assert all(each == [b"message", b"c", b"m" * 5000] for each in found
                       if isinstance(each, Push))
            for _ in range(40):
                other.read()


@pytest.mark.behaviour("redis", "R47")
def test_reset_ends_subscriptions_of_resp3_without_a_word(listening):
    small = listening(1)
    with dial3(small) as client, dial(small) as other:
        client.do("SUBSCRIBE", "a")
        client.do("PSUBSCRIBE", "p*")
        client.send(command("RESET") + command("GET", "k"))
        assert [client.raw(), client.raw()] == [b"+RESET\r\n", b"$-1\r\n"]
        assert other.do("PUBLISH", "a", "m") == 0
        assert client.silent()


# ---------------------------------------------------------------- RESP3


@pytest.mark.behaviour("redis", "R50")
def test_hello_tells_the_client_s_own_number(wide, server):
    for version, shape in ((2, list), (3, dict)):
        with dial(wide) as client, server.client() as direct:
            found, expected = client.do("HELLO", version), direct.do("HELLO", version)
            number = client.do("CLIENT", "ID")
            assert isinstance(found, shape) and len(found) == (14 if version == 2 else 7)
            if version == 2:
                found, expected = [dict(zip(each[::2], each[1::2])) for each in (found, expected)]
            assert found.pop(b"id") == number and expected.pop(b"id")
            assert found == expected and found[b"proto"] == version
            assert client.do("CLIENT", "ID") == number


@pytest.mark.behaviour("redis", "R51")
def test_a_hello_that_fails_changes_nothing(small, server):
    secret = ["ACL SETUSER bob on >secret ~* +@all"]
    found = same_words(small, server, "CLIENT SETNAME me", "HELLO 4", "HELLO x", "HELLO 3 BADOPT",
                       "HELLO 3 AUTH", "HELLO 3 AUTH bob wrong",
                       "HELLO 3 AUTH bob wrong SETNAME other", "HELLO 3 SETNAME",
                       "GET k", "CLIENT GETNAME", "ACL WHOAMI", setup=secret)
    assert found[1] == b"-NOPROTO unsupported protocol version\r\n"
    assert found[5].startswith(b"-WRONGPASS ") and found[8] == b"$-1\r\n"
    with dial(small) as client:  # its user has no password: any will do
        assert client.do("HELLO", 3, "AUTH", "default", "any")[b"proto"] == 3
        assert client.do_raw("GET", "k") == b"_\r\n"


@pytest.mark.behaviour("redis", "R52")
def test_hello_inside_a_transaction(small):
    with dial(small) as client, dial(small) as other:
        client.send(command("MULTI") + command("GET", "k") + command("HELLO", 3) +
                    command("GET", "k") + command("EXEC"))
        assert [client.raw() for _ in range(3)] == [b"+OK\r\n", b"+QUEUED\r\n", b"+QUEUED\r\n"]
        assert client.read() == b"QUEUED"
        answer = client.raw()
        assert answer.startswith(b"*3\r\n$-1\r\n%7\r\n") and answer.endswith(b"_\r\n")
        assert client.do_raw("GET", "k") == b"_\r\n" and other.do_raw("GET", "k") == b"$-1\r\n"


@pytest.mark.behaviour("redis", "R50")
@pytest.mark.behaviour("redis", "R52")
@pytest.mark.xfail(strict=True, reason="the number is the server's")
def test_hello_inside_a_transaction_tells_the_client_s_own_number(small, server):
    for _ in range(20):  # so that the server's numbers are others than weir's
        server.client().close()
    with dial(small) as client:
        number = client.do("CLIENT", "ID")
        client.send(command("MULTI") + command("HELLO", 3) + command("EXEC"))
        assert [client.read(), client.read()] == [b"OK", b"QUEUED"]
        assert client.read()[0][b"id"] == number


@pytest.mark.behaviour("redis", "R53")
@pytest.mark.parametrize("kind", ["string", "integer", "double", "null", "array", "set", "map",
                                  "attrib", "push", "verbatim", "true", "false", "bignum"])
def test_all_types_of_resp3_pass(wide, server, kind):
    found = []
    for client in (server.client(), dial3(wide)):
        client.do("HELLO", 3)
        client.send(command("DEBUG", "PROTOCOL", kind) + command("PING"))
        found.append([client.raw()])
        while found[-1][-1] != b"+PONG\r\n":
            found[-1].append(client.raw())
        client.close()
    assert found[0] == found[1]
    same_words(wide, server, f"DEBUG PROTOCOL {kind}", "PING")


@pytest.mark.behaviour("redis", "R53")
def test_numbers_that_are_none_pass(wide, server):
    with dial3(wide) as client:
        client.do("ZADD", "z", "inf", "a", "-inf", "b")
        assert client.do_raw("ZSCORE", "z", "a") == b",inf\r\n"
        assert client.do_raw("ZSCORE", "z", "b") == b",-inf\r\n"
        script = "redis.setresp(3) return {double=0/0}"
        expected = server.client()
        expected.do("HELLO", 3)
        assert client.do_raw("EVAL", script, 0) == expected.do_raw("EVAL", script, 0)
        expected.close()


@pytest.mark.behaviour("redis", "R54")
def test_both_versions_at_once_on_one_connection(small, server):
    steps = ["HSET h f v", "ZADD z 1.5 a", "HGETALL h", "ZSCORE z a", "ZSCORE z b", "GET no",
             "LPOP no 2", "ZRANGE z 0 -1 WITHSCORES", "SADD s a", "SMEMBERS s", "BLPOP no 0.01",
             "EXISTS h"]
    with dial(small) as two, dial3(small) as three:
        found = {2: [], 3: []}
        for step in steps:
            found[2].append(two.do_raw(*step.split()))
            found[3].append(three.do_raw(*step.split()))
    assert found[2][2] == b"*2\r\n$1\r\nf\r\n$1\r\nv\r\n" and found[3][2].startswith(b"%1\r\n")
    assert found[2][3:7] == [b"$3\r\n1.5\r\n", b"$-1\r\n", b"$-1\r\n", b"*-1\r\n"]
    assert found[3][3:7] == [b",1.5\r\n", b"_\r\n", b"_\r\n", b"_\r\n"]
    with server.client() as direct:
        direct.do("HELLO", 3)
        assert found[3][2:8] == [direct.do_raw(*step.split()) for step in steps[2:8]]


# ---------------------------------------------------------------- tracking


def invalidation(keys):
    return [b"invalidate", keys]


@pytest.mark.behaviour("redis", "R58")
def test_a_tracked_key_that_is_written(wide):
    with dial3(wide) as client, dial(wide) as other:
        assert client.do("CLIENT", "TRACKING", "ON") == b"OK"
        client.do("GET", "k")
        other.do("SET", "k", 1)
        assert client.read() == invalidation([b"k"])
        other.do("SET", "k", 2)  # not read since
        assert client.do("GET", "k") == b"2"
        client.send(command("MULTI") + command("SET", "k", 3) + command("GET", "k") +
                    command("EXEC"))
        assert [client.read() for _ in range(5)] == [b"OK", b"QUEUED", b"QUEUED", [b"OK", b"3"],
                                                     invalidation([b"k"])]
        client.do("GET", "k")
        other.do("FLUSHALL")
        assert client.raw() == b">2\r\n$10\r\ninvalidate\r\n_\r\n"
        assert client.do("CLIENT", "TRACKING", "OFF") == b"OK"
        eventually(lambda: at_rest(wide))


@pytest.mark.behaviour("redis", "R58")
@pytest.mark.parametrize("options, steps, expected", [
    ("BCAST PREFIX a", ["other SET a1 1", "other SET b1 1"], [b"a1"]),
    ("NOLOOP", ["GET a", "GET b", "SET a 1", "other SET b 1"], [b"b"]),
    ("OPTIN", ["GET a", "CLIENT CACHING YES", "GET b", "other SET a 1", "other SET b 1"], [b"b"]),
    ("OPTOUT", ["GET a", "CLIENT CACHING NO", "GET b", "other SET b 1", "other SET a 1"], [b"a"]),
])
def test_kinds_of_tracking(wide, options, steps, expected):
    with dial3(wide) as client, dial(wide) as other:
        assert client.do("CLIENT", "TRACKING", "ON", *options.split()) == b"OK"
        for step in steps:
            words = step.split()
            (other.do(*words[1:]) if words[0] == "other" else client.do(*words))
        assert client.read() == invalidation(expected)
        assert client.do("PING") == b"PONG" and client.silent()


@pytest.mark.behaviour("redis", "R58")
def test_invalidations_for_another_connection(wide):
    with dial(wide) as listener, dial(wide) as client, dial(wide) as other:
        number = listener.do("CLIENT", "ID")
        listener.do("SUBSCRIBE", "__redis__:invalidate")
        assert client.do("CLIENT", "TRACKING", "ON", "REDIRECT", number) == b"OK"
        assert client.do("CLIENT", "GETREDIR") == number
        assert number in client.do("CLIENT", "TRACKINGINFO")
        client.do("GET", "k")
        other.do("SET", "k", 1)
        assert listener.read() == [b"message", b"__redis__:invalidate", [b"k"]]
        assert client.silent()
        missing = client.do("CLIENT", "TRACKING", "ON", "REDIRECT", 999_999)
        assert str(missing) == "ERR The client ID you want redirect to does not exist"


@pytest.mark.behaviour("redis", "R58")
@pytest.mark.xfail(strict=True, reason="it holds no server that could hear of it")
def test_invalidations_for_a_connection_that_does_not_listen_yet(wide):
    with dial(wide) as listener, dial(wide) as client:
        number = listener.do("CLIENT", "ID")
        assert client.do("CLIENT", "TRACKING", "ON", "REDIRECT", number) == b"OK"


@pytest.mark.behaviour("redis", "R58")
@pytest.mark.xfail(strict=True, reason="the number is the server's")
def test_a_redirection_that_breaks_names_the_client(wide, server):
    for _ in range(20):  # so that the server's numbers are others than weir's
        server.client().close()
    with dial(wide) as listener, dial3(wide) as client, dial(wide) as other:
        number = listener.do("CLIENT", "ID")
        listener.do("SUBSCRIBE", "__redis__:invalidate")
        assert client.do("CLIENT", "TRACKING", "ON", "REDIRECT", number) == b"OK"
        client.do("GET", "k")
        listener.close()
        eventually(lambda: other.do("PUBLISH", "__redis__:invalidate", "m") == 0)
        other.do("SET", "k", 1)
        assert client.read() == [b"tracking-redir-broken", number]


@pytest.mark.behaviour("redis", "R58")
def test_tracking_is_told_of_as_the_server_does(wide, server):
    steps = ["CLIENT GETREDIR", "CLIENT TRACKINGINFO", "CLIENT TRACKING ON", "CLIENT CACHING YES",
             "HELLO 4", "CLIENT TRACKING ON BCAST OPTIN", "CLIENT TRACKING ON PREFIX a",
             "CLIENT TRACKING MAYBE", "CLIENT TRACKING OFF", "CLIENT TRACKINGINFO", "CLIENT GETREDIR"]
    same_words(wide, server, *steps)
