"""A server that does not say so when SQL text begins or ends a transaction, as Babelfish: weir asks
it before somebody else gets it."""

import time

import pytest

from harness import eventually, weir_only
from support.tds_client import (BATCH, BULK, errors, headers, integer, nvarchar, packets,
                                parameter)
from support.tds_server import TdsServer
from support.tds_weir import client_of, pair, start, value, weir  # noqa: F401

pytestmark = [weir_only, pytest.mark.behaviour("tds", "T33")]


@pytest.fixture(scope="module")
def babelfish():
    with TdsServer("--babelfish", "--encrypt", "off") as one:
        with one.client(database="app") as client:
            for text in ("CREATE TABLE kept (a int)", "CREATE PROCEDURE begins AS BEGIN TRAN",
                         "CREATE PROCEDURE ends AS COMMIT"):
                assert not errors(client.batch(text))
        yield one


@pytest.fixture
def server(babelfish):
    yield babelfish
    eventually(lambda: not babelfish.sessions(), what="that weir is gone")
    with babelfish.client(database="app") as client:
        client.batch("DELETE kept")
    eventually(lambda: not babelfish.sessions(), what="that nobody is left")


def request(sql):
    return packets(BATCH, headers() + sql.encode("utf-16-le"))


def count_of(server):
    return server.session(app="weir")["trancount"]


def by_execute(sql):
    return lambda client: client.rpc(10, parameter(nvarchar(sql)))


