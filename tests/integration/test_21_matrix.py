"""Section 6: each client with each login method in each TLS mode, and weir with each of them to
servers. Each cell is a connection; what they show is printed, and written to $WEIR_MATRIX."""

import os
import pathlib
import shutil
import struct
import subprocess

import pytest

from harness import (PASSWORD, Wire, behaviour, eventually, free_port, merge, pg, start_target,
                     weir_only)
from support.cells import Wishes, cells_without_tls, server_cells
from support.certificates import Authority
from support.clients import CLIENTS
from support.logins import (CERTIFIED, HBA, HBA_DATABASES, IDENT, LISTENERS, METHODS,
                            SERVER_METHODS)
from support.matrix import Matrix
from support.pooler import weir_binary
from support.speakers import WAYS, Scripted, Speaker

pytestmark = weir_only

NEGOTIATED = struct.pack("!II", pg.PROTOCOL_3_2, 1) + b"_pq_.new\0"

# ---------------------------------------------------------------- what there is

@pytest.fixture(scope="module")
def matrix(request):
    one = Matrix()
    version = subprocess.check_output([weir_binary(), "--version"], text=True)
    one.versions["weir"] = version.split()[-1]
    yield one
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n\n" + one.text())
    if path := os.environ.get("WEIR_MATRIX"):
        pathlib.Path(request.config.invocation_params.dir, path).write_text(one.text())


@pytest.fixture(scope="module")
def speakers(request, matrix):
    """The process of each client, when it is first asked for."""
    started, missing = {}, {}

    def start(name):
        if name == "node-postgres":
            packages = request.getfixturevalue("node_packages")
            return Speaker(["node", "connect.js"], packages.directory)
        if not CLIENTS[name].is_installed:
            pytest.skip(f"{name} is not installed")
        return CLIENTS[name].start()

    def speaker(name):
        if name in missing:
            pytest.skip(missing[name])
        if name not in started:
            try:
                started[name] = start(name)
            except pytest.skip.Exception as why:  # asked for only once, as it may take long
                missing[name] = str(why)
                matrix.versions[name] = "(not installed)"
                raise
            matrix.versions[name] = started[name].version
        return started[name]

    yield speaker
    for one in started.values():
        one.stop()


@pytest.fixture(scope="module")
def stranger():
    """An authority that nobody trusts."""
    one = Authority("stranger")
    one.sign("mallory")
    yield one
    shutil.rmtree(one.directory)


@pytest.fixture(scope="module")
def server(secure_postgres, authority, matrix):
    """The PostgreSQL that speaks TLS, with a role for each of its methods."""
    matrix.versions["PostgreSQL"] = secure_postgres.value("show server_version").split()[0]
    hba = secure_postgres.data / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text("".join(method.line for method in SERVER_METHODS) + before)
    ca = secure_postgres.data / "ca.crt"
    shutil.copy(authority.ca, ca)
    ca.chmod(0o644)
    roles = [method.role for method in SERVER_METHODS] + ["verified", "looked_up"]
    authority.sign(CERTIFIED)
    for role in roles:
        encryption = "md5" if role.endswith("md5") else "scram-sha-256"
        secure_postgres.rows(f"set password_encryption = '{encryption}'; "
                             f"create role {role} login password '{PASSWORD}'")
    secure_postgres.rows("grant strict to verified, looked_up")
    reconfigure(secure_postgres, "set ssl_ca_file = 'ca.crt'")
    eventually(lambda: secure_postgres.value("show ssl_ca_file") == "ca.crt", what="its CA")
    yield secure_postgres
    for role in roles:
        secure_postgres.terminate_backends(role)
        secure_postgres.rows(f"drop role {role}")
    hba.write_text(before)
    reconfigure(secure_postgres, "reset ssl_ca_file")


def reconfigure(server, change):
    with server.client("postgres", "postgres") as boss:
        boss.query(f"alter system {change}")
        boss.query("select pg_reload_conf()")


