// What time and people do to a pool: idle times, lifetimes, checks, min, pause, new generations.
#include <algorithm>
#include <set>

#include "pool_fixture.h"

namespace weir::pool {
namespace {

using base::kMillisecond;
using base::kSecond;

class Lifetime : public PoolTest {
 protected:
  // Ticks every half second, gives checked servers back, frees closed slots, and opens what is
  // asked for.
  void pass(Duration time) {
    for (const Time end = now + time; now < end;) {
      now += 500 * kMillisecond;
      tick();
      for (Order& order : take(Kind::Check)) {
        ++checks;
        give_back(std::move(order.server));
      }
      for (const Order& order : take(Kind::Close)) {
        closed_ids.push_back(order.server->id);
        closed_at.push_back(now);
        closed();
      }
      for (const Order& order : take(Kind::Open)) {
        ++opens;
        pool->opened(server(order.worker), now, orders);
      }
    }
  }
  int checks = 0, opens = 0;
  std::vector<uint64_t> closed_ids;
  std::vector<Time> closed_at;
};

TEST_F(Lifetime, IdleServersAreClosedDownToMin) {
  make({.size = 5, .min = 2, .idle_timeout = 10 * kSecond, .max_lifetime = 0, .check_interval = 0});
  fill(5);
  pass(9 * kSecond);
  EXPECT_EQ(snapshot().idle, 5);
  pass(2 * kSecond);
  EXPECT_EQ(snapshot().idle, 2);
  pass(100 * kSecond);
  EXPECT_EQ(snapshot().idle, 2);
  EXPECT_EQ(opens, 0) << "no opening and closing in turn";
  EXPECT_EQ(closed_ids.size(), 3u);
}

// A check counted as use, so that with checks more frequent than idle_timeout no server was ever
// closed.
TEST_F(Lifetime, ChecksDoNotKeepIdleServersAlive) {
  make(
      {.size = 3, .idle_timeout = 60 * kSecond, .max_lifetime = 0, .check_interval = 10 * kSecond});
  fill(3);
  pass(55 * kSecond);
  EXPECT_EQ(snapshot().idle, 3);
  EXPECT_GE(checks, 9);
  EXPECT_EQ(acquire()->id, 3u) << "still the one used last";
  pass(10 * kSecond);
  EXPECT_EQ(snapshot().idle, 0);
}

TEST_F(Lifetime, MinIsKeptWithoutClients) {
  make({.size = 5, .min = 3, .idle_timeout = 10 * kSecond, .max_lifetime = 0, .check_interval = 0});
  pass(kSecond * 5);
  EXPECT_EQ(snapshot().idle, 3);
  EXPECT_EQ(opens, 3);
}

// Before a client has shown what opens a server, an attempt could only fail, and fail the client.
TEST_F(Lifetime, MinCanWaitForAFirstServer) {
  make({.size = 5, .min = 3, .idle_timeout = 0, .max_lifetime = 0, .min_at_once = false});
  tick();
  EXPECT_EQ(count(Kind::Open), 0u);
  fill(1);
  tick();
  EXPECT_EQ(count(Kind::Open), 2u);
}

TEST_F(Lifetime, MinIsKeptThroughLifetimes) {
  make({.size = 5, .min = 3, .idle_timeout = 0, .max_lifetime = 10 * kSecond, .check_interval = 0});
  pass(5 * kSecond);
  pass(100 * kSecond);
  EXPECT_EQ(snapshot().idle, 3);
  EXPECT_GE(opens, 3 * 8);
  EXPECT_LE(opens, 3 * 14);
}

TEST_F(Lifetime, LifetimesAreJittered) {
  make({.size = 1000, .idle_timeout = 0, .max_lifetime = 100 * kSecond, .check_interval = 0});
  fill(200);
  pass(79 * kSecond);
  EXPECT_EQ(snapshot().idle, 200);
  pass(42 * kSecond);
  EXPECT_EQ(snapshot().idle, 0);
  std::multiset<Time> seconds;
  for (const Time at : closed_at) seconds.insert(at / kSecond);
  for (const Time at : closed_at) EXPECT_LT(seconds.count(at / kSecond), 40u);
}

TEST_F(Lifetime, OldServerIsClosedWhenItComesBack) {
  make({.size = 1, .max_lifetime = 10 * kSecond});
  fill(1);
  auto held = acquire();
  acquire();
  now += 13 * kSecond;
  give_back(std::move(held));
  EXPECT_EQ(count(Kind::Serve), 0u);
  EXPECT_EQ(count(Kind::Close), 1u);
  EXPECT_EQ(count(Kind::Open), 0u) << "the slot is not free yet";
  closed();
  EXPECT_EQ(count(Kind::Open), 1u);
}

TEST_F(Lifetime, IdleServersAreCheckedNowAndThen) {
  make({.size = 2, .idle_timeout = 0, .max_lifetime = 0, .check_interval = 10 * kSecond});
  fill(2);
  pass(9 * kSecond);
  EXPECT_EQ(checks, 0);
  pass(2 * kSecond);
  EXPECT_EQ(checks, 2);
  pass(10 * kSecond);
  EXPECT_EQ(checks, 4);
}

TEST_F(Lifetime, ServerUnderCheckIsNotLentAndGoesToWhoWaitsThen) {
  make({.size = 1, .check_interval = 10 * kSecond});
  fill(1);
  now += 11 * kSecond;
  tick();
  Order check = take_one(Kind::Check);
  EXPECT_EQ(acquire(), nullptr);
  give_back(std::move(check.server));
  EXPECT_EQ(count(Kind::Serve), 1u);
}

TEST_F(Lifetime, PauseHoldsAndResumeServesInOrder) {
  make({.size = 2});
  fill(2);
  auto held = acquire();
  pool->pause(true, now, orders);
  EXPECT_TRUE(snapshot().paused);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(acquire(), nullptr);
    now += 2 * kMillisecond;
  }
  give_back(std::move(held));
  tick();
  EXPECT_TRUE(orders.empty());
  EXPECT_EQ(snapshot().idle, 2);
  pool->pause(false, now, orders);
  const auto served = take(Kind::Serve);
  ASSERT_EQ(served.size(), 2u);
  EXPECT_EQ(served[0].ticket.session + 1, served[1].ticket.session);
  EXPECT_EQ(snapshot().waiting, 1);
}

TEST_F(Lifetime, PausedPoolOpensNothing) {
  make({.size = 2, .min = 1});
  pool->pause(true, now, orders);
  acquire();
  tick();
  EXPECT_EQ(count(Kind::Open), 0u);
  pool->pause(false, now, orders);
  EXPECT_EQ(count(Kind::Open), 1u);
}

// The first server that nobody could use hid the others from those who waited.
TEST_F(Lifetime, ResumeFindsTheFittingServerBehindAnother) {
  make({.size = 2});
  fill(1, 0, 7);
  fill(1, 0, 8);
  pool->pause(true, now, orders);
  Waiter& wants = waiter({.variant = 7});
  acquire(wants);
  pool->pause(false, now, orders);
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, wants.ticket.session);
  EXPECT_EQ(count(Kind::Close), 0u);
}

