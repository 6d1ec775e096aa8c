"""Section 5: replication clients, each with a server of its own."""

import json
import os
import signal
import struct
import subprocess

import pytest

from harness import (PASSWORD, ServerError, behaviour, errors, eventually, never, pg, tags,
                     weir_only)
from support.postgres_server import BIN
from support.pooler import weir_binary

pytestmark = weir_only

START = "START_REPLICATION {} 0/0"


def walsender(pool, kind="database", **startup):
    return pool.client("repl", startup={"replication": kind, **startup})


def walsenders(postgres, what="count(*)"):
    return postgres.value(f"select {what} from pg_stat_activity where backend_type = 'walsender'")


def all_gone(postgres):
    eventually(lambda: walsenders(postgres) == "0", what="the walsenders to end")


def begin_stream(client, postgres, slot="tags"):
    client.rows(f"CREATE_REPLICATION_SLOT {slot} TEMPORARY LOGICAL test_decoding")
    client.send(pg.query(START.format(f"SLOT {slot} LOGICAL")))
    assert client.read().type == "W"
    assert walsenders(postgres) != "0"


def changes(client, wanted):
    """Reads the stream until `wanted` is in a change, and answers keepalives."""
    seen = []
    while not any(wanted in one for one in seen):
        found = client.read()
        assert found.type == "d", found
        if found.body[:1] == b"w":
            seen.append(found.body[25:].decode())
        elif found.body[-1:] == b"\1":
            client.send(status_update())
    return seen


def status_update(position=0):
    return pg.message("d", b"r" + struct.pack("!QQQQ", position, position, position, 0) + b"\0")


def keepalive_comes(client):
    """A status update that asks for an answer gets one."""
    client.send(pg.message("d", b"r" + struct.pack("!QQQQ", 0, 0, 0, 0) + b"\1"))
    while client.read().body[:1] != b"k":
        pass


@behaviour(68)
@behaviour(69)
def test_logical_stream(start_pool, postgres, table):
    """Beside it the pool's one server goes on with the transactions of others."""
    pool = start_pool(size=1)
    follower, writer = walsender(pool, application_name="follower"), pool.client()
    begin_stream(follower, postgres)
    for n in range(3):
        writer.rows(f"insert into t values ({n}, 'row {n}')")
        assert any(f"row {n}" in one for one in changes(follower, f"row {n}"))
        keepalive_comes(follower)
    assert walsenders(postgres, "string_agg(application_name, ',')") == "follower"
    follower.send(pg.message("c"))
    found = follower.until_ready()
    assert tags(found)[-1].startswith("START_REPLICATION") or "COPY" in tags(found)[-1], found
    assert follower.value("IDENTIFY_SYSTEM")  # the connection lives
    follower.close()
    all_gone(postgres)
    assert writer.value("select count(*) from t") == "3"


@behaviour(68)
def test_physical_stream(start_pool, postgres, table):
    pool = start_pool(size=1)
    follower, writer = walsender(pool, "true"), pool.client()
    position = follower.rows("IDENTIFY_SYSTEM")[0][2]
    follower.send(pg.query(f"START_REPLICATION PHYSICAL {position}"))
    assert follower.read().type == "W"
    writer.rows("insert into t values (1, 'over the log')")
    log = b""
    while b"over the log" not in log:
        found = follower.read()
        log += found.body[25:] if found.body[:1] == b"w" else b""
    metrics = pool.metrics()
    assert metrics.sum("weir_pinned_clients") == 1
    assert metrics.sum("weir_pins_total", reason="replication") == 1
    follower.close()
    all_gone(postgres)


@behaviour(68)
def test_start_up_options_reach_the_server(start_pool, postgres):
    pool = start_pool(size=1, config={"databases": {"app": {"settings": {"work_mem": "3MB"}}}})
    one = walsender(pool, DateStyle="German", options="-c geqo=off -c work_mem=7MB")
    assert one.value("SHOW datestyle") == "German, DMY" and one.value("SHOW geqo") == "off"
    assert one.value("SHOW work_mem") == "7MB"
    other = walsender(pool)
    assert other.value("SHOW datestyle") == "ISO, MDY" and other.value("SHOW work_mem") == "3MB"
    assert one.parameters["DateStyle"] == "German, DMY"
    refused = pytest.raises(ServerError, walsender, pool, geqo="perhaps")
    assert refused.value.sqlstate == "22023"


