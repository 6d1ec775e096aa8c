"""The stand-in for SQL Server as a judge: who misbehaves is caught; logins, encryption, attention
and bulk data are as they should be."""

import struct
import time

import pytest

from support.tds_client import (ATTENTION, BATCH, BULK, EOM, IGNORE, LOGIN7, NOT_SUPPORTED, OFF, ON,
                                PRELOGIN, REQUIRED, RESET, RPC, SKIP, TRANSACTION, V72, V80, Closed,
                                TdsClient, call, errors, headers, login7, long_nvarchar,
                                nvarchar, packets, parameter, prelogin)
from support.tds_server import TdsServer
from support.tds_stand_in import ENDLESS, SLOW, client, server
from support.tds_tokens import shape
from support.waiting import eventually

SELECT_1 = headers() + "SELECT 1".encode("utf-16-le")


def packet(kind, status, body, size=None):
    return struct.pack(">BBHHBB", kind, status, 8 + len(body) if size is None else size, 0, 1,
                       0) + body


def kinds(found):
    return " | ".join(shape(found))


# ---------------------------------------------------------------- who is caught

WRONG_REQUESTS = {
    "a length below 8": (packet(BATCH, EOM, b"", 7), "packet of 7 bytes"),
    "longer than negotiated": (packet(BATCH, EOM, bytes(4089)), "negotiated are 4096"),
    "not full": (packet(BATCH, 0, bytes(100)), "is not the last one"),
    "another type inside": (packet(BATCH, 0, bytes(4088)) + packet(RPC, EOM, b""),
                            "inside a message"),
    "status bits": (packet(BATCH, 0x41, SELECT_1), "status bits"),
    "IGNORE without EOM": (packet(BATCH, IGNORE, bytes(4088)), "IGNORE without EOM"),
    "both resets": (packet(BATCH, EOM | RESET | SKIP, SELECT_1), "both reset bits"),
    "a reset of bulk data": (packet(BULK, EOM | RESET, b""), "reset bit on a message of type 7"),
    "PRELOGIN again": (packets(PRELOGIN, prelogin()), "type 18 after the login"),
    "an unknown type": (packet(99, EOM, b""), "type 99"),
    "no ALL_HEADERS": (packet(BATCH, EOM, "SELECT 1".encode("utf-16-le")), "ALL_HEADERS"),
    "headers that are too long": (packet(BATCH, EOM, struct.pack("<I", 99) + bytes(10)),
                                  "ALL_HEADERS"),
    "two outstanding": (packet(BATCH, EOM, headers()[:-4] + b"\2\0\0\0"), "outstanding"),
    "half a character": (packet(BATCH, EOM, SELECT_1[:-1]), "odd number"),
    "an unknown procedure": (packet(RPC, EOM, headers() + call(77)), "procedure number 77"),
    "an RPC that is cut": (packet(RPC, EOM, headers() + call(10, parameter(nvarchar(
        "SELECT 1")))[:-3]), "cut short"),
    "a value that is too long": (packet(RPC, EOM, headers() + call(
        10, b"\0\0" + b"\x26\x04\x05" + bytes(5))), "5 bytes for int"),
    "an unknown type of value": (packet(RPC, EOM, headers() + call(10, b"\0\0\x99")), "type 0x99"),
    "the separator of 7.1": (packet(RPC, EOM, headers() + call(
        10, parameter(nvarchar("SELECT 1"))) + b"\x80" + call(10)), "separator"),
    "a wrong PLP length": (packet(RPC, EOM, headers() + call(10, parameter(
        long_nvarchar("SELECT 1").replace(b"\x10\0\0\0\0\0\0\0", b"\x11\0\0\0\0\0\0\0", 1)))),
        "a value of 17 bytes has 16"),
    "an unknown manager request": (packet(TRANSACTION, EOM, headers() + b"\x63\0"),
                                   "transaction manager request 99"),
    "bytes behind a manager request": (packet(TRANSACTION, EOM, headers() + b"\5\0\0\0\0"),
                                       "bytes behind"),
    "bulk data that nobody waits for": (packet(BULK, EOM, b"\x81\0\0"), "without INSERT BULK"),
    "an attention with data": (packet(ATTENTION, EOM, b"x"), "an attention with data"),
    "a second request": (packets(BATCH, headers() + SLOW.encode("utf-16-le"))
                         + packets(BATCH, SELECT_1), "before the reply's end"),
    "a second attention": (packets(BATCH, headers() + SLOW.encode("utf-16-le"))
                           + packets(ATTENTION, b"") * 2, "second attention"),
}


