"""Prepared statements of several clients on one connection to SQL Server: each runs its own."""

import time

import pytest

from harness import weir_only
from support import tds_tokens
from support.tds_client import (RPC, Closed, call, errors, integer, long_nvarchar, nvarchar,
                                parameter)
from support.tds_tokens import shape
from support.tds_weir import client_of, pair, server, start, value, weir  # noqa: F401

pytestmark = weir_only


def prepare(client, sql, declared="@p int"):
    """Its handle."""
    found = client.rpc(11, parameter(integer(None), status=1), parameter(nvarchar(declared)),
                       parameter(nvarchar(sql)), parameter(integer(1)))
    assert not errors(found), shape(found)
    return next(each.value for each in found if each.kind == "RETURNVALUE")


def prepexec(client, sql):
    return client.rpc(13, parameter(integer(None), status=1), parameter(nvarchar("")),
                      parameter(nvarchar(sql)))


def execute(client, handle, number, procedure=12):
    return client.rpc(procedure, parameter(integer(handle)), parameter(integer(number)))


@pytest.mark.behaviour("tds", "T45")
@pytest.mark.behaviour("tds", "T46")
@pytest.mark.parametrize("procedure", [12, "sp_execute"])
def test_each_runs_its_own_statement(weir, pair, procedure):
    one, other = pair
    mine, yours = prepare(one, "SELECT @p + 100"), prepare(other, "SELECT @p + 200")
    for n in range(3):
        assert value(execute(one, mine, n, procedure)) == n + 100
        assert value(execute(other, yours, n, procedure)) == n + 200
    assert weir.metrics().sum("weir_pins_total") == 0


@pytest.mark.behaviour("tds", "T45")
def test_statements_follow_their_client_to_other_servers(server, start):
    weir = start(size=2)
    with client_of(weir) as one, client_of(weir) as other:
        mine = prepare(one, "SELECT @p + 100")
        other.batch("BEGIN TRAN")  # takes that server away
        theirs = prepare(other, "SELECT @p + 300")
        for n in range(3):
            assert value(execute(one, mine, n)) == n + 100
            assert value(execute(other, theirs, n)) == n + 300
        other.batch("COMMIT")
        assert value(execute(other, theirs, 5)) == 305


@pytest.mark.behaviour("tds", "T45")
def test_a_handle_of_nobody_is_an_error_and_the_connection_lives(pair):
    one, other = pair
    mine = prepare(one, "SELECT @p + 100")
    assert errors(execute(other, mine, 1)) == [8179]
    assert value(execute(one, mine, 1)) == 101
    one.rpc(15, parameter(integer(mine)))
    assert errors(execute(one, mine, 1)) == [8179]
    assert one.value("SELECT 5") == 5


@pytest.mark.behaviour("tds", "T46")
@pytest.mark.parametrize("name", ["[sp_execute]", "sys.sp_execute", "SP_Execute"])
def test_a_handle_of_another_is_none_under_any_name(pair, name):
    one, other = pair
    mine = prepare(one, "SELECT @p + 100")
    assert errors(execute(other, mine, 1, name)) == [8179]
    assert value(execute(one, mine, 1)) == 101


def test_a_handle_of_another_is_none_behind_a_large_value_either(pair):
    one, other = pair
    mine = prepare(one, "SELECT @p + 100")
    first = call(10, parameter(nvarchar("SELECT LEN(@t)")), parameter(nvarchar("@t nvarchar(max)")),
                 parameter(long_nvarchar("x" * 100_000), name="@t"))
    other.send(RPC, first + b"\xff" + call(12, parameter(integer(mine)), parameter(integer(1))))
    with pytest.raises(Closed):
        while True:
            assert [101] not in tds_tokens.rows(other.reply())


@pytest.mark.behaviour("tds", "T46")
def test_handles_are_given_up_by_text_as_jdbc_does(weir, pair):
    one, other = pair
    handles = [prepare(one, f"SELECT @p + {n}") for n in range(3)]
    theirs = prepare(other, "SELECT @p + 200")
    text = "".join(f"EXEC sp_unprepare {handle};" for handle in handles[:2])
    assert not errors(one.batch(text))
    assert errors(execute(one, handles[0], 1)) == [8179]
    assert value(execute(one, handles[2], 1)) == 3
    assert value(execute(other, theirs, 1)) == 201
    assert weir.metrics().sum("weir_pins_total") == 0


