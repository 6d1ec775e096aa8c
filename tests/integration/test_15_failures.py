"""A server that is killed, restarted, or stands still, while clients are at work."""

import os
import signal
import threading
import time

import pytest

from harness import (Closed, PostgresServer, ServerError, behaviour, errors, eventually, pg,
                     weir_only)

pytestmark = weir_only

WAIT_S, QUERY_S, CANCEL_S = 2, 2, 1
DEADLINE_S = WAIT_S + QUERY_S + CANCEL_S + 4  # of one turn; the rest is for a busy machine
CLIENTS = 8


@pytest.fixture(scope="module")
def mortal_postgres():
    """A server of this file's own: it is killed."""
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture
def pool(start_pool, mortal_postgres):
    return start_pool(mortal_postgres, size=3, acquire_timeout=f"{WAIT_S}s", connect_timeout="1s",
                      check_after="0", config={"workers": 2, "defaults": {"timeouts": {
                          "query": f"{QUERY_S}s", "cancel": f"{CANCEL_S}s"}}})


class Worker(threading.Thread):
    """Runs short turns, logging in again when it has been thrown out."""

    def __init__(self, pool, stop):
        super().__init__(daemon=True)
        self.pool, self.stop = pool, stop
        self.answered, self.refused, self.longest, self.problem = 0, 0, 0, None

    def run(self):
        try:
            client = None
            while not self.stop.is_set():
                began = time.monotonic()
                try:
                    client = client or self.pool.client(timeout=60)
                    found = client.query("select pg_sleep(0.02)")
                    if errors(found):
                        self.refused += 1
                    else:
                        self.answered += 1
                except (Closed, ServerError, OSError):
                    client = None
                    self.refused += 1
                self.longest = max(self.longest, time.monotonic() - began)
        except Exception as problem:
            self.problem = problem


class Load:
    """Clients at work from the beginning to the end of a `with`."""

    def __init__(self, pool):
        self.stop = threading.Event()
        self.workers = [Worker(pool, self.stop) for _ in range(CLIENTS)]

    def __enter__(self):
        for one in self.workers:
            one.start()
        self.wait_for_answers()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for one in self.workers:
            one.join(60)
            assert not one.is_alive(), "a turn never ended"
            assert one.problem is None, one.problem

    def wait_for_answers(self):
        """Every client gets answers again."""
        before = [one.answered for one in self.workers]
        eventually(lambda: all(one.answered > had + 3 for one, had in zip(self.workers, before)),
                   within_s=30, what="answers for everybody")

    @property
    def refused(self):
        return sum(one.refused for one in self.workers)

    @property
    def longest(self):
        return max(one.longest for one in self.workers)


def assert_back_where_it_was(pool):
    pool.close_clients()
    eventually(lambda: pool.metrics().sum("weir_clients") == 0, what="no client left")
    eventually(lambda: pool.metrics().sum("weir_servers") ==
               pool.metrics().sum("weir_servers", state="idle") <= 3, what="all servers at rest")
    assert pool.client().value("select 'well'") == "well"


@behaviour(103)
def test_server_killed_in_mid_turn(pool, mortal_postgres):
    client = pool.client()
    pid = int(client.value("select pg_backend_pid()"))
    client.send(pg.query("select pg_sleep(30)"))
    eventually(lambda: any("sleep(30)" in query for _, _, query in mortal_postgres.backends()),
               what="the query runs")
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    assert "08006" in errors(client.until_closed())
    assert time.monotonic() - began < DEADLINE_S
    eventually(mortal_postgres.answers, within_s=30, what="PostgreSQL over its crash")
    assert_back_where_it_was(pool)


def test_restarted_under_load(pool, mortal_postgres):
    with Load(pool) as load:
        mortal_postgres.stop()
        time.sleep(1)
        mortal_postgres.start()
        load.wait_for_answers()
    assert load.refused > 0 and load.longest < DEADLINE_S
    assert_back_where_it_was(pool)


def test_killed_under_load(pool, mortal_postgres):
    with Load(pool) as load:
        pid = int(mortal_postgres.backends()[0][0])
        os.kill(pid, signal.SIGKILL)
        load.wait_for_answers()
    assert load.refused > 0 and load.longest < DEADLINE_S
    eventually(mortal_postgres.answers, within_s=30, what="PostgreSQL over its crash")
    assert_back_where_it_was(pool)


def test_stalled_for_ten_seconds(pool, mortal_postgres):
    """The whole server stands still: its sockets accept, and nobody answers."""
    with Load(pool) as load:
        pids = [mortal_postgres.process.pid,
                *(int(row[0]) for row in mortal_postgres.rows("select pid from pg_stat_activity"))]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:  # it had just left
                pass
        time.sleep(10)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        load.wait_for_answers()
    assert load.refused > 0 and load.longest < DEADLINE_S
    assert_back_where_it_was(pool)
