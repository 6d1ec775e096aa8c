"""What a Redis client has set stays with it, as on a server of its own."""

import time

import pytest

from harness import LONG, eventually, weir_only
from support.redis import command
from support.redis_cache import (at_rest, dial, fields, flags_of_servers, listening, same_words,
                                 server, small, start, wide)

pytestmark = weir_only


# ---------------------------------------------------------------- order, database


@pytest.mark.behaviour("redis", "R18")
def test_a_client_s_commands_keep_their_order_across_lanes_and_leases(wide, server):
    steps = ["SET k 1", "SELECT 3", "SET k 2", "EVAL return{redis.call('get','k')} 0", "SELECT 0",
             "GET k", "MULTI", "INCR k", "EXEC", "GET k", "KEYS k", "WATCH k", "INCR k", "UNWATCH",
             "GET k", "BLPOP l 0.001", "INCR k", "SELECT 3", "APPEND k x", "GET k", "SELECT 0",
             "GET k"]
    batch = b"".join(command(*step.split()) for step in steps)
    with server.client() as direct:
        direct.send(batch)
        expected = [direct.raw() for _ in steps]
        direct.do("FLUSHALL")
    with dial(wide) as client, dial(wide) as neighbour:
        for size in [len(batch)] * 20 + [1, 7, 40, 100]:
            neighbour.send(command("ECHO", "x") * 20)
            for at in range(0, len(batch), size):
                client.send(batch[at:at + size])
            assert [client.raw() for _ in steps] == expected
            client.do("FLUSHALL")


@pytest.mark.behaviour("redis", "R23")
def test_two_databases_alternate_on_one_connection(small):
    one, other = dial(small), dial(small)
    assert one.do("SELECT", 1) == b"OK"
    for n in range(10_000 if LONG else 2_000):
        one.send(command("SET", "k", f"one {n}") + command("GET", "k"))
        other.send(command("SET", "k", f"other {n}") + command("GET", "k"))
        assert [one.read(), one.read()] == [b"OK", f"one {n}".encode()]
        assert [other.read(), other.read()] == [b"OK", f"other {n}".encode()]


@pytest.mark.behaviour("redis", "R24")
def test_a_select_that_fails_changes_nothing(small):
    with dial(small) as client:
        client.do("SELECT", 2)
        client.do("SET", "k", "in 2")
        assert client.do_raw("SELECT", 99) == b"-ERR DB index is out of range\r\n"
        assert client.do_raw("SELECT", "x") == b"-ERR value is not an integer or out of range\r\n"
        assert client.do_raw("SELECT").startswith(b"-ERR wrong number of arguments for 'select'")
        assert client.do("GET", "k") == b"in 2"


@pytest.mark.behaviour("redis", "R25")
@pytest.mark.parametrize("steps, database", [
    ("MULTI|SELECT 5|EXEC", 5),
    ("MULTI|SELECT 5|DISCARD", 0),
    ("MULTI|SELECT 5|NOSUCH|EXEC", 0),
    ("MULTI|SELECT 5|SELECT 99|EXEC", 5),
    ("EVAL return{redis.call('select',5)} 0", 0),
    ("SELECT 5|RESET", 0),
])
@pytest.mark.parametrize("pipelined", [True, False])
def test_the_database_after_a_transaction_or_a_script(small, server, steps, database, pipelined):
    words = [step.split() for step in steps.split("|")]
    with dial(small) as client, dial(small) as other:
        if pipelined:
            client.send(b"".join(command(*each) for each in words))
            for _ in words:
                client.read()
        else:
            for each in words:
                client.do(*each)
        assert other.do("SET", "other", 1) == b"OK"
        assert client.do("SET", "mine", 1) == b"OK"
    with server.client() as direct:
        assert direct.do("GET", "other") == b"1"
        direct.do("SELECT", database)
        assert direct.do("GET", "mine") == b"1"


@pytest.mark.behaviour("redis", "R26")
def test_commands_about_databases_act_on_the_right_ones(small, server):
    steps = ["SET k zero", "SELECT 1", "SET k one", "SET m 1", "MOVE m 2", "COPY k k DB 3",
             "SWAPDB 0 1", "GET k", "SELECT 0", "GET k", "SELECT 2", "GET m", "SELECT 3", "GET k",
             "FLUSHDB", "DBSIZE", "SELECT 0", "DBSIZE"]
    with dial(small) as neighbour:
        for _ in range(3):
            neighbour.do("GET", "k")
            same_words(small, server, *steps)