@pytest.fixture(scope="module")
def house(server, authority, tmp_path_factory):
    """A weir with a listener for each method and for each TLS mode: their addresses by name."""
    directory = tmp_path_factory.mktemp("matrix")
    (directory / "hba.conf").write_text(HBA)
    (directory / "ident.conf").write_text(IDENT)
    pool = start_target(house_config(server, directory))
    pool.places = {}
    for method in ["trust", "plain", "md5", "scram-sha-256", "cert", "hba"]:
        open_listener(pool, authority, method, method=method, mode="prefer")
    for mode in WAYS:
        open_listener(pool, authority, mode, method="scram-sha-256", mode=mode)
    open_socket(pool, "socket", 1, "peer")
    open_socket(pool, "socket of hba", 2, "hba")
    pool.reload()
    assert pool.metrics().sum("weir_config_last_reload_success") == 1, pool.log()
    yield pool
    pool.stop()


def secret(server, role):
    return server.value(f"select rolpassword from pg_authid where rolname = '{role}'")


def house_config(server, directory):
    url = f"postgres://{server.host}:{server.port}/app"
    users = {name: {"password": PASSWORD} for name in ("app", "other", "boss")}
    for name in ("verified", "md5_user"):
        users[name] = {"password": secret(server, name)}
    return {
        "workers": 1, "shutdown_timeout": "5s", "users": users,
        "auth": {"method": "scram-sha-256", "brake": {"failures": 0},
                 "hba_file": str(directory / "hba.conf"),
                 "ident_file": str(directory / "ident.conf"),
                 "query": {"database": "app", "user": "boss"}},
        "databases": {name: {"url": url} for name in ["app", *HBA_DATABASES]},
        "defaults": {"pool": {"size": 2}},
    }


def open_listener(pool, authority, name, *, method, mode):
    port = free_port()
    tls = {"mode": mode, "cert": authority.cert("localhost"), "key": authority.key("localhost"),
           "ca": authority.ca}
    pool.config["listeners"].append({
        "protocol": "postgres", "address": f"{pool.host}:{port}", "auth": {"method": method},
        "tls": tls if mode != "disable" else {"mode": mode}})
    pool.places[name] = {"host": "localhost", "port": port}


def open_socket(pool, name, port, method):
    path = pool.directory / f".s.PGSQL.{port}"
    pool.config["listeners"].append({"protocol": "postgres", "address": f"unix:{path}",
                                     "auth": {"method": method}})
    pool.places[name] = {"host": str(pool.directory), "port": port}


# ---------------------------------------------------------------- clients

@pytest.fixture
def shown(house, speakers, matrix):
    """Goes through the cells of a row and writes them down."""
    def show(title, row, name, cells):
        speaker, problems = speakers(name), []
        for cell in cells:
            scripted = cell.ability in speaker.lacks
            answer = (Scripted() if scripted else speaker).ask(cell.wish)
            mark = cell.mark(answer)
            matrix.add(title, row, cell.column, mark + ("°" if scripted else ""))
            if mark == "FAILED":
                problems.append(f"{cell.column}: {answer} instead of {cell.way or cell.texts}")
            elif mark == "refused" and not scripted:
                matrix.say(name, cell.said(answer))
        assert not problems, "\n".join(problems)
    return show


@behaviour(73)
@behaviour(77)  # (part)
@behaviour(79)
@behaviour(80)
@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("name", list(CLIENTS))
def test_clients(house, shown, authority, stranger, name, method):
    how = METHODS[method]
    client = CLIENTS[name]
    if how.over_socket and not client.on_sockets:
        pytest.skip(f"{name} has no unix sockets")
    wishes = Wishes(client, authority, stranger, house.places[how.listener])
    cells = [*wishes.modes(how), *([] if how.over_socket else wishes.strict(how)),
             *wishes.mistakes(how)]
    shown(f"{name} to weir: logins by TLS mode of the client", method, name, cells)


@pytest.mark.parametrize("listener", list(LISTENERS))
@pytest.mark.parametrize("name", list(CLIENTS))
def test_listeners(house, shown, authority, stranger, name, listener):
    how = LISTENERS[listener]
    wishes = Wishes(CLIENTS[name], authority, stranger, house.places[how.listener])
    title = f"{name} to weir: scram-sha-256 by TLS mode of the listener (down) and of the client"
    case = how.refuses.get("TLS")
    cells = list(wishes.modes(how))
    for cell in cells:
        cell.may_be_unclear = case == "unknown authority"
    shown(title, listener, name, cells)


