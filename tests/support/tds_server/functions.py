"""Built-in functions, aggregates and @@names."""

import hashlib
import random
import uuid
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from . import options, values
from .errors import SqlError, error
from .times import TIME_FUNCTIONS
from .typeinfo import data_of
from .storage import number_of
from .values import MAX, SqlType, Value, convert, nvarchar, varchar


def text(value):
    return None if value.data is None else convert(value, nvarchar(MAX)).data


def number(value):
    return None if value.data is None else convert(value, values.INT).data


def integer(data):
    return Value(values.INT, data)


def name(data):
    return Value(values.SYSNAME, data)


# ---------------------------------------------------------------- @@names


def globals_of(state, wanted):
    plain = {
        "@@trancount": lambda: state.trancount,
        "@@spid": lambda: Value(values.SMALLINT, state.spid),
        "@@rowcount": lambda: state.rowcount, "@@error": lambda: state.error,
        "@@options": lambda: options.bits(state.options), "@@nestlevel": lambda: state.depth,
        "@@datefirst": lambda: Value(values.TINYINT, state.options["DATEFIRST"]),
        "@@language": lambda: name(state.language), "@@langid": lambda: Value(values.SMALLINT, 0),
        "@@lock_timeout": lambda: state.options["LOCK_TIMEOUT"],
        "@@textsize": lambda: state.options["TEXTSIZE"],
        "@@max_precision": lambda: Value(values.TINYINT, 38),
        "@@version": lambda: Value(nvarchar(300), state.house.version_text),
        "@@servername": lambda: name(state.house.name),
        "@@servicename": lambda: name("MSSQLSERVER"), "@@procid": lambda: 0,
        "@@identity": lambda: Value(values.decimal(38, 0), state.identity),
        "@@fetch_status": lambda: state.fetch_status, "@@max_connections": lambda: 32767,
        "@@microsoftversion": lambda: state.house.release_number,
        "@@cursor_rows": lambda: 0,
    }
    if wanted not in plain:
        raise error(137, wanted)
    found = plain[wanted]()
    return found if isinstance(found, Value) else integer(found)


# ---------------------------------------------------------------- who and where


def db_name(state, of=None):
    if of is None:
        return name(state.database)
    names = [one.name for one in state.house.storage.databases.values()]
    at = number(of)
    return name(names[at - 1] if at is not None and 1 <= at <= len(names) else None)


def db_id(state, of=None):
    wanted = state.database if of is None else text(of)
    names = list(state.house.storage.databases)
    return Value(values.SMALLINT,
                 names.index(wanted.lower()) + 1 if wanted and wanted.lower() in names else None)


def object_id(state, of, kind=None):
    parts = [part.strip("[]") for part in (text(of) or "").split(".")]
    if parts[0].lower() == "tempdb" and parts[-1].startswith("#"):
        parts = parts[-1:]
    storage = state.house.storage
    tables, table = storage.find(state, parts)
    procedures, procedure = storage.procedure(state, ".".join(parts))
    for among, key in ((tables, table), (procedures, procedure)):
        if key in among:
            return integer(number_of(key))
    return integer(None)


def server_property(state, wanted):
    found = state.house.properties.get((text(wanted) or "").lower())
    return Value(values.VARIANT, found)


def session_property(state, wanted):
    asked = (text(wanted) or "").upper()
    found = state.options.get(asked)
    held = integer(int(found)) if asked in options.BITS else None
    return Value(values.VARIANT, held)


def session_context(state, key):
    return Value(values.VARIANT, state.session_context.get((text(key) or "").lower(), (None,))[0])


def context_info(state):
    return Value(SqlType("varbinary", 128), state.context_info.ljust(128, b"\0")
                 if state.context_info else None)


def caught(field, kind):
    def find(state):
        if not state.caught:
            return Value(kind, None)
        return Value(kind, getattr(state.caught[-1], field) or None)
    return find


