"""Section 6: who a client is: look-ups, secrets passed through, certificates, bound channels."""

import base64
import os
import subprocess
import threading
import time

import pytest

from harness import (PASSWORD, ServerError, behaviour, errors, eventually, merge, pg, weir_only)

pytestmark = weir_only

REFUSED = "password authentication failed for user"


@pytest.fixture
def ada(postgres):
    """A role that servers let in by SCRAM only, and that weir does not know."""
    postgres.rows("set password_encryption = 'scram-sha-256';"
                  f"create role ada login password '{PASSWORD}'; grant strict to ada")
    yield "ada"
    postgres.terminate_backends("ada")
    postgres.rows("drop owned by ada; drop role ada")


def verifier(postgres, role):
    return postgres.value(f"select rolpassword from pg_authid where rolname = '{role}'")


def asking(sql=None, **query):
    """The configuration of look-ups as boss, who may read pg_authid."""
    found = {"database": "app", "user": "boss", **query}
    if sql:
        found["sql"] = sql
    return {"auth": {"method": "scram-sha-256", "query": found}}


def refusal(pool, user, password=PASSWORD, database="app"):
    with pytest.raises(ServerError) as refused:
        pool.client(user, database, password=password)
    return refused.value


@behaviour(77)
@behaviour(79)
def test_users_of_the_database(start_pool, postgres, ada):
    """They log in with their own password, and so do their server connections."""
    pool = start_pool(config=asking(), size=2)
    clients = [pool.client(ada) for _ in range(3)]
    assert {one.value("select current_user") for one in clients} == {"ada"}
    texts = [str(refusal(pool, ada, "wrong")), str(refusal(pool, "nobody")),
             str(refusal(pool, "nobody", database="nowhere"))]
    assert all(REFUSED in text for text in texts), texts
    assert pool.client("app").value("select current_user") == "app"


@behaviour(78)
@pytest.mark.parametrize("state,reason", [
    ("valid until '2001-01-01'", "valid_until is over"),
    ("nologin", "can_login is not true"),
    ("password null", "it has no password"),
])
def test_users_that_may_not_log_in(start_pool, postgres, ada, state, reason):
    postgres.rows(f"alter role ada {state}")
    pool = start_pool(config=asking(), size=2)
    assert REFUSED in str(refusal(pool, ada))
    pool.wait_for_log(reason)
    postgres.rows(f"alter role ada login valid until 'infinity' password '{PASSWORD}'")
    pool.reload()
    assert pool.client(ada).value("select 1") == "1"


@behaviour(78)
def test_valid_for_some_time_yet(start_pool, postgres, ada):
    postgres.rows("alter role ada valid until '2999-12-31 23:59:59.5+02'")
    assert start_pool(config=asking(), size=2).client(ada).value("select 1") == "1"


@behaviour(46)
def test_questions_know_no_settings_of_clients(start_pool, postgres, ada):
    """The function that weir asks is found by the search_path, as no client has set it."""
    postgres.rows(
        "drop schema if exists evil cascade; create schema evil; grant usage on schema evil to public;"
        "create or replace function public.logins(text) returns table (n name, v text) language sql "
        "as 'select rolname, rolpassword from pg_authid where rolname = $1';"
        "create function evil.logins(text) returns table (n name, v text) language sql "
        "as $$select $1::name, 'guessed'$$")
    pool = start_pool(config=merge(asking("select * from logins($1)", ttl="0", negative_ttl="0"), {
        "users": {"boss": {"password": PASSWORD}}}), size=1)
    boss = pool.client("boss", startup={"options": "-c search_path=evil,public"})
    boss.query("set search_path = evil, public")
    assert boss.value("select v from logins('ada')") == "guessed"
    assert REFUSED in str(refusal(pool, ada, "guessed"))
    assert pool.client(ada).value("select 1") == "1"
    postgres.rows("drop schema evil cascade; drop function public.logins")


@behaviour(77)
def test_one_question_for_many(start_pool, postgres, ada):
    postgres.rows("create table asked (who text); grant all on asked to public;"
                  "create or replace function logins(text) returns table (n name, v text) "
                  "language sql as $$insert into asked values ($1); select pg_sleep(0.5);"
                  "select rolname, rolpassword from pg_authid where rolname = $1$$")
    pool = start_pool(config=asking("select * from logins($1)"), size=2)
    results = []

    def log_in(user, password):
        try:
            results.append(pool.client(user, password=password).value("select current_user"))
        except ServerError as refused:
            results.append(REFUSED in str(refused))

    crowd = [threading.Thread(target=log_in, args=args)
             for args in [(ada, PASSWORD), ("nobody", "x")] * 10]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert sorted(map(str, results)) == ["True"] * 10 + ["ada"] * 10
    # A failed login forgets the name: then it is asked about once more.
    counts = {who: int(n) for who, n in postgres.rows("select who, count(*) from asked group by 1")}
    assert counts["ada"] == 1 and counts["nobody"] <= 10
    pool.client(ada)
    assert postgres.value("select count(*) from asked where who = 'ada'") == "1"
    postgres.rows("drop table asked; drop function logins")


@behaviour(79)
def test_a_password_that_changes(start_pool, postgres, ada):
    pool = start_pool(config=asking(), size=1)
    assert pool.client(ada).value("select 1") == "1"
    postgres.rows("alter role ada password 'another'")
    postgres.terminate_backends(ada)
    eventually(lambda: postgres.backend_count(ada) == 0, what="ada's servers gone")
    refusal(pool, ada, "another")  # the old one was remembered, and is not any more
    assert pool.client(ada, password="another").value("select 1") == "1"


