"""What a client leaves in its session, in transaction mode: settings come along, for anything else
the client keeps its server, as long as it is there and no longer."""

import struct

import pytest

from harness import ServerError, behaviour, errors, eventually, pg, still_silent, weir_only
from test_leak import snapshot

pytestmark = weir_only


@pytest.fixture
def pool(start_pool):
    return start_pool(size=3, pick="scatter")


def keep_busy(pool):
    """So that the pool has servers to change between."""
    clients = [pool.client() for _ in range(3)]
    for client in clients:
        client.rows("begin")
    for client in clients:
        client.rows("commit")
    return clients


def pinned(pool):
    return pool.metrics().sum("weir_pinned_clients")


def pins(pool, reason):
    return pool.metrics().sum("weir_pins_total", reason=reason)


def pids(client, turns=6):
    return {client.backend_pid() for _ in range(turns)}


SETTINGS = {
    "planner": "set enable_seqscan = off",
    "memory": "set work_mem = '123kB'",
    "path": "set search_path = pg_catalog, \"$user\", 'with space'",
    "own": "set my.own = 'it''s \\ secret'",
    "characteristics": "set session characteristics as transaction isolation level serializable",
    "role": "set role guest",
    "several": "set work_mem = '1MB'; set enable_sort = off; set my.own = '1'",
    "between": "select 1; set work_mem = '123kB'; select 2",
    "transaction": "begin; set work_mem = '123kB'; savepoint a; set enable_sort = off; "
                   "rollback to a; commit",
    "DO": "do $$ begin perform set_config('work_mem', '123kB', false); end $$",
    "both kinds between": "select 1; set my.own = '1'; select 2; set session characteristics "
                          "as transaction isolation level serializable",
    "session": "set session work_mem to '123kB'",
    "reset of another": "set work_mem = '1MB'; set enable_sort = off; reset work_mem",
    "set twice": "set work_mem = '1MB'; set work_mem = '2MB'",
    "to default": "set work_mem = '1MB'; set enable_sort = off; set work_mem to default",
    "reset in vain": "set work_mem = '1MB'; begin; reset work_mem; rollback",
    "reset all in vain": "set enable_sort = off; begin; reset all; rollback",
    "own, reset in vain": "set my.own = '1'; begin; reset all; rollback",
    "reset before": "reset all; set search_path = pg_catalog",
    "own, reset": "set my.own = '1'; reset my.own; set work_mem = '1MB'",
    "beside an update": "set work_mem = '1MB'; update t set n = 1 where false",
    "a function's": "create or replace function later() returns int language sql as "
                    "'select 1; select 2'; set work_mem = '1MB'; "
                    "alter function later() set enable_sort = off",
    "denied": "set work_mem = '1MB'; begin; set session_replication_role = replica; rollback",
}


def names_and_values(client):
    found = snapshot(client)
    return {what: found[what] for what in ("user", "settings", "own settings")}


def parts_of(sql):
    return [sql] if "$$" in sql else sql.split("; ")


@behaviour(36)
@pytest.mark.parametrize("way", ["simple", "together", "extended"])
@pytest.mark.parametrize("kind", list(SETTINGS))
def test_settings_come_along(pool, postgres, table, kind, way):
    others = keep_busy(pool)
    with postgres.client() as direct, pool.client() as client:
        if way == "together":
            for one in (direct, client):
                one.query(SETTINGS[kind])
                one.query("rollback")
        else:
            for part in parts_of(SETTINGS[kind]):
                run = [one.extended if way == "extended" else one.query for one in (direct, client)]
                assert errors(run[0](part)) == errors(run[1](part))
        expected = names_and_values(direct)
        ours = {"application_name", "port", "unix_socket_directories"}
        for _ in range(4):
            found = names_and_values(client)
            differs = [row for row in found["settings"]
                       if row not in expected["settings"] and row[0] not in ours]
            assert not differs and found["own settings"] == expected["own settings"]
            assert found["user"][0][0] == expected["user"][0][0]
        assert len(pids(client)) == 3 and pinned(pool) == 0
        for other in others:
            assert other.value("show work_mem") == "4MB"
            assert other.value("show enable_sort") == "on"
            assert other.value("select current_user") == "app"


def test_a_value_that_no_server_takes_any_more_is_said(pool, postgres):
    keep_busy(pool)
    postgres.rows("create role passing; grant passing to app")
    client = pool.client()
    client.rows("set role passing")
    assert client.value("select current_user") == "passing"
    postgres.rows("drop role passing")
    pool.client().rows("select 1")
    found = [errors(client.query("select 1")) for _ in range(3)]
    assert any(found), found
    with pool.client() as other:
        assert other.value("select current_user") == "app"


# ---------------------------------------------------------------- kept

