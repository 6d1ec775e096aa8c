"""Several users of one Redis server: how many there may be, and how many of them listen."""

import contextlib

from harness import eventually, weir_only
from support.redis import RedisClient
from support.redis_users import WRONG, dial, server, start

pytestmark = weir_only


def test_a_client_in_mid_session_needs_no_second_place(start):
    """At the limit it was refused what it had already, as it was counted twice."""
    users = {"bob": {"password": "bsec"}, "alice": {"password": "asec", "max_client_connections": 1}}
    cache = start({"users": users, "max_clients": 2}, method="plain",
                  pool={"max_client_connections": 2})
    with dial(cache, "alice") as client, dial(cache, "bob") as other:
        for _ in range(3):
            assert client.do("AUTH", "alice", "asec") == b"OK"  # of that user there is one
        assert str(client.do("AUTH", "alice", "no")) == WRONG
        assert client.do("HELLO", 3, "AUTH", "alice", "asec")[b"proto"] == 3
        for _ in range(3):
            assert client.do("AUTH", "bob", "bsec") == b"OK"  # of that database there are two
            assert client.do("AUTH", "alice", "asec") == b"OK"
        # Nobody has got a place too many by it, and none is lost.
        assert "too many clients" in str(other.do("AUTH", "alice", "asec"))
        with RedisClient(cache.port) as third:
            assert "too many clients" in str(third.do("AUTH", "bob", "bsec"))
        client.do("AUTH", "bob", "bsec")
        assert other.do("AUTH", "alice", "asec") == b"OK"
    eventually(lambda: cache.metrics().sum("weir_clients") == 0)
    with dial(cache, "alice"), dial(cache, "bob"):
        pass


def test_listeners_of_all_users_are_counted(start):
    """Each user has connections of its own, to the same server."""
    cache = start()
    with dial(cache, "bob") as bob, dial(cache, "alice") as alice, contextlib.ExitStack() as stack:
        for n in range(12):
            client = stack.enter_context(dial(cache, "bob" if n % 3 else "alice"))
            assert client.do("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        for client in (bob, alice):
            assert client.do("PUBSUB", "NUMSUB", "c") == [b"c", 12]
            assert client.do("PUBLISH", "c", "m") == 12
