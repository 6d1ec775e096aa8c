"""Section 8, first half: how many servers, who gets them, and what waiting ends with."""

import threading
import time

import pytest

from harness import (ServerError, Wire, behaviour, errors, eventually, pg, pooled, rows, statuses,
                     still_silent, tags, weir_only)

TRANSACTION = "begin; select pg_sleep(0.002); commit"


class Load(threading.Thread):
    """One client that runs small transactions until it is told to end."""

    def __init__(self, client, ending):
        super().__init__(daemon=True)
        self.client, self.ending = client, ending
        self.turns, self.problem = 0, None

    def run(self):
        try:
            while not self.ending.is_set():
                self.client.rows(TRANSACTION)
                self.turns += 1
        except Exception as problem:
            self.problem = problem


def run_load(clients, sample, for_s=1.5):
    """Highest value of `sample()` while all clients are busy."""
    ending, highest = threading.Event(), 0
    loads = [Load(client, ending) for client in clients]
    for one in loads:
        one.start()
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        highest = max(highest, sample())
    ending.set()
    for one in loads:
        one.join(30)
        assert not one.problem and one.turns, one.problem
    return highest


def counter_of(postgres, *users):
    """Counts the roles' sessions again and again over one connection."""
    names = ",".join(f"'{user}'" for user in users)
    admin = postgres.client("postgres")
    return lambda: int(admin.value(
        f"select count(*) from pg_stat_activity where usename in ({names})"))


@behaviour(93)
@pooled
@pytest.mark.parametrize("workers", [1, 2])
def test_size_is_never_exceeded(start_pool, postgres, workers):
    pool = start_pool(size=3, config={"workers": workers})
    clients = [pool.client("three") for _ in range(12)]
    assert run_load(clients, counter_of(postgres, "three")) == 3


@behaviour(93)
@pooled
def test_size_is_never_exceeded_while_clients_come_and_go(start_pool, postgres):
    pool = start_pool(size=3)
    count = counter_of(postgres, "three")
    for turn in range(40):
        lost = pool.client("three")
        lost.send(pg.query("select pg_sleep(0.01)"))
        assert count() <= 3
        (lost.close if turn % 2 else lost.abort)()
    assert pool.client("three").value("select 'in'") == "in"


CAPS = {
    "database": {"databases": {"app": {"pool": {"max_server_connections": 3}}}},
    "user": {"users": {"app": {"max_server_connections": 1},
                       "other": {"max_server_connections": 2}}},
}


@behaviour(93)
@weir_only
@pytest.mark.parametrize("cap", [*CAPS, "host"])
def test_every_cap_holds(start_pool, postgres, cap):
    config = CAPS.get(cap) or {"hosts": {f"{postgres.host}:{postgres.port}": {
        "max_server_connections": 3}}}
    pool = start_pool(size=4, config={"workers": 2, **config})
    clients = [pool.client(user) for _ in range(4) for user in ("app", "other")]
    assert run_load(clients, counter_of(postgres, "app", "other")) <= 3


@behaviour(99)
@weir_only
def test_idle_server_of_another_user_makes_room(start_pool, postgres):
    pool = start_pool(size=4, config=CAPS["database"])
    for _ in range(3):
        pool.client("app").query("begin")
    for client in pool.clients:
        client.query("commit")
    assert postgres.backend_count("app") == 3
    assert pool.client("other").value("select current_user") == "other"
    assert postgres.backend_count("app") == 2


@behaviour(94)
@pooled
def test_waiters_are_served_in_order(start_pool, table):
    pool = start_pool(size=1)
    holder = pool.client()
    holder.query("begin")
    waiters = [pool.client() for _ in range(6)]
    for n, one in enumerate(waiters):
        one.send(pg.query(f"insert into t values ({n})"))
        assert still_silent(one, 0.05)
    waiters[2].close()
    waiters[4].abort()
    holder.query("commit")
    for n in (0, 1, 3, 5):
        assert tags(waiters[n].until_ready()) == ["INSERT 0 1"]
    assert holder.rows("select n from t order by ctid") == [["0"], ["1"], ["3"], ["5"]]


@behaviour(94)
@weir_only
def test_queues_of_different_applications_take_turns(start_pool, table):
    """A crowd of one application does not keep another one waiting until its own end."""
    pool = start_pool(size=1)
    holder = pool.client()
    holder.query("begin")
    crowd = [pool.client(startup={"application_name": "crowd"}) for _ in range(10)]
    lone = pool.client(startup={"application_name": "lone"})
    for one in [*crowd, lone]:
        name = one.parameters["application_name"]
        one.send(pg.query(f"insert into t values (1, '{name}')"))
        assert still_silent(one, 0.05)
    holder.query("commit")
    for one in [*crowd, lone]:
        one.until_ready()
    order = [row[0] for row in holder.rows("select s from t order by ctid")]
    assert order.index("lone") <= 2, order


def first_error(pool, user="app", database="app"):
    """The error that a client gets at its login or with its first query, and when."""
    begin = time.monotonic()
    try:
        with Wire(pool.address, user, database, "secret") as client:
            found = client.query("select 1")
        error = next(m for m in found if m.type == "E")
    except ServerError as refused:
        error = refused.message
    return error, time.monotonic() - begin


