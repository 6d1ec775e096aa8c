"""Clients as applications have them: each driver with its own idea of preparing, many of them on
few servers, each with settings and statements that are nobody else's."""

import asyncio
import io
from contextlib import closing

import asyncpg
import psycopg
import psycopg2
import pytest

from harness import LONG, behaviour, eventually, weir_only
from support.drivers import DRIVERS, Asyncpg, Node, Psycopg, at_once, libpq_target, percent
from support.own import Own, Step, Transaction

pytestmark = weir_only

SIZE, CLIENTS, LENGTH = 3, 8, 6
RUNS = 100 if LONG else 20
# As it comes; and so that a client hardly ever meets its last server, nor its statements there.
POOLS = [{"size": SIZE}, {"size": SIZE, "pick": "scatter", "prepared_statements": 5}]


@pytest.fixture(params=list(DRIVERS))
def driver(request):
    one = DRIVERS[request.param]
    if isinstance(one, Node):
        one.packages = request.getfixturevalue("node_packages")
    return one


@pytest.fixture
def pools(start_pool, table):
    return [start_pool(config={"workers": 2}, **pool) for pool in POOLS]


@behaviour(19)
@behaviour(20)
@behaviour(24)
@behaviour(35)
@behaviour(36)
@behaviour(37)
def test_everybody_meets_only_what_is_his(pools, driver, postgres):
    """Statements of the same names with other texts and types, settings from the start-up packet,
    changed ones, and transactions that end in every way."""
    used = []
    for run in range(RUNS):
        clients = [Own(run, n, **driver.own) for n in range(CLIENTS)]
        talks = [(own, own.conversation(LENGTH)) for own in clients]
        driver.converse(pools[run % len(pools)], talks)
        used += [len(own.servers) for own in clients]
    assert postgres.backend_count() <= SIZE * len(POOLS)
    assert max(used) == SIZE and sum(used) > len(used), f"nothing was shared: {used}"


@behaviour(32)  # (part)
def test_large_values(start_pool, driver):
    """In a parameter, in a text, in an answer."""
    value = "ö" * 2_000_000
    steps = [Step("select $1::text", [value], [[value]], name="parameter"),
             Step(f"select length('{value}') + $1::int", [1], [[2_000_001]], name="text"),
             Step("select repeat('x', 4000000)", rows=[["x" * 4_000_000]])]
    clients = [Own(0, n, **{**driver.own, "encodings": ["UTF8"]}) for n in range(4)]
    talks = [(own, [Transaction("sends much", steps)] * 2) for own in clients]
    driver.converse(start_pool(size=SIZE), talks)


# ---------------------------------------------------------------- psycopg's pipelines

def pipelined(link, steps):
    """All of them are sent before an answer is asked for."""
    with link.pipeline():
        cursors = [link.execute(percent(step), step.values or None) for step in steps]
    return [[list(row) for row in cursor.fetchall()] for cursor in cursors]


@behaviour(3)
@behaviour(4)
@behaviour(19)
@behaviour(27)
@pytest.mark.parametrize("threshold", [None, 5, 0])
def test_psycopg_pipelines(pools, threshold):
    """Alone, in a transaction, and cut short by an error."""
    def talk(own, pool):
        with psycopg.connect(**libpq_target(pool, own)) as link:
            link.prepare_threshold = threshold
            for n in range(6):
                link.autocommit = n % 2 == 0
                steps = [own.statement(n) for n in range(4)]
                own.judge(Transaction("pipelines", steps), pipelined(link, steps), {})
                with pytest.raises(psycopg.errors.DivisionByZero):
                    pipelined(link, [own.statement(0), Step("select 1 / $1::int", [0]), *steps])
                link.rollback()
                own.judge(Transaction("goes on", steps[:1]), pipelined(link, steps[:1]), {})
                link.commit()

    for run in range(RUNS):
        pool = pools[run % len(pools)]
        at_once(talk, [(Own(run, n, **Psycopg.own), pool) for n in range(CLIENTS)])


# ---------------------------------------------------------------- COPY

COPIED = 500