WAYS = {
    "text": (lambda c: c.batch("BEGIN TRAN"), lambda c: c.batch("COMMIT")),
    "behind others": (lambda c: c.batch("SELECT 1 BEGIN TRANSACTION INSERT kept VALUES (1)"),
                      lambda c: c.batch("INSERT kept VALUES (1) ROLLBACK")),
    "in a condition": (lambda c: c.batch("IF 1 = 1 BEGIN BEGIN TRAN END"),
                       lambda c: c.batch("IF @@TRANCOUNT > 0 COMMIT")),
    "sp_executesql": (by_execute("BEGIN TRAN"), by_execute("COMMIT")),
    "procedure": (lambda c: c.rpc("begins"), lambda c: c.batch("EXEC ends")),
    "request": (lambda c: c.manager(b"\x05\0\0\0"), lambda c: c.manager(b"\x07\0\0\0")),
    "text, then request": (lambda c: c.batch("BEGIN TRAN"), lambda c: c.manager(b"\x08\0\0\0")),
    "implicit": (lambda c: [c.batch("SET IMPLICIT_TRANSACTIONS ON"),
                            c.batch("SELECT * FROM kept")][-1],
                 lambda c: c.batch("COMMIT")),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_transaction_keeps_its_server(server, pair, way):
    one, other = pair
    begin, end = WAYS[way]
    assert not errors(begin(one))
    assert count_of(server) == 1
    other.write(request("SELECT @@TRANCOUNT"))
    time.sleep(0.1)
    assert one.value("SELECT @@TRANCOUNT") == 1
    assert not errors(one.batch("INSERT kept VALUES (2)"))
    assert not errors(end(one))
    assert value(other.reply()) == 0
    assert one.value("SELECT @@TRANCOUNT") == 0 or way == "implicit"
    if way == "implicit":
        one.batch("COMMIT SET IMPLICIT_TRANSACTIONS OFF")
    eventually(lambda: count_of(server) == 0, what="that nothing is open")


@pytest.mark.parametrize("way", WAYS)
def test_who_leaves_within_a_transaction_leaves_nothing_open(server, weir, way):
    with client_of(weir) as one:
        WAYS[way][0](one)
        one.batch("INSERT kept VALUES (3)")
        assert count_of(server) == 1
    with client_of(weir) as other:
        assert other.rows("SELECT @@TRANCOUNT, COUNT(*) FROM kept") == [[0, 0]]
        assert not errors(other.batch("BEGIN TRAN INSERT kept VALUES (4) COMMIT"))
        assert other.rows("SELECT @@TRANCOUNT, COUNT(*) FROM kept") == [[0, 1]]


def test_levels_are_left_one_by_one(server, pair):
    one, other = pair
    for level in (1, 2, 3):
        one.batch("BEGIN TRAN")
        assert count_of(server) == level
    other.write(request("SELECT 1"))
    for level in (2, 1):
        one.batch("COMMIT")
        assert one.value("SELECT @@TRANCOUNT") == level
    one.batch("COMMIT")
    assert value(other.reply()) == 1


def test_an_error_that_rolls_back(server, start):
    weir = start(defaults={"pool": {"acquire_timeout": "1s"}})
    with client_of(weir) as one, client_of(weir) as other:
        one.batch("SET XACT_ABORT ON")
        one.batch("BEGIN TRAN")
        assert errors(one.batch("SELECT 1/0"))
        assert count_of(server) == 0
        assert not errors(other.batch("SELECT 1"))


def test_behind_an_error_that_rolls_back_others_are_served_in_the_end(server, pair):
    one, other = pair
    one.batch("SET XACT_ABORT ON")
    one.batch("BEGIN TRAN")
    assert errors(one.batch("SELECT 1/0"))
    assert errors(one.batch("ROLLBACK"))
    assert other.value("SELECT @@TRANCOUNT") == 0
    assert one.value("SELECT @@TRANCOUNT") == 0


def test_requests_without_transactions_are_not_asked_about(server, pair):
    """weir's question costs a round trip: there is none behind a plain SELECT."""
    one, other = pair
    one.batch("SELECT 1")
    before = server.session(app="weir")["requests"]
    for n in range(5):
        assert one.value(f"SELECT {n}") == n
        assert other.value(f"SELECT {n}") == n
    assert server.session(app="weir")["requests"] == before + 10


def test_session_mode(start, server):
    weir = start("session")
    with client_of(weir) as one:
        one.batch("BEGIN TRAN INSERT kept VALUES (1)")
    with client_of(weir) as other:
        assert other.rows("SELECT @@TRANCOUNT, COUNT(*) FROM kept") == [[0, 0]]


# ---------------------------------------------------------------- what its reset leaves


def prepexec(client, sql):
    return client.rpc(13, parameter(integer(None), status=1), parameter(nvarchar("")),
                      parameter(nvarchar(sql)))


def test_what_sp_prepexec_begins_is_its_client_s(server, pair):
    one, other = pair
    assert not errors(prepexec(one, "BEGIN TRAN INSERT kept VALUES (1)"))
    other.write(request("SELECT @@TRANCOUNT"))
    time.sleep(0.2)
    assert count_of(server) == 1
    one.batch("COMMIT")
    assert value(other.reply()) == 0


def test_a_temporary_table_of_sp_prepexec_is_nobody_else_s(pair):
    one, other = pair
    assert not errors(prepexec(one, "SELECT 42 AS a INTO #t"))
    assert errors(other.batch("SELECT * FROM #t"))


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_context_is_nobody_else_s(start, mode):
    weir = start(mode)
    with client_of(weir) as one:
        one.batch("SET CONTEXT_INFO 0x1234")
        one.batch("EXEC sp_set_session_context N'tenant', 7")
    with client_of(weir) as other:
        assert other.rows("SELECT CONTEXT_INFO(), SESSION_CONTEXT(N'tenant')") == [[None, None]]


def test_nobody_asks_between_a_bulk_load_and_its_rows(server, start):
    with client_of(start("transaction")) as one:
        one.batch("SET IMPLICIT_TRANSACTIONS ON")
        one.batch("INSERT BULK kept (a int)")
        rows = (b"\x81\x01\x00" + bytes(4) + b"\x09\0" + b"\x26\x04" + b"\x01a\0"
                + b"\xd1\x04\x07\0\0\0" + b"\xfd" + bytes(12))
        one.write(packets(BULK, rows))
        assert not errors(one.reply())
        assert one.value("SELECT MAX(a) FROM kept") == 7
        one.batch("COMMIT")
