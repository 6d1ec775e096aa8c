"""Replies: tokens (MS-TDS 2.2.7) into packets, and which DONE says that more is to come.

A DONE is held back until it is known whether something follows it in the reply."""

import asyncio
import struct

from . import typeinfo, values
from .errors import AttentionSeen
from .packets import HEADER, V72, V73B, at_least
from .values import Value, convert

COLMETADATA, ROW, NBCROW, RETURNSTATUS, RETURNVALUE = 0x81, 0xD1, 0xD2, 0x79, 0xAC
DONE, DONEPROC, DONEINPROC, ENVCHANGE, ERROR, INFO = 0xFD, 0xFE, 0xFF, 0xE3, 0xAA, 0xAB
LOGINACK, FEATUREEXTACK, ORDER, COLINFO = 0xAD, 0xAE, 0xA9, 0xA5
EXPRESSION, HIDDEN = 0x04, 0x10
MORE, FAILED, COUNT, ATTENTION, SERVER_ERROR = 0x01, 0x02, 0x10, 0x20, 0x100
NULLABLE, IDENTITY, COMPUTED, UPDATABLE = 0x01, 0x10, 0x20, 0x08
NO_COMMAND, SELECT = 0xFD, 0xC1
ENV_DATABASE, ENV_LANGUAGE, ENV_PACKET, ENV_COLLATION, ENV_BEGIN, ENV_COMMIT, ENV_ROLLBACK = (
    1, 2, 4, 7, 8, 9, 10)
ENV_RESET, ENV_ROUTING = 18, 20
# Babelfish has SQL Server's numbers for these, and one for all others.
BABELFISH_NUMBERS, BABELFISH_GENERIC = {8134, 911, 18456, 3903, 50000, 8179, 8009}, 33557097


