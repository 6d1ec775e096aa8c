#include "survey.h"

#include "piece.h"

namespace weir::redis {

namespace {

constexpr size_t kRunIdBytesMax = 64;

}  // namespace

void Survey::ask(std::string& send) {
  append_command(send, {"HELLO"});
  append_command(send, {"INFO", "server"});
  append_command(send, {"COMMAND", "COUNT"});
}

Survey::Result Survey::feed(Bytes in, std::string& send) {
  size_t used = 0;
  while (used < in.size() && state_ != State::Over)
    if (!step(in.substr(used), used, send)) break;
  return {used, state_ == State::Over, bad_};
}

bool Survey::step(Bytes in, size_t& used, std::string& send) {
  if (state_ == State::Commands) {
    const ReplyStream::Pass pass = reply_.pass(in);
    bad_ = pass.end == ReplyStream::End::Bad;
    if (bad_) return false;
    reader_.take(in.substr(0, pass.bytes));
    used += pass.bytes;
    if (pass.end == ReplyStream::End::Ended) end();
    return pass.bytes > 0;
  }
  const Measure answer = measure_answer(in);
  bad_ = answer.bad;
  if (bad_ || answer.bytes == 0) return false;
  used += answer.bytes;
  const Bytes text = in.substr(0, answer.bytes);
  switch (state_) {
    case State::Hello: on_hello(text); break;
    case State::Info: on_info(text); break;
    default: on_count(text, send); break;
  }
  return true;
}

// Version, role and modules, without the number of this connection. Servers before version 6 do not
// know the command: their count has to do.
void Survey::on_hello(Bytes answer) {
  const auto [start, end] = find_id(answer);
  if (answer[0] != '-')
    server_ = std::string(answer.substr(0, start)) + std::string(answer.substr(end));
  state_ = State::Info;
}

// Who it is for as long as it runs, whatever it is reached by.
void Survey::on_info(Bytes answer) {
  constexpr Bytes kKey = "\nrun_id:";
  state_ = State::Count;
  const size_t at = answer.find(kKey);
  if (at == Bytes::npos) return;
  const Bytes rest = answer.substr(at + kKey.size());
  const Bytes id = rest.substr(0, rest.find_first_of("\r\n"));
  if (id.size() <= kRunIdBytesMax) run_id_ = id;
}

void Survey::on_count(Bytes answer, std::string& send) {
  server_ += answer;
  for (const auto& [name, value] : classes_) server_ += name + ' ' + value + '\n';
  table_ = known_.find(server_);
  if (table_) {
    state_ = State::Over;
  } else if (answer[0] == ':') {
    append_command(send, {"COMMAND"});
    state_ = State::Commands;
  } else {
    end();  // it may not be asked
  }
}

void Survey::end() {
  table_ = std::make_shared<const CommandTable>(reader_.take_rows(), classes_);
  known_.keep(server_, table_);
  state_ = State::Over;
}

}  // namespace weir::redis