def applock_mode(state, _principal, resource, owner):
    held = state.house.storage.applocks.get((text(resource) or "").lower())
    mode = "Exclusive" if held and held[0] is state and held[1] == text(owner) else "NoLock"
    return Value(nvarchar(32), mode)


def applock_test(state, _principal, resource, _mode, owner):
    held = state.house.storage.applocks.get((text(resource) or "").lower())
    return integer(int(held is None or held[0] is state))


def is_member(state, *_):
    return integer(1)


# ---------------------------------------------------------------- texts


def as_text(value, binaries=False):
    """What is no text, as one; with `binaries` bytes are left as they are."""
    if values.is_text(value.type) or (binaries and value.type.name in values.BINARIES):
        return value
    return convert(value, varchar(8000))


def same_text(run):
    """A function of one text that keeps its type."""
    def apply(state, value):
        value = as_text(value)
        return Value(value.type, None if value.data is None else run(value.data))
    return apply


def replicate(state, value, times):
    value = as_text(value)
    limit = 4000 if value.type.name in values.WIDE else 8000
    kind = SqlType(value.type.name, MAX if value.type.is_max else limit)
    count = number(times)
    if value.data is None or count is None or count < 0:
        return Value(kind, None)
    if not value.type.is_max:
        count = min(count, limit // max(1, len(value.data)))
    return Value(kind, value.data * count)


def substring(state, value, start, length):
    value = as_text(value, binaries=True)
    if value.data is None or start.data is None or length.data is None:
        return Value(value.type, None)
    first = number(start) - 1
    end = first + number(length)
    return Value(value.type, value.data[max(0, first):max(0, end)])


def left(state, value, count):
    return substring(state, value, integer(1), count)


def right(state, value, count):
    value = as_text(value, binaries=True)
    if value.data is None or count.data is None:
        return Value(value.type, None)
    size = number(count)
    return Value(value.type, value.data[-size:] if size else value.data[:0])


def code_of(state, value):
    found = text(value)
    return integer(ord(found[0]) if found else None)


def charindex(state, wanted, value, start=None):
    if wanted.data is None or value.data is None:
        return integer(None)
    first = max(0, number(start) - 1) if start else 0
    return integer(text(value).lower().find(text(wanted).lower(), first) + 1)


def replace(state, value, old, new):
    if None in (value.data, old.data, new.data):
        return Value(varchar(8000), None)
    value = as_text(value)
    kind = value.type if value.type.is_max else SqlType(value.type.name, 4000)
    return Value(kind, text(value).replace(text(old), text(new)))


def concat(state, *parts):
    wide = any(one.type.name in values.WIDE for one in parts)
    is_max = any(one.type.is_max for one in parts)
    kind = SqlType("nvarchar" if wide else "varchar", MAX if is_max else 4000 if wide else 8000)
    return Value(kind, "".join(text(one) or "" for one in parts))


def quotename(state, value, *_):
    return Value(nvarchar(258), None if value.data is None else
                 "[" + text(value).replace("]", "]]") + "]")


def length(state, value):
    kind = values.BIGINT if value.type.is_max else values.INT
    if value.data is None:
        return Value(kind, None)
    data = value.data if isinstance(value.data, bytes) else text(value).rstrip(" ")
    return Value(kind, len(data))


def data_length(state, value):
    kind = values.BIGINT if value.type.is_max else values.INT
    if value.data is None:
        return Value(kind, None)
    if value.type.name == "sql_variant":
        return data_length(state, value.data)
    if value.type.name in values.DATES or value.type.name in values.EXACT:
        return Value(kind, len(data_of(value.type, value.data)))
    return Value(kind, len(convert(value, SqlType("varbinary", MAX)).data))


def hashbytes(state, algorithm, value):
    known = {"md5": "md5", "sha": "sha1", "sha1": "sha1", "sha2_256": "sha256",
             "sha2_512": "sha512"}.get((text(algorithm) or "").lower())
    data = convert(value, SqlType("varbinary", MAX)).data
    found = None if known is None or data is None else hashlib.new(known, data).digest()
    return Value(SqlType("varbinary", 8000), found)


def pg_sleep(state, seconds):
    """Babelfish's; the waiting itself is done before the statement (rows.py)."""
    if not state.babelfish:
        raise error(4121, "pg_catalog", "pg_catalog.pg_sleep")
    return Value(varchar(1), "")


def isnumeric(state, value):
    try:
        convert(value, values.FLOAT)
    except Exception:  # whatever cannot be converted is no number
        return integer(0)
    return integer(int(value.data is not None))


# ---------------------------------------------------------------- numbers


def of_number(run):
    def apply(state, value):
        value = value if values.is_number(value.type) else convert(value, values.FLOAT)
        return Value(value.type, None if value.data is None else run(value.data))
    return apply


def whole(rounding):
    def run(data):
        return type(data)(Decimal(data).to_integral_value(rounding))
    return of_number(run)


def rounded(state, value, places, *_):
    if value.data is None or places.data is None:
        return Value(value.type, None)
    unit = Decimal(1).scaleb(-number(places))
    found = (Decimal(str(value.data)) / unit).to_integral_value(ROUND_HALF_UP) * unit
    return convert(Value(values.decimal(38, 12), found), value.type)


def nullif(state, one, other):
    same = one.data is not None and other.data is not None and (
        text(one).lower() == text(other).lower())
    return Value(one.type, None if same else one.data)


def known(kind, find):
    """A function without arguments."""
    return 0, 0, lambda state: Value(kind, find(state))


def character(wide):
    kind = SqlType("nchar" if wide else "char", 1)
    return 1, 1, lambda state, code: Value(kind, None if code.data is None else chr(number(code)))


FUNCTIONS = {
    "DB_NAME": (0, 1, db_name), "DB_ID": (0, 1, db_id), "OBJECT_ID": (1, 2, object_id),
    "SUSER_SNAME": (0, 1, lambda state, *_: Value(nvarchar(128), state.login_name)),
    "SUSER_NAME": (0, 1, lambda state, *_: Value(nvarchar(128), state.login_name)),
    "SUSER_ID": (0, 1, lambda state, *_: integer(1)),
    "ORIGINAL_LOGIN": known(values.SYSNAME, lambda state: state.user),
    "SYSTEM_USER": known(values.SYSNAME, lambda state: state.login_name),
    "USER_NAME": (0, 1, lambda state, *_: name(state.login_name)),
    "USER": known(values.SYSNAME, lambda state: state.login_name),
    "CURRENT_USER": known(values.SYSNAME, lambda state: state.login_name),
    "SESSION_USER": known(values.SYSNAME, lambda state: state.login_name),
    "SCHEMA_NAME": (0, 1, lambda state, *_: name("dbo")),
    "HOST_NAME": known(nvarchar(128), lambda state: state.login.texts["host"]),
    "APP_NAME": known(nvarchar(128), lambda state: state.login.texts["app"]),
    "HOST_ID": known(SqlType("char", 10), lambda state: f"{state.login.process:<10}"[:10]),
    "XACT_STATE": known(values.SMALLINT, lambda state: state.xact_state),
    "CURRENT_TRANSACTION_ID": known(values.BIGINT, lambda state: (
        state.transaction.descriptor if state.transaction else 0)),
    "SESSION_CONTEXT": (1, 1, session_context), "CONTEXT_INFO": (0, 0, context_info),
    "SERVERPROPERTY": (1, 1, server_property), "SESSIONPROPERTY": (1, 1, session_property),
    "SCOPE_IDENTITY": known(values.decimal(38, 0), lambda state: state.scope_identity),
    "ERROR_NUMBER": (0, 0, caught("number", values.INT)),
    "ERROR_MESSAGE": (0, 0, caught("text", nvarchar(4000))),
    "ERROR_SEVERITY": (0, 0, caught("severity", values.INT)),
    "ERROR_STATE": (0, 0, caught("state", values.INT)),
    "ERROR_LINE": (0, 0, caught("line", values.INT)),
    "ERROR_PROCEDURE": (0, 0, caught("procedure", nvarchar(128))),
    "APPLOCK_MODE": (3, 3, applock_mode), "APPLOCK_TEST": (4, 4, applock_test),
    "IS_SRVROLEMEMBER": (1, 2, is_member), "IS_MEMBER": (1, 1, is_member),
    "REPLICATE": (2, 2, replicate), "SUBSTRING": (3, 3, substring), "LEFT": (2, 2, left),
    "RIGHT": (2, 2, right), "CHARINDEX": (2, 3, charindex), "REPLACE": (3, 3, replace),
    "CONCAT": (2, 254, concat), "QUOTENAME": (1, 2, quotename), "LEN": (1, 1, length),
    "DATALENGTH": (1, 1, data_length), "HASHBYTES": (2, 2, hashbytes),
    "UPPER": (1, 1, same_text(str.upper)), "LOWER": (1, 1, same_text(str.lower)),
    "UCASE": (1, 1, same_text(str.upper)), "LCASE": (1, 1, same_text(str.lower)),
    "LTRIM": (1, 1, same_text(lambda data: data.lstrip(" "))),
    "RTRIM": (1, 1, same_text(lambda data: data.rstrip(" "))),
    "TRIM": (1, 1, same_text(lambda data: data.strip(" "))),
    "REVERSE": (1, 1, same_text(lambda data: data[::-1])),
    "SPACE": (1, 1, lambda state, count: replicate(state, Value(varchar(1), " "), count)),
    "CHAR": character(False), "NCHAR": character(True),
    "ASCII": (1, 1, code_of),
    "UNICODE": (1, 1, code_of),
    "PG_SLEEP": (1, 1, pg_sleep), "PG_CATALOG.PG_SLEEP": (1, 1, pg_sleep),
    "ISNUMERIC": (1, 1, isnumeric),
    "ABS": (1, 1, of_number(abs)), "FLOOR": (1, 1, whole(ROUND_FLOOR)),
    "CEILING": (1, 1, whole(ROUND_CEILING)), "ROUND": (2, 3, rounded),
    "SIGN": (1, 1, of_number(lambda data: type(data)((data > 0) - (data < 0)))),
    "RAND": (0, 1, lambda state, *_: Value(values.FLOAT, random.random())),
    "NULLIF": (2, 2, nullif), "NEWID": known(values.GUID, lambda state: uuid.uuid4()),
    **TIME_FUNCTIONS,
}


# ---------------------------------------------------------------- aggregates


class Aggregate:
    def __init__(self, kind, run):
        self.type, self.run = kind, run  # the result's type from the operand's; data -> data


def sum_type(kind):
    if not values.is_number(kind):
        raise SqlError(8117, f"Operand data type {kind} is invalid for sum operator.")
    if kind.name in ("tinyint", "smallint", "int", "bit"):
        return values.INT
    if kind.name in values.EXACT:
        return SqlType(kind.name, 0, 38, kind.scale)
    return kind


def average(data):
    total = sum(data)
    return int(total / len(data)) if isinstance(total, int) else total / len(data)


AGGREGATES = {
    "COUNT": Aggregate(lambda kind: values.INT, len),
    "COUNT_BIG": Aggregate(lambda kind: values.BIGINT, len),
    "SUM": Aggregate(sum_type, lambda data: sum(data) if data else None),
    "AVG": Aggregate(sum_type, lambda data: average(data) if data else None),
    "MIN": Aggregate(lambda kind: kind, lambda data: min(data) if data else None),
    "MAX": Aggregate(lambda kind: kind, lambda data: max(data) if data else None),
}
