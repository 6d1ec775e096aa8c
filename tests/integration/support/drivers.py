"""The usual drivers, each as a class whose `converse(pool, talks)` lets many clients talk at once:
`talks` are pairs of an `Own` and its transactions, and what comes back is judged. `own` are the
options for an `Own` that fit the driver."""

import asyncio
import concurrent.futures
from contextlib import closing

import asyncpg
import psycopg
import psycopg2

from .own import ENCODINGS
from .postgres_server import PASSWORD


def at_once(work, talks):
    """`work(own, transactions)` in a thread for each."""
    with concurrent.futures.ThreadPoolExecutor(len(talks)) as threads:
        for done in [threads.submit(work, *talk) for talk in talks]:
            done.result()


def all_together(work, talks):
    """`await work(own, transactions)` in one loop."""
    async def gather():
        await asyncio.gather(*(work(*talk) for talk in talks))

    asyncio.run(gather())


def _target(pool, own, user, database):
    """Host, port, user and password as all of them call it; application_name and the rest."""
    startup = dict(own.startup) if own else {}
    name = startup.pop("application_name", "")
    options = " ".join(f"-c {key}={value.replace(' ', '')}" for key, value in startup.items())
    target = {"host": pool.host, "port": pool.port, "user": user, "password": PASSWORD,
              "database": database, "application_name": name, "options": options}
    return {key: value for key, value in target.items() if value != ""}


def libpq_target(pool, own=None, *, user="app", database="app"):
    target = _target(pool, own, user, database)
    target["dbname"] = target.pop("database")
    return target | ({"client_encoding": own.encoding} if own else {})


# ---------------------------------------------------------------- psycopg2 and psycopg 3

def percent(step):
    """psycopg's way to write $1."""
    return step.sql.replace("%", "%%").replace("$1", "%s") if step.values else step.sql


class Psycopg2:
    """It prepares nothing by itself, and wants dates as ISO writes them: it says so after login."""

    own = {"only_iso": True, "encodings": ENCODINGS, "dates": True}

    def converse(self, pool, talks):
        def work(own, transactions):
            with closing(psycopg2.connect(**libpq_target(pool, own))) as link:
                for one in transactions:
                    seen = self.perform(link, one)
                    own.judge(one, seen, {name: link.get_parameter_status(name)
                                          for name in one.settings_after})

        at_once(work, talks)

    @staticmethod
    def perform(link, transaction):
        link.autocommit = not transaction.block
        seen = []
        with link.cursor() as cursor:
            try:
                for step in transaction.steps:
                    cursor.execute(percent(step), step.values or None)
                    found = cursor.fetchall() if cursor.description else ()
                    seen.append([list(row) for row in found])
            except psycopg2.Error as wrong:
                seen.append(wrong.pgcode or repr(wrong))
        (link.commit if transaction.keeps else link.rollback)()
        return seen


class Psycopg:
    """`options` are attributes of the connection: prepare_threshold, prepared_max."""

    own = {"encodings": ENCODINGS, "dates": True}

    def __init__(self, **options):
        self.options = options

    def adjust(self, link):
        for name, value in self.options.items():
            setattr(link, name, value)
        return link

    def converse(self, pool, talks):
        def work(own, transactions):
            with psycopg.connect(**libpq_target(pool, own)) as link:
                self.adjust(link)
                for one in transactions:
                    seen = self.perform(link, one)
                    own.judge(one, seen, self.told(link, one))

        at_once(work, talks)

    @staticmethod
    def told(link, transaction):
        return {name: link.info.parameter_status(name) for name in transaction.settings_after}

    @staticmethod
    def perform(link, transaction):
        link.autocommit = not transaction.block
        seen = []
        try:
            for step in transaction.steps:
                cursor = link.execute(percent(step), step.values or None)
                found = cursor.fetchall() if cursor.description else ()
                seen.append([list(row) for row in found])
        except psycopg.Error as wrong:
            seen.append(wrong.sqlstate or repr(wrong))
        (link.commit if transaction.keeps else link.rollback)()
        return seen


