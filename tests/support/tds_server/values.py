"""SQL types and values, and how one becomes another."""

import uuid
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from . import moments
from .errors import error
from .moments import Moment

MAX = -1  # the size of varchar(max)
INTEGERS = {"tinyint": (0, 255, 1), "smallint": (-2**15, 2**15 - 1, 2),
            "int": (-2**31, 2**31 - 1, 4), "bigint": (-2**63, 2**63 - 1, 8)}
FLOATS = ("real", "float")
EXACT = ("decimal", "numeric")
MONEY = ("money", "smallmoney")
TEXTS = ("char", "varchar", "nchar", "nvarchar", "text", "ntext")
WIDE = ("nchar", "nvarchar", "ntext")
BINARIES = ("binary", "varbinary", "image")
DATES = ("date", "time", "datetime", "smalldatetime", "datetime2", "datetimeoffset")
RANK = ["binary", "varbinary", "image", "char", "varchar", "text", "nchar", "nvarchar", "ntext",
        "uniqueidentifier", "bit", "tinyint", "smallint", "int", "bigint", "smallmoney", "money",
        "numeric", "decimal", "real", "float", "time", "date", "smalldatetime", "datetime",
        "datetime2", "datetimeoffset", "sql_variant"]  # lowest precedence first
NAMES = {"integer": "int", "dec": "decimal", "double precision": "float", "character": "char",
         "sysname": "nvarchar", "rowversion": "binary", "timestamp": "binary",
         "char varying": "varchar", "national character varying": "nvarchar"}
