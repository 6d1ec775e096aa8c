// Parameters of a Bind as values.
#include <algorithm>
#include <charconv>
#include <cstring>

#include <weir/pgserver/sql.h>
#include <weir/pgserver/types.h>

#include "numeric_wire.h"

namespace weir::pgserver {

namespace {

using base::Bytes;
using base::Error;
using base::ErrorKind;
using base::Result;

Error invalid(uint32_t type, std::string_view shown, std::string sqlstate = "22P02") {
  const Type* known = find_type(type);
  std::string text = "invalid input syntax for type ";
  text += known ? known->sql_name : std::string_view("unknown");
  // Only what is surely printable and short is shown.
  if (shown.size() <= 64 && is_utf8(shown)) text += ": \"" + std::string(shown) + "\"";
  return {ErrorKind::Protocol, text, std::move(sqlstate)};
}

Error invalid_binary() {
  return {ErrorKind::Protocol, "incorrect binary data format in bind parameter", "22P03"};
}

Parameter integer(int64_t value) { return {ValueKind::Integer, value, 0, {}}; }
Parameter real(double value) { return {ValueKind::Real, 0, value, {}}; }
Parameter text(std::string value) { return {ValueKind::Text, 0, 0, std::move(value)}; }

Result<Parameter> in_range(int64_t value, uint32_t type, std::string_view shown) {
  const bool fits =
      type == oid::kInt8 || (type == oid::kInt4 && value == static_cast<int32_t>(value)) ||
      (type == oid::kInt2 && value == static_cast<int16_t>(value)) ||
      (type == oid::kOid && value == static_cast<int64_t>(static_cast<uint32_t>(value)));
  if (fits) return integer(value);
  return Error{ErrorKind::Protocol,
               "value \"" + std::string(shown.substr(0, 64)) + "\" is out of range for type " +
                   std::string(find_type(type)->sql_name),
               "22003"};
}

Result<Parameter> moment(std::string_view raw, uint32_t type) {
  const auto at =
      type == oid::kTime ? read_time(raw) : read_timestamp(raw, type == oid::kTimestamptz);
  if (!at) return invalid(type, raw, "22007");
  if (type == oid::kTime) return text(time_text(*at));
  return text(type == oid::kDate ? date_text(*at) : timestamp_text(*at));
}

// A double that is written like the float, so that 0.1::real is stored as 0.1.
double widened(float value) {
  char buffer[64];
  double out = static_cast<double>(value);
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  std::from_chars(buffer, end.ptr, out);
  return out;
}

Result<Parameter> read_text(Bytes raw, uint32_t type) {
  if (raw.find('\0') != Bytes::npos || !is_utf8(raw))
    return Error{ErrorKind::Protocol, "invalid byte sequence for encoding \"UTF8\"", "22021"};
  int64_t whole = 0;
  double number = 0;
  switch (type) {
    case oid::kBool:
      if (const auto truth = read_boolean(raw)) return integer(*truth ? 1 : 0);
      return invalid(type, raw);
    case oid::kInt2:
    case oid::kInt4:
    case oid::kInt8:
    case oid::kOid:
      if (read_integer(raw, whole)) return in_range(whole, type, raw);
      return invalid(type, raw);
    case oid::kFloat4:
    case oid::kFloat8:
      if (!read_real(raw, number)) return invalid(type, raw);
      return number == number ? real(number) : text("NaN");
    case oid::kNumeric:
      if (auto value = read_numeric(raw)) return std::move(*value);
      return invalid(type, raw);
    case oid::kBytea: {
      Parameter value{ValueKind::Blob, 0, 0, {}};
      if (!read_bytea(raw, value.bytes)) return invalid(type, raw);
      return value;
    }
    case oid::kDate:
    case oid::kTime:
    case oid::kTimestamp:
    case oid::kTimestamptz: return moment(raw, type);
    case oid::kUuid:
      if (auto uuid = canonical_uuid(raw)) return text(std::move(*uuid));
      return invalid(type, raw);
    default: return text(std::string(raw));
  }
}

uint64_t big_endian(Bytes raw) {
  uint64_t value = 0;
  for (const char c : raw) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

int64_t signed_integer(Bytes raw) {
  const auto shift = static_cast<int>(64 - 8 * raw.size());
  return static_cast<int64_t>(big_endian(raw) << shift) >> shift;
}

Result<Parameter> read_number(Bytes raw, uint32_t type) {
  const Type* known = find_type(type);
  if (static_cast<size_t>(known->length) != raw.size()) return invalid_binary();
  if (type == oid::kBool) return integer(raw[0] != 0 ? 1 : 0);
  if (type == oid::kOid) return integer(static_cast<int64_t>(big_endian(raw)));
  if (type == oid::kFloat4) {
    const auto bits = static_cast<uint32_t>(big_endian(raw));
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value == value ? real(widened(value)) : text("NaN");
  }
  if (type == oid::kFloat8) {
    const uint64_t bits = big_endian(raw);
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value == value ? real(value) : text("NaN");
  }
  return integer(signed_integer(raw));
}

Result<Parameter> read_binary_moment(Bytes raw, uint32_t type) {
  if (raw.size() != (type == oid::kDate ? 4U : 8U)) return invalid_binary();
  int64_t value = signed_integer(raw);
  if (type == oid::kTime) {
    if (value < 0 || value > kMicrosPerDay) return invalid_binary();
    return text(time_text(value));
  }
  // Four million days reach beyond the year 9999, and far from the end of 64 bits.
  if (type == oid::kDate) value = std::clamp<int64_t>(value, -4'000'000, 4'000'000) * kMicrosPerDay;
  const std::string date = date_text(value);
  if (date == "infinity")
    return Error{ErrorKind::Protocol, "dates outside the years 1 to 9999 are not supported",
                 "22008"};
  return text(type == oid::kDate ? date : timestamp_text(value));
}

// One dimension, of integers or texts (src/backend/utils/adt/arrayfuncs.c, array_recv), as an array
// literal.
Result<Parameter> read_binary_array(Bytes raw) {
  if (raw.size() < 12) return invalid_binary();
  const uint32_t dimensions = base::load_be32(raw.data());
  const uint32_t element = base::load_be32(raw.data() + 8);
  if (dimensions == 0) return text("{}");
  if (dimensions != 1 || is_array(element))
    return Error{ErrorKind::Protocol, "arrays of arrays are not supported", "0A000"};
  if (raw.size() < 20) return invalid_binary();
  const uint32_t count = base::load_be32(raw.data() + 12);
  Bytes rest = raw.substr(20);
  std::string out = "{";
  for (uint32_t i = 0; i < count; ++i) {
    if (rest.size() < 4) return invalid_binary();
    const uint32_t length = base::load_be32(rest.data());
    rest.remove_prefix(4);
    if (i > 0) out.push_back(',');
    if (length == 0xffffffff) {
      out += "NULL";
      continue;
    }
    if (length > rest.size()) return invalid_binary();
    auto value = read_parameter(rest.substr(0, length), element, Format::Binary);
    if (!value) return value.error();
    rest.remove_prefix(length);
    if (value->kind == ValueKind::Integer) {
      out += std::to_string(value->integer);
    } else if (value->kind == ValueKind::Real) {
      out += real_text(value->real);
    } else {
      out.push_back('"');
      for (const char c : value->bytes) {
        if (c == '"' || c == '\\') out.push_back('\\');
        out.push_back(c);
      }
      out.push_back('"');
    }
  }
  return text(out + "}");
}

Result<Parameter> read_binary(Bytes raw, uint32_t type) {
  switch (type) {
    case oid::kBool:
    case oid::kInt2:
    case oid::kInt4:
    case oid::kInt8:
    case oid::kOid:
    case oid::kFloat4:
    case oid::kFloat8: return read_number(raw, type);
    case oid::kDate:
    case oid::kTime:
    case oid::kTimestamp:
    case oid::kTimestamptz: return read_binary_moment(raw, type);
    case oid::kBytea: return Parameter{ValueKind::Blob, 0, 0, std::string(raw)};
    case oid::kNumeric: {
      const auto digits = read_numeric_binary(raw);
      if (!digits) return invalid_binary();
      return read_text(*digits, type);
    }
    case oid::kUuid:
      if (raw.size() != 16) return invalid_binary();
      return text(*canonical_uuid(hex_bytea(raw).substr(2)));
    case oid::kJsonb:
      if (raw.empty() || raw[0] != 1) return invalid_binary();
      return read_text(raw.substr(1), oid::kText);
    default: break;
  }
  if (is_text_like(type) || type == oid::kUnspecified) return read_text(raw, oid::kText);
  if (is_array(type)) return read_binary_array(raw);
  return Error{ErrorKind::Protocol,
               "binary parameters of type " + std::to_string(type) + " are not supported", "0A000"};
}

}  // namespace

Result<Parameter> read_parameter(Bytes raw, uint32_t type, Format format) {
  return format == Format::Text ? read_text(raw, type) : read_binary(raw, type);
}

}  // namespace weir::pgserver
