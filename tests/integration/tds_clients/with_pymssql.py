"""pymssql (FreeTDS' db-lib) against a server: prints what came of each step, as JSON. Called with a
target, see support/tds_drivers.py; FREETDSCONF says how it encrypts."""

import json
import sys

import pymssql

BIG = "SELECT a.object_id, REPLICATE('z', 200) FROM sys.all_objects a, sys.all_objects b"


class Steps:
    def __init__(self, target):
        self.link = pymssql.connect(
            server=target["host"], port=target["port"], user=target["user"],
            password=target["password"], database=target["database"], appname=target["app"],
            tds_version="7.3", login_timeout=10, timeout=20)
        self.cursor = self.link.cursor()

    def rows(self, sql, values=None):
        self.cursor.execute(sql, values)
        return [list(row) for row in self.cursor.fetchall()]

    def value(self, sql, values=None):
        return self.rows(sql, values)[0][0]

    def who(self):
        return self.rows("SELECT APP_NAME(), DB_NAME(), SUSER_SNAME()")[0]

    def literals(self):
        return self.rows("SELECT 1 AS a, N'héllo' AS b, CAST(NULL AS int) AS c")[0]

    def parameters(self):
        return self.rows("SELECT %d + 1, %s", (5, "zwei"))[0]

    def two_results(self):
        self.cursor.execute("SELECT 1 AS a SELECT 2 AS b")
        first = self.cursor.fetchall()
        self.cursor.nextset()
        return [first[0][0], self.cursor.fetchall()[0][0]]

    def transaction(self):
        self.cursor.execute("CREATE TABLE #t (a int)")
        self.link.commit()
        self.cursor.execute("INSERT #t VALUES (1)")
        inside = self.value("SELECT @@TRANCOUNT")
        self.link.rollback()
        undone = self.value("SELECT COUNT(*) FROM #t")
        self.cursor.execute("INSERT #t VALUES (1)")
        self.link.commit()
        return [inside, undone, self.value("SELECT COUNT(*) FROM #t")]

    def procedure(self):
        self.cursor.execute("CREATE OR ALTER PROCEDURE with_pymssql @a int, @b int OUTPUT AS "
                            "BEGIN SET @b = @a * 2; RETURN 7; END")
        self.link.commit()
        found = self.cursor.callproc("with_pymssql", (4, pymssql.output(int)))
        self.cursor.nextset()
        return found[1]

    def error(self):
        try:
            self.rows("SELECT 1/0")
        except pymssql.Error as wrong:
            return [wrong.args[0], self.value("SELECT 5")]
        return None

    def large(self):
        down = self.value("SELECT REPLICATE(CAST('x' AS varchar(max)), 100000)")
        return [len(down), self.value("SELECT LEN(%s)", ("y" * 70000,))]

    def attention(self):
        """A result that is not read to its end is cancelled by the next request."""
        self.cursor.execute(BIG)
        self.cursor.fetchone()
        return self.value("SELECT 6")


def main():
    steps = Steps(json.loads(sys.argv[1]))
    names = ["who", "literals", "parameters", "two_results", "transaction", "procedure", "error",
             "large", "attention"]
    print(json.dumps({name: getattr(steps, name)() for name in names}))


main()
