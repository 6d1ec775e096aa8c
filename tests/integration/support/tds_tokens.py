"""Replies of a TDS server taken apart, for tests: packets to messages, messages to tokens. Written
apart from every encoder, so that a mistake in one is not repeated here."""

import struct
from dataclasses import dataclass, field

EOM = 0x01
NAMES = {0x81: "COLMETADATA", 0xD1: "ROW", 0xD2: "NBCROW", 0x79: "RETURNSTATUS",
         0xAC: "RETURNVALUE", 0xFD: "DONE", 0xFE: "DONEPROC", 0xFF: "DONEINPROC",
         0xE3: "ENVCHANGE", 0xAA: "ERROR", 0xAB: "INFO", 0xAD: "LOGINACK", 0xA9: "ORDER",
         0xA4: "TABNAME", 0xA5: "COLINFO", 0xAE: "FEATUREEXTACK", 0xED: "SSPI"}
FIXED = {0x1F: 0, 0x30: 1, 0x32: 1, 0x34: 2, 0x38: 4, 0x3A: 4, 0x3B: 4, 0x3C: 8, 0x3D: 8, 0x3E: 8,
         0x7A: 4, 0x7F: 8}
ONE_BYTE = {0x24, 0x26, 0x68, 0x6D, 0x6E, 0x6F}
SCALED = {0x6A, 0x6C}  # precision and scale
TIMES = {0x29, 0x2A, 0x2B}  # scale alone
TEXTS = {0xA7, 0xAF, 0xE7, 0xEF}  # with a collation
BINARIES = {0xA5, 0xAD}
LOBS = {0x22, 0x23, 0x63}


@dataclass
class Token:
    kind: str
    fields: dict = field(default_factory=dict)

    def __getattr__(self, name):
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(name) from None


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        assert self.at + size <= len(self.data), "a token is cut short"
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size, signed=False):
        return int.from_bytes(self.take(size), "little", signed=signed)

    def text(self, size_of_length=1):
        return self.take(2 * self.number(size_of_length)).decode("utf-16-le")

    def more(self):
        return self.at < len(self.data)


def messages(data):
    """[(type, first packet's status, payload)] of a byte stream; it must end with a message."""
    found, payload, first, at = [], b"", None, 0
    while at < len(data):
        kind, status, size = struct.unpack_from(">BBH", data, at)
        assert size >= 8 and at + size <= len(data), f"packet of {size} bytes at {at}"
        first = status if first is None else first
        payload += data[at + 8:at + size]
        at += size
        if status & EOM:
            found.append((kind, first, payload))
            payload, first = b"", None
    assert first is None, "a message has no end"
    return found


@dataclass
class Column:
    name: str
    kind: int
    size: int
    nullable: bool
    scale: int = 0


def read_type(reader):
    """(type id, length, scale)."""
    kind = reader.number(1)
    if kind in FIXED:
        return kind, FIXED[kind], 0
    if kind in ONE_BYTE:
        return kind, reader.number(1), 0
    if kind in SCALED:
        size = reader.number(1)
        return kind, size, reader.take(2)[1]
    if kind == 0x28:
        return kind, 3, 0
    if kind in TIMES:
        return kind, 8, reader.number(1)
    if kind in BINARIES:
        return kind, reader.number(2), 0
    if kind in TEXTS:
        size = reader.number(2)
        reader.take(5)
        return kind, size, 0
    if kind in LOBS:
        size = reader.number(4)
        if kind != 0x22:
            reader.take(5)
        return kind, size, 0
    assert kind == 0x62, f"type {kind:#x}"
    return kind, reader.number(4), 0


def read_plp(reader):
    total = reader.number(8)
    if total == 0xFFFFFFFFFFFFFFFF:
        return None
    parts = []
    while size := reader.number(4):
        parts.append(reader.take(size))
    data = b"".join(parts)
    assert total in (len(data), 0xFFFFFFFFFFFFFFFE), "a chunked value of another length than said"
    return data


def read_raw(reader, kind, size):
    """The bytes of a value, or None."""
    if kind in FIXED:
        return reader.take(FIXED[kind])
    if kind in TEXTS | BINARIES:
        if size == 0xFFFF:
            return read_plp(reader)
        length = reader.number(2)
        return None if length == 0xFFFF else reader.take(length)
    if kind in LOBS:
        pointer = reader.number(1)
        if pointer == 0:
            return None
        reader.take(pointer + 8)
        return reader.take(reader.number(4))
    length = reader.number(4 if kind == 0x62 else 1)
    return reader.take(length) if length else None


