// What clients ask for (MS-TDS 2.2.5.3, 2.2.6.6, 2.2.6.7, 2.2.6.9).
#include <gmock/gmock.h>

#include "walks.h"

namespace weir::tds {
namespace {

using namespace hand;

std::string headers(uint64_t descriptor = 7) {
  std::string out;
  append_all_headers(out, descriptor);
  return out;
}

// ---------------------------------------------------------------- heads

TEST(TdsRequests, AllHeaders) {
  EXPECT_EQ(headers(), hex("16000000 12000000 0200 0700000000000000 01000000"));
  std::string body = headers() + utf16_of("SELECT 1");
  for (size_t bytes = 0; bytes < body.size(); ++bytes) {
    const std::string part = body.substr(0, bytes);
    const RequestHead head = read_request_head(PacketType::Batch, Version::V72, part, false);
    ASSERT_EQ(head.seen, bytes < 22 ? Seen::More : Seen::Whole) << bytes;
    EXPECT_EQ(head.want, bytes < 4 ? 4U : 22U);
    const RequestHead whole = read_request_head(PacketType::Batch, Version::V72, part, true);
    EXPECT_EQ(whole.seen, bytes < 22 ? Seen::Bad : Seen::Whole) << bytes;
  }
  const RequestHead head = read_request_head(PacketType::Batch, Version::V74, body, true);
  EXPECT_EQ(head.headers.descriptor, 7U);
  EXPECT_EQ(head.headers.outstanding, 1U);
  EXPECT_EQ(utf8_of(head.body), "SELECT 1");
  // The descriptor may be written over where it stands.
  body.replace(head.headers.descriptor_at, 8, le(uint64_t{9}));
  EXPECT_EQ(read_request_head(PacketType::Batch, Version::V74, body, true).headers.descriptor, 9U);
  // None before 7.2, none of bulk data.
  EXPECT_EQ(read_request_head(PacketType::Batch, Version::V71, body, true).body, body);
  EXPECT_EQ(read_request_head(PacketType::Bulk, Version::V74, body, true).body, body);
}

TEST(TdsRequests, OddHeaders) {
  const auto seen = [](const std::string& bytes) {
    const std::string exact = hex(bytes);
    return read_all_headers(exact);
  };
  EXPECT_EQ(seen("04000000").seen, Seen::Whole);
  EXPECT_FALSE(seen("04000000").descriptor);
  // A trace id and a notification around it.
  const AllHeaders among = seen(
      "2a000000 0a000000 0300 01020304 12000000 0200 0100000000000000"
      "02000000 0a000000 0100 01020304");
  EXPECT_EQ(among.seen, Seen::Whole);
  EXPECT_EQ(among.descriptor, 1U);
  EXPECT_EQ(among.outstanding, 2U);
  EXPECT_EQ(among.descriptor_at, 20U);
  for (const char* bad : {"00000000", "03000000", "01000100", "ffffffff",
                          "05000000 00",                      // half a header
                          "0a000000 05000000 0300",           // shorter than its head
                          "0a000000 07000000 0300",           // longer than all of them
                          "0a000000 ffffffff 0300",           //
                          "0e000000 0a000000 0200 01020304",  // too short a descriptor
                          "28000000 12000000 0200 010000000000000001000000"
                          "12000000 0200 010000000000000001000000"})
    EXPECT_EQ(seen(bad).seen, Seen::Bad) << bad;
}

TEST(TdsRequests, Transactions) {
  const auto read = [](const std::string& bytes) {
    const std::string body = headers() + hex(bytes);
    std::string shown;
    for (size_t size = 0; size <= body.size(); ++size) {
      const std::string part = body.substr(0, size);
      const RequestHead head =
          read_request_head(PacketType::TransactionManager, Version::V74, part, false);
      EXPECT_TRUE(head.seen == Seen::Whole || head.want > size) << size;
      const std::string now = head.seen == Seen::Bad ? "bad"
                              : head.seen == Seen::More
                                  ? ""
                                  : std::to_string(static_cast<int>(head.transaction.action)) +
                                        " " + std::to_string(head.transaction.isolation) +
                                        (head.transaction.begins_again ? " again" : "");
      EXPECT_TRUE(shown.empty() || shown == now) << size;
      shown = now;
    }
    return shown;
  };
  EXPECT_EQ(read("0500 02 00"), "5 2");
  EXPECT_EQ(read("0500 04 02 6100"), "5 4");
  EXPECT_EQ(read("0700 00 00"), "7 0");
  EXPECT_EQ(read("0700 02 6100 00"), "7 0");
  EXPECT_EQ(read("0700 00 01 05 00"), "7 5 again");
  EXPECT_EQ(read("0800 04 61006200 01 01 00"), "8 1 again");
  EXPECT_EQ(read("0900 02 6100"), "9 0");
  EXPECT_EQ(read("0000 0000"), "0 0");
  EXPECT_EQ(read("0100 0400 fdfdfdfd"), "1 0");
  EXPECT_EQ(read("6300"), "99 0");
  EXPECT_EQ(read("07"), "");
}

// ---------------------------------------------------------------- calls

const std::string kCollation = hex("0904d00034");

std::string by_number(uint16_t number, uint16_t options = 0) {
  return hex("ffff") + le(number) + le(options);
}
std::string by_name(const std::string& name) { return text16(name) + le(uint16_t{0}); }
std::string parameter(const std::string& name, const std::string& type_and_value,
                      uint8_t status = 0) {
  return text8(name) + le(status) + type_and_value;
}
std::string integer(int32_t value) { return hex("2604 04") + le(value); }
std::string nvarchar(const std::string& text) {
  const std::string utf16 = utf16_of(text);
  return hex("e7 401f") + kCollation + le(static_cast<uint16_t>(utf16.size())) + utf16;
}
std::string nvarchar_max(const std::string& text, size_t chunk) {
  std::string utf16 = utf16_of(text), out = hex("e7 ffff") + kCollation + hex("feffffffffffffff");
  for (; !utf16.empty(); utf16.erase(0, chunk))
    out += le(static_cast<uint32_t>(std::min(chunk, utf16.size()))) + utf16.substr(0, chunk);
  return out + hex("00000000");
}

TEST(TdsCalls, HandlesAndTexts) {
  EXPECT_EQ(walk_calls(headers() + by_number(12, kNoMetadataOption) + parameter("", integer(5)) +
                       parameter("@p", hex("2604 00"))),
            "headers 7; call 12'' options 2 at 26; parameter 0'' 5 at 33; "
            "parameter 1'@p' null at 46; good");
  EXPECT_EQ(walk_calls(headers() + by_name("sys.sp_unprepare") + parameter("@h", integer(-5))),
            "headers 7; call 0'sys.sp_unprepare' options 0 at 56; parameter 0'@h' -5 at 67; good");
  EXPECT_EQ(walk_calls(headers() + by_number(13) + parameter("", hex("2604 00"), kByReference) +
                       parameter("", hex("e7 401f") + kCollation + hex("ffff")) +
                       parameter("", nvarchar("SELECT 1")) + parameter("", hex("38 07000000"))),
            "headers 7; call 13'' options 0 at 26; parameter 0'' out null at 33; "
            "parameter 1'' null at 45; parameter 2'' 'SELECT 1' at 57; "
            "parameter 3'' 7 at 76; good");
}

// The place is that of the first chunk's length.
TEST(TdsCalls, TextsInChunks) {
  for (const size_t chunk : {1, 2, 7, 100})
    EXPECT_EQ(
        walk_calls(headers() + by_number(10) + parameter("", nvarchar_max("SELECT 1", chunk))),
        "headers 7; call 10'' options 0 at 26; parameter 0'' 'SELECT 1' at 46; good");
  EXPECT_EQ(walk_calls(headers() + by_number(10) +
                       parameter("", hex("63 ffffff7f") + kCollation + hex("02000000 6100")) +
                       parameter("", hex("63 ffffff7f") + kCollation + hex("ffffffff"))),
            "headers 7; call 10'' options 0 at 26; parameter 0'' 'a' at 44; "
            "parameter 1'' null at 62; good");
}

// Equal ones; long ones are not worth printing.
void expect_same(const std::string& said, const std::string& expected) {
  EXPECT_TRUE(said == expected) << said.size() << " and " << expected.size() << ": "
                                << said.substr(said.size() - std::min<size_t>(said.size(), 60));
}

TEST(TdsCalls, LongTextsAreToldAsFarAsTheyAreKept) {
  const std::string kept(16 * 1024, 'x');
  const std::string begin = "headers 7; call 10'' options 0 at 26; parameter 0'' '";
  const std::string call = headers() + by_number(10);
  for (const size_t more : {0, 1, 5000}) {
    const std::string text = kept + std::string(more, 'x');
    const size_t chunks = (text.size() * 2 + 2999) / 3000;
    const size_t behind = 46 + text.size() * 2 + 4 * (chunks + 1);
    expect_same(
        walk_calls(call + parameter("", nvarchar_max(text, 3000)) + parameter("", integer(1))),
        begin + kept + "'... at 46; parameter 1'' 1 at " + std::to_string(behind + 5) + "; good");
    expect_same(walk_calls(call + parameter("", nvarchar(text))),
                begin + kept + "'... at 40; good");
  }
  const std::string shorter = kept.substr(1);
  expect_same(walk_calls(call + parameter("", nvarchar(shorter))),
              begin + shorter + "' at 40; good");
}

// 2.2.5.5.5: three columns, of which one has no values in the rows, and an order.
TEST(TdsCalls, TablesArePassedOver) {
  const std::string name = hex("f3 00") + text8("dbo") + text8("Ids");
  const std::string column = hex("00000000 0000"), defaulted = hex("00000000 0002");
  const std::string columns = le(uint16_t{3}) + column + hex("2604 00") + defaulted +
                              hex("2604 00") + column + hex("e7 ffff") + kCollation + hex("00");
  const std::string orders = hex("10 0100 0100 01") + hex("11 0200 0100 0200") + hex("00");
  const std::string chunks = hex("feffffffffffffff 04000000 61006200 00000000");
  const std::string rows =
      hex("01 04 07000000") + chunks + hex("01 00 ffffffffffffffff") + hex("00");
  const std::string table = name + columns + orders + rows;
  const std::string none = name + hex("ffff") + hex("00") + hex("00");
  const std::string before = "headers 7; call 0'p' options 0 at 26; ";
  for (const auto& each : {table, none}) {
    const size_t behind = 26 + 2 + 2 + each.size() + 2 + 3;
    EXPECT_EQ(
        walk_calls(headers() + by_name("p") + parameter("", each) + parameter("", integer(1))),
        before + "parameter 1'' 1 at " + std::to_string(behind) + "; good");
    EXPECT_THAT(walk_calls(headers() + by_name("p") + parameter("", each) + hex("ff") +
                           by_number(12) + parameter("", integer(5))),
                testing::HasSubstr("call 12"));
  }
  for (const char* wrong : {"02", "0201"})  // no such row
    EXPECT_THAT(walk_calls(headers() + by_name("p") +
                           parameter("", name + hex("ffff") + hex("00") + hex(wrong))),
                testing::EndsWith("unknown; not good"));
  EXPECT_THAT(walk_calls(headers() + by_name("p") + parameter("", name + hex("ffff 13"))),
              testing::EndsWith("unknown; not good"));
  EXPECT_THAT(walk_calls(headers() + by_name("p") + parameter("", name + columns)),
              testing::EndsWith("not good"));
}

TEST(TdsCalls, ManyParametersAreToldUpToTheFourth) {
  std::string all = headers() + by_name("p");
  for (int i = 0; i < 10; ++i) all += parameter("", integer(i));
  EXPECT_EQ(walk_calls(all),
            "headers 7; call 0'p' options 0 at 26; parameter 0'' 0 at 33; parameter 1'' 1 at 42; "
            "parameter 2'' 2 at 51; parameter 3'' 3 at 60; good");
}

TEST(TdsCalls, SeveralInOneMessage) {
  const std::string one = by_number(12) + parameter("", integer(1));
  EXPECT_EQ(walk_calls(headers() + one + hex("ff") + one + hex("fe") + by_name("p")),
            "headers 7; call 12'' options 0 at 26; parameter 0'' 1 at 33; "
            "call 12'' options 0 at 42; parameter 0'' 1 at 49; call 0'p' options 0 at 58; good");
  EXPECT_EQ(walk_calls(one + hex("80") + one, Version::V71),
            "call 12'' options 0 at 4; parameter 0'' 1 at 11; call 12'' options 0 at 20; "
            "parameter 0'' 1 at 27; good");
  EXPECT_EQ(walk_calls(headers() + one + hex("ff")),
            "headers 7; call 12'' options 0 at 26; parameter 0'' 1 at 33; not good");
}

TEST(TdsCalls, AllTypes) {
  const std::vector<std::string> values{
      "6a 05 09 02 05 0107000000",
      "28 03 000000",
      "2907 05 0000000000",
      "6801 01 01",
      "a5 0a00 0200 fdfd",
      "f1 00 ffffffffffffffff",
      "22 ffffff7f 02000000 fdfd",
      "62 491f0000 06000000 38 00 07000000",
      "f0 0164 00 00 0174 00 0100000000000000 01000000 fd 00000000"};
  for (const std::string& value : values) {
    std::string bytes = hex(value);
    if (value.starts_with("f0"))
      bytes = hex("f0") + text8("d") + text8("") + text8("t") + hex("ffffffffffffffff");
    const std::string said = walk_calls(headers() + by_name("p") + parameter("", bytes) +
                                        parameter("@last", integer(9)));
    EXPECT_NE(said.find("'@last' 9"), std::string::npos) << value << said;
    EXPECT_TRUE(said.ends_with("good")) << value;
  }
}

TEST(TdsCalls, WhatIsNotKnownEndsTheWalk) {
  const std::string begin = headers() + by_name("p");
  const std::string said = "headers 7; call 0'p' options 0 at 26; ";
  EXPECT_EQ(
      walk_calls(begin + parameter("@t", hex("f3 00 00 0174 00")) + parameter("", integer(1))),
      said + "unknown; not good");
  EXPECT_EQ(walk_calls(begin + parameter("", integer(1), kEncrypted)), said + "unknown; not good");
  EXPECT_EQ(walk_calls(begin + parameter("", hex("99"))), said + "unknown; not good");
  EXPECT_EQ(walk_calls(hex("03000000")), "unknown; not good");
  EXPECT_EQ(walk_calls(headers()), "headers 7; not good");
  EXPECT_EQ(walk_calls(""), "not good");
  EXPECT_EQ(walk_calls(begin + parameter("", hex("2604 04 0700"))), said + "not good");
  EXPECT_EQ(walk_calls(begin + parameter("", hex("a5 ffff feffffffffffffff 02000000 fdfd"))),
            said + "not good");
}

// A handle that lies whole in what was given can be written over there.
TEST(TdsCalls, InPlace) {
  const std::string all = headers() + by_number(12) + parameter("", integer(5));
  CallWalker walker(Version::V74);
  CallEvent event;
  Bytes in = all;
  while (walker.next(in, event) && event.kind != CallEvent::Kind::Parameter) {
  }
  EXPECT_TRUE(event.in_place);
  EXPECT_EQ(event.value.data(), all.data() + event.at);
  EXPECT_EQ(event.integer(), 5);
}

}  // namespace
}  // namespace weir::tds
