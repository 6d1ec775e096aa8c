// What the walkers through replies and calls have in common: things that are cut by the border of
// two pieces are put together, values are passed over. A value, any thread. Memory: one thing that
// was cut, of kItemBytesMax at most, and what is captured of a value.
#pragma once

#include <algorithm>
#include <string>

#include "type_info.h"

namespace weir::tds {

class ValueStream {
 public:
  // A token of a 16-bit length with its head, or less: nothing else is ever looked at as a whole.
  static constexpr size_t kItemBytesMax = 3 + 0xffff;

 protected:
  enum class Got : uint8_t { Whole, More, Unknown };

  // Takes the thing at the front off. `measure(bytes)` says how long it is as far as these bytes
  // tell, at least one; exactly when they are enough; 0: nobody knows. The same measure has to be
  // asked until it is whole. `item` looks into `in` or lives until the next call.
  template <class Measure>
  Got gather(Bytes& in, Bytes& item, Measure measure) {
    if (want_ == 0) {
      const size_t bytes = measure(in);
      if (bytes == 0 || bytes > kItemBytesMax) return Got::Unknown;
      if (bytes <= in.size()) {
        item = take(in, bytes);
        return Got::Whole;
      }
      kept_.assign(in);
      in = {};
      want_ = bytes;
      return Got::More;
    }
    for (;;) {
      kept_ += take(in, want_ - kept_.size());
      if (kept_.size() < want_) return Got::More;
      const size_t bytes = measure(Bytes(kept_));
      const bool whole = bytes == kept_.size();
      want_ = whole || bytes > kItemBytesMax ? 0 : bytes;
      if (whole) item = kept_;
      if (want_ == 0) return whole ? Got::Whole : Got::Unknown;
    }
  }

  // Begins with a value: what stands before it is taken off. True: go_on() with the rest.
  bool begin_value(Bytes& in, ValueRule rule) {
    Bytes prefix;
    if (rule.shape != Shape::Fixed) {
      const auto measure = [&](Bytes bytes) { return measure_prefix(rule, bytes); };
      if (gather(in, prefix, measure) != Got::Whole) return false;
    }
    pass_over(read_prefix(rule, prefix));
    return true;
  }

  // The same for one whose prefix is known.
  void pass_over(ValueSize size) {
    null_ = size.null;
    skip_ = size.bytes;
    in_chunks_ = size.chunks;
  }

  // The rest of a value, or of something else that nobody wants. False: all of `in` is used up.
  bool go_on(Bytes& in) {
    for (;;) {
      const Bytes passed = take(in, skip_);
      skip_ -= passed.size();
      if (capture_left_ > 0) capture(passed);
      if (skip_ > 0) return false;
      if (!in_chunks_) return true;
      Bytes length;
      if (gather(in, length, [](Bytes) { return size_t{4}; }) != Got::Whole) return false;
      skip_ = load_le<uint32_t>(length.data());
      in_chunks_ = skip_ > 0;
    }
  }

  static Bytes take(Bytes& in, size_t bytes_max) {
    const Bytes taken = in.substr(0, bytes_max);
    in.remove_prefix(taken.size());
    return taken;
  }

  bool is_whole() const { return want_ == 0 && skip_ == 0 && !in_chunks_; }
  bool is_item_cut() const { return want_ > 0; }
  size_t item_bytes() const { return want_ > 0 ? kept_.size() : 0; }  // of it, that have come
  void capture_next(size_t bytes_max) {
    captured_.clear();
    capture_left_ = bytes_max;
  }

  // Forgets where it stood, and gives back memory that few need.
  void start_again() {
    constexpr size_t kKeptBytes = 512;
    want_ = 0;
    skip_ = 0;
    capture_left_ = 0;
    in_chunks_ = false;
    if (kept_.capacity() > kKeptBytes) kept_ = std::string();
    if (captured_.capacity() > kKeptBytes) captured_ = std::string();
  }

  uint64_t skip_ = 0;
  size_t capture_left_ = 0;
  std::string captured_;
  bool null_ = false;  // the value that was begun last

 private:
  void capture(Bytes passed) {
    const Bytes wanted = passed.substr(0, capture_left_);
    captured_ += wanted;
    capture_left_ -= wanted.size();
  }

  std::string kept_;
  size_t want_ = 0;  // > 0: kept_ is the beginning of a thing of so many bytes at least
  bool in_chunks_ = false;
};

}  // namespace weir::tds