# ---------------------------------------------------------------- what CLIENT says


@pytest.mark.behaviour("redis", "R55")
def test_each_client_has_a_name_and_a_number_of_its_own(small):
    with dial(small) as one, dial(small) as two:
        assert one.do("CLIENT", "SETNAME", "first") == b"OK"
        assert two.do_raw("CLIENT", "GETNAME") == b"$-1\r\n"
        assert one.do("CLIENT", "GETNAME") == b"first"
        assert str(one.do("CLIENT", "SETNAME", "a b")).startswith("ERR Client names cannot contain")
        numbers = [one.do("CLIENT", "ID"), two.do("CLIENT", "ID")]
        assert numbers[0] != numbers[1] and one.do("CLIENT", "ID") == numbers[0]
        two.do("SELECT", 3)
        lines = two.do("CLIENT", "LIST").splitlines()
        listed = {int(each["id"]): each for each in map(fields, lines)}
        assert sorted(listed) == sorted(numbers)
        assert listed[numbers[0]]["name"] == "first" and listed[numbers[1]]["db"] == "3"
        for client in (one, two):
            host, port = client.socket.getsockname()
            info = fields(client.do("CLIENT", "INFO"))
            assert info["addr"] == f"{host}:{port}" and int(info["id"]) == client.do("CLIENT", "ID")
        assert fields(one.do("CLIENT", "LIST", "ID", numbers[1]))["id"] == str(numbers[1])


@pytest.mark.behaviour("redis", "R55")
@pytest.mark.parametrize("how", [
    "ID", "ADDR", "old", "TYPE", "USER",
    pytest.param("LADDR", marks=pytest.mark.xfail(
        strict=True, reason="an address of weir's own fits nobody"))])
def test_kill_ends_clients_of_weir_only(wide, server, how):
    with dial(wide) as victim, dial(wide) as killer, server.client() as stranger:
        victim.do("PING")
        host, port = victim.socket.getsockname()
        filters = {"ID": ["ID", victim.do("CLIENT", "ID")], "ADDR": ["ADDR", f"{host}:{port}"],
                   "old": [f"{host}:{port}"], "TYPE": ["TYPE", "normal"],
                   "USER": ["USER", "default"], "LADDR": ["LADDR", f"127.0.0.1:{wide.port}"]}
        assert killer.do("CLIENT", "KILL", *filters[how]) == (b"OK" if how == "old" else 1)
        eventually(victim.is_closed)
        assert killer.do("PING") == stranger.do("PING") == b"PONG"


@pytest.mark.behaviour("redis", "R55")
def test_kill_of_subscribers(wide):
    with dial(wide) as subscriber, dial(wide) as other:
        subscriber.do("SUBSCRIBE", "c")
        assert other.do("CLIENT", "KILL", "TYPE", "pubsub") == 1
        eventually(subscriber.is_closed)
        assert other.do("CLIENT", "KILL", "TYPE", "pubsub") == 0
        assert str(other.do("CLIENT", "KILL", "1.2.3.4:5")) == "ERR No such client"
        assert other.do("CLIENT", "KILL", "ID", 999_999) == 0


@pytest.mark.behaviour("redis", "R55")
@pytest.mark.parametrize("word", ["replica", "SLAVE"])
def test_kill_of_replicas(wide, server, word):
    """None was found: they were taken for normal ones."""
    with dial(wide) as replica, dial(wide) as other:
        replica.send(command("SYNC"))
        eventually(lambda: "S" in flags_of_servers(server))
        assert fields(other.do("CLIENT", "LIST", "TYPE", word))["flags"] == "S"
        assert other.do("CLIENT", "KILL", "TYPE", "normal") == 0
        assert other.do("CLIENT", "KILL", "TYPE", word) == 1
        eventually(replica.is_closed)


@pytest.mark.behaviour("redis", "R55")
def test_a_client_that_ends_itself(small):
    with dial(small) as client, dial(small) as other:
        client.send(command("CLIENT", "KILL", "ID", client.do("CLIENT", "ID"), "SKIPME", "no"))
        eventually(client.is_closed)
        assert client.buffer == b":1\r\n" and other.do("PING") == b"PONG"