@pytest.mark.parametrize("name", WRONG_REQUESTS)
def test_a_wrong_request(server, name):
    wrong, why = WRONG_REQUESTS[name]
    with server.client() as one:
        one.write(wrong)
        with pytest.raises(Closed):  # perhaps after an error
            while True:
                one.message()
    assert why in server.caught()[0]


def test_a_packet_that_is_cut(server):
    with server.client() as one:
        one.write(packets(BATCH, SELECT_1)[:20])
    assert "in the middle of a packet" in server.caught()[0]


def test_skipping_needs_7_3(server):
    with server.client(version=V72) as one:
        one.send(BATCH, "SELECT 1".encode("utf-16-le"), SKIP)
        assert one.is_closed()
    assert "before TDS 7.3" in server.caught()[0]


WRONG_PRELOGINS = {
    "no terminator": (b"\0\0\x05\0\x06" + b"\x77\0\0\0\0\x78\0\0\0\0", "terminator"),
    "empty": (b"", "terminator"),
    "outside": (b"\0\0\x06\xff\xff\xff" + bytes(6), "outside"),
    "a table that is cut": (b"\0\0\x06", "cut short"),
    "no version": (b"\x01\0\x06\0\x01\xff\0", "VERSION"),
    "inside the table": (b"\0\0\0\0\x06\xff", "inside the table"),
    "a wrong length": (b"\0\0\x06\0\x05\xff" + bytes(5), "has 5 bytes"),
    "twice": (b"\0\0\x0b\0\x06\0\0\x0b\0\x06\xff" + bytes(6), "twice"),
    "too long": (prelogin() + bytes(5000), "PRELOGIN of"),
}


@pytest.mark.parametrize("name", WRONG_PRELOGINS)
def test_a_wrong_prelogin(server, name):
    body, why = WRONG_PRELOGINS[name]
    with TdsClient(server.port) as one:
        one.write(packets(PRELOGIN, body))
        assert one.is_closed()
    assert why in server.caught()[0]


def test_an_unknown_option_is_nothing(server):
    with TdsClient(server.port) as one:
        one.write(packets(PRELOGIN, b"\0\0\x0b\0\x06\x77\0\x11\0\1\xff" + bytes(7)))
        assert one.message()[0] == 4


def changed_login(at, data):
    body = login7(user="app", password="secret")
    return body[:at] + data + body[at + len(data):]


WRONG_LOGINS = {
    "a length that is not its own": (changed_login(0, b"\1\0\0\0"), "says 1 bytes"),
    "short": (b"\x10\0\0\0" + bytes(12), "LOGIN7 of 16 bytes"),
    "version 7.0": (changed_login(4, b"\0\0\0\x70"), "TDS version"),
    "a packet size of 511": (changed_login(8, struct.pack("<I", 511)), "packet size 511"),
    "a packet size of 32768": (changed_login(8, struct.pack("<I", 32768)), "packet size 32768"),
    "a user outside": (changed_login(40, b"\xff\xff\2\0"), "user lies outside"),
    "a count that overflows": (changed_login(42, b"\xff\xff"), "user of 65535 characters"),
    "a text in the fixed part": (changed_login(40, b"\2\0\2\0"), "inside the fixed part"),
    "integrated security": (changed_login(25, b"\x83"), "integrated security"),
    "features outside": (changed_login(27, b"\x10")[:56] + b"\xf0\xff\4\0"
                         + changed_login(27, b"\x10")[60:], "outside"),
    "strict without TLS": (changed_login(4, struct.pack("<I", V80)), "TDS version"),
}


@pytest.mark.parametrize("name", WRONG_LOGINS)
def test_a_wrong_login(server, name):
    body, why = WRONG_LOGINS[name]
    with TdsClient(server.port) as one:
        one.prelogin()
        one.write(packets(LOGIN7, body))
        assert one.is_closed()
    assert why in server.caught()[0]


