"""What a Redis server's connections are for, sampled while clients talk to weir.

The bound for those in use at one moment (docs/limits.md, Redis):

    shared   for each user, RESP version and database: `lanes` and a heavy one for each worker, and
             for those of subscribers one for each worker
    held     one for each client that is just then in MULTI or WATCH, blocked (WAIT and DEBUG are),
             MONITOR, tracking, subscribed, a replica, or somebody else by AUTH

Who sends a command of more than 64 KiB has a connection of its own as long as that takes. Nothing
shows it, so it is counted with the shared ones.

The pool keeps others that are idle, for those who come next; they are counted, but have no bound
but the pool's.

weir says which connection is in whose hands (SHOW SERVERS on the admin socket), the server in what
state each is (CLIENT LIST). A sample asks weir, the server, and weir again, and looks at what was in
the same hands both times. They still are three moments, so a connection is in excess only when two
samples in a row say so.
"""

import collections
import threading
import time

from . import messages as pg
from .redis import RedisClient
from .wire import Closed, ServerError, Wire

PAUSE_S = 0.2
STATES = set("xbOPtSd")  # of CLIENT LIST's flags: what entitles a client to a connection of its own
USED = {"active", "hub"}  # of SHOW SERVERS: in somebody's hands
# Show in no flag, only as the last command: while DEBUG RELOAD and SHUTDOWN run, others are answered.
RUN_LONG = {"debug", "shutdown"}


def fields(line):
    return dict(pair.split("=", 1) for pair in line.split() if "=" in pair)


def columns(description):
    """The names in a RowDescription."""
    names, at = [], 2
    while at < len(description.body):
        end = description.body.index(0, at)
        names.append(description.body[at:end].decode())
        at = end + 19  # numbers follow: table, column, type, size, modifier, format
    return names


class Weir:
    """What weir says of its connections."""

    def __init__(self, weir):
        place = weir.directory / "admin" / f".s.PGSQL.{weir.port}"
        self.link = Wire(str(place), user="admin", database="weir")

    def show(self, what):
        """Rows as dictionaries."""
        head, *found = self.link.query(f"SHOW {what}")
        names = columns(head)
        return [dict(zip(names, row)) for row in pg.rows(found)]

    def servers(self):
        """All of them, and by their number at the server who has each that is in use."""
        rows = self.show("SERVERS")
        used = {int(row["remote_pid"]): row["link"] for row in rows if row["state"] in USED}
        return len(rows), used

    def clients(self):
        return {row["ptr"] for row in self.show("CLIENTS") if row["database"] != "weir"}

    def close(self):
        self.link.close()


class Server:
    """What the server says of them."""

    def __init__(self, port):
        self.client = RedisClient(port, timeout=5)

    def connections(self):
        """The fields of CLIENT LIST by number; None while it answers nobody."""
        said = self.client.do("CLIENT", "LIST")
        if isinstance(said, Exception):  # busy with a script
            return None
        found = map(fields, said.decode(errors="replace").splitlines())
        return {int(one["id"]): one for one in found}

    def close(self):
        self.client.close()


class Bound:
    """Judges samples."""

    def __init__(self, lanes, workers):
        self.lanes, self.workers = lanes, workers
        self.watching = set()  # (number, who): WATCH shows in no flag, only as the last command

    def is_entitled(self, key, line):
        if line["cmd"] == "watch":
            self.watching.add(key)
        in_state = bool(STATES & set(line["flags"])) or line["user"] != "default"
        return in_state or key in self.watching or line["cmd"] in RUN_LONG

    def beyond(self, hands, lines, clients):
        """What is in use beyond the bound. `hands`: number and who has it."""
        self.watching &= set(hands.items())
        found, shared = {}, collections.defaultdict(list)
        for key in hands.items():
            line = lines.get(key[0])
            if not line:
                continue
            if key[1] not in clients or not self.is_entitled(key, line):
                most = self.workers * (1 if "P" in line["flags"] else self.lanes + 1)
                shared[most, line["user"], line.get("resp"), line["db"]].append(key)
        for (most, *_), keys in shared.items():
            found.update({key: lines[key[0]] for key in sorted(keys)[most:]})
        return found


class Connections(threading.Thread):
    """Samples until it is stopped. `most_open` and `most_used` connections, `clients` at the moment
    of most_used; `excess` is the highest number beyond the bound, and `worst` says of what.
    Without `asks` the server is not asked anything: connections are counted only."""

    def __init__(self, server, weir, lanes, asks=True):
        super().__init__(daemon=True)
        self.server, self.weir, self.asks = server, weir, asks
        self.bound = Bound(lanes, weir.config["workers"])
        self.samples = self.most_open = self.most_used = self.clients = self.excess = 0
        self.worst = []
        self.over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        last = {}
        weir = Weir(self.weir)
        server = self.dial()
        while not self.over.wait(PAUSE_S):
            try:
                last = self.sample(weir, server, last)
            except (OSError, Closed, ServerError):  # one of them is stopped, held up or ends
                last = {}
                if server:
                    server.close()
                    server = self.dial()
        weir.close()
        if server:
            server.close()

    def dial(self):
        while self.asks and not self.over.is_set():
            try:
                return Server(self.server.port)
            except OSError:
                time.sleep(PAUSE_S)
        return None

    def sample(self, weir, server, last):
        _, before = weir.servers()
        lines = server.connections() if server else None
        clients = weir.clients()
        count, after = weir.servers()
        self.samples += 1
        self.most_open = max(self.most_open, count)
        if len(after) > self.most_used:
            self.most_used, self.clients = len(after), len(clients)
        if lines is None:
            return {}
        hands = {number: who for number, who in before.items() if after.get(number) == who}
        found = self.bound.beyond(hands, lines, clients)
        twice = [key for key in found if key in last]
        if len(twice) > self.excess:
            self.excess = len(twice)
            self.worst = [f"{shown(found[key])} for {key[1]}; before: {shown(last[key])}"
                          for key in twice]
            self.worst += [f"  in the hands of {who}: {shown(lines.get(number, {}))}"
                           for number, who in sorted(hands.items())]
        return found


def shown(line):
    names = ("id", "age", "idle", "flags", "db", "resp", "cmd", "user")
    return " ".join(f"{name}={line[name]}" for name in names if name in line)
