"""Redis logins that are passed through to the server, and users whom it knows no more."""

import threading
import time

import pytest

from harness import eventually, never, start_target, weir_only
from support.redis import RedisClient, command
from support.redis_cache import fields
from support.redis_users import USERS, WRONG, by_users, dial, server, start

pytestmark = weir_only


def connections(server):
    """Ever, from anywhere."""
    with server.client() as direct:
        info = direct.do("INFO", "stats").decode()
    return int(info.split("total_connections_received:")[1].split()[0])


def users_of(server):
    """The users of the server's connections, without that of who asks."""
    with server.client() as direct:
        me = direct.do("CLIENT", "ID")
        lines = [fields(line) for line in direct.do("CLIENT", "LIST").splitlines()]
    return sorted(line["user"] for line in lines if int(line["id"]) != me)


# ---------------------------------------------------------------- who gets in


def test_the_server_says_who_gets_in(start, server):
    cache = start()
    with RedisClient(cache.port) as client:
        assert str(client.do("AUTH", "bob", "no")) == WRONG
        assert str(client.do("AUTH", "nobody", "bsec")) == WRONG
        assert client.do("AUTH", "bob", "bsec") == b"OK"
        assert client.do("ACL", "WHOAMI") == b"bob" and client.do("SET", "k", 1) == b"OK"
    with RedisClient(cache.port) as client:
        assert client.do("HELLO", 3, "AUTH", "alice", "asec", "SETNAME", "me")[b"proto"] == 3
        assert client.do("ACL", "WHOAMI") == b"alice" and client.do("CLIENT", "GETNAME") == b"me"
        assert str(client.do("HELLO", 3, "AUTH", "alice", "no")) == WRONG


@pytest.mark.behaviour("redis", "R59")
@pytest.mark.parametrize("words", [("AUTH", "bob", ""), ("HELLO", 3, "AUTH", "bob", "")], ids=str)
def test_an_empty_password_is_a_wrong_one(start, server, words):
    """The server's default user needs none, and bob is not that one."""
    cache = start()
    with RedisClient(cache.port) as client, dial(cache, "bob") as bob:
        assert str(client.do(*words)) == WRONG
        assert client.do("AUTH", "alice", "asec") == b"OK"
        assert str(client.do(*words)) == WRONG
        assert client.do("ACL", "WHOAMI") == b"alice" and bob.do("ACL", "WHOAMI") == b"bob"


@pytest.mark.behaviour("redis", "R59")
def test_users_do_not_share_connections(start, server):
    cache = start()
    clients = [(name, dial(cache, name)) for name in ("bob", "alice", "bob", "alice")]
    for _ in range(20):
        for name, client in clients:
            client.send(command("ACL", "WHOAMI"))
        for name, client in clients:
            assert client.read() == name.encode()
    assert set(users_of(server)) == {"bob", "alice"}


def test_a_default_user_without_a_password(start, server):
    cache = start()
    with RedisClient(cache.port) as client, server.client() as direct:
        client.send(command("SET", "k", 1) + command("GET", "k"))
        assert [client.read(), client.read()] == [b"OK", b"1"]
        assert client.do("ACL", "WHOAMI") == b"default"
        for words in (["AUTH", "x"], ["AUTH", "default", "x"], ["HELLO", 2, "AUTH", "default", "y"]):
            with RedisClient(cache.port) as other:
                found, expected = other.do(*words), direct.do(*words)
                assert type(found) is type(expected)
                assert isinstance(found, list) or str(found) == str(expected)
                assert other.do("ACL", "WHOAMI") == b"default"
        with RedisClient(cache.port) as other:
            assert other.do("HELLO", 3)[b"proto"] == 3


