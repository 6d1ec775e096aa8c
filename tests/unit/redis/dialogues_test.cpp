// Greetings, logins and the short talks, each whole and at every split.
#include <gtest/gtest.h>

#include "redis_dialogues.h"

namespace weir::redis::script {
namespace {

using protocol::AuthMethod;
using protocol::LoginTarget;

Outcome greet_at_every_split(const Host& host, const std::string& bytes) {
  const Outcome expected = greet(host, bytes, SIZE_MAX);
  for (size_t piece = 1; piece <= std::min<size_t>(bytes.size(), 100); ++piece)
    EXPECT_EQ(expected, greet(host, bytes, piece)) << bytes << " in pieces of " << piece;
  return expected;
}

constexpr const char* kWrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
constexpr const char* kNoAuth = "-NOAUTH Authentication required.\r\n";

TEST(RedisGreeting, TrustNeedsNotAByte) {
  const Outcome outcome = greet({.method = AuthMethod::Trust}, "PING\r\n", SIZE_MAX);
  EXPECT_EQ(outcome.step, Step::Done);
  EXPECT_EQ(outcome.sent, "");
  EXPECT_EQ(outcome.left, "PING\r\n");
  EXPECT_EQ(outcome.user, "default");
  EXPECT_EQ(outcome.asked, "default ");
}

TEST(RedisGreeting, Passwords) {
  const Host host;
  Outcome outcome = greet_at_every_split(host, "PING\r\nAUTH nope\r\nAUTH sec\r\nPING\r\n");
  EXPECT_EQ(outcome.sent, std::string(kNoAuth) + kWrong + "+OK\r\n");
  EXPECT_EQ(outcome.step, Step::Done);
  EXPECT_EQ(outcome.left, "PING\r\n");
  EXPECT_EQ(outcome.asked, "default default default ");  // each password is a login of its own
  EXPECT_EQ(outcome.learnt, "sec");
  EXPECT_EQ(outcome.wrong, 1);

  outcome = greet_at_every_split(host, "*3\r\n$4\r\nauth\r\n$3\r\nbob\r\n$4\r\nbsec\r\n");
  EXPECT_EQ(outcome.sent, "+OK\r\n");
  EXPECT_EQ(outcome.user, "bob");
  EXPECT_EQ(outcome.asked, "default bob ");

  outcome =
      greet_at_every_split(host, "AUTH bob sec\r\nAUTH bsec\r\nAUTH eve x\r\nAUTH eve \"\"\r\n");
  EXPECT_EQ(outcome.sent, std::string(kWrong) + kWrong + kWrong + kWrong);
  EXPECT_EQ(outcome.step, Step::Wait);
  EXPECT_EQ(outcome.wrong, 4);
}

// ---------------------------------------------------------------- logins that a server judges

Outcome pass(Servers servers, const std::string& bytes) {
  return greet_at_every_split({.servers = std::move(servers)}, bytes);
}

TEST(RedisPassthrough, AServerJudges) {
  Outcome outcome = pass({}, "AUTH bob bsec\r\nPING\r\n");
  EXPECT_EQ(outcome.sent, "+OK\r\n");
  EXPECT_EQ(outcome.left, "PING\r\n");
  EXPECT_EQ(outcome.tried, "bob:bsec ");
  EXPECT_EQ(outcome.user, "bob");
  EXPECT_EQ(outcome.learnt, "");  // that is for whoever has asked the server to say
  outcome = pass({}, "AUTH bob x\r\nAUTH sec\r\n");
  EXPECT_EQ(outcome.sent, std::string(kWrong) + "+OK\r\n");
  EXPECT_EQ(outcome.tried, "bob:x default:sec ");
  EXPECT_EQ(outcome.user, "default");
  EXPECT_EQ(outcome.wrong, 1);
  std::string guesses;
  for (int i = 0; i < 20; ++i) guesses += "AUTH bob x\r\n";
  outcome = greet({.servers = Servers{}}, guesses, SIZE_MAX);
  EXPECT_EQ(outcome.step, Step::Fail);
  EXPECT_EQ(outcome.wrong, 10);
}

TEST(RedisPassthrough, WhoNeedsNoPassword) {
  const Servers open{.secret = ""};
  Outcome outcome = pass(open, "PING\r\nGET k\r\n");
  EXPECT_EQ(outcome.sent, "");
  EXPECT_EQ(outcome.step, Step::Done);
  EXPECT_EQ(outcome.left, "PING\r\nGET k\r\n");
  EXPECT_EQ(outcome.user, "default");
  EXPECT_EQ(outcome.tried, "default: ");
  outcome = pass(open, "HELLO 3\r\n");
  EXPECT_EQ(outcome.left, "HELLO 3\r\n");
  EXPECT_FALSE(outcome.proven);
  EXPECT_EQ(pass(open, "").tried, "");  // nothing is asked before the client has said something
  // By its name any password is right; without it the server has words of its own, and the client
  // is who it was.
  outcome = pass(open, "AUTH default x\r\n");
  EXPECT_EQ(outcome.sent, "+OK\r\n");
  EXPECT_EQ(outcome.tried, "default:x default: ");
  outcome = pass(open, "HELLO 2 AUTH default x\r\n");
  EXPECT_EQ(outcome.left, "HELLO 2 AUTH default x\r\n");
  EXPECT_TRUE(outcome.proven);
  outcome = pass(open, "AUTH x\r\nPING\r\n");
  EXPECT_TRUE(outcome.sent.starts_with("-ERR AUTH <password> called without"));
  EXPECT_EQ(outcome.left, "PING\r\n");
  EXPECT_EQ(outcome.step, Step::Done);
}

TEST(RedisPassthrough, WhoNeedsAPasswordIsAskedForOnce) {
  const Outcome outcome = pass({}, "PING\r\nGET k\r\nHELLO 3\r\nHELLO\r\nAUTH sec\r\n");
  EXPECT_TRUE(outcome.sent.starts_with(std::string(kNoAuth) + kNoAuth + "-NOAUTH HELLO must be"));
  EXPECT_TRUE(outcome.sent.ends_with("+OK\r\n"));
  EXPECT_EQ(outcome.tried, "default: default:sec ");
  EXPECT_EQ(outcome.wrong, 0);
}

// redis R51
TEST(RedisPassthrough, Hello) {
  const std::string hello = "HELLO 3 AUTH bob bsec\r\n";
  Outcome outcome = pass({}, "HELLO 3 AUTH bob no\r\n" + hello);
  EXPECT_EQ(outcome.sent, kWrong);
  EXPECT_EQ(outcome.left, hello);
  EXPECT_TRUE(outcome.proven);
  outcome = pass({}, "HELLO 4 AUTH bob bsec\r\n");
  EXPECT_EQ(outcome.sent, "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(outcome.tried, "");
}

TEST(RedisPassthrough, AServerThatCannotBeAskedSaysNothingOfThePassword) {
  using base::ErrorKind;
  const Servers away{.trouble = {ErrorKind::Unreachable, "connection refused", "08006"}};
  Outcome outcome = pass(away, "AUTH bob bsec\r\nPING\r\n");
  EXPECT_EQ(outcome.sent, "-ERR weir: connection refused\r\n-ERR weir: connection refused\r\n");
  EXPECT_EQ(outcome.step, Step::Wait);
  EXPECT_EQ(outcome.wrong, 0);
  const Servers loading{.trouble = {ErrorKind::Unreachable, "LOADING Redis is loading", "REDIS"}};
  EXPECT_EQ(pass(loading, "AUTH bob bsec\r\n").sent, "-LOADING Redis is loading\r\n");
  const Servers wrong{.trouble = {ErrorKind::Refused, "TLS handshake failed: x", "08006"}};
  outcome = pass(wrong, "AUTH bob bsec\r\n");
  EXPECT_EQ(outcome.sent, "-ERR weir: TLS handshake failed: x\r\n");
  EXPECT_EQ(outcome.wrong, 0);
}

TEST(RedisGreeting, WordsOfTheServer) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"AUTH\r\n", "-ERR wrong number of arguments for 'auth' command\r\n"},
      {"AUTH a b c\r\n", "-ERR syntax error\r\n"},
      {"RESET\r\n", "+RESET\r\n"},
      {"HELLO 4\r\n", "-NOPROTO unsupported protocol version\r\n"},
      {"HELLO x\r\n", "-ERR Protocol version is not an integer or out of range\r\n"},
      {"HELLO 2 AUTH\r\n", "-ERR Syntax error in HELLO option 'AUTH'\r\n"},
      {"HELLO 2 AUTH default\r\n", "-ERR Syntax error in HELLO option 'AUTH'\r\n"},
      {"HELLO 2 FOO\r\n", "-ERR Syntax error in HELLO option 'FOO'\r\n"},
      {"HELLO 2 AUTH default x\r\n", kWrong},
      {"HELLO 2 SETNAME 'a b' AUTH default sec\r\n",
       "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"},
      {"PING a b c d e f g h i j k l m n\r\n", kNoAuth},
  };
  for (const auto& [bytes, answer] : cases) {
    const Outcome outcome = greet_at_every_split({}, bytes);
    EXPECT_EQ(outcome.sent, answer) << bytes;
    EXPECT_EQ(outcome.step, Step::Wait);
  }
  EXPECT_TRUE(
      greet_at_every_split({}, "HELLO\r\n").sent.starts_with("-NOAUTH HELLO must be called"));
}

