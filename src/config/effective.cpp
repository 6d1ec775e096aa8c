// What holds for one login, and where each of its options comes from.
#include <weir/config/check.h>

#include "options.h"

namespace weir::config {

namespace {

bool gives(const User* user, std::string_view path) { return user && user->given.contains(path); }

// `Owner` is PoolOptions or Timeouts; `group` their place in the names of the table.
template <class Owner>
struct Choice {
  std::span<const Option<Owner>> options;
  std::string group;
  Owner& result;
  Named<Origin>& origins;
};

template <class Owner>
void choose(const Choice<Owner>& to, const Config& config, const Database& database) {
  for (const Option<Owner>& option : to.options) {
    const std::string path = to.group + std::string(option.name);
    Origin origin = Origin::BuiltIn;
    if (config.defaults.given.contains(path)) origin = Origin::Defaults;
    if (database.given.contains(path)) origin = Origin::Database;
    to.origins.emplace(path, origin);
  }
}

template <class Owner>
void override_by_user(const Choice<Owner>& to, const User* user, const Owner& values) {
  for (const Option<Owner>& option : to.options) {
    const std::string path = to.group + std::string(option.name);
    if (!gives(user, path)) continue;
    option.field.copy(values, to.result);
    to.origins[path] = Origin::User;
  }
}

// A server counts against every host of its database, wherever it is: the smallest cap holds.
void limit_by_hosts(Effective& effective, const Config& config, const Database& database) {
  for (const Host& host : database.all_hosts()) {
    const auto found = config.hosts.find(host.text());
    const int cap = found == config.hosts.end() ? 0 : found->second.max_server_connections;
    if (cap == 0 || cap >= effective.servers_max) continue;
    effective.servers_max = cap;
    effective.servers_max_by = join_path("hosts", host.text()) + ".max_server_connections";
  }
}

void set_servers_max(Effective& effective, const Config& config, const Database& database) {
  const PoolOptions& pool = effective.pool;
  const User* server_user = config.user(effective.server_user);
  const int64_t whole = int64_t{pool.size} + pool.overflow;
  effective.servers_max = static_cast<int>(std::min<int64_t>(whole, INT32_MAX));
  effective.servers_max_by = pool.overflow > 0 ? "pool.size + pool.overflow" : "pool.size";
  const auto limit = [&](int cap, const std::string& by) {
    if (cap == 0 || cap >= effective.servers_max) return;
    effective.servers_max = cap;
    effective.servers_max_by = by;
  };
  limit(pool.max_server_connections, "pool.max_server_connections");
  if (server_user) {
    limit(server_user->max_server_connections,
          join_path("users", server_user->name) + ".max_server_connections");
  }
  limit_by_hosts(effective, config, database);
}

}  // namespace

std::string_view to_string(Origin origin) {
  switch (origin) {
    case Origin::BuiltIn: return "built-in";
    case Origin::Defaults: return "defaults";
    case Origin::Database: return "database";
    case Origin::User: return "user";
  }
  return "";
}

int smallest_limit(std::initializer_list<int> limits) {
  int smallest = 0;
  for (const int limit : limits) {
    if (limit > 0 && (smallest == 0 || limit < smallest)) smallest = limit;
  }
  return smallest;
}

Effective effective(const Config& config, const Database& database, std::string_view user) {
  Effective out;
  out.server_user = database.user.empty() ? std::string(user) : database.user;
  out.pool = database.pool;
  out.timeouts = database.timeouts;
  const Choice<PoolOptions> pool{pool_options(), "pool.", out.pool, out.origins};
  const Choice<Timeouts> timeouts{timeout_options(), "timeouts.", out.timeouts, out.origins};
  choose(pool, config, database);
  choose(timeouts, config, database);
  const User* login = config.user(user);
  const User* server_user = config.user(out.server_user);
  if (gives(login, "pool.mode")) {
    out.pool.mode = login->pool.mode;
    out.origins["pool.mode"] = Origin::User;
  }
  if (gives(server_user, "pool.size")) {
    out.pool.size = server_user->pool.size;
    out.origins["pool.size"] = Origin::User;
  }
  out.pool.min = std::min(out.pool.min, out.pool.size);
  if (login) override_by_user(timeouts, login, login->timeouts);
  set_servers_max(out, config, database);
  return out;
}

Database asked_database(const Config& config) {
  const Auth::Query& query = config.auth.query;
  Database out = config.databases.find(query.database)->second;
  const User* asker = config.user(query.user);
  if (out.user != query.user) out.password = asker ? asker->password : Secret();
  out.user = query.user;
  out.settings = {{"DateStyle", "ISO"}, {"TimeZone", "UTC"}};
  out.pool.connect_query.clear();
  out.pool.size = kAskingServers;
  out.pool.min = out.pool.overflow = 0;
  return out;
}

}  // namespace weir::config
