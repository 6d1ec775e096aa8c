// The text of `weir check`: doubts (doubts.cpp), every pool with what differs from the built-in
// options, then the worst cases (worst.cpp).
#include <fmt/format.h>

#include <ostream>

#include <weir/config/check.h>

#include "options.h"
#include "url.h"
#include "worst.h"

namespace weir::config {

namespace {

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

void print_line(const PoolLine& line, std::ostream& out) {
  const Effective& in_force = line.effective;
  const PoolOptions& pool = in_force.pool;
  const auto& mode = pool_options()[0];
  out << fmt::format("    {}: mode {}, size {}, min {}, overflow {}; servers at worst {}{} ({})\n",
                     line.who, mode.field.show(pool), pool.size, pool.min, pool.overflow,
                     in_force.servers_max, line.is_open || line.count > 1 ? " each" : "",
                     in_force.servers_max_by);
  std::string options;
  append_options<PoolOptions>(options, pool_options(), {"pool.", &pool}, in_force.origins);
  append_options<Timeouts>(options, timeout_options(), {"timeouts.", &in_force.timeouts},
                           in_force.origins);
  if (!options.empty()) out << "      " << options << '\n';
}

// A lane waits for a server of the pool like any client, and gives it back at rest.
std::string lanes_text(const Config& config, const Database& database, int servers_max) {
  if (config.workers == 0)
    return fmt::format("{} for each worker (one for each core), out of these", database.lanes);
  const int64_t lanes = int64_t{database.lanes} * config.workers;
  const std::string counted =
      fmt::format("{} for each of {} workers, {}", database.lanes, config.workers, lanes);
  if (lanes < servers_max) return fmt::format("{} of these", counted);
  return fmt::format("{}: they may have all of these, a command that needs one alone waits",
                     counted);
}

void print_pools(const Config& config, const Database& database, std::ostream& out) {
  out << fmt::format("  {}  {}\n", database.name, show_url(database.url));
  for (const PoolLine& line : pool_lines(config, database)) {
    print_line(line, out);
    if (database.protocol == "redis")
      out << "      lanes: " << lanes_text(config, database, line.effective.servers_max) << '\n';
  }
  const Auth::Query& query = config.auth.query;
  if (query.database != database.name) return;
  const Effective asking = effective(config, asked_database(config), "");
  out << fmt::format("    auth.query, as {}: size {}, besides these; servers at worst {} ({})\n",
                     masked(query.user), asking.pool.size, asking.servers_max,
                     asking.servers_max_by);
}

}  // namespace

void print_check(const Config& config, std::ostream& out) {
  out << fmt::format("{}: fine\n", config.source);
  for (size_t i = 1; i < config.files.size(); ++i) out << "  and " << config.files[i] << '\n';
  const std::vector<std::string> doubts = doubts_about(config);
  if (!doubts.empty()) out << "is this meant?\n";
  for (const std::string& doubt : doubts) out << "  " << doubt << '\n';
  out << "listeners\n";
  for (const Listener& listener : config.listeners) {
    out << fmt::format("  {} {}{}\n", listener.protocol, listener.address.text(),
                       listener.database.empty() ? "" : " -> " + listener.database);
  }
  out << "pools: user over database over defaults; what is not named is built-in\n";
  for (const auto& [name, database] : config.databases) print_pools(config, database, out);
  print_worst(config, out);
}

}  // namespace weir::config
