"""Several clients on one connection to SQL Server, in transaction mode: none sees what another has
left, each finds what is its own."""

import time

import pytest

from harness import eventually, weir_only
from support import tds_tokens
from support.tds_client import ATTENTION, BATCH, IGNORE, RESET, SKIP, errors, headers, packets
from support.tds_weir import client_of, pair, server, start, value, weir  # noqa: F401

pytestmark = weir_only

BEGIN = b"\x05\0\0\0"  # transaction manager requests
COMMIT = b"\x07\0\0\0"
ROLLBACK = b"\x08\0\0\0"


def begin(isolation=0):
    return bytes([5, 0, isolation, 0])


def at_rest(server):
    """What the server itself says of weir's only connection."""
    one = server.session(app="weir")
    return one["trancount"], one["temp_tables"], one["cursors"], one["applocks"], one["options"]


# ---------------------------------------------------------------- transactions


TRANSACTIONS = {
    "text": (lambda c: c.batch("BEGIN TRAN"), lambda c: c.batch("COMMIT")),
    "rollback": (lambda c: c.batch("BEGIN TRANSACTION"), lambda c: c.batch("ROLLBACK")),
    "request": (lambda c: c.manager(begin()), lambda c: c.manager(COMMIT)),
    "mixed": (lambda c: c.batch("BEGIN TRAN"), lambda c: c.manager(ROLLBACK)),
    "implicit": (lambda c: c.batch("SET IMPLICIT_TRANSACTIONS ON SELECT * FROM kept"),
                 lambda c: c.batch("COMMIT SET IMPLICIT_TRANSACTIONS OFF")),
}


@pytest.mark.behaviour("tds", "T30")
@pytest.mark.behaviour("tds", "T34")
@pytest.mark.parametrize("way", TRANSACTIONS)
def test_a_transaction_keeps_its_server(server, pair, way):
    one, other = pair
    one.batch("CREATE TABLE kept (a int)")
    start, finish = TRANSACTIONS[way]
    assert not errors(start(one))
    assert server.session(app="weir")["trancount"] == 1
    one.batch("INSERT kept VALUES (1)")
    other.write(packets(BATCH, headers() + "SELECT @@TRANCOUNT".encode("utf-16-le")))
    time.sleep(0.2)
    assert one.value("SELECT @@TRANCOUNT") == 1
    assert not errors(finish(one))
    assert value(other.reply()) == 0
    assert server.session(app="weir")["trancount"] == 0


@pytest.mark.behaviour("tds", "T31")
def test_commit_and_begin_in_one_request(server, pair):
    one, _ = pair
    one.manager(begin())
    found = one.manager(b"\x07\0\0\1\0\0")
    assert [each.change for each in found if each.kind == "ENVCHANGE"] == [9, 8]
    assert server.session(app="weir")["trancount"] == 1
    one.manager(COMMIT)
    assert server.session(app="weir")["trancount"] == 0


@pytest.mark.behaviour("tds", "T32")
def test_an_error_that_rolls_back_ends_the_transaction(server, pair):
    one, other = pair
    one.batch("SET XACT_ABORT ON")
    one.batch("BEGIN TRAN")
    assert errors(one.batch("SELECT 1/0"))
    eventually(lambda: server.session(app="weir")["trancount"] == 0, what="the rollback")
    assert other.value("SELECT @@TRANCOUNT") == 0


@pytest.mark.behaviour("tds", "T35")
@pytest.mark.parametrize("how", ["text", "request", "implicit"])
def test_who_leaves_within_a_transaction_leaves_nothing_open(server, weir, how):
    with client_of(weir) as one:
        one.batch("CREATE TABLE gone (a int)")
        TRANSACTIONS[how][0](one) if how != "implicit" else one.batch(
            "SET IMPLICIT_TRANSACTIONS ON INSERT gone VALUES (1)")
        one.batch("INSERT gone VALUES (1)")
    with client_of(weir) as other:
        assert other.value("SELECT COUNT(*) FROM gone") == 0
        assert at_rest(server)[0] == 0


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_who_closes_while_nothing_runs_has_left(start, mode):
    weir = start(mode)
    lost = lambda: weir.metrics().sum("weir_errors_total", kind="client_lost")  # noqa: E731
    for n, text in enumerate(["SELECT 1", "BEGIN TRAN"], 1):
        with client_of(weir) as one:
            one.batch(text)
        eventually(lambda: weir.log().count("said goodbye") == n, what="the end")  # noqa: B023
    assert lost() == 0
    with client_of(weir) as one:
        one.write(request("WAITFOR DELAY '00:00:20'"))
        time.sleep(0.2)
    eventually(lambda: lost() == 1, what="that the client is lost")


