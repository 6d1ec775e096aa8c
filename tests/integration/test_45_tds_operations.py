"""SQL Server: the end of weir, reloads, the console, metrics."""

import json
import re
import signal
import subprocess
import threading
import time

import pytest

from harness import accepts, eventually, never, weir_only
from support.pooler import weir_binary
from support.tds_client import BATCH, RESET, Closed, TdsClient, errors, headers, packets
from support.tds_weir import client_of, server, start, value, weir  # noqa: F401

pytestmark = weir_only

MODES = ("session", "transaction")


def request(sql):
    return packets(BATCH, headers() + sql.encode("utf-16-le"))


def ended(client):
    """The errors in what comes before the end of the connection."""
    found = []
    with pytest.raises(Closed):
        while True:
            found += [one for one in client.reply() if one.kind == "ERROR"]
    return found


# ---------------------------------------------------------------- the end


@pytest.mark.parametrize("mode", MODES)
def test_drain_lets_a_transaction_end(start, server, mode):
    weir = start(mode, size=3, shutdown_timeout="20s")
    with client_of(weir) as inside, client_of(weir) as idle:
        inside.batch("CREATE TABLE kept (a int)")
        inside.batch("BEGIN TRAN INSERT kept VALUES (1)")
        weir.process.send_signal(signal.SIGTERM)
        eventually(lambda: not accepts(weir.address), what="the listener closed")
        assert [one.number for one in ended(idle)] == [6005]
        assert inside.value("SELECT COUNT(*) FROM kept") == 1
        assert not errors(inside.batch("COMMIT"))
        if mode == "transaction":
            ended(inside)  # in session mode it may stay for as long as shutdown_timeout
        inside.close()
        weir.wait_for_end()
    eventually(lambda: not server.sessions(), what="that the servers are gone")
    assert server.ask("table", database="app", name="kept") == [[1]]


@pytest.mark.parametrize("signals", [1, 2])
def test_the_end_with_clients_of_every_kind(start, server, signals):
    weir = start(size=1, shutdown_timeout="300ms")
    with client_of(weir) as idle, client_of(weir) as inside, client_of(weir) as waiting, TdsClient(
            weir.port) as half:
        inside.batch("BEGIN TRAN")
        waiting.write(request("SELECT 1"))
        half.socket.sendall(b"\x12\x01")
        eventually(lambda: weir.metrics().sum("weir_clients", state="waiting") == 1,
                   what="that one waits")
        for _ in range(signals):
            weir.process.send_signal(signal.SIGTERM)
        for one in (idle, inside, waiting):
            assert 6005 in [each.number for each in ended(one)]
        assert half.is_closed()
        weir.wait_for_end()
    eventually(lambda: not server.sessions(), what="that the servers are gone")


# ---------------------------------------------------------------- reloads


def test_a_reload_warns_of_what_is_hardly_meant(start):
    weir = start()
    doubt = "users.ann: has no password, so nobody can log in as this user"
    assert doubt not in weir.log()
    weir.config["users"]["ann"] = {"max_server_connections": 3}
    weir.reload()
    weir.wait_for_log(doubt)


def test_reload_of_the_size(start, server):
    weir = start(size=1)
    with client_of(weir) as one, client_of(weir) as other:
        one.batch("BEGIN TRAN")
        other.write(request("SELECT 1"))
        eventually(lambda: weir.metrics().sum("weir_clients", state="waiting") == 1,
                   what="that one waits")
        weir.config["databases"]["app"]["pool"]["size"] = 2
        weir.reload()
        assert value(other.reply()) == 1
        other.batch("BEGIN TRAN")
        assert len(server.sessions()) == 2
        weir.config["databases"]["app"]["pool"]["size"] = 1
        weir.reload()
        for each in (one, other):
            assert each.value("SELECT @@TRANCOUNT") == 1
            each.batch("COMMIT")
        eventually(lambda: len(server.sessions()) == 1, what="that there is one")
        assert one.value("SELECT 3") == 3 and other.value("SELECT 4") == 4


def test_reload_of_a_client_s_password(weir):
    with client_of(weir) as one:
        one.batch("SET DATEFIRST 3")
        weir.config["users"]["app"]["password"] = "changed"
        weir.reload()
        assert one.value("SELECT @@DATEFIRST") == 3
        with TdsClient(weir.port) as other:
            assert errors(other.login(database="app")) == [18456]
        with client_of(weir, password="changed") as other:
            assert other.value("SELECT @@DATEFIRST") == 7


def test_reload_of_weir_s_password(start, server):
    """Servers are replaced when their clients give them back; a wrong one is answered in words."""
    weir = start(defaults={"pool": {"acquire_timeout": "1s"}})
    with client_of(weir) as one:
        one.batch("BEGIN TRAN")
        weir.config["databases"]["app"]["password"] = "wrong"
        weir.reload()
        assert one.value("SELECT @@TRANCOUNT") == 1
        one.batch("COMMIT")
        eventually(lambda: not server.sessions(), what="that the server is retired")
        found = one.batch("SELECT 1")
        assert found[0].text.startswith("weir's own login is refused by the server: Login failed")
        weir.config["databases"]["app"]["password"] = "secret"
        weir.reload()
        assert one.value("SELECT 2") == 2