def test_look_ups_where_clients_wait_without_end(start_pool, ada):
    pool = start_pool(config=merge(asking(ttl="0"), {
        "defaults": {"pool": {"acquire_timeout": "0"}}}), size=1)
    for _ in range(3):  # without a server at first
        assert pool.client(ada).value("select current_user") == "ada"


def test_look_up_that_fails(start_pool, postgres, ada):
    pool = start_pool(config=merge(asking("select nothing from nowhere where $1 = ''"), {
        "defaults": {"pool": {"acquire_timeout": "1s"}}}), size=1)
    said = refusal(pool, ada)
    assert "nobody can tell" in str(said)
    pool.wait_for_log("nowhere")
    assert pool.client("app").value("select 1") == "1"


@behaviour(79)
@pytest.mark.parametrize("same", [True, False])
def test_verifier_in_the_configuration(start_pool, postgres, ada, same):
    secret = verifier(postgres, ada)
    if not same:
        postgres.rows(f"alter role ada password '{PASSWORD}'")  # with another salt
    pool = start_pool(config={"auth": {"method": "scram-sha-256"},
                              "users": {ada: {"password": secret}},
                              "defaults": {"pool": {"acquire_timeout": "2s"}}}, size=1)
    if same:
        assert pool.client(ada).value("select current_user") == "ada"
    else:
        assert "both have to be the same" in str(refusal(pool, ada))


@behaviour(79)
def test_an_invented_verifier_opens_no_server(start_pool, postgres, ada):
    """weir knows the password itself: it derives keys for the server's own salt."""
    pool = start_pool(config={"auth": {"method": "scram-sha-256"},
                              "users": {ada: {"password": PASSWORD}}}, size=1)
    assert pool.client(ada).value("select current_user") == "ada"


@pytest.mark.parametrize("user,granted", [("app", True), ("other", False)])
def test_login_by_certificate(start_secure, authority, user, granted):
    pool = start_secure(mode="verify-ca", tls={"ca": authority.ca}, size=1,
                        config={"auth": {"method": "cert"}})
    tls = authority.client("app")
    if granted:
        assert pool.client(user, password=None, tls=tls).value("select current_user") == user
        return
    with pytest.raises(ServerError) as refused:
        pool.client(user, tls=tls)
    assert f'certificate authentication failed for user "{user}"' in str(refused.value)
    pool.wait_for_log('came with the certificate of "app"')


def test_certificate_of_the_user_demanded(start_secure, authority):
    """verify-full: a password as well, but only of whom the certificate names."""
    pool = start_secure(mode="verify-full", tls={"ca": authority.ca}, size=1,
                        config={"auth": {"method": "scram-sha-256"}})
    assert pool.client("app", tls=authority.client("app")).value("select 1") == "1"
    with pytest.raises(ServerError) as refused:
        pool.client("app", tls=authority.client("alice"))
    assert "certificate authentication failed" in str(refused.value)
    with pytest.raises(ServerError):
        pool.client("app", password="wrong", tls=authority.client("app"))


def bound_psql(pool, binding, password=PASSWORD):
    environment = {**os.environ, "PGPASSWORD": password, "PGCHANNELBINDING": binding}
    done = subprocess.run(["psql", "-X", "-h", "localhost", "-p", str(pool.port), "-U", "app",
                           "app", "-Atc", "select 'in'"], env=environment, text=True, check=False,
                          capture_output=True, timeout=30)
    return done.stdout + done.stderr


@behaviour(80)
def test_clients_bind_the_channel(start_secure):
    pool = start_secure(mode="prefer", size=1, config={"auth": {"method": "scram-sha-256"}})
    assert bound_psql(pool, "require") == "in\n"
    assert REFUSED in bound_psql(pool, "require", "wrong")
    assert bound_psql(pool, "disable") == "in\n"


@behaviour(80)
def test_a_taken_out_offer_is_noticed(start_secure, authority):
    """Somebody between them has removed SCRAM-SHA-256-PLUS from the list."""
    pool = start_secure(mode="require", size=1, config={"auth": {"method": "scram-sha-256"}})
    client = pool.raw(tls=authority.client())
    client.send(pg.startup({"user": "app", "database": "app"}))
    offer = client.read()
    assert offer.body[4:].split(b"\0")[:2] == [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"]
    first = b"y,,n=,r=" + base64.b64encode(os.urandom(18))
    client.send(pg.message("p", b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first))
    assert errors(client.until_closed()) == ["28000"]


@behaviour(80)
@pytest.mark.parametrize("role,granted", [("ada", True), ("app", False)])
def test_servers_have_to_bind_the_channel(start_pool, secure_postgres, role, granted):
    secure_postgres.rows("drop role if exists ada; set password_encryption = 'scram-sha-256';"
                         f"create role ada login password '{PASSWORD}'; grant strict to ada")
    pool = start_pool(secure_postgres, size=1, config={
        "users": {"ada": {"password": PASSWORD}},
        "defaults": {"pool": {"acquire_timeout": "1s"}},
        "databases": {"app": {"tls": {"mode": "require", "channel_binding": "require"}}}})
    if granted:
        assert pool.client(role).value("select current_user") == role
    else:  # whom the server trusts without a proof of its own
        assert "does not bind" in str(refusal(pool, role))


def test_brake(start_pool):
    pool = start_pool(config={"auth": {"method": "scram-sha-256",
                                       "brake": {"failures": 3, "window": "2s"}}}, size=1)
    began = time.monotonic()
    for _ in range(3):
        assert REFUSED in str(refusal(pool, "app", "wrong"))
    said = str(refusal(pool, "app"))
    assert "too many failed logins" in said or time.monotonic() - began > 2
    assert pool.client("other").value("select 1") == "1"
    eventually(lambda: _can_log_in(pool), within_s=10, what="the brake let go")


def _can_log_in(pool):
    try:
        return pool.client("app").value("select 1") == "1"
    except ServerError:
        return False
