#include <weir/base/limits.h>

#include "link.h"

namespace weir::redis {

namespace {

// A command that every server refuses, and that fails a transaction which it is queued in.
constexpr Bytes kNonsense = "*1\r\n$0\r\n\r\n";
constexpr size_t kAnswerBytesMax = 256;  // of weir's own answers

Entry::Kind kind_of(Way way) {
  switch (way) {
    case Way::Multi: return Entry::Kind::Multi;
    case Way::Exec: return Entry::Kind::Exec;
    case Way::Discard: return Entry::Kind::Discard;
    case Way::Watch: return Entry::Kind::Watch;
    case Way::Unwatch: return Entry::Kind::Unwatch;
    default: return Entry::Kind::Plain;
  }
}

bool is_own(Way way) { return way == Way::Quit || way == Way::Refuse || way == Way::Attack; }

}  // namespace

Progress ClientSide::judge(Bytes in) {
  if (server_) {
    mode_ = sink_.owner != 0 ? Mode::Lane : Mode::Lease;
    client_.database = server_->database;
  }
  while (used_ < in.size()) {
    if (!sink_.to_client.has_room(kAnswerBytesMax) || !sink_.to_server.has_room(kAnswerBytesMax))
      return {Next::Flush, used_, 0};
    if (const Step step = next(in.substr(used_)); step.over) return step.progress;
  }
  return over(Next::Feed, 1).progress;
}

ClientSide::Step ClientSide::over(Next next, size_t want) {
  if (mode_ == Mode::Lease && next == Next::Feed && server_->at_rest() && !server_->raw &&
      !server_->request_open)
    sink_.hold_may_end = true;
  return {true, {next, used_, want}};
}

// In the words of a server: Link::say_fatal() leaves them as they are.
ClientSide::Step ClientSide::fail(std::string text) {
  sink_.error = {base::ErrorKind::Protocol, std::move(text), "ERR"};
  return over(Next::Fail);
}

ClientSide::Step ClientSide::next(Bytes in) {
  if (mode_ == Mode::Lease && server_->raw) return go_raw(in);
  if (client_.stream.open()) return body(in);
  const Request request = cut_request(in);
  switch (request.kind) {
    case Request::Kind::Incomplete: return over(Next::Feed, request.want);
    case Request::Kind::Nothing: used_ += request.bytes; return {};
    default: return command(in, request);
  }
}

// More of a large command.
ClientSide::Step ClientSide::body(Bytes in) {
  const RequestStream::Pass pass = client_.stream.pass(in);
  used_ += pass.bytes;
  if (client_.stream.dropped || mode_ != Mode::Lease) {
    if (!pass.error.empty()) return fail(pass.error);
  } else {
    sink_.to_server.add(in.substr(0, pass.bytes));
    // The server will say so itself, behind what it owes.
    if (!pass.error.empty()) return go_raw(in.substr(pass.bytes));
    server_->request_open = client_.stream.open();
  }
  return client_.stream.open() ? over(Next::Feed, pass.want) : Step{};
}

// Select is decided here: Lane or Raw.
Way ClientSide::way(const Request& request) const {
  const Way way = way_of(request);
  if (way != Way::Select) return way;
  int64_t database = 0;
  if (client_.database < 0) return Way::Lane;  // there it is looked at again
  const bool stays = request.count == 2 && read_number(request.argument(1), database) &&
                     database == client_.database;
  return stays ? Way::Lane : Way::Raw;
}

ClientSide::Step ClientSide::command(Bytes in, const Request& request) {
  return mode_ == Mode::Lease ? on_lease(in, request) : without_lease(in, request);
}

// Nothing of a command that is not whole, or not for a lane, is sent to one.
ClientSide::Step ClientSide::without_lease(Bytes in, const Request& request) {
  const bool bad = request.kind == Request::Kind::Bad;
  const Way chosen = bad ? Way::Quit : way(request);
  if (is_own(chosen)) {
    // What weir says itself comes behind all that the client is owed.
    if (!sink_.settled || sink_.turns > 0) return over(Next::NeedServer);
    return by_weir(request, chosen);
  }
  if (chosen != Way::Lane || request.kind == Request::Kind::Large) return over(Next::NeedServer);
  if (!client_.shares) return over(Next::NeedServer);
  if (mode_ == Mode::Nothing) return over(Next::NeedLane);
  server_->ledger.push(sink_.owner, Entry::Kind::Plain);
  sink_.to_server.add(in.substr(0, request.bytes));
  ++sink_.turns;
  used_ += request.bytes;
  return {};
}

// Nobody owes the client anything.
ClientSide::Step ClientSide::by_weir(const Request& request, Way chosen) {
  if (request.kind == Request::Kind::Bad) return fail(request.error);
  if (chosen == Way::Attack) {
    sink_.error = {base::ErrorKind::Protocol, "", ""};
    return over(Next::Fail);
  }
  if (chosen == Way::Quit) {
    used_ += request.bytes;
    sink_.to_client.add("+OK\r\n");
    return over(Next::Leave);
  }
  sink_.to_client.add(kRefusal);
  refuse(request);
  return {};
}

ClientSide::Step ClientSide::on_lease(Bytes in, const Request& request) {
  if (request.kind == Request::Kind::Bad) {
    // The server finds the same fault, behind what it owes, and closes: in the client's order
    // without ours.
    return server_->ledger.empty() ? fail(request.error) : go_raw(in);
  }
  const Way chosen = way(request);
  switch (chosen) {
    case Way::Raw: return go_raw(in);
    case Way::Quit:
    case Way::Attack: return server_->ledger.empty() ? by_weir(request, chosen) : go_raw(in);
    case Way::Refuse:
      server_->ledger.push(0, Entry::Kind::Refused);
      sink_.to_server.add(kNonsense);
      sink_.turn_began = true;
      refuse(request);
      return {};
    default: return pass(in, request, kind_of(chosen));
  }
}

// Takes it out of the client's bytes.
void ClientSide::refuse(const Request& request) {
  if (request.kind == Request::Kind::Whole) {
    used_ += request.bytes;
    return;
  }
  used_ += request.head_bytes;
  client_.stream.begin(request.count);
  client_.stream.dropped = true;
}

ClientSide::Step ClientSide::pass(Bytes in, const Request& request, Entry::Kind kind) {
  server_->ledger.push(0, kind);
  sink_.turn_began = true;
  const bool whole = request.kind == Request::Kind::Whole;
  const size_t bytes = whole ? request.bytes : request.head_bytes;
  sink_.to_server.add(in.substr(0, bytes));
  used_ += bytes;
  if (whole) return {};
  client_.stream.begin(request.count);
  client_.stream.dropped = false;
  server_->request_open = true;
  return {};
}

ClientSide::Step ClientSide::go_raw(Bytes in) {
  server_->raw = true;
  client_.stream.stop();
  sink_.to_server.add(in);
  used_ += in.size();
  return over(Next::Feed, 1);
}

// QUIT and faults are left for judge(), which needs no server for them.
size_t answer_parked(ClientState& client, const Error& error, Bytes in, Sink& sink) {
  std::string answer;
  append_error(answer, error);
  size_t used = 0;
  while (used < in.size() && !client.stream.open()) {
    const Bytes rest = in.substr(used);
    const Request request = cut_request(rest);
    const bool large = request.kind == Request::Kind::Large;
    if (request.kind == Request::Kind::Whole && is_own(way_of(request))) break;
    if (large) {
      client.stream.begin(request.count);
      client.stream.dropped = true;
    } else if (request.kind != Request::Kind::Whole && request.kind != Request::Kind::Nothing) {
      break;
    }
    used += large ? request.head_bytes : request.bytes;
    if (request.kind != Request::Kind::Nothing) sink.to_client.add_copy(answer);
  }
  return used;
}

}  // namespace weir::redis