@pytest.mark.behaviour("redis", "R56")
def test_answers_that_are_not_wanted(small):
    with dial(small) as client, dial(small) as neighbour:
        neighbour.send(command("ECHO", "mine") * 50)
        client.send(b"".join(command(*step.split()) for step in (
            "CLIENT REPLY OFF", "SET k 1", "NOSUCH", "MULTI", "INCR k", "EXEC", "SELECT 1",
            "SELECT 99", "SELECT 0", "CLIENT REPLY ON", "GET k")))
        assert [client.raw(), client.raw()] == [b"+OK\r\n", b"$1\r\n2\r\n"]
        client.send(b"".join(command(*step.split()) for step in (
            "CLIENT REPLY SKIP", "GET k", "ECHO 1", "CLIENT REPLY SKIP", "NOSUCH", "ECHO 2",
            "CLIENT REPLY SKIP", "CLIENT ID", "ECHO 3", "CLIENT REPLY SKIP", "BLPOP l 0.01",
            "ECHO 4")))
        assert [client.read() for _ in range(4)] == [b"1", b"2", b"3", b"4"]
        assert [neighbour.read() for _ in range(50)] == [b"mine"] * 50
        assert client.silent() and neighbour.silent()


@pytest.mark.behaviour("redis", "R56")
@pytest.mark.parametrize("version", [2, 3])
def test_pushes_come_though_answers_are_not_wanted(wide, server, version):
    def outcome(dialing):
        with dialing() as client, server.client() as other:
            client.do("HELLO", version)
            client.send(command("CLIENT", "REPLY", "OFF") + command("SUBSCRIBE", "c"))
            found = []
            if version == 3:
                found.append(client.raw())
            eventually(lambda: other.do("PUBLISH", "c", "m") == 1)
            found.append(client.raw())
            client.send(command("RESET") + command("PING"))
            return found + [client.raw(), client.raw()]
    assert outcome(lambda: dial(wide)) == outcome(server.client)


@pytest.mark.behaviour("redis", "R57")
def test_no_evict_stays_with_the_client(small, server):
    with dial(small) as client:
        assert client.do("CLIENT", "NO-EVICT", "ON") == b"OK"
        assert client.do("SET", "k", 1) == b"OK"
        assert "e" in fields(client.do("CLIENT", "INFO"))["flags"]
    with dial(small) as other:
        assert other.do("GET", "k") == b"1"
        assert "e" not in fields(other.do("CLIENT", "INFO"))["flags"]
    assert not any("e" in flags for flags in flags_of_servers(server))


WRONG = """CLIENT|CLIENT NOSUCH|CLIENT SETNAME|CLIENT SETNAME a b|CLIENT ID x|CLIENT REPLY
CLIENT REPLY x|CLIENT NO-EVICT x|CLIENT KILL|CLIENT KILL ID|CLIENT KILL ID 0|CLIENT KILL NOSUCH x
CLIENT KILL TYPE x|CLIENT KILL SKIPME x|CLIENT LIST x|CLIENT LIST TYPE x|CLIENT LIST ID x|CLIENT UNBLOCK
CLIENT UNBLOCK x|CLIENT UNBLOCK 1 x|CLIENT TRACKING|CLIENT TRACKING ON REDIRECT 12345
CLIENT CACHING yes|RESET x|SELECT|SELECT 1 2|HELLO x|WAIT x 1|WATCH|MULTI x|SUBSCRIBE|AUTH
AUTH a b c|BLPOP a x|XREAD"""


@pytest.mark.behaviour("redis", "R12")
def test_wrong_words_get_the_server_s_own_answer(small, server):
    steps = WRONG.replace("\n", "|").split("|")
    found = same_words(small, server, *steps, "CLIENT GETNAME", "GET k")
    assert all(answer.startswith(b"-") for answer in found[:-2])


@pytest.mark.behaviour("redis", "R12")
@pytest.mark.parametrize("wrong", ["CLIENT INFO x", "CLIENT UNBLOCK 1 TIMEOUT x"])
def test_one_word_too_many_gets_the_server_s_own_answer(small, server, wrong):
    same_words(small, server, wrong)


