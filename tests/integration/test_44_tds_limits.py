"""SQL Server: messages that are wrong or without end, much data in bounded memory, servers that are
killed, and everything that has a deadline."""

import contextlib
import os
import select
import signal
import socket
import struct
import time

import pytest

from harness import LONG, eventually, weir_only
from support.tds_client import (BATCH, BULK, EOM, LOGIN7, RPC, Closed, TdsClient, call, errors,
                                headers, long_nvarchar, nvarchar, packets, parameter)
from support.tds_stand_in import ENDLESS
from support.tds_server import TdsServer
from support.tds_weir import (client_of, server, start, start_weir, value,  # noqa: F401
                              weir)

pytestmark = weir_only

MIB = 1 << 20
MUCH = (100 if LONG else 24) * MIB
GROWTH_KIB_MAX = 16 * 1024
MODES = ("session", "transaction")


def request(sql):
    return packets(BATCH, headers() + sql.encode("utf-16-le"))


def packet(kind, status, size, body=b""):
    return struct.pack(">BBHHBB", kind, status, size, 0, 1, 0) + body


class Memory:
    """Of weir, from here on."""

    def __init__(self, weir):
        self.weir = weir
        with client_of(weir) as one:  # the first buffers
            one.value("SELECT 1")
        weir.forget_memory_peak()
        self.before = weir.memory_kib("VmHWM")

    def is_bounded(self):
        grown = self.weir.memory_kib("VmHWM") - self.before
        return not self.weir.measurable or grown < GROWTH_KIB_MAX


def assert_served(weir):
    """A newcomer gets a server, and nobody else's answer."""
    with client_of(weir) as newcomer:
        assert newcomer.rows("SELECT 'mine' AS mine, @@TRANCOUNT") == [["mine", 0]]


# ---------------------------------------------------------------- framing


WRONG = {"shorter than its head": packet(BATCH, EOM, 7),
         "no length": packet(BATCH, EOM, 0),
         "longer than agreed": packet(BATCH, EOM, 4097, bytes(4089)),
         "of another type": packet(4, EOM, 8),
         "a second login": packets(LOGIN7, bytes(94)),
         "inside another": packet(BATCH, 0, 4096, headers() + bytes(4066)) + packet(RPC, EOM, 8)}


@pytest.mark.behaviour("tds", "T03")
def test_a_wrong_packet_ends_the_client(weir):
    for count, (what, wrong) in enumerate(WRONG.items(), 1):
        with client_of(weir) as one:
            one.write(wrong)
            with pytest.raises(Closed):
                while True:  # an error may come first
                    one.message()
        eventually(lambda: weir.metrics().sum("weir_errors_total", kind="protocol_error") == count,
                   what=f"that it is counted: {what}")
        assert_served(weir)


