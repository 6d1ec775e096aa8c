// What the console understands: one statement's text as a value. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include <weir/engine/console.h>
#include <weir/pgserver/executor.h>

namespace weir::engine::console {

enum class Show : uint8_t {
  Pools,
  Clients,
  Servers,
  Databases,
  Stats,
  StatsTotals,
  StatsAverages,
  Users,
  Lists,
  DnsHosts,
  Config,
  State,
  Version,
  Help,
};

struct Select {};  // the text itself says what

struct Act {
  AdminCommand command;
  std::string tag;
};

using Command = std::variant<pgserver::Failure, Show, Select, Act>;

Command parse_command(std::string_view text, AdminRole role);

// SHOW with one of the words above, in `range`.
bool is_show(const pgserver::Lexed& lexed, pgserver::TokenRange range);

struct HelpLine {
  std::string_view command;
  std::string_view meaning;
};
extern const HelpLine kHelp[];
extern const size_t kHelpLines;

}  // namespace weir::engine::console
