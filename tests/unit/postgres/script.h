// Scripted conversations with the greeting and the login: the same bytes whole, cut in two at every
// place and byte by byte, with the same outcome each time. All randomness is fixed.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/postgres/facts.h"
#include "protocol/postgres/greeting.h"
#include "protocol/postgres/login.h"
#include "protocol/postgres/wire.h"

namespace weir::postgres::script {

using protocol::Step;

inline std::string fixed_bytes(size_t count) { return std::string(count, '\x5a'); }

// The store of all tests: one derivation for each password, not one for each split.
inline ScramStore& store() {
  static ScramStore secrets("a secret of these tests");
  return secrets;
}

inline base::InternTable& texts() {
  static base::InternTable table;
  return table;
}

struct Outcome {
  Step step = Step::Wait;
  std::string sent;
  std::string error;
  std::string code;
  std::string left;  // bytes that nobody consumed
  bool operator==(const Outcome&) const = default;
};

// What the peer sends before it waits for an answer.
using Flights = std::vector<std::string>;
using Pieces = std::vector<std::string>;

inline Pieces whole(const std::string& flight) { return {flight}; }
inline Pieces bytewise(const std::string& flight) {
  Pieces pieces;
  for (const char c : flight) pieces.emplace_back(1, c);
  return pieces;
}
inline std::function<Pieces(const std::string&)> cut_at(size_t place) {
  return [place](const std::string& flight) -> Pieces {
    if (place >= flight.size()) return {flight};
    return {flight.substr(0, place), flight.substr(place)};
  };
}

// How the app answers a greeting.
struct Host {
  protocol::Admission admission;
  PostgresFacts* facts = nullptr;
  const ServerState* attached = nullptr;
  size_t login_bytes_max = 4096;
};

// Feeds the flights; what a dialogue does not consume is offered again in front of what follows.
class Driver {
 public:
  using Answer = std::function<protocol::Dialogue::Result(Step, std::string&)>;
  Driver(protocol::Dialogue& dialogue, Answer answer)
      : dialogue_(dialogue), answer_(std::move(answer)) {
    take(dialogue_.start(outcome_.sent));
  }

  void deliver(const std::string& piece) {
    outcome_.left += piece;
    bool again = true;
    while (again && !over()) {
      const auto result = dialogue_.feed(outcome_.left, outcome_.sent);
      outcome_.left.erase(0, result.consumed);
      again = take(result) && !outcome_.left.empty();
    }
  }

  bool over() const { return outcome_.step == Step::Done || outcome_.step == Step::Fail; }
  Outcome outcome() {
    outcome_.error = dialogue_.error().text;
    outcome_.code = dialogue_.error().code;
    if (outcome_.step == Step::Fail) outcome_.left.clear();  // the stream is closed
    return outcome_;
  }

 private:
  // True when the dialogue went on by an answer of the host.
  bool take(protocol::Dialogue::Result result) {
    bool answered = false;
    while (result.step == Step::Ask || result.step == Step::NeedServer) {
      result = answer_(result.step, outcome_.sent);
      answered = true;
    }
    outcome_.step = result.step;
    return answered;
  }

  protocol::Dialogue& dialogue_;
  Answer answer_;
  Outcome outcome_;
};

template <class Split>
Outcome greet(const Host& host, const Flights& flights, Split split,
              std::unique_ptr<PostgresGreeting>* kept = nullptr) {
  auto greeting = std::make_unique<PostgresGreeting>(
      GreetingParts{texts(), store(), host.login_bytes_max, fixed_bytes});
  PostgresFacts none;
  PostgresFacts& facts = host.facts ? *host.facts : none;
  Driver driver(*greeting, [&](Step step, std::string& send) {
    if (step == Step::Ask) return greeting->admit(host.admission, send);
    return greeting->welcome(facts, host.attached, send);
  });
  for (const std::string& flight : flights)
    for (const std::string& piece : split(flight)) driver.deliver(piece);
  Outcome outcome = driver.outcome();
  if (kept) *kept = std::move(greeting);
  return outcome;
}

template <class Split>
Outcome log_in(const protocol::LoginTarget& target, const Flights& flights, Split split,
               std::unique_ptr<PostgresLogin>* kept = nullptr) {
  auto login = std::make_unique<PostgresLogin>(target, PostgresLogin::Parts{store(), fixed_bytes});
  Driver driver(*login, nullptr);
  for (const std::string& flight : flights)
    for (const std::string& piece : split(flight)) driver.deliver(piece);
  Outcome outcome = driver.outcome();
  if (kept) *kept = std::move(login);
  return outcome;
}

// Runs `talk` with every way of splitting and returns the outcome, which has to be the same each
// time.
template <class Talk>
Outcome at_every_split(const Flights& flights, Talk talk) {
  const Outcome expected = talk(whole);
  EXPECT_TRUE(expected == talk(bytewise)) << "byte by byte";
  size_t longest = 0;
  for (const std::string& flight : flights) longest = std::max(longest, flight.size());
  for (size_t place = 1; place < longest; ++place) {
    const Outcome outcome = talk(cut_at(place));
    EXPECT_TRUE(expected == outcome)
        << "cut at " << place << ": " << outcome.error << " instead of " << expected.error;
  }
  return expected;
}

inline Outcome greet_at_every_split(const Host& host, const Flights& flights) {
  return at_every_split(flights, [&](auto split) { return greet(host, flights, split); });
}
inline Outcome log_in_at_every_split(const protocol::LoginTarget& target, const Flights& flights) {
  return at_every_split(flights, [&](auto split) { return log_in(target, flights, split); });
}

// ---------------------------------------------------------------- bytes

struct Sent {
  char type;
  std::string body;
};
inline std::vector<Sent> messages_of(base::Bytes bytes) {
  std::vector<Sent> messages;
  while (!bytes.empty()) {
    const auto message = cut_message(bytes, bytes.size());
    if (!message || message.value().consumed == 0) {
      ADD_FAILURE() << "not a message: " << bytes;
      break;
    }
    messages.push_back({message.value().type, std::string(message.value().body)});
    bytes.remove_prefix(message.value().consumed);
  }
  return messages;
}
inline std::string types_of(base::Bytes bytes) {
  std::string types;
  for (const Sent& message : messages_of(bytes)) types.push_back(message.type);
  return types;
}

inline std::string request_code(uint32_t code) {
  std::string out;
  MessageBuilder(out, '\0').int32(code);
  return out;
}
inline std::string startup(const SettingList& parameters) {
  std::string out;
  append_startup(out, parameters);
  return out;
}
inline std::string raw_startup(uint32_t version, base::Bytes parameters) {
  std::string out;
  MessageBuilder(out, '\0').int32(version).raw(parameters);
  return out;
}
inline std::string message(char type, base::Bytes body) {
  std::string out;
  MessageBuilder(out, type).raw(body);
  return out;
}
inline std::string password(std::string_view text) {
  std::string out;
  append_password(out, text);
  return out;
}
inline std::string sasl_initial(base::Bytes data, std::string_view mechanism = "SCRAM-SHA-256") {
  std::string out;
  append_sasl_initial(out, mechanism, data);
  return out;
}
inline std::string authentication(Authentication kind, base::Bytes data = {}) {
  std::string out;
  append_authentication(out, kind, data);
  return out;
}

}  // namespace weir::postgres::script
