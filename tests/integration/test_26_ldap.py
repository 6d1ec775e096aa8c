"""Section 6: passwords that a directory decides on."""

import os
import pathlib
import socket
import threading
import time

import pytest

from harness import (LONG, PASSWORD, ServerError, eventually, free_port, merge, weir_only)
from support.directory import BASE, BOSS, BOSS_PASSWORD, SLAPD, Directory

pytestmark = [weir_only, pytest.mark.skipif(not pathlib.Path(SLAPD).exists(),
                                            reason="slapd is not installed")]
REFUSED = "password authentication failed"


@pytest.fixture(scope="module")
def directory(authority):
    one = Directory(authority)
    for name in ("app", "scram_user"):
        one.add(name, PASSWORD)
    one.add("other", "another-secret", mail="app")
    one.add("hidden", PASSWORD, unit="hidden")
    one.add("twice", PASSWORD)
    one.add("twice", PASSWORD, unit="staff")
    one.start()
    yield one
    one.remove()


@pytest.fixture
def start_ldap(start_pool, directory, authority):
    """A pool whose clients the directory decides about."""
    def start(config=None, ca=None, **ldap):
        auth = {"method": "ldap", "ldap": {"url": directory.url, "base_dn": BASE, **ldap}}
        environment = {**os.environ, "LDAPTLS_CACERT": ca or authority.ca}
        return start_pool(config=merge({"auth": auth, "users": {"app": {}}}, config or {}), size=1,
                          options={"environment": environment})
    return start


@pytest.fixture
def start_rules(start_pool, tmp_path):
    """A pool with an hba_file of this line."""
    def start(line):
        (tmp_path / "hba.conf").write_text(line)
        return start_pool(config={"auth": {"method": "hba",
                                           "hba_file": str(tmp_path / "hba.conf")}}, size=1)
    return start


def refusal(pool, user="app", password=PASSWORD):
    with pytest.raises(ServerError) as refused:
        pool.client(user, password=password)
    return str(refused.value)


def test_the_directory_decides(start_ldap):
    pool = start_ldap()
    assert pool.client().value("select current_user") == "app"
    assert {REFUSED in refusal(pool, *who) for who in (
        ("app", "wrong"), ("nobody",), ("hidden",), ("other", "wrong"))} == {True}
    assert "wrong" not in pool.log() and PASSWORD not in pool.log()


def test_the_password_opens_servers(start_ldap):
    """For a user that weir knows nothing of, and whose servers demand SCRAM."""
    pool = start_ldap()
    assert pool.client("scram_user").value("select current_user") == "scram_user"


def test_an_empty_password_proves_nothing(start_ldap):
    assert REFUSED in refusal(start_ldap(), "app", "")


@pytest.mark.parametrize("name", ["*", "a*", "app ", " app", "app)(uid=*", "app)(|(uid=*", "\\61pp", "app\\2a"])
def test_a_name_is_no_part_of_the_filter(start_ldap, name):
    assert REFUSED in refusal(start_ldap(), name)


def test_two_entries_are_none(start_ldap):
    pool = start_ldap()
    assert REFUSED in refusal(pool, "twice")
    pool.wait_for_log('has several entries for "twice"')


def test_looking_as_somebody(start_ldap):
    """Who sees more than nobody does."""
    pool = start_ldap(bind_dn=BOSS, bind_password=BOSS_PASSWORD,
                      filter="(&(uid={user})(mail={user}@weir.test))")
    assert pool.client().value("select 1") == "1"
    assert REFUSED in refusal(pool, "other", "another-secret")  # its mail is app's
    assert "does not" not in pool.log()
    assert BOSS_PASSWORD not in pool.log()


def test_a_wrong_password_of_weir_itself(start_ldap):
    pool = start_ldap(bind_dn=BOSS, bind_password="not-the-secret")
    assert REFUSED in refusal(pool)
    pool.wait_for_log('does not let weir look for "app": Invalid credentials')
    assert "not-the-secret" not in pool.log()


