"""What the stand-in for SQL Server keeps for a connection: transactions, what a reset clears, what
ends with a procedure; and what Babelfish does otherwise."""

import time

import pytest

from support.tds_client import (RESET, SKIP, V71, call, headers, integer, nvarchar, packets,
                                parameter, errors)
from support.tds_server import TdsServer
from support.tds_tokens import rows, shape
from support.waiting import eventually

BEGIN, COMMIT, ROLLBACK = b"\x05\0\0\0", b"\x07\0\0\0", b"\x08\0\0\0"
COMMIT_AND_BEGIN = b"\x07\0\0\x01\x02\0"
LEAVINGS = """CREATE TABLE #t (a int) SET DATEFIRST 3 SET NOCOUNT ON SET XACT_ABORT ON USE second
SET LANGUAGE Deutsch SET LOCK_TIMEOUT 5 SET CONTEXT_INFO 0x0102
EXEC sp_set_session_context N'tenant', 7
EXEC sp_getapplock 'mine', 'Exclusive', 'Session'
DECLARE c CURSOR FOR SELECT 1 OPEN c
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"""


@pytest.fixture(scope="module")
def server():
    with TdsServer("--role", "reader:pw") as one:
        yield one


@pytest.fixture(scope="module")
def babelfish():
    with TdsServer("--babelfish") as one:
        yield one


@pytest.fixture
def client(server):
    with server.client(database="app") as one:
        yield one
    eventually(lambda: not server.sessions(), what="that the client is gone")


def mine(server):
    return server.session(database="app")


def kinds(found):
    return " | ".join(shape(found))


# ---------------------------------------------------------------- transactions


def test_sql_text(client):
    assert kinds(client.batch("BEGIN TRAN")) == "ENVCHANGE 8 | DONE 0x0"
    assert kinds(client.batch("BEGIN TRAN")) == "DONE 0x0"  # nested
    assert client.value("SELECT @@TRANCOUNT") == 2
    assert kinds(client.batch("COMMIT")) == "DONE 0x0"
    assert kinds(client.batch("COMMIT")) == "ENVCHANGE 9 | DONE 0x0"
    assert errors(client.batch("COMMIT")) == [3902]
    assert errors(client.batch("ROLLBACK")) == [3903]
    assert kinds(client.batch("BEGIN TRAN BEGIN TRAN ROLLBACK")) == (
        "ENVCHANGE 8 | DONE 0x1 | DONE 0x1 | ENVCHANGE 10 | DONE 0x0")


def test_transaction_manager(client):
    assert kinds(client.manager(BEGIN)) == "ENVCHANGE 8 | DONE 0x0"
    first = client.descriptor
    assert kinds(client.manager(COMMIT_AND_BEGIN)) == "ENVCHANGE 9 | ENVCHANGE 8 | DONE 0x0"
    assert client.descriptor not in (0, first)
    assert client.value("SELECT @@TRANCOUNT") == 1
    assert kinds(client.batch("COMMIT")) == "ENVCHANGE 9 | DONE 0x0"
    assert kinds(client.manager(ROLLBACK)) == "ERROR 3903 | DONE 0x2"


@pytest.mark.parametrize("request_kind", [0, 1, 6])
def test_there_is_no_coordinator(client, request_kind):
    assert kinds(client.manager(bytes([request_kind, 0, 0, 0]))) == "ERROR 8501 | DONE 0x2"


def test_what_is_rolled_back(client, server):
    client.batch("CREATE TABLE undone (a int PRIMARY KEY, b varchar(10)) "
                 "INSERT undone VALUES (1, 'one'), (2, 'two')")
    client.batch("BEGIN TRAN UPDATE undone SET b = 'x' DELETE undone WHERE a = 1 SAVE TRAN s "
                 "INSERT undone VALUES (3, 'three') CREATE TABLE #made (a int)")
    assert client.rows("SELECT * FROM undone") == [[2, "x"], [3, "three"]]
    client.batch("ROLLBACK TRAN s")
    assert client.rows("SELECT * FROM undone") == [[2, "x"]]
    assert errors(client.batch("SELECT * FROM #made")) == [208]
    client.batch("ROLLBACK")
    assert server.ask("table", database="app", name="undone") == [[1, "one"], [2, "two"]]
    found = client.batch("INSERT undone VALUES (4, 'a'), (4, 'b')")
    assert errors(found) == [2627]
    assert client.value("SELECT COUNT(*) FROM undone") == 2  # all of a statement or nothing
    client.batch("DROP TABLE undone")


