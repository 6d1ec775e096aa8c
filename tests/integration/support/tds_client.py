"""A TDS client that does exactly as told, wrong things included. It knows nothing of what it sends
but its framing; what comes back is taken apart by tds_tokens."""

import socket
import ssl
import struct

from . import tds_tokens

BATCH, RPC, ATTENTION, BULK, TRANSACTION, LOGIN7, PRELOGIN = 1, 3, 6, 7, 14, 16, 18
EOM, IGNORE, RESET, SKIP = 1, 2, 8, 0x10
V71, V72, V73B, V74, V80 = 0x71000001, 0x72090002, 0x730B0003, 0x74000004, 0x08000000
OFF, ON, NOT_SUPPORTED, REQUIRED = range(4)
TEXTS = ("host", "user", "password", "app", "server", "extension", "library", "language",
         "database")


class Closed(Exception):
    """The server has closed the connection."""


def packets(kind, payload, size=4096, status=0):
    """A message as packets. `status` goes on the first one."""
    room, found = size - 8, bytearray()
    pieces = [payload[at:at + room] for at in range(0, len(payload), room)] or [b""]
    for number, piece in enumerate(pieces, 1):
        bits = (status if number == 1 else 0) | (EOM if number == len(pieces) else 0)
        found += struct.pack(">BBHHBB", kind, bits, len(piece) + 8, 0, number % 256, 0) + piece
    return bytes(found)


def prelogin(encryption=NOT_SUPPORTED, mars=0, version=b"\x10\0\0\0\0\0"):
    options = [(0, version), (1, bytes([encryption])), (2, b"\0"), (3, bytes(4)),
               (4, bytes([mars]))]
    at, table, data = 5 * len(options) + 1, b"", b""
    for token, value in options:
        table += struct.pack(">BHH", token, at + len(data), len(value))
        data += value
    return table + b"\xff" + data


def scrambled(password):
    raw = password.encode("utf-16-le")
    return bytes((byte << 4 & 0xF0 | byte >> 4) ^ 0xA5 for byte in raw)


def login7(version=V74, packet_size=4096, flags2=0x03, features=None, type_flags=0, **texts):
    """LOGIN7; `features` is {id: bytes}."""
    texts = {"host": "here", "app": "scripted", "library": "scripted", **texts}
    head_size = 94 if version != V71 else 86
    table, data = b"", b""
    for name in TEXTS:
        value = texts.get(name, "")
        raw = scrambled(value) if name == "password" else value.encode("utf-16-le")
        count = len(value)
        if name == "extension":
            raw, count = (bytes(4), 4) if features is not None else (b"", 0)
            extension_at = head_size + len(data)
        table += struct.pack("<HH", head_size + len(data), count)
        data += raw
    rest = bytes(6) + struct.pack("<HHHH", *[head_size + len(data), 0] * 2)
    rest += struct.pack("<HHI", head_size + len(data), 0, 0) if head_size == 94 else b""
    body = table + rest
    if features is not None:
        block = b"".join(struct.pack("<BI", one, len(value)) + value
                         for one, value in features.items()) + b"\xff"
        start = head_size + len(data)
        data = (data[:extension_at - head_size] + struct.pack("<I", start)
                + data[extension_at - head_size + 4:] + block)
    flags3 = 0x10 if features is not None else 0
    size = 36 + len(body) + len(data)
    fixed = struct.pack("<IIIIIIBBBBiI", size, version, packet_size, 7, 4711, 0, 0xE0, flags2,
                        type_flags, flags3, 0, 0x409)
    return fixed + body + data


def headers(descriptor=0):
    return struct.pack("<IIHQI", 22, 18, 2, descriptor, 1)


def nvarchar(text, size=8000):
    raw = text.encode("utf-16-le")
    return b"\xe7" + struct.pack("<H", size) + b"\x09\x04\xd0\0\x34" + struct.pack(
        "<H", len(raw)) + raw


def long_nvarchar(text, chunk=4000):
    """nvarchar(max) in chunks."""
    raw = text.encode("utf-16-le")
    parts = [raw[at:at + chunk] for at in range(0, len(raw), chunk)]
    body = b"".join(struct.pack("<I", len(one)) + one for one in parts) + bytes(4)
    return b"\xe7\xff\xff\x09\x04\xd0\0\x34" + struct.pack("<Q", len(raw)) + body


def integer(number):
    if number is None:
        return b"\x26\x04\x00"
    return b"\x26\x04\x04" + struct.pack("<i", number)


def parameter(value, name="", status=0):
    """`value` is TYPE_INFO and data."""
    return bytes([len(name)]) + name.encode("utf-16-le") + bytes([status]) + value


def call(procedure, *parameters, options=0):
    """An RPC by number or by name."""
    if isinstance(procedure, int):
        head = struct.pack("<HH", 0xFFFF, procedure)
    else:
        head = struct.pack("<H", len(procedure)) + procedure.encode("utf-16-le")
    return head + struct.pack("<H", options) + b"".join(parameters)


