"""TLS between Redis clients, weir and Redis servers, and unix sockets on both sides."""

import os
import socket
import ssl
import subprocess

import pytest

from harness import eventually, free_port, start_target, weir_only
from support.redis import RedisClient, RedisServer, command

pytestmark = weir_only


@pytest.fixture(scope="module")
def secure_server(authority):
    """It speaks TLS on `tls_port`, and in clear on its other port."""
    tls_port = free_port()
    one = RedisServer(["--tls-port", str(tls_port), "--tls-cert-file", authority.cert("localhost"),
                       "--tls-key-file", authority.key("localhost"),
                       "--tls-ca-cert-file", authority.ca, "--tls-auth-clients", "optional"])
    one.tls_port = tls_port
    yield one
    one.stop()


@pytest.fixture
def start():
    started = []

    def start_one(url, listener=None, **database):
        pool = start_target(
            {"workers": 2, "shutdown_timeout": "2s",
             "defaults": {"pool": {"acquire_timeout": "2s"}},
             "databases": {"cache": {"url": url, "pool": {"size": 4}, **database}}},
            listener={"protocol": "redis", "auth": {"method": "trust"}, **(listener or {})})
        started.append(pool)
        return pool

    yield start_one
    for pool in started:
        pool.stop()


def listens(authority, mode, **more):
    return {"tls": {"mode": mode, "cert": authority.cert("localhost"),
                    "key": authority.key("localhost"), **more}}


class TlsClient(RedisClient):
    def __init__(self, port, context, name="localhost"):
        super().__init__(port)
        self.socket = context.wrap_socket(self.socket, server_hostname=name)

    def silent(self, wait_s=0):
        return not self.socket.pending() and super().silent(wait_s)


def redis_cli(port, *words, ca=None, **environment):
    how = ["--tls", "--cacert", ca] if ca else []
    done = subprocess.run(["redis-cli", "-h", "localhost", "-p", str(port), *how, *words],
                          text=True, check=False, capture_output=True, timeout=20,
                          env={**os.environ, **environment})
    return done.stdout.strip() + done.stderr.strip()


# ---------------------------------------------------------------- to servers


