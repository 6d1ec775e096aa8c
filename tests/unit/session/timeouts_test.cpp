// Deadlines of a session under a fake clock, with the real PostgreSQL link and a model server
// behind the pool.
#include <gtest/gtest.h>

#include "session_client.h"

namespace weir::session {
namespace {

using base::kMillisecond;
using base::kSecond;
using model::PooledWorld;

TEST(Timeouts, ClientThatDoesNotLogInIsEnded) {
  WorldOptions options = quiet();
  options.door.login_timeout = 5 * kSecond;
  PooledWorld world(options);
  Client client(world);
  world.pass(4900 * kMillisecond);
  EXPECT_FALSE(client.ended());
  world.pass(200 * kMillisecond);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(code_in(client.take()), "08P01");
  EXPECT_TRUE(world.worker(0).clients().empty());
}

TEST(Timeouts, LoginTimeoutDoesNotConcernWhoIsIn) {
  WorldOptions options = quiet();
  options.door.login_timeout = 5 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  EXPECT_EQ(talk::types(client.login_bytes).back(), 'Z');
  world.pass(60 * kSecond);
  EXPECT_FALSE(client.ended());
}

TEST(Timeouts, AcquireTimeoutAnswersTheTurnAndTheClientLives) {
  WorldOptions options = quiet();
  options.plan.acquire_timeout = 3 * kSecond;
  PooledWorld world(options);
  Client holder(world), waiter(world);
  holder.login();
  waiter.login();
  holder.ask(talk::query("BEGIN"));
  EXPECT_EQ(waiter.ask(talk::query("SELECT 'a'")), "");
  EXPECT_EQ(world.pool().snapshot().waiting, 1);
  world.pass(2900 * kMillisecond);
  EXPECT_EQ(waiter.take(), "");
  world.pass(200 * kMillisecond);
  const std::string answer = waiter.take();
  EXPECT_EQ(talk::types(answer), "EZ");
  EXPECT_EQ(code_in(answer), "53300");
  EXPECT_EQ(world.pool().snapshot().waiting, 0);
  holder.ask(talk::query("COMMIT"));
  EXPECT_EQ(talk::types(waiter.ask(talk::query("SELECT 'b'"))), "TDCZ");
}

TEST(Timeouts, AcquireTimeoutInAnExtendedTurnSkipsToItsSync) {
  WorldOptions options = quiet();
  options.plan.acquire_timeout = 3 * kSecond;
  PooledWorld world(options);
  Client holder(world), waiter(world);
  holder.login();
  waiter.login();
  holder.ask(talk::query("BEGIN"));
  waiter.ask(talk::parse("", "SELECT 'a'") + talk::bind("", "") + talk::execute("") + talk::sync() +
             talk::query("SELECT 'b'"));
  world.pass(3100 * kMillisecond);
  EXPECT_EQ(talk::types(waiter.take()), "EZ");  // the second turn waits anew
  holder.ask(talk::query("COMMIT"));
  EXPECT_EQ(talk::types(waiter.take()), "TDCZ");
}

TEST(Timeouts, AcquireTimeoutDuringLoginRefusesTheClient) {
  WorldOptions options = quiet();
  options.plan.acquire_timeout = 3 * kSecond;
  PooledWorld world(options);
  world.database.dial_fate = [] { return model::DialFate::Refuse; };
  Client client(world);
  client.login();
  EXPECT_EQ(client.login_bytes, "");
  world.pass(3200 * kMillisecond);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(code_in(client.take()), "08006");
  EXPECT_EQ(world.ends(EndReason::AcquireTimeout), 1);
  EXPECT_EQ(world.clients(ClientCount::Login), 0);
}

TEST(Timeouts, QueueNoticeComesOnceAndTheTurnIsStillAnswered) {
  WorldOptions options = quiet();
  options.plan.queue_notice = 2 * kSecond;
  PooledWorld world(options);
  Client holder(world), waiter(world);
  holder.login();
  waiter.login();
  holder.ask(talk::query("BEGIN"));
  waiter.ask(talk::query("SELECT 'a'"));
  world.pass(1900 * kMillisecond);
  EXPECT_EQ(waiter.take(), "");
  world.pass(10 * kSecond);
  EXPECT_EQ(talk::types(waiter.take()), "N");
  holder.ask(talk::query("COMMIT"));
  EXPECT_EQ(talk::types(waiter.take()), "TDCZ");
}

// The timer used to be set only when the client had waited for its server before.
TEST(Timeouts, QueryTimeoutCancelsAndTheClientLives) {
  WorldOptions options = quiet();
  options.plan.timeouts.query = 2 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  client.ask(talk::query("SELECT sleep('a')"));
  world.pass(1900 * kMillisecond);
  EXPECT_EQ(world.database.cancels, 0);
  world.pass(200 * kMillisecond);
  EXPECT_EQ(world.database.cancels, 1);
  const std::string answer = client.take();
  EXPECT_EQ(talk::types(answer), "NEZ");  // the server would say: "due to user request"
  EXPECT_NE(answer.find("timeouts.query"), std::string::npos);
  EXPECT_EQ(code_in(answer), "57014");
  EXPECT_EQ(talk::types(client.ask(talk::query("SELECT 'b'"))), "TDCZ");
  EXPECT_EQ(world.database.logins, 1);
}

// The timer of idle_in_transaction, set earlier, must not hide the nearer deadline of a later
// query.
TEST(Timeouts, QueryTimeoutCountsInsideATransactionToo) {
  WorldOptions options = quiet();
  options.plan.timeouts.query = 2 * kSecond;
  options.plan.timeouts.idle_in_transaction = 600 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  client.ask(talk::query("BEGIN"));
  world.pass(10 * kSecond);
  client.ask(talk::query("SELECT sleep('a')"));
  world.pass(1900 * kMillisecond);
  EXPECT_EQ(world.database.cancels, 0);
  world.pass(200 * kMillisecond);
  EXPECT_EQ(world.database.cancels, 1);
  EXPECT_FALSE(client.ended());
}

TEST(Timeouts, QueryThatCannotBeCancelledEndsTheClient) {
  WorldOptions options = quiet();
  options.plan.timeouts.query = 2 * kSecond;
  options.plan.timeouts.cancel = 3 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  client.ask(talk::query("SELECT sleep('a')"));
  world.database.dial_fate = [] { return model::DialFate::Hang; };
  world.pass(4900 * kMillisecond);
  EXPECT_FALSE(client.ended());
  world.pass(300 * kMillisecond);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(world.ends(EndReason::QueryTimeout), 1);
  world.pass(20 * kSecond);
  EXPECT_EQ(world.pool().snapshot().busy, 0);
}

// Stopping, rolling back and cleaning: not a deadline for each.
TEST(Timeouts, TheCareForAServerHasOneBudget) {
  WorldOptions options = quiet();
  options.plan.timeouts.cancel = 3 * kSecond;
  options.plan.reset = "SELECT sleep('reset')";
  PooledWorld world(options);
  Client client(world);
  client.login();
  client.ask(talk::query("SELECT sleep('a')"));
  world.database.dial_fate = [] { return model::DialFate::Hang; };  // no cancel comes through
  client.stream.reset();
  world.pass(2 * kSecond);
  ASSERT_EQ(world.database.servers().size(), 1u);
  world.database.servers()[0]->wake(false);
  world.pass(900 * kMillisecond);
  EXPECT_EQ(world.pool().snapshot().busy, 1);
  world.pass(200 * kMillisecond);
  EXPECT_EQ(world.pool().snapshot().busy, 0);
}

TEST(Timeouts, IdleInTransactionEndsTheClientAndRollsBack) {
  WorldOptions options = quiet();
  options.plan.timeouts.idle_in_transaction = 2 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  client.ask(talk::query("BEGIN"));
  world.pass(1500 * kMillisecond);
  client.ask(talk::query("SELECT 'a'"));  // not silent
  world.pass(1900 * kMillisecond);
  EXPECT_FALSE(client.ended());
  world.pass(200 * kMillisecond);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(code_in(client.take()), "25P03");
  ASSERT_EQ(world.database.servers().size(), 1u);
  EXPECT_EQ(world.database.servers()[0]->session().status(), 'I');
  EXPECT_EQ(world.pool().snapshot().idle, 1);
}

TEST(Timeouts, TransactionTimeoutEndsABusyTransaction) {
  WorldOptions options = quiet();
  options.plan.timeouts.transaction = 2 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  client.ask(talk::query("BEGIN"));
  for (int i = 0; i < 3; ++i) {
    world.pass(600 * kMillisecond);
    EXPECT_EQ(talk::types(client.ask(talk::query("SELECT 'a'"))), "TDCZ");
  }
  world.pass(300 * kMillisecond);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(code_in(client.take()), "25P04");
}

// Both counted a client of session mode that was silent outside of any transaction.
TEST(Timeouts, TransactionTimeoutsLeaveAnIdleClientOfSessionModeAlone) {
  WorldOptions options = quiet();
  options.plan.mode = Mode::Session;
  options.plan.client.transaction_mode = false;
  options.plan.timeouts.transaction = 2 * kSecond;
  options.plan.timeouts.idle_in_transaction = 2 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  EXPECT_EQ(talk::types(client.ask(talk::query("SELECT 'a'"))), "TDCZ");
  world.pass(10 * kSecond);
  EXPECT_FALSE(client.ended());
  EXPECT_EQ(talk::types(client.ask(talk::query("BEGIN"))), "CZ");
  world.pass(1900 * kMillisecond);
  EXPECT_FALSE(client.ended());
  world.pass(200 * kMillisecond);
  EXPECT_TRUE(client.ended());
}

TEST(Timeouts, ClientIdleCountsOutsideTransactionsOnly) {
  WorldOptions options = quiet();
  options.plan.timeouts.client_idle = 2 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  client.ask(talk::query("BEGIN"));
  world.pass(5 * kSecond);
  EXPECT_FALSE(client.ended());
  client.ask(talk::query("COMMIT"));
  world.pass(1900 * kMillisecond);
  EXPECT_FALSE(client.ended());
  world.pass(200 * kMillisecond);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(code_in(client.take()), "57P05");
}

// A client of session mode is never without its server, and was therefore never idle.
TEST(Timeouts, ClientIdleCountsInSessionMode) {
  WorldOptions options = quiet();
  options.plan.mode = Mode::Session;
  options.plan.client.transaction_mode = false;
  options.plan.timeouts.client_idle = 2 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  client.ask(talk::query("SELECT 'a'"));
  world.pass(1900 * kMillisecond);
  EXPECT_FALSE(client.ended());
  world.pass(200 * kMillisecond);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(code_in(client.take()), "57P05");
  EXPECT_EQ(world.ends(EndReason::ClientIdle), 1);
}

TEST(Timeouts, ClientThatDoesNotReadIsEndedAndItsServerComesBack) {
  WorldOptions options = quiet();
  options.plan.timeouts.client_stall = 2 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  client.stream->inward().stalled = true;
  client.ask(talk::query("SELECT pad(300000,'a')"));
  world.pass(1900 * kMillisecond);
  EXPECT_EQ(world.ends(EndReason::ClientStall), 0);
  world.pass(200 * kMillisecond);
  EXPECT_EQ(world.ends(EndReason::ClientStall), 1);
  world.pass(3 * kSecond);
  EXPECT_EQ(world.pool().snapshot().busy, 0);
  EXPECT_EQ(world.pool().snapshot().closing, 0);
}

// The deadline of the whole and the deadline of the talk fell into one tick of the clock, and both
// counted.
TEST(Timeouts, LoginThatHangsFailsOnce) {
  WorldOptions options = quiet();
  options.plan.connect_timeout = 2 * kSecond;
  options.server_cap = 5;
  PooledWorld world(options);
  world.database.login_fate = [] { return model::LoginFate::Hang; };
  Client client(world);
  client.login();
  EXPECT_EQ(world.pool().snapshot().opening, 1);
  world.pass(1900 * kMillisecond);
  EXPECT_EQ(world.pool().snapshot().opening, 1);
  world.database.login_fate = [] { return model::LoginFate::Welcome; };
  world.pass(200 * kMillisecond, 200 * kMillisecond);
  EXPECT_EQ(world.sum([](const Stats& stats) { return stats.opens[OpenResult::Timeout].value(); }),
            1);
  world.pass(2 * kSecond);
  EXPECT_EQ(world.pool().snapshot().opening, 0);
  EXPECT_EQ(world.pool().snapshot().idle, 1);
  EXPECT_EQ(world.cap().used(), 1);
}

// As above: this one called a callback that was no longer there.
TEST(Timeouts, CancelThatHangsEndsOnce) {
  WorldOptions options = quiet();
  options.plan.timeouts.query = 2 * kSecond;
  options.plan.timeouts.cancel = 3 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  client.ask(talk::query("SELECT sleep('a')"));
  world.database.on_connection = [](model::ModelServer& server) {
    server.stream().inward().stalled = true;
  };
  world.pass(2100 * kMillisecond);
  world.pass(4 * kSecond, 500 * kMillisecond);
  EXPECT_EQ(
      world.sum([](const Stats& stats) { return stats.cancels[CancelResult::Failed].value(); }), 1);
}

}  // namespace
}  // namespace weir::session
