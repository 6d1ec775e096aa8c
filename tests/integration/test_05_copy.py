"""Section 5: COPY, its errors and its ends."""

import time

import pytest

from harness import (LONG, assert_usable, behaviour, errors, eventually, outcome, pg, pooled,
                     rows, statuses, tags, types)

COPY_IN = "copy t from stdin"
GOOD = b"1\tone\n"
BAD = b"not a number\tx\n"


@pytest.fixture
def raising_trigger(postgres, table):
    """Makes a COPY into `t` fail after its last row."""
    postgres.rows("create or replace function refuse() returns trigger language plpgsql as "
                  "$$ begin raise exception 'refused at the end'; end $$")
    postgres.rows("create trigger refuse after insert on t execute function refuse()")


@behaviour(61)
@pytest.mark.parametrize("ending", [pg.copy_done(), pg.copy_fail()])
def test_error_in_the_middle_of_copy_in(start_pool, postgres, table, ending):
    pool = start_pool(size=1)
    client = pool.client()
    client.send(pg.query(COPY_IN))
    client.read_types("G")
    client.send(pg.copy_data(GOOD), pg.copy_data(BAD), *[pg.copy_data(GOOD)] * 20000, ending)
    found = client.until_ready()
    assert types(found) == "EZ" and errors(found) == ["22P02"], found
    assert client.value("select count(*) from t") == "0"
    assert_usable(pool)


@behaviour(61)
@pytest.mark.pgbouncer_fails("passes late CopyData on, 1.18")
def test_error_before_the_rest_of_copy_in_is_sent(start_pool, table):
    """The client learns of the error first and only then sends its remaining data."""
    pool = start_pool(size=1)
    client, other = pool.client(), pool.client()
    client.send(pg.query(COPY_IN))
    client.read_types("G")
    client.send(pg.copy_data(BAD), pg.copy_data(GOOD) * 5000)
    assert errors(client.until_ready()) == ["22P02"]
    assert other.value("select 'free'") == "free"
    client.send(*[pg.copy_data(GOOD)] * 50, pg.copy_done(), pg.query("select 'next'"))
    found = client.until_ready()
    assert rows(found) == [["next"]] and not errors(found), found
    assert other.value("select 'free'") == "free"


@behaviour(61)
def test_copy_data_without_any_copy(start_pool, table):
    """PostgreSQL ignores stray copy messages."""
    client = start_pool(size=1).client()
    client.send(pg.copy_data(GOOD), pg.copy_done(), pg.copy_fail(), pg.query("select 'next'"))
    found = client.until_ready()
    assert types(found) == "TDCZ", found


@behaviour(61)
def test_copy_refused_before_it_begins(start_pool, table):
    pool = start_pool(size=1)
    client = pool.client()
    client.send(pg.query("copy missing from stdin"), pg.copy_data(GOOD), pg.copy_done(),
                pg.query("select 'next'"))
    found = client.until_ready(2)
    assert types(found) == "EZTDCZ" and errors(found) == ["42P01"], found
    assert_usable(pool)


@behaviour(62)
def test_error_after_copy_done(start_pool, raising_trigger):
    pool = start_pool(size=1)
    client = pool.client()
    for _ in range(3):
        client.send(pg.query(COPY_IN), pg.copy_data(GOOD), pg.copy_done())
        found = client.until_ready()
        assert types(found) == "GEZ" and errors(found) == ["P0001"], found
        assert_usable(pool)


@behaviour(62)
def test_error_after_copy_done_inside_a_transaction(start_pool, raising_trigger):
    pool = start_pool(size=1)
    client = pool.client()
    client.query("begin")
    client.send(pg.query(COPY_IN), pg.copy_data(GOOD), pg.copy_done(), pg.query("rollback"))
    found = client.until_ready(2)
    assert types(found) == "GEZCZ" and statuses(found) == ["E", "I"], found
    assert_usable(pool)


EXTENDED = {
    "done": [pg.batch(COPY_IN), pg.sync(), pg.copy_data(GOOD), pg.copy_done(), pg.sync()],
    "sync behind done only": [pg.batch(COPY_IN), pg.copy_data(GOOD), pg.copy_done(), pg.sync()],
    "fail": [pg.batch(COPY_IN), pg.sync(), pg.copy_data(GOOD), pg.copy_fail(), pg.sync()],
    "bad data": [pg.batch(COPY_IN), pg.sync(), pg.copy_data(BAD), *[pg.copy_data(GOOD)] * 50,
                 pg.copy_done(), pg.sync()],
    "refused": [pg.batch("copy missing from stdin"), pg.sync(), pg.copy_data(GOOD),
                pg.copy_done(), pg.sync()],
    "statement behind it": [pg.batch(COPY_IN), pg.flush(), pg.copy_data(GOOD), pg.copy_done(),
                            pg.batch("select count(*) > 0 from t"), pg.sync()],
}


