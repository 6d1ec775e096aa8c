"""Waiting without sleeping: poll a condition until a deadline."""

import socket
import random
import time


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
    """A loopback port below the range the kernel uses for outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(15000, 31000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
