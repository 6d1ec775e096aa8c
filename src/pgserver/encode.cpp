// Values of a result as fields of a DataRow.
#include <charconv>
#include <cstring>

#include <weir/pgserver/types.h>

#include "numeric_wire.h"

namespace weir::pgserver {

namespace {

std::string text_of(const Value& value) {
  switch (value.kind) {
    case ValueKind::Null: return {};
    case ValueKind::Integer: return std::to_string(value.integer);
    case ValueKind::Real: return real_text(value.real);
    case ValueKind::Text: return std::string(value.bytes);
    case ValueKind::Blob: return hex_bytea(value.bytes);
  }
  return {};
}

bool integer_of(const Value& value, int64_t& out) {
  if (value.kind == ValueKind::Integer) return out = value.integer, true;
  if (value.kind == ValueKind::Text) return read_integer(value.bytes, out);
  if (value.kind != ValueKind::Real || !(value.real >= -9.2e18 && value.real <= 9.2e18))
    return false;
  out = static_cast<int64_t>(value.real);
  return static_cast<double>(out) == value.real;
}

bool real_of(const Value& value, double& out) {
  if (value.kind == ValueKind::Real) return out = value.real, true;
  if (value.kind == ValueKind::Integer) return out = static_cast<double>(value.integer), true;
  return value.kind == ValueKind::Text && read_real(value.bytes, out);
}

std::optional<bool> boolean_of(const Value& value) {
  if (value.kind == ValueKind::Integer) return value.integer != 0;
  if (value.kind == ValueKind::Real) return value.real != 0;
  return value.kind == ValueKind::Text ? read_boolean(value.bytes) : std::nullopt;
}

std::string numeric_text(const Value& value, int32_t modifier) {
  std::string text = value.kind == ValueKind::Real ? plain_decimal(value.real) : text_of(value);
  return modifier >= 4 ? with_scale(text, (modifier - 4) & 0xffff) : text;
}

std::optional<int64_t> moment_of(const Value& value, uint32_t type) {
  if (value.kind != ValueKind::Text) return std::nullopt;
  return type == oid::kTime ? read_time(value.bytes)
                            : read_timestamp(value.bytes, type == oid::kTimestamptz);
}

std::string text_field(const Value& value, const Column& column) {
  int64_t integer = 0;
  switch (column.type) {
    case oid::kBool:
      if (const auto truth = boolean_of(value)) return *truth ? "t" : "f";
      return text_of(value);
    case oid::kInt2:
    case oid::kInt4:
    case oid::kInt8:
    case oid::kOid: return integer_of(value, integer) ? std::to_string(integer) : text_of(value);
    case oid::kNumeric: return numeric_text(value, column.modifier);
    case oid::kDate:
      if (const auto at = moment_of(value, column.type)) return date_text(*at);
      return text_of(value);
    case oid::kTime:
      if (const auto at = moment_of(value, column.type)) return time_text(*at);
      return text_of(value);
    case oid::kTimestamp:
      if (const auto at = moment_of(value, column.type)) return timestamp_text(*at);
      return text_of(value);
    case oid::kTimestamptz:
      if (const auto at = moment_of(value, column.type)) return timestamp_text(*at) + "+00";
      return text_of(value);
    case oid::kBytea:
      return value.kind == ValueKind::Text && value.bytes.substr(0, 2) != "\\x"
                 ? hex_bytea(value.bytes)
                 : text_of(value);
    default: return text_of(value);
  }
}

template <class Unsigned>
void append_big_endian(std::string& out, Unsigned value) {
  for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> shift));
}

bool binary_integer(std::string& out, const Value& value, uint32_t type) {
  int64_t integer = 0;
  if (!integer_of(value, integer)) return false;
  if (type == oid::kInt8) {
    append_big_endian(out, static_cast<uint64_t>(integer));
  } else if (type == oid::kInt2) {
    if (integer != static_cast<int16_t>(integer)) return false;
    append_big_endian(out, static_cast<uint16_t>(integer));
  } else {
    const bool fits = type == oid::kOid
                          ? integer == static_cast<int64_t>(static_cast<uint32_t>(integer))
                          : integer == static_cast<int32_t>(integer);
    if (!fits) return false;
    append_big_endian(out, static_cast<uint32_t>(integer));
  }
  return true;
}

