// Which servers are not lent any more although nothing is wrong with them: of an old generation,
// too old, or at an address that is not right any more.
#include <weir/pool/pool.h>

#include <algorithm>

namespace weir::pool {

bool Pool::is_stale(const Server& server, Time now) const {
  return server.generation != generation_ || server.expires_at <= now || has_gone(server.origin);
}

bool Pool::has_gone(uint64_t origin) const {
  return origin != 0 && !origins_.empty() &&
         std::find(origins_.begin(), origins_.end(), origin) == origins_.end();
}

void Pool::keep_origins(std::vector<uint64_t> origins, Time now, Orders& orders) {
  const std::lock_guard lock(mutex_);
  origins_ = std::move(origins);
  tick_idle(now, orders);
  if (waiting_ > 0) open_more(oldest_waiter()->ticket.worker, now, orders);
}

}  // namespace weir::pool
