// Limits under chance: several pools on several workers share budgets, and their orders are carried
// out in any order.
#include <gtest/gtest.h>

#include <list>
#include <random>

#include "pool_fixture.h"

namespace weir::pool {
namespace {

using base::kMillisecond;
using base::kSecond;

constexpr uint32_t kWorkers = 3;

// A pool with its clients and servers.
struct Seat {
  std::unique_ptr<Pool> pool;
  Options options;
  std::list<Waiter> waiters;                  // queued, or promised a server
  std::vector<std::unique_ptr<Server>> held;  // by clients
  std::vector<Order> orders;                  // not yet carried out
  std::vector<Attempt> opening;
  int closing = 0;
};

class Limits : public testing::Test {
 protected:
  void build(uint64_t seed) {
    random.seed(seed);
    now = 1000 * kSecond;
    seats.clear();
    budgets.clear();
    budgets.push_back(std::make_unique<Budget>("all", pick(2) ? 0 : 1 + static_cast<int>(pick(8))));
    for (int i = 0; i < 3; ++i) {
      budgets.push_back(
          std::make_unique<Budget>("own", pick(3) ? 0 : 1 + static_cast<int>(pick(4))));
      Seat& seat = seats.emplace_back();
      seat.options.size = 1 + static_cast<int>(pick(4));
      seat.options.overflow = static_cast<int>(pick(3));
      seat.options.overflow_after = 20 * kMillisecond;
      seat.options.retry_min = 5 * kMillisecond;
      seat.options.retry_max = 50 * kMillisecond;
      // A pool's idle server may be in the way of another pool: then only its idle time makes room.
      const bool shared = budgets[0]->limit() > 0;
      seat.options.min = shared ? 0 : static_cast<int>(pick(3));
      seat.options.idle_timeout = shared || pick(2) ? 100 * kMillisecond : 0;
      seat.options.max_lifetime = pick(2) ? 300 * kMillisecond : 0;
      seat.options.check_interval = pick(2) ? 50 * kMillisecond : 0;
      seat.options.pick = static_cast<Pick>(pick(3));
      seat.options.movable = pick(4) != 0;
      seat.options.fair = pick(2) != 0;
      if (pick(2) == 0) seat.options.is_apart = [](uint64_t variant) { return variant == 1; };
      seat.pool = std::make_unique<Pool>(
          seat.options, std::vector<Budget*>{budgets[0].get(), budgets.back().get()}, kWorkers,
          seed);
    }
  }
  uint64_t pick(uint64_t below) { return random() % below; }

  void act(Seat& seat) {
    switch (pick(7)) {
      case 0:
      case 1: return ask(seat);
      case 2: return give_back(seat);
      case 3: return withdraw(seat);
      case 4:
        if (seat.held.empty() || pick(5) != 0) return;
        seat.pool->closing(*seat.held.back(), now, seat.orders);  // it breaks
        seat.held.pop_back();
        ++seat.closing;
        return;
      default: return carry_out(seat);
    }
  }

  void ask(Seat& seat) {
    Waiter& waiter = seat.waiters.emplace_back();
    waiter.ticket = {static_cast<WorkerId>(pick(kWorkers)), ++last_session, 1};
    waiter.variant = pick(2);
    waiter.fair_class = pick(3);
    auto server = seat.pool->acquire(waiter, now, seat.orders);
    if (!server) return;
    EXPECT_EQ(server->variant(), waiter.variant);
    EXPECT_EQ(server->worker, waiter.ticket.worker);
    seat.held.push_back(std::move(server));
    seat.waiters.pop_back();
  }

  void give_back(Seat& seat) {
    if (seat.held.empty()) return;
    std::swap(seat.held[pick(seat.held.size())], seat.held.back());
    auto server = std::move(seat.held.back());
    seat.held.pop_back();
    seat.pool->give_back(std::move(server), now, seat.orders);
  }

  void withdraw(Seat& seat) {
    if (seat.waiters.empty() || pick(3) != 0) return;
    auto chosen =
        std::next(seat.waiters.begin(), static_cast<std::ptrdiff_t>(pick(seat.waiters.size())));
    if (seat.pool->withdraw(*chosen)) seat.waiters.erase(chosen);
  }