class TdsClient:
    def __init__(self, port, host="127.0.0.1", timeout=20):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.version, self.size = bytearray(), V74, 4096
        self.descriptor = 0
        self.tls = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # --- bytes ------------------------------------------------------------------------------

    def write(self, data):
        if self.tls:
            self.tls.write(data)
            data = self.outgoing.read()
        self.socket.sendall(data)

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            raise Closed
        return data

    def _more(self):
        if not self.tls:
            self.buffer += self._receive()
            return
        while True:
            try:
                data = self.tls.read(65536)
                if not data:  # TLS has ended
                    raise Closed
                self.buffer += data
                return
            except ssl.SSLWantReadError:
                self.incoming.write(self._receive())
            except ssl.SSLError:
                raise Closed from None

    def take(self, size):
        while len(self.buffer) < size:
            self._more()
        found = bytes(self.buffer[:size])
        del self.buffer[:size]
        return found

    def message(self):
        """(type, payload) of the next message."""
        payload = bytearray()
        while True:
            kind, status, size = struct.unpack(">BBH", self.take(8)[:4])
            payload += self.take(size - 8)
            if status & EOM:
                return kind, bytes(payload)

    def is_closed(self):
        """The server closes without a further word."""
        try:
            self._more()
        except Closed:
            return True
        return False

    # --- TLS --------------------------------------------------------------------------------

    def start_tls(self, inside_packets=True, alpn=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols([alpn])
        if inside_packets:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self.incoming, self.outgoing)
        while True:
            try:
                tls.do_handshake()
                self._handshake_bytes(inside_packets)
                break
            except ssl.SSLWantReadError:
                self._handshake_bytes(inside_packets)
                self.incoming.write(self.message()[1] if inside_packets else self._receive())
        self.tls = tls

    def _handshake_bytes(self, inside_packets):
        data = self.outgoing.read()
        if data:
            self.socket.sendall(packets(PRELOGIN, data) if inside_packets else data)

    def end_tls(self):
        self.tls = None

    # --- conversations ----------------------------------------------------------------------

    def prelogin(self, encryption=NOT_SUPPORTED, **options):
        """What the server says about encryption."""
        self.write(packets(PRELOGIN, prelogin(encryption, **options)))
        kind, body = self.message()
        assert kind == 4
        at = 0
        while body[at] != 1:
            at += 5
        return body[struct.unpack_from(">H", body, at + 1)[0]]

    def login(self, user="app", password="secret", encryption=NOT_SUPPORTED, **options):
        """The tokens of the reply to LOGIN7, after PRELOGIN and what it leads to."""
        self.version = options.get("version", V74)
        said = self.prelogin(encryption)
        if said != NOT_SUPPORTED:
            self.start_tls()
        self.write(packets(LOGIN7, login7(user=user, password=password, **options)))
        if said == OFF:
            self.end_tls()
        return self._welcomed()

    def login_strict(self, user="app", password="secret", **options):
        self.version = V80
        self.start_tls(inside_packets=False, alpn="tds/8.0")
        self.prelogin(NOT_SUPPORTED)
        self.write(packets(LOGIN7, login7(version=V80, user=user, password=password, **options)))
        return self._welcomed()

    def _welcomed(self):
        found = self.reply()
        for one in found:
            if one.kind == "ENVCHANGE" and one.change == 4:
                self.size = int(one.new)
        return found

    def reply(self):
        kind, payload = self.message()
        assert kind == 4, f"a reply of type {kind}"
        short = 0x74 if self.version == V80 else self.version >> 24
        found = tds_tokens.tokens(payload, short)
        for one in found:
            if one.kind != "ENVCHANGE":
                continue
            if one.change == 8:
                self.descriptor = int.from_bytes(one.new, "little")
            elif one.change in (9, 10, 18):
                self.descriptor = 0
        return found

    def send(self, kind, payload, status=0):
        if self.version != V71:
            payload = headers(self.descriptor) + payload
        self.write(packets(kind, payload, self.size, status))

    def batch(self, sql, status=0):
        self.send(BATCH, sql.encode("utf-16-le"), status)
        return self.reply()

    def rpc(self, procedure, *parameters, status=0, options=0):
        self.send(RPC, call(procedure, *parameters, options=options), status)
        return self.reply()

    def manager(self, request, status=0):
        self.send(TRANSACTION, request, status)
        return self.reply()

    def attention(self):
        self.write(packets(ATTENTION, b""))

    def rows(self, sql):
        return tds_tokens.rows(self.batch(sql))

    def value(self, sql):
        found = self.batch(sql)
        shown = tds_tokens.rows(found)
        assert len(shown) == 1 and len(shown[0]) == 1, tds_tokens.shape(found)
        return shown[0][0]


def errors(found):
    return [one.number for one in found if one.kind == "ERROR"]