def rows_of(own):
    return [(own.number, f"{own.number} writes {n}\t\\ für") for n in range(COPIED)]


def copy_with_psycopg(own, pool):
    with psycopg.connect(**libpq_target(pool, own)) as link:
        for way in ("", " (format binary)"):
            with link.cursor() as cursor:
                with cursor.copy(f"copy t from stdin{way}") as copy:
                    copy.set_types(["int4", "text"])
                    for row in rows_of(own):
                        copy.write_row(row)
                link.commit()
                select = f"select * from t where n = {own.number} order by s collate \"C\""
                with cursor.copy(f"copy ({select}) to stdout{way}") as copy:
                    copy.set_types(["int4", "text"])
                    assert list(copy.rows()) == sorted(rows_of(own))
                with pytest.raises(psycopg.errors.BadCopyFileFormat):
                    with cursor.copy("copy t from stdin") as copy:
                        copy.write("1\tone\n" * 1000 + "1\n")
                link.rollback()
                with pytest.raises(psycopg.errors.QueryCanceled):  # the driver has sent CopyFail
                    with cursor.copy("copy t from stdin") as copy:
                        copy.write_row((own.number, 1 / 0))
                link.rollback()
                cursor.execute("delete from t where n = %s", [own.number])
                assert cursor.rowcount == COPIED
            link.commit()


def copy_with_psycopg2(own, pool):
    with closing(psycopg2.connect(**libpq_target(pool, own))) as link, link.cursor() as cursor:
        text = "".join(f"{own.number}\t{n}\n" for n in range(COPIED))
        cursor.copy_expert("copy t from stdin", io.StringIO(text))
        link.commit()
        with pytest.raises(psycopg2.errors.InvalidTextRepresentation):
            cursor.copy_expert("copy t from stdin", io.StringIO(text + "one\t1\n"))
        link.rollback()
        found = io.StringIO()
        select = f"select * from t where n = {own.number} order by s::int"
        cursor.copy_expert(f"copy ({select}) to stdout", found)
        assert found.getvalue() == text
        link.commit()


def copy_with_asyncpg(own, pool):
    async def copy():
        link = await asyncpg.connect(**Asyncpg.target(pool, own))
        assert await link.copy_records_to_table("t", records=rows_of(own)) == f"COPY {COPIED}"
        with pytest.raises(asyncpg.CharacterNotInRepertoireError):
            await link.copy_to_table("t", source=io.BytesIO(b"1\t\xff\n"))
        found = io.BytesIO()
        await link.copy_from_query("select s from t where n = $1 order by s", own.number,
                                   output=found, format="csv")
        assert found.getvalue().count(f"{own.number} writes".encode()) == COPIED
        await link.close()

    asyncio.run(copy())


@behaviour(61)
@pytest.mark.parametrize("copy", [copy_with_psycopg, copy_with_psycopg2, copy_with_asyncpg])
def test_copy(pools, copy):
    """Both ways, and ended early by either side."""
    for run in range(RUNS):
        at_once(copy, [(Own(run, n), pools[run % len(pools)]) for n in range(CLIENTS)])


# ---------------------------------------------------------------- what each has for itself

@behaviour(34)
def test_prepared_statements_of_drivers_outlive_their_server(start_pool, postgres):
    pool = start_pool(size=SIZE)

    def lose_servers():
        postgres.terminate_backends()
        eventually(lambda: postgres.backend_count() == 0)

    async def with_asyncpg(own):
        link = await asyncpg.connect(**{**Asyncpg.target(pool, own), "ssl": "prefer"})
        statement = await link.prepare("select $1::int + 1")
        for n in range(3):
            assert await statement.fetchval(n) == n + 1
            lose_servers()
        await link.close()

    with psycopg.connect(**libpq_target(pool), autocommit=True) as link:
        link.prepare_threshold = 0
        for n in range(3):
            assert link.execute("select %s::int + 1", [n]).fetchone() == (n + 1,)
            lose_servers()
    asyncio.run(with_asyncpg(Own(0, 0)))


