#include "protocol/postgres/login.h"

#include "script.h"

namespace weir::postgres {
namespace {

using namespace script;
using namespace std::literals;

protocol::LoginTarget target(const std::string& secret) {
  return {"app", secret, "shop", {{"search_path", "shop"}}};
}

std::string parameter(std::string_view name, std::string_view value) {
  std::string out;
  append_parameter_status(out, name, value);
  return out;
}
std::string ready(char status = 'I') {
  std::string out;
  append_ready(out, status);
  return out;
}
std::string backend_key(base::Bytes key) {
  std::string out;
  append_backend_key(out, 4711, key);
  return out;
}
std::string error(const std::string& code, const std::string& text) {
  std::string out;
  append_error(out, {"FATAL", code, text});
  return out;
}
const std::string kOk = authentication(Authentication::Ok);
const std::string kRest = parameter("server_version", "15.1") + backend_key("key!") + ready();
const std::string kMechanisms = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"s;

// The server's half of a SCRAM exchange with a client whose secret is `secret`.
struct ScramFlights {
  Flights flights;    // request, continue, final + ok + rest
  std::string final;  // the final message alone
};
ScramFlights scram_flights(const std::string& secret, const std::string& salt = "salt") {
  ScramServer server(make_verifier("pencil", salt, 10), "servernonce");
  Flights flights = {authentication(Authentication::Sasl, kMechanisms)};
  const auto body = [&](size_t index) {
    const auto sent = messages_of(log_in(target(secret), flights, whole)
                                      .sent.substr(std::string(startup({{"user", "app"},
                                                                        {"database", "shop"},
                                                                        {"search_path", "shop"}}))
                                                       .size()));
    return index < sent.size() ? sent[index].body : "";
  };
  BodyReader initial(body(0));
  const std::string head = body(0);
  const auto first =
      server.on_client_first(kScram, base::Bytes(head).substr(18));  // mechanism NUL length
  EXPECT_TRUE(first);
  if (!first) return {};
  flights.push_back(authentication(Authentication::SaslContinue, first.value()));
  const auto final = server.on_client_final(body(1));
  if (!final) return {flights, ""};
  flights.push_back(authentication(Authentication::SaslFinal, final.value()));
  std::string last = flights.back();
  flights.back() += kOk + kRest;
  return {flights, last};
}

void expect_done(const Outcome& outcome) {
  EXPECT_EQ(outcome.step, Step::Done) << outcome.error;
  EXPECT_EQ(outcome.left, "");
}
void expect_failure(const Outcome& outcome, const std::string& part) {
  EXPECT_EQ(outcome.step, Step::Fail);
  EXPECT_NE(outcome.error.find(part), std::string::npos) << outcome.error;
}

TEST(Login, SendsTheStartupPacket) {
  const Outcome outcome = log_in(target(""), {}, whole);
  EXPECT_EQ(outcome.step, Step::Wait);
  EXPECT_EQ(outcome.sent,
            startup({{"user", "app"}, {"database", "shop"}, {"search_path", "shop"}}));
}

TEST(Login, AsksForTheNewestVersionWhereItIsWanted) {
  protocol::LoginTarget newest = target("");
  newest.newest_version = true;
  EXPECT_EQ(base::load_be32(log_in(newest, {}, whole).sent.data() + 4), kVersion32);
  const auto answered = [](uint32_t version, const std::vector<std::string>& options = {}) {
    std::string out;
    append_negotiate(out, version, options);
    return out;
  };
  for (const uint32_t older : {kVersion30, kVersion30 + 1})
    expect_done(log_in_at_every_split(newest, {answered(older) + kOk + kRest}));
  for (const std::string& bad : {answered(kVersion32), answered(kVersion32 + 1), answered(2 << 16),
                                 answered(kVersion30, {"_pq_.x"}), message('v', "\0\3\0\0"sv),
                                 message('v', "\0\3\0\0\0\0\0\0x"sv)})
    expect_failure(log_in(newest, {bad + kOk + kRest}, whole), "NegotiateProtocolVersion");
  expect_failure(log_in(target(""), {answered(kVersion30) + kOk}, whole),
                 "NegotiateProtocolVersion");
  expect_failure(log_in(newest, {kOk + answered(kVersion30)}, whole), "no place in a login");
}

TEST(Login, LearnsWhatTheServerSaysOfItself) {
  const std::string long_key(256, 'k');
  for (const std::string& key : {""s, backend_key("key!"), backend_key(long_key)}) {
    const Flights flights = {kOk + parameter("TimeZone", "UTC") + message('N', "SNOTICE\0\0"sv) +
                             parameter("TimeZone", "Europe/Paris") + key + ready()};
    expect_done(log_in_at_every_split(target(""), flights));
    std::unique_ptr<PostgresLogin> login;
    log_in(target(""), flights, whole, &login);
    const auto server = login->take_server();
    const auto& state = static_cast<const ServerState&>(*server);
    EXPECT_EQ(state.reported, (SettingMap{{"TimeZone", "Europe/Paris"}}));
    EXPECT_EQ(state.base, state.reported);
    EXPECT_EQ(state.process_id, key.empty() ? 0 : 4711);
    EXPECT_EQ(state.cancel_key, key.empty() ? "" : key.substr(9));
    EXPECT_EQ(state.status, 'I');
  }
}

TEST(Login, AnswersDemandsForAPassword) {
  const std::string cleartext = authentication(Authentication::CleartextPassword);
  const Outcome plain = log_in_at_every_split(target("pencil"), {cleartext, kOk + kRest});
  expect_done(plain);
  EXPECT_TRUE(plain.sent.ends_with(password("pencil")));

  const std::string md5 = authentication(Authentication::Md5Password, "salt");
  for (const std::string& secret : {"pencil"s, md5_secret("app", "pencil")}) {
    const Outcome outcome = log_in_at_every_split(target(secret), {md5, kOk + kRest});
    expect_done(outcome);
    EXPECT_TRUE(outcome.sent.ends_with(password(md5_answer(md5_secret("app", "pencil"), "salt"))));
  }
}

TEST(Login, DoesScramWithAPasswordOrWithKeys) {
  for (const std::string& secret : {"pencil"s, make_keys("pencil", "salt", 10).text()}) {
    const auto script = scram_flights(secret);
    ASSERT_EQ(script.flights.size(), 3u);
    expect_done(log_in_at_every_split(target(secret), script.flights));
  }
}

TEST(Login, SaysWhyItsSecretDoesNotFit) {
  const std::string cleartext = authentication(Authentication::CleartextPassword);
  const std::string md5 = authentication(Authentication::Md5Password, "salt");
  const std::string sasl = authentication(Authentication::Sasl, kMechanisms);
  const std::string verifier = make_verifier("pencil", "salt", 10).text();
  const std::string keys = make_keys("pencil", "salt", 10).text();
  for (const std::string& demand : {cleartext, md5, sasl})
    expect_failure(log_in_at_every_split(target(""), {demand}), "weir has none");
  expect_failure(log_in(target(verifier), {cleartext}, whole), "only a hash");
  expect_failure(log_in(target(keys), {cleartext}, whole), "only a hash");
  expect_failure(log_in(target(md5_secret("app", "pencil")), {cleartext}, whole), "only a hash");
  expect_failure(log_in(target(verifier), {md5}, whole), "only SCRAM keys");
  expect_failure(log_in(target(keys), {md5}, whole), "only SCRAM keys");
  expect_failure(log_in(target(verifier), scram_flights(verifier).flights, whole),
                 "when a client logs in");
  expect_failure(log_in(target(md5_secret("app", "pencil")),
                        scram_flights(md5_secret("app", "pencil")).flights, whole),
                 "only an md5 hash");
  const auto other = scram_flights(keys, "another salt");
  expect_failure(log_in_at_every_split(target(keys), other.flights), "both have to be the same");
}

TEST(Login, RefusesAServerThatCutsScramShort) {
  const auto script = scram_flights("pencil");
  const std::string& sasl = script.flights[0];
  const std::string& more = script.flights[1];
  const std::string bad_final =
      authentication(Authentication::SaslFinal, "v=" + std::string(43, 'A') + "=");
  for (const Flights& flights : std::vector<Flights>{
           {sasl, kOk + kRest},
           {sasl, more, kOk + kRest},
           {sasl, more, bad_final + kOk + kRest},
           {sasl, script.final},
           {sasl, sasl},
           {sasl, more, more},
           {sasl, authentication(Authentication::CleartextPassword)},
           {sasl, more, script.final + script.final},
           {sasl, more, script.final + sasl},
           {sasl, more, script.final + ready()},
           {sasl, authentication(Authentication::SaslContinue, "r=x,s=AAAA,i=4096")},
           {sasl, authentication(Authentication::SaslContinue, "")},
           {script.final},
           {more}}) {
    const Outcome outcome = log_in_at_every_split(target("pencil"), flights);
    EXPECT_EQ(outcome.step, Step::Fail) << types_of(flights.back());
    EXPECT_FALSE(outcome.error.empty());
  }
}

TEST(Login, RefusesWhatHasNoPlaceInALogin) {
  std::string many;
  for (int i = 0; i < 20; ++i) many += parameter("p" + std::to_string(i), std::string(60000, 'x'));
  const std::string cleartext = authentication(Authentication::CleartextPassword);
  for (const Flights& flights :
       std::vector<Flights>{{ready()},
                            {parameter("a", "b")},
                            {backend_key("key!")},
                            {"Q\0\0\0\5\0"s},
                            {kOk + kOk},
                            {kOk + ready('T')},
                            {kOk + ready('E')},
                            {kOk + message('Z', "")},
                            {kOk + message('Z', "II")},
                            {kOk + message('K', "abc")},
                            {kOk + message('K', "abcd")},
                            {kOk + backend_key(std::string(257, 'k'))},
                            {kOk + message('S', "a\0b"sv)},
                            {kOk + message('S', "a\0b\0c"sv)},
                            {kOk + message('S', "\0b\0"sv)},
                            {kOk + message('A', "")},
                            {kOk + "\0\0\0\0\0"s},
                            {kOk + "S\0\0\0\3"s},
                            {kOk + "S\x7f\xff\xff\xff"s},
                            {kOk + "S\0\x10\0\5"s},
                            {message('R', "")},
                            {message('R', "\0\0\0"sv)},
                            {message('R', "\0\0\0\0x"sv)},
                            {message('R', "\0\0\0\5sal"sv)},
                            {message('R', "\0\0\0\5salty"sv)},
                            {message('R', "\0\0\0\7"sv)},
                            {message('R', "\0\0\0\x0aSCRAM-SHA-256"sv)},
                            {message('R', "\0\0\0\x0aSCRAM-SHA-1\0\0"sv)},
                            {message('R', "\0\0\0\x0a\0"sv)},
                            {message('R', "\0\0\0\x0aSCRAM-SHA-256\0\0x"sv)},
                            {cleartext + cleartext},
                            {message('v', "\0\3\0\0\0\0\0\0"sv)},
                            {"N"s + "\xff\xff\xff\xff"}}) {
    const Outcome outcome = log_in_at_every_split(target("pencil"), flights);
    EXPECT_EQ(outcome.step, Step::Fail) << testing::PrintToString(flights);
    EXPECT_FALSE(outcome.error.empty());
  }
  expect_failure(log_in(target(""), {kOk + many}, whole), "too many parameters");
}

TEST(Login, TellsRefusalsFromServersThatCannotJustNow) {
  using base::ErrorKind;
  for (const auto& [code, kind] :
       std::vector<std::pair<std::string, ErrorKind>>{{"28P01", ErrorKind::Refused},
                                                      {"28000", ErrorKind::Refused},
                                                      {"3D000", ErrorKind::Refused},
                                                      {"42501", ErrorKind::Refused},
                                                      {"57P03", ErrorKind::Unreachable},
                                                      {"53300", ErrorKind::Unreachable},
                                                      {"XX000", ErrorKind::Unreachable},
                                                      {"", ErrorKind::Unreachable}}) {
    for (const std::string& before : {""s, kOk}) {
      const Flights flights = {before + error(code, "the reason")};
      const Outcome outcome = log_in_at_every_split(target(""), flights);
      EXPECT_EQ(outcome.code, code);
      EXPECT_EQ(outcome.error, "the reason");
      std::unique_ptr<PostgresLogin> login;
      log_in(target(""), flights, whole, &login);
      EXPECT_EQ(login->error().kind, kind) << code;
    }
  }
  expect_failure(log_in_at_every_split(target(""), {message('E', "")}), "without a reason");
  expect_failure(log_in_at_every_split(target(""), {message('E', "Mno end")}), "no end");
}

TEST(Login, ReadsTheErrorOfAServerThatCannotFork) {
  expect_failure(log_in_at_every_split(target(""), {"Ecould not fork new process\n\0"s}),
                 "could not fork");
  const std::string endless = "E" + std::string(10000, 'x');
  for (const auto& outcome :
       {log_in(target(""), {endless}, whole), log_in(target(""), {endless}, bytewise)})
    EXPECT_EQ(outcome.error, std::string(4095, 'x'));
}

// Whoever answers the request for TLS with a demand for the password gets none in clear.
TEST(Login, SaysNothingToWhoPassesOverTheRequestForTls) {
  for (const auto tls : {protocol::Encryption::Offered, protocol::Encryption::Required}) {
    protocol::LoginTarget wants = target("pencil");
    wants.tls = tls;
    for (const auto& demand : {authentication(Authentication::CleartextPassword),
                               authentication(Authentication::Md5Password, "salt"),
                               authentication(Authentication::Sasl, kMechanisms), kOk + kRest,
                               backend_key("key!"), "x"s, "\0"s}) {
      const Outcome outcome = log_in_at_every_split(wants, {demand});
      expect_failure(outcome, "server answered the request for TLS with neither yes nor no");
      EXPECT_EQ(outcome.sent.size(), 8u);
    }
  }
}

// Anybody on the way can have sent it (CVE-2024-10977).
TEST(Login, BelievesNoErrorBeforeTls) {
  for (const auto& bytes : {error("28P01", "go away"), "Egone\n\0"s}) {
    protocol::LoginTarget wants = target("pencil");
    wants.tls = protocol::Encryption::Required;
    std::unique_ptr<PostgresLogin> login;
    const Outcome outcome = log_in(wants, {bytes}, bytewise, &login);
    expect_failure(outcome, "server answered the request for TLS with an error");
    EXPECT_EQ(login->error().kind, base::ErrorKind::Unreachable);
    EXPECT_EQ(outcome.sent.size(), 8u);
  }
}

TEST(Login, FailsAtAnEarlyEnd) {
  const std::string all = kOk + kRest;
  for (size_t size = 0; size < all.size(); ++size) {
    PostgresLogin login(target(""), {store(), fixed_bytes});
    std::string send;
    login.start(send);
    ASSERT_EQ(login.feed(base::Bytes(all).substr(0, size), send).step, Step::Wait);
    EXPECT_EQ(login.on_end().step, Step::Fail);
    EXPECT_EQ(login.error().kind, base::ErrorKind::Unreachable);
  }
}

TEST(Login, LeavesWhatComesBehindReadyForQuery) {
  const Outcome outcome = log_in_at_every_split(target(""), {kOk + kRest + "surplus"});
  EXPECT_EQ(outcome.step, Step::Done);
  EXPECT_EQ(outcome.left, "surplus");
}

}  // namespace
}  // namespace weir::postgres
