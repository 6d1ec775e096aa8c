// Who waits in vain, and what it is told.
#include <weir/pool/pool.h>

namespace weir::pool {

namespace {

std::string seconds(Duration duration) {
  return std::to_string(duration / base::kSecond) + "." +
         std::to_string(duration / (100 * base::kMillisecond) % 10) + " s";
}

}  // namespace

// No server is there or on its way. The next attempt would be refused like the last, or comes when
// this one has given up.
bool Pool::is_in_vain(const Waiter& waiter, Time now) const {
  const Reach& there = reach(waiter.variant);
  return there.open + there.opening == 0 && now < there.retry_at &&
         (there.refused || waiter.deadline <= there.retry_at);
}

Error Pool::error_in_vain(const Reach& there, Time now) const {
  if (there.refused) return there.last_error;
  return {base::ErrorKind::Unreachable,
          "no server connection in time, as the next attempt is in " +
              seconds(there.retry_at - now) + "; last attempt: " + there.last_error.text,
          "08006"};
}

void Pool::fail(Waiter& waiter, Time now, Orders& orders) const {
  orders.push_back({.kind = Order::Kind::Fail,
                    .worker = waiter.ticket.worker,
                    .ticket = waiter.ticket,
                    .error = error_in_vain(reach(waiter.variant), now)});
}

// Of those who wait for servers there: who waits in vain, or all.
void Pool::fail_waiters(const Reach& there, bool all, Time now, Orders& orders) {
  if (paused_ || (!all && (there.open + there.opening > 0 || now >= there.retry_at))) return;
  std::vector<Waiter*> failed;
  for (const auto& [key, in] : classes_)
    for (const Line& line : in.lines)
      for (Waiter* each = line.first; each && &reach(each->variant) == &there; each = each->next)
        if (all || is_in_vain(*each, now)) failed.push_back(each);
  for (Waiter* each : failed) {
    dequeue(*each);
    fail(*each, now, orders);
  }
}

Error Pool::wait_error(uint64_t variant, Duration waited) const {
  const std::lock_guard lock(mutex_);
  const std::string time = seconds(waited);
  if (paused_) return {base::ErrorKind::Timeout, "the pool is paused; waited " + time, "57P03"};
  const Reach& there = reach(variant);
  if (!there.last_error.text.empty())
    return {base::ErrorKind::Unreachable,
            "no server connection within " + time + "; last attempt: " + there.last_error.text,
            "08006"};
  for (const Budget* budget : budgets_)
    if (budget->limit() > 0 && budget->used() >= budget->limit())
      return {base::ErrorKind::Timeout,
              "no free server connection within " + time + ": all " +
                  std::to_string(budget->limit()) + " of " + budget->name() + " are in use",
              "53300"};
  if (there.opening > 0)
    return {base::ErrorKind::Unreachable,
            "no server connection within " + time + "; logins are under way", "08006"};
  return {base::ErrorKind::Timeout,
          "no free server connection within " + time + ": all " + std::to_string(options_.size) +
              " of the pool are in use, " + std::to_string(waiting_) + " clients wait",
          "53300"};
}

}  // namespace weir::pool
