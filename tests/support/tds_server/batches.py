"""Runs statements: order, scopes, errors, transactions."""

import asyncio

from . import nodes as n
from . import reply as r
from . import values
from .definitions import Definitions
from .errors import AttentionSeen, EndConnection, SqlError, error
from .evaluate import Frame
from .parser import parse
from .procedures import Procedures, Signals
from .query import Query, parts_of
from .rows import Rows
from .scopes import Scope, formatted, seconds_of
from .security import Security
from .settings import Settings
from .values import convert

OPENS_TRANSACTION = (n.Insert, n.Update, n.Delete, n.Truncate, n.CreateTable, n.Drop, n.InsertBulk,
                     n.CreateProcedure)
WRITES = OPENS_TRANSACTION
PAUSE_EVERY = 32  # statements


class BatchOver(Exception):
    """An error has ended the batch."""


class Returned(Exception):
    def __init__(self, value):
        super().__init__()
        self.value = value


class BrokenOut(Exception):
    pass


class Continued(Exception):
    pass


class Executor(Rows, Definitions, Settings, Security):
    """One request. `reply` takes what is said."""

    def __init__(self, session, reply):
        self.session, self.reply = session, reply
        self.state, self.house = session.state, session.house
        self.query = Query(self.state)
        self.procedures = Procedures(self, Signals(Scope, Returned, BatchOver))
        self.in_procedure = 0  # then DONEINPROC
        self.tries = 0
        self.undo, self.loose_tables = [], set()  # of a statement outside transactions
        self.handlers = {
            n.Select: self.select, n.Insert: self.insert, n.Update: self.update,
            n.Delete: self.delete, n.Truncate: self.truncate, n.InsertBulk: self.insert_bulk,
            n.CreateTable: self.create_table, n.Drop: self.drop,
            n.CreateProcedure: self.create_procedure, n.CreateDatabase: self.create_database,
            n.DeclareTable: self.declare_table, n.Begin: self.begin, n.Commit: self.commit,
            n.Rollback: self.rollback, n.Save: self.save, n.SetOptions: self.set_options,
            n.SetVariable: self.set_variable, n.SetIsolation: self.set_isolation,
            n.Declare: self.declare, n.If: self.if_, n.While: self.while_, n.Block: self.block,
            n.Try: self.try_, n.Print: self.print, n.Raise: self.raise_, n.Throw: self.throw,
            n.Use: self.use, n.WaitFor: self.wait_for, n.Return: self.return_,
            n.Break: self.break_, n.Continue: self.continue_, n.Execute: self.execute,
            n.ExecuteText: self.execute_text, n.ExecuteAs: self.execute_as,
            n.Revert: self.revert, n.Kill: self.kill, n.DeclareCursor: self.declare_cursor,
            n.CursorStep: self.cursor_step, n.Dbcc: self.dbcc}

    # --- a batch ----------------------------------------------------------------------------

    async def batch(self, text):
        """A SQL batch with its last DONE."""
        self.state.variables, self.state.table_variables = {}, {}
        await self.guarded(self.run_text(text))
        self.end_of_batch()
        if self.reply.held is None:
            self.reply.done(r.DONE, 0, r.NO_COMMAND)

    async def run_text(self, text):
        statements = parse(text, self.state.options["QUOTED_IDENTIFIER"])
        await self.run(statements)

    async def guarded(self, work):
        """True unless an error ended it; RETURN is fine."""
        try:
            await work
        except BatchOver:
            return False
        except Returned:
            pass
        except SqlError as wrong:
            self.report(wrong)
            return False
        return True

    async def once(self, work):
        """One thing that is no text; all of it or nothing. True if it was done."""
        transaction = self.state.transaction
        mark = len(transaction.undo) if transaction else 0
        try:
            await work()
        except SqlError as wrong:
            self._take_back(mark)
            self.report(wrong)
            return False
        self.undo.clear()
        self._release_loose()
        return True

    def end_of_batch(self):
        """A transaction that cannot be committed does not outlive its batch."""
        if self.state.xact_state == -1:
            self.reply.transaction(r.ENV_ROLLBACK, self.state.rollback())
            self.reply.error(error(3998))
            self.reply.done(r.DONE, r.FAILED, r.NO_COMMAND)

    async def run(self, statements):
        for one in statements:
            await self.statement(one)

    async def statement(self, node):
        self.state.check_attention()
        self.state.statements += 1
        if self.state.statements % PAUSE_EVERY == 0:
            await asyncio.sleep(0)
            await self.reply.breathe()
        self._open_implicitly(node)
        transaction = self.state.transaction
        mark = len(transaction.undo) if transaction else 0
        try:
            if transaction and transaction.doomed and isinstance(node, WRITES):
                raise error(3930)
            await self.handlers[type(node)](node)
            self._end_of_statement(node)
        except SqlError as wrong:
            self._take_back(mark)
            wrong.line = wrong.line or node.line
            if self.tries:
                self._doom(wrong)
                raise
            self.report(wrong)
            if wrong.ends_batch or wrong.rolled_back or isinstance(node, n.Throw):
                raise BatchOver from None
        except (AttentionSeen, asyncio.CancelledError):
            self._take_back(mark)
            raise

    def _open_implicitly(self, node):
        if not self.state.options["IMPLICIT_TRANSACTIONS"] or self.state.transaction:
            return
        reads = isinstance(node, n.Select) and any(parts_of(node, n.TableSource))
        if reads or isinstance(node, OPENS_TRANSACTION):
            self._said(r.ENV_BEGIN, self.state.begin())

    def _end_of_statement(self, node):
        if not isinstance(node, (n.If, n.While, n.Block, n.Try, n.Declare)):
            self.state.error = 0
        self.undo.clear()
        self._release_loose()

    def _release_loose(self):
        for table in self.loose_tables:
            table.release(self.state)
        self.loose_tables.clear()

    def _take_back(self, mark):
        """What the failed statement has changed."""
        if self.state.transaction:
            self.state.transaction.undo_to(mark)
        while self.undo:
            self.undo.pop()()
        self._release_loose()

    def _doom(self, wrong):
        """Inside TRY: the transaction cannot be committed any more."""
        harsh = wrong.rolls_back or (self.state.options["XACT_ABORT"] and not wrong.raised)
        if harsh and self.state.transaction:
            self.state.transaction.doomed = True

    def report(self, wrong):
        """ERROR and DONE; rolls back before if the error is of that kind."""
        state = self.state
        state.error, state.rowcount = wrong.number, 0
        harsh = wrong.rolls_back or (state.options["XACT_ABORT"] and not wrong.raised)
        harsh = harsh or (state.babelfish and wrong.ends_batch)
        wrong.rolled_back = bool(harsh and state.transaction)
        if wrong.rolled_back:
            # As Babelfish sends it: the end of the transaction first, then why.
            self.reply.transaction(r.ENV_ROLLBACK, state.rollback())
        self.reply.error(wrong)
        if wrong.severity < 20:
            token = r.DONEINPROC if self.in_procedure else r.DONE
            self.reply.done(token, r.FAILED, r.NO_COMMAND)
        else:
            self.reply.done(r.DONE, r.FAILED | r.SERVER_ERROR, r.NO_COMMAND)
            raise EndConnection(f"error {wrong.number}, severity {wrong.severity}")

    # --- saying what has been done ----------------------------------------------------------

    def done(self, command, count=None):
        """DONE of a statement; with SET NOCOUNT ON nothing is counted, and inside procedures
        nothing is said."""
        nocount = self.state.options["NOCOUNT"]
        if count is not None:
            self.state.rowcount = count
        if self.in_procedure and nocount and not self.state.babelfish:
            return
        counted = count is not None and not nocount
        token = r.DONEINPROC if self.in_procedure else r.DONE
        self.reply.done(token, r.COUNT if counted else 0, command, count or 0)

    def done_quietly(self):
        """Of statements that SQL Server says nothing about, and Babelfish does."""
        self.state.rowcount = 0
        if self.state.babelfish:
            self.reply.done(r.DONEINPROC if self.in_procedure else r.DONE, 0, 2)

    def _said(self, kind, descriptor):
        """ENVCHANGE for what SQL text has done to a transaction: Babelfish says nothing."""
        if not self.state.babelfish:
            self.reply.transaction(kind, descriptor)

    def value(self, node):
        return self.query.evaluator.value(node, Frame())

    def text(self, node, kind=None):
        found = convert(self.value(node), kind or values.nvarchar(values.MAX))
        return found.data

    def number(self, node):
        return convert(self.value(node), values.BIGINT).data

    # --- transactions -----------------------------------------------------------------------

    def name_of(self, name):
        if isinstance(name, n.Variable):
            return self.text(name) or ""
        return name or ""

    async def begin(self, node):
        if self.state.xact_state == -1:
            raise error(3930)
        self._said(r.ENV_BEGIN, self.state.begin(self.name_of(node.name)))
        self.done(0xD4)

    async def commit(self, node):
        if self.state.transaction is None and self.state.babelfish and self.state.leaked_count:
            raise error(3902)
        self._said(r.ENV_COMMIT, self.state.commit())
        self.done(0xD5)

    async def rollback(self, node):
        name = self.name_of(node.name)
        transaction = self.state.transaction
        if transaction is None:
            raise error(3903)
        if name and name.lower() != transaction.name.lower():
            self.state.rollback_to(name)
        else:
            self._said(r.ENV_ROLLBACK, self.state.rollback())
        self.done(0xD2)

    async def save(self, node):
        self.state.save(self.name_of(node.name))
        self.done(0xD6)

    # --- control of flow --------------------------------------------------------------------

    def truth(self, condition):
        return self.query.evaluator.truth(condition, Frame())

    async def if_(self, node):
        await self.lock_sources(node.condition)
        if self.truth(node.condition):
            await self.statement(node.then)
        elif node.otherwise is not None:
            await self.statement(node.otherwise)

    async def while_(self, node):
        while self.truth(node.condition):
            await asyncio.sleep(0)
            await self.reply.breathe()
            try:
                await self.statement(node.body)
            except BrokenOut:
                break
            except Continued:
                continue

    async def break_(self, node):
        raise BrokenOut

    async def continue_(self, node):
        raise Continued

    async def block(self, node):
        await self.run(node.statements)

    async def try_(self, node):
        self.tries += 1
        wrong = None
        try:
            await self.run(node.body)
        except SqlError as found:
            if found.severity >= 20:
                self.report(found)
            wrong = found
        finally:
            self.tries -= 1
        if wrong is None:
            return
        self.state.error = wrong.number
        self.state.caught.append(wrong)
        try:
            await self.run(node.handler)
        finally:
            self.state.caught.pop()

    async def return_(self, node):
        found = self.value(node.expression) if node.expression is not None else None
        raise Returned(None if found is None else convert(found, values.INT).data)

    # --- saying things ----------------------------------------------------------------------

    async def print(self, node):
        text = self.text(node.expression) or ""
        self.reply.info(0, text[:4000] or " ")
        if self.state.babelfish:
            self.done_quietly()

    async def raise_(self, node):
        message = self.value(node.message)
        severity, state = (self.number(one) or 0 for one in (node.severity, node.state))
        number = 50000
        if values.is_number(message.type):
            number = convert(message, values.INT).data
            raise error(2732, number) if number < 13000 else error(18054, number)
        arguments = [self.value(one) for one in node.arguments]
        text = formatted(convert(message, values.nvarchar(2047)).data or "", arguments)
        if severity >= 19 and "LOG" not in node.options:
            raise error(2754)
        if severity <= 10:
            self.state.error = 50000 if "SETERROR" in node.options else 0
            self.reply.info(number, text, severity, state)
            if "NOWAIT" in node.options:
                await self.reply.push()
            self.done_quietly()
            return
        wrong = SqlError(number, text, severity, state)
        wrong.raised = True
        raise wrong

    async def throw(self, node):
        if node.number is None:
            if not self.state.caught:
                raise SqlError(10704, "To rethrow an error, a THROW statement must be used inside "
                                      "a CATCH block.", 15)
            wrong = self.state.caught[-1]
        else:
            wrong = SqlError(self.number(node.number) or 0, self.text(node.message) or "", 16,
                             self.number(node.state) or 0)
        raise wrong

    async def wait_for(self, node):
        seconds = seconds_of(self.text(node.expression))
        await self.state.wait_until(None, seconds)
        self.done_quietly()

    # --- procedures -------------------------------------------------------------------------

    async def execute_text(self, node):
        text = self.text(node.expression)
        async with Scope(self, counted=True):
            self.state.variables, self.state.table_variables = {}, {}
            await self.run_text(text or "")

    async def execute(self, node):
        await self.procedures.from_text(node)
