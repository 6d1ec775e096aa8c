// Conversations with PostgreSQL's greeting and login, played from given bytes cut into given
// pieces. All randomness is fixed, so that equal bytes have equal outcomes. Shared by the unit
// tests and the fuzz targets.
#pragma once

#include <cstdlib>
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

inline std::function<Pieces(const std::string&)> pieces_of(size_t size) {
  return [size](const std::string& flight) {
    Pieces pieces;
    for (size_t at = 0; at < flight.size(); at += size) pieces.push_back(flight.substr(at, size));
    return pieces;
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
    while (result.step == Step::Ask || result.step == Step::NeedServer ||
           result.step == Step::Work) {
      result = result.step == Step::Work ? work() : answer_(result.step, outcome_.sent);
      answered = true;
    }
    outcome_.step = result.step;
    return answered;
  }

  // Bytes that come before it is done change nothing.
  protocol::Dialogue::Result work() {
    std::string none;
    if (dialogue_.feed("early", none).step != Step::Wait) std::abort();
    dialogue_.work().run();
    const auto result = dialogue_.feed(outcome_.left, outcome_.sent);
    outcome_.left.erase(0, result.consumed);
    return result;
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

}  // namespace weir::postgres::script