def test_reload_to_another_database(weir, server):
    with client_of(weir) as inside, client_of(weir) as idle:
        inside.batch("BEGIN TRAN")
        weir.config["databases"]["app"]["url"] = f"mssql://127.0.0.1:{server.port}/second"
        weir.reload()
        assert inside.value("SELECT DB_NAME()") == "app"
        inside.batch("COMMIT")
        assert idle.value("SELECT DB_NAME()") == inside.value("SELECT DB_NAME()") == "second"


# ---------------------------------------------------------------- the console


def ctl(weir, command, *options):
    place = ("-h", str(weir.directory / "admin"), "-p", str(weir.port))
    return subprocess.run([str(weir_binary()), "ctl", *place, *options, command],
                          capture_output=True, text=True, timeout=30, check=False)


def show(weir, what):
    done = ctl(weir, f"SHOW {what}", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_is_shown(start, server):
    weir = start(size=3)
    with client_of(weir, app="orders") as holder, client_of(weir) as idle:
        holder.batch("BEGIN TRAN")
        spid = holder.value("SELECT @@SPID")
        assert idle.value("SELECT 1") == 1
        pool = show(weir, "POOLS")[0]
        assert (pool["database"], pool["user"], pool["pool_mode"]) == ("app", "app", "transaction")
        assert (pool["pool_size"], pool["sv_active"], pool["cl_idle"]) == (3, 1, 1)
        active = next(one for one in show(weir, "SERVERS") if one["state"] == "active")
        assert (active["database"], active["user"], active["remote_pid"]) == ("app", "app", spid)
        assert (active["addr"], active["port"]) == ("127.0.0.1", server.port)
        clients = {one["state"]: one for one in show(weir, "CLIENTS")}
        assert set(clients) == {"active", "idle"}
        assert clients["active"]["link"] == active["ptr"]
        assert active["link"] == clients["active"]["ptr"] and clients["idle"]["link"] == ""
        assert (clients["active"]["database"], clients["active"]["user"]) == ("app", "app")
        assert clients["active"]["application_name"] == "orders"
        assert clients["active"]["tls"] == active["tls"] == ""
        assert active["request_time"] >= active["connect_time"]
        database = show(weir, "DATABASES")[0]
        assert (database["name"], database["protocol"]) == ("app", "tds")
        assert (database["host"], database["port"]) == ("127.0.0.1", server.port)
        with client_of(weir) as waiting:
            idle.batch("BEGIN TRAN")
            with client_of(weir) as third:
                third.batch("BEGIN TRAN")
                waiting.write(request("SELECT 1"))
                eventually(lambda: show(weir, "POOLS")[0]["cl_waiting"] == 1, what="the waiter")
        stats = show(weir, "STATS")[0]
        assert stats["total_query_count"] >= 4 and stats["total_client_login_count"] == 4
    assert "secret" not in "".join(ctl(weir, f"SHOW {what}").stdout for what in (
        "CONFIG", "DATABASES", "USERS"))


def test_who_keeps_a_server_is_shown_with_the_reason(start):
    weir = start(size=2)
    with client_of(weir) as keeper, client_of(weir) as other:
        keeper.batch("CREATE TABLE #t (a int)")
        other.batch("BEGIN TRAN")
        pins = {one["id"]: one["pin"] for one in show(weir, "CLIENTS")}
        assert sorted(pins.values()) == ["", "temp_table"]
        for one in show(weir, "SERVERS"):
            assert one["pin"] == pins[int(one["link"].removeprefix("c"))]
        keeper.batch("SELECT 1", status=RESET)
        assert {one["pin"] for one in show(weir, "CLIENTS")} == {""}


def test_hosts_with_ports_of_their_own_are_shown_with_them(start, server):
    weir = start(database={"read_only": ["other:1500"], "failover_partner": "third:1600"})
    assert show(weir, "DATABASES")[0]["host"] == (
        f"127.0.0.1:{server.port},other:1500,third:1600")


def test_the_log_says_what_the_console_was_told(weir):
    ctl(weir, "PAUSE app")
    ctl(weir, "RESUME")
    ctl(weir, "SHUTDOWN WAIT_FOR_CLIENTS")
    weir.wait_for_end()
    said = [line.split(" says ")[1] for line in weir.log().splitlines() if " says " in line]
    assert said == ["PAUSE app", "RESUME", "SHUTDOWN WAIT_FOR_CLIENTS"]


# ---------------------------------------------------------------- what the log says


def test_who_gets_no_server_is_in_the_log(start):
    weir = start(defaults={"pool": {"acquire_timeout": "100ms"}})
    with client_of(weir) as holder, client_of(weir) as waiting:
        holder.batch("BEGIN TRAN")
        for pause in (0, 0, 0, 1.1):  # one a second
            time.sleep(pause)
            assert errors(waiting.batch("SELECT 1")) == [17809]
    lines = [line for line in weir.log().splitlines() if "got no server of app/app" in line]
    assert " W " in lines[0] and "all 1 of the pool are in use" in lines[0]
    left_out = sum(int(found) for line in lines for found in re.findall(r"\((\d+) more since", line))
    assert len(lines) >= 2 and len(lines) + left_out == 4


def test_a_server_that_is_lost_is_not_abandoned(start, server):
    weir = start()
    with client_of(weir) as one:
        one.write(request("WAITFOR DELAY '00:00:20'"))
        eventually(lambda: server.sessions(), what="the server")
        server.ask("kill", spid=server.session(app="weir")["spid"])
        ended(one)
    closes = lambda why: weir.metrics().sum("weir_server_closes_total", reason=why)  # noqa: E731
    eventually(lambda: closes("lost") == 1, what="that it is counted")
    assert closes("abandoned") == 0
    weir.wait_for_log(": the server connection was lost")
    line = next(each for each in weir.log().splitlines() if "connection was lost" in each)
    assert " W client " in line


def test_a_server_that_is_retired_is_in_the_log(start):
    weir = start()
    with client_of(weir) as one:
        one.batch("SELECT 1")
        weir.config["databases"]["app"]["url"] += "?encrypt=disable"
        weir.reload()
        weir.wait_for_log("server 1 closed: retired, app/app")


def test_a_listener_that_leads_nowhere_is_an_error_of_the_command_line():
    done = subprocess.run([str(weir_binary()), "run", "--listen", "tds:127.0.0.1:1"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert "--listen: there is no tds database for its clients" in done.stderr


def test_pause_and_resume(weir):
    with client_of(weir) as holder, client_of(weir) as other:
        holder.batch("BEGIN TRAN")
        result = []
        pause = threading.Thread(target=lambda: result.append(ctl(weir, "PAUSE app")))
        pause.start()
        eventually(lambda: show(weir, "DATABASES")[0]["paused"] == 1, what="the pause")
        other.write(request("SELECT 1"))
        never(lambda: result)
        assert holder.value("SELECT @@TRANCOUNT") == 1
        holder.batch("COMMIT")
        pause.join(20)
        assert result[0].stdout == "PAUSE\n"
        eventually(lambda: weir.metrics().sum("weir_clients", state="waiting") == 1,
                   what="that one waits")
        assert ctl(weir, "RESUME app").stdout == "RESUME\n"
        assert value(other.reply()) == 1


@pytest.mark.parametrize("mode", MODES)
def test_kill_and_reconnect(start, server, mode):
    weir = start(mode)
    with client_of(weir) as victim:
        spid = victim.value("SELECT @@SPID")
        victim.batch("BEGIN TRAN")
        number = show(weir, "CLIENTS")[0]["id"]
        assert ctl(weir, f"KILL_CLIENT {number}").returncode == 0
        ended(victim)
        assert ctl(weir, f"KILL_CLIENT {number}").returncode == 1
    assert weir.metrics().sum("weir_errors_total", kind="killed") == 1
    with client_of(weir) as other:
        assert other.rows("SELECT @@SPID, @@TRANCOUNT") == [[spid, 0]]
        before = server.counts()["logins"]
        assert ctl(weir, "RECONNECT app").stdout == "RECONNECT\n"
        if mode == "session":
            assert other.value("SELECT @@SPID") == spid
            return
        assert other.value("SELECT 1") == 1
        assert server.counts()["logins"] == before + 1


# ---------------------------------------------------------------- metrics


def test_counters(start):
    weir = start(size=2)
    with client_of(weir) as one, client_of(weir) as other:
        before = weir.metrics()

        def grown(name, **labels):
            return weir.metrics().sum(name, **labels) - before.sum(name, **labels)

        for _ in range(3):
            one.batch("SELECT 1")
        one.batch("BEGIN TRAN")
        one.rpc("sp_who_is_not_there")
        one.batch("SELECT 1/0")
        one.batch("COMMIT")
        other.manager(b"\x05\0\0\0")
        other.manager(b"\x07\0\0\0")
        assert grown("weir_queries_total", database="app", user="app") == 9
        assert grown("weir_transactions_total", database="app") == 5
        assert grown("weir_query_seconds_count") == 9
        assert grown("weir_errors_total", kind="query") == 2
        other.batch("CREATE TABLE #t (a int)")
        assert grown("weir_pins_total", reason="temp_table") == 1
        assert grown("weir_pins_total") == 1
        now = weir.metrics()
        assert now.sum("weir_pinned_clients", database="app") == 1
        assert now.sum("weir_clients", state="active") == 1
        assert now.sum("weir_servers", state="active") == 1
        assert now.sum("weir_pool_size", database="app") == 2
        for side in ("client", "server"):
            for direction in ("in", "out"):
                assert grown("weir_bytes_total", side=side, direction=direction) > 0
    eventually(lambda: weir.metrics().sum("weir_clients") == weir.metrics().sum(
        "weir_servers", state="active") == weir.metrics().sum("weir_pinned_clients") == 0,
        what="that nothing is left")
