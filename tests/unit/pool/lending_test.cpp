// Who gets which server: idle ones, the queue, fairness, locality, variants.
#include <algorithm>
#include <set>

#include "pool_fixture.h"

namespace weir::pool {
namespace {

using base::kMillisecond;
using base::kSecond;

class Lending : public PoolTest {};

TEST_F(Lending, FirstClientOpensAndIsServedWhenItIsOpen) {
  make({.size = 2});
  Waiter& first = waiter();
  EXPECT_EQ(acquire(first), nullptr);
  EXPECT_TRUE(first.queued);
  ASSERT_EQ(count(Kind::Open), 1u);
  open_all();
  const Order served = take_one(Kind::Serve);
  EXPECT_EQ(served.ticket.session, first.ticket.session);
  EXPECT_FALSE(first.queued);
  EXPECT_EQ(snapshot().busy, 1);
}

TEST_F(Lending, IdleServerIsLentAtOnceMostRecentlyUsedFirst) {
  make({.size = 3});
  fill(3);
  auto last = acquire();
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(last->id, 3u);
  EXPECT_EQ(acquire()->id, 2u);
  EXPECT_TRUE(orders.empty());
}

TEST_F(Lending, RoundRobinTakesTheOneThatRestedLongest) {
  make({.size = 3, .pick = Pick::RoundRobin});
  fill(3);
  EXPECT_EQ(acquire()->id, 1u);
  EXPECT_EQ(acquire()->id, 2u);
}

TEST_F(Lending, AServerOfTheSameFlavourIsPreferred) {
  make({.size = 3});
  fill(3);
  auto second = acquire({.flavour = 7});
  EXPECT_EQ(second->id, 3u);  // none has it: any will do
  static_cast<FakeServer&>(*second).flavour_ = 7;
  give_back(std::move(second));
  EXPECT_EQ(acquire()->id, 2u);
  EXPECT_EQ(acquire({.flavour = 7})->id, 3u);
  EXPECT_EQ(acquire({.flavour = 7})->id, 1u);
}

TEST_F(Lending, AKeptServerIsSparedWhileAnotherCanBeOpened) {
  make({.size = 2});
  fill(1);
  Waiter& keeper = waiter({.keeps = true});
  auto kept = acquire(keeper);
  kept->keeper = keeper.ticket.session;
  give_back(std::move(kept));
  EXPECT_EQ(acquire(), nullptr);  // a second one is opened
  open_all();
  auto other = std::move(take_one(Kind::Serve).server);
  EXPECT_EQ(other->id, 2u);
  auto taken = acquire();  // no third one may be
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(taken->id, 1u);
  give_back(std::move(other));
  give_back(std::move(taken));
  EXPECT_EQ(acquire(keeper)->id, 1u);
}

TEST_F(Lending, AKeptServerServesWhenNoOtherCanBeOpened) {
  make({.size = 2, .retry_min = kSecond});
  fill(1);
  Waiter& keeper = waiter({.keeps = true});
  auto kept = acquire(keeper);
  kept->keeper = keeper.ticket.session;
  give_back(std::move(kept));
  Waiter& other = waiter();
  EXPECT_EQ(acquire(other), nullptr);
  fail_open(base::ErrorKind::Unreachable);
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, other.ticket.session);
}

TEST_F(Lending, LeasesLeaveWhatIsReserved) {
  make({.size = 3});
  fill(3);
  pool->configure({.size = 3, .reserved = 1}, false, now, orders);
  std::vector<std::unique_ptr<Server>> held;
  held.push_back(acquire());
  held.push_back(acquire());
  Waiter& third = waiter();
  EXPECT_EQ(acquire(third), nullptr);
  auto kept = acquire({.keeps = true});
  ASSERT_NE(kept, nullptr);
  give_back(std::move(kept));
  EXPECT_EQ(count(Kind::Serve), 0u) << "it is not for leases";
  give_back(std::move(held.back()));
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, third.ticket.session);
}

TEST_F(Lending, WhoWaitsForALeaseDoesNotWaitForTheEndOfAnother) {
  make({.size = 3});
  fill(3);
  pool->configure({.size = 3, .reserved = 1}, false, now, orders);
  auto first = acquire();
  auto second = acquire();
  Waiter& third = waiter();
  EXPECT_EQ(acquire(third), nullptr);
  pool->closing(*second, now, orders);
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, third.ticket.session);
}

