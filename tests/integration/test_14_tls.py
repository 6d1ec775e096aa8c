"""Section 6: TLS from clients and to servers."""

import hashlib
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from harness import (PASSWORD, Closed, Gate, ServerError, Wire, behaviour, errors, eventually, merge, pg, tags,
                     weir_only)
from support.certificates import Authority

pytestmark = weir_only

ENCRYPTED = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"


def to_servers(authority, host="localhost", port=0, **tls):
    """The configuration of a database whose servers are asked for TLS."""
    return {"databases": {"app": {"url": f"postgres://{host}:{port}/app",
                                  "tls": {"ca": authority.ca, **tls}}}}


def psql(pool, mode, sql="select 'in'", host="localhost", ca=None):
    environment = {**os.environ, "PGSSLMODE": mode, "PGPASSWORD": PASSWORD}
    if ca:
        environment["PGSSLROOTCERT"] = ca
    done = subprocess.run(
        ["psql", "-X", "-h", host, "-p", str(pool.port), "-U", "app", "app", "-Atc", sql, "-c",
         "\\conninfo"], env=environment, text=True, check=False, capture_output=True, timeout=30)
    return done.stdout + done.stderr


@pytest.mark.parametrize("listener", ["disable", "allow", "prefer", "require"])
@pytest.mark.parametrize("client", ["disable", "allow", "prefer", "require", "verify-full"])
def test_modes_of_clients(start_secure, authority, listener, client):
    pool = start_secure(mode=listener, size=1)
    said = psql(pool, client, ca=authority.ca if client == "verify-full" else None)
    if listener == "disable" and client in ("require", "verify-full"):
        assert "does not support SSL" in said
    elif listener == "require" and client == "disable":
        assert "TLS is required here" in said
    else:
        assert said.startswith("in\n"), said
        encrypted = listener == "require" or (listener != "disable" and
                                              client not in ("disable", "allow"))
        assert ("TLSv1.3" in said) == encrypted, said


def test_certificate_of_another_name(start_secure, authority):
    pool = start_secure(mode="require", size=1)
    said = psql(pool, "verify-full", host="127.0.0.1", ca=authority.ca)
    assert "does not match host name" in said


@behaviour(72)
@pytest.mark.parametrize("request_code", ["ssl", "gssenc"])
def test_bytes_behind_a_request(start_secure, request_code):
    pool = start_secure(size=1)
    client = pool.raw()
    asked = pg.ssl_request() if request_code == "ssl" else pg.gssenc_request()
    client.send(asked + pg.startup({"user": "app", "database": "app"}))
    client.until_closed()
    assert pool.metrics().sum("weir_clients") == 0
    assert pool.client().value("select 1") == "1"


@behaviour(71)
def test_tls_inside_tls(start_secure, authority):
    pool = start_secure(size=1)
    client = pool.raw(tls=authority.client())
    client.send(pg.ssl_request())
    assert errors(client.until_closed()) == ["08P01"]


@behaviour(72)
def test_server_with_bytes_behind_its_yes(start_pool, start_fake, authority):
    fake = start_fake()
    fake.answer_to_ssl = b"S" + pg.message("R", b"\0\0\0\0")
    pool = start_pool(config=merge(to_servers(authority, "127.0.0.1", fake.port, mode="require"), {
        "defaults": {"pool": {"acquire_timeout": "1s"}}}))
    client = pool.raw()
    client.send(pg.startup({"user": "app", "database": "app"}))
    assert "unencrypted data" in repr(client.until_closed())


@behaviour(73)
def test_direct_tls(start_secure, authority):
    pool = start_secure(mode="require", size=1)
    client = pool.client(tls=authority.client(alpn=["postgresql"]), direct=True)
    assert client.value("select 1") == "1"
    for alpn in (None, ["h2"]):
        with pytest.raises((Closed, OSError)):
            pool.client(tls=authority.client(alpn=alpn), direct=True)
    assert client.value("select 2") == "2"
    eventually(lambda: pool.metrics().sum("weir_clients") == 1, what="the others gone")


def test_client_certificates(start_secure, authority):
    pool = start_secure(mode="verify-ca", tls={"ca": authority.ca}, size=1)
    assert pool.client(tls=authority.client("alice")).value("select 1") == "1"
    refused = pytest.raises(ServerError, pool.client, tls=authority.client())
    assert refused.value.sqlstate == "28000" and "client certificate" in str(refused.value)
    stranger = Authority("stranger")
    stranger.sign("mallory")
    context = authority.client()
    context.load_cert_chain(stranger.cert("mallory"), stranger.key("mallory"))
    with pytest.raises((Closed, OSError)):
        pool.client(tls=context)
    shutil.rmtree(stranger.directory)


