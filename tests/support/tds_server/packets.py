"""Packet headers (MS-TDS 2.2.3.1) and what may be in them."""

import struct

BATCH, RPC, REPLY, ATTENTION, BULK, TRANSACTION, LOGIN7, PRELOGIN = 1, 3, 4, 6, 7, 14, 16, 18
EOM, IGNORE, RESET, RESET_SKIP_TRANSACTION = 0x01, 0x02, 0x08, 0x10
KNOWN_STATUS = EOM | IGNORE | RESET | RESET_SKIP_TRANSACTION
REQUESTS = (BATCH, RPC, TRANSACTION)  # what the reset bits may be on
HEADER = struct.Struct(">BBHHBB")
SIZE_MIN, SIZE_DEFAULT, SIZE_MAX = 512, 4096, 32767
MESSAGE_MAX = 1 << 30

V70, V71, V72, V73A, V73B, V74, V80 = (0x70000000, 0x71000001, 0x72090002, 0x730A0003, 0x730B0003,
                                       0x74000004, 0x08000000)


def at_least(version, other):
    """Compares TDS versions; 8.0 is the newest although its number is the smallest."""
    rank = [V70, V71, V72, V73A, V73B, V74, V80]
    return rank.index(version) >= rank.index(other)


class Violation(Exception):
    """The peer sent what SQL Server would not accept. `number` is the error that it would say."""

    def __init__(self, text, number=None):
        super().__init__(text)
        self.number = number


class Gone(Exception):
    """The peer closed the connection between two messages."""


class Header:
    def __init__(self, data):
        self.kind, self.status, self.size, self.spid, self.number, self.window = HEADER.unpack(data)

    @property
    def last(self):
        return bool(self.status & EOM)


def pack(kind, status, payload, spid=0, number=0):
    return HEADER.pack(kind, status, HEADER.size + len(payload), spid, number, 0) + payload


class Assembly:
    """Joins packets to one message, checking each header on the way."""

    def __init__(self, packet_size, exact):
        self.packet_size = packet_size  # what was negotiated
        self.exact = exact  # from 7.3 on all packets but the last are full
        self.kind = None
        self.first_status = self.status = 0
        self.payload = bytearray()

    def check(self, header):
        """Everything that can be said before the body has been read."""
        if not HEADER.size <= header.size <= self.packet_size:
            raise Violation(f"packet of {header.size} bytes, negotiated are {self.packet_size}")
        if header.status & ~KNOWN_STATUS:
            raise Violation(f"unknown status bits {header.status:#x}")
        if header.status & IGNORE and not header.last:
            raise Violation("IGNORE without EOM")
        if self.kind is not None and header.kind != self.kind:
            raise Violation(f"packet of type {header.kind} inside a message of type {self.kind}")
        if self.exact and not header.last and header.size != self.packet_size:
            raise Violation(f"a packet of {header.size} bytes is not the last one, but negotiated "
                            f"are {self.packet_size}")
        if self.kind is None:
            self._check_first(header)

    @staticmethod
    def _check_first(header):
        resets = header.status & (RESET | RESET_SKIP_TRANSACTION)
        if resets == RESET | RESET_SKIP_TRANSACTION:
            raise Violation("both reset bits at once")
        if resets and header.kind not in REQUESTS:
            raise Violation(f"a reset bit on a message of type {header.kind}")
        if header.kind == ATTENTION and (header.size != HEADER.size or not header.last):
            raise Violation("an attention with data, or without EOM")

    def add(self, header, body):
        """True when the message is whole. Reset bits count on the first packet only."""
        if self.kind is None:
            self.kind, self.first_status = header.kind, header.status
        self.payload += body
        self.status = header.status
        if len(self.payload) > MESSAGE_MAX:
            raise Violation("a message without end")
        return header.last


class Message:
    def __init__(self, assembly):
        self.kind, self.payload = assembly.kind, bytes(assembly.payload)
        self.reset = assembly.first_status & (RESET | RESET_SKIP_TRANSACTION)
        self.ignored = bool(assembly.status & IGNORE)