// Those who do not give their servers back would else leave none for anybody.
TEST_F(Lending, WhoStaysLeavesOneForTheOthers) {
  make({.size = 4});
  fill(4);
  pool->configure({.size = 4, .reserved = 1}, false, now, orders);
  auto lease = acquire();
  auto one = acquire({.stays = true});
  auto two = acquire({.stays = true});
  ASSERT_NE(two, nullptr);
  Waiter& third = waiter({.stays = true});
  EXPECT_EQ(acquire(third), nullptr);
  EXPECT_FALSE(pool->wants_back()) << "nobody waits who could be served";
  Waiter& other = waiter();
  EXPECT_EQ(acquire(other), nullptr) << "what is left is reserved";
  auto kept = acquire({.keeps = true});
  ASSERT_NE(kept, nullptr);
  give_back(std::move(kept));
  EXPECT_EQ(count(Kind::Serve), 0u);
  give_back(std::move(lease));
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, third.ticket.session);
  give_back(std::move(one));
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, other.ticket.session);
}

// A small pool has a server for leases, whoever stays.
TEST_F(Lending, WhoStaysLeavesOneForLeases) {
  make({.size = 3});
  fill(3);
  pool->configure({.size = 3, .reserved = 1}, false, now, orders);
  auto one = acquire({.stays = true}), two = acquire({.stays = true});
  ASSERT_NE(two, nullptr);
  auto lease = acquire();
  ASSERT_NE(lease, nullptr);
  Waiter& keeper = waiter({.keeps = true});
  EXPECT_EQ(acquire(keeper), nullptr);
  EXPECT_TRUE(pool->wants_back());
  give_back(std::move(lease));
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, keeper.ticket.session);
}

TEST_F(Lending, FreedServerGoesToTheHeadWaiterAtOnce) {
  make({.size = 1});
  fill(1);
  auto held = acquire();
  Waiter& first = waiter();
  Waiter& second = waiter();
  acquire(first);
  now += kMillisecond;
  acquire(second);
  give_back(std::move(held));
  Order served = take_one(Kind::Serve);
  EXPECT_EQ(served.ticket.session, first.ticket.session);
  EXPECT_EQ(snapshot().idle, 0);
  give_back(std::move(served.server));
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, second.ticket.session);
}

// It looked as if it had rested since it was last idle, and was checked at every hand-over of a
// busy pool.
TEST_F(Lending, ServerThatIsHandedOverHasNotRested) {
  make({.size = 1});
  fill(1);
  auto held = acquire();
  acquire();
  now += 100 * kSecond;
  give_back(std::move(held));
  EXPECT_EQ(take_one(Kind::Serve).server->idle_since, now);
}

TEST_F(Lending, WhoWithdrewIsNeverServed) {
  make({.size = 1});
  fill(1);
  auto held = acquire();
  Waiter& first = waiter();
  Waiter& second = waiter();
  acquire(first);
  acquire(second);
  EXPECT_TRUE(pool->withdraw(first));
  EXPECT_FALSE(pool->withdraw(first));
  give_back(std::move(held));
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, second.ticket.session);
  EXPECT_FALSE(pool->withdraw(second));
  EXPECT_EQ(snapshot().waiting, 0);
}

TEST_F(Lending, FirstInFirstOutWithinAClassRoundRobinBetweenClasses) {
  make({.size = 1});
  fill(1);
  auto held = acquire();
  for (const uint64_t fair_class : {1, 1, 1, 2, 2, 3}) {
    acquire({.fair_class = fair_class});
    now += 2 * kMillisecond;
  }
  std::vector<uint64_t> order;
  const uint64_t before = last_session - 6;
  for (int i = 0; i < 6; ++i) {
    give_back(std::move(held));
    Order served = take_one(Kind::Serve);
    order.push_back(served.ticket.session - before);
    held = std::move(served.server);
  }
  EXPECT_EQ(order, (std::vector<uint64_t>{1, 4, 6, 2, 5, 3}));
}

