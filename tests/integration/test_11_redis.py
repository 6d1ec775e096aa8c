"""Redis through lanes and leases, against a real redis-server."""

import select
import socket
import subprocess
import time

import pytest

from harness import eventually, start_target, weir_only
from support.pooler import free_port, weir_binary
from support.redis import RedisClient, RedisServer, command
from support.waiting import accepts

pytestmark = weir_only

LISTENER = {"protocol": "redis", "auth": {"method": "trust"}}


@pytest.fixture
def server():
    one = RedisServer()
    yield one
    one.stop()


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def cache(request, server):
    """weir in front of the server with one server connection."""
    pool = start_target({
        "workers": request.param,
        "shutdown_timeout": "2s",
        "databases": {"cache": {"url": f"redis://127.0.0.1:{server.port}/0",
                                "pool": {"size": 1}}},
    }, listener=LISTENER)
    yield pool
    pool.stop()


def dial(cache):
    return RedisClient(cache.port)


def server_connections(server):
    with server.client() as direct:
        lines = direct.do("CLIENT", "LIST").decode().strip().split("\n")
    return len(lines) - 1  # without this one


@pytest.mark.behaviour("redis", "R01")
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_commands_cut_into_pieces(cache, server, size):
    batch = (command("SET", "k", b"a\r\n$1\r\nb\0") + command("GET", "k") + b"PING\r\n" +
             command("MULTI") + command("INCR", "n") + command("EXEC") + command("LRANGE", "l", 0, -1))
    with dial(cache) as whole:
        whole.send(batch)
        expected = [whole.read() for _ in range(7)]
    with dial(cache) as pieces:
        for at in range(0, len(batch), size):
            pieces.send(batch[at:at + size])
        found = [pieces.read() for _ in range(7)]
    assert expected[1] == b"a\r\n$1\r\nb\0" and expected[5] == [1] and found[5] == [2]
    assert found[:5] == expected[:5] and found[6] == expected[6] == []


@pytest.mark.behaviour("redis", "R14")
def test_everybody_gets_his_own_answers_in_order(cache, server):
    clients = [dial(cache) for _ in range(40)]
    for round_number in range(10):
        for n, client in enumerate(clients):
            client.send(b"".join(command("ECHO", f"{n}-{round_number}-{i}") for i in range(10)))
        for n, client in enumerate(clients):
            found = [client.read() for _ in range(10)]
            assert found == [f"{n}-{round_number}-{i}".encode() for i in range(10)]
    assert server_connections(server) == 1
    for client in clients:
        client.close()


@pytest.mark.behaviour("redis", "R15")
def test_a_client_that_vanishes_with_answers_due(cache, server):
    stays = dial(cache)
    assert stays.do("SET", "big", b"x" * 100_000) == b"OK"
    for n in range(20):
        leaver = dial(cache)
        leaver.send(command("GET", "big") * 50)
        leaver.close()
        assert stays.do("ECHO", f"mine {n}") == f"mine {n}".encode()
    assert server_connections(server) == 1


@pytest.mark.behaviour("redis", "R19")
def test_a_lane_that_dies(cache, server):
    idle, asking = dial(cache), dial(cache)
    assert idle.do("PING") == b"PONG"
    with server.client() as direct:  # answers are held back while it pauses
        direct.do("CLIENT", "PAUSE", 60000, "ALL")
        asking.send(command("GET", "k"))
        eventually(lambda: cache.metrics().sum("weir_servers", database="cache", state="active") == 1)
    server.kill()
    with pytest.raises((ConnectionError, AssertionError)):
        found = asking.read()
        assert not isinstance(found, RuntimeError), found
        asking.read()
    server.start()
    assert idle.do("SET", "k", "v") == b"OK"


@pytest.mark.behaviour("redis", "R27")
def test_transactions_of_two_clients_do_not_mix(cache, server):
    one, two, other = dial(cache), dial(cache), dial(cache)
    assert one.do("MULTI") == b"OK"
    assert one.do("INCR", "a") == b"QUEUED"
    two.send(command("MULTI") + command("INCR", "b") + command("EXEC"))
    other.send(command("GET", "a"))
    assert one.do("INCR", "a") == b"QUEUED"
    assert one.do("EXEC") == [1, 2]
    assert [two.read() for _ in range(3)] == [b"OK", b"QUEUED", [1]]
    assert other.read() == b"2"
    assert server_connections(server) == 1


@pytest.mark.behaviour("redis", "R28")
def test_wrong_transactions(cache, server):
    with server.client() as direct, dial(cache) as client:
        for steps in (["EXEC"], ["DISCARD"], ["MULTI", "MULTI", "INCR x", "EXEC"],
                      ["MULTI", "WATCH k", "EXEC"], ["MULTI", "NOSUCH", "EXEC"]):
            for step in steps:
                expected, found = direct.do(*step.split()), client.do(*step.split())
                if step == "INCR x" or (step == "EXEC" and isinstance(expected, list)):
                    assert type(found) is type(expected)
                else:
                    assert str(found) == str(expected), steps


@pytest.mark.behaviour("redis", "R32")
def test_a_client_that_leaves_inside_multi(cache, server):
    for n in range(5):
        leaver = dial(cache)
        assert leaver.do("MULTI") == b"OK"
        assert leaver.do("SET", "left", n) == b"QUEUED"
        leaver.close()
        with dial(cache) as follower:
            assert follower.do("MULTI") == b"OK"
            assert follower.do("INCR", "n") == b"QUEUED"
            assert follower.do("EXEC") == [n + 1]
            assert follower.do("GET", "left") is None


