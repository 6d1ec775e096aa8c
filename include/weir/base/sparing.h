// For lines of the log that may come by the thousand: one a second, which says how many were left
// out. Of one thread.
#pragma once

#include <fmt/format.h>
#include <weir/base/time.h>

#include <optional>
#include <string>
#include <utility>

namespace weir::base {

class Sparing {
 public:
  // Nothing: not now. Else what the line ends with.
  std::optional<std::string> ending(Time now) {
    if (last_ != 0 && now - last_ < kSecond) return ++left_out_, std::nullopt;
    last_ = now;
    const int64_t left_out = std::exchange(left_out_, 0);
    return left_out == 0 ? std::string()
                         : fmt::format(" ({} more since the last such line)", left_out);
  }

 private:
  Time last_ = 0;
  int64_t left_out_ = 0;
};

}  // namespace weir::base
