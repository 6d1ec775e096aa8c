// Servers that are elsewhere: whether they can be opened says nothing of the usual ones, nor the
// other way round. And which variant a new server is of where several are waited for.
#include "pool_fixture.h"

namespace weir::pool {
namespace {

using base::ErrorKind;
using base::kMillisecond;
using base::kSecond;

constexpr uint64_t kUsual = 0, kApart = 9;

class Apart : public PoolTest {
 protected:
  void make_both(Options options = {}) {
    options.size = 8;
    options.retry_min = 10 * kSecond;
    options.is_apart = [](uint64_t variant) { return variant == kApart; };
    make(options);
  }
  std::vector<uint64_t> opens() {
    std::vector<uint64_t> out;
    for (const Order& order : take(Kind::Open)) out.push_back(order.variant);
    return out;
  }
  // The pool has closed one to make room, and opens another.
  void closed_one() {
    EXPECT_EQ(take(Kind::Close).size(), 1u);
    closed();
    EXPECT_EQ(opens(), std::vector{kApart});
  }
  void fails(ErrorKind kind, uint64_t variant) {
    pool->open_failed({kind, variant == kApart ? "there" : "here"}, {0, variant}, now, orders);
  }
};

TEST_F(Apart, AreOpenedWhileTheUsualOnesCannotBe) {
  make_both();
  acquire({.variant = kUsual});
  EXPECT_EQ(opens(), std::vector{kUsual});
  fails(ErrorKind::Unreachable, kUsual);
  Waiter& reader = waiter({.variant = kApart});
  acquire(reader);
  EXPECT_EQ(opens(), std::vector{kApart});
  pool->opened(server(0, kApart), now, orders);
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, reader.ticket.session);
  // That one is good leaves the other's error and its delay as they are.
  EXPECT_EQ(snapshot().last_error, "here");
  acquire({.variant = kApart});
  EXPECT_EQ(opens(), std::vector{kApart});
  now += 13 * kSecond;
  tick();
  EXPECT_EQ(opens(), std::vector{kUsual});
}

TEST_F(Apart, OfTwoThatWaitTheOneThatMayBeOpenedIs) {
  make_both();
  acquire({.variant = kUsual});
  acquire({.variant = kApart});
  EXPECT_EQ(opens(), (std::vector{kUsual, kApart}));
  fails(ErrorKind::Unreachable, kApart);
  fails(ErrorKind::Unreachable, kUsual);
  EXPECT_EQ(opens(), std::vector<uint64_t>{});
  now += 13 * kSecond;
  tick();
  EXPECT_EQ(opens(), (std::vector{kUsual, kApart}));
}

TEST_F(Apart, ARefusalThereIsForThoseWhoWaitThere) {
  make_both();
  Waiter& writer = waiter({.variant = kUsual});
  Waiter& reader = waiter({.variant = kApart});
  acquire(writer);
  acquire(reader);
  EXPECT_EQ(opens().size(), 2u);
  fails(ErrorKind::Refused, kApart);
  EXPECT_EQ(take_one(Kind::Fail).error.text, "there");
  EXPECT_TRUE(writer.queued);
  // Who comes next is told as well, there only.
  acquire({.variant = kApart});
  EXPECT_EQ(take_one(Kind::Fail).error.text, "there");
  acquire({.variant = kUsual});
  EXPECT_EQ(count(Kind::Fail), 0u);
  pool->opened(server(0, kUsual), now, orders);
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, writer.ticket.session);
}

TEST_F(Apart, AServerHereIsNoConsolationThere) {
  make_both();
  acquire({.variant = kUsual});
  (void)opens();
  pool->opened(server(0, kUsual), now, orders);
  auto held = take_one(Kind::Serve).server;
  acquire({.variant = kApart});
  (void)opens();
  fails(ErrorKind::Refused, kApart);
  EXPECT_EQ(count(Kind::Fail), 1u);
  EXPECT_EQ(pool->wait_error(kApart, kSecond).text,
            "no server connection within 1.0 s; last attempt: there");
  EXPECT_EQ(pool->wait_error(kUsual, kSecond).code, "53300");
}

TEST_F(Apart, TheLeastThatIsKeptIsOfTheUsualOnes) {
  make_both({.min = 3});
  acquire({.variant = kUsual});
  acquire({.variant = kApart});
  EXPECT_EQ(opens(), (std::vector{kUsual, kApart}));
  tick();
  EXPECT_EQ(opens(), std::vector{kUsual});
}

// Where all are apart, there is nothing else to be kept.
TEST_F(Apart, WithoutUsualOnesTheyAreKept) {
  make_both({.min = 2});
  acquire({.variant = kApart});
  tick();
  EXPECT_EQ(opens(), (std::vector{kApart, kApart}));
}

TEST_F(Apart, AttemptsHereThatHangStopNobodyThere) {
  make_both({.min = 5});
  tick();
  EXPECT_EQ(opens(), (std::vector{kUsual, kUsual}));
  acquire({.variant = kApart});
  EXPECT_EQ(opens(), std::vector{kApart});
  // Whoever they were for has given up.
  make_both();
  Waiter& writer = waiter({.variant = kUsual});
  acquire(writer);
  ASSERT_TRUE(pool->withdraw(writer));
  EXPECT_EQ(opens(), std::vector{kUsual});
  acquire({.variant = kApart});
  EXPECT_EQ(opens(), std::vector{kApart});
}

TEST_F(Apart, WhoWaitsForWhatCannotBeReachedMakesNoOverflow) {
  make_both({.overflow = 1, .overflow_after = kSecond});
  fill(8);
  std::vector<std::unique_ptr<Server>> held;
  for (int i = 0; i < 7; ++i) held.push_back(acquire());
  acquire({.variant = kApart});
  closed_one();
  fails(ErrorKind::Unreachable, kApart);
  now += 5 * kSecond;
  held.push_back(acquire());
  acquire({.variant = kUsual});
  EXPECT_EQ(opens(), std::vector{kUsual}) << "in the room of the one that was closed";
  acquire({.variant = kUsual});
  EXPECT_EQ(opens(), std::vector<uint64_t>{});
}

// One that waits long does not have all that are opened made for him.
TEST_F(Apart, EachGetsOneOfHisOwnVariant) {
  make({.size = 8});
  acquire({.variant = 7});
  acquire({.variant = 8});
  acquire({.variant = 8});
  EXPECT_EQ(opens(), (std::vector<uint64_t>{7, 8}));
  pool->opened(server(0, 7), now, orders);
  EXPECT_EQ(opens(), std::vector<uint64_t>{8});
}

TEST_F(Apart, ATrialThatReachesNobodyIsSeen) {
  make_both();
  ASSERT_TRUE(pool->begin_trial(orders));
  pool->trial_lost({ErrorKind::Unreachable, "nobody there"}, now, orders);
  EXPECT_EQ(snapshot().last_error, "nobody there");
  ASSERT_TRUE(pool->begin_trial(orders));
  pool->trial_lost({ErrorKind::Refused, "wrong password"}, now, orders);
  EXPECT_EQ(snapshot().last_error, "nobody there");
}

}  // namespace
}  // namespace weir::pool
