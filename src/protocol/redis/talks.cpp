#include "talks.h"

#include "piece.h"

namespace weir::redis {

namespace {

using protocol::Step;

// Sends `text` and waits for what is owed and for `answers` more. The last has to begin with
// `expected`; where nothing is expected none of the own ones may be an error.
class AnswersTalk final : public Dialogue {
 public:
  struct Ask {
    std::string text;
    uint64_t answers = 1;
    std::string expected;
    bool may_be_forbidden = false;
  };

  AnswersTalk(ServerState& server, Ask ask)
      : server_(server), ask_(std::move(ask)), left_(server.ledger.size() + ask_.answers) {}

  Result start(std::string& send) override {
    send += ask_.text;
    return {left_ == 0 ? Step::Done : Step::Wait, 0};
  }

  Result feed(Bytes in, std::string&) override {
    size_t used = 0;
    while (used < in.size()) {
      const Bytes rest = in.substr(used);
      const bool fresh = !server_.reply.open();
      const ReplyStream::Pass pass = server_.reply.pass(rest);
      if (pass.end == ReplyStream::End::Bad || (fresh && rest[0] == '>'))
        return fail({base::ErrorKind::Protocol, "the server's answer is malformed"}, used);
      used += pass.bytes;
      if (fresh && pass.bytes > 0) judge(rest);
      if (pass.end != ReplyStream::End::Ended) return {Step::Wait, used};
      if (!server_.ledger.empty()) server_.ledger.pop();
      if (--left_ == 0) return finish(used);
    }
    return {Step::Wait, used};
  }

 private:
  void judge(Bytes answer) {
    if (left_ > (ask_.expected.empty() ? ask_.answers : 1)) return;
    const bool fits = ask_.expected.empty() ? answer[0] != '-' : answer.starts_with(ask_.expected);
    if (!fits && !(ask_.may_be_forbidden && answer.starts_with("-NOPERM")))
      error_ = {base::ErrorKind::Refused,
                "the server answered " + std::string(answer.substr(0, answer.find("\r\n")))};
  }

  Result finish(size_t used) {
    if (!error_.text.empty()) return {Step::Fail, used};
    if (ask_.expected == "+OK") server_.multi = server_.multi_sent = server_.watch = false;
    return {Step::Done, used};
  }

  ServerState& server_;
  Ask ask_;
  uint64_t left_;
};

// Asks that change the connection, and one answer to each: a line, or an array or map from HELLO.
// Whatever is pushed before the first answer is thrown away.
class ChangeTalk final : public Dialogue {
 public:
  struct Ask {
    std::string text;
    std::string expected;
    void (*done)(ServerState& server, uint64_t flavour);
    bool may_fail = false;
  };

  ChangeTalk(ServerState& server, uint64_t flavour, std::vector<Ask> asks)
      : server_(server), flavour_(flavour), asks_(std::move(asks)) {}

  Result start(std::string& send) override {
    for (const Ask& ask : asks_) send += ask.text;
    return {};
  }

  Result feed(Bytes in, std::string&) override {
    size_t used = 0;
    while (used < in.size()) {
      const Bytes rest = in.substr(used);
      const Measure answer = measure_answer(rest);
      if (answer.bad)
        return fail({base::ErrorKind::Protocol, "the server's answer is malformed"}, used);
      if (answer.bytes == 0) break;
      used += answer.bytes;
      if (is_pushed(rest)) continue;
      const Ask& ask = asks_[next_++];
      const bool is_error = rest[0] == '-';
      if (rest.starts_with(ask.expected) || (is_error && ask.may_fail))
        ask.done(server_, flavour_);
      else if (!is_error)
        return fail({base::ErrorKind::Protocol, "the server's answer does not fit"}, used);
      else if (error_.text.empty())
        refused(rest.substr(0, rest.find("\r\n")));
      if (next_ == asks_.size()) return {error_.text.empty() ? Step::Done : Step::Fail, used};
    }
    return {Step::Wait, used};
  }

 private:
  bool is_pushed(Bytes answer) const {
    if (answer[0] == '>') return true;
    return next_ == 0 && asks_[0].expected == "+RESET\r\n" && !answer.starts_with("+RESET\r\n") &&
           answer[0] != '-';
  }

  void refused(Bytes line) {
    error_ = {base::ErrorKind::Refused, std::string(line.substr(1)), std::string(kServersWords)};
  }

