// What a client's SQL may not do.
#include "fixture.h"

namespace weir::engine {
namespace {

using fake::PgClient;
using fake::PgReply;

// OTHER is the path of a file that does not exist.
constexpr const char* kForbidden[] = {
    "attach 'OTHER' as o",
    "attach database 'OTHER' as o",
    "detach main",
    "vacuum into 'OTHER'",
    "pragma journal_mode = delete",
    "pragma query_only = 0",
    "pragma writable_schema = 1",
    "select * from pragma_table_info('t')",
    "select * from pragma_database_list",
    "select * from pragma_wal_checkpoint",
    "select load_extension('OTHER')",
    "select fts3_tokenizer('simple')",
    "select fts3_tokenizer('simple', x'00')",
    "select readfile('/etc/passwd')",
    "select writefile('OTHER', 'x')",
    "select edit('x')",
    "select * from dbstat",
    "select * from sqlite_dbpage",
    "select * from sqlite_stmt",
    "select * from bytecode('select 1')",
    "select sqlite_compileoption_get(1)",
    "insert into sqlite_master values ('table','x','x',0,'x')",
    "update sqlite_schema set sql = 'x'",
    "delete from sqlite_master",
    "drop table sqlite_master",
    "update sqlite_temp_master set sql = 'x'",
    "update temp.sqlite_schema set sql = 'x'",
    "insert into sqlite_temp_schema values ('table','x','x',0,'x')",
    "create temp table x(id int)",
    "create temporary view x as select 1",
    "create table temp.x(id int)",
    "create table temp.x as select 1",
    "create virtual table x using fts5(a)",
    "create virtual table x using rtree(a,b,c)",
    "create trigger x after insert on t begin select 1; end",
    "create trigger x after insert on t for each row execute function f()",
    "savepoint_x",
    "replace into t values (1,'x')",
    "select ?1",
    "select :a",
    "select @a",
    "select $a",
    "select [id] from t",
    "select `id` from t",
    "select \"nothing like it\" from t",
    "reindex t; attach 'OTHER' as o",
    "copy t to '/tmp/x'",
    "copy t from program 'id'",
    "do $$ begin end $$",
    "begin; attach 'OTHER' as o; commit",
    "explain attach 'OTHER' as o",
    "explain pragma journal_mode",
    "with x as (select 1) pragma journal_mode",
    "with x as (select 1) attach 'OTHER' as o",
};

TEST_F(SqliteTest, ForbiddenThings) {
  PgClient& a = connect();
  a.query("create table t(id int, v text)");
  a.query("insert into t values (1,'x')");
  const std::string other = directory + "/other.db";
  for (std::string sql : kForbidden) {
    for (size_t at; (at = sql.find("OTHER")) != std::string::npos;) sql.replace(at, 5, other);
    const PgReply reply = a.query(sql);
    EXPECT_EQ(reply.errors.size(), 1U) << sql << " " << values_of(reply);
    if (reply.status != 'I') a.query("rollback");
    const PgReply prepared =
        a.ask(fake::pg_parse("", sql) + fake::pg_bind({}) + fake::pg_execute("") + fake::pg_sync());
    EXPECT_EQ(prepared.errors.size(), 1U) << sql;
    if (prepared.status != 'I') a.query("rollback");
  }
  EXPECT_FALSE(std::filesystem::exists(other));
  EXPECT_EQ(values_of(a.query("select * from t")), "1|x;");
}

TEST_F(SqliteTest, Limits) {
  PgClient& a = connect();
  const auto state = [&](const std::string& sql) { return a.query(sql).sqlstate(); };
  EXPECT_EQ(state("select zeroblob(100000000)"), "54000");
  EXPECT_EQ(state("select length(replace(hex(zeroblob(9000000)), '0', 'xx'))"), "54000");
  EXPECT_EQ(state("select '" + std::string(2'000'000, 'x') + "'"), "54000");
  std::string deep(300, '(');
  EXPECT_NE(state("select " + deep + "1" + std::string(300, ')')), "");
  EXPECT_EQ(state("select " + std::string(5000, '(') + "1"), "54001");
  std::string sum = "select 1";
  for (int i = 0; i < 5000; ++i) sum += "+1";
  EXPECT_NE(state(sum), "");
  std::string compound = "select 1";
  for (int i = 0; i < 200; ++i) compound += " union all select 1";
  EXPECT_EQ(state(compound), "54000");
  EXPECT_EQ(state("select 'x' like '" + std::string(2000, '%') + "'"), "54000");
  EXPECT_EQ(state("select $99999"), "42P02");
  EXPECT_EQ(state("select $1"), "42P02");
  std::string casts = "select 1";
  for (int i = 0; i < 5000; ++i) casts += "::int";
  EXPECT_EQ(state(casts), "54001");
  EXPECT_EQ(a.query("select 1").value(), "1");
}

// The pattern is matched against every place of the text; on the loop only for so long.
TEST_F(SqliteTest, ABadPatternDoesNotHoldTheLoop) {
  PgClient& a = connect();
  PgClient& b = connect();
  a.query("set statement_timeout = 200");
  a.send(fake::pg_query("select replace(hex(zeroblob(5000000)), '0', 'a') like '%" +
                        std::string(900, 'a') + "b'"));
  EXPECT_EQ(b.query("select 1").value(), "1");
  EXPECT_EQ(a.reply().sqlstate(), "57014");
}

// Two sessions on one loop share a reader: nothing of one may show in the other.
TEST_F(SqliteTest, SessionsShareNothing) {
  PgClient& a = connect({{"user", "ann"}, {"database", "first"}});
  PgClient& b = connect({{"user", "bob"}, {"database", "second"}});
  EXPECT_EQ(values_of(a.query(
                "select current_user, current_database(), current_setting('application_name')")),
            "ann|first|;");
  EXPECT_EQ(a.query("select set_config('my.own', 'secret', false)").value(), "secret");
  EXPECT_EQ(values_of(b.query("select current_user, current_database()")), "bob|second;");
  EXPECT_EQ(b.query("select current_setting('my.own')").sqlstate(), "42704");
  EXPECT_EQ(b.query("select current_setting('my.own', true)").value(), "(null)");
  a.ask(fake::pg_parse("p", "select 1") + fake::pg_sync());
  EXPECT_EQ(b.ask(fake::pg_bind({"", "p", {}, {}, {}}) + fake::pg_sync()).sqlstate(), "26000");
  EXPECT_NE(a.query("select pg_backend_pid()").value(), b.query("select pg_backend_pid()").value());
  // Bound values do not stay in a cached statement.
  a.ask(fake::pg_parse("", "select $1::text") + fake::pg_bind({"", "", {"mine"}, {}, {}}) +
        fake::pg_execute("") + fake::pg_sync());
  EXPECT_EQ(b.ask(fake::pg_parse("", "select $1::text") +
                  fake::pg_bind({"", "", {std::nullopt}, {}, {}}) + fake::pg_execute("") +
                  fake::pg_sync())
                .value(),
            "(null)");
}

}  // namespace
}  // namespace weir::engine