def test_errors_and_transactions(client):
    client.batch("CREATE TABLE #t (a int NOT NULL)")
    client.batch("BEGIN TRAN INSERT #t VALUES (1)")
    assert kinds(client.batch("SELECT 1/0")) == "ERROR 8134 | DONE 0x2"
    assert client.value("SELECT @@TRANCOUNT") == 1
    assert kinds(client.batch("SET XACT_ABORT ON INSERT #t VALUES (NULL) SELECT 1")) == (
        "ENVCHANGE 10 | ERROR 515 | DONE 0x2")
    assert client.value("SELECT @@TRANCOUNT") == 0
    assert client.value("SELECT COUNT(*) FROM #t") == 0


def test_doomed(client):
    found = client.batch("SET XACT_ABORT ON BEGIN TRAN BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH "
                         "SELECT XACT_STATE(), ERROR_NUMBER() END CATCH")
    assert rows(found) == [[-1, 8134]]
    assert errors(found) == [3998] and shape(found)[-3] == "ENVCHANGE 10"
    assert client.value("SELECT XACT_STATE()") == 0


def test_implicit_transactions(client):
    client.batch("SET IMPLICIT_TRANSACTIONS ON")
    assert "ENVCHANGE 8" not in kinds(client.batch("SELECT 1"))
    assert kinds(client.batch("CREATE TABLE #i (a int)")) == "ENVCHANGE 8 | DONE 0x0"
    client.batch("COMMIT")
    assert kinds(client.batch("SELECT * FROM #i")).startswith("ENVCHANGE 8 | COLMETADATA")
    assert kinds(client.batch("IF @@TRANCOUNT > 0 ROLLBACK TRAN")) == "ENVCHANGE 10 | DONE 0x0"


def test_who_waits_for_whom(client, server):
    client.batch("CREATE TABLE held (a int) INSERT held VALUES (1)")
    with server.client(database="app") as other:
        client.batch("BEGIN TRAN UPDATE held SET a = 2")
        other.batch("SET LOCK_TIMEOUT 50")
        assert errors(other.batch("SELECT * FROM held")) == [1222]
        assert other.rows("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED "
                          "SELECT * FROM held") == [[2]]
        other.batch("SET TRANSACTION ISOLATION LEVEL READ COMMITTED SET LOCK_TIMEOUT -1")
        other.send(1, "SELECT a FROM held".encode("utf-16-le"))
        client.batch("COMMIT")
        assert rows(other.reply()) == [[2]]
    client.batch("DROP TABLE held")


def test_deadlock(client, server):
    client.batch("CREATE TABLE d1 (a int) CREATE TABLE d2 (a int)")
    with server.client(database="app") as other:
        client.batch("BEGIN TRAN INSERT d1 VALUES (1)")
        other.batch("BEGIN TRAN INSERT d2 VALUES (1)")
        other.send(1, "INSERT d1 VALUES (2)".encode("utf-16-le"))
        eventually(lambda: [one for one in server.sessions() if one["busy"]], what="the wait")
        assert kinds(client.batch("INSERT d2 VALUES (2)")) == "ENVCHANGE 10 | ERROR 1205 | DONE 0x2"
        assert errors(other.reply()) == []
        other.batch("COMMIT")
    assert client.value("SELECT COUNT(*) FROM d1") == 1
    client.batch("DROP TABLE d1, d2")


