"""Procedures: those of the system that drivers call, and those that tests create.

A call comes as an RPC message, by number or by name, or as EXEC; all three end here."""

import asyncio

from . import nodes as n
from . import reply as r
from . import values
from .cursors import CURSORS
from .errors import SqlError, error
from .parser import Parser, parse
from .query import Query
from .requests import NO_METADATA
from .state import Prepared
from .system import SYSTEM
from .values import Value, convert

EXEC = 0xE0
PROVIDED = SYSTEM | CURSORS


class Argument:
    def __init__(self, name, value, output=False):
        self.name, self.value, self.output = name, value, output
        self.assign = None  # where an output goes, from EXEC text
        self.ordinal = 0


class Signals:
    """What the executor's side of a call is made of."""

    def __init__(self, scope, returned, over):
        self.scope, self.returned, self.over = scope, returned, over


class Procedures:
    def __init__(self, executor, signals):
        self.executor, self.signals = executor, signals
        self.state, self.house, self.reply = executor.state, executor.house, executor.reply
        self.outputs = []  # [(argument, value)] of the call that runs
        self.own = {"sp_executesql": self.executesql, "sp_prepare": self.prepare,
                    "sp_execute": self.execute, "sp_prepexec": self.prepexec,
                    "sp_unprepare": self.unprepare}

    # --- calls ------------------------------------------------------------------------------

    async def from_rpc(self, call):
        """An RPC: results, RETURNSTATUS, RETURNVALUEs, DONEPROC."""
        arguments = [Argument(one.name, one.value, one.output) for one in call.parameters]
        for at, one in enumerate(arguments):
            one.ordinal = at
        self.state.variables = {}
        self.reply.no_metadata = bool(call.options & NO_METADATA)
        await self._call(call.name, arguments, None)
        self.reply.no_metadata = False

    async def from_text(self, node):
        """EXEC inside a batch."""
        arguments = []
        for name, expression, output in node.arguments:
            if expression is None:
                arguments.append(Argument(name or "", None))
                continue
            arguments.append(Argument(name or "", self.executor.value(expression), output))
            if output and isinstance(expression, n.Variable):
                arguments[-1].assign = expression.name
        status = await self._call(node.name, arguments, node)
        if node.target:
            self.executor.assign_variable(node.target, Value(values.INT, status))

    async def _call(self, name, arguments, node):
        """The return status."""
        outer, self.outputs = self.outputs, []
        executor, nested = self.executor, self.executor.in_procedure
        executor.in_procedure += 1
        status, failed = None, False
        try:
            status = await self._run(name, arguments)
        except SqlError as wrong:
            if node is not None:
                raise
            executor.report(wrong)
            self.reply.held = None  # DONEPROC says it
            failed = True
        except self.signals.over:
            if node is not None:
                raise
            failed = True
        finally:
            executor.in_procedure -= 1
            outputs, self.outputs = self.outputs, outer
        if failed:
            status = self.state.error
        self._say_end(status, outputs, node)
        token = r.DONEINPROC if nested else r.DONEPROC
        self.reply.done(token, r.FAILED if failed else 0, EXEC)
        return status

    def _say_end(self, status, outputs, node):
        self.reply.return_status(status or 0)
        for argument, value in outputs:
            if argument.assign:
                self.executor.assign_variable(argument.assign, value)
            elif node is None:
                self.reply.return_value(argument.ordinal, argument.name, value)

    async def _run(self, name, arguments):
        plain = name.split(".")[-1].strip("[]").lower()
        own = self.own.get(plain)
        if own is not None:
            return await own(arguments)
        if plain in PROVIDED:
            return await PROVIDED[plain](self, arguments)
        among, key = self.house.storage.procedure(self.state, name)
        if key not in among:
            raise error(2812, name)
        return await self.user_procedure(among[key], arguments)

    def output(self, arguments, at, value):
        """An OUTPUT parameter gets its value, if it was asked for."""
        if at < len(arguments) and arguments[at].output:
            self.outputs.append((arguments[at], value))

    # --- running text -----------------------------------------------------------------------

    def bind(self, parameters, arguments, what):
        """{name: Value} for declared parameters; OUTPUT ones as well."""
        found, position, named = {}, 0, False
        by_name = {one.name.lower(): one for one in parameters}
        for argument in arguments:
            if argument.name:
                named = True
                declared = by_name.get(argument.name.lower())
                if declared is None:
                    raise error(8145, argument.name, what)
            else:
                if named:
                    raise SqlError(119, f"Must pass parameter number {position + 1} and subsequent "
                                        "parameters as '@name = value'.", 15)
                if position >= len(parameters):
                    raise error(8144, what)
                declared = parameters[position]
            position += 1
            if argument.value is not None:
                found[declared.name.lower()] = (argument, convert(argument.value, declared.type))
        return found

    def _values_of(self, parameters, bound, missing):
        variables = {}
        for one in parameters:
            key = one.name.lower()
            if key in bound:
                variables[key] = bound[key][1]
            elif one.default is not None:
                variables[key] = convert(self.executor.value(one.default), one.type)
            else:
                raise missing(one.name)
        return variables

    async def body(self, run, parameters, bound, variables):
        """Runs something with variables of its own; gives the return status."""
        status = 0
        async with self.signals.scope(self.executor, counted=True):
            self.state.variables, self.state.table_variables = variables, {}
            try:
                await run()
            except self.signals.returned as back:
                status = back.value or 0
            finally:
                after = self.state.variables
        for one in parameters:
            held = bound.get(one.name.lower())
            if held and held[0].output and one.output:
                self.outputs.append((held[0], after[one.name.lower()]))
        return status

    async def user_procedure(self, procedure, arguments):
        bound = self.bind(procedure.parameters, arguments, procedure.name)
        variables = self._values_of(procedure.parameters, bound, lambda name: error(
            201, procedure.name, name))
        return await self.body(lambda: self.executor.run(procedure.body), procedure.parameters,
                               bound, variables)

    async def run_prepared(self, prepared, arguments):
        bound = self.bind(prepared.parameters, arguments, "")
        shown = f"({prepared.declared}){prepared.text}"[:4000]
        variables = self._values_of(prepared.parameters, bound,
                                    lambda name: error(8178, shown, name))
        return await self.body(lambda: self.executor.run_text(prepared.text), prepared.parameters,
                               bound, variables)

    def declared(self, text):
        """Parameters as sp_executesql declares them: @a int, @b nvarchar(20) output."""
        if not text or not text.strip():
            return []
        parser = Parser(text)
        found = parser.comma_list(parser.parameter)
        if parser.word is not None:
            parser.fail()
        return found

    def prepared(self, text, declarations):
        found = Prepared(text, self.declared(declarations))
        found.declared = declarations or ""
        return found

    @staticmethod
    def text_at(arguments, at, what):
        if at >= len(arguments) or arguments[at].value is None or (
                arguments[at].value.type.name not in values.WIDE):
            raise error(214, what)
        return arguments[at].value.data or ""

    # --- sp_executesql and the prepared ones ------------------------------------------------

    async def executesql(self, arguments):
        """@stmt, @params, then values. The names of the first two are free."""
        text = self.text_at(arguments, 0, "@statement")
        declarations = self.text_at(arguments, 1, "@params") if len(arguments) > 1 else ""
        return await self.run_prepared(self.prepared(text, declarations), arguments[2:])

    def keep(self, prepared):
        self.state.last_handle += 1
        self.state.handles[self.state.last_handle] = prepared
        return Value(values.INT, self.state.last_handle)

    def handle_at(self, arguments, at):
        value = arguments[at].value if at < len(arguments) else None
        number = None if value is None or value.data is None else convert(value, values.INT).data
        if number not in self.state.handles:
            raise error(8179, number or 0)
        return number

    @staticmethod
    def _declarations(arguments):
        value = arguments[1].value if len(arguments) > 1 else None
        return (value.data if value is not None else "") or ""

    async def prepare(self, arguments):
        """@handle OUTPUT, @params, @stmt, @options."""
        declarations = self._declarations(arguments)
        text = self.text_at(arguments, 2, "@stmt")
        prepared = self.prepared(text, declarations)
        statements = parse(text, self.state.options["QUOTED_IDENTIFIER"])
        wanted = len(arguments) < 4 or convert(arguments[3].value, values.INT).data & 1
        if wanted and len(statements) == 1 and isinstance(statements[0], n.Select):
            self._describe(statements[0], prepared)
        self.output(arguments, 0, self.keep(prepared))
        return 0

    def _describe(self, select, prepared):
        """COLMETADATA of what the statement will give."""
        variables = self.state.variables
        self.state.variables = {one.name.lower(): Value(one.type, None)
                                for one in prepared.parameters}
        try:
            columns, _ = Query(self.state).rows(select)
            self.reply.metadata([r.Shown(one.name, one.type, one.nullable, one.flags)
                                 for one in columns])
        finally:
            self.state.variables = variables

    async def execute(self, arguments):
        number = self.handle_at(arguments, 0)
        return await self.run_prepared(self.state.handles[number], arguments[1:])

    async def prepexec(self, arguments):
        """@handle OUTPUT, @params, @stmt, then values. The handle is kept although the first
        execution fails, and an old one that is given is dropped."""
        text = self.text_at(arguments, 2, "@stmt")
        prepared = self.prepared(text, self._declarations(arguments))
        old = arguments[0].value
        if old is not None and old.data is not None:
            self.state.handles.pop(convert(old, values.INT).data, None)
        handle = self.keep(prepared)
        status = await self.run_prepared(prepared, arguments[3:])
        self.output(arguments, 0, handle)
        return status

    async def unprepare(self, arguments):
        del self.state.handles[self.handle_at(arguments, 0)]
        return 0

    # --- for the other procedures -----------------------------------------------------------

    def table(self, columns, rows):
        """A result set; columns are (name, type)."""
        self.reply.metadata([r.Shown(name, kind) for name, kind in columns])
        for row in rows:
            self.reply.row(row)
        self.executor.done(r.SELECT, len(rows))

    async def wait_for_lock(self, free, timeout_s):
        """Until `free()`; false when the time is over."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout_s is None else loop.time() + timeout_s
        while not free():
            left = None if deadline is None else deadline - loop.time()
            if left is not None and left <= 0:
                return False
            await self.state.wait_until(self.house.locks_changed(), left)
        return True
