"""Section 3, first half: a setting follows its client and nobody else."""

import pytest

from harness import (ServerError, assert_usable, behaviour, errors, pg, pooled, rows, statuses,
                     tags, types, weir_only)

# The server reports the first ones by itself; of the others it is asked.
CARRIED = [("TimeZone", "Asia/Tokyo"), ("DateStyle", "German"), ("IntervalStyle", "iso_8601"),
           ("application_name", "mine"), ("client_encoding", "LATIN1"),
           ("default_transaction_read_only", "on")]
OTHERS = [("search_path", "pg_catalog"), ("work_mem", "123kB"), ("statement_timeout", "7s"),
          ("enable_seqscan", "off"), ("extra_float_digits", "-3"), ("role", "guest"),
          ("my.own", "secret"), ("default_transaction_isolation", "serializable")]


def show(client, name):
    return client.value(f"select coalesce(current_setting('{name}', true), '')")


@behaviour(35)
@weir_only
@pytest.mark.parametrize("name, value", CARRIED + OTHERS)
def test_setting_never_reaches_another_client(start_pool, name, value):
    pool = start_pool(size=1)
    setter, other = pool.client(), pool.client()
    default = show(other, name)
    backend = other.backend_pid()
    setter.rows(f"set {name} = '{value}'")
    assert show(other, name) == default
    assert backend == other.backend_pid() or name not in dict(CARRIED)
    newcomer = pool.client()
    assert show(newcomer, name) == default
    assert show(other, name) == default


@behaviour(35)
@weir_only
@pytest.mark.parametrize("name, value", OTHERS)
def test_setting_left_by_a_client_that_went_away(start_pool, name, value):
    pool = start_pool(size=1)
    other = pool.client()
    default = show(other, name)
    for leave in ("terminate", "close", "abort"):
        setter = pool.client()
        setter.rows(f"set {name} = '{value}'")
        getattr(setter, leave)()
        assert show(other, name) == default


@behaviour(36)
@weir_only
@pytest.mark.parametrize("name, value", CARRIED + OTHERS)
def test_setting_follows_its_client(start_pool, name, value):
    pool = start_pool(size=2, pick="scatter")
    setter, other = pool.client(), pool.client()
    default = show(other, name)
    other.rows("begin")
    setter.rows(f"set {name} = '{value}'")  # this makes the second server
    other.rows("commit")
    expected = show(setter, name)
    assert expected != default
    seen = set()
    for _ in range(6):
        assert show(setter, name) == expected
        assert show(other, name) == default
        seen.add(setter.backend_pid())
    assert len(seen) == 2


@behaviour(36)
@weir_only
def test_two_clients_with_many_settings_on_one_server(start_pool):
    pool = start_pool(size=1)
    one, two = pool.client(), pool.client()
    for name, value in CARRIED[:4]:
        one.rows(f"set {name} = '{value}'")
    two.rows("set TimeZone = 'America/Lima'; set DateStyle = 'SQL, DMY'")
    for _ in range(3):
        assert [show(one, name) for name, _ in CARRIED[:4]] == [
            "Asia/Tokyo", "German, DMY", "iso_8601", "mine"]
        assert [show(two, name) for name, _ in CARRIED[:4]] == [
            "America/Lima", "SQL, DMY", "postgres", ""]


@behaviour(37)
@weir_only
@pytest.mark.parametrize("name, value", CARRIED[:4])
@pytest.mark.parametrize("way, kept", [
    ("begin; set {n} = '{v}'; rollback", False),
    ("begin; set {n} = '{v}'; commit", True),
    ("begin; set local {n} = '{v}'; commit", False),
    ("begin; savepoint a; set {n} = '{v}'; rollback to a; commit", False),
    ("begin; savepoint a; set {n} = '{v}'; release a; commit", True),
    ("begin; set {n} = '{v}'; savepoint a; set {n} to default; rollback to a; commit", True),
    ("set {n} = '{v}'; select 1/0", False),
    ("begin; set {n} = '{v}'; select 1/0; commit", False),
])
def test_setting_and_its_transaction(start_pool, name, value, way, kept):
    pool = start_pool(size=2, pick="scatter")
    client, other = pool.client(), pool.client()
    default = show(client, name)
    found = client.query(way.format(n=name, v=value))
    if statuses(found) == ["E"]:
        client.query("rollback")
    for _ in range(3):
        assert (show(client, name) != default) is kept
        assert show(other, name) == default


