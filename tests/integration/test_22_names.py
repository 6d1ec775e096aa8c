"""Names of hosts: looked up in the background, and servers that follow their name."""

import threading
import time

import pytest

from harness import (Gate, ServerError, behaviour, eventually, free_port, merge, never, rows,
                     start_target, weir_only)
from support.names import Names
from support.redis import RedisClient, RedisServer

pytestmark = weir_only

NO_CHECKS = {"check_interval": "0", "check_after": "0"}


@pytest.fixture
def names():
    one = Names()
    yield one
    one.remove()


@pytest.fixture
def start_gates(postgres):
    """Ways to PostgreSQL at several loopback addresses, all on one port."""
    started = []

    def start(*hosts, upstream=None):
        port = free_port()
        started.extend(Gate(upstream or postgres.address, host, port) for host in hosts)
        return started[-len(hosts):]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def start_named(start_pool, names):
    """A pool whose database is at db.test."""
    def start(port, *, ttl="1s", negative_ttl="1s", config=None, **pool):
        return start_pool(config=merge({
            "workers": 2, "dns": {"ttl": ttl, "negative_ttl": negative_ttl},
            "databases": {"app": {"url": f"postgres://db.test:{port}/app"}},
        }, config or {}), options={"environment": names.environment}, **{**NO_CHECKS, **pool})
    return start


def closes(pool, reason="address_gone"):
    return pool.metrics().sum("weir_server_closes_total", reason=reason)


def wait_for_lookups(names, more, name="db"):
    """So many that begin from now on; the last but one of them has been answered."""
    before = names.lookups(name)
    eventually(lambda: names.lookups(name) >= before + more, what="further look-ups")


def hold(pool, count):
    """So many servers at once."""
    clients = [pool.client() for _ in range(count)]
    for one in clients:
        one.query("begin")
    return clients


def release(clients):
    for one in clients:
        one.query("commit")


def console(pool):
    pool.config = merge(pool.config, {"admin": {"users": ["app"]}})
    pool.reload()
    return pool.client("app", "weir")


# --- looking up ----------------------------------------------------------------------------------

@behaviour(115)
def test_one_lookup_for_many_connects(start_named, start_gates, names):
    """Each opening used to ask the resolver."""
    gate, = start_gates("127.0.0.2")
    names.set(db="127.0.0.2")
    pool = start_named(gate.port, ttl="1m", size=20)
    for _ in range(3):
        release(hold(pool, 20))
        console(pool).query("reconnect")
    release(hold(pool, 20))
    assert gate.accepted >= 80
    assert names.lookups() == 1


def test_one_lookup_each_ttl_and_its_reload(start_named, start_gates, names):
    gate, = start_gates("127.0.0.2")
    names.set(db="127.0.0.2")
    pool = start_named(gate.port, ttl="1m", size=1)
    client = pool.client()
    assert client.value("select 1") == "1"
    never(lambda: names.lookups() > 1, for_s=1.5)
    pool.config = merge(pool.config, {"dns": {"ttl": "1s"}})
    pool.reload()
    wait_for_lookups(names, 1)
    before, began = names.lookups(), time.monotonic()
    while time.monotonic() - began < 3:
        assert client.value("select 1") == "1"
    asked = names.lookups() - before
    assert 1 <= asked <= 3, asked
    pool.config = merge(pool.config, {"dns": {"ttl": "1m"}})
    pool.reload()
    asked = names.lookups()
    never(lambda: names.lookups() > asked + 1, for_s=1.5)


def test_addresses_are_never_looked_up(start_pool, names):
    pool = start_pool(size=1, options={"environment": names.environment})
    assert pool.client().value("select 1") == "1"
    assert not names.log.exists()


def test_names_that_nobody_uses_are_dropped(start_named, start_gates, names):
    gate, = start_gates("127.0.0.2")
    names.set(db="127.0.0.2")
    pool = start_named(gate.port, size=1, idle_timeout="1s")
    admin = console(pool)
    assert rows(admin.query("show dns_hosts")) == []
    client = pool.client()
    assert client.value("select 1") == "1"
    (name, ttl, addresses), = rows(admin.query("show dns_hosts"))
    assert (name, addresses) == ("db.test", "127.0.0.2") and int(ttl) in (0, 1)
    lists = dict(rows(admin.query("show lists")))
    assert lists["dns_names"] == "1" and lists["dns_queries"] == "0"
    eventually(lambda: rows(admin.query("show dns_hosts")) == [], what="the name forgotten")
    asked = names.lookups()
    never(lambda: names.lookups() > asked, for_s=1.5)
    assert client.value("select 2") == "2"
    assert names.lookups() == asked + 1


