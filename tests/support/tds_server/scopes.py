"""What ends with a procedure, and small things that batches need."""

from . import reply as r
from .errors import SqlError, error
from .moments import TICKS_PER_SECOND, parse_clock

NESTING_MAX = 32


class Scope:
    """A procedure, or text that is executed: variables are its own, and what it sets or creates
    ends with it, in SQL Server. In Babelfish that stays."""

    def __init__(self, executor, counted):
        self.executor, self.state, self.counted = executor, executor.state, counted

    async def __aenter__(self):
        state = self.state
        if state.depth >= NESTING_MAX:
            raise error(217)
        state.depth += 1
        self.variables, self.table_variables = state.variables, state.table_variables
        self.options, self.isolation = dict(state.options), state.isolation
        self.database, self.temp_tables = state.database, set(state.temp_tables)
        self.trancount, self.security = state.trancount, len(state.security)
        self.tries = self.executor.tries
        self.identity = state.scope_identity

    async def __aexit__(self, kind, wrong, trace):
        state = self.state
        state.depth -= 1
        state.variables, state.table_variables = self.variables, self.table_variables
        self.executor.tries = self.tries
        if not state.babelfish:
            self._restore()
        if self.counted and kind is None and state.trancount != self.trancount:
            self._mismatch()

    def _restore(self):
        state = self.state
        for name in set(state.temp_tables) - self.temp_tables:
            del state.temp_tables[name]
        state.options = self.options
        state.isolation, state.scope_identity = self.isolation, self.identity
        del state.security[self.security:]
        if state.database != self.database:
            self.executor.reply.env_text(r.ENV_DATABASE, self.database, state.database)
            state.database = self.database

    def _mismatch(self):
        if self.state.babelfish:
            return
        wrong = error(266, self.trancount, self.state.trancount, state=2)
        if self.executor.tries:
            raise wrong
        self.executor.reply.error(wrong)
        self.state.error = 266


def formatted(text, arguments):
    """RAISERROR's %s and %d."""
    out, rest = "", iter(arguments)
    at = 0
    while at < len(text):
        if text[at] == "%" and at + 1 < len(text):
            end = at + 1
            while end < len(text) and text[end] in "-+0# 123456789.*l":
                end += 1
            letter = text[end:end + 1]
            if letter == "%":
                out += "%"
            elif letter in "sdiuxXo":
                found = next(rest, None)
                data = None if found is None else found.data
                out += "(null)" if data is None else str(data)
            else:
                raise SqlError(2787, f"Invalid format specification: '{text[at:end + 1]}'.")
            at = end + 1
        else:
            out += text[at]
            at += 1
    return out


def seconds_of(text):
    """hh:mm:ss.mmm of WAITFOR DELAY."""
    ticks = parse_clock((text or "").strip())
    if ticks is None:
        raise SqlError(148, f"Incorrect time syntax in time string '{text}' used with WAITFOR.", 15)
    return ticks / TICKS_PER_SECOND