# ---------------------------------------------------------------- logins that are as they should be


def test_refused_logins(server):
    for user, password in (("app", "wrong"), ("nobody", "secret")):
        with TdsClient(server.port) as one:
            found = one.login(user, password)
            assert kinds(found) == "ERROR 18456 | DONE 0x2"
            assert found[0].text == f"Login failed for user '{user}'."
            assert one.is_closed()
    with TdsClient(server.port) as one:
        assert errors(one.login(database="nowhere")) == [4060, 18456]
        assert one.is_closed()


def test_the_largest_packet():
    with TdsServer("--packet-size", 512) as small, small.client() as one:
        assert one.size == 512
        assert one.value("SELECT REPLICATE('x', 3000)") == "x" * 3000
        assert one.value(f"SELECT LEN('{'y' * 3000}')") == 3000


def test_one_that_takes_the_place_of_another():
    first = TdsServer()
    client = first.client()
    first.kill()
    assert client.is_closed()
    with TdsServer(port=first.port) as second, second.client() as one:
        assert one.value("SELECT 1") == 1


def test_features(server):
    with TdsClient(server.port) as one:
        found = one.login(features={1: bytes(8), 0x0A: b"\1", 0x0D: b"\1"})
        assert [token.features for token in found if token.kind == "FEATUREEXTACK"] == [
            {0x0A: b"\1"}]
        assert server.session()["features"] == [1, 10, 13]


def test_what_a_login_says(server):
    with TdsClient(server.port) as one:
        one.login(app="an app", host="a host", database="app", language="Deutsch", flags2=0,
                  type_flags=0x20, packet_size=8000)
        found = server.session()
        assert {"app": "an app", "host": "a host", "database": "app", "language": "Deutsch",
                "odbc": False, "read_only": True, "packet_size": 8000}.items() <= found.items()
        assert one.value("SELECT @@OPTIONS & 256") == 0
        assert one.value("SELECT @@DATEFIRST") == 1


# Who offers what, and what comes of it: how all is encrypted, or "refused".
CELLS = {
    ("off", NOT_SUPPORTED): (NOT_SUPPORTED, "none"), ("off", OFF): (NOT_SUPPORTED, "none"),
    ("off", ON): (NOT_SUPPORTED, "refused"), ("off", REQUIRED): (NOT_SUPPORTED, "refused"),
    ("on", NOT_SUPPORTED): (NOT_SUPPORTED, "none"), ("on", OFF): (OFF, "login"),
    ("on", ON): (ON, "all"), ("on", REQUIRED): (ON, "all"),
    ("required", NOT_SUPPORTED): (REQUIRED, "refused"), ("required", OFF): (REQUIRED, "all"),
    ("required", ON): (ON, "all"), ("required", REQUIRED): (ON, "all"),
}


@pytest.fixture(scope="module")
def servers(authority):
    certificate = ("--certificate", authority.cert("localhost"), "--key",
                   authority.key("localhost"))
    started = {mode: TdsServer("--encrypt", mode, *certificate)
               for mode in ("off", "on", "required", "strict")}
    yield started
    for one in started.values():
        one.stop()


@pytest.mark.parametrize("mode, asked", CELLS)
def test_the_table_of_encryption(servers, mode, asked):
    said, outcome = CELLS[mode, asked]
    with TdsClient(servers[mode].port) as one:
        assert one.prelogin(asked) == said
        if outcome == "refused":
            one.write(packets(LOGIN7, login7(user="app", password="secret")))
            assert one.is_closed()
            assert servers[mode].caught()
            return
    with TdsClient(servers[mode].port) as one:
        one.login(encryption=asked)
        assert one.value("SELECT 1") == 1
        assert servers[mode].session()["encryption"] == outcome


@pytest.mark.parametrize("mode", ["on", "strict"])
def test_strict(servers, mode):
    with TdsClient(servers[mode].port) as one:
        one.login_strict()
        assert one.value("SELECT 1") == 1
        assert servers[mode].session()["encryption"] == "strict"


