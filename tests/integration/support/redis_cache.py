"""What the tests of Redis share: weir before a real server, and comparisons with that server."""

import os

import pytest

from .pooler import start_target
from .redis import RedisClient, RedisServer

LISTENER = {"protocol": "redis", "auth": {"method": "trust"}}


@pytest.fixture
def server():
    one = RedisServer(["--enable-debug-command", "yes", "--busy-reply-threshold", "50"])
    yield one
    one.stop()


WORKERS = [1, 2] if os.environ.get("WEIR_TEST_LONG") == "1" else [2]


@pytest.fixture(params=WORKERS, ids=str)
def start(request, server):
    started = []

    def start_one(size, pool=None, **options):
        pool = start_target({
            "workers": request.param,
            "shutdown_timeout": "2s",
            "databases": {"cache": {"url": f"redis://127.0.0.1:{server.port}/0",
                                    "pool": {"size": size, **(pool or {})}, **options}},
        }, listener=LISTENER)
        started.append(pool)
        return pool

    yield start_one
    for pool in started:
        pool.stop()


@pytest.fixture
def small(start):
    """One server connection for all."""
    return start(1)


@pytest.fixture
def wide(start):
    return start(10)


@pytest.fixture(params=["hub", "pin"])
def listening(request, start):
    """Starts weir with clients that listen sharing a server, or each with one of its own."""
    def start_one(size, **options):
        return start(size, pubsub=request.param, **options)
    start_one.shares = request.param == "hub"
    return start_one


def dial(cache):
    return RedisClient(cache.port)


def dial3(cache):
    client = RedisClient(cache.port)
    assert client.do("HELLO", 3)[b"proto"] == 3
    return client


def active(cache):
    """So many server connections are in somebody's hands."""
    metrics = cache.metrics()
    return sum(metrics.sum("weir_servers", state=state) for state in ("active", "resetting"))


def at_rest(cache):
    return active(cache) == 0


def fields(line):
    """Of one line of CLIENT LIST."""
    return dict(pair.split("=", 1) for pair in line.decode().split())


def same_words(cache, server, *steps, setup=()):
    """Sends the same steps to the server itself and through weir, one after the other, and expects
    the same bytes. `setup`: commands that a direct client says before each."""
    found = []
    for open_client in (server.client, lambda: RedisClient(cache.port)):
        with server.client() as direct:
            direct.do("FLUSHALL")
            for step in setup:
                direct.do(*step.split())
        with open_client() as client:
            found.append([client.do_raw(*step.split()) for step in steps])
    for step, expected, through in zip(steps, *found):
        assert through == expected, step
    return found[1]


def flags_of_servers(server):
    """The flags of the server's connections, without those of who asks."""
    with server.client() as direct:
        me = direct.do("CLIENT", "ID")
        lines = direct.do("CLIENT", "LIST").splitlines()
    return [each["flags"] for each in map(fields, lines) if int(each["id"]) != me]