// redis R51
TEST(RedisGreeting, AHelloThatLetsTheClientInIsLeftForAServer) {
  const std::string hello = "HELLO 3 SETNAME x AUTH bob bsec\r\n";
  Outcome outcome = greet_at_every_split({}, hello + "PING\r\n");
  EXPECT_EQ(outcome.sent, "");
  EXPECT_EQ(outcome.step, Step::Done);
  EXPECT_EQ(outcome.left, hello + "PING\r\n");
  EXPECT_EQ(outcome.learnt, "bsec");
  EXPECT_TRUE(outcome.proven);
  // One that does not is answered.
  const std::string wrong = "HELLO 3 AUTH bob sec\r\n";
  outcome = greet_at_every_split({}, wrong + "HELLO 2 AUTH default x\r\nPING\r\n" + hello);
  EXPECT_EQ(outcome.sent, std::string(kWrong) + kWrong + kNoAuth);
  EXPECT_EQ(outcome.left, hello);
  outcome = greet_at_every_split({}, wrong + "AUTH sec\r\nHELLO 3\r\n");
  EXPECT_EQ(outcome.sent, std::string(kWrong) + "+OK\r\n");
  EXPECT_EQ(outcome.left, "HELLO 3\r\n");
  EXPECT_FALSE(outcome.proven);
}

