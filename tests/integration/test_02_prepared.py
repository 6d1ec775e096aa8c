"""Section 2: protocol-level prepared statements on shared servers."""

import pytest

from harness import (TARGET, assert_usable, behaviour, errors, eventually, pg, pooled, rows,
                     statuses, tags, types, weir_only)

pytestmark = pytest.mark.targets("weir", "direct")

INT4, TEXT = 23, 25
FAILS = "select 1/0"


def prepare(client, name, sql, type_oids=()):
    client.send(pg.parse(sql, name, type_oids), pg.sync())
    found = client.until_ready()
    assert types(found) == "1Z", found


def run(client, name, *values):
    """Binds and executes a prepared statement; all messages of the answer."""
    client.send(pg.bind(name, values=values), pg.execute(), pg.sync())
    return client.until_ready()


def run_rows(client, name, *values):
    found = run(client, name, *values)
    assert not errors(found), found
    return rows(found)


def assert_unknown(client, name):
    assert errors(run(client, name)) == ["26000"]


@behaviour(19)
@pytest.mark.parametrize("size", [1, 2])
def test_same_name_for_different_statements(start_pool, size):
    pool = start_pool(size=size)
    one, two = pool.client(), pool.client()
    prepare(one, "s", "select 'one', $1::int")
    prepare(two, "s", "select 'two', $1::int")
    for n in range(10):
        assert run_rows(one, "s", n) == [["one", str(n)]]
        assert run_rows(two, "s", n) == [["two", str(n)]]


@behaviour(19)
def test_same_name_pipelined_by_two_clients(start_pool):
    pool = start_pool(size=1)
    clients = [pool.client() for _ in range(3)]
    for label, client in enumerate(clients):
        client.send(pg.parse(f"select {label}", "s"), pg.sync(),
                    *[pg.bind("s") + pg.execute() + pg.sync()] * 10)
    for label, client in enumerate(clients):
        found = client.until_ready(11)
        assert rows(found) == [[str(label)]] * 10, found


@behaviour(20)
def test_same_text_with_other_parameter_types(start_pool):
    pool = start_pool(size=1)
    ints, texts, untold = pool.client(), pool.client(), pool.client()
    sql = "select pg_typeof($1)::text"
    prepare(ints, "s", sql, [INT4])
    prepare(texts, "s", sql, [TEXT])
    prepare(untold, "s", "select $1")
    for _ in range(3):
        assert run_rows(ints, "s", 1) == [["integer"]]
        assert run_rows(texts, "s", 1) == [["text"]]
        assert run_rows(untold, "s", "x") == [["x"]]


@behaviour(20)
def test_describe_gives_each_its_own_types(start_pool):
    pool = start_pool(size=1)
    ints, texts = pool.client(), pool.client()
    prepare(ints, "s", "select $1", [INT4])
    prepare(texts, "s", "select $1", [TEXT])
    for client, oid in ((ints, INT4), (texts, TEXT)) * 2:
        client.send(pg.describe_statement("s"), pg.sync())
        found = client.until_ready()
        assert types(found) == "tTZ" and found[0].body[2:] == oid.to_bytes(4, "big"), found


@behaviour(21)
def test_name_in_use(start_pool):
    pool = start_pool(size=1)
    client = pool.client()
    prepare(client, "s", "select 'first'")
    assert_usable(pool)
    client.send(pg.batch("select 'before'"), pg.parse("select 'second'", "s"),
                pg.batch("select 'skipped'"), pg.sync(), pg.batch("select 'after'"), pg.sync())
    found = client.until_ready(2)
    assert types(found) == "12DCEZ" "12DCZ" and errors(found) == ["42P05"], found
    assert run_rows(client, "s") == [["first"]]


@behaviour(21)
def test_name_in_use_within_one_batch(start_pool):
    client = start_pool(size=1).client()
    client.send(pg.parse("select 'first'", "s"), pg.parse("select 'first'", "s"), pg.sync())
    found = client.until_ready()
    assert types(found) == "1EZ" and errors(found) == ["42P05"], found
    assert run_rows(client, "s") == [["first"]]


@behaviour(21)
def test_name_in_use_fails_the_transaction(start_pool):
    client = start_pool(size=1).client()
    prepare(client, "s", "select 1")
    client.query("begin")
    client.send(pg.parse("select 2", "s"), pg.sync())
    found = client.until_ready()
    assert errors(found) == ["42P05"] and statuses(found) == ["E"], found
    assert errors(client.query("select 1")) == ["25P02"]
    assert statuses(client.query("rollback")) == ["I"]


