// SHOW: PgBouncer's columns first and in order, the values, the workers that are asked.
#include "fixture.h"

namespace weir::engine {

using fake::pg_bind;
using fake::pg_describe;
using fake::pg_execute;
using fake::pg_parse;
using fake::pg_sync;
using fake::PgReply;

namespace {

using Names = std::vector<std::string>;

const Names kSocketColumns = {"type",
                              "user",
                              "database",
                              "replication",
                              "state",
                              "addr",
                              "port",
                              "local_addr",
                              "local_port",
                              "connect_time",
                              "request_time",
                              "wait",
                              "wait_us",
                              "close_needed",
                              "ptr",
                              "link",
                              "remote_pid",
                              "tls",
                              "application_name",
                              "prepared_statements",
                              "id"};

// facts/postgres-poolers.md, 1.7.
const std::map<std::string, Names> kPgBouncer = {
    {"POOLS",
     {"database", "user", "cl_active", "cl_waiting", "cl_active_cancel_req",
      "cl_waiting_cancel_req", "sv_active", "sv_active_cancel", "sv_being_canceled", "sv_idle",
      "sv_used", "sv_tested", "sv_login", "maxwait", "maxwait_us", "pool_mode",
      "load_balance_hosts"}},
    {"CLIENTS", kSocketColumns},
    {"SERVERS", kSocketColumns},
    {"DATABASES",
     {"name", "host", "port", "database", "force_user", "pool_size", "min_pool_size",
      "reserve_pool_size", "server_lifetime", "pool_mode", "load_balance_hosts", "max_connections",
      "current_connections", "max_client_connections", "current_client_connections", "paused",
      "disabled"}},
    {"STATS",
     {"database",
      "total_server_assignment_count",
      "total_xact_count",
      "total_query_count",
      "total_received",
      "total_sent",
      "total_xact_time",
      "total_query_time",
      "total_wait_time",
      "total_client_parse_count",
      "total_server_parse_count",
      "total_bind_count",
      "total_client_login_count",
      "avg_server_assignment_count",
      "avg_xact_count",
      "avg_query_count",
      "avg_recv",
      "avg_sent",
      "avg_xact_time",
      "avg_query_time",
      "avg_wait_time",
      "avg_client_parse_count",
      "avg_server_parse_count",
      "avg_bind_count",
      "avg_client_login_count"}},
    {"STATS_TOTALS",
     {"database", "server_assignment_count", "xact_count", "query_count", "bytes_received",
      "bytes_sent", "xact_time", "query_time", "wait_time", "client_parse_count",
      "server_parse_count", "bind_count", "client_login_count"}},
    {"USERS",
     {"name", "pool_size", "reserve_pool_size", "pool_mode", "max_user_connections",
      "current_connections", "max_user_client_connections", "current_client_connections"}},
    {"LISTS", {"list", "items"}},
    {"DNS_HOSTS", {"hostname", "ttl", "addrs"}},
    {"CONFIG", {"key", "value", "default", "changeable"}},
    {"STATE", {"key", "value"}},
    {"VERSION", {"version"}},
};

std::string cell(const PgReply& reply, size_t row, const std::string& column) {
  for (size_t i = 0; i < reply.columns.size(); ++i)
    if (reply.columns[i] == column) return reply.rows.at(row).at(i).value_or("(null)");
  return "(no such column)";
}

void fill(FakeView& view) {
  view.all_pools = {{.database = "app",
                     .user = "rw",
                     .mode = "transaction",
                     .clients_active = 2,
                     .clients_idle = 40,
                     .clients_waiting = 3,
                     .servers_active = 4,
                     .servers_idle = 5,
                     .servers_opening = 6,
                     .servers_resetting = 7,
                     .servers_checking = 8,
                     .servers_closing = 9,
                     .size = 20,
                     .longest_wait = 2 * base::kSecond + 345,
                     .paused = true,
                     .last_error = "it is down"}};
  AdminClient joe, ann;
  joe.id = 4;
  joe.user = "joe";
  joe.peer = "10.0.0.1:5555";
  joe.server_id = 3;
  joe.pin = "lock";
  ann.id = 3;
  ann.user = "ann";
  ann.peer = "unix:/s";
  ann.worker = 1;
  AdminServer server;
  server.id = 3;
  server.peer = "[::1]:5432";
  server.client_id = 4;
  server.pin = "lock";
  view.people[0].clients = {joe};
  view.people[1] = {{ann}, {server}};
}

TEST_F(ConsoleTest, ColumnsOfPgBouncerComeFirst) {
  const auto client = login();
  for (const auto& [what, expected] : kPgBouncer) {
    const auto reply = client->query("SHOW " + what);
    ASSERT_EQ(reply.sqlstate(), "") << what;
    ASSERT_GE(reply.columns.size(), expected.size()) << what;
    EXPECT_EQ(Names(reply.columns.begin(), reply.columns.begin() + expected.size()), expected)
        << what;
    EXPECT_EQ(reply.tags, Names{"SHOW"});
  }
}

TEST_F(ConsoleTest, EveryShowHasAsManyValuesAsColumns) {
  fill(view);
  view.all_databases.resize(2);
  view.all_stats.resize(1);
  view.all_users.resize(1);
  const auto client = login();
  for (const auto& [what, expected] : kPgBouncer) {
    const auto reply = client->query("SHOW " + what);
    ASSERT_FALSE(reply.rows.empty()) << what;
    for (const auto& row : reply.rows) EXPECT_EQ(row.size(), reply.columns.size()) << what;
  }
  EXPECT_EQ(client->query("SHOW STATS_AVERAGES").columns.size(), 13u);
  EXPECT_GT(client->query("SHOW HELP").rows.size(), 10u);
}

TEST_F(ConsoleTest, PoolsAsPgBouncerCountsThem) {
  fill(view);
  const auto reply = login()->query("show pools");
  EXPECT_EQ(cell(reply, 0, "database"), "app");
  EXPECT_EQ(cell(reply, 0, "cl_active"), "42");
  EXPECT_EQ(cell(reply, 0, "cl_waiting"), "3");
  EXPECT_EQ(cell(reply, 0, "sv_active"), "4");
  EXPECT_EQ(cell(reply, 0, "sv_idle"), "5");
  EXPECT_EQ(cell(reply, 0, "sv_login"), "6");
  EXPECT_EQ(cell(reply, 0, "sv_tested"), "15");
  EXPECT_EQ(cell(reply, 0, "maxwait"), "2");
  EXPECT_EQ(cell(reply, 0, "maxwait_us"), "345");
  EXPECT_EQ(cell(reply, 0, "pool_mode"), "transaction");
  EXPECT_EQ(cell(reply, 0, "pool_size"), "20");
  EXPECT_EQ(cell(reply, 0, "paused"), "1");
  EXPECT_EQ(cell(reply, 0, "last_error"), "it is down");
}

TEST_F(ConsoleTest, ClientsAndServersOfAllWorkersInOrder) {
  fill(view);
  const auto client = login();
  const auto clients = client->query("SHOW CLIENTS");
  ASSERT_EQ(clients.rows.size(), 2u);
  EXPECT_EQ(cell(clients, 0, "user"), "ann");
  EXPECT_EQ(cell(clients, 0, "addr"), "unix");
  EXPECT_EQ(cell(clients, 0, "worker"), "1");
  EXPECT_EQ(cell(clients, 1, "addr"), "10.0.0.1");
  EXPECT_EQ(cell(clients, 1, "port"), "5555");
  EXPECT_EQ(cell(clients, 1, "link"), "s3");
  EXPECT_EQ(cell(clients, 0, "pin"), "");
  EXPECT_EQ(cell(clients, 1, "pin"), "lock");
  const auto servers = client->query("SHOW SERVERS");
  ASSERT_EQ(servers.rows.size(), 1u);
  EXPECT_EQ(cell(servers, 0, "type"), "S");
  EXPECT_EQ(cell(servers, 0, "addr"), "::1");
  EXPECT_EQ(cell(servers, 0, "port"), "5432");
  EXPECT_EQ(cell(servers, 0, "link"), "c4");
  EXPECT_EQ(cell(servers, 0, "pin"), "lock");
}

TEST_F(ConsoleTest, AWorkerThatDoesNotAnswerIsLeftOut) {
  fill(view);
  view.silent = 0;
  const auto client = login();
  client->send(fake::pg_query("SHOW CLIENTS"));
  EXPECT_EQ(client->so_far().kinds, "");
  loop.advance(900 * base::kMillisecond);
  EXPECT_EQ(client->so_far().kinds, "");
  loop.advance(200 * base::kMillisecond);
  const auto reply = client->reply();
  ASSERT_EQ(reply.rows.size(), 1u);
  EXPECT_EQ(cell(reply, 0, "user"), "ann");
  view.kept.at(0)({});  // too late: nothing happens
  EXPECT_EQ(client->query("SHOW VERSION").value(), "weir 1.2.3");
}

TEST_F(ConsoleTest, AnAnswerForOneWhoHasLeft) {
  view.silent = 1;
  auto client = login();
  client->send(fake::pg_query("SHOW SERVERS"));
  loop.settle();
  client->hang_up();
  loop.settle();
  view.kept.at(0)({});
  loop.settle();
  EXPECT_EQ(login()->query("SHOW VERSION").value(), "weir 1.2.3");
}

// ---------------------------------------------------------------- the extended protocol

TEST_F(ConsoleTest, ExtendedProtocolWithBinaryResults) {
  fill(view);
  const auto client = login();
  const auto shape = client->ask(pg_parse("s", "SHOW POOLS") + pg_describe('S', "s") + pg_sync());
  EXPECT_EQ(shape.kinds, "1tTZ");
  EXPECT_EQ(shape.columns.at(0), "database");
  EXPECT_EQ(shape.types.at(2), 23u);
  const auto reply = client->ask(pg_bind({.portal = "",
                                          .statement = "s",
                                          .values = {},
                                          .value_formats = {},
                                          .result_formats = {1}}) +
                                 pg_execute("") + pg_sync());
  EXPECT_EQ(reply.kinds, "2DCZ");
  EXPECT_EQ(reply.rows.at(0).at(2), std::string("\0\0\0\x2a", 4));
}

TEST_F(ConsoleTest, ExtendedProtocolAskingWorkersARowAtATime) {
  fill(view);
  const auto client = login();
  const auto reply = client->ask(pg_parse("", "show clients") + pg_bind({}) + pg_describe('P', "") +
                                 pg_execute("", 1) + pg_execute("", 1) + pg_sync());
  EXPECT_EQ(reply.kinds, "12TDsDCZ");
}

TEST_F(ConsoleTest, StatsInBinaryAreNumeric) {
  view.all_stats = {{"app", {.queries = 12}, {}}};
  const auto client = login();
  const auto reply = client->ask(pg_parse("", "SHOW STATS") +
                                 pg_bind({.portal = "",
                                          .statement = "",
                                          .values = {},
                                          .value_formats = {},
                                          .result_formats = {1}}) +
                                 pg_execute("") + pg_sync());
  ASSERT_EQ(reply.kinds, "12DCZ");
  EXPECT_EQ(reply.rows.at(0).at(3), std::string("\0\1\0\0\0\0\0\0\0\x0c", 10));
}

TEST_F(ConsoleTest, BytesOneByOne) {
  fill(view);
  const auto client = login();
  const std::string messages = fake::pg_query("SHOW CLIENTS; SHOW VERSION") +
                               pg_parse("", "SHOW POOLS") + pg_bind({}) + pg_execute("") +
                               pg_sync();
  for (const char c : messages) {
    client->send({&c, 1});
    loop.settle();
  }
  EXPECT_EQ(client->reply().kinds, "TDDCTDCZ");
  EXPECT_EQ(client->reply().kinds, "12DCZ");
}

}  // namespace
}  // namespace weir::engine
