// Servers whose address is not right any more.
#include "pool_fixture.h"

namespace weir::pool {
namespace {

class Origins : public PoolTest {
 protected:
  std::unique_ptr<Server> at(uint64_t origin) {
    acquire();
    const Order order = take_one(Kind::Open);
    auto made = server();
    made->origin = origin;
    pool->opened(std::move(made), now, orders);
    return std::move(take_one(Kind::Serve).server);
  }
  void keep(std::vector<uint64_t> origins) { pool->keep_origins(std::move(origins), now, orders); }
};

TEST_F(Origins, IdleOnesGoAtOnceAndBusyOnesWhenTheyComeBack) {
  make({.size = 4});
  auto idle = at(1), busy = at(1), right = at(2), without = at(0);
  give_back(std::move(idle));
  keep({2, 3});
  const Order first = take_one(Kind::Close);
  ASSERT_TRUE(first.server);
  EXPECT_TRUE(first.origin_gone);
  EXPECT_EQ(first.server->origin, 1u);
  give_back(std::move(right));
  give_back(std::move(without));
  EXPECT_EQ(count(Kind::Close), 0u);
  give_back(std::move(busy));
  EXPECT_TRUE(take_one(Kind::Close).origin_gone);
  EXPECT_EQ(snapshot().idle, 2);
  EXPECT_EQ(snapshot().closing, 2);
}

TEST_F(Origins, AnAddressThatCameBackInTimeIsRight) {
  make({.size = 1});
  auto busy = at(1);
  keep({2});
  keep({2, 1});
  give_back(std::move(busy));
  EXPECT_EQ(count(Kind::Close), 0u);
}

TEST_F(Origins, TheirOrderSaysNothing) {
  make({.size = 2});
  auto one = at(1), two = at(2);
  give_back(std::move(one));
  give_back(std::move(two));
  keep({1, 2});
  keep({2, 1});
  EXPECT_EQ(count(Kind::Close), 0u);
}

TEST_F(Origins, OneThatWasOpenedTooLate) {
  make({.size = 1});
  acquire();
  const Order order = take_one(Kind::Open);
  keep({2});
  auto late = server();
  late->origin = 1;
  pool->opened(std::move(late), now, orders);
  EXPECT_TRUE(take_one(Kind::Close).origin_gone);
  EXPECT_EQ(count(Kind::Serve), 0u);
  closed();
  EXPECT_EQ(count(Kind::Open), 1u);  // for the one who still waits
}

TEST_F(Origins, ThoseWhoWaitGetOneThatIsRight) {
  make({.size = 1});
  auto busy = at(1);
  keep({2});
  acquire();
  give_back(std::move(busy));
  EXPECT_EQ(count(Kind::Close), 1u);
  closed();
  const Order order = take_one(Kind::Open);
  auto right = server();
  right->origin = 2;
  pool->opened(std::move(right), now, orders);
  const Order served = take_one(Kind::Serve);
  ASSERT_TRUE(served.server);
  EXPECT_EQ(served.server->origin, 2u);
}

TEST_F(Origins, OtherClosesHaveOtherReasons) {
  make({.size = 1, .idle_timeout = base::kSecond});
  auto one = at(1);
  keep({1});
  give_back(std::move(one));
  now += base::kSecond;
  tick();
  EXPECT_FALSE(take_one(Kind::Close).origin_gone);
}

}  // namespace
}  // namespace weir::pool
