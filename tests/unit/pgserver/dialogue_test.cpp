// The protocol, message by message.
#include "fixture.h"

namespace weir::pgserver {
namespace {

using namespace fake;

TEST_F(ServerTest, Login) {
  auto client = connect();
  const PgReply reply = client->start(
      {{"application_name", "me"}, {"client_encoding", "'utf-8'"}, {"datestyle", "iso, dmy"}});
  EXPECT_EQ(reply.kinds.front(), 'R');
  EXPECT_EQ(reply.kinds.substr(reply.kinds.size() - 2), "KZ");
  EXPECT_EQ(reply.status, 'I');
  for (const auto& [name, value] : postgres::SettingMap{{"server_encoding", "UTF8"},
                                                        {"integer_datetimes", "on"},
                                                        {"standard_conforming_strings", "on"},
                                                        {"is_superuser", "off"},
                                                        {"session_authorization", "tester"},
                                                        {"application_name", "me"},
                                                        {"TimeZone", "UTC"},
                                                        {"IntervalStyle", "postgres"}})
    EXPECT_EQ(reply.statuses.at(name), value) << name;
  EXPECT_EQ(reply.statuses.at("server_version").substr(0, 11), "15.0 (weir ");
  EXPECT_NE(client->process_id(), 0U);
  // What the client has spelt in its own way is reported as it is kept, before the first answer
  // ends.
  const PgReply next = client->query("show client_encoding");
  EXPECT_EQ(next.value(), "UTF8");
  EXPECT_EQ(next.statuses.at("client_encoding"), "UTF8");
  EXPECT_EQ(next.statuses.at("DateStyle"), "ISO, DMY");
}

TEST_F(ServerTest, LoginThatIsRefused) {
  struct Case {
    postgres::SettingMap parameters;
    std::string sqlstate;
  };
  const Case kTable[] = {{{{"database", "nowhere"}}, "3D000"},
                         {{{"client_encoding", "LATIN1"}}, "22023"},
                         {{{"no_such_setting", "1"}}, "42704"},
                         {{{"server_version", "99"}}, "55P02"}};
  for (const Case& each : kTable) {
    auto client = connect();
    const PgReply reply = client->start(each.parameters);
    ASSERT_EQ(reply.errors.size(), 1U);
    EXPECT_EQ(reply.errors[0].severity, "FATAL");
    EXPECT_EQ(reply.sqlstate(), each.sqlstate);
    EXPECT_TRUE(client->ended());
  }
  EXPECT_EQ(server.connections(), 0U);
}

TEST_F(ServerTest, LoginThatTakesTooLong) {
  auto client = connect();
  client->send(std::string("\0\0\0", 3));
  loop.settle();
  loop.advance(61 * base::kSecond);
  loop.settle();
  EXPECT_TRUE(client->ended());
  EXPECT_EQ(server.connections(), 0U);
}

TEST_F(ServerTest, SimpleQueries) {
  auto client = login();
  PgReply reply = client->query("rows 2");
  EXPECT_EQ(reply.kinds, "TDDCZ");
  EXPECT_EQ(reply.columns, std::vector<std::string>{"n"});
  EXPECT_EQ(reply.rows[1][0], "2");
  EXPECT_EQ(reply.tags[0], "SELECT 2");
  EXPECT_EQ(client->query("").kinds, "IZ");
  EXPECT_EQ(client->query(" ; -- nothing\n;").kinds, "IZ");
  EXPECT_EQ(client->query("rows 0").kinds, "TCZ");
  EXPECT_EQ(client->query("rows 1; write; rows 1").kinds, "TDCCTDCZ");
  EXPECT_EQ(log(),
            "run(rows 2,last) run(rows 0,last) run(rows 1) run(write) run(rows 1,last) commit ");
  EXPECT_EQ(client->query("write").kinds, "CZ");
  EXPECT_EQ(log(), "run(write,last) ");
}

TEST_F(ServerTest, ErrorsInSimpleQueries) {
  auto client = login();
  PgReply reply = client->query("write; fail; rows 1");
  EXPECT_EQ(reply.kinds, "CEZ");
  EXPECT_EQ(reply.sqlstate(), "22012");
  EXPECT_EQ(reply.errors[0].position, "9");
  EXPECT_EQ(log(), "run(write) run(fail) rollback ");
  reply = client->query("rows 1; 'open");
  EXPECT_EQ(reply.kinds, "EZ");
  EXPECT_EQ(reply.sqlstate(), "42601");
  EXPECT_EQ(reply.errors[0].position, "9");
  EXPECT_EQ(client->query("rows \xff").sqlstate(), "22021");
  EXPECT_EQ(client->query("rows 1").kinds, "TDCZ");
}

TEST_F(ServerTest, ExtendedQueries) {
  auto client = login();
  PgReply reply = client->ask(pg_parse("", "echo") + pg_describe('S', "") +
                              pg_bind({"", "", {"7", std::nullopt}, {}, {1, 0}}) +
                              pg_describe('P', "") + pg_execute("") + pg_sync());
  EXPECT_EQ(reply.kinds, "1tT2TDCZ");
  EXPECT_EQ(reply.parameters, (std::vector<uint32_t>{oid::kInt4, oid::kText}));
  EXPECT_EQ(reply.rows[0][0], std::string("\0\0\0\7", 4));
  EXPECT_EQ(reply.rows[0][1], std::nullopt);
  EXPECT_EQ(log(), "describe(echo) run(echo,last) ");

  reply = client->ask(pg_parse("s", "write") + pg_bind({"p", "s", {}, {}, {}}) + pg_execute("p") +
                      pg_execute("p") + pg_sync());
  EXPECT_EQ(reply.kinds, "12CEZ");
  EXPECT_EQ(reply.sqlstate(), "55000");
  EXPECT_EQ(log(), "describe(write) run(write) rollback ");
  EXPECT_EQ(client
                ->ask(pg_bind({"", "s", {}, {}, {}}) + pg_execute("") +
                      pg_bind({"", "s", {}, {}, {}}) + pg_execute("") + pg_sync())
                .kinds,
            "2C2CZ");
  EXPECT_EQ(log(), "run(write) run(write,last) ");  // the last one ends the transaction itself
  EXPECT_EQ(
      client
          ->ask(pg_parse("", "") + pg_bind({}) + pg_describe('P', "") + pg_execute("") + pg_sync())
          .kinds,
      "12nIZ");
  EXPECT_EQ(client->ask(pg_close('S', "s") + pg_close('P', "nothing") + pg_sync()).kinds, "33Z");
}

TEST_F(ServerTest, ErrorsSkipToSync) {
  auto client = login();
  struct Case {
    std::string messages;
    std::string sqlstate;
  };
  const Case kTable[] = {
      {pg_parse("", "bad"), "42601"},
      {pg_parse("", "rows 1; rows 2"), "42601"},
      {pg_bind({"", "none", {}, {}, {}}), "26000"},
      {pg_describe('S', "none"), "26000"},
      {pg_describe('P', "none"), "34000"},
      {pg_describe('X', ""), "08P01"},
      {pg_execute("none"), "34000"},
      {pg_parse("a", "rows 1") + pg_parse("a", "rows 1"), "42P05"},
      {pg_parse("", "rows 1") + pg_bind({"x", "", {}, {}, {}}) + pg_bind({"x", "", {}, {}, {}}),
       "42P03"},
      {pg_parse("", "echo") + pg_bind({"", "", {"1"}, {}, {}}), "08P01"},
      {pg_parse("", "echo") + pg_bind({"", "", {"x", "y"}, {}, {}}), "22P02"},
      {pg_parse("", "echo") + pg_bind({"", "", {"1", "y"}, {2}, {}}), "22023"},
      {pg_parse("", "echo") + pg_bind({"", "", {"1", "y"}, {0, 0, 0}, {}}), "08P01"},
      {pg_parse("", "echo") + pg_bind({"", "", {"1", "y"}, {}, {0, 0, 0}}), "08P01"},
      {pg_message('P', "no end"), "08P01"},
      {pg_message('B', std::string(3, '\0')), "08P01"},
      {pg_message('E', "x"), "08P01"},
  };
  for (const Case& each : kTable) {
    const PgReply reply =
        client->ask(each.messages + pg_execute("none") + pg_parse("", "rows 1") + pg_sync());
    EXPECT_EQ(reply.sqlstate(), each.sqlstate);
    EXPECT_EQ(reply.errors.size(), 1U);
    EXPECT_EQ(reply.kinds.substr(reply.kinds.size() - 2), "EZ");
    EXPECT_EQ(reply.status, 'I');
  }
  const PgReply call = client->ask(pg_message('F', std::string(10, '\0')));
  EXPECT_EQ(call.kinds, "EZ");
  EXPECT_EQ(call.sqlstate(), "0A000");
}

TEST_F(ServerTest, RowLimits) {
  auto client = login();
  EXPECT_EQ(client
                ->ask(pg_parse("", "rows 5") + pg_bind({}) + pg_execute("", 2) + pg_execute("", 2) +
                      pg_execute("", 2) + pg_execute("", 2) + pg_sync())
                .kinds,
            "12DDsDDsDCCZ");
  // Outside a block the portal ends with the turn.
  EXPECT_EQ(client->ask(pg_parse("", "rows 5") + pg_bind({}) + pg_execute("", 2) + pg_sync()).kinds,
            "12DDsZ");
  EXPECT_EQ(client->ask(pg_execute("", 2) + pg_sync()).sqlstate(), "34000");
  client->query("begin");
  EXPECT_EQ(client
                ->ask(pg_parse("", "rows 5") + pg_bind({"c", "", {}, {}, {}}) + pg_execute("c", 2) +
                      pg_sync())
                .kinds,
            "12DDsZ");
  const PgReply rest = client->ask(pg_execute("c", 0) + pg_sync());
  EXPECT_EQ(rest.kinds, "DDDCZ");
  EXPECT_EQ(rest.tags[0], "SELECT 3");
  client->query("commit");
  EXPECT_EQ(client->ask(pg_execute("c", 0) + pg_sync()).sqlstate(), "34000");
}

TEST_F(ServerTest, Copy) {
  auto client = login();
  client->send(pg_query("copy in"));
  EXPECT_EQ(client->until('G').kinds, "G");
  EXPECT_EQ(
      client->ask(pg_message('d', "abc") + pg_message('d', "de") + pg_message('c', "")).tags[0],
      "COPY 5");
  client->send(pg_query("copy in"));
  PgReply reply =
      client->ask(pg_message('d', "wrong") + pg_message('d', "more") + pg_message('c', ""));
  EXPECT_EQ(reply.kinds, "GEZ");
  client->send(pg_query("copy in"));
  EXPECT_EQ(client->ask(pg_message('f', std::string("no\0", 3))).sqlstate(), "57014");
  reply = client->ask(pg_parse("", "copy in") + pg_bind({}) + pg_execute("") + pg_sync() +
                      pg_message('d', "x") + pg_message('c', "") + pg_sync());
  EXPECT_EQ(reply.kinds, "12GCZ");
  client->send(pg_query("copy in"));
  reply = client->ask(pg_query("rows 1"));
  EXPECT_EQ(reply.errors[0].severity, "FATAL");
  EXPECT_TRUE(client->ended());
}

// One conversation, delivered in pieces of every size: the same bytes come back.
TEST_F(ServerTest, EverySplit) {
  const std::string talk =
      pg_startup({{"user", "u"}}) + pg_query("rows 3; fail") + pg_parse("s", "echo") +
      pg_bind({"p", "s", {"1", "two"}, {}, {}}) + pg_describe('P', "p") + pg_execute("p") +
      pg_parse("", "bad") + pg_execute("p") + pg_sync() + pg_query("begin; write; savepoint a") +
      pg_query("set application_name = 'x'") + pg_query("fail") + pg_query("rows 1") +
      pg_query("rollback to a; commit") + pg_query("copy in") + pg_message('d', "12") +
      pg_message('c', "") + pg_parse("", "rows 9") + pg_bind({}) + pg_execute("", 4) + pg_sync();
  std::string expected;
  for (const size_t piece :
       {talk.size(), size_t{1}, size_t{2}, size_t{3}, size_t{5}, size_t{7}, size_t{64}}) {
    for (const size_t window : {size_t{64 * 1024}, size_t{1}}) {
      auto [ours, theirs] = make_fake_streams(loop);
      ours->outward().deliver_bytes_max = piece;
      ours->inward().write_bytes_max = window;
      Recorder recorder;
      ours->set_reader(&recorder);
      server.serve(loop, std::move(theirs));
      ASSERT_EQ(ours->write(talk), static_cast<int64_t>(talk.size()));
      loop.settle();
      // The key to cancel with differs from connection to connection.
      std::string answer;
      for (size_t at = 0;;) {
        auto message = postgres::cut_message(std::string_view(recorder.bytes).substr(at), 1 << 20);
        ASSERT_TRUE(message);
        if (message->consumed == 0) break;
        if (message->type != 'K')
          answer += std::string(1, message->type) + std::string(message->body);
        at += message->consumed;
      }
      if (expected.empty()) expected = answer;
      EXPECT_EQ(answer, expected) << "pieces of " << piece << ", window " << window;
    }
  }
  EXPECT_NE(expected.find("COPY 2"), std::string::npos);
}

TEST_F(ServerTest, NonsenseEndsTheConnection) {
  const std::pair<std::string, std::string> kTable[] = {
      {std::string("?\0\0\0\4", 5), "08P01"},
      {std::string("Q\0\0\0\3", 5), "08P01"},
      {std::string("Q\xff\xff\xff\xff", 5), "54000"},
      {std::string("Q\x7f\xff\xff\xff", 5), "54000"},
      {pg_message('Q', "no end"), "08P01"},
      {pg_message('p', "secret"), "08P01"},
  };
  for (const auto& [bytes, sqlstate] : kTable) {
    auto client = login();
    client->send(bytes);
    const PgReply reply = client->reply();
    EXPECT_EQ(reply.sqlstate(), sqlstate);
    EXPECT_EQ(reply.errors.size(), 1U);
    EXPECT_EQ(reply.errors[0].severity, "FATAL");
    EXPECT_TRUE(client->ended());
  }
  EXPECT_EQ(server.connections(), 0U);
  EXPECT_TRUE(executors.alive.empty());
}

TEST_F(ServerTest, SlowReadersStopTheRows) {
  auto client = login();
  wire->inward().stalled = true;
  client->send(pg_query("big 100000"));
  loop.settle();
  EXPECT_EQ(client->so_far().kinds, "");
  EXPECT_GT(executors.rows, 50U);
  EXPECT_LT(executors.rows, 500U);  // of 1000 bytes each
  wire->inward().stalled = false;
  const PgReply reply = client->reply();
  EXPECT_EQ(reply.rows.size(), 100'000U);
  EXPECT_EQ(reply.tags[0], "SELECT 100000");
}

TEST_F(ServerTest, Goodbye) {
  // What was asked for before is answered, also when all of it comes at once.
  auto hasty = login();
  hasty->send(pg_query("rows 1") + pg_message('X', ""));
  EXPECT_EQ(hasty->reply().kinds, "TDCZ");
  auto client = login();
  log();
  client->query("begin");
  client->query("write");
  client->send(pg_message('X', ""));
  loop.settle();
  EXPECT_TRUE(client->ended());
  EXPECT_EQ(log(), "begin run(write) rollback ");
  EXPECT_EQ(server.connections(), 0U);
}

}  // namespace
}  // namespace weir::pgserver