EXACTLY = Context(prec=38, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class SqlType:
    name: str
    size: int = 0  # characters or bytes; MAX
    precision: int = 0
    scale: int = 0

    def __str__(self):
        return self.name

    @property
    def is_max(self):
        return self.size == MAX


BIT, TINYINT, SMALLINT, INT, BIGINT = (SqlType(n) for n in ("bit", *INTEGERS))
FLOAT, REAL, DATETIME, DATE = (SqlType(n) for n in ("float", "real", "datetime", "date"))
NULL_TYPE = INT  # what an untyped NULL is described as
GUID, VARIANT, MONEY_TYPE = SqlType("uniqueidentifier"), SqlType("sql_variant"), SqlType("money")
SYSNAME = SqlType("nvarchar", 128)


def varchar(size):
    return SqlType("varchar", size)


def nvarchar(size):
    return SqlType("nvarchar", size)


def decimal(precision, scale):
    return SqlType("decimal", 0, precision, scale)


class Value:
    __slots__ = ("type", "data", "untyped")

    def __init__(self, kind, data, untyped=False):
        self.type, self.data, self.untyped = kind, data, untyped

    def __repr__(self):
        return f"{self.type}:{self.data!r}"

    def __eq__(self, other):
        return isinstance(other, Value) and (self.type, self.data) == (other.type, other.data)

    def __hash__(self):
        return hash((self.type, self.data))


NULL = Value(NULL_TYPE, None, True)


def is_text(kind):
    return kind.name in TEXTS


def is_number(kind):
    return kind.name in INTEGERS or kind.name in (*FLOATS, *EXACT, *MONEY, "bit")


def make_type(name, arguments):
    """A type as written: name and the numbers in brackets (or "max")."""
    name = NAMES.get(name.lower(), name.lower()) if name.lower() != "sysname" else "sysname"
    first = arguments[0] if arguments else None
    if name == "sysname":
        return SYSNAME
    if name in ("char", "varchar", "nchar", "nvarchar", "binary", "varbinary"):
        limit = 4000 if name in WIDE else 8000
        size = MAX if first == "max" else 1 if first is None else first
        if size != MAX and not 1 <= size <= limit:
            raise error(40000, f"{name}({size})")
        return SqlType(name, size)
    if name in EXACT:
        precision = 18 if first is None else first
        return SqlType(name, 0, precision, arguments[1] if len(arguments) > 1 else 0)
    if name == "float":
        return REAL if first is not None and first <= 24 else FLOAT
    if name in ("time", "datetime2", "datetimeoffset"):
        return SqlType(name, 0, 0, 7 if first is None else first)
    if name == "xml":
        return SqlType("nvarchar", MAX)
    if name not in RANK:
        raise error(243, name)
    return SqlType(name)


# ---------------------------------------------------------------- converting


def check_range(kind, number):
    low, high, _ = INTEGERS[kind.name]
    if not low <= number <= high:
        raise error(8115, "expression", kind.name) if abs(number) > 2**31 else error(
            220, kind.name, number)
    return number


def to_integer(value, kind):
    data = value.data
    if is_text(value.type):
        try:
            data = int(data.strip() or 0)
        except ValueError:
            raise error(245, value.type, data[:100], kind.name) from None
    elif isinstance(data, bytes):
        data = int.from_bytes(data[-8:], "big", signed=len(data) >= 4)
    elif isinstance(data, Decimal) and value.type.name in MONEY:
        data = int(data.to_integral_value(ROUND_HALF_UP))
    elif not isinstance(data, (int, float, Decimal)):
        raise error(529, value.type, kind)
    return check_range(kind, int(data))


def to_bit(value):
    if is_text(value.type):
        word = value.data.strip().lower()
        if word in ("true", "false"):
            return int(word == "true")
        return int(to_integer(value, INT) != 0)
    if isinstance(value.data, bytes):
        return int(any(value.data))
    return int(value.data != 0)


def to_decimal(value, kind):
    data = value.data
    if is_text(value.type):
        try:
            data = Decimal(data.strip() or 0)
        except InvalidOperation:
            raise error(8114, value.type, kind.name) from None
    elif isinstance(data, float):
        data = Decimal(repr(data))
    elif not isinstance(data, (int, Decimal)):
        raise error(529, value.type, kind)
    scale = {"money": 4, "smallmoney": 4}.get(kind.name, kind.scale)
    data = Decimal(data).quantize(Decimal(1).scaleb(-scale), context=EXACTLY)
    if kind.name in EXACT and abs(data) >= Decimal(10) ** (kind.precision - scale):
        raise error(8115, value.type, kind.name)
    return data


def to_float(value, kind):
    if is_text(value.type):
        try:
            return float(value.data)
        except ValueError:
            raise error(8114, value.type, kind.name) from None
    if not isinstance(value.data, (int, float, Decimal)):
        raise error(529, value.type, kind)
    return float(value.data)


def float_text(number):
    text = f"{number:.6g}" if abs(number) < 1e6 else f"{number:.6g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}e{exponent[0]}{int(exponent[1:]):03}"
    return text


def text_of(value):
    """As CONVERT without a style writes it."""
    kind, data = value.type.name, value.data
    if kind in MONEY:
        return f"{data:.2f}"
    if kind in EXACT:
        return f"{data:f}"
    if kind in FLOATS:
        return float_text(data)
    if kind == "uniqueidentifier":
        return str(data).upper()
    if kind in ("datetime", "smalldatetime"):
        return moments.short_text(data)
    if isinstance(data, Moment):
        return moment_text(value.type, data)
    if isinstance(data, bytes):
        return data.decode("cp1252")
    return str(data)


def moment_text(kind, data):
    """The long form, which drivers of before 7.3 are given as well."""
    if kind.name == "date":
        return moments.date_text(data)
    clock = moments.clock_text(data, kind.scale)
    if kind.name == "time":
        return clock
    text = f"{moments.date_text(data)} {clock}"
    return f"{text} {moments.offset_text(data)}" if kind.name == "datetimeoffset" else text


def to_text(value, kind):
    if isinstance(value.data, bytes) and kind.name in WIDE:
        text = value.data[:len(value.data) // 2 * 2].decode("utf-16-le", "replace")
    else:
        text = value.data if isinstance(value.data, str) else text_of(value)
    if kind.is_max or kind.name in ("text", "ntext"):
        return text
    if len(text) > kind.size and is_number(value.type):
        raise error(8115, value.type, kind.name)
    text = text[:kind.size]
    return text.ljust(kind.size) if kind.name in ("char", "nchar") else text


def to_binary(value, kind):
    data = value.data
    if isinstance(data, str):
        data = data.encode("utf-16-le" if value.type.name in WIDE else "cp1252", "replace")
    elif isinstance(data, uuid.UUID):
        data = data.bytes_le
    elif isinstance(data, int):
        size = INTEGERS.get(value.type.name, (0, 0, 1))[2]
        data = data.to_bytes(size, "big", signed=value.type.name not in ("tinyint", "bit"))
        if not kind.is_max and kind.size > len(data) and kind.name == "binary":
            data = data.rjust(kind.size, b"\0")
    elif not isinstance(data, bytes):
        raise error(529, value.type, kind)
    if kind.is_max or kind.name == "image":
        return data
    return data[:kind.size].ljust(kind.size, b"\0") if kind.name == "binary" else data[:kind.size]


def to_moment(value, kind):
    data = value.data
    if is_text(value.type):
        data = moments.parse(data)
        if data is None:
            raise error(241)
    elif isinstance(data, (int, float, Decimal)) and kind.name in ("datetime", "smalldatetime"):
        whole = int(data // 1)
        data = Moment(moments.DAY_1900 + whole, int((data - whole) * moments.TICKS_PER_DAY))
    elif not isinstance(data, Moment):
        raise error(529, value.type, kind)
    if kind.name == "date":
        return Moment(data.days)
    if kind.name == "time":
        return Moment(moments.DAY_1900, moments.rounded(data, kind.scale).ticks)
    if kind.name == "datetime":
        return moments.from_datetime(*moments.to_datetime(data))
    if kind.name == "smalldatetime":
        minute = 60 * moments.TICKS_PER_SECOND
        ticks = (data.ticks + minute // 2) // minute * minute
        return Moment(data.days + ticks // moments.TICKS_PER_DAY, ticks % moments.TICKS_PER_DAY)
    found = moments.rounded(data, kind.scale)
    return found if kind.name == "datetimeoffset" else Moment(found.days, found.ticks)


def to_guid(value):
    if isinstance(value.data, uuid.UUID):
        return value.data
    if isinstance(value.data, bytes):
        return uuid.UUID(bytes_le=value.data[:16].ljust(16, b"\0"))
    try:
        return uuid.UUID(value.data.strip()[:38])
    except (ValueError, AttributeError):
        raise error(8169) from None


def convert_data(value, kind):
    name = kind.name
    if name in INTEGERS:
        return to_integer(value, kind)
    if name == "bit":
        return to_bit(value)
    if name in EXACT or name in MONEY:
        return to_decimal(value, kind)
    if name in FLOATS:
        return to_float(value, kind)
    if name in TEXTS:
        return to_text(value, kind)
    if name in BINARIES:
        return to_binary(value, kind)
    if name in DATES:
        return to_moment(value, kind)
    return to_guid(value)


def convert(value, kind):
    if value.type is kind or value.type == kind:
        return value
    if value.type.name == "sql_variant" and kind.name != "sql_variant":
        return convert(value.data, kind) if value.data is not None else Value(kind, None)
    if value.data is None:
        return Value(kind, None)
    if kind.name == "sql_variant":
        return Value(kind, value)
    return Value(kind, convert_data(value, kind))


def common_type(left, right):
    """Of two values: what both are converted to before they meet."""
    if left.untyped or right.untyped:
        return right.type if left.untyped else left.type
    return wider(left.type, right.type)


def wider(left, right):
    high, low = ((left, right) if RANK.index(left.name) >= RANK.index(right.name)
                 else (right, left))
    if high.name in (*TEXTS, *BINARIES) and low.name in (*TEXTS, *BINARIES):
        size = MAX if MAX in (high.size, low.size) else max(high.size, low.size)
        return SqlType(high.name, size)
    if high.name in EXACT:
        return common_decimal(high, low)
    if high.name in ("time", "datetime2", "datetimeoffset"):
        return SqlType(high.name, 0, 0, max(high.scale, low.scale))
    return high


def common_decimal(high, low):
    precision, scale = decimal_size(low)
    places = max(high.scale, scale)
    whole = max(high.precision - high.scale, precision - scale)
    return SqlType(high.name, 0, min(38, whole + places), places)


def decimal_size(kind):
    """(precision, scale) of a number as a decimal."""
    if kind.name in EXACT:
        return kind.precision, kind.scale
    return {"bit": (1, 0), "tinyint": (3, 0), "smallint": (5, 0), "int": (10, 0), "bigint": (19, 0),
            "money": (19, 4), "smallmoney": (10, 4)}.get(kind.name, (18, 0))
