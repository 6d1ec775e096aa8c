"""Everything a test needs, in one import."""

import os

import pytest

from support import messages as pg
from support.fake_server import FakeServer
from support.gate import Gate
from support.messages import errors, rows, statuses, tags, types
from support.pooler import TARGET, merge, start_target
from support.postgres_server import LOGIN_ROLES, PASSWORD, PostgresServer
from support.waiting import accepts, eventually, free_port, never
from support.wire import Closed, ServerError, Wire

LONG = os.environ.get("WEIR_TEST_LONG") == "1"

# Which stand-ins make sense for a test. Without a mark: all of them.
weir_only = pytest.mark.targets("weir")
pooled = pytest.mark.targets("weir", "pgbouncer")


def behaviour(number):
    return pytest.mark.behaviour("pg", number)


def outcome(messages):
    """A conversation that can be compared: types, rows, tags, SQLSTATEs and statuses."""
    shown = []
    for one in messages:
        detail = {"D": lambda m: m.row, "C": lambda m: m.tag, "Z": lambda m: m.status,
                  "E": lambda m: m.sqlstate, "N": lambda m: m.reason,
                  "S": lambda m: m.parameter}.get(one.type, lambda m: m.body)
        shown.append((one.type, detail(one)))
    return shown


def still_silent(wire, wait_s=0.3):
    """Nothing arrives. Used only where the absence itself is the statement under test."""
    return not wire.readable(wait_s)


def assert_usable(pool, user="app"):
    """A newcomer gets a server in a clean state and nobody else's answers."""
    with pool.client(user) as newcomer:
        found = newcomer.query("select 'mine' as mine")
        assert types(found) == "TDCZ", found
        assert rows(found) == [["mine"]] and statuses(found) == ["I"], found


__all__ = [name for name in dir() if not name.startswith("_")]
