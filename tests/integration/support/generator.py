"""A seeded generator of conversations: what a client might say, in any order, right or wrong.

Everything it says has the same answer on a private connection and on a pooled one in transaction
mode: tables are the client's own, and no session state is used that may be lost."""

from typing import NamedTuple

from . import messages as pg

SQRT_OID, UPPER_OID, DIVIDE_OID = 1344, 871, 154  # dsqrt, upper(text), int4div


class Step(NamedTuple):
    """Bytes to send, and how many ReadyForQuery they bring."""
    data: bytes
    readies: int
    what: str


def tables_sql(clients):
    return ";".join(["drop table if exists numbers; create table numbers (n int primary key)",
                     "insert into numbers select generate_series(1, 50)",
                     "grant select on numbers to public"] + [
        f"drop table if exists own_{n}; create table own_{n} (n int, s text);"
        f"create unique index on own_{n} (n) where n < 0; grant all on own_{n} to public"
        for n in range(clients)])


def clear_sql(clients):
    return ";".join(f"truncate own_{n}" for n in range(clients))


class Generator:
    KINDS = {"simple": 6, "several": 4, "empty": 1, "batch": 8, "named": 8, "several_named": 5,
             "unnamed": 4, "control": 8, "block": 5, "copy_in": 4, "copy_extended": 2, "copy_out": 2,
             "call": 2, "portal": 5, "setting": 4, "cursor": 2, "notice": 2, "forget": 1,
             "sync": 1, "large": 1, "unfinished": 2}

    def __init__(self, random, index, without=()):
        self.random, self.index = random, index
        self.kinds = {kind: weight for kind, weight in self.KINDS.items() if kind not in without}
        self.table = f"own_{index}"

    def program(self, length):
        names, weights = list(self.kinds), list(self.kinds.values())
        chosen = self.random.choices(names, weights, k=length)
        steps = []
        for kind in chosen:
            data, readies = getattr(self, kind)()
            steps.append(Step(data, readies, kind))
        return steps + [Step(pg.query("rollback"), 1, "end")]

    # --- statements -------------------------------------------------------------------------

    def number(self):
        return self.random.randrange(1000)

    def statement(self):
        n = self.number()
        return self.random.choice([
            f"select {n}", f"select {n} as a, null::int as b, 'text {n}' as c",
            f"select n from numbers where n <= {n % 7} order by n",
            "select n from numbers where false",
            f"insert into {self.table} values ({n}, 'row {n}')",
            f"insert into {self.table} values ({n}, 'r') returning n, s",
            f"update {self.table} set s = s || '.' where n > {n}",
            f"delete from {self.table} where n = {n}",
            f"select count(*), coalesce(sum(n), 0) from {self.table}",
            f"with x as (select {n} as y) select y from x", f"values ({n}), ({n + 1})",
            f"explain (costs off) select {n}", "table numbers limit 2", "show server_version",
            f"create temp table tmp (n int) on commit drop; select count(*) from tmp -- {n}",
            f"select repeat('x', {n})", self.wrong(),
        ])

    def single(self):
        """A statement that the extended protocol takes."""
        found = self.statement()
        return "select 'single'" if ";" in found else found

    def wrong(self):
        return self.random.choice([
            "select 1/0", "selct", "select * from missing", "select 'x'::int",
            f"insert into {self.table} values ('x')", "select missing_column from numbers",
            f"insert into {self.table} values (-1, 'a'), (-1, 'b')", "select nofunction()"])

    # --- kinds of steps ---------------------------------------------------------------------

    def simple(self):
        return pg.query(self.statement()), 1

    def several(self):
        parts = [self.random.choice([self.statement(), self.statement(), "", "begin", "commit",
                                     "rollback", "savepoint a"])
                 for _ in range(self.random.randrange(2, 6))]
        return pg.query(";".join(parts)), 1

    def empty(self):
        return pg.query(self.random.choice(["", ";", " -- nothing", "/* nothing */ ;;"])), 1

    def one_extended(self, name="", parse=True):
        portal = self.random.choice(["", "", "", "p1", "p2"])
        data = pg.parse(self.single(), name) if parse else b""
        if self.random.random() < 0.3:
            data += pg.describe_statement(name)
        data += pg.bind(name, portal)
        if self.random.random() < 0.4:
            data += pg.describe_portal(portal)
        data += pg.execute(portal, self.random.choice([0, 0, 0, 1, 3]))
        if self.random.random() < 0.2:
            data += pg.close_portal(portal)
        return data + (pg.flush() if self.random.random() < 0.2 else b"")

    def batch(self):
        count = self.random.randrange(1, 5)
        return b"".join(self.one_extended() for _ in range(count)) + pg.sync(), 1

    def named(self):
        name = self.random.choice(["s1", "s2", "s3", "a longer name"])
        way = self.random.randrange(6)
        if way <= 1:  # of a right text: which error comes first for a wrong one is left open
            data = pg.parse(f"select {self.number()}", name)
        elif way == 2:
            data = pg.close_statement(name) + pg.parse(self.single(), name)
        elif way == 3:
            data = self.random.choice([pg.close_statement(name), pg.describe_statement(name)])
        else:
            data = b"".join(self.one_extended(name, parse=False)
                            for _ in range(self.random.randrange(1, 4)))
        return data + pg.sync(), 1

    def several_named(self):
        """In one batch, and more than a server remembers that remembers few."""
        names = self.random.sample(["s1", "s2", "s3", "a longer name"], 3)
        data = b"".join(pg.close_statement(name) + pg.parse(f"select {self.number()}", name)
                        for name in names)
        if self.random.random() < 0.5:
            data += pg.sync()
        uses = b"".join(self.one_extended(self.random.choice(names), parse=False)
                        for _ in range(self.random.randrange(2, 7)))
        return data + uses + pg.sync(), 1 + data.endswith(pg.sync())

    def unnamed(self):
        """The unnamed statement is used in another turn than it was made in."""
        parse = pg.parse("select $1::int + 1", "", self.random.choice([(), (23,)]))
        use = pg.bind(values=[self.number()]) + pg.execute()
        data = self.random.choice([
            parse + pg.sync() + use + pg.sync(),
            parse + pg.sync() + pg.describe_statement("") + pg.sync(),
            parse + use + pg.sync() + use + pg.sync(),
            parse + pg.sync() + pg.query("rollback") + use + pg.sync()])
        return data, 3 if b"rollback" in data else 2

    def control(self):
        return pg.query(self.random.choice([
            "begin", "begin", "commit", "commit", "rollback", "rollback", "savepoint a",
            "savepoint b", "rollback to a", "rollback to b", "release a",
            "start transaction read only", "begin isolation level serializable",
            "set local work_mem = '1MB'", "set transaction read only", "end", "abort"])), 1

    def block(self):
        """A whole transaction, in one of several framings."""
        inner = [self.single() for _ in range(self.random.randrange(1, 4))]
        end = self.random.choice(["commit", "rollback", "commit and chain"])
        way = self.random.randrange(3)
        if way == 0:
            parts = ["begin", *inner, end]
            return b"".join(pg.query(part) for part in parts), len(parts)
        if way == 1:
            parts = ["begin", *inner, end]
            return b"".join(pg.batch(part) + pg.sync() for part in parts), len(parts)
        return b"".join(pg.batch(part) for part in ["begin", *inner, end]) + pg.sync(), 1

    def copy_rows(self):
        good = [b"%d\trow\n" % self.number() for _ in range(self.random.randrange(4))]
        if self.random.random() < 0.3:
            good.insert(self.random.randrange(len(good) + 1), b"wrong\trow\n")
        data = b"".join(good)
        cut = self.random.randrange(len(data) + 1)
        return pg.copy_data(data[:cut]) + pg.copy_data(data[cut:])

    def copy_end(self):
        return pg.copy_fail() if self.random.random() < 0.2 else pg.copy_done()

    def copy_in(self):
        table = self.table if self.random.random() < 0.9 else "missing"
        return pg.query(f"copy {table} from stdin") + self.copy_rows() + self.copy_end(), 1

    def copy_extended(self):
        data = pg.batch(f"copy {self.table} from stdin") + self.copy_rows() + self.copy_end()
        if self.random.random() < 0.5:
            data += self.one_extended()
        return data + pg.sync(), 1

    def copy_out(self):
        sql = self.random.choice([f"copy {self.table} to stdout", "copy missing to stdout",
                                  "copy (select n from numbers order by n) to stdout"])
        # By the extended protocol a name of the client's own is not found yet.
        if sql == "deallocate s1" or self.random.random() < 0.5:
            return pg.query(sql), 1
        return pg.batch(sql) + pg.sync(), 1

    def call(self):
        return self.random.choice([
            pg.function_call(SQRT_OID, ["16"]), pg.function_call(SQRT_OID, ["-1"]),
            pg.function_call(UPPER_OID, ["text"]), pg.function_call(UPPER_OID, [None]),
            pg.function_call(DIVIDE_OID, ["1", "0"]), pg.function_call(1, [])]), 1

    def portal(self):
        """Row-limited Execute, resumed inside or outside a transaction."""
        first = (pg.parse("select n from numbers order by n") + pg.bind(portal="p3")
                 + pg.execute("p3", self.random.randrange(1, 30)) + pg.sync())
        again = pg.execute("p3", self.random.randrange(0, 30)) + pg.sync()
        if self.random.random() < 0.4:
            return first + again, 2
        return pg.query("begin") + first + again + again + pg.query("commit"), 5

    def setting(self):
        return pg.query(self.random.choice([
            "set timezone = 'Asia/Tokyo'", "set timezone = 'America/Lima'", "reset timezone",
            "set datestyle = 'German'", "set datestyle to default", "set application_name = 'x'",
            "set local timezone = 'Europe/Berlin'", "set timezone = 'Nowhere'",
            "set intervalstyle = 'iso_8601'", "reset all", "show timezone", "show datestyle",
            "begin; set timezone = 'Asia/Tokyo'; rollback", "show application_name",
            "begin; savepoint a; set datestyle = 'SQL'; rollback to a; commit",
            "select timestamptz '2020-01-01 00:00+00', interval '1 day 2 hours'"])), 1

    def cursor(self):
        return b"".join(pg.query(sql) for sql in (
            "begin", "declare c cursor for select n from numbers order by n",
            f"fetch {self.random.randrange(9)} from c", "move 5 in c", "fetch backward 2 from c",
            "close c", self.random.choice(["commit", "rollback"]))), 7

    def notice(self):
        return pg.query("do $$ begin raise notice 'said %', "
                        f"{self.number()}; raise warning 'and warned'; end $$"), 1

    def forget(self):
        sql = self.random.choice(["deallocate all", "deallocate s1", "discard all",
                                  "discard plans", "deallocate prepare all"])
        if self.random.random() < 0.5:
            return pg.query(sql), 1
        return pg.batch(sql) + pg.sync(), 1

    def sync(self):
        return self.random.choice([pg.sync(), pg.flush() + pg.sync(),
                                   pg.close_portal("nowhere") + pg.sync(),
                                   pg.copy_data(b"stray") + pg.copy_done() + pg.sync()]), 1

    def large(self):
        size = self.random.choice([8190, 16384, 65536, 300000])
        value = "v" * size
        return pg.batch("select $1::text", [value]) + pg.sync() + pg.query(
            f"select length('{value}')"), 2

    def unfinished(self):
        """A simple query straight behind an extended batch without its Sync. (Behind an error it
        would be skipped, hence the rollback.)"""
        return pg.query("rollback") + pg.batch("select 'extended'") + pg.query("select 1"), 2