  ServerState& server_;
  uint64_t flavour_;
  std::vector<Ask> asks_;
  size_t next_ = 0;
};

ChangeTalk::Ask ask_login(const ServerState& server) {
  return {server.login, "+OK\r\n", [](ServerState& to, uint64_t) { to.logged_out = false; }};
}

ChangeTalk::Ask ask_database(int64_t database) {
  std::string text;
  append_command(text, {"SELECT", std::to_string(database)});
  return {std::move(text), "+OK\r\n", [](ServerState& to, uint64_t flavour) {
            const int64_t wanted = database_of(flavour);
            to.database = wanted == kHome ? to.home : wanted;
          }};
}

ChangeTalk::Ask ask_version(int resp) {
  std::string text;
  append_command(text, {"HELLO", std::to_string(resp)});
  return {std::move(text), resp == 3 ? "%" : "*",
          [](ServerState& to, uint64_t flavour) { to.resp = resp_of(flavour); }};
}

ChangeTalk::Ask ask_reset() {
  std::string text;
  append_command(text, {"RESET"});
  return {std::move(text), "+RESET\r\n", [](ServerState& to, uint64_t) { forget_client(to); }};
}

ChangeTalk::Ask ask_no_name() {
  std::string text;
  append_command(text, {"CLIENT", "SETNAME", ""});
  return {std::move(text), "+OK\r\n", [](ServerState& to, uint64_t) { to.name.clear(); }, true};
}

std::vector<ChangeTalk::Ask> asks_for(const ServerState& server, uint64_t flavour) {
  std::vector<ChangeTalk::Ask> asks;
  if (server.logged_out) asks.push_back(ask_login(server));
  if (resp_of(flavour) != server.resp) asks.push_back(ask_version(resp_of(flavour)));
  const int64_t wanted = database_of(flavour) == kHome ? server.home : database_of(flavour);
  if (wanted != server.database) asks.push_back(ask_database(wanted));
  return asks;
}

std::unique_ptr<Dialogue> make_changes(ServerState& server, uint64_t flavour,
                                       std::vector<ChangeTalk::Ask> asks) {
  if (asks.empty()) return nullptr;
  return std::make_unique<ChangeTalk>(server, flavour, std::move(asks));
}

}  // namespace

std::unique_ptr<Dialogue> make_reset(ServerState& server) {
  const uint64_t flavour = flavour_of(kHome, 2);
  std::vector<ChangeTalk::Ask> asks{ask_reset()};
  if (!server.login.empty()) asks.push_back(ask_login(server));
  if (server.home != 0) asks.push_back(ask_database(server.home));
  return std::make_unique<ChangeTalk>(server, flavour, std::move(asks));
}

std::unique_ptr<Dialogue> make_flavour(ServerState& server, uint64_t flavour) {
  return make_changes(server, flavour, asks_for(server, flavour));
}

std::unique_ptr<Dialogue> make_shared_flavour(ServerState& server, uint64_t flavour) {
  std::vector<ChangeTalk::Ask> asks = asks_for(server, flavour);
  if (!server.name.empty()) asks.push_back(ask_no_name());
  return make_changes(server, flavour, std::move(asks));
}

std::unique_ptr<Dialogue> make_check(ServerState& server) {
  std::string text;
  append_command(text, {"PING"});
  // To hear that its user may not ask is as good.
  return std::make_unique<AnswersTalk>(server, AnswersTalk::Ask{std::move(text), 1, "+PONG", true});
}

std::unique_ptr<Dialogue> make_recover(ServerState& server) {
  // DISCARD fails outside a transaction. UNWATCH would be queued in one, so that its +OK says both.
  std::string text;
  append_command(text, {"DISCARD"});
  append_command(text, {"UNWATCH"});
  return std::make_unique<AnswersTalk>(server, AnswersTalk::Ask{std::move(text), 2, "+OK"});
}

std::unique_ptr<Dialogue> make_query(ServerState& server, const std::string& text) {
  std::string lines = text + "\r\n";
  uint64_t answers = 0;
  for (Bytes rest = lines; !rest.empty();) {
    const Request request = cut_request(rest);
    if (request.bytes == 0) break;
    if (request.kind == Request::Kind::Whole) ++answers;
    rest.remove_prefix(request.bytes);
  }
  return std::make_unique<AnswersTalk>(server, AnswersTalk::Ask{std::move(lines), answers, ""});
}

}  // namespace weir::redis