TEST(RedisGreeting, TlsFromTheFirstByteOn) {
  using protocol::Encryption;
  const std::string hello = "\x16\x03\x01";
  for (const Encryption tls : {Encryption::Offered, Encryption::Required}) {
    Outcome outcome = greet_at_every_split({.tls = tls}, "");
    EXPECT_EQ(outcome.asked, "");  // it may be somebody who asks for TLS
    outcome = greet({.method = AuthMethod::Trust, .tls = tls}, hello, SIZE_MAX);
    EXPECT_EQ(outcome.handshakes, 1);
    EXPECT_EQ(outcome.step, Step::Done);
    EXPECT_EQ(outcome.sent, "");
    outcome = greet({.tls = tls}, hello, SIZE_MAX);
    EXPECT_EQ(outcome.step, Step::Wait);
    EXPECT_EQ(outcome.asked, "default ");
  }
  Outcome outcome = greet_at_every_split({.tls = Encryption::Offered}, "AUTH sec\r\nPING\r\n");
  EXPECT_EQ(outcome.sent, "+OK\r\n");
  EXPECT_EQ(outcome.left, "PING\r\n");
  EXPECT_EQ(outcome.handshakes, 0);
  outcome = greet_at_every_split({.tls = Encryption::Required}, "AUTH sec\r\n");
  EXPECT_EQ(outcome.sent, "-ERR weir: TLS is required here\r\n");
  EXPECT_EQ(outcome.step, Step::Fail);
  EXPECT_EQ(outcome.kind, base::ErrorKind::Protocol);  // which nobody takes for a wrong password
  EXPECT_EQ(outcome.asked, "");
  outcome = greet({}, hello, SIZE_MAX);
  EXPECT_EQ(outcome.error, "the client began with TLS, which is not spoken here");
  EXPECT_EQ(outcome.sent, "");
  outcome = greet_at_every_split({}, "PING\r\n" + hello);
  EXPECT_EQ(outcome.error, "the client began with TLS, which is not spoken here");
}

