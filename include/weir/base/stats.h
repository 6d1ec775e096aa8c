// Counters and histograms that cost next to nothing: each has one writing thread; any thread may
// read. Summed over workers when somebody asks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <weir/base/time.h>

namespace weir::base {

class Counter {
 public:
  void add(int64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// A counter for each enumerator of an enum that ends in kCount.
template <class E>
class Tally {
 public:
  static constexpr size_t kSize = static_cast<size_t>(E::kCount);
  Counter& operator[](E which) { return counters_[static_cast<size_t>(which)]; }
  const Counter& operator[](E which) const { return counters_[static_cast<size_t>(which)]; }

 private:
  std::array<Counter, kSize> counters_;
};

// Buckets by powers of two of a microsecond: the first up to 16 µs, the last above 67 s.
class Histogram {
 public:
  static constexpr int kBuckets = 24;
  static constexpr int kFirstBits = 4;
  static Duration upper_bound(int bucket) { return Duration{1} << (bucket + kFirstBits); }

  void observe(Duration value) {
    const auto whole = static_cast<uint64_t>(value < 1 ? 1 : value) - 1;
    const int bits = 64 - __builtin_clzll(whole | 1);
    int bucket = bits <= kFirstBits ? 0 : bits - kFirstBits;
    if (bucket >= kBuckets) bucket = kBuckets - 1;
    counts_[static_cast<size_t>(bucket)].add();
    sum_.add(value);
  }
  int64_t count(int bucket) const { return counts_[static_cast<size_t>(bucket)].value(); }
  int64_t sum() const { return sum_.value(); }

 private:
  std::array<Counter, kBuckets> counts_;
  Counter sum_;
};

}  // namespace weir::base