@behaviour(50)
@behaviour(29)
def test_a_statement_of_prepare(pool):
    others = keep_busy(pool)
    client = pool.client()
    client.rows("prepare one(int) as select $1 + 1")
    pool_pid = client.backend_pid()
    for _ in range(4):
        assert client.value("execute one(1)") == "2"
        assert client.backend_pid() == pool_pid
        for other in others:
            assert errors(other.query("execute one(1)")) == ["26000"]
    assert pinned(pool) == 1 and pins(pool, "prepared") == 1
    client.rows("prepare two as select 2")
    client.rows("deallocate one")
    assert client.value("execute two") == "2" and pinned(pool) == 1
    client.rows("deallocate two")
    eventually(lambda: pinned(pool) == 0)
    assert len(pids(client)) == 3


@behaviour(29)
def test_a_prepare_that_fails(pool):
    keep_busy(pool)
    client = pool.client()
    assert errors(client.query("prepare one as select nonsense")) == ["42703"]
    assert errors(client.query("execute one")) == ["26000"]
    assert client.value("select 7") == "7" and pinned(pool) == 0


@behaviour(66)
@pytest.mark.parametrize("way", ["simple", "extended"])
def test_a_listener_hears_without_asking(pool, postgres, way):
    others = keep_busy(pool)
    listener = pool.client()
    getattr(listener, "query" if way == "simple" else "extended")("listen news")
    for other in others:
        other.rows("select 1")
    for n in range(3):
        postgres.rows(f"notify news, '{n}'")
        assert listener.read().type == "A"
    assert listener.value("select 1") == "1"
    assert pins(pool, "subscription") == 1
    listener.rows("listen more")
    listener.rows("unlisten news")
    postgres.rows("notify news")
    postgres.rows("notify more")
    assert listener.read().type == "A" and still_silent(listener)
    listener.rows("unlisten *")
    eventually(lambda: pinned(pool) == 0)


@behaviour(67)
def test_a_listener_in_transactions(pool, postgres):
    keep_busy(pool)
    listener = pool.client()
    for sql in ("begin", "listen news", "rollback"):
        listener.rows(sql)
    postgres.rows("notify news")
    assert still_silent(listener) and pinned(pool) == 0
    for sql in ("begin", "listen news", "notify news, 'mine'"):
        listener.rows(sql)
    assert still_silent(listener)
    found = listener.query("commit")
    assert [m.type for m in found] == ["C", "A", "Z"]
    assert struct.unpack("!I", found[1].body[:4])[0] == listener.pid
    listener.terminate()
    eventually(lambda: postgres.value("select count(*) from pg_stat_activity "
                                      "where query ilike 'listen%'") == "0")
    eventually(lambda: pinned(pool) == 0)


@behaviour(50)
@pytest.mark.parametrize("make", ["create temp table mine(n int)", "select 1 as n into temp mine",
                                  "create temp table mine as select 1 as n"])
def test_a_temporary_table(pool, make):
    others = keep_busy(pool)
    client = pool.client()
    client.rows(make)
    for n in range(4):
        client.rows(f"insert into mine values ({n})")
        for other in others:
            assert errors(other.query("select * from mine")) == ["42P01"]
    assert client.value("select count(*) > 3 from mine") == "t"
    assert pinned(pool) == 1 and pins(pool, "temp_table") == 1
    for sql in ("begin", "drop table mine", "rollback"):
        client.rows(sql)
    assert client.value("select count(*) > 3 from mine") == "t" and pinned(pool) == 1
    client.rows("drop table mine")
    eventually(lambda: pinned(pool) == 0)
    assert len(pids(client)) == 3


@pytest.mark.parametrize("sql", [
    "create table kept_by_nobody(n int); drop table kept_by_nobody",
    "begin; create temp table gone(n int) on commit drop; commit",
    "begin; declare c cursor for select 1; fetch c; commit",
    "begin; select pg_advisory_xact_lock(1); commit",
    "select pg_advisory_lock(1); select pg_advisory_unlock(1)",
    "begin; listen x; rollback", "do $$ begin end $$", "explain select 1",
])
def test_what_leaves_nothing_keeps_no_server(pool, sql):
    keep_busy(pool)
    client = pool.client()
    for part in parts_of(sql):
        client.rows(part)
    eventually(lambda: pinned(pool) == 0)
    assert len(pids(client)) == 3


@behaviour(50)
def test_a_cursor_with_hold(pool):
    keep_busy(pool)
    client = pool.client()
    client.rows("declare c cursor with hold for select generate_series(1, 9)")
    assert [client.value("fetch c") for _ in range(9)] == [str(n) for n in range(1, 10)]
    assert pins(pool, "cursor") == 1
    client.rows("close c")
    eventually(lambda: pinned(pool) == 0)