def test_stateful_commands_have_a_server_of_their_own(server):
    pool = start_target({"shutdown_timeout": "2s",
                         "databases": {"cache": {"url": f"redis://127.0.0.1:{server.port}"}}},
                        listener=LISTENER)
    port = pool.port
    try:
        listener, sender = RedisClient(port), RedisClient(port)
        assert listener.do("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        assert sender.do("PUBLISH", "c", "hello") == 1
        assert listener.read() == [b"message", b"c", b"hello"]
        assert sender.do("SELECT", 3) == b"OK"
        assert sender.do("SET", "only in 3", 1) == b"OK"
        with RedisClient(port) as other:
            assert other.do("GET", "only in 3") is None
    finally:
        pool.stop()


class SilentRedis:
    """A server that lets weir log in, and from then on only says what it is told to."""

    LOGIN = {b"PING": b"+PONG\r\n", b"CLIENT": b":7\r\n"}

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.port = self.listener.getsockname()[1]

    def accept(self):
        self.connection = self.listener.accept()[0]
        self.connection.settimeout(20)
        words = b""
        while b"PING" not in words:
            words = self.connection.recv(4096)
            for line in words.split(b"\r\n"):
                if line in (b"PING", b"CLIENT", b"COMMAND", b"HELLO", b"INFO", b"AUTH"):
                    self.connection.sendall(self.LOGIN.get(line, b"-ERR unknown command\r\n"))

    def received(self, wait_s=20):
        """What one receive finds; nothing: nothing has come."""
        readable = select.select([self.connection], [], [], wait_s)[0]
        return self.connection.recv(1 << 20) if readable else b""

    def stop(self):
        self.connection.close()
        self.listener.close()


def test_what_comes_while_a_near_server_works_goes_out_together():
    server = SilentRedis()
    pool = start_target({"workers": 1, "shutdown_timeout": "2s",
                         "databases": {"cache": {"url": f"redis://127.0.0.1:{server.port}/0",
                                                 "lanes": 1, "pool": {"size": 1}}}},
                        listener=LISTENER)
    try:
        clients = [RedisClient(pool.port) for _ in range(4)]
        clients[0].send(command("ECHO", 0))
        server.accept()
        assert server.received() == command("ECHO", 0)
        for n, client in enumerate(clients[1:], 1):
            client.send(command("ECHO", n))
            assert server.received(0.1) == b""
        server.connection.sendall(b"$1\r\n0\r\n")
        assert clients[0].read() == b"0"
        assert server.received() == b"".join(command("ECHO", n) for n in range(1, 4))
        server.connection.sendall(b"$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n")
        assert [client.read() for client in clients[1:]] == [b"1", b"2", b"3"]
        # A server that rests gets what comes at once.
        clients[3].send(command("ECHO", 9))
        assert server.received() == command("ECHO", 9)
    finally:
        server.stop()
        pool.stop()


# ---------------------------------------------------------------- coming and going


def test_a_password_in_front_of_a_server_without_one(server):
    cache = start_target({"users": {"default": {"password": "x"}},
                          "databases": {"cache": {"url": f"redis://127.0.0.1:{server.port}/0"}}},
                         listener={"protocol": "redis", "auth": {"method": "plain"}})
    try:
        with RedisClient(cache.port) as client:
            assert str(client.do("PING")).startswith("NOAUTH")
            assert client.do("AUTH", "x") == b"OK"
            assert client.do("PING") == b"PONG"
            assert [client.do(each) for each in ("MULTI", "RESET", "PING")] == [b"OK", b"RESET", b"PONG"]
    finally:
        cache.stop()


def test_who_leaves_at_rest_is_not_lost(cache):
    def ends(kind):
        return cache.metrics().sum("weir_errors_total", kind=kind)
    before = ends("client_lost")
    for steps in ([], ["PING"], ["MULTI", "EXEC"], ["SELECT 3"]):
        with dial(cache) as client:
            for step in steps:
                client.do(*step.split())
    eventually(lambda: cache.metrics().sum("weir_clients") == 0)
    assert ends("client_lost") == before
    # A transaction that is left open is discarded: who does that has left.
    with dial(cache) as client:
        assert client.do("MULTI") == b"OK"
    eventually(lambda: cache.metrics().sum("weir_clients") == 0)
    assert ends("client_lost") == before


def test_who_leaves_without_its_answer_is_lost(cache):
    def ends(kind):
        return cache.metrics().sum("weir_errors_total", kind=kind)
    before = ends("client_lost")
    for sent in (b"BLPOP nothing 0\r\n", b"*2\r\n$3\r\nGET\r\n$5\r\nha"):
        with dial(cache) as client:
            assert client.do("PING") == b"PONG"
            client.send(sent)
            time.sleep(0.1)
    eventually(lambda: ends("client_lost") == before + 2)


# ---------------------------------------------------------------- without a file


def test_a_listener_of_the_command_line_serves_the_only_database(server, tmp_path):
    port = free_port()
    process = subprocess.Popen(
        [str(weir_binary()), "run", "--database", f"cache=redis://127.0.0.1:{server.port}/0",
         "--listen", f"redis:127.0.0.1:{port}", "--http", f"127.0.0.1:{free_port()}"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: accepts(("127.0.0.1", port)))
        with RedisClient(port) as client:
            assert client.do("PING") == b"PONG"
    finally:
        process.terminate()
        process.wait(timeout=20)
