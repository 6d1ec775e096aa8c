"""hba_file, ident_file, accounts, and clients behind a balancer."""

import os
import pwd
import socket
import struct

import pytest

from harness import (PASSWORD, Closed, ServerError, Wire, behaviour, errors, eventually, pg,
                     weir_only)

pytestmark = weir_only

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def start_rules(start_secure, tmp_path):
    """A pool whose clients log in by these lines."""
    def start(lines, ident=None, tls=None, mode="prefer", **config):
        auth = {"method": "hba", "hba_file": str(tmp_path / "hba.conf")}
        (tmp_path / "hba.conf").write_text(lines)
        if ident:
            auth["ident_file"] = str(tmp_path / "ident.conf")
            (tmp_path / "ident.conf").write_text(ident)
        pool = start_secure(size=2, mode=mode, tls=tls,
                            config={"auth": {**auth, **config.pop("auth", {})}, **config})
        pool.hba = tmp_path / "hba.conf"
        return pool
    return start


def refusal(pool, *args, **options):
    with pytest.raises(ServerError) as refused:
        pool.client(*args, **options)
    return str(refused.value)


def test_first_line_that_fits(start_rules, authority):
    pool = start_rules("""
        hostssl   app     app     127.0.0.1/32  trust
        hostnossl app     app     all           scram-sha-256
        host      second  +nobody all           trust
        host      second  app     samehost      md5
        host      all     other   10.0.0.0/8    trust
        host      all     other   127.0.0.0/8   reject
    """)
    assert pool.client("app", password=None, tls=authority.client()).value("select 1") == "1"
    assert pool.client("app").value("select 1") == "1"
    assert "password authentication" in refusal(pool, "app", password="wrong")
    assert pool.client("app", "second").value("select 1") == "1"
    said = refusal(pool, "other")
    assert 'hba_file rejects connections for host "127.0.0.1", user "other"' in said
    assert "no entry of hba_file" in refusal(pool, "boss")


def test_mistakes_keep_the_old_rules(start_rules):
    pool = start_rules("host all all all trust\n")
    client = pool.client(password=None)
    pool.hba.write_text("host all all all trust\nhost all all somewhere.example md5\nhos all\n")
    pool.reload()
    assert pool.metrics().sum("weir_config_last_reload_success") == 0
    pool.wait_for_log("hba.conf:2")
    pool.wait_for_log("hba.conf:3")
    assert pool.client(password=None).value("select 1") == "1"
    pool.hba.write_text("host all all all reject\n")
    pool.reload()
    assert "rejects" in refusal(pool, password=None)
    assert client.value("select 1") == "1"


def test_members_of_a_role(start_rules, postgres):
    group_sql = ("select r.rolname from pg_roles r, pg_roles u where u.rolname = $1 "
                 "and pg_has_role(u.oid, r.oid, 'member')")
    pool = start_rules("host all +guest all trust\nhost all all all reject\n",
                       users={"boss": {"password": PASSWORD}},
                       auth={"query": {"database": "app", "user": "boss", "group_sql": group_sql}})
    assert pool.client("app", password=None).value("select 1") == "1"  # of guest
    assert "rejects" in refusal(pool, "other")


def test_members_are_remembered(start_rules, postgres):
    postgres.rows("drop sequence if exists group_asked; create sequence group_asked;"
                  "grant all on sequence group_asked to public")
    query = {"database": "app", "user": "boss", "ttl": "1m", "negative_ttl": "0",
             "group_sql": "select 'guest' from nextval('group_asked') where $1 = 'app'"}
    pool = start_rules("host all +guest all trust\nhost all all all reject\n",
                       users={"boss": {"password": PASSWORD}}, auth={"query": query})

    def asked():
        return postgres.value("select last_value from group_asked")

    for _ in range(5):
        assert pool.client("app", password=None).value("select 1") == "1"
    assert asked() == "1"
    pool.reload()  # forgets
    assert pool.client("app", password=None).value("select 1") == "1"
    assert asked() == "2"


