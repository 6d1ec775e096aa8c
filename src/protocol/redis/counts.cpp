#include "counts.h"

#include <algorithm>

#include "audience.h"

namespace weir::redis {

namespace {

int64_t receivers(const ServerState& server, Bytes channel) {
  const int64_t coming = server.hub ? server.hub->coming_receivers(channel) : 0;
  // Either may have given up before a pattern that the other has counted.
  return std::max<int64_t>(server.audience->receivers(channel) + coming, 0);
}

int64_t shard_receivers(const ServerState& server, Bytes channel) {
  constexpr Hub::Kind kShard = Hub::Kind::Shard;
  const int64_t coming = server.hub ? server.hub->coming(kShard, channel) : 0;
  return server.audience->listeners(kShard, channel) + coming;
}

// Cuts a line of this type from the front; nothing: there is none.
Bytes cut_line(Bytes& from, char type) {
  const size_t end = from.find("\r\n");
  if (end == Bytes::npos || from[0] != type) return {};
  const Bytes line = from.substr(1, end - 1);
  from.remove_prefix(end + 2);
  return line;
}

void append_number(std::string& out, int64_t number) {
  out.append(":").append(std::to_string(number)).append("\r\n");
}

std::string add_to(Bytes answer, int64_t more) {
  std::string out;
  int64_t number = 0;
  if (read_number(cut_line(answer, ':'), number)) append_number(out, number + more);
  return out;
}

// *4 $1 a :1 $1 b :0
std::string add_to_each(const Audience& audience, Hub::Kind kind, Bytes answer) {
  std::string out;
  int64_t elements = 0;
  Bytes rest = answer;
  if (!read_number(cut_line(rest, '*'), elements) || elements % 2 != 0) return {};
  out.append(answer.substr(0, answer.size() - rest.size()));
  for (; elements > 0; elements -= 2) {
    int64_t bytes = 0, number = 0;
    if (!read_number(cut_line(rest, '$'), bytes) || bytes < 0) return {};
    const auto size = static_cast<size_t>(bytes);
    if (rest.size() < size + 2) return {};
    const Bytes name = rest.substr(0, size);
    rest.remove_prefix(size + 2);
    if (!read_number(cut_line(rest, ':'), number)) return {};
    append_bulk(out, name);
    append_number(out, number + audience.listeners(kind, name));
  }
  return out;
}

}  // namespace

Entry counted_entry(const ServerState& server, const Request& request) {
  const Bytes name = request.argument(0), first = request.argument(1);
  if (name.size() < 6 || name.size() > 8 || request.known < 2 || !server.audience) return {};
  if (server.audience->is_empty() && !server.hub) return {};
  int64_t more = 0;
  if (equal_ignoring_case(name, "publish")) {
    more = receivers(server, first);
  } else if (equal_ignoring_case(name, "spublish")) {
    more = shard_receivers(server, first);
  } else if (equal_ignoring_case(name, "pubsub") && request.kind == Request::Kind::Whole) {
    if (equal_ignoring_case(first, "numsub")) return {.kind = Entry::Kind::Numsub};
    if (equal_ignoring_case(first, "shardnumsub")) return {.kind = Entry::Kind::ShardNumsub};
  }
  return more == 0 ? Entry{} : Entry{.kind = Entry::Kind::Published, .value = more};
}

std::string recounted(const ServerState& server, Bytes answer) {
  const Entry& entry = server.ledger.front();
  switch (entry.kind) {
    case Entry::Kind::Published: return add_to(answer, entry.value);
    case Entry::Kind::Numsub:
    case Entry::Kind::ShardNumsub: break;
    default: return {};
  }
  const bool shards = entry.kind == Entry::Kind::ShardNumsub;
  if (!server.audience || server.audience->is_empty()) return {};
  return add_to_each(*server.audience, shards ? Hub::Kind::Shard : Hub::Kind::Channel, answer);
}

}  // namespace weir::redis
