#include "protocol/postgres/wire.h"

#include "script.h"

namespace weir::postgres {
namespace {

using base::ErrorKind;
using namespace std::literals;

TEST(Cut, WaitsForTheWholeMessageAtEverySplit) {
  std::string bytes;
  append_query(bytes, "select 1");
  const size_t size = bytes.size();
  bytes += "more";
  for (size_t have = 0; have < size; ++have) {
    const auto message = cut_message(base::Bytes(bytes).substr(0, have), 100);
    ASSERT_TRUE(message);
    EXPECT_EQ(message.value().consumed, 0u) << have;
  }
  const auto message = cut_message(bytes, 100);
  ASSERT_TRUE(message);
  EXPECT_EQ(message.value().type, 'Q');
  EXPECT_EQ(message.value().body, "select 1\0"sv);
  EXPECT_EQ(message.value().consumed, size);
}

TEST(Cut, RefusesImpossibleLengthsAsSoonAsTheHeadIsThere) {
  for (const auto& [head, kind] :
       std::vector<std::pair<std::string, ErrorKind>>{{"Q\0\0\0\0"s, ErrorKind::Protocol},
                                                      {"Q\0\0\0\3"s, ErrorKind::Protocol},
                                                      {"Q\xff\xff\xff\xff"s, ErrorKind::TooLarge},
                                                      {"Q\x80\0\0\0"s, ErrorKind::TooLarge},
                                                      {"Q\0\0\0\x0f"s, ErrorKind::TooLarge}}) {
    const auto message = cut_message(head, 10);
    ASSERT_FALSE(message);
    EXPECT_EQ(message.error().kind, kind);
    EXPECT_TRUE(cut_message(base::Bytes(head).substr(0, 4), 10));
  }
  EXPECT_TRUE(cut_message("Q\0\0\0\x0e"s, 10));  // exactly the limit
  EXPECT_EQ(cut_message("S\0\0\0\4"s, 10)->consumed, 5u);
}

TEST(BodyReader, StopsAtTheEnd) {
  BodyReader reader("\1\2\3\4\5\6\7name\0rest"sv);
  EXPECT_EQ(reader.int8(), 1);
  EXPECT_EQ(reader.int16(), 0x0203);
  EXPECT_EQ(reader.int32(), 0x04050607u);
  EXPECT_EQ(reader.text(), "name");
  EXPECT_EQ(reader.raw(2), "re");
  EXPECT_FALSE(reader.at_end());
  EXPECT_EQ(reader.text(), "");  // no NUL
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.int32(), 0u);
  EXPECT_FALSE(reader.at_end());
}

TEST(BodyReader, ShortIntegersFail) {
  BodyReader reader("\1\2\3"sv);
  EXPECT_EQ(reader.int32(), 0u);
  EXPECT_FALSE(reader.ok());
  BodyReader empty("");
  EXPECT_TRUE(empty.at_end());
  EXPECT_EQ(empty.int8(), 0);
  EXPECT_FALSE(empty.ok());
}

TEST(MessageBuilder, CutsTextAtItsFirstNul) {
  std::string out = "before";
  MessageBuilder(out, 'x').text("a\0b"sv).int16(258);
  EXPECT_EQ(out,
            "beforex\0\0\0\x08"
            "a\0\1\2"s);
}

TEST(Messages, HaveTheirDocumentedLayout) {
  std::string out;
  append_ready(out, 'T');
  append_authentication(out, Authentication::Md5Password, "salt");
  append_backend_key(out, 7, "\0\0\0\1"s);
  append_parameter_status(out, "a", "b");
  append_terminate(out);
  append_sync(out);
  EXPECT_EQ(out,
            "Z\0\0\0\5T"
            "R\0\0\0\x0c\0\0\0\5salt"
            "K\0\0\0\x0c\0\0\0\7\0\0\0\1"
            "S\0\0\0\x08"
            "a\0b\0"
            "X\0\0\0\4"
            "S\0\0\0\4"s);
  out.clear();
  append_cancel_request(out, 7, "key!");
  EXPECT_EQ(out, "\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\7key!"s);
}

TEST(Errors, SurviveTheRoundTrip) {
  std::string out;
  append_error(out, {"FATAL", "28P01", "no", "because", "try", "3"});
  const auto message = cut_message(out, 1000);
  ASSERT_TRUE(message);
  EXPECT_EQ(message.value().type, 'E');
  const ErrorFields fields = read_error(message.value().body);
  EXPECT_EQ(fields.severity, "FATAL");
  EXPECT_EQ(fields.sqlstate, "28P01");
  EXPECT_EQ(fields.message, "no");
  EXPECT_EQ(fields.detail, "because");
  EXPECT_EQ(fields.hint, "try");
  EXPECT_EQ(fields.position, "3");
}

TEST(Errors, ToleratesMissingAndBrokenFields) {
  EXPECT_EQ(read_error("").message, "");
  EXPECT_EQ(read_error("\0"sv).sqlstate, "");
  EXPECT_EQ(read_error("Mtext\0\0"sv).message, "text");
  EXPECT_EQ(read_error("Mtext\0\0"sv).severity, "");
  EXPECT_EQ(read_error("Mno end"sv).message, "no end");
  EXPECT_EQ(read_error("SFATAL\0zwhat\0C42601\0"sv).sqlstate, "42601");
  EXPECT_EQ(read_error("SFATAL\0"sv).severity, "FATAL");
  EXPECT_EQ(read_error("SFEHLER\0VERROR\0\0"sv).severity, "ERROR");
}

TEST(Errors, TakeTheStateOfTheirKindWhenTheyHaveNoneOfTheirOwn) {
  EXPECT_EQ(error_fields({ErrorKind::Protocol, "x"}, "FATAL").sqlstate, "08P01");
  EXPECT_EQ(error_fields({ErrorKind::Unreachable, "x"}, "FATAL").sqlstate, "08006");
  EXPECT_EQ(error_fields({ErrorKind::Refused, "x", "3D000"}, "FATAL").sqlstate, "3D000");
  EXPECT_EQ(error_fields({ErrorKind::Refused, "x", "bad"}, "FATAL").sqlstate, "28000");
}

TEST(Utf8, IsStrict) {
  for (const auto text : {""sv, "abc"sv, "\xc3\xa4"sv, "\xe2\x82\xac"sv, "\xf0\x9f\x98\x80"sv,
                          "\xed\x9f\xbf"sv, "\xf4\x8f\xbf\xbf"sv})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (const auto text : {"\x80"sv, "\xc3"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xe0\x9f\xbf"sv,
                          "\xed\xa0\x80"sv, "\xf0\x8f\xbf\xbf"sv, "\xf4\x90\x80\x80"sv,
                          "\xf5\x80\x80\x80"sv, "\xff"sv, "\xe2\x82"sv, "\xe2(\xa1"sv, "a\xc3(b"sv})
    EXPECT_FALSE(is_utf8(text)) << text;
}

TEST(ClientProcessId, IsPositiveAndNeverZero) {
  EXPECT_EQ(client_process_id(1), 1u);
  EXPECT_EQ(client_process_id(0xffffffff), 0x7fffffffu);
  EXPECT_NE(client_process_id(uint64_t{1} << 31), 0u);
}

}  // namespace
}  // namespace weir::postgres
