"""The side door: a port on which a test asks and orders. One JSON object a line, one line back.

    {"do": "sessions"}            those that are open, each with all that it keeps
    {"do": "history"}             those that have ended, and why
    {"do": "counts"}              logins, requests, attentions and what became of them, violations
    {"do": "violations"}          [{"spid", "login", "text"}]
    {"do": "table", "database": "app", "name": "t"}       rows, as another connection could not see
    {"do": "kill", "spid": 51}    as KILL does
    {"do": "fault", "what": "slow", "seconds": 2, ...}    see faults.py
    {"do": "clear"}               no faults any more
    {"do": "forget"}              counts, history and violations begin anew"""

import asyncio
import json

from . import options
from .values import Value, text_of


def shown(value):
    """A value for JSON."""
    if value is None or isinstance(value, (int, float, str)):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Value):
        return shown(value.data)
    return str(value)


def session_facts(session):
    state = session.state
    texts, transaction = state.login.texts, state.transaction
    return {
        "spid": state.spid, "login": state.user, "app": texts["app"], "host": texts["host"],
        "library": texts["library"], "version": f"{state.login.version:#x}",
        "odbc": state.login.odbc, "read_only": state.login.read_only,
        "packet_size": session.wire.packet_size, "encryption": session.encryption,
        "features": sorted(state.login.features), "client_id": state.login.client_id.hex(),
        "process": state.login.process,
        "database": state.database, "login_database": state.login_database,
        "language": state.language, "login_language": state.login_language,
        "isolation": state.isolation, "trancount": state.trancount,
        "descriptor": transaction.descriptor if transaction else 0,
        "doomed": bool(transaction and transaction.doomed),
        "temp_tables": sorted(state.temp_tables), "handles": sorted(state.handles),
        "cursors": sorted(state.cursors), "bulk": state.bulk is not None,
        "context_info": state.context_info.hex(),
        "session_context": {key: shown(held) for key, (held, _) in state.session_context.items()},
        "security": [list(one[:2]) for one in state.security],
        "applocks": sorted(key for key, (holder, _) in session.house.storage.applocks.items()
                           if holder is state),
        "options": changed_options(state), "busy": session.busy,
        "requests": session.requests, "kinds": session.kinds, "resets": state.resets,
        "skipped_resets": state.skipped_resets, "attentions": session.attentions,
        "acknowledged": session.acknowledged, "bytes_in": session.wire.bytes_in,
        "bytes_out": session.wire.bytes_out}


def changed_options(state):
    """SET options that differ from those that a new connection has."""
    fresh = options.defaults(state.login.odbc)
    return {name: shown(value) for name, value in state.options.items() if value != fresh[name]}


class Control:
    def __init__(self, house):
        self.house = house

    async def serve(self, reader, writer):
        try:
            while line := await reader.readline():
                answer = self.answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def answer(self, line):
        try:
            asked = json.loads(line)
            return getattr(self, f"_{asked.pop('do')}")(**asked)
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            return {"wrong": f"{type(wrong).__name__}: {wrong}"}

    def _sessions(self):
        return [session_facts(one) for one in self.house.sessions()]

    def _history(self):
        return self.house.history

    def _counts(self):
        return self.house.counts()

    def _violations(self):
        return self.house.violations

    def _table(self, database, name):
        table = self.house.storage.database(database).tables[name.lower()]
        return [[None if data is None else shown(text_of(Value(column.type, data)))
                 if not isinstance(data, (int, float, str)) else data
                 for column, data in zip(table.columns, row)] for row in table.rows.values()]

    def _kill(self, spid):
        return {"killed": self.house.kill(spid)}

    def _fault(self, **order):
        self.house.orders.add(**order)
        return {"faults": len(self.house.orders.orders)}

    def _clear(self):
        self.house.orders.clear()
        return {"faults": 0}

    def _forget(self):
        self.house.history.clear()
        self.house.violations.clear()
        self.house.totals.clear()
        return {}
