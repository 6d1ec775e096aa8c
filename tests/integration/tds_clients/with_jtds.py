"""jTDS, in a Java machine inside this process, against a server: prints what came of each step, as
JSON. Called with a target, see support/tds_drivers.py."""

import json
import sys

import jpype

JARS = ["/usr/share/java/org.jpype.jar", "/usr/share/java/jtds.jar"]
SSL = {"off": "off", "login": "request", "all": "require"}
INTEGER = 4  # java.sql.Types
SCROLL_INSENSITIVE, READ_ONLY = 1004, 1007  # java.sql.ResultSet


class Steps:
    def __init__(self, target):
        properties = jpype.JClass("java.util.Properties")()
        for name, value in {"user": target["user"], "password": target["password"],
                            "appName": target["app"], "ssl": SSL[target["encryption"]],
                            "loginTimeout": "10", "socketTimeout": "20"}.items():
            properties.setProperty(name, value)
        driver = jpype.JClass("net.sourceforge.jtds.jdbc.Driver")()
        self.link = driver.connect(f"jdbc:jtds:sqlserver://{target['host']}:{target['port']}/"
                                   f"{target['database']}", properties)
        self.statement = self.link.createStatement()

    def rows(self, found):
        count = found.getMetaData().getColumnCount()
        rows = []
        while found.next():
            row = [found.getObject(at + 1) for at in range(count)]
            rows.append([None if one is None else plain(one) for one in row])
        return rows

    def query(self, sql):
        return self.rows(self.statement.executeQuery(sql))

    def value(self, sql):
        return self.query(sql)[0][0]

    def prepared(self, sql, *values):
        found = self.link.prepareStatement(sql)
        for at, value in enumerate(values, 1):
            found.setObject(at, value)
        return found

    def who(self):
        return self.query("SELECT APP_NAME(), DB_NAME(), SUSER_SNAME()")[0]

    def literals(self):
        return self.query("SELECT 1 AS a, N'héllo' AS b, CAST(NULL AS int) AS c")[0]

    def parameters(self):
        statement = self.prepared("SELECT ? + 1, ?", jpype.JInt(5), "zwei")
        return self.rows(statement.executeQuery())[0]

    def two_results(self):
        self.statement.execute("SELECT 1 AS a SELECT 2 AS b")
        first = self.rows(self.statement.getResultSet())
        self.statement.getMoreResults()
        return [first[0][0], self.rows(self.statement.getResultSet())[0][0]]

    def transaction(self):
        self.statement.execute("CREATE TABLE #t (a int)")
        self.link.setAutoCommit(False)
        self.statement.executeUpdate("INSERT #t VALUES (1)")
        inside = self.value("SELECT @@TRANCOUNT")
        self.link.rollback()
        undone = self.value("SELECT COUNT(*) FROM #t")
        self.statement.executeUpdate("INSERT #t VALUES (1)")
        kept = self.link.setSavepoint("kept")
        self.statement.executeUpdate("INSERT #t VALUES (2)")
        self.link.rollback(kept)
        self.link.commit()
        self.link.setAutoCommit(True)
        return [inside, undone, self.value("SELECT COUNT(*) FROM #t")]

    def prepare(self):
        statement = self.prepared("SELECT ? * 2", jpype.JInt(0))
        found = []
        for number in (1, 2):
            statement.setInt(1, number)
            found.append(self.rows(statement.executeQuery())[0][0])
        statement.close()
        return found

    def procedure(self):
        self.statement.execute("CREATE OR ALTER PROCEDURE with_jtds @a int, @b int OUTPUT AS "
                               "BEGIN SET @b = @a * 2; RETURN 7; END")
        found = self.link.prepareCall("{? = call with_jtds(?, ?)}")
        found.registerOutParameter(1, INTEGER)
        found.setInt(2, 4)
        found.registerOutParameter(3, INTEGER)
        found.execute()
        return [int(found.getInt(1)), int(found.getInt(3))]

    def error(self):
        try:
            self.query("SELECT 1/0")
        except jpype.JClass("java.sql.SQLException") as wrong:
            return [int(wrong.getErrorCode()), self.value("SELECT 5")]
        return None

    def large(self):
        found = self.statement.executeQuery("SELECT REPLICATE(CAST('x' AS varchar(max)), 100000)")
        found.next()
        down = len(str(found.getString(1)))
        statement = self.prepared("SELECT LEN(?)", "y" * 70000)
        return [down, self.rows(statement.executeQuery())[0][0]]

    def cursor(self):
        """A result that can be scrolled is a cursor of the API."""
        scrolled = self.link.createStatement(SCROLL_INSENSITIVE, READ_ONLY)
        found = scrolled.executeQuery("SELECT 1 AS a UNION ALL SELECT 2 UNION ALL SELECT 3")
        shown = [found.getMetaData().getColumnCount()]
        for move in (found.last, found.previous, found.first):
            move()
            shown.append(int(found.getInt(1)))
        found.close()
        return shown

    def batch(self):
        statement = self.prepared("INSERT #t VALUES (?)", jpype.JInt(0))
        for number in range(100):
            statement.setInt(1, number)
            statement.addBatch()
        return sum(statement.executeBatch())

    def attention(self):
        slow = self.link.createStatement()
        slow.setQueryTimeout(1)
        try:
            slow.executeQuery("WAITFOR DELAY '00:00:15' SELECT 1")
        except jpype.JClass("java.sql.SQLException"):
            return self.value("SELECT 6")
        return None


def plain(one):
    """A Python value of a Java one."""
    if isinstance(one, str):
        return one
    if hasattr(one, "intValue"):
        return int(one.intValue())
    return str(one)


def main():
    jpype.startJVM("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m",
                   classpath=JARS, convertStrings=True)
    steps = Steps(json.loads(sys.argv[1]))
    names = ["who", "literals", "parameters", "two_results", "transaction", "prepare", "procedure",
             "error", "large", "cursor", "batch", "attention"]
    print(json.dumps({name: getattr(steps, name)() for name in names}))


main()
