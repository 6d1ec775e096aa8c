#include "commands.h"

#include <array>
#include <string_view>

#include "command_table.h"

namespace weir::redis {

namespace {

struct Row {
  std::string_view name;
  Way way;
  std::string_view subcommand = {};  // "*": any that has no row of its own, or none
};

// From `COMMAND` of Redis 7.0.15 (240 commands, 352 with their subcommands), classified by flags
// and categories: the rows of all classes but "multiplexable" and "needs db affinity", which are
// lanes. For a container of which only some subcommands are listed the rest is as "*" says. In the
// order of their first letters.
//   awk -F, '$2 !~ /multiplexable|affinity/ {print $1, $2}' redis-command-classes.csv
// Added: those that are heavy; XREAD and XREADGROUP, which may block; HOST: and POST, which are no
// commands; WAITAOF of Redis 7.2; and what COMMAND says more of than is true: COMMAND itself, ECHO
// and PING belong to the category @connection, and leave nothing on it.
constexpr auto kRows = std::to_array<Row>({
    {"asking", Way::Unknown},
    {"auth", Way::Auth},
    {"blmove", Way::Block},
    {"blmpop", Way::Block},
    {"blpop", Way::Block},
    {"brpop", Way::Block},
    {"brpoplpush", Way::Block},
    {"bzmpop", Way::Block},
    {"bzpopmax", Way::Block},
    {"bzpopmin", Way::Block},
    {"client", Way::Lane, "help"},
    {"client", Way::Pause, "pause"},
    {"client", Way::Unpause, "unpause"},
    {"client", Way::Client, "*"},
    {"command", Way::Lane, "*"},
    {"debug", Way::Block},
    {"discard", Way::Discard},
    {"echo", Way::Lane},
    {"eval", Way::Heavy},
    {"eval_ro", Way::Heavy},
    {"evalsha", Way::Heavy},
    {"evalsha_ro", Way::Heavy},
    {"exec", Way::Exec},
    {"fcall", Way::Heavy},
    {"fcall_ro", Way::Heavy},
    {"function", Way::Lease, "kill"},
    {"hello", Way::Hello},
    {"host:", Way::Attack},
    {"keys", Way::Heavy},
    {"monitor", Way::Monitor},
    {"multi", Way::Multi},
    {"ping", Way::Lane},
    {"post", Way::Attack},
    {"psubscribe", Way::Subscribe},
    {"psync", Way::Sync},
    {"punsubscribe", Way::Subscribe},
    {"quit", Way::Quit},
    {"readonly", Way::Unknown},
    {"readwrite", Way::Unknown},
    {"replconf", Way::Replica},
    {"reset", Way::Reset},
    {"save", Way::Heavy},
    {"script", Way::Refuse, "debug"},
    {"script", Way::Lease, "kill"},
    {"select", Way::Select},
    {"shutdown", Way::Block},
    {"sort", Way::Heavy},
    {"sort_ro", Way::Heavy},
    {"ssubscribe", Way::Subscribe},
    {"subscribe", Way::Subscribe},
    {"sunsubscribe", Way::Subscribe},
    {"sync", Way::Sync},
    {"unsubscribe", Way::Subscribe},
    {"unwatch", Way::Unwatch},
    {"wait", Way::Wait},
    {"waitaof", Way::Wait},
    {"watch", Way::Watch},
    {"xread", Way::Read},
    {"xreadgroup", Way::Read},
});

// Where the rows of each letter begin, and behind them where those of the next one do.
constexpr auto kFirst = [] {
  std::array<uint8_t, 27> first{};
  for (size_t letter = 0, row = 0; letter < first.size(); ++letter) {
    while (row < kRows.size() && static_cast<size_t>(kRows[row].name[0] - 'a') < letter) ++row;
    first[letter] = static_cast<uint8_t>(row);
  }
  return first;
}();

const Row* find(Bytes name, Bytes subcommand) {
  if (name.empty()) return nullptr;
  const auto letter = static_cast<unsigned char>((name[0] | 0x20) - 'a');
  if (letter >= 26) return nullptr;
  for (size_t i = kFirst[letter]; i < kFirst[letter + 1U]; ++i) {
    const Row& row = kRows[i];
    if (row.name.size() != name.size() || !equal_ignoring_case(name, row.name)) continue;
    if (row.subcommand.empty() || row.subcommand == "*" ||
        equal_ignoring_case(subcommand, row.subcommand))
      return &row;
  }
  return nullptr;
}

}  // namespace

Way way_of_name(Bytes name, Bytes subcommand) {
  const Row* row = find(name, subcommand);
  return row ? row->way : Way::Lane;
}

bool is_listed(Bytes name, Bytes subcommand) { return find(name, subcommand) != nullptr; }

const char* must_be_seen(Way way) {
  switch (way) {
    case Way::Lane:
    case Way::Heavy:
    case Way::Alone:
    case Way::Block:
    case Way::Unknown:
    case Way::Pinned:
    case Way::Read: return nullptr;
    case Way::Multi:
    case Way::Exec:
    case Way::Discard:
    case Way::Watch:
    case Way::Unwatch: return "weir follows transactions";
    case Way::Hello:
    case Way::Auth:
    case Way::Select:
    case Way::Reset: return "weir carries what it changes to the client's next connection";
    case Way::Subscribe:
    case Way::Monitor: return "weir follows what is pushed to the client";
    case Way::Wait: return "weir gives it something to wait for";
    case Way::Lease: return "it has to get past what it ends";
    case Way::Replica:
    case Way::Sync: return "it makes a replica of the client";
    case Way::Refuse: return "weir refuses it";
    case Way::Pause:
    case Way::Unpause: return "weir follows who is paused";
    case Way::Client:
    case Way::Quit:
    case Way::Attack: return "weir answers it";
  }
  return nullptr;
}

std::vector<std::pair<std::string, std::string>> commands_to_be_seen() {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Row& row : kRows) {
    const char* why = must_be_seen(row.way);
    if (!why) continue;
    std::string name(row.name);
    if (!row.subcommand.empty() && row.subcommand != "*") name += '|' + std::string(row.subcommand);
    out.emplace_back(std::move(name), why);
  }
  return out;
}

Way way_of(const Request& request, const CommandTable* table) {
  const Bytes name = request.argument(0), subcommand = request.argument(1);
  Way way = way_of_name(name, subcommand);
  if (table) way = table->way(name, subcommand, way);
  if (way != Way::Read) return way;
  // A key may be called BLOCK, a group STREAMS; the keys stand behind STREAMS.
  bool blocks = false;
  int names = 0;  // to come: of the group and the consumer
  any_argument(request, [&](Bytes argument) {
    if (names > 0) return --names, false;
    if (equal_ignoring_case(argument, "group")) return names = 2, false;
    blocks = equal_ignoring_case(argument, "block");
    return blocks || equal_ignoring_case(argument, "streams");
  });
  return blocks ? Way::Block : Way::Lane;
}

}  // namespace weir::redis
