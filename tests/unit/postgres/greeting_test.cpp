// The greeting up to the welcome: requests before the start-up packet, the packet itself, every
// method with every kind of secret.
#include "protocol/postgres/greeting.h"

#include "script.h"

namespace weir::postgres {
namespace {

using namespace script;
using namespace std::literals;
using protocol::AuthMethod;

const std::string kStartup = startup({{"user", "alice"}, {"database", "shop"}});

Host host(AuthMethod method, const std::string& secret) {
  Host made;
  made.admission.method = method;
  made.admission.secret = secret;
  made.admission.scram_iterations = 10;
  made.admission.session_id = 42;
  made.admission.cancel_key = "0123456789abcdef0123456789ABCDEF";
  return made;
}
const Host kTrust = host(AuthMethod::Trust, "");

ErrorFields last_error(const Outcome& outcome) {
  const auto sent = messages_of(outcome.sent);
  if (sent.empty() || sent.back().type != 'E') return {};
  return read_error(sent.back().body);
}

void expect_refusal(const Outcome& outcome, const std::string& code) {
  EXPECT_EQ(outcome.step, Step::Fail);
  EXPECT_EQ(last_error(outcome).severity, "FATAL");
  EXPECT_EQ(last_error(outcome).sqlstate, code);
  EXPECT_EQ(last_error(outcome).message, outcome.error);
}

// A whole SCRAM exchange of a client that knows `secret`.
Flights scram_flights(const Host& setup, const std::string& secret) {
  ScramClient client("clientnonce");
  Flights flights = {kStartup, sasl_initial(client.client_first())};
  const auto sent = messages_of(greet(setup, flights, whole).sent);
  if (sent.size() != 2) return flights;
  EXPECT_TRUE(client.on_server_first(base::Bytes(sent[1].body).substr(4)));
  const ScramKeys keys = store().keys(secret, client.salt(), client.iterations());
  flights.emplace_back();
  append_sasl_response(flights.back(), client.client_final(keys));
  return flights;
}

std::string md5_flight(const std::string& secret) {
  return password(md5_answer(md5_secret("alice", secret), fixed_bytes(4)));
}

const std::string kVerifier = make_verifier("pencil", "stored salt", 10).text();

// ---------------------------------------------------------------- authentication

TEST(Greeting, TrustedClientIsWelcomedInOneGo) {
  const Outcome outcome = greet_at_every_split(kTrust, {kStartup});
  EXPECT_EQ(outcome.step, Step::Done);
  EXPECT_EQ(types_of(outcome.sent), "RKZ");
  const auto sent = messages_of(outcome.sent);
  EXPECT_EQ(sent[0].body, "\0\0\0\0"s);
  EXPECT_EQ(sent[1].body,
            "\0\0\0\x2a"
            "0123"s);
  EXPECT_EQ(sent[2].body, "I");
}

TEST(Greeting, KnowsTheRequest) {
  std::unique_ptr<PostgresGreeting> greeting;
  greet(kTrust, {startup({{"user", "bob"}, {"application_name", "app"}})}, whole, &greeting);
  EXPECT_EQ(greeting->request().user, "bob");
  EXPECT_EQ(greeting->request().database, "bob");
  EXPECT_EQ(greeting->request().application_name, "app");
  EXPECT_FALSE(greeting->cancel());
}

TEST(Greeting, LeavesTheBytesBehindTheLogin) {
  std::string query;
  append_query(query, "select 1");
  const Outcome outcome = greet_at_every_split(kTrust, {kStartup + query});
  EXPECT_EQ(outcome.step, Step::Done);
  EXPECT_EQ(outcome.left, query);
}

TEST(Greeting, PlainPasswordAgainstEveryKindOfSecret) {
  for (const std::string& secret : {"pencil"s, md5_secret("alice", "pencil"), kVerifier}) {
    const Host setup = host(AuthMethod::Plain, secret);
    const Outcome right = greet_at_every_split(setup, {kStartup, password("pencil")});
    EXPECT_EQ(types_of(right.sent), "RRKZ") << secret;
    EXPECT_EQ(right.step, Step::Done);
    for (const auto& wrong : {"Pencil"s, ""s, secret + "x", "pencil\xff"s})
      expect_refusal(greet_at_every_split(setup, {kStartup, password(wrong)}), "28P01");
  }
}

TEST(Greeting, SomebodyElseSaysWhetherAPasswordIsRight) {
  Host setup = host(AuthMethod::Plain, "");
  setup.admission.check = [](const std::string& text) { return text == "pencil"; };
  EXPECT_EQ(greet_at_every_split(setup, {kStartup, password("pencil")}).step, Step::Done);
  expect_refusal(greet_at_every_split(setup, {kStartup, password("pen")}), "28P01");
  expect_refusal(greet_at_every_split(setup, {kStartup, password("")}), "28P01");
  std::unique_ptr<PostgresGreeting> greeting;
  greet(setup, {kStartup, password("pencil")}, whole, &greeting);
  EXPECT_EQ(greeting->learnt_secret(), "pencil");
}

TEST(Greeting, Md5PasswordAgainstEveryKindOfSecret) {
  for (const std::string& secret : {"pencil"s, md5_secret("alice", "pencil")}) {
    const Host setup = host(AuthMethod::Md5, secret);
    const Outcome right = greet_at_every_split(setup, {kStartup, md5_flight("pencil")});
    EXPECT_EQ(types_of(right.sent), "RRKZ");
    expect_refusal(greet_at_every_split(setup, {kStartup, md5_flight("wrong")}), "28P01");
    expect_refusal(greet_at_every_split(setup, {kStartup, password("pencil")}), "28P01");
  }
  const Host setup = host(AuthMethod::Md5, kVerifier);
  const Outcome scram = greet_at_every_split(setup, scram_flights(setup, "pencil"));
  EXPECT_EQ(types_of(scram.sent), "RRRRKZ");
}

TEST(Greeting, ScramAgainstEveryKindOfSecret) {
  for (const std::string& secret : {"pencil"s, kVerifier}) {
    const Host setup = host(AuthMethod::ScramSha256, secret);
    const Outcome right = greet_at_every_split(setup, scram_flights(setup, "pencil"));
    EXPECT_EQ(right.step, Step::Done);
    EXPECT_EQ(types_of(right.sent), "RRRRKZ");
    expect_refusal(greet_at_every_split(setup, scram_flights(setup, "wrong")), "28P01");
  }
  // From an md5 hash SCRAM cannot be done: refused at the end, like a wrong password.
  const Host setup = host(AuthMethod::ScramSha256, md5_secret("alice", "pencil"));
  expect_refusal(greet_at_every_split(setup, scram_flights(setup, "pencil")), "28P01");
}

TEST(Greeting, TheSignatureConvincesTheClient) {
  const Host setup = host(AuthMethod::ScramSha256, kVerifier);
  ScramClient client("clientnonce");
  const Flights flights = scram_flights(setup, "pencil");
  const auto sent = messages_of(greet(setup, flights, whole).sent);
  ASSERT_TRUE(client.on_server_first(base::Bytes(sent[1].body).substr(4)));
  client.client_final(store().keys("pencil", client.salt(), client.iterations()));
  EXPECT_TRUE(client.on_server_final(base::Bytes(sent[2].body).substr(4)));
}

TEST(Greeting, AStrangerSeesTheSameExchangeAndTheSameWords) {
  for (const AuthMethod method : {AuthMethod::Plain, AuthMethod::Md5, AuthMethod::ScramSha256}) {
    const Host known = host(method, "pencil");
    Host stranger = host(method, "");
    stranger.admission.mock = true;
    const auto flights = [&](const Host& setup) -> Flights {
      if (method == AuthMethod::ScramSha256) return scram_flights(setup, "wrong");
      return {kStartup, method == AuthMethod::Md5 ? md5_flight("wrong") : password("wrong")};
    };
    const Outcome expected = greet_at_every_split(known, flights(known));
    EXPECT_TRUE(expected == greet_at_every_split(stranger, flights(stranger)));
    EXPECT_EQ(expected.error, "password authentication failed for user \"alice\"");
  }
  Host stranger = kTrust;
  stranger.admission.mock = true;
  expect_refusal(greet(stranger, {kStartup}, whole), "28P01");
}

TEST(Greeting, AnEmptySecretLetsNobodyIn) {
  for (const AuthMethod method : {AuthMethod::Plain, AuthMethod::Md5, AuthMethod::ScramSha256}) {
    const Host setup = host(method, "");
    const Flights flights = method == AuthMethod::ScramSha256 ? scram_flights(setup, "")
                            : method == AuthMethod::Md5       ? Flights{kStartup, md5_flight("")}
                                                              : Flights{kStartup, password("")};
    expect_refusal(greet(setup, flights, whole), "28P01");
  }
}

TEST(Greeting, LearnsWhatOpensAServer) {
  std::unique_ptr<PostgresGreeting> greeting;
  const Host stored = host(AuthMethod::ScramSha256, kVerifier);
  greet(stored, scram_flights(stored, "pencil"), whole, &greeting);
  EXPECT_EQ(greeting->learnt_secret(), make_keys("pencil", "stored salt", 10).text());

  const Host plain = host(AuthMethod::Plain, kVerifier);
  greet(plain, {kStartup, password("pencil")}, whole, &greeting);
  EXPECT_EQ(greeting->learnt_secret(), "pencil");

  // The keys of a verifier that weir made up would open nothing: the password does.
  const Host ad_hoc = host(AuthMethod::ScramSha256, "pencil");
  greet(ad_hoc, scram_flights(ad_hoc, "pencil"), whole, &greeting);
  EXPECT_EQ(greeting->learnt_secret(), "pencil");

  const std::string hash = md5_secret("alice", "pencil");
  const Host hashed = host(AuthMethod::Md5, hash);
  greet(hashed, {kStartup, md5_flight("pencil")}, whole, &greeting);
  EXPECT_EQ(greeting->learnt_secret(), hash);

  greet(stored, scram_flights(stored, "wrong"), whole, &greeting);
  EXPECT_EQ(greeting->learnt_secret(), "");
}

// ---------------------------------------------------------------- wrong order, wrong shape

TEST(Greeting, RefusesHostileAnswers) {
  const std::string good = scram_flights(host(AuthMethod::ScramSha256, kVerifier), "pencil")[1];
  std::string cut_off = sasl_initial("n,,n=,r=abc");
  cut_off[cut_off.size() - 12] = 99;  // the low byte of the data's length
  std::string none;
  MessageBuilder(none, 'p').text("SCRAM-SHA-256").int32(0xffffffff);
  struct Case {
    AuthMethod method;
    Flights flights;
  };
  std::string query;
  append_query(query, "select 1");
  for (const Case& test : std::vector<Case>{
           {AuthMethod::Plain, {query}},
           {AuthMethod::Plain, {message('p', "")}},
           {AuthMethod::Plain, {message('p', "no end")}},
           {AuthMethod::Plain, {message('p', "two\0texts\0"sv)}},
           {AuthMethod::Plain, {"p\0\0\0\3"s}},
           {AuthMethod::Plain, {"p\x7f\xff\xff\xff"s}},
           {AuthMethod::Plain, {kStartup}},
           {AuthMethod::Md5, {message('p', "no end")}},
           {AuthMethod::ScramSha256, {message('p', "")}},
           {AuthMethod::ScramSha256, {password("pencil")}},
           {AuthMethod::ScramSha256, {sasl_initial("n,,n=,r=abc", "SCRAM-SHA-256-PLUS")}},
           {AuthMethod::ScramSha256, {sasl_initial("p=tls-exporter,,n=,r=abc")}},
           {AuthMethod::ScramSha256, {sasl_initial("n,,n=,r=" + std::string(1000, 'x'))}},
           {AuthMethod::ScramSha256, {cut_off}},
           {AuthMethod::ScramSha256, {none}},
           {AuthMethod::ScramSha256, {good, good}},
           {AuthMethod::ScramSha256, {good, message('p', "")}},
           {AuthMethod::ScramSha256, {good, query}},
           {AuthMethod::ScramSha256, {message('p', "c=biws,r=abc,p=AAAA")}}}) {
    Flights flights = {kStartup};
    flights.insert(flights.end(), test.flights.begin(), test.flights.end());
    expect_refusal(greet_at_every_split(host(test.method, kVerifier), flights), "08P01");
  }
}

TEST(Greeting, RefusesBadStartupPackets) {
  for (const std::string& bytes : std::vector<std::string>{
           "\0\0\0\0"s, "\0\0\0\7"s, "\0\0\x10\1"s, "\x80\0\0\0"s, "GET / HTTP/1.1\r\n\r\n",
           "\0\0\0\x08\0\3\0\0"s, raw_startup(kVersion30, "user\0u\0"sv),
           raw_startup(kVersion30, "user\0u\0\0x"sv), raw_startup(kVersion30, "user\0u\0key\0"sv),
           raw_startup(kVersion30, "user\0\xff\0\0"sv),
           raw_startup(kVersion30, "database\0d\0\0"sv),
           raw_startup(kVersion30, "user\0u\0user\0u\0\0"sv), raw_startup(kSslCode, "more")})
    expect_refusal(greet_at_every_split(kTrust, {bytes}), "08P01");
  expect_refusal(greet_at_every_split(kTrust, {raw_startup(2 << 16, std::string(288, '\0'))}),
                 "0A000");
  expect_refusal(greet_at_every_split(kTrust, {startup({{"user", "u"}, {"options", "-x"}})}),
                 "42601");
}

TEST(Greeting, KeepsTheSettingsOfAReplicationClientForAServerOfItsOwn) {
  PostgresGreeting greeting({texts(), store(), 4096, fixed_bytes});
  std::string send;
  greeting.feed(startup({{"user", "u"}, {"replication", "database"}, {"options", "-c geqo=off"}}),
                send);
  EXPECT_EQ(greeting.request().replication, protocol::Replication::Logical);
  EXPECT_EQ(greeting.request().own_settings,
            (protocol::Settings{{"geqo", "off"}, {"replication", "database"}}));
  greeting.admit(kTrust.admission, send);
  EXPECT_FALSE(static_cast<const ClientState&>(greeting.client()).wanted);  // no SET on a walsender
}

TEST(Greeting, TakesAPacketOfExactlyTheLimit) {
  Host setup = kTrust;
  setup.login_bytes_max = kStartup.size();
  EXPECT_EQ(greet(setup, {kStartup}, whole).step, Step::Done);
  --setup.login_bytes_max;
  expect_refusal(greet_at_every_split(setup, {kStartup}), "08P01");
}

TEST(Greeting, WaitsForTheRestAndFailsAtAnEarlyEnd) {
  const Flights flights = scram_flights(host(AuthMethod::ScramSha256, kVerifier), "pencil");
  const std::string all = flights[0] + flights[1];
  for (size_t size = 0; size < all.size(); ++size) {
    PostgresGreeting greeting({texts(), store(), 4096, fixed_bytes});
    std::string send;
    std::string buffer = all.substr(0, size);
    auto result = greeting.feed(buffer, send);
    if (result.step == Step::Ask) {
      result = greeting.admit(host(AuthMethod::ScramSha256, kVerifier).admission, send);
      result = greeting.feed(base::Bytes(buffer).substr(kStartup.size()), send);
    }
    ASSERT_EQ(result.step, Step::Wait) << size;
    EXPECT_EQ(greeting.on_end().step, Step::Fail);
    EXPECT_FALSE(greeting.error().text.empty());
  }
}

TEST(Greeting, StaysFailed) {
  PostgresGreeting greeting({texts(), store(), 4096, fixed_bytes});
  std::string send;
  EXPECT_EQ(greeting.feed("\0\0\0\0"sv, send).step, Step::Fail);
  const std::string said = send;
  EXPECT_EQ(greeting.feed(kStartup, send).step, Step::Fail);
  EXPECT_EQ(send, said);
}

TEST(Greeting, DoesNothingWhileTheAppDecides) {
  PostgresGreeting greeting({texts(), store(), 4096, fixed_bytes});
  std::string send;
  EXPECT_EQ(greeting.feed(kStartup, send).step, Step::Ask);
  EXPECT_EQ(greeting.feed(password("early"), send).step, Step::Wait);
  EXPECT_EQ(send, "");
  greeting.refuse({base::ErrorKind::Refused, "no such database", "3D000"}, send);
  EXPECT_EQ(types_of(send), "E");
  EXPECT_EQ(greeting.error().code, "3D000");
  EXPECT_EQ(greeting.feed("", send).step, Step::Fail);
}

// ---------------------------------------------------------------- before the start-up packet

TEST(Greeting, AnswersEncryptionRequestsOnceEach) {
  const std::string ssl = request_code(kSslCode);
  const std::string gss = request_code(kGssCode);
  for (const Flights& flights : std::vector<Flights>{{ssl, kStartup}, {gss, kStartup}}) {
    const Outcome outcome = greet_at_every_split(kTrust, flights);
    EXPECT_EQ(outcome.step, Step::Done);
    EXPECT_EQ(outcome.sent[0], 'N');
    EXPECT_EQ(types_of(base::Bytes(outcome.sent).substr(1)), "RKZ");
  }
  for (const Flights& flights : std::vector<Flights>{{gss, ssl, kStartup}, {ssl, gss, kStartup}}) {
    const Outcome outcome = greet_at_every_split(kTrust, flights);
    EXPECT_EQ(outcome.step, Step::Done);
    EXPECT_EQ(outcome.sent.substr(0, 2), "NN");
  }
  for (const Flights& flights : std::vector<Flights>{{ssl, ssl}, {gss, gss}, {gss, ssl, gss}}) {
    const Outcome outcome = greet_at_every_split(kTrust, flights);
    EXPECT_EQ(outcome.step, Step::Fail);
    EXPECT_EQ(types_of(base::Bytes(outcome.sent).substr(flights.size() - 1)), "E");
  }
}

TEST(Greeting, DropsAConnectionWithBytesBehindAnEncryptionRequest) {
  for (const uint32_t code : {kSslCode, kGssCode}) {
    expect_refusal(greet(kTrust, {request_code(code) + kStartup}, whole), "08P01");
    expect_refusal(greet(kTrust, {request_code(code) + "x"}, whole), "08P01");
  }
}

TEST(Greeting, NamesAClientThatBeginsWithTls) {
  const Outcome outcome = greet_at_every_split(kTrust, {"\x16\x03\x01\x02\x00\x01"s});
  EXPECT_EQ(outcome.step, Step::Fail);
  EXPECT_EQ(outcome.sent, "");
  EXPECT_NE(outcome.error.find("TLS"), std::string::npos);
}

TEST(Greeting, NegotiatesTheVersionExactlyOnce) {
  const auto answer = [](uint32_t minor, base::Bytes parameters) {
    const Outcome outcome =
        greet_at_every_split(kTrust, {raw_startup(kVersion30 + minor, parameters)});
    EXPECT_EQ(types_of(outcome.sent), "vRKZ");
    return messages_of(outcome.sent)[0].body;
  };
  EXPECT_EQ(answer(9999, "user\0u\0\0"sv), "\0\3\0\2\0\0\0\0"s);
  EXPECT_EQ(answer(9999, "user\0u\0_pq_.x\0y\0\0"sv), "\0\3\0\2\0\0\0\1_pq_.x\0"s);
  EXPECT_EQ(answer(2, "user\0u\0_pq_.x\0y\0\0"sv), "\0\3\0\2\0\0\0\1_pq_.x\0"s);
  EXPECT_EQ(answer(0, "user\0u\0_pq_.x\0y\0\0"sv), "\0\3\0\0\0\0\0\1_pq_.x\0"s);
}

TEST(Greeting, GivesLongCancelKeysToClientsThatTakeThem) {
  for (const auto& [minor, key] :
       {std::pair{0u, "0123"s}, {1u, "0123"s}, {2u, kTrust.admission.cancel_key}}) {
    const Outcome outcome =
        greet(kTrust, {raw_startup(kVersion30 + minor, "user\0u\0\0"sv)}, whole);
    EXPECT_EQ(types_of(outcome.sent), "RKZ");
    EXPECT_EQ(messages_of(outcome.sent)[1].body, "\0\0\0\x2a"s + key);
  }
}

TEST(Greeting, TakesCancelRequestsWithKeysOfAnyLength) {
  for (const size_t size : {size_t{4}, size_t{32}, size_t{256}}) {
    std::string bytes;
    append_cancel_request(bytes, 42, std::string(size, 'k'));
    const Outcome outcome = greet_at_every_split(kTrust, {bytes});
    EXPECT_EQ(outcome.step, Step::Done);
    EXPECT_EQ(outcome.sent, "");
    std::unique_ptr<PostgresGreeting> greeting;
    EXPECT_EQ(greet(kTrust, {bytes + "trailing"}, whole, &greeting).left, "trailing");
    ASSERT_TRUE(greeting->cancel());
    EXPECT_EQ(greeting->cancel()->session_id, 42u);
    EXPECT_EQ(greeting->cancel()->secret, std::string(size, 'k'));
  }
  for (const size_t size : {size_t{0}, size_t{3}, size_t{257}}) {
    std::string bytes;
    append_cancel_request(bytes, 42, std::string(size, 'k'));
    const Outcome outcome = greet_at_every_split(kTrust, {bytes});
    EXPECT_EQ(outcome.step, Step::Fail);
    EXPECT_EQ(outcome.sent, "");
  }
}

}  // namespace
}  // namespace weir::postgres
