"""Everything a test needs, in one import."""

from support import messages as pg
from support.fake_server import FakeServer
from support.gate import Gate
from support.messages import errors, rows, statuses, tags, types
from support.pooler import TARGET, merge, start_target
from support.postgres_server import LOGIN_ROLES, PASSWORD, PostgresServer
from support.waiting import accepts, eventually, free_port
from support.wire import Closed, ServerError, Wire

import os

import pytest

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


__all__ = [name for name in dir() if not name.startswith("_")]
