#include "text.h"

#include <algorithm>
#include <cctype>

#include "wire.h"

namespace weir::postgres {

namespace {

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
         (c & 0x80) != 0;
}

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// Skips white space and comments ("SQL Syntax", 4.1.5: comments with /* nest).
void skip_space(std::string_view& sql) {
  while (!sql.empty()) {
    if (std::isspace(static_cast<unsigned char>(sql[0])) != 0) {
      sql.remove_prefix(1);
    } else if (sql.starts_with("--")) {
      sql.remove_prefix(std::min(sql.find_first_of("\r\n"), sql.size()));
    } else if (sql.starts_with("/*")) {
      int depth = 0;
      do {
        if (sql.starts_with("/*")) {
          ++depth;
          sql.remove_prefix(2);
        } else if (sql.starts_with("*/")) {
          --depth;
          sql.remove_prefix(2);
        } else {
          sql.remove_prefix(1);
        }
      } while (depth > 0 && !sql.empty());
    } else {
      return;
    }
  }
}

// The next bare word in lower case, or a quoted identifier as it stands; empty when something
// else comes.
std::string take_word(std::string_view& sql) {
  skip_space(sql);
  std::string word;
  if (sql.starts_with('"')) {
    sql.remove_prefix(1);
    while (!sql.empty()) {
      const char c = sql[0];
      sql.remove_prefix(1);
      if (c == '"') {
        if (!sql.starts_with('"')) return word;
        sql.remove_prefix(1);
      }
      word.push_back(c);
    }
    return {};
  }
  while (!sql.empty() && is_word_character(sql[0])) {
    word.push_back(lower(sql[0]));
    sql.remove_prefix(1);
  }
  return word;
}

bool is_end(std::string_view rest) {
  return rest.find_first_not_of(" \t\r\n\f;") == std::string_view::npos;
}

// A text with a semicolon anywhere but at its end may hold several statements. What looks like a
// comment behind it may not be one: the semicolon may stand in a literal.
bool is_single(std::string_view sql) {
  const size_t semicolon = sql.find(';');
  return semicolon == std::string_view::npos || is_end(sql.substr(semicolon));
}

bool starts_with_word(std::string_view sql, std::string_view word) {
  if (sql.size() < word.size()) return false;
  for (size_t i = 0; i < word.size(); ++i)
    if ((sql[i] | 0x20) != word[i]) return false;
  return sql.size() == word.size() || !is_word_character(sql[word.size()]);
}

// One pass over every statement that is parsed, so it looks only at first letters. A literal that
// holds such a word costs a reset or a question too many, no more.
uint16_t words_within(std::string_view sql) {
  uint16_t traits = 0;
  char before = ' ';
  for (size_t i = 0; i < sql.size(); before = sql[i++]) {
    const char c = static_cast<char>(sql[i] | 0x20);
    if ((c != 'i' && c != 'c' && c != 'd' && c != 'h') || is_word_character(before)) continue;
    const std::string_view rest = sql.substr(i);
    if (starts_with_word(rest, "into") || starts_with_word(rest, "create")) traits |= kMayCreate;
    if (starts_with_word(rest, "hold")) traits |= kMayHold;
    if (starts_with_word(rest, "do") || starts_with_word(rest, "call")) traits |= kRunsBlocks;
  }
  return traits;
}

bool starts_with(std::string_view sql, std::string_view lower_cased) {
  return sql.size() >= lower_cased.size() &&
         std::equal(lower_cased.begin(), lower_cased.end(), sql.begin(),
                    [](char wanted, char c) { return wanted == lower(c); });
}

// "advisory_" is followed by lock, unlock or xact_lock, which a transaction ends. Its rarest letter
// is looked for.
uint16_t locks_within(std::string_view sql, char v) {
  constexpr std::string_view kAdvisory = "advisory_";
  uint16_t traits = 0;
  for (size_t at = sql.find(v); at != std::string_view::npos; at = sql.find(v, at + 1)) {
    if (at < 2 || !starts_with(sql.substr(at - 2), kAdvisory)) continue;
    const std::string_view rest = sql.substr(at - 2 + kAdvisory.size());
    if (starts_with(rest, "lock")) traits |= kMayLock;
    if (starts_with(rest, "unlock")) traits |= kMayUnlock;
  }
  return traits;
}

// What follows a name behind dots.
void take_parts(std::string_view& sql, std::string& name) {
  for (skip_space(sql); sql.starts_with('.'); skip_space(sql)) {
    sql.remove_prefix(1);
    name.append(".").append(lower_case(take_word(sql)));
  }
}

std::string take_name(std::string_view& sql) {
  std::string name = lower_case(take_word(sql));
  take_parts(sql, name);
  return name;
}

// "SET name" is followed by a value.
bool is_assigned(std::string_view rest) { return rest.starts_with('=') || take_word(rest) == "to"; }

uint16_t traits_of_set(std::string_view rest) {
  const std::string word = take_word(rest);
  skip_space(rest);
  if (rest.starts_with('.')) return kSetSession;  // a setting of that name
  if (word == "local" || word == "transaction" || word == "constraints") return kSetLeavesNothing;
  return kSetSession;
}

}  // namespace

