// The worst case of server connections: by database, server user and host against their caps, then
// what no cap bounds.
#include "worst.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ostream>

#include <weir/config/hba.h>

#include "reading.h"

namespace weir::config {

namespace {

// What the pools would open if there were no caps.
struct Cost {
  int64_t pools = 0;
  std::vector<std::string> more;  // "22 for each name": any number of times
};

struct Worst {
  Named<Cost> databases;
  Named<Cost> users;
  Named<Cost> others;  // by who they are: server users that the configuration does not name
  Named<Cost> hosts;
};

int64_t capped(int64_t cost, int cap) { return cap > 0 ? std::min<int64_t>(cost, cap) : cost; }

bool is_any(const Database& database) { return database.name == "*"; }

// ---------------------------------------------------------------- who may log in

bool has_own_pool(const User& user) {
  return !user.given.empty() && !(user.given.size() == 1 && user.given.contains("password"));
}

bool asks_nobody(const HbaRule& rule) {
  return rule.method == HbaMethod::Trust || rule.method == HbaMethod::Cert ||
         rule.method == HbaMethod::Peer || rule.method == HbaMethod::Pam ||
         rule.method == HbaMethod::Ldap;
}

// By certificate, by account and by rules only PostgreSQL's clients log in; those of Redis never
// without a secret of `users`.
bool lets_in_without_password(const Config& config, const Listener& listener, AuthMethod method) {
  if (method == AuthMethod::Trust) return true;
  if (listener.protocol == "redis") return false;
  if (method == AuthMethod::Hba)
    return config.auth.hba &&
           std::any_of(config.auth.hba->list.begin(), config.auth.hba->list.end(), asks_nobody);
  return method == AuthMethod::Cert || method == AuthMethod::Peer || method == AuthMethod::Pam ||
         method == AuthMethod::Ldap;
}

// Users that the configuration does not name and who may log in nevertheless; empty: nobody.
std::string others_of(const Config& config, const Database& database) {
  bool asked_for = false, unasked = false, passed = false;
  for (const Listener& listener : config.listeners) {
    if (!config.leads_to(listener, database)) continue;
    const AuthMethod method = listener.auth.method.value_or(config.auth.method);
    unasked = unasked || lets_in_without_password(config, listener, method);
    passed = passed || method == AuthMethod::Passthrough;
    const bool by_password = method != AuthMethod::Trust && method != AuthMethod::Cert &&
                             method != AuthMethod::Peer && listener.protocol == "postgres";
    asked_for = asked_for || (by_password && !config.auth.query.database.empty());
  }
  if (passed && unasked) return "user whom a server lets in or who needs no secret here";
  if (passed) return "user whom a server lets in";
  if (asked_for && unasked) return "user that auth.query finds or who needs no secret here";
  if (asked_for) return "user that auth.query finds";
  if (unasked) return "user who needs no secret here";
  return config.users.empty() ? "user" : "";
}

// ---------------------------------------------------------------- costs

Cost cost_of(const Config& config, const Database& database) {
  Cost cost;
  int64_t each = 0;
  for (const PoolLine& line : pool_lines(config, database)) {
    if (line.is_open)
      each = line.effective.servers_max;
    else
      cost.pools += line.count * line.effective.servers_max;
  }
  if (config.auth.query.database == database.name)
    cost.pools += effective(config, asked_database(config), "").servers_max;
  const std::string others = others_of(config, database);
  if (!is_any(database)) {
    if (each > 0) cost.more.push_back(fmt::format("{} for each {}", each, others));
    return cost;
  }
  // A cap under "*" is one for each name.
  const int cap = database.pool.max_server_connections;
  const int64_t for_name = each > 0 && cap > 0 ? cap : capped(cost.pools, cap);
  if (for_name > 0) cost.more.push_back(fmt::format("{} for each name", for_name));
  if (each > 0 && cap == 0)
    cost.more.push_back(fmt::format("{} for each name and each {}", each, others));
  cost.pools = 0;
  return cost;
}

void add_to_hosts(const Database& database, const Cost& cost, Worst& worst) {
  const int cap = is_any(database) ? 0 : database.pool.max_server_connections;
  for (const Host& host : database.all_hosts()) {
    Cost& at_host = worst.hosts[host.text()];
    at_host.pools += cap > 0 && !cost.more.empty() ? cap : capped(cost.pools, cap);
    if (cap > 0) continue;
    for (const std::string& one : cost.more)
      at_host.more.push_back(is_any(database) ? one : one + " (" + database.name + ')');
  }
}

void add_to_users(const Config& config, const Database& database, Worst& worst) {
  const auto add = [&](Cost& cost, const std::string& server_user) {
    const int servers = effective(config, database, server_user).servers_max;
    if (is_any(database))
      cost.more.push_back(fmt::format("{} for each name", servers));
    else
      cost.pools += servers;
  };
  if (config.auth.query.database == database.name)
    worst.users[config.auth.query.user].pools +=
        effective(config, asked_database(config), "").servers_max;
  if (!database.user.empty()) return add(worst.users[database.user], database.user);
  for (const auto& [name, user] : config.users) add(worst.users[name], name);
  const std::string others = others_of(config, database);
  if (!others.empty()) add(worst.others["each " + others], "");
}

Worst worst_of(const Config& config) {
  Worst worst;
  for (const auto& [name, database] : config.databases) {
    if (database.url.hosts.empty()) continue;  // a file: no server connections
    const Cost& cost = worst.databases[name] = cost_of(config, database);
    add_to_hosts(database, cost, worst);
    add_to_users(config, database, worst);
  }
  return worst;
}

// ---------------------------------------------------------------- in words

std::string sum_text(const Cost& cost) {
  std::vector<std::string> parts = cost.more;
  if (cost.pools > 0 || parts.empty()) parts.insert(parts.begin(), std::to_string(cost.pools));
  return fmt::format("{}", fmt::join(parts, " and "));
}

std::string cost_text(const Cost& cost, int cap) {
  const std::string sum = sum_text(cost);
  if (cap == 0) return sum + ", no cap";
  if (cost.more.empty() && cost.pools <= cap)
    return fmt::format("{}, within the cap of {}", sum, cap);
  return fmt::format("{}: the pools would take {}, the cap is {}", cap, sum, cap);
}

int host_cap(const Config& config, const std::string& host) {
  const auto found = config.hosts.find(host);
  return found == config.hosts.end() ? 0 : found->second.max_server_connections;
}

// Of one that has no cap of its own, "*" and `others`, nothing is known but the hosts'.
int database_cap(const Config& config, const std::string& name) {
  return name == "*" ? 0 : config.databases.at(name).pool.max_server_connections;
}

int user_cap(const Config& config, const std::string& name) {
  const User* user = config.user(name);
  return user ? user->max_server_connections : 0;
}

// Every server of this database counts against some cap that other names and users cannot add to.
bool is_bounded(const Config& config, const Database& database) {
  if (database_cap(config, database.name) > 0) return true;
  for (const Host& host : database.all_hosts())
    if (host_cap(config, host.text()) > 0) return true;
  if (!database.user.empty()) return user_cap(config, database.user) > 0;
  return others_of(config, database).empty() &&
         std::all_of(config.users.begin(), config.users.end(),
                     [](const auto& each) { return each.second.max_server_connections > 0; });
}

std::string what_to_set(const Database& database) {
  const std::string host =
      join_path("hosts", database.url.hosts[0].text()) + ".max_server_connections";
  if (!is_any(database))
    return join_path("databases", database.name) + ".pool.max_server_connections or " + host;
  if (database.user.empty()) return host;
  return join_path("users", masked(database.user)) + ".max_server_connections or " + host;
}

void print_unbounded(const Config& config, const Worst& worst, std::ostream& out) {
  std::string lines;
  for (const auto& [name, cost] : worst.databases) {
    const Database& database = config.databases.at(name);
    if (is_bounded(config, database)) continue;
    const bool replicates = database.protocol == "postgres";
    if (cost.more.empty() && !replicates) continue;
    lines += fmt::format("  {}  ", name);
    if (!cost.more.empty()) lines += fmt::format("{}", fmt::join(cost.more, " and "));
    if (replicates)
      lines +=
          fmt::format("{}1 for each replication client, of at most {} clients",
                      cost.more.empty() ? "" : " and ",
                      smallest_limit({database.pool.max_client_connections, config.max_clients}));
    lines += fmt::format("; a cap: {}\n", what_to_set(database));
  }
  if (!lines.empty()) out << "without a cap, by database\n" << lines;
}

}  // namespace

// Without `user`, a database has a pool for each login name.
std::vector<PoolLine> pool_lines(const Config& config, const Database& database) {
  std::vector<PoolLine> lines;
  if (!database.user.empty()) {
    lines.push_back(
        {"as " + masked(database.user), 1, false, effective(config, database, database.user)});
    lines.back().effective.pool.mode = database.pool.mode;  // that of a login without an own one
    return lines;
  }
  int64_t plain = 0;
  for (const auto& [name, user] : config.users) {
    if (has_own_pool(user)) {
      lines.push_back({"as " + masked(name), 1, false, effective(config, database, name)});
    } else {
      ++plain;
    }
  }
  const std::string_view nobody = "";
  const std::string other = lines.empty() ? "" : " other";
  if (plain > 0) {
    const std::string who = plain == 1 ? "as the one" + other + " user"
                                       : fmt::format("as each of {}{} users", plain, other);
    lines.push_back({who, plain, false, effective(config, database, nobody)});
  }
  const std::string others = others_of(config, database);
  if (!others.empty())
    lines.push_back({"as each " + others, 0, true, effective(config, database, nobody)});
  return lines;
}

void print_worst(const Config& config, std::ostream& out) {
  const Worst worst = worst_of(config);
  if (!worst.databases.empty()) out << "server connections at worst, by database\n";
  for (const auto& [name, cost] : worst.databases)
    out << fmt::format("  {}  {}\n", name, cost_text(cost, database_cap(config, name)));
  if (!worst.users.empty() || !worst.others.empty())
    out << "server connections at worst, by server user\n";
  for (const auto& [name, cost] : worst.users)
    out << fmt::format("  {}  {}\n", masked(name), cost_text(cost, user_cap(config, name)));
  for (const auto& [who, cost] : worst.others)
    out << fmt::format("  {}  {}\n", who, cost_text(cost, 0));
  if (!worst.hosts.empty()) out << "server connections at worst, by host\n";
  for (const auto& [name, cost] : worst.hosts)
    out << fmt::format("  {}  {}\n", name, cost_text(cost, host_cap(config, name)));
  for (const auto& [name, limit] : config.hosts) {
    if (worst.hosts.contains(name)) continue;
    out << fmt::format("  {}  no database is there; the cap of {} limits nothing\n", name,
                       limit.max_server_connections);
  }
  print_unbounded(config, worst, out);
}

}  // namespace weir::config
