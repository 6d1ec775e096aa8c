"""The PostgreSQL v3 protocol as bytes: builders for every message of a client or a server,
and `Message`, one received message with readable views on its body."""

import struct
from typing import NamedTuple

PROTOCOL_3_2 = 3 << 16 | 2
PROTOCOL_3_0 = 196608
CANCEL_CODE = 80877102
SSL_CODE = 80877103
GSSENC_CODE = 80877104


def message(kind, body=b""):
    return kind.encode() + struct.pack("!I", len(body) + 4) + body


def text(value):
    return (value if isinstance(value, bytes) else value.encode()) + b"\0"


def untyped(code, body=b""):
    """A message without a type byte: startup, cancel, SSL and GSS requests."""
    return struct.pack("!II", len(body) + 8, code) + body


# --- client messages ------------------------------------------------------------------------


def startup(parameters, version=PROTOCOL_3_0):
    body = b"".join(text(key) + text(value) for key, value in parameters.items())
    return untyped(version, body + b"\0")


def ssl_request():
    return untyped(SSL_CODE)


def gssenc_request():
    return untyped(GSSENC_CODE)


def cancel_request(pid, secret):
    return untyped(CANCEL_CODE, struct.pack("!I", pid) + secret)


def query(sql):
    return message("Q", text(sql))


def parse(sql, name="", types=()):
    oids = struct.pack("!H", len(types)) + b"".join(struct.pack("!I", oid) for oid in types)
    return message("P", text(name) + text(sql) + oids)


def _value(value):
    if value is None:
        return struct.pack("!i", -1)
    raw = value if isinstance(value, bytes) else str(value).encode()
    return struct.pack("!i", len(raw)) + raw


def bind(statement="", portal="", values=(), formats=(), results=()):
    body = text(portal) + text(statement)
    body += struct.pack("!H", len(formats)) + b"".join(struct.pack("!H", f) for f in formats)
    body += struct.pack("!H", len(values)) + b"".join(_value(value) for value in values)
    body += struct.pack("!H", len(results)) + b"".join(struct.pack("!H", f) for f in results)
    return message("B", body)


def describe_statement(name=""):
    return message("D", b"S" + text(name))


def describe_portal(name=""):
    return message("D", b"P" + text(name))


def execute(portal="", rows=0):
    return message("E", text(portal) + struct.pack("!I", rows))


def close_statement(name):
    return message("C", b"S" + text(name))


def close_portal(name):
    return message("C", b"P" + text(name))


def sync():
    return message("S")


def flush():
    return message("H")


def terminate():
    return message("X")


def copy_data(data):
    return message("d", data)


def copy_done():
    return message("c")


def copy_fail(reason="given up"):
    return message("f", text(reason))


def password(secret):
    return message("p", text(secret))


def function_call(oid, values, results=0):
    body = struct.pack("!IHHH", oid, 1, 0, len(values))
    body += b"".join(_value(value) for value in values)
    return message("F", body + struct.pack("!H", results))


def batch(sql, values=(), name="", portal="", rows=0):
    """Parse, Bind and Execute of one statement, without the Sync."""
    return parse(sql, name) + bind(name, portal, values) + execute(portal, rows)


# --- server messages ------------------------------------------------------------------------


def authentication_ok():
    return message("R", struct.pack("!I", 0))


def parameter_status(name, value):
    return message("S", text(name) + text(value))


def backend_key(pid, secret):
    return message("K", struct.pack("!I", pid) + secret)


def ready(status="I"):
    return message("Z", status.encode())


def command_complete(tag):
    return message("C", text(tag))


def _fields(values):
    return b"".join(key.encode() + text(value) for key, value in values.items()) + b"\0"


def error(sqlstate, reason, severity="ERROR"):
    return message("E", _fields({"S": severity, "V": severity, "C": sqlstate, "M": reason}))


def notice(reason, sqlstate="00000"):
    return message("N", _fields({"S": "NOTICE", "V": "NOTICE", "C": sqlstate, "M": reason}))


def notification(pid, channel, payload=""):
    return message("A", struct.pack("!I", pid) + text(channel) + text(payload))


def row_description(*names):
    column = struct.pack("!IHIHIH", 0, 0, 25, 0xFFFF, 0xFFFFFFFF, 0)
    return message("T", struct.pack("!H", len(names)) + b"".join(text(n) + column for n in names))


def data_row(*values):
    return message("D", struct.pack("!H", len(values)) + b"".join(_value(v) for v in values))


def result(value, tag="SELECT 1"):
    """A one-column, one-row answer without its ReadyForQuery."""
    return row_description("value") + data_row(value) + command_complete(tag)


# --- received messages ----------------------------------------------------------------------


class Message(NamedTuple):
    type: str
    body: bytes

    @property
    def fields(self):
        """The fields of an ErrorResponse or a NoticeResponse by their one-letter codes."""
        parts = self.body.rstrip(b"\0").split(b"\0")
        return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in parts if part}

    @property
    def sqlstate(self):
        return self.fields.get("C")

    @property
    def reason(self):
        return self.fields.get("M", "")

    @property
    def tag(self):
        return self.body[:-1].decode()

    @property
    def status(self):
        return self.body.decode()

    @property
    def row(self):
        """The values of a DataRow as text, None for NULL."""
        count, at, values = struct.unpack_from("!H", self.body)[0], 2, []
        for _ in range(count):
            size = struct.unpack_from("!i", self.body, at)[0]
            at += 4
            values.append(None if size < 0 else self.body[at:at + size].decode("utf-8", "replace"))
            at += max(size, 0)
        return values

    @property
    def parameter(self):
        name, value = self.body.split(b"\0")[:2]
        return name.decode(), value.decode()

    def __repr__(self):
        if self.type in "EN" and self.body:
            return f"{self.type}[{self.sqlstate} {self.reason}]"
        shown = self.body if len(self.body) <= 60 else self.body[:57] + b"..."
        return f"{self.type}{shown!r}" if self.body else self.type


def types(messages):
    """The conversation as a word: `1 2 D C Z` is '12DCZ'."""
    return "".join(m.type for m in messages)


def rows(messages):
    return [m.row for m in messages if m.type == "D"]


def tags(messages):
    return [m.tag for m in messages if m.type == "C"]


def errors(messages):
    return [m.sqlstate for m in messages if m.type == "E"]


def statuses(messages):
    return [m.status for m in messages if m.type == "Z"]
