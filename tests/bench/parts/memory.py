"""Resident memory of a proxy for each idle client that has logged in with a password and run one query."""

import sys
import time
from dataclasses import dataclass

from . import measure
from .services import PASSWORD
from .wire import Client


@dataclass
class Memory:
    clients: int
    before: int
    after: int
    login_seconds: float

    @property
    def kb_per_client(self):
        return (self.after - self.before) / self.clients / 1024


def measure_idle_clients(stack, target, clients, idle_seconds):
    pid = stack.proxies[target].pid
    port = stack.port(target)
    opened = [_idle_client(port)]  # pays for the server connection and what is made once
    time.sleep(1)
    before = measure.resident_bytes(pid)
    begin = time.monotonic()
    try:
        for _ in range(clients):
            opened.append(_idle_client(port))
        login_seconds = time.monotonic() - begin
        time.sleep(idle_seconds)
        after = measure.resident_bytes(pid)
    finally:
        for client in opened:
            client.close()
    result = Memory(clients, before, after, login_seconds)
    print(f"memory {target}: {result.kb_per_client:.2f} KB for each of {clients} idle clients "
          f"({login_seconds:.1f} s to log in)", file=sys.stderr)
    return result


def _idle_client(port):
    client = Client(port, password=PASSWORD)
    client.query("SELECT 1")
    return client
