"""Several hosts for one database: which is taken, and what of one that is down."""

import threading
import time

import pytest

from harness import (PASSWORD, ServerError, behaviour, eventually, free_port, merge, pg,
                     weir_only)
from support.fake_server import STATUS
from support.postgres_server import PostgresStandby

pytestmark = weir_only

PRIMARY, STANDBY = {"in_hot_standby": "off"}, {"in_hot_standby": "on"}
READ_ONLY = {"default_transaction_read_only": "on"}


@pytest.fixture
def start_hosts(start_fake, start_pool):
    """Fake servers that say of themselves what `reports` lists, behind one URL."""
    def start(reports, *, size=1, **database):
        hosts = []
        for report in reports:
            if report is None:  # nobody listens there
                hosts.append(free_port())
                continue
            fake = start_fake()
            fake.status_of = lambda _, report=report: {**STATUS, **report}
            hosts.append(fake.port)
        url = f"postgres://{','.join(f'127.0.0.1:{port}' for port in hosts)}/app"
        pool = start_pool(size=size, acquire_timeout="1s", config={
            "databases": {"app": {"url": url, **database}}})
        pool.hosts = hosts
        return pool
    return start


def opened_at(pool):
    """Which hosts have servers, by their place in the URL."""
    opened = pool.metrics().sum("weir_server_opens_total", result="ok")
    eventually(lambda: pool.log().count(" open: app/app at ") >= opened, what="all in the log")
    return sorted(pool.hosts.index(int(line.rsplit(" at 127.0.0.1:", 1)[1].split(",")[0]))
                  for line in pool.log().splitlines() if " open: app/app at " in line)


@pytest.mark.parametrize("wanted,reports,place", [
    ("any", [STANDBY, PRIMARY], 0),
    ("primary", [STANDBY, PRIMARY], 1),
    ("primary", [READ_ONLY, STANDBY], 0),
    ("standby", [PRIMARY, STANDBY], 1),
    ("read-write", [STANDBY, READ_ONLY, PRIMARY], 2),
    ("read-only", [PRIMARY, READ_ONLY], 1),
    ("prefer-standby", [PRIMARY, STANDBY], 1),
    ("prefer-standby", [PRIMARY, None], 0),
    ("primary", [None, STANDBY, PRIMARY], 2),
])
def test_target_session_attrs(start_hosts, wanted, reports, place):
    pool = start_hosts(reports, target_session_attrs=wanted)
    assert pool.client().value("select 1").startswith("fake")
    assert opened_at(pool) == [place]


def test_no_host_is_what_it_has_to_be(start_hosts):
    pool = start_hosts([STANDBY, STANDBY], target_session_attrs="primary")
    with pytest.raises(ServerError) as refused:
        pool.client()
    assert "server is a standby" in str(refused.value)


def test_real_server(start_pool, postgres):
    pool = start_pool(size=1, config={"databases": {"app": {
        "url": f"postgres://127.0.0.1:{postgres.port}/app?target_session_attrs=read-write"}}})
    assert pool.client().value("select 1") == "1"
    pool.config = merge(pool.config, {"databases": {"app": {"target_session_attrs": "standby"}},
                                      "defaults": {"pool": {"acquire_timeout": "1s"}}})
    pool.reload()
    with pytest.raises(ServerError) as refused:
        pool.client("other", password=PASSWORD)
    assert "not a standby" in str(refused.value)


def test_a_server_that_becomes_another(start_hosts, start_fake, start_pool):
    """A standby that is promoted is not used as a standby any more."""
    fake = start_fake()
    fake.status_of = lambda _: {**STATUS, **fake.report}
    fake.report = STANDBY
    pool = start_pool(size=1, acquire_timeout="2s", config={"databases": {"app": {
        "url": f"postgres://127.0.0.1:{fake.port}/app", "target_session_attrs": "standby"}}})
    client = pool.client()
    assert client.value("select 1") == "fake 0"
    fake.report = PRIMARY
    fake.connections[0].send(pg.parameter_status("in_hot_standby", "off"))
    eventually(lambda: fake.connections[0].ended.is_set(), what="the promoted server left")
    fake.report = STANDBY
    eventually(lambda: client.value("select 1") == "fake 1", what="a standby again")


@pytest.mark.parametrize("balance,shares", [("round_robin", [2, 2]), ("disable", [4, 0])])
def test_load_balance_hosts(start_hosts, balance, shares):
    pool = start_hosts([PRIMARY, PRIMARY], size=4, load_balance_hosts=balance)
    clients = [pool.client() for _ in range(4)]
    for one in clients:
        one.query("begin")
    places = opened_at(pool)
    assert [places.count(0), places.count(1)] == shares


@behaviour(96)
def test_a_dead_host_is_left_out(start_hosts):
    """Each opening would lose time on it."""
    pool = start_hosts([None, PRIMARY], size=4)
    clients = [pool.client() for _ in range(4)]
    began = time.monotonic()
    for one in clients:
        one.query("begin")
    assert time.monotonic() - began < 5
    assert opened_at(pool) == [1] * 4
    assert pool.log().count(f"127.0.0.1:{pool.hosts[0]} cannot be opened") <= 2