@pytest.mark.behaviour("redis", "R55")
@pytest.mark.parametrize("words", [
    "CLIENT GETNAME",
    pytest.param("CLIENT ID", marks=pytest.mark.xfail(
        strict=True, reason="in a transaction CLIENT goes to the server as it is"))])
def test_a_client_is_told_of_itself_in_a_transaction(small, server, words):
    for _ in range(20):  # so that the server's numbers are others than weir's
        server.client().close()
    with dial(small) as client:
        client.do("CLIENT", "SETNAME", "me")
        expected = client.do(*words.split())
        client.do("MULTI")
        client.do(*words.split())
        assert client.do("EXEC") == [expected]


@pytest.mark.behaviour("redis", "R55")
def test_kill_is_refused_in_a_transaction(wide, server):
    """It went to the server, and ended weir's connections and those of others."""
    with dial(wide) as client, server.client() as stranger:
        client.do("MULTI")
        assert "not possible" in str(client.do("CLIENT", "KILL", "TYPE", "normal"))
        assert str(client.do("EXEC")).startswith("EXECABORT")
        assert stranger.do("PING") == b"PONG"


@pytest.mark.behaviour("redis", "R57")
@pytest.mark.behaviour("redis", "R55")
def test_the_server_knows_whose_a_connection_is_for_now(small, server):
    def names():
        with server.client() as direct:
            return {fields(line)["name"] for line in direct.do("CLIENT", "LIST").splitlines()}

    with dial(small) as named, dial(small) as other:
        assert named.do("CLIENT", "SETNAME", "me") == named.do("MULTI") == b"OK"
        assert names() == {"", "me"}
        assert named.do("PING") == b"QUEUED" and named.do("EXEC") == [b"PONG"]
        assert other.do("ECHO", "x") == b"x"  # the same connection, for everybody
        assert names() == {""}
        assert other.do("MULTI") == b"OK" and other.do("EXEC") == []
        assert names() == {""}
        assert named.do("CLIENT", "GETNAME") == b"me"


def test_clients_with_names_take_turns(small):
    """Each came to the connection with its name, and had to leave it to the other before it could ask."""
    with dial(small) as one, dial(small) as two:
        assert one.do("CLIENT", "SETNAME", "one") == two.do("CLIENT", "SETNAME", "two") == b"OK"
        one.send(command("CLIENT", "LIST") * 20)
        two.send(command("CLIENT", "LIST") * 20)
        for client in (one, two):
            for _ in range(20):
                assert b"name=one" in client.read()


def test_a_server_that_refuses_names_serves_all_the_same(small, server):
    """weir tells it the client's name with a command of its own, whose user may not run that."""
    with dial(small) as named, dial(small) as other, server.client() as direct:
        assert named.do("CLIENT", "SETNAME", "me") == b"OK"
        for _ in range(2):  # the connection has a name, or gets none
            assert named.do("WATCH", "k") == named.do("UNWATCH") == b"OK"
            assert direct.do("ACL", "SETUSER", "default", "-client|setname") == b"OK"
            assert [other.do("PING") for _ in range(3)] == [b"PONG"] * 3  # without it, on a lane
            assert named.do("WATCH", "k") == b"OK"
            named.send(command("MULTI") + command("INCR", "n") + command("EXEC"))
            assert [named.read() for _ in range(3)][:2] == [b"OK", b"QUEUED"]
            assert named.do("CLIENT", "GETNAME") == b"me"
        assert direct.do("ACL", "SETUSER", "default", "+client|setname") == b"OK"
    eventually(lambda: at_rest(small))


@pytest.mark.xfail(strict=True, reason="weir does not learn of it")
def test_no_evict_in_a_transaction(small):
    with dial(small) as client:
        client.send(command("MULTI") + command("CLIENT", "NO-EVICT", "ON") + command("EXEC"))
        assert [client.read() for _ in range(3)] == [b"OK", b"QUEUED", [b"OK"]]
        assert fields(client.do("CLIENT", "INFO"))["flags"] == "e"


# ---------------------------------------------------------------- leaving, RESET, MONITOR