bool may_have_traits(std::string_view sql) {
  skip_space(sql);
  if (sql.empty()) return true;  // all of what is there is a comment: look at more
  switch (lower(sql[0])) {
    case 's': return sql.size() < 3 || lower(sql[2]) == 't' || lower(sql[2]) == 'a';  // set, start
    case 'b': return true;                                                            // begin
    case 'c': return sql.size() < 2 || lower(sql[1]) == 'a';                          // call
    case 'd':  // deallocate, discard, declare, do
      return sql.size() < 3 || lower(sql[2]) == 'a' || lower(sql[2]) == 's' ||
             lower(sql[2]) == 'c' || lower(sql[1]) == 'o';
    case 'r': return sql.size() < 3 || lower(sql[2]) == 's';  // reset
    case '-':
    case '/': return sql.size() < 2;  // half of what begins a comment
    default: return false;
  }
}

uint16_t traits_within(std::string_view sql) {
  return locks_within(sql, 'v') | locks_within(sql, 'V');
}

uint16_t traits_of(std::string_view sql) {
  uint16_t traits = words_within(sql) | traits_within(sql);
  if (is_several(sql) && !names_set(sql).empty()) traits |= kSetSession;
  if (reads_locally(sql, nullptr)) traits |= kReadsLocally;
  if (!may_have_traits(sql)) return traits;
  std::string_view rest = sql;
  const std::string word = take_word(rest);
  if (word == "begin") return traits | kBeginsBlock;
  if (word == "start") return traits | kBeginsBlock;
  if (word == "discard" || word == "deallocate") traits |= kForgets;
  if (word == "reset" || (word == "set" && !reset_name(sql).empty())) traits |= kResets;
  if (is_several(sql)) return traits;
  if (word == "set") return traits | traits_of_set(rest);
  if (word != "deallocate") return traits;
  const std::string name = deallocated_name(sql);
  if (!name.empty() && name != "all")
    return static_cast<uint16_t>((traits & ~kForgets) | kDeallocates);
  return traits;
}

uint16_t traits_on(const ServerState& server, uint16_t traits, std::string_view sql) {
  if ((traits & kReadsLocally) && !reads_locally(sql, &server))
    traits = static_cast<uint16_t>(traits & ~kReadsLocally);
  if (!(traits & kSetSession) || !is_single(sql) || !server.reported_setting(setting_name(sql)))
    return traits;
  return static_cast<uint16_t>((traits & ~kSetSession) | kSetLeavesNothing);
}

std::string setting_name(std::string_view sql) {
  take_word(sql);  // SET
  std::string name = lower_case(take_word(sql));
  skip_space(sql);
  if ((name == "session" || name == "local") && !sql.starts_with('.')) {
    name = lower_case(take_word(sql));
    if (name == "characteristics" || name == "authorization") return {};
    skip_space(sql);
  }
  const bool has_own_syntax = !sql.starts_with('.') && !is_assigned(sql);
  if (has_own_syntax && name == "names") return "client_encoding";
  if (has_own_syntax && name == "schema") return "search_path";
  if (has_own_syntax && name == "role") return name;
  if (name == "time" && take_word(sql) == "zone") return "timezone";
  take_parts(sql, name);
  return is_assigned(sql) ? name : std::string{};
}