@behaviour(83)
def test_records_are_short(start_secure, authority):
    """A reader that takes one record at a time never waits for bytes that it has."""
    pool = start_secure(mode="require", size=1)
    raw = socket.create_connection(pool.address, timeout=20)
    raw.sendall(pg.ssl_request())
    assert raw.recv(1) == b"S"
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = authority.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
    lengths, wire, plain = [], b"", b""

    def feed():
        nonlocal wire
        raw.sendall(outgoing.read())
        data = raw.recv(65536)
        assert data, "closed"
        incoming.write(data)
        wire += data
        while len(wire) >= 5 and len(wire) >= 5 + int.from_bytes(wire[3:5], "big"):
            size = int.from_bytes(wire[3:5], "big")
            lengths.append(size)
            wire = wire[5 + size:]

    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            feed()
    tls.write(pg.startup({"user": "app", "database": "app"}) +
              pg.query("select repeat('x', 300000)"))
    while not plain.endswith(pg.message("Z", b"I")) or plain.count(b"x") < 300000:
        try:
            plain += tls.read(65536)
        except ssl.SSLWantReadError:
            feed()
    assert max(lengths) <= 8192 + 256 and len(lengths) > 30
    raw.close()


@behaviour(56)
@pytest.mark.parametrize("direct_cancel", [False, True])
def test_cancel_over_tls(start_secure, secure_postgres, authority, direct_cancel):
    gate = Gate(secure_postgres.address)
    gate.recording = True
    pool = start_secure(mode="require", size=1, config=to_servers(
        authority, "localhost", gate.port, mode="verify-full"))
    client = pool.client(tls=authority.client())
    client.send(pg.query("select pg_sleep(30)"))
    eventually(lambda: secure_postgres.value("select count(*) from pg_stat_activity where "
                                             "query like '%sleep(30)%' and state = 'active' "
                                             "and usename = 'app'") == "1", what="it sleeps")
    bearer = pool.raw(tls=None if direct_cancel else authority.client())
    bearer.send(pg.cancel_request(client.pid, client.secret))
    assert errors(client.until_ready()) == ["57014"]
    assert gate.accepted == 2
    assert bytes(gate.sent_to_server).count(pg.ssl_request()) == 2
    assert pg.cancel_request(0, b"")[:8][4:] not in bytes(gate.sent_to_server)
    gate.stop()


@pytest.mark.parametrize("mode", ["allow", "prefer", "require", "verify-ca", "verify-full"])
def test_modes_to_servers(start_pool, secure_postgres, authority, mode):
    pool = start_pool(size=1, config=to_servers(authority, "localhost", secure_postgres.port,
                                                mode=mode))
    assert pool.client().value(ENCRYPTED) == ("f" if mode == "allow" else "t")


def test_allow_turns_to_tls(start_pool, secure_postgres, authority):
    """A server that takes `careful` over TLS only."""
    pool = start_pool(size=1, config=merge(
        to_servers(authority, "localhost", secure_postgres.port, mode="allow"),
        {"users": {"careful": {"password": PASSWORD}}}))
    assert pool.client("careful").value(ENCRYPTED) == "t"
    assert pool.client("app").value(ENCRYPTED) == "f"


def test_prefer_is_the_default(start_pool, secure_postgres):
    pool = start_pool(secure_postgres, size=1)
    assert pool.client().value(ENCRYPTED) == "t"


@behaviour(56)
@behaviour(73)
@pytest.mark.parametrize("alpn", ["postgresql", "h2"])
def test_direct_tls_to_servers(start_pool, start_fake, authority, alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.cert("localhost"), authority.key("localhost"))
    context.set_alpn_protocols([alpn])
    fake = start_fake(tls=context, on_query=lambda one, sql: b"" if "sleep" in sql else None)
    pool = start_pool(config=merge(
        to_servers(authority, "localhost", fake.port, mode="verify-full", negotiation="direct"),
        {"defaults": {"pool": {"acquire_timeout": "1s"}}}))
    if alpn != "postgresql":
        client = pool.raw()
        client.send(pg.startup({"user": "app", "database": "app"}))
        assert "not for PostgreSQL" in repr(client.until_closed())
        return
    client = pool.client()
    assert client.value("select 1") == "fake 0"
    client.send(pg.query("select sleep"))
    fake.wait_for_query("select sleep")
    bearer = pool.raw()
    bearer.send(pg.cancel_request(client.pid, client.secret))
    fake.wait_for_cancel()
    assert fake.asked_for_tls == 0


def test_server_without_tls(start_pool, postgres, authority):
    pool = start_pool(size=1, config=to_servers(authority, "localhost", postgres.port,
                                                mode="prefer"))
    assert pool.client().value(ENCRYPTED) == "f"
    pool.config = merge(pool.config, to_servers(authority, "localhost", postgres.port,
                                                mode="require"))
    pool.reload()
    client = pool.raw()
    client.send(pg.startup({"user": "app", "database": "app"}))
    found = client.until_ready()
    client.send(pg.query("select 1"))
    assert "does not speak TLS" in repr(client.until_ready()), found


