"""How many connections of its server weir uses at one moment, and what for."""

import pytest

from harness import eventually, weir_only
from support.redis import command
from support.redis_cache import active, dial, dial3, server, start
from support.redis_connections import Connections

pytestmark = weir_only

HOLDS = ["MULTI", "WATCH k", "BLPOP l 0", "SUBSCRIBE c", "MONITOR", "CLIENT TRACKING ON", "WAIT 1 0"]


def after_samples(connections, count):
    """Two in a row make an excess."""
    eventually(lambda: connections.samples >= count, what=f"sample {count}")


def test_only_clients_in_a_state_have_a_connection_each(start, server):
    cache = start(30, lanes=1)
    idle = [dial(cache) for _ in range(20)] + [dial3(cache) for _ in range(10)]
    holding = [dial3(cache) if "TRACKING" in words else dial(cache) for words in HOLDS]
    with Connections(server, cache, lanes=1) as connections:
        for client, words in zip(holding, HOLDS):
            client.send(command(*words.split()))
        eventually(lambda: active(cache) >= len(HOLDS))
        for n in range(300):
            talker = idle[n % len(idle)]
            assert talker.do("SET", f"k{n}", n) == b"OK"
            assert talker.do("EVAL", "return 7", 0) == 7
            if n % 10 == 0:
                assert talker.do("SELECT", n % 3) == b"OK"
        after_samples(connections, 5)
    assert connections.excess == 0, connections.worst
    assert connections.most_used >= len(HOLDS) and connections.clients == len(idle) + len(HOLDS)
    for client in idle + holding:
        client.close()


@pytest.mark.parametrize("words", ["PING", "WATCH k"])
def test_the_samples_would_notice(start, server, words):
    """In session mode each client has a connection, whatever it does."""
    cache = start(10, {"mode": "session"}, lanes=1)
    clients = [dial(cache) for _ in range(5)]
    for client in clients:
        client.do(*words.split())
    with Connections(server, cache, lanes=1) as connections:
        after_samples(connections, 3)
    shared = 2 * cache.config["workers"]  # that could be a lane and a heavy one for each worker
    assert connections.excess == (5 - shared if words == "PING" else 0)
    for client in clients:
        client.close()
