"""Several hosts for one database: which is taken, and what of one that is down."""

import time

import pytest

from harness import (PASSWORD, ServerError, behaviour, eventually, free_port, merge, pg,
                     weir_only)
from support.fake_server import STATUS

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
