// Time as weir counts it: microseconds of a clock that never goes back. Pools and sessions get it
// as an argument, so that tests decide what time it is.
#pragma once

#include <cstdint>

namespace weir::base {

using Time = int64_t;      // microseconds since an arbitrary start
using Duration = int64_t;  // microseconds; 0 stands for "off" where a configured limit is meant

constexpr Duration kMillisecond = 1000;
constexpr Duration kSecond = 1000 * kMillisecond;
constexpr Time kNever = INT64_MAX;

Time steady_now();

}  // namespace weir::base