@pytest.mark.behaviour("tds", "T45")
def test_prepared_and_executed_at_once(weir, pair):
    one, other = pair
    handles = []
    for client, more in ((one, 100), (other, 200)):
        found = client.rpc(13, parameter(integer(None), status=1), parameter(nvarchar("@p int")),
                           parameter(nvarchar(f"SELECT @p + {more}")), parameter(integer(1)))
        assert value(found) == more + 1
        handles.append(next(each.value for each in found if each.kind == "RETURNVALUE"))
    for n in range(3):
        assert value(execute(one, handles[0], n)) == n + 100
        assert value(execute(other, handles[1], n)) == n + 200


@pytest.mark.behaviour("tds", "T46")
def test_by_text_they_keep_the_server(weir, pair):
    one, other = pair
    prepare(other, "SELECT @p + 200")
    handle = one.value("DECLARE @h int EXEC sp_prepare @h OUTPUT, N'@p int', N'SELECT @p + 100', 1 "
                       "SELECT @h")
    assert one.value(f"EXEC sp_execute {handle}, 1") == 101
    assert weir.metrics().sum("weir_pins_total", reason="prepared") == 1


def test_large_values_in_calls_do_not_keep_the_server(weir, pair):
    one, other = pair
    one.batch("CREATE TABLE large (t nvarchar(max))")
    found = one.rpc(10, parameter(nvarchar("INSERT large VALUES (@t)")),
                    parameter(nvarchar("@t nvarchar(max)")),
                    parameter(long_nvarchar("x" * 100_000), name="@t"))
    assert not errors(found)
    assert other.value("SELECT LEN(t) FROM large") == 100_000
    assert weir.metrics().sum("weir_pins_total") == 0


# ---------------------------------------------------------------- what they leave


def test_what_sp_prepexec_runs_leaves_nothing_to_the_next_client(server, pair):
    one, other = pair
    one.batch("CREATE PROCEDURE leaves AS "
              "EXEC sp_getapplock @Resource = 'r', @LockMode = 'Exclusive', @LockOwner = 'Session' "
              "EXEC sp_set_session_context N'tenant', 7")
    assert not errors(prepexec(one, "EXEC leaves"))
    assert other.value("SELECT SESSION_CONTEXT(N'tenant')") is None
    assert server.session(app="weir")["applocks"] == []
    one.batch("DROP PROCEDURE leaves")


@pytest.mark.behaviour("tds", "T45")
def test_prepared_anew_within_a_transaction(pair):
    """On a server that has been reset meanwhile, weir prepares as a request of the transaction."""
    one, other = pair
    mine = prepare(one, "SELECT @p + 100")
    other.batch("EXEC sp_who")
    one.manager(b"\x05\0\0\0")
    assert value(execute(one, mine, 1)) == 101
    assert one.value("SELECT @@TRANCOUNT") == 1
    one.manager(b"\x07\0\0\0")


@pytest.mark.behaviour("tds", "T46")
@pytest.mark.parametrize("text", ["DECLARE @h int EXEC sp_prepare @h OUTPUT, N'', N'SELECT 1', 1"])
def test_whoever_prepares_within_a_text_finds_no_others(pair, text):
    one, other = pair
    mine = prepare(one, "SELECT @p + 12345")
    other.rpc(10, parameter(nvarchar(text)))
    assert [12346] not in tds_tokens.rows(execute(other, mine, 1))


def test_a_cursor_ends_no_prepared_statement(weir, pair):
    one, _ = pair
    mine = prepare(one, "SELECT @p + 100")
    found = one.rpc(2, parameter(integer(None), status=1), parameter(nvarchar("SELECT 1 AS a")),
                    parameter(integer(8)), parameter(integer(1)),
                    parameter(integer(None), status=1))
    assert not errors(found)
    assert value(execute(one, mine, 1)) == 101
    assert weir.metrics().sum("weir_pins_total", reason="cursor") == 1


@pytest.mark.behaviour("tds", "T45")
def test_what_was_being_prepared_again_hurts_nobody(pair):
    one, other = pair
    mine, yours = prepare(one, "SELECT @p + 1"), prepare(other, "SELECT @p + 1")
    one.send(RPC, call(13, parameter(integer(mine), status=1), parameter(nvarchar("")),
                       parameter(nvarchar("WAITFOR DELAY '00:00:20'"))))
    time.sleep(0.2)
    one.attention()
    while not any(each.kind.startswith("DONE") and each.status & 0x20 for each in one.reply()):
        pass
    assert value(execute(other, yours, 2)) == 3
