// Connections that show whether a client's login is good: outside the size, inside the budgets.
#include "pool_fixture.h"

namespace weir::pool {
namespace {

class Trials : public PoolTest {
 protected:
  bool begin() { return pool->begin_trial(orders); }
  // Null: it has joined the pool.
  std::unique_ptr<Server> win() { return pool->trial_won(server(), now, orders); }

  Budget cap{"cap", 2};
};

TEST_F(Trials, AGoodOneJoinsThePool) {
  make({.size = 1}, 1, {&cap});
  ASSERT_TRUE(begin());
  EXPECT_EQ(cap.used(), 1);
  EXPECT_FALSE(pool->is_empty());
  EXPECT_FALSE(win());
  EXPECT_EQ(snapshot().idle, 1);
  EXPECT_EQ(snapshot().opening, 0);
  EXPECT_TRUE(acquire());
}

TEST_F(Trials, WhereThereIsNoRoomItIsClosed) {
  make({.size = 1}, 1, {&cap});
  fill(1);
  ASSERT_TRUE(begin());  // the size does not concern it
  EXPECT_EQ(cap.used(), 2);
  EXPECT_TRUE(win());
  EXPECT_EQ(snapshot().idle, 1);
  EXPECT_EQ(snapshot().closing, 1);
  EXPECT_EQ(cap.used(), 2);
  closed();
  EXPECT_EQ(cap.used(), 1);
  EXPECT_EQ(snapshot().closing, 0);
}

TEST_F(Trials, AGoodOneServesWhoWaits) {
  make({.size = 2}, 1, {&cap});
  acquire();
  fail_open(base::ErrorKind::Refused);  // with what was known before
  EXPECT_EQ(take(Kind::Fail).size(), 1u);
  EXPECT_FALSE(acquire());
  EXPECT_EQ(take(Kind::Fail).size(), 1u);
  ASSERT_TRUE(begin());
  pool->forgive();
  EXPECT_FALSE(acquire());
  EXPECT_EQ(count(Kind::Open), 1u);
  EXPECT_FALSE(win());
  EXPECT_EQ(take(Kind::Serve).size(), 1u);
  open_all();
  EXPECT_EQ(cap.used(), 2);
}

TEST_F(Trials, AFailedOneIsNoFailureOfThePool) {
  make({.size = 1}, 1, {&cap});
  ASSERT_TRUE(begin());
  pool->trial_lost({base::ErrorKind::Refused, "no"}, now, orders);
  EXPECT_EQ(cap.used(), 0);
  EXPECT_TRUE(pool->is_empty());
  EXPECT_FALSE(acquire());
  EXPECT_EQ(count(Kind::Open), 1u);
  EXPECT_EQ(count(Kind::Fail), 0u);
}

TEST_F(Trials, ItsPlaceGoesToWhoWaits) {
  cap.set_limit(1);
  make({.size = 2}, 1, {&cap});
  ASSERT_TRUE(begin());
  EXPECT_FALSE(acquire());
  EXPECT_EQ(count(Kind::Open), 0u);
  pool->trial_lost({base::ErrorKind::Refused, "no"}, now, orders);
  EXPECT_EQ(count(Kind::Open), 1u);
}

TEST_F(Trials, WhatRestsMakesRoom) {
  make({.size = 2}, 1, {&cap});
  fill(2);
  EXPECT_FALSE(begin());
  EXPECT_EQ(take(Kind::Close).size(), 1u);
  EXPECT_FALSE(begin());  // that one's end is not known yet
  EXPECT_EQ(take(Kind::Close).size(), 0u);
  closed();
  EXPECT_TRUE(begin());
  EXPECT_EQ(cap.used(), 2);
}

TEST_F(Trials, NothingIsTriedWhilePaused) {
  make({.size = 2}, 1, {&cap});
  pool->pause(true, now, orders);
  EXPECT_FALSE(begin());
  EXPECT_TRUE(pool->is_empty());
  pool->pause(false, now, orders);
  EXPECT_TRUE(begin());
}

TEST_F(Trials, WhatRestsElsewhereMakesRoom) {
  make({.size = 2}, 1, {&cap});
  fill(2);
  Pool other({.size = 1}, {&cap}, 1, 1);
  Orders of_other;
  EXPECT_FALSE(other.begin_trial(of_other));
  const auto evict = [&] {
    share({pool.get(), &other}, [&](Pool& rich) { EXPECT_TRUE(rich.evict(orders)); });
  };
  evict();
  EXPECT_EQ(take(Kind::Close).size(), 1u);
  evict();  // which is under way
  EXPECT_EQ(take(Kind::Close).size(), 0u);
  closed();
  EXPECT_TRUE(other.begin_trial(of_other));
  evict();
  EXPECT_FALSE(other.begin_trial(of_other));
  other.give_up_trial();
  evict();
  EXPECT_EQ(take(Kind::Close).size(), 0u);
}

}  // namespace
}  // namespace weir::pool
