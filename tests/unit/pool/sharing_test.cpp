// A budget that several pools draw on: who makes room for whom.
#include "pool_fixture.h"

namespace weir::pool {
namespace {

using base::kSecond;

// The rich pool of the fixture, and a poor one beside it.
class Sharing : public PoolTest {
 protected:
  void make_both(int limit, const Options& rich, const Options& poor) {
    budget.set_limit(limit);
    make(rich, 1, {&budget});
    other = std::make_unique<Pool>(poor, std::vector<Budget*>{&budget}, 1, 7);
  }
  void wait_for_other(int clients) {
    for (int i = 0; i < clients; ++i) other->acquire(waiter(), now, others_orders);
  }
  int shared() {
    int evicted = 0;
    share({pool.get(), other.get()}, [&](Pool& from) {
      EXPECT_EQ(&from, pool.get());
      EXPECT_TRUE(from.evict(orders));
      ++evicted;
    });
    return evicted;
  }

  Budget budget{"all", 0};
  std::unique_ptr<Pool> other;
  Orders others_orders;
};

TEST_F(Sharing, TheLongestIdleMakesRoom) {
  make_both(3, {.size = 3}, {.size = 3});
  fill(2);
  now += kSecond;
  auto held = acquire();
  auto second = acquire();
  acquire();
  open_all();
  auto third = std::move(take_one(Kind::Serve).server);
  const uint64_t first_to_rest = second->id;
  give_back(std::move(second));
  now += kSecond;
  give_back(std::move(third));
  wait_for_other(1);
  EXPECT_EQ(other->lack().budget, &budget);
  EXPECT_EQ(shared(), 1);
  EXPECT_EQ(take_one(Kind::Close).server->id, first_to_rest);
  EXPECT_EQ(shared(), 0);  // that one is still closing
  closed();
  other->tick(now, others_orders);
  ASSERT_EQ(others_orders.size(), 1u);
  EXPECT_EQ(others_orders[0].kind, Kind::Open);
  EXPECT_EQ(shared(), 0);
  give_back(std::move(held));
}

TEST_F(Sharing, AsManyAsWaitAndNotMore) {
  make_both(4, {.size = 4}, {.size = 2});
  fill(4);
  wait_for_other(3);  // two is all that this pool may have
  EXPECT_EQ(shared(), 2);
}

TEST_F(Sharing, WhatIsToBeKeptIsKept) {
  make_both(4, {.size = 4, .min = 3}, {.size = 4});
  fill(4);
  wait_for_other(4);
  EXPECT_EQ(shared(), 1);
}

TEST_F(Sharing, NobodyIsEvictedForAnotherBudget) {
  Budget apart{"apart", 1};
  make_both(0, {.size = 2}, {.size = 2});
  other = std::make_unique<Pool>(Options{.size = 2}, std::vector<Budget*>{&apart}, 1, 7);
  fill(2);
  wait_for_other(2);
  EXPECT_EQ(others_orders.size(), 1u);
  EXPECT_EQ(other->lack().budget, &apart);
  EXPECT_EQ(shared(), 0);
}

TEST_F(Sharing, BusyServersAreNotEvicted) {
  make_both(1, {.size = 1}, {.size = 1});
  fill(1);
  auto held = acquire();
  wait_for_other(1);
  EXPECT_EQ(shared(), 0);
  give_back(std::move(held));
  EXPECT_EQ(shared(), 1);
}

}  // namespace
}  // namespace weir::pool
