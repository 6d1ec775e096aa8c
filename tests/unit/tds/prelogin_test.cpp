// PRELOGIN and what the two sides agree on (MS-TDS 2.2.6.5).
#include "protocol/tds/prelogin.h"
#include "bytes.h"

namespace weir::tds {
namespace {

using namespace hand;

std::string error_of(const std::string& body) {
  const std::string exact(body);  // a sanitizer sees who looks behind it
  const auto prelogin = read_prelogin(exact);
  return prelogin ? "" : prelogin.error().text;
}

TEST(TdsPrelogin, AllOptions) {
  const std::string trace(36, 't'), nonce(32, 'n');
  Prelogin all{.release = Prelogin::Release{0x0c0007d0, 2},
               .encryption = 1,
               .instance = Bytes("MSSQLSERVER"),
               .thread_id = 0x1234,
               .mars = true,
               .trace_id = trace,
               .federated_login = true,
               .nonce = nonce};
  std::string body;
  append_prelogin(body, all);
  const auto read = read_prelogin(body);
  ASSERT_TRUE(read);
  const Prelogin& again = read.value();
  EXPECT_EQ(again.release, all.release);
  EXPECT_EQ(again.encryption, all.encryption);
  EXPECT_EQ(again.instance, all.instance);
  EXPECT_EQ(again.thread_id, all.thread_id);
  EXPECT_EQ(again.mars, all.mars);
  EXPECT_EQ(again.trace_id, trace);
  EXPECT_EQ(again.federated_login, all.federated_login);
  EXPECT_EQ(again.nonce, nonce);
}

TEST(TdsPrelogin, AServersAnswerAsRecorded) {
  const Prelogin answer{.release = Prelogin::Release{0x0c0007d0, 0},
                        .encryption = 2,
                        .instance = Bytes(),
                        .mars = false};
  std::string body;
  append_prelogin(body, answer, true);
  EXPECT_EQ(body, hex("00001a0006 0100200001 0200210001 0300220000 0400220001 ff"
                      "0c0007d00000 02 00 00"));
}

// tds T10
TEST(TdsPrelogin, WhatIsRefusedAndWhatIsTaken) {
  const std::string outside = "invalid PRELOGIN: an option lies outside of it";
  const std::string endless = "invalid PRELOGIN: the table of options has no end";
  const std::string length = "invalid PRELOGIN: an option has a wrong length";
  EXPECT_EQ(error_of(hex("0100060001 ff 02")), "");
  EXPECT_EQ(error_of(hex("0100070001 ff 02")), outside);
  EXPECT_EQ(error_of(hex("01ffff0001 ff 02")), outside);
  EXPECT_EQ(error_of(hex("0100060002 ff 02")), outside);
  EXPECT_EQ(error_of(hex("010006ffff ff 02")), outside);
  EXPECT_EQ(error_of(hex("02ffffffff ff 02")), outside);
  EXPECT_EQ(error_of(hex("63ffff0001 ff 02")),
            outside);  // an unknown one has to lie inside as well
  EXPECT_EQ(error_of(""), endless);
  EXPECT_EQ(error_of(hex("01")), endless);
  EXPECT_EQ(error_of(hex("0100060001")), outside);
  EXPECT_EQ(error_of(hex("0100000001")), endless);
  EXPECT_EQ(error_of(hex("0100010001 01")), endless);
  EXPECT_EQ(error_of(hex("0100060002 ff 0202")), length);
  EXPECT_EQ(error_of(hex("0000060001 ff 02")), length);
  EXPECT_EQ(error_of(hex("0100060001 0100060001 ff 0202")),
            "invalid PRELOGIN: an option is there twice");

  // Nothing is said: nothing is set, wherever it points to.
  const std::string none = hex("0000000000 01ffff0000 03ffff0000 ff");
  const auto empty = read_prelogin(none);
  ASSERT_TRUE(empty);
  EXPECT_FALSE(empty.value().encryption || empty.value().release || empty.value().thread_id);
  // Unknown options, in any order, data that overlap and that lie in the table.
  const std::string odd = hex("6300000005 0400150001 0100150001 02000b000a ff 01");
  const auto read = read_prelogin(odd);
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read.value().encryption, 1);
  EXPECT_EQ(read.value().mars, true);
  // An instance without its zero is taken as far as it goes.
  const std::string named = hex("0200060002 ff 6162");
  EXPECT_EQ(read_prelogin(named).value().instance, Bytes("ab"));
}

TEST(TdsPrelogin, NothingIsReadOutsideWhereverItIsCut) {
  std::string body;
  const std::string trace(36, 't');
  append_prelogin(body, {.release = Prelogin::Release{1, 2},
                         .encryption = 0,
                         .instance = Bytes("x"),
                         .thread_id = 1,
                         .mars = false,
                         .trace_id = trace});
  for (size_t bytes = 0; bytes < body.size(); ++bytes)
    EXPECT_NE(error_of(body.substr(0, bytes)), "") << bytes;
  EXPECT_EQ(error_of(body), "");
}

// ---------------------------------------------------------------- encryption

std::string as_server(int client, ListenerTls listener) {
  const auto byte =
      client < 0 ? std::nullopt : std::optional<uint8_t>(static_cast<uint8_t>(client));
  const Agreement agreement = agree_as_server(byte, listener);
  constexpr const char* kCovers[] = {"none", "login", "all", "refuse"};
  return std::to_string(agreement.answer) + " " + kCovers[static_cast<int>(agreement.cover)];
}

// tds T11 (part)
TEST(TdsEncryption, EachClientAtEachListener) {
  struct Row {
    int client;
    const char *disable, *login, *prefer, *require;
  };
  const std::vector<Row> table{
      {2, "2 none", "2 none", "2 none", "3 refuse"},   // not supported
      {-1, "2 none", "2 none", "2 none", "3 refuse"},  // says nothing
      {0, "2 none", "0 login", "3 all", "3 all"},      // off
      {1, "2 refuse", "1 all", "1 all", "1 all"},      // on
      {3, "2 refuse", "1 all", "1 all", "1 all"},      // required
      {0x80, "2 none", "0 login", "3 all", "3 all"},   // with a certificate
      {0x81, "2 refuse", "1 all", "1 all", "1 all"},
      {0x82, "2 none", "2 none", "2 none", "3 refuse"},
      {4, "2 refuse", "2 refuse", "2 refuse", "2 refuse"},  // there is no such thing
      {0xff, "2 refuse", "2 refuse", "2 refuse", "2 refuse"},
  };
  for (const Row& each : table) {
    EXPECT_EQ(as_server(each.client, ListenerTls::Disable), each.disable) << each.client;
    EXPECT_EQ(as_server(each.client, ListenerTls::Login), each.login) << each.client;
    EXPECT_EQ(as_server(each.client, ListenerTls::Prefer), each.prefer) << each.client;
    EXPECT_EQ(as_server(each.client, ListenerTls::Require), each.require) << each.client;
  }
  EXPECT_EQ(as_server(0, ListenerTls::Strict), "0 all");
  EXPECT_EQ(as_server(1, ListenerTls::Strict), "1 all");
  EXPECT_EQ(as_server(-1, ListenerTls::Strict), "2 all");
}

TEST(TdsEncryption, EachServerToEachWish) {
  constexpr Cover none = Cover::None, login = Cover::Login, all = Cover::All, no = Cover::Refuse;
  struct Row {
    std::optional<uint8_t> server;
    Cover without, for_login, required, strict;
  };
  const std::vector<Row> table{
      {2, none, none, no, all},  {std::nullopt, none, none, no, all},
      {0, none, login, no, all}, {1, no, all, all, all},
      {3, no, all, all, all},    {4, no, no, no, all},
  };
  for (const Row& each : table) {
    const int shown = each.server.value_or(9);
    EXPECT_EQ(agree_as_client(ServerTls::None, each.server), each.without) << shown;
    EXPECT_EQ(agree_as_client(ServerTls::Login, each.server), each.for_login) << shown;
    EXPECT_EQ(agree_as_client(ServerTls::Require, each.server), each.required) << shown;
    EXPECT_EQ(agree_as_client(ServerTls::Strict, each.server), each.strict) << shown;
  }
  EXPECT_EQ(encryption_to_ask_for(ServerTls::None), 2);
  EXPECT_EQ(encryption_to_ask_for(ServerTls::Login), 0);
  EXPECT_EQ(encryption_to_ask_for(ServerTls::Require), 1);
}

// What weir asks for and what its own listeners answer go together.
TEST(TdsEncryption, BothRolesAgree) {
  for (const ServerTls tls : {ServerTls::None, ServerTls::Login, ServerTls::Require})
    for (const ListenerTls listener :
         {ListenerTls::Disable, ListenerTls::Login, ListenerTls::Prefer, ListenerTls::Require}) {
      const Agreement agreement = agree_as_server(encryption_to_ask_for(tls), listener);
      EXPECT_EQ(agree_as_client(tls, agreement.answer), agreement.cover)
          << static_cast<int>(tls) << " " << static_cast<int>(listener);
    }
}

}  // namespace
}  // namespace weir::tds
