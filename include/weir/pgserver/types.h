// PostgreSQL's types as weir's own servers know them: names and OIDs, values, and their text and
// binary forms on the wire. A value is what an embedded engine stores: null, integer, real, text or
// bytes; the type's OID says how it is read and written. Values and pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <weir/base/bytes.h>
#include <weir/base/result.h>

namespace weir::pgserver {

namespace oid {
constexpr uint32_t kUnspecified = 0, kBool = 16, kBytea = 17, kChar = 18, kName = 19, kInt8 = 20,
                   kInt2 = 21, kInt4 = 23, kText = 25, kOid = 26, kJson = 114, kFloat4 = 700,
                   kFloat8 = 701, kUnknown = 705, kBoolArray = 1000, kInt2Array = 1005,
                   kInt4Array = 1007, kTextArray = 1009, kVarcharArray = 1015, kInt8Array = 1016,
                   kFloat8Array = 1022, kBpchar = 1042, kVarchar = 1043, kDate = 1082, kTime = 1083,
                   kTimestamp = 1114, kTimestamptz = 1184, kInterval = 1186, kNumeric = 1700,
                   kVoid = 2278, kUuid = 2950, kUuidArray = 2951, kJsonb = 3802;
}

struct Type {
  uint32_t oid = 0;
  std::string_view name;      // int4
  std::string_view sql_name;  // integer
  int16_t length = -1;        // as in RowDescription: bytes, or -1
  uint32_t array = 0;         // the OID of its array
};
const Type* find_type(uint32_t oid);
const Type* find_type(std::string_view lower_name);  // by either name; without (n) and []
bool is_array(uint32_t oid);
bool is_integer(uint32_t oid);
bool is_text_like(uint32_t oid);  // stored as it is written

enum class Format : uint8_t { Text = 0, Binary = 1 };

enum class ValueKind : uint8_t { Null, Integer, Real, Text, Blob };

struct Value {
  ValueKind kind = ValueKind::Null;
  int64_t integer = 0;
  double real = 0;
  std::string_view bytes = {};  // Text, Blob: whoever made the value owns them
};

// A value with its own bytes: a bound parameter.
struct Parameter {
  ValueKind kind = ValueKind::Null;
  int64_t integer = 0;
  double real = 0;
  std::string bytes = {};
  Value view() const { return {kind, integer, real, bytes}; }
};

// One column of a result.
struct Column {
  std::string name;
  uint32_t type = oid::kText;
  int32_t modifier = -1;  // numeric(p,s): (p << 16 | s) + 4; varchar(n): n + 4
};

// A parameter of a Bind. Errors carry the SQLSTATE.
base::Result<Parameter> read_parameter(base::Bytes raw, uint32_t type, Format format);

// A field of a DataRow: length and bytes. False when the value cannot be written so (a text that is
// no number in a binary int4); nothing has been appended then.
bool append_field(std::string& out, const Value& value, const Column& column, Format format);

// ---------------------------------------------------------------- single values

bool read_integer(std::string_view text, int64_t& value);  // blanks around it are allowed
bool read_real(std::string_view text, double& value);      // also Infinity, NaN
std::optional<bool> read_boolean(std::string_view text);   // every spelling that PostgreSQL takes
// An exact number as the engine can hold it: integer, else real if 15 digits are enough, else text.
// Nothing if it is no number.
std::optional<Parameter> read_numeric(std::string_view text);
bool read_bytea(std::string_view text, std::string& bytes);  // \x… or the escape format
std::optional<std::string> canonical_uuid(std::string_view text);
std::string real_text(
    double value);  // the shortest that reads back as the same, as PostgreSQL writes it
std::string hex_bytea(std::string_view bytes);  // \x…
// '{1,"a b",NULL}' as a JSON array; nothing for nested or malformed ones.
std::optional<std::string> array_as_json(std::string_view literal);

// ---------------------------------------------------------------- dates and times
//
// Stored as text in UTC without a zone, so that texts sort as times do: 2024-02-29, 2024-02-29
// 12:00:00.5.

constexpr int64_t kMicrosPerDay = 86'400'000'000;

// Microseconds since 2000-01-01 00:00 UTC. `zoned`: an offset in the text counts, else it is
// ignored.
std::optional<int64_t> read_timestamp(std::string_view text, bool zoned);
std::optional<int64_t> read_time(std::string_view text);  // of a day
std::string timestamp_text(int64_t micros);
std::string date_text(int64_t micros);
std::string time_text(int64_t micros_of_day);
int64_t timestamp_now();  // of the system clock

}  // namespace weir::pgserver
