"""The T-SQL of the stand-in for SQL Server: what it knows it does, and what it does not know it
refuses with SQL Server's number."""

import pytest

from support.tds_client import errors
from support.tds_server import TdsServer
from support.tds_tokens import rows

TABLE = """CREATE TABLE #t (
    id int IDENTITY(1,1) PRIMARY KEY, n nvarchar(10) NOT NULL DEFAULT N'none', d float NULL)
INSERT #t (n, d) VALUES (N'one', 1.5), (N'two', NULL), (DEFAULT, 3)"""
RESULTS = {
    "SELECT 7 / 2, 7 % 2, 7 & 3, -7 / 2, 7.0 / 2 * 2.0e0": [[3, 1, 3, -3, 7.0]],
    "SELECT 'a' + N'b', 'x' + NULL, CONCAT('a', NULL, 1)": [["ab", None, "a1"]],
    "SELECT CAST('12' AS int), CONVERT(varchar(10), 12.50), TRY_CAST('x' AS int)":
        [[12, "12.50", None]],
    "SELECT CONVERT(varchar(30), CAST('2024-02-29 12:34:56' AS datetime), 120)":
        [["2024-02-29 12:34:56"]],
    "SELECT CASE WHEN 1 = 2 THEN 'a' ELSE 'bcd' END, IIF(1 = 1, 'x', 'yz'), COALESCE(NULL, 4)":
        [["bcd", "x", 4]],
    "SELECT LEN('ab '), DATALENGTH(N'ab'), LEFT('abc', 2), REPLACE('aba', 'a', 'x')":
        [[2, 4, "ab", "xbx"]],
    "DECLARE @a int = 5 SET @a += 2 SELECT @a, @@ROWCOUNT": [[7, 1]],
    "DECLARE @n int SELECT @n = COUNT(*) FROM #t SELECT @n": [[3]],
    "SELECT * FROM #t WHERE n LIKE N't%' OR d BETWEEN 1 AND 2": [[1, "one", 1.5], [2, "two", None]],
    "SELECT id FROM #t WHERE d IS NULL OR id IN (SELECT 3) ORDER BY id DESC": [[3], [2]],
    "SELECT COUNT(*), COUNT(d), SUM(d), MIN(n) FROM #t": [[3, 2, 4.5, "none"]],
    "SELECT n, COUNT(*) AS c FROM #t GROUP BY n HAVING MAX(id) > 1 ORDER BY n":
        [["none", 1], ["two", 1]],
    "SELECT a.id, b.id FROM #t a LEFT JOIN #t b ON b.id = a.id + 2": [[1, 3], [2, None], [3, None]],
    "SELECT TOP 1 id FROM #t ORDER BY id DESC": [[3]],
    "SELECT id FROM #t ORDER BY id OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY": [[2]],
    "SELECT 1 UNION ALL SELECT 1 UNION SELECT 2": [[1], [2]],
    "SELECT x FROM (VALUES (1), (2)) v(x) WHERE x > 1": [[2]],
    "SELECT (SELECT MAX(id) FROM #t WHERE id < a.id) FROM #t a": [[None], [1], [2]],
    "UPDATE #t SET d = id * 2 OUTPUT deleted.d, inserted.d WHERE id = 2": [[None, 4.0]],
    "DELETE #t WHERE id > 1 SELECT @@ROWCOUNT": [[2]],
    "INSERT #t (n) SELECT n + N'!' FROM #t WHERE id = 1 SELECT SCOPE_IDENTITY() + 0e0": [[4.0]],
    "SELECT n INTO #copy FROM #t SELECT COUNT(*) FROM #copy": [[3]],
    "IF EXISTS (SELECT 1 FROM #t WHERE id = 9) SELECT 'yes' ELSE SELECT 'no'": [["no"]],
    "DECLARE @i int = 0 WHILE 1 = 1 BEGIN SET @i += 1 IF @i > 3 BREAK END SELECT @i": [[4]],
    "BEGIN TRY THROW 51000, 'mine', 3 END TRY BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_MESSAGE(), "
    "ERROR_STATE() END CATCH": [[51000, "mine", 3]],
    "EXEC('SELECT 1') EXEC sp_executesql N'SELECT @a', N'@a int', 2": [[1], [2]],
    "SET ROWCOUNT 2 SELECT id FROM #t SET ROWCOUNT 0": [[1], [2]],
    "SELECT DATEDIFF(day, '2024-02-28', '2024-03-01'), YEAR('2024-02-29')": [[2, 2024]],
    "DECLARE @t TABLE (a int) INSERT @t VALUES (1) SELECT * FROM @t": [[1]],
    "DECLARE c CURSOR FOR SELECT id FROM #t OPEN c FETCH NEXT FROM c FETCH NEXT FROM c CLOSE c "
    "DEALLOCATE c": [[1], [2]],
    "-- nothing\n/* nor /* here */ */ SELECT 1;;": [[1]],
}
ERRORS = {
    "SELECT 1 +": 102, "SELEC 1": 2812, "SELECT 'open": 105, "SELECT FROM": 156, "FOO BAR BAZ": 102,
    "MERGE #t USING #t ON 1 = 1": 102, "CREATE VIEW v AS SELECT 1": 156,
    "SELECT @x": 137, "SELECT nothing FROM #t": 207, "SELECT * FROM nothing": 208,
    "SELECT NOTHING(1)": 195, "SET NOTHING ON": 195, "USE nothing": 911, "EXEC nothing": 2812,
    "SELECT CAST('x' AS int)": 245, "SELECT 2147483647 + 1": 8115,
    "SELECT CAST(300 AS tinyint)": 220,
    "SELECT CAST('x' AS datetime)": 241, "SELECT 1 / 0": 8134, "SELECT n FROM #t GROUP BY id": 8120,
    "INSERT #t (n) VALUES (NULL)": 515, "INSERT #t (n) VALUES (N'much too long')": 2628,
    "INSERT #t (id, n) VALUES (9, N'x')": 544, "INSERT #t VALUES (1, 2, 3)": 213,
    "CREATE TABLE #t (a int)": 2714, "DROP TABLE #nothing": 3701, "RAISERROR('x', 16, 1)": 50000,
    "SELECT (SELECT id FROM #t)": 512, "DECLARE @a int, @a int": 134, "FETCH NEXT FROM c": 16916,
    "EXEC sp_executesql 'SELECT 1'": 214, "SAVE TRAN x": 628, "KILL 9999": 6106,
    "SET LANGUAGE Klingon": 2740, "CREATE DATABASE app": 1801,
}


@pytest.fixture(scope="module")
def server():
    with TdsServer() as one:
        yield one


@pytest.fixture
def client(server):
    with server.client(database="app") as one:
        assert errors(one.batch(TABLE)) == []
        yield one


@pytest.mark.parametrize("sql", RESULTS)
def test_what_it_knows(client, sql):
    found = client.batch(sql)
    assert errors(found) == [] and rows(found) == RESULTS[sql]


@pytest.mark.parametrize("sql", ERRORS)
def test_what_it_refuses(client, sql):
    assert errors(client.batch(sql)) == [ERRORS[sql]]