@pytest.mark.parametrize("how", [
    "ldapserver=127.0.0.1 ldapport={port} ldapprefix=\"uid=\" ldapsuffix=\",ou=people,{base}\"",
    "ldapserver=127.0.0.1 ldapport={port} ldapbasedn=\"{base}\"",
    "ldapserver=127.0.0.1 ldapport={port} ldapbasedn=\"{base}\" ldapsearchattribute=cn",
    "ldapurl=\"ldap://127.0.0.1:{port}/{base}?uid?sub\"",
    "ldapurl=\"ldap://127.0.0.1:{port}/ou=people,{base}?uid?one\"",
    "ldapurl=\"ldap://127.0.0.1:{port}/{base}??sub?(uid=$username)\"",
])
def test_lines_of_rules(start_rules, directory, how):
    pool = start_rules("host all all all ldap " + how.format(port=directory.port, base=BASE))
    assert pool.client().value("select current_user") == "app"
    assert REFUSED in refusal(pool, "app", "wrong")
    assert REFUSED in refusal(pool, "app,ou=people", PASSWORD)


def test_the_name_ends_where_it_ends(start_rules, directory):
    pool = start_rules(f"host all all all ldap ldapserver=127.0.0.1 ldapport={directory.port} "
                       f"ldapprefix=\"uid=\" ldapsuffix=\",{BASE}\"")
    assert REFUSED in refusal(pool, "app,ou=people")


@pytest.mark.parametrize("how", ["start_tls", "ldaps"])
def test_encrypted(start_ldap, directory, how, authority):
    where = ({"url": directory.url, "start_tls": True} if how == "start_tls" else
             {"url": f"ldaps://{directory.host}:{directory.tls_port}"})
    pool = start_ldap(**where)
    assert pool.client().value("select 1") == "1"
    assert REFUSED in refusal(pool, "app", "wrong")
    stranger = start_ldap(ca=authority.cert("app"), **where)  # who has signed nothing
    assert REFUSED in refusal(stranger)
    stranger.wait_for_log('cannot be asked about "app"')


def test_the_next_server_is_asked(start_ldap, directory):
    pool = start_ldap(url=f"ldap://127.0.0.1:{free_port()} {directory.url}")
    assert pool.client().value("select 1") == "1"


def test_nobody_to_ask(start_ldap):
    pool = start_ldap(url=f"ldap://127.0.0.1:{free_port()}")
    assert REFUSED in refusal(pool)
    pool.wait_for_log("cannot be asked about \"app\": Can't contact LDAP server")


def test_a_silent_server_delays_nobody_else(start_ldap, directory):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pool = start_ldap(url=f"ldap://127.0.0.1:{silent.getsockname()[1]}", config={
            "workers": 1, "users": {"keeper": {"password": PASSWORD}},
            "defaults": {"timeouts": {"client_login": "2s"}}})
        waiting = threading.Thread(target=refusal, args=(pool,))
        waiting.start()
        time.sleep(0.2)
        began = time.monotonic()
        pool.config["auth"]["ldap"]["url"] = directory.url
        pool.reload()
        assert pool.client().value("select 1") == "1"
        assert waiting.is_alive() and time.monotonic() - began < 1.5
        waiting.join(20)
        assert not waiting.is_alive()
        assert pool.client("scram_user").value("select 1") == "1"


@pytest.mark.skipif(not LONG, reason="it waits for what the directory does not say")
@pytest.mark.parametrize("scheme, answer", [("ldap", b"\x30\x0c\x02\x01"), ("ldaps", b""),
                                            ("ldaps", b"\x16\x03\x03\x00\x40")])
def test_half_an_answer_holds_no_thread_for_ever(start_ldap, scheme, answer):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            connection = server.accept()[0]
            connection.recv(1000)
            connection.sendall(answer)
            connection.recv(1000)
            connection.recv(1000)
        threading.Thread(target=serve, daemon=True).start()
        pool = start_ldap(url=f"{scheme}://127.0.0.1:{server.getsockname()[1]}", config={
            "defaults": {"timeouts": {"client_login": "1s"}}})
        before = pool.metrics().sum("process_threads")
        assert "not completed in time" in refusal(pool)
        assert pool.metrics().sum("process_threads") > before
        eventually(lambda: pool.metrics().sum("process_threads") == before, within_s=40,
                   what="the thread has ended")
