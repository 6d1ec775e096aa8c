"""Section 3, second half: start-up values, resets and what they return to."""

import pytest

from harness import (ServerError, assert_usable, behaviour, errors, eventually, pg, rows,
                     statuses, tags, weir_only)
from test_03_settings import show

pytestmark = pytest.mark.targets("weir", "direct")


@behaviour(42)
@pytest.mark.parametrize("startup, name, value", [
    ({"extra_float_digits": "2"}, "extra_float_digits", "2"),
    ({"options": "-c statement_timeout=5s"}, "statement_timeout", "5s"),
    ({"options": "-c work_mem=1MB -c geqo=off"}, "geqo", "off"),
    ({"options": "--work_mem=2MB --enable-seqscan=off"}, "enable_seqscan", "off"),
    ({"options": "-cwork_mem=3MB"}, "work_mem", "3MB"),
    ({"options": "-c application_name=a\\ b"}, "application_name", "a b"),
    ({"my.own": "x"}, "my.own", "x"),
    ({"client_min_messages": "error"}, "client_min_messages", "error"),
    ({"TimeZone": "Asia/Tokyo", "options": "-c TimeZone=UTC"}, "TimeZone", "Asia/Tokyo"),
    ({"default_transaction_isolation": "serializable"}, "transaction_isolation", "serializable"),
])
def test_startup_parameters_take_effect(start_pool, startup, name, value):
    pool = start_pool(size=1)
    other = pool.client()
    default = show(other, name)
    client = pool.client(startup=startup)
    for _ in range(2):
        assert show(client, name) == value
        assert show(other, name) == default


@behaviour(42)
@pytest.mark.parametrize("startup, sqlstate", [
    ({"no_such_setting": "1"}, "42704"),
    ({"work_mem": "a lot"}, "22023"),
    ({"TimeZone": "Nowhere/Never"}, "22023"),
    ({"client_encoding": "martian"}, "22023"),
    ({"options": "-c no_such_setting=1"}, "42704"),
    ({"options": "--nonsense"}, "42601"),
    ({"shared_buffers": "1GB"}, "55P02"),
])
def test_wrong_startup_parameter_gives_postgresqls_own_error(start_pool, postgres, startup,
                                                            sqlstate):
    pool = start_pool(size=1)
    waiter = pool.client()
    waiter.value("select 1")
    for _ in range(3):
        with pytest.raises(ServerError) as refused:
            pool.client(startup=startup).query("select 1")
        assert refused.value.sqlstate == sqlstate
        assert waiter.value("select 'served'") == "served"
    assert_usable(pool)


@behaviour(48)
@pytest.mark.parametrize("reset", ["reset all", "discard all", "reset timezone",
                                   "set timezone to default", "set time zone local"])
def test_reset_returns_to_the_clients_startup_value(start_pool, reset):
    pool = start_pool(size=1)
    startup = {"TimeZone": "Asia/Tokyo", "application_name": "mine"}
    client, other = pool.client(startup=startup), pool.client()
    default = show(other, "TimeZone")
    client.rows("set timezone = 'America/Lima'")
    assert show(other, "TimeZone") == default
    assert show(client, "TimeZone") == "America/Lima"
    client.rows(reset)
    for _ in range(2):
        assert show(client, "TimeZone") == "Asia/Tokyo"
        assert show(client, "application_name") == "mine"
        assert show(other, "TimeZone") == default


@behaviour(48)
@pytest.mark.parametrize("resets", ["reset work_mem; reset datestyle", "reset all", "discard all"])
def test_reset_to_startup_value_given_in_options(start_pool, resets):
    pool = start_pool(size=1)
    client = pool.client(startup={"options": "-c work_mem=5MB -c datestyle=German"})
    other = pool.client()
    client.rows("set work_mem = '6MB'; set datestyle = 'ISO'")
    client.rows(resets)
    other.value("select 1")
    assert show(client, "work_mem") == "5MB"
    assert show(client, "DateStyle").startswith("German")
    assert show(other, "work_mem") == "4MB"


@behaviour(48)
def test_reset_inside_a_transaction_and_rolled_back(start_pool):
    client = start_pool(size=1).client(startup={"TimeZone": "Asia/Tokyo"})
    client.rows("set timezone = 'America/Lima'")
    client.rows("begin; reset timezone")
    assert show(client, "TimeZone") == "Asia/Tokyo"
    client.rows("rollback")
    assert show(client, "TimeZone") == "America/Lima"


def _refuse_reset(connection, sql):
    if "discard all" in sql.lower():
        return pg.error("XX000", "cannot reset") + pg.ready(connection.status)
    return None


@behaviour(47)
@weir_only
def test_failed_reset_closes_the_server(start_pool, start_fake):
    fake = start_fake(on_query=_refuse_reset)
    pool = start_pool(fake, size=1)
    leaver, other = pool.client(), pool.client()
    leaver.query("set work_mem = '1MB'")
    dirty = next(c for c in fake.connections if "set work_mem = '1MB'" in c.queries)
    found = other.query("select 'clean'")
    assert rows(found) and not errors(found), found
    assert "select 'clean'" not in dirty.queries
    eventually(dirty.ended.is_set, what="the server that could not be reset being closed")


@behaviour(47)
@weir_only
def test_reset_that_leaves_a_transaction_closes_the_server(start_pool, start_fake):
    def on_query(_, sql):
        if "discard all" in sql.lower():
            return pg.command_complete("DISCARD ALL") + pg.ready("T")
        return None

    fake = start_fake(on_query=on_query)
    pool = start_pool(fake, size=1)
    leaver, other = pool.client(), pool.client()
    leaver.query("set work_mem = '1MB'")
    dirty = next(c for c in fake.connections if "set work_mem = '1MB'" in c.queries)
    assert statuses(other.query("select 'clean'")) == ["I"]
    assert "select 'clean'" not in dirty.queries


@behaviour(47)
@weir_only
def test_reset_that_never_ends(start_pool, start_fake):
    """The waiter gets another server or a timely error, never silence."""
    def on_query(_, sql):
        return b"" if "discard all" in sql.lower() else None

    fake = start_fake(on_query=on_query)
    pool = start_pool(fake, size=2, acquire_timeout="3s")
    leaver, other = pool.client(), pool.client()
    leaver.query("set work_mem = '1MB'")
    found = other.query("select 'clean'")
    assert tags(found) == ["SELECT 1"] or errors(found), found
