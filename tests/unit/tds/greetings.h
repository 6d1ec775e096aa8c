// Clients that come to weir, played at every split of what they send, and the host that answers for
// the app: who may come in, and what the servers have said of themselves.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bytes.h"
#include "protocol/tds/greeting.h"
#include "protocol/tds/token_walker.h"
#include "tds_dialogues.h"
#include "tds_talk.h"

namespace weir::tds::greetings {

using namespace play;
using base::ErrorKind;
using protocol::Admission;
using protocol::AuthMethod;
using ListenerMode = protocol::Encryption;

inline const std::string kSecret = "Geheim-17";

struct Host {
  ListenerMode tls = ListenerMode::None;
  std::string alpn = {};
  AuthMethod method = AuthMethod::Plain;
  std::string secret = kSecret;
  bool mock = false;
  std::function<bool(const std::string&)> check = nullptr;
  Error refusal = {};  // of the server that is asked, with Passthrough
  LoginFacts facts = {Version::V74,
                      0x74000004,
                      "Microsoft SQL Server",
                      0x100007d0,
                      std::string("\x09\x04\xd0\x00\x34", 5),
                      "shop",
                      "us_english",
                      {}};
  bool knows_facts = true;
  size_t login_bytes_max = 64 * 1024;
};

struct Greeted {
  Step step = Step::Wait;
  std::vector<std::string> steps;  // in words
  std::string sent;
  Error error;
  std::string left;  // that nobody has used up
  std::string learnt;
  std::shared_ptr<ClientState> client;
};

class Reception {
 public:
  explicit Reception(const Host& host)
      : host_(host), greeting_({host.login_bytes_max, host.tls}, languages_) {
    take([&](std::string& send) { return greeting_.start(send); });
  }

  void deliver(const std::string& piece) {
    greeted_.left += piece;
    if (!is_over() && !greeted_.left.empty()) feed();
  }
  bool is_over() const { return greeted_.step == Step::Done || greeted_.step == Step::Fail; }
  TdsGreeting& greeting() { return greeting_; }
  std::string refuse(const Error& error) {
    std::string send;
    greeting_.refuse(error, send);
    return send;
  }
  Greeted result() {
    greeted_.error = greeting_.error();
    if (greeted_.step == Step::Fail) greeted_.left.clear();
    return greeted_;
  }

 private:
  void feed() {
    // A copy of its own length, so that a sanitizer sees who looks outside.
    const auto in = std::make_unique<std::string>(greeted_.left);
    take([&](std::string& send) { return greeting_.feed(*in, send); });
  }
  void note(const std::string& word) { greeted_.steps.push_back(word); }

  template <class Call>
  void take(Call call) {
    const protocol::Dialogue::Result result = call(greeted_.sent);
    script::check(result.consumed <= greeted_.left.size());
    greeted_.left.erase(0, result.consumed);
    greeted_.step = result.step;
    act();
  }

  void act() {
    switch (greeted_.step) {
      case Step::StartTls:
        note(greeting_.envelope() ? "tls in packets" : "tls");
        greeting_.secured({host_.alpn, {}, {}});
        greeted_.left.clear();  // that was its handshake
        return feed();
      case Step::StopTls:
        note("clear");
        script::check(greeted_.left.empty());
        return feed();
      case Step::Ask: return ask();
      case Step::Try:
        note("try " + greeting_.proof());
        return take([&](std::string& send) { return greeting_.tried(host_.refusal, send); });
      case Step::Work:
        note("work");
        greeting_.work().run();
        return feed();
      case Step::NeedServer: return settle();
      case Step::Done: {
        auto client = greeting_.take_client();
        greeted_.client.reset(static_cast<ClientState*>(client.release()));
        return;
      }
      default: return;
    }
  }

  void ask() {
    const protocol::LoginRequest& request = greeting_.request();
    note("ask " + request.user + "/" + request.database + "@" + request.server_name + " by " +
         request.application_name);
    Admission admission;
    admission.method = host_.method;
    admission.secret = host_.secret;
    admission.mock = host_.mock;
    admission.check = host_.check;
    admission.options.pool = 7;
    take([&](std::string& send) { return greeting_.admit(admission, send); });
  }

