"""The console: database weir, the admin socket, weir ctl."""

import csv
import io
import json
import signal
import subprocess
import threading

import pytest

from harness import (PASSWORD, Closed, ServerError, accepts, errors, eventually, never, pg, rows,
                     statuses, tags, weir_only)
from support.pooler import weir_binary

pytestmark = weir_only

ADMIN = {"admin": {"users": ["app"], "stats_users": ["plain_user"]},
         "auth": {"method": "scram-sha-256"}}


@pytest.fixture
def pool(start_pool):
    return start_pool(size=3, config=ADMIN)


def ctl(pool, command, *options):
    place = ("-h", str(pool.directory / "admin"), "-p", str(pool.port))
    return subprocess.run([str(weir_binary()), "ctl", *place, *options, command],
                          capture_output=True, text=True, timeout=20)


def show(pool, what):
    """Through the admin socket, as dictionaries."""
    done = ctl(pool, f"SHOW {what}", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def console(pool, user="app", database="weir"):
    return pool.client(user, database)


def psql(pool, command, user="app", database="weir"):
    target = f"host={pool.host} port={pool.port} user={user} password={PASSWORD} dbname={database}"
    return subprocess.run(["psql", "-XAt", target, "-c", command], capture_output=True, text=True,
                          timeout=20)


# ---------------------------------------------------------------- who may

@pytest.mark.parametrize("database", ["weir", "pgbouncer"])
def test_admins_and_stats_users(pool, database):
    admin, watcher = console(pool, "app", database), console(pool, "plain_user", database)
    assert rows(admin.query("SHOW VERSION"))[0][0].startswith("weir ")
    assert rows(watcher.query("SHOW VERSION"))[0][0].startswith("weir ")
    assert tags(admin.query("RELOAD")) == ["RELOAD"]
    assert errors(watcher.query("RELOAD")) == ["42501"]
    assert statuses(watcher.query("SHOW STATE")) == ["I"]


def test_others_are_refused_after_their_password(pool):
    with pytest.raises(ServerError) as refused:
        console(pool, "other")
    assert refused.value.sqlstate == "28000"
    assert pool.client("other", "app").value("select 1") == "1"
    with pytest.raises(ServerError) as wrong:
        pool.client("other", "weir", "wrong")
    assert wrong.value.sqlstate == "28P01"


def test_a_reload_takes_rights_away_at_once(pool):
    admin = console(pool)
    assert tags(admin.query("RESUME")) == ["RESUME"]
    pool.config["admin"]["users"] = ["plain_user"]
    pool.reload()
    assert errors(admin.query("RESUME")) == ["42501"]
    with pytest.raises(ServerError):
        console(pool)
    assert tags(console(pool, "plain_user").query("RESUME")) == ["RESUME"]


# ---------------------------------------------------------------- what is seen

def test_pools_clients_servers(pool):
    holder, idle = pool.client(), pool.client(database="second")
    holder.query("begin")
    pid = holder.value("select pg_backend_pid()")
    idle.value("select 1")
    found = {one["database"]: one for one in show(pool, "POOLS")}
    assert found["app"]["sv_active"] == 1 and found["app"]["cl_active"] == 1
    assert found["second"]["sv_idle"] == 1 and found["second"]["cl_idle"] == 1
    assert found["app"]["pool_mode"] == "transaction" and found["app"]["pool_size"] == 3
    clients = {one["database"]: one for one in show(pool, "CLIENTS")}
    servers = {one["database"]: one for one in show(pool, "SERVERS")}
    assert clients["app"]["link"] == servers["app"]["ptr"]
    assert servers["app"]["link"] == clients["app"]["ptr"]
    assert str(servers["app"]["remote_pid"]) == pid
    assert clients["second"]["state"] == "idle" and clients["second"]["link"] == ""


def test_waiting_is_seen(start_pool):
    pool = start_pool(size=1, config=ADMIN)
    pool.client().query("begin")
    waiter = pool.client()
    waiter.send(pg.query("select 1"))
    eventually(lambda: show(pool, "POOLS")[0]["cl_waiting"] == 1, what="the waiter")
    eventually(lambda: show(pool, "POOLS")[0]["maxwait_us"] > 0, what="its time")
    assert {one["state"] for one in show(pool, "CLIENTS")} == {"active", "waiting"}


def test_clients_of_all_workers(start_pool):
    pool = start_pool(size=3, config={**ADMIN, "workers": 3})
    clients = [pool.client() for _ in range(6)]
    for one in clients:
        one.value("select 1")
    shown = show(pool, "CLIENTS")
    assert len(shown) == 6 and {one["worker"] for one in shown} == {0, 1, 2}
    assert len({one["id"] for one in shown}) == 6
    assert len(rows(console(pool).query("SHOW CLIENTS"))) == 7  # it sees itself


def test_counters(pool):
    client = pool.client()
    for _ in range(5):
        client.value("select 1")
    stats = {one["database"]: one for one in show(pool, "STATS")}
    assert stats["app"]["total_query_count"] == 5
    assert stats["app"]["total_server_assignment_count"] >= 5
    assert stats["app"]["total_client_login_count"] == 1
    lists = {one["list"]: one["items"] for one in show(pool, "LISTS")}
    assert lists["used_clients"] == 1 and lists["databases"] == 2


def test_nothing_shown_is_a_secret(pool):
    pool.client().value("select 1")
    for what in ("POOLS", "CLIENTS", "SERVERS", "DATABASES", "USERS", "CONFIG", "STATS"):
        done = ctl(pool, f"SHOW {what}")
        assert done.returncode == 0 and PASSWORD not in done.stdout


# ---------------------------------------------------------------- what is done

def test_pause_waits_and_resume_lets_go(pool):
    holder, other = pool.client(), pool.client()
    holder.query("begin")
    result = []
    pause = threading.Thread(target=lambda: result.append(ctl(pool, "PAUSE app")))
    pause.start()
    eventually(lambda: show(pool, "DATABASES")[0]["paused"] == 1, what="the pause")
    other.send(pg.query("select 1"))
    assert pool.client(database="second").value("select 2") == "2"
    never(lambda: result)
    holder.query("commit")
    pause.join(10)
    assert result[0].stdout == "PAUSE\n"
    assert not other.readable(0.3)
    assert ctl(pool, "RESUME app").stdout == "RESUME\n"
    assert rows(other.until_ready()) == [["1"]]


def test_pause_holds_for_pools_that_do_not_exist_yet(pool):
    assert ctl(pool, "PAUSE").returncode == 0
    assert {one["key"]: one["value"] for one in show(pool, "STATE")}["paused"] == "yes"
    found = []
    login = threading.Thread(target=lambda: found.append(pool.client().value("select 1")))
    login.start()
    never(lambda: found)
    ctl(pool, "RESUME")
    login.join(10)
    assert found == ["1"]


def test_kill_client_and_reconnect(pool, postgres):
    victim = pool.client()
    pid = victim.value("select pg_backend_pid()")
    number = show(pool, "CLIENTS")[0]["id"]
    assert ctl(pool, f"KILL_CLIENT {number}").returncode == 0
    with pytest.raises((Closed, ServerError)):
        victim.value("select 1")
    assert ctl(pool, f"KILL_CLIENT {number}").returncode == 1
    newcomer = pool.client()
    assert newcomer.value("select pg_backend_pid()") == pid
    assert ctl(pool, "RECONNECT app").stdout == "RECONNECT\n"
    assert newcomer.value("select pg_backend_pid()") != pid


def test_reload_says_what_is_wrong(pool):
    good = pool.config_path.read_text()
    pool.config_path.write_text(good + "nonsense: 1\n")
    done = ctl(pool, "RELOAD")
    assert done.returncode == 1 and "nonsense" in done.stderr
    pool.config_path.write_text(good)
    assert ctl(pool, "RELOAD").stdout == "RELOAD\n"


@pytest.mark.parametrize("how", ["SHUTDOWN", "SHUTDOWN WAIT_FOR_CLIENTS"])
def test_shutdown(pool, how):
    console(pool).query("SHOW STATE")  # holds nothing up
    assert ctl(pool, how).stdout == "SHUTDOWN\n"
    pool.wait_for_end()


# ---------------------------------------------------------------- always reachable

def test_at_max_clients(start_pool):
    pool = start_pool(size=1, config={**ADMIN, "max_clients": 2})
    for _ in range(2):
        pool.client().value("select 1")
    with pytest.raises(ServerError) as full:
        pool.client()
    assert full.value.sqlstate == "53300"
    assert len(rows(console(pool).query("SHOW CLIENTS"))) == 3
    assert len(show(pool, "CLIENTS")) == 3


def test_while_draining(pool):
    client, watcher = pool.client(), console(pool)
    client.query("begin")
    watcher.query("SHOW STATE")
    pool.process.send_signal(signal.SIGTERM)
    eventually(lambda: not accepts(pool.address), what="the listener closed")
    assert {one["key"]: one["value"] for one in show(pool, "STATE")}["draining"] == "yes"
    assert ["draining", "yes"] in rows(watcher.query("SHOW STATE"))
    assert show(pool, "POOLS")[0]["sv_active"] == 1
    client.query("commit")
    pool.wait_for_end()
    assert not (pool.directory / "admin" / f".s.PGSQL.{pool.port}").exists()


def test_metrics_do_not_count_it(pool):
    console(pool).query("SHOW POOLS")
    assert pool.metrics().sum("weir_clients") == 0
    assert pool.metrics().sum("weir_servers") == 0


# ---------------------------------------------------------------- clients of all kinds

def test_psql(pool):
    assert psql(pool, "SHOW VERSION").stdout.startswith("weir ")
    assert psql(pool, "SHOW POOLS; SHOW STATE;", database="pgbouncer").returncode == 0
    wrong = psql(pool, "SHOW NONSENSE")
    assert wrong.returncode == 1 and "SHOW HELP" in wrong.stderr


def test_psycopg2(pool):
    psycopg2 = pytest.importorskip("psycopg2")
    target = dict(host=pool.host, port=pool.port, user="app", password=PASSWORD, dbname="weir")
    link = psycopg2.connect(**target)
    with link.cursor() as cursor:  # in a transaction, as it likes
        cursor.execute("SHOW POOLS")
        assert [one[0] for one in cursor.description][:3] == ["database", "user", "cl_active"]
        cursor.execute("SHOW LISTS")
        assert ("pools", 0) in cursor.fetchall()
    link.commit()
    link.close()


def test_psycopg3(pool):
    psycopg = pytest.importorskip("psycopg")
    target = dict(host=pool.host, port=pool.port, user="app", password=PASSWORD, dbname="weir")
    with psycopg.connect(**target) as link:
        assert link.execute("SHOW VERSION").fetchone()[0].startswith("weir ")
        found = link.execute("SHOW STATS", binary=True).fetchall()
        assert found == []
        assert link.execute("SELECT 1").fetchone() == (1,)


# ---------------------------------------------------------------- weir ctl

def test_ctl_formats(pool):
    table = ctl(pool, "SHOW STATE").stdout.splitlines()
    assert table[0].split() == ["key", "|", "value"] and set(table[1]) == {"-", "+"}
    assert table[-1] == "(4 rows)"
    found = list(csv.DictReader(io.StringIO(ctl(pool, "SHOW STATE", "--format", "csv").stdout)))
    assert found[0] == {"key": "active", "value": "yes"}
    assert show(pool, "STATE")[0] == {"key": "active", "value": "yes"}
    assert show(pool, "DATABASES")[0]["port"] == int(show(pool, "DATABASES")[0]["port"])
    assert ctl(pool, "RELOAD", "--format", "json").stdout == "[]\n"


def test_ctl_over_the_network(pool):
    url = f"postgres://app:{PASSWORD}@{pool.host}:{pool.port}"
    done = subprocess.run([str(weir_binary()), "ctl", url, "SHOW VERSION"], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 0 and "weir " in done.stdout


def test_ctl_exit_codes(pool):
    binary = str(weir_binary())
    assert ctl(pool, "NONSENSE").returncode == 1
    assert subprocess.run([binary, "ctl"], capture_output=True).returncode == 2
    assert subprocess.run([binary, "ctl", "--format", "xml", "SHOW STATE"],
                          capture_output=True).returncode == 2
    nobody = subprocess.run([binary, "ctl", "SHOW STATE"], capture_output=True, text=True,
                            env={"HOME": str(pool.directory), "PATH": "/bin"},
                            preexec_fn=_drop_rights)
    assert nobody.returncode == 1 and "No weir answers" in nobody.stderr


def _drop_rights():
    import os
    if os.getuid() == 0:
        os.setuid(65534)


def test_why_there_is_no_server(start_pool, start_fake):
    """Of a pool whose server refuses: in SHOW POOLS and on the page, until one opens."""
    fake = start_fake()
    fake.log_in = lambda connection: connection.send(pg.error("28000", "<b>not you</b>", "FATAL"))
    pool = start_pool(fake, size=1, config=ADMIN | {"auth": {"method": "trust"}})
    with pytest.raises(ServerError):
        pool.client()
    assert [one["last_error"] for one in show(pool, "POOLS")] == ["<b>not you</b>"]
    assert "the last attempt to open a server: &lt;b&gt;not you&lt;/b&gt;" in pool.http("/")[1]
    fake.log_in = fake.accept_login
    eventually(lambda: lets_in(pool), what="the server again")
    assert [one["last_error"] for one in show(pool, "POOLS")] == [""]
    assert "the last attempt" not in pool.http("/")[1]


def lets_in(pool):
    try:
        return pool.client().value("select 1")
    except ServerError:
        return None