def test_a_default_user_with_a_password(start, server):
    cache = start()
    with server.client() as direct:
        direct.do("CONFIG", "SET", "requirepass", "other-secret")
    with RedisClient(cache.port) as client:
        before = None
        for words in (["PING"], ["GET", "k"], ["HELLO", 3], ["SUBSCRIBE", "c"]):
            assert str(client.do(*words)).startswith("NOAUTH ")
            with RedisClient(server.port) as direct:
                direct.do("AUTH", "other-secret")
                info = direct.do("INFO", "stats").decode()
            total = int(info.split("total_connections_received:")[1].split()[0])
            # One for the question, and one for each look of this test.
            assert before is None or total == before + 1
            before = total
        assert str(client.do("AUTH", "no")) == WRONG
        assert client.do("AUTH", "other-secret") == b"OK" and client.do("SET", "k", 1) == b"OK"
        with RedisClient(cache.port) as other:
            assert str(other.do("GET", "k")).startswith("NOAUTH ")
            assert other.do("HELLO", 2, "AUTH", "default", "other-secret")[0] == b"server"
            assert other.do("GET", "k") == b"1"


def test_a_user_who_may_do_little(start, server):
    """Neither PING nor CLIENT nor SELECT."""
    with server.client() as direct:
        direct.do("ACL", "SETUSER", "few", "on", ">fsec", "~*", "+get", "+set")
    cache = start(pool={"check_after": "100ms", "check_interval": "200ms"})
    with dial(cache, "few", "fsec") as client:
        assert client.do("SET", "k", 1) == b"OK"
        opened = cache.metrics().sum("weir_server_opens_total")
        time.sleep(1)  # checks are due
        assert client.do("GET", "k") == b"1"
        assert str(client.do("DEL", "k")).startswith("NOPERM")
        assert cache.metrics().sum("weir_server_opens_total") == opened


@pytest.mark.parametrize("method", ["trust", "passthrough"])
def test_whom_a_balancer_stands_for(server, method):
    """The header comes before all else, also where nobody has to prove anything."""
    cache = start_target(
        {"databases": {"cache": {"url": f"redis://127.0.0.1:{server.port}"}},
         "auth": {"brake": {"failures": 1}}},
        listener={"protocol": "redis", "auth": {"method": method},
                  "proxy_protocol": {"from": ["127.0.0.1"]}})
    try:
        with RedisClient(cache.port) as client:
            client.send(b"PROXY TCP4 10.1.2.3 10.0.0.1 5000 6379\r\n" + command("CLIENT", "INFO"))
            assert b"addr=10.1.2.3:5000" in client.read()
        for address, answer in (("10.1.2.4", WRONG), ("10.1.2.4", "too many failed logins"),
                                ("10.1.2.5", WRONG)) if method == "passthrough" else ():
            with RedisClient(cache.port) as client:
                client.send(f"PROXY TCP4 {address} 10.0.0.1 5000 6379\r\n".encode())
                assert answer in str(client.do("AUTH", "bob", "no"))
    finally:
        cache.stop()


# ---------------------------------------------------------------- somebody else in mid-session


@pytest.mark.behaviour("redis", "R59")
@pytest.mark.parametrize("method", ["passthrough", "plain"])
def test_a_client_that_becomes_somebody_else(start, server, method):
    cache = start(by_users(method), method=method)
    with dial(cache, "bob") as client, dial(cache, "alice") as alice:
        assert client.do("SELECT", 3) == b"OK" and client.do("CLIENT", "SETNAME", "me") == b"OK"
        number = client.do("CLIENT", "ID")
        for user in ("alice", "bob", "bob", "alice"):
            client.send(command("SET", "k", user) + command("AUTH", user, USERS[user]) +
                        command("ACL", "WHOAMI") + command("GET", "k"))
            assert [client.read() for _ in range(4)] == [b"OK", b"OK", user.encode(), user.encode()]
        assert client.do("CLIENT", "ID") == number and client.do("CLIENT", "GETNAME") == b"me"
        assert b"user=alice" in client.do("CLIENT", "INFO")
        assert alice.do("ACL", "WHOAMI") == b"alice"
        assert client.do("HELLO", 3, "AUTH", "bob", "bsec")[b"proto"] == 3
        assert client.do("ACL", "WHOAMI") == b"bob" and client.do("GET", "k") == b"alice"
        metrics = cache.metrics()
        assert metrics.sum("weir_clients", user="bob", state="idle") == 1
        assert metrics.sum("weir_clients", user="alice", state="idle") == 1
        assert metrics.sum("weir_clients") == 2
    eventually(lambda: cache.metrics().sum("weir_clients") == 0)