# --- addresses that change -----------------------------------------------------------------------

@behaviour(115)
def test_servers_follow_their_name(start_named, start_gates, names):
    """Idle ones at once, a busy one after its transaction."""
    old, new = start_gates("127.0.0.2", "127.0.0.3")
    names.set(db="127.0.0.2")
    pool = start_named(old.port, size=2)
    inside, idle = hold(pool, 2)
    idle.query("commit")
    assert len(old.links) == 2
    names.set(db="127.0.0.3")
    eventually(lambda: len(old.links) == 1, what="the idle server closed")
    assert idle.value("select 1") == "1"
    assert new.accepted == 1
    wait_for_lookups(names, 2)
    assert inside.value("select 'still here'") == "still here"
    assert len(old.links) == 1
    inside.query("commit")
    eventually(lambda: not old.links, what="the busy server closed")
    assert inside.value("select 2") == "2"
    assert old.accepted == 2
    assert closes(pool) == 2
    pool.wait_for_log("host db.test: now 127.0.0.3, before 127.0.0.2")
    assert pool.log().count("host db.test: now") == 1


@behaviour(115)
def test_nobody_notices_that_addresses_change(start_named, start_gates, names):
    """Clients under way all the time, over several changes."""
    gates = start_gates("127.0.0.2", "127.0.0.3", "127.0.0.4")
    names.set(db="127.0.0.2")
    pool = start_named(gates[0].port, size=3, acquire_timeout="5s")
    stop, wrong, done = threading.Event(), [], []

    def work(client):
        try:
            for number in iter(lambda: len(done), None):
                if stop.is_set():
                    break
                client.query("begin")
                assert client.value(f"select {number}") == str(number)
                client.query("commit")
                done.append(number)
        except Exception as problem:  # pylint: disable=broad-except
            wrong.append(problem)

    threads = [threading.Thread(target=work, args=(pool.client(),)) for _ in range(6)]
    for one in threads:
        one.start()
    for gate in (gates[1], gates[2], gates[0]):
        names.set(db=gate.host)
        eventually(lambda gate=gate: len(gate.links) == 3
                   and sum(len(each.links) for each in gates) == 3, what="all servers moved")
    stop.set()
    for one in threads:
        one.join()
    assert not wrong, wrong
    assert len(done) > 100
    assert closes(pool) == 9


@behaviour(115)
def test_another_order_retires_nothing(start_named, start_gates, names):
    gates = start_gates("127.0.0.2", "127.0.0.3", "127.0.0.4")
    hosts = [each.host for each in gates]
    names.set(db=" ".join(hosts))
    pool = start_named(gates[0].port, size=6)
    release(hold(pool, 6))
    assert [each.accepted for each in gates] == [2, 2, 2]  # they take turns
    for _ in range(3):
        hosts.append(hosts.pop(0))
        names.set(db=" ".join(hosts))
        wait_for_lookups(names, 1)
    names.set(db=" ".join(hosts + ["127.0.0.5"]))  # one more is no reason either
    wait_for_lookups(names, 2)
    release(hold(pool, 6))
    assert sum(each.accepted for each in gates) == 6
    assert closes(pool) == closes(pool, "retired") == 0
    names.set(db=" ".join(hosts[1:]))  # but one less is, for its servers
    eventually(lambda: closes(pool) == 2, what="two servers retired")
    assert sum(len(each.links) for each in gates) == 4


def test_an_address_that_refuses_is_passed_over(start_named, start_gates, names):
    gates = start_gates("127.0.0.2", "127.0.0.3")
    names.set(db="127.0.0.2 127.0.0.3")
    pool = start_named(gates[0].port, size=4)
    gates[0].refuse()
    release(hold(pool, 4))
    assert gates[1].accepted == 4
    gates[0].accept()


def test_a_cancel_goes_where_its_server_is(start_named, start_gates, names, postgres):
    """Another address of the name may be another server."""
    gates = start_gates("127.0.0.2", "127.0.0.3")
    names.set(db="127.0.0.2 127.0.0.3")
    pool = start_named(gates[0].port, size=1)
    client = pool.client()
    assert client.value("select 1") == "1"
    here = next(each for each in gates if each.links)
    for asked in range(1, 4):
        before = here.accepted
        runner = threading.Thread(target=lambda: client.query("select pg_sleep(20)"))
        runner.start()
        eventually(lambda: postgres.value("select count(*) from pg_stat_activity where query like "
                                          "'select pg_sleep%' and state = 'active'") == "1",
                   what="the query under way")
        client.cancel()
        runner.join()
        assert here.accepted == before + 1, asked
    assert sum(each.accepted for each in gates) == here.accepted == 4


