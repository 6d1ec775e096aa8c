"""CREATE and DROP."""

from .errors import error
from .storage import Column, Key, Procedure, Table
from .views import view


class Definitions:
    def make_table(self, parts, node):
        columns, keys, seen = [], [], set()
        for at, one in enumerate(node.columns):
            if one.name.lower() in seen:
                raise error(2705, one.name, parts[-1])
            seen.add(one.name.lower())
            nullable = one.nullable if one.nullable is not None else not one.identity
            columns.append(Column(one.name, one.type, nullable, one.identity, one.default))
            if one.key:
                keys.append(Key(f"PK__{parts[-1]}", one.key, [at]))
        table = Table(parts[-1], columns, keys)
        for name, of in node.keys:
            for column in of:
                if column.lower() not in table.index:
                    raise error(207, column)
            indices = [table.index[column.lower()] for column in of]
            table.keys.append(Key(name or f"PK__{parts[-1]}", "PRIMARY KEY", indices))
        return table

    def add_table(self, parts, table):
        tables, name = self.house.storage.find(self.state, parts)
        if name in tables:
            raise error(2714, parts[-1])
        tables[name] = table
        transaction = self.state.transaction
        if transaction and not parts[-1].startswith(("#", "@")):
            table.owner = self.state  # nobody else sees it before the commit
            transaction.tables.add(table)
        self.remember(lambda: tables.pop(name, None))

    async def create_table(self, node):
        self.add_table(node.table, self.make_table(node.table, node))
        self.done_definition(0xC6)

    async def declare_table(self, node):
        self.state.table_variables[node.name.lower()] = self.make_table([node.name], node)

    def done_definition(self, command):
        self.state.rowcount = 0
        self.done(command)

    async def drop(self, node):
        for parts in node.names:
            among, name = self._place(node.kind, parts)
            if name not in among:
                if node.if_exists:
                    continue
                raise error(3701, node.kind.lower(), parts[-1])
            if node.kind == "TABLE":
                await self.own(parts)
            old = among.pop(name)
            if node.kind != "DATABASE":
                self.remember(lambda among=among, name=name, old=old: among.update({name: old}))
        self.done_definition(0xC7)

    def _place(self, kind, parts):
        storage = self.house.storage
        if kind == "PROCEDURE":
            return storage.procedure(self.state, ".".join(parts))
        if kind == "DATABASE":
            return storage.databases, parts[-1].lower()
        if view(self.state, parts) is not None:
            raise error(3701, "table", parts[-1])
        return storage.find(self.state, parts)

    async def create_procedure(self, node):
        among, name = self.house.storage.procedure(self.state, ".".join(node.name))
        old = among.get(name)
        if old and not node.alters:
            raise error(2714, node.name[-1])
        among[name] = Procedure(node.name[-1], node.parameters, node.body, node.text)

        def undo():
            if old:
                among[name] = old
            else:
                among.pop(name, None)
        self.remember(undo)
        self.done_definition(0xDE)

    async def create_database(self, node):
        if self.state.transaction:
            raise error(226, "CREATE DATABASE")
        if node.name.lower() in self.house.storage.databases:
            raise error(1801, node.name)
        self.house.storage.add(node.name)
        self.done_definition(0xCB)