@behaviour(68)
def test_servers_are_not_pooled(start_pool, postgres):
    """They are outside the pool's size and gone with their clients."""
    pool = start_pool(size=1)
    normal = pool.client()
    normal.query("begin")
    clients = [walsender(pool, kind) for kind in ("database", "true", "database")]
    assert walsenders(postgres) == "3"
    assert pool.metrics().sum("weir_servers", state="active") == 4
    clients.pop().close()
    eventually(lambda: walsenders(postgres) == "2")
    clients.append(walsender(pool))
    pids = {one.value("select pg_backend_pid()") for one in (clients[0], clients[2])}
    assert len(pids) == 2 and normal.value("select pg_backend_pid()") not in pids
    for one in clients:
        one.close()
    all_gone(postgres)
    normal.query("rollback")
    eventually(lambda: pool.metrics().sum("weir_servers") == 1, what="one server, idle")


@behaviour(68)
def test_caps_count_them(start_pool, postgres):
    pool = start_pool(size=5, max_server_connections=2, acquire_timeout="1s")
    first, second = walsender(pool), walsender(pool)
    refused = pytest.raises(ServerError, walsender, pool)
    assert refused.value.sqlstate == "53300"
    first.close()
    assert walsender(pool).value("IDENTIFY_SYSTEM") and second.value("IDENTIFY_SYSTEM")


@behaviour(68)
def test_a_refused_one_harms_nobody(start_pool, postgres):
    pool = start_pool(size=1)
    busy, waiting = pool.client(), pool.client()
    busy.query("begin")
    waiting.send(pg.query("select 'served'"))
    refused = pytest.raises(ServerError, pool.client, startup={"replication": "database"})
    assert refused.value.sqlstate == "42501", refused.value
    assert not waiting.readable(0.3)
    busy.query("commit")
    assert pg.rows(waiting.until_ready()) == [["served"]]
    assert pool.client("app").value("select 1") == "1"


@behaviour(68)
def test_rules_know_replication(start_pool, postgres, tmp_path):
    """In hba_file a physical stream is only let in by the word replication, as in pg_hba.conf."""
    rules = tmp_path / "hba.conf"
    rules.write_text("host all all all trust\n")
    pool = start_pool(config={"auth": {"method": "hba", "hba_file": str(rules)}})
    assert walsender(pool).value("select 1") == "1"
    assert pytest.raises(ServerError, walsender, pool, "true").value.sqlstate == "28000"
    rules.write_text("host replication repl all trust\n")
    pool.reload()
    assert walsender(pool, "true").value("IDENTIFY_SYSTEM")
    assert pytest.raises(ServerError, walsender, pool).value.sqlstate == "28000"


@behaviour(69)
def test_the_end_of_weir_ends_a_stream(start_pool, postgres):
    pool = start_pool(size=1, config={"shutdown_timeout": "1s"})
    follower = walsender(pool)
    begin_stream(follower, postgres)
    pool.process.send_signal(signal.SIGTERM)
    found = [one for one in follower.until_closed() if one.type != "d"]
    assert errors(found) == ["57P01"], found
    all_gone(postgres)
    pool.wait_for_end()


@behaviour(69)
def test_kill_ends_a_stream(start_pool, postgres):
    pool = start_pool(size=1)
    follower = walsender(pool)
    begin_stream(follower, postgres)
    shown = {one["user"]: one for one in show(pool, "CLIENTS")}["repl"]
    assert shown["replication"] == "logical"
    assert [one["replication"] for one in show(pool, "SERVERS")] == ["logical"]
    ctl(pool, f"KILL_CLIENT {shown['id']}")
    found = [one for one in follower.until_closed() if one.type != "d"]
    assert errors(found) == ["57P01"], found
    all_gone(postgres)