# ---------------------------------------------------------------- state


LEFT = {
    "temp table": ("CREATE TABLE #t (a int)", "SELECT * FROM #t", 208),
    "cursor": ("DECLARE c CURSOR FOR SELECT 1 AS a OPEN c", "FETCH c", 16916),
}


@pytest.mark.behaviour("tds", "T40")
@pytest.mark.parametrize("what", LEFT)
def test_what_a_client_leaves_is_gone(weir, what):
    leave, look, number = LEFT[what]
    with client_of(weir) as one:
        assert not errors(one.batch(leave))
        assert not errors(one.batch(look))
    with client_of(weir) as other:
        assert number in errors(other.batch(look))


CARRIED = {
    "SET DATEFIRST 3": ("SELECT @@DATEFIRST", 3, 7),
    "SET LANGUAGE Deutsch": ("SELECT @@LANGUAGE", "Deutsch", "us_english"),
    "SET LOCK_TIMEOUT 1234": ("SELECT @@LOCK_TIMEOUT", 1234, -1),
    "SET TEXTSIZE 4444": ("SELECT @@TEXTSIZE", 4444, None),
    "USE second": ("SELECT DB_NAME()", "second", "app"),
}


@pytest.mark.behaviour("tds", "T40")
@pytest.mark.behaviour("tds", "T41")
@pytest.mark.parametrize("text", CARRIED)
def test_what_is_carried_follows_its_owner(pair, weir, text):
    one, other = pair
    look, own, plain = CARRIED[text]
    before = other.value(look)
    assert plain is None or before == plain
    assert not errors(one.batch(text))
    for _ in range(3):
        assert other.value(look) == before
        assert one.value(look) == own
    assert weir.metrics().sum("weir_pins_total") == 0


