// Many small worlds, each from a seed of its own. A failure says which; WEIR_SIM_SEED=<it>
// WEIR_SIM_ROUNDS=1 repeats it.
#include <gtest/gtest.h>

#include <weir/base/log.h>

#include <cstdlib>

#include "world.h"

namespace weir::sim {
namespace {

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Sim, EveryTurnIsAnsweredAndNothingIsLost) {
  const uint64_t first = from_environment("WEIR_SIM_SEED", 1);
  const uint64_t rounds = from_environment("WEIR_SIM_ROUNDS", 300);
  const bool talks = std::getenv("WEIR_SIM_LOG") != nullptr;
  ASSERT_TRUE(base::open_log({.level = talks ? base::LogLevel::Debug : base::LogLevel::Off}));
  for (uint64_t seed = first; seed < first + rounds; ++seed) {
    SimWorld world(seed);
    const std::string wrong = world.run();
    if (!wrong.empty()) FAIL() << "seed " << seed << ": " << wrong;
  }
}

}  // namespace
}  // namespace weir::sim
