#include "type_info.h"

namespace weir::tds {

namespace {

constexpr size_t kCollationBytes = 5;

bool fixed(TypeInfo& info, uint8_t bytes) {
  info.rule = {Shape::Fixed, bytes};
  return true;
}

bool shaped(TypeInfo& info, Shape shape) {
  info.rule = {shape, 0};
  return true;
}

// A type that says how much follows it, in a byte; then `more` bytes.
bool byte_length(Ruler& ruler, TypeInfo& info, size_t more) {
  ruler.skip(more);
  return shaped(info, Shape::Byte);
}

// 2.2.5.5.2 to 2.2.5.5.4: user-defined types and XML tell their names.
void measure_udt(Ruler& ruler, TypePlace place) {
  if (place != TypePlace::Parameter) ruler.skip(2);
  for (int i = 0; i < 3; ++i) ruler.text8();
  if (place != TypePlace::Parameter) ruler.text16();
}

void measure_xml(Ruler& ruler) {
  if (ruler.le<uint8_t>() == 0) return;
  ruler.text8();
  ruler.text8();
  ruler.text16();
}

bool variable(Ruler& ruler, TypePlace place, TypeInfo& info) {
  const auto id = static_cast<uint8_t>(info.type);
  switch (id) {
    case 0xa5:
    case 0xa7:
    case 0xe7: {  // VARBINARY, VARCHAR, NVARCHAR
      const bool max = ruler.le<uint16_t>() == UINT16_MAX;
      ruler.skip(id == 0xa5 ? 0 : kCollationBytes);
      return shaped(info, max ? Shape::Chunks : Shape::Short);
    }
    case 0xad:  // BINARY
      ruler.skip(2);
      return shaped(info, Shape::Short);
    case 0xaf:
    case 0xef:  // CHAR, NCHAR
      ruler.skip(2 + kCollationBytes);
      return shaped(info, Shape::Short);
    case 0xf5:  // VECTOR: bytes, type of its numbers
      ruler.skip(3);
      return shaped(info, Shape::Short);
    case 0x22:
    case 0x23:
    case 0x63:  // IMAGE, TEXT, NTEXT
      ruler.skip(4 + (id == 0x22 ? 0 : kCollationBytes));
      return shaped(info, place == TypePlace::Column ? Shape::Text : Shape::Long);
    case 0x62:  // SQL_VARIANT
      ruler.skip(4);
      return shaped(info, Shape::Long);
    case 0xf0: measure_udt(ruler, place); return shaped(info, Shape::Chunks);
    case 0xf1: measure_xml(ruler); return shaped(info, Shape::Chunks);
    case 0xf4: return shaped(info, Shape::Chunks);  // JSON
    default: return false;
  }
}

}  // namespace

bool measure_type(Ruler& ruler, TypePlace place, TypeInfo& info) {
  const auto id = ruler.le<uint8_t>();
  if (ruler.stopped()) return true;
  info.type = static_cast<TypeId>(id);
  switch (id) {
    case 0x1f: return fixed(info, 0);  // NULL
    case 0x30:
    case 0x32: return fixed(info, 1);  // TINYINT, BIT
    case 0x34: return fixed(info, 2);  // SMALLINT
    case 0x38:
    case 0x3a:
    case 0x3b:
    case 0x7a: return fixed(info, 4);  // INT, small times and money
    case 0x3c:
    case 0x3d:
    case 0x3e:
    case 0x7f: return fixed(info, 8);               // MONEY, DATETIME, BIGINT
    case 0x28: return byte_length(ruler, info, 0);  // DATE
    case 0x24:
    case 0x26:
    case 0x68:
    case 0x6d:
    case 0x6e:
    case 0x6f:  // nullable ones: length
    case 0x29:
    case 0x2a:
    case 0x2b:  // TIME and others: scale
    case 0x25:
    case 0x27:
    case 0x2d:
    case 0x2f:  // binary and text of old
      return byte_length(ruler, info, 1);
    case 0x37:
    case 0x3f:
    case 0x6a:
    case 0x6c:  // DECIMAL, NUMERIC: length, precision, scale
      return byte_length(ruler, info, 3);
    default: return variable(ruler, place, info);
  }
}

size_t measure_column(Bytes in, Version version, ValueRule& rule) {
  Ruler ruler(in);
  ruler.skip((is_since_72(version) ? 4 : 2) + 2);  // user type, flags
  TypeInfo info;
  if (!measure_type(ruler, TypePlace::Column, info)) return 0;
  if (info.rule.shape == Shape::Text && !ruler.stopped()) {
    // The table's name; since 7.2 in several parts.
    int parts = is_since_72(version) ? ruler.le<uint8_t>() : 1;
    while (parts-- > 0) ruler.text16();
  }
  ruler.text8();
  rule = info.rule;
  return ruler.bytes();
}

// ---------------------------------------------------------------- values

size_t measure_prefix(ValueRule rule, Bytes in) {
  switch (rule.shape) {
    case Shape::Fixed: return 0;
    case Shape::Byte: return 1;
    case Shape::Short: return 2;
    case Shape::Long: return 4;
    case Shape::Chunks: return 8;
    case Shape::Text: {
      if (in.empty() || in[0] == 0) return 1;
      constexpr size_t kTimestampAndLength = 8 + 4;
      return 1 + static_cast<uint8_t>(in[0]) + kTimestampAndLength;
    }
  }
  return 0;
}

ValueSize read_prefix(ValueRule rule, Bytes prefix) {
  const char* last = prefix.data() + prefix.size();
  ValueSize size;
  switch (rule.shape) {
    case Shape::Fixed: size.bytes = rule.bytes; break;
    case Shape::Byte:
      size.bytes = static_cast<uint8_t>(prefix[0]);
      size.null = size.bytes == 0;
      break;
    case Shape::Short:
      size.bytes = load_le<uint16_t>(prefix.data());
      size.null = size.bytes == UINT16_MAX;
      break;
    case Shape::Text:
      if (prefix.size() == 1) {
        size.null = true;
        break;
      }
      size.bytes = load_le<uint32_t>(last - 4);
      size.null = size.bytes == UINT32_MAX;
      break;
    case Shape::Long:
      size.bytes = load_le<uint32_t>(prefix.data());
      size.null = size.bytes == UINT32_MAX;
      break;
    case Shape::Chunks:
      size.null = load_le<uint64_t>(prefix.data()) == UINT64_MAX;
      size.chunks = !size.null;
      break;
  }
  if (size.null) size.bytes = 0;
  return size;
}

}  // namespace weir::tds
