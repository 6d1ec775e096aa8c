"""Types and values on the wire (MS-TDS 2.2.5.4 to 2.2.5.6), both ways."""

import struct
import uuid
from decimal import Decimal

from . import moments, values
from .errors import error
from .moments import Moment
from .packets import V72, V73A, Violation, at_least
from .values import MAX, SqlType, Value

COLLATION = b"\x09\x04\xd0\x00\x34"  # SQL_Latin1_General_CP1_CI_AS
PLP_NULL, PLP_UNKNOWN = 2**64 - 1, 2**64 - 2
PLP_CHUNK = 1 << 16
LONG_MAX = 2**31 - 1
FIXED = {"bit": 0x32, "tinyint": 0x30, "smallint": 0x34, "int": 0x38, "bigint": 0x7F, "real": 0x3B,
         "float": 0x3E, "money": 0x3C, "smallmoney": 0x7A, "datetime": 0x3D, "smalldatetime": 0x3A}
SIZED = {"bit": (0x68, 1), "tinyint": (0x26, 1), "smallint": (0x26, 2), "int": (0x26, 4),
         "bigint": (0x26, 8), "real": (0x6D, 4), "float": (0x6D, 8), "money": (0x6E, 8),
         "smallmoney": (0x6E, 4), "datetime": (0x6F, 8), "smalldatetime": (0x6F, 4),
         "uniqueidentifier": (0x24, 16)}
LONG = {"char": 0xAF, "varchar": 0xA7, "nchar": 0xEF, "nvarchar": 0xE7, "binary": 0xAD,
        "varbinary": 0xA5}
LOBS = {"text": 0x23, "ntext": 0x63, "image": 0x22}
TIMES = {"time": 0x29, "datetime2": 0x2A, "datetimeoffset": 0x2B}
LOB_OF = {"varchar": "text", "nvarchar": "ntext", "varbinary": "image"}
BY_FIXED = {number: name for name, number in FIXED.items()}
BY_LONG = {number: name for name, number in LONG.items()}
BY_LOB = {number: name for name, number in LOBS.items()}
BY_TIME = {number: name for name, number in TIMES.items()}
BY_SIZED = {pair: name for name, pair in SIZED.items()}
OLD = {0x2F: "char", 0x27: "varchar", 0x2D: "binary", 0x25: "varbinary"}


def told(kind, version):
    """The type that a client of this version is shown."""
    if kind.name in values.DATES and kind.name not in FIXED and not at_least(version, V73A):
        return values.nvarchar(34)
    if kind.is_max and not at_least(version, V72):
        return SqlType(LOB_OF[kind.name])
    return kind


def decimal_bytes(precision):
    return 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17


def time_bytes(scale):
    return 3 if scale <= 2 else 4 if scale <= 4 else 5


# ---------------------------------------------------------------- writing


def type_info(kind, nullable=True):
    name = kind.name
    if name in FIXED and not nullable:
        return bytes([FIXED[name]])
    if name in SIZED:
        return bytes(SIZED[name])
    if name in values.EXACT:
        number = 0x6A if name == "decimal" else 0x6C
        return bytes([number, decimal_bytes(kind.precision), kind.precision, kind.scale])
    if name == "date":
        return b"\x28"
    if name in TIMES:
        return bytes([TIMES[name], kind.scale])
    if name in LONG:
        size = 0xFFFF if kind.is_max else kind.size * (2 if name in values.WIDE else 1)
        tail = COLLATION if name in values.TEXTS else b""
        return bytes([LONG[name]]) + struct.pack("<H", size) + tail
    if name in LOBS:
        tail = COLLATION if name != "image" else b""
        return bytes([LOBS[name]]) + struct.pack("<I", LONG_MAX) + tail
    return b"\x62" + struct.pack("<I", 8009)


