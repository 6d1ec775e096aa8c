"""weir before a real Redis server with users."""

import pytest

from .pooler import merge, start_target
from .redis import RedisClient, RedisServer

USERS = {"bob": "bsec", "alice": "asec"}
WRONG = "WRONGPASS invalid username-password pair or user is disabled."


@pytest.fixture
def server():
    one = RedisServer()
    with one.client() as direct:
        for name, password in USERS.items():
            assert direct.do("ACL", "SETUSER", name, "on", f">{password}", "~*", "&*", "+@all") == b"OK"
    yield one
    one.stop()


@pytest.fixture
def start(server):
    started = []

    def start_one(config=None, method="passthrough", size=4, pool=None):
        one = start_target(merge({
            "workers": 2, "shutdown_timeout": "2s",
            "defaults": {"pool": {"acquire_timeout": "3s", "size": size, **(pool or {})}},
            "databases": {"cache": {"url": f"redis://127.0.0.1:{server.port}/0"}},
        }, config or {}), listener={"protocol": "redis", "auth": {"method": method}})
        started.append(one)
        return one

    yield start_one
    for one in started:
        assert not any(secret in one.log() for secret in ("bsec", "asec", "other-secret"))
        one.stop()


def dial(cache, user=None, password=None):
    client = RedisClient(cache.port)
    if user:
        assert client.do("AUTH", user, password or USERS[user]) == b"OK"
    return client


def by_users(method):
    users = {name: {"password": secret} for name, secret in USERS.items()}
    return {"users": {**users, "default": {"password": "dsec"}}} if method == "plain" else None
