// weir's own logins that succeed, and what is agreed on about encryption.
#include <gmock/gmock.h>

#include "logins.h"

namespace weir::tds {
namespace {

using namespace logins;
using testing::ElementsAre;

// ---------------------------------------------------------------- success

TEST(TdsLogin, LearnsWhatTheServerSaysOfItself) {
  const Played played = play_login(target(), {no_tls(), login_reply(), announced()});
  EXPECT_EQ(played.ending.step, Step::Done);
  EXPECT_THAT(played.ending.said, ElementsAre("prelogin 2", "login ann/shop", kProbeText));
  const ServerState& server = *played.server;
  EXPECT_EQ(server.facts, (LoginFacts{Version::V74,
                                      0x74000004,
                                      "Microsoft SQL Server",
                                      0x100007d0,
                                      kCollation,
                                      "shop",
                                      "us_english",
                                      {}}));
  EXPECT_EQ(server.remote_id(), 57);
  EXPECT_TRUE(server.announces);
  EXPECT_TRUE(server.at_rest());
  EXPECT_EQ(server.walker.version(), Version::V74);
  EXPECT_TRUE(server.packets.at_message_border());
  EXPECT_EQ(server.variant(), 0U);
}

TEST(TdsLogin, SaysWhatItIs) {
  const Played played = play_login(target(), {no_tls(), login_reply(), announced()});
  const Login7 login = login_in(played.sent);
  EXPECT_EQ(login.version, Version::V74);
  EXPECT_EQ(login.packet_bytes, kPacketBytes);
  EXPECT_EQ(login.password, kSecret);
  EXPECT_EQ(login.host, "weir");
  EXPECT_EQ(login.application, "weir");
  EXPECT_EQ(login.library, "weir");
  EXPECT_EQ(login.flags1, LoginShape().flags1);
  EXPECT_EQ(login.flags2, LoginShape().flags2);
  EXPECT_TRUE(login.features.empty());
  EXPECT_EQ(played.sent.find(utf16_of(kSecret)), std::string::npos);
}

TEST(TdsLogin, SaysWhatItsClientsWouldSay) {
  LoginShape shape;
  shape.flags1 = 0;
  shape.flags2 = kUserTypeMask;
  shape.type_flags = kReadOnlyIntent;
  shape.utf8 = true;
  shape.language = 1;
  protocol::LoginTarget to = target();
  to.variant = shape.number();
  std::string acks;
  append_feature_acks(acks, {{FeatureId::Utf8, "\x01"}, {FeatureId::Json, "\x01"}});
  const Played played =
      play_login(to, {no_tls(), reply(ack_token(0x74000004) + acks + done_token()), announced()});
  EXPECT_EQ(played.ending.step, Step::Done);
  const Login7 login = login_in(played.sent);
  EXPECT_EQ(login.flags1, kDatabaseMustExist);
  EXPECT_EQ(login.flags2, kUserTypeMask);
  EXPECT_EQ(login.type_flags, kReadOnlyIntent);
  EXPECT_EQ(login.language, "Deutsch");
  EXPECT_EQ(login.features, (std::vector<Feature>{{FeatureId::Utf8, {}}}));
  EXPECT_EQ(played.server->shape, shape);
  EXPECT_EQ(played.server->facts.features, (std::vector<Feature>{{FeatureId::Utf8, "\x01"}}));
  EXPECT_EQ(played.server->facts.database, "shop");
}

TEST(TdsLogin, OldVersionsHaveNoHeaders) {
  LoginShape shape;
  shape.version = Version::V71;
  shape.utf8 = true;
  protocol::LoginTarget to = target();
  to.variant = shape.number();
  Languages languages;
  TdsLogin login(to, languages);
  Player player(login, Version::V71);
  player.deliver(no_tls());
  player.deliver(reply(ack_token(0x71000001) + done_token(0, Version::V71)));
  player.deliver(reply(done_token(0, Version::V71)));
  EXPECT_EQ(player.ending().step, Step::Done);
  EXPECT_THAT(player.ending().said, ElementsAre("prelogin 2", "login ann/shop", kProbeText));
  EXPECT_TRUE(login_in(player.sent).features.empty());
}

TEST(TdsLogin, ServersThatDoNotTellOfTransactionsAreKnown) {
  const std::string quiet = reply(done_token(kDoneMore) + done_token());
  const Played played = play_login(target(), {no_tls(), login_reply(), quiet});
  EXPECT_EQ(played.ending.step, Step::Done);
  EXPECT_FALSE(played.server->announces);

  const std::string failed = reply(change(EnvKind::BeginTransaction, descriptor(7)) +
                                   change(EnvKind::RollbackTransaction, {}, descriptor(7)) +
                                   error_token(262, "No.") + done_token(kDoneError));
  const Played refusing = play_login(target(), {no_tls(), login_reply(), failed});
  EXPECT_EQ(refusing.ending.step, Step::Done);
  EXPECT_FALSE(refusing.server->announces);
}

TEST(TdsLogin, WhatComesBehindIsLeft) {
  const Played played = play_once(target(), {no_tls(), login_reply(), announced() + "x"}, whole());
  EXPECT_EQ(played.ending.step, Step::Done);
  EXPECT_EQ(played.ending.left, "x");
}

// ---------------------------------------------------------------- encryption

struct Cell {
  protocol::Encryption tls;
  std::optional<uint8_t> server;
  std::vector<std::string> said;  // up to the probe
  std::string error;
};

TEST(TdsLogin, EncryptionIsAgreedOn) {
  const std::string in = "login ann/shop", begins = "[tls in packets]", ends = "[clear]";
  const std::string none = "the server has no TLS, which tls.mode demands";
  const std::string demands = "the server demands TLS, which tls.mode rules out";
  const std::string nonsense = "the server's answer about encryption makes no sense";
  const auto kNone = protocol::Encryption::None, kRequired = protocol::Encryption::Required;
  const std::vector<Cell> cells{
      {kNone, 0, {"prelogin 2", in}, ""},
      {kNone, 1, {"prelogin 2"}, demands},
      {kNone, 2, {"prelogin 2", in}, ""},
      {kNone, 3, {"prelogin 2"}, demands},
      {kNone, {}, {"prelogin 2", in}, ""},
      {kRequired, 0, {"prelogin 1"}, none},
      {kRequired, 1, {"prelogin 1", begins, in}, ""},
      {kRequired, 2, {"prelogin 1"}, none},
      {kRequired, 3, {"prelogin 1", begins, in}, ""},
      {kRequired, {}, {"prelogin 1"}, none},
      {protocol::Encryption::LoginOnly, 0, {"prelogin 0", begins, in, ends}, ""},
      {protocol::Encryption::LoginOnly, 1, {"prelogin 0", begins, in}, ""},
      {protocol::Encryption::LoginOnly, 2, {"prelogin 0", in}, ""},
      {protocol::Encryption::LoginOnly, 3, {"prelogin 0", begins, in}, ""},
      {protocol::Encryption::LoginOnly, 7, {"prelogin 0"}, nonsense},
      {protocol::Encryption::Offered, 0, {"prelogin 0", begins, in, ends}, ""},
      {protocol::Encryption::Offered, 2, {"prelogin 0", in}, ""},
      {protocol::Encryption::Fallback, 0, {"prelogin 0", begins, in, ends}, ""},
      {protocol::Encryption::Fallback, 3, {"prelogin 0", begins, in}, ""},
  };
  for (const Cell& cell : cells) {
    const Played played =
        play_login(target(cell.tls), {prelogin_reply(cell.server), login_reply(), announced()});
    auto said = cell.said;
    if (cell.error.empty()) said.emplace_back(kProbeText);
    EXPECT_EQ(played.ending.said, said);
    EXPECT_EQ(played.ending.error.text, cell.error);
    EXPECT_EQ(played.ending.step, cell.error.empty() ? Step::Done : Step::Fail);
    if (!cell.error.empty()) {
      EXPECT_FALSE(played.sent.ends_with(utf16_of("shop")));
    }
  }
}

TEST(TdsLogin, StrictBeginsWithTls) {
  const Flights flights{no_tls(), reply(login_tokens(0x08000000) + done_token()), announced()};
  const Played played = play_login(target(protocol::Encryption::Direct), flights);
  EXPECT_EQ(played.ending.step, Step::Done);
  EXPECT_THAT(played.ending.said, ElementsAre("[tls]", "prelogin 1", "login ann/shop", kProbeText));
  EXPECT_EQ(login_in(played.sent).version, Version::V80);
  EXPECT_EQ(played.server->facts.version, Version::V80);
  EXPECT_EQ(played.server->variant(), 0U);
}

TEST(TdsLogin, Version80IsForStrictOnly) {
  LoginShape shape;
  shape.version = Version::V80;
  protocol::LoginTarget to = target();
  to.variant = shape.number();
  const Played played = play_login(to, {no_tls(), login_reply(), announced()});
  EXPECT_EQ(login_in(played.sent).version, Version::V74);
  EXPECT_EQ(played.server->shape, shape);
  const auto error = refused(target(), {no_tls(), reply(login_tokens(0x08000000) + done_token())});
  EXPECT_EQ(error.text, "the server speaks a newer version of TDS than it was asked for");
}

}  // namespace
}  // namespace weir::tds
