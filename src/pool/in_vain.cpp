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
  return open_count() == 0 && now < retry_at_ && (refused_ || waiter.deadline <= retry_at_);
}

Error Pool::error_in_vain(Time now) const {
  if (refused_) return last_error_;
  return {base::ErrorKind::Unreachable,
          "no server connection in time, as the next attempt is in " + seconds(retry_at_ - now) +
              "; last attempt: " + last_error_.text,
          "08006"};
}

void Pool::fail(Waiter& waiter, Time now, Orders& orders) const {
  orders.push_back({.kind = Order::Kind::Fail,
                    .worker = waiter.ticket.worker,
                    .ticket = waiter.ticket,
                    .error = error_in_vain(now)});
}

// Those of them who wait in vain, or all.
void Pool::fail_waiters(bool all, Time now, Orders& orders) {
  if (paused_ || (!all && (open_count() > 0 || now >= retry_at_))) return;
  std::vector<Waiter*> failed;
  for (const auto& [key, in] : classes_)
    for (const Line& line : in.lines)
      for (Waiter* each = line.first; each; each = each->next)
        if (all || is_in_vain(*each, now)) failed.push_back(each);
  for (Waiter* each : failed) {
    dequeue(*each);
    fail(*each, now, orders);
  }
}

Error Pool::wait_error(Duration waited) const {
  const std::lock_guard lock(mutex_);
  const std::string time = seconds(waited);
  if (paused_) return {base::ErrorKind::Timeout, "the pool is paused; waited " + time, "57P03"};
  if (!last_error_.text.empty())
    return {base::ErrorKind::Unreachable,
            "no server connection within " + time + "; last attempt: " + last_error_.text, "08006"};
  for (const Budget* budget : budgets_)
    if (budget->limit() > 0 && budget->used() >= budget->limit())
      return {base::ErrorKind::Timeout,
              "no free server connection within " + time + ": all " +
                  std::to_string(budget->limit()) + " of " + budget->name() + " are in use",
              "53300"};
  if (opening_ > 0)
    return {base::ErrorKind::Unreachable,
            "no server connection within " + time + "; logins are under way", "08006"};
  return {base::ErrorKind::Timeout,
          "no free server connection within " + time + ": all " + std::to_string(options_.size) +
              " of the pool are in use, " + std::to_string(waiting_) + " clients wait",
          "53300"};
}

}  // namespace weir::pool
