"""Redis' drivers as applications have them, all of them at once through one listener on few server
connections, with weir's defaults. Each checks what it is told itself."""

import pathlib
import tempfile
import time

import pytest

from harness import LONG, eventually, start_target, weir_only
from support.redis import RedisServer
from support.redis_cache import LISTENER, active
from support.redis_drivers import DRIVERS, Place, Run, strangers

pytestmark = weir_only

SIZE = 4
ROUNDS = 30 if LONG else 3
WAIT_S_MAX = 1200 if LONG else 180
FINE = {"query", "client_lost"}  # errors that a driver provokes, or that are its way to leave


class Outcome:
    """What came of the one run that all tests here look at."""

    def __init__(self, server, cache, place):
        self.server, self.cache = server, cache
        self.runs = {name: Run(name, driver, place) for name, driver in DRIVERS.items()}
        self.started = [run for run in self.runs.values() if not run.missing]
        self.connections = 0  # of the server, at most
        try:
            for run in self.started:
                run.start(cache.port, ROUNDS)
            self.watch()
        finally:
            for run in self.started:
                run.kill()

    def watch(self):
        deadline = time.monotonic() + WAIT_S_MAX
        with self.server.client() as direct:
            while time.monotonic() < deadline and not all(run.ended() for run in self.started):
                others = len(direct.do("CLIENT", "LIST").splitlines()) - 1
                self.connections = max(self.connections, others)
                time.sleep(0.05)


@pytest.fixture(scope="module")
def outcome():
    server = RedisServer()
    cache = start_target({"databases": {"cache": {
        "url": f"redis://127.0.0.1:{server.port}", "lanes": 1, "pool": {"size": SIZE}}}},
        listener=LISTENER)
    with tempfile.TemporaryDirectory(prefix="weir-drivers-") as directory:
        place = Place(pathlib.Path(directory))
        try:
            yield Outcome(server, cache, place)
        finally:
            place.remove()
            cache.stop()
            server.stop()


@pytest.mark.parametrize("name", DRIVERS)
def test_a_driver_among_the_others(outcome, name):
    run = outcome.runs[name]
    if run.missing and not LONG:
        pytest.skip(run.missing)
    assert not run.missing
    printed = run.printed()
    assert run.process.returncode == 0, f"{name} ended with {run.process.returncode}:\n{printed}"
    assert printed.splitlines() == run.expected(ROUNDS)


def test_nobody_has_what_is_another_s(outcome):
    wrong, count = strangers(outcome.server.port)
    assert not wrong
    assert all(count[run.name] >= 3 * ROUNDS for run in outcome.started), count


def test_the_pool_is_as_small_as_it_should_be(outcome):
    assert 0 < outcome.connections <= SIZE


def test_everything_has_come_back(outcome):
    cache = outcome.cache
    eventually(lambda: cache.metrics().sum("weir_clients") == 0, what="that no client is left")
    eventually(lambda: active(cache) == 0, what="that no server is in use")
    metrics = cache.metrics()
    assert metrics.sum("weir_pool_waiting") == 0
    wrong = {labels["kind"]: value for found, labels, value in metrics.samples
             if found == "weir_errors_total" and value > 0 and labels["kind"] not in FINE}
    assert not wrong
