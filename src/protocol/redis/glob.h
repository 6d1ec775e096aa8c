// Whether a channel fits a pattern, as a server sees it (stringmatchlen() in Redis' util.c):
//
//   *  any bytes    ?  any byte    [abc] [^abc] [a-c]  one of these    \x  that byte itself
//
// Pure function, any thread.
#pragma once

#include <cstddef>

#include <weir/base/bytes.h>

namespace weir::redis {

using base::Bytes;

// What all the patterns may cost that are held against one channel: a short one takes some steps.
constexpr size_t kPatternStepsMax = 200'000;

// `steps` is what it may cost, and what is left of that; with none left nothing fits any more.
bool fits_pattern(Bytes text, Bytes pattern, size_t& steps);

}  // namespace weir::redis