bool binary_real(std::string& out, const Value& value, uint32_t type) {
  double real = 0;
  if (!real_of(value, real)) return false;
  if (type == oid::kFloat4) {
    const auto single = static_cast<float>(real);
    uint32_t bits = 0;
    std::memcpy(&bits, &single, sizeof bits);
    append_big_endian(out, bits);
  } else {
    uint64_t bits = 0;
    std::memcpy(&bits, &real, sizeof bits);
    append_big_endian(out, bits);
  }
  return true;
}

bool binary_moment(std::string& out, const Value& value, uint32_t type) {
  const auto at = moment_of(value, type);
  if (!at) return false;
  if (type == oid::kDate) {
    const int64_t days = *at / kMicrosPerDay - (*at % kMicrosPerDay < 0 ? 1 : 0);
    append_big_endian(out, static_cast<uint32_t>(days));
  } else {
    append_big_endian(out, static_cast<uint64_t>(*at));
  }
  return true;
}

bool binary_uuid(std::string& out, const Value& value) {
  const auto uuid = value.kind == ValueKind::Text ? canonical_uuid(value.bytes) : std::nullopt;
  if (!uuid) return false;
  std::string hex = "\\x";
  for (const char c : *uuid)
    if (c != '-') hex.push_back(c);
  std::string bytes;
  if (!read_bytea(hex, bytes)) return false;
  out += bytes;
  return true;
}

bool binary_field(std::string& out, const Value& value, const Column& column) {
  switch (column.type) {
    case oid::kBool: {
      const auto truth = boolean_of(value);
      if (truth) out.push_back(*truth ? 1 : 0);
      return truth.has_value();
    }
    case oid::kInt2:
    case oid::kInt4:
    case oid::kInt8:
    case oid::kOid: return binary_integer(out, value, column.type);
    case oid::kFloat4:
    case oid::kFloat8: return binary_real(out, value, column.type);
    case oid::kNumeric: return append_numeric(out, numeric_text(value, column.modifier));
    case oid::kDate:
    case oid::kTime:
    case oid::kTimestamp:
    case oid::kTimestamptz: return binary_moment(out, value, column.type);
    case oid::kUuid: return binary_uuid(out, value);
    case oid::kBytea: {
      std::string bytes(value.bytes);
      if (value.kind != ValueKind::Blob && value.kind != ValueKind::Text) return false;
      if (value.kind == ValueKind::Text && value.bytes.substr(0, 2) == "\\x" &&
          !read_bytea(value.bytes, bytes))
        return false;
      out += bytes;
      return true;
    }
    case oid::kJsonb: out.push_back(1); [[fallthrough]];
    default:
      if (!is_text_like(column.type)) return false;
      out += text_of(value);
      return true;
  }
}

}  // namespace

bool append_field(std::string& out, const Value& value, const Column& column, Format format) {
  if (value.kind == ValueKind::Null) {
    base::append_be32(out, 0xffffffff);
    return true;
  }
  const size_t head = out.size();
  out.append(4, '\0');
  bool written = true;
  if (format == Format::Binary) {
    written = binary_field(out, value, column);
  } else if (value.kind == ValueKind::Text && is_text_like(column.type)) {
    out += value.bytes;
  } else if (value.kind == ValueKind::Integer && column.type != oid::kBool &&
             column.type != oid::kNumeric) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value.integer);
    out.append(digits, static_cast<size_t>(end.ptr - digits));
  } else {
    out += text_field(value, column);
  }
  if (!written) {
    out.resize(head);
    return false;
  }
  base::store_be32(out.data() + head, static_cast<uint32_t>(out.size() - head - 4));
  return true;
}

}  // namespace weir::pgserver
