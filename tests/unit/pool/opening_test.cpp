// When servers are opened, how many at a time, and what happens when they cannot be.
#include <algorithm>
#include <set>

#include "pool_fixture.h"

namespace weir::pool {
namespace {

using base::ErrorKind;
using base::kMillisecond;
using base::kSecond;

class Opening : public PoolTest {};

TEST_F(Opening, RampsUpWithSuccessAndFallsBackWithFailure) {
  make({.size = 100});
  for (int i = 0; i < 60; ++i) acquire();
  std::vector<size_t> under_way;
  for (int i = 0; i < 3; ++i) {
    under_way.push_back(static_cast<size_t>(snapshot().opening));
    pool->opened(server(), now, orders);
  }
  EXPECT_EQ(under_way, (std::vector<size_t>{2, 4, 8}));
  EXPECT_EQ(snapshot().opening, 16);
  pool->open_failed({ErrorKind::Unreachable, "no"}, {}, now, orders);
  now += 10 * kSecond;
  while (snapshot().opening > 0) pool->open_failed({ErrorKind::Unreachable, "no"}, {}, now, orders);
  now += 60 * kSecond;
  tick();
  EXPECT_EQ(snapshot().opening, 1) << "after a failure one at a time";
}

TEST_F(Opening, NoMoreThanAreWaited) {
  make({.size = 10});
  acquire();
  EXPECT_EQ(count(Kind::Open), 1u);
  tick();
  EXPECT_EQ(count(Kind::Open), 1u);
}

// One login that hangs does not stop others.
TEST_F(Opening, HangingLoginDoesNotStopOthers) {
  make({.size = 3});
  acquire();
  acquire();
  ASSERT_EQ(count(Kind::Open), 2u);
  orders.clear();
  pool->opened(server(), now, orders);  // the other one hangs
  Order served = take_one(Kind::Serve);
  acquire();
  EXPECT_EQ(count(Kind::Open), 1u);
}

TEST_F(Opening, UnreachableServersAreRetriedWithGrowingDelays) {
  make({.size = 1, .retry_min = 100 * kMillisecond, .retry_max = kSecond});
  acquire();
  std::vector<Duration> delays;
  for (int i = 0; i < 7; ++i) {
    fail_open(ErrorKind::Unreachable);
    EXPECT_EQ(snapshot().waiting, 1);
    const Time failed_at = now;
    for (tick(); count(Kind::Open) == 0; tick()) now += kMillisecond;
    delays.push_back(now - failed_at);
  }
  Duration expected = 100 * kMillisecond;
  for (const Duration delay : delays) {
    EXPECT_GE(delay, expected * 80 / 100);
    EXPECT_LE(delay, expected * 120 / 100 + kMillisecond);
    expected = std::min(expected * 2, Duration{kSecond});
  }
}

TEST_F(Opening, DelayIsJittered) {
  std::set<Duration> seen;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    orders.clear();
    waiters.clear();
    pool = std::make_unique<Pool>(Options{.size = 1, .retry_min = kSecond}, std::vector<Budget*>{},
                                  1, seed * 2);
    acquire();
    fail_open(ErrorKind::Unreachable);
    const Time failed_at = now;
    for (tick(); count(Kind::Open) == 0; tick()) now += 10 * kMillisecond;
    seen.insert(now - failed_at);
  }
  EXPECT_GT(seen.size(), 5u);
}

TEST_F(Opening, SuccessResetsTheDelay) {
  make({.size = 1, .retry_min = 100 * kMillisecond});
  acquire();
  for (int i = 0; i < 3; ++i) {
    fail_open(ErrorKind::Unreachable);
    now += 30 * kSecond;
    tick();
  }
  open_all();
  pool->closing(*take(Kind::Serve).at(0).server, now, orders);  // the client breaks it
  closed();
  acquire();
  fail_open(ErrorKind::Unreachable);
  now += 121 * kMillisecond;
  tick();
  EXPECT_EQ(count(Kind::Open), 1u);
}

TEST_F(Opening, TheLastErrorIsSeenUntilAServerOpens) {
  make({.size = 1, .retry_min = 100 * kMillisecond, .retry_max = 60 * kSecond});
  EXPECT_EQ(snapshot().last_error, "");
  acquire();
  fail_open(ErrorKind::Unreachable);
  EXPECT_EQ(snapshot().last_error, "no");
  now += 121 * kMillisecond;
  tick();
  open_all();
  EXPECT_EQ(snapshot().last_error, "");
}

// Of several that fail together the first counts.
TEST_F(Opening, FailuresOfOneMomentAreOneFailure) {
  make({.size = 2, .retry_min = 100 * kMillisecond, .retry_max = 60 * kSecond});
  acquire();
  acquire();
  EXPECT_EQ(take(Kind::Open).size(), 2u);
  pool->open_failed({ErrorKind::Unreachable, "no"}, {}, now, orders);
  pool->open_failed({ErrorKind::Unreachable, "no"}, {}, now, orders);
  now += 121 * kMillisecond;
  tick();
  EXPECT_EQ(count(Kind::Open), 1u);
}

TEST_F(Opening, RefusedLoginFailsAllWaitersWithItsText) {
  make({.size = 2});
  acquire();
  acquire();
  acquire();
  (void)take(Kind::Open);
  pool->open_failed({ErrorKind::Refused, "wrong password", "28P01"}, {}, now, orders);
  const auto failed = take(Kind::Fail);
  ASSERT_EQ(failed.size(), 3u);
  EXPECT_EQ(failed[0].error.text, "wrong password");
  EXPECT_EQ(failed[0].error.code, "28P01");
  EXPECT_EQ(snapshot().waiting, 0);
  // Who comes before the next try fails at once, who comes after it tries.
  pool->open_failed({ErrorKind::Refused, "wrong password", "28P01"}, {}, now, orders);
  acquire();
  EXPECT_EQ(count(Kind::Fail), 1u);
  now += 60 * kSecond;
  acquire();
  EXPECT_EQ(count(Kind::Open), 1u);
  EXPECT_EQ(snapshot().waiting, 1);
}

TEST_F(Opening, RefusedLoginFailsNobodyWhileThereIsAServer) {
  make({.size = 2});
  fill(1);
  auto held = acquire();
  Waiter& patient = waiter();
  acquire(patient);
  fail_open(ErrorKind::Refused);
  EXPECT_EQ(count(Kind::Fail), 0u);
  give_back(std::move(held));
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, patient.ticket.session);
}

