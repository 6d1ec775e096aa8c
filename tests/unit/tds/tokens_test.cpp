// Tokens that weir writes itself, and what it reads of a server's (MS-TDS 2.2.7).
#include "walks.h"

namespace weir::tds {
namespace {

using namespace hand;

TEST(TdsTokenBuilders, Done) {
  std::string out;
  append_done(out, Version::V74, {kDoneCount | kDoneMore, 0xc1, 0x100000002});
  EXPECT_EQ(out, hex("fd 1100 c100 0200000001000000"));
  const Done done = read_done(Bytes(out).substr(1), Version::V74);
  EXPECT_EQ(done.status, 0x11);
  EXPECT_EQ(done.command, 0xc1);
  EXPECT_EQ(done.count, 0x100000002U);
  out.clear();
  append_done(out, Version::V71, {kDoneAttention, 0xfd, 0x100000002}, Token::DoneProc);
  EXPECT_EQ(out, hex("fe 2000 fd00 ffffffff"));
  EXPECT_EQ(out.size(), 1 + done_bytes(Version::V71));
}

TEST(TdsTokenBuilders, Messages) {
  const ServerMessage refused{.number = 18456,
                              .state = 1,
                              .severity = 14,
                              .text = "Login failed for user 'x'.",
                              .server = "weir",
                              .procedure = "",
                              .line = 70000};
  std::string out;
  append_message_token(out, Token::Error, Version::V74, refused);
  EXPECT_EQ(out, hex("aa") + le(static_cast<uint16_t>(out.size() - 3)) + le(int32_t{18456}) +
                     hex("01 0e") + text16(refused.text) + text8("weir") + text8("") +
                     le(uint32_t{70000}));
  const auto read = read_message(Bytes(out).substr(3), Version::V74);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->number, 18456);
  EXPECT_EQ(read->severity, 14);
  EXPECT_EQ(read->text, refused.text);
  EXPECT_EQ(read->server, "weir");
  EXPECT_EQ(read->line, 70000U);
  EXPECT_EQ(walk(out + done(2)), "error 18456; done fd status 2 command 193 count 0; final");

  out.clear();
  append_message_token(out, Token::Info, Version::V71, refused);
  EXPECT_TRUE(out.ends_with(hex("00 ffff")));
  EXPECT_EQ(read_message(Bytes(out).substr(3), Version::V71)->line, 0xffffU);
  for (size_t bytes = 3; bytes < out.size(); ++bytes)
    EXPECT_FALSE(read_message(Bytes(out).substr(3, bytes - 3), Version::V71));
}

// Whatever is to be said, the token stays one.
TEST(TdsTokenBuilders, LongTextsAreCut) {
  ServerMessage message;
  message.text = std::string(100'000, 'x');
  message.server = message.procedure = std::string(1000, 'y');
  std::string out;
  append_message_token(out, Token::Error, Version::V74, message);
  EXPECT_EQ(walk(out + done(2)), "error 0; done fd status 2 command 193 count 0; final");
  EXPECT_EQ(read_message(Bytes(out).substr(3), Version::V74)->server.size(), 255U);
  out.clear();
  append_env_text(out, EnvKind::Database, std::string(1000, 'x'), "");
  EXPECT_EQ(read_env_change(Bytes(out).substr(3))->new_value.size(), 510U);
}

TEST(TdsTokenBuilders, AsRecorded) {
  std::string out;
  append_env_text(out, EnvKind::Database, "master", "");
  EXPECT_EQ(out, hex("e30f0001066d006100730074006500720000"));
  out.clear();
  const std::string collation = hex("0904d00034");
  append_env_change(out, {EnvKind::Collation, collation, {}});
  EXPECT_EQ(out, hex("e30800 07 050904d00034 00"));
  out.clear();
  append_env_text(out, EnvKind::PacketSize, "32764", "4096");
  EXPECT_EQ(packet_bytes_in(*read_env_change(Bytes(out).substr(3))), 32764U);
  out.clear();
  append_login_ack(out, {1, 0x74000004, "Microsoft SQL Server", 0x0c0007d0});
  EXPECT_EQ(out, hex("ad00000174000004144d006900630072006f0073006f00660074002000530051004c00200053"
                     "0065007200760065007200 0c0007d0")
                     .replace(1, 2, le(static_cast<uint16_t>(out.size() - 3))));
}

TEST(TdsEnvChange, PacketSizes) {
  const auto size = [](std::string_view text) {
    std::string out;
    append_env_text(out, EnvKind::PacketSize, text, "4096");
    return packet_bytes_in(*read_env_change(Bytes(out).substr(3))).value_or(0);
  };
  EXPECT_EQ(size("512"), 512U);
  EXPECT_EQ(size("32767"), 32767U);
  for (const char* bad : {"", "511", "32768", "4096 ", "-512", "99999999999999999999", "x"})
    EXPECT_EQ(size(bad), 0U) << bad;
}

TEST(TdsEnvChange, Routing) {
  for (const Routing& routing : {Routing{"h.example", 1433, ""}, Routing{"h", 65535, "db"}}) {
    std::string out;
    append_routing(out, routing);
    const std::string body = out.substr(3);
    const auto change = read_env_change(body);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->kind, routing.database.empty() ? EnvKind::Routing : EnvKind::EnhancedRouting);
    const auto read = read_routing(*change);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->host, routing.host);
    EXPECT_EQ(read->port, routing.port);
    EXPECT_EQ(read->database, routing.database);
  }
  const auto routed = [](const std::string& value) {
    return read_routing({EnvKind::Routing, value, {}}).has_value();
  };
  EXPECT_TRUE(routed(hex("00 9905 0100 6800")));
  EXPECT_FALSE(routed(hex("01 9905 0100 6800")));  // no TCP
  EXPECT_FALSE(routed(hex("00 0000 0100 6800")));
  EXPECT_FALSE(routed(hex("00 9905 0000")));
  EXPECT_FALSE(routed(hex("00 9905 0200 6800")));
  EXPECT_FALSE(routed(hex("00 9905 0100 00d8")));
  EXPECT_FALSE(routed(""));
}

TEST(TdsEnvChange, WhatIsNotBuiltRight) {
  for (int kind = 0; kind < 256; ++kind) {
    const std::string only(1, static_cast<char>(kind));
    const auto change = read_env_change(only);
    EXPECT_NE(change.has_value(), is_known(static_cast<EnvKind>(kind))) << kind;
  }
  EXPECT_FALSE(read_env_change(""));
  EXPECT_FALSE(read_env_change(hex("01 02 6100 00")));
  EXPECT_FALSE(read_env_change(hex("08 08 01000000")));
  EXPECT_EQ(descriptor_in(hex("0100000000000000")), 1U);
  EXPECT_EQ(descriptor_in(hex("01000000")), 0U);
}

}  // namespace
}  // namespace weir::tds
