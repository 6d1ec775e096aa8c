"""Fixtures: one PostgreSQL for the whole run, poolers and faults for each test."""

import shutil
import signal
import subprocess

import pytest

from harness import (LOGIN_ROLES, LONG, PASSWORD, TARGET, FakeServer, Gate, PostgresServer,
                     eventually, merge, start_target)
from support.certificates import Authority
from support.node import NodePackages


def pytest_configure():
    """Told to end from outside, the run still ends the servers that it has started."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated"))


def pytest_collection_modifyitems(items):
    for item in items:
        allowed = item.get_closest_marker("targets")
        if allowed and TARGET not in allowed.args:
            item.add_marker(pytest.mark.skip(reason=f"says nothing about {TARGET}"))
        known = item.get_closest_marker("pgbouncer_fails")
        if known and TARGET == "pgbouncer":
            item.add_marker(pytest.mark.xfail(reason=known.args[0], run=False))


@pytest.fixture(scope="session")
def postgres_for_all():
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture
def postgres(postgres_for_all):
    """The session's PostgreSQL, free of sessions of earlier tests."""
    postgres_for_all.wait_for_no_backends()
    return postgres_for_all


@pytest.fixture
def table(postgres):
    """An empty table `t (n int, s text)` that everybody may use."""
    postgres.rows("drop table if exists t cascade; create table t (n int, s text);"
                  "grant all on t to public")
    yield "t"


@pytest.fixture
def start_pool(postgres):
    """Starts a pooler: `start_pool(upstream, config={...}, size=1, ...)`. Further keywords are
    pool settings; `config` is merged into the whole configuration."""
    started = []

    def start(upstream=None, *, config=None, options=None, **pool):
        upstream = upstream or postgres
        url = f"postgres://{upstream.host}:{upstream.port}"
        base = {
            "workers": 1,
            "shutdown_timeout": "5s",
            "auth": {"method": "trust"},
            "users": {name: {"password": PASSWORD} for name in LOGIN_ROLES},
            "databases": {"app": {"url": f"{url}/app"}, "second": {"url": f"{url}/second"}},
        }
        if pool:
            base["defaults"] = {"pool": pool}
        one = start_target(merge(base, config or {}), **(options or {}))
        started.append(one)
        return one

    yield start
    problems = []
    for one in started:
        try:
            one.stop()
        except AssertionError as wrong:
            problems.append(str(wrong))
    assert not problems, problems


@pytest.fixture(scope="session")
def authority():
    one = Authority()
    one.sign("localhost", alternatives="DNS:localhost")
    for name in ("alice", "app"):
        one.sign(name)
    yield one
    shutil.rmtree(one.directory)


@pytest.fixture(scope="session")
def secure_postgres(authority):
    """A server that speaks TLS, as localhost."""
    server = PostgresServer()
    for end in ("crt", "key"):
        path = server.data / f"server.{end}"
        shutil.copy(authority.directory / f"localhost.{end}", path)
        if server.account:
            shutil.chown(path, server.account)
        path.chmod(0o600)
    with open(server.data / "pg_hba.conf", "r+", encoding="utf-8") as hba:
        lines = hba.read()
        hba.seek(0)
        hba.write("hostnossl all careful all reject\n" + lines)
    with server.client("postgres", "postgres") as boss:
        boss.query("create role careful login")
        boss.query("alter system set ssl = on")
        boss.query("select pg_reload_conf()")
    eventually(lambda: server.client("postgres", "postgres").value("show ssl") == "on",
               what="TLS in PostgreSQL")
    yield server
    server.stop()
    shutil.rmtree(server.directory)


@pytest.fixture
def start_secure(start_pool, authority):
    """A pool whose listener has tls.MODE."""
    def start(upstream=None, mode="prefer", tls=None, **options):
        listener = {"tls": {"mode": mode, "cert": authority.cert("localhost"),
                            "key": authority.key("localhost"), **(tls or {})}}
        return start_pool(upstream, options={"listener": listener}, **options)
    return start


@pytest.fixture
def start_fake():
    """Starts fake servers: `start_fake(on_query=..., script=...)`."""
    started = []

    def start(**options):
        started.append(FakeServer(**options))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def gate(postgres):
    """A fault gate before PostgreSQL."""
    one = Gate(postgres.address)
    yield one
    one.stop()


@pytest.fixture(scope="session")
def node_packages():
    """node-postgres, installed once. A machine may have no way to npm's registry: then these tests
    are left out, but never from a long run."""
    if not shutil.which("npm"):
        pytest.skip("no npm")
    try:
        one = NodePackages()
    except (AssertionError, subprocess.TimeoutExpired) as problem:
        if LONG:
            raise
        pytest.skip(f"npm cannot install node-postgres: {str(problem)[-200:]}")
    yield one
    one.remove()
