// Connections that show whether a client's login is good.
#include <weir/pool/pool.h>

namespace weir::pool {

// Where all that there may be is taken, the server that rests longest makes room.
bool Pool::begin_trial(Orders& orders) {
  const std::lock_guard lock(mutex_);
  if (paused_) return false;
  trial_waits_ = !take_slot();
  if (trial_waits_ && closing_ == 0) close_longest_idle(orders);
  trials_ += trial_waits_ ? 0 : 1;
  return !trial_waits_;
}

void Pool::give_up_trial() {
  const std::lock_guard lock(mutex_);
  trial_waits_ = false;
}

std::unique_ptr<Server> Pool::trial_won(std::unique_ptr<Server> server, Time now, Orders& orders) {
  {
    const std::lock_guard lock(mutex_);
    --trials_;
    trial_error_.clear();
    if (open_count() + closing_ >= limit(now)) {
      ++closing_;
      return server;
    }
    // From here on it is one that the pool has opened.
    begin({server->worker, server->variant()});
  }
  opened(std::move(server), now, orders);
  return nullptr;
}

// That a client is refused says nothing of the server.
void Pool::trial_lost(const Error& why, Time now, Orders& orders) {
  const std::lock_guard lock(mutex_);
  --trials_;
  if (why.kind != base::ErrorKind::Refused) trial_error_ = why.text;
  slot_is_free(now, orders);
}

}  // namespace weir::pool