@pytest.mark.behaviour("redis", "R60")
@pytest.mark.parametrize("before, opens", [("", 1), ("MULTI", 1), ("WATCH k", 1), ("SELECT 3", 1),
                                           ("SUBSCRIBE c", 2)])
def test_quit_comes_behind_all_answers_and_closes_only_a_subscriber_s_server(listening, before,
                                                                             opens):
    small = listening(1)
    with dial(small) as client, dial(small) as other:
        client.send((command(*before.split()) if before else b"") + command("PING") * 3 +
                    command("QUIT") + command("PING"))
        eventually(client.is_closed)
        answers = client.buffer
        count = answers.count(b"PONG") + answers.count(b"pong") + answers.count(b"QUEUED")
        assert count == 3 and answers.endswith(b"+OK\r\n")
        assert other.do("MULTI") == b"OK" and other.do("EXEC") == []
        assert small.metrics().sum("weir_server_opens_total") == (1 if listening.shares else opens)


@pytest.mark.behaviour("redis", "R60")
def test_reset_undoes_everything(small, server):
    for state in ("SELECT 3", "CLIENT SETNAME me", "HELLO 3", "CLIENT TRACKING ON BCAST", "WATCH k",
                  "MULTI", "SUBSCRIBE c", "PSUBSCRIBE p", "SSUBSCRIBE s", "MONITOR",
                  "CLIENT REPLY OFF",
                  "HELLO 3 AUTH bob secret SETNAME me", "AUTH bob secret"):
        with server.client() as direct, dial(small) as client:
            direct.do("ACL", "SETUSER", "bob", "on", ">secret", "~*", "+@all")
            client.send(command(*state.split()) + command("RESET"))
            eventually(lambda: client.read() == b"RESET", what=state)
            found = [client.do_raw(*step.split()) for step in
                     ("EXEC", "GET k", "CLIENT GETNAME", "ACL WHOAMI", "PING")]
            assert found == [b"-ERR EXEC without MULTI\r\n", b"$-1\r\n", b"$-1\r\n",
                             b"$7\r\ndefault\r\n", b"+PONG\r\n"], state
            info = fields(client.do("CLIENT", "INFO"))
            shown = [info[each] for each in ("db", "flags", "resp", "sub")]
            assert shown == ["0", "N", "2", "0"], state


@pytest.mark.behaviour("redis", "R61")
def test_monitor_ends_with_reset(small, server):
    with dial(small) as client, server.client() as direct:
        assert client.do("MONITOR") == b"OK"
        direct.do("ECHO", "seen")
        assert b'"ECHO" "seen"' in client.read()
        client.send(command("RESET"))
        eventually(lambda: client.read() == b"RESET")
        direct.do("ECHO", "unseen")
        assert client.do("GET", "k") is None
        assert not any("O" in flags for flags in flags_of_servers(server))


def test_monitor_lives_on_when_its_client_was_slow(small, server):
    large, count = "x" * 20_000, 1000
    with dial(small) as client, server.client() as direct:
        assert client.do("MONITOR") == b"OK"
        direct.send(command("ECHO", large) * count)
        for _ in range(count):
            direct.read()
        for _ in range(count):
            assert client.read().endswith(large.encode() + b'"')
        time.sleep(0.2)  # it would be reset just after its last line
        direct.do("ECHO", "seen")
        assert b'"ECHO" "seen"' in client.read()


@pytest.mark.behaviour("redis", "R56")
@pytest.mark.behaviour("redis", "R60")
@pytest.mark.parametrize("how", ["OFF", "SKIP"])
def test_quit_has_no_answer_when_none_is_wanted(small, how):
    with dial(small) as client:
        client.send(command("CLIENT", "REPLY", how) + command("QUIT"))
        eventually(client.is_closed)
        assert client.buffer == b""


# ---------------------------------------------------------------- nothing is left behind


