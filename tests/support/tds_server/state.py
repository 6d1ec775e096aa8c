"""What a connection has besides its socket: what a reset clears, and what it does not.

SQL Server's RESETCONNECTION ends the transaction and clears temporary tables, handles, cursors, SET
options, locks of its own, session context, and goes back to the login's database and language
without saying so; the isolation level stays (MS-TDS 2.2.3.1.2). Babelfish keeps the database, the
session context and context_info as well, and its @@TRANCOUNT."""

import asyncio
import itertools

from . import options
from .errors import AttentionSeen, error
from .storage import Transaction

READ_COMMITTED = 2


class Prepared:
    def __init__(self, text, parameters):
        self.text, self.parameters = text, parameters


class Cursor:
    def __init__(self, select, is_global):
        self.select, self.is_global, self.rows = select, is_global, None
        self.kinds = None


class State:
    """`house` is the server: storage, mode, faults."""

    def __init__(self, house, spid, login):
        self.house, self.spid, self.login = house, spid, login
        self.user = login.texts["user"]
        self.login_database = self.login_language = None  # set by the login
        self.database, self.language = "master", "us_english"
        self.isolation = READ_COMMITTED
        self.transaction = None
        self.leaked_count = 0  # Babelfish's @@TRANCOUNT after a reset
        self.waiting_for = None
        self.attention = asyncio.Event()
        self.resets = self.skipped_resets = 0
        self.variables, self.table_variables = {}, {}
        self.last_handle = self.last_cursor = 0
        self.statements = 0
        self.context_info = b""
        self.session_context = {}
        self.security = []  # EXECUTE AS and application roles, latest last
        self.caught = []  # errors of the CATCH blocks we are in
        self.depth = 0
        self.temp_tables = {}
        self.set_defaults()

    def set_defaults(self):
        self.options = options.defaults(self.login.odbc)
        self.handles, self.cursors = {}, {}
        self.identity = self.scope_identity = None
        self.rowcount, self.error = 0, 0
        self.fetch_status = 0
        self.bulk = None  # INSERT BULK that waits for its data

    # --- facts ------------------------------------------------------------------------------

    @property
    def babelfish(self):
        return self.house.babelfish

    @property
    def trancount(self):
        return self.leaked_count + (self.transaction.count if self.transaction else 0)

    @property
    def xact_state(self):
        if self.transaction is None:
            return 0
        return -1 if self.transaction.doomed else 1

    @property
    def lock_timeout_s(self):
        milliseconds = self.options["LOCK_TIMEOUT"]
        return None if milliseconds < 0 else milliseconds / 1000

    @property
    def login_name(self):
        return self.security[-1][1] if self.security else self.user

    # --- waiting ----------------------------------------------------------------------------

    def check_attention(self):
        if self.attention.is_set() and not self.babelfish:
            raise AttentionSeen

    async def wait_until(self, event, timeout_s=None, otherwise=None):
        """Waits for an event, an attention or the time; raises `otherwise` when that is over."""
        waits = [asyncio.ensure_future(event.wait())] if event else []
        if not self.babelfish:
            waits.append(asyncio.ensure_future(self.attention.wait()))
        try:
            if waits:
                await asyncio.wait(waits, timeout=timeout_s,
                                   return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(timeout_s)
        finally:
            for one in waits:
                one.cancel()
        self.check_attention()
        if event and not event.is_set() and otherwise:
            raise otherwise

    # --- transactions -----------------------------------------------------------------------

    def begin(self, name=""):
        """The new transaction's descriptor, or None if it is nested."""
        if self.transaction:
            self.transaction.count += 1
            return None
        self.transaction = Transaction(name)
        return self.transaction.descriptor

    def commit(self):
        """The descriptor that is over, or None if an outer one goes on."""
        found = self.transaction
        if found is None:
            raise error(3902)
        if found.doomed:
            raise error(3930)
        found.count -= 1
        if found.count:
            return None
        self._end_transaction()
        return found.descriptor

    def rollback(self):
        """The descriptor that is over, or None if there was none."""
        found = self.transaction
        if found is None:
            return None
        found.undo_to(0)
        self._end_transaction()
        return found.descriptor

    def _end_transaction(self):
        tables, self.transaction = self.transaction.tables, None
        for table in tables:
            table.release(self)
        self.drop_locks("Transaction")

    def save(self, name):
        if self.transaction is None:
            raise error(628)
        if self.transaction.doomed:
            raise error(3930)
        self.transaction.saves.append((name.lower(), len(self.transaction.undo)))

    def rollback_to(self, name):
        saves = self.transaction.saves if self.transaction else []
        for at in range(len(saves) - 1, -1, -1):
            if saves[at][0] == name.lower():
                if self.transaction.doomed:
                    raise error(3931)
                self.transaction.undo_to(saves[at][1])
                del saves[at + 1:]
                return
        raise error(6401, name)

    # --- locks of applications --------------------------------------------------------------

    def drop_locks(self, owner=None):
        for key, (holder, kind) in list(self.house.storage.applocks.items()):
            if holder is self and owner in (None, kind):
                del self.house.storage.applocks[key]
        self.house.lock_freed()

    # --- the end of it ----------------------------------------------------------------------

    def clear(self):
        self.rollback()
        self.drop_locks()
        self.temp_tables = {}

    def reset(self, keep_transaction):
        """RESETCONNECTION; with RESETCONNECTIONSKIPTRAN the transaction stays."""
        if self.security:
            raise error(18059)
        if keep_transaction:
            self.skipped_resets += 1
            self.drop_locks("Session")
        else:
            self.resets += 1
            if self.babelfish:
                self.leaked_count = self.trancount
            self.rollback()
            self.drop_locks()
        self.temp_tables = {}
        self.set_defaults()
        if self.babelfish:
            return
        self.context_info, self.session_context = b"", {}
        self.database, self.language = self.login_database, self.login_language
        _, first, order = options.language(self.language)
        self.options["DATEFIRST"], self.options["DATEFORMAT"] = first, order


class Spids:
    """SQL Server's sessions of users begin at 51."""

    def __init__(self):
        self.used = set()

    def take(self):
        found = next(one for one in itertools.count(51) if one not in self.used)
        self.used.add(found)
        return found
