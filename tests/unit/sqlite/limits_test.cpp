// Time, queues, budgets and cancels.
#include "fixture.h"

namespace weir::engine {
namespace {

using fake::PgClient;
using fake::PgReply;

TEST_F(SqliteTest, ASlowReadGoesToAHelper) {
  options.read_budget_steps = 2000;
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("create table n(i int)");
  a.query(
      "insert into n with recursive r(i) as (select 1 union all select i + 1 from r where i < "
      "20000) select i from r");
  // Rows that were made before the budget was spent come once.
  PgReply reply = a.query("select i from n where i < 5 or i > 19998 order by rowid");
  EXPECT_EQ(values_of(reply), "1;2;3;4;19999;20000;");
  EXPECT_EQ(a.query("select count(*) from n").value(), "20000");
  // The loop is free while a helper works.
  a.send(fake::pg_query(kForever));
  EXPECT_EQ(b.query("select 1").value(), "1");
  cancel(a);
  EXPECT_EQ(a.reply().sqlstate(), "57014");
  EXPECT_EQ(a.query("select 1").value(), "1");
}

TEST_F(SqliteTest, ALongResultKeepsItsSnapshotAndItsReader) {
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("create table n(i int, filler text)");
  a.query(
      "insert into n with recursive r(i) as (select 1 union all select i + 1 from r where i < "
      "5000) "
      "select i, replace(hex(zeroblob(100)), '0', 'x') from r");
  a.stream().pause(net::kPausePeerFull);
  a.send(fake::pg_query("select * from n"));
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(b.query("delete from n").tags[0], "DELETE 5000");
  EXPECT_EQ(b.query("select count(*) from n").value(), "0");
  a.stream().resume(net::kPausePeerFull);
  PgReply reply = a.reply();
  EXPECT_EQ(reply.rows.size(), 5000U);
  EXPECT_EQ(reply.tags[0], "SELECT 5000");
}

TEST_F(SqliteTest, Portals) {
  PgClient& a = connect();
  a.query("create table n(i int)");
  a.query("insert into n values (1),(2),(3),(4),(5)");
  a.query("begin");
  EXPECT_EQ(values_of(a.ask(fake::pg_parse("s", "select i from n order by i") +
                            fake::pg_bind({"c", "s", {}, {}, {}}) + fake::pg_execute("c", 2) +
                            fake::pg_sync())),
            "1;2;");
  a.query("update n set i = i + 10");
  EXPECT_EQ(values_of(a.ask(fake::pg_execute("c", 2) + fake::pg_sync())), "3;4;");
  // A portal that was opened after the write stands where it was written.
  EXPECT_EQ(values_of(a.ask(fake::pg_bind({"d", "s", {}, {}, {}}) + fake::pg_execute("d", 2) +
                            fake::pg_sync())),
            "11;12;");
  EXPECT_EQ(values_of(a.ask(fake::pg_execute("d", 0) + fake::pg_execute("c", 0) + fake::pg_sync())),
            "13;14;15;5;");
  a.ask(fake::pg_bind({"e", "s", {}, {}, {}}) + fake::pg_execute("e", 1) + fake::pg_sync());
  EXPECT_EQ(a.query("commit").tags[0], "COMMIT");
  EXPECT_EQ(connect().query("update n set i = 0").tags[0], "UPDATE 5");
}

TEST_F(SqliteTest, AnOpenPortalWhereItWritesHoldsTheCommitBack) {
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("create table n(i int)");
  const PgReply reply = a.ask(fake::pg_parse("", "insert into n values (1),(2),(3) returning i") +
                              fake::pg_bind({"c", "", {}, {}, {}}) + fake::pg_execute("c", 1) +
                              fake::pg_parse("", "insert into n values (4)") + fake::pg_bind({}) +
                              fake::pg_execute("") + fake::pg_sync());
  EXPECT_EQ(reply.kinds, "12Ds12CZ");
  EXPECT_EQ(b.query("select count(*) from n").value(), "4");
  EXPECT_EQ(b.query("delete from n").tags[0], "DELETE 4");
}

TEST_F(SqliteTest, TheQueueOfTheWriterHasADeadline) {
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("create table n(i int)");
  a.query("begin");
  a.query("insert into n values (1)");
  b.query("set lock_timeout = 50");
  EXPECT_EQ(b.query("insert into n values (2)").sqlstate(), "55P03");
  b.query("set lock_timeout = 0; set statement_timeout = 50");
  EXPECT_EQ(b.query("insert into n values (2)").sqlstate(), "57014");
  b.query("set statement_timeout = 0");
  b.send(fake::pg_query("insert into n values (2)"));
  EXPECT_EQ(b.so_far(2).kinds, "");
  cancel(b);
  EXPECT_EQ(b.reply().sqlstate(), "57014");
  EXPECT_EQ(a.query("commit").tags[0], "COMMIT");
  EXPECT_EQ(b.query("insert into n values (2)").tags.size(), 1U);
}

TEST_F(SqliteTest, AForgottenTransactionEnds) {
  options.writer_idle_timeout = 100 * base::kMillisecond;
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("create table n(i int)");
  a.query("begin");
  a.query("insert into n values (1)");
  b.send(fake::pg_query("insert into n values (2) returning (select count(*) from n)"));
  EXPECT_EQ(b.reply().value(), "1");  // its own
  const PgReply reply = a.reply();
  EXPECT_EQ(reply.sqlstate(), "25P03");
  EXPECT_TRUE(a.ended());
}

TEST_F(SqliteTest, StatementTimeout) {
  PgClient& a = connect();
  a.query("create table n(i int)");
  a.query("set statement_timeout = 50");
  EXPECT_EQ(a.query(kForever).sqlstate(), "57014");
  EXPECT_EQ(a.query("select pg_sleep(10)").sqlstate(), "57014");
  EXPECT_EQ(a.query("insert into n with recursive r(n) as (select 1 union all select n + 1 from r) "
                    "select n from r")
                .sqlstate(),
            "57014");
  EXPECT_EQ(a.query("select count(*) from n").value(), "0");
}

TEST_F(SqliteTest, CancelOfAWriteTakesItsTransactionWithIt) {
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("create table n(i int)");
  a.query("begin");
  a.query("insert into n values (1)");
  a.query("savepoint s");
  a.send(
      fake::pg_query("insert into n with recursive r(n) as (select 1 union all select n + 1 from "
                     "r) select n from r"));
  a.so_far(2);
  cancel(a);
  PgReply reply = a.reply();
  EXPECT_EQ(reply.sqlstate(), "57014");
  EXPECT_EQ(reply.status, 'E');
  // SQLite has rolled back all of it: saying that the savepoint is there would be a lie.
  EXPECT_EQ(a.query("rollback to s").sqlstate(), "25P02");
  EXPECT_EQ(b.query("insert into n values (7)").tags.size(), 1U);
  EXPECT_EQ(a.query("rollback").tags[0], "ROLLBACK");
  EXPECT_EQ(a.query("select i from n").value(), "7");
}

TEST_F(SqliteTest, ManyReadersAtOnce) {
  options.readers_max = 4;
  PgClient& a = connect();
  a.query("create table n(i int)");
  a.query("insert into n values (1),(2),(3)");
  a.query("begin");
  a.ask(fake::pg_parse("s", "select i from n") + fake::pg_sync());
  std::string sqlstate;
  for (int i = 0; i < 10 && sqlstate.empty(); ++i)
    sqlstate = a.ask(fake::pg_bind({"c" + std::to_string(i), "s", {}, {}, {}}) +
                     fake::pg_execute("c" + std::to_string(i), 1) + fake::pg_sync())
                   .sqlstate();
  EXPECT_EQ(sqlstate, "53300");
  a.query("rollback");
  EXPECT_EQ(a.query("select count(*) from n").value(), "3");
}

TEST_F(SqliteTest, TheEngineStopsWhileStatementsRun) {
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("create table n(i int)");
  a.send(fake::pg_query("select pg_sleep(3600)"));
  b.send(
      fake::pg_query("insert into n with recursive r(n) as (select 1 union all select n + 1 from "
                     "r) select n from r"));
  turn();
  engine.reset();  // returns
}

TEST_F(SqliteTest, TheLogIsMovedIntoTheFile) {
  PgClient& a = connect();
  a.query("create table n(i int, filler text)");
  for (int i = 0; i < 30; ++i)
    a.query(
        "insert into n with recursive r(i) as (select 1 union all select i + 1 from r where i < "
        "200) "
        "select i, hex(zeroblob(1000)) from r");
  for (int i = 0; i < 50 && std::filesystem::file_size(options.path) < 5'000'000; ++i) turn();
  EXPECT_GT(std::filesystem::file_size(options.path), 5'000'000U);
}

}  // namespace
}  // namespace weir::engine
