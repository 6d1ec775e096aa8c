// Room for another server: within the pool, and within the budgets that it shares with other pools.
#include <weir/pool/pool.h>

#include <algorithm>

namespace weir::pool {

bool Pool::take_slot() {
  for (size_t i = 0; i < budgets_.size(); ++i) {
    if (budgets_[i]->try_take()) continue;
    full_ = budgets_[i];
    while (i-- > 0) budgets_[i]->give();
    return false;
  }
  full_ = nullptr;
  return true;
}

// Whether a further server could be opened now.
bool Pool::has_room(uint64_t variant, Time now) const {
  const auto full = [](const Budget* budget) {
    return budget->limit() > 0 && budget->used() >= budget->limit();
  };
  return now >= reach(variant).retry_at && open_count() + closing_ < limit(now) &&
         std::none_of(budgets_.begin(), budgets_.end(), full);
}

// To somebody who neither keeps it nor stays. Where the pool is small there is one all the same.
bool Pool::may_lease() const {
  if (options_.reserved == 0) return true;
  const int others = options_.reserved + staying_;
  return leased_ < std::max(std::max(options_.size, open_count()) - others, 1);
}

// One server is left for all who do not stay, unless there is but one.
bool Pool::may_stay() const {
  return staying_ + leased_ < std::max(std::max(options_.size, open_count()) - 1, 1);
}

bool Pool::may_have(const Waiter& waiter) const {
  if (waiter.stays) return may_stay();
  return waiter.keeps || may_lease();
}

// How many of those who wait could be served.
int Pool::wanting() const {
  const int stayers = may_stay() ? stayers_waiting_ : 0;
  if (may_lease()) return waiting_ - stayers_waiting_ + stayers;
  return keepers_waiting_ + stayers;
}

void Pool::free_slot() {
  for (Budget* budget : budgets_) budget->give();
}

void Pool::slot_is_free(Time now, Orders& orders) {
  free_slot();
  if (waiting_ > 0) open_more(oldest_waiter()->ticket.worker, now, orders);
  for (const Reach& each : reach_) fail_waiters(each, false, now, orders);
}

// An idle server that nobody who waits can use goes, unless enough is under way for all of them.
void Pool::make_room(uint64_t variant, Orders& orders) {
  if (awaited() + closing_ >= waiting_) return;
  serve_idle(orders);
  if (waiting_ == 0) return;
  for (auto& stack : idle_) {
    const auto found = std::find_if(stack.begin(), stack.end(), [&](const auto& server) {
      return server->variant() != variant || !options_.movable;
    });
    if (found == stack.end()) continue;
    auto server = std::move(*found);
    stack.erase(found);
    ++busy_;
    return close(std::move(server), orders);
  }
}

Pool::Lack Pool::lack() const {
  const std::lock_guard lock(mutex_);
  if (full_ && trial_waits_) return {full_, 1};
  const int lacking = waiting_ - awaited();
  if (!full_ || paused_ || lacking <= 0) return {};
  const int size = options_.size + options_.overflow - open_count() - closing_;
  return {full_, std::min(lacking, size)};
}

bool Pool::draws_on(const Budget* budget) const {
  return std::find(budgets_.begin(), budgets_.end(), budget) != budgets_.end();
}

// Of each stack the first has rested longest.
const Server* Pool::longest_idle() const {
  const Server* longest = nullptr;
  if (open_count() <= std::min(options_.min, options_.size)) return nullptr;
  for (const auto& stack : idle_)
    if (!stack.empty() && (!longest || stack.front()->idle_since < longest->idle_since))
      longest = stack.front().get();
  return longest;
}

Time Pool::idle_since() const {
  const std::lock_guard lock(mutex_);
  const Server* longest = longest_idle();
  return longest ? longest->idle_since : base::kNever;
}

bool Pool::evict(Orders& orders) {
  const std::lock_guard lock(mutex_);
  return close_longest_idle(orders);
}

bool Pool::close_longest_idle(Orders& orders) {
  const Server* longest = longest_idle();
  if (!longest) return false;
  auto& stack = idle_[longest->worker];
  auto server = std::move(stack.front());
  stack.pop_front();
  ++busy_;
  close(std::move(server), orders);
  return true;
}

void share(const std::vector<Pool*>& pools, const std::function<void(Pool&)>& evict) {
  for (Pool* poor : pools) {
    auto [budget, count] = poor->lack();
    if (!budget) continue;
    std::vector<Pool*> others;
    for (Pool* pool : pools) {
      if (!pool->draws_on(budget)) continue;
      count -= pool->snapshot().closing;  // these are about to make room
      if (pool != poor) others.push_back(pool);
    }
    for (; count > 0 && !others.empty(); --count) {
      Pool* const rich = *std::min_element(
          others.begin(), others.end(),
          [](const Pool* a, const Pool* b) { return a->idle_since() < b->idle_since(); });
      if (rich->idle_since() == base::kNever) break;
      evict(*rich);
    }
  }
}

}  // namespace weir::pool