# --- look-ups that fail --------------------------------------------------------------------------

@behaviour(115)
@pytest.mark.parametrize("failure", ["AGAIN", None, "HANGS"])
def test_a_failure_keeps_the_addresses(start_named, start_gates, names, failure):
    gate, = start_gates("127.0.0.2")
    names.set(db="127.0.0.2")
    pool = start_named(gate.port, size=4)
    release(hold(pool, 2))
    names.set(db=failure)
    wait_for_lookups(names, 1 if failure == "HANGS" else 3)
    release(hold(pool, 4))  # two of them are new
    assert gate.accepted == 4
    assert closes(pool) == 0
    names.set(db="127.0.0.2")
    wait_for_lookups(names, 2)
    if failure != "HANGS":
        pool.wait_for_log("host db.test can be looked up again: 127.0.0.2")
        assert pool.log().count("its addresses stay 127.0.0.2") == 1
    assert pool.log().count("can be looked up again") == (failure != "HANGS")
    assert closes(pool) == 0 and gate.accepted == 4


@behaviour(115)
@pytest.mark.parametrize("failure,text", [
    (None, "cannot look up db.test: Name or service not known"),
    ("AGAIN", "cannot look up db.test: Temporary failure in name resolution")])
def test_a_name_that_nobody_knows(start_named, start_gates, names, failure, text):
    gate, = start_gates("127.0.0.2")
    names.set(db=failure)
    pool = start_named(gate.port, size=2, acquire_timeout="1s")
    began = time.monotonic()
    with pytest.raises(ServerError) as refused:
        pool.client()
    assert time.monotonic() - began < 3
    assert text in str(refused.value)
    names.set(db="127.0.0.2")

    def is_back():
        try:
            return pool.client().value("select 1") == "1"
        except ServerError:
            return False
    eventually(is_back, within_s=5, what="the name found")


def test_a_failure_is_believed_for_a_while(start_named, start_gates, names):
    gate, = start_gates("127.0.0.2")
    pool = start_named(gate.port, negative_ttl="1m", size=2, acquire_timeout="1s",
                       retry={"min": "10ms", "max": "20ms"})
    with pytest.raises(ServerError):
        pool.client()
    assert pool.metrics().sum("weir_server_opens_total", result="failed") > 5
    assert names.lookups() == 1


@behaviour(115)
def test_a_resolver_that_hangs(start_named, start_gates, names, postgres):
    """It holds up its own database alone, and not the end of weir."""
    gate, = start_gates("127.0.0.2")
    names.set(db="HANGS")
    pool = start_named(gate.port, size=2, acquire_timeout="2s", connect_timeout="500ms", config={
        "databases": {"second": {"url": f"postgres://127.0.0.1:{postgres.port}/second"}}})
    waiting = []

    def wait():
        try:
            pool.client()
        except ServerError as refused:
            waiting.append(str(refused))
    thread = threading.Thread(target=wait)
    thread.start()
    other = pool.client(database="second")
    slowest = 0.0
    while thread.is_alive():
        began = time.monotonic()
        assert other.value("select 1") == "1"
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 0.5
    assert "connect_timeout" in waiting[0]
    assert names.lookups() == 1
    began = time.monotonic()
    pool.close_clients()
    pool.process.terminate()
    pool.wait_for_end()
    assert time.monotonic() - began < 3


# --- another protocol ----------------------------------------------------------------------------

@pytest.fixture
def redis():
    one = RedisServer()
    yield one
    one.stop()


@pytest.fixture
def start_cache(names):
    """weir before a Redis at cache.test."""
    started = []

    def start(port):
        started.append(start_target({
            "workers": 1, "shutdown_timeout": "2s", "dns": {"ttl": "1s"},
            "databases": {"cache": {"url": f"redis://cache.test:{port}/0", "pool": {"size": 1}}},
        }, listener={"protocol": "redis", "auth": {"method": "trust"}},
            environment=names.environment))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_redis_follows_its_name(redis, start_gates, start_cache, names):
    old, new = start_gates("127.0.0.2", "127.0.0.3", upstream=("127.0.0.1", redis.port))
    names.set(cache="127.0.0.2")
    pool = start_cache(old.port)
    with RedisClient(pool.port) as client:
        assert client.do("set", "key", "value") == b"OK"
        names.set(cache="127.0.0.3")
        eventually(lambda: not old.links, what="the old server left")
        assert client.do("get", "key") == b"value"
        assert new.accepted == 1
