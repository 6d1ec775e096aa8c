#include <algorithm>

#include "counts.h"
#include "link.h"
#include "piece.h"

namespace weir::redis {

namespace {

bool is_ok(Bytes answer) { return answer.starts_with("+OK\r\n"); }
bool is_error(Bytes answer) { return answer.starts_with('-'); }
bool is_queued(Bytes answer) { return answer.starts_with("+QUEUED\r\n"); }

// By the answer to what may begin, end or show a pause.
void note_pause(ServerState& server, Bytes answer) {
  const Entry& entry = server.ledger.front();
  if (!server.pause) return;
  if (entry.kind != Entry::Kind::Pause) {
    if (!is_error(answer)) server.pause->over(entry.value);
  } else if (is_ok(answer)) {
    server.pause->asked();
  } else {
    server.pause->over(entry.value);
  }
}

// What is looked into has to be there as a whole.
bool is_read(const Entry& entry) {
  switch (entry.kind) {
    case Entry::Kind::Hello:
    case Entry::Kind::Auth:
    case Entry::Kind::Redirect:
    case Entry::Kind::Permit:
    case Entry::Kind::Probe: return true;
    default: return is_counted(entry);
  }
}

}  // namespace

Progress ServerSide::judge(Bytes in) {
  if (server_.raw) {
    sink_.to_client.add(in);
    return {Next::Feed, in.size(), 1};
  }
  while (used_ < in.size()) {
    if (!sink_.to_client.has_room(256)) return {Next::Flush, used_, 0};
    const Did did = piece(in.substr(used_));
    if (did == Did::Fail) return {Next::Fail, used_, 0};
    if (did == Did::More) break;
  }
  if (server_.ledger.empty()) {
    server_.multi_sent = server_.multi;
    server_.queued_state = server_.queued_state && server_.multi;
    server_.queued_pause = server_.queued_pause && server_.multi;
  }
  sink_.hold_may_end =
      server_.at_rest() && !server_.broken && !server_.request_open && !client_.stream.open();
  if (server_.broken) sink_.retire = true;
  return {Next::Feed, used_, used_ < in.size() ? want_ : 1};
}

ServerSide::Did ServerSide::fail(const char* text) {
  sink_.error = {base::ErrorKind::Protocol, text, "08P01"};
  return Did::Fail;
}

ServerSide::Did ServerSide::piece(Bytes rest) {
  if (server_.reply.open()) return stream(rest, false);
  const Seen seen = look(server_, rest);
  switch (seen.kind) {
    case Seen::Kind::More: want_ = rest.size() + 1; return Did::More;
    case Seen::Kind::Bad: return fail("the server's answer is malformed");
    case Seen::Kind::Surplus: return fail("the server answered more than it was asked");
    case Seen::Kind::Confirmation:
      sink_.to_client.add(rest.substr(0, seen.bytes));
      used_ += seen.bytes;
      confirmed(rest.substr(0, seen.bytes));
      return Did::Used;
    case Seen::Kind::Push: server_.piece = ServerState::Piece::Push; return stream(rest, true);
    case Seen::Kind::Answer: break;
  }
  const Entry& entry = server_.ledger.front();
  if (is_read(entry)) return whole(rest);
  const bool silent = entry.silent || entry.kind == Entry::Kind::Refused;
  server_.piece = silent ? ServerState::Piece::Silent : ServerState::Piece::Answer;
  return stream(rest, true);
}

// Passes what there is of it.
ServerSide::Did ServerSide::stream(Bytes rest, bool fresh) {
  const ReplyStream::Pass pass = server_.reply.pass(rest);
  if (pass.end == ReplyStream::End::Bad) return fail("the server's answer is malformed");
  used_ += pass.bytes;
  const bool push = server_.piece == ServerState::Piece::Push;
  if (fresh && pass.bytes > 0 && !push) begin_answer(rest);
  if (server_.piece != ServerState::Piece::Silent) sink_.to_client.add(rest.substr(0, pass.bytes));
  if (pass.end == ReplyStream::End::Ended) {
    if (!push) end_answer();
    return Did::Used;
  }
  want_ = pass.want;
  return Did::More;
}

ServerSide::Did ServerSide::whole(Bytes rest) {
  const Measure measure = measure_answer(rest);
  if (measure.bad) return fail("the server's answer is malformed");
  if (measure.bytes == 0) {
    want_ = rest.size() + 1;
    return Did::More;
  }
  const Bytes answer = rest.substr(0, measure.bytes);
  const Entry entry = server_.ledger.front();
  used_ += answer.size();
  if (is_error(answer) && !entry.silent) ++sink_.errors;
  switch (entry.kind) {
    case Entry::Kind::Probe: probed(answer); break;
    case Entry::Kind::Permit: permitted(answer); break;
    case Entry::Kind::Redirect: told_redirect(answer); break;
    case Entry::Kind::Published:
    case Entry::Kind::Numsub:
    case Entry::Kind::ShardNumsub: told_counts(answer); break;
    default: said_hello(answer); break;
  }
  server_.ledger.pop();
  if (entry.kind == Entry::Kind::Probe || entry.kind == Entry::Kind::Permit) return Did::Used;
  ++sink_.queries;
  ++sink_.transactions;
  return Did::Used;
}

// Its first line says what has become of the connection.
void ServerSide::begin_answer(Bytes in) {
  if (is_error(in)) {
    if (!server_.ledger.front().silent) ++sink_.errors;
    if (in.starts_with("-ERR Protocol error")) server_.broken = true;
  }
  switch (server_.ledger.front().kind) {
    case Entry::Kind::Multi: server_.multi = server_.multi || is_ok(in); return;
    case Entry::Kind::Name:
      server_.takes_names = is_ok(in);
      if (!is_ok(in)) server_.name.clear();
      return;
    case Entry::Kind::Watch: server_.watch = server_.watch || is_ok(in); return;
    case Entry::Kind::Unwatch: server_.watch = server_.watch && !is_ok(in); return;
    case Entry::Kind::Discard:
      if (!is_ok(in)) return;
      [[fallthrough]];
    case Entry::Kind::Exec:
      if (is_error(in) && !in.starts_with("-EXECABORT")) {
        // Without MULTI it does not even unwatch (execCommand() in Redis' multi.c).
        if (!in.starts_with("-ERR EXEC without MULTI")) server_.unknown = true;
        return;
      }
      server_.multi = server_.watch = false;
      if (server_.ledger.front().value == 1 && server_.pause) server_.pause->asked();
      return;
    default: changed(in); return;
  }
}

void ServerSide::changed(Bytes in) {
  const Entry& entry = server_.ledger.front();
  switch (entry.kind) {
    case Entry::Kind::Select:
      if (!is_ok(in)) return;
      server_.database = entry.value;
      client_.database = entry.value == server_.home ? kHome : entry.value;
      return;
    case Entry::Kind::Reset:
      server_.reset_sent = false;
      if (in.starts_with("+RESET\r\n")) entry.silent ? forget_client(server_) : was_reset();
      return;
    case Entry::Kind::Monitor: server_.monitor = server_.monitor || is_ok(in); return;
    case Entry::Kind::Track:
      if (is_ok(in)) server_.tracking = entry.value == 1;
      return;
    case Entry::Kind::Replica: server_.replica = server_.replica || is_ok(in); return;
    case Entry::Kind::Unknown: server_.unknown = server_.unknown || !is_error(in); return;
    case Entry::Kind::Pin:
      server_.kept = server_.kept || !is_error(in);
      server_.unknown = server_.unknown || server_.kept;
      return;
    case Entry::Kind::Pause:
    case Entry::Kind::Unpause:
    case Entry::Kind::Held: note_pause(server_, in); return;
    default: return;
  }
}

void ServerSide::was_reset() {
  reset(client_);
  forget_client(server_);
}

void ServerSide::end_answer() {
  const Entry& entry = server_.ledger.front();
  if (entry.kind == Entry::Kind::Refused && !entry.silent) sink_.to_client.add(kRefusal);
  if (entry.kind == Entry::Kind::Name) return server_.ledger.pop();
  const bool waits = entry.kind == Entry::Kind::Block || entry.kind == Entry::Kind::Held;
  if (waits && !server_.multi) ++sink_.waits;
  server_.ledger.pop();
  ++sink_.queries;
  if (!server_.multi) ++sink_.transactions;
}

// One of the answers to a command of (un)subscription, or what the server has ended by itself.
void ServerSide::confirmed(Bytes confirmation) {
  const int64_t before = note_confirmation(confirmation, server_.subscriptions);
  server_.has_subscribed = server_.has_subscribed || server_.subscriptions.all() > 0;
  if (server_.ledger.empty()) return;
  Entry& entry = server_.ledger.front();
  if (entry.kind == Entry::Kind::UnsubscribeAll && entry.value < 0)
    entry.value = std::max<int64_t>(before, 1);
  else if (entry.kind != Entry::Kind::Subscribe && entry.kind != Entry::Kind::UnsubscribeAll)
    return;
  if (--entry.value == 0) end_answer();
}

// HELLO and AUTH.
void ServerSide::said_hello(Bytes answer) {
  const Entry entry = server_.ledger.front();
  const auto name = std::exchange(server_.hello_name, std::nullopt);
  const bool has_options = std::exchange(server_.hello_has_options, false);
  if (has_options && is_error(answer) && !answer.starts_with("-NOPROTO")) server_.unknown = true;
  if (is_error(answer) || is_queued(answer)) {
    if (!entry.silent) sink_.to_client.add(answer);
    return;
  }
  server_.foreign = server_.foreign || entry.kind == Entry::Kind::Auth;
  if (entry.value > 0) server_.resp = client_.resp = static_cast<int>(entry.value);
  if (name) client_.name = *name;
  if (entry.silent) return;
  const auto [start, end] = find_id(answer);
  sink_.to_client.add(answer.substr(0, start));
  if (start < end) sink_.to_client.add_copy(std::to_string(client_.id));
  sink_.to_client.add(answer.substr(end));
}

// The server knows the client by another number.
void ServerSide::told_redirect(Bytes answer) {
  if (server_.ledger.front().silent) return;
  const auto [start, end] = find_redirect(answer);
  sink_.to_client.add(answer.substr(0, start));
  if (start < end) sink_.to_client.add_copy(std::to_string(server_.redirect));
  sink_.to_client.add(answer.substr(end));
}

void ServerSide::told_counts(Bytes answer) {
  if (server_.ledger.front().silent) return;
  const std::string counted = recounted(server_, answer);
  if (counted.empty())
    sink_.to_client.add(answer);
  else
    sink_.to_client.add_copy(counted);
}

void ServerSide::permitted(Bytes answer) {
  const bool denied = answer.starts_with("-NOPERM");
  client_.permit = denied ? Permit::Denied : Permit::Granted;
  if (denied) client_.denial = answer;
}

void ServerSide::probed(Bytes answer) {
  const auto info = read_info(answer);
  if (!info) {
    server_.unknown = true;
    // With RESP2 nothing else is refused so: it has been subscribed, to nobody knows how much.
    if (answer.starts_with("-ERR Can't execute") && server_.subscriptions.all() == 0)
      server_.subscriptions.channels = 1;
    server_.has_subscribed = server_.has_subscribed || server_.subscriptions.all() > 0;
    return;
  }
  server_.foreign = server_.foreign || info->user != server_.user;
  server_.database = info->database;
  server_.resp = info->resp;
  server_.subscriptions = info->subscriptions;
  server_.has_subscribed = server_.has_subscribed || server_.subscriptions.all() > 0;
  server_.monitor = info->monitor;
  server_.tracking = info->tracking;
  client_.database = info->database == server_.home ? kHome : info->database;
  client_.resp = info->resp;
  // Only what the transaction has changed.
  if (info->name != server_.name) client_.name = info->name;
  server_.name = info->name;
}

namespace {

// An answer in which connections are counted. True: what goes out first lives until the next call.
bool share_counts(ServerState& server, Bytes answer, std::vector<protocol::Share>& shares) {
  const Entry& entry = server.ledger.front();
  server.said = entry.silent ? std::string() : recounted(server, answer);
  const Bytes said = server.said.empty() ? answer : Bytes(server.said);
  shares.push_back({.owner = entry.owner, .bytes = entry.silent ? Bytes() : said, .turns = 1});
  server.ledger.pop();
  return !server.said.empty();
}

}  // namespace

Progress share_answers(ServerState& server, Bytes in, std::vector<protocol::Share>& shares) {
  size_t used = 0;
  bool joins = false;  // to the last share
  while (used < in.size()) {
    const Bytes rest = in.substr(used);
    if (server.ledger.empty() || (rest[0] == '>' && !server.reply.open()))
      return {Next::Fail, used, 0};
    const bool fresh = !server.reply.open();
    if (is_counted(server.ledger.front())) {
      const Measure answer = measure_answer(rest);
      if (answer.bad) return {Next::Fail, used, 0};
      if (answer.bytes == 0) return {Next::Feed, used, rest.size() + 1};
      used += answer.bytes;
      if (share_counts(server, rest.substr(0, answer.bytes), shares)) return {Next::Flush, used, 0};
      joins = false;
      continue;
    }
    const ReplyStream::Pass pass = server.reply.pass(rest);
    if (pass.end == ReplyStream::End::Bad) return {Next::Fail, used, 0};
    if (pass.bytes == 0) return {Next::Feed, used, pass.want};
    const Entry& entry = server.ledger.front();
    if (fresh && entry.kind == Entry::Kind::Unpause) note_pause(server, rest);
    const bool ended = pass.end == ReplyStream::End::Ended;
    if (!joins || shares.back().owner != entry.owner)
      shares.push_back({entry.owner, rest.substr(0, 0)});
    protocol::Share& share = shares.back();
    if (!entry.silent) {
      share.bytes = Bytes(share.bytes.data(), share.bytes.size() + pass.bytes);
      share.piece_open = !ended;
    }
    joins = !entry.silent;
    share.turns += ended ? 1 : 0;
    used += pass.bytes;
    if (!ended) return {Next::Feed, used, pass.want};
    server.ledger.pop();
  }
  return {Next::Feed, used, 1};
}

}  // namespace weir::redis
