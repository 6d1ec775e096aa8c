"""Which connection a command needs: by the server's own COMMAND, and by `command_class`."""

import socketserver
import subprocess
import threading
import time

import pytest

from harness import eventually, start_target, weir_only
from support.pooler import weir_binary
from support.redis import RedisClient, RedisServer, command
from support.redis_cache import LISTENER, active, at_rest, dial, server, start

pytestmark = weir_only


def calls(server, name):
    """How often the server has been asked for it."""
    with server.client() as direct:
        lines = direct.do("INFO", "commandstats").decode().splitlines()
    found = [line for line in lines if line.startswith(f"cmdstat_{name}:")]
    return int(found[0].split("calls=")[1].split(",")[0]) if found else 0


def hold_servers(cache, count):
    """So many server connections at the same time, and then none in use."""
    clients = [dial(cache) for _ in range(count)]
    for n, client in enumerate(clients):
        client.send(command("BLPOP", f"hold{n}", 0))
    eventually(lambda: active(cache) == count)
    for client in clients:
        client.close()
    eventually(lambda: at_rest(cache))


def test_the_long_answer_is_asked_for_once(start, server):
    cache = start(10)
    for _ in range(2):
        hold_servers(cache, 6)
        eventually(lambda: calls(server, "command|count") >= 6)
    assert calls(server, "hello") == calls(server, "command|count") >= 12
    assert 1 <= calls(server, "command") <= 3  # those that are opened at the very first together


def test_a_user_who_may_not_ask_is_served_all_the_same(server):
    with server.client() as direct:
        direct.do("ACL", "SETUSER", "bob", "on", ">b", "~*", "&*", "+@all", "-command")
    cache = start_target({
        "databases": {"cache": {"url": f"redis://bob:b@127.0.0.1:{server.port}/0",
                                "command_class": {"strlen": "lease"}}},
    }, listener=LISTENER)
    try:
        with dial(cache) as client:
            assert client.do("SET", "k", "abc") == b"OK" and client.do("STRLEN", "k") == 3
            assert "no permissions" in str(client.do("COMMAND"))
            assert client.do("EVAL", "return 1", 0) == 1
    finally:
        cache.stop()
    assert calls(server, "command") == 0


