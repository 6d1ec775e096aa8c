"""`Own`: what one client has for itself, so that it notices when it meets somebody else's: settings
of its own, statements of its own under the names that everybody uses, rows of its own; and a
conversation about them, of which it knows every answer beforehand."""

import os
import random
from datetime import date, datetime, timezone
from unittest.mock import ANY
from zoneinfo import ZoneInfo

SEED = os.environ.get("WEIR_SEED", str(random.SystemRandom().randrange(1 << 32)))
ZONES = ["Asia/Tokyo", "America/Lima", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland",
         "America/St_Johns", "Africa/Cairo", "Etc/UTC", "Australia/Eucla"]
STYLES = ["ISO, DMY", "SQL, MDY", "Postgres, DMY", "ISO, MDY", "SQL, DMY"]
ENCODINGS = ["UTF8", "LATIN1", "WIN1252", "LATIN9"]
MOMENT = datetime.fromtimestamp(1_700_000_000, timezone.utc)
STATEMENTS = 4  # of each client, of so many kinds
REPEATED = 8  # times before anything else: some drivers prepare what they have run five times
WHERE = "select pg_backend_pid()"


class Step:
    """One statement, and the rows or the SQLSTATE that it must bring. Only $1, and only once."""

    def __init__(self, sql, values=(), rows=(), sqlstate=None, name=None):
        self.sql, self.values, self.name = sql, list(values), name
        self.expected = sqlstate or [list(row) for row in rows]


class Transaction:
    """`keeps`: it ends with COMMIT · `block`: without one, each step is a transaction ·
    `settings_after`: what the client must have been told when it is over."""

    def __init__(self, what, steps, *, keeps=True, block=True, settings_after=None):
        self.what, self.steps, self.keeps, self.block = what, steps, keeps, block
        self.settings_after = settings_after or {}


