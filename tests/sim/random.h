// The one source of chance in a world: everything is drawn from its seed.
#pragma once

#include <cstdint>
#include <random>

namespace weir::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed * 0x9e3779b97f4a7c15u + 1) {}
  // Below `bound`, which is at least 1.
  uint64_t below(uint64_t bound) { return engine_() % bound; }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }
  bool percent(uint64_t chance) { return below(100) < chance; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace weir::sim
