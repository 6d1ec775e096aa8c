"""A SQLite file behind weir: PostgreSQL's tools and drivers take it for a small PostgreSQL."""

import os
import pathlib
import re
import subprocess
import tempfile
import threading
from contextlib import closing

import psycopg
import psycopg2
import pytest

from harness import LONG, PASSWORD, start_target, weir_only
from support.drivers import DRIVERS, Node, at_once, libpq_target
from support.own import Own, Step
from support.pooler import Demo
from support.postgres_server import BIN

pytestmark = weir_only

SIZE, CLIENTS, LENGTH = 3, 8, 6
RUNS = 25 if LONG else 5


@pytest.fixture
def start_embedded(tmp_path):
    """Starts weir with a database `app` in a file: `start_embedded(size=1, ...)`."""
    started = []

    def start(*, workers=2, **pool):
        started.append(start_target({
            "workers": workers,
            "shutdown_timeout": "5s",
            "auth": {"method": "scram-sha-256"},
            "users": {"app": {"password": PASSWORD}},
            "databases": {"app": {"url": f"sqlite://{tmp_path}/app.db", "pool": pool}},
        }))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def run_program(pool, program, *arguments, user="app", password=PASSWORD, **options):
    """psql or pgbench; its output."""
    environment = {**os.environ, "PGHOST": pool.host, "PGPORT": str(pool.port), "PGUSER": user,
                   "PGPASSWORD": password, "PGDATABASE": user}
    done = subprocess.run([BIN / program, *arguments], env=environment, capture_output=True,
                          text=True, timeout=300 if LONG else 60, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "ERROR" not in done.stderr and "locked" not in done.stderr, done.stderr[-3000:]
    return done.stdout


def psql(pool, *commands, **options):
    arguments = [word for command in commands for word in ("-c", command)]
    return run_program(pool, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *arguments, **options)


# ---------------------------------------------------------------- psql and pgbench

def test_psql(start_embedded):
    pool = start_embedded(size=SIZE)
    found = psql(pool, "create table notes (id serial primary key, text text, at timestamptz)",
                 "insert into notes (text, at) values ('one', '2024-02-29 12:00+00'), (null, null)",
                 "begin", "delete from notes", "rollback",
                 "select *, id > 1 from notes order by id", "show server_version_num",
                 "select count(*), max(text) from notes; select 'two results'")
    assert found == ("1|one|2024-02-29 12:00:00+00|f\n2|||t\n150000\n2|one\ntwo results\n")


def test_psql_copies(start_embedded, tmp_path):
    pool = start_embedded(size=SIZE)
    rows = [(n, f"tab\t{n}, \"quoted\" \\ für") for n in range(1000)]
    text = "".join(f"{n}\t" + words.replace("\\", "\\\\").replace("\t", "\\t") + "\n"
                   for n, words in rows)
    (tmp_path / "in").write_text(text)
    psql(pool, "create table t (n int, s text)", f"\\copy t from '{tmp_path}/in'",
         f"\\copy t to '{tmp_path}/out'", f"\\copy t to '{tmp_path}/out.csv' csv header",
         "truncate t", f"\\copy t from '{tmp_path}/out.csv' csv header",
         f"\\copy (select * from t order by n) to '{tmp_path}/again'")
    assert (tmp_path / "out").read_text() == (tmp_path / "again").read_text() == text


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(start_embedded, mode):
    """On the tables that it makes itself."""
    pool = start_embedded(size=4)
    run_program(pool, "pgbench", "-i", "-s", "1", "-q")
    for script in ("tpcb-like", "select-only", "simple-update"):
        amount = ["-T", "10"] if LONG else ["-t", "30"]
        found = run_program(pool, "pgbench", "-n", "-c", "16", "-j", "16", "-M", mode, *amount,
                            "-b", script)
        assert re.search(r"number of failed transactions: 0 ", found), found
        assert LONG or "transactions actually processed: 480/480" in found, found
    sums = psql(pool, "select (select sum(abalance) from pgbench_accounts), "
                      "(select sum(delta) from pgbench_history)").strip().split("|")
    assert len(set(sums)) == 1 and sums != ["0", "0"], sums
    assert psql(pool, "select count(*) from pgbench_history") == "960\n" or LONG


# ---------------------------------------------------------------- drivers

class OwnInFile(Own):
    """What SQLite can do of it: dates as ISO writes them, no arrays, and 1 / 0 is NULL."""

    styles = ["ISO, DMY", "ISO, MDY", "ISO, YMD"]

    def _of_time(self, given, which):
        return (f"select $1::int - {self.number}, date '2024-02-01'::text",
                [given - self.number, "2024-02-01"])

    def _of_numbers(self, given, which):
        return f"select $1::int, {which} > 1, {self.number}", [given, which > 1, self.number]

    def _fails(self):
        twice = Step("insert into taken values ($1::int)", [1], sqlstate="23505", name="wrong")
        return self._transaction("fails", [self._insert(), self.statement(1), twice], keeps=False)


@pytest.mark.parametrize("name", list(DRIVERS))
def test_drivers(start_embedded, request, name):
    """The conversations that they hold with a PostgreSQL, as far as SQLite can."""
    driver = DRIVERS[name]
    if isinstance(driver, Node):
        driver.packages = request.getfixturevalue("node_packages")
    pool = start_embedded(size=SIZE, pick="scatter")
    psql(pool, "create table t (n int, s text)", "create table taken (n int primary key)",
         "insert into taken values (1)")
    options = {**driver.own, "encodings": ["UTF8"], "dates": False}
    for run in range(RUNS):
        clients = [OwnInFile(run, n, **options) for n in range(CLIENTS)]
        driver.converse(pool, [(own, own.conversation(LENGTH)) for own in clients])


# ---------------------------------------------------------------- everybody writes

WRITERS, READERS, INCREMENTS = 16, 4, 500 if LONG else 50


@pytest.fixture(params=["PostgreSQL", "SQLite"])
def counted(request):
    """A pool with fewer servers than clients, and a table `counter (id, n)`."""
    if request.param == "SQLite":
        pool = request.getfixturevalue("start_embedded")(size=SIZE * 2)
    else:
        pool = request.getfixturevalue("start_pool")(size=SIZE * 2, config={"workers": 2})
    with psycopg.connect(**libpq_target(pool)) as link:
        link.execute("drop table if exists counter")
        link.execute("create table counter (id int primary key, n int)")
        link.execute("insert into counter values (1, 0)")
    return pool


def increment(cursor, in_one_go):
    if in_one_go:
        cursor.execute("update counter set n = n + 1 where id = %s", [1])
    else:
        cursor.execute("select n from counter where id = %s for update", [1])
        cursor.execute("update counter set n = %s where id = %s", [cursor.fetchone()[0] + 1, 1])


def write(pool, number):
    if number % 2 == 0:
        link = psycopg.connect(**libpq_target(pool))
        link.prepare_threshold = 0 if number % 4 == 0 else 5
    else:
        link = psycopg2.connect(**libpq_target(pool))
    with closing(link), link.cursor() as cursor:
        for n in range(INCREMENTS):
            increment(cursor, in_one_go=(number + n) % 2 == 0)
            link.commit()


def read_until(done, pool):
    """It never sees the count go back, nor a transaction that reads hold anybody up."""
    last, reads = 0, 0
    with psycopg.connect(**libpq_target(pool)) as link:
        while not done.is_set():
            for _ in range(2):
                found = link.execute("select n from counter where id = 1").fetchone()[0]
                assert found >= last
                last = found
            link.commit()
            reads += 1
    assert reads > 0


def test_every_increment_counts(counted):
    """And nobody hears that something is locked: any error would fail this."""
    done, left = threading.Event(), threading.Semaphore(WRITERS - 1)

    def work(pool, number):
        try:
            if number < WRITERS:
                write(pool, number)
            else:
                read_until(done, pool)
        finally:
            if number < WRITERS and not left.acquire(blocking=False):
                done.set()

    at_once(work, [(counted, n) for n in range(WRITERS + READERS)])
    with psycopg.connect(**libpq_target(counted)) as link:
        assert link.execute("select n from counter").fetchall() == [(WRITERS * INCREMENTS,)]


# ---------------------------------------------------------------- the demo

@pytest.fixture
def demo_data():
    with tempfile.TemporaryDirectory(prefix="weir-demo-") as name:
        pathlib.Path(name).chmod(0o755)
        yield name


def test_demo(demo_data):
    """A newcomer's first steps; what is written is there the next time."""
    demo = {"user": "demo", "password": "demo"}
    for run in range(2):
        one = Demo(demo_data)
        try:
            assert psql(one, "select 'it flows' as weir", **demo) == "it flows\n"
            psql(one, "create table if not exists kept (n int)",
                 f"insert into kept values ({run})", **demo)
            assert psql(one, "select count(*) from kept", **demo) == f"{run + 1}\n"
            with psycopg.connect(**{**libpq_target(one), **demo, "dbname": "demo"}) as link:
                assert link.execute("select max(n) + %s from kept", [1]).fetchone() == (run + 1,)
            assert one.metrics().sum("weir_queries_total", database="demo", user="demo") >= 4
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(**{**libpq_target(one), **demo, "password": "wrong"})
        finally:
            one.stop()
    assert pathlib.Path(demo_data, "weir/demo.db").exists()