@pytest.mark.behaviour("redis", "R59")
@pytest.mark.parametrize("method", ["passthrough", "plain"])
def test_a_client_that_does_not_become_somebody_else(start, server, method):
    cache = start(by_users(method), method=method)
    with dial(cache, "bob") as client:
        for words in (["AUTH", "alice", "no"], ["AUTH", "nobody", "x"], ["AUTH", "bob", "no"],
                      ["HELLO", 3, "AUTH", "alice", "no"]):
            client.send(command(*words) + command("ACL", "WHOAMI"))
            assert str(client.read()) == WRONG and client.read() == b"bob"
        assert str(client.do("AUTH")).startswith("ERR wrong number of arguments")
        assert client.do("ACL", "WHOAMI") == b"bob" and client.do("GET", "k") is None
    eventually(lambda: cache.metrics().sum("weir_clients") == 0)


def test_many_logins_in_one_go(start):
    cache = start(by_users("plain"), method="plain")
    with dial(cache, "bob") as client:
        client.send((command("AUTH", "alice", "asec") + command("AUTH", "bob", "bsec")) * 3000 +
                    command("ACL", "WHOAMI"))
        assert [client.read() for _ in range(6001)] == [b"OK"] * 6000 + [b"bob"]


def test_the_brake_in_mid_session(start):
    cache = start({"auth": {"brake": {"failures": 3}}})
    with dial(cache, "bob") as client:
        for _ in range(3):
            assert str(client.do("AUTH", "alice", "no")) == WRONG
        assert "too many failed logins as user \"alice\"" in str(client.do("AUTH", "alice", "asec"))
        assert client.do("ACL", "WHOAMI") == b"bob"


def test_limits_of_clients_in_mid_session(start):
    users = {"bob": {"password": "bsec"}, "alice": {"password": "asec", "max_client_connections": 1}}
    cache = start({"users": users}, method="plain")
    with dial(cache, "bob") as client, dial(cache, "bob") as other:
        assert client.do("AUTH", "alice", "asec") == b"OK"
        assert "too many clients" in str(other.do("AUTH", "alice", "asec"))
        assert other.do("ACL", "WHOAMI") == b"bob"
        assert client.do("AUTH", "bob", "bsec") == b"OK"
        assert other.do("AUTH", "alice", "asec") == b"OK"


# ---------------------------------------------------------------- storms and brakes


