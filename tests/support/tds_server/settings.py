"""SET, DECLARE, USE, KILL, DBCC."""

from . import nodes as n
from . import options
from . import reply as r
from . import values
from .errors import error
from .values import Value, convert

QUIET_DBCC = {"TRACEON", "TRACEOFF", "FREEPROCCACHE", "DROPCLEANBUFFERS", "CHECKDB"}


class Settings:
    async def set_options(self, node):
        for name in node.names:
            self.set_option(name, node.value)
        self.done_quietly()

    def set_option(self, name, value):
        state = self.state
        if isinstance(value, n.Node):
            value = self.value(value).data
        if name == "LANGUAGE":
            self.set_language(value)
        elif name == "CONTEXT_INFO":
            data = value if isinstance(value, bytes) else None
            if data is None:
                raise error(40000, f"CONTEXT_INFO {value!r}")
            state.context_info = data[:128]
        elif name == "IDENTITY_INSERT":
            self.set_identity_insert(*value)
        else:
            options.change(state.options, name, value)

    def set_language(self, name):
        language, first, order = options.language(str(name))
        old, self.state.language = self.state.language, language
        self.state.options["DATEFIRST"], self.state.options["DATEFORMAT"] = first, order
        self.reply.env_text(r.ENV_LANGUAGE, language, old)
        self.reply.info(5703, f"Changed language setting to {language}.", 10 if
                        self.state.babelfish else 0)

    def set_identity_insert(self, parts, switch):
        table = self.house.storage.table(self.state, parts)
        held = self.state.options["IDENTITY_INSERT"]
        if switch == "ON":
            if held and held.lower() != table.name.lower():
                raise error(8107, held, table.name)
            self.state.options["IDENTITY_INSERT"] = table.name
        elif held and held.lower() == table.name.lower():
            self.state.options["IDENTITY_INSERT"] = None

    async def set_isolation(self, node):
        if self.state.babelfish and node.level in (3, 4):
            raise error(40000, "this isolation level")
        self.state.isolation = node.level
        self.done_quietly()

    async def set_variable(self, node):
        await self.lock_sources(node.expression)
        self.assign_variable(node.name, self.value(node.expression))
        self.state.rowcount = 1
        if self.state.babelfish:
            self.done(r.SELECT if self.in_procedure else 2, 0 if self.in_procedure else None)

    async def declare(self, node):
        for name, kind, initial in node.variables:
            if name.lower() in self.state.variables:
                raise error(134, name)
            found = Value(kind, None)
            if initial is not None:
                await self.lock_sources(initial)
                found = convert(self.value(initial), kind)
            self.state.variables[name.lower()] = found

    async def use(self, node):
        database = self.house.storage.database(node.database).name
        self.change_database(database)
        self.done_quietly()

    def change_database(self, database):
        old, self.state.database = self.state.database, database
        self.reply.env_text(r.ENV_DATABASE, database, old)
        self.reply.info(0 if self.state.babelfish else 5701,
                        f"Changed database context to '{database}'.", 0, 2)

    async def kill(self, node):
        spid = self.number(node.spid)
        if spid == self.state.spid:
            raise error(6104)
        if not self.house.kill(spid):
            raise error(6106, spid)
        self.done_quietly()

    async def dbcc(self, node):
        if node.command == "USEROPTIONS":
            return await self.user_options()
        if node.command not in QUIET_DBCC:
            raise error(2526)
        self.reply.info(2528, "DBCC execution completed. If DBCC printed error messages, contact "
                              "your system administrator.")
        self.done(0xE0)

    async def user_options(self):
        state = self.state
        rows = [["textsize", str(state.options["TEXTSIZE"])], ["language", state.language],
                ["dateformat", state.options["DATEFORMAT"]],
                ["datefirst", str(state.options["DATEFIRST"])],
                ["lock_timeout", str(state.options["LOCK_TIMEOUT"])]]
        rows += [[name.lower(), "SET"] for name in options.BITS if state.options[name]]
        level = {1: "read uncommitted", 2: "read committed", 3: "repeatable read",
                 4: "serializable", 5: "snapshot"}[state.isolation]
        rows.append(["isolation level", level])
        self.reply.metadata([r.Shown("Set Option", values.nvarchar(128)),
                             r.Shown("Value", values.nvarchar(128))])
        for row in rows:
            self.reply.row(row)
        self.done(r.SELECT, len(rows))
