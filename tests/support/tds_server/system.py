"""The system's procedures that are no way to run text. Each gets the call and gives its return
status."""

from . import reply as r
from . import values
from .errors import SqlError, error
from .values import Value, convert
from .views import session_row


def text_of(arguments, name, at, default=None):
    """The argument of that name, or at that place among those without one."""
    found = given(arguments, name, at)
    if found is None or found.data is None:
        return default
    return convert(found, values.nvarchar(values.MAX)).data


def given(arguments, name, at):
    for one in arguments:
        if one.name.lower() == name:
            return one.value
    if at < len(arguments) and not arguments[at].name:
        return arguments[at].value
    return None


async def set_session_context(call, arguments):
    state = call.state
    key, value = text_of(arguments, "@key", 0), given(arguments, "@value", 1)
    if not key:
        raise error(201, "sp_set_session_context", "@key")
    old = state.session_context.get(key.lower())
    if old and old[1]:
        raise error(15664, key)
    fixed = given(arguments, "@read_only", 2)
    fixed = bool(fixed is not None and convert(fixed, values.BIT).data)
    if value is None or value.data is None:
        state.session_context.pop(key.lower(), None)
    else:
        held = value.data if value.type.name == "sql_variant" else value
        state.session_context[key.lower()] = (held, fixed)
    return 0


async def get_app_lock(call, arguments):
    """Exclusive locks only. Gives 0, 1 after a wait, or -1 when the time was over."""
    resource = (text_of(arguments, "@resource", 0) or "").lower()
    mode = text_of(arguments, "@lockmode", 1, "")
    owner = (text_of(arguments, "@lockowner", 2) or "Transaction").capitalize()
    timeout = given(arguments, "@locktimeout", 3)
    if mode.lower() != "exclusive":
        raise error(40000, f"application locks of mode {mode}")
    if owner == "Transaction" and call.state.transaction is None:
        raise SqlError(1230, "sp_getapplock needs a transaction.")
    locks = call.house.storage.applocks
    milliseconds = -1 if timeout is None else convert(timeout, values.INT).data
    seconds = call.state.lock_timeout_s if milliseconds < 0 else milliseconds / 1000

    def free():
        return resource not in locks or locks[resource][0] is call.state
    waited = not free()
    if waited and not await call.wait_for_lock(free, seconds):
        return -1
    locks[resource] = (call.state, owner)
    return int(waited)


async def release_app_lock(call, arguments):
    resource = (text_of(arguments, "@resource", 0) or "").lower()
    held = call.house.storage.applocks.get(resource)
    if held is None or held[0] is not call.state:
        raise SqlError(1223, f"Cannot release the application lock (Database Principal: 'public', "
                             f"Resource: '{resource}') because it is not currently held.")
    del call.house.storage.applocks[resource]
    call.house.lock_freed()
    return 0


async def set_app_role(call, arguments):
    cookie = call.executor.set_role(text_of(arguments, "@rolename", 0),
                                    text_of(arguments, "@password", 1))
    for at, one in enumerate(arguments):
        if one.output:
            call.output(arguments, at, Value(values.SqlType("varbinary", 100), cookie))
    return 0


async def unset_app_role(call, arguments):
    cookie = given(arguments, "@cookie", 0)
    call.executor.unset_role(cookie.data if cookie else None)
    return 0


async def reset_connection(call, arguments):
    """As an RPC it is what the bit does; it says ENVCHANGE 18 as well."""
    if call.state.babelfish:
        raise error(2812, "sp_reset_connection")
    call.state.reset(False)
    call.reply.env_bytes(r.ENV_RESET, b"", b"")
    return 0


async def who(call, arguments):
    columns = [("spid", values.SMALLINT), ("status", values.nvarchar(30)),
               ("loginame", values.SYSNAME), ("hostname", values.nvarchar(128)),
               ("dbname", values.SYSNAME), ("open_tran", values.INT)]
    rows = [[row[0], row[8], row[6], row[2], row[9], row[13]]
            for row in map(session_row, call.house.sessions())]
    call.table(columns, rows)
    return 0


SYSTEM = {"sp_set_session_context": set_session_context, "sp_getapplock": get_app_lock,
          "sp_releaseapplock": release_app_lock, "sp_setapprole": set_app_role,
          "sp_unsetapprole": unset_app_role, "sp_reset_connection": reset_connection,
          "sp_who": who, "sp_who2": who}