@pytest.mark.parametrize("wrong", ["name", "authority"])
def test_server_that_is_another(start_pool, secure_postgres, authority, wrong):
    stranger = Authority("stranger")
    tls = {"mode": "verify-full", "ca": authority.ca if wrong == "name" else stranger.ca}
    host = "127.0.0.1" if wrong == "name" else "localhost"
    pool = start_pool(size=1, config=merge(
        to_servers(authority, host, secure_postgres.port, **tls),
        {"defaults": {"pool": {"acquire_timeout": "1s"}}}))
    client = pool.raw()
    client.send(pg.startup({"user": "app", "database": "app"}))
    said = repr(client.until_closed())
    assert ('not for "127.0.0.1"' if wrong == "name" else "certificate") in said, said
    pool.config = merge(pool.config, {"databases": {"app": {"tls": {
        "server_name": "localhost", "ca": authority.ca}}}})
    pool.reload()
    assert pool.client().value(ENCRYPTED) == "t"
    shutil.rmtree(stranger.directory)


def test_servers_move_between_workers(start_secure, secure_postgres, authority):
    pool = start_secure(mode="require", size=1, config=merge(
        to_servers(authority, "localhost", secure_postgres.port, mode="require"), {"workers": 2}))
    clients = [pool.client(tls=authority.client()) for _ in range(6)]
    pids = {one.value("select pg_backend_pid()") for _ in range(5) for one in clients}
    assert len(pids) == 1


@behaviour(83)
def test_large_values_both_ways(start_secure, secure_postgres, authority):
    pool = start_secure(mode="require", size=1, config=to_servers(
        authority, "localhost", secure_postgres.port, mode="require"))
    client = pool.client(tls=authority.client(), timeout=60)
    text = os.urandom(1 << 20).hex() * 16
    writer = threading.Thread(target=client.send, args=[
        pg.parse("select md5($1), $1"), pg.bind(values=[text]), pg.execute(), pg.sync()])
    writer.start()
    found = [one for one in client.until_ready() if one.type == "D"][0]
    writer.join()
    assert hashlib.md5(text.encode()).hexdigest().encode() in found.body
    assert found.body.endswith(text[-100:].encode())


@behaviour(82)
@behaviour(108)
def test_certificates_change(start_secure, authority):
    authority.sign("changing", "localhost", "DNS:localhost")
    pool = start_secure(mode="require", size=1, tls={"cert": authority.cert("changing"),
                                                     "key": authority.key("changing")})

    def serial():
        one = pool.client(tls=authority.client())
        return one, one.socket.getpeercert()["serialNumber"]

    old, first = serial()
    authority.sign("changing", "localhost", "DNS:localhost")
    pool.reload()
    new, second = serial()
    assert second != first
    pathlib.Path(authority.cert("changing")).write_text("no certificate")
    pool.reload()
    assert pool.metrics().sum("weir_config_last_reload_success") == 0
    assert "no certificate" in pool.log()
    assert serial()[1] == second
    assert [one.value("select 1") for one in (old, new)] == ["1", "1"]


@behaviour(104)
def test_handshakes_that_fail_leave_nothing(start_secure, authority):
    pool = start_secure(mode="require", size=1, config={
        "defaults": {"timeouts": {"client_login": "1s"}}})
    for junk in (b"\x16\x03\x01\x00\x05junk!", b"GET / HTTP/1.0\r\n\r\n", b"\x15\x03\x03\0\2\2\x28"):
        one = pool.raw()
        one.send(pg.ssl_request())
        assert one.socket.recv(1) == b"S"
        one.send(junk)
        with pytest.raises((Closed, OSError)):
            while True:
                one.read()
    silent = pool.raw()
    silent.send(pg.ssl_request())
    assert silent.socket.recv(1) == b"S"
    eventually(lambda: pool.metrics().sum("weir_clients") == 0, what="all of them gone")
    assert tags(pool.client(tls=authority.client()).query("select 1")) == ["SELECT 1"]


@behaviour(104)
def test_server_that_stalls_in_the_handshake(start_pool, start_fake, authority):
    fake = start_fake()
    fake.answer_to_ssl = b"S"  # and not a word of TLS
    pool = start_pool(config=merge(to_servers(authority, "127.0.0.1", fake.port, mode="prefer"), {
        "defaults": {"pool": {"connect_timeout": "300ms", "acquire_timeout": "1s"}}}))
    client = pool.raw()
    client.send(pg.startup({"user": "app", "database": "app"}))
    assert "connect_timeout" in repr(client.until_closed())
    fake.answer_to_ssl = b"N"
    assert pool.client().value("select 1").startswith("fake")
