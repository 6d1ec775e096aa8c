#include "command.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

namespace weir::engine::console {

using pgserver::Failure;
using pgserver::Lexed;
using pgserver::TokenKind;
using pgserver::TokenRange;

const HelpLine kHelp[] = {
    {"SHOW POOLS", "clients and servers of each pool"},
    {"SHOW CLIENTS", "each client"},
    {"SHOW SERVERS", "each server connection"},
    {"SHOW DATABASES", "what clients can reach, and its limits"},
    {"SHOW STATS", "what each database has done: totals and averages"},
    {"SHOW STATS_TOTALS", "the totals alone"},
    {"SHOW STATS_AVERAGES", "the averages alone"},
    {"SHOW USERS", "users and their limits"},
    {"SHOW LISTS", "how many there are of what"},
    {"SHOW DNS_HOSTS", "names of servers' hosts that are in use"},
    {"SHOW CONFIG", "the options in force"},
    {"SHOW STATE", "whether weir takes clients, is paused, drains"},
    {"SHOW VERSION", "which weir this is"},
    {"SHOW HELP", "this list"},
    {"RELOAD", "read the configuration again"},
    {"PAUSE [database]", "let clients wait; done when no server is in use any more"},
    {"RESUME [database]", "let clients go on"},
    {"RECONNECT [database]", "replace the server connections, each when it is free"},
    {"KILL_CLIENT id", "end the client with this id of SHOW CLIENTS"},
    {"SHUTDOWN", "end weir at once"},
    {"SHUTDOWN WAIT_FOR_CLIENTS", "end weir when its clients hold no server any more"},
};
const size_t kHelpLines = std::size(kHelp);

namespace {

struct ShowWord {
  std::string_view word;
  Show show;
};
constexpr ShowWord kShows[] = {
    {"pools", Show::Pools},
    {"clients", Show::Clients},
    {"servers", Show::Servers},
    {"databases", Show::Databases},
    {"stats", Show::Stats},
    {"stats_totals", Show::StatsTotals},
    {"stats_averages", Show::StatsAverages},
    {"users", Show::Users},
    {"lists", Show::Lists},
    {"dns_hosts", Show::DnsHosts},
    {"config", Show::Config},
    {"state", Show::State},
    {"version", Show::Version},
    {"help", Show::Help},
};

struct ActWord {
  std::string_view word;
  AdminVerb verb;
  bool takes_database;
};
constexpr ActWord kActs[] = {
    {"reload", AdminVerb::Reload, false},          {"pause", AdminVerb::Pause, true},
    {"resume", AdminVerb::Resume, true},           {"reconnect", AdminVerb::Reconnect, true},
    {"kill_client", AdminVerb::KillClient, false}, {"shutdown", AdminVerb::ShutDown, false},
};

std::string upper_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

Failure unknown(std::string message, size_t at) {
  return {"42601", std::move(message), {}, "SHOW HELP lists the commands.", at};
}

// Walks over the tokens of one command.
class Parser {
 public:
  Parser(const Lexed& lexed, TokenRange range) : lexed_(lexed), i_(range.first), end_(range.last) {}

  Command run() {
    if (take("select")) return Select{};
    if (take("show")) return show();
    for (const ActWord& act : kActs)
      if (take(act.word)) return action(act);
    return wrong("unknown command");
  }

  // What follows SHOW, if it is one word that the console knows.
  std::optional<Show> shown() {
    if (!take("show")) return {};
    for (const ShowWord& show : kShows)
      if (take(show.word) && at_end()) return show.show;
    return {};
  }

 private:
  bool at_end() const { return i_ >= end_; }
  bool take(std::string_view word) {
    if (at_end() || !pgserver::is_word(lexed_, i_, word)) return false;
    ++i_;
    return true;
  }
  Failure wrong(std::string_view what) const {
    if (at_end()) return unknown("syntax error at end of input", lexed_.text.size());
    return unknown(std::string(what) + " at or near \"" + std::string(lexed_.view(i_)) + "\"",
                   lexed_.tokens[i_].begin);
  }

  Command show() {
    --i_;
    const size_t begin = i_;
    if (const auto known = shown()) return *known;
    i_ = begin + 1;
    return wrong("there is nothing to show");
  }

  Command action(const ActWord& word) {
    Act act;
    act.command.verb = word.verb;
    act.tag = upper_case(word.word);
    if (word.takes_database && !at_end()) {
      const TokenKind kind = lexed_.tokens[i_].kind;
      if (kind != TokenKind::Word && kind != TokenKind::QuotedWord) return wrong("syntax error");
      act.command.database = pgserver::identifier_of(lexed_, i_++);
    }
    if (word.verb == AdminVerb::KillClient && !take_number(act.command.client))
      return wrong("syntax error");
    if (word.verb == AdminVerb::ShutDown && (take("wait_for_clients") || take("wait_for_servers")))
      act.command.verb = AdminVerb::ShutDownWaiting;
    if (!at_end()) return wrong("syntax error");
    return act;
  }

  // 12, '12' or c12, as SHOW CLIENTS has it in id and ptr.
  bool take_number(uint64_t& out) {
    if (at_end()) return false;
    std::string text(lexed_.view(i_));
    if (lexed_.tokens[i_].kind == TokenKind::String)
      text = pgserver::string_of(lexed_, i_).value_or("");
    if (text.starts_with('c')) text.erase(0, 1);
    const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return false;
    ++i_;
    return true;
  }

  const Lexed& lexed_;
  size_t i_;
  size_t end_;
};

}  // namespace

bool is_show(const Lexed& lexed, TokenRange range) {
  return Parser(lexed, range).shown().has_value();
}

Command parse_command(std::string_view text, AdminRole role) {
  const Lexed lexed = pgserver::lex(text);
  if (lexed.error) return unknown(lexed.error->message, lexed.error->at);
  const auto parts = pgserver::split_statements(lexed);
  if (parts.size() != 1) return unknown("one command at a time", std::string::npos);
  if (role == AdminRole::None) return Failure{"42501", "this user may not use the console"};
  Command command = Parser(lexed, parts[0]).run();
  if (const Act* act = std::get_if<Act>(&command); act && role != AdminRole::Admin)
    return Failure{"42501",
                   "only admin users may " + act->tag,
                   {},
                   "They are listed in admin.users of the configuration."};
  return command;
}

}  // namespace weir::engine::console