  void settle() {
    note("settle");
    greeted_.learnt = greeting_.learnt_secret();
    ServerState server;
    server.facts = host_.facts;
    server.shape = static_cast<ClientState&>(greeting_.client()).shape;
    TdsFacts facts;
    EXPECT_FALSE(greeting_.settled_by(facts));
    if (host_.knows_facts) {
      facts.learn(server);
      EXPECT_TRUE(greeting_.settled_by(facts));
    }
    const ServerState* attached = host_.knows_facts ? nullptr : &server;
    take([&](std::string& send) { return greeting_.welcome(facts, attached, send); });
  }

  const Host host_;
  Languages languages_;
  TdsGreeting greeting_;
  Greeted greeted_;
};

inline Greeted greet_once(const Host& host, const Flights& flights, const Split& split) {
  Reception reception(host);
  for (const std::string& flight : flights)
    for (const std::string& piece : split(flight)) reception.deliver(piece);
  return reception.result();
}

inline void expect_no_secret(const Greeted& greeted) {
  EXPECT_EQ(greeted.error.text.find(kSecret), std::string::npos);
  EXPECT_EQ(greeted.sent.find(kSecret), std::string::npos);
  EXPECT_EQ(greeted.sent.find(utf16_of(kSecret)), std::string::npos);
}

// However it is cut, it comes to the same.
inline Greeted greet(const Host& host, const Flights& flights) {
  Greeted first = greet_once(host, flights, whole());
  for (const Split& split : splits_of(flights)) {
    const Greeted again = greet_once(host, flights, split);
    EXPECT_EQ(again.step, first.step);
    EXPECT_EQ(again.steps, first.steps);
    EXPECT_EQ(again.sent, first.sent);
    EXPECT_EQ(again.error.text, first.error.text);
    EXPECT_EQ(again.error.kind, first.error.kind);
    EXPECT_EQ(again.left, first.left);
    EXPECT_EQ(again.client == nullptr, first.client == nullptr);
    if (testing::Test::HasFailure()) break;
  }
  expect_no_secret(first);
  return first;
}

// ---------------------------------------------------------------- what clients say

inline std::string message(PacketType type, const std::string& body) {
  std::string out;
  append_message(out, {type}, body);
  return out;
}

inline std::string prelogin(std::optional<uint8_t> encryption) {
  Prelogin options;
  options.release = {0x10000000, 0};
  options.encryption = encryption;
  options.instance = Bytes();
  options.thread_id = 77;
  options.mars = true;
  std::string body;
  append_prelogin(body, options);
  return message(PacketType::Prelogin, body);
}

inline Login7 login_of(Version version = Version::V74) {
  Login7 login;
  login.version = version;
  login.packet_bytes = kPacketBytes;
  login.user = "ann";
  login.password = kSecret;
  login.database = "shop";
  login.server = "tcp:sales,14330";
  login.application = "test";
  return login;
}
inline std::string login7(const Login7& login = login_of()) {
  return message(PacketType::Login7, write_login7(login).value());
}

// ---------------------------------------------------------------- what they hear

// The tokens of the last message, in words.
inline std::string tokens_in(const std::string& sent, Version version = Version::V74) {
  MessageAssembler last(Side::Server, 1 << 20);
  for (Bytes rest = sent; !rest.empty();) {
    last.clear();
    const auto taken = last.feed(rest);
    if (!taken || !taken.value().whole) return "no messages";
    rest.remove_prefix(taken.value().bytes);
  }
  std::string words;
  TokenWalker walker(version);
  Bytes in = last.payload();
  for (TokenEvent event; walker.next(in, event);) {
    words += script::show(event);
    const bool is_text =
        event.kind == TokenEvent::Kind::Error || event.kind == TokenEvent::Kind::Info;
    if (is_text) words += " '" + read_message(event.body, walker.version())->text + "'";
    words += "; ";
  }
  const bool is_final = walker.end_message() == TokenWalker::End::Final;
  return words + (is_final ? "final" : "not final");
}

}  // namespace weir::tds::greetings
