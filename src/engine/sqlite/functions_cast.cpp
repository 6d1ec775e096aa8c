// Casts. SQLite's own CAST never fails and follows other rules: 'abc' would be 0, 1.7 would be 1.
#include <cmath>

#include <weir/pgserver/sql.h>
#include <weir/pgserver/types.h>

#include "functions.h"

namespace weir::engine::sqlite {

namespace {

using pgserver::ValueKind;

void invalid(sqlite3_context* context, std::string_view type, std::string_view value,
             std::string_view sqlstate = "22P02") {
  refuse(context, sqlstate,
         "invalid input syntax for type " + std::string(type) + ": \"" +
             std::string(value.substr(0, 64)) + "\"");
}

void to_bool(sqlite3_context* context, int, sqlite3_value** values) {
  switch (sqlite3_value_type(values[0])) {
    case SQLITE_NULL: return;
    case SQLITE_INTEGER: return sqlite3_result_int(context, sqlite3_value_int64(values[0]) != 0);
    default: break;
  }
  const auto truth = pgserver::read_boolean(text_of(values[0]));
  if (!truth) return invalid(context, "boolean", text_of(values[0]));
  sqlite3_result_int(context, *truth ? 1 : 0);
}

// The second argument is the size in bytes.
void to_integer(sqlite3_context* context, int, sqlite3_value** values) {
  int64_t integer = 0;
  switch (sqlite3_value_type(values[0])) {
    case SQLITE_NULL: return;
    case SQLITE_INTEGER: integer = sqlite3_value_int64(values[0]); break;
    case SQLITE_FLOAT: {
      const double rounded = std::nearbyint(sqlite3_value_double(values[0]));
      if (!(rounded >= -9223372036854775808.0 && rounded < 9223372036854775808.0))
        return refuse(context, "22003", "bigint out of range");
      integer = static_cast<int64_t>(rounded);
      break;
    }
    default:
      if (!pgserver::read_integer(text_of(values[0]), integer))
        return invalid(context, "integer", text_of(values[0]));
  }
  const int bytes = sqlite3_value_int(values[1]);
  if (bytes == 2 && integer != static_cast<int16_t>(integer))
    return refuse(context, "22003", "smallint out of range");
  if (bytes == 4 && integer != static_cast<int32_t>(integer))
    return refuse(context, "22003", "integer out of range");
  sqlite3_result_int64(context, integer);
}

void to_real(sqlite3_context* context, int, sqlite3_value** values) {
  double real = 0;
  switch (sqlite3_value_type(values[0])) {
    case SQLITE_NULL: return;
    case SQLITE_INTEGER:
    case SQLITE_FLOAT: return sqlite3_result_double(context, sqlite3_value_double(values[0]));
    default: break;
  }
  if (!pgserver::read_real(text_of(values[0]), real))
    return invalid(context, "double precision", text_of(values[0]));
  if (std::isnan(real)) return give(context, "NaN");
  sqlite3_result_double(context, real);
}

// The second argument is the scale, or -1.
void to_numeric(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0])) return;
  const int scale = sqlite3_value_int(values[1]);
  pgserver::Parameter number;
  if (sqlite3_value_type(values[0]) == SQLITE_INTEGER) {
    return sqlite3_result_value(context, values[0]);
  } else if (sqlite3_value_type(values[0]) == SQLITE_FLOAT) {
    number = {ValueKind::Real, 0, sqlite3_value_double(values[0]), {}};
  } else {
    const auto read = pgserver::read_numeric(text_of(values[0]));
    if (!read) return invalid(context, "numeric", text_of(values[0]));
    number = *read;
  }
  if (number.kind == ValueKind::Integer) return sqlite3_result_int64(context, number.integer);
  if (number.kind == ValueKind::Text) return give(context, number.bytes);
  if (scale >= 0 && scale <= 15) {
    const double unit = std::pow(10, scale);
    number.real = std::round(number.real * unit) / unit;
  }
  sqlite3_result_double(context, number.real);
}

void to_bytea(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0])) return;
  if (sqlite3_value_type(values[0]) == SQLITE_BLOB) return sqlite3_result_value(context, values[0]);
  std::string bytes;
  if (!pgserver::read_bytea(text_of(values[0]), bytes))
    return invalid(context, "bytea", text_of(values[0]));
  sqlite3_result_blob64(context, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
}

void to_date(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0])) return;
  const auto at = pgserver::read_timestamp(text_of(values[0]), false);
  if (!at) return invalid(context, "date", text_of(values[0]), "22007");
  give(context, pgserver::date_text(*at));
}
void to_time(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0])) return;
  const auto at = pgserver::read_time(text_of(values[0]));
  if (!at) return invalid(context, "time", text_of(values[0]), "22007");
  give(context, pgserver::time_text(*at));
}
void to_moment(sqlite3_context* context, sqlite3_value** values, bool zoned) {
  if (is_null(values[0])) return;
  const auto at = pgserver::read_timestamp(text_of(values[0]), zoned);
  if (!at) return invalid(context, "timestamp", text_of(values[0]), "22007");
  give(context, pgserver::timestamp_text(*at));
}
void to_timestamp(sqlite3_context* context, int, sqlite3_value** values) {
  to_moment(context, values, false);
}
void to_timestamptz(sqlite3_context* context, int, sqlite3_value** values) {
  to_moment(context, values, true);
}

void to_uuid(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0])) return;
  const auto uuid = pgserver::canonical_uuid(text_of(values[0]));
  if (!uuid) return invalid(context, "uuid", text_of(values[0]));
  give(context, *uuid);
}

// An array's text as JSON, for json_each().
void to_json_array(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0])) return give(context, "[null]");  // x = ANY (NULL) is null
  const auto json = pgserver::array_as_json(text_of(values[0]));
  if (!json)
    return refuse(
        context, "22P02",
        "malformed array literal: \"" + std::string(text_of(values[0]).substr(0, 64)) + "\"");
  give(context, *json);
}

constexpr FunctionEntry kCasts[] = {
    {"weir_bool", 1, kPure, to_bool},
    {"weir_integer", 2, kPure, to_integer},
    {"weir_real", 1, kPure, to_real},
    {"weir_numeric", 2, kPure, to_numeric},
    {"weir_bytea", 1, kPure, to_bytea},
    {"weir_date", 1, kPure, to_date},
    {"weir_time", 1, kPure, to_time},
    {"weir_timestamp", 1, kPure, to_timestamp},
    {"weir_timestamptz", 1, kPure, to_timestamptz},
    {"weir_uuid", 1, kPure, to_uuid},
    {"weir_array", 1, kPure, to_json_array},
};

}  // namespace

void add_cast_functions(Handle& handle) { add(handle, kCasts, std::size(kCasts)); }

}  // namespace weir::engine::sqlite