@behaviour(22)
@pytest.mark.parametrize("asking", [pg.bind("nowhere"), pg.describe_statement("nowhere")],
                         ids=["Bind", "Describe"])
def test_unknown_name(start_pool, asking):
    pool = start_pool(size=1)
    client = pool.client()
    for _ in range(2):
        client.send(pg.batch("select 'before'"), asking, pg.batch("select 'skipped'"), pg.sync())
        found = client.until_ready()
        assert types(found) == "12DCEZ" and errors(found) == ["26000"], found
        assert statuses(found) == ["I"]
        assert_usable(pool)
    client.query("begin")
    client.send(asking, pg.sync())
    assert statuses(client.until_ready()) == ["E"]
    assert errors(client.query("select 1")) == ["25P02"]
    assert statuses(client.query("rollback")) == ["I"]


@behaviour(22)
def test_unknown_name_first_of_all(start_pool):
    """The very first message of a client that has never had a server."""
    client = start_pool(size=1).client()
    client.send(pg.bind("nowhere"), pg.execute(), pg.sync())
    found = client.until_ready()
    assert types(found) == "EZ" and errors(found) == ["26000"], found


@behaviour(22)
def test_names_of_others_are_unknown(start_pool):
    pool = start_pool(size=1)
    one, two = pool.client(), pool.client()
    prepare(one, "s", "select 'secret'")
    assert_unknown(two, "s")
    one.close()
    assert_unknown(pool.client(), "s")


@behaviour(23)
def test_close_of_an_unknown_name(start_pool):
    client = start_pool(size=1).client()
    client.send(pg.close_statement("nowhere"), pg.close_portal("nowhere"), pg.sync())
    assert types(client.until_ready()) == "33Z"
    client.send(pg.batch("select 1"), pg.close_statement("nowhere"), pg.batch("select 2"),
                pg.sync())
    assert types(client.until_ready()) == "12DC312DCZ"


@behaviour(23)
def test_close_frees_the_name(start_pool):
    client = start_pool(size=1).client()
    prepare(client, "s", "select 'old'")
    client.send(pg.close_statement("s"), pg.parse("select 'new'", "s"), pg.bind("s"),
                pg.execute(), pg.sync())
    found = client.until_ready()
    assert types(found) == "312DCZ" and rows(found) == [["new"]], found
    client.send(pg.close_statement("s"), pg.sync())
    assert types(client.until_ready()) == "3Z"
    assert_unknown(client, "s")


@behaviour(24)
@pytest.mark.parametrize("size", [1, 2])
def test_unnamed_statement_outlives_its_turn(start_pool, size):
    pool = start_pool(size=size)
    one, two = pool.client(), pool.client()
    for n in range(5):
        prepare(one, "", f"select 'one {n}', $1::int")
        prepare(two, "", f"select 'two {n}', $1::int")
        assert run_rows(one, "", 7) == [[f"one {n}", "7"]]
        assert run_rows(two, "", 8) == [[f"two {n}", "8"]]
        assert run_rows(one, "", 9) == [[f"one {n}", "9"]]


@behaviour(24)
def test_unnamed_statement_described_later(start_pool):
    pool = start_pool(size=1)
    client = pool.client()
    prepare(client, "", "select $1::int as n")
    assert_usable(pool)
    client.send(pg.describe_statement(""), pg.sync())
    assert types(client.until_ready()) == "tTZ"
    assert_usable(pool)
    assert run_rows(client, "", 5) == [["5"]]


@behaviour(24)
def test_unnamed_statement_ends_with_a_simple_query(start_pool):
    client = start_pool(size=1).client()
    prepare(client, "", "select 1")
    client.query("select 2")
    assert_unknown(client, "")


@behaviour(25)
@pytest.mark.parametrize("size", [1, 3])
def test_failed_parse_is_forgotten(start_pool, size):
    pool = start_pool(size=size)
    client = pool.client()
    client.send(pg.parse("select wrong syntax here", "s"), pg.sync())
    assert errors(client.until_ready()) == ["42601"]
    assert_unknown(client, "s")
    prepare(client, "s", "select 'right'")
    holders = [pool.client() for _ in range(size - 1)]
    for holder in holders:
        holder.query("begin")
        assert run_rows(client, "s") == [["right"]]
    assert run_rows(client, "s") == [["right"]]


@behaviour(25)
def test_same_wrong_text_fails_again(start_pool):
    pool = start_pool(size=1)
    for client in (pool.client(), pool.client()):
        for name in ("s", "s", "other", ""):
            client.send(pg.close_statement(name), pg.parse("select missing from numbers", name),
                        pg.sync())
            found = client.until_ready()
            assert types(found) == "3EZ", found
            assert_unknown(client, name)


