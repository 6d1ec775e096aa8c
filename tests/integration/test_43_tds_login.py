"""Logins of SQL Server's clients: who gets in and where to, what those hear who do not, whose server
a client gets, and servers that do not let weir in."""

import struct

import pytest

from harness import eventually, weir_only
from support import tds_tokens
from support.tds_client import (BATCH, LOGIN7, NOT_SUPPORTED, PRELOGIN, V71, V72, V73B, V74,
                                TdsClient, errors, headers, login7, packets, prelogin)
from support.tds_server import TdsServer
from support.tds_weir import client_of, start, start_weir, weir  # noqa: F401

pytestmark = weir_only

OTHERS = {"other": "secret of other", "third": "secret of third"}
FLAGS3_AT = 27  # of LOGIN7


@pytest.fixture(scope="module")
def module_server():
    with TdsServer("--program", "Stand-in 2019",
                   users={"app": "secret", **OTHERS}) as one:
        yield one


@pytest.fixture
def server(module_server):
    yield module_server
    module_server.ask("clear")
    eventually(lambda: not module_server.sessions(), what="that weir is gone")


def attempt(weir, user="app", password="secret", change=None, **options):
    """The bytes of the reply to LOGIN7, and whether the connection has ended behind it."""
    with TdsClient(weir.port) as client:
        client.prelogin()
        login = bytearray(login7(user=user, password=password, **options))
        for at, byte in (change or {}).items():
            login[at] = byte
        client.write(packets(LOGIN7, bytes(login)))
        return client.message()[1], client.is_closed()


def refused(weir, *arguments, **options):
    """The ERROR tokens."""
    payload, closed = attempt(weir, *arguments, **options)
    assert closed
    found = tds_tokens.tokens(payload)
    assert found[-1].kind == "DONE" and found[-1].status == 2, tds_tokens.shape(found)
    assert not [one for one in found if one.kind in ("LOGINACK", "ENVCHANGE")]
    return [one for one in found if one.kind == "ERROR"]


def numbers(found):
    return [one.number for one in found]


# ---------------------------------------------------------------- who does not get in


@pytest.mark.behaviour("tds", "T16")
def test_an_unknown_user_looks_like_a_wrong_password(weir):
    wrong, closed = attempt(weir, "app", "wrong", database="app")
    unknown, closed_too = attempt(weir, "who", "wrong", database="app")
    assert closed and closed_too
    assert unknown == wrong.replace("app".encode("utf-16-le"), "who".encode("utf-16-le"))
    found = refused(weir, "app", "wrong", database="app")
    assert [(one.number, one.severity, one.text) for one in found] == [
        (18456, 14, "Login failed for user 'app'.")]
    assert weir.metrics().sum("weir_client_logins_total", result="failed") == 3


@pytest.mark.behaviour("tds", "T16")
def test_an_unknown_database(weir):
    assert numbers(refused(weir, database="nowhere")) == [4060, 18456]
    for password in ("wrong", ""):  # nobody else learns which there are
        assert numbers(refused(weir, password=password, database="nowhere")) == numbers(
            refused(weir, password=password, database="app")) == [18456]


@pytest.mark.behaviour("tds", "T16")
def test_a_database_that_the_server_does_not_have(server):
    weir = start_weir(server, "session", database={"url": f"mssql://127.0.0.1:{server.port}/lost"})
    assert numbers(refused(weir, database="app")) == [4060, 18456]
    weir.stop()


@pytest.mark.behaviour("tds", "T19")
@pytest.mark.parametrize("what, options, words", [
    ("SSPI", {"change": {25: 0x83}}, "Windows logins cannot be pooled"),
    ("a federated login", {"features": {2: b"\x02" + bytes(8)}}, "Entra logins cannot be pooled"),
    ("a new password", {"change": {FLAGS3_AT: 0x01}}, "a new password has to be set at the server"),
], ids=lambda one: one if isinstance(one, str) and " " not in one[:3] else "")
def test_logins_that_are_declined(weir, what, options, words):
    found = refused(weir, database="app", **options)
    assert set(numbers(found)) == {18456} and words in found[0].text, what
    weir.wait_for_log(words)
    with client_of(weir) as client:
        assert client.value("SELECT 1") == 1


