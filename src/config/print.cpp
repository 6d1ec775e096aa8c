// The text of `weir check`: every pool with what differs from the built-in options, then the worst
// cases.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include <weir/config/check.h>

#include "options.h"
#include "url.h"

namespace weir::config {

namespace {

struct Cost {
  int64_t pools = 0;  // what the pools would open if there were no caps
  bool unbounded = false;
};

// One line of the list of pools: a server user of a database, or all those that are alike.
struct Line {
  std::string who;
  int64_t count = 1;
  Effective effective;
};

bool has_own_pool(const User& user) {
  return !user.given.empty() && !(user.given.size() == 1 && user.given.contains("password"));
}

// Without `user`, a database has a pool for each login name.
std::vector<Line> lines_of(const Config& config, const Database& database) {
  std::vector<Line> lines;
  if (!database.user.empty()) {
    lines.push_back({"as " + masked(database.user), 1, effective(config, database, database.user)});
    lines.back().effective.pool.mode = database.pool.mode;  // that of a login without an own one
    return lines;
  }
  int64_t plain = 0;
  for (const auto& [name, user] : config.users) {
    if (has_own_pool(user)) {
      lines.push_back({"as " + masked(name), 1, effective(config, database, name)});
    } else {
      ++plain;
    }
  }
  const std::string_view nobody = "";
  if (plain > 0 || lines.empty()) {
    const std::string other = lines.empty() ? "" : " other";
    const std::string who = plain == 0   ? "as each user"
                            : plain == 1 ? "as the one" + other + " user"
                                         : fmt::format("as each of {}{} users", plain, other);
    lines.push_back({who, std::max<int64_t>(plain, 1), effective(config, database, nobody)});
  }
  return lines;
}

template <class Owner>
void append_options(std::string& out, std::span<const Option<Owner>> options,
                    const std::pair<std::string, const Owner*>& group_and_values,
                    const Named<Origin>& origins) {
  for (const Option<Owner>& option : options) {
    const std::string path = group_and_values.first + std::string(option.name);
    const Origin origin = origins.at(path);
    if (origin == Origin::BuiltIn) continue;
    out += fmt::format("{}{} {} ({})", out.empty() ? "" : ", ", path,
                       masked(option.field.show(*group_and_values.second)), to_string(origin));
  }
}

void print_pools(const Config& config, const Database& database, std::ostream& out) {
  out << fmt::format("  {}  {}\n", database.name, show_url(database.url));
  for (const Line& line : lines_of(config, database)) {
    const Effective& in_force = line.effective;
    const PoolOptions& pool = in_force.pool;
    const auto& mode = pool_options()[0];
    out << fmt::format(
        "    {}: mode {}, size {}, min {}, overflow {}; servers at worst {}{} ({})\n", line.who,
        mode.field.show(pool), pool.size, pool.min, pool.overflow, in_force.servers_max,
        line.count > 1 ? " each" : "", in_force.servers_max_by);
    std::string options;
    append_options<PoolOptions>(options, pool_options(), {"pool.", &pool}, in_force.origins);
    append_options<Timeouts>(options, timeout_options(), {"timeouts.", &in_force.timeouts},
                             in_force.origins);
    if (!options.empty()) out << "      " << options << '\n';
  }
}

struct Worst {
  Named<Cost> databases;
  Named<Cost> users;
  Named<Cost> hosts;
};

int64_t capped(int64_t cost, int cap) { return cap > 0 ? std::min<int64_t>(cost, cap) : cost; }

void add_users_cost(const Config& config, const Database& database, Worst& worst) {
  const bool many_names = database.name == "*";
  const auto add = [&](const std::string& server_user) {
    Cost& cost = worst.users[server_user];
    cost.pools += effective(config, database, server_user).servers_max;
    cost.unbounded = cost.unbounded || many_names;
  };
  if (!database.user.empty()) return add(database.user);
  for (const auto& [name, user] : config.users) add(name);
}

Worst worst_of(const Config& config) {
  Worst worst;
  for (const auto& [name, database] : config.databases) {
    if (database.url.hosts.empty()) continue;  // a file: no server connections
    Cost& cost = worst.databases[name];
    cost.unbounded = name == "*" || (database.user.empty() && config.users.empty());
    for (const Line& line : lines_of(config, database)) {
      cost.pools += line.count * line.effective.servers_max;
    }
    const int64_t most = capped(cost.pools, database.pool.max_server_connections);
    for (const Host& host : database.url.hosts) {
      Cost& at_host = worst.hosts[host.text()];
      at_host.pools += most;
      at_host.unbounded = at_host.unbounded || cost.unbounded;
    }
    add_users_cost(config, database, worst);
  }
  return worst;
}

std::string cost_text(const Cost& cost, int cap, std::string_view unit) {
  const std::string pools =
      fmt::format("{}{}", cost.pools, cost.unbounded ? fmt::format(" for each {}", unit) : "");
  if (cap == 0) return pools + ", no cap";
  if (!cost.unbounded && cost.pools <= cap)
    return fmt::format("{}, within the cap of {}", pools, cap);
  return fmt::format("{}: the pools would take {}, the cap is {}", cap, pools, cap);
}

void print_worst(const Config& config, std::ostream& out) {
  const Worst worst = worst_of(config);
  if (!worst.databases.empty()) out << "server connections at worst, by database\n";
  for (const auto& [name, cost] : worst.databases) {
    const std::string_view unit = name == "*" ? "name" : "user";
    const int cap = config.databases.at(name).pool.max_server_connections;
    out << fmt::format("  {}  {}\n", name, cost_text(cost, name == "*" ? 0 : cap, unit));
  }
  if (!worst.users.empty()) out << "server connections at worst, by server user\n";
  for (const auto& [name, cost] : worst.users) {
    const User* user = config.user(name);
    out << fmt::format("  {}  {}\n", masked(name),
                       cost_text(cost, user ? user->max_server_connections : 0, "name"));
  }
  if (!worst.hosts.empty()) out << "server connections at worst, by host\n";
  for (const auto& [name, cost] : worst.hosts) {
    const auto cap = config.hosts.find(name);
    out << fmt::format(
        "  {}  {}\n", name,
        cost_text(cost, cap == config.hosts.end() ? 0 : cap->second.max_server_connections,
                  "name"));
  }
  for (const auto& [name, limit] : config.hosts) {
    if (worst.hosts.contains(name)) continue;
    out << fmt::format("  {}  no database is there; the cap of {} limits nothing\n", name,
                       limit.max_server_connections);
  }
}

}  // namespace

void print_check(const Config& config, std::ostream& out) {
  out << fmt::format("{}: fine\n", config.source);
  for (size_t i = 1; i < config.files.size(); ++i) out << "  and " << config.files[i] << '\n';
  out << "listeners\n";
  for (const Listener& listener : config.listeners) {
    out << fmt::format("  {} {}{}\n", listener.protocol, listener.address.text(),
                       listener.database.empty() ? "" : " -> " + listener.database);
  }
  out << "pools\n";
  for (const auto& [name, database] : config.databases) print_pools(config, database, out);
  print_worst(config, out);
}

}  // namespace weir::config