  void carry_out(Seat& seat) {
    if (pick(3) == 0 && !seat.opening.empty()) return finish_opening(seat);
    if (pick(3) == 0 && seat.closing > 0) {
      --seat.closing;
      return seat.pool->closed(now, seat.orders);
    }
    if (seat.orders.empty()) return;
    std::swap(seat.orders[pick(seat.orders.size())], seat.orders.back());
    Order order = std::move(seat.orders.back());
    seat.orders.pop_back();
    switch (order.kind) {
      case Order::Kind::Serve: return serve(seat, std::move(order));
      case Order::Kind::Move:
        EXPECT_TRUE(seat.options.movable);
        order.server->worker = order.ticket.worker;
        return serve(seat, std::move(order));
      case Order::Kind::Open: seat.opening.push_back({order.worker, order.variant}); return;
      case Order::Kind::Close: ++seat.closing; return;
      case Order::Kind::Check:
        seat.pool->give_back(std::move(order.server), now, seat.orders);
        return;
      case Order::Kind::Fail: forget(seat, order.ticket); return;
    }
  }

  bool forget(Seat& seat, const Ticket& ticket) {
    for (auto each = seat.waiters.begin(); each != seat.waiters.end(); ++each) {
      if (each->ticket.session != ticket.session) continue;
      EXPECT_FALSE(each->queued);
      seat.waiters.erase(each);
      return true;
    }
    return false;
  }

  void serve(Seat& seat, Order order) {
    EXPECT_EQ(order.server->worker, order.ticket.worker);
    EXPECT_TRUE(forget(seat, order.ticket)) << "a server for nobody";
    seat.held.push_back(std::move(order.server));
  }

  void finish_opening(Seat& seat) {
    const Attempt attempt = seat.opening.back();
    seat.opening.pop_back();
    if (pick(5) == 0) {
      const auto kind = pick(3) == 0 ? base::ErrorKind::Refused : base::ErrorKind::Unreachable;
      return seat.pool->open_failed({kind, "no"}, attempt, now, seat.orders);
    }
    auto server = std::make_unique<FakeServer>(attempt.variant);
    server->worker = attempt.worker;
    seat.pool->opened(std::move(server), now, seat.orders);
  }

  void check() {
    int all = 0;
    for (size_t i = 0; i < seats.size(); ++i) {
      const Snapshot snapshot = seats[i].pool->snapshot();
      const int slots = snapshot.idle + snapshot.busy + snapshot.opening + snapshot.closing;
      all += slots;
      ASSERT_GE(snapshot.busy, 0);
      ASSERT_GE(snapshot.opening, 0);
      ASSERT_GE(snapshot.closing, 0);
      ASSERT_LE(slots, seats[i].options.size + seats[i].options.overflow);
      ASSERT_EQ(budgets[i + 1]->used(), slots);
      if (budgets[i + 1]->limit() > 0) {
        ASSERT_LE(slots, budgets[i + 1]->limit());
      }
    }
    ASSERT_EQ(budgets[0]->used(), all);
    if (budgets[0]->limit() > 0) {
      ASSERT_LE(all, budgets[0]->limit());
    }
  }

  // Everybody gives back, nobody asks: all who wait are served in the end.
  void come_to_rest() {
    for (int round = 0; round < 20000; ++round) {
      now += 5 * kMillisecond;
      bool rest = true;
      for (Seat& seat : seats) {
        give_back(seat);
        for (int i = 0; i < 4; ++i) carry_out(seat);
        if (round % 4 == 0) seat.pool->tick(now, seat.orders);
        const Snapshot snapshot = seat.pool->snapshot();
        rest = rest && snapshot.waiting == 0 && snapshot.busy == 0 && seat.waiters.empty();
      }
      check();
      if (HasFatalFailure() || rest) return;
    }
    ADD_FAILURE() << "somebody waits for ever";
  }

  std::mt19937_64 random;
  Time now = 0;
  std::deque<Seat> seats;
  std::vector<std::unique_ptr<Budget>> budgets;
  uint64_t last_session = 0;
};

TEST_F(Limits, HoldUnderChance) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    build(seed);
    for (int i = 0; i < 1500 && !HasFatalFailure(); ++i) {
      act(seats[pick(seats.size())]);
      if (pick(10) == 0) now += static_cast<Time>(pick(10)) * kMillisecond;
      if (Seat& seat = seats[pick(seats.size())]; pick(20) == 0) seat.pool->tick(now, seat.orders);
      check();
    }
    if (!HasFatalFailure()) come_to_rest();
    if (HasFailure()) return;
  }
}

TEST(BudgetTest, ExactAndUnlimited) {
  Budget two("two", 2);
  EXPECT_TRUE(two.try_take());
  EXPECT_TRUE(two.try_take());
  EXPECT_FALSE(two.try_take());
  two.give();
  EXPECT_TRUE(two.try_take());
  two.set_limit(0);
  EXPECT_TRUE(two.try_take());
  EXPECT_EQ(two.used(), 3);
  two.set_limit(1);
  EXPECT_FALSE(two.try_take());
}

}  // namespace
}  // namespace weir::pool
