"""Redis transactions and scripts, through lanes and leases."""

import pytest

from harness import eventually, weir_only
from support.redis import command
from support.redis_cache import (at_rest, dial, dial3, flags_of_servers, same_words, server, small,
                                 start, wide)

pytestmark = weir_only


def received(cache):
    return cache.metrics().sum("weir_bytes_total", side="client", direction="in")


# ---------------------------------------------------------------- transactions


@pytest.mark.behaviour("redis", "R29")
@pytest.mark.parametrize("pipelined", [True, False])
def test_a_transaction_that_fails_gives_its_server_back(small, pipelined):
    with dial(small) as client, dial(small) as other:
        batch = [["MULTI"], ["SET", "k", 1], ["NOSUCH"], ["SET", "k"], ["EXEC"]]
        if pipelined:
            client.send(b"".join(command(*each) for each in batch))
        found = [client.read() if pipelined else client.do(*each) for each in batch]
        assert found[:2] == [b"OK", b"QUEUED"] and str(found[2]).startswith("ERR unknown command")
        assert str(found[3]).startswith("ERR wrong number")
        assert str(found[4]) == "EXECABORT Transaction discarded because of previous errors."
        assert other.do("GET", "k") is None
        eventually(lambda: at_rest(small))


@pytest.mark.behaviour("redis", "R30")
@pytest.mark.parametrize("version, nothing", [(2, b"*-1\r\n"), (3, b"_\r\n")])
@pytest.mark.parametrize("writer", ["another", "itself", "another, in another database"])
def test_a_watched_key_that_is_written(wide, version, nothing, writer):
    with dial(wide) as client, dial(wide) as other:
        client.do("HELLO", version)
        assert client.do("WATCH", "k") == b"OK"
        if "database" in writer:
            other.do("SELECT", 1)
        (client if writer == "itself" else other).do("SET", "k", 1)
        assert client.do("MULTI") == b"OK" and client.do("PING") == b"QUEUED"
        expected = b"*1\r\n+PONG\r\n" if "database" in writer else nothing
        assert client.do_raw("EXEC") == expected
        assert client.do("MULTI") == b"OK" and client.do_raw("EXEC") == b"*0\r\n"


@pytest.mark.parametrize("becomes_whole", [True, False])
def test_a_transaction_that_waits_needs_no_server_of_its_own_when_it_is_whole(
        small, server, becomes_whole):
    """A server is told whom it works for when it works for one client alone."""
    with dial(small) as holder, dial(small) as client, server.client() as direct:
        client.do("CLIENT", "SETNAME", "patient")
        assert holder.do("WATCH", "k") == b"OK"
        client.send(command("MULTI"))
        eventually(lambda: small.metrics().sum("weir_pool_waiting") == 1)
        if becomes_whole:
            before = received(small)
            client.send(command("SET", "k", 1) + command("EXEC"))
            eventually(lambda: received(small) > before)
        assert holder.do("UNWATCH") == b"OK"
        assert client.read() == b"OK"
        if not becomes_whole:
            client.send(command("SET", "k", 1) + command("EXEC"))
        assert [client.read(), client.read()] == [b"QUEUED", [b"OK"]]
        assert (b"name=patient " in direct.do("CLIENT", "LIST")) is not becomes_whole


def test_what_comes_behind_it_waits_for_the_answers_of_its_lane(start, server):
    """The lane is open, as writes wait there; nobody else gets a server of his own."""
    cache = start(4, lanes=1)
    holders = [dial(cache) for _ in range(2)]
    slow = [dial(cache) for _ in range(6)]  # of all workers
    with dial(cache) as client, server.client() as direct:
        assert client.do("SET", "k", 0) == b"OK"
        for holder in holders:
            assert holder.do("WATCH", "k") == b"OK"
        direct.do("CLIENT", "PAUSE", "500", "WRITE")
        for one in slow:
            one.send(command("SET", "other", 1))
        before = received(cache)
        client.send(command("MULTI"))
        eventually(lambda: received(cache) > before)
        client.send(command("SET", "k", 1) + command("EXEC") + command("WATCH", "k") +
                    command("GET", "k"))
        assert [client.read() for _ in range(3)] == [b"OK", b"QUEUED", [b"OK"]]
        assert client.silent(0.1)
        assert holders[0].do("UNWATCH") == b"OK"
        assert [client.read() for _ in range(2)] == [b"OK", b"1"]
        assert cache.metrics().sum("weir_cancels_total", result="withdrawn") == 0
    for one in holders + slow:
        one.close()


@pytest.mark.behaviour("redis", "R33")
def test_reset_inside_a_transaction_ends_it(small, server):
    with dial(small) as client:
        client.send(b"".join(command(*step.split()) for step in
                             ("SELECT 4", "MULTI", "SET k 1", "RESET", "EXEC", "GET k")))
        assert [client.raw() for _ in range(6)] == [
            b"+OK\r\n", b"+OK\r\n", b"+QUEUED\r\n", b"+RESET\r\n", b"-ERR EXEC without MULTI\r\n",
            b"$-1\r\n"]
        assert client.do("SET", "k", 0) == b"OK"
    with server.client() as direct:
        assert direct.do("GET", "k") == b"0"


