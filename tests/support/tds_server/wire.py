"""Bytes to and from a client: plain, in TLS, or with TLS records inside PRELOGIN packets while the
handshake lasts (MS-TDS 2.2.6.5, 3.2.5.1)."""

import asyncio
import ssl

from .errors import EndConnection
from .packets import (HEADER, PRELOGIN, REPLY, EOM, SIZE_DEFAULT, Assembly, Gone, Header, Message,
                      Violation, pack)

CHUNK = 65536
BUFFERED_MAX = 1 << 18  # then the writer waits for its reader


class Wire:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.tls = None
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.packet_size, self.exact = SIZE_DEFAULT, False
        self.spid, self.next_number = 0, 1
        self.bytes_in = self.bytes_out = 0
        self.ahead = b""  # read while looking what the client speaks

    # --- bytes ------------------------------------------------------------------------------

    async def first_byte(self):
        self.ahead = await self.reader.read(1)
        if not self.ahead:
            raise Gone
        return self.ahead[0]

    async def _raw(self):
        """Whatever has come; for TLS."""
        data, self.ahead = self.ahead, b""
        data = data or await self.reader.read(CHUNK)
        if not data:
            raise Gone
        return data

    async def _exactly_plain(self, size):
        data, self.ahead = self.ahead[:size], self.ahead[size:]
        return data + await self.reader.readexactly(size - len(data))

    async def exactly(self, size):
        try:
            if self.tls is None:
                return await self._exactly_plain(size)
            return await self._exactly_tls(size)
        except asyncio.IncompleteReadError as cut:
            if cut.partial:
                raise Violation("the connection ends in the middle of a packet") from None
            raise Gone from None
        except (ConnectionError, ssl.SSLError):
            raise Gone from None

    async def _exactly_tls(self, size):
        parts = b""
        while len(parts) < size:
            try:
                part = self.tls.read(size - len(parts))
            except ssl.SSLWantReadError:
                self.incoming.write(await self._raw())
                continue
            except ssl.SSLZeroReturnError:
                part = b""
            if not part:
                raise asyncio.IncompleteReadError(parts, size)
            parts += part
        return parts

    def send(self, data):
        if self.tls is not None:
            self.tls.write(data)
            data = self.outgoing.read()
        self.bytes_out += len(data)
        self.writer.write(data)

    def is_full(self):
        return self.writer.transport.get_write_buffer_size() > BUFFERED_MAX

    async def drain(self):
        await self.writer.drain()

    # --- packets ----------------------------------------------------------------------------

    async def packet(self, assembly):
        """Reads one packet into the message; true when that is whole."""
        header = Header(await self.exactly(HEADER.size))
        assembly.check(header)
        try:
            body = await self.exactly(header.size - HEADER.size) if header.size > 8 else b""
        except Gone:
            raise Violation("the connection ends in the middle of a packet") from None
        self.bytes_in += header.size
        return assembly.add(header, body)

    async def message(self):
        assembly = Assembly(self.packet_size, self.exact)
        while not await self.packet(assembly):
            pass
        return Message(assembly)

    def send_packet(self, payload, last, kind=REPLY):
        number = self.next_number if self.spid else 0
        self.send(pack(kind, EOM if last else 0, payload, self.spid, number))
        self.next_number = 1 if last else (self.next_number + 1) % 256

    def send_message(self, payload):
        """A short reply of a dialogue."""
        room = self.packet_size - HEADER.size
        pieces = [payload[at:at + room] for at in range(0, len(payload), room)] or [b""]
        for piece in pieces[:-1]:
            self.send_packet(piece, False)
        self.send_packet(pieces[-1], True)

    # --- TLS --------------------------------------------------------------------------------

    async def begin_tls(self, context, inside_packets):
        tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._send_records(inside_packets)
                self.incoming.write(await self._records(inside_packets))
            except ssl.SSLError as problem:
                self._send_records(inside_packets)
                if "ALERT" in (problem.reason or ""):  # it does not like our certificate
                    raise EndConnection(f"TLS: {problem.reason}") from None
                raise Violation(f"TLS: {problem.reason or problem}") from None
        self._send_records(inside_packets)
        self.tls = tls

    async def _records(self, inside_packets):
        if not inside_packets:
            return await self._raw()
        message = await self.message()
        if message.kind != PRELOGIN:
            raise Violation(f"a message of type {message.kind} inside the TLS handshake")
        return message.payload

    def _send_records(self, inside_packets):
        records = self.outgoing.read()
        if not records:
            return
        if not inside_packets:
            self.writer.write(records)
            return
        room = self.packet_size - HEADER.size
        for at in range(0, len(records), room):
            last = at + room >= len(records)
            self.send_packet(records[at:at + room], last, PRELOGIN)

    def end_tls(self):
        """Login-only encryption: after LOGIN7 both sides go on in clear text."""
        if self.incoming.pending or self.tls.pending():
            raise Violation("bytes behind LOGIN7, where encryption ends")
        self.tls = None

    def close(self):
        self.writer.close()