TEST_F(Lending, WithoutFairnessThereIsOneQueue) {
  make({.size = 1, .fair = false});
  fill(1);
  auto held = acquire();
  for (const uint64_t fair_class : {1, 1, 2}) acquire({.fair_class = fair_class});
  const uint64_t before = last_session - 3;
  for (uint64_t i = 1; i <= 3; ++i) {
    give_back(std::move(held));
    Order served = take_one(Kind::Serve);
    EXPECT_EQ(served.ticket.session - before, i);
    held = std::move(served.server);
  }
}

TEST_F(Lending, WaiterHereGoesFirstWithinAMillisecond) {
  make({.size = 1}, 2);
  fill(1, 0);
  auto held = acquire({.worker = 0});
  Waiter& elsewhere = waiter({.worker = 1});
  Waiter& here = waiter({.worker = 0});
  acquire(elsewhere);
  now += kMillisecond;
  acquire(here);
  give_back(std::move(held));
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, here.ticket.session);
}

TEST_F(Lending, WaiterElsewhereIsNotKeptWaitingForLocality) {
  make({.size = 1}, 2);
  fill(1, 0);
  auto held = acquire({.worker = 0});
  Waiter& elsewhere = waiter({.worker = 1});
  acquire(elsewhere);
  now += kMillisecond + 1;
  acquire({.worker = 0});
  give_back(std::move(held));
  const Order moved = take_one(Kind::Move);
  EXPECT_EQ(moved.ticket.session, elsewhere.ticket.session);
  EXPECT_EQ(moved.worker, 0u);
  EXPECT_EQ(count(Kind::Serve), 0u);
}

TEST_F(Lending, IdleServerOfAnotherWorkerMoves) {
  make({.size = 2}, 2);
  fill(1, 0);
  EXPECT_EQ(acquire({.worker = 1}), nullptr);
  const Order moved = take_one(Kind::Move);
  EXPECT_EQ(moved.worker, 0u);
  EXPECT_EQ(moved.ticket.worker, 1u);
  EXPECT_EQ(snapshot().busy, 1);
  EXPECT_EQ(snapshot().waiting, 0);
  EXPECT_EQ(count(Kind::Open), 0u);
}

TEST_F(Lending, OtherVariantIsNotLentButEvictedWhenThePoolIsFull) {
  make({.size = 2});
  fill(1, 0, 7);
  fill(1, 0, 8);
  Waiter& other = waiter({.variant = 9});
  EXPECT_EQ(acquire(other), nullptr);
  ASSERT_EQ(count(Kind::Close), 1u);
  EXPECT_EQ(take_one(Kind::Close).server->variant(), 7u);  // used longest ago
  EXPECT_EQ(count(Kind::Open), 0u);
  tick();
  tick();
  EXPECT_EQ(count(Kind::Close), 0u) << "one is enough for one waiter";
  closed();
  ASSERT_EQ(count(Kind::Open), 1u);
  open_all(9);
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, other.ticket.session);
}

TEST_F(Lending, FreedServerOfAnotherVariantMakesRoom) {
  make({.size = 1});
  fill(1, 0, 7);
  auto held = acquire({.variant = 7});
  acquire({.variant = 8});
  give_back(std::move(held));
  EXPECT_EQ(take_one(Kind::Close).server->variant(), 7u);
  closed();
  EXPECT_EQ(count(Kind::Open), 1u);
}

TEST_F(Lending, AConnectionIsOpenedForTheVariantThatIsWaitedForLongest) {
  make({.size = 3});
  acquire({.variant = 7});
  EXPECT_EQ(take_one(Kind::Open).variant, 7u);
  pool->opened(server(0, 7), now, orders);
  take_one(Kind::Serve);
  acquire({.variant = 8});
  EXPECT_EQ(take_one(Kind::Open).variant, 8u);
}

TEST_F(Lending, AnotherVariantIsNotKeptFromAFullPoolForever) {
  make({.size = 1});
  fill(1, 0, 7);
  auto held = acquire({.variant = 7});
  Waiter& other = waiter({.variant = 8});
  acquire(other);
  for (int turn = 0; turn < 9; ++turn) {  // those of the server's variant go on and on
    acquire({.variant = 7});
    now += 100 * base::kMillisecond;
    give_back(std::move(held));
    held = std::move(take_one(Kind::Serve).server);
    ASSERT_TRUE(held);
    ASSERT_EQ(held->variant(), 7u);
  }
  acquire({.variant = 7});
  now += 100 * base::kMillisecond;
  give_back(std::move(held));
  EXPECT_EQ(take_one(Kind::Close).server->variant(), 7u);
  closed();
  EXPECT_EQ(take_one(Kind::Open).variant, 8u);
  pool->opened(server(0, 8), now, orders);
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, other.ticket.session);
}