def data_of(kind, data):
    """The bytes of a value that is not NULL, without its length."""
    name = kind.name
    if name == "bit":
        return bytes([data])
    if name in values.INTEGERS:
        return data.to_bytes(values.INTEGERS[name][2], "little", signed=name != "tinyint")
    if name in values.FLOATS:
        return struct.pack("<d" if name == "float" else "<f", data)
    if name in values.EXACT:
        number = int(data.scaleb(kind.scale, context=values.EXACTLY))
        size = decimal_bytes(kind.precision) - 1
        return bytes([number >= 0]) + abs(number).to_bytes(size, "little")
    if name in values.MONEY:
        return money_data(name, int(data.scaleb(4)))
    if name in values.WIDE:
        return data.encode("utf-16-le", "surrogatepass")
    if name in values.TEXTS:
        return data.encode("cp1252", "replace")
    if name in values.BINARIES:
        return data
    if name == "uniqueidentifier":
        return data.bytes_le
    return moment_data(kind, data)


def money_data(name, number):
    if name == "smallmoney":
        return struct.pack("<i", number)
    return struct.pack("<iI", number >> 32, number & 0xFFFFFFFF)


def moment_data(kind, data):
    if kind.name == "datetime":
        return struct.pack("<iI", *moments.to_datetime(data))
    if kind.name == "smalldatetime":
        minutes = data.ticks // moments.TICKS_PER_SECOND // 60
        return struct.pack("<HH", data.days - moments.DAY_1900, minutes)
    if kind.name == "date":
        return data.days.to_bytes(3, "little")
    if kind.name == "datetimeoffset":  # the time is UTC, the offset beside it
        whole = data.days * moments.TICKS_PER_DAY + data.ticks - data.offset * 600_000_000
        utc = Moment(*divmod(whole, moments.TICKS_PER_DAY))
        return clock_data(utc, kind.scale) + utc.days.to_bytes(3, "little") + struct.pack(
            "<h", data.offset)
    day = b"" if kind.name == "time" else data.days.to_bytes(3, "little")
    return clock_data(data, kind.scale) + day


