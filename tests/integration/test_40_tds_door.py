"""The side door of the stand-in for SQL Server: what a test can look at, and order to go wrong."""

import struct
import time

import pytest

from support.tds_client import (BATCH, RESET, Closed, TdsClient, errors, long_nvarchar, nvarchar,
                                parameter)
from support.tds_server import TdsServer
from support.tds_stand_in import ENDLESS, SLOW, client, server
from support.tds_tokens import rows, shape, tokens
from support.waiting import eventually


def kinds(found):
    return " | ".join(shape(found))


def test_slow_and_cut(client, server):
    server.fault("slow", seconds=0.2)
    began = time.monotonic()
    assert client.value("SELECT 1") == 1
    assert time.monotonic() - began >= 0.2
    server.fault("cut", bytes=10)
    client.send(BATCH, "SELECT 1".encode("utf-16-le"))
    with pytest.raises(Closed):
        client.message()


def test_hang_and_kill(client, server):
    server.fault("hang")
    client.send(BATCH, "SELECT 1".encode("utf-16-le"))
    eventually(lambda: server.session()["busy"], what="the request")
    server.ask("kill", spid=server.session()["spid"])
    assert client.is_closed()
    eventually(lambda: server.history()[-1]["why"] == "killed", what="the end")


def test_kill_in_sql(server):
    with server.client() as one, server.client() as other:
        spid = other.value("SELECT @@SPID")
        assert errors(one.batch(f"KILL {spid}")) == []
        assert other.is_closed()
        assert errors(one.batch(f"KILL {spid}")) == [6106]
        assert errors(one.batch("KILL @@SPID")) == [6104]


def test_left_out_and_unknown(client, server):
    server.fault("leave_out", change=8)
    assert kinds(client.batch("BEGIN TRAN")) == "DONE 0x0"
    client.descriptor = server.session()["descriptor"]
    client.batch("ROLLBACK")
    server.fault("silent_reset")
    assert kinds(client.batch("SELECT 1", status=RESET)) == "COLMETADATA | ROW | DONE 0x10"
    server.fault("unknown_token")
    client.send(BATCH, "SELECT 1".encode("utf-16-le"))
    _, payload = client.message()
    assert payload[0] == 0x42 and rows(tokens(payload[4:])) == [[1]]


def test_refused_reset(server):
    server.fault("refuse_reset")
    with server.client() as one:
        assert errors(one.batch("SELECT 1", status=RESET)) == [18056]
        assert one.is_closed()


def test_deaf(client, server):
    server.fault("deaf")
    client.send(BATCH, SLOW.encode("utf-16-le"))
    client.attention()
    assert kinds(client.reply()) == "DONE 0x2"
    found = server.session()
    assert (found["attentions"], found["acknowledged"]) == (1, 0)


def test_faults_of_logins(server):
    server.fault("hang_login", login="app")
    one = TdsClient(server.port, timeout=0.3)
    with pytest.raises(TimeoutError):
        one.login()
    one.close()
    eventually(lambda: server.counts()["connected"] == 0, what="that it is noticed")
    server.ask("clear")
    server.fault("refuse_login", number=18461)
    with TdsClient(server.port) as one:
        assert errors(one.login()) == [18461]
    server.fault("route", host="elsewhere", port=4711, app="scripted")
    with TdsClient(server.port) as one:
        body = next(token for token in one.login() if token.kind == "ENVCHANGE"
                    and token.change == 20).body
        size, protocol, port, length = struct.unpack_from("<HBHH", body)
        assert (size, protocol, port) == (5 + 2 * length, 0, 4711)
        assert body[7:7 + 2 * length].decode("utf-16-le") == "elsewhere"
    eventually(lambda: not server.sessions(), what="that all are gone")


def test_counts(client, server):
    server.ask("forget")
    client.batch("SELECT 1")
    client.attention()
    client.reply()
    found = server.counts()
    assert (found["open"], found["attentions"], found["acknowledged"]) == (1, 1, 1)
    shown = client.rows("SELECT session_id, login_name, program_name, open_transaction_count "
                        "FROM sys.dm_exec_sessions")
    assert shown == [[server.session()["spid"], "app", "scripted", 0]]


# ---------------------------------------------------------------- large ones


def test_large_both_ways(client):
    text = "ä" * 3_000_000
    found = client.rpc(10, parameter(nvarchar("SELECT @s")), parameter(nvarchar(
        "@s nvarchar(max)")), parameter(long_nvarchar(text)))
    assert rows(found) == [[text]]


def test_a_slow_reader_costs_no_memory(client, server):
    def resident_kb():
        with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1])
    before = resident_kb()
    client.send(BATCH, ENDLESS.encode("utf-16-le"))  # 900 MB
    time.sleep(1)
    assert resident_kb() - before < 20_000
    client.attention()
    while shape_end(client) != 0x20:
        pass


def shape_end(client):
    """The status of the DONE that a message ends with."""
    _, payload = client.message()
    return struct.unpack_from("<H", payload, len(payload) - 12)[0]