constexpr size_t kSetBytesMax = 256;  // of a SET that is looked at; behind that it has no name
constexpr size_t kSetsMax = 64;       // whose names are looked for; more have none

// Whatever follows the word: what is none is asked for in vain, no more.
template <class Visit>
void for_each_set(std::string_view sql, Visit visit) {
  char before = ' ';
  for (size_t i = 0; i < sql.size(); before = sql[i++]) {
    if ((sql[i] | 0x20) != 's' || is_word_character(before)) continue;
    if (starts_with_word(sql.substr(i), "set")) visit(sql.substr(i, kSetBytesMax));
  }
}

std::vector<std::string> names_set(std::string_view sql) {
  std::vector<std::string> names;
  for_each_set(sql, [&names](std::string_view statement) {
    if (names.size() > kSetsMax || traits_of_set(statement.substr(3)) != kSetSession) return;
    names.push_back(names.size() < kSetsMax ? setting_name(statement) : std::string());
  });
  return names;
}

bool reads_locally(std::string_view sql, const ServerState* server) {
  bool found = false;
  for_each_set(sql, [&](std::string_view statement) {
    std::string_view rest = statement.substr(3);
    if (take_word(rest) != "local") return;
    const std::string name = setting_name(statement);
    const bool is_reported = server && server->reported_setting(name);
    found = found || (changes_reading(name) && !is_reported);
  });
  return found;
}

bool is_several(std::string_view sql) { return !is_single(sql); }

bool ends_block(std::string_view sql) {
  const std::string word = lower_case(take_word(sql));
  return word == "commit" || word == "end" || word == "rollback" || word == "abort" ||
         word == "prepare";
}

std::string reset_name(std::string_view sql) {
  std::string_view rest = sql;
  if (take_word(rest) == "reset") {
    std::string name = take_name(rest);
    if (name == "time" && take_word(rest) == "zone") name = "timezone";
    return is_end(rest) ? name : std::string{};
  }
  std::string name = setting_name(sql);
  if (take_word(rest) == "session") take_word(rest);
  skip_space(rest);
  if (rest.starts_with('='))
    rest.remove_prefix(1);
  else if (take_word(rest) == "zone")
    name = "timezone";
  const std::string value = take_word(rest);
  const bool resets = value == "default" || (value == "local" && name == "timezone");
  return resets && is_end(rest) ? name : std::string{};
}

std::string deallocated_name(std::string_view sql) {
  take_word(sql);  // DEALLOCATE
  std::string_view rest = sql;
  std::string name = take_word(sql);
  if (name == "prepare") {
    skip_space(sql);
    if (!sql.empty() && sql[0] != ';') name = take_word(sql);
  }
  if (!is_end(sql)) return {};
  skip_space(rest);
  if (name == "all" && rest.starts_with('"')) return "\"all\"";
  return name;
}

// Literals, and letters that an encoding may change. A parameter, $1, is none.
bool depends_on_settings(std::string_view sql) {
  for (size_t i = 0; i < sql.size(); ++i) {
    const char c = sql[i];
    if (c == '\'' || static_cast<unsigned char>(c) >= 0x80) return true;
    if (c != '$' || i + 1 == sql.size()) continue;
    const char next = sql[i + 1];
    if (next < '0' || next > '9') return true;
  }
  return false;
}

std::string statement_key(uint32_t pool, std::string_view text_and_types,
                          std::string_view reading) {
  const std::string_view sql = text_and_types.substr(0, text_and_types.find('\0'));
  const bool depends = depends_on_settings(sql);
  if (!depends) reading = {};
  std::string key;
  base::append_be16(key, traits_of(sql));
  key.push_back(static_cast<char>(depends));
  base::append_be32(key, pool);
  base::append_be32(key, static_cast<uint32_t>(reading.size()));
  return key.append(reading).append(text_and_types);
}

namespace {

constexpr size_t kReadingAt = 11;

size_t reading_size(std::string_view key) { return base::load_be32(key.data() + 7); }

}  // namespace

std::string_view key_reading(std::string_view key) {
  return key.substr(kReadingAt, reading_size(key));
}

std::string_view key_body(std::string_view key) {
  return key.substr(kReadingAt + reading_size(key));
}

std::string server_name(uint64_t statement_id) { return "weir_" + std::to_string(statement_id); }

}  // namespace weir::postgres