@pytest.mark.behaviour("tds", "T03")
def test_a_login_without_end(start):
    weir = start(limits={"login_bytes": "64KiB"})
    memory = Memory(weir)
    with TdsClient(weir.port) as one:
        one.prelogin()
        with contextlib.suppress(ConnectionError):
            for _ in range(MUCH // 4096):
                one.socket.sendall(packet(LOGIN7, 0, 4096, bytes(4088)))
        assert one.is_closed()
    weir.wait_for_log("message too long")
    assert memory.is_bounded()
    assert_served(weir)


@pytest.mark.behaviour("tds", "T03")
@pytest.mark.parametrize("mode", MODES)
def test_a_request_without_end(start, server, mode):
    """It is streamed; when its client has gone so has the server, and none of it was run."""
    weir = start(mode)
    memory = Memory(weir)
    with client_of(weir) as one:
        text = "CREATE TABLE half (a int) --".encode("utf-16-le")
        one.write(packet(BATCH, 0, 4096, headers() + text + b"x\0" * ((4066 - len(text)) // 2)))
        for _ in range(MUCH // 4 // 4096):
            one.socket.sendall(packet(BATCH, 0, 4096, b"x\0" * 2044))
        number = server.session(app="weir")["spid"]
    eventually(lambda: all(each["spid"] != number for each in server.sessions()),
               what="that the server is closed")
    assert memory.is_bounded()
    with client_of(weir) as other:
        assert errors(other.batch("SELECT * FROM half")) == [208]


# ---------------------------------------------------------------- much data


@pytest.mark.behaviour("tds", "T04")
@pytest.mark.parametrize("mode", MODES)
def test_a_large_reply_to_a_slow_reader(start, server, mode):
    weir = start(mode)
    memory = Memory(weir)
    with client_of(weir) as one:
        one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        one.write(request(ENDLESS))
        eventually(lambda: stands_still(server), what="that the server has to wait")
        assert memory.is_bounded()
        taken = 0
        while taken < MUCH:
            kind, status, size = struct.unpack(">BBH", one.take(8)[:4])
            taken += len(one.take(size - 8))
            assert kind == 4 and not status & EOM
        assert memory.is_bounded()
        one.attention()
        status = 0
        while not status & 0x20:
            _, payload = one.message()
            status = struct.unpack_from("<H", payload, len(payload) - 12)[0]
            assert len(payload) < 4 * MUCH
        assert one.value("SELECT 41") == 41


def stands_still(server):
    """In the middle of a reply it sends nothing any more."""
    before = sum(each["bytes_out"] for each in server.sessions())
    time.sleep(0.1)
    return before > MIB and sum(each["bytes_out"] for each in server.sessions()) == before


@pytest.mark.behaviour("tds", "T04")
@pytest.mark.parametrize("mode", MODES)
def test_a_large_request_to_a_slow_server(start, server, mode):
    weir = start(mode)
    memory = Memory(weir)
    with client_of(weir) as one:
        text = "0123456789abcdef" * (MUCH // 32)
        message = packets(RPC, headers() + call(
            10, parameter(nvarchar("SELECT DATALENGTH(@s)")), parameter(nvarchar(
                "@s nvarchar(max)")), parameter(long_nvarchar(text, 1 << 20))))
        one.socket.setblocking(False)
        waiting = memoryview(message)
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            while select.select([], [one.socket], [], 0.5)[1]:
                waiting = waiting[one.socket.send(waiting):]
            assert len(waiting) > MUCH / 4  # nobody has taken all that
            assert memory.is_bounded()
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        one.socket.settimeout(60)
        one.socket.sendall(waiting)
        assert value(one.reply()) == MUCH
        assert memory.is_bounded()
        assert one.value("SELECT 42") == 42


# ---------------------------------------------------------------- bulk loads in session mode


BULK_ROWS = (b"\x81\1\0" + bytes(4) + b"\x09\0" + b"\x26\x04\1a\0"
             + b"".join(b"\xd1\x04" + struct.pack("<i", n) for n in range(100)))
BULK_END = b"\xfd" + bytes(12)


@pytest.mark.behaviour("tds", "T52")
@pytest.mark.parametrize("mode", MODES)
def test_a_bulk_load_stays_on_its_server(start, server, mode):
    weir = start(mode, size=2)
    with client_of(weir) as one, client_of(weir) as other:
        one.batch("CREATE TABLE loaded (a int)")
        assert not errors(one.batch("INSERT BULK loaded (a int)"))
        assert other.value("SELECT 1") == 1
        assert [each["bulk"] for each in server.sessions()].count(True) == 1
        one.write(packets(BULK, BULK_ROWS + BULK_END))
        found = one.reply()
        assert not errors(found) and found[-1].count == 100
        assert other.value("SELECT COUNT(*) FROM loaded") == 100


@pytest.mark.behaviour("tds", "T52")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sent", [b"", BULK_ROWS], ids=["before it", "within it"])
def test_who_leaves_a_bulk_load_has_loaded_nothing(start, server, mode, sent):
    weir = start(mode)
    with client_of(weir) as one:
        one.batch("CREATE TABLE loaded (a int)")
        one.batch("INSERT BULK loaded (a int)")
        number = server.session(app="weir")["spid"]
        if sent:
            one.write(packet(BULK, 0, 4096, sent + b"\xd1\x04\0\0\0\0" * 700)[:4096])
    eventually(lambda: all(each["spid"] != number for each in server.sessions()),
               what="that the server is closed")
    assert_served(weir)
    assert server.ask("table", database="app", name="loaded") == []


# ---------------------------------------------------------------- servers that are killed


@pytest.mark.behaviour("tds", "T62")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [0, 10, 5000])
def test_a_server_that_is_lost_in_a_reply(start, server, mode, size):
    """The client gets an error or the end, and the next one what is its own."""
    weir = start(mode)
    with client_of(weir) as one, client_of(weir) as other:
        if mode == "transaction":
            assert other.value("SELECT 1") == 1
        one.value("SELECT 2")
        server.fault("cut", bytes=size)
        one.write(request(f"SELECT REPLICATE('a', {2 * size}) AS lost"))
        with pytest.raises(Closed):
            found = one.reply()
            assert errors(found) and size == 0, found
            one.message()
        assert other.value("SELECT 3") == 3
    eventually(lambda: weir.metrics().sum("weir_errors_total", kind="server_lost") == 1,
               what="that it is counted")
    assert_served(weir)


@pytest.mark.behaviour("tds", "T62")
@pytest.mark.parametrize("mode", MODES)
def test_all_connections_are_lost_at_once(mode):
    """The server dies in the middle of its replies and comes back."""
    server = TdsServer("--encrypt", "off")
    weir = start_weir(server, mode, size=3, defaults={"pool": {
        "acquire_timeout": "10s", "retry": {"min": "50ms", "max": "100ms"}}})
    with client_of(weir) as idle:
        if mode == "transaction":
            idle.value("SELECT 1")
        busy = [client_of(weir) for _ in range(3)]
        for one in busy:
            one.write(request("BEGIN TRAN SELECT 'x' WAITFOR DELAY '00:00:20'"))
        eventually(lambda: [each["busy"] for each in server.sessions()].count(True) == 3,
                   what="that all run")
        server.kill()
        for one in busy:
            with pytest.raises(Closed):
                assert errors(one.reply())
                one.message()
        with TdsServer("--encrypt", "off", port=server.port):
            assert idle.rows("SELECT 'mine', @@TRANCOUNT") == [["mine", 0]]
            assert_served(weir)
            idle.close()
            weir.stop()


@pytest.mark.behaviour("tds", "T62")
def test_a_server_that_is_killed_within_a_transaction(weir, server):
    with client_of(weir) as one, client_of(weir) as other:
        one.batch("CREATE TABLE kept (a int)")
        one.batch("BEGIN TRAN INSERT kept VALUES (1)")
        other.write(request("SELECT COUNT(*) FROM kept"))
        server.ask("kill", spid=server.session(app="weir")["spid"])
        with pytest.raises(Closed):
            one.reply()
            one.message()
        assert value(other.reply()) == 0