# ---------------------------------------------------------------- what the others hear


def token(found, kind, change=None):
    chosen = [one for one in found if one.kind == kind and change in (None, one.fields.get("change"))]
    assert len(chosen) == 1, tds_tokens.shape(found)
    return chosen[0]


@pytest.mark.behaviour("tds", "T17")
@pytest.mark.parametrize("version", [V71, V72, V73B, V74])
def test_the_server_s_own_name_version_and_collation(server, weir, version):
    with TdsClient(server.port) as direct, TdsClient(weir.port) as pooled:
        own = direct.login(version=version, database="app")
        found = pooled.login(version=version, database="app")
        assert token(found, "LOGINACK").fields == token(own, "LOGINACK").fields
        assert token(found, "LOGINACK").program == "Stand-in 2019"
        for change in (1, 2, 7):
            assert token(found, "ENVCHANGE", change).new == token(own, "ENVCHANGE", change).new
        assert pooled.value("SELECT 1") == 1


def prelogin_answer(port, **options):
    with TdsClient(port) as client:
        client.write(packets(PRELOGIN, prelogin(NOT_SUPPORTED, **options)))
        _, body = client.message()
    found, at = {}, 0
    while body[at] != 0xFF:
        option, offset, size = struct.unpack_from(">BHH", body, at)
        found[option] = body[offset:offset + size]
        at += 5
    return found


@pytest.mark.behaviour("tds", "T19")
def test_mars_is_answered_with_no(weir):
    assert prelogin_answer(weir.port, mars=1)[4] == b"\0"


FEATURES = {1: b"", 4: b"\x01", 5: b"", 8: b"\0", 9: b"\x02", 0x0A: b"", 0x0B: b"", 0x0D: b"\x01"}


@pytest.mark.behaviour("tds", "T19")
@pytest.mark.parametrize("asked", [{}, {0x0A: b""}, FEATURES, {4: b"\x01"}],
                         ids=["none", "UTF-8", "all", "another"])
def test_features_that_the_server_has_acknowledged(server, weir, asked):
    with TdsClient(weir.port) as client:
        found = client.login(database="app", features=asked)
        acknowledged = [one.features for one in found if one.kind == "FEATUREEXTACK"]
        assert acknowledged == ([{0x0A: b"\x01"}] if 0x0A in asked else [])
        assert client.value("SELECT 1") == 1
        assert server.session(app="weir")["features"] == ([0x0A] if 0x0A in asked else [])


@pytest.mark.behaviour("tds", "T19")
def test_features_that_the_server_has_not():
    with TdsServer("--babelfish") as server:
        weir = start_weir(server, "session")
        with TdsClient(weir.port) as client:
            found = client.login(database="app", features=FEATURES)
            assert "FEATUREEXTACK" not in tds_tokens.shape(found)
            assert client.value("SELECT 1") == 1
        weir.stop()


# ---------------------------------------------------------------- whose server


KINDS = {
    "usual": {}, "7.1": {"version": V71}, "7.2": {"version": V72}, "7.3": {"version": V73B},
    "db-lib": {"flags2": 0x01}, "British": {"language": "British"},
    "German": {"language": "Deutsch"}, "read-only": {"type_flags": 0x20},
    "UTF-8": {"features": {0x0A: b""}},
}


def expected(version=V74, flags2=0x03, language="us_english", type_flags=0, features=()):
    return {"version": f"{version:#x}", "odbc": flags2 == 0x03, "login_language": language,
            "read_only": bool(type_flags), "features": sorted(features)}


