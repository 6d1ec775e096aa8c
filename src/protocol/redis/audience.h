// How many listen whom the server cannot count: clients that share a connection to listen are one
// subscriber to it. For each topic the sum over the hubs of those who have been told, but for one.
// Shared by all connections to a server, of whichever pool, and by the hubs among them, which keep
// it up; any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
// tidy(pure-protocol): hubs of all workers are counted together
#include <mutex>
#include <string>
#include <unordered_map>

#include "hub.h"

namespace weir::redis {

class Audience {
 public:
  // Most of the time, and without a lock: the server counts right.
  bool is_empty() const { return topics_.load(std::memory_order_acquire) == 0; }
  void change(Hub::Kind kind, Bytes name, int64_t by);

  int64_t listeners(Hub::Kind kind, Bytes name) const;
  // Who gets what is published to it: also those whose patterns it fits, each of them as often.
  int64_t receivers(Bytes channel) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(Bytes text) const { return std::hash<Bytes>{}(text); }
  };
  using Topics = std::unordered_map<std::string, int64_t, Hash, std::equal_to<>>;
  int64_t find(Hub::Kind kind, Bytes name) const;

  std::atomic<size_t> topics_{0};
  // tidy(pure-protocol): hubs of all workers are counted together
  mutable std::mutex mutex_;
  std::array<Topics, 3> all_;
};

// Those of all servers to which there are connections, by what the servers call themselves. Any
// thread; at logins only.
class Audiences {
 public:
  std::shared_ptr<Audience> of(const std::string& server);

 private:
  // tidy(pure-protocol): hubs of all workers are counted together
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Audience>> all_;
};

}  // namespace weir::redis