class ModuleServer(socketserver.ThreadingTCPServer):
    """Speaks as a Redis whose module has a command that waits, and that COMMAND names."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, flags):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.commands = b"*2\r\n" + b"".join(
            b"*6\r\n$%d\r\n%s\r\n:-1\r\n*%d\r\n%s:0\r\n:0\r\n:0\r\n" % (
                len(name), name, len(words), b"".join(b"+%s\r\n" % word for word in words))
            for name, words in ((b"mod.wait", flags), (b"get", [b"readonly"])))
        self.go_on = threading.Event()
        self.connections = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.server.connections += 1
            while words := self.words():
                self.wfile.write(self.answer(words))

        def words(self):
            head = self.rfile.readline()
            return [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2]
                    for _ in range(int(head[1:]))] if head else None

        def answer(self, words):
            name = words[0].lower()
            if name == b"mod.wait":
                self.server.go_on.wait(20)
            return {b"ping": b"+PONG\r\n", b"get": b"$-1\r\n", b"mod.wait": b"+OK\r\n",
                    b"client": b":1\r\n",
                    b"command": self.server.commands if len(words) == 1 else b":2\r\n",
                    }.get(name, b"-ERR unknown command\r\n")


@pytest.fixture
def module(request):
    one = ModuleServer(request.param)
    yield one
    one.go_on.set()
    one.shutdown()
    one.server_close()


def in_front_of(server, **options):
    return start_target({
        "workers": 1,
        "databases": {"cache": {"url": f"redis://127.0.0.1:{server.server_address[1]}/0",
                                "lanes": 1, **options}},
    }, listener=LISTENER)


WAITS = [
    ([b"readonly", b"blocking"], {}),  # COMMAND says so
    ([b"readonly"], {"command_class": {"MOD.wait": "blocking"}}),
    ([b"readonly"], {"command_class": {"mod.wait": "lease"}}),
    ([b"readonly"], {"command_class": {"mod.wait": "heavy"}}),
    ([b"readonly"], {"command_class": {"mod.wait": "pinned"}}),
]


@pytest.mark.parametrize("module, options", WAITS, indirect=["module"], ids=str)
def test_a_module_s_command_that_waits_holds_up_nobody(module, options):
    cache = in_front_of(module, **options)
    try:
        with dial(cache) as waiting, dial(cache) as neighbour:
            waiting.send(command("MOD.WAIT"))
            eventually(lambda: active(cache) == 1)
            for _ in range(20):
                assert neighbour.do("GET", "k") is None
            assert waiting.silent()
            module.go_on.set()
            assert waiting.read() == b"OK" and waiting.do("PING") == b"PONG"
    finally:
        cache.stop()


# What the tests above would not see if nothing were told to weir.
@pytest.mark.parametrize("module, options", [
    ([b"readonly"], {}),
    ([b"readonly", b"blocking"], {"command_class": {"mod.wait": "lane"}}),
], indirect=["module"], ids=str)
def test_without_a_word_it_stands_in_the_lane(module, options):
    cache = in_front_of(module, **options)
    try:
        with dial(cache) as waiting, dial(cache) as neighbour:
            waiting.send(command("MOD.WAIT"))
            eventually(lambda: active(cache) == 1)
            neighbour.send(command("GET", "k"))
            assert neighbour.silent(0.3)
            module.go_on.set()
            assert waiting.read() == b"OK" and neighbour.read() is None
    finally:
        cache.stop()


def test_a_changed_class_holds_for_new_connections(server):
    cache = start_target({
        "workers": 1,
        "databases": {"cache": {"url": f"redis://127.0.0.1:{server.port}/0", "lanes": 1}},
    }, listener=LISTENER)
    try:
        with dial(cache) as client, dial(cache) as neighbour:
            assert client.do("PING") == neighbour.do("PING") == b"PONG"
            cache.config["databases"]["cache"]["command_class"] = {"xread": "lane"}
            cache.reload()
            client.do("PING")
            client.send(command("XREAD", "BLOCK", 700, "STREAMS", "s", "$"))
            eventually(lambda: active(cache) == 1)
            began = time.monotonic()
            assert neighbour.do("PING") == b"PONG"  # behind it, as the lane is told to take it
            assert time.monotonic() - began > 0.2
            assert client.read() is None
    finally:
        cache.stop()


def test_what_weir_has_to_see_cannot_be_changed(tmp_path):
    path = tmp_path / "weir.yaml"
    path.write_text('listeners: [{protocol: redis, address: "127.0.0.1:1"}]\n'
                    'databases:\n'
                    '  cache: {url: "redis://h/0", command_class: {get: heavy, Multi: lane, x: fast}}\n')
    done = subprocess.run([weir_binary(), "check", "-c", path], capture_output=True, text=True)
    assert done.returncode == 2
    said = done.stderr + done.stdout
    assert (f"{path}:3:59: databases.cache.command_class.multi: the class of this command cannot be "
            "changed: weir follows transactions") in said
    assert (f"{path}:3:72: databases.cache.command_class.x: expected one of lane, heavy, lease, "
            "blocking, pinned") in said


# ---------------------------------------------------------------- how long they take


def test_what_waits_for_others_is_not_slow(server):
    cache = start_target({
        "workers": 1, "log": {"slow_query": "100ms"},
        "databases": {"cache": {"url": f"redis://127.0.0.1:{server.port}/0"}},
    }, listener=LISTENER)

    def total(name):
        return cache.metrics().sum(name)

    try:
        with dial(cache) as client:
            assert client.do("BLPOP", "l", 0.4) is None
            assert client.do("WAIT", 1, 300) == 0
            assert client.do("XREAD", "BLOCK", 300, "STREAMS", "s", "$") is None
            assert total("weir_queries_total") >= 3
            assert total("weir_slow_queries_total") == 0
            assert total("weir_query_seconds_sum") < 0.1
            assert total("weir_transaction_seconds_sum") < 0.1
            # One that works for as long, on a connection of its own, is slow.
            assert client.do("WATCH", "k") == b"OK"
            client.do("EVAL", "local t = redis.call('TIME') local u = t "
                      "while (u[1] - t[1]) * 1e6 + u[2] - t[2] < 2e5 do u = redis.call('TIME') end", 0)
            assert total("weir_slow_queries_total") == 1
            assert total("weir_query_seconds_sum") > 0.15
    finally:
        cache.stop()