def python_value(kind, raw):
    """What tests compare: numbers and texts; bytes of everything else."""
    if raw is None:
        return None
    if kind in (0x26, 0x30, 0x34, 0x38, 0x7F):
        return int.from_bytes(raw, "little", signed=len(raw) > 1)
    if kind in (0x32, 0x68):
        return bool(raw[0])
    if kind in (0x3B, 0x3E, 0x6D):
        return struct.unpack("<f" if len(raw) == 4 else "<d", raw)[0]
    if kind in (0xE7, 0xEF, 0x63):
        return raw.decode("utf-16-le")
    if kind in (0xA7, 0xAF, 0x23):
        return raw.decode("cp1252")
    return raw


def read_value(reader, column):
    return python_value(column.kind, read_raw(reader, column.kind, column.size))


class Tokens:
    """Walks a message. `version` is 0x71 to 0x74, as in LOGIN7's highest byte but in hex."""

    def __init__(self, payload, version=0x74):
        self.reader, self.version, self.columns = Reader(payload), version, []

    def __iter__(self):
        while self.reader.more():
            number = self.reader.number(1)
            name = NAMES.get(number)
            assert name, f"token {number:#x} at {self.reader.at - 1}"
            yield Token(name, getattr(self, f"_{name.lower()}")())

    def _column(self):
        reader = self.reader
        reader.take(4 if self.version >= 0x72 else 2)
        flags = reader.number(2)
        kind, size, scale = read_type(reader)
        if kind in LOBS:
            for _ in range(reader.number(1) if self.version >= 0x72 else 1):
                reader.text(2)
        return Column(reader.text(), kind, size, bool(flags & 1), scale)

    def _colmetadata(self):
        count = self.reader.number(2)
        if count != 0xFFFF:
            self.columns = [self._column() for _ in range(count)]
        return {"columns": self.columns}

    def _row(self):
        return {"row": [read_value(self.reader, one) for one in self.columns]}

    def _nbcrow(self):
        nulls = self.reader.take((len(self.columns) + 7) // 8)
        return {"row": [None if nulls[n // 8] >> n % 8 & 1 else read_value(self.reader, one)
                        for n, one in enumerate(self.columns)]}

    def _returnstatus(self):
        return {"value": self.reader.number(4, signed=True)}

    def _returnvalue(self):
        reader = self.reader
        ordinal, name, status = reader.number(2), reader.text(), reader.number(1)
        reader.take(6 if self.version >= 0x72 else 4)
        kind, size, _ = read_type(reader)
        return {"name": name, "ordinal": ordinal, "status": status,
                "value": python_value(kind, read_raw(reader, kind, size))}

    def _done(self):
        status, command = self.reader.number(2), self.reader.number(2)
        return {"status": status, "command": command,
                "count": self.reader.number(8 if self.version >= 0x72 else 4)}

    _doneproc = _doneinproc = _done

    def _envchange(self):
        body = Reader(self.reader.take(self.reader.number(2)))
        change = body.number(1)
        found = {"change": change, "body": body.data[1:]}
        if change in (1, 2, 3, 4, 13, 19):
            found["new"], found["old"] = body.text(), body.text()
        elif change != 20:
            found["new"], found["old"] = body.take(body.number(1)), body.take(body.number(1))
        assert change == 20 or not body.more(), f"ENVCHANGE {change} is too long"
        return found

    def _error(self):
        body = Reader(self.reader.take(self.reader.number(2)))
        number, state, severity = body.number(4), body.number(1), body.number(1)
        found = {"number": number, "state": state, "severity": severity, "text": body.text(2),
                 "server": body.text(), "procedure": body.text(),
                 "line": body.number(4 if self.version >= 0x72 else 2)}
        assert not body.more(), "a message token is too long"
        return found

    _info = _error

    def _loginack(self):
        body = Reader(self.reader.take(self.reader.number(2)))
        body.take(1)
        return {"version": int.from_bytes(body.take(4), "big"), "program": body.text(),
                "release": body.take(4)}

    def _order(self):
        return {"data": self.reader.take(self.reader.number(2))}

    _tabname = _colinfo = _sspi = _order

    def _featureextack(self):
        found = {}
        while (feature := self.reader.number(1)) != 0xFF:
            found[feature] = self.reader.take(self.reader.number(4))
        return {"features": found}


def tokens(payload, version=0x74):
    return list(Tokens(payload, version))


def rows(found):
    return [one.row for one in found if one.kind in ("ROW", "NBCROW")]


def shape(found):
    """Kinds, and what DONE says; runs of rows as one. This is what recordings are compared by."""
    shown = []
    for one in found:
        word = one.kind
        if word.startswith("DONE"):
            word += f" {one.status:#x}"
        elif word == "ENVCHANGE":
            word += f" {one.change}"
        elif word == "ERROR":
            word += f" {one.number}"
        elif word == "ROW" or word == "NBCROW":
            if shown and shown[-1] == word:
                continue
        shown.append(word)
    return shown
