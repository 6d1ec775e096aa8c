// Questions about a Config: what is in force for whom, what the worst case costs, what a reload
// would change. Pure; nothing here shows a secret.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include <weir/config/config.h>

namespace weir::config {

enum class Origin : uint8_t { BuiltIn, Defaults, Database, User };
std::string_view to_string(Origin origin);

// What holds for `user`, who logs in to `database`. Mode and timeouts: the login's own entry over
// the database's over the defaults. The size belongs to the pool, (database, server user): the
// server user's entry over the database's.
struct Effective {
  std::string server_user;
  PoolOptions pool;
  Timeouts timeouts;
  Named<Origin> origins;       // every "pool.…" and "timeouts.…" of the table
  int servers_max = 0;         // size and overflow under the smallest of the caps
  std::string servers_max_by;  // what sets it: "pool.size", "users.app.max_server_connections", …
};
Effective effective(const Config& config, const Database& database, std::string_view user);

// The database of auth.query as weir asks it: by a pool of its own, in which nobody's settings ever
// are in force, outside the sizes, inside the caps. There has to be one.
constexpr int kAskingServers = 2;
Database asked_database(const Config& config);

// The smallest of limits where 0 stands for none; 0 when there is none.
int smallest_limit(std::initializer_list<int> limits);

// What is allowed and hardly meant, each with the path of what it is about: a listener that leads
// to no database, a user without a password. `weir check` prints it, a start and a reload log it.
std::vector<std::string> doubts_about(const Config& config);

// Doubts, effective pools, the worst case of server connections by database, user and host against
// their caps, and what no cap bounds.
void print_check(const Config& config, std::ostream& out);

// One option or entry that differs: "databases.app.pool.size: 20 -> 40", "listeners: + postgres
// 127.0.0.1:6433".
struct Difference {
  std::string path;
  std::string text;
  bool needs_restart = false;
};
std::vector<Difference> differences(const Config& before, const Config& after);

// The options of the whole and the defaults of databases, as they stand. Secrets are masked.
struct OptionValue {
  std::string path;
  std::string value;
  std::string fallback;
  bool needs_restart = false;
};
std::vector<OptionValue> option_values(const Config& config);

// The table of options, as docs/configuration.md shows it: path as in "pool.size",
// "listeners[].address", "databases.NAME.url", "users.NAME.password"; the default as it would be
// written in YAML.
struct OptionText {
  std::string path;
  std::string value;     // what it takes: "a whole number of at least 1"
  std::string fallback;  // the default; "" = none
  std::string meaning;
};
std::vector<OptionText> option_texts();

}  // namespace weir::config
