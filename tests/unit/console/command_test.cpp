// What is understood, who may do what, what drivers say when they connect.
#include "fixture.h"

namespace weir::engine {

using fake::pg_parse;
using fake::pg_sync;

namespace {

TEST_F(ConsoleTest, CaseCommentsSemicolons) {
  const auto client = login();
  for (const char* text : {"show version", "SHOW VERSION;", "  sHoW /* a */ Version ; ;",
                           "-- what is it?\nSHOW VERSION", "SHOW version -- end"})
    EXPECT_EQ(client->query(text).value(), "weir 1.2.3") << text;
  const auto two = client->query("SHOW VERSION; SHOW STATE");
  EXPECT_EQ(two.tags, (std::vector<std::string>{"SHOW", "SHOW"}));
  EXPECT_EQ(client->query(";").kinds, "IZ");
}

TEST_F(ConsoleTest, WhatIsNotKnownIsASyntaxErrorWithAHint) {
  const auto client = login();
  for (const char* text :
       {"FOO", "SHOW", "SHOW FOO", "SHOW POOLS POOLS", "SHOW \"pools\"", "INSERT INTO t VALUES (1)",
        "SELECT * FROM pools", "SELECT foo()", "SELECT 1 +", "KILL_CLIENT", "KILL_CLIENT x",
        "RELOAD now", "PAUSE 1", "SHUTDOWN later", "SHOW FDS"}) {
    const auto reply = client->query(text);
    EXPECT_EQ(reply.sqlstate(), "42601") << text;
    ASSERT_EQ(reply.errors.size(), 1u) << text;
    EXPECT_NE(reply.errors[0].hint.find("SHOW HELP"), std::string::npos) << text;
  }
  EXPECT_TRUE(actions.commands.empty());
  const auto extended = client->ask(pg_parse("", "FOO") + pg_sync());
  EXPECT_EQ(extended.kinds, "EZ");
  EXPECT_EQ(client->query("SHOW VERSION").value(), "weir 1.2.3");
}

TEST_F(ConsoleTest, CommandsReachTheActions) {
  const auto client = login();
  const auto last = [&](const char* text) {
    const auto reply = client->query(text);
    EXPECT_EQ(reply.sqlstate(), "") << text;
    return actions.commands.back();
  };
  EXPECT_EQ(last("reload;").verb, AdminVerb::Reload);
  EXPECT_EQ(last("PAUSE").database, "");
  EXPECT_EQ(last("PAUSE \"My App\"").database, "My App");
  EXPECT_EQ(last("RESUME app").verb, AdminVerb::Resume);
  EXPECT_EQ(last("RECONNECT App").database, "app");
  EXPECT_EQ(last("KILL_CLIENT 12").client, 12u);
  EXPECT_EQ(last("KILL_CLIENT c13").client, 13u);
  EXPECT_EQ(last("KILL_CLIENT 'c14'").client, 14u);
  EXPECT_EQ(last("SHUTDOWN").verb, AdminVerb::ShutDown);
  EXPECT_EQ(last("SHUTDOWN WAIT_FOR_CLIENTS").verb, AdminVerb::ShutDownWaiting);
  EXPECT_EQ(client->query("PAUSE").tags, std::vector<std::string>{"PAUSE"});
}

TEST_F(ConsoleTest, ACommandIsAnsweredWhenItIsDone) {
  actions.holds = true;
  const auto client = login();
  client->send(fake::pg_query("PAUSE app"));
  loop.advance(10 * base::kSecond);
  EXPECT_EQ(client->so_far().kinds, "");
  actions.kept.at(0)(base::ok());
  EXPECT_EQ(client->reply().kinds, "CZ");
}

TEST_F(ConsoleTest, ACommandThatFailsSaysWhy) {
  actions.result = base::Error{base::ErrorKind::Refused, "no such database: x", "3D000"};
  const auto client = login();
  const auto reply = client->query("PAUSE x");
  EXPECT_EQ(reply.sqlstate(), "3D000");
  EXPECT_EQ(reply.errors[0].message, "no such database: x");
}

TEST_F(ConsoleTest, WaitingEndsWithACancelOrATimeout) {
  actions.holds = true;
  const auto client = login();
  client->send(fake::pg_query("PAUSE"));
  loop.settle();
  const auto other = connect();
  std::string request;
  postgres::MessageBuilder(request, '\0')
      .int32(80877102)
      .int32(client->process_id())
      .raw(client->secret());
  other->send(request);
  EXPECT_EQ(client->reply().sqlstate(), "57014");
  client->query("SET statement_timeout = 500");
  client->send(fake::pg_query("PAUSE"));
  loop.settle();
  loop.advance(600 * base::kMillisecond);
  EXPECT_EQ(client->reply().sqlstate(), "57014");
  for (const auto& done : actions.kept) done(base::ok());  // too late
  EXPECT_EQ(client->query("SHOW VERSION").value(), "weir 1.2.3");
}

// ---------------------------------------------------------------- who may do what

TEST_F(ConsoleTest, StatsUsersOnlyLook) {
  const auto client = login("mon");
  EXPECT_EQ(client->query("SHOW POOLS").sqlstate(), "");
  for (const char* text : {"RELOAD", "PAUSE", "RESUME", "RECONNECT", "KILL_CLIENT 1", "SHUTDOWN"})
    EXPECT_EQ(client->query(text).sqlstate(), "42501") << text;
  EXPECT_TRUE(actions.commands.empty());
}

TEST_F(ConsoleTest, OthersAreNotLetIn) {
  const auto client = connect();
  const auto reply = client->start({{"user", "joe"}, {"database", "weir"}});
  EXPECT_EQ(reply.sqlstate(), "28000");
  EXPECT_EQ(reply.errors.at(0).severity, "FATAL");
  EXPECT_TRUE(client->ended());
}

TEST_F(ConsoleTest, ARightThatIsTakenAwayIsGoneAtOnce) {
  const auto client = login();
  roles["ops"] = AdminRole::Stats;
  EXPECT_EQ(client->query("RELOAD").sqlstate(), "42501");
  roles["ops"] = AdminRole::None;
  EXPECT_EQ(client->query("SHOW POOLS").sqlstate(), "42501");
}

// ---------------------------------------------------------------- drivers

TEST_F(ConsoleTest, WhatDriversSayWhenTheyConnect) {
  const auto client = login();
  for (const char* text :
       {"SET extra_float_digits = 3", "SET client_encoding TO 'UTF8'", "SET datestyle TO 'ISO'",
        "SET application_name = 'x'", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "BEGIN", "COMMIT", "ROLLBACK", "DISCARD ALL"})
    EXPECT_EQ(client->query(text).sqlstate(), "") << text;
  for (const char* name : {"client_encoding", "standard_conforming_strings", "datestyle",
                           "timezone", "default_transaction_isolation", "server_version"})
    EXPECT_EQ(client->query(std::string("SHOW ") + name).rows.size(), 1u) << name;
  EXPECT_EQ(client->query("SHOW TRANSACTION ISOLATION LEVEL").value(), "read committed");
}

TEST_F(ConsoleTest, SelectsOfDrivers) {
  const auto client = login();
  EXPECT_EQ(client->query("select 1").value(), "1");
  EXPECT_EQ(client->query("SELECT 'it''s' AS a").value(), "it's");
  EXPECT_NE(client->query("select pg_catalog.version()").value().find("weir"), std::string::npos);
  EXPECT_EQ(client->query("select current_schema()").value(), "public");
  EXPECT_EQ(client->query("select current_user, current_database() db, 2").rows.at(0).at(1),
            "weir");
  const auto bound = client->ask(pg_parse("", "SELECT 1 AS one") + fake::pg_bind({}) +
                                 fake::pg_describe('P', "") + fake::pg_execute("") + pg_sync());
  EXPECT_EQ(bound.kinds, "12TDCZ");
  EXPECT_EQ(bound.columns, std::vector<std::string>{"one"});
}

TEST_F(ConsoleTest, SettingsThroughSetConfig) {
  const auto client = login();
  const auto reply = client->query("SELECT pg_catalog.set_config('application_name','x y',false)");
  EXPECT_EQ(reply.value(), "x y");
  EXPECT_EQ(client->query("SHOW application_name").value(), "x y");
}

TEST_F(ConsoleTest, TransactionsAreOnlyTheClientsWord) {
  const auto client = login();
  EXPECT_EQ(client->query("BEGIN").status, 'T');
  EXPECT_EQ(client->query("SHOW POOLS").status, 'T');
  EXPECT_EQ(client->query("FOO").status, 'E');
  EXPECT_EQ(client->query("SHOW POOLS").sqlstate(), "25P02");
  EXPECT_EQ(client->query("ROLLBACK").status, 'I');
}

}  // namespace
}  // namespace weir::engine
