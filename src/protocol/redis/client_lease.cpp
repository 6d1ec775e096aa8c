// A client's commands on a server that it has to itself.
#include <weir/base/limits.h>

#include <climits>

#include "counts.h"
#include "link.h"

namespace weir::redis {

namespace {

// A command that every server refuses, and that fails a transaction which it is queued in.
constexpr Bytes kNonsense = "*1\r\n$0\r\n\r\n";
constexpr Bytes kProbe = "*2\r\n$6\r\nCLIENT\r\n$4\r\nINFO\r\n";
constexpr Bytes kKillNobody =
    "*4\r\n$6\r\nCLIENT\r\n$4\r\nKILL\r\n$4\r\nADDR\r\n$9\r\n0.0.0.0:0\r\n";
constexpr Bytes kListNobody = "*4\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n$2\r\nID\r\n$1\r\n0\r\n";
constexpr size_t kNameBytesMax = 128;  // that the server is told
constexpr Bytes kPing = "*1\r\n$4\r\nPING\r\n";

bool changes(Way way) {
  switch (way) {
    case Way::Wait:
    case Way::Hello:
    case Way::Auth:
    case Way::Subscribe:
    case Way::Monitor:
    case Way::Replica:
    case Way::Sync:
    case Way::Unknown:
    case Way::Pinned:
    case Way::Select:
    case Way::Client: return true;
    default: return false;
  }
}

// Redis does not answer these: nobody could say whose the next answer is.
bool is_unanswered(const Request& request) {
  return any_argument(request, [](Bytes argument) {
    return equal_ignoring_case(argument, "ack") || equal_ignoring_case(argument, "getack");
  });
}

}  // namespace

ClientSide::Step ClientSide::on_lease(Bytes in, const Request& request) {
  if (request.kind == Request::Kind::Bad)
    return server_->answered() ? fail(request.error) : over(Next::Later);
  const Way way = way_of(request);
  if (const auto step = back_to_hub(request, way)) return *step;
  client_.indifferent = way == Way::Lease && server_->at_rest();
  const bool fits = !server_->differs(client_.flavour());
  if (!fits && !client_.indifferent) return over(server_->at_rest() ? Next::Reattach : Next::Later);
  if (server_->ledger.entries() >= base::kLedgerEntriesMax) return over(Next::Later);
  // Whether what changes the connection is queued or done at once is not known before the answer.
  const bool uncertain = server_->multi_sent != server_->multi && !server_->answered();
  if (uncertain && changes(way)) return over(Next::Later);
  if (server_->only_subscribes()) return on_pinned(in, request, way);
  if (is_login(request, way) && !client_.listens() && !server_->pinned() && !server_->multi_sent)
    return over(server_->answered() ? Next::Login : Next::Later);
  switch (way) {
    case Way::Multi: return begin_transaction(in, request);
    case Way::Exec: return end_transaction(in, request, Entry::Kind::Exec);
    case Way::Discard: return end_transaction(in, request, Entry::Kind::Discard);
    case Way::Watch: return pass(in, request, {.kind = Entry::Kind::Watch});
    case Way::Unwatch: return pass(in, request, {.kind = Entry::Kind::Unwatch});
    case Way::Block: return pass(in, request, {.kind = Entry::Kind::Block});
    case Way::Wait: return wait(in, request);
    case Way::Pause: return pause(in, request);
    case Way::Unpause: return pass(in, request, server_->multi_sent ? Entry{} : unpause());
    case Way::Select: return select(in, request);
    case Way::Hello: return hello(in, request);
    case Way::Auth: return pass_changing(in, request, {.kind = Entry::Kind::Auth});
    case Way::Subscribe: return subscribe(in, request);
    case Way::Monitor:
      if (!server_->monitor && !server_->ledger.has(Entry::Kind::Monitor))
        return pass_changing(in, request, {.kind = Entry::Kind::Monitor});
      take(request);  // a second one has no answer either
      return {};
    case Way::Replica:
      if (is_unanswered(request)) return refuse_on_lease(request);
      return pass_changing(in, request, {.kind = Entry::Kind::Replica});
    case Way::Sync: return sync(in, request);
    case Way::Unknown: return pass_changing(in, request, {.kind = Entry::Kind::Unknown});
    case Way::Pinned: return pass_changing(in, request, {.kind = Entry::Kind::Pin});
    case Way::Client: return client_on_lease(in, request);
    case Way::Reset: return reset(in, request);
    case Way::Refuse: return refuse_on_lease(request);
    case Way::Quit:
    case Way::Attack: return server_->answered() ? by_weir(request, way) : over(Next::Later);
    default: return pass(in, request, plain(request));
  }
}

// CLIENT LIST and the slow log of the server tell whom it works for. Only in one flight with a
// command of the client's: it is no reason to have the server.
void ClientSide::name_server() {
  const bool fits = client_.name.size() <= kNameBytesMax;
  const std::string name = fits ? client_.name : std::string();
  if (!server_->at_rest() || client_.indifferent || !server_->takes_names || server_->name == name)
    return;
  server_->name = name;
  std::string text;
  append_command(text, {"CLIENT", "SETNAME", name});
  server_->ledger.push({.kind = Entry::Kind::Name, .silent = true});
  sink_.to_server.add_copy(text);
}

// With RESP2 and subscriptions: the server refuses what cannot be done then.
ClientSide::Step ClientSide::on_pinned(Bytes in, const Request& request, Way way) {
  switch (way) {
    case Way::Subscribe: return subscribe(in, request);
    case Way::Reset: return reset(in, request);
    case Way::Quit:
    case Way::Attack: return server_->answered() ? by_weir(request, way) : over(Next::Later);
    // The last subscription may be about to end.
    default: return server_->answered() ? pass(in, request, {}) : over(Next::Later);
  }
}

ClientSide::Step ClientSide::pass(Bytes in, const Request& request, Entry entry) {
  name_server();
  entry.silent = silent();
  server_->ledger.push(entry);
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

// It changes the connection, or will do so in EXEC.
ClientSide::Step ClientSide::pass_changing(Bytes in, const Request& request, Entry entry) {
  server_->queued_state = server_->queued_state || server_->multi_sent;
  return pass(in, request, entry);
}

// The client becomes a replica. In a transaction the server refuses.
ClientSide::Step ClientSide::sync(Bytes in, const Request& request) {
  if (server_->multi_sent) return pass(in, request, {});
  if (!server_->answered()) return over(Next::Later);
  server_->raw = true;
  sink_.to_server.add(in);
  used_ += in.size();
  return {};
}

ClientSide::Step ClientSide::begin_transaction(Bytes in, const Request& request) {
  if (request.count != 1) return pass(in, request, {});
  server_->multi_sent = true;
  return pass(in, request, {.kind = Entry::Kind::Multi});
}

// Behind a transaction that changes the connection weir asks how it stands.
ClientSide::Step ClientSide::end_transaction(Bytes in, const Request& request, Entry::Kind kind) {
  // A server refuses EXEC with arguments, and ends the transaction all the same (rejectCommand() in
  // Redis' server.c).
  if (kind == Entry::Kind::Discard && request.count != 1) return pass(in, request, {});
  const bool pauses = std::exchange(server_->queued_pause, false) && kind == Entry::Kind::Exec;
  if (pauses) server_->pause->asked();
  const Step step = pass(in, request, {.kind = kind, .value = pauses ? 1 : 0});
  server_->multi_sent = false;
  if (request.count != 1 || !std::exchange(server_->queued_state, false)) return step;
  server_->ledger.push({.kind = Entry::Kind::Probe, .silent = true});
  sink_.to_server.add(kProbe);
  return step;
}

ClientSide::Step ClientSide::select(Bytes in, const Request& request) {
  int64_t database = 0;
  const bool names_one = request.count == 2 && read_number(request.argument(1), database) &&
                         database >= 0 && database <= INT_MAX;
  if (!names_one) return pass(in, request, {});
  return pass_changing(in, request, {.kind = Entry::Kind::Select, .value = database});
}

// The name is weir's to keep, and so is who has let the client in.
ClientSide::Step ClientSide::hello(Bytes in, const Request& request) {
  const auto hello = read_hello(request);
  if (!hello) {
    // What stands before the option that a server refuses has been done (helloCommand() in Redis'
    // networking.c): another user, another name.
    if (request.count > 2) server_->unknown = true;
    return pass_changing(in, request, {});
  }
  const int64_t version = hello->version;
  if (server_->multi_sent) return pass_changing(in, request, {});
  if (!server_->answered()) return over(Next::Later);
  server_->hello_has_options = hello->has_options;
  const bool proven = std::exchange(client_.proven, false);
  if (hello->has_auth && !proven) {
    server_->hello_name = hello->name;
    return pass(in, request, {.kind = Entry::Kind::Auth, .value = version});
  }
  server_->hello_name = hello->name;
  if (!hello->has_options) return pass(in, request, {.kind = Entry::Kind::Hello, .value = version});
  server_->ledger.push({.kind = Entry::Kind::Hello, .silent = silent(), .value = version});
  sink_.turn_began = true;
  sink_.to_server.add_copy("HELLO " + std::to_string(version) + "\r\n");
  take(request);
  return {};
}

ClientSide::Step ClientSide::subscribe(Bytes in, const Request& request) {
  // What confirms it has to be kept whole.
  if (request.kind != Request::Kind::Whole) return refuse_on_lease(request);
  const bool ends = request.argument(0).size() > std::string_view("psubscribe").size();
  if (request.count == 1 && !ends) return pass(in, request, {});
  // The answer to EXEC counts the command once, however many confirmations it has: nobody could
  // say where it ends.
  if (server_->multi_sent && request.count != 2) return refuse_on_lease(request);
  if (request.count == 1)
    return pass_changing(in, request, {.kind = Entry::Kind::UnsubscribeAll, .value = -1});
  return pass_changing(in, request, {.kind = Entry::Kind::Subscribe, .value = request.count - 1});
}

// A server waits for what the connection's last command wrote: on this one there may be none yet.
ClientSide::Step ClientSide::wait(Bytes in, const Request& request) {
  if (server_->multi_sent) return pass(in, request, {});
  server_->ledger.push({.silent = true});
  sink_.to_server.add(kPing);
  return pass(in, request, {.kind = Entry::Kind::Block});
}

// Within a transaction it begins with EXEC.
ClientSide::Step ClientSide::pause(Bytes in, const Request& request) {
  if (!server_->pause) return pass(in, request, {});
  const bool is_first = !server_->may_pause();
  server_->pause->asked();
  pauses_ = true;
  server_->queued_pause = server_->multi_sent;
  if (server_->multi_sent) return pass(in, request, {});
  // Refused, it leaves things as they were.
  const int64_t undo = is_first ? server_->pause->moment() : 0;
  return pass(in, request, {.kind = Entry::Kind::Pause, .value = undo});
}

Entry ClientSide::unpause() const {
  if (!server_->pause) return {};
  return {.kind = Entry::Kind::Unpause, .value = server_->pause->moment()};
}

// Of a command that leaves nothing behind. When a write is answered, no pause holds it back.
Entry ClientSide::plain(const Request& request) const {
  if (server_->multi_sent) return {};
  if (pauses_ && effect_of(request) == Effect::Writes)
    return {.kind = Entry::Kind::Held, .value = server_->pause->moment()};
  return counted_entry(*server_, request);
}

ClientSide::Step ClientSide::reset(Bytes in, const Request& request) {
  if (request.count != 1) return pass(in, request, {});
  client_.answers = Answers::On;
  server_->reset_sent = true;
  return pass(in, request, {.kind = Entry::Kind::Reset});
}

ClientSide::Step ClientSide::client_on_lease(Bytes in, const Request& request) {
  const ClientWord word = client_word(request);
  if (request.kind != Request::Kind::Whole) return refuse_on_lease(request);
  if (server_->multi_sent) {
    // It would be carried out on weir's connections, or change what nobody sees.
    const bool lists = equal_ignoring_case(request.argument(1), "list");
    if (word == ClientWord::Reply || word == ClientWord::Unblock || word == ClientWord::TrackTo ||
        (word == ClientWord::Others && !lists))
      return refuse_on_lease(request);
    return pass_changing(in, request, {.kind = Entry::Kind::Unknown});
  }
  switch (word) {
    case ClientWord::Others: return about_others(request);
    case ClientWord::Roll:
    case ClientWord::Unblock:
    case ClientWord::TrackTo: return server_->answered() ? call_roll(request) : over(Next::Later);
    case ClientWord::Redirect: return pass(in, request, {.kind = Entry::Kind::Redirect});
    case ClientWord::Track: {
      const bool on = !equal_ignoring_case(request.argument(2), "off");
      server_->redirect = 0;
      return pass_changing(in, request, {.kind = Entry::Kind::Track, .value = on ? 1 : 2});
    }
    case ClientWord::Lease: return pass(in, request, {});
    case ClientWord::Unknown: return pass(in, request, {.kind = Entry::Kind::Unknown});
    default: return server_->answered() ? by_weir(request, Way::Client) : over(Next::Later);
  }
}

// The client's user may not be allowed to see or end others: the server is asked for nothing of the
// kind first.
ClientSide::Step ClientSide::about_others(const Request& request) {
  if (!server_->answered()) return over(Next::Later);
  switch (client_.permit) {
    case Permit::Granted: return call_roll(request);
    case Permit::Denied:
      client_.permit = Permit::Unasked;
      take(request);
      return say(std::exchange(client_.denial, {}));
    case Permit::Unasked: break;
  }
  const bool kills = equal_ignoring_case(request.argument(1), "kill");
  server_->ledger.push({.kind = Entry::Kind::Permit, .silent = true});
  sink_.to_server.add(kills ? kKillNobody : kListNobody);
  sink_.turn_began = true;
  return over(Next::Later);
}

// The server refuses nonsense in its place, so that a transaction fails with it.
ClientSide::Step ClientSide::refuse_on_lease(const Request& request) {
  server_->ledger.push({.kind = Entry::Kind::Refused, .silent = silent()});
  sink_.to_server.add(kNonsense);
  sink_.turn_began = true;
  take(request);
  return {};
}

}  // namespace weir::redis
