"""Many clients that arrive at once at a proxy that has just been started: the time until all are answered."""

import re
import selectors
import socket
import sys
import time
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from . import measure, services, wire

DEADLINE_SECONDS = 120
SETTLE_SECONDS = 0.3     # a proxy has opened its port, and does the rest of its start


@dataclass(frozen=True)
class Variant:
    name: str
    title: str
    own_users: bool      # a user for each client, with a plain password; else one with a verifier


VARIANTS = (Variant("verifier", "one user, SCRAM verifier", False),
            Variant("passwords", "a user each, plain passwords", True))


@dataclass
class Storm:
    seconds: float           # from the first connect to the last answer
    half: float              # until half of the clients are answered
    proxy_cpu: float
    client_cpu: float        # seconds, as all figures above
    servers: int             # that the proxy has opened
    turn: float              # no turn of a loop of weir's took longer; None: not known


class Results:
    def __init__(self):
        self.storms = defaultdict(dict)      # (variant, target) -> {round: Storm}
        self.failures = []

    def value(self, variant, target, field):
        found = [getattr(storm, field) for storm in self.storms[variant, target].values()]
        return median(found) if found and None not in found else None

    def ratios(self, variant, field):
        """weir's to PgBouncer's of the same rounds."""
        ours, theirs = self.storms[variant, "weir"], self.storms[variant, "pgbouncer"]
        return [getattr(ours[n], field) / getattr(theirs[n], field) for n in sorted(ours) if n in theirs]


class Arrival(wire.Client):
    """A client that never blocks: connects, logs in, asks once and stays."""

    def __init__(self, port, user, password):
        self.user, self.password = user, password
        self.buffer, self.scram, self.begun, self.asked, self.answered = b"", None, False, False, False
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(("127.0.0.1", port))

    def on_event(self):
        if not self.begun:
            self.begun = True
            self._send_startup(self.user, "bench")
            return
        data = self.socket.recv(65536)
        if not data:
            raise wire.WireError("the connection was closed")
        self.buffer += data
        while self._has_message():
            self._on_message(*self._receive())

    def _has_message(self):
        return len(self.buffer) > 4 and len(self.buffer) > int.from_bytes(self.buffer[1:5], "big")

    def _on_message(self, kind, body):
        if kind == b"R":
            self.scram = self._authenticate(body, self.scram, self.password)
        elif kind == b"Z" and not self.asked:
            self.asked = True
            self._send(b"Q", b"SELECT 1\0")
        elif kind == b"Z":
            self.answered = True


