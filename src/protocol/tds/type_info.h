// How long values are, as their types say (MS-TDS 2.2.5.4 "Data Types", 2.2.5.6 "TYPE_INFO",
// 2.2.5.5 for the values themselves). What is kept of a column is two bytes. Pure functions, any
// thread.
#pragma once

#include <cstdint>

#include "version.h"
#include "wire.h"

namespace weir::tds {

// What stands in front of a value's bytes.
enum class Shape : uint8_t {
  Fixed,   // nothing
  Byte,    // u8; 0: null
  Short,   // u16; 0xffff: null
  Long,    // u32; 0 (of a variant) or 0xffffffff: null
  Text,    // u8 length of a text pointer, 0: null; the pointer; 8 bytes; u32
  Chunks,  // "PLP": u64, all ones: null; then {u32, so many bytes} up to one of 0
};

struct ValueRule {
  Shape shape = Shape::Fixed;
  uint8_t bytes = 0;  // Fixed
};

enum class TypeId : uint8_t {
  Int4 = 0x38,
  IntN = 0x26,
  Text = 0x23,
  NText = 0x63,
  Image = 0x22,
  BigVarChar = 0xa7,
  BigChar = 0xaf,
  NVarChar = 0xe7,
  NChar = 0xef,
  TableValued = 0xf3,
};
constexpr bool is_utf16_text(TypeId type) {
  return type == TypeId::NVarChar || type == TypeId::NChar || type == TypeId::NText;
}

// Measures something that may not be there as a whole: bytes() is how long it is as far as that
// can be seen, and if so many are there, exactly.
class Ruler {
 public:
  explicit Ruler(Bytes in) : in_(in) {}

  size_t bytes() const { return at_; }
  bool stopped() const { return stopped_; }  // a length was missing
  void skip(size_t count) {
    if (!stopped_) at_ += count;
  }
  template <class Number>
  Number le() {
    if (stopped_) return 0;
    at_ += sizeof(Number);
    stopped_ = at_ > in_.size();
    return stopped_ ? Number{0} : load_le<Number>(in_.data() + at_ - sizeof(Number));
  }
  void text8() { skip(size_t{2} * le<uint8_t>()); }    // B_VARCHAR
  void text16() { skip(size_t{2} * le<uint16_t>()); }  // US_VARCHAR

 private:
  Bytes in_;
  size_t at_ = 0;
  bool stopped_ = false;
};

// Where a TYPE_INFO stands. Parameter: of a client's call, where some types say less of themselves.
// Of RETURNVALUE it is that of a column, but its values are like a parameter's.
enum class TypePlace : uint8_t { Column, ReturnValue, Parameter };

struct TypeInfo {
  TypeId type{};
  ValueRule rule;
};
// The TYPE_INFO at the front. False: of a type that weir does not know, or a table.
bool measure_type(Ruler& ruler, TypePlace place, TypeInfo& info);

// One column of COLMETADATA (2.2.7.4). 0: of a type that weir does not know.
size_t measure_column(Bytes in, Version version, ValueRule& rule);

// ---------------------------------------------------------------- values

// Of a value in front of which nothing is missing: its length with all that stands before it. 0: it
// has to be followed step by step.
inline size_t whole_value_bytes(ValueRule rule, Bytes in) {
  switch (rule.shape) {
    case Shape::Fixed: return rule.bytes;
    case Shape::Byte: return in.empty() ? 0 : 1 + static_cast<uint8_t>(in[0]);
    case Shape::Short: {
      if (in.size() < 2) return 0;
      const auto length = load_le<uint16_t>(in.data());
      return length == UINT16_MAX ? 2 : size_t{2} + length;
    }
    default: return 0;
  }
}

// What stands before a value's bytes; 0 of Fixed.
size_t measure_prefix(ValueRule rule, Bytes in);
struct ValueSize {
  uint32_t bytes = 0;  // that follow the prefix
  bool null = false;
  bool chunks = false;  // follow instead
};
ValueSize read_prefix(ValueRule rule, Bytes prefix);

}  // namespace weir::tds