@pytest.mark.behaviour("tds", "T18")
def test_clients_of_different_kinds_never_share(server, start):
    """On a pool of one they are served in turn, each by a server of its own kind."""
    weir = start(size=1)
    clients = {name: client_of(weir, **options) for name, options in KINDS.items()}
    for _ in range(2):
        for name, client in clients.items():
            spid = client.value("SELECT @@SPID")
            wanted = expected(**KINDS[name])
            session = server.session(spid=spid)
            assert {key: session[key] for key in wanted} == wanted, name
            assert len(server.sessions()) <= 2  # the one before may just be leaving
    for client in clients.values():
        client.close()


@pytest.mark.behaviour("tds", "T18")
def test_clients_of_one_kind_share_among_those_of_others(server, start):
    weir = start(size=2 * len(KINDS))
    first = {name: client_of(weir, **options) for name, options in KINDS.items()}
    spids = {name: client.value("SELECT @@SPID") for name, client in first.items()}
    assert len(set(spids.values())) == len(KINDS)
    for name, options in KINDS.items():
        with client_of(weir, app="another", **options) as client:
            assert client.value("SELECT @@SPID") == spids[name]
    for client in first.values():
        client.close()


# ---------------------------------------------------------------- which database


def where(weir, **options):
    """The database that a client is in."""
    with TdsClient(weir.port) as client:
        found = client.login(**options)
        assert not errors(found), [one.text for one in found if one.kind == "ERROR"]
        inside = client.value("SELECT DB_NAME()")
        assert token(found, "ENVCHANGE", 1).new == inside
        return inside


def with_second(server):
    return {"databases": {
        name: {"url": f"mssql://127.0.0.1:{server.port}/{name}", "user": "app",
               "password": "secret", "pool": {"mode": "session", "size": 2}}
        for name in ("app", "second")}}


def test_which_database(server, start):
    weir = start(**with_second(server))
    assert where(weir, database="app") == "app"
    assert where(weir, database="second") == "second"
    assert where(weir, server="second") == "second"
    assert where(weir, server="tcp:second,14330") == "second"
    assert where(weir, server="second", database="app") == "app"
    for options in ({}, {"server": "elsewhere"}, {"database": "nowhere", "server": "else"}):
        assert 18456 in numbers(refused(weir, **options))
    assert where(weir, server="second", database="nowhere") == "second"


def test_the_only_database_and_that_of_the_listener(server, start):
    weir = start()
    assert where(weir) == where(weir, server="10.0.0.1") == "app"
    of_listener = start(listener={"database": "second"}, **with_second(server))
    assert where(of_listener) == where(of_listener, database="app") == "second"


# ---------------------------------------------------------------- how they prove who they are


def test_trust_and_users_without_a_password(server, start):
    trusting = start(listener={"auth": {"method": "trust"}})
    assert where(trusting, password="whatever") == where(trusting, user="nobody") == "app"
    weir = start(users={"app": {"password": "secret"}, "other": {}})
    for password in ("", "whatever", OTHERS["other"]):
        assert numbers(refused(weir, "other", password, database="app")) == [18456]


def without_user(server):
    url = f"mssql://127.0.0.1:{server.port}/app"
    return {"app": {"url": url, "pool": {"mode": "session", "size": 2}}}


def test_without_a_user_of_the_database_clients_are_themselves(server, start):
    users = {"app": {"password": "secret"}, "other": {"password": OTHERS["other"]},
             "third": {"password": "not what the server has"}}
    weir = start(users=users, databases=without_user(server),
                 defaults={"pool": {"acquire_timeout": "2s"}})
    for name in ("app", "other"):
        with client_of(weir, name, users[name]["password"]) as client:
            assert client.value("SELECT SUSER_SNAME()") == name
    found = refused(weir, "third", users["third"]["password"], database="app")
    assert numbers(found)[-1] == 18456


@pytest.fixture
def passing(server, start):
    return start(databases=without_user(server), users={},
                 listener={"auth": {"method": "passthrough"}})