class StormStack(services.Stack):
    """A PostgreSQL that demands SCRAM, and proxies that are started for each storm."""

    pgbouncer_config = "storm-pgbouncer.ini"
    weir_config = "storm-weir.yaml"

    def __init__(self, workshop, variant, clients, cpus):
        super().__init__(workshop, f"storm-{variant.name}", [], cpus, auth="scram-sha-256")
        self.variant, self.verifier = variant, ""
        self.logins = [("bench", services.PASSWORD)] * clients
        if variant.own_users:
            self.logins = [(f"user{n}", f"password of user {n}") for n in range(clients)]

    def _start_server(self):
        super()._start_server()
        client = wire.Client(self.server_port)
        client.query(f"ALTER ROLE bench PASSWORD '{services.PASSWORD}'")
        self.verifier = client.query("SELECT rolpassword FROM pg_authid WHERE rolname = 'bench'")[0]
        self.hba.write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        client.query("SELECT pg_reload_conf()")
        client.close()
        self._wait_for_passwords()

    def _wait_for_passwords(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                wire.Client(self.server_port, password="wrong").close()
            except wire.WireError:
                return
            time.sleep(0.05)
        raise services.ServiceError("PostgreSQL does not ask for passwords")

    def server_count(self):
        client = wire.Client(self.server_port, password=services.PASSWORD)
        found = client.query("SELECT count(*) FROM pg_stat_activity WHERE datname = 'bench' "
                             "AND pid <> pg_backend_pid()")
        client.close()
        return int(found[0])

    def _values(self, port):
        own = self.variant.own_users
        return {**super()._values(port),
                "SERVER_LOGIN_URL": f"bench:{services.PASSWORD}@" if own else "",
                "SERVER_LOGIN_WORDS": f"user=bench password={services.PASSWORD}" if own else ""}

    def _users_file(self):
        """With one user the servers' verifier: its keys, learned from the client, open the servers."""
        secrets = self.logins if self.variant.own_users else [("bench", self.verifier)]
        return "".join(f'"{name}" "{secret}"\n' for name, secret in secrets)


def measure_storms(workshop, targets, clients, rounds, cpus):
    results = Results()
    for variant in VARIANTS:
        with StormStack(workshop, variant, clients, cpus) as stack:
            for target in targets:
                stack.add_proxy(target)
            for number in range(rounds):
                for target in targets if number % 2 == 0 else reversed(targets):
                    _one_round(stack, target, number, results)
    return results


def _one_round(stack, target, number, results):
    name = stack.variant.name
    try:
        storm = _storm(stack, target)
    except (wire.WireError, services.ServiceError, OSError) as error:
        results.failures.append(f"storm {name}, {target}: {error}")
        print(f"FAILED {results.failures[-1]}", file=sys.stderr)
        return
    results.storms[name, target][number] = storm
    print(f"storm {name} round {number + 1}: {target} {storm.seconds:.3f} s, half after {storm.half:.3f} s, CPU "
          f"{storm.proxy_cpu:.3f} s (clients {storm.client_cpu:.3f} s), {storm.servers} servers"
          + (f", longest turn below {storm.turn * 1000:.1f} ms" if storm.turn else ""), file=sys.stderr)


def _storm(stack, target):
    service = stack.proxies[target]
    service.start()
    try:
        service.wait_accepting()
        time.sleep(SETTLE_SECONDS)
        before, used = measure.cpu_of(service.pid), time.process_time()
        times = _arrive(service.port, stack.logins)
        used = time.process_time() - used
        proxy = measure.cpu_of(service.pid) - before
        return Storm(times[-1], times[len(times) // 2], proxy.total_ns / 1e9, used, stack.server_count(),
                     _longest_turn(service) if target == "weir" else None)
    finally:
        service.stop()


def _longest_turn(service):
    """The bound of the highest bucket that holds one, in seconds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{service.http_port}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    buckets = defaultdict(list)
    for worker, bound, count in re.findall(
            r'^weir_loop_turn_seconds_bucket{worker="(\d+)",le="([^"]+)"} (\d+)', page, re.MULTILINE):
        buckets[worker].append((int(count), float(bound)))
    return max(next(bound for count, bound in each if count == each[-1][0]) for each in buckets.values())


def _arrive(port, logins):
    """When each answer came, in seconds after the first connect. All clients stay until the last one has its own."""
    times, arrivals = [], []
    begin = time.monotonic()
    with selectors.DefaultSelector() as selector:
        try:
            for user, password in logins:
                arrivals.append(Arrival(port, user, password))
                selector.register(arrivals[-1].socket, selectors.EVENT_WRITE, arrivals[-1])
            while len(times) < len(logins):
                _serve(selector, times, begin)
        finally:
            for arrival in arrivals:
                arrival.close()
    return times


def _serve(selector, times, begin):
    for key, _ in selector.select(1):
        arrival = key.data
        arrival.on_event()
        if arrival.answered:
            selector.unregister(arrival.socket)
            times.append(time.monotonic() - begin)
        elif key.events == selectors.EVENT_WRITE:
            selector.modify(arrival.socket, selectors.EVENT_READ, arrival)
    if time.monotonic() - begin > DEADLINE_SECONDS:
        raise wire.WireError(f"only {len(times)} clients were answered in {DEADLINE_SECONDS} s")
