// What a client may not do to weir, and what its end leaves behind, with the real PostgreSQL link
// and a model server behind the pool.
#include <gtest/gtest.h>

#include "session_client.h"

namespace weir::session {
namespace {

using base::kSecond;
using model::PooledWorld;

// Answers that weir makes without a server used to pile up.
TEST(Relay, AClientThatDoesNotReadIsNotReadEither) {
  PooledWorld world(quiet());
  Client client(world);
  client.login();
  client.stream->inward().stalled = true;
  std::string syncs;
  for (int i = 0; i < 2000; ++i) syncs += talk::sync();
  for (int i = 0; i < 200; ++i) {
    client.stream->write(syncs);
    world.settle();
  }
  EXPECT_LT(client.stream->bytes_written(), 300'000u);
  client.stream->inward().stalled = false;
  world.settle();
  const size_t asked = client.stream->bytes_written() - client.stream->bytes_under_way();
  EXPECT_EQ(client.stream->bytes_under_way(), 0u);
  EXPECT_NEAR(static_cast<double>(client.take().size()) / 6, static_cast<double>(asked) / 5, 60);
}

// Closing at once, with bytes of the client unread, lost the error on its way to the client.
TEST(Relay, WhoIsToldItsEndIsReadUntilItCloses) {
  PooledWorld world(quiet());
  Client client(world);
  client.login();
  client.stream->write(std::string("Q\0\0\0\1", 5));  // a length that cannot be
  world.settle();
  EXPECT_EQ(talk::types(client.take()), "E");
  EXPECT_TRUE(client.ended());
  const size_t written = client.stream->bytes_written();
  EXPECT_GT(client.stream->write(std::string(1000, 'x')), 0) << "it may go on for a while";
  world.settle();
  EXPECT_EQ(client.stream->bytes_under_way(), 0u);
  world.pass(2 * kSecond);
  EXPECT_LT(client.stream->write("x"), 0);
  EXPECT_EQ(client.stream->bytes_written(), written + 1000);
}

// What the server had already sent used to be dropped, and the server was put in order from the
// middle of it.
TEST(Relay, AServerWhoseAnswersAreNotReadOutIsClosed) {
  WorldOptions options = quiet();
  options.plan.mode = Mode::Statement;
  options.plan.client.statement_mode = true;
  PooledWorld world(options);
  Client client(world);
  client.login();
  client.ask(talk::query("SELECT 'a';BEGIN") + talk::query("SELECT 'b'"));
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(world.closes(CloseReason::Abandoned), 1);
  Client next(world);
  next.login();
  EXPECT_EQ(talk::types(next.ask(talk::query("SELECT 'c'"))), "TDCZ");
}

// The limit is one of each transaction, not of a hold that a pipeline keeps going.
TEST(Relay, APipelineOfShortTransactionsIsNoLongOne) {
  WorldOptions options = quiet();
  options.plan.timeouts.transaction = 2 * kSecond;
  PooledWorld world(options);
  Client client(world);
  client.login();
  std::string answers = client.ask(talk::query("SELECT pg_sleep(1)"));
  for (int i = 0; i < 6; ++i) {
    client.stream->write(talk::query("SELECT pg_sleep(1)"));  // before the last one is answered
    world.pass(kSecond);
  }
  EXPECT_FALSE(client.ended());
}

}  // namespace
}  // namespace weir::session
