"""SQL Server: everything that has a deadline: waiting for a server, requests, transactions, silence."""

import time

import pytest

from harness import eventually, weir_only
from support.tds_client import BATCH, Closed, errors, headers, packets
from support.tds_server import TdsServer
from support.tds_weir import client_of, server, start, start_weir, value  # noqa: F401

pytestmark = weir_only

MODES = ("session", "transaction")
LONG_WAIT = "WAITFOR DELAY '00:00:20'"


def request(sql):
    return packets(BATCH, headers() + sql.encode("utf-16-le"))


def timeouts(**of_clients):
    return {"defaults": {"timeouts": of_clients}}


def only_error(found):
    """The ERROR token of a reply that ends as one with an error does."""
    assert found[-1].kind == "DONE" and found[-1].status & 2 and not found[-1].status & 0x20
    wrong = [one for one in found if one.kind == "ERROR"]
    assert len(wrong) == 1, found
    return wrong[0]


def ended(client):
    """The errors in what comes before the end of the connection."""
    found = []
    with pytest.raises(Closed):
        while True:
            found += [one for one in client.reply() if one.kind == "ERROR"]
    return found


def test_who_waits_too_long_for_a_server_may_try_again(start):
    weir = start(defaults={"pool": {"acquire_timeout": "500ms"}})
    with client_of(weir) as one, client_of(weir) as other:
        one.batch("BEGIN TRAN")
        for n in (1, 2):
            wrong = only_error(other.batch("SELECT 1"))
            assert "within 0.5 s: all 1 of the pool are in use" in wrong.text
            assert wrong.severity < 20
            assert weir.metrics().sum("weir_acquire_timeouts_total") == n
        assert weir.metrics().sum("weir_errors_total", kind="no_server") == 2
        one.batch("COMMIT")
        assert other.value("SELECT 2") == 2
        assert one.value("SELECT 3") == 3


@pytest.mark.parametrize("server_says", ["together", "apart"])
def test_a_stopped_request_is_told_why(start, server_says):
    with TdsServer("--encrypt", "off", *["--attention-with-reply"] * (server_says == "together")) as server:
        weir = start_weir(server, "transaction", **timeouts(query="500ms"))
        with client_of(weir) as one:
            found = one.batch(LONG_WAIT)
            assert one.value("SELECT 1") == 1
        weir.stop()
        wrong = only_error(found)
        assert "timeouts.query" in wrong.text and wrong.number == 3617


def has_failed(found):
    return found[-1].kind == "DONE" and found[-1].status & 0x22 == 2


@pytest.mark.parametrize("mode", MODES)
def test_a_request_that_takes_too_long_is_stopped(start, server, mode):
    weir = start(mode, **timeouts(query="500ms"))
    with client_of(weir) as one:
        for n in (1, 2):
            assert has_failed(one.batch(LONG_WAIT))
            counts = server.counts()
            assert counts["attentions"] == counts["acknowledged"] == n
            assert one.value(f"SELECT {n}") == n
        spid = one.value("SELECT @@SPID")
    assert weir.metrics().sum("weir_cancels_total", result="sent") == 2
    with client_of(weir) as other:
        assert other.value("SELECT @@SPID") == spid


def test_the_transaction_of_a_stopped_request_stays_open(start, server):
    weir = start(**timeouts(query="500ms"))
    with client_of(weir) as one, client_of(weir) as other:
        one.batch("BEGIN TRAN")
        assert has_failed(one.batch(LONG_WAIT))
        other.write(request("SELECT @@TRANCOUNT"))
        assert one.value("SELECT @@TRANCOUNT") == 1
        one.batch("COMMIT")
        assert value(other.reply()) == 0


def test_a_client_s_own_attention_after_weir_s(start, server):
    """One acknowledgement for the client, whichever comes first."""
    weir = start(**timeouts(query="500ms"))
    with client_of(weir) as one, client_of(weir) as other:
        for _ in range(3):
            one.write(request(LONG_WAIT))
            time.sleep(0.5)
            one.attention()
            found = one.reply()
            while not found[-1].status & 0x20:
                found = one.reply()
            assert one.value("SELECT 1") == 1
            assert other.value("SELECT 2") == 2
        counts = server.counts()
        assert counts["attentions"] == counts["acknowledged"]


@pytest.mark.parametrize("fault", ["deaf", "hang"])
def test_a_server_that_does_not_stop_is_given_up(start, server, fault):
    """`deaf`: the acknowledgement never comes; `hang`: it comes, however long the request hangs."""
    weir = start(**timeouts(query="500ms", cancel="500ms"))
    with client_of(weir) as one:
        number = one.value("SELECT @@SPID")
        server.fault(fault)
        one.write(request(LONG_WAIT))
        if fault == "hang":
            assert has_failed(one.reply())
            assert one.value("SELECT @@SPID") == number
            return
        ended(one)
    eventually(lambda: all(each["spid"] != number for each in server.sessions()),
               what="that the server is closed")
    with client_of(weir) as other:
        assert other.value("SELECT 1") == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name, kind", [("transaction", "transaction_timeout"),
                                        ("idle_in_transaction", "idle_in_transaction")])
def test_transactions_that_take_too_long(start, server, mode, name, kind):
    weir = start(mode, size=2, **timeouts(**{name: "500ms"}))
    with client_of(weir) as one, client_of(weir) as other:
        assert not errors(one.batch("BEGIN TRAN CREATE TABLE begun (a int)"))
        assert not errors(other.manager(b"\x05\0\0\0"))
        for each in (one, other):
            wrong = ended(each)
            assert len(wrong) == 1 and "transaction" in wrong[0].text
    assert weir.metrics().sum("weir_errors_total", kind=kind) == 2
    with client_of(weir) as other:
        assert other.rows("SELECT @@TRANCOUNT, OBJECT_ID('begun')") == [[0, None]]
    eventually(lambda: not any(one["trancount"] for one in server.sessions()), what="the rollback")


@pytest.mark.parametrize("mode", MODES)
def test_silent_clients(start, mode):
    weir = start(mode, size=2, **timeouts(client_idle="1s"))
    with client_of(weir) as fresh, client_of(weir) as used, client_of(weir) as inside:
        assert used.value("SELECT 1") == 1
        if mode == "transaction":
            inside.batch("BEGIN TRAN")
        for one in (fresh, used):
            assert "client_idle" in ended(one)[0].text
        if mode == "transaction":
            assert inside.value("SELECT @@TRANCOUNT") == 1
    assert weir.metrics().sum("weir_errors_total", kind="client_idle") >= 2
    with client_of(weir) as other:
        assert other.value("SELECT 2") == 2


def test_half_a_request_does_not_keep_a_transaction_for_ever(start, server):
    weir = start(**timeouts(transaction="500ms"))
    with client_of(weir) as one, client_of(weir) as other:
        one.batch("BEGIN TRAN")
        one.write(request("SELECT 1 --" + "x" * 60_000)[:80_000])
        assert other.value("SELECT 2") == 2
    assert weir.metrics().sum("weir_errors_total", kind="transaction_timeout") == 1
    server.caught()  # it got half a request


def test_slow_requests_are_counted_and_logged(start):
    weir = start(log={"slow_query": "500ms"})
    with client_of(weir) as one:
        one.batch("SELECT 1")
        one.batch("WAITFOR DELAY '00:00:00.600' SELECT 'not for the log'")
        assert weir.metrics().sum("weir_slow_queries_total") == 1
    weir.wait_for_log("slow query")
    line = next(each for each in weir.log().splitlines() if "slow query" in each)
    assert "app/app as app" in line and "not for the log" not in weir.log()