@behaviour(21)
@pytest.mark.xfail(reason="a pooler answers before the server has read the text", strict=False)
def test_wrong_text_is_told_before_the_name_in_use(start_pool):
    client = start_pool(size=1).client()
    prepare(client, "s", "select 1")
    client.send(pg.parse("selct", "s"), pg.sync())
    assert errors(client.until_ready()) == ["42601"]


@behaviour(25)
def test_parse_skipped_behind_an_error_is_forgotten(start_pool):
    client = start_pool(size=1).client()
    client.send(pg.parse("select 'kept'", "kept"), pg.batch(FAILS),
                pg.parse("select 'skipped'", "s"), pg.sync())
    assert types(client.until_ready()) == "11EZ"
    assert run_rows(client, "kept") == [["kept"]]
    assert_unknown(client, "s")
    prepare(client, "s", "select 'second try'")
    assert run_rows(client, "s") == [["second try"]]


@behaviour(25)
def test_close_skipped_behind_an_error_is_forgotten(start_pool):
    client = start_pool(size=1).client()
    prepare(client, "s", "select 'kept'")
    client.send(pg.batch(FAILS), pg.close_statement("s"), pg.sync())
    assert types(client.until_ready()) == "1EZ"
    assert run_rows(client, "s") == [["kept"]]


@behaviour(30)
def test_parse_in_a_rolled_back_transaction_stays(start_pool):
    client = start_pool(size=1).client()
    client.query("begin")
    prepare(client, "s", "select 'kept'")
    client.query("rollback")
    assert run_rows(client, "s") == [["kept"]]


@behaviour(26)
@pooled
@weir_only
def test_parse_by_the_pooler_fails(start_pool, postgres, table):
    pool = start_pool(size=1)
    client = pool.client()
    prepare(client, "s", "select n from t")
    assert run_rows(client, "s") == []
    postgres.rows("drop table t")
    postgres.terminate_backends()
    eventually(lambda: postgres.backend_count() == 0)
    found = run(client, "s")
    assert types(found) == "EZ" and errors(found) == ["42P01"], found
    client.send(pg.batch("select 'before'"), pg.bind("s"), pg.execute(), pg.sync(),
                pg.describe_statement("s"), pg.sync())
    found = client.until_ready(2)
    assert types(found) == "12DCEZ" "EZ" and errors(found) == ["42P01"] * 2, found
    postgres.rows("create table t (n int); grant all on t to public; insert into t values (5)")
    assert run_rows(client, "s") == [["5"]]


@behaviour(34)
@weir_only
def test_statements_survive_the_loss_of_the_server(start_pool, postgres):
    pool = start_pool(size=1)
    client = pool.client()
    for n in range(5):
        prepare(client, f"s{n}", f"select {n}, $1::text")
    for _ in range(3):
        postgres.terminate_backends()
        eventually(lambda: postgres.backend_count() == 0)
        for n in range(5):
            assert run_rows(client, f"s{n}", "x") == [[str(n), "x"]]


@behaviour(27)
@pooled
@weir_only
@pytest.mark.parametrize("limit", [1, 2, 4])
def test_eviction_during_a_pipeline(start_pool, limit):
    pool = start_pool(size=1, prepared_statements=limit)
    client = pool.client()
    client.send(*(pg.parse(f"select {n}, $1::int", f"s{n}") for n in range(5)), pg.sync())
    assert types(client.until_ready()) == "1" * 5 + "Z"
    order = [n for turn in range(4) for n in (range(5) if turn % 2 else reversed(range(5)))]
    client.send(*(pg.bind(f"s{n}", values=[n]) + pg.execute() for n in order), pg.sync())
    assert rows(client.until_ready()) == [[str(n), str(n)] for n in order]
    client.send(*(pg.bind(f"s{n}", f"p{n}", [n]) for n in range(5)),
                *(pg.execute(f"p{n}") for n in range(5)), pg.sync())
    assert rows(client.until_ready()) == [[str(n), str(n)] for n in range(5)]


@behaviour(27)
@weir_only
def test_server_side_statements_stay_within_their_limit(start_pool):
    pool = start_pool(size=1, prepared_statements=10)
    client = pool.client()
    for n in range(50):
        prepare(client, f"s{n}", f"select {n}")
        run_rows(client, f"s{n}")
    counted = int(client.value("select count(*) from pg_prepared_statements"))
    assert counted <= 11, counted
    assert [run_rows(client, f"s{n}") for n in range(50)] == [[[str(n)]] for n in range(50)]
