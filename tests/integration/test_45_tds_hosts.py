"""Several hosts of SQL Server: a partner that takes over, servers for who only reads."""

import pytest

from harness import eventually, free_port, weir_only
from support import tds_tokens
from support.tds_client import BATCH, LOGIN7, TdsClient, errors, headers, login7, packets
from support.tds_server import TdsServer
from support.tds_weir import client_of, server, start  # noqa: F401

pytestmark = weir_only

READ_ONLY = 0x20  # of LOGIN7's type flags: ApplicationIntent=ReadOnly


@pytest.fixture
def second():
    with TdsServer() as one:
        yield one


def logins(server):
    return len(server.sessions())


def test_the_partner_is_dialled_when_the_other_cannot_be_reached(server, second, start):
    weir = start("transaction", size=4, database={
        "url": f"mssql://127.0.0.1:{free_port()}/app",
        "failover_partner": f"127.0.0.1:{second.port}"})
    with client_of(weir) as one:
        assert one.value("SELECT 1") == 1
    assert logins(second) == 1 and logins(server) == 0


def test_the_partner_is_left_alone_while_the_other_is_there(server, second, start):
    weir = start("transaction", size=4, database={"failover_partner": f"127.0.0.1:{second.port}"})
    clients = [client_of(weir) for _ in range(3)]
    for one in clients:
        one.batch("BEGIN TRAN")
    assert logins(server) == 3 and logins(second) == 0
    for one in clients:
        one.close()


@pytest.mark.behaviour("tds", "T18")
def test_who_only_reads_gets_a_read_only_server(server, second, start):
    weir = start("transaction", size=4, database={"read_only": [f"127.0.0.1:{second.port}"]})
    with client_of(weir) as one, client_of(weir, type_flags=READ_ONLY) as reader:
        assert one.value("SELECT 1") == 1 and reader.value("SELECT 2") == 2
    assert [each["read_only"] for each in server.sessions()] == [False]
    assert [each["read_only"] for each in second.sessions()] == [True]


def test_who_only_reads_gets_another_when_there_is_no_read_only_server(server, start):
    weir = start("transaction", size=4, database={"read_only": [f"127.0.0.1:{free_port()}"]})
    with client_of(weir, type_flags=READ_ONLY) as reader:
        assert reader.value("SELECT 2") == 2
    assert [each["read_only"] for each in server.sessions()] == [True]


def test_a_reload_that_takes_the_read_only_server_away(server, second, start):
    weir = start("transaction", size=4, database={"read_only": [f"127.0.0.1:{second.port}"]})
    with client_of(weir, type_flags=READ_ONLY) as reader:
        assert reader.value("SELECT 2") == 2
        del weir.config["databases"]["app"]["read_only"]
        weir.reload()
        assert reader.value("SELECT 3") == 3
        eventually(lambda: logins(second) == 0, what="that the old server is closed")
    assert logins(server) == 1


@pytest.mark.behaviour("tds", "T20")
def test_weir_goes_where_the_server_sends_it(server, second, start):
    server.fault("route", host="127.0.0.1", port=second.port)
    weir = start("transaction", size=4)
    with client_of(weir) as one:
        assert one.value("SELECT 1") == 1
    assert logins(second) == 1 and logins(server) == 0


@pytest.mark.behaviour("tds", "T20")
def test_who_is_sent_in_a_circle_hears_that(server, start):
    server.fault("route", times=100, host="127.0.0.1", port=server.port)
    weir = start("transaction", database={"pool": {"mode": "transaction", "size": 1,
                                                   "acquire_timeout": "1s"}})
    with TdsClient(weir.port) as one:
        one.prelogin()
        one.write(packets(LOGIN7, login7(user="app", password="secret", database="app")))
        found = one.reply()
        assert not [each for each in found if each.kind in ("ENVCHANGE", "LOGINACK")]
        assert f"127.0.0.1:{server.port}" in found[0].text
    server.ask("clear")


@pytest.mark.behaviour("tds", "T20")
def test_a_client_s_own_login_that_is_sent_nowhere(server, start):
    """A trial of a password, which is tried again from the beginning."""
    server.fault("route", times=100, host="127.0.0.1", port=free_port())
    weir = start(listener={"auth": {"method": "passthrough"}}, users={}, databases={
        "app": {"url": f"mssql://127.0.0.1:{server.port}/app",
                "pool": {"mode": "transaction", "acquire_timeout": "1500ms"}}})
    for _ in range(2):
        with TdsClient(weir.port) as one:
            one.prelogin()
            one.write(packets(LOGIN7, login7(user="app", password="secret", database="app")))
            assert errors(one.reply())
    server.ask("clear")
    with client_of(weir) as one:
        assert one.value("SELECT 1") == 1


def test_the_cap_of_a_host_counts_for_read_only_ones_too(server, second, start):
    weir = start("transaction", size=4, database={"read_only": [f"127.0.0.1:{second.port}"]},
                 hosts={f"127.0.0.1:{second.port}": {"max_server_connections": 1}})
    with client_of(weir, type_flags=READ_ONLY) as one, client_of(weir, type_flags=READ_ONLY) as other:
        one.batch("BEGIN TRAN")
        other.write(packets(BATCH, headers() + "SELECT 2".encode("utf-16-le")))
        assert logins(second) == 1
        one.batch("COMMIT")
        assert tds_tokens.rows(other.reply()) == [[2]]
