#include "roll.h"

#include <algorithm>
#include <array>

#include "own_answers.h"

namespace weir::redis {

namespace {

using protocol::Neighbour;
using protocol::Roll;

std::string error(std::string_view text) {
  std::string out;
  append_error_line(out, text);
  return out;
}

std::string number(size_t value) { return ":" + std::to_string(value) + "\r\n"; }

std::string flags_of(const ClientState& client, const ServerState* server) {
  std::string out;
  if (server) {
    if (server->raw) out += 'S';
    if (server->monitor) out += 'O';
  }
  if (client.listens() || (server && server->subscriptions.all() > 0)) out += 'P';
  if (server) {
    if (server->multi) out += 'x';
    if (server->ledger.has(Entry::Kind::Block)) out += 'b';
    if (server->tracking) out += 't';
  }
  if (client.no_evict) out += 'e';
  if (client.no_touch) out += 'T';
  return out.empty() ? "N" : out;
}

const Neighbour* find(const Roll& roll, int64_t id) {
  const auto found = std::find_if(roll.begin(), roll.end(), [id](const Neighbour& each) {
    return static_cast<int64_t>(each.id) == id;
  });
  return found == roll.end() ? nullptr : &*found;
}

bool has_flag(const Neighbour& each, char flag) {
  constexpr std::string_view kKey = " flags=";
  const size_t at = each.description.find(kKey) + kKey.size();
  const std::string_view rest = std::string_view(each.description).substr(at);
  return rest.substr(0, rest.find(' ')).find(flag) != std::string_view::npos;
}

// In the words of CLIENT KILL TYPE and CLIENT LIST TYPE.
std::string_view type_of(const Neighbour& each) {
  if (has_flag(each, 'S')) return "replica";
  return has_flag(each, 'P') ? "pubsub" : "normal";
}

// Which clients a request is about. Everything that is not set holds for all.
struct Filter {
  std::vector<int64_t> ids;
  std::optional<std::string> type, user, address;
  bool no_local_address = false;  // an address of the server's machine is asked for
  bool skips_me = true;