@behaviour(37)
@weir_only
@pytest.mark.parametrize("way", ["begin; set {n} = '{v}'; rollback",
                                 "begin; set local {n} = '{v}'; commit"])
@pytest.mark.parametrize("name, value", OTHERS)
def test_unreported_setting_undone_by_its_transaction(start_pool, name, value, way):
    pool = start_pool(size=1)
    client, other = pool.client(), pool.client()
    default = show(client, name)
    client.query(way.format(n=name, v=value))
    assert show(client, name) == default and show(other, name) == default


@behaviour(38)
@pooled
@pytest.mark.pgbouncer_fails("compares without case")
def test_change_of_letter_case_only(start_pool):
    pool = start_pool(size=1)
    lower = pool.client(startup={"application_name": "app"})
    upper = pool.client(startup={"application_name": "APP"})
    for _ in range(3):
        assert show(lower, "application_name") == "app"
        assert show(upper, "application_name") == "APP"
    lower.rows("set application_name = 'App'")
    upper.rows("select 1")
    assert show(lower, "application_name") == "App"


@behaviour(39)
@weir_only
@pytest.mark.parametrize("length", [100, 200, 400, 9000])
def test_long_values(start_pool, length):
    """At login, and on every attach; applied exactly, or refused loudly."""
    pool = start_pool(size=1)
    value = ", ".join(f"schema_{n}" for n in range(length // 10))
    other = pool.client()
    try:
        client = pool.client(startup={"search_path": value})
    except ServerError as refused:
        assert refused.sqlstate
        return
    for _ in range(3):
        assert show(client, "search_path") == value
        assert show(other, "search_path") == '"$user", public'


@behaviour(39)
@weir_only
def test_long_reported_value(start_pool):
    pool = start_pool(size=1)
    client, other = pool.client(), pool.client()
    client.rows(f"set application_name = '{'n' * 63}'")
    for _ in range(2):
        assert show(client, "application_name") == "n" * 63
        assert show(other, "application_name") == ""


PATHS = ['"$user", public', '""', '"a b", "C", public', "'quoted'", '"with ""quotes"""',
         "pg_catalog", '"$user", "", "back\\slash"']


@behaviour(40)
@pytest.mark.targets("weir", "direct")
@pytest.mark.parametrize("path", PATHS)
def test_search_path_round_trip(start_pool, postgres, path):
    pool = start_pool(size=1)
    other = pool.client()
    with postgres.client(startup={"search_path": path}) as direct:
        expected = show(direct, "search_path")
    client = pool.client(startup={"search_path": path})
    for _ in range(2):
        assert show(client, "search_path") == expected
        assert client.rows("select current_schemas(true)::text") is not None
        assert show(other, "search_path") == '"$user", public'


@behaviour(41)
@weir_only
def test_canonicalised_values_cost_no_set_for_each_hold(start_pool, gate):
    pool = start_pool(gate, size=1)
    startup = {"DateStyle": "iso,mdy", "TimeZone": "europe/BERLIN", "client_encoding": "utf-8"}
    clients = [pool.client(startup=startup) for _ in range(2)]
    for one in clients:
        one.value("select 1")
    gate.recording = True
    for n in range(20):
        assert clients[n % 2].value(f"select {n}") == str(n)
    sent = bytes(gate.sent_to_server).lower()
    assert sent.count(b"timezone") + sent.count(b"datestyle") <= 2, sent[:500]


@behaviour(41)
@weir_only
def test_a_lone_client_costs_no_message_of_the_poolers_own(start_pool, gate):
    client = start_pool(gate, size=1).client()
    client.value("select 1")
    gate.recording = True
    for _ in range(20):
        client.value("select 1")
    assert bytes(gate.sent_to_server) == pg.query("select 1") * 20


@behaviour(43)
@pytest.mark.parametrize("extended", [True, False])
def test_wrong_set_is_answered_itself(start_pool, extended):
    pool = start_pool(size=1)
    client = pool.client()
    for sql, code in (("set timezone = 'nowhere'", "22023"), ("set no_such = 1", "42704"),
                      ("set datestyle = 'wrong'", "22023"), ("set wrong syntax", "42601")):
        found = client.extended(sql) if extended else client.query(sql)
        assert errors(found) == [code], found
        assert client.value("select 'next'") == "next"
        assert_usable(pool)


@behaviour(44)
def test_parameter_status_reaches_the_client(start_pool):
    client = start_pool(size=1).client()
    for name in ("server_version", "client_encoding", "DateStyle", "TimeZone",
                 "standard_conforming_strings", "integer_datetimes"):
        assert client.parameters.get(name), name
    found = client.query("set timezone = 'Asia/Tokyo'; select 1; set datestyle = 'German'")
    assert types(found).count("S") == 2, found
    assert client.parameters["TimeZone"] == "Asia/Tokyo"
    found = client.query("reset timezone")
    assert types(found) == "CSZ" and tags(found) == ["RESET"], found


@behaviour(44)
@weir_only
@pytest.mark.parametrize("size", [100, 20000, 300000])
def test_parameter_status_of_any_size(start_pool, start_fake, size):
    value = "v" * size

    def on_query(connection, sql):
        if sql == "select 'report'":
            return (pg.result("done") + pg.parameter_status("custom.big", value)
                    + pg.ready(connection.status))
        return None

    client = start_pool(start_fake(on_query=on_query), size=1).client()
    found = client.query("select 'report'")
    assert types(found) == "TDCSZ", types(found)
    assert client.parameters["custom.big"] == value
    assert statuses(client.query("select 1")) == ["I"]


@behaviour(35)
@behaviour(44)
@weir_only
def test_what_a_client_was_told_is_true(start_pool):
    """Whatever ParameterStatus said last is what the server does for this client."""
    pool = start_pool(size=1)
    one, two = pool.client(startup={"TimeZone": "Asia/Tokyo"}), pool.client()
    for turn in range(6):
        if turn == 3:
            two.rows("set timezone = 'America/Lima'")
        for client in (one, two):
            for name in ("TimeZone", "DateStyle", "client_encoding", "application_name"):
                assert show(client, name) == client.parameters[name], name


@behaviour(49)
@weir_only
@pytest.mark.parametrize("change", ["set session authorization other", "set role other",
                                    "set session authorization 'app'; set role guest"])
@pytest.mark.parametrize("leave", [None, "close", "terminate"])
def test_identity_never_reaches_another_client(start_pool, change, leave):
    keeps_its_server = "authorization" in change and not leave
    pool = start_pool(size=2 if keeps_its_server else 1)
    changer, other = pool.client("boss"), pool.client("boss")
    changer.rows(change)
    if leave:
        getattr(changer, leave)()
    assert other.rows("select session_user, current_user") == [["boss", "boss"]]
    assert pool.client("boss").rows("select session_user, current_user") == [["boss", "boss"]]


@behaviour(49)
@weir_only
def test_identity_inside_a_pipeline(start_pool):
    pool = start_pool(size=1)
    changer, other = pool.client("boss"), pool.client("boss")
    changer.send(pg.batch("set role other"), pg.sync(), pg.batch("select 1"), pg.sync())
    other.send(pg.batch("select current_user"), pg.sync())
    changer.until_ready(2)
    assert rows(other.until_ready()) == [["boss"]]


@behaviour(35)
@weir_only
@pytest.mark.parametrize("first", ["the setter", "another"])
def test_a_literal_that_is_read_under_set_local_is_nobody_elses(start_pool, first):
    """Both prepare the same text, on the same server."""
    pool = start_pool(size=1)
    setter, other = pool.client(), pool.client()
    text = "select '{NULL}'::text[]"

    def value(client, name):
        client.send(pg.parse(text, name), pg.bind(name), pg.execute(), pg.sync())
        return rows(client.until_ready())[0][0]

    expected = other.value(text)
    if first == "another":
        assert value(other, "before") == expected
    setter.rows("begin")
    setter.rows("set local array_nulls = off")
    assert value(setter, "inside") == value(setter, "again") == '{"NULL"}' != expected
    setter.rows("commit")
    assert value(setter, "outside") == value(other, "after") == expected
