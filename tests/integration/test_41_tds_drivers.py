"""SQL Server's drivers through weir: in each way to encrypt that they have, in session and in
transaction mode, on a pool of one server connection."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import weir_only
from support import tds_drivers
from support.tds_drivers import done_by, target_of, tedious  # noqa: F401
from support.tds_server import TdsServer
from support.tds_weir import start_weir

pytestmark = weir_only

MODES = ("session", "transaction")
ENCRYPTIONS = ("off", "login", "all")


@pytest.fixture(scope="module")
def server():
    with TdsServer() as one:
        yield one


@pytest.fixture(scope="module")
def weirs(server, authority):
    started = {}

    def one(mode, encryption="off"):
        tls = {"off": "disable", "login": "login", "all": "require"}.get(encryption, encryption)
        key = (mode, tls)
        if key not in started:
            with_tls = {"mode": tls, "cert": str(authority.cert("localhost")),
                        "key": str(authority.key("localhost"))}
            listener = {"tls": with_tls} if tls != "disable" else {}
            started[key] = start_weir(server, mode, listener=listener)
        return started[key]

    yield one
    for weir in started.values():
        weir.stop()


def check(driver, target, directory=None):
    found, expected = done_by(driver, target, directory)
    assert found == expected | {"who": ["weir", *expected["who"][1:]]}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_pymssql(weirs, tmp_path, mode, encryption):
    check(tds_drivers.pymssql, target_of(weirs(mode, encryption), "pymssql", encryption), tmp_path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("encryption", ("off", "all"))
def test_jtds(weirs, tmp_path, mode, encryption):
    check(tds_drivers.jtds, target_of(weirs(mode, encryption), "jtds", encryption), tmp_path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("encryption", ("off", "all", "strict"))
def test_tedious(weirs, tedious, authority, mode, encryption):
    target = target_of(weirs(mode, encryption), "tedious", encryption, ca=authority.ca)
    if encryption == "strict":
        target["host"] = "localhost"
    check(tedious, target)


@pytest.mark.behaviour("tds", "T05")
@pytest.mark.parametrize("version, packet_size",
                         [("7_1", 512), ("7_2", 16384), ("7_3_B", 32767), ("7_4", 4096)])
def test_tedious_of_old(weirs, tedious, version, packet_size):
    check(tedious, target_of(weirs("transaction"), "tedious", version=version,
                             packet_size=packet_size))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", ["7.1", "7.2", "7.3", "7.4"])
@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_tsql(weirs, tmp_path, mode, encryption, version):
    sql = ("BEGIN TRAN CREATE TABLE #t (a int, b varchar(10)) INSERT #t VALUES (1, 'x'), (2, NULL)"
           "\ngo\nSELECT a, b, @@TRANCOUNT FROM #t\ngo\nCOMMIT SELECT @@TRANCOUNT, DB_NAME()")
    target = target_of(weirs(mode, encryption), "TSQL", encryption)
    found = done_by(tds_drivers.tsql, target, tmp_path, sql, version)
    assert found == [["1", "x", "1"], ["2", "NULL", "1"], ["0", "app"]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_bsqldb(weirs, tmp_path, mode, encryption):
    sql = "SELECT 1 AS a, 'x' AS b\ngo\nUSE second\ngo\nSELECT DB_NAME(), CAST(NULL AS int)"
    target = target_of(weirs(mode, encryption), "bsqldb", encryption)
    assert done_by(tds_drivers.bsqldb, target, tmp_path, sql) == [["1", "x"], ["second", "NULL"]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_freebcp(server, weirs, tmp_path, mode, encryption):
    table = f"through_{mode}_{encryption}"
    with server.client(database="app") as client:
        client.batch(f"CREATE TABLE {table} (a int NOT NULL, b varchar(20), c float)")
    rows = [[str(n), f"row {n}", f"{n}.5"] for n in range(500)]
    target = target_of(weirs(mode, encryption), "freebcp", encryption)
    assert done_by(tds_drivers.freebcp, target, tmp_path, table, rows) == rows
    assert len(server.ask("table", database="app", name=table)) == 500


@pytest.mark.behaviour("tds", "T16")
@pytest.mark.parametrize("user", ["app", "nobody"])
def test_a_wrong_password(weirs, tmp_path, user):
    target = target_of(weirs("session"), "TSQL") | {"user": user, "password": "wrong"}
    with pytest.raises(AssertionError, match="18456"):
        done_by(tds_drivers.tsql, target, tmp_path, "SELECT 1")


@pytest.mark.behaviour("tds", "T40")
def test_all_at_once_on_one_server_connection(weirs, tedious, tmp_path):
    """In transaction mode, each of them twice."""
    weir = weirs("transaction")
    drivers = {"pymssql": tds_drivers.pymssql, "jtds": tds_drivers.jtds, "tedious": tedious}
    for name, driver in drivers.items():
        check(driver, target_of(weir, name), tmp_path)  # and it is skipped where it is missing
    folders = [tmp_path / str(n) for n in range(2 * len(drivers))]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(len(folders)) as crowd:
        runs = [crowd.submit(check, driver, target_of(weir, name), folder)
                for (name, driver), folder in zip(list(drivers.items()) * 2, folders)]
        for run in runs:
            run.result()
    assert weir.metrics().sum("weir_servers") <= 1
