"""Section 9: reloads, shutdown, metrics."""

import signal
import time

import pytest

from harness import (PASSWORD, Closed, ServerError, Wire, accepts, behaviour, errors, eventually,
                     free_port, merge, pg, rows, statuses, tags, weir_only)

pytestmark = weir_only


def _point_at(pool, postgres, database):
    url = f"postgres://{postgres.host}:{postgres.port}/{database}"
    pool.config = merge(pool.config, {"databases": {"app": {"url": url}}})


@behaviour(108)
def test_reload_retires_servers_at_the_end_of_their_transaction(start_pool, postgres):
    pool = start_pool(size=2)
    inside, idle = pool.client(), pool.client()
    inside.query("begin")
    assert idle.value("select current_database()") == "app"
    _point_at(pool, postgres, "second")
    pool.reload()
    assert inside.value("select current_database()") == "app"
    assert idle.value("select current_database()") == "second"
    assert tags(inside.query("commit")) == ["COMMIT"]
    assert inside.value("select current_database()") == "second"
    eventually(lambda: postgres.value("select count(*) from pg_stat_activity where "
                                      "usename = 'app' and datname = 'app'") == "0",
               what="the old servers gone")


@behaviour(108)
def test_reload_of_a_bad_file_changes_nothing(start_pool):
    pool = start_pool(size=1)
    client = pool.client()
    good = pool.config
    for bad in ({"nonsense": 1}, {"workers": "many"}, {"databases": {"app": {"url": "none"}}}):
        pool.config = merge(good, bad)
        pool.reload()
        metrics = pool.metrics()
        assert metrics.sum("weir_config_last_reload_success") == 0
        assert client.value("select 'alive'") == "alive"
        assert pool.client().value("select 'in'") == "in"
    pool.config = good
    pool.reload()
    assert pool.metrics().sum("weir_config_last_reload_success") == 1


@behaviour(108)
def test_reload_of_sizes_and_users(start_pool, postgres):
    pool = start_pool(size=1)
    pool.client().value("select 1")
    pool.config["defaults"]["pool"]["size"] = 2
    pool.config["users"]["plain_user"]["password"] = "changed"
    pool.reload()
    holders = [pool.client() for _ in range(2)]
    for one in holders:
        assert statuses(one.query("begin")) == ["T"]
    assert postgres.backend_count() == 2


@behaviour(108)
def test_reload_of_listeners(start_pool):
    """New ones open, those that are gone close, one that stays takes its new manners: for new clients."""
    pool = start_pool(size=1)
    client = pool.client()
    port = free_port()
    second = {"protocol": "postgres", "address": f"{pool.host}:{port}", "auth": {"method": "plain"}}
    pool.config["listeners"].append(second)
    pool.reload()
    def at_second(**options):
        one = Wire((pool.host, port), "app", "app", **options)
        pool.clients.append(one)
        return one

    other = at_second(password=PASSWORD)
    assert other.value("select 1") == "1"
    with pytest.raises(ServerError, match="28P01"):
        at_second(password="wrong")
    second["auth"]["method"] = "trust"
    pool.reload()
    assert at_second(password="wrong").value("select 2") == "2"
    pool.config["listeners"].remove(second)
    pool.reload()
    assert not accepts((pool.host, port))
    assert other.value("select 3") == "3" and client.value("select 4") == "4"


@behaviour(108)
def test_reload_that_cannot_be_carried_out_changes_nothing(start_pool, tmp_path):
    pool = start_pool(size=1)
    client = pool.client()
    good = pool.config
    taken = {"protocol": "postgres", "address": f"{pool.host}:{pool.http_port}"}
    for bad in ({"listeners": [*good["listeners"], taken]},
                {"databases": {"app": {"url": f"sqlite:{tmp_path}/app.db"}}}):
        pool.config = {**good, **bad} if "listeners" in bad else merge(good, bad)
        pool.config["defaults"] = {"pool": {"size": 7}}
        pool.reload()
        assert pool.metrics().sum("weir_config_last_reload_success") == 0
        assert client.value("select 'alive'") == "alive"
        assert accepts(pool.address)


@behaviour(108)
def test_each_user_of_a_shared_pool_has_its_own_mode(start_pool):
    """Whoever logs in first used to decide for all."""
    for first, then in (("app", "plain_user"), ("plain_user", "app")):
        pool = start_pool(size=2, config={
            "databases": {"app": {"user": "app"}},
            "users": {"plain_user": {"pool": {"mode": "session"}}}})
        for name in (first, then, "app"):
            assert pool.client(name).value("select 1") == "1"
        assert pool.metrics().sum("weir_servers", state="active") == 1
        assert pool.metrics().sum("weir_servers", state="idle") == 1