def test_a_client_that_vanishes(client, server):
    client.batch("CREATE TABLE left_open (a int)")
    other = server.client(database="app")
    other.batch("BEGIN TRAN INSERT left_open VALUES (1)")
    other.close()
    assert client.value("SELECT COUNT(*) FROM left_open") == 0
    client.batch("DROP TABLE left_open")


# ---------------------------------------------------------------- resets


def leave(client):
    found = client.batch(LEAVINGS)
    assert errors(found) == []
    client.rpc(11, parameter(integer(None), status=1), parameter(nvarchar("")),
               parameter(nvarchar("SELECT 1")))


def test_what_a_reset_clears(client, server):
    leave(client)
    client.batch("BEGIN TRAN INSERT #t VALUES (1)")
    before = server.session()
    assert before["temp_tables"] == ["#t"] and before["handles"] == [1] and before["trancount"] == 1
    assert before["cursors"] == ["c"] and before["applocks"] == ["mine"]
    assert before["session_context"] == {"tenant": 7} and before["context_info"] == "0102"
    found = client.batch("SELECT @@TRANCOUNT, DB_NAME(), @@LANGUAGE, @@DATEFIRST", status=RESET)
    assert kinds(found) == "ENVCHANGE 18 | COLMETADATA | ROW | DONE 0x10"
    assert rows(found) == [[0, "app", "us_english", 7]]
    after = server.session()
    assert after["isolation"] == 4  # a reset leaves it
    for name in ("temp_tables", "handles", "cursors", "applocks", "session_context", "options"):
        assert not after[name], name
    assert after["context_info"] == "" and after["resets"] == 1 and after["descriptor"] == 0


def test_a_reset_that_keeps_the_transaction(client, server):
    leave(client)
    client.batch("CREATE TABLE kept (a int) BEGIN TRAN INSERT kept VALUES (1)")
    descriptor = client.descriptor
    client.send(1, "SELECT @@TRANCOUNT, DB_NAME()".encode("utf-16-le"), SKIP)
    assert rows(client.reply()) == [[1, "app"]]
    client.descriptor = descriptor
    assert server.session()["descriptor"] == descriptor and not server.session()["temp_tables"]
    assert kinds(client.batch("ROLLBACK")) == "ENVCHANGE 10 | DONE 0x0"


@pytest.mark.parametrize("kind", ["batch", "rpc", "manager"])
def test_resets_on_every_request(client, kind):
    client.batch("CREATE TABLE #t (a int)")
    found = {"batch": lambda: client.batch("SELECT 1", status=RESET),
             "rpc": lambda: client.rpc(10, parameter(nvarchar("SELECT 1")), status=RESET),
             "manager": lambda: client.manager(BEGIN, status=RESET)}[kind]()
    assert shape(found)[0] == "ENVCHANGE 18"
    assert errors(client.batch("SELECT * FROM #t")) == [208]


@pytest.mark.parametrize("sql", ["EXECUTE AS LOGIN = 'app'", "EXEC sp_setapprole 'reader', 'pw'"])
def test_a_reset_of_somebody_else(server, sql):
    with server.client() as one:
        assert errors(one.batch(sql)) == []
        assert server.session()["security"]
        assert errors(one.batch("SELECT 1", status=RESET)) == [18059]
        assert one.is_closed()


def test_what_somebody_else_gives_back(client, server):
    assert errors(client.batch(
        "EXECUTE AS USER = 'app' SELECT SUSER_SNAME() REVERT DECLARE @c varbinary(100) "
        "EXEC sp_setapprole 'reader', 'pw', 'none', 1, @c OUTPUT EXEC sp_unsetapprole @c")) == []
    assert not server.session()["security"]
    assert errors(client.batch("EXECUTE AS USER = 'nobody'")) == [15517]
    assert shape(client.batch("SELECT 1", status=RESET))[0] == "ENVCHANGE 18"


def test_sp_reset_connection(client):
    client.batch("CREATE TABLE #t (a int)")
    assert "ENVCHANGE 18" in kinds(client.rpc("sp_reset_connection"))
    assert errors(client.batch("SELECT * FROM #t")) == [208]