// Its deadline is before the next attempt: it would wait for nothing.
TEST_F(Opening, WhoCannotBeServedInTimeFailsAtOnce) {
  make({.size = 2, .retry_min = 4 * kSecond});
  Waiter& hasty = waiter();
  hasty.deadline = now + kSecond;
  Waiter& patient = waiter();
  patient.deadline = now + 30 * kSecond;
  acquire(hasty);
  acquire(patient);
  EXPECT_EQ(take(Kind::Open).size(), 2u);
  pool->open_failed({ErrorKind::Unreachable, "connection refused"}, {}, now, orders);
  EXPECT_EQ(count(Kind::Fail), 0u) << "another attempt is under way";
  pool->open_failed({ErrorKind::Unreachable, "connection refused"}, {}, now, orders);
  const Order failed = take_one(Kind::Fail);
  EXPECT_EQ(failed.ticket.session, hasty.ticket.session);
  EXPECT_TRUE(failed.error.text.starts_with("no server connection in time, as the next attempt"))
      << failed.error.text;
  EXPECT_TRUE(failed.error.text.ends_with("; last attempt: connection refused"));
  EXPECT_EQ(failed.error.code, "08006");
  EXPECT_EQ(snapshot().waiting, 1);

  Waiter& late = waiter();  // comes in between
  late.deadline = now + kSecond;
  acquire(late);
  EXPECT_EQ(take_one(Kind::Fail).ticket.session, late.ticket.session);
  Waiter& endless = waiter();
  acquire(endless);
  EXPECT_EQ(count(Kind::Fail), 0u);

  now += 60 * kSecond;  // the next attempt is due
  Waiter& lucky = waiter();
  lucky.deadline = now + kSecond;
  acquire(lucky);
  EXPECT_EQ(count(Kind::Fail), 0u);
  EXPECT_EQ(count(Kind::Open), 1u);
}

