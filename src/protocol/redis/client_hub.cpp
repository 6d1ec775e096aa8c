// A client's commands on the server that it listens to together with others.
#include <algorithm>
#include <array>

#include "link.h"

namespace weir::redis {

namespace {

constexpr Bytes kPing = "*1\r\n$4\r\nPING\r\n";
constexpr Bytes kReset = "*1\r\n$5\r\nRESET\r\n";
// Where a server tells of keys that have changed, to who has asked for it on another connection.
constexpr Bytes kInvalidations = "__redis__:invalidate";
constexpr std::string_view kTooMany = "-ERR weir: too many subscriptions on one connection\r\n";
constexpr size_t kUnansweredMax = 64;  // changes of one client
constexpr size_t kStakesMax = 65'536;  // of one client
constexpr size_t kStakeBytesMax = 8 << 20;

// Commands that a server names with their subcommand (7.0).
constexpr auto kContainers = std::to_array<std::string_view>(
    {"acl", "client", "cluster", "command", "config", "function", "latency", "memory", "module",
     "object", "pubsub", "script", "slowlog", "xgroup", "xinfo"});

std::string full_name(const Request& request) {
  constexpr size_t kNameBytesMax = 128;
  const auto lower = [](Bytes text) {
    std::string out(text.substr(0, kNameBytesMax));
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    return out;
  };
  std::string name = lower(request.argument(0));
  const bool contains =
      std::find(kContainers.begin(), kContainers.end(), name) != kContainers.end();
  return contains && request.count > 1 ? name + "|" + lower(request.argument(1)) : name;
}

}  // namespace

bool ClientSide::is_on_hub() const {
  return mode_ == Mode::Lane && server_->hub && server_->hub->knows(sink_.owner);
}

// Others can redirect their invalidations only to a connection that is the client's own.
bool ClientSide::wants_hub(const Request& request, Way way) const {
  if (way != Way::Subscribe || !sink_.has_hub || !client_.shares) return false;
  if (request.kind != Request::Kind::Whole || request.count == 1) return false;
  if (client_.answers != Answers::On || !read_subscription(request.argument(0)).begins)
    return false;
  return !any_argument(request, [](Bytes argument) { return argument == kInvalidations; });
}

std::optional<ClientSide::Step> ClientSide::on_hub(Bytes in, const Request& request, Way way) {
  const auto& changes = server_->hub->listener(sink_.owner)->changes;
  const bool leaves = !changes.empty() && changes.back().what == Hub::Change::What::Reset;
  if (leaves) return over(Next::Later);
  if (way == Way::Subscribe) return listen(in, request);
  if (way == Way::Reset && request.count == 1) {
    if (sink_.turns_max == 0) return over(Next::Later);
    take(request);
    return change_hub({.what = Hub::Change::What::Reset, .names = {}});
  }
  if (client_.resp == 2) return is_settled() ? only_listens(request, way) : over(Next::Later);
  if (client_.is_elsewhere() && !is_own(request, way)) return over(Next::NeedServer);
  return std::nullopt;
}

// What a server says to a subscriber with RESP2 (processCommand() in Redis' server.c), for whom
// PING has another answer as well.
std::optional<ClientSide::Step> ClientSide::only_listens(const Request& request, Way way) {
  if (way == Way::Quit || way == Way::Attack || way == Way::Reset) return std::nullopt;
  std::string answer;
  const std::string name = full_name(request);
  if (name != "ping") {
    // rejectCommand(): what ends a transaction says that there is none any more.
    append_error_line(answer,
                      (name == "exec" ? "EXECABORT Transaction discarded because of: " : "ERR ") +
                          ("Can't execute '" + name) +
                          "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
                          "are allowed in this context");
  } else if (request.count > 2) {
    append_error_line(answer, "ERR wrong number of arguments for 'ping' command");
  } else if (request.kind != Request::Kind::Whole) {
    answer = kRefusal;
  } else {
    answer = "*2\r\n$4\r\npong\r\n";
    append_bulk(answer, request.argument(1));
  }
  take(request);
  return say(answer);
}

// Any of the six. What begins something goes as it is: the server confirms each name, or refuses
// all of them.
ClientSide::Step ClientSide::listen(Bytes in, const Request& request) {
  const bool settled = is_settled();
  if (mode_ != Mode::Lane || sink_.lane != LaneKind::Hub) {
    sink_.needs = LaneKind::Hub;
    return over(settled ? Next::NeedLane : Next::Later);
  }
  if (!server_->hub) server_->hub = std::make_unique<Hub>(server_->audience);
  const Hub::Listener* me = server_->hub->listener(sink_.owner);
  const Subscription what = read_subscription(request.argument(0));
  const bool whole = request.kind == Request::Kind::Whole;
  const bool names_none = what.begins && request.count == 1;
  const bool too_many = what.begins && me && whole &&
                        (me->stakes.size() + static_cast<size_t>(request.count) > kStakesMax ||
                         me->bytes + request.bytes > kStakeBytesMax);
  if (names_none || too_many || !whole) {
    if (!settled) return over(Next::Later);
    std::string answer(too_many ? kTooMany : kRefusal);
    if (names_none)
      answer = "-ERR wrong number of arguments for '" + full_name(request) + "' command\r\n";
    take(request);
    return say(answer);
  }
  if (sink_.turns_max == 0 || (!settled && sink_.turns + 1 > sink_.turns_max) ||
      (me && me->changes.size() >= kUnansweredMax))
    return over(Next::Later);
  Hub::Change change{.kind = what.kind, .names = {}};
  if (!what.begins) change.what = Hub::Change::What::Ends;
  size_t argument = 0;
  any_argument(request, [&](Bytes name) {
    if (argument++ > 0) change.names.emplace_back(name);
    return false;
  });
  silent();  // Redis confirms subscriptions whatever CLIENT REPLY says; but SKIP is used up
  client_.hub_database = static_cast<int32_t>(database_of(server_->flavour()));
  used_ += request.bytes;
  if (what.begins) sink_.to_server.add(in.substr(0, request.bytes));
  return change_hub(std::move(change));
}

ClientSide::Step ClientSide::change_hub(Hub::Change change) {
  sink_.repeatable = false;
  const bool begins = change.what == Hub::Change::What::Begins;
  const auto names = static_cast<int64_t>(change.names.size());
  std::string ask;
  const uint32_t nobodys = server_->hub->sent(sink_.owner, client_, std::move(change), ask);
  if (nobodys > 0)
    server_->ledger.push({.kind = Entry::Kind::Subscribe, .silent = true, .value = nobodys});
  if (begins) {
    server_->ledger.push({.owner = sink_.owner, .kind = Entry::Kind::Subscribe, .value = names});
  } else {
    server_->ledger.push({.owner = sink_.owner, .kind = Entry::Kind::Placeholder});
    ask += kPing;
  }
  sink_.to_server.add_copy(ask);
  ++sink_.turns;
  return {};
}

// ---------------------------------------------------------------- from a lease

// What belongs where the client listens, or wants to, waits for the end of the hold, if that comes
// by itself. It is not subscribed at two places.
std::optional<ClientSide::Step> ClientSide::back_to_hub(const Request& request, Way way) {
  const bool subscribes = way == Way::Subscribe && (client_.listens() || wants_hub(request, way));
  const bool resets = client_.listens() && way == Way::Reset && request.count == 1;
  const bool is_plain = request.kind == Request::Kind::Whole &&
                        (way == Way::Lane || way == Way::Heavy) && !may_be_held(request);
  const bool may_come = server_->ledger.has(Entry::Kind::Select);  // to where it listens
  const bool orders = client_.listens() &&
                      (client_.resp == 2 || (is_plain && (may_come || !client_.is_elsewhere())));
  if (!subscribes && !resets && !orders) return std::nullopt;
  if (!server_->multi_sent && !server_->answered()) return over(Next::Later);
  if (server_->at_rest()) return over(Next::Feed);
  if (resets) return reset_before_hub();
  if (subscribes && client_.listens()) return refuse_on_lease(request);
  return std::nullopt;
}

// The server that it holds is reset for it, and then it is taken off the hub.
ClientSide::Step ClientSide::reset_before_hub() {
  server_->reset_sent = true;
  server_->ledger.push({.kind = Entry::Kind::Reset, .silent = true});
  sink_.to_server.add(kReset);
  sink_.turn_began = true;
  return over(Next::Later);
}

}  // namespace weir::redis