@behaviour(95)
@weir_only
@pytest.mark.parametrize("extended", [True, False])
def test_acquire_timeout_when_the_pool_is_full(start_pool, extended):
    pool = start_pool(size=1, acquire_timeout="500ms")
    holder, waiter = pool.client(), pool.client()
    holder.query("begin")
    for _ in range(2):
        begin = time.monotonic()
        waiter.send(pg.batch("select 1") + pg.sync() if extended else pg.query("select 1"))
        found = waiter.until_ready()
        assert errors(found) == ["53300"] and statuses(found) == ["I"], found
        assert 0.4 < time.monotonic() - begin < 3
        assert "1" in found[0].reason, "it should say how large the pool is"
    holder.query("commit")
    assert waiter.value("select 'served'") == "served"


@behaviour(95)
@behaviour(97)
@weir_only
def test_unreachable_server(start_pool, gate):
    gate.refuse()
    pool = start_pool(gate, size=1, acquire_timeout="1s")
    error, took = first_error(pool)
    assert error.sqlstate == "08006" and "refused" in error.reason.lower(), error
    assert took < 4
    gate.accept()
    eventually(lambda: _can_log_in(pool), what="the server being found again")


@behaviour(97)
@weir_only
def test_waiter_is_served_when_the_server_comes_back(start_pool, gate):
    pool = start_pool(gate, size=1)
    client = pool.client()
    client.value("select 1")
    gate.refuse()
    gate.reset_all()
    client.send(pg.query("select 'patience'"))
    assert still_silent(client, 0.5)
    gate.accept()
    assert rows(client.until_ready()) == [["patience"]]


@behaviour(95)
@behaviour(97)
@weir_only
@pytest.mark.parametrize("sqlstate, reason", [("57P03", "the database system is starting up"),
                                              ("53300", "sorry, too many clients already")])
def test_server_that_is_not_ready_yet(start_pool, start_fake, sqlstate, reason):
    fake, ready = start_fake(), threading.Event()

    def log_in(connection):
        if ready.is_set():
            return fake.accept_login(connection)
        connection.send(pg.error(sqlstate, reason, "FATAL"))
        return False

    fake.log_in = log_in
    pool = start_pool(fake, size=1, acquire_timeout="1s")
    error, took = first_error(pool)
    assert error.sqlstate == "08006" and reason in error.reason, error
    assert took < 4
    ready.set()
    eventually(lambda: _can_log_in(pool), what="the server being found again")


def _can_log_in(pool):
    try:
        return pool.client().query("select 1")[-1].status == "I"
    except ServerError:
        return False


@behaviour(97)
@weir_only
@pytest.mark.parametrize("case", ["28P01", "3D000"])
def test_refused_login_is_told_at_once(start_pool, postgres, case):
    url = f"postgres://{postgres.host}:{postgres.port}"
    wrong = {"28P01": {"url": f"{url}/app", "user": "scram_user", "password": "wrong"},
             "3D000": {"url": f"{url}/missing"}}[case]
    pool = start_pool(size=1, config={"databases": {"wrong": wrong}})
    for _ in range(3):
        error, took = first_error(pool, database="wrong")
        assert error.sqlstate == case, error
        assert took < 2
    assert pool.client().value("select 'others are fine'") == "others are fine"


@behaviour(96)
@weir_only
def test_one_hanging_login_stops_nobody_else(start_pool, gate):
    gate.swallow_new = True
    pool = start_pool(gate, size=3, connect_timeout="15s")
    first = pool.raw()
    first.send(pg.startup({"user": "app", "database": "app"}))
    eventually(lambda: gate.accepted >= 1, what="the login that will hang")
    gate.swallow_new = False
    begin = time.monotonic()
    second = pool.client()
    assert second.value("select 'served'") == "served"
    assert time.monotonic() - begin < 5
    assert pool.client("other", "second").value("select 'too'") == "too"


@behaviour(98)
@weir_only
def test_overflow(start_pool, postgres):
    pool = start_pool(size=1, overflow=1, overflow_after="500ms")
    holder, waiter = pool.client(), pool.client()
    holder.query("begin")
    begin = time.monotonic()
    assert waiter.query("begin")[-1].status == "T"
    assert time.monotonic() - begin > 0.4
    assert postgres.backend_count() == 2
    third = pool.client()
    third.send(pg.query("select 'third'"))
    assert still_silent(third, 0.8)
    assert postgres.backend_count() == 2
    waiter.query("commit")
    holder.query("commit")
    assert rows(third.until_ready()) == [["third"]]
    eventually(lambda: postgres.backend_count() == 1, what="the overflow server gone")


@weir_only
def test_any_database(start_pool, postgres):
    pool = start_pool(size=1, config={"databases": {
        "app": {"url": f"postgres://{postgres.host}:{postgres.port}/app", "pool": {"size": 3}},
        "*": {"url": f"postgres://{postgres.host}:{postgres.port}"}}})
    assert pool.client("app", "second").value("select current_database()") == "second"
    assert pool.client("app", "app").value("select current_database()") == "app"
    with pytest.raises(ServerError, match="does not exist"):
        pool.client("app", "made-up")
