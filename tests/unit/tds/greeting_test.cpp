// How a client is let in, or not: the order of the steps, and what it hears.
#include <gmock/gmock.h>

#include "greetings.h"

namespace weir::tds {
namespace {

using namespace greetings;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kAsk = "ask ann/shop@sales by test";
constexpr const char* kWrong = "error 18456 'Login failed for user 'ann'.'; ";
constexpr const char* kRefused = "done fd status 2 command 0 count 0; final";

Greeted in_clear(const Host& host, const Login7& login = login_of()) {
  return greet(host, {prelogin(2), login7(login)});
}

// ---------------------------------------------------------------- encryption

struct Cell {
  ListenerMode tls;
  std::optional<uint8_t> client;
  int answer;
  std::vector<std::string> cover;  // empty: refused; "none"
};

// tds T11
TEST(TdsGreeting, EncryptionIsAgreedOn) {
  const std::vector<std::string> none{"none"}, all{"tls in packets"},
      login{"tls in packets", "clear"}, refused;
  const std::vector<Cell> cells{
      {ListenerMode::None, 0, 2, none},         {ListenerMode::None, 1, 2, refused},
      {ListenerMode::None, 2, 2, none},         {ListenerMode::None, 3, 2, refused},
      {ListenerMode::None, {}, 2, none},        {ListenerMode::None, 7, 2, refused},
      {ListenerMode::LoginOnly, 0, 0, login},   {ListenerMode::LoginOnly, 1, 1, all},
      {ListenerMode::LoginOnly, 2, 2, none},    {ListenerMode::LoginOnly, 3, 1, all},
      {ListenerMode::LoginOnly, {}, 2, none},   {ListenerMode::LoginOnly, 0x80, 0, login},
      {ListenerMode::Offered, 0, 3, all},       {ListenerMode::Offered, 1, 1, all},
      {ListenerMode::Offered, 2, 2, none},      {ListenerMode::Offered, 3, 1, all},
      {ListenerMode::Required, 0, 3, all},      {ListenerMode::Required, 1, 1, all},
      {ListenerMode::Required, 2, 3, refused},  {ListenerMode::Required, 3, 1, all},
      {ListenerMode::Required, {}, 3, refused}, {ListenerMode::Required, 0x81, 1, all},
      {ListenerMode::Direct, 2, 3, refused},    {ListenerMode::Fallback, 0, 3, all},
  };
  for (const Cell& cell : cells) {
    const Greeted greeted = greet({.tls = cell.tls}, {prelogin(cell.client), login7()});
    MessageAssembler reply(Side::Server, 4096);
    ASSERT_TRUE(reply.feed(greeted.sent));
    EXPECT_EQ(reply.type(), PacketType::Reply);
    const auto read = read_prelogin(reply.payload());
    ASSERT_TRUE(read);
    const Prelogin& answer = read.value();
    const std::string which = std::to_string(static_cast<int>(cell.tls)) + " and " +
                              std::to_string(cell.client.value_or(99));
    EXPECT_EQ(answer.encryption.value_or(99), cell.answer) << which;
    EXPECT_EQ(answer.mars, false);
    std::vector<std::string> expected = cell.cover;
    if (expected == none) expected.clear();
    EXPECT_EQ(greeted.step, cell.cover.empty() ? Step::Fail : Step::Done) << which;
    if (!cell.cover.empty()) {
      expected.emplace_back(kAsk);
      expected.emplace_back("settle");
    }
    EXPECT_EQ(greeted.steps, expected) << which;
  }
}

TEST(TdsGreeting, FederatedLoginsAreDeclinedInPrelogin) {
  for (const bool asks : {false, true}) {
    Prelogin options;
    options.encryption = 2;
    if (asks) options.federated_login = true;
    std::string body;
    append_prelogin(body, options);
    const Greeted greeted = greet({}, {message(PacketType::Prelogin, body)});
    MessageAssembler reply(Side::Server, 4096);
    ASSERT_TRUE(reply.feed(greeted.sent));
    EXPECT_EQ(read_prelogin(reply.payload())->federated_login,
              asks ? std::optional(false) : std::nullopt);
  }
}

// tds T14
TEST(TdsGreeting, TlsFirst) {
  const std::string hello("\x16\x03\x01\x00\x05", 5);
  const Flights flights{hello, prelogin(1), login7(login_of(Version::V80))};
  for (const auto tls : {ListenerMode::Direct, ListenerMode::Required, ListenerMode::LoginOnly}) {
    const Greeted greeted = greet_once({.tls = tls, .alpn = "tds/8.0"}, flights, whole());
    EXPECT_EQ(greeted.step, Step::Done) << greeted.error.text;
    EXPECT_THAT(greeted.steps, ElementsAre("tls", kAsk, "settle"));
  }
  for (const char* alpn : {"", "http/1.1"}) {
    const Greeted greeted =
        greet_once({.tls = ListenerMode::Direct, .alpn = alpn}, flights, whole());
    EXPECT_EQ(greeted.step, Step::Fail);
    EXPECT_THAT(greeted.error.text, HasSubstr("ALPN"));
    EXPECT_EQ(greeted.sent, "");
  }
  const Greeted none = greet_once({}, flights, whole());
  EXPECT_EQ(none.step, Step::Fail);
  EXPECT_THAT(none.error.text, HasSubstr("began with TLS"));
  // A strict client that comes twice.
  const Greeted twice =
      greet_once({.tls = ListenerMode::Direct, .alpn = "tds/8.0"}, {hello, hello}, whole());
  EXPECT_EQ(twice.step, Step::Fail);
}

// The first byte of a piece says nothing of how the client begins if something came before it: a
// PRELOGIN of 22 bytes was taken for the beginning of TLS when it was cut in its head.
TEST(TdsGreeting, ALengthIsNoBeginning) {
  const std::string length22 =
      message(PacketType::Prelogin, hand::hex("00 0006 0006 ff") + hand::hex("1000000000000000"));
  ASSERT_EQ(length22.size(), 22U);
  ASSERT_EQ(length22[3], 0x16);
  for (const auto tls : {ListenerMode::None, ListenerMode::Offered})
    EXPECT_EQ(greet({.tls = tls}, {length22, login7()}).step, Step::Done);
}

TEST(TdsGreeting, StrictListenersTellOthersWhy) {
  const Greeted greeted = greet({.tls = ListenerMode::Direct}, {prelogin(1), login7()});
  EXPECT_EQ(greeted.step, Step::Fail);
  EXPECT_THAT(greeted.steps, ElementsAre("tls in packets"));
  EXPECT_THAT(tokens_in(greeted.sent), HasSubstr("TDS 8.0 only (Encrypt=strict)"));
}

// ---------------------------------------------------------------- LOGIN7

TEST(TdsGreeting, OldClientsSendNoPrelogin) {
  Host host;
  host.facts.version = Version::V71;
  host.facts.wire_version = 0x71000001;
  const Flights flights{login7(login_of(Version::V71))};
  for (const auto tls : {ListenerMode::None, ListenerMode::LoginOnly, ListenerMode::Offered}) {
    host.tls = tls;
    const Greeted greeted = greet(host, flights);
    EXPECT_EQ(greeted.step, Step::Done);
    EXPECT_THAT(greeted.steps, ElementsAre(kAsk, "settle"));
    EXPECT_EQ(greeted.client->version, Version::V71);
  }
  for (const auto tls : {ListenerMode::Required, ListenerMode::Direct}) {
    host.tls = tls;
    const Greeted greeted = greet(host, flights);
    EXPECT_EQ(greeted.step, Step::Fail);
    EXPECT_TRUE(greeted.steps.empty());
    EXPECT_THAT(tokens_in(greeted.sent, Version::V71), HasSubstr("TLS is required here"));
  }
}

// tds T10, T15
TEST(TdsGreeting, WhatCannotBeReadIsRefused) {
  for (const std::string& bytes :
       {message(PacketType::Prelogin, hand::hex("00 0000 0001")),  // no end
        message(PacketType::Prelogin, hand::hex("01 0100 0001 ff")),
        message(PacketType::Prelogin, {}), message(PacketType::Batch, "SELECT"),
        std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\x12\x01\x00\x03\0\0\0\0", 8)}) {
    const Greeted greeted = greet({}, {bytes});
    EXPECT_EQ(greeted.step, Step::Fail) << script::hex(bytes);
    EXPECT_EQ(greeted.sent, "");
    EXPECT_FALSE(greeted.error.text.empty());
  }
  EXPECT_EQ(greet({}, {prelogin(2), message(PacketType::Batch, "SELECT")}).error.text,
            "LOGIN7 was expected");
  std::string outside = write_login7(login_of()).value();
  outside[40] = '\xff';  // where the user's name is
  outside[41] = '\xff';
  std::string unknown = write_login7(login_of()).value();
  unknown[7] = '\x70';
  for (const std::string& body : {outside, unknown, std::string("short")}) {
    const Greeted greeted = greet({}, {prelogin(2), message(PacketType::Login7, body)});
    EXPECT_EQ(greeted.step, Step::Fail);
    EXPECT_TRUE(greeted.steps.empty());
    EXPECT_THAT(tokens_in(greeted.sent), HasSubstr(kRefused));
  }
}

TEST(TdsGreeting, WhatCannotBeReadIsToldWhenItCanBeHeard) {
  const Greeted greeted =
      greet({.tls = ListenerMode::LoginOnly}, {prelogin(0), message(PacketType::Login7, "short")});
  EXPECT_EQ(greeted.step, Step::Fail);
  EXPECT_THAT(greeted.steps, ElementsAre("tls in packets", "clear"));
  EXPECT_THAT(tokens_in(greeted.sent), HasSubstr("invalid LOGIN7"));
}

TEST(TdsGreeting, LoginsAreBounded) {
  Login7 login = login_of();
  login.features = {{FeatureId::UserAgent, std::string(5000, 'x')}};
  EXPECT_EQ(in_clear({}, login).step, Step::Done);
  const Greeted greeted =
      greet_once({.login_bytes_max = 4096}, {prelogin(2), login7(login)}, whole());
  EXPECT_EQ(greeted.step, Step::Fail);
  EXPECT_EQ(greeted.error.kind, ErrorKind::TooLarge);
  const Greeted endless = greet_once(
      {}, Flights(40, hand::hex("1200 1000 00000000") + std::string(4088, '\0')), pieces_of(1000));
  EXPECT_EQ(endless.step, Step::Fail);
}

// tds T19
TEST(TdsGreeting, WhatWeirCannotDoIsSaid) {
  Login7 sspi = login_of(), windows = login_of(), federated = login_of(), renewed = login_of();
  sspi.sspi = "ticket";
  windows.flags2 = kIntegratedSecurity;
  federated.features = {{FeatureId::FederatedAuthentication, "x"}};
  renewed.new_password = kSecret + "!";
  renewed.flags3 = kChangePassword;
  const std::vector<std::pair<Login7, std::string>> logins{{sspi, "Windows logins"},
                                                           {windows, "Windows logins"},
                                                           {federated, "Entra logins"},
                                                           {renewed, "a new password"}};
  for (const auto& [login, why] : logins) {
    const Greeted greeted = in_clear({}, login);
    EXPECT_EQ(greeted.step, Step::Fail);
    EXPECT_EQ(greeted.error.kind, ErrorKind::Refused);
    EXPECT_TRUE(greeted.steps.empty());
    EXPECT_THAT(tokens_in(greeted.sent), HasSubstr("error 18456 '" + why));
    EXPECT_THAT(tokens_in(greeted.sent), HasSubstr(std::string(kWrong) + kRefused));
  }
}

TEST(TdsGreeting, LanguagesAreBounded) {
  Languages languages;
  for (size_t i = 0; i < Languages::kMost; ++i) languages.number_of(std::to_string(i));
  TdsGreeting greeting({}, languages);
  std::string send;
  Login7 login = login_of();
  login.language = "Deutsch";
  ASSERT_EQ(greeting.feed(prelogin(2), send).step, Step::Wait);
  ASSERT_EQ(greeting.feed(login7(login), send).step, Step::Ask);
  EXPECT_EQ(languages.name_of(Languages::kMost), std::to_string(Languages::kMost - 1));
  protocol::Admission trusted;
  trusted.method = protocol::AuthMethod::Trust;
  EXPECT_EQ(greeting.admit(trusted, send).step, Step::Fail);
  EXPECT_EQ(greeting.error().text, "too many languages");
}

// ---------------------------------------------------------------- who may come in

TEST(TdsGreeting, Passwords) {
  const Greeted good = in_clear({});
  EXPECT_EQ(good.step, Step::Done);
  EXPECT_EQ(good.learnt, kSecret);
  EXPECT_EQ(good.client->options.pool, 7U);
  Login7 other = login_of();
  other.password = "wrong";
  for (const Greeted& wrong : {in_clear({}, other), in_clear({.mock = true}),
                               in_clear({.secret = ""}), in_clear({.secret = "", .mock = true})}) {
    EXPECT_EQ(wrong.step, Step::Fail);
    EXPECT_EQ(wrong.error.code, "28000");
    EXPECT_EQ(tokens_in(wrong.sent), std::string(kWrong) + kRefused);
    EXPECT_EQ(wrong.client, nullptr);
  }
  EXPECT_EQ(in_clear({.method = AuthMethod::Trust}, other).step, Step::Done);
  EXPECT_EQ(in_clear({.method = AuthMethod::Trust}, other).learnt, "");
}

TEST(TdsGreeting, HashesAreOfNoUse) {
  for (const std::string& hash :
       {"md5" + std::string(32, 'a'), std::string("SCRAM-SHA-256$4096:a$b:c")}) {
    const Greeted greeted = in_clear({.secret = hash});
    EXPECT_EQ(greeted.step, Step::Fail);
    EXPECT_THAT(tokens_in(greeted.sent), HasSubstr("only a hash"));
    EXPECT_THAT(tokens_in(greeted.sent), Not(HasSubstr(hash)));
    const Greeted mock = in_clear({.secret = hash, .mock = true});
    EXPECT_EQ(tokens_in(mock.sent), std::string(kWrong) + kRefused);
  }
}

TEST(TdsGreeting, SomebodyElseMaySayWhetherAPasswordIsRight) {
  Host host{.secret = ""};
  host.check = [](const std::string& password) { return password == kSecret; };
  const Greeted good = in_clear(host);
  EXPECT_EQ(good.step, Step::Done);
  EXPECT_THAT(good.steps, ElementsAre(kAsk, "work", "settle"));
  EXPECT_EQ(good.learnt, kSecret);
  host.check = [](const std::string&) { return false; };
  const Greeted wrong = in_clear(host);
  EXPECT_EQ(wrong.step, Step::Fail);
  EXPECT_EQ(tokens_in(wrong.sent), std::string(kWrong) + kRefused);
  host.mock = true;
  host.check = [](const std::string&) { return true; };
  EXPECT_EQ(in_clear(host).step, Step::Fail);
}

TEST(TdsGreeting, AServerMaySayIt) {
  Host host{.method = AuthMethod::Passthrough};
  const Greeted good = in_clear(host);
  EXPECT_EQ(good.step, Step::Done);
  EXPECT_THAT(good.steps, ElementsAre(kAsk, "try " + kSecret, "settle"));
  EXPECT_EQ(good.learnt, "");
  host.refusal = {ErrorKind::Refused, "Login failed for user 'ann'. Reason: x", "28000"};
  EXPECT_EQ(tokens_in(in_clear(host).sent), std::string(kWrong) + kRefused);
  host.refusal = {ErrorKind::Refused, "No such database.", "3D000"};
  EXPECT_THAT(tokens_in(in_clear(host).sent),
              HasSubstr("error 4060 'No such database.'; " + std::string(kWrong)));
  host.refusal = {ErrorKind::Unreachable, "connection refused", "08006"};
  const Greeted away = in_clear(host);
  EXPECT_EQ(tokens_in(away.sent), "error 50000 'connection refused'; " + std::string(kRefused));
  EXPECT_EQ(away.error.kind, ErrorKind::Unreachable);
}

// ---------------------------------------------------------------- the answer

// tds T17, T19
TEST(TdsGreeting, TheServersOwnWords) {
  Host host;
  host.facts.features = {{FeatureId::Utf8, "\x01"}};
  for (const Version version :
       {Version::V71, Version::V72, Version::V73A, Version::V73B, Version::V74, Version::V80}) {
    host.facts.version = version;
    host.facts.wire_version = wire_value(version);
    for (const bool known : {true, false}) {
      host.knows_facts = known;
      const Greeted greeted = in_clear(host, login_of(version));
      std::string ack;
      append_login_ack(ack, {1, wire_value(version), "Microsoft SQL Server", 0x100007d0});
      EXPECT_EQ(tokens_in(greeted.sent, version),
                "env 1 'shop' 'master'; info 5701 'Changed database context to 'shop'.'; "
                "env 7 0904d00034 ; env 2 'us_english' ''; "
                "info 5703 'Changed language setting to us_english.'; loginack " +
                    script::hex(Bytes(ack).substr(3)) +
                    "; feature 10 01; done fd status 0 command 0 count 0; final");
      EXPECT_EQ(greeted.client->version, version);
      EXPECT_TRUE(greeted.client->packets.at_message_border());
    }
  }
}

TEST(TdsGreeting, WhatTheServerHasNotSaidIsNotMadeUp) {
  Host host;
  host.facts.language = host.facts.collation = "";
  EXPECT_THAT(tokens_in(in_clear(host).sent), Not(HasSubstr("env 2")));
  EXPECT_THAT(tokens_in(in_clear(host).sent), Not(HasSubstr("5703")));
  EXPECT_THAT(tokens_in(in_clear(host).sent), Not(HasSubstr("env 7")));
}

TEST(TdsGreeting, ThePacketSizeIsToldWhenAnotherOneWasAskedFor) {
  for (const uint32_t asked : {0U, 4096U, 512U, 8000U, 32767U}) {
    Login7 login = login_of();
    login.packet_bytes = asked;
    const std::string words = tokens_in(in_clear({}, login).sent);
    const std::string told = "env 4 '4096' '" + std::to_string(asked) + "'";
    const bool differs = asked != 0 && asked != 4096;
    EXPECT_EQ(words.find(told) != std::string::npos, differs) << asked;
    EXPECT_EQ(words.find("env 4 ") != std::string::npos, differs) << asked;
  }
}

TEST(TdsGreeting, OlderServersAreBelieved) {
  Host host;
  host.facts.version = Version::V72;
  host.facts.wire_version = wire_value(Version::V72);
  EXPECT_EQ(in_clear(host).client->version, Version::V72);
}

TEST(TdsGreeting, WhatFollowsIsLeft) {
  std::string batch;
  append_all_headers(batch, 0);
  batch = message(PacketType::Batch, batch + utf16_of("SELECT 1"));
  EXPECT_EQ(greet({}, {prelogin(2), login7() + batch}).left, batch);
}

TEST(TdsGreeting, RefusalsAreToldOnceTheyCanBeHeard) {
  const Error why{ErrorKind::Timeout, "no server in time", "53300"};
  Reception early({});
  EXPECT_EQ(early.refuse(why), "");
  early.deliver(prelogin(2));
  EXPECT_EQ(early.refuse(why), "");
  TdsFacts nothing;
  Languages languages;
  TdsGreeting greeting({}, languages);
  std::string send;
  greeting.feed(prelogin(2), send);
  ASSERT_EQ(greeting.feed(login7(login_of(Version::V71)), send).step, Step::Ask);
  std::string refusal;
  greeting.refuse(why, refusal);
  EXPECT_EQ(tokens_in(refusal, Version::V71),
            "error 17809 'no server in time'; " + std::string(kRefused));
}

}  // namespace
}  // namespace weir::tds