# ---------------------------------------------------------------- what ends with a procedure


def test_sp_executesql_is_a_scope(client, server):
    sql = ("CREATE TABLE #inner (a int) SET DATEFIRST 2 USE second SET XACT_ABORT ON "
           "SELECT DB_NAME()")
    found = client.rpc(10, parameter(nvarchar(sql)))
    assert rows(found) == [["second"]]
    assert mine(server)["options"] == {} and mine(server)["temp_tables"] == []
    assert [one.new for one in found if one.kind == "ENVCHANGE"] == ["second", "app"]


def test_a_transaction_that_is_left_by_a_procedure(client):
    found = client.rpc(10, parameter(nvarchar("BEGIN TRAN")))
    assert kinds(found) == ("ENVCHANGE 8 | DONEINPROC 0x1 | ERROR 266 | RETURNSTATUS | "
                            "DONEPROC 0x0")
    assert client.value("SELECT @@TRANCOUNT") == 1


def test_procedures(client):
    client.batch("CREATE PROCEDURE twice @a int, @b int = 5 OUTPUT AS "
                 "BEGIN SET NOCOUNT ON; SELECT @a + @b AS c; SET @b = @a * 2; RETURN 7; END")
    found = client.rpc("twice", parameter(integer(4), "@a"), parameter(integer(1), "@b", 1))
    assert kinds(found) == "COLMETADATA | ROW | RETURNSTATUS | RETURNVALUE | DONEPROC 0x0"
    assert [found[2].value, found[3].value, found[3].name, found[3].ordinal] == [7, 8, "@b", 1]
    found = client.batch("DECLARE @r int, @x int = 1 EXEC @r = twice 4, @x OUTPUT SELECT @r, @x")
    assert rows(found) == [[5], [7, 8]]
    assert errors(client.rpc("twice")) == [201]
    assert errors(client.rpc("twice", parameter(integer(1), "@no"))) == [8145]
    assert errors(client.rpc("nothing")) == [2812]
    assert errors(client.batch("EXEC nothing")) == [2812]
    client.batch("DROP PROCEDURE twice")


def test_handles(client, server):
    found = client.rpc(11, parameter(integer(None), status=1), parameter(nvarchar("@a int")),
                       parameter(nvarchar("SELECT @a * 2 AS v")))
    assert kinds(found) == "COLMETADATA | RETURNSTATUS | RETURNVALUE | DONEPROC 0x0"
    handle = found[2].value
    assert rows(client.rpc(12, parameter(integer(handle)), parameter(integer(21)))) == [[42]]
    assert rows(client.rpc("sp_execute", parameter(integer(handle)),
                           parameter(integer(4), "@a"))) == [[8]]
    assert rows(client.batch(f"EXEC sp_execute {handle}, 5")) == [[10]]
    assert errors(client.rpc(12, parameter(integer(handle)))) == [8178]
    assert mine(server)["handles"] == [handle]
    assert errors(client.rpc(15, parameter(integer(handle)))) == []
    assert errors(client.rpc(12, parameter(integer(handle)), parameter(integer(1)))) == [8179]
    assert errors(client.rpc(15, parameter(integer(99)))) == [8179]
    found = client.rpc(13, parameter(integer(None), status=1), parameter(nvarchar("@a int")),
                       parameter(nvarchar("SELECT @a")), parameter(integer(3)))
    assert rows(found) == [[3]] and found[-2].kind == "RETURNVALUE"


def test_cursors_of_the_api(client, server):
    found = client.rpc(2, parameter(integer(None), status=1), parameter(nvarchar(
        "SELECT 1 AS a UNION ALL SELECT 2")), *[parameter(integer(1), status=1)] * 3)
    assert kinds(found) == ("COLMETADATA | COLINFO | DONEINPROC 0x11 | RETURNSTATUS | "
                            + "RETURNVALUE | " * 4 + "DONEPROC 0x0")
    handle = next(one.value for one in found if one.kind == "RETURNVALUE")
    assert mine(server)["cursors"] == [str(handle)]
    for expected in ([[1, 1]], [[2, 1]], []):
        found = client.rpc(7, parameter(integer(handle)), parameter(integer(2)))
        assert rows(found) == expected
    assert errors(client.rpc(9, parameter(integer(handle)))) == []
    assert errors(client.rpc(9, parameter(integer(handle)))) == [16909]