@behaviour(50)
def test_an_advisory_lock(pool):
    keep_busy(pool)
    client, other = pool.client(), pool.client()
    assert client.value("select pg_try_advisory_lock(42)") == "t"
    for _ in range(4):
        assert other.value("select pg_try_advisory_lock(42)") == "f"
    assert pinned(pool) == 1 and pins(pool, "lock") == 1
    assert client.value("select pg_advisory_unlock(42)") == "t"
    assert other.value("select pg_try_advisory_lock(42)") == "t"
    eventually(lambda: pinned(pool) == 1)


@behaviour(50)
def test_a_library(pool):
    keep_busy(pool)
    client = pool.client("boss")
    client.rows("load 'auto_explain'")
    pid = client.backend_pid()
    assert pids(client) == {pid} and pins(pool, "context") == 1
    client.terminate()
    eventually(lambda: pinned(pool) == 0)
    with pool.client("boss") as other:
        assert pid not in pids(other)


def test_console_says_why(start_pool):
    pool = start_pool(size=1, config={"admin": {"users": ["boss"]}})
    client = pool.client()
    client.rows("create temp table mine(n int)")
    with pool.client("boss", "weir") as console:
        eventually(lambda: any("temp_table" in row for row in console.rows("show clients")))


def test_a_silent_client_does_not_keep_its_server_for_ever(start_pool):
    pool = start_pool(size=1, config={"defaults": {"timeouts": {"pin_idle": "300ms"}}})
    client, other = pool.client(), pool.client()
    client.rows("create temp table mine(n int)")
    assert other.value("select 1") == "1"
    assert errors(client.until_closed()) == ["57P05"]


@pytest.mark.parametrize("keeps", ["listen x", "select pg_advisory_lock(1)"])
def test_who_waits_for_others_or_lets_them_wait_may_be_silent(start_pool, keeps):
    pool = start_pool(size=1, config={"defaults": {"timeouts": {"pin_idle": "200ms"}}})
    client = pool.client()
    client.rows(keeps)
    assert still_silent(client, 0.6)
    assert client.value("select 1") == "1"


def test_a_client_that_dies_in_a_transaction_costs_nobody_anything(start_pool):
    """The server is rolled back and reset, and nobody asks what there was."""
    pool = start_pool(size=1, acquire_timeout="3s")
    other = pool.client()
    for sql in ("listen x", "create temp table mine(n int)", "set work_mem = '1MB'"):
        client = pool.client()
        client.rows("begin")
        client.rows(sql)
        client.close()
        assert other.value("show work_mem") == "4MB"


def test_silence_is_no_transaction(start_pool):
    pool = start_pool(size=1, config={"defaults": {"timeouts": {"transaction": "400ms"}}})
    client = pool.client()
    client.rows("listen x")
    assert still_silent(client, 0.6)
    assert client.value("select 'there' from pg_sleep(0.1)") == "there"


@behaviour(50)
def test_a_lock_of_a_portal_that_is_not_run_to_its_end(pool):
    keep_busy(pool)
    client, other = pool.client(), pool.client()
    client.send(pg.parse("select pg_advisory_lock(43) from generate_series(1, 2)"), pg.bind(),
                pg.execute(rows=1), pg.sync())
    assert "s" in [m.type for m in client.until_ready()]
    eventually(lambda: pinned(pool) == 1)
    assert other.value("select pg_try_advisory_lock(43)") == "f"


def test_a_role_survives_reset_all(pool):
    keep_busy(pool)
    client = pool.client()
    client.rows("set role guest")
    client.rows("reset all")
    assert {client.value("select current_user") for _ in range(4)} == {"guest"}
    client.rows("reset role")
    assert {client.value("select current_user") for _ in range(4)} == {"app"}


def test_a_request_right_behind(pool):
    """It waits for the answer to weir's question, on the same server or on another one."""
    keep_busy(pool)
    client = pool.client()
    for n in range(20):
        client.send(pg.query(f"set work_mem = '{64 + n}kB'"), pg.query("show work_mem"),
                    pg.parse("select current_setting('work_mem')"), pg.bind(), pg.execute(),
                    pg.sync())
        found = client.until_ready(3)
        assert [m.row for m in found if m.type == "D"] == [[f"{64 + n}kB"]] * 2


def test_session_mode_asks_nothing(start_pool, postgres):
    pool = start_pool(size=2, mode="session")
    client = pool.client()
    client.rows("create temp table mine(n int)")
    client.rows("set work_mem = '123kB'")
    assert client.value("select count(*) from mine") == "0"
    assert pinned(pool) == 0
    with pytest.raises(ServerError):
        pool.client().rows("select * from mine")