@behaviour(105)
def test_clients_are_counted_by_the_database_that_they_get(start_pool):
    """Not by what they call it: a listener of one database does not ask."""
    pool = start_pool(size=1, config={
        "databases": {"app": {"pool": {"max_client_connections": 2}}}}, options={
        "listener": {"database": "app"}})
    for name in ("this", "that"):
        assert pool.client(database=name).value("select 1") == "1"
    with pytest.raises(ServerError, match="53300"):
        pool.client(database="another")


@behaviour(112)
def test_drain_without_end(start_pool):
    pool = start_pool(size=1, config={"shutdown_timeout": "0"})
    inside = pool.client()
    inside.query("begin")
    pool.process.send_signal(signal.SIGTERM)
    eventually(lambda: not accepts(pool.address), what="the listener closed")
    time.sleep(0.5)
    assert tags(inside.query("commit")) == ["COMMIT"]
    pool.wait_for_end()


@behaviour(112)
def test_pages_while_running_and_draining(start_pool):
    pool = start_pool(size=1)
    assert pool.http("/healthz")[0] == 200
    assert pool.http("/readyz")[0] == 200
    client = pool.client()
    client.query("begin")
    pool.process.send_signal(signal.SIGTERM)
    eventually(lambda: pool.http("/readyz")[0] == 503, what="/readyz saying no")
    assert pool.http("/healthz")[0] == 200
    assert pool.metrics().sum("weir_clients") == 1
    assert tags(client.query("commit")) == ["COMMIT"]
    pool.wait_for_end()


@behaviour(111)
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGTERM, signal.SIGTERM],
                                     [signal.SIGINT], [signal.SIGQUIT]])
def test_end_with_clients_of_every_kind(start_pool, signals):
    pool = start_pool(size=1, config={"shutdown_timeout": "1s"})
    idle, inside, waiting, half = (pool.client(), pool.client(), pool.client(), pool.raw())
    inside.query("begin")
    waiting.send(pg.query("select 1"))
    half.send(b"\0\0\0")
    for one in signals:
        pool.process.send_signal(one)
    found = idle.until_closed()
    assert errors(found) == ["57P01"], found
    assert "57P01" in errors(waiting.until_closed())
    assert "57P01" in errors(inside.until_closed())
    pool.wait_for_end()
    assert not accepts(pool.address)


@behaviour(112)
def test_drain_lets_a_transaction_end(start_pool, table, postgres):
    pool = start_pool(size=1)
    inside = pool.client()
    inside.query("begin; insert into t values (1)")
    pool.process.send_signal(signal.SIGTERM)
    eventually(lambda: not accepts(pool.address), what="the listener closed")
    assert tags(inside.query("commit")) == ["COMMIT"]
    with pytest.raises(Closed):
        while True:
            inside.read()
    pool.wait_for_end()
    assert postgres.value("select count(*) from t") == "1"


def _some_work(pool):
    client = pool.client()
    client.rows("begin; select 1; commit")
    client.query("select 1/0")
    client.extended("select $1::int", 5)
    client.terminate()


@behaviour(114)
def test_counters_never_go_back(start_pool, postgres):
    pool = start_pool(size=2, idle_timeout="1s", min=0)
    last = pool.metrics().counters()
    for turn in range(6):
        _some_work(pool)
        if turn == 3:
            eventually(lambda: postgres.backend_count() == 0, what="the pool being freed")
        now = pool.metrics().counters()
        for key, value in last.items():
            assert key in now and now[key] >= value, (key, value, now.get(key))
        last = now


@behaviour(114)
def test_counters_count(start_pool):
    pool = start_pool(size=1)
    client = pool.client()
    before = pool.metrics()
    for _ in range(10):
        client.value("select pg_sleep(0.02)")
    client.rows("begin")
    client.rows("select 1")
    client.rows("commit")
    after = pool.metrics()

    def grown(name):
        return after.sum(name) - before.sum(name)

    assert grown("weir_queries_total") == 13
    assert grown("weir_transactions_total") == 11
    assert grown("weir_query_seconds_count") == 13
    assert 0.2 <= grown("weir_query_seconds_sum") < 2
    assert grown("weir_bytes_total") > 0


@behaviour(114)
def test_metrics_of_clients_and_servers(start_pool):
    pool = start_pool(size=2)
    holder, _ = pool.client(), pool.client()
    holder.query("begin")
    metrics = pool.metrics()
    assert metrics.sum("weir_clients") == 2
    assert metrics.sum("weir_clients", state="active") == 1
    assert metrics.sum("weir_servers", state="active") == 1
    assert metrics.sum("weir_pool_size") == 2
    assert rows(holder.query("select 1")) == [["1"]]