def test_passthrough_asks_the_server(server, passing):
    for name, password in OTHERS.items():
        with client_of(passing, name, password) as client:
            assert client.value("SELECT SUSER_SNAME()") == name
    for user, password in (("other", "wrong"), ("other", ""), ("nobody", "wrong")):
        found = refused(passing, user, password, database="app")
        assert [(one.number, one.text) for one in found] == [
            (18456, f"Login failed for user '{user}'.")]


def test_passthrough_remembers(server, passing):
    with client_of(passing, "other", OTHERS["other"]) as client:
        spid = client.value("SELECT @@SPID")
    before = server.counts()["logins"]
    for _ in range(3):
        with client_of(passing, "other", OTHERS["other"]) as client:
            assert client.value("SELECT @@SPID") == spid
    assert server.counts()["logins"] == before
    failed = server.counts().get("failed_logins", 0)
    assert numbers(refused(passing, "other", "wrong", database="app")) == [18456]
    eventually(lambda: server.counts()["failed_logins"] == failed + 1, what="that it was asked")


# ---------------------------------------------------------------- servers that do not let weir in


WHY = "no server connection within 1.0 s; logins are under way"


def impatient(server, **options):
    return start_weir(server, "transaction", defaults={
        "pool": {"acquire_timeout": "1s", "connect_timeout": "10s", "retry": {"min": "50ms", "max": "100ms"}}},
        **options)


@pytest.mark.behaviour("tds", "T20")
def test_routing_is_not_passed_on(server):
    """Where that leads nowhere the client hears which host it is about."""
    server.fault("route", host="elsewhere.example", port=4711, times=1000)
    weir = impatient(server)
    found = refused(weir, database="app")
    assert "elsewhere.example" in found[0].text
    server.ask("clear")
    with client_of(weir) as client:
        assert client.value("SELECT 1") == 1
    weir.stop()


def test_a_server_that_refuses_weir_itself(server):
    server.fault("refuse_login", number=18461, times=1000)
    weir = impatient(server)
    assert "Login failed for user 'app'" in refused(weir, database="app")[0].text
    server.ask("clear")
    with client_of(weir) as client:
        assert client.value("SELECT 1") == 1
    weir.stop()


@pytest.mark.behaviour("tds", "T61")
def test_a_login_that_hangs_stops_nobody_else(server):
    weir = impatient(server, users={"app": {"password": "secret"},
                                    "other": {"password": OTHERS["other"]}},
                     databases=without_user(server))
    server.fault("hang_login", login="other", times=1000)
    with client_of(weir) as one, TdsClient(weir.port) as hanging:
        hanging.prelogin()
        hanging.write(packets(LOGIN7, login7(user="other", password=OTHERS["other"],
                                             database="app")))
        for n in range(20):
            assert one.value(f"SELECT {n}") == n
        with client_of(weir) as newcomer:
            assert newcomer.value("SELECT 21") == 21
        found = hanging.reply()
        assert WHY in next(each for each in found if each.kind == "ERROR").text
        assert hanging.is_closed()
        assert weir.metrics().sum("weir_acquire_timeouts_total") == 1
        server.ask("clear")
        with client_of(weir, "other", OTHERS["other"]) as late:
            assert late.value("SELECT SUSER_SNAME()") == "other"
    weir.stop()


@pytest.mark.behaviour("tds", "T61")
def test_who_waits_for_a_hanging_login_is_told_why(server):
    """In the middle of its session: the error says what the pool waits for, and the client lives."""
    weir = impatient(server)
    with client_of(weir) as one:
        assert one.value("SELECT 1") == 1
        server.fault("hang_login", times=1000)
        server.ask("kill", spid=server.session(app="weir")["spid"])
        eventually(lambda: not server.sessions(), what="that the server is gone")
        eventually(lambda: weir.metrics().sum("weir_servers", state="idle") == 0,
                   what="that weir has noticed")
        one.write(packets(BATCH, headers() + "SELECT 2".encode("utf-16-le")))
        assert WHY in next(each for each in one.reply() if each.kind == "ERROR").text
        server.ask("clear")
        assert one.value("SELECT 3") == 3
    weir.stop()
