#include <weir/base/limits.h>

#include "counts.h"
#include "link.h"

namespace weir::redis {

namespace {

constexpr size_t kAnswerBytesMax = 256;  // of weir's own answers, but for names
// Of a transaction that goes down a lane as a whole.
constexpr uint32_t kTransactionMax = 1000;

}  // namespace

Progress ClientSide::judge(Bytes in) {
  if (server_) {
    mode_ = sink_.owner != 0 ? Mode::Lane : Mode::Lease;
    // Of two servers that know different commands the one where it listens decides, or the two
    // would send it to each other.
    const bool decides = mode_ == Mode::Lane || !client_.listens();
    if (decides && client_.commands != server_->commands) client_.commands = server_->commands;
    pauses_ = server_->may_pause();
  }
  while (used_ < in.size()) {
    if (!sink_.to_client.has_room(kAnswerBytesMax) || !sink_.to_server.has_room(kAnswerBytesMax))
      return {Next::Flush, used_, 0};
    if (const Step step = next(in.substr(used_)); step.over) return step.progress;
  }
  return over(Next::Feed, 1).progress;
}

ClientSide::Step ClientSide::over(Next next, size_t want) {
  if (mode_ == Mode::Lease && next == Next::Feed && server_->at_rest() && !server_->request_open)
    sink_.hold_may_end = true;
  return {true, {next, used_, want}};
}

// In the words of a server: Link::say_fatal() leaves them as they are.
ClientSide::Step ClientSide::fail(const std::string& text) {
  sink_.error = {base::ErrorKind::Protocol, "ERR " + text, std::string(kServersWords)};
  return over(Next::Fail);
}

bool ClientSide::silent() { return !wants_answer(client_); }

ClientSide::Step ClientSide::say(const std::string& answer) {
  if (!answer.empty() && !silent()) sink_.to_client.add_copy(answer);
  return {};
}

ClientSide::Step ClientSide::next(Bytes in) {
  if (!client_.fault.empty()) {
    if (mode_ == Mode::Lease && !server_->answered()) return over(Next::Later);
    return fail(client_.fault);
  }
  if (mode_ == Mode::Lease && server_->raw) {
    sink_.to_server.add(in);
    used_ += in.size();
    return {};
  }
  if (client_.stream.open()) return body(in);
  if (mode_ == Mode::Lease && server_->reset_sent) return over(Next::Later);
  const Request request = cut_request(in);
  switch (request.kind) {
    case Request::Kind::Incomplete: return over(Next::Feed, request.want);
    case Request::Kind::Nothing: used_ += request.bytes; return {};
    default: return mode_ == Mode::Lease ? on_lease(in, request) : without_lease(in, request);
  }
}

// More of a large command.
ClientSide::Step ClientSide::body(Bytes in) {
  const RequestStream::Pass pass = client_.stream.pass(in);
  used_ += pass.bytes;
  const bool forwards = !client_.stream.dropped && mode_ == Mode::Lease;
  if (forwards) sink_.to_server.add(in.substr(0, pass.bytes));
  if (!pass.error.empty()) return forwards ? body_fails(pass.error) : fail(pass.error);
  if (forwards) server_->request_open = client_.stream.open();
  return client_.stream.open() ? over(Next::Feed, pass.want) : Step{};
}

// A fault within a command whose beginning the server has got.
ClientSide::Step ClientSide::body_fails(std::string error) {
  client_.stream.stop();
  client_.fault = std::move(error);
  // It may have been answered before its end.
  if (server_->ledger.empty() || server_->reply.open() || server_->broken)
    return fail(client_.fault);
  server_->ledger.take_back();
  return server_->answered() ? fail(client_.fault) : over(Next::Later);
}

// Takes it out of the client's bytes.
void ClientSide::take(const Request& request) {
  if (request.kind == Request::Kind::Whole) {
    used_ += request.bytes;
    return;
  }
  used_ += request.head_bytes;
  client_.stream.begin(request.count);
  client_.stream.dropped = true;
}

// ---------------------------------------------------------------- without a lease

// What needs the other clients is answered when they are known.
ClientSide::Step ClientSide::call_roll(const Request& request) {
  if (!sink_.roll) {
    client_.asks = equal_ignoring_case(request.argument(1), "info") ? "client|info" : "client|list";
    client_.asks_bytes = static_cast<uint32_t>(request.bytes);
    return over(Next::Roll);
  }
  const Call call = answer_roll(client_, *sink_.roll, request);
  if (!call.command.empty() && mode_ != Mode::Lease) return over(Next::NeedServer);
  sink_.roll = nullptr;
  client_.asks = "NULL";
  client_.asks_bytes = 0;
  client_.permit = Permit::Unasked;
  take(request);
  if (!call.command.empty()) return ask_server(call, request);
  sink_.ends = call.ends;
  const bool ends_itself = std::erase(sink_.ends, client_.id) > 0;
  say(call.answer);
  return ends_itself ? over(Next::Leave) : Step{};
}

// In other words than the client's, as a server knows the clients by other numbers.
ClientSide::Step ClientSide::ask_server(const Call& call, const Request& request) {
  const bool tracks = client_word(request) == ClientWord::TrackTo;
  if (tracks) server_->redirect = call.redirect;
  server_->ledger.push({.kind = tracks ? Entry::Kind::Track : Entry::Kind::Plain,
                        .silent = silent(),
                        .value = tracks ? 1 : 0});
  sink_.to_server.add_copy(call.command);
  sink_.turn_began = true;
  return {};
}

bool ClientSide::is_own(const Request& request, Way way) const {
  if (way == Way::Client)
    return redis::is_own(client_word(request)) || client_word(request) == ClientWord::Roll;
  return way == Way::Quit || way == Way::Refuse || way == Way::Attack || way == Way::Reset;
}

// Takes the client to the pool of another user.
bool ClientSide::is_login(const Request& request, Way way) const {
  if (!client_.moves || request.kind != Request::Kind::Whole) return false;
  if (way == Way::Auth) return request.count == 2 || request.count == 3;
  if (way != Way::Hello || client_.proven) return false;
  if (const auto hello = read_hello(request)) return hello->has_auth;
  // A server would log in first and refuse the rest then.
  return any_argument(request, [](Bytes each) { return equal_ignoring_case(each, "auth"); });
}

bool ClientSide::needs_lease(const Request& request, Way way) const {
  if (!client_.shares || request.kind == Request::Kind::Large) return true;
  if (way == Way::Unpause && mode_ == Mode::Lane)
    return server_->may_be_stuck() || sink_.lane == LaneKind::Hub;
  if (way == Way::Unpause) return false;
  if (may_be_held(request)) return true;
  if (way != Way::Select) return way != Way::Lane && way != Way::Heavy;
  // Looked at again when the lane is there: its servers are in one database.
  if (mode_ == Mode::Nothing) return false;
  int64_t database = 0;
  return request.count != 2 || !read_number(request.argument(1), database) ||
         database != server_->database;
}

// What CLIENT PAUSE does not hold back: without a table of the server's commands that is not known.
Effect ClientSide::effect_of(const Request& request) const {
  if (!client_.commands) return Effect::MayWrite;
  return client_.commands->effect(request.argument(0), request.argument(1));
}

// And its answer is one that the client gets.
bool ClientSide::only_reads(const Request& request) const {
  return client_.answers == Answers::On && effect_of(request) == Effect::Reads;
}

// A neighbour's command behind it would not be answered either.
bool ClientSide::may_be_held(const Request& request) const {
  return pauses_ && effect_of(request) >= Effect::MayWrite;
}

// One that leaves the connection as it was.
ClientSide::Batch ClientSide::whole_transaction(Bytes in) const {
  Batch out;
  while (out.commands < kTransactionMax && out.bytes < kWholeCommandBytesMax) {
    const Request request = cut_request(in.substr(out.bytes));
    if (request.kind != Request::Kind::Whole) return {};
    const Way way = way_of(request);
    const bool first = out.commands == 0;
    const bool shared = way == Way::Lane || way == Way::Heavy;
    if (first != (way == Way::Multi) || (!shared && request.count != 1)) return {};
    if (shared && may_be_held(request)) return {};
    if (way == Way::Heavy) out.lane = LaneKind::Heavy;
    out.bytes += request.bytes;
    ++out.commands;
    if (way == Way::Exec) return out;
    if (!first && !shared) return {};
  }
  return {};
}

// Nothing of a command that is not whole, or not for a lane, is sent to one.
ClientSide::Step ClientSide::without_lease(Bytes in, const Request& request) {
  const bool bad = request.kind == Request::Kind::Bad;
  const Way way = bad ? Way::Quit : way_of(request);
  const bool listens = is_on_hub();
  if (listens) {
    if (const auto step = on_hub(in, request, way)) return *step;
  } else if (wants_hub(request, way)) {
    return listen(in, request);
  }
  if (is_own(request, way)) {
    // What weir says itself comes behind all that the client is owed.
    return is_settled() ? by_weir(request, way) : over(Next::NeedServer);
  }
  if (is_login(request, way)) {
    if (!is_settled()) return over(Next::Later);
    if (!listens && !client_.listens()) return over(Next::Login);
    take(request);  // where it listens others are of its user
    return say(std::string(kRefusal));
  }
  const Batch transaction = way == Way::Multi && client_.shares ? whole_transaction(in) : Batch{};
  if (transaction.commands == 0 && needs_lease(request, way)) {
    client_.indifferent = way == Way::Lease;
    return over(Next::NeedServer);
  }
  Batch batch = transaction.commands > 0 ? transaction : Batch{request.bytes, 1};
  if (way == Way::Heavy || sink_.prefers_heavy) batch.lane = LaneKind::Heavy;
  // Where it listens, answers and what it is told keep the server's order.
  if (listens) batch.lane = LaneKind::Hub;
  if (mode_ == Mode::Lane && transaction.commands == 0)
    batch.entry = way == Way::Unpause ? unpause() : counted_entry(*server_, request);
  if (sink_.repeatable) sink_.repeatable = transaction.commands == 0 && only_reads(request);
  return down_the_lane(in, batch);
}

// A client changes lanes when nothing is due on the one that it has.
ClientSide::Step ClientSide::down_the_lane(Bytes in, const Batch& batch) {
  const bool settled = is_settled();
  const bool stays =
      sink_.lane == LaneKind::Heavy || (sink_.lane == LaneKind::Hub && client_.resp == 3);
  const bool fits = mode_ == Mode::Lane && (sink_.lane == batch.lane || (stays && !settled));
  if (!fits && !settled) return over(Next::Later);
  if (!fits) {
    sink_.needs = batch.lane;
    return over(Next::NeedLane);
  }
  if (sink_.turns_max == 0 || (!settled && sink_.turns + batch.commands > sink_.turns_max))
    return over(Next::Later);
  Entry entry = batch.entry;
  entry.owner = sink_.owner;
  for (uint32_t i = 0; i < batch.commands; ++i) {
    entry.silent = silent();
    server_->ledger.push(entry);
  }
  if (!pauses_) server_->unguarded = server_->ledger.pushed();
  sink_.to_server.add(in.substr(0, batch.bytes));
  sink_.turns += batch.commands;
  used_ += batch.bytes;
  return {};
}

// Nobody owes the client anything.
ClientSide::Step ClientSide::by_weir(const Request& request, Way way) {
  if (request.kind == Request::Kind::Bad) return fail(request.error);
  switch (way) {
    case Way::Attack: sink_.error = {base::ErrorKind::Protocol, "", ""}; return over(Next::Fail);
    case Way::Quit:
      used_ += request.bytes;
      say("+OK\r\n");
      return over(Next::Leave);
    case Way::Reset:
      take(request);
      if (request.count != 1) return say("-ERR wrong number of arguments for 'reset' command\r\n");
      redis::reset(client_);
      return say("+RESET\r\n");
    case Way::Client: {
      if (request.kind != Request::Kind::Whole) break;
      if (client_word(request) == ClientWord::Roll) return call_roll(request);
      const std::string answer = answer_client(client_, request);
      take(request);
      return say(answer);
    }
    default: break;
  }
  take(request);
  return say(std::string(kRefusal));
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
    const Way way = request.kind == Request::Kind::Whole ? way_of(request) : Way::Lane;
    if (way == Way::Quit || way == Way::Attack || way == Way::Reset) break;
    if (large) {
      client.stream.begin(request.count);
      client.stream.dropped = true;
    } else if (request.kind != Request::Kind::Whole && request.kind != Request::Kind::Nothing) {
      break;
    }
    used += large ? request.head_bytes : request.bytes;
    if (request.kind == Request::Kind::Nothing) continue;
    client.proven = false;
    client.permit = Permit::Unasked;
    client.denial.clear();
    if (wants_answer(client)) sink.to_client.add_copy(answer);
  }
  return used;
}

}  // namespace weir::redis