def test_what_strict_refuses(servers):
    with TdsClient(servers["strict"].port) as one:
        one.write(packets(PRELOGIN, prelogin()))
        assert one.is_closed()
    assert "not TLS" in servers["strict"].caught()[0]
    with TdsClient(servers["strict"].port) as one:
        one.start_tls(inside_packets=False)
        assert one.is_closed()
    assert "ALPN" in servers["strict"].caught()[0]
    with TdsClient(servers["off"].port) as one:
        with pytest.raises(Closed):
            one.start_tls(inside_packets=False, alpn="tds/8.0")
    assert servers["off"].caught()


# ---------------------------------------------------------------- attention, IGNORE, bulk


@pytest.mark.parametrize("sql", [SLOW, ENDLESS])
def test_attention(client, server, sql):
    client.send(BATCH, sql.encode("utf-16-le"))
    time.sleep(0.05)
    began = time.monotonic()
    client.attention()
    while shape(client.reply())[-1] != "DONE 0x20":
        pass
    assert time.monotonic() - began < 5
    assert client.value("SELECT 6") == 6
    found = server.session()
    assert (found["attentions"], found["acknowledged"]) == (1, 1)


def test_attention_when_idle_and_with_a_transaction(client):
    client.attention()
    assert kinds(client.reply()) == "DONE 0x20"
    client.batch("BEGIN TRAN")
    client.send(BATCH, SLOW.encode("utf-16-le"))
    client.attention()
    assert [kinds(client.reply()), kinds(client.reply())] == ["DONE 0x2", "DONE 0x20"]
    assert client.value("SELECT @@TRANCOUNT") == 1
    client.batch("SET XACT_ABORT ON")
    client.send(BATCH, SLOW.encode("utf-16-le"))
    client.attention()
    assert kinds(client.reply()) == "ENVCHANGE 10 | DONE 0x2"
    client.reply()
    assert client.value("SELECT @@TRANCOUNT") == 0


def test_attention_that_is_acknowledged_with_the_reply():
    with TdsServer("--attention-with-reply") as server, server.client() as one:
        one.send(BATCH, ENDLESS.encode("utf-16-le"))
        one.attention()
        assert shape(one.reply())[-1] == "DONE 0x20"
        assert one.value("SELECT 6") == 6


def test_a_message_that_is_thrown_away(client, server):
    client.batch("CREATE TABLE #t (a int)")
    insert = headers() + "INSERT #t VALUES (1) --".encode("utf-16-le") + b"x\0" * 3000
    client.write(packet(BATCH, 0, insert[:4088]) + packet(BATCH, EOM | IGNORE, b"y\0"))
    assert kinds(client.reply()) == "DONE 0x2"
    assert client.value("SELECT COUNT(*) FROM #t") == 0
    assert server.violations() == []


BULK_ROWS = (b"\x81\2\0" + bytes(4) + b"\x09\0" + b"\x26\x04\1a\0" + bytes(4) + b"\x09\0"
             + nvarchar("")[:8] + b"\1b\0"
             + b"\xd1\x04\1\0\0\0\2\0x\0" + b"\xd1\x04\2\0\0\0\xff\xff")


@pytest.mark.parametrize("end", [b"", b"\xfd" + bytes(12)])
def test_bulk(client, server, end):
    client.batch("CREATE TABLE #b (a int, b nvarchar(4000))")
    assert kinds(client.batch("INSERT BULK #b (a int, b nvarchar(4000))")) == "DONE 0x0"
    assert server.session()["bulk"]
    client.write(packets(BULK, BULK_ROWS + end))
    assert kinds(client.reply()) == "DONE 0x10"
    assert client.rows("SELECT * FROM #b") == [[1, "x"], [2, None]]


def test_bulk_that_does_not_come(client, server):
    client.batch("CREATE TABLE #b (a int NOT NULL, b nvarchar(4000) NOT NULL)")
    client.batch("INSERT BULK #b (a int, b nvarchar(4000))")
    assert errors(client.batch("SELECT 1")) == [4022]
    client.batch("INSERT BULK #b (a int, b nvarchar(4000))")
    client.attention()
    assert kinds(client.reply()) == "DONE 0x20"
    client.batch("INSERT BULK #b (a int, b nvarchar(4000))")
    client.write(packets(BULK, BULK_ROWS))
    assert errors(client.reply()) == [515]
    assert client.value("SELECT COUNT(*) FROM #b") == 0  # the first row as well
