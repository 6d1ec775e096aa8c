#include <weir/pgserver/types.h>

#include <array>

namespace weir::pgserver {

namespace {

// pg_type, as far as it matters here (src/include/catalog/pg_type.dat of PostgreSQL).
constexpr std::array kTypes = {
    Type{oid::kBool, "bool", "boolean", 1, oid::kBoolArray},
    Type{oid::kBytea, "bytea", "bytea", -1, 1001},
    Type{oid::kChar, "\"char\"", "\"char\"", 1, 1002},
    Type{oid::kName, "name", "name", 64, 1003},
    Type{oid::kInt8, "int8", "bigint", 8, oid::kInt8Array},
    Type{oid::kInt2, "int2", "smallint", 2, oid::kInt2Array},
    Type{oid::kInt4, "int4", "integer", 4, oid::kInt4Array},
    Type{oid::kInt4, "int", "integer", 4, oid::kInt4Array},
    Type{oid::kInt4, "serial", "serial4", 4, oid::kInt4Array},
    Type{oid::kInt8, "bigserial", "serial8", 8, oid::kInt8Array},
    Type{oid::kInt2, "smallserial", "serial2", 2, oid::kInt2Array},
    Type{oid::kText, "text", "text", -1, oid::kTextArray},
    Type{oid::kText, "citext", "citext", -1, oid::kTextArray},
    Type{oid::kOid, "oid", "oid", 4, 1028},
    Type{oid::kJson, "json", "json", -1, 199},
    Type{oid::kFloat4, "float4", "real", 4, 1021},
    Type{oid::kFloat8, "float8", "double precision", 8, oid::kFloat8Array},
    Type{oid::kFloat8, "float", "double", 8, oid::kFloat8Array},
    Type{oid::kUnknown, "unknown", "unknown", -2, 0},
    Type{oid::kBpchar, "bpchar", "character", -1, 1014},
    Type{oid::kBpchar, "char", "character", -1, 1014},
    Type{oid::kVarchar, "varchar", "character varying", -1, oid::kVarcharArray},
    Type{oid::kDate, "date", "date", 4, 1182},
    Type{oid::kTime, "time", "time without time zone", 8, 1183},
    Type{oid::kTimestamp, "timestamp", "timestamp without time zone", 8, 1115},
    Type{oid::kTimestamptz, "timestamptz", "timestamp with time zone", 8, 1185},
    Type{oid::kTimestamp, "datetime", "datetime", 8, 1115},
    Type{oid::kInterval, "interval", "interval", 16, 1187},
    Type{oid::kNumeric, "numeric", "decimal", -1, 1231},
    Type{oid::kVoid, "void", "void", 4, 0},
    Type{oid::kUuid, "uuid", "uuid", 16, oid::kUuidArray},
    Type{oid::kJsonb, "jsonb", "jsonb", -1, 3807},
    Type{869, "inet", "inet", -1, 1041},
    Type{650, "cidr", "cidr", -1, 651},
    Type{829, "macaddr", "macaddr", 6, 1040},
    Type{790, "money", "money", 8, 791},
    Type{142, "xml", "xml", -1, 143},
    Type{1266, "timetz", "time with time zone", 12, 1270},
    Type{1560, "bit", "bit", -1, 1561},
    Type{1562, "varbit", "bit varying", -1, 1563},
    Type{600, "point", "point", 16, 1017},
    Type{3614, "tsvector", "tsvector", -1, 3643},
};

}  // namespace

const Type* find_type(uint32_t wanted) {
  for (const Type& type : kTypes)
    if (type.oid == wanted) return &type;
  return nullptr;
}

const Type* find_type(std::string_view lower_name) {
  for (const Type& type : kTypes)
    if (type.name == lower_name || type.sql_name == lower_name) return &type;
  return nullptr;
}

bool is_array(uint32_t wanted) {
  for (const Type& type : kTypes)
    if (wanted != 0 && type.array == wanted) return true;
  return false;
}

bool is_integer(uint32_t type) {
  return type == oid::kInt4 || type == oid::kInt8 || type == oid::kInt2 || type == oid::kOid;
}

bool is_text_like(uint32_t type) {
  switch (type) {
    case oid::kText:
    case oid::kVarchar:
    case oid::kBpchar:
    case oid::kName:
    case oid::kChar:
    case oid::kJson:
    case oid::kJsonb:
    case oid::kUuid:
    case oid::kUnknown: return true;
    default: return false;
  }
}

}  // namespace weir::pgserver
