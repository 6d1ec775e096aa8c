"""Behaviour 33: where reads and writes are cut must not matter."""

import pytest

from harness import PASSWORD, Gate, behaviour, outcome, pg, types

SQRT_OID = 1344  # dsqrt, in every PostgreSQL


def conversation():
    """(bytes, ReadyForQuery expected): every kind of message a client may send."""
    return [
        (pg.query("select 1, null, 'ä'; select 2 where false; "), 1),
        (pg.query(""), 1),
        (pg.query("set application_name = 'split'"), 1),
        (pg.parse("select $1::int + 1 as n", "s", [23]) + pg.describe_statement("s")
         + pg.bind("s", "p", ["41"]) + pg.describe_portal("p") + pg.execute("p")
         + pg.close_portal("p") + pg.flush() + pg.close_statement("s") + pg.sync(), 1),
        (pg.batch("select 1/0") + pg.batch("select 'cut'") + pg.sync(), 1),
        (pg.function_call(SQRT_OID, ["16"]), 1),
        (pg.query("begin; create temp table d (n int) on commit drop"), 1),
        (pg.query("copy d from stdin") + pg.copy_data(b"1\n2") + pg.copy_data(b"\n3\n")
         + pg.copy_done(), 1),
        (pg.query("copy d to stdout"), 1),
        (pg.query("commit"), 1),
        (pg.query("begin; create temp table e (n int)"), 1),
        (pg.query("copy e from stdin") + pg.copy_data(b"1\n") + pg.copy_fail(), 1),
        (pg.query("rollback"), 1),
        (pg.query("begin") + pg.batch("select generate_series(1, 3)", portal="q", rows=2)
         + pg.sync() + pg.execute("q") + pg.sync() + pg.query("commit"), 4),
        (pg.query("reset application_name"), 1),
        (pg.query("do $$ begin raise notice 'said'; end $$"), 1),
    ]


def hold_conversation(client):
    found = []
    for data, readies in conversation():
        client.send(data)
        found += client.until_ready(readies)
    return outcome(found)


@behaviour(33)
@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7])
def test_client_messages_cut_into_pieces(start_pool, chunk):
    pool = start_pool(size=1)
    with pool.client() as whole:
        expected = hold_conversation(whole)
    with pool.client() as pieces:
        pieces.chunk = chunk
        assert hold_conversation(pieces) == expected


@behaviour(33)
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_server_messages_cut_into_pieces(start_pool, postgres, gate, chunk):
    with postgres.client() as whole:
        expected = hold_conversation(whole)
    with start_pool(gate, size=1).client() as pieces:
        pieces.query("select 1")
        gate.chunk = chunk
        assert hold_conversation(pieces) == expected


@behaviour(33)
@pytest.mark.parametrize("method", ["plain", "md5", "scram-sha-256"])
@pytest.mark.targets("weir", "pgbouncer")
@pytest.mark.pgbouncer_fails("refuses or waits for ever, 1.18")
def test_login_cut_into_pieces(start_pool, method):
    pool = start_pool(size=1, config={"auth": {"method": method}})
    with pool.client(chunk=1, password=PASSWORD) as client:
        assert client.value("select 'in'") == "in"


@behaviour(33)
@pytest.mark.parametrize("user", ["plain_user", "md5_user", "scram_user"])
@pytest.mark.targets("weir", "pgbouncer")
@pytest.mark.pgbouncer_fails("refuses or waits for ever, 1.18")
def test_server_login_cut_into_pieces(start_pool, gate, user):
    gate.chunk = 1
    pool = start_pool(gate, size=1)
    with pool.client(user) as client:
        assert client.value("select current_user") == user


@behaviour(33)
def test_terminate_cut_into_pieces(start_pool):
    pool = start_pool(size=1)
    client = pool.client()
    client.chunk = 1
    client.query("select 1")
    client.send(pg.terminate())
    assert client.until_closed() == []


@behaviour(33)
def test_results_larger_than_any_buffer_in_small_pieces(start_pool, gate):
    gate.chunk = 997
    with start_pool(gate, size=1).client() as client:
        found = client.query("select n, repeat('x', n) from generate_series(1, 3000, 7) n")
        assert types(found) == "T" + "D" * 429 + "CZ"
        assert all(int(m.row[0]) == len(m.row[1]) for m in found if m.type == "D")


def test_gate_passes_everything(postgres):
    """The gate itself, without a pooler."""
    with postgres.client() as whole:
        expected = hold_conversation(whole)
    for chunk in (None, 1, 5):
        gate = Gate(postgres.address)
        gate.chunk = chunk
        with postgres.client() as direct, type(direct)(gate.address) as through:
            assert hold_conversation(through) == expected
        gate.stop()
