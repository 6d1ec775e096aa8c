// Little-endian numbers, and a reader that never looks outside of its bytes. Values and pure
// functions, any thread. MS-TDS 2.2.5.1 "General Rules", 2.2.5.3 "Variable-Length Data".
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include <weir/base/bytes.h>
#include <weir/base/result.h>

namespace weir::tds {

using base::Bytes;
using base::Error;
using base::ErrorKind;
using base::Result;

template <class Number>
Number load_le(const char* p) {
  Number value;
  std::memcpy(&value, p, sizeof value);
  return value;  // weir runs on little-endian machines only: base/bytes.h swaps without asking
}

template <class Number>
void append_le(std::string& out, Number value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline void append_byte(std::string& out, unsigned value) {
  out.push_back(static_cast<char>(value));
}

// Takes numbers and texts from the front. Once something was missing it gives zeros and nothing,
// and ok() is false.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  Bytes rest() const { return rest_; }

  Bytes raw(size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const Bytes value = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return value;
  }
  template <class Number>
  Number le() {
    const Bytes value = raw(sizeof(Number));
    return value.empty() ? Number{0} : load_le<Number>(value.data());
  }
  uint8_t u8() { return le<uint8_t>(); }
  uint16_t u16() { return le<uint16_t>(); }
  uint32_t u32() { return le<uint32_t>(); }
  uint64_t u64() { return le<uint64_t>(); }
  uint16_t be16() {
    const Bytes value = raw(2);
    return value.empty() ? uint16_t{0} : base::load_be16(value.data());
  }
  uint32_t be32() {
    const Bytes value = raw(4);
    return value.empty() ? 0 : base::load_be32(value.data());
  }
  Bytes bytes8() { return raw(u8()); }               // B_VARBYTE
  Bytes bytes16() { return raw(u16()); }             // US_VARBYTE
  Bytes text8() { return raw(size_t{2} * u8()); }    // B_VARCHAR: UTF-16LE, still as it came
  Bytes text16() { return raw(size_t{2} * u16()); }  // US_VARCHAR

 private:
  Bytes rest_;
  bool ok_ = true;
};

}  // namespace weir::tds