def clock_data(moment, scale):
    return (moment.ticks // 10 ** (7 - scale)).to_bytes(time_bytes(scale), "little")


def plp_data(data):
    if data is None:
        return struct.pack("<Q", PLP_NULL)
    parts = [struct.pack("<Q", len(data))]
    for at in range(0, len(data), PLP_CHUNK):
        chunk = data[at:at + PLP_CHUNK]
        parts += [struct.pack("<I", len(chunk)), chunk]
    return b"".join(parts) + bytes(4)


def variant_data(value):
    """A sql_variant holds the type of what is in it."""
    if value is None or value.data is None:
        return bytes(4)
    kind = value.type
    kind = values.nvarchar(4000) if kind.is_max else kind
    name = kind.name
    if name in FIXED:
        head, properties = FIXED[name], b""
    elif name == "uniqueidentifier":
        head, properties = 0x24, b""
    elif name in values.EXACT:
        head, properties = 0x6C, bytes([kind.precision, kind.scale])
    elif name == "date":
        head, properties = 0x28, b""
    elif name in TIMES:
        head, properties = TIMES[name], bytes([kind.scale])
    else:
        size = struct.pack("<H", min(8000, max(1, kind.size) * (2 if name in values.WIDE else 1)))
        head, properties = LONG[name], (COLLATION if name in values.TEXTS else b"") + size
    data = data_of(kind, values.convert(value, kind).data)
    body = bytes([head, len(properties)]) + properties + data
    return struct.pack("<I", len(body)) + body


def value_data(kind, data, nullable=True):
    """A value as in a ROW, with its length."""
    name = kind.name
    if name == "sql_variant":
        return variant_data(data)
    if name in LONG and kind.is_max:
        return plp_data(None if data is None else data_of(kind, data))
    if name in LOBS:
        if data is None:
            return b"\0"
        raw = data_of(kind, data)
        return b"\x10" + bytes(16 + 8) + struct.pack("<I", len(raw)) + raw
    if data is None:
        return b"\xff\xff" if name in LONG else b"\0"
    raw = data_of(kind, data)
    if name in LONG:
        return struct.pack("<H", len(raw)) + raw
    return raw if name in FIXED and not nullable else bytes([len(raw)]) + raw


# ---------------------------------------------------------------- reading


class Reader:
    """Takes a request apart; what is missing is a violation."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, size):
        if size > len(self.data) - self.at:
            raise Violation("a request is cut short", 8009)
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size, signed=False):
        return int.from_bytes(self.take(size), "little", signed=signed)

    def text(self, count_size=1):
        try:
            return self.take(2 * self.number(count_size)).decode("utf-16-le")
        except UnicodeDecodeError:
            raise Violation("a name is not UTF-16", 8009) from None

    def more(self):
        return self.at < len(self.data)


class WireType:
    """What TYPE_INFO says; `kind` may be wider than the value that follows."""

    def __init__(self, number, kind, size):
        self.number, self.kind, self.size = number, kind, size


def read_type(reader):
    number = reader.number(1)
    if number in BY_FIXED:
        name = BY_FIXED[number]
        return WireType(number, SqlType(name), SIZED[name][1])
    if number == 0x1F:
        return WireType(number, values.INT, 0)
    if number in (0x26, 0x68, 0x6D, 0x6E, 0x6F, 0x24):
        size = reader.number(1)
        name = BY_SIZED.get((number, size))
        if name is None:
            raise Violation(f"type {number:#x} with {size} bytes", 8009)
        return WireType(number, SqlType(name), size)
    if number in (0x6A, 0x6C, 0x37, 0x3F):
        size, precision, scale = reader.take(3)
        if not 1 <= precision <= 38 or scale > precision or size > 17:
            raise Violation(f"decimal({precision},{scale}) of {size} bytes", 8009)
        name = "decimal" if number in (0x6A, 0x37) else "numeric"
        return WireType(number, SqlType(name, 0, precision, scale), size)
    if number == 0x28:
        return WireType(number, values.DATE, 3)
    if number in BY_TIME:
        scale = reader.number(1)
        if scale > 7:
            raise Violation(f"scale {scale}", 8009)
        return WireType(number, SqlType(BY_TIME[number], 0, 0, scale), 10)
    return read_long_type(reader, number)


def read_long_type(reader, number):
    if number in BY_LONG:
        name, size = BY_LONG[number], reader.number(2)
        if name in values.TEXTS:
            reader.take(5)
        if size > 8000 and size != 0xFFFF:
            raise Violation(f"{name} of {size} bytes", 8009)
        length = MAX if size == 0xFFFF else size // 2 if name in values.WIDE else size
        return WireType(number, SqlType(name, length if length else 1), size)
    if number in OLD:
        size = reader.number(1)
        return WireType(number, SqlType(OLD[number], max(1, size)), size)
    if number in BY_LOB:
        size, name = reader.number(4), BY_LOB[number]
        if name != "image":
            reader.take(5)
        return WireType(number, SqlType(name), size)
    if number == 0x62:
        return WireType(number, values.VARIANT, reader.number(4))
    if number in (0xF0, 0xF1, 0xF3, 0xF4):
        raise error(40000, f"values of type {number:#x}")
    raise Violation(f"type {number:#x}", 8009)


def read_plp(reader):
    total = reader.number(8)
    if total == PLP_NULL:
        return None
    parts = []
    while size := reader.number(4):
        parts.append(reader.take(size))
    data = b"".join(parts)
    if total not in (PLP_UNKNOWN, len(data)):
        raise Violation(f"a value of {total} bytes has {len(data)}", 8009)
    return data


def read_value(reader, wire, in_row=False):
    """A Value. Of text and image a row has a pointer first, a parameter has not."""
    number = wire.number
    if number in BY_LONG:
        if wire.size == 0xFFFF:
            return from_data(wire.kind, read_plp(reader))
        size = reader.number(2)
        if size != 0xFFFF and size > wire.size:
            raise Violation(f"{size} bytes for {wire.kind}({wire.size})", 8009)
        return from_data(wire.kind, None if size == 0xFFFF else reader.take(size))
    if number in BY_LOB:
        return read_lob(reader, wire, in_row)
    if number in BY_FIXED or number == 0x1F:
        return from_data(wire.kind, reader.take(wire.size) if wire.size else None)
    if number == 0x62:
        return read_variant(reader)
    size = reader.number(1)
    if number in OLD:
        return from_data(wire.kind, reader.take(size) if size else None)
    if size > wire.size or (number in (0x26, 0x6D, 0x6E, 0x6F, 0x24, 0x68, 0x28)
                            and size not in (0, wire.size)):
        raise Violation(f"{size} bytes for {wire.kind}", 8009)
    return from_data(wire.kind, reader.take(size) if size else None)


def read_lob(reader, wire, in_row):
    if in_row:
        pointer = reader.number(1)
        if pointer == 0:
            return Value(wire.kind, None)
        reader.take(pointer + 8)
    size = reader.number(4)
    return from_data(wire.kind, None if size == 0xFFFFFFFF else reader.take(size))


def read_variant(reader):
    size = reader.number(4)
    if size == 0:
        return Value(values.VARIANT, None)
    body = Reader(reader.take(size))
    number, properties = body.number(1), body.number(1)
    held = body.take(properties)
    if number in BY_FIXED:
        kind = SqlType(BY_FIXED[number])
    elif number in BY_LONG:
        kind = SqlType(BY_LONG[number], MAX)
    elif number in (0x6A, 0x6C):
        kind = values.decimal(held[0], held[1])
    elif number in BY_TIME:
        kind = SqlType(BY_TIME[number], 0, 0, held[0])
    else:
        kind = {0x24: values.GUID, 0x28: values.DATE}.get(number)
    if kind is None:
        raise Violation(f"sql_variant of type {number:#x}", 8009)
    return Value(values.VARIANT, from_data(kind, body.take(len(body.data) - body.at)))


def from_data(kind, raw):
    if raw is None:
        return Value(kind, None)
    return Value(kind, decode(kind, raw))


def decode(kind, raw):
    name = kind.name
    if name == "bit":
        return int(raw[0] != 0)
    if name in values.INTEGERS:
        return int.from_bytes(raw, "little", signed=name != "tinyint")
    if name in values.FLOATS:
        return struct.unpack("<d" if len(raw) == 8 else "<f", raw)[0]
    if name in values.EXACT:
        number = int.from_bytes(raw[1:], "little")
        return Decimal(number if raw[0] else -number).scaleb(-kind.scale, context=values.EXACTLY)
    if name in values.MONEY:
        whole = struct.unpack("<iI", raw) if len(raw) == 8 else None
        number = (whole[0] << 32) + whole[1] if whole else struct.unpack("<i", raw)[0]
        return Decimal(number).scaleb(-4)
    if name in values.WIDE:
        if len(raw) % 2:
            raise Violation("UTF-16 of an odd number of bytes", 8009)
        return raw.decode("utf-16-le", "surrogatepass")
    if name in values.TEXTS:
        return raw.decode("cp1252", "replace")
    if name in values.BINARIES:
        return bytes(raw)
    if name == "uniqueidentifier":
        return uuid.UUID(bytes_le=bytes(raw))
    return decode_moment(kind, raw)


def decode_moment(kind, raw):
    if kind.name == "datetime":
        return moments.from_datetime(*struct.unpack("<iI", raw))
    if kind.name == "smalldatetime":
        days, minutes = struct.unpack("<HH", raw)
        return Moment(days + moments.DAY_1900, minutes * 60 * moments.TICKS_PER_SECOND)
    if kind.name == "date":
        return Moment(int.from_bytes(raw, "little"))
    size = time_bytes(kind.scale)
    expected = size + {"time": 0, "datetime2": 3, "datetimeoffset": 5}[kind.name]
    if len(raw) != expected:
        raise Violation(f"{len(raw)} bytes for {kind}({kind.scale})", 8009)
    ticks = int.from_bytes(raw[:size], "little") * 10 ** (7 - kind.scale)
    if kind.name == "time":
        return Moment(moments.DAY_1900, ticks)
    days = int.from_bytes(raw[size:size + 3], "little")
    if kind.name == "datetime2":
        return Moment(days, ticks)
    offset = struct.unpack("<h", raw[size + 3:])[0]
    whole = days * moments.TICKS_PER_DAY + ticks + offset * 600_000_000
    return Moment(*divmod(whole, moments.TICKS_PER_DAY), offset)
