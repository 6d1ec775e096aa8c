#include "talks.h"

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
    if (!fits)
      error_ = {base::ErrorKind::Refused,
                "the server answered " + std::string(answer.substr(0, answer.find("\r\n")))};
  }

  Result finish(size_t used) {
    if (!error_.text.empty()) return {Step::Fail, used};
    if (ask_.expected == "+OK") server_.multi = server_.watch = false;
    return {Step::Done, used};
  }

  ServerState& server_;
  Ask ask_;
  uint64_t left_;
};

}  // namespace

std::unique_ptr<Dialogue> make_check(ServerState& server) {
  std::string text;
  append_command(text, {"PING"});
  return std::make_unique<AnswersTalk>(server, AnswersTalk::Ask{std::move(text), 1, "+PONG"});
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
