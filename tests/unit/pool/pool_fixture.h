// What the pool's tests stand on: servers without anything behind them, a clock that the test
// moves, and a place where orders are kept until the test carries them out.
#pragma once

#include <gtest/gtest.h>

#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weir/pool/pool.h>

namespace weir::pool {

struct FakeServer final : Server {
  explicit FakeServer(uint64_t variant) : variant_(variant) {}
  uint64_t variant() const override { return variant_; }
  uint64_t flavour() const override { return flavour_; }
  uint64_t variant_;
  uint64_t flavour_ = 0;
};

struct Wish {
  WorkerId worker = 0;
  uint64_t variant = 0;
  uint64_t flavour = 0;
  uint64_t fair_class = 0;
  bool keeps = false;
  bool stays = false;
};

class PoolTest : public testing::Test {
 protected:
  using Kind = Order::Kind;

  void make(const Options& options, uint32_t workers = 1, std::vector<Budget*> budgets = {}) {
    pool = std::make_unique<Pool>(options, std::move(budgets), workers, 42);
  }

  // A client that wants a server. Its number is its ticket's session.
  Waiter& waiter(Wish wish = {}) {
    Waiter& made = waiters.emplace_back();
    made.ticket = {wish.worker, ++last_session, 1};
    made.variant = wish.variant;
    made.flavour = wish.flavour;
    made.keeps = wish.keeps;
    made.stays = wish.stays;
    made.fair_class = wish.fair_class;
    return made;
  }
  std::unique_ptr<Server> acquire(Waiter& who) { return pool->acquire(who, now, orders); }
  std::unique_ptr<Server> acquire(Wish wish = {}) { return acquire(waiter(wish)); }

  std::unique_ptr<Server> server(WorkerId worker = 0, uint64_t variant = 0) {
    auto made = std::make_unique<FakeServer>(variant);
    made->id = ++last_server;
    made->worker = worker;
    return made;
  }
  void give_back(std::unique_ptr<Server> held) { pool->give_back(std::move(held), now, orders); }
  void tick() { pool->tick(now, orders); }
  void closed() { pool->closed(now, orders); }

  // The orders of this kind, out of those that are kept.
  std::vector<Order> take(Kind kind) {
    std::vector<Order> out;
    for (size_t i = 0; i < orders.size();) {
      if (orders[i].kind != kind) {
        ++i;
        continue;
      }
      out.push_back(std::move(orders[i]));
      orders.erase(orders.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return out;
  }
  size_t count(Kind kind) const {
    size_t found = 0;
    for (const Order& order : orders) found += order.kind == kind ? 1 : 0;
    return found;
  }
  Order take_one(Kind kind) {
    auto found = take(kind);
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? Order{.kind = kind, .worker = 0} : std::move(found[0]);
  }
  // Carries out all orders to open, with servers of this variant.
  void open_all(uint64_t variant = 0) {
    for (auto opens = take(Kind::Open); !opens.empty(); opens = take(Kind::Open))
      for (const Order& order : opens) pool->opened(server(order.worker, variant), now, orders);
  }
  void fail_open(base::ErrorKind kind, const std::string& text = "no") {
    const Order order = take_one(Kind::Open);
    pool->open_failed({kind, text, "XX000"}, {order.worker, order.variant}, now, orders);
  }
  // Idle servers, by way of as many clients.
  void fill(int servers, WorkerId worker = 0, uint64_t variant = 0) {
    std::vector<std::unique_ptr<Server>> held;
    for (int i = 0; i < servers; ++i) {
      acquire({.worker = worker, .variant = variant});
      open_all(variant);
      for (Order& order : take(Kind::Serve)) held.push_back(std::move(order.server));
    }
    for (auto& each : held) give_back(std::move(each));
    ASSERT_EQ(held.size(), static_cast<size_t>(servers));
  }
  Snapshot snapshot() const { return pool->snapshot(); }

  Time now = 1000 * base::kSecond;
  std::unique_ptr<Pool> pool;
  Orders orders;
  std::list<Waiter> waiters;
  uint64_t last_session = 0;
  uint64_t last_server = 0;
};

}  // namespace weir::pool