  bool fits(const Neighbour& each) const {
    if (!ids.empty() &&
        std::find(ids.begin(), ids.end(), static_cast<int64_t>(each.id)) == ids.end())
      return false;
    if (user && each.user != *user) return false;
    if (address && each.peer != *address) return false;
    if (no_local_address) return false;
    return !type || *type == type_of(each);
  }
};

std::string lower(Bytes text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return out;
}

bool read_type(Bytes text, Filter& filter) {
  constexpr std::array<std::string_view, 4> kTypes = {"normal", "master", "replica", "pubsub"};
  filter.type = lower(text);
  if (*filter.type == "slave") filter.type = "replica";
  return std::find(kTypes.begin(), kTypes.end(), *filter.type) != kTypes.end();
}

std::string unknown_type(Bytes type) {
  return error("ERR Unknown client type '" + std::string(type) + "'");
}

std::vector<Bytes> arguments_of(const Request& request) {
  std::vector<Bytes> out;
  any_argument(request, [&out](Bytes argument) {
    out.push_back(argument);
    return false;
  });
  return out;
}

// LIST [TYPE type] [ID id ...]. Empty: `filter` is filled.
std::string read_list(const std::vector<Bytes>& arguments, Filter& filter) {
  if (arguments.size() == 2) return {};
  if (arguments.size() == 4 && equal_ignoring_case(arguments[2], "type"))
    return read_type(arguments[3], filter) ? std::string() : unknown_type(arguments[3]);
  if (arguments.size() < 4 || !equal_ignoring_case(arguments[2], "id"))
    return error("ERR syntax error");
  for (size_t i = 3; i < arguments.size(); ++i) {
    int64_t id = 0;
    if (!read_number(arguments[i], id)) return error("ERR Invalid client ID");
    filter.ids.push_back(id);
  }
  return {};
}

// One of the pairs of CLIENT KILL. Empty: `filter` has it.
std::string read_condition(Bytes name, Bytes value, Filter& filter) {
  if (equal_ignoring_case(name, "id")) {
    int64_t id = 0;
    if (!read_number(value, id) || id < 1) return error("ERR client-id should be greater than 0");
    filter.ids = {id};
  } else if (equal_ignoring_case(name, "type")) {
    if (!read_type(value, filter)) return unknown_type(value);
  } else if (equal_ignoring_case(name, "addr")) {
    filter.address = value;
  } else if (equal_ignoring_case(name, "laddr")) {
    filter.no_local_address = true;
  } else if (equal_ignoring_case(name, "user")) {
    filter.user = value;
  } else if (equal_ignoring_case(name, "skipme")) {
    filter.skips_me = equal_ignoring_case(value, "yes");
    if (!filter.skips_me && !equal_ignoring_case(value, "no")) return error("ERR syntax error");
  } else {
    return error("ERR syntax error");
  }
  return {};
}

Call list(const Roll& roll, const Request& request, int resp) {
  Filter filter;
  if (std::string wrong = read_list(arguments_of(request), filter); !wrong.empty())
    return {.answer = std::move(wrong)};
  std::string text;
  for (const Neighbour& each : roll)
    if (filter.fits(each)) text.append(each.description).append("\n");
  Call call;
  append_text(call.answer, text, resp);
  return call;
}

Call kill(const ClientState& client, const Roll& roll, const Request& request) {
  const std::vector<Bytes> arguments = arguments_of(request);
  Filter filter;
  const bool old = arguments.size() == 3;
  if (old) {
    filter.address = arguments[2];
    filter.skips_me = false;
  } else if (arguments.size() % 2 != 0) {
    return {.answer = error("ERR syntax error")};
  }
  for (size_t i = 2; !old && i < arguments.size(); i += 2) {
    std::string wrong = read_condition(arguments[i], arguments[i + 1], filter);
    if (!wrong.empty()) return {.answer = std::move(wrong)};
  }
  Call call;
  for (const Neighbour& each : roll)
    if (filter.fits(each) && !(filter.skips_me && each.id == client.id))
      call.ends.push_back(each.id);
  if (call.ends.empty() && filter.user) {
    // The server knows whether there is such a user; at this address there is nobody.
    append_command(call.command, {"CLIENT", "KILL", "ADDR", "0.0.0.0:0", "USER", *filter.user});
    return call;
  }
  call.answer = number(call.ends.size());
  if (old) call.answer = call.ends.empty() ? error("ERR No such client") : "+OK\r\n";
  return call;
}

Call unblock(const Roll& roll, const Request& request) {
  const Bytes reason = request.argument(3);
  int64_t id = 0;
  if (request.count == 4 && !equal_ignoring_case(reason, "timeout") &&
      !equal_ignoring_case(reason, "error"))
    return {.answer = error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")};
  if (!read_number(request.argument(2), id))
    return {.answer = error("ERR value is not an integer or out of range")};
  const Neighbour* found = find(roll, id);
  if (!found || found->remote_id == 0 || !has_flag(*found, 'b')) return {.answer = ":0\r\n"};
  Call call;
  append_command(call.command, {"CLIENT", "UNBLOCK", std::to_string(found->remote_id),
                                request.count == 4 ? reason : Bytes("TIMEOUT")});
  return call;
}

// CLIENT TRACKING ON REDIRECT id ...: a server knows it by another number.
Call track(const Roll& roll, const Request& request) {
  const std::vector<Bytes> arguments = arguments_of(request);
  Call call;
  call.command = "*" + std::to_string(arguments.size()) + "\r\n";
  bool follows = false;
  for (const Bytes argument : arguments) {
    int64_t id = 0;
    const bool is_id = std::exchange(follows, equal_ignoring_case(argument, "redirect")) &&
                       read_number(argument, id) && id != 0;
    const Neighbour* target = is_id ? find(roll, id) : nullptr;
    if (is_id && (!target || target->remote_id == 0 || !target->listens))
      return {.answer = error("ERR The client ID you want redirect to does not exist")};
    append_bulk(call.command, is_id ? std::to_string(target->remote_id) : std::string(argument));
    if (is_id) call.redirect = id;
  }
  return call;
}

}  // namespace

std::string describe(const ClientState& client, const ServerState* server,
                     const protocol::Neighbour& self) {
  Subscriptions has{client.hub.channels, client.hub.patterns, client.hub.shards};
  if (server) {
    has.channels += server->subscriptions.channels;
    has.patterns += server->subscriptions.patterns;
    has.shards += server->subscriptions.shards;
  }
  const int64_t database = server ? server->database : std::max<int64_t>(client.database, 0);
  const auto field = [](std::string_view name, const std::string& value) {
    return std::string(name).append("=").append(value).append(" ");
  };
  return field("id", std::to_string(self.id)) + field("addr", self.peer) + "laddr=?:0 fd=0 " +
         field("name", client.name) + field("age", std::to_string(self.age_s)) +
         field("idle", std::to_string(self.idle_s)) + field("flags", flags_of(client, server)) +
         field("db", std::to_string(database)) + field("sub", std::to_string(has.channels)) +
         field("psub", std::to_string(has.patterns)) + field("ssub", std::to_string(has.shards)) +
         (server && server->multi ? "multi=0 " : "multi=-1 ") +
         field("qbuf", std::to_string(client.asks_bytes)) +
         "qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 "
         "events=r " +
         field("cmd", client.asks) + field("user", self.user) +
         field("redir", std::to_string(server && server->tracking ? server->redirect : -1)) +
         "resp=" + std::to_string(client.resp);
}

Call answer_roll(const ClientState& client, const Roll& roll, const Request& request) {
  const Bytes word = request.argument(1);
  if (equal_ignoring_case(word, "list")) return list(roll, request, client.resp);
  if (equal_ignoring_case(word, "kill")) return kill(client, roll, request);
  if (equal_ignoring_case(word, "unblock")) return unblock(roll, request);
  if (equal_ignoring_case(word, "tracking")) return track(roll, request);
  Call call;
  const Neighbour* self = find(roll, static_cast<int64_t>(client.id));
  append_text(call.answer, self ? self->description + "\n" : std::string(), client.resp);
  return call;
}

}  // namespace weir::redis
