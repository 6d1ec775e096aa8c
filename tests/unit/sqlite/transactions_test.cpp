// READ COMMITTED as PostgreSQL has it, and what else transactions promise.
#include <atomic>
#include <fstream>
#include <thread>

#include "fixture.h"

namespace weir::engine {
namespace {

using fake::PgClient;
using fake::PgReply;

struct Transactions : SqliteTest {
  void SetUp() override {
    PgClient& setup = connect();
    ASSERT_EQ(setup.query("create table t(id int primary key, v text)").tags[0], "CREATE TABLE");
    ASSERT_EQ(setup.query("insert into t values (1,'one'),(2,'two')").tags[0], "INSERT 0 2");
  }
};

TEST_F(Transactions, EachStatementSeesTheNewestCommit) {
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("begin");
  EXPECT_EQ(a.query("select v from t where id = 1").value(), "one");
  b.query("update t set v = 'uno' where id = 1");
  EXPECT_EQ(a.query("select v from t where id = 1").value(), "uno");
  // Plain SQLite would refuse this write: its snapshot would be old.
  EXPECT_EQ(a.query("update t set v = v || '!' where id = 1").tags[0], "UPDATE 1");
  EXPECT_EQ(a.query("select v from t where id = 1").value(), "uno!");
  EXPECT_EQ(b.query("select v from t where id = 1").value(), "uno");
  a.query("commit");
  EXPECT_EQ(b.query("select v from t where id = 1").value(), "uno!");
}

TEST_F(Transactions, OneWriterAtATimeInOrder) {
  PgClient& a = connect();
  PgClient& b = connect();
  PgClient& c = connect();
  a.query("begin");
  a.query("insert into t values (3,'a')");
  b.send(fake::pg_query("insert into t values (4,'b') returning (select count(*) from t)"));
  EXPECT_EQ(b.so_far(3).kinds, "");
  c.send(fake::pg_query("insert into t values (5,'c') returning (select count(*) from t)"));
  EXPECT_EQ(c.so_far(3).kinds, "");
  // Readers do not wait.
  EXPECT_EQ(connect().query("select count(*) from t").value(), "2");
  a.query("commit");
  EXPECT_EQ(b.reply().value(), "4");
  EXPECT_EQ(c.reply().value(), "5");
}

TEST_F(Transactions, IdleTransactionsHoldNothing) {
  PgClient& a = connect();
  a.query("begin");
  a.query("select * from t");
  EXPECT_EQ(connect().query("delete from t").tags[0], "DELETE 2");
  EXPECT_EQ(a.query("select count(*) from t").value(), "0");
  EXPECT_EQ(a.query("commit").tags[0], "COMMIT");
}

TEST_F(Transactions, AnErrorFailsTheBlock) {
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("begin");
  a.query("insert into t values (3,'x')");
  PgReply reply = a.query("insert into t values (3,'y')");
  EXPECT_EQ(reply.sqlstate(), "23505");
  EXPECT_EQ(reply.status, 'E');
  // Without a savepoint nothing can be kept: others may write already.
  EXPECT_EQ(b.query("insert into t values (3,'b')").tags.size(), 1U);
  EXPECT_EQ(a.query("select 1").sqlstate(), "25P02");
  reply = a.query("commit");
  EXPECT_EQ(reply.tags[0], "ROLLBACK");
  EXPECT_EQ(reply.status, 'I');
  EXPECT_EQ(a.query("select v from t where id = 3").value(), "b");
}

TEST_F(Transactions, Savepoints) {
  PgClient& a = connect();
  a.query("begin");
  a.query("savepoint early");  // before anything is written
  a.query("insert into t values (3,'x')");
  a.query("savepoint s");
  a.query("insert into t values (4,'y')");
  EXPECT_EQ(a.query("insert into t values (4,'z')").status, 'E');
  EXPECT_EQ(a.query("rollback to s").status, 'T');
  EXPECT_EQ(a.query("select count(*) from t").value(), "3");
  a.query("insert into t values (5,'x')");
  a.query("release s");
  EXPECT_EQ(a.query("select count(*) from t").value(), "4");
  a.query("rollback to early");
  EXPECT_EQ(a.query("select count(*) from t").value(), "2");
  a.query("insert into t values (6,'x')");
  EXPECT_EQ(a.query("commit").tags[0], "COMMIT");
  EXPECT_EQ(connect().query("select max(id) from t").value(), "6");
}

TEST_F(Transactions, RepeatableReadKeepsItsSnapshot) {
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("begin isolation level repeatable read");
  EXPECT_EQ(a.query("select count(*) from t").value(), "2");
  b.query("insert into t values (3,'x')");
  EXPECT_EQ(a.query("select count(*) from t").value(), "2");
  PgReply reply = a.query("update t set v = 'x'");
  EXPECT_EQ(reply.sqlstate(), "40001");
  EXPECT_EQ(reply.status, 'E');
  a.query("rollback");
  EXPECT_EQ(a.query("select count(*) from t").value(), "3");
  a.query("begin isolation level serializable");
  EXPECT_EQ(a.query("select count(*) from t").value(), "3");
  EXPECT_EQ(a.query("update t set v = 'y' where id = 1").tags.size(), 1U);
  EXPECT_EQ(a.query("select v from t where id = 1").value(), "y");
  EXPECT_EQ(b.query("select v from t where id = 1").value(), "one");
  EXPECT_EQ(a.query("commit").tags[0], "COMMIT");
  EXPECT_EQ(b.query("select v from t where id = 1").value(), "y");
  EXPECT_EQ(b.query("insert into t values (9,'x')").tags.size(), 1U);
  // A failed one gives the right to write back.
  a.query("begin isolation level serializable");
  a.query("insert into t values (10,'x')");
  EXPECT_EQ(a.query("insert into t values (10,'x')").sqlstate(), "23505");
  EXPECT_EQ(b.query("insert into t values (10,'b')").tags.size(), 1U);
  a.query("rollback");
  EXPECT_EQ(a.query("insert into t values (11,'x')").tags.size(), 1U);
}

TEST_F(Transactions, ReadOnly) {
  PgClient& a = connect();
  a.query("begin read only");
  EXPECT_EQ(a.query("select count(*) from t").value(), "2");
  EXPECT_EQ(a.query("delete from t").sqlstate(), "25006");
  a.query("rollback");
  a.query("set default_transaction_read_only = on");
  EXPECT_EQ(a.query("delete from t").sqlstate(), "25006");
  EXPECT_EQ(a.query("with x as (select 1) delete from t").sqlstate(), "25006");
  a.query("begin read write");
  EXPECT_EQ(a.query("delete from t").tags[0], "DELETE 2");
  a.query("rollback");
}

TEST_F(Transactions, SeveralStatementsInOneMessage) {
  PgClient& a = connect();
  EXPECT_EQ(
      a.query("insert into t values (3,'x'); insert into t values (1,'x'); select 1").sqlstate(),
      "23505");
  EXPECT_EQ(a.query("select count(*) from t").value(), "2");
  EXPECT_EQ(a.query("insert into t values (3,'x'); select count(*) from t").value(), "3");
  EXPECT_EQ(connect().query("select count(*) from t").value(), "3");
  // BEGIN takes what came before it into its block.
  EXPECT_EQ(a.query("insert into t values (4,'x'); begin; insert into t values (5,'x')").status,
            'T');
  a.query("rollback");
  EXPECT_EQ(a.query("select count(*) from t").value(), "3");
  // COMMIT in the middle keeps what came before it.
  EXPECT_EQ(a.query("begin; insert into t values (4,'x'); commit; insert into t values (1,'x')")
                .sqlstate(),
            "23505");
  EXPECT_EQ(a.query("select count(*) from t").value(), "4");
}

TEST_F(Transactions, APipelineIsOneTransaction) {
  PgClient& a = connect();
  const auto insert = [](const std::string& values) {
    return fake::pg_parse("", "insert into t values (" + values + ")") + fake::pg_bind({}) +
           fake::pg_execute("");
  };
  EXPECT_EQ(a.ask(insert("3,'x'") + insert("1,'x'") + fake::pg_sync()).sqlstate(), "23505");
  EXPECT_EQ(a.query("select count(*) from t").value(), "2");
  EXPECT_EQ(a.ask(insert("3,'x'") + insert("4,'x'") + fake::pg_sync()).kinds, "12C12CZ");
  EXPECT_EQ(connect().query("select count(*) from t").value(), "4");
}

TEST_F(Transactions, ForUpdateWaitsForTheWriter) {
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("begin");
  EXPECT_EQ(a.query("select v from t where id = 1 for update").value(), "one");
  b.send(fake::pg_query("select v from t where id = 1 for no key update of t nowait"));
  EXPECT_EQ(b.so_far(3).kinds, "");
  a.query("update t set v = 'x' where id = 1");
  a.query("commit");
  EXPECT_EQ(b.reply().value(), "x");
}

TEST_F(Transactions, AClientThatVanishesIsRolledBack) {
  PgClient& a = connect();
  a.query("begin");
  a.query("delete from t");
  a.hang_up();
  EXPECT_EQ(connect().query("update t set v = 'x'").tags[0], "UPDATE 2");
}

TEST_F(Transactions, TheClockOfATransactionStandsStill) {
  PgClient& a = connect();
  a.query("begin");
  const std::string now = a.query("select now()").value();
  a.query("insert into t values (3, 'x')");
  a.query("select pg_sleep(0.01)");
  EXPECT_EQ(a.query("select current_timestamp").value(), now);
  EXPECT_NE(a.query("select clock_timestamp()").value(), now);
  a.query("commit");
  EXPECT_NE(a.query("select now()").value(), now);
}

TEST_F(Transactions, DefinitionsRollBackToo) {
  PgClient& a = connect();
  a.query("begin");
  a.query("create table made(id serial primary key, n numeric(5,2))");
  EXPECT_EQ(connect().query("select * from made").sqlstate(), "42P01");
  PgReply reply = a.ask(fake::pg_parse("", "insert into made(n) values ($1) returning *") +
                        fake::pg_describe('S', "") + fake::pg_bind({"", "", {"1.5"}, {}, {}}) +
                        fake::pg_execute("") + fake::pg_sync());
  EXPECT_EQ(reply.parameters, std::vector<uint32_t>{1700});
  EXPECT_EQ(values_of(reply), "1|1.50;");
  a.query("rollback");
  EXPECT_EQ(a.query("select * from made").sqlstate(), "42P01");
}

TEST_F(Transactions, AChangedTableIsNoticed) {
  PgClient& a = connect();
  a.ask(fake::pg_parse("s", "select * from t") + fake::pg_sync());
  connect().query("alter table t add column w int");
  EXPECT_EQ(a.ask(fake::pg_bind({"", "s", {}, {}, {}}) + fake::pg_execute("") + fake::pg_sync())
                .sqlstate(),
            "0A000");
  EXPECT_EQ(a.query("select w from t where id = 1").value(), "(null)");
}

// What is described while a definition is not yet committed must not be remembered for after it.
TEST_F(Transactions, DescriptionsFollowTheCommit) {
  PgClient& a = connect();
  PgClient& b = connect();
  const std::string ask = fake::pg_parse("", "select * from t where id = 1") +
                          fake::pg_describe('S', "") + fake::pg_bind({}) + fake::pg_execute("") +
                          fake::pg_sync();
  a.query("begin");
  a.query("alter table t add column w int");
  EXPECT_EQ(b.ask(ask).columns.size(), 2U);
  a.query("commit");
  const PgReply reply = b.ask(ask);
  EXPECT_EQ(reply.columns.size(), 3U);
  EXPECT_EQ(values_of(reply), "1|one|~;");
  // The same within one transaction.
  a.query("begin");
  a.query("delete from t where id = 2");
  EXPECT_EQ(a.ask(ask).columns.size(), 3U);
  a.query("alter table t drop column w");
  EXPECT_EQ(values_of(a.ask(ask)), "1|one;");
  a.query("rollback");
  EXPECT_EQ(values_of(a.ask(ask)), "1|one|~;");
}

// Each worker's loop has readers of its own; the writer serves them all.
TEST_F(Transactions, SeveralLoops) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 40;
  std::vector<std::unique_ptr<net::Loop>> loops;  // outlive the engine
  for (int i = 0; i < kThreads; ++i) loops.push_back(net::make_loop());
  std::atomic<int> wrong{0};
  const auto work = [&](int number) {
    net::Loop& own = *loops[static_cast<size_t>(number)];
    base::Timer alarm([](void* on, base::Time) { static_cast<net::Loop*>(on)->stop(); }, &own);
    const auto turn_own = [&] {
      own.timers().set(alarm, base::steady_now() + 20 * base::kMillisecond);
      own.run();
    };
    auto [ours, theirs] = net::make_pipe(own, 64 * 1024);
    PgClient client(std::move(ours), turn_own);
    client.then = [&] { own.stop(); };
    engine->serve(own, std::move(theirs));
    client.start();
    for (int i = 0; i < kRounds; ++i) {
      const std::string id = std::to_string(100 + number * kRounds + i);
      wrong += client.query("insert into t values (" + id + ", 'x')").tags.size() != 1;
      wrong +=
          client.query("begin; update t set v = v || '.' where id = 1; commit").errors.size() != 0;
      wrong += client.query("select v from t where id = " + id).value() != "x";
    }
    client.hang_up();
    for (int i = 0; i < 3; ++i) turn_own();
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  PgClient& a = connect();
  EXPECT_EQ(a.query("select count(*) from t").value(), std::to_string(2 + kThreads * kRounds));
  EXPECT_EQ(a.query("select length(v) from t where id = 1").value(),
            std::to_string(3 + kThreads * kRounds));
  clients.clear();
  turn();
  engine.reset();
}

TEST_F(Transactions, CommittedWorkIsInTheFile) {
  connect().query("insert into t values (3,'kept')");
  clients.clear();
  turn();
  engine.reset();
  EXPECT_FALSE(std::filesystem::exists(options.path + "-wal"));
  EXPECT_EQ(std::filesystem::status(options.path).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(std::filesystem::status(directory + "/deep").permissions(),
            std::filesystem::perms(0700));
  options.create = false;
  options.durability = Durability::Full;
  EXPECT_EQ(connect().query("select v from t where id = 3").value(), "kept");
}

TEST_F(SqliteTest, FilesThatCannotBeOpened) {
  options.create = false;
  EXPECT_FALSE(open_sqlite(options));
  for (const char* path : {"", ":memory:"}) {
    options.path = path;
    EXPECT_FALSE(open_sqlite(options));
  }
  options.path = directory;
  EXPECT_FALSE(open_sqlite(options));
  options.path = directory + "/text";
  std::ofstream(options.path) << std::string(5000, 'x');
  EXPECT_FALSE(open_sqlite(options));
}

}  // namespace
}  // namespace weir::engine