# --- clients that only read ------------------------------------------------------------------

READER = {"default_transaction_read_only": "on"}
STANDS_BY = "select pg_is_in_recovery()"


@pytest.fixture(scope="module")
def standby(postgres_for_all):
    server = PostgresStandby(postgres_for_all)
    yield server
    server.remove()


@pytest.fixture
def start_readers(start_pool, standby):
    def start(read_only=None, **pool):
        host = read_only or f"{standby.host}:{standby.port}"
        return start_pool(config={"databases": {"app": {"read_only": [host]}}}, **pool)
    return start


@pytest.mark.parametrize("startup", [
    READER, {"options": "-c default_transaction_read_only=true"}])
@pytest.mark.parametrize("size", [4, 1])
def test_who_only_reads_gets_a_standby(start_readers, startup, size):
    """With one connection for all it changes from the one to the other."""
    pool = start_readers(size=size)
    for _ in range(3):
        with pool.client() as writer, pool.client(startup=startup) as reader:
            assert reader.parameters["in_hot_standby"] == "on"
            assert writer.parameters["in_hot_standby"] == "off"
            for _ in range(2):
                assert [reader.value(STANDS_BY), writer.value(STANDS_BY)] == ["t", "f"]


def test_who_only_reads_cannot_write_by_changing_his_mind(start_readers):
    reader = start_readers(size=2).client(startup=READER)
    reader.rows("set default_transaction_read_only = off")
    with pytest.raises(ServerError) as refused:
        reader.rows("create table never (id int)")
    assert refused.value.sqlstate == "25006"
    assert reader.value(STANDS_BY) == "t"


def test_who_only_reads_reads_elsewhere_when_there_is_no_standby(start_readers):
    pool = start_readers(f"127.0.0.1:{free_port()}", size=2)
    assert pool.client(startup=READER).value(STANDS_BY) == "f"


def test_the_hosts_of_the_url_are_what_they_have_to_be_for_readers_too(start_pool, standby):
    place = f"{standby.host}:{standby.port}"
    database = {"url": f"postgres://{place}/app", "target_session_attrs": "primary"}
    for read_only, found in [(place, "t"), (f"127.0.0.1:{free_port()}", None)]:
        pool = start_pool(size=2, acquire_timeout="1s", config={
            "databases": {"app": {**database, "read_only": [read_only]}}})
        if found:
            assert pool.client(startup=READER).value(STANDS_BY) == found
            continue
        with pytest.raises(ServerError) as refused:
            pool.client(startup=READER)
        assert "server is a standby" in str(refused.value)


def test_readers_go_on_when_the_primary_is_down(start_pool, standby):
    pool = start_pool(size=2, acquire_timeout="5s", config={"databases": {"app": {
        "url": f"postgres://127.0.0.1:{free_port()}/app",
        "read_only": [f"{standby.host}:{standby.port}"]}}})
    writers = [threading.Thread(target=log_in_vain, args=(pool,)) for _ in range(3)]
    for each in writers:
        each.start()
    eventually(lambda: pool.metrics().sum("weir_pool_waiting") == 3, what="the writers")
    for _ in range(3):
        with pool.client(startup=READER) as reader:
            assert reader.value(STANDS_BY) == "t"
    assert all(each.is_alive() for each in writers), "nobody had to wait for their end"
    for each in writers:
        each.join()


def log_in_vain(pool):
    with pytest.raises(ServerError):
        pool.client()


def test_who_turns_reading_on_later_stays(start_readers):
    """A host is chosen at login; a setting says nothing of hosts."""
    pool = start_readers(size=2)
    client = pool.client()
    client.rows("set default_transaction_read_only = on")
    assert client.value(STANDS_BY) == "f"


def test_a_reload_brings_hosts_for_readers(start_pool, standby):
    pool = start_pool(size=2)
    assert pool.client(startup=READER).value(STANDS_BY) == "f"
    pool.config = merge(pool.config, {"databases": {"app": {
        "read_only": [f"{standby.host}:{standby.port}"]}}})
    pool.reload()
    with pool.client(startup=READER) as reader:
        assert reader.value(STANDS_BY) == "t"
        del pool.config["databases"]["app"]["read_only"]
        pool.reload()
        assert eventually(lambda: reader.value(STANDS_BY) == "f", what="the usual host")


def test_roles_of_real_servers(start_pool, postgres, standby):
    hosts = f"{standby.host}:{standby.port},{postgres.host}:{postgres.port}"
    for wanted, found in [("primary", "f"), ("standby", "t"), ("prefer-standby", "t"),
                          ("read-write", "f")]:
        pool = start_pool(size=1, config={"databases": {"app": {
            "url": f"postgres://{hosts}/app?target_session_attrs={wanted}"}}})
        assert pool.client().value(STANDS_BY) == found, wanted
