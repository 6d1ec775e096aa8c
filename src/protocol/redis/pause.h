// Whether the servers of a pool may be holding back what writes, as one of its clients has asked
// for it (CLIENT PAUSE). One for each pool, shared by its servers; any thread.
//
//   off ---- asked() ----> on ---- over() with a moment() behind the last asked() ----> off
//
// What is held back keeps all that stands behind it on its connection. So while this is on, what
// writes goes to servers of its own. That it is over shows when a server has answered CLIENT
// UNPAUSE, or something that it would have held back.
#pragma once

#include <atomic>
#include <cstdint>

namespace weir::redis {

class Pause {
 public:
  bool may_be_on() const { return (word_.load(std::memory_order_relaxed) & 1) != 0; }
  // When CLIENT PAUSE goes to a server, and again when that has done it.
  void asked() {
    uint64_t now = word_.load();
    while (!word_.compare_exchange_weak(now, ((now >> 1) + 1) << 1 | 1)) {
    }
  }
  // Of something that is sent now. Never 0 while it may be on.
  int64_t moment() const { return static_cast<int64_t>(word_.load()); }
  // What was sent at that moment has been done.
  void over(int64_t moment) {
    auto then = static_cast<uint64_t>(moment);
    if ((then & 1) != 0) word_.compare_exchange_strong(then, then - 1);
  }

 private:
  std::atomic<uint64_t> word_{0};  // how often it has been asked for; the lowest bit: it may be on
};

}  // namespace weir::redis
