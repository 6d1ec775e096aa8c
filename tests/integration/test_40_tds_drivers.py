"""SQL Server's drivers talk to the stand-in directly, each in the ways to encrypt that it has."""

import pytest

from harness import eventually
from support import tds_drivers
from support.tds_drivers import done_by, target_of, tedious  # noqa: F401
from support.tds_server import TdsServer

ENCRYPTIONS = ("off", "login", "all")


@pytest.fixture(scope="module")
def server(authority):
    with TdsServer("--certificate", authority.cert("localhost"), "--key",
                   authority.key("localhost")) as one:
        yield one


def last_of(server, app):
    """What the server has seen of the driver that has just ended."""
    eventually(lambda: not server.sessions(), what="that the driver is gone")
    return [one for one in server.history() if one["app"] == app][-1]


def check(server, driver, target, directory):
    found, expected = done_by(driver, target, directory)
    assert found == expected
    assert last_of(server, target["app"])["encryption"] == (
        "none" if target["encryption"] == "off" else target["encryption"])


@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_pymssql(server, tmp_path, encryption):
    check(server, tds_drivers.pymssql, target_of(server, f"pymssql {encryption}", encryption),
          tmp_path)


@pytest.mark.parametrize("encryption", ("off", "all"))
def test_jtds(server, tmp_path, encryption):
    check(server, tds_drivers.jtds, target_of(server, f"jtds {encryption}", encryption), tmp_path)


@pytest.mark.parametrize("encryption", ("off", "all", "strict"))
def test_tedious(server, tedious, authority, encryption):
    target = target_of(server, f"tedious {encryption}", encryption, ca=authority.ca)
    if encryption == "strict":
        target["host"] = "localhost"  # whose certificate it checks
    check(server, tedious, target, None)


@pytest.mark.parametrize("version, packet_size", [("7_1", 512), ("7_2", 16384), ("7_3_B", 32767)])
def test_tedious_of_old(server, tedious, version, packet_size):
    target = target_of(server, f"tedious {version}", version=version, packet_size=packet_size)
    check(server, tedious, target, None)
    assert last_of(server, target["app"])["packet_size"] == packet_size


@pytest.mark.parametrize("version", ["7.1", "7.2", "7.3", "7.4"])
@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_tsql(server, tmp_path, encryption, version):
    target = target_of(server, "TSQL", encryption)
    sql = ("BEGIN TRAN CREATE TABLE #t (a int, b varchar(10)) INSERT #t VALUES (1, 'x'), (2, NULL)"
           "\ngo\nSELECT a, b, @@TRANCOUNT FROM #t\ngo\nCOMMIT SELECT @@TRANCOUNT, DB_NAME()")
    found = done_by(tds_drivers.tsql, target, tmp_path, sql, version)
    assert found == [["1", "x", "1"], ["2", "NULL", "1"], ["0", "app"]]
    assert last_of(server, "TSQL")["version"].startswith(
        "0x" + {"7.1": "71", "7.2": "72", "7.3": "73", "7.4": "74"}[version])


@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_bsqldb(server, tmp_path, encryption):
    target = target_of(server, "bsqldb", encryption)
    sql = "SELECT 1 AS a, 'x' AS b\ngo\nUSE second\ngo\nSELECT DB_NAME(), CAST(NULL AS int)"
    assert done_by(tds_drivers.bsqldb, target, tmp_path, sql) == [["1", "x"], ["second", "NULL"]]


@pytest.mark.parametrize("encryption", ENCRYPTIONS)
def test_freebcp(server, tmp_path, encryption):
    target = target_of(server, "freebcp", encryption)
    table = f"copied_{encryption}"
    with server.client(database="app") as client:
        client.batch(f"CREATE TABLE {table} (a int NOT NULL, b varchar(20), c float)")
    rows = [[str(n), f"row {n}", f"{n}.5"] for n in range(500)]
    assert done_by(tds_drivers.freebcp, target, tmp_path, table, rows) == rows
    assert len(server.ask("table", database="app", name=table)) == 500


def test_a_wrong_password(server, tmp_path):
    target = target_of(server, "TSQL") | {"password": "wrong"}
    with pytest.raises(AssertionError, match="18456"):
        done_by(tds_drivers.tsql, target, tmp_path, "SELECT 1")
