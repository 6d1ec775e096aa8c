"""Views of the system: what drivers ask, and what tests look at."""

import datetime

from . import moments, values
from .storage import Column, number_of
from .values import INT, SMALLINT, SYSNAME, nvarchar, varchar

OBJECTS = 2000  # rows of sys.all_objects, so that there is something long to read
COLLATION = "SQL_Latin1_General_CP1_CI_AS"
CHAR2, LEVEL = values.SqlType("char", 2), SMALLINT


def columns(**kinds):
    return [Column(name, kind) for name, kind in kinds.items()]


def databases(state):
    return columns(name=SYSNAME, database_id=INT, state=values.TINYINT), (
        [one.name, at, 0] for at, one in enumerate(state.house.storage.databases.values(), 1))


def all_objects(state):
    return columns(name=SYSNAME, object_id=INT, type=CHAR2), (
        [f"object{at}", at, "V "] for at in range(1, OBJECTS + 1))


def tables(state):
    found = state.house.storage.database(state.database).tables.values()
    return columns(name=SYSNAME, object_id=INT, type=CHAR2), (
        [one.name, number_of(one.name), "U "] for one in list(found))


def table_columns(state):
    """sys.columns."""
    found = state.house.storage.database(state.database).tables.values()
    shown = columns(object_id=INT, name=SYSNAME, column_id=INT, max_length=SMALLINT,
                    collation_name=SYSNAME, is_nullable=values.BIT, is_identity=values.BIT,
                    is_computed=values.BIT, encryption_type=INT)
    return shown, ([number_of(table.name), one.name, at, one.type.size,
                    COLLATION if values.is_text(one.type) else None, int(one.nullable),
                    int(one.identity is not None), 0, None]
                   for table in list(found) for at, one in enumerate(table.columns, 1))


def procedures(state):
    found = state.house.storage.database(state.database).procedures.values()
    return columns(name=SYSNAME, object_id=INT, type=CHAR2), (
        [one.name, number_of(one.name), "P "] for one in list(found))


def schema_tables(state):
    found = state.house.storage.database(state.database).tables.values()
    return columns(TABLE_CATALOG=SYSNAME, TABLE_SCHEMA=SYSNAME, TABLE_NAME=SYSNAME,
                   TABLE_TYPE=varchar(10)), (
        [state.database, "dbo", one.name, "BASE TABLE"] for one in list(found))


def moment(seconds):
    found = datetime.datetime.fromtimestamp(seconds)
    clock = (found.hour * 3600 + found.minute * 60 + found.second) * moments.TICKS_PER_SECOND
    return moments.Moment(found.toordinal() - 1, clock + found.microsecond * 10)


def sessions(state):
    """sys.dm_exec_sessions: names as in SQL Server, and more columns."""
    shown = columns(session_id=SMALLINT, login_time=values.DATETIME, host_name=nvarchar(128),
                    program_name=nvarchar(128), host_process_id=INT,
                    client_interface_name=nvarchar(32), login_name=SYSNAME,
                    original_login_name=SYSNAME, status=nvarchar(30), database_name=SYSNAME,
                    language=SYSNAME, transaction_isolation_level=LEVEL, lock_timeout=INT,
                    open_transaction_count=INT, quoted_identifier=values.BIT,
                    context_info=values.SqlType("varbinary", 128), prepared_handles=INT,
                    temp_tables=INT, resets=INT, is_user_process=values.BIT)
    return shown, (session_row(one) for one in state.house.sessions())


def session_row(session):
    one = session.state
    return [one.spid, moment(session.born), one.login.texts["host"], one.login.texts["app"],
            one.login.process, one.login.texts["library"], one.login_name, one.user,
            "running" if session.busy else "sleeping", one.database, one.language, one.isolation,
            one.options["LOCK_TIMEOUT"], one.trancount,
            int(one.options["QUOTED_IDENTIFIER"]), one.context_info, len(one.handles),
            len(one.temp_tables), one.resets + one.skipped_resets, 1]


def processes(state):
    """master..sysprocesses."""
    shown = columns(spid=SMALLINT, hostname=nvarchar(128), program_name=nvarchar(128),
                    loginame=SYSNAME, status=nvarchar(30), dbname=SYSNAME, open_tran=SMALLINT)
    return shown, ([row[0], row[2], row[3], row[6], row[8], row[9], row[13]]
                   for row in map(session_row, state.house.sessions()))


def transactions(state):
    shown = columns(session_id=INT, transaction_id=values.BIGINT, is_user_transaction=values.BIT)
    return shown, ([one.state.spid, one.state.transaction.descriptor, 1]
                   for one in state.house.sessions() if one.state.transaction)


def languages(state):
    return columns(langid=SMALLINT, name=SYSNAME, alias=SYSNAME, dateformat=CHAR2,
                   datefirst=values.TINYINT), iter([[0, "us_english", "English", "md", 7]])


VIEWS = {"sys.databases": databases, "sys.all_objects": all_objects, "sys.objects": tables,
         "sys.tables": tables, "sys.columns": table_columns, "sys.procedures": procedures,
         "information_schema.tables": schema_tables, "sys.dm_exec_sessions": sessions,
         "sysprocesses": processes, "sys.sysprocesses": processes, "dbo.sysprocesses": processes,
         "sys.dm_tran_session_transactions": transactions, "sys.syslanguages": languages,
         "sysdatabases": databases, "dbo.sysdatabases": databases}


def view(state, parts):
    """(columns, rows) or None."""
    short = [part.lower() for part in parts if part]
    for name in (".".join(short[-2:]), short[-1] if len(short) <= 2 else ""):
        if name in VIEWS:
            return VIEWS[name](state)
    return None