// The richest worker may have nothing that fits.
TEST_F(Lending, FittingServerIsFoundOnAnyWorker) {
  make({.size = 3}, 3);
  fill(2, 1, 7);
  fill(1, 2, 8);
  EXPECT_EQ(acquire({.worker = 0, .variant = 8}), nullptr);
  EXPECT_EQ(take_one(Kind::Move).worker, 2u);
}

TEST_F(Lending, BudgetFullOfOwnIdleServersOfAnotherVariantMakesRoom) {
  Budget cap("the cap", 1);
  make({.size = 5}, 1, {&cap});
  fill(1, 0, 7);
  acquire({.variant = 8});
  EXPECT_EQ(take_one(Kind::Close).server->variant(), 7u);
  closed();
  EXPECT_EQ(count(Kind::Open), 1u);
}

TEST_F(Lending, ImmovableServersServeTheirOwnWorkerOnly) {
  make({.size = 2, .movable = false}, 2);
  fill(1, 0);
  EXPECT_EQ(acquire({.worker = 1}), nullptr);
  EXPECT_EQ(count(Kind::Move), 0u);
  EXPECT_EQ(take_one(Kind::Open).worker, 1u);
}

TEST_F(Lending, ImmovableServerThatNobodyThereWantsMakesRoom) {
  make({.size = 1, .movable = false}, 2);
  fill(1, 0);
  auto held = acquire({.worker = 0});
  Waiter& elsewhere = waiter({.worker = 1});
  acquire(elsewhere);
  give_back(std::move(held));
  EXPECT_EQ(take_one(Kind::Close).worker, 0u);
  closed();
  EXPECT_EQ(take_one(Kind::Open).worker, 1u);
  pool->opened(server(1), now, orders);
  EXPECT_EQ(take_one(Kind::Serve).ticket.session, elsewhere.ticket.session);
}

// They used to be opened where something had happened, and were of no use there.
TEST_F(Lending, ImmovableServersAreOpenedWhereTheyAreWanted) {
  make({.size = 4, .movable = false}, 3);
  pool->pause(true, now, orders);
  for (const WorkerId worker : {0u, 1u, 2u}) acquire({.worker = worker});
  pool->pause(false, now, orders);
  std::vector<WorkerId> where;
  for (int i = 0; i < 5; ++i) {
    for (const Order& order : take(Kind::Open)) {
      where.push_back(order.worker);
      pool->opened(server(order.worker), now, orders);
    }
  }
  std::sort(where.begin(), where.end());
  EXPECT_EQ(where, (std::vector<WorkerId>{0, 1, 2}));
  EXPECT_EQ(count(Kind::Serve), 3u);
}

TEST_F(Lending, BrokenIdleServerIsTakenOutOnce) {
  make({.size = 1});
  fill(1);
  auto held = acquire();
  Server& raw = *held;
  EXPECT_EQ(pool->take_broken(raw), nullptr);  // lent
  give_back(std::move(held));
  auto taken = pool->take_broken(raw);
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(pool->take_broken(raw), nullptr);
  pool->closing(*taken, now, orders);
  EXPECT_EQ(acquire(), nullptr);
  EXPECT_EQ(count(Kind::Open), 0u) << "its slot is not free yet";
  closed();
  EXPECT_EQ(count(Kind::Open), 1u);
}

// A class was kept for ever, and looked at by every acquire.
TEST_F(Lending, ManyClassesLeaveNothingBehind) {
  make({.size = 1});
  fill(1);
  auto held = acquire();
  for (uint64_t i = 0; i < 1000; ++i) {
    Waiter& each = waiter({.fair_class = i});
    acquire(each);
    if (i % 2 == 0) {
      EXPECT_TRUE(pool->withdraw(each));
      continue;
    }
    give_back(std::move(held));
    held = std::move(take_one(Kind::Serve).server);
  }
  EXPECT_EQ(snapshot().waiting, 0);
  EXPECT_EQ(snapshot().classes, 0);
}

}  // namespace
}  // namespace weir::pool
