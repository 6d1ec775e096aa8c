"""SELECT, INSERT, UPDATE, DELETE, TRUNCATE, bulk load and cursors."""

import asyncio
import itertools

from . import nodes as n
from . import reply as r
from . import values
from .errors import SqlError, error
from .evaluate import Bound, Frame
from .query import Query, parts_of
from .state import Cursor
from .storage import READ_UNCOMMITTED, Column, Table
from .typeinfo import LOBS
from .values import Value, convert
from .views import view

ROWS_PER_TURN = 64
LONG = {"char": "varchar", "varchar": "varchar", "nchar": "nvarchar", "nvarchar": "nvarchar",
        "binary": "varbinary", "varbinary": "varbinary"}


class Rows:
    # --- locks ------------------------------------------------------------------------------

    async def lock_sources(self, node):
        """Waits for those who change what is to be read."""
        await self.sleep_if_asked(node)
        if self.state.isolation == READ_UNCOMMITTED:
            return
        for source in parts_of(node, n.TableSource):
            if view(self.state, source.parts) is None:
                tables, name = self.house.storage.find(self.state, source.parts)
                if name in tables:
                    await tables[name].wait_for(self.state)

    async def sleep_if_asked(self, node):
        """Babelfish has no WAITFOR, but PostgreSQL's pg_sleep."""
        if not self.state.babelfish:
            return
        for call in parts_of(node, n.Call):
            if call.name in ("PG_SLEEP", "PG_CATALOG.PG_SLEEP"):
                await asyncio.sleep(float(self.value(call.arguments[0]).data))

    async def own(self, parts):
        """A table that is about to be changed."""
        table = self.house.storage.table(self.state, parts)
        await table.wait_for(self.state)
        transaction = self.state.transaction
        if not parts[-1].startswith("@"):
            table.owner = self.state
            (transaction.tables if transaction else self.loose_tables).add(table)
        return table

    def remember(self, undo):
        transaction = self.state.transaction
        (transaction.undo if transaction else self.undo).append(undo)

    # --- SELECT -----------------------------------------------------------------------------

    async def select(self, node):
        await self.lock_sources(node)
        columns, rows = self.query.rows(node)
        if any(one.target for one in columns):
            return self.assign(columns, rows)
        if node.cores[0][0].into:
            return await self.select_into(node.cores[0][0].into, columns, rows)
        if self.state.options["FMTONLY"]:
            rows = iter(())
        order = [] if self.state.babelfish else [self.query.ordinal(one, columns)
                                                 for one, _ in node.order]
        self.done(r.SELECT, await self.send_rows(columns, rows, order))

    async def send_rows(self, columns, rows, order=()):
        """How many. The first row is made before anything is said, as it may fail."""
        first = list(itertools.islice(rows, 1))
        self.reply.metadata([r.Shown(one.name, one.type, one.nullable, one.flags)
                             for one in columns])
        if order:
            self.reply.order([0 if at is None else at + 1 for at in order])
        limit = self.state.options["TEXTSIZE"]
        long = [at for at, one in enumerate(columns) if one.type.is_max or one.type.name in LOBS]
        count = 0
        for row in itertools.chain(first, rows):
            if long and limit != 2147483647:
                row = cut(row, columns, long, limit)
            self.reply.row(row)
            count += 1
            if count % ROWS_PER_TURN == 0:
                await asyncio.sleep(0)
                self.state.check_attention()
            await self.reply.breathe()
        return count

    def assign(self, columns, rows):
        count = 0
        for row in rows:
            count += 1
            for one, data in zip(columns, row):
                if not one.target:
                    raise SqlError(141, "A SELECT statement that assigns a value to a variable "
                                        "must not be combined with data-retrieval operations.", 15)
                self.assign_variable(one.target, Value(one.type, data))
        self.state.rowcount = count
        if self.state.babelfish:
            self.done(r.SELECT, count)

    def assign_variable(self, name, value):
        old = self.state.variables.get(name.lower())
        if old is None:
            raise error(137, name)
        self.state.variables[name.lower()] = convert(value, old.type)

    async def select_into(self, parts, columns, rows):
        kept = list(rows)
        table = Table(parts[-1], [Column(one.name, one.type, one.nullable) for one in columns])
        self.add_table(parts, table)
        for row in kept:
            table.insert(list(row))
        self.done(r.SELECT, len(kept))

    # --- INSERT -----------------------------------------------------------------------------

    async def insert(self, node):
        if node.source is not None and not isinstance(node.source, (n.Execute, n.Values)):
            await self.lock_sources(node.source)
        table = await self.own(node.table)
        columns = self._targets(table, node.columns)
        if isinstance(node.source, n.Execute):
            raise error(40000, "INSERT ... EXEC")
        added = []
        for row in self._sources(node, table, columns):
            made = self._full_row(table, columns, row)
            self.remember(table.insert(made))
            added.append(made)
        await self.send_output(node.output, table, [(None, row) for row in added])
        self.done(0xC3, len(added))

    def _targets(self, table, names):
        """Indices of the columns that values are given for."""
        if names is None:
            return [at for at, one in enumerate(table.columns) if not one.identity]
        found = []
        for name in names:
            if name.lower() not in table.index:
                raise error(207, name)
            found.append(table.index[name.lower()])
        identity = table.identity
        if identity in found and not self._identity_allowed(table):
            raise error(544, table.name)
        return found

    def _identity_allowed(self, table):
        return (self.state.options["IDENTITY_INSERT"] or "").lower() == table.name.lower()

    def _sources(self, node, table, columns):
        """Rows as lists of Values, None for DEFAULT."""
        if node.source is None:
            return [[None] * len(columns)]
        if isinstance(node.source, n.Values):
            rows = [[None if one is None else self.value(one) for one in row]
                    for row in node.source.rows]
            if any(len(row) != len(columns) for row in rows):
                raise error(213)
            return rows
        shown, rows = self.query.rows(node.source)
        if len(shown) != len(columns):
            raise error(213 if node.columns is None else 121)
        return [[Value(one.type, data) for one, data in zip(shown, row)] for row in rows]

    def _full_row(self, table, columns, row):
        made = [None] * len(table.columns)
        given = dict(zip(columns, row))
        for at, column in enumerate(table.columns):
            found = given.get(at)
            if column.identity:
                made[at] = self._identity(table, found)
                continue
            if found is None:
                found = self.value(column.default) if column.default is not None else values.NULL
            made[at] = fitted(table, column, found, "INSERT")
        return made

    def _identity(self, table, given):
        if given is None:
            number = table.next_identity()
        else:
            number = convert(given, values.BIGINT).data
            table.identity_last = max(number, table.identity_last or number)
        self.state.identity = self.state.scope_identity = values.Decimal(number)
        return number

    # --- UPDATE and DELETE ------------------------------------------------------------------

    async def update(self, node):
        table, hits = await self._hits(node)
        changed = []
        for number, frame in hits:
            old, row = table.rows[number], list(table.rows[number])
            for name, expression in node.assignments:
                value = values.NULL if expression is None else self.query.evaluator.value(
                    expression, frame)
                if name.startswith("@"):
                    self.assign_variable(name, value)
                    continue
                if name.lower() not in table.index:
                    raise error(207, name)
                at = table.index[name.lower()]
                row[at] = fitted(table, table.columns[at], value, "UPDATE")
            self.remember(table.update(number, row))
            changed.append((old, row))
        await self.send_output(node.output, table, changed)
        self.done(0xC5, len(changed))

    async def delete(self, node):
        table, hits = await self._hits(node)
        gone = [(table.rows[number], None) for number, _ in hits]
        for number, _ in hits:
            self.remember(table.delete(number))
        await self.send_output(node.output, table, gone)
        self.done(0xC4, len(gone))

    async def _hits(self, node):
        """(the table, [(number of the row, what its expressions see)])."""
        await self.lock_sources([node.where, node.source])
        parts, sources = node.table, node.source
        alias = parts[-1]
        if sources is not None:
            parts, alias = self._aliased(parts, sources)
        table = await self.own(parts)
        bound = [Bound(alias, one.name, one.type, one.nullable) for one in table.columns]
        others = Query(self.state)
        found, limit = [], None
        if node.top is not None:
            limit = self.number(node.top)
        for number, row in list(table.rows.items()):
            if limit is not None and len(found) >= limit:
                break
            for frame in self._frames(bound, row, sources, (alias, others)):
                if node.where is None or self.query.evaluator.truth(node.where, frame):
                    found.append((number, frame))
                    break
        if self.state.options["ROWCOUNT"]:
            found = found[:self.state.options["ROWCOUNT"]]
        return table, found

    @staticmethod
    def _aliased(parts, sources):
        """UPDATE a SET ... FROM t a: the table behind the alias."""
        for one in parts_of(sources, n.TableSource):
            name = one.alias or one.parts[-1]
            if name.lower() == parts[-1].lower():
                return one.parts, name
        return parts, parts[-1]

    def _frames(self, bound, row, sources, context):
        alias, query = context
        if sources is None:
            yield Frame(bound, row)
            return
        mine = Frame(bound, row)
        frame, rows = query.source(sources, None)
        at = next((i for i, one in enumerate(frame.columns)
                   if (one.qualifier or "").lower() == alias.lower()), None)
        for other in rows:
            if at is None or other[at:at + len(row)] == row:
                yield Frame(frame.columns, other, mine)

    async def send_output(self, items, table, pairs):
        """OUTPUT inserted.x, deleted.y."""
        if not items:
            return
        bound = [Bound(kind, one.name, one.type, True) for kind in ("deleted", "inserted")
                 for one in table.columns]
        nothing = [None] * len(table.columns)
        frame = Frame(bound, [])
        chosen = self.query.items(items, frame)
        columns = [self.query.result(one, frame) for one in chosen]
        rows = []
        for old, new in pairs:
            frame.row = [*(old or nothing), *(new or nothing)]
            found = [self.query.evaluator.value(one.expression, frame) for one in chosen]
            rows.append([convert(one, column.type).data for one, column in zip(found, columns)])
        await self.send_rows(columns, iter(rows))

    async def truncate(self, node):
        table = await self.own(node.table)
        for number in list(table.rows):
            self.remember(table.delete(number))
        self.done(0xC4)

    # --- bulk load --------------------------------------------------------------------------

    async def insert_bulk(self, node):
        table = self.house.storage.table(self.state, node.table)
        for name, _ in node.columns:
            if name.lower() not in table.index:
                raise error(207, name)
        self.state.bulk = node
        self.done_quietly()

    async def bulk_rows(self, names, kinds, rows):
        """The data of INSERT BULK: all of it or nothing."""
        node, self.state.bulk = self.state.bulk, None
        table = await self.own(node.table)
        wanted = [name for name, _ in node.columns] or [
            one.name for one in table.columns if not one.identity]
        if len(wanted) != len(names):
            raise SqlError(4816, "Invalid column type from bcp client for colid "
                                 f"{min(len(wanted), len(names)) + 1}.")
        columns = [table.index[name.lower()] for name in wanted]
        for row in rows:
            given = [Value(kind, data) for kind, data in zip(kinds, row)]
            self.remember(table.insert(self._full_row(table, columns, given)))
        self.state.rowcount = len(rows)

    # --- cursors ----------------------------------------------------------------------------

    async def declare_cursor(self, node):
        if node.name.lower() in self.state.cursors:
            raise SqlError(16915, f"A cursor with the name '{node.name}' already exists.")
        self.state.cursors[node.name.lower()] = Cursor(node.select, node.is_global)
        self.done_quietly()

    async def cursor_step(self, node):
        cursor = self.state.cursors.get(node.name.lower())
        if cursor is None:
            raise error(16916, node.name)
        if node.action == "OPEN":
            await self.lock_sources(cursor.select)
            cursor.columns, rows = self.query.rows(cursor.select)
            cursor.rows = iter(list(rows))
            self.done_quietly()
        elif node.action == "FETCH":
            await self._fetch(cursor, node)
        elif node.action == "CLOSE":
            cursor.rows = None
            self.done_quietly()
        else:
            del self.state.cursors[node.name.lower()]
            self.done_quietly()

    async def _fetch(self, cursor, node):
        if cursor.rows is None:
            raise error(16917)
        row = next(cursor.rows, None)
        self.state.fetch_status = 0 if row is not None else -1
        if node.variables is None:
            count = await self.send_rows(cursor.columns, iter([row] if row is not None else []))
            self.done(0x20, count)
            return
        if len(node.variables) != len(cursor.columns):
            raise SqlError(16924, "Cursorfetch: The number of variables declared in the INTO list "
                                  "must match that of selected columns.")
        if row is not None:
            for name, column, data in zip(node.variables, cursor.columns, row):
                self.assign_variable(name, Value(column.type, data))
        self.done(0x20, int(row is not None))


def fitted(table, column, value, action):
    """A value as the column holds it."""
    if value.data is None:
        if not column.nullable:
            raise error(515, column.name, table.name, action)
        return None
    kind = column.type
    if kind.name in LONG and not kind.is_max:
        whole = values.SqlType(LONG[kind.name], values.MAX)
        found = convert(value, whole).data
        if len(found.rstrip(" ") if isinstance(found, str) else found) > kind.size:
            shown = found if isinstance(found, str) else found.hex()
            raise error(2628, table.name, column.name, shown[:kind.size])
    return convert(value, kind).data


def cut(row, columns, long, limit):
    """TEXTSIZE, in bytes."""
    row = list(row)
    for at in long:
        if row[at] is not None:
            wide = columns[at].type.name in values.WIDE
            row[at] = row[at][:limit // 2 if wide else limit]
    return row