TEST_F(Opening, NobodyIsTooLateWhileThereIsAServer) {
  make({.size = 2, .retry_min = 4 * kSecond});
  fill(1);
  auto held = acquire();
  Waiter& hasty = waiter();
  hasty.deadline = now + kSecond;
  acquire(hasty);
  fail_open(ErrorKind::Unreachable);
  EXPECT_EQ(count(Kind::Fail), 0u);
  pool->closing(*held, now, orders);  // its holder breaks it, and nobody is left to come back
  held.reset();
  closed();
  EXPECT_EQ(take_one(Kind::Fail).ticket.session, hasty.ticket.session);
}

TEST_F(Opening, OverflowOnlyAfterAWhileAndFirstToGo) {
  make({.size = 1, .overflow = 1, .overflow_after = 5 * kSecond});
  fill(1);
  auto held = acquire();
  acquire();
  now += 4900 * kMillisecond;
  tick();
  EXPECT_EQ(count(Kind::Open), 0u);
  now += 100 * kMillisecond;
  tick();
  EXPECT_EQ(count(Kind::Open), 1u);
  open_all();
  Order served = take_one(Kind::Serve);
  acquire();
  now += 100 * kSecond;
  tick();
  EXPECT_EQ(count(Kind::Open), 0u) << "size and overflow are in use";
  give_back(std::move(served.server));  // somebody waits: it stays
  Order again = take_one(Kind::Serve);
  give_back(std::move(again.server));  // nobody waits: it goes
  EXPECT_EQ(count(Kind::Close), 1u);
  give_back(std::move(held));
  EXPECT_EQ(snapshot().idle, 1);
}

TEST_F(Opening, ErrorOfWaitingNamesLoginsUnderWay) {
  make({.size = 2});
  acquire();
  EXPECT_EQ(pool->wait_error(0, 1500 * kMillisecond).text,
            "no server connection within 1.5 s; logins are under way");
}

TEST_F(Opening, ErrorsOfWaitingNameTheCapThePoolThePauseAndTheLastLogin) {
  Budget cap("server connections of user app", 1);
  make({.size = 1}, 1, {&cap});
  fill(1);
  acquire();
  acquire();
  base::Error error = pool->wait_error(0, 2 * kSecond);
  EXPECT_EQ(
      error.text,
      "no free server connection within 2.0 s: all 1 of server connections of user app are in use");
  EXPECT_EQ(error.code, "53300");
  cap.set_limit(0);
  error = pool->wait_error(0, 2 * kSecond);
  EXPECT_EQ(error.text,
            "no free server connection within 2.0 s: all 1 of the pool are in use, 1 clients wait");
  EXPECT_EQ(error.code, "53300");
  pool->pause(true, now, orders);
  error = pool->wait_error(0, 10 * kSecond);
  EXPECT_EQ(error.text, "the pool is paused; waited 10.0 s");
  EXPECT_EQ(error.code, "57P03");
}

TEST_F(Opening, ErrorOfWaitingNamesTheLastLoginError) {
  make({.size = 1});
  acquire();
  fail_open(ErrorKind::Unreachable, "connection refused");
  const base::Error error = pool->wait_error(0, 3 * kSecond);
  EXPECT_EQ(error.text, "no server connection within 3.0 s; last attempt: connection refused");
  EXPECT_EQ(error.code, "08006");
}

}  // namespace
}  // namespace weir::pool