TEST(RedisGreeting, Ends) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"QUIT\r\n", "+OK\r\n"},
      {"POST / HTTP/1.1\r\n", ""},
      {"*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n"},
      {"*10\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n"},
      {"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
      {"PING 'a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
  };
  for (const auto& [bytes, answer] : cases) {
    const Outcome outcome = greet_at_every_split({}, bytes + "PING\r\n");
    EXPECT_EQ(outcome.sent, answer);
    EXPECT_EQ(outcome.step, Step::Fail);
    EXPECT_NE(outcome.error, "");
  }
  std::string guesses;
  for (int i = 0; i < 20; ++i) guesses += "AUTH x\r\n";
  const Outcome outcome = greet(Host{}, guesses, SIZE_MAX);
  EXPECT_EQ(outcome.step, Step::Fail);
  EXPECT_EQ(outcome.sent.size(), 10 * std::string(kWrong).size());
}

// redis R59
TEST(RedisGreeting, OnceMore) {
  ClientState before;
  before.id = 7;
  before.database = 3;
  before.name = "me";
  const auto greet_again = [&](const std::string& bytes, const std::string& secret) {
    RedisGreeting greeting(before);
    NoFacts facts;
    std::string send;
    Step step = greeting.feed(bytes, send).step;
    EXPECT_EQ(step, Step::Ask);
    protocol::Admission admission;
    admission.secret = secret;
    auto result = greeting.admit(admission, send);
    if (result.step != Step::NeedServer)
      return send + bytes.substr(result.consumed) + (result.step == Step::Wait ? "|" : "?");
    result = greeting.welcome(facts, nullptr, send);
    const auto client = greeting.take_client();
    const auto& state = static_cast<ClientState&>(*client);
    EXPECT_EQ(state.id, 7u);
    EXPECT_EQ(state.database, 3);
    EXPECT_EQ(state.name, "me");
    EXPECT_TRUE(state.moves);
    EXPECT_EQ(state.proven, bytes.starts_with("HELLO"));
    return greeting.request().user + ":" + send + bytes.substr(result.consumed);
  };
  EXPECT_EQ(greet_again("AUTH bob pw\r\nPING\r\n", "pw"), "bob:+OK\r\nPING\r\n");
  EXPECT_EQ(greet_again("AUTH pw\r\nPING\r\n", "pw"), "default:+OK\r\nPING\r\n");
  EXPECT_EQ(greet_again("AUTH bob no\r\nAUTH bob pw\r\n", "pw"),
            kWrong + std::string("AUTH bob pw\r\n|"));
  const std::string hello = "HELLO 3 AUTH bob pw\r\nPING\r\n";
  EXPECT_EQ(greet_again(hello, "pw"), "bob:" + hello);
  EXPECT_EQ(greet_again(hello, "other"), kWrong + std::string("PING\r\n|"));
}

TEST(RedisGreeting, HashesAreSaidToBeOfNoUse) {
  const std::string hash = "md5" + std::string(32, 'a');
  const Outcome outcome = greet_at_every_split({.secret = hash}, "AUTH " + hash + "\r\n");
  EXPECT_TRUE(outcome.sent.starts_with("-ERR weir: Redis clients send plain passwords"));
  EXPECT_EQ(greet_at_every_split({.secret = "x", .mock = true}, "AUTH x\r\n").sent, kWrong);
  EXPECT_EQ(greet_at_every_split({.secret = ""}, "AUTH \"\"\r\n").sent, kWrong);
}

// ---------------------------------------------------------------- logins

