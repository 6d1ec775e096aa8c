"""Databases, tables and procedures, shared by all connections, and who may touch a table.

Whoever has changed a table has it to itself until its transaction ends, and readers wait for that,
unless they read uncommitted. That is coarser than SQL Server's locks on rows, and blocks for the
same reasons. Readers leave no locks behind."""

import asyncio
import hashlib
import itertools

from . import values
from .errors import error
from .values import Value

READ_UNCOMMITTED = 1


def number_of(name):
    """The object_id of a table or procedure."""
    return int(hashlib.sha256(name.lower().encode()).hexdigest()[:7], 16)


class Column:
    def __init__(self, name, kind, nullable=True, identity=None, default=None):
        self.name, self.type, self.nullable = name, kind, nullable
        self.identity, self.default = identity, default


class Key:
    def __init__(self, name, kind, columns):
        self.name, self.kind, self.columns = name, kind, columns  # indices


class Table:
    def __init__(self, name, columns, keys=()):
        self.name, self.columns, self.keys = name, columns, list(keys)
        self.rows, self.numbers = {}, itertools.count(1)
        self.identity_last = None
        self.owner = None  # the state of the connection that has changed it
        self.released = None  # an event, while somebody waits
        self.index = {column.name.lower(): at for at, column in enumerate(columns)}

    @property
    def identity(self):
        return next((at for at, one in enumerate(self.columns) if one.identity), None)

    # --- rows; each gives what undoes it ----------------------------------------------------

    def insert(self, row):
        self.check_keys(row)
        number = next(self.numbers)
        self.rows[number] = row
        return lambda: self.rows.pop(number, None)

    def delete(self, number):
        row = self.rows.pop(number)

        def undo():
            self.rows[number] = row
            self.rows = dict(sorted(self.rows.items()))
        return undo

    def update(self, number, row):
        self.check_keys(row, number)
        old = self.rows[number]
        self.rows[number] = row

        def undo():
            self.rows[number] = old
        return undo

    def check_keys(self, row, number=None):
        for key in self.keys:
            mine = self._key_of(key, row)
            for other, found in self.rows.items():
                if other != number and self._key_of(key, found) == mine:
                    shown = ", ".join("<NULL>" if row[at] is None else values.text_of(
                        Value(self.columns[at].type, row[at])) for at in key.columns)
                    wrong = error(2627, key.name, f"dbo.{self.name}", shown)
                    wrong.text = wrong.text.replace("PRIMARY", key.kind.split()[0])
                    raise wrong

    @staticmethod
    def _key_of(key, row):
        return [row[at].lower().rstrip() if isinstance(row[at], str) else row[at]
                for at in key.columns]

    def next_identity(self):
        seed, step = self.columns[self.identity].identity
        self.identity_last = seed if self.identity_last is None else self.identity_last + step
        return self.identity_last

    # --- locks ------------------------------------------------------------------------------

    def release(self, state):
        if self.owner is state:
            self.owner = None
            if self.released:
                self.released.set()
                self.released = None

    async def wait_for(self, state):
        """Until nobody else has changed it."""
        while self.owner is not None and self.owner is not state:
            self._check_deadlock(state)
            self.released = self.released or asyncio.Event()
            state.waiting_for = self
            try:
                await state.wait_until(self.released, state.lock_timeout_s, error(1222))
            finally:
                state.waiting_for = None

    def _check_deadlock(self, state):
        table = self
        while table is not None and table.owner is not None:
            if table.owner is state:
                raise error(1205, state.spid)
            table = table.owner.waiting_for


class Procedure:
    def __init__(self, name, parameters, body, text):
        self.name, self.parameters, self.body, self.text = name, parameters, body, text


class Database:
    def __init__(self, name):
        self.name = name
        self.tables, self.procedures = {}, {}


class Storage:
    def __init__(self, names):
        self.databases = {}
        for name in ("master", "tempdb", "msdb", *names):
            self.add(name)
        self.applocks = {}  # name: state

    def add(self, name):
        self.databases[name.lower()] = Database(name)

    def database(self, name):
        found = self.databases.get(name.lower())
        if found is None:
            raise error(911, name)
        return found

    def find(self, state, parts):
        """(the dictionary that has or would have it, its key)."""
        name = parts[-1].lower()
        if name.startswith("@"):
            return state.table_variables, name
        if name.startswith("##"):
            return self.databases["tempdb"].tables, name
        if name.startswith("#"):
            return state.temp_tables, name
        database = parts[-3] if len(parts) >= 3 and parts[-3] else state.database
        return self.database(database).tables, name

    def table(self, state, parts):
        tables, name = self.find(state, parts)
        if name not in tables:
            raise error(208, ".".join(parts))
        return tables[name]

    def procedure(self, state, name):
        parts = name.split(".")
        database = parts[-3] if len(parts) >= 3 and parts[-3] else state.database
        return self.database(database).procedures, parts[-1].strip("[]").lower()


class Transaction:
    numbers = itertools.count(0x3200000001)

    def __init__(self, name=""):
        self.descriptor = next(Transaction.numbers)
        self.name, self.count = name, 1
        self.undo, self.saves = [], []
        self.tables = set()
        self.doomed = False

    def undo_to(self, length):
        while len(self.undo) > length:
            self.undo.pop()()