@pytest.mark.behaviour("tds", "T41")
@pytest.mark.parametrize("how", ["text", "request"])
def test_the_isolation_level_is_the_login_s_again(server, pair, how):
    one, other = pair
    if how == "text":
        one.batch("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
    else:
        one.manager(begin(4))
        one.manager(COMMIT)
    level = server.session(app="weir")["isolation"]
    other.batch("SELECT 1")
    assert server.session(app="weir")["isolation"] != level
    one.batch("SELECT 1")
    assert server.session(app="weir")["isolation"] == level


KEPT = {
    "temp_table": ("CREATE TABLE #mine (a int)", "SELECT * FROM #mine"),
    "context": ("SET CONTEXT_INFO 0x1234", "SELECT CONTEXT_INFO()"),
    "lock": ("EXEC sp_getapplock @Resource = 'r', @LockMode = 'Exclusive', @LockOwner = 'Session'",
             "SELECT 1"),
    "setting": ("SET IDENTITY_INSERT numbered ON", "INSERT numbered (n) VALUES (77)"),
}


@pytest.mark.behaviour("tds", "T40")
@pytest.mark.parametrize("reason", KEPT)
def test_what_cannot_be_carried_keeps_the_server(weir, reason):
    text, use = KEPT[reason]
    with client_of(weir) as one:
        one.batch("IF OBJECT_ID('numbered') IS NULL CREATE TABLE numbered (n int IDENTITY)")
        assert not errors(one.batch(text))
        assert weir.metrics().sum("weir_pins_total", reason=reason) == 1
        assert weir.metrics().sum("weir_pinned_clients") == 1
        assert not errors(one.batch(use))
    eventually(lambda: weir.metrics().sum("weir_pinned_clients") == 0, what="no pins")


@pytest.mark.parametrize("reason, is_ended", [("temp_table", True), ("lock", False)])
def test_a_silent_client_does_not_keep_its_server_for_ever(start, reason, is_ended):
    weir = start(defaults={"timeouts": {"pin_idle": "300ms"}})
    with client_of(weir) as one, client_of(weir) as other:
        assert not errors(one.batch(KEPT[reason][0]))
        if is_ended:
            assert other.value("SELECT 1") == 1
            assert weir.metrics().sum("weir_errors_total", kind="pin_idle") == 1
        else:
            time.sleep(0.6)
            assert not errors(one.batch("SELECT 1"))


@pytest.mark.behaviour("tds", "T43")
def test_a_client_s_own_reset_ends_its_pins(server, weir, pair):
    one, other = pair
    one.batch("CREATE TABLE #t (a int)")
    assert weir.metrics().sum("weir_pinned_clients") == 1
    found = one.batch("SELECT 1", status=RESET)
    assert 18 in [each.change for each in found if each.kind == "ENVCHANGE"]
    assert weir.metrics().sum("weir_pinned_clients") == 0
    assert other.value("SELECT 1") == 1
    assert 208 in errors(one.batch("SELECT * FROM #t"))


PROLOGUE = """set ansi_nulls on set ansi_null_dflt_on on set ansi_padding on set ansi_warnings on
set arithabort on set concat_null_yields_null on set cursor_close_on_commit off set datefirst 7
set dateformat mdy set implicit_transactions off set language us_english
set numeric_roundabort off set quoted_identifier on set rowcount 0 set textsize 2147483647
set transaction isolation level read committed set xact_abort off"""


@pytest.mark.behaviour("tds", "T44")
def test_a_driver_s_prologue_does_not_pin(weir, pair):
    one, other = pair
    for each in (one, other, one, other):
        assert not errors(each.batch(PROLOGUE))
        assert not errors(each.batch(PROLOGUE, status=RESET))
        assert each.value("SELECT 1") == 1
    assert weir.metrics().sum("weir_pins_total") == 0


@pytest.mark.behaviour("tds", "T42")
@pytest.mark.parametrize("fault", [{"what": "leave_out", "change": 18}])
def test_a_reset_that_is_not_acknowledged_closes_the_server(server, weir, fault):
    with client_of(weir) as one:
        one.batch("CREATE TABLE #t (a int)")
        number = server.session(app="weir")["spid"]
        server.ask("fault", **fault)
    eventually(lambda: all(each["spid"] != number for each in server.sessions()),
               what="that the server is closed")
    server.ask("clear")
    with client_of(weir) as other:
        assert 208 in errors(other.batch("SELECT * FROM #t"))


@pytest.mark.behaviour("tds", "T47")
def test_another_identity_ends_with_its_server(server, weir):
    with client_of(weir) as one:
        one.batch("EXECUTE AS USER = 'guest'")
        number = server.session(app="weir")["spid"]
    eventually(lambda: all(each["spid"] != number for each in server.sessions()),
               what="that the server is closed")


# ---------------------------------------------------------------- resets, reloads


@pytest.mark.behaviour("tds", "T43")
def test_a_reset_may_keep_the_transaction(server, pair):
    one, other = pair
    one.manager(begin())
    descriptor = one.descriptor
    one.batch("SELECT 1", status=SKIP)
    one.descriptor = descriptor  # which the scripted client takes for void
    assert server.session(app="weir")["trancount"] == 1
    other.write(request("SELECT @@TRANCOUNT"))
    time.sleep(0.1)
    assert one.value("SELECT @@TRANCOUNT") == 1
    one.manager(COMMIT)
    assert value(other.reply()) == 0


def test_who_logged_in_for_session_mode_keeps_its_server_through_a_reload(start):
    weir = start("session")
    with client_of(weir) as one:
        one.batch("CREATE TABLE #t (a int)")
        weir.config["databases"]["app"]["pool"]["mode"] = "transaction"
        weir.reload()
        assert not errors(one.batch("SELECT * FROM #t"))
        assert not errors(one.batch("SELECT * FROM #t"))
    with client_of(weir) as other:
        assert errors(other.batch("SELECT * FROM #t")) == [208]


# ---------------------------------------------------------------- attention, bulk, framing


def request(sql):
    return packets(BATCH, headers() + sql.encode("utf-16-le"))


def is_acknowledgement(found):
    return found[-1].kind == "DONE" and bool(found[-1].status & 0x20)


def ends_acknowledged(client):
    """In the reply that was cut, or in a message behind it."""
    return is_acknowledgement(client.reply()) or is_acknowledgement(client.reply())


@pytest.mark.behaviour("tds", "T50")
@pytest.mark.behaviour("tds", "T51")
def test_an_attention_while_it_runs(pair, server):
    one, other = pair
    one.write(request("WAITFOR DELAY '00:00:20'"))
    time.sleep(0.2)
    one.attention()
    assert ends_acknowledged(one)
    assert one.value("SELECT 1") == 1
    assert other.value("SELECT 2") == 2
    assert server.counts()["attentions"] == 1


@pytest.mark.behaviour("tds", "T50")
def test_an_attention_when_idle(pair, server):
    one, other = pair
    assert one.value("SELECT 1") == 1
    one.attention()
    assert is_acknowledgement(one.reply())
    assert other.value("SELECT 2") == 2
    assert server.counts()["attentions"] == 0


@pytest.mark.behaviour("tds", "T50")
def test_an_attention_within_a_transaction(pair):
    one, _ = pair
    one.batch("BEGIN TRAN")
    one.attention()
    assert is_acknowledgement(one.reply())
    assert one.value("SELECT @@TRANCOUNT") == 1
    one.batch("COMMIT")


@pytest.mark.behaviour("tds", "T50")
def test_an_attention_while_queued_hits_nobody(pair, server):
    one, other = pair
    one.batch("BEGIN TRAN")
    other.write(request("SELECT 2"))
    time.sleep(0.1)
    other.attention()
    assert is_acknowledgement(other.reply())
    assert one.value("SELECT @@TRANCOUNT") == 1
    one.batch("COMMIT")
    assert other.value("SELECT 3") == 3
    assert server.counts()["attentions"] == 0


@pytest.mark.behaviour("tds", "T50")
def test_attentions_that_cross_the_end_of_the_reply(pair, server):
    one, other = pair
    for n in range(50):
        one.write(request(f"SELECT {n}") + packets(ATTENTION, b""))
        found = one.reply()
        if not is_acknowledgement(found):
            assert value(found) == n
            assert is_acknowledgement(one.reply())
        assert other.value(f"SELECT {n + 1000}") == n + 1000
    counts = server.counts()
    assert counts["attentions"] == counts["acknowledged"]


@pytest.mark.behaviour("tds", "T52")
def test_who_leaves_within_a_bulk_load_loads_nothing(server, weir):
    with client_of(weir) as one:
        one.batch("CREATE TABLE loaded (a int)")
        assert not errors(one.batch("INSERT BULK loaded (a int)"))
        number = server.session(app="weir")["spid"]
    eventually(lambda: all(each["spid"] != number for each in server.sessions()),
               what="that the server is closed")
    with client_of(weir) as other:
        assert other.value("SELECT COUNT(*) FROM loaded") == 0


@pytest.mark.behaviour("tds", "T53")
def test_a_second_request_waits_for_the_end_of_the_first_reply(pair):
    one, _ = pair
    one.write(request("WAITFOR DELAY '00:00:00.300' SELECT 1") + request("SELECT 2")
              + request("SELECT 3"))
    assert [value(one.reply()) for _ in range(3)] == [1, 2, 3]


@pytest.mark.behaviour("tds", "T07")
def test_a_withdrawn_message_is_not_run(pair):
    one, other = pair
    one.batch("CREATE TABLE withdrawn (a int)")
    whole = bytearray(request("INSERT withdrawn VALUES (1)"))
    whole[1] |= IGNORE
    one.write(bytes(whole))
    assert len(tds_tokens.rows(one.reply())) == 0
    assert one.value("SELECT COUNT(*) FROM withdrawn") == 0


@pytest.mark.behaviour("tds", "T06")
def test_an_unknown_token_is_forwarded_and_ends_the_server(server, weir):
    with client_of(weir) as one:
        one.batch("SELECT 1")
        number = server.session(app="weir")["spid"]
        server.fault("unknown_token")
        one.write(request("SELECT 1"))
        assert one.message()[0] == 4
        server.ask("clear")
        assert weir.metrics().sum("weir_pins_total", reason="unclear") == 1
        assert one.value("SELECT 2") == 2
        assert server.session(app="weir")["spid"] == number
    eventually(lambda: all(each["spid"] != number for each in server.sessions()),
               what="that the server is closed")


def test_a_setting_that_is_made_again_may_come_with_an_error(weir, pair):
    one, _ = pair
    one.batch("SET NOCOUNT ON")
    for _ in range(2):
        assert errors(one.batch("SET NOCOUNT ON SELECT 1/0"))
    assert weir.metrics().sum("weir_pins_total") == 0
