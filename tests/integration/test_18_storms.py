"""Many clients at once: cancels that must hit nobody else, timeouts that must not cost servers."""

import random
import threading
import time

import pytest

from harness import LONG, ServerError, Wire, behaviour, eventually, pg, weir_only

pytestmark = weir_only

SECONDS = 60 if LONG else 5


class Hammer(threading.Thread):
    """A client with short queries. A hasty one cancels its own at any moment, also when they are
    over; what a calm one is told must be its own answer."""

    def __init__(self, pool, tls, ends_at, hasty):
        super().__init__(daemon=True)
        self.pool, self.tls, self.ends_at, self.hasty = pool, tls, ends_at, hasty
        self.random = random.Random(id(self))
        self.queries = self.cancelled = 0
        self.problem = None

    def run(self):
        try:
            client = Wire(self.pool.address, "app", "app", "secret", tls=self.tls, timeout=60)
            while time.monotonic() < self.ends_at and not self.problem:
                self.turn(client)
            client.close()
        except (OSError, EOFError, AssertionError, ServerError) as problem:
            self.problem = repr(problem)

    def turn(self, client):
        mark = f"{id(self)} {self.queries}"
        pause = self.random.choice([0, 0.001, 0.003, 0.01])
        client.send(pg.query(f"select '{mark}' from pg_sleep({pause})"))
        if self.hasty:
            time.sleep(self.random.choice([0, pause / 2, pause]))
            bearer = Wire(self.pool.address, login=False, tls=self.tls)
            bearer.send(pg.cancel_request(client.pid, client.secret))
            if self.random.random() < 0.5:
                bearer.until_closed()
            bearer.close()
        found = client.until_ready()
        self.queries += 1
        if pg.errors(found):
            self.cancelled += 1
            if not self.hasty or pg.errors(found) != ["57014"]:
                self.problem = f"{mark}: {found}"
        elif pg.rows(found) != [[mark]]:
            self.problem = f"{mark}: {found}"


@behaviour(51)
@pytest.mark.parametrize("encrypted", [False, True])
def test_cancels_hit_nobody_else(start_secure, authority, encrypted):
    """50 clients on 5 servers; a cancel that comes late falls on a server that serves another."""
    pool = start_secure(size=5, config={"workers": 2})
    tls = authority.client() if encrypted else None
    ends_at = time.monotonic() + SECONDS
    hammers = [Hammer(pool, tls, ends_at, hasty=n % 2 == 0) for n in range(50)]
    for one in hammers:
        one.start()
    for one in hammers:
        one.join(SECONDS + 60)
        assert not one.is_alive(), "a client waits in vain"
    assert [one.problem for one in hammers if one.problem] == []
    assert sum(one.cancelled for one in hammers if one.hasty) > 0
    assert sum(one.queries for one in hammers if not one.hasty) > 100
    assert pool.client().value("select 1") == "1"


@behaviour(106)
def test_query_timeouts_keep_servers(start_pool, postgres):
    """Clients whose time is up all at once: their queries are cancelled, the servers stay."""
    count, size = (1000, 80) if LONG else (240, 80)
    pool = start_pool(size=size, config={
        "workers": 2, "max_clients": 2000,
        "defaults": {"timeouts": {"query": "1s"}, "pool": {"acquire_timeout": "0"}}})
    clients = [pool.client(timeout=90) for _ in range(count)]
    for one in clients:
        one.send(pg.query("select pg_sleep(30)"))
    for one in clients:
        assert pg.errors(one.until_ready()) == ["57014"]
    opened = pool.metrics().sum("weir_server_opens_total", result="ok")
    assert opened <= size + count * 0.1, opened
    eventually(lambda: pool.metrics().sum("weir_servers", state="idle") >= size * 0.9,
               what="the servers back in their pool")
    assert pool.client().value("select 1") == "1"


def test_a_burst_of_logins_holds_no_loop(start_pool):
    """Of 200 plain passwords keys are derived, on other threads: who is in is served meanwhile."""
    users = [f"u{n}" for n in range(200)]
    pool = start_pool(size=1, config={
        "workers": 1, "auth": {"method": "scram-sha-256", "scram_iterations": 20000},
        "users": {name: {"password": f"secret of {name}"} for name in users}})
    probe = pool.client()
    newcomers = [pool.raw() for _ in users]
    began = time.monotonic()
    for name, one in zip(users, newcomers):
        one.send(pg.startup({"user": name, "database": "app"}))
    longest = 0
    while not all(one.readable() for one in newcomers):
        asked = time.monotonic()
        assert probe.value("select 1") == "1"
        longest = max(longest, time.monotonic() - asked)
    burst = time.monotonic() - began
    assert all(one.read().type == "R" for one in newcomers)
    assert longest < burst / 2, (longest, burst)