TEST_F(Lifetime, NewGenerationRetiresIdleServersAtOnceAndBusyOnesAtTheirEnd) {
  const Options options{.size = 2};
  make(options);
  fill(2);
  auto held = acquire();
  pool->configure(options, true, now, orders);
  EXPECT_EQ(take(Kind::Close).size(), 1u);
  closed();
  give_back(std::move(held));
  EXPECT_EQ(take(Kind::Close).size(), 1u);
  closed();
  acquire();
  open_all();
  EXPECT_EQ(take_one(Kind::Serve).server->generation, pool->generation());
}

TEST_F(Lifetime, LoginOfAnOldGenerationIsNotUsed) {
  const Options options{.size = 2};
  make(options);
  acquire();
  const Order open = take_one(Kind::Open);
  auto old = server();
  old->generation = pool->generation();
  pool->configure(options, true, now, orders);
  (void)take(Kind::Open);
  pool->opened(std::move(old), now, orders);
  EXPECT_EQ(count(Kind::Serve), 0u);
  EXPECT_EQ(count(Kind::Close), 1u);
  EXPECT_EQ(snapshot().waiting, 1);
}

TEST_F(Lifetime, SmallerPoolShrinksAsServersComeBack) {
  Options options{.size = 3};
  make(options);
  fill(3);
  auto first = acquire();
  auto second = acquire();
  options.size = 1;
  pool->configure(options, false, now, orders);
  EXPECT_EQ(take(Kind::Close).size(), 1u);
  closed();
  give_back(std::move(first));
  EXPECT_EQ(take(Kind::Close).size(), 1u);
  closed();
  give_back(std::move(second));
  EXPECT_EQ(count(Kind::Close), 0u);
  EXPECT_EQ(snapshot().idle, 1);
}

TEST_F(Lifetime, CloseIdleClosesWhatIsIdle) {
  make({.size = 3, .movable = false}, 2);
  fill(1, 0);
  fill(2, 1);
  auto held = acquire({.worker = 1});
  pool->close_idle(orders);
  EXPECT_EQ(take(Kind::Close).size(), 2u);
  EXPECT_EQ(snapshot().closing, 2);
  EXPECT_EQ(snapshot().busy, 1);
}

}  // namespace
}  // namespace weir::pool