def test_the_order_is_told(client):
    found = client.batch("SELECT name AS n, database_id FROM sys.databases ORDER BY 2, n DESC")
    assert shape(found)[1] == "ORDER" and found[1].data == b"\2\0\1\0"


def test_several_calls_in_one_message(client):
    body = b"\xff".join(call(10, parameter(nvarchar(f"SELECT {n}"))) for n in (1, 2))
    client.send(3, body)
    found = client.reply()
    assert rows(found) == [[1], [2]]
    assert [one.status for one in found if one.kind == "DONEPROC"] == [1, 0]


def test_session_context_and_locks(client, server):
    client.batch("EXEC sp_set_session_context 'k', N'v', 1")
    assert errors(client.batch("EXEC sp_set_session_context 'k', 2")) == [15664]
    with server.client(database="app") as other:
        assert other.rows("DECLARE @r int EXEC @r = sp_getapplock 'l', 'Exclusive', 'Session' "
                          "SELECT @r") == [[0]]
        assert client.rows("DECLARE @r int EXEC @r = sp_getapplock 'l', 'Exclusive', 'Session', 50 "
                           "SELECT @r") == [[-1]]
        client.send(1, ("DECLARE @r int EXEC @r = sp_getapplock 'l', 'Exclusive', 'Session' "
                        "SELECT @r").encode("utf-16-le"))
        time.sleep(0.05)
        other.batch("EXEC sp_releaseapplock 'l'")
        assert rows(client.reply()) == [[1]]


# ---------------------------------------------------------------- Babelfish


def test_babelfish_says_nothing_of_sql_text(babelfish):
    with babelfish.client() as one:
        assert kinds(one.batch("BEGIN TRAN")) == "DONE 0x0"
        assert one.value("SELECT @@TRANCOUNT") == 1
        assert kinds(one.manager(COMMIT)) == "DONE 0x1 | ENVCHANGE 9 | DONE 0x0"


def test_a_reset_of_babelfish(babelfish):
    with babelfish.client(database="app") as one:
        one.batch("CREATE TABLE #t (a int) USE second SET DATEFIRST 3 SET CONTEXT_INFO 0x01 "
                  "BEGIN TRAN")
        found = one.batch("SELECT @@TRANCOUNT, DB_NAME(), @@DATEFIRST", status=RESET)
        assert rows(found) == [[1, "second", 7]]  # the count has leaked, the database is kept
        assert errors(one.batch("ROLLBACK")) == [3903]
        assert one.value("SELECT @@TRANCOUNT") == 1
        assert errors(one.batch("SELECT * FROM #t")) == [33557097]
        assert babelfish.session()["context_info"] == "01"
    with babelfish.client() as one:  # the order that is safe
        one.batch("BEGIN TRAN")
        one.batch("IF @@TRANCOUNT > 0 ROLLBACK")
        assert rows(one.batch("SELECT @@TRANCOUNT", status=RESET)) == [[0]]


def test_old_versions_have_no_headers(server):
    with server.client(version=V71) as one:
        assert one.value("SELECT CAST('2024-02-29' AS date)") == "2024-02-29"
        assert one.value("SELECT REPLICATE(CAST('x' AS varchar(max)), 9000)") == "x" * 9000


def test_the_descriptor_is_looked_at(server):
    with server.client() as one:
        one.descriptor = 77
        assert errors(one.batch("SELECT 1")) == [3989]
        assert one.is_closed()
    assert "descriptor" in server.caught()[0]
    with server.client() as one:
        one.batch("BEGIN TRAN")
        one.write(packets(1, headers(0) + "SELECT 1".encode("utf-16-le")))
        assert errors(one.reply()) == [3989]
    assert server.caught()