LEAVINGS = {
    "database": ["SELECT 3"],
    "name": ["CLIENT SETNAME left"],
    "RESP3": ["HELLO 3"],
    "name, by HELLO": ["HELLO 3 SETNAME left"],
    "watch": ["WATCH k"],
    "transaction": ["MULTI", "SET k left"],
    "failed transaction": ["MULTI", "NOSUCH"],
    "transaction with state": ["MULTI", "SELECT 3", "HELLO 3", "CLIENT TRACKING ON", "SUBSCRIBE c"],
    "transaction with state, run": ["MULTI", "SELECT 3", "CLIENT SETNAME left",
                                    "CLIENT NO-EVICT on", "SUBSCRIBE c", "EXEC"],
    "subscription": ["SUBSCRIBE c"],
    "pattern": ["PSUBSCRIBE *"],
    "shard subscription": ["SSUBSCRIBE c"],
    "subscription, RESP3": ["HELLO 3", "SUBSCRIBE c"],
    "tracking": ["HELLO 3", "CLIENT TRACKING ON BCAST"],
    "monitor": ["MONITOR"],
    "reply off": ["CLIENT REPLY OFF", "SET k"],
    "reply skip": ["CLIENT REPLY SKIP"],
    "no-evict": ["CLIENT NO-EVICT ON"],
    "blocked": ["BLPOP l 0"],
    "another user": ["AUTH bob secret"],
    "readonly": ["READONLY"],
    "asking": ["ASKING"],
}


@pytest.mark.parametrize("what", LEAVINGS)
@pytest.mark.behaviour("redis", "R25")
@pytest.mark.behaviour("redis", "R32")
@pytest.mark.behaviour("redis", "R42")
@pytest.mark.behaviour("redis", "R55")
@pytest.mark.behaviour("redis", "R56")
@pytest.mark.behaviour("redis", "R57")
@pytest.mark.behaviour("redis", "R58")
@pytest.mark.behaviour("redis", "R61")
def test_the_next_client_sees_nothing_of_the_one_before(small, server, what):
    with server.client() as direct:
        direct.do("ACL", "SETUSER", "bob", "on", ">secret", "~*", "+@all")
    leaver = dial(small)
    for step in LEAVINGS[what]:
        leaver.send(command(*step.split()))
        if what not in ("reply off", "reply skip", "blocked"):
            leaver.read()
    if what == "blocked":
        eventually(lambda: "b" in flags_of_servers(server))
    with dial(small) as follower, server.client() as direct:
        leaver.close()
        assert follower.do("RPUSH", "l", "x") == 1 and follower.do("LLEN", "l") == 1
        direct.do("SET", "k", "changed")
        direct.do("PUBLISH", "c", "m")
        assert follower.do("MULTI") == b"OK" and follower.do("GET", "k") == b"QUEUED"
        assert follower.do("EXEC") == [b"changed"]
        assert follower.do_raw("GET", "no") == b"$-1\r\n"
        assert follower.do_raw("CLIENT", "GETNAME") == b"$-1\r\n"
        assert follower.do("ACL", "WHOAMI") == b"default"
        info = fields(follower.do("CLIENT", "INFO"))
        assert (info["db"], info["flags"], info["resp"]) == ("0", "N", "2")
        assert follower.silent()
        eventually(lambda: at_rest(small))
        assert all(flags == "N" for flags in flags_of_servers(server))


@pytest.mark.behaviour("redis", "R13")
@pytest.mark.behaviour("redis", "R32")
@pytest.mark.behaviour("redis", "R37")
@pytest.mark.parametrize("last_words", [
    command("SET", "k", b"x" * 1000)[:-500], command("SET", "k", b"x" * 10_000_000)[:-5_000_000],
    command("MULTI") + command("SET", "k", "x" * 1000)[:-10], command("WATCH", "k")[:-1],
    command("BLPOP", "l", 0) + command("SET", "k", "x" * 1000)[:-10],
    command("SUBSCRIBE", "c") + command("SUBSCRIBE", "d")[:-3]],
    ids=["a bulk", "a large bulk", "a transaction", "WATCH", "behind BLPOP", "a subscription"])
def test_a_client_that_dies_half_way_through_a_command(small, server, last_words):
    with dial(small) as neighbour:
        for _ in range(3):
            leaver = dial(small)
            leaver.send(last_words)
            leaver.close()
            assert neighbour.do("GET", "k") is None
            assert neighbour.do("LLEN", "l") == 0
        eventually(lambda: at_rest(small))
        eventually(lambda: flags_of_servers(server) in ([], ["N"]))
        assert neighbour.do("RPUSH", "l", 1) == 1 and neighbour.do("LLEN", "l") == 1