class PsycopgAsync(Psycopg):
    def converse(self, pool, talks):
        async def work(own, transactions):
            target = libpq_target(pool, own)
            async with await psycopg.AsyncConnection.connect(**target) as link:
                self.adjust(link)
                for one in transactions:
                    seen = await self.perform(link, one)
                    own.judge(one, seen, self.told(link, one))

        all_together(work, talks)

    @staticmethod
    async def perform(link, transaction):
        await link.set_autocommit(not transaction.block)
        seen = []
        try:
            for step in transaction.steps:
                cursor = await link.execute(percent(step), step.values or None)
                found = await cursor.fetchall() if cursor.description else ()
                seen.append([list(row) for row in found])
        except psycopg.Error as wrong:
            seen.append(wrong.sqlstate or repr(wrong))
        await (link.commit if transaction.keeps else link.rollback)()
        return seen


# ---------------------------------------------------------------- asyncpg

class Asyncpg:
    """`options` are those of asyncpg.connect: statement_cache_size."""

    own = {"dates": True}

    def __init__(self, **options):
        self.options = options

    @staticmethod
    def target(pool, own=None, *, user="app", database="app"):
        """Without the compiler for its large queries about types, and without looking for CAs."""
        target = {"host": pool.host, "port": pool.port, "user": user, "password": PASSWORD,
                  "database": database, "command_timeout": 30, "ssl": False}
        return target | ({"server_settings": {**own.startup, "jit": "off"}} if own else {})

    def converse(self, pool, talks):
        async def work(own, transactions):
            link = await asyncpg.connect(**self.target(pool, own), **self.options)
            try:
                for one in transactions:
                    seen = await self.perform(link, one)
                    told = link.get_settings()
                    own.judge(one, seen, {name: getattr(told, name) for name in one.settings_after})
            finally:
                await link.close()

        all_together(work, talks)

    @staticmethod
    async def perform(link, transaction):
        seen = []
        block = link.transaction() if transaction.block else None
        if block:
            await block.start()
        try:
            for step in transaction.steps:
                seen.append([list(row) for row in await link.fetch(step.sql, *step.values)])
        except asyncpg.PostgresError as wrong:
            seen.append(wrong.sqlstate or repr(wrong))
        if block:
            await (block.commit if transaction.keeps else block.rollback)()
        return seen


# ---------------------------------------------------------------- node-postgres

class Node:
    """`names`: its statements are named, and so prepared once."""

    own = {}
    packages = None  # the fixture `node` sets it

    def __init__(self, *, names):
        self.names = names

    @staticmethod
    def target(pool, own=None, *, user="app", database="app"):
        return _target(pool, own, user, database)

    def converse(self, pool, talks):
        clients = [{"target": self.target(pool, own), "transactions": self._plain(transactions)}
                   for own, transactions in talks]
        found = self.packages.run("converse.js", {"clients": clients})
        for (own, transactions), answers in zip(talks, found):
            assert len(answers) == len(transactions)
            for one, answer in zip(transactions, answers):
                own.judge(one, answer["seen"], answer["told"])

    def _plain(self, transactions):
        return [{"keeps": one.keeps, "block": one.block, "steps": [
            {"sql": step.sql, "values": step.values, "name": step.name if self.names else None}
            for step in one.steps]} for one in transactions]


DRIVERS = {
    "psycopg2": Psycopg2(),
    "psycopg": Psycopg(),
    "psycopg prepares at once": Psycopg(prepare_threshold=0, prepared_max=5),
    "psycopg prepares nothing": Psycopg(prepare_threshold=None),
    "psycopg async": PsycopgAsync(),
    "psycopg async prepares at once": PsycopgAsync(prepare_threshold=0),
    "asyncpg": Asyncpg(),
    "asyncpg with a small cache": Asyncpg(statement_cache_size=3),
    "asyncpg without cache": Asyncpg(statement_cache_size=0),
    "node": Node(names=False),
    "node with names": Node(names=True),
}