def _answers_until_marker(client, parts):
    """All answers, whatever their number: until those of a query that is sent behind."""
    client.send(*parts, pg.query("select 'marker'"))
    found = client.until("D")
    while rows(found)[-1] != ["marker"]:
        found += client.until("D")
    return outcome(found + client.until_ready())


@behaviour(63)
@pytest.mark.pgbouncer_fails("counts a Sync that COPY swallows, 1.18")
@pytest.mark.parametrize("case", list(EXTENDED))
def test_copy_through_the_extended_protocol(start_pool, postgres, table, case):
    with postgres.client() as direct:
        expected = _answers_until_marker(direct, EXTENDED[case])
    pool = start_pool(size=1)
    client = pool.client()
    for _ in range(3):
        assert _answers_until_marker(client, EXTENDED[case]) == expected
        assert_usable(pool)


@behaviour(63)
@pytest.mark.pgbouncer_fails("counts a Sync that COPY swallows, 1.18")
def test_copy_error_after_done_through_the_extended_protocol(start_pool, postgres,
                                                             raising_trigger):
    with postgres.client() as direct:
        expected = _answers_until_marker(direct, EXTENDED["done"])
    pool = start_pool(size=1)
    client = pool.client()
    assert _answers_until_marker(client, EXTENDED["done"]) == expected
    assert_usable(pool)


@behaviour(64)
@pooled
@pytest.mark.parametrize("leave", ["close", "abort", "terminate"])
@pytest.mark.parametrize("extended", [True, False])
def test_client_vanishes_in_copy_in(start_pool, postgres, table, leave, extended):
    pool = start_pool(size=1)
    for _ in range(3):
        lost = pool.client()
        lost.send(pg.batch(COPY_IN) + pg.flush() if extended else pg.query(COPY_IN))
        lost.read_types("12G" if extended else "G")
        lost.send(pg.copy_data(GOOD * 1000))
        getattr(lost, leave)()
        assert_usable(pool)
    eventually(lambda: all(state == "idle" for _, state, _ in postgres.backends()),
               what="no COPY left open")
    assert postgres.value("select count(*) from t") == "0"


@behaviour(64)
@pooled
def test_client_vanishes_in_the_middle_of_a_copy_message(start_pool, postgres, table):
    pool = start_pool(size=1)
    lost = pool.client()
    lost.send(pg.query(COPY_IN))
    lost.read_types("G")
    lost.send(pg.copy_data(GOOD * 10000)[:-5])
    lost.close()
    assert_usable(pool)
    assert postgres.value("select count(*) from t") == "0"


@behaviour(64)
@pooled
def test_client_vanishes_in_copy_out(start_pool, postgres):
    pool = start_pool(size=1)
    lost = pool.client(receive_buffer=4096)
    lost.send(pg.query("copy (select repeat('x', 1000) from generate_series(1, 1000000)) "
                       "to stdout"))
    lost.read()
    lost.abort()
    assert_usable(pool)
    eventually(lambda: all(state == "idle" for _, state, _ in postgres.backends()))


@behaviour(65)
@pooled
def test_copy_out_to_a_slow_reader_in_bounded_memory(start_pool, postgres):
    megabytes = 10240 if LONG else 100
    pool = start_pool(size=1)
    reader = pool.client(receive_buffer=65536, timeout=120)
    reader.value("select 1")
    pool.forget_memory_peak()
    before = pool.memory_kib("VmHWM")
    reader.send(pg.query(f"copy (select repeat('x', 1023) from generate_series(1, "
                         f"{megabytes * 1024})) to stdout"))
    eventually(lambda: postgres.value(
        "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'") == "1",
        what="the server blocked by the reader")
    received, begin = 0, time.monotonic()
    while received < megabytes * 1024 * 1024:
        data = reader.socket.recv(1 << 20)
        assert data, f"closed after {received} bytes"
        received += len(data)
    grown = pool.memory_kib("VmHWM") - before
    print(f"{received >> 20} MiB in {time.monotonic() - begin:.1f} s, grown by {grown} KiB")
    assert not pool.measurable or grown < 16 * 1024


@behaviour(61)
@behaviour(65)
def test_copy_both_ways_keeps_every_byte(start_pool, table):
    count = 200000
    client = start_pool(size=1).client()
    client.send(pg.query(COPY_IN))
    client.read_types("G")
    lines = b"".join(b"%d\tline %d\n" % (n, n) for n in range(count))
    for at in range(0, len(lines), 50021):
        client.send(pg.copy_data(lines[at:at + 50021]))
    client.send(pg.copy_done())
    assert tags(client.until_ready()) == [f"COPY {count}"]
    found = client.query("copy t to stdout")
    assert b"".join(m.body for m in found if m.type == "d") == lines