def ctl(pool, command, *options):
    done = subprocess.run(
        [str(weir_binary()), "ctl", "-h", str(pool.directory / "admin"), "-p", str(pool.port),
         *options, command], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def show(pool, what):
    return json.loads(ctl(pool, f"SHOW {what}", "--format", "json"))


@behaviour(69)
def test_no_time_limit_ends_a_stream(start_pool, postgres):
    times = {"query": "300ms", "transaction": "300ms", "client_idle": "300ms",
             "idle_in_transaction": "300ms"}
    follower = walsender(start_pool(size=1, config={"defaults": {"timeouts": times}}))
    begin_stream(follower, postgres)
    never(lambda: walsenders(postgres) == "0", 1)
    keepalive_comes(follower)


@behaviour(68)
@pytest.mark.parametrize("death", ["client", "server"])
def test_either_end_may_die(start_pool, postgres, death):
    pool = start_pool(size=1)
    follower = walsender(pool)
    begin_stream(follower, postgres)
    if death == "client":
        follower.close()
    else:
        os.kill(int(walsenders(postgres, "pid")), signal.SIGTERM)
        assert errors(follower.until_closed())[-1] in ("57P01", "08006")
    all_gone(postgres)
    eventually(lambda: pool.metrics().sum("weir_servers") == 0, what="no server left")


@behaviour(68)
def test_only_postgresql_replicates(start_pool, tmp_path):
    pool = start_pool(config={"databases": {"file": {"url": f"sqlite://{tmp_path}/file.db"}}})
    refused = pytest.raises(ServerError, pool.client, database="file",
                            startup={"replication": "database"})
    assert refused.value.sqlstate == "0A000"


# ---------------------------------------------------------------- PostgreSQL's own programs


def run(pool, program, *arguments):
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    place = ["-h", pool.host, "-p", str(pool.port), "-U", "repl"]
    return subprocess.run([str(BIN / program), *place, *arguments], env=environment, text=True,
                          capture_output=True, timeout=120, check=False)


@behaviour(68)
def test_base_backup(start_pool, postgres, tmp_path):
    """Two connections, to the database `replication`; a name that only libpq knows."""
    pool = start_pool(size=1, config={
        "databases": {"replication": {"url": f"postgres://{postgres.host}:{postgres.port}"}}})
    done = run(pool, "pg_basebackup", "-D", str(tmp_path / "copy"), "-X", "stream", "-c", "fast")
    assert done.returncode == 0, done.stderr
    verified = subprocess.run([str(BIN / "pg_verifybackup"), str(tmp_path / "copy")], text=True,
                              capture_output=True, timeout=60, check=False)
    assert verified.returncode == 0, verified.stderr
    all_gone(postgres)


@behaviour(69)
def test_subscription(start_pool, postgres):
    """PostgreSQL's own worker follows a publication of app in the database second."""
    pool = start_pool(size=1)
    url = f"host={pool.host} port={pool.port} user=repl dbname=app"
    with (postgres.client("postgres", "app") as source,
          postgres.client("postgres", "second") as target):
        source.rows("create table followed (n int primary key); grant all on followed to repl;"
                    "create publication p for table followed")
        source.rows("select pg_create_logical_replication_slot('s', 'pgoutput')")
        target.rows("create table followed (n int primary key)")
        target.rows(f"create subscription s connection '{url}' publication p"
                    " with (create_slot = false, slot_name = 's', copy_data = true)")
        try:
            source.rows("insert into followed select generate_series(1, 1000)")
            eventually(lambda: target.value("select count(*) from followed") == "1000",
                       what="the rows at the subscriber")
        finally:
            target.rows("alter subscription s disable; alter subscription s set (slot_name = none);")
            target.rows("drop subscription s")
            target.rows("drop table followed")
            eventually(lambda: source.value("select active from pg_replication_slots") == "f")
            source.rows("select pg_drop_replication_slot('s')")
            source.rows("drop publication p; drop table followed")