@pytest.mark.behaviour("redis", "R34")
@pytest.mark.parametrize("version", [2, 3])
def test_a_subscription_inside_a_transaction(wide, version):
    with dial(wide) as client, dial(wide) as other:
        client.do("HELLO", version)
        confirmation = [b"subscribe", b"c", 1]
        client.send(command("MULTI") + command("SUBSCRIBE", "c") + command("INCR", "n") +
                    command("EXEC"))
        assert [client.read() for _ in range(3)] == [b"OK", b"QUEUED", b"QUEUED"]
        if version == 2:
            assert client.read() == [confirmation, 1]
        else:
            while b":1\r\n" not in client.raw()[-4:]:
                pass
        assert other.do("PUBLISH", "c", "m") == 1
        assert client.read() == [b"message", b"c", b"m"]
        assert client.do("UNSUBSCRIBE") == [b"unsubscribe", b"c", 0]
        eventually(lambda: at_rest(wide))


@pytest.mark.behaviour("redis", "R35")
def test_transactions_open_no_further_connections(wide):
    clients = [dial(wide) for _ in range(5)]

    def transactions(rounds):
        for n in range(rounds):
            for client in clients:
                client.do("WATCH", "k")
                client.do("MULTI")
            for client in clients:
                client.send(command("INCR", "n") + command("EXEC") +
                            command("MULTI") + command("INCR", "n") + command("EXEC"))
            for client in clients:
                found = [client.read() for _ in range(5)]
                assert found[0] == found[3] == b"QUEUED"

    transactions(5)
    opens = wide.metrics().sum("weir_server_opens_total")
    assert opens <= 10
    transactions(100)
    assert wide.metrics().sum("weir_server_opens_total") == opens


@pytest.mark.behaviour("redis", "R34")
def test_a_subscription_to_two_channels_inside_a_transaction_is_refused(wide):
    """EXEC's answer says one element and has two: answers got out of step."""
    with dial3(wide) as client:
        client.send(command("MULTI") + command("SUBSCRIBE", "a", "b") + command("INCR", "n") +
                    command("EXEC") + command("ECHO", "mine"))
        found = [client.read() for _ in range(5)]
        assert "not possible" in str(found[1]) and str(found[3]).startswith("EXECABORT")
        assert found[4] == b"mine"


@pytest.mark.behaviour("redis", "R28")
@pytest.mark.behaviour("redis", "R52")
@pytest.mark.parametrize("dialogue", [
    "MULTI|SUBSCRIBE c|EXEC|PING|UNSUBSCRIBE|PING", "MULTI|SUBSCRIBE c|UNSUBSCRIBE c|EXEC|PING",
    "MULTI|PSUBSCRIBE a|DISCARD|PING",
    "MULTI|SUBSCRIBE c|RESET|PING", "MULTI|AUTH default x|EXEC|ACL WHOAMI", "MULTI|RESET|EXEC",
    "MULTI|SELECT x|SELECT 2|EXEC|GET k", "MULTI|WAIT 0 0|EXEC", "MULTI|SYNC|EXEC",
    "MULTI|PSYNC ? -1|EXEC",
    "MULTI|XREAD BLOCK 0 STREAMS s $|EXEC", "MULTI|MULTI|DISCARD|EXEC",
    "MULTI|NOSUCH|MULTI|EXEC|PING",
    "MULTI|CLIENT SETNAME x|EXEC|CLIENT GETNAME", "WATCH k|SELECT 2|SET k 1|MULTI|GET k|EXEC|GET k",
    "WATCH k|SUBSCRIBE c|PING|UNSUBSCRIBE c|MULTI|EXEC",
    "DISCARD|UNWATCH|MULTI|UNWATCH|EXEC|WATCH k|DISCARD"])
def test_transactions_with_state_as_the_server_has_them(small, server, dialogue):
    same_words(small, server, *dialogue.split("|"))


# ---------------------------------------------------------------- scripts


@pytest.mark.behaviour("redis", "R22")
@pytest.mark.parametrize("busy, kill", [
    (["EVAL", "while true do end", 0], "SCRIPT KILL"),
    (["FCALL", "spin", 0], "FUNCTION KILL"),
], ids=["EVAL", "FCALL"])
def test_a_busy_script_is_killed_from_another_client(wide, server, busy, kill):
    with server.client() as direct:
        direct.do("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('spin', "
                                      "function() while true do end end)")
    with dial(wide) as asking, dial(wide) as killer, dial(wide) as neighbour:
        killer.do("PING")
        asking.send(command(*busy))
        eventually(lambda: str(neighbour.do("GET", "k")).startswith("BUSY"))
        assert killer.do(*kill.split()) == b"OK"
        assert "killed by user" in str(asking.read()) and neighbour.do("GET", "k") is None


@pytest.mark.behaviour("redis", "R22")
def test_a_client_is_unblocked_while_a_script_is_busy_as_the_server_does_it(wide, server):
    def outcome(dialing):
        with dialing() as blocked, dialing() as asking, dialing() as killer:
            number = blocked.do("CLIENT", "ID")
            blocked.send(command("BLPOP", "nothing", 0))
            eventually(lambda: "b" in flags_of_servers(server))
            asking.send(command("EVAL", "while true do end", 0))
            eventually(lambda: str(killer.do("GET", "k")).startswith("BUSY"))
            answer = killer.do("CLIENT", "UNBLOCK", number)
            assert killer.do("SCRIPT", "KILL") == b"OK"
            asking.read()
            return str(answer)
    assert outcome(lambda: dial(wide)) == outcome(server.client)