@pytest.mark.parametrize("tls, host", [
    ({"mode": "verify-full"}, "localhost"),
    ({}, "localhost"),  # which is verify-full
    ({"mode": "verify-full", "server_name": "localhost"}, "127.0.0.1"),
    ({"mode": "verify-ca"}, "127.0.0.1"),
    ({"mode": "require", "ca": ""}, "127.0.0.1"),
])
def test_servers_over_tls(start, secure_server, authority, tls, host):
    tls = {"ca": authority.ca, **tls}
    tls = {name: value for name, value in tls.items() if value}
    cache = start(f"rediss://{host}:{secure_server.tls_port}/3", tls=tls)
    with RedisClient(cache.port) as client, RedisClient(cache.port) as other:
        assert client.do("SET", "k", b"x" * 100_000) == b"OK"
        assert other.do("GET", "k") == b"x" * 100_000
        assert client.do("MULTI") == b"OK" and client.do("INCR", "n") == b"QUEUED"
        assert client.do("EXEC") == [1]
        assert client.do("DEL", "k", "n") == 2
        assert other.do("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        assert client.do("PUBLISH", "c", "m") == 1 and other.read()[2] == b"m"
        with secure_server.client() as direct:
            assert "db=3" in direct.do("CLIENT", "LIST").decode()


def test_a_mode_alone_demands_tls_as_well(start, secure_server, authority):
    cache = start(f"redis://localhost:{secure_server.tls_port}",
                  tls={"mode": "verify-full", "ca": authority.ca})
    with RedisClient(cache.port) as client:
        assert client.do("PING") == b"PONG"


@pytest.mark.parametrize("tls, says", [
    ({"mode": "verify-full"}, "the server's certificate is not for \"127.0.0.1\""),
    ({}, "the server's certificate is not for \"127.0.0.1\""),
    ({"mode": "verify-full", "server_name": "other"}, "the server's certificate is not for \"other\""),
    ({"mode": "verify-ca", "ca": ""}, "certificate"),
])
def test_servers_that_are_not_who_they_should_be(start, secure_server, authority, tls, says):
    tls = {"ca": authority.ca, **tls}
    tls = {name: value for name, value in tls.items() if value}
    cache = start(f"rediss://127.0.0.1:{secure_server.tls_port}", tls=tls)
    with RedisClient(cache.port) as client:
        said = str(client.do("SET", "to whom", 1))
        assert said.startswith("ERR weir: TLS handshake failed") and says in said
        cache.wait_for_log(says)
        with secure_server.client() as direct:
            assert direct.do("EXISTS", "to whom") == 0


def test_a_server_that_speaks_no_tls_gets_nothing_in_clear(start, secure_server, authority):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    cache = start(f"rediss://127.0.0.1:{listener.getsockname()[1]}",
                  tls={"mode": "require"}, user="bob", password="hidden")
    with RedisClient(cache.port) as client:
        client.send(command("GET", "k"))
        server, _ = listener.accept()
        server.settimeout(10)
        heard = server.recv(4096)
        assert heard[:1] == b"\x16" and b"hidden" not in heard
        server.sendall(b"+PONG\r\n+PONG\r\n")
        assert str(client.read()).startswith("ERR weir: ")
        server.close()
    listener.close()


# ---------------------------------------------------------------- from clients


@pytest.mark.parametrize("mode", ["allow", "prefer", "require"])
def test_clients_over_tls(start, secure_server, authority, mode):
    cache = start(f"rediss://localhost:{secure_server.tls_port}", listens(authority, mode),
                  tls={"ca": authority.ca})
    with TlsClient(cache.port, authority.client()) as client:
        assert client.do("SET", "k", b"y" * 300_000) == b"OK"
        client.send(command("GET", "k") + command("PING"))
        assert [client.read(), client.read()] == [b"y" * 300_000, b"PONG"]
        assert client.do("HELLO", 3)[b"proto"] == 3 and client.do("DEL", "k") == 1
    assert redis_cli(cache.port, "ECHO", "hello", ca=authority.ca) == "hello"
    assert redis_cli(cache.port, "-3", "SET", "k", "1", ca=authority.ca) == "OK"
    in_clear = redis_cli(cache.port, "PING")
    assert in_clear == ("ERR weir: TLS is required here" if mode == "require" else "PONG")


def test_a_client_in_clear_where_tls_is_required(start, secure_server, authority):
    cache = start(f"redis://127.0.0.1:{secure_server.port}", listens(authority, "require"))
    with RedisClient(cache.port) as client:
        client.send(command("SET", "smuggled", 1))
        assert str(client.read()) == "ERR weir: TLS is required here"
        eventually(client.is_closed)
    cache.wait_for_log("the client began without TLS, which is required here")
    with secure_server.client() as direct:
        assert direct.do("GET", "smuggled") is None
    # Bytes in clear in front of a handshake, or behind one.
    context = authority.client()
    with RedisClient(cache.port) as client:
        client.send(command("SET", "smuggled", 1))
        with pytest.raises((OSError, ssl.SSLError)):
            client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
    client = RedisClient(cache.port)
    inner = socket.socket(fileno=os.dup(client.socket.fileno()))
    client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
    assert client.do("PING") == b"PONG"
    inner.sendall(command("SET", "smuggled", 1))
    with pytest.raises((OSError, ConnectionError)):
        client.do("PING")
    inner.close()
    client.close()
    with secure_server.client() as direct:
        assert direct.do("GET", "smuggled") is None


def test_tls_where_none_is_spoken(start, secure_server, authority):
    cache = start_target({"databases": {"cache": {"url": f"redis://127.0.0.1:{secure_server.port}"}},
                          "users": {"default": {"password": "x"}}},
                         listener={"protocol": "redis"})
    try:
        with pytest.raises((OSError, ConnectionError)):
            TlsClient(cache.port, authority.client())
        cache.wait_for_log("the client began with TLS, which is not spoken here")
        with RedisClient(cache.port) as client:
            assert client.do("AUTH", "x") == b"OK"
    finally:
        cache.stop()


def test_client_certificates(start, secure_server, authority):
    cache = start(f"redis://127.0.0.1:{secure_server.port}",
                  listens(authority, "verify-ca", ca=authority.ca))
    with TlsClient(cache.port, authority.client("alice")) as client:
        assert client.do("PING") == b"PONG"
    with TlsClient(cache.port, authority.client()) as client:
        assert "requires a valid client certificate" in str(client.read())
        eventually(client.is_closed)


def test_a_certificate_that_names_another_user(secure_server, authority):
    """With verify-full a right password is not enough."""
    cache = start_target(
        {"databases": {"cache": {"url": f"redis://127.0.0.1:{secure_server.port}", "user": "default"}},
         "users": {"alice": {"password": "a"}, "app": {"password": "b"}}},
        listener={"protocol": "redis", **listens(authority, "verify-full", ca=authority.ca)})
    try:
        with TlsClient(cache.port, authority.client("alice")) as client:
            assert str(client.do("AUTH", "app", "b")).startswith("WRONGPASS")
            assert client.do("AUTH", "alice", "a") == b"OK"
            assert client.do("PING") == b"PONG"
    finally:
        cache.stop()


# ---------------------------------------------------------------- unix sockets


@pytest.mark.parametrize("as_parameter", [False, True])
def test_unix_sockets(start, as_parameter):
    server = RedisServer(["--unixsocket", "redis.sock"])
    try:
        path = os.path.join(server.directory.name, "redis.sock")
        url = f"redis:///2?host={path}" if as_parameter else f"redis://{path.replace('/', '%2F')}/2"
        cache = start(url)
        listener = os.path.join(server.directory.name, "weir.sock")
        cache.config["listeners"].append({"protocol": "redis", "address": f"unix:{listener}",
                                          "mode": "0700", "auth": {"method": "trust"}})
        cache.config["hosts"] = {path: {"max_server_connections": 1}}
        cache.reload()
        assert os.stat(listener).st_mode & 0o777 == 0o700
        done = subprocess.run(["redis-cli", "-s", listener, "SET", "k", "v"], text=True,
                              check=False, capture_output=True, timeout=20)
        assert done.stdout.strip() == "OK"
        with RedisClient(cache.port) as client:
            assert client.do("GET", "k") == b"v"
        with server.client() as direct:
            assert direct.do("SELECT", 2) == b"OK" and direct.do("GET", "k") == b"v"
            lines = direct.do("CLIENT", "LIST").decode().splitlines()
            assert sum(path in line or "redis.sock" in line for line in lines) == 1, lines
        assert cache.metrics().sum("weir_server_opens_total", result="ok") == 1
    finally:
        server.stop()
