// Conversations with the greeting and the login of Redis, played from given bytes cut into given
// pieces. Shared by the unit tests and the fuzz targets.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "protocol/redis/greeting.h"
#include "protocol/redis/login.h"
#include "protocol/redis/talks.h"

namespace weir::redis::script {

using protocol::Step;

// What a server is known to say of its commands; the same when it says the same of these.
struct Known {
  std::shared_ptr<const CommandTable> table;
  std::shared_ptr<Audience> audience;
  std::string text() const {
    std::string out;
    for (const char* name : {"get", "set", "eval", "mod", "mod.wait", "mod.name", "x"})
      for (const char* subcommand : {"", "wait", "set"})
        if (table)
          out += std::to_string(static_cast<int>(table->way(name, subcommand, Way::Lane))) +
                 std::to_string(static_cast<int>(table->effect(name, subcommand))) + " ";
    return out;
  }
  bool operator==(const Known& other) const { return text() == other.text(); }
};

struct Outcome {
  Step step = Step::Wait;
  std::string sent;
  std::string error;
  base::ErrorKind kind = base::ErrorKind::System;
  std::string left;  // bytes that nobody consumed
  std::string user, asked, learnt;
  std::string tried;  // at servers
  int wrong = 0;      // passwords
  int64_t database = 0, remote_id = 0;
  std::string login;  // what the server keeps of it
  bool proven = false;
  Known commands;
  int handshakes = 0;
  bool operator==(const Outcome&) const = default;
};

// What a server says to a login: as Redis 7.0.15 does where "default" needs no password, and where
// it needs `secret`. That of "bob" has "b" in front of it.
struct Servers {
  std::string secret = "sec";
  Error trouble = {};  // it cannot be asked
  std::string asked = {};

  Error try_login(const std::string& user, const std::string& password, bool names_user) {
    asked += user + ":" + password + " ";
    if (!trouble.text.empty()) return trouble;
    const auto refused = [](const char* text) {
      return Error{base::ErrorKind::Refused, text, std::string(kServersWords)};
    };
    if (user == "bob" && password == "b" + secret) return {};
    if (user == "default" && secret.empty() && !password.empty() && !names_user)
      return refused(
          "ERR AUTH <password> called without any password configured for the default "
          "user. Are you sure your configuration is correct?");
    if (user == "default" && password == secret) return {};
    if (password.empty()) return refused("NOAUTH Authentication required.");
    return refused("WRONGPASS invalid username-password pair or user is disabled.");
  }
};

// How the app answers a greeting: "default" and "bob" have passwords, `secret` and "b" in front of
// it. With `servers` they are asked.
struct Host {
  protocol::AuthMethod method = protocol::AuthMethod::ScramSha256;
  std::string secret = "sec";
  bool mock = false;
  protocol::Encryption tls = protocol::Encryption::None;
  std::optional<Servers> servers = {};
};

// What a dialogue does not consume is offered again in front of what follows.
class Driver {
 public:
  using Answer = std::function<protocol::Dialogue::Result(Step, std::string&)>;
  Driver(protocol::Dialogue& dialogue, Answer answer)
      : dialogue_(dialogue), answer_(std::move(answer)) {
    take(dialogue_.start(outcome_.sent));
  }

  void deliver(const std::string& bytes, size_t piece) {
    for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
      outcome_.left += bytes.substr(at, piece);
      bool again = true;
      while (again && outcome_.step == Step::Wait && !outcome_.left.empty()) {
        const auto result = dialogue_.feed(outcome_.left, outcome_.sent);
        outcome_.left.erase(0, result.consumed);
        again = take(result) || result.consumed > 0;
      }
    }
  }

  Outcome& outcome() {
    outcome_.error = dialogue_.error().text;
    if (outcome_.step == Step::Fail) {
      outcome_.kind = dialogue_.error().kind;
      outcome_.left.clear();  // the stream is closed
    }
    return outcome_;
  }

 private:
  // True when the dialogue went on by an answer of the host. A handshake takes what has come.
  bool take(protocol::Dialogue::Result result) {
    bool answered = false;
    if (result.step == Step::StartTls) {
      outcome_.handshakes++;
      outcome_.left.clear();
      dialogue_.secured({});
      result = dialogue_.feed({}, outcome_.sent);
    }
    while (result.step == Step::Ask || result.step == Step::Try ||
           result.step == Step::NeedServer) {
      result = answer_(result.step, outcome_.sent);
      outcome_.left.erase(0, result.consumed);
      answered = true;
    }
    outcome_.step = result.step;
    return answered;
  }

  protocol::Dialogue& dialogue_;
  Answer answer_;
  Outcome outcome_;
};

class NoFacts final : public protocol::Facts {
 public:
  void learn(protocol::ServerState&) override {}
};

inline Outcome greet(const Host& host, const std::string& bytes, size_t piece) {
  RedisGreeting greeting({.login_bytes_max = 4096, .tls = host.tls});
  NoFacts facts;
  std::string asked;
  std::optional<Servers> servers = host.servers;
  Driver driver(greeting, [&](Step step, std::string& send) {
    if (step == Step::NeedServer) return greeting.welcome(facts, nullptr, send);
    const std::string& user = greeting.request().user;
    // What a Login says to a server never names "default".
    if (step == Step::Try)
      return greeting.tried(servers->try_login(user, greeting.proof(), user != "default"), send);
    asked += user + " ";
    protocol::Admission admission;
    admission.method = servers ? protocol::AuthMethod::Passthrough : host.method;
    admission.secret = host.secret;
    if (user == "bob") admission.secret = "b" + host.secret;
    admission.mock = host.mock || (user != "bob" && user != "default");
    admission.session_id = 42;
    return greeting.admit(admission, send);
  });
  driver.deliver(bytes, piece);
  Outcome outcome = driver.outcome();
  outcome.user = greeting.request().user;
  outcome.asked = asked;
  outcome.learnt = greeting.learnt_secret();
  outcome.wrong = greeting.wrong_proofs();
  if (servers) outcome.tried = servers->asked;
  if (outcome.step == Step::Done)
    outcome.proven = static_cast<ClientState&>(*greeting.take_client()).proven;
  return outcome;
}

// `tables`: of the servers known so far; null: the server is not asked about its commands.
inline Outcome log_in(const protocol::LoginTarget& target, const std::string& bytes, size_t piece,
                      CommandTables* tables = nullptr) {
  static Audiences audiences;
  RedisLogin login(target, {tables, &audiences});
  Driver driver(login, nullptr);
  driver.deliver(bytes, piece);
  Outcome outcome = driver.outcome();
  if (outcome.step == Step::Done) {
    const auto server = login.take_server();
    outcome.database = static_cast<ServerState&>(*server).database;
    outcome.login = static_cast<ServerState&>(*server).login;
    outcome.remote_id = server->remote_id();
    outcome.commands.table = static_cast<ServerState&>(*server).commands;
    outcome.commands.audience = static_cast<ServerState&>(*server).audience;
  }
  return outcome;
}

}  // namespace weir::redis::script