def log_in_at_once(cache, count, user, password):
    answers = []

    def one():
        with RedisClient(cache.port) as client:
            answers.append(client.do("AUTH", user, password))

    threads = [threading.Thread(target=one) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return answers


def test_a_storm_of_logins_is_no_storm_of_connections(start, server):
    cache = start()
    before = connections(server)
    for _ in range(3):
        assert log_in_at_once(cache, 60, "bob", "bsec") == [b"OK"] * 60
    assert connections(server) - before <= 3  # one to ask, and those that count
    assert cache.metrics().sum("weir_server_opens_total", user="bob") == 1
    # A wrong one is not believed because of it.
    assert [str(each) for each in log_in_at_once(cache, 3, "bob", "bsecx")] == [WRONG] * 3


def test_without_a_cache_each_login_is_asked_for(start, server):
    cache = start({"auth": {"passthrough_cache": 0}}, size=1)
    before = connections(server)
    for _ in range(5):
        with dial(cache, "bob") as client:
            assert client.do("PING") == b"PONG"
    assert connections(server) - before >= 5
    eventually(lambda: users_of(server) == ["bob"])  # those that had no room are closed


def test_a_remembered_login_is_forgotten(start, server):
    cache = start({"auth": {"passthrough_cache": "1s"}})
    dial(cache, "bob").close()
    with server.client() as direct:
        direct.do("ACL", "SETUSER", "bob", "resetpass", ">other-secret")
    dial(cache, "bob").close()
    time.sleep(1.1)
    with RedisClient(cache.port) as client:
        assert str(client.do("AUTH", "bob", "bsec")) == WRONG


def test_wrong_passwords_are_counted_and_logged(start, server):
    cache = start({"users": {"bob": {"password": "own"}}}, method="plain")
    with RedisClient(cache.port) as client:
        for _ in range(3):
            assert str(client.do("AUTH", "bob", "no")) == WRONG
        assert cache.metrics().sum("weir_client_logins_total", result="failed") == 3
        assert cache.log().count('wrong password for user "bob"') == 3
        assert client.do("AUTH", "bob", "own") == b"OK"


def test_a_reload_to_session_mode_keeps_no_login_waiting(start, server):
    cache = start()
    with dial(cache, "bob") as client:
        assert client.do("MULTI") == b"OK"
        cache.config["defaults"]["pool"]["mode"] = "session"
        cache.reload()
        assert client.do("EXEC") == []
        assert client.do("AUTH", "alice", "asec") == b"OK"
        assert client.do("ACL", "WHOAMI") == b"alice"


def test_a_login_behind_answers_that_are_not_read(start, server):
    cache = start()
    with server.client() as direct:
        direct.do("SET", "large", b"x" * (8 << 20))
    with dial(cache, "bob") as client:
        client.send(command("WATCH", "k") + command("GET", "large") + command("UNWATCH") +
                    command("AUTH", "alice", "asec") + command("ACL", "WHOAMI"))
        time.sleep(0.5)
        assert client.read() == b"OK" and len(client.read()) == 8 << 20 and client.read() == b"OK"
        assert client.read() == b"OK" and client.read() == b"alice"


def test_a_reload_may_end_what_is_remembered(start, server):
    cache = start()
    dial(cache, "bob").close()
    before = connections(server)
    dial(cache, "bob").close()
    assert connections(server) - before == 1  # this look
    cache.config["auth"] = {"passthrough_cache": "1ms"}
    cache.reload()
    dial(cache, "bob").close()
    assert connections(server) - before >= 3


def test_the_brake(start, server):
    cache = start({"auth": {"brake": {"failures": 3, "window": "1m"}}})
    with RedisClient(cache.port) as client:
        for _ in range(3):
            assert str(client.do("AUTH", "bob", "no")) == WRONG
        assert "too many failed logins as user \"bob\"" in str(client.do("AUTH", "bob", "bsec"))
        eventually(client.is_closed)
    before = connections(server)
    with RedisClient(cache.port) as client:
        assert "too many failed logins" in str(client.do("AUTH", "bob", "bsec"))
    assert connections(server) - before == 1
    # Others are not concerned, nor is who has not said yet who it is.
    with dial(cache, "alice") as client:
        assert client.do("PING") == b"PONG"
    with RedisClient(cache.port) as client:
        assert client.do("PING") == b"PONG"
    eventually(lambda: cache.metrics().sum("weir_client_logins_total", result="refused") == 2)


def test_the_brake_with_passwords_of_weirs_own(start):
    cache = start({"auth": {"brake": {"failures": 3}}, "users": {"bob": {"password": "bsec"}}},
                  method="plain")
    with RedisClient(cache.port) as client:
        for _ in range(3):
            assert str(client.do("AUTH", "bob", "no")) == WRONG
        assert "too many failed logins" in str(client.do("AUTH", "bob", "bsec"))


def test_caps_hold_for_checks_too(start, server):
    cache = start({"auth": {"passthrough_cache": 0},
                   "databases": {"cache": {"pool": {"max_server_connections": 2}}}})
    clients = [dial(cache, name) for name in ("bob", "alice", "bob", "alice", "bob")]
    for client in clients:
        assert client.do("PING") == b"PONG"
        assert len(users_of(server)) <= 2


# ---------------------------------------------------------------- servers that are away


def test_who_logs_in_while_the_server_restarts(start, server):
    cache = start()
    server.kill()
    client = RedisClient(cache.port)
    client.send(command("AUTH", "default", "x") + command("PING"))
    never(lambda: not client.silent(), for_s=0.3)
    server.start()
    assert [client.read(), client.read()] == [b"OK", b"PONG"]
    client.close()


def test_who_logs_in_while_the_server_is_away(start, server):
    cache = start(pool={"acquire_timeout": "500ms"})
    server.kill()
    try:
        with RedisClient(cache.port) as client:
            said = str(client.do("AUTH", "bob", "bsec"))
            assert said.startswith("ERR weir: ") and "refused" in said
            assert str(client.do("PING")).startswith("ERR weir: ")
    finally:
        server.start()
    assert cache.metrics().sum("weir_clients") == 0


# ---------------------------------------------------------------- passwords that change


def test_a_new_password_mends_the_pool(start, server):
    cache = start({"auth": {"passthrough_cache": "1m"}}, size=1)
    old = dial(cache, "bob")
    assert old.do("PING") == b"PONG"
    with server.client() as direct:
        direct.do("ACL", "SETUSER", "bob", "resetpass", ">other-secret")
        assert old.do("PING") == b"PONG"  # as with the server itself
        direct.do("CLIENT", "KILL", "USER", "bob")
    # No server can be opened with the old one.
    def refused():
        with RedisClient(cache.port) as client:
            if client.do("AUTH", "bob", "bsec") != b"OK":
                return True
            said = client.do("PING")
            return isinstance(said, RuntimeError) and str(said) == WRONG

    eventually(refused)
    with RedisClient(cache.port) as client:  # and it is not believed any more
        assert str(client.do("AUTH", "bob", "bsec")) == WRONG
    with dial(cache, "bob", "other-secret") as new:
        assert new.do("PING") == b"PONG" and new.do("ACL", "WHOAMI") == b"bob"
        with server.client() as direct:
            direct.do("CLIENT", "KILL", "USER", "bob")
        eventually(lambda: new.do("PING") == b"PONG")


# ---------------------------------------------------------------- users who are no more


@pytest.mark.behaviour("redis", "R59")
@pytest.mark.parametrize("method", ["passthrough", "plain"])
@pytest.mark.parametrize("had", ["nothing", "a lane", "MULTI", "WATCH k", "SUBSCRIBE c"])
def test_a_deleted_user_is_out(start, server, method, had):
    cache = start({"users": {name: {"password": secret} for name, secret in USERS.items()}}
                  if method == "plain" else None, method=method)
    gone, stays = dial(cache, "bob"), dial(cache, "alice")
    assert stays.do("SET", "k", 1) == b"OK"
    if had == "a lane":
        assert gone.do("PING") == b"PONG"
    elif had != "nothing":
        gone.do(*had.split())
    with server.client() as direct:
        assert direct.do("ACL", "DELUSER", "bob") == 1
    if had in ("nothing", "a lane"):
        gone.send(command("SET", "k", "of a deleted user"))
    with pytest.raises(ConnectionError):
        for _ in range(3):
            said = gone.read()
            assert isinstance(said, RuntimeError), said
            assert str(said) == WRONG or "server connection lost" in str(said)
    assert stays.do("GET", "k") == b"1"
    assert "alice" in users_of(server) and "bob" not in users_of(server)
    if method == "passthrough":
        eventually(lambda: str(RedisClient(cache.port).do("AUTH", "bob", "bsec")) == WRONG)


@pytest.mark.behaviour("redis", "R59")
def test_a_user_who_comes_back(start, server):
    cache = start()
    with dial(cache, "bob") as client:
        client.do("PING")
    with server.client() as direct:
        direct.do("ACL", "DELUSER", "bob")
        with RedisClient(cache.port) as client:
            client.send(command("AUTH", "bob", "bsec") + command("PING"))
            while not isinstance(client.read(), RuntimeError):
                pass
        direct.do("ACL", "SETUSER", "bob", "on", ">bsec", "~*", "+@all")
    with dial(cache, "bob") as client:
        assert client.do("PING") == b"PONG"


def test_the_method_of_a_listener_can_be_changed(start, server):
    cache = start({"users": {"bob": {"password": "own"}}})
    with dial(cache, "bob") as before:
        cache.config["listeners"][0]["auth"]["method"] = "plain"
        cache.reload()
        assert before.do("PING") == b"PONG"
        with RedisClient(cache.port) as client:
            assert str(client.do("AUTH", "bob", "bsec")) == WRONG
            assert str(client.do("PING")).startswith("NOAUTH")
        cache.config["listeners"][0]["auth"]["method"] = "passthrough"
        cache.reload()
        with dial(cache, "bob") as client:
            assert client.do("ACL", "WHOAMI") == b"bob"
