// What no recording has, made by hand after MS-TDS 2.2.7 and 2.2.5.
#include "walks.h"

namespace weir::tds {
namespace {

using namespace hand;

const std::string kFinal = "done fd status 16 command 193 count 1; ";

// ---------------------------------------------------------------- types

struct TypeCase {
  std::string name, type, value, null;
};

const std::string kCollation = "0904d00034";

const std::vector<TypeCase>& type_cases() {
  static const std::vector<TypeCase> cases{
      {"null", "1f", "", ""},
      {"tinyint", "30", "07", ""},
      {"bit", "32", "01", ""},
      {"smallint", "34", "0700", ""},
      {"int", "38", "07000000", ""},
      {"smalldatetime", "3a", "00000000", ""},
      {"real", "3b", "00000000", ""},
      {"money", "3c", "0000000000000000", ""},
      {"datetime", "3d", "0000000000000000", ""},
      {"float", "3e", "0000000000000000", ""},
      {"smallmoney", "7a", "00000000", ""},
      {"bigint", "7f", "0000000000000000", ""},
      {"uniqueidentifier", "2410", "10 000102030405060708090a0b0c0d0e0f", "00"},
      {"int, nullable", "2604", "04 07000000", "00"},
      {"decimal", "6a 05 09 02", "05 0107000000", "00"},
      {"numeric", "6c 11 26 02", "05 0107000000", "00"},
      {"old decimal", "37 05 09 02", "05 0107000000", "00"},
      {"bit, nullable", "6801", "01 01", "00"},
      {"float, nullable", "6d08", "08 0000000000000000", "00"},
      {"money, nullable", "6e08", "08 0000000000000000", "00"},
      {"datetime, nullable", "6f08", "08 0000000000000000", "00"},
      {"date", "28", "03 000000", "00"},
      {"time", "2907", "05 0000000000", "00"},
      {"datetime2", "2a03", "07 00000000000000", "00"},
      {"datetimeoffset", "2b07", "0a 00000000000000000000", "00"},
      {"old char", "2f05", "02 6162", "00"},
      {"old varbinary", "2505", "02 fdfd", "00"},
      {"varbinary", "a5 0a00", "0300 fdfeff", "ffff"},
      {"varchar", "a7 0a00" + kCollation, "0300 616263", "ffff"},
      {"binary", "ad 0200", "0200 fdfe", "ffff"},
      {"char", "af 0200" + kCollation, "0200 6162", "ffff"},
      {"nvarchar", "e7 1400" + kCollation, "0400 61006200", "ffff"},
      {"nchar", "ef 0400" + kCollation, "0400 61006200", "ffff"},
      {"varbinary(max)", "a5 ffff", "0300000000000000 03000000 fdfeff 00000000",
       "ffffffffffffffff"},
      {"varchar(max)", "a7 ffff" + kCollation, "0200000000000000 02000000 6162 00000000",
       "ffffffffffffffff"},
      {"nvarchar(max) of unknown length", "e7 ffff" + kCollation,
       "feffffffffffffff 02000000 6100 04000000 62006300 00000000", "ffffffffffffffff"},
      {"varbinary(max), empty", "a5 ffff", "0000000000000000 00000000", "ffffffffffffffff"},
      {"xml", "f1 00", "feffffffffffffff 04000000 fdfdfdfd 00000000", "ffffffffffffffff"},
      {"xml with a schema", "", "feffffffffffffff 01000000 fd 00000000", "ffffffffffffffff"},
      {"user-defined", "", "0200000000000000 02000000 fdfd 00000000", "ffffffffffffffff"},
      {"json", "f4", "feffffffffffffff 02000000 7b7d 00000000", "ffffffffffffffff"},
      {"vector", "f5 1000 00", "1000 a9010200fdfdfdfd0000000000000000", "ffff"},
      {"variant", "62 491f0000", "06000000 38 00 07000000", "00000000"},
      {"image", "22 ffffff7f 01 0100 7400",
       "10 00112233445566778899aabbccddeeff 0000000000000000"
       " 03000000 fdfeff",
       "00"},
      {"text", "23 ffffff7f" + kCollation + "02 0100 6400 0100 7400",
       "02 fdfd 0000000000000000 02000000 6162", "00"},
      {"ntext", "63 ffffff7f" + kCollation + "01 0100 7400", "01 fd fdfdfdfdfdfdfdfd 02000000 6100",
       "01 fd 0000000000000000 ffffffff"},
  };
  return cases;
}

// Two have names, whose lengths are counted here.
std::string type_bytes(const TypeCase& each) {
  if (each.name == "xml with a schema")
    return hex("f1 01") + text8("d") + text8("sch") + text16("collection");
  if (each.name == "user-defined")
    return hex("f0 ffff") + text8("d") + text8("sys") + text8("geometry") + text16("Types, 1.0");
  return hex(each.type);
}

TEST(TdsTypes, EachIsPassedOver) {
  for (const TypeCase& each : type_cases()) {
    std::string payload = columns({type_bytes(each)}) + row(hex(each.value));
    int rows = 1;
    if (!each.null.empty()) {
      payload += row(hex(each.null)) + row(hex(each.value));
      rows = 3;
    }
    EXPECT_EQ(walk(payload + done(0x10, 1)),
              "columns 1; " + kFinal + std::to_string(rows) + " rows, final")
        << each.name;
  }
}

TEST(TdsTypes, AllInOneRow) {
  std::vector<std::string> types;
  std::string values, compressed_values, nulls;
  for (const TypeCase& each : type_cases()) {
    types.push_back(type_bytes(each));
    values += hex(each.value);
    const size_t column = types.size() - 1;
    if (column % 8 == 0) nulls.push_back('\0');
    if (column % 3 == 0)
      nulls.back() = static_cast<char>(nulls.back() | 1 << column % 8);
    else
      compressed_values += hex(each.value);
  }
  std::string payload = columns(types);
  for (int i = 0; i < 2; ++i) payload += row(values) + hex("d2") + nulls + compressed_values;
  EXPECT_EQ(walk(payload + done(0x10, 1)),
            "columns " + std::to_string(types.size()) + "; " + kFinal + "4 rows, final");
}

TEST(TdsTypes, ARowOfNothing) {
  const std::string types = columns({hex("1f"), hex("1f")});
  EXPECT_EQ(walk(types + row("") + row("") + done(0x10, 1)),
            "columns 2; " + kFinal + "2 rows, final");
  const std::string bits = columns(std::vector<std::string>(9, hex("2604")));
  EXPECT_EQ(walk(bits + hex("d2 ff01 d2 ff01") + done(0x10, 1)),
            "columns 9; " + kFinal + "2 rows, final");
}

TEST(TdsTypes, Of71) {
  const std::string head = hex("81 0300") + hex("0000 0900 2604") + text8("a") +
                           hex("0000 0900 23 ffffff7f" + kCollation) + text16("table") +
                           text8("b") + hex("0000 0900 a7 0a00" + kCollation) + text8("c");
  const std::string values =
      row(hex("04 07000000") + hex("01 fd 0000000000000000 02000000 6162") + hex("0100 63"));
  EXPECT_EQ(walk(head + values + values + done(0x10, 1, Version::V71), Version::V71),
            "columns 3; " + kFinal + "2 rows, final");
}

// A server answers an attention inside of a result: rows, then a DONE with the bit.
TEST(TdsTokens, ACutResult) {
  EXPECT_EQ(walk(columns({hex("2604")}) + row(hex("04 07000000")) + done(0x20)),
            "columns 1; done fd status 32 command 193 count 0; 1 rows, final");
  EXPECT_EQ(
      walk(columns({hex("2604")}) + row(hex("04 07000000")) + done(0x01) + done(0x20)),
      "columns 1; done fd status 1 command 193 count 0; done fd status 32 command 193 count 0; "
      "1 rows, final");
}

// ---------------------------------------------------------------- events

const std::string kOne = hex("0100000000000000"), kTwo = hex("0200000000000000");

TEST(TdsTokens, Transactions) {
  EXPECT_EQ(walk(env(EnvKind::CommitTransaction, "", kOne) +
                 env(EnvKind::BeginTransaction, kTwo, "") + done(0)),
            "env 9  0100000000000000; env 8 0200000000000000 ; "
            "done fd status 0 command 193 count 0; final");
  // BEGIN TRAN in a text, with a result behind it.
  EXPECT_EQ(walk(env(EnvKind::BeginTransaction, kOne, "") + done(1) + columns({hex("38")}) +
                 row(hex("01000000")) + done(0x10, 1)),
            "env 8 0100000000000000 ; done fd status 1 command 193 count 0; columns 1; " + kFinal +
                "1 rows, final");
  EXPECT_EQ(walk(hex("e3 0d00 0f 08000000") + kOne + done(0)),
            "unknown e3; unknown");  // the old value of a promotion is missing
  EXPECT_EQ(walk(hex("e3 0e00 0f 08000000") + kOne + hex("00") + done(0)),
            "env 15 0100000000000000 ; done fd status 0 command 193 count 0; final");
  EXPECT_EQ(
      walk(env(EnvKind::TransactionEnded, "", kOne) + env(EnvKind::ResetDone, "", "") + done(0)),
      "env 17  0100000000000000; env 18  ; done fd status 0 command 193 count 0; final");
}

TEST(TdsTokens, Logins) {
  std::string routing;
  append_routing(routing, {"other.example", 1433, ""});
  const std::string data = hex("00 9905 0d00") + utf16_of("other.example");
  EXPECT_EQ(routing, hex("e3 2400 14 1f00") + data + hex("0000"));
  EXPECT_EQ(walk(routing + done(0)),
            "env 20 " + script::hex(data) + " ; done fd status 0 command 193 count 0; final");
  EXPECT_EQ(walk(hex("ee 0a000000 fdfdfdfdfdfdfdfdfdfd")), "federated; open");
  EXPECT_EQ(walk(hex("ed 0400 fdfdfdfd")), "sspi; open");
  EXPECT_EQ(walk(hex("e4 08000000 07000000 01 fdfdfd") + done(0)),
            "session state 7 recoverable; done fd status 0 command 193 count 0; final");
  EXPECT_EQ(walk(hex("e4 02000000 0700") + done(0)), "unknown e4; unknown");
  std::string acks;
  append_feature_acks(acks, {{FeatureId::Utf8, "\x01"}, {FeatureId::SessionRecovery, ""}});
  EXPECT_EQ(acks, hex("ae 0a 01000000 01 01 00000000 ff"));
  EXPECT_EQ(walk(acks + done(0)),
            "feature 10 01; feature 1 ; done fd status 0 command 193 count 0; final");
  const std::string large(5000, '\xff');
  EXPECT_EQ(walk(hex("ae 01 88130000") + large + hex("ff") + done(0)),
            "feature 1 ; done fd status 0 command 193 count 0; final");
}

TEST(TdsTokens, VersionOfTheLoginIsSpokenFromThereOn) {
  std::string ack;
  append_login_ack(ack, {1, 0x71000001, "Microsoft SQL Server", 0x08000002});
  const std::string body = ack.substr(3);
  EXPECT_EQ(walk(ack + done(0, 7, Version::V71)),
            "loginack " + script::hex(body) + "; done fd status 0 command 193 count 7; final");
  const auto read = read_login_ack(body);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->wire_version, 0x71000001U);
  EXPECT_EQ(read->program, "Microsoft SQL Server");
  EXPECT_EQ(read->program_version, 0x08000002U);
  ack[4] = '\x60';
  EXPECT_EQ(walk(ack + done(0)), "unknown ad; unknown");
}

TEST(TdsTokens, Others) {
  EXPECT_EQ(
      walk(hex("a9 0400 01000200 a4 0200 fdfd a5 0300 fdfdfd 78 01020304 79 ffffffff") + done(0)),
      "status -1; done fd status 0 command 193 count 0; final");
  EXPECT_EQ(walk(hex("e3 0400 63 01fd 00") + done(0)),
            "env 99  ; done fd status 0 command 193 count 0; final");
  EXPECT_EQ(walk(""), "open");
  EXPECT_EQ(walk(done(1)), "done fd status 1 command 193 count 0; open");
  EXPECT_EQ(walk(done(0).substr(0, 12)), "cut");
  EXPECT_EQ(walk(columns({hex("2604")}) + row(hex("04 0700"))), "columns 1; 1 rows, cut");
}

TEST(TdsTokens, ReturnValues) {
  const auto value = [](const std::string& type_and_value) {
    return walk(hex("ac 0200") + text8("@h") + hex("01 00000000 0000") + hex(type_and_value) +
                hex("79 00000000") + done(0));
  };
  const std::string rest = "; status 0; done fd status 0 command 193 count 0; final";
  EXPECT_EQ(value("2604 04 07000000"), "value 2 07000000" + rest);
  EXPECT_EQ(value("2604 00"), "value 2 null" + rest);
  EXPECT_EQ(value("38 07000000"), "value 2 07000000" + rest);
  EXPECT_EQ(value("1f"), "value 2 " + rest);
  EXPECT_EQ(value("e7 0800" + kCollation + "0400 61006200"), "value 2 61006200" + rest);
  EXPECT_EQ(value("e7 0800" + kCollation + "ffff"), "value 2 null" + rest);
  std::string long_value = "a5 4000 0001";
  std::string longer_value = "a5 4000 0101";
  for (int i = 0; i < 256; ++i) long_value += "fd", longer_value += "fd";
  EXPECT_EQ(value(long_value), "value 2 " + long_value.substr(12) + rest);
  EXPECT_EQ(value(longer_value + "fd"), "value 2 ..." + rest);
  EXPECT_EQ(value("e7 ffff" + kCollation + "feffffffffffffff 02000000 6100 00000000"),
            "value 2 ..." + rest);
  EXPECT_EQ(value("e7 ffff" + kCollation + "ffffffffffffffff"), "value 2 null" + rest);
  EXPECT_EQ(value("62 491f0000 06000000 38 00 07000000"), "value 2 ..." + rest);
}

// ---------------------------------------------------------------- what is not known

// tds T06 (part)
TEST(TdsTokens, WhatIsNotKnownEndsTheWalkUntilTheMessageEnds) {
  for (const std::string& unknown :
       {hex("88 0100"), hex("a3 00"), hex("d3 0100"), hex("00"), hex("16"), hex("20 0000")})
    EXPECT_EQ(walk(done(1) + unknown + done(0)), "done fd status 1 command 193 count 0; unknown " +
                                                     script::hex(unknown.substr(0, 1)) +
                                                     "; unknown");
  // A type that nobody knows, a table, more columns than there are, rows without columns.
  EXPECT_EQ(walk(columns({hex("2604"), hex("99")}) + done(0)), "unknown 81; unknown");
  EXPECT_EQ(walk(columns({hex("f3")}) + done(0)), "unknown 81; unknown");
  EXPECT_EQ(walk(hex("81 0110") + done(0)), "unknown 81; unknown");
  EXPECT_EQ(walk(hex("81 ffff") + row("x") + done(0)), "columns 0; unknown d1; unknown");
  EXPECT_EQ(walk(row("x") + done(0)), "unknown d1; unknown");
  EXPECT_EQ(walk(hex("d2 00") + done(0)), "unknown d2; unknown");
  // A column of so long names that it is not kept.
  EXPECT_EQ(walk(hex("81 0100 00000000 0900 f0 ffff 00 00 00 ffff") + std::string(100, 'x')),
            "unknown 81; unknown");
  // Keys of encrypted columns stand in front of the columns then.
  std::string acks;
  append_feature_acks(acks, {{FeatureId::ColumnEncryption, "\x01"}});
  EXPECT_EQ(walk(acks + columns({hex("38")}) + done(0)), "feature 4 01; unknown 81; unknown");
}

TEST(TdsTokens, TheNextMessageIsWalkedAgain) {
  TokenWalker walker(Version::V74);
  TokenEvent event;
  for (int i = 0; i < 2; ++i) {
    std::string lost = hex("88") + done(0);
    Bytes in = lost;
    ASSERT_TRUE(walker.next(in, event));
    EXPECT_EQ(event.kind, TokenEvent::Kind::Unknown);
    EXPECT_TRUE(walker.is_lost());
    EXPECT_FALSE(walker.next(in, event));
    EXPECT_TRUE(in.empty());
    EXPECT_EQ(walker.end_message(), TokenWalker::End::Unknown);
    lost = done(0);
    in = lost;
    ASSERT_TRUE(walker.next(in, event));
    EXPECT_EQ(event.kind, TokenEvent::Kind::Done);
    EXPECT_EQ(walker.end_message(), TokenWalker::End::Final);
  }
}

// Half a token, a column or a value of a message that has ended counts no more.
TEST(TdsTokens, NothingIsLeftOfAMessage) {
  const std::string types = columns({hex("2604"), hex("e7 ffff" + kCollation)});
  const std::string all = types + row(hex("04 07000000 feffffffffffffff 02000000 6100 00000000")) +
                          hex("ac 0200 00 01 00000000 0000 2604 04 07000000");
  for (size_t bytes = 0; bytes < all.size(); ++bytes) {
    TokenWalker walker(Version::V74);
    TokenEvent event;
    Bytes in = Bytes(all).substr(0, bytes);
    while (walker.next(in, event)) {
    }
    EXPECT_NE(walker.end_message(), TokenWalker::End::Final);
    const std::string next = done(0);
    in = next;
    ASSERT_TRUE(walker.next(in, event)) << bytes;
    EXPECT_EQ(event.kind, TokenEvent::Kind::Done);
    EXPECT_EQ(walker.end_message(), TokenWalker::End::Final);
  }
}

}  // namespace
}  // namespace weir::tds
