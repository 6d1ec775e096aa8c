"""Waiting without sleeping: poll a condition until a deadline."""

import itertools
import os
import random
import socket
import time

PROCESSES = max(4, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
PORTS_EACH = 16000 // PROCESSES
TRIED = itertools.count(random.SystemRandom().randrange(PORTS_EACH))


def eventually(condition, within_s=10, what="the condition"):
    """Polls until `condition()` is true and returns its value."""
    deadline = time.monotonic() + within_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within_s} s (last: {found!r})")
        time.sleep(0.01)


def never(condition, for_s=0.3, what="the condition"):
    """Where an absence is the statement under test: it must stay absent for a while."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        found = condition()
        assert not found, f"{what}: {found!r}"
        time.sleep(0.01)


def accepts(address):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        return probe.connect_ex(address) == 0


def free_port():
    """A loopback port that nobody listens on, below the range the kernel uses for outgoing
    connections. Of several processes that run tests each has ports of its own, and hands none out
    twice before all others."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = 15000 + process * PORTS_EACH + next(TRIED) % PORTS_EACH
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
