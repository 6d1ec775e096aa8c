"""Redis' drivers as programs, each in its own process; redis_clients/rounds.py says what they do."""

import importlib.util
import pathlib
import shutil
import subprocess
import sys

from .node import NodePackages
from .redis import RedisClient

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "redis_clients"
STEPS = ["greeting", "pipeline", "transaction", "watch", "script", "function", "pubsub", "blocking",
         "streams", "database", "large"]
STEPS_OF_BENCHMARK = ["greeting", "pipeline", "many_clients", "script", "resp3", "own_tests",
                      "large"]
DATABASE_OF_BENCHMARK = 9  # where it has keys whose names are not ours to choose
KEYS_OF_BENCHMARK = ("key:", "counter:", "mylist", "myset", "myzset", "myhash")


class Missing(Exception):
    """What a driver needs is not on this machine."""


def python(script):
    return lambda _: [sys.executable, str(FOLDER / script)]


def redis_py(place):
    if not importlib.util.find_spec("redis"):
        raise Missing("no python3-redis")
    return python("with_redis_py.py")(place)


def node(script):
    return lambda place: ["node", str(place.node_packages() / script)]


def hiredis(place):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "hiredis"], capture_output=True,
                           text=True, check=False)
    if flags.returncode != 0:
        raise Missing("no libhiredis-dev")
    program = place.directory / "with_hiredis"
    source = str(FOLDER / "with_hiredis.c")
    subprocess.run(["gcc", "-Wall", "-Wextra", "-o", str(program), source, *flags.stdout.split()],
                   check=True, timeout=60)
    return [str(program)]


class Driver:
    def __init__(self, prime, command, *options, steps=None):
        self.prime, self.command, self.options = prime, command, options
        self.steps = STEPS if steps is None else steps


DRIVERS = {
    "redis-cli": Driver(101, python("with_redis_cli.py")),
    "redis-cli-3": Driver(103, python("with_redis_cli.py"), "3"),
    "redis-py": Driver(107, redis_py),  # Debian's 4.3 knows no RESP3
    "redis-py-decode": Driver(109, redis_py, "decode"),
    "node-redis": Driver(113, node("with_node_redis.js")),
    "node-redis-3": Driver(127, node("with_node_redis.js"), "3"),
    "ioredis": Driver(131, node("with_ioredis.js")),
    "hiredis": Driver(137, hiredis),
    "redis-benchmark": Driver(139, python("with_redis_benchmark.py"), steps=STEPS_OF_BENCHMARK),
}


class Place:
    """Where the programs are built, and what they share."""

    def __init__(self, directory):
        self.directory = directory
        self.node = None  # the packages, or why there are none

    def node_packages(self):
        if self.node is None:
            try:
                self.node = NodePackages("node_redis") if shutil.which("npm") else "no npm"
            except (AssertionError, subprocess.TimeoutExpired) as problem:
                self.node = f"npm cannot install node-redis and ioredis: {str(problem)[-200:]}"
        if isinstance(self.node, str):
            raise Missing(self.node)
        return self.node.directory

    def remove(self):
        if isinstance(self.node, NodePackages):
            self.node.remove()


class Run:
    """One driver that has been started, or `missing` says why it has not."""

    def __init__(self, name, driver, place):
        self.name, self.driver = name, driver
        self.process, self.missing = None, ""
        self.out = place.directory / f"{name}.out"
        try:
            self.command = driver.command(place)
        except Missing as why:
            self.missing = str(why)

    def start(self, port, rounds):
        words = [*self.command, port, self.name, self.driver.prime, rounds, *self.driver.options]
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen([*map(str, words)], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=subprocess.STDOUT)

    def ended(self):
        return self.process.poll() is not None

    def kill(self):
        if self.process and not self.ended():
            self.process.kill()
            self.process.wait()

    def printed(self):
        return self.out.read_text(errors="replace")

    def expected(self, rounds):
        return [f"{n} {step}" for n in range(rounds) for step in self.driver.steps] + ["done"]


# ---------------------------------------------------------------- what they have left in the server


def whose(database, key):
    if database == DATABASE_OF_BENCHMARK and key.startswith(KEYS_OF_BENCHMARK):
        return "redis-benchmark"
    return key.split(":")[0]


def texts_in(answer):
    """All texts of a value, at whatever depth."""
    if isinstance(answer, list):
        return [text for one in answer for text in texts_in(one)]
    return [answer]


READ = {b"string": ["GET"], b"list": ["LRANGE", 0, -1], b"hash": ["HVALS"],
        b"stream": ["XRANGE", "-", "+"]}


def values_of(client, key):
    words = READ[client.do("TYPE", key)]
    found = client.do(words[0], key, *words[1:])
    if words[0] == "XRANGE":  # [id, [field, value]]
        found = [fields[1] for _, fields in found]
    return texts_in(found)


def is_of(name, value):
    if value.isdigit():
        return int(value) % DRIVERS[name].prime == 0
    return value.startswith(name.encode() + b" ")


def keys_in(client, database):
    client.do("SELECT", database)
    cursor, found = b"0", []
    while True:
        cursor, more = client.do("SCAN", cursor, "COUNT", 1000)
        found += more
        if cursor == b"0":
            return [key.decode() for key in found]


def strangers(port):
    """(key, value) where the value is not of the driver that the key is of; and how many keys each
    driver has."""
    wrong, count = [], dict.fromkeys(DRIVERS, 0)
    with RedisClient(port) as client:
        for database in range(16):
            for key in keys_in(client, database):
                name = whose(database, key)
                if name not in count:
                    wrong.append((key, "whose?"))
                    continue
                count[name] += 1
                if database == DATABASE_OF_BENCHMARK:
                    continue
                wrong += [(key, value[:100]) for value in values_of(client, key)
                          if not is_of(name, value)]
    return wrong, count
