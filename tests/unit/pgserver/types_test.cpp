#include <gtest/gtest.h>

#include <cmath>

#include <weir/pgserver/types.h>

namespace weir::pgserver {
namespace {

std::string hex(std::string_view bytes) { return hex_bytea(bytes).substr(2); }

Value text(std::string_view value) { return {ValueKind::Text, 0, 0, value}; }
Value integer(int64_t value) { return {ValueKind::Integer, value}; }
Value real(double value) { return {ValueKind::Real, 0, value}; }

std::string field(const Value& value, uint32_t type, Format format = Format::Text,
                  int32_t modifier = -1) {
  std::string out;
  Column column{"c", type, modifier};
  if (!append_field(out, value, column, format)) return "(refused)";
  if (out.substr(0, 4) == std::string(4, '\xff')) return "(null)";
  EXPECT_EQ(base::load_be32(out.data()), out.size() - 4);
  return format == Format::Binary ? hex(std::string_view(out).substr(4)) : out.substr(4);
}

TEST(Types, TextFields) {
  EXPECT_EQ(field({}, oid::kInt4), "(null)");
  EXPECT_EQ(field(integer(1), oid::kBool), "t");
  EXPECT_EQ(field(integer(0), oid::kBool), "f");
  EXPECT_EQ(field(text("TRUE"), oid::kBool), "t");
  EXPECT_EQ(field(integer(-42), oid::kInt8), "-42");
  EXPECT_EQ(field(real(5), oid::kInt4), "5");
  EXPECT_EQ(field(real(0.1), oid::kFloat8), "0.1");
  EXPECT_EQ(field(real(1e20), oid::kFloat8), "1e+20");
  EXPECT_EQ(field(real(1e-5), oid::kFloat8), "1e-05");
  EXPECT_EQ(field(real(123456789012345.0), oid::kFloat8), "123456789012345");
  EXPECT_EQ(field(real(HUGE_VAL), oid::kFloat8), "Infinity");
  EXPECT_EQ(field(real(10.5), oid::kNumeric, Format::Text, (12 << 16 | 2) + 4), "10.50");
  EXPECT_EQ(field(integer(3), oid::kNumeric, Format::Text, (12 << 16 | 2) + 4), "3.00");
  EXPECT_EQ(field(real(0.005), oid::kNumeric, Format::Text, (12 << 16 | 2) + 4), "0.01");
  EXPECT_EQ(field(real(-99.999), oid::kNumeric, Format::Text, (12 << 16 | 2) + 4), "-100.00");
  EXPECT_EQ(field(real(1e20), oid::kNumeric), "100000000000000000000");
  EXPECT_EQ(field(text("2024-02-29T01:02:03.500Z"), oid::kTimestamptz), "2024-02-29 01:02:03.5+00");
  EXPECT_EQ(field(text("2024-02-29 01:02:03+02"), oid::kTimestamptz), "2024-02-28 23:02:03+00");
  EXPECT_EQ(field(text("2024-02-29 01:02:03"), oid::kDate), "2024-02-29");
  EXPECT_EQ(field(text("never"), oid::kTimestamp), "never");
  EXPECT_EQ(field({ValueKind::Blob, 0, 0, std::string_view("\0\xff", 2)}, oid::kBytea), "\\x00ff");
  EXPECT_EQ(field(text("ab"), oid::kBytea), "\\x6162");
  EXPECT_EQ(field(text("x"), oid::kText), "x");
}

TEST(Types, BinaryFields) {
  EXPECT_EQ(field(integer(1), oid::kBool, Format::Binary), "01");
  EXPECT_EQ(field(integer(-2), oid::kInt2, Format::Binary), "fffe");
  EXPECT_EQ(field(integer(258), oid::kInt4, Format::Binary), "00000102");
  EXPECT_EQ(field(integer(-1), oid::kInt8, Format::Binary), "ffffffffffffffff");
  EXPECT_EQ(field(integer(int64_t{1} << 40), oid::kInt4, Format::Binary), "(refused)");
  EXPECT_EQ(field(text("x"), oid::kInt4, Format::Binary), "(refused)");
  EXPECT_EQ(field(text("12"), oid::kInt4, Format::Binary), "0000000c");
  EXPECT_EQ(field(real(1.5), oid::kFloat8, Format::Binary), "3ff8000000000000");
  EXPECT_EQ(field(real(1.5), oid::kFloat4, Format::Binary), "3fc00000");
  EXPECT_EQ(field(text("2000-01-02"), oid::kDate, Format::Binary), "00000001");
  EXPECT_EQ(field(text("1999-12-31"), oid::kDate, Format::Binary), "ffffffff");
  EXPECT_EQ(field(text("2000-01-01 00:00:01"), oid::kTimestamp, Format::Binary),
            "00000000000f4240");
  EXPECT_EQ(field(text("00112233-4455-6677-8899-aabbccddeeff"), oid::kUuid, Format::Binary),
            "00112233445566778899aabbccddeeff");
  EXPECT_EQ(field(text("{}"), oid::kJsonb, Format::Binary), "017b7d");
  // ndigits, weight, sign, dscale, digits to the base 10000
  EXPECT_EQ(field(real(12345.678), oid::kNumeric, Format::Binary),
            "000300010000000300010929"
            "1a7c");
  EXPECT_EQ(field(integer(0), oid::kNumeric, Format::Binary), "0000000000000000");
  EXPECT_EQ(field(integer(-10000), oid::kNumeric, Format::Binary), "00010001400000000001");
}

std::string read(std::string_view raw, uint32_t type, Format format = Format::Text) {
  const auto value = read_parameter(raw, type, format);
  if (!value) return "!" + value.error().code;
  switch (value.value().kind) {
    case ValueKind::Null: return "null";
    case ValueKind::Integer: return "i" + std::to_string(value.value().integer);
    case ValueKind::Real: return "r" + real_text(value.value().real);
    case ValueKind::Text: return "t" + value.value().bytes;
    case ValueKind::Blob: return "b" + hex(value.value().bytes);
  }
  return "";
}

std::string bytes(std::string_view digits) {
  std::string out;
  EXPECT_TRUE(read_bytea("\\x" + std::string(digits), out));
  return out;
}

TEST(Types, TextParameters) {
  EXPECT_EQ(read("t", oid::kBool), "i1");
  EXPECT_EQ(read("off", oid::kBool), "i0");
  EXPECT_EQ(read("maybe", oid::kBool), "!22P02");
  EXPECT_EQ(read(" 12 ", oid::kInt4), "i12");
  EXPECT_EQ(read("2147483648", oid::kInt4), "!22003");
  EXPECT_EQ(read("2147483648", oid::kInt8), "i2147483648");
  EXPECT_EQ(read("1.5", oid::kInt4), "!22P02");
  EXPECT_EQ(read("", oid::kInt4), "!22P02");
  EXPECT_EQ(read("+-1", oid::kInt4), "!22P02");
  EXPECT_EQ(read("1.5e3", oid::kFloat8), "r1500");
  EXPECT_EQ(read("NaN", oid::kFloat8), "tNaN");
  EXPECT_EQ(read("0x10", oid::kFloat8), "!22P02");
  EXPECT_EQ(read("10", oid::kNumeric), "i10");
  EXPECT_EQ(read("10.50", oid::kNumeric), "r10.5");
  EXPECT_EQ(read("12345678901234567.5", oid::kNumeric), "t12345678901234567.5");
  EXPECT_EQ(read("\\x00FF", oid::kBytea), "b00ff");
  EXPECT_EQ(read("a\\000\\\\", oid::kBytea), "b61005c");
  EXPECT_EQ(read("\\x0", oid::kBytea), "!22P02");
  EXPECT_EQ(read("2024-02-30", oid::kDate), "!22007");
  EXPECT_EQ(read("2024-02-29 25:00", oid::kTimestamp), "!22007");
  EXPECT_EQ(read("2024-02-29T10:00:00+01:30", oid::kTimestamptz), "t2024-02-29 08:30:00");
  EXPECT_EQ(read("2024-02-29 10:00:00.123456", oid::kTimestamp), "t2024-02-29 10:00:00.123456");
  EXPECT_EQ(read("{00112233-4455-6677-8899-AABBCCDDEEFF}", oid::kUuid),
            "t00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_EQ(read("zz", oid::kUuid), "!22P02");
  EXPECT_EQ(read(std::string_view("a\0b", 3), oid::kText), "!22021");
  EXPECT_EQ(read("\xff", oid::kText), "!22021");
}

TEST(Types, BinaryParameters) {
  EXPECT_EQ(read(bytes("01"), oid::kBool, Format::Binary), "i1");
  EXPECT_EQ(read(bytes("fffe"), oid::kInt2, Format::Binary), "i-2");
  EXPECT_EQ(read(bytes("fffffffe"), oid::kInt4, Format::Binary), "i-2");
  EXPECT_EQ(read(bytes("fffffffffffffffe"), oid::kInt8, Format::Binary), "i-2");
  EXPECT_EQ(read(bytes("00"), oid::kInt4, Format::Binary), "!22P03");
  EXPECT_EQ(read(bytes("3ff8000000000000"), oid::kFloat8, Format::Binary), "r1.5");
  EXPECT_EQ(read(bytes("3dcccccd"), oid::kFloat4, Format::Binary), "r0.1");
  EXPECT_EQ(read(bytes("00000001"), oid::kDate, Format::Binary), "t2000-01-02");
  EXPECT_EQ(read(bytes("7fffffff"), oid::kDate, Format::Binary), "!22008");
  EXPECT_EQ(read(bytes("7fffffffffffffff"), oid::kTimestamp, Format::Binary), "!22008");
  EXPECT_EQ(read(bytes("00000000000f4240"), oid::kTimestamptz, Format::Binary),
            "t2000-01-01 00:00:01");
  EXPECT_EQ(read(bytes("000300010000000300010929"
                       "1a7c"),
                 oid::kNumeric, Format::Binary),
            "r12345.678");
  EXPECT_EQ(read(bytes("0003"), oid::kNumeric, Format::Binary), "!22P03");
  // A few bytes must not become a hundred thousand digits.
  EXPECT_EQ(read(bytes("00017fff000000000001"), oid::kNumeric, Format::Binary), "!22P03");
  EXPECT_EQ(read(bytes("0001000000003fff0001"), oid::kNumeric, Format::Binary), "!22P03");
  EXPECT_EQ(read(bytes("017b7d"), oid::kJsonb, Format::Binary), "t{}");
  // int4[] {1,NULL,2}
  const std::string array = bytes(
      "00000001"
      "00000001"
      "00000017"
      "00000003"
      "00000001"
      "00000004"
      "00000001"
      "ffffffff"
      "00000004"
      "00000002");
  EXPECT_EQ(read(array, oid::kInt4Array, Format::Binary), "t{1,NULL,2}");
  for (size_t length = 0; length < array.size(); ++length)
    EXPECT_EQ(read(array.substr(0, length), oid::kInt4Array, Format::Binary), "!22P03") << length;
  const std::string nested = bytes(
      "00000001"
      "00000000"
      "000003ef"
      "00000001"
      "00000001"
      "00000004"
      "00000000");
  EXPECT_EQ(read(nested, oid::kInt4Array, Format::Binary), "!0A000");
}

TEST(Types, ArraysAsJson) {
  EXPECT_EQ(array_as_json("{}"), "[]");
  EXPECT_EQ(array_as_json("{1,2}"), "[1,2]");
  EXPECT_EQ(array_as_json("{ 1 , NULL }"), "[1,null]");
  EXPECT_EQ(array_as_json("{007,a b,\"x\\\"y\",\"NULL\"}"),
            "[\"007\",\"a b\",\"x\\\"y\",\"NULL\"]");
  for (const std::string_view wrong :
       {"", "{", "}", "1,2", "{1", "{1,}", "{{1}}", "{\"a}", "{a}b", "{\"a\"b}", "{a\\}"})
    EXPECT_EQ(array_as_json(wrong), std::nullopt) << wrong;
}

TEST(Types, MomentsRoundTrip) {
  for (const std::string_view text :
       {"0001-01-01 00:00:00", "1969-12-31 23:59:59.999999", "1970-01-01 00:00:00",
        "2000-02-29 12:00:00.5", "2100-02-28 01:02:03", "9999-12-31 23:59:59"}) {
    const auto at = read_timestamp(text, true);
    ASSERT_TRUE(at) << text;
    EXPECT_EQ(timestamp_text(*at), text);
  }
  for (const std::string_view wrong :
       {"", "2024", "2024-13-01", "2023-02-29", "2024-01-01 1", "2024-01-01 10:60",
        "2024-01-01 10:00 nowhere", "20240101", "0000-01-01"})
    EXPECT_FALSE(read_timestamp(wrong, true)) << wrong;
}

}  // namespace
}  // namespace weir::pgserver