@behaviour(70)
@pytest.mark.parametrize("method", [name for name in METHODS if not METHODS[name].over_socket])
def test_newer_protocol(house, matrix, authority, method):
    """It is told once that weir does not know the option, and goes on."""
    how = METHODS[method]
    place = house.places[how.listener]
    for way in how.lets_in:
        tls = authority.client(how.certificate or None) if way == "TLS" else None
        with Wire((place["host"], place["port"]), how.user, how.database, how.password,
                  startup={"_pq_.new": "1"}, tls=tls, version=pg.PROTOCOL_3_2) as client:
            told = [one for one in client.login_messages if one.type == "v"]
            good = (len(told) == 1 and told[0].body == NEGOTIATED and
                    client.value("select current_user") == how.user)
        matrix.add("Protocol 3.2 with an unknown option to weir", method, way,
                   f"{way}°" if good else "FAILED")
        assert good, client.login_messages


# ---------------------------------------------------------------- servers

SERVER_SQL = ("select current_user || case when ssl then ' TLS' else ' clear' end "
              "from pg_stat_ssl where pid = pg_backend_pid()")


@pytest.fixture
def to_servers(server, postgres_for_all, authority, stranger):
    """A weir with a database for each TLS mode, and for what has to go wrong."""
    own = {"ca": authority.ca, "cert": authority.cert(CERTIFIED), "key": authority.key(CERTIFIED)}
    url = f"postgres://localhost:{server.port}/app"
    databases = {mode: {"url": url, "tls": {"mode": mode, **(own if mode != "disable" else {})}}
                 for mode in WAYS}
    for mode in WAYS:
        databases[f"{mode}, no TLS there"] = merge(databases[mode], {
            "url": f"postgres://localhost:{postgres_for_all.port}/app"})
    databases |= {
        "verify-full, wrong name": merge(databases["verify-full"], {
            "url": f"postgres://127.0.0.1:{server.port}/app"}),
        "verify-ca, wrong CA": merge(databases["verify-ca"], {"tls": {"ca": stranger.ca}}),
        "bound channel": merge(databases["require"], {"tls": {"channel_binding": "require"}}),
        "wrong secret": merge(databases["require"], {"password": "wrong", "tls": {
            "cert": authority.cert("alice"), "key": authority.key("alice")}}),
    }
    roles = [method.role for method in SERVER_METHODS]
    pool = start_target({
        "workers": 1, "shutdown_timeout": "5s", "auth": {"method": "trust"}, "databases": databases,
        "users": {role: {"password": PASSWORD} for role in ["app", *roles]},
        "defaults": {"pool": {"size": 1, "acquire_timeout": "4s"}}})
    yield pool
    pool.stop()


def begin(pool, database, role):
    """All of them wait at the same time."""
    wire = pool.raw()
    wire.send(pg.startup({"user": role, "database": database}), pg.query(SERVER_SQL))
    return wire


def finish(wire):
    """The first row, or the text of the first error."""
    while True:
        found = wire.read()
        if found.type == "D":
            return found.row[0]
        if found.type == "E":
            return found.reason


@behaviour(80)
@behaviour(81)  # (part)
def test_servers(to_servers, matrix):
    talks = [(method.rule, method.role, cell, begin(to_servers, cell[0], method.role))
             for method in SERVER_METHODS for cell in server_cells(method)]
    talks += [("host trust, a server without TLS", "app", cell, begin(to_servers, cell[0], "app"))
              for cell in cells_without_tls()]
    problems = []
    for row, role, (column, way, text), wire in talks:
        answer = finish(wire)
        good = answer == f"{role} {way}" if way else text in answer
        matrix.add("weir to PostgreSQL: its pg_hba.conf by databases.*.tls.mode", row,
                   column.removesuffix(", no TLS there"), (way or "refused") if good else "FAILED")
        if not good:
            problems.append(f"{row}, {column}: {answer!r} instead of {(way or text)!r}")
        elif not way:
            matrix.say("weir", text)
    assert not problems, "\n".join(problems)