def test_psycopg2_prepares_with_sql(pools):
    """What PREPARE makes lives until DEALLOCATE: the client keeps its server."""
    def talk(own, pool):
        with closing(psycopg2.connect(**libpq_target(pool, own))) as link:
            with link, link.cursor() as cursor:
                cursor.execute(f"prepare own(int) as select $1 + {own.number}")
            for n in range(5):
                with link, link.cursor() as cursor:
                    cursor.execute("execute own(%s)", [n])
                    assert cursor.fetchone() == (own.number + n,)
            with link, link.cursor() as cursor:
                cursor.execute("deallocate own")

    for pool in pools:
        at_once(talk, [(Own(0, n), pool) for n in range(CLIENTS)])


def test_psycopg_cursors_and_savepoints(pools):
    """In one transaction: a cursor of the server, read in parts, and blocks within blocks."""
    def talk(own, pool):
        with psycopg.connect(**libpq_target(pool, own)) as link:
            for _ in range(3):
                with link.transaction():
                    with link.cursor(name="own") as cursor:
                        cursor.execute("select n + %s from generate_series(1, 1000) n",
                                       [own.number])
                        assert cursor.fetchmany(10)[-1] == (own.number + 10,)
                        with pytest.raises(psycopg.errors.DivisionByZero), link.transaction():
                            link.execute("insert into t values (%s, 'undone')", [own.number])
                            link.execute("select 1 / 0")
                        assert cursor.fetchall()[-1] == (own.number + 1000,)
                    count = link.execute("select count(*) from t where n = %s", [own.number])
                    assert count.fetchone() == (0,)

    for pool in pools:
        at_once(talk, [(Own(0, n), pool) for n in range(CLIENTS)])


@behaviour(48)
def test_asyncpg_pool(pools, postgres):
    """As applications use it: a pool before the pool, which resets what comes back with `RESET ALL`
    among others; types that it has to look up; cursors and many values at once."""
    postgres.rows("drop type if exists mood; create type mood as enum ('glad', 'sad')")

    async def one(links, own):
        async with links.acquire() as link, link.transaction():
            assert await link.fetchval("select current_setting('TimeZone')") == "Asia/Tokyo"
            assert await link.fetchval("select 'sad'::mood") == "sad"
            await link.executemany("insert into t values ($1, $2)",
                                   [(own.number, str(n)) for n in range(50)])
            found = [row["s"] async for row in link.cursor(
                "select s from t where n = $1 order by s::int", own.number, prefetch=7)]
            assert found == [str(n) for n in range(50)]
        async with links.acquire() as link:
            await link.execute("set TimeZone = 'America/Lima'; set application_name = 'changed'")

    async def use(pool, run):
        target = Asyncpg.target(pool)
        target["server_settings"] = {"TimeZone": "Asia/Tokyo", "jit": "off"}
        async with asyncpg.create_pool(**target, min_size=2, max_size=5) as links:
            await asyncio.gather(*(one(links, Own(run, n)) for n in range(30)))

    for run in range(RUNS):
        asyncio.run(use(pools[run % len(pools)], run))


# ---------------------------------------------------------------- one text, two meanings

MEANINGS = {  # the text, and under which settings it is read in two ways
    "TimeZone": (["Asia/Tokyo", "America/Lima"],
                 "select timestamptz '2024-01-01 00:00' = '2023-12-31 15:00Z'"),
    "DateStyle": (["ISO,MDY", "ISO,DMY"], "select to_char(date '01/02/2024', 'MM-DD')"),
    "client_encoding": (["UTF8", "LATIN1"], b"select length('\xc3\xa9')"),
}


@behaviour(35)
@pytest.mark.parametrize("setting", list(MEANINGS))
def test_equal_texts_under_different_settings(start_pool, postgres, setting):
    values, text = MEANINGS[setting]

    def answers(place):
        found = []
        for value in values:
            target = {**libpq_target(place), "options": f"-c {setting}={value}"}
            with psycopg.connect(**target, autocommit=True) as link:
                found.append(link.execute(text, prepare=True).fetchone())
        return found

    assert answers(start_pool(size=1)) == answers(postgres)
