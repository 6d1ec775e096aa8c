"""weir before the stand-in for SQL Server."""

import pytest

from . import tds_tokens
from .pooler import start_target
from .tds_client import TdsClient
from .tds_server import PASSWORD, USER, TdsServer


def start_weir(server, mode, size=1, listener=None, database=None, **config):
    """`listener` and `database` add to what is configured of them."""
    return start_target({
        "workers": 1,
        "shutdown_timeout": "2s",
        "databases": {"app": {"url": f"mssql://127.0.0.1:{server.port}/app", "user": USER,
                              "password": PASSWORD, "pool": {"mode": mode, "size": size},
                              **(database or {})}},
        "users": {USER: {"password": PASSWORD}},
        **config,
    }, listener={"protocol": "tds", "auth": {"method": "plain"}, **(listener or {})})


def client_of(weir, user=USER, password=PASSWORD, **options):
    one = TdsClient(weir.port)
    one.login(user, password, **{"database": "app", **options})
    return one


@pytest.fixture
def server():
    """Without TLS, which has tests of its own: a key takes a while to make."""
    with TdsServer("--encrypt", "off") as one:
        yield one


@pytest.fixture
def start(server):
    started = []

    def start_one(mode="transaction", size=1, **options):
        started.append(start_weir(server, mode, size, **options))
        return started[-1]

    yield start_one
    for one in started:
        one.stop()


@pytest.fixture
def weir(start):
    """One server connection for all, in transaction mode."""
    return start()


@pytest.fixture
def pair(weir):
    """Two clients with one server connection between them."""
    with client_of(weir) as one, client_of(weir) as other:
        yield one, other


def value(found):
    """The only value in a reply."""
    rows = tds_tokens.rows(found)
    assert len(rows) == 1 and len(rows[0]) == 1, tds_tokens.shape(found)
    return rows[0][0]