@pytest.mark.parametrize("name", ["people", "cert"])
def test_certificates_and_maps(start_rules, authority, name):
    """A map that a line names says all: equal names alone do not do."""
    pool = start_rules(f"hostssl all all all cert map={name}\n", mode="verify-ca",
                       tls={"ca": authority.ca}, ident=f"{name} alice app\n{name} /^(.*)pp$ other\n")
    assert pool.client("app", tls=authority.client("alice")).value("select 1") == "1"
    assert pool.client("other", tls=authority.client("app")).value("select 1") == "1"
    assert "certificate authentication failed" in refusal(pool, "app",
                                                          tls=authority.client("app"))


def test_accounts(start_pool, tmp_path):
    path = tmp_path / ".s.PGSQL.6432"
    (tmp_path / "ident.conf").write_text(f"peer {ME} app\n")
    pool = start_pool(size=1, config={"auth": {"method": "scram-sha-256",
                                               "ident_file": str(tmp_path / "ident.conf")}})
    pool.config["listeners"].append({"protocol": "postgres", "address": f"unix:{path}",
                                     "auth": {"method": "peer"}})
    pool.reload()
    assert Wire(str(path), "app", "app").value("select current_user") == "app"
    with pytest.raises(ServerError) as refused:
        Wire(str(path), "other", "app")
    assert 'peer authentication failed for user "other"' in str(refused.value)
    pool.wait_for_log(f'came from account "{ME}"')


def v2(source, command=0x21):
    addresses = socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack(
        "!HH", 5555, 6432)
    return (b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, 0x11]) + struct.pack("!H", len(addresses))
            + addresses)


@pytest.fixture
def behind_balancer(start_rules):
    def start(balancers):
        pool = start_rules("host all all 203.0.113.0/24 trust\nhost all all 127.0.0.0/8 reject\n")
        pool.config["listeners"][0]["proxy_protocol"] = {"from": balancers}
        pool.reload()
        return pool
    return start


@behaviour(86)
@pytest.mark.parametrize("header", [
    b"PROXY TCP4 203.0.113.7 127.0.0.1 5555 6432\r\n", v2("203.0.113.7")])
@pytest.mark.parametrize("encrypted", [False, True])
def test_clients_behind_a_balancer(behind_balancer, authority, header, encrypted):
    pool = behind_balancer(["127.0.0.0/8"])
    client = pool.raw()
    for at in range(len(header)):
        client.send(header[at:at + 1])
    if encrypted:
        client.secure(authority.client())
    client.log_in({"user": "app", "database": "app"})
    assert client.value("select 1") == "1"
    pool.wait_for_log("from 203.0.113.7:5555")


@behaviour(86)
@behaviour(104)
@pytest.mark.parametrize("header", [
    b"", b"PROXY TCP4 203.0.113.7\r\n", v2("203.0.113.7")[:12] + b"\xff" * 8, b"GET / HTTP/1.0\r\n"])
def test_wrong_headers(behind_balancer, header):
    pool = behind_balancer(["127.0.0.0/8"])
    client = pool.raw()
    client.send(header + pg.startup({"user": "app", "database": "app"}))
    with pytest.raises((Closed, OSError)):
        while True:
            client.read()
    pool.wait_for_log("without a PROXY header")
    eventually(lambda: pool.metrics().sum("weir_clients") == 0, what="it is gone")


@behaviour(86)
def test_headers_of_strangers(behind_balancer):
    """Who is no balancer is who it is, and cannot say otherwise."""
    pool = behind_balancer(["192.0.2.0/24"])
    assert "rejects" in refusal(pool)
    client = pool.raw()
    client.send(v2("203.0.113.7") + pg.startup({"user": "app", "database": "app"}))
    assert errors(client.until_closed()) == ["08P01"]
    client = pool.raw()
    client.send(v2("203.0.113.7", command=0x20))
    assert "203.0.113.7" not in pool.log()
