"""Section 6: what may come before a login, and what must not."""

import struct

import pytest

from harness import (PASSWORD, TARGET, ServerError, behaviour, errors, eventually, pg, pooled,
                     weir_only)
from support.messages import GSSENC_CODE, PROTOCOL_3_0, SSL_CODE, untyped

LOGIN = pg.startup({"user": "app", "database": "app"})


def _clients_seen(pool):
    return pool.metrics().sum("weir_clients")


def _reply_byte(wire):
    return wire.socket.recv(1)


@behaviour(71)
@weir_only
def test_gss_then_ssl_then_plain_login(start_pool):
    client = start_pool(size=1).raw()
    client.send(pg.gssenc_request())
    assert _reply_byte(client) == b"N"
    client.send(pg.ssl_request())
    assert _reply_byte(client) == b"N"
    client.log_in({"user": "app", "database": "app"})
    assert client.value("select 'in'") == "in"


@behaviour(71)
def test_ssl_refused_then_plain_login(start_pool):
    client = start_pool(size=1).raw()
    client.send(pg.ssl_request())
    assert _reply_byte(client) == b"N"
    client.log_in({"user": "app", "database": "app"})
    assert client.value("select 'in'") == "in"


@behaviour(71)
@weir_only
@pytest.mark.parametrize("request_bytes", [pg.ssl_request(), pg.gssenc_request()],
                         ids=["ssl", "gss"])
def test_the_same_request_twice_is_refused(start_pool, request_bytes):
    pool = start_pool(size=1)
    client = pool.raw()
    client.send(request_bytes)
    assert _reply_byte(client) == b"N"
    client.send(request_bytes)
    found = client.until_closed()
    assert all(m.type == "E" for m in found), found
    assert pool.client().value("select 'in'") == "in"


NO_SUCH_LOGIN = {
    "three bytes": b"\x00\x00\x00",
    "zero length": struct.pack("!II", 0, PROTOCOL_3_0),
    "length 4": struct.pack("!I", 4),
    "length 7": struct.pack("!I", 7) + b"\x00\x03\x00",
    "negative length": struct.pack("!iI", -1, PROTOCOL_3_0),
    "length 1 GB": struct.pack("!II", 1 << 30, PROTOCOL_3_0),
    "more than login_bytes": pg.startup({"user": "app", "database": "app",
                                         "application_name": "x" * 70000}),
    "half of a packet": LOGIN[:-6],
    "no final NUL": untyped(PROTOCOL_3_0, b"user\0app\0database\0app\0"),
    "no terminator at all": untyped(PROTOCOL_3_0, b"user\0app"),
    "key without value": untyped(PROTOCOL_3_0, b"user\0app\0database\0\0"),
    "no parameters": untyped(PROTOCOL_3_0, b"\0"),
    "no user": untyped(PROTOCOL_3_0, b"database\0app\0\0"),
    "empty user": pg.startup({"user": "", "database": "app"}),
    "not UTF-8": untyped(PROTOCOL_3_0, b"user\0\xff\xfe\0database\0\xc3\x28\0\0"),
    "version 2": untyped(2 << 16, b"app\0" * 20),
    "version 4": untyped(4 << 16, b"user\0app\0\0"),
    "unknown code": untyped(80877100, b""),
    "cancel too short": untyped(80877102, b"\0\0"),
    "ssl with a body": untyped(SSL_CODE, b"surplus"),
    "gss with a body": untyped(GSSENC_CODE, b"surplus"),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS in the clear": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
}


@behaviour(74)
@pytest.mark.parametrize("case", list(NO_SUCH_LOGIN))
def test_bad_startup_packet_is_refused(start_pool, case):
    config = {"timeouts": {"client_login": "1s"}}
    pool = start_pool(size=1, config={"defaults": config} if TARGET == "weir" else {})
    client = pool.raw()
    try:
        client.send(NO_SUCH_LOGIN[case])
        client.socket.shutdown(1)
    except OSError:
        pass  # it may be refused before we have sent everything
    refusal = b"".join(iter(lambda: _receive(client), b""))
    assert pg.ready() not in refusal, "a login was accepted"
    assert TARGET == "direct" or refusal[:1] in (b"", b"E", b"N"), refusal
    assert pool.client().value("select 'in'") == "in"


def _receive(wire):
    try:
        return wire.socket.recv(65536)
    except ConnectionResetError:
        return b""


@behaviour(74)
@weir_only
def test_refused_startups_leave_no_client_behind(start_pool):
    pool = start_pool(size=1, config={"defaults": {"timeouts": {"client_login": "1s"}}})
    for data in NO_SUCH_LOGIN.values():
        stranger = pool.raw()
        try:
            stranger.send(data)
        except OSError:
            pass
    eventually(lambda: _clients_seen(pool) == 0, what="every stranger gone at its deadline")


@behaviour(70)
@weir_only
@pytest.mark.parametrize("minor,options,told", [
    (0, [], None), (1, [], None), (2, [], None), (9999, [], 2), (2, ["_pq_.x"], 2),
    (0, ["_pq_.x", "_pq_.y"], 0)])
def test_versions_and_options_are_negotiated_once(start_pool, minor, options, told):
    pool = start_pool(size=1, config={"auth": {"method": "scram-sha-256"}})
    client = pool.client(version=PROTOCOL_3_0 + minor, startup=dict.fromkeys(options, "on"))
    found = [one.body for one in client.login_messages if one.type == "v"]
    assert client.value("select 'in'") == "in"
    if told is None:
        assert not found
        return
    assert client.login_messages[0].type == "v"
    names = b"".join(pg.text(name) for name in options)
    assert found == [struct.pack("!II", PROTOCOL_3_0 + told, len(options)) + names]


@behaviour(70)
@behaviour(74)
@weir_only
def test_refusals_say_why(start_pool):
    pool = start_pool(size=1)
    for case in ("no final NUL", "key without value", "no user", "version 2", "version 4"):
        client = pool.raw()
        client.send(NO_SUCH_LOGIN[case])
        if case == "version 2":
            assert client.socket.recv(1) == b"E"
            continue
        found = client.until_closed()
        assert len(errors(found)) == 1 and found[0].reason, (case, found)


@behaviour(74)
@pooled
def test_unknown_user_and_database(start_pool):
    pool = start_pool(size=1)
    with pytest.raises(ServerError) as refused:
        pool.client(database="nowhere")
    assert refused.value.sqlstate == "3D000" or TARGET == "pgbouncer"
    assert pool.client().value("select 'in'") == "in"


@behaviour(77)
@pooled
@pytest.mark.parametrize("method", ["plain", "md5", "scram-sha-256"])
def test_passwords(start_pool, method):
    pool = start_pool(size=1, config={"auth": {"method": method}})
    assert pool.client(password=PASSWORD).value("select current_user") == "app"
    for user, password in (("app", "wrong"), ("app", ""), ("nobody", PASSWORD)):
        with pytest.raises(ServerError) as refused:
            pool.client(user, password=password)
        assert refused.value.sqlstate == "28P01" or TARGET == "pgbouncer"
    assert pool.client().value("select 'in'") == "in"


@behaviour(79)
@pooled
@pytest.mark.parametrize("user", ["plain_user", "md5_user", "scram_user"])
def test_server_login_methods(start_pool, user):
    pool = start_pool(size=1)
    assert pool.client(user).value("select current_user") == user
