// Transaction blocks, settings, cancel and time.
#include "fixture.h"

namespace weir::pgserver {
namespace {

using namespace fake;

TEST_F(ServerTest, Blocks) {
  auto client = login();
  PgReply reply = client->query("BEGIN");
  EXPECT_EQ(reply.tags[0], "BEGIN");
  EXPECT_EQ(reply.status, 'T');
  EXPECT_EQ(client->query("write").status, 'T');
  reply = client->query("begin");
  EXPECT_EQ(reply.kinds, "NCZ");
  EXPECT_EQ(reply.notices[0].sqlstate, "25001");
  EXPECT_EQ(client->query("END").tags[0], "COMMIT");
  EXPECT_EQ(log(), "begin run(write) commit ");
  reply = client->query("commit");
  EXPECT_EQ(reply.notices[0].sqlstate, "25P01");
  EXPECT_EQ(reply.status, 'I');
  log();

  client->query("start transaction isolation level serializable, read only");
  EXPECT_EQ(log(), "begin!? ");
  EXPECT_EQ(client->query("show transaction_isolation").value(), "serializable");
  EXPECT_EQ(client->query("show transaction_read_only").value(), "on");
  EXPECT_EQ(client->query("rollback work").tags[0], "ROLLBACK");
  EXPECT_EQ(client->query("show transaction_isolation").value(), "read committed");
  client->query("set session characteristics as transaction read only");
  log();
  client->query("begin");
  EXPECT_EQ(log(), "begin? ");
  EXPECT_EQ(client->query("commit and chain").status, 'T');
  EXPECT_EQ(log(), "commit begin? ");
}

TEST_F(ServerTest, FailedBlocks) {
  auto client = login();
  client->query("begin");
  PgReply reply = client->query("fail");
  EXPECT_EQ(reply.status, 'E');
  reply = client->query("rows 1");
  EXPECT_EQ(reply.sqlstate(), "25P02");
  EXPECT_EQ(reply.status, 'E');
  EXPECT_EQ(client->query("set work_mem = '1MB'").sqlstate(), "25P02");
  EXPECT_EQ(client->query("nonsense at all (").sqlstate(), "25P02");
  EXPECT_EQ(client->ask(pg_parse("", "rows 1") + pg_sync()).sqlstate(), "25P02");
  reply = client->ask(pg_parse("", "commit") + pg_bind({}) + pg_execute("") + pg_sync());
  EXPECT_EQ(reply.tags[0], "ROLLBACK");
  EXPECT_EQ(reply.status, 'I');
  EXPECT_EQ(log(), "begin run(fail) fail_block rollback ");
}

TEST_F(ServerTest, Savepoints) {
  auto client = login();
  EXPECT_EQ(client->query("savepoint a").sqlstate(), "25P01");
  client->query("begin");
  client->query("savepoint a");
  client->query("savepoint \"B\"");
  client->query("fail");
  EXPECT_EQ(client->query("release a").sqlstate(), "25P02");
  PgReply reply = client->query("rollback to savepoint A");
  EXPECT_EQ(reply.tags[0], "ROLLBACK");
  EXPECT_EQ(reply.status, 'T');
  EXPECT_EQ(client->query("rollback to \"B\"").sqlstate(), "3B001");
  client->query("rollback to a");
  EXPECT_EQ(client->query("release a").tags[0], "RELEASE");
  EXPECT_EQ(log(),
            "begin savepoint0 savepoint1 run(fail) fail_block rollback_to0 fail_block rollback_to0 "
            "release0 ");
}

TEST_F(ServerTest, SettingsFollowTransactions) {
  auto client = login();
  PgReply reply = client->query("set application_name to 'one'");
  EXPECT_EQ(reply.kinds, "CSZ");
  EXPECT_EQ(reply.statuses.at("application_name"), "one");
  client->query("begin; set application_name = two");
  reply = client->query("rollback");
  EXPECT_EQ(reply.statuses.at("application_name"), "one");
  client->query("begin; savepoint s; set local application_name = 'three'");
  EXPECT_EQ(client->query("show application_name").value(), "three");
  EXPECT_EQ(client->query("rollback to s").statuses.at("application_name"), "one");
  client->query("set local application_name = 'four'");
  EXPECT_EQ(client->query("commit").statuses.at("application_name"), "one");
  // An error undoes what the same message has set.
  client->query("set work_mem = '1MB'; fail");
  EXPECT_EQ(client->query("show work_mem").value(), "4MB");
  EXPECT_EQ(client->query("set local work_mem = '1MB'").notices[0].sqlstate, "25P01");
  EXPECT_EQ(client->query("show work_mem").value(), "4MB");
  EXPECT_EQ(client->query("reset all").statuses.at("application_name"), "");
  EXPECT_EQ(client->query("set time zone 'Europe/Zurich'").statuses.at("TimeZone"),
            "Europe/Zurich");
  EXPECT_EQ(client->query("set nonsense = 1").sqlstate(), "42704");
  EXPECT_EQ(client->query("set my.own = 1; show my.own").value(), "1");
  EXPECT_EQ(client->query("set role root").sqlstate(), "22023");
  EXPECT_EQ(client->query("set session authorization root").sqlstate(), "0A000");
  EXPECT_GT(client->query("show all").rows.size(), 30U);
}

TEST_F(ServerTest, SessionStatementsOverTheExtendedProtocol) {
  auto client = login();
  PgReply reply = client->ask(pg_parse("", "show server_version_num") + pg_bind({}) +
                              pg_describe('P', "") + pg_execute("") + pg_sync());
  EXPECT_EQ(reply.kinds, "12TDCZ");
  EXPECT_EQ(reply.value(), "150000");
  reply = client->ask(pg_parse("b", "begin") + pg_describe('S', "b") +
                      pg_bind({"", "b", {}, {}, {}}) + pg_execute("") + pg_sync());
  EXPECT_EQ(reply.kinds, "1tn2CZ");
  EXPECT_EQ(reply.status, 'T');
}

TEST_F(ServerTest, DiscardAndDeallocate) {
  auto client = login();
  client->ask(pg_parse("a", "rows 1") + pg_parse("b", "rows 2") + pg_sync());
  EXPECT_EQ(client->query("deallocate a").tags[0], "DEALLOCATE");
  EXPECT_EQ(client->query("deallocate a").sqlstate(), "26000");
  client->query("set application_name = 'x'");
  PgReply reply = client->query("discard all");
  EXPECT_EQ(reply.tags[0], "DISCARD ALL");
  EXPECT_EQ(reply.statuses.at("application_name"), "");
  EXPECT_EQ(client->ask(pg_bind({"", "b", {}, {}, {}}) + pg_sync()).sqlstate(), "26000");
  client->query("begin");
  EXPECT_EQ(client->query("discard all").sqlstate(), "25001");
  client->query("rollback");
  EXPECT_EQ(client->query("deallocate prepare all").tags[0], "DEALLOCATE ALL");
  EXPECT_EQ(client->query("listen x").notices.size(), 1U);
  EXPECT_EQ(client->query("unlisten *").tags[0], "UNLISTEN");
}

TEST_F(ServerTest, Cancel) {
  auto client = login();
  const auto cancel = [&](uint32_t process_id, const std::string& secret) {
    auto other = connect();
    std::string request;
    postgres::MessageBuilder(request, '\0').int32(80877102).int32(process_id).raw(secret);
    other->send(request);
    loop.settle();
    EXPECT_TRUE(other->ended());
  };
  client->send(pg_query("slow rows 1"));
  loop.settle();
  cancel(client->process_id(), "nope");
  cancel(client->process_id() + 1, client->secret());
  EXPECT_EQ(client->so_far().kinds, "");
  cancel(client->process_id(), client->secret());
  EXPECT_EQ(client->reply().sqlstate(), "57014");
  cancel(client->process_id(), client->secret());  // nothing runs: nothing happens
  EXPECT_EQ(client->query("rows 1").kinds, "TDCZ");

  // While rows wait for the client.
  wire = nullptr;
  client->send(pg_query("copy in"));
  client->until('G');
  cancel(client->process_id(), client->secret());
  EXPECT_EQ(client->reply().sqlstate(), "57014");
}

TEST_F(ServerTest, CancelReachesAStatementWhoseRowsWait) {
  auto client = login();
  FakeStream* const slow = wire;
  slow->inward().stalled = true;
  client->send(pg_query("big 100000"));
  loop.settle();
  auto other = connect();
  std::string request;
  postgres::MessageBuilder(request, '\0')
      .int32(80877102)
      .int32(client->process_id())
      .raw(client->secret());
  other->send(request);
  loop.settle();
  slow->inward().stalled = false;
  const PgReply reply = client->reply();
  EXPECT_EQ(reply.sqlstate(), "57014");
  EXPECT_LT(reply.rows.size(), 1000U);
}

TEST_F(ServerTest, PendingCallsAndTheEndOfTheStream) {
  auto client = login();
  client->send(pg_query("slow rows 1"));
  loop.settle();
  ASSERT_EQ(executors.alive.size(), 1U);
  EXPECT_TRUE(executors.alive[0]->pending());
  client->hang_up();
  loop.settle();
  EXPECT_EQ(log(), "run(slow rows 1,last) cancel ");
  EXPECT_TRUE(executors.alive.empty());
  EXPECT_EQ(server.connections(), 0U);
}

TEST_F(ServerTest, MessagesWaitForAPendingCall) {
  auto client = login();
  client->send(pg_query("slow rows 1") + pg_query("rows 2"));
  loop.settle();
  EXPECT_EQ(client->so_far().kinds, "");
  executors.alive[0]->let_go();
  EXPECT_EQ(client->reply().rows.size(), 1U);
  EXPECT_EQ(client->reply().rows.size(), 2U);
}

TEST_F(ServerTest, AFloodIsHeldBackWhileACallIsPending) {
  auto client = login();
  client->send(pg_query("slow rows 1"));
  loop.settle();
  const uint64_t before = wire->bytes_written();
  for (int i = 0; i < 100; ++i) {
    client->send(pg_message('d', std::string(60'000, 'x')));
    loop.settle();
  }
  EXPECT_LT(wire->bytes_written() - before, 600'000U);
  executors.alive[0]->let_go();
  EXPECT_EQ(client->reply().kinds, "TDCZ");
  EXPECT_EQ(client->query("rows 1").kinds, "TDCZ");
}

TEST_F(ServerTest, StatementTimeoutWhileRowsWait) {
  auto client = login();
  client->query("set statement_timeout = 1000");
  wire->inward().stalled = true;
  client->send(pg_query("big 100000"));
  loop.settle();
  loop.advance(2 * base::kSecond);
  wire->inward().stalled = false;
  EXPECT_EQ(client->reply().sqlstate(), "57014");
  wire->inward().stalled = false;
  EXPECT_EQ(client->query("rows 1").kinds, "TDCZ");
}

TEST_F(ServerTest, IdleInTransaction) {
  executors.idle_limit = 10 * base::kSecond;
  auto client = login();
  client->query("rows 1");
  loop.advance(60 * base::kSecond);
  EXPECT_EQ(client->query("begin; write").status, 'T');
  loop.advance(9 * base::kSecond);
  EXPECT_EQ(client->query("rows 1").status, 'T');
  loop.advance(9 * base::kSecond);
  EXPECT_FALSE(client->ended());
  log();
  loop.advance(2 * base::kSecond);
  const PgReply reply = client->reply();
  EXPECT_EQ(reply.sqlstate(), "25P03");
  EXPECT_EQ(reply.errors[0].severity, "FATAL");
  EXPECT_TRUE(client->ended());
  EXPECT_EQ(log(), "rollback ");
}

TEST_F(ServerTest, AnOpenTurnCountsAsIdleInTransaction) {
  executors.idle_limit = 10 * base::kSecond;
  auto client = login();
  client->send(pg_parse("", "write") + pg_bind({}) + pg_execute(""));
  loop.settle();
  loop.advance(11 * base::kSecond);
  EXPECT_EQ(client->reply().sqlstate(), "25P03");
}

struct SmallServerTest : ServerTest {
  SmallServerTest() : ServerTest(small()) {}
  static ServerOptions small() {
    ServerOptions options;
    options.message_bytes_max = 1000;
    options.statements_max = 3;
    options.portals_max = 2;
    options.kept_bytes_max = 1500;
    return options;
  }
};

TEST_F(SmallServerTest, Limits) {
  auto client = login();
  EXPECT_EQ(client
                ->ask(pg_parse("1", "rows 1") + pg_parse("2", "rows 1") + pg_parse("3", "rows 1") +
                      pg_parse("4", "rows 1") + pg_sync())
                .sqlstate(),
            "53400");
  EXPECT_EQ(client
                ->ask(pg_bind({"1", "1", {}, {}, {}}) + pg_bind({"2", "1", {}, {}, {}}) +
                      pg_bind({"3", "1", {}, {}, {}}) + pg_sync())
                .sqlstate(),
            "53400");
  client->query("deallocate all");
  const std::string text = "rows " + std::string(800, '1');
  EXPECT_EQ(client->ask(pg_parse("1", text) + pg_parse("2", text) + pg_sync()).sqlstate(), "53400");
  EXPECT_EQ(client->ask(pg_close('S', "1") + pg_parse("2", text) + pg_sync()).kinds, "31Z");
  client->send(pg_query(std::string(2000, 'x')));
  EXPECT_EQ(client->reply().sqlstate(), "54000");
  EXPECT_TRUE(client->ended());
}

TEST_F(ServerTest, AGreetedClient) {
  auto [ours, theirs] = make_fake_streams(loop);
  PgClient client(std::move(ours), [this] { loop.settle(); });
  server.serve_greeted(loop, std::move(theirs), {"ops", "weir", 42, {{"application_name", "ctl"}}});
  EXPECT_EQ(client.query("show application_name").value(), "ctl");
  EXPECT_EQ(client.query("show session_authorization").value(), "ops");
}

}  // namespace
}  // namespace weir::pgserver
