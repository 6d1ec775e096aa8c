// What the pools of a configuration cost at worst: private to `weir check`.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include <weir/config/check.h>

namespace weir::config {

// A server user of a database, or all those that are alike.
struct PoolLine {
  std::string who;       // "as app"
  int64_t count = 1;     // of those that the configuration names
  bool is_open = false;  // others, which it does not name: there may be any number
  Effective effective;
};
std::vector<PoolLine> pool_lines(const Config& config, const Database& database);

void print_worst(const Config& config, std::ostream& out);

}  // namespace weir::config
