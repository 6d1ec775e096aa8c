"""Cursors of the API (MS-TDS' sp_cursoropen, sp_cursorfetch, sp_cursorclose, sp_cursoroption): read
only and static, whatever is asked for, as SQL Server falls back to when it cannot do better. Each
row has SQL Server's column ROWSTAT behind its own."""

from . import nodes as n
from . import reply as r
from . import values
from .errors import SqlError, error
from .parser import parse
from .query import Query
from .values import Value, convert

FIRST_HANDLE = 180150003
STATIC, READ_ONLY = 8, 1
FIRST, NEXT, PREVIOUS, LAST, ABSOLUTE, RELATIVE, REPEAT, INFO = (
    1, 2, 4, 8, 0x10, 0x20, 0x80, 0x100)


class ApiCursor:
    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.at, self.count = -1, 0  # the first row of the last fetch, and how many it had

    def window(self, kind, number, count):
        """The rows of a fetch; moves there."""
        start = {FIRST: 0, NEXT: self.at + max(1, self.count) if self.at >= 0 else 0,
                 PREVIOUS: self.at - count, LAST: len(self.rows) - count, REPEAT: self.at,
                 ABSOLUTE: number - 1 if number >= 0 else len(self.rows) + number,
                 RELATIVE: self.at + number}.get(kind)
        if start is None:
            raise error(40000, f"the fetch type {kind:#x}")
        if kind == LAST:
            start = max(0, start)
        found = self.rows[start:start + count] if 0 <= start else []
        self.at = min(start, len(self.rows)) if start >= 0 else -1
        self.count = len(found)
        return found


def show(call, columns):
    """What the rows look like; ROWSTAT is hidden."""
    found = [r.Shown(one.name, one.type, one.nullable, one.flags) for one in columns]
    call.reply.metadata([*found, r.Shown("ROWSTAT", values.INT, False)])
    call.reply.column_info([r.EXPRESSION] * len(found) + [r.EXPRESSION | r.HIDDEN])


def number_at(arguments, at, default=0):
    value = arguments[at].value if at < len(arguments) else None
    return default if value is None or value.data is None else convert(value, values.INT).data


def integer(number):
    return Value(values.INT, number)


async def open_cursor(call, arguments):
    """@cursor OUTPUT, @stmt, @scrollopt OUTPUT, @ccopt OUTPUT, @rowcount OUTPUT, then parameters
    as those of sp_executesql."""
    text = call.text_at(arguments, 1, "@stmt")
    select = parse(text, call.state.options["QUOTED_IDENTIFIER"])
    if len(select) != 1 or not isinstance(select[0], n.Select):
        raise SqlError(16937, "A server cursor is not allowed on a remote stored procedure or "
                              "stored procedure with more than one SELECT statement.")
    if len(arguments) > 5:
        prepared = call.prepared(text, arguments[5].value.data)
        bound = call.bind(prepared.parameters, arguments[6:], "")
        call.state.variables = {name: value for name, (_, value) in bound.items()}
    await call.executor.lock_sources(select[0])
    columns, rows = Query(call.state).rows(select[0])
    cursor = ApiCursor(columns, list(rows))
    call.state.last_cursor += 2
    handle = FIRST_HANDLE + call.state.last_cursor
    call.state.cursors[str(handle)] = cursor
    show(call, columns)
    call.executor.done(r.SELECT, 0)
    for at, number in ((0, handle), (2, STATIC), (3, READ_ONLY), (4, len(cursor.rows))):
        call.output(arguments, at, integer(number))
    return 0


def cursor_of(call, arguments):
    handle = number_at(arguments, 0)
    found = call.state.cursors.get(str(handle))
    if found is None:
        raise SqlError(16909, f"sp_cursor: The cursor identifier value provided ({handle:x}) is "
                              "not valid.")
    return found


async def fetch(call, arguments):
    """@cursor, @fetchtype, @rownum, @nrows; INFO gives the last two instead of rows."""
    cursor, kind = cursor_of(call, arguments), number_at(arguments, 1, NEXT)
    if kind == INFO:
        call.output(arguments, 2, integer(cursor.at + 1))
        call.output(arguments, 3, integer(len(cursor.rows)))
        return 0
    rows = cursor.window(kind, number_at(arguments, 2), number_at(arguments, 3, 1))
    show(call, cursor.columns)
    for row in rows:
        call.reply.row([*row, 1])
        await call.reply.breathe()
    call.executor.done(r.SELECT, len(rows))
    return 0


async def close(call, arguments):
    cursor_of(call, arguments)
    del call.state.cursors[str(number_at(arguments, 0))]
    return 0


async def option(call, arguments):
    cursor_of(call, arguments)
    return 0


CURSORS = {"sp_cursoropen": open_cursor, "sp_cursorfetch": fetch, "sp_cursorclose": close,
           "sp_cursoroption": option}
