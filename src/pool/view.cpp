// What people and other parts see of a pool.
#include <weir/pool/pool.h>

#include <algorithm>

namespace weir::pool {

Snapshot Pool::snapshot() const {
  const std::lock_guard lock(mutex_);
  Snapshot out;
  out.idle = idle_count();
  out.busy = busy_;
  out.opening = opening_;
  out.closing = closing_;
  out.waiting = waiting_;
  out.size = options_.size;
  out.classes = static_cast<int>(classes_.size());
  out.paused = paused_;
  out.last_error = trial_error_;
  const Reach* last = nullptr;
  for (const Reach& each : reach_)
    if (!each.last_error.text.empty() && (!last || each.failed_at > last->failed_at)) last = &each;
  if (last) out.last_error = last->last_error.text;
  if (const Waiter* oldest = oldest_waiter()) out.oldest_wait_since = oldest->since;
  return out;
}

void Snapshot::add(const Snapshot& other) {
  idle += other.idle;
  busy += other.busy;
  opening += other.opening;
  closing += other.closing;
  waiting += other.waiting;
  oldest_wait_since = std::min(oldest_wait_since, other.oldest_wait_since);
  if (last_error.empty()) last_error = other.last_error;
}

bool Pool::is_empty() const {
  const std::lock_guard lock(mutex_);
  return open_count() + closing_ + trials_ + waiting_ == 0;
}

bool Pool::wants_back() const {
  const std::lock_guard lock(mutex_);
  return wanting() > 0;
}

uint32_t Pool::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

int Pool::idle_count() const {
  size_t count = 0;
  for (const auto& stack : idle_) count += stack.size();
  return static_cast<int>(count);
}

}  // namespace weir::pool