def text(data, count_format="<B"):
    raw = data.encode("utf-16-le", "surrogatepass")
    return struct.pack(count_format, len(raw) // 2) + raw


def block(token, body):
    return struct.pack("<BH", token, len(body)) + body


def envchange_text(kind, new, old):
    return block(ENVCHANGE, bytes([kind]) + text(new) + text(old))


def envchange_bytes(kind, new, old=b""):
    return block(ENVCHANGE, bytes([kind, len(new)]) + new + bytes([len(old)]) + old)


def routing(host, port):
    value = struct.pack("<BH", 0, port) + text(host, "<H")
    return block(ENVCHANGE, bytes([ENV_ROUTING]) + struct.pack("<H", len(value)) + value + bytes(2))


class Message:
    """ERROR or INFO."""

    def __init__(self, number, severity, state, said):
        self.number, self.severity, self.state, self.text = number, severity, state, said
        self.line, self.procedure = 1, ""


def message_token(token, message, server, version):
    body = struct.pack("<iBB", message.number, message.state & 0xFF, message.severity)
    body += text(message.text[:8000], "<H") + text(server) + text(message.procedure[:128])
    body += struct.pack("<I" if at_least(version, V72) else "<H", message.line or 1)
    return block(token, body)


def loginack(version, program, release):
    return block(LOGINACK, b"\x01" + struct.pack(">I", version) + text(program) + release)


def features(acknowledged):
    body = b"".join(struct.pack("<BI", one, len(data)) + data for one, data in
                    acknowledged.items())
    return bytes([FEATUREEXTACK]) + body + b"\xff"


class Shown:
    """A column of a result."""

    def __init__(self, name, kind, nullable=True, flags=None):
        self.name, self.type, self.nullable = name, kind, nullable
        self.flags = (NULLABLE if nullable else 0) | (COMPUTED if flags is None else flags)


class Told:
    """How a client of some version is shown a column: older ones get dates as texts."""

    def __init__(self, shown, version):
        self.type = typeinfo.told(shown.type, version)
        self.nullable = shown.nullable
        self.converted = shown.type if shown.type.name in values.DATES else None
        if self.type == shown.type:
            self.converted = None

    def data(self, one):
        if self.converted is not None and one is not None:
            one = convert(Value(self.converted, one), self.type).data
        return typeinfo.value_data(self.type, one, self.nullable)


class Reply:
    """The reply to one request. `faults` may leave tokens out or put unknown ones in."""

    def __init__(self, wire, version, state, faults):
        self.wire, self.version, self.state, self.faults = wire, version, state, faults
        self.buffer = bytearray()
        self.held = None  # a DONE: [token, status, command, count]
        self.columns, self.no_metadata = [], False

    # --- packets ----------------------------------------------------------------------------

    def put(self, data):
        self.flush_done(MORE)
        self.buffer += data

    async def breathe(self):
        """Sends full packets; waits while the client does not read."""
        room = self.wire.packet_size - HEADER.size
        while len(self.buffer) > room:
            self.wire.send_packet(bytes(self.buffer[:room]), False)
            del self.buffer[:room]
        if self.wire.is_full():
            await self._wait_for_room()

    async def _wait_for_room(self):
        draining = asyncio.ensure_future(self.wire.drain())
        attention = asyncio.ensure_future(self.state.attention.wait())
        waits = [draining] if self.state.babelfish else [draining, attention]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            attention.cancel()
            if not draining.done():
                draining.cancel()
        if self.state.attention.is_set() and not self.state.babelfish:
            raise AttentionSeen

    async def push(self):
        """What is there goes out now, without waiting for a full packet."""
        self.flush_done(MORE)
        await self.breathe()
        if self.buffer:
            self.wire.send_packet(bytes(self.buffer), False)
            self.buffer.clear()

    def finish(self):
        """The last packet."""
        self.flush_done(0)
        room = self.wire.packet_size - HEADER.size
        while len(self.buffer) > room:
            self.wire.send_packet(bytes(self.buffer[:room]), False)
            del self.buffer[:room]
        self.wire.send_packet(bytes(self.buffer), True)
        self.buffer.clear()

    # --- DONE -------------------------------------------------------------------------------

    def done(self, token, status, command, count=0):
        self.flush_done(MORE)
        self.held = [token, status, command, count]

    def flush_done(self, more):
        if self.held is None:
            return
        token, status, command, count = self.held
        self.held = None
        if token == DONEINPROC:
            more = MORE
        layout = "<BHHQ" if at_least(self.version, V72) else "<BHHI"
        self.buffer += struct.pack(layout, token, status | more, command, count)

    # --- messages and ENVCHANGE -------------------------------------------------------------

    def error(self, wrong):
        number = wrong.number
        if self.state.babelfish and number not in BABELFISH_NUMBERS:
            number = BABELFISH_GENERIC
        message = Message(number, wrong.severity, wrong.state, wrong.text)
        message.line, message.procedure = wrong.line, wrong.procedure
        self.put(message_token(ERROR, message, self.state.house.name, self.version))

    def info(self, number, said, severity=0, state=1):
        message = Message(number, severity, state, said)
        self.put(message_token(INFO, message, self.state.house.name, self.version))

    def env_text(self, kind, new, old):
        if not self.faults.leaves_out(kind):
            self.put(envchange_text(kind, new, old))

    def env_bytes(self, kind, new, old=b""):
        if not self.faults.leaves_out(kind):
            self.put(envchange_bytes(kind, new, old))

    def transaction(self, kind, descriptor):
        """ENVCHANGE 8, 9 or 10; none for nested ones."""
        if descriptor is None:
            return
        data = struct.pack("<Q", descriptor)
        new, old = (data, b"") if kind == ENV_BEGIN else (b"", data)
        self.env_bytes(kind, new, old)

    # --- rows -------------------------------------------------------------------------------

    def metadata(self, columns):
        """COLMETADATA; `columns` are Shown."""
        self.columns = [Told(one, self.version) for one in columns]
        if self.no_metadata:
            self.put(struct.pack("<BH", COLMETADATA, 0xFFFF))
            return
        usertype = bytes(4 if at_least(self.version, V72) else 2)
        out = [struct.pack("<BH", COLMETADATA, len(columns))]
        for one, told in zip(columns, self.columns):
            out += [usertype, struct.pack("<H", one.flags),
                    typeinfo.type_info(told.type, told.nullable)]
            if told.type.name in typeinfo.LOBS:
                out.append(b"\x01" + bytes(2) if at_least(self.version, V72) else bytes(2))
            out.append(text(one.name[:128]))
        self.put(b"".join(out))

    def order(self, ordinals):
        """By which columns the rows are sorted, 0 for what is none of them."""
        self.put(block(ORDER, struct.pack(f"<{len(ordinals)}H", *ordinals)))

    def column_info(self, statuses):
        """COLINFO without tables."""
        body = b"".join(bytes([at, 0, status]) for at, status in enumerate(statuses, 1))
        self.put(block(COLINFO, body))

    def row(self, data):
        """The values' data, in the types that `metadata` has told."""
        nulls = [at for at, one in enumerate(data) if one is None]
        if nulls and at_least(self.version, V73B):
            bitmap = bytearray((len(data) + 7) // 8)
            for at in nulls:
                bitmap[at // 8] |= 1 << at % 8
            out = [bytes([NBCROW]), bytes(bitmap)]
            pairs = [(one, told) for one, told in zip(data, self.columns) if one is not None]
        else:
            out, pairs = [bytes([ROW])], zip(data, self.columns)
        out += [told.data(one) for one, told in pairs]
        self.put(b"".join(out))

    # --- procedures -------------------------------------------------------------------------

    def return_status(self, number):
        self.put(struct.pack("<Bi", RETURNSTATUS, number))

    def return_value(self, ordinal, name, value):
        told = Told(Shown(name, value.type), self.version)
        usertype = bytes(4 if at_least(self.version, V72) else 2)
        self.put(struct.pack("<BH", RETURNVALUE, ordinal) + text(name) + b"\x01" + usertype
                 + struct.pack("<H", NULLABLE) + typeinfo.type_info(told.type)
                 + told.data(value.data))