class Own:
    """Options say what the driver makes of things: `only_iso`: it wants dates as ISO writes them ·
    `encodings`: what it can be told to speak · `dates`: it makes dates of dates."""

    styles = STYLES

    def __init__(self, run, number, *, only_iso=False, encodings=("UTF8",), dates=False):
        self.random = random.Random(f"{SEED}/{run}/{number}")
        self.number = run * 1000 + number
        self.dates = dates
        self.encoding = encodings[number % len(encodings)]
        style = self.styles[number % len(self.styles)]
        self.startup = {"application_name": f"client {self.number}",
                        "TimeZone": ZONES[number % len(ZONES)], "DateStyle": style}
        self.settings = dict(self.startup)
        if only_iso:
            self.settings["DateStyle"] = "ISO, " + style[-3:]
        self.rows = 0
        self.servers = set()

    def __repr__(self):
        return f"client {self.number} (WEIR_SEED={SEED})"

    # --- statements -------------------------------------------------------------------------

    def statement(self, which):
        """Its statement of that name. Different clients have different kinds there."""
        kind = (self.number + which) % STATEMENTS
        given = self.random.choice([1, 7, 300, 9000, 70_000])  # drivers may choose a type by size
        build = (self._of_settings, self._of_time, self._of_numbers, self._of_text)[kind]
        sql, row = build(given, which)
        return Step(sql, [given], [row], name=f"s{which}")

    def _of_settings(self, given, which):
        sql = (f"select $1::int + {which}, {self.number}, current_setting('application_name'), "
               "current_setting('TimeZone'), current_setting('DateStyle'), "
               "current_setting('client_encoding')")
        return sql, [given + which, self.number, *self.settings.values(), self.encoding]

    def _of_time(self, given, which):
        """What settings do to a statement when it runs."""
        sql = (f"select $1::int + {self.number}, to_char('01/02/2024'::text::date, 'MM-DD'), "
               f"extract(timezone from to_timestamp({MOMENT.timestamp():.0f}))::int")
        month_first = self.settings["DateStyle"].endswith("MDY")
        offset = MOMENT.astimezone(ZoneInfo(self.settings["TimeZone"])).utcoffset()
        row = [given + self.number, "01-02" if month_first else "02-01", offset.total_seconds()]
        if self.dates:
            sql += ", make_date(2024, 2, 1)"
            row.append(date(2024, 2, 1))
        return sql, row

    def _of_numbers(self, given, which):
        sql = f"select array[{self.number}, $1::int, {which}], {which} > 1"
        return sql, [[self.number, given, which], which > 1]

    def _of_text(self, given, which):
        return f"select $1::int || ' für {self.number}'", [f"{given} für {self.number}"]

    def _count(self, more=0):
        return Step("select count(*)::int from t where n = $1::int", [self.number],
                    [[self.rows + more]], name="count")

    def _insert(self):
        return Step("insert into t values ($1::int, 'own') returning s", [self.number], [["own"]],
                    name="insert")

    # --- transactions -----------------------------------------------------------------------

    def conversation(self, length):
        """Transactions, between any two of which everything has to be as it was."""
        others = [self._inserts, self._undoes, self._fails, self._misspells, self._sets_locally,
                  self._sets_and_undoes, self._sets, self._sends_much]
        found = [self._works() for _ in range(REPEATED)]
        for n in range(length):
            found += [others[(self.number + n) % len(others)](), self._works(block=n % 2 == 0)]
        return found

    def _transaction(self, what, steps, **options):
        return Transaction(what, steps, settings_after=dict(self.settings), **options)

    def _works(self, block=True):
        order = self.random.sample(range(STATEMENTS), STATEMENTS)
        return self._transaction("works", [Step(WHERE, rows=[[ANY]], name="where"),
                                           *(self.statement(n) for n in order)], block=block)

    def _inserts(self):
        steps = [self._insert(), self._count(1)]
        self.rows += 1
        return self._transaction("inserts", steps)

    def _undoes(self):
        steps = [self.statement(0), self._insert(), self._count(1)]
        return self._transaction("undoes", steps, keeps=False)

    def _fails(self):
        wrong = Step("select $1::int / 0", [1], sqlstate="22012", name="wrong")
        return self._transaction("fails", [self._insert(), self.statement(1), wrong], keeps=False)

    def _misspells(self):
        wrong = Step(f"select $1::int + nothing_{self.number}", [1], sqlstate="42703",
                     name="misspelt")
        return self._transaction("misspells", [self.statement(2), wrong], keeps=False)

    def _sets_locally(self):
        zone = self._other_zone()
        return self._transaction("sets locally", self._under(f"set local TimeZone = '{zone}'",
                                                             "TimeZone", zone))

    def _sets_and_undoes(self):
        zone = self._other_zone()
        steps = self._under(f"set TimeZone = '{zone}'", "TimeZone", zone)
        return self._transaction("sets and undoes", steps, keeps=False)

    def _sets(self):
        name = self.random.choice(["application_name", "TimeZone"])
        value = f"renamed {self.number}" if name == "application_name" else self._other_zone()
        steps = self._under(f"set {name} = '{value}'", name, value)
        self.settings[name] = value
        return self._transaction("sets", steps)

    def _sends_much(self):
        value = self.random.choice("aö") * self.random.randrange(50_000, 150_000)
        return self._transaction("sends much", [
            Step(f"select $1::text || '{self.number}'", [value], [[value + str(self.number)]],
                 name="large")])

    def _under(self, change, name, value):
        """The change, and what its client must see as long as it is in force."""
        before = self.settings[name]
        self.settings[name] = value
        steps = [Step(change), *(self.statement(n) for n in range(STATEMENTS))]
        self.settings[name] = before
        return steps

    def _other_zone(self):
        return self.random.choice([zone for zone in ZONES if zone != self.settings["TimeZone"]])

    # --- judging ----------------------------------------------------------------------------

    def judge(self, transaction, seen, told):
        """`seen` are the rows or the SQLSTATE of each step, `told` is what ParameterStatus said."""
        for step, got in zip(transaction.steps, seen):
            assert got == step.expected, (
                f"{self} {transaction.what}: {step.sql[:300]} {str(step.values)[:100]}\n"
                f"expected {str(step.expected)[:300]}\ngot      {str(got)[:300]}")
            if step.sql == WHERE:
                self.servers.update(got[0])
        assert len(seen) == len(transaction.steps), f"{self} {transaction.what}: {seen}"
        told = {name: told[name] for name in transaction.settings_after}
        assert told == transaction.settings_after, f"{self} {transaction.what}: was told {told}"