Outcome log_in_at_every_split(const LoginTarget& target, const std::string& bytes) {
  const Outcome expected = log_in(target, bytes, SIZE_MAX);
  for (size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_EQ(expected, log_in(target, bytes, piece)) << bytes << " in pieces of " << piece;
  return expected;
}

TEST(RedisLogin, AsksOnlyForWhatIsNeeded) {
  const std::string ping = "*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n*1\r\n$4\r\nPING\r\n";
  EXPECT_EQ(log_in({"app", "", "", {}}, "", 99).sent, ping);
  EXPECT_EQ(log_in({"default", "pw", "0", {}}, "", 99).sent,
            "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n" + ping);
  const Outcome outcome =
      log_in_at_every_split({"app", "pw", "3", {}}, "+OK\r\n+OK\r\n:77\r\n+PONG\r\n+X");
  EXPECT_EQ(
      outcome.sent,
      "*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$2\r\npw\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n" + ping);
  EXPECT_EQ(outcome.step, Step::Done);
  EXPECT_EQ(outcome.database, 3);
  EXPECT_EQ(outcome.remote_id, 77);
  EXPECT_EQ(outcome.login, "*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$2\r\npw\r\n");
  EXPECT_EQ(outcome.left, "+X");
  // Old servers, and users who may not, have no CLIENT ID.
  for (const std::string id : {"-ERR unknown command 'CLIENT'\r\n", "-NOPERM no\r\n", ":1\r\n"})
    EXPECT_EQ(log_in_at_every_split({"app", "", "", {}}, id + "+PONG\r\n").step, Step::Done);
  // Some may not even PING.
  EXPECT_EQ(log_in_at_every_split({"app", "", "", {}}, ":1\r\n-NOPERM no\r\n").step, Step::Done);
}

// A password for weir's clients alone; but a client that has to hear whether its own is right does.
TEST(RedisLogin, GetsInWhereNoPasswordIsNeeded) {
  const std::vector<std::string> needless{
      "-ERR AUTH <password> called without any password configured for the default user.\r\n",
      "-ERR Client sent AUTH, but no password is set\r\n"};
  for (const std::string& error : needless) {
    LoginTarget target{"default", "pw", "3", {}};
    const Outcome outcome = log_in_at_every_split(target, error + "+OK\r\n:7\r\n+PONG\r\n");
    EXPECT_EQ(outcome.step, Step::Done);
    EXPECT_EQ(outcome.login, "");
    EXPECT_EQ(outcome.database, 3);
    target.is_proof = true;
    EXPECT_EQ(log_in(target, error, 99).kind, base::ErrorKind::Refused);
  }
  EXPECT_EQ(log_in({"default", "pw", "", {}}, "-WRONGPASS no\r\n", 99).kind,
            base::ErrorKind::Refused);
  EXPECT_EQ(log_in({"default", "pw", "3", {}}, "+OK\r\n" + needless[0], 99).kind,
            base::ErrorKind::Refused);
}

TEST(RedisLogin, SaysNothingBeforeTls) {
  LoginTarget target{"app", "pw", "", {}};
  target.tls = protocol::Encryption::Direct;
  RedisLogin login(target);
  std::string send;
  EXPECT_EQ(login.start(send).step, Step::StartTls);
  EXPECT_EQ(send, "");
  const Outcome outcome = log_in(target, "+OK\r\n:7\r\n+PONG\r\n", SIZE_MAX);
  EXPECT_EQ(outcome.handshakes, 1);
  EXPECT_EQ(outcome.step, Step::Done);
  EXPECT_TRUE(outcome.sent.starts_with("*3\r\n$4\r\nAUTH\r\n"));
}

TEST(RedisLogin, TellsRefusalsFromTroubles) {
  using base::ErrorKind;
  const std::vector<std::pair<std::string, ErrorKind>> cases{
      {"-WRONGPASS invalid username-password pair or user is disabled.\r\n", ErrorKind::Refused},
      {"-NOAUTH Authentication required.\r\n", ErrorKind::Refused},
      {"-NOPERM this user has no permissions\r\n", ErrorKind::Refused},
      {"-ERR DB index is out of range\r\n", ErrorKind::Refused},
      {"-DENIED Redis is running in protected mode\r\n", ErrorKind::Refused},
      {"-LOADING Redis is loading the dataset in memory\r\n", ErrorKind::Unreachable},
      {"-MASTERDOWN Link with MASTER is down\r\n", ErrorKind::Unreachable},
      {"-ERR max number of clients reached\r\n", ErrorKind::Unreachable},
      {"+PONG\r\n", ErrorKind::Protocol},
      {"HTTP/1.1 400 Bad Request\r\n", ErrorKind::Protocol},
      {"+OK\r\nhello\r\n", ErrorKind::Protocol},  // in place of CLIENT ID's answer
      {"+OK\r\n:1\r\n+OK\r\n", ErrorKind::Protocol},
      {"+" + std::string(5000, 'x'), ErrorKind::TooLarge},
  };
  for (const auto& [bytes, kind] : cases) {
    const Outcome outcome = bytes.size() > 1000
                                ? log_in({"app", "pw", "", {}}, bytes, 7)
                                : log_in_at_every_split({"app", "pw", "", {}}, bytes);
    EXPECT_EQ(outcome.step, Step::Fail) << bytes;
    EXPECT_EQ(outcome.kind, kind) << bytes;
  }
  EXPECT_EQ(log_in({"app", "SCRAM-SHA-256$4096:x", "", {}}, "", 1).kind, ErrorKind::Refused);
}

// ---------------------------------------------------------------- talks

// What a talk looks at, without clients.
ServerState like(const ServerState& from) {
  ServerState to;
  to.home = from.home;
  to.database = from.database;
  to.resp = from.resp;
  to.login = from.login;
  to.ledger = from.ledger;
  for (bool ServerState::*each : {&ServerState::multi, &ServerState::monitor, &ServerState::foreign,
                                  &ServerState::logged_out})
    to.*each = from.*each;
  return to;
}

// How a talk ends, the same for each way of cutting what the server says.
Step talk(const std::function<std::unique_ptr<protocol::Dialogue>(ServerState&)>& make,
          const ServerState& state, const std::string& bytes) {
  Step expected = Step::Wait;
  for (size_t piece = bytes.size(); piece >= 1; --piece) {
    ServerState server = like(state);
    const auto dialogue = make(server);
    Driver driver(*dialogue, nullptr);
    driver.deliver(bytes, piece);
    if (piece == bytes.size()) expected = driver.outcome().step;
    EXPECT_EQ(driver.outcome().step, expected) << bytes << " in pieces of " << piece;
    EXPECT_TRUE(expected != Step::Done || server.at_rest());
  }
  return expected;
}

TEST(RedisTalks, RecoverReadsUpWhatIsOwed) {
  ServerState state;
  state.multi = true;
  EXPECT_EQ(talk(make_recover, state, "+OK\r\n+OK\r\n"), Step::Done);
  EXPECT_EQ(talk(make_recover, state, "-ERR DISCARD without MULTI\r\n+OK\r\n"), Step::Done);
  EXPECT_EQ(talk(make_recover, state, "-NOPERM no\r\n+QUEUED\r\n"), Step::Fail);
  EXPECT_EQ(talk(make_recover, state, "+OK\r\n-LOADING\r\n"), Step::Fail);
  EXPECT_EQ(talk(make_recover, state, "+OK\r\nhello\r\n"), Step::Fail);
  state.ledger.push({});
  state.ledger.push({.kind = Entry::Kind::Exec});
  EXPECT_EQ(talk(make_recover, state,
                 "*1\r\n$50\r\n" + std::string(50, 'x') + "\r\n*-1\r\n-ERR\r\n+OK\r\n"),
            Step::Done);
  EXPECT_EQ(talk(make_recover, state, "+OK\r\n+OK\r\n"), Step::Wait);
}

// redis R60
TEST(RedisTalks, ResetThrowsAwayWhatIsPushedBeforeIt) {
  ServerState state;
  state.monitor = true;
  state.resp = 3;
  const std::string pushed =
      ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n+123.4 [0 x] "
      "\"PING\"\r\n*3\r\n$7\r\nmessage\r\n"
      "$1\r\nc\r\n$1\r\nm\r\n";
  EXPECT_EQ(talk(make_reset, state, pushed + "+RESET\r\n"), Step::Done);
  EXPECT_EQ(talk(make_reset, state, pushed), Step::Wait);
  EXPECT_EQ(talk(make_reset, state, pushed + "-ERR can only reset normal client connections\r\n"),
            Step::Fail);
  EXPECT_EQ(talk(make_reset, state, "hello"), Step::Fail);
  state.home = 3;
  state.login = "AUTH pw\r\n";
  state.foreign = true;
  EXPECT_EQ(talk(make_reset, state, pushed + "+RESET\r\n+OK\r\n+OK\r\n"), Step::Done);
  EXPECT_EQ(talk(make_reset, state, pushed + "+RESET\r\n+OK\r\n"), Step::Wait);
  EXPECT_EQ(talk(make_reset, state, "+RESET\r\n-WRONGPASS no\r\n-NOAUTH\r\n"), Step::Fail);
  const auto reset = make_reset(state);
  Driver driver(*reset, nullptr);
  driver.deliver("+RESET\r\n+OK\r\n+OK\r\n", SIZE_MAX);
  EXPECT_EQ(driver.outcome().sent,
            "*1\r\n$5\r\nRESET\r\nAUTH pw\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n");
  EXPECT_TRUE(state.at_rest());
  EXPECT_EQ(state.database, 3);
  EXPECT_FALSE(state.logged_out);
}

TEST(RedisTalks, AnotherFlavour) {
  const auto to = [](uint64_t flavour) {
    return [flavour](ServerState& server) { return make_flavour(server, flavour); };
  };
  ServerState state;
  state.home = state.database = 3;
  EXPECT_EQ(make_flavour(state, flavour_of(kHome, 2)), nullptr);
  EXPECT_EQ(make_flavour(state, flavour_of(3, 2)), nullptr);
  const std::string map = "%1\r\n$5\r\nproto\r\n:3\r\n";
  EXPECT_EQ(talk(to(flavour_of(5, 3)), state, map + "+OK\r\n"), Step::Done);
  EXPECT_EQ(talk(to(flavour_of(5, 3)), state, "+OK\r\n+OK\r\n"), Step::Fail);
  EXPECT_EQ(talk(to(flavour_of(5, 2)), state, "-ERR DB index is out of range\r\n"), Step::Fail);
  EXPECT_EQ(talk(to(flavour_of(5, 2)), state, "$2\r\nOK\r\n"), Step::Fail);
  EXPECT_EQ(talk(to(flavour_of(kHome, 3)), state, "-ERR unknown command 'HELLO'\r\n"), Step::Fail);
  state.resp = 3;
  EXPECT_EQ(talk(to(flavour_of(kHome, 2)), state, "*2\r\n$5\r\nproto\r\n:2\r\n"), Step::Done);
  state.logged_out = true;
  state.login = "AUTH pw\r\n";
  EXPECT_EQ(talk(to(flavour_of(kHome, 3)), state, "+OK\r\n"), Step::Done);
  // The rest of what is refused is done all the same.
  const auto dialogue = make_flavour(state, flavour_of(5, 2));
  Driver driver(*dialogue, nullptr);
  driver.deliver("+OK\r\n*0\r\n-ERR DB index is out of range\r\n", SIZE_MAX);
  EXPECT_EQ(driver.outcome().step, Step::Fail);
  EXPECT_EQ(driver.outcome().kind, base::ErrorKind::Refused);
  EXPECT_EQ(driver.outcome().error, "ERR DB index is out of range");
  EXPECT_EQ(state.resp, 2);
  EXPECT_EQ(state.database, 3);
  EXPECT_FALSE(state.logged_out);
}

TEST(RedisTalks, CheckAndQuery) {
  EXPECT_EQ(talk(make_check, {}, "+PONG\r\n"), Step::Done);
  EXPECT_EQ(talk(make_check, {}, "-NOPERM no\r\n"), Step::Done);
  EXPECT_EQ(talk(make_check, {}, "-LOADING Redis is loading the dataset in memory\r\n"),
            Step::Fail);
  const auto query = [](ServerState& server) { return make_query(server, "SET a 1\nGET a"); };
  EXPECT_EQ(talk(query, {}, "+OK\r\n$1\r\n1\r\n"), Step::Done);
  EXPECT_EQ(talk(query, {}, "-ERR x\r\n$1\r\n1\r\n"), Step::Fail);
}

}  // namespace
}  // namespace weir::redis::script
