// weir's own logins that fail, and what recorded servers have answered.
#include <gmock/gmock.h>

#include "logins.h"

namespace weir::tds {
namespace {

using namespace logins;
using testing::HasSubstr;
using testing::Not;

// ---------------------------------------------------------------- refusals

TEST(TdsLogin, RefusalsAreTheServersOwnWords) {
  struct Case {
    int32_t number;
    base::ErrorKind kind;
    std::string code;
  };
  for (const auto& [number, kind, code] : {Case{18456, base::ErrorKind::Refused, "28000"},
                                           {18452, base::ErrorKind::Refused, "28000"},
                                           {18470, base::ErrorKind::Refused, "28000"},
                                           {18488, base::ErrorKind::Refused, "28000"},
                                           {916, base::ErrorKind::Refused, "28000"},
                                           {911, base::ErrorKind::Refused, "3D000"},
                                           {4060, base::ErrorKind::Refused, "3D000"},
                                           {18461, base::ErrorKind::Unreachable, ""}}) {
    const auto error = refused_with(error_token(number, "No, not so.") + done_token(kDoneError));
    EXPECT_EQ(error.kind, kind) << number;
    EXPECT_EQ(error.code, code) << number;
    EXPECT_EQ(error.text, "No, not so.");
  }
}

TEST(TdsLogin, TheFirstErrorSaysMore) {
  const auto error = refused_with(error_token(4060, "No such database.") +
                                  error_token(18456, "Login failed.") + done_token(kDoneError));
  EXPECT_EQ(error.text, "No such database.");
  EXPECT_EQ(error.code, "3D000");
}

TEST(TdsLogin, ARefusalCountsAlsoWhenItsEndIsMissing) {
  const std::string whole =
      reply(error_token(18456, "Login failed.") + done_token(kDoneError)).substr(0, 80);
  const auto error = refused(target(), {no_tls(), whole});
  EXPECT_EQ(error.text, "Login failed.");
  EXPECT_EQ(error.kind, base::ErrorKind::Refused);
}

TEST(TdsLogin, ServersThatCloseAreNotReached) {
  const Flights all{no_tls(), login_reply(), announced()};
  for (size_t count = 0; count < all.size(); ++count) {
    const Flights some(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
    EXPECT_EQ(refused(target(), some).kind, base::ErrorKind::Unreachable);
    Flights cut = some;
    cut.push_back(all[count].substr(0, all[count].size() - 1));
    EXPECT_EQ(refused(target(), cut).kind, base::ErrorKind::Unreachable);
  }
}

// Such a server takes PRELOGIN for a TLS record that makes no sense.
TEST(TdsLogin, AServerThatClosesAtOnceMayWantTlsFirst) {
  EXPECT_THAT(refused(target(), {}).text, HasSubstr("tls.mode: strict"));
  EXPECT_THAT(refused(target(), {"\x15\x03\x03"}).text, HasSubstr("tls.mode: strict"));
  EXPECT_THAT(refused(target(), {no_tls()}).text, Not(HasSubstr("strict")));
}

TEST(TdsLogin, ALoginWithoutAnAcknowledgementIsNone) {
  EXPECT_EQ(refused_with(done_token()).kind, base::ErrorKind::Unreachable);
  EXPECT_EQ(refused_with(login_tokens() + done_token(kDoneError)).kind,
            base::ErrorKind::Unreachable);
  EXPECT_EQ(refused_with(login_tokens() + done_token(kDoneMore)).kind, base::ErrorKind::Protocol);
  EXPECT_EQ(refused_with(login_tokens()).kind, base::ErrorKind::Protocol);
  EXPECT_EQ(refused_with(login_tokens() + "\xfd").kind, base::ErrorKind::Protocol);
}

TEST(TdsLogin, AnErrorInsteadOfPreloginIsRead) {
  const auto error = refused(
      target(), {reply(error_token(17809, "Too many connections.") + done_token(kDoneError))});
  EXPECT_EQ(error.text, "Too many connections.");
  EXPECT_EQ(error.kind, base::ErrorKind::Unreachable);
}

TEST(TdsLogin, ServersElsewhereAreNamed) {
  for (const char* database : {"", "other"}) {
    std::string route;
    append_routing(route, {"node-3.example", 11001, database});
    const auto error = refused_with(login_tokens() + route + done_token());
    EXPECT_EQ(error.kind, base::ErrorKind::Unreachable);
    EXPECT_EQ(error.text, "the server sends its clients to node-3.example:11001");
  }
  EXPECT_EQ(refused_with(change(EnvKind::Routing, "") + done_token()).kind,
            base::ErrorKind::Protocol);
}

TEST(TdsLogin, OtherPacketSizesAreNotTaken) {
  const auto error = refused_with(login_tokens() + change(EnvKind::PacketSize, "8192", "4096"));
  EXPECT_EQ(error.kind, base::ErrorKind::Config);
  EXPECT_THAT(error.text, HasSubstr("packets of 8192 bytes"));
  EXPECT_EQ(refused_with(change(EnvKind::PacketSize, "many", "4096")).kind,
            base::ErrorKind::Protocol);
}

TEST(TdsLogin, OtherWaysToLogInAreRefusedReadably) {
  EXPECT_THAT(refused_with(hand::hex("ed 0200 aabb")).text, HasSubstr("Windows login"));
  const auto federated = refused_with(hand::hex("ee 02000000 aabb"));
  EXPECT_THAT(federated.text, HasSubstr("federated login"));
  EXPECT_EQ(federated.kind, base::ErrorKind::Refused);
}

TEST(TdsLogin, UnknownVersionsAndTokensAreRefused) {
  const auto version = refused_with(ack_token(0x75000001) + done_token());
  EXPECT_EQ(version.kind, base::ErrorKind::Protocol);
  EXPECT_EQ(version.text, "the server speaks a version of TDS that weir does not");
  const auto token = refused_with(hand::hex("42") + login_tokens() + done_token());
  EXPECT_EQ(token.kind, base::ErrorKind::Protocol);
  EXPECT_EQ(token.text, "the server's answer to the login is not understood");
  EXPECT_EQ(refused(target(), {no_tls(), login_reply(), reply(hand::hex("42"))}).kind,
            base::ErrorKind::Protocol);
}

TEST(TdsLogin, AnOpenTransactionIsNotLeftBehind) {
  const std::string open = reply(change(EnvKind::BeginTransaction, descriptor(7)) + done_token());
  const auto error = refused(target(), {no_tls(), login_reply(), open});
  EXPECT_EQ(error.text, "the server has left a transaction open");
}

// ---------------------------------------------------------------- garbage

TEST(TdsLogin, WhoSpeaksSomethingElseIsToldFromAServer) {
  for (const std::string& flight :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), hand::hex("15 0301 0002 0228"),
        hand::hex("04 01 0004 0000 00 00"), hand::hex("12 01 0009 0000 00 00 ff"),
        hand::hex("04 01 0009 0000 00 00 42")}) {
    const auto error = refused(target(), {flight});
    EXPECT_EQ(error.kind, base::ErrorKind::Protocol) << error.text;
  }
  EXPECT_EQ(refused(target(), {no_tls(), no_tls().replace(0, 1, "\x12")}).text,
            "the server sent something else than a reply");
}

TEST(TdsLogin, NobodyAnswersWhatHeWasNotAsked) {
  for (const Flights& flights :
       {Flights{no_tls() + no_tls()}, Flights{no_tls(), login_reply() + login_reply()}})
    EXPECT_EQ(play_once(target(), flights, whole()).ending.error.kind, base::ErrorKind::Protocol);
}

TEST(TdsLogin, AnswersAreBounded) {
  const std::string long_prelogin = hand::hex("04 00 1000 0000 00 00") + std::string(4088, '\0');
  const auto early = play_once(target(), {long_prelogin + long_prelogin}, whole());
  EXPECT_EQ(early.ending.error.kind, base::ErrorKind::TooLarge);

  std::string info;
  append_message_token(info, Token::Info, Version::V74,
                       {1, 1, 10, std::string(7000, 'x'), "", "", 1});
  std::string endless;
  while (endless.size() <= TdsLogin::kReplyBytesMax) endless += info;
  const auto late = play_once(target(), {no_tls(), reply(endless)}, pieces_of(1000));
  EXPECT_EQ(late.ending.step, Step::Fail);
  EXPECT_EQ(late.ending.error.kind, base::ErrorKind::TooLarge);
}

TEST(TdsLogin, SomeNamesCannotBeSaid) {
  protocol::LoginTarget hashed = target();
  hashed.secret = "md5" + std::string(32, 'a');
  EXPECT_THAT(refused(hashed, {}).text, HasSubstr("only a hash of that of user \"ann\""));
  protocol::LoginTarget longer = target();
  longer.secret = std::string(129, 's');
  EXPECT_EQ(refused(longer, {}).text, "the password is longer than SQL Server takes");
  protocol::LoginTarget broken = target();
  broken.secret = "\xff" + kSecret;
  EXPECT_EQ(refused(broken, {}).text, "the password is no UTF-8");
}

// ---------------------------------------------------------------- recordings

// What a real server has answered to clients that asked for the same.
TEST(TdsLogin, RecordedReplies) {
  struct Case {
    std::string name;
    Step step;
    std::string text;
  };
  for (const auto& [name, step, text] : {Case{"tedious_login_plain", Step::Done, ""},
                                         {"tsql_login", Step::Done, ""},
                                         {"login_failed", Step::Fail, "Login failed"},
                                         {"login_failed_db", Step::Fail, "shop"}}) {
    std::string rest;
    for (const auto& recording : recordings::all())
      if (recording.name == name) rest = recording.server;
    ASSERT_FALSE(rest.empty()) << name;
    Flights flights;
    while (flights.size() < 2 && !rest.empty()) {
      const size_t bytes = read_packet_head(rest).bytes;
      flights.push_back(rest.substr(0, bytes));
      rest.erase(0, bytes);
    }
    flights.push_back(reply(done_token(kDoneMore) + done_token()));
    const Played played = play_login(target(), flights);
    EXPECT_EQ(played.ending.step, step) << name << " " << played.ending.error.text;
    if (step == Step::Done) {
      EXPECT_EQ(played.server->facts.program, "Microsoft SQL Server");
      EXPECT_EQ(played.server->facts.collation.size(), 5U);
      EXPECT_FALSE(played.server->announces);
    } else {
      EXPECT_EQ(played.ending.error.kind, base::ErrorKind::Refused);
      EXPECT_NE(played.ending.error.text, "");
    }
  }
}

}  // namespace
}  // namespace weir::tds
