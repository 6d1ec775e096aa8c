// What the console sees: pools, counters and limits from any thread; clients and servers by asking
// their workers.
#include <weir/config/check.h>

#include <algorithm>
#include <set>

#include "console.h"

namespace weir::app {

using engine::AdminCounts;
using engine::AdminPeople;
using session::ClientCount;
using session::Stats;

namespace {

constexpr base::Duration kPeriod = 60 * base::kSecond;  // of averages, as PgBouncer's

constexpr const char* kReplications[] = {"none", "physical", "logical"};

const char* mode_name(session::Mode mode) {
  switch (mode) {
    case session::Mode::Session: return "session";
    case session::Mode::Transaction: return "transaction";
    default: return "statement";
  }
}
const char* mode_name(config::PoolMode mode) { return mode_name(static_cast<session::Mode>(mode)); }

engine::AdminPool pool_of(const Sample& sample) {
  engine::AdminPool out;
  out.database = sample.database;
  out.user = sample.user;
  out.mode = mode_name(sample.backends.front()->plan()->mode);
  out.clients_active = sample.clients(ClientCount::Active);
  out.clients_idle = sample.clients(ClientCount::Idle);
  out.clients_waiting =
      std::max<int64_t>(sample.pool->waiting, sample.clients(ClientCount::Waiting));
  out.servers_active = sample.active();
  out.servers_idle = sample.pool->idle;
  out.servers_opening = sample.pool->opening;
  out.servers_resetting = sample.resetting();
  out.servers_checking = sample.checking();
  out.servers_closing = sample.pool->closing;
  out.size = sample.pool->size;
  if (sample.pool->oldest_wait_since != base::kNever)
    out.longest_wait =
        std::max<base::Duration>(0, base::steady_now() - sample.pool->oldest_wait_since);
  out.paused = sample.pool->paused;
  out.last_error = sample.pool->last_error;
  return out;
}

engine::AdminDatabase database_of(const config::Database& database, const std::string& name) {
  engine::AdminDatabase out;
  out.name = name;
  out.protocol = database.protocol;
  const auto hosts = database.all_hosts();
  if (!hosts.empty()) out.port = hosts[0].port;
  // One port is said for all: where they differ, each host says its own.
  const auto has_that = [&](const config::Host& host) { return host.port == out.port; };
  const bool are_alike = std::all_of(hosts.begin(), hosts.end(), has_that);
  for (const config::Host& host : hosts)
    out.host += (out.host.empty() ? "" : ",") + (are_alike ? host.host : host.text());
  out.remote_database = database.url.path.empty() ? name : database.url.path;
  out.forced_user = database.user;
  out.pool_size = database.pool.size;
  out.pool_min = database.pool.min;
  out.pool_overflow = database.pool.overflow;
  out.server_lifetime = database.pool.max_lifetime;
  out.mode = mode_name(database.pool.mode);
  out.servers_max = database.pool.max_server_connections;
  out.clients_max = database.pool.max_client_connections;
  return out;
}

// Every counter of both, as `act` wants it.
template <class Act>
AdminCounts combine(const AdminCounts& a, const AdminCounts& b, Act act) {
  return {.assignments = act(a.assignments, b.assignments),
          .transactions = act(a.transactions, b.transactions),
          .queries = act(a.queries, b.queries),
          .received = act(a.received, b.received),
          .sent = act(a.sent, b.sent),
          .transaction_time = act(a.transaction_time, b.transaction_time),
          .query_time = act(a.query_time, b.query_time),
          .wait_time = act(a.wait_time, b.wait_time),
          .logins = act(a.logins, b.logins)};
}

int64_t observations(const base::Histogram& histogram) {
  int64_t total = 0;
  for (int i = 0; i < base::Histogram::kBuckets; ++i) total += histogram.count(i);
  return total;
}

AdminCounts counts_of(const Sample& sample) {
  AdminCounts out;
  for (const Stats* slot : sample.slots) {
    out.assignments += observations(slot->acquire);
    out.transactions += slot->transactions.value();
    out.queries += slot->queries.value();
    out.received += slot->client_in.value();
    out.sent += slot->client_out.value();
    out.transaction_time += slot->transaction.sum();
    out.query_time += slot->query.sum();
    out.wait_time += slot->acquire.sum();
    out.logins += slot->logins[session::LoginResult::Ok].value();
  }
  return out;
}

AdminPeople people_of(const session::Worker& worker) {
  AdminPeople out;
  for (session::ClientView& view : worker.clients())
    out.clients.push_back({.id = view.id,
                           .database = std::move(view.database),
                           .user = std::move(view.user),
                           .server_user = std::move(view.server_user),
                           .application_name = std::move(view.application_name),
                           .peer = std::move(view.peer),
                           .state = std::move(view.state),
                           .tls = std::move(view.tls),
                           .connected_at = view.connected_at,
                           .request_at = view.request_at,
                           .waiting_since = view.waiting_since,
                           .replication = kReplications[static_cast<size_t>(view.replication)],
                           .server_id = view.server_id,
                           .pin = std::move(view.pin),
                           .worker = worker.id()});
  for (session::ServerView& view : worker.servers())
    out.servers.push_back({.id = view.id,
                           .database = std::move(view.database),
                           .user = std::move(view.user),
                           .peer = std::move(view.peer),
                           .state = std::move(view.state),
                           .tls = std::move(view.tls),
                           .opened_at = view.opened_at,
                           .request_at = view.request_at,
                           .remote_id = view.remote_id,
                           .client_id = view.client_id,
                           .pin = std::move(view.pin),
                           .replication = kReplications[static_cast<size_t>(view.replication)],
                           .worker = worker.id()});
  return out;
}

}  // namespace

std::vector<engine::AdminPool> Console::pools() const {
  std::vector<engine::AdminPool> out;
  for (const Sample& sample : metrics_.samples())
    if (sample.pool) out.push_back(pool_of(sample));
  return out;
}

std::vector<engine::AdminDatabase> Console::databases() const {
  const auto config = house_.config();
  std::map<std::string, engine::AdminDatabase> all;
  for (const auto& [name, database] : config->databases)
    if (name != "*") all.emplace(name, database_of(database, name));
  for (const Sample& sample : metrics_.samples()) {
    if (!sample.pool) continue;
    if (const config::Database* database = config->database(sample.database))
      all.try_emplace(sample.database, database_of(*database, sample.database));
    engine::AdminDatabase& row = all[sample.database];  // one that is gone has only its name
    row.name = sample.database;
    row.servers += sample.pool->idle + sample.pool->busy + sample.pool->opening;
    row.clients += sample.all_clients();
  }
  std::vector<engine::AdminDatabase> out;
  for (auto& [name, row] : all) {
    row.paused = house_.is_paused(name);
    out.push_back(std::move(row));
  }
  return out;
}

std::vector<engine::AdminUser> Console::users() const {
  const auto config = house_.config();
  std::vector<engine::AdminUser> out;
  for (const auto& [name, user] : config->users) {
    engine::AdminUser& row = out.emplace_back();
    row.name = name;
    if (user.given.contains("pool.size")) row.pool_size = user.pool.size;
    if (user.given.contains("pool.mode")) row.mode = mode_name(user.pool.mode);
    row.servers_max = user.max_server_connections;
    row.clients_max = user.max_client_connections;
    row.servers = house_.used("server connections of user " + name);
    row.clients = house_.used("clients of user " + name);
  }
  return out;
}

std::vector<engine::AdminOption> Console::options() const {
  const auto config = house_.config();
  std::vector<engine::AdminOption> out;
  for (config::OptionValue& option : config::option_values(*config))
    out.push_back({std::move(option.path), std::move(option.value), std::move(option.fallback),
                   !option.needs_restart});
  // The names that PgBouncer's exporters look for.
  const config::PoolOptions& pool = config->defaults.pool;
  out.push_back({"max_client_conn", std::to_string(config->max_clients), "10000"});
  out.push_back({"default_pool_size", std::to_string(pool.size), "20"});
  out.push_back({"min_pool_size", std::to_string(pool.min), "0"});
  out.push_back({"reserve_pool_size", std::to_string(pool.overflow), "0"});
  out.push_back({"max_db_connections", std::to_string(pool.max_server_connections), "0"});
  out.push_back({"pool_mode", mode_name(pool.mode), "transaction"});
  return out;
}

std::vector<engine::AdminItem> Console::lists() const {
  int64_t pools = 0, logging_in = 0, idle = 0, busy = 0;
  std::set<std::string> names;
  for (const Sample& sample : metrics_.samples()) {
    logging_in += sample.clients(ClientCount::Login);
    if (!sample.pool) continue;
    names.insert(sample.database);
    ++pools;
    idle += sample.pool->idle;
    busy += sample.pool->busy;
  }
  const auto config = house_.config();
  for (const auto& [name, database] : config->databases)
    if (name != "*") names.insert(name);
  const auto hosts = house_.names();
  const auto asked = std::count_if(hosts.begin(), hosts.end(),
                                   [](const Names::View& host) { return host.is_asked; });
  const auto count = [](size_t number) { return static_cast<int64_t>(number); };
  return {{"databases", count(names.size())},
          {"users", count(config->users.size())},
          {"peers", 0},
          {"pools", pools},
          {"peer_pools", 0},
          {"free_clients", 0},
          {"used_clients", house_.clients()},
          {"login_clients", logging_in},
          {"free_servers", idle},
          {"used_servers", busy},
          {"dns_names", count(hosts.size())},
          {"dns_zones", 0},
          {"dns_queries", asked},
          {"dns_pending", 0}};
}

std::vector<engine::AdminName> Console::names() const {
  std::vector<engine::AdminName> out;
  for (Names::View& view : house_.names())
    out.push_back({std::move(view.host), view.left, std::move(view.addresses)});
  return out;
}

std::vector<engine::AdminItem> Console::state() const {
  const bool draining = levers_.draining();
  return {{"active", !draining},
          {"paused", house_.is_paused("")},
          {"suspended", 0},
          {"draining", draining}};
}

// ---------------------------------------------------------------- what has been

Console::CountsByDatabase Console::totals() const {
  CountsByDatabase out;
  for (const Sample& sample : metrics_.samples()) {
    if (!sample.pool) continue;
    AdminCounts& sum = out[sample.database];
    sum = combine(sum, counts_of(sample), std::plus<>());
  }
  return out;
}

std::vector<engine::AdminStats> Console::stats() const {
  std::vector<engine::AdminStats> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, total] : totals()) {
    const auto average = averages_.find(name);
    out.push_back({name, total, average == averages_.end() ? AdminCounts{} : average->second});
  }
  return out;
}

void Console::average() {
  const base::Time now = house_.worker(0).now();
  if (averaged_at_ == 0) averaged_at_ = now;
  const base::Duration passed = now - averaged_at_;
  if (passed < kPeriod) return;
  averaged_at_ = now;
  CountsByDatabase after = totals(), averages;
  const auto per = [](int64_t sum, int64_t count) { return count > 0 ? sum / count : 0; };
  for (const auto& [name, counts] : after) {
    const AdminCounts did = combine(counts, before_[name], std::minus<>());
    AdminCounts& average = averages[name];
    average = combine(did, did, [&](int64_t sum, int64_t) { return sum * base::kSecond / passed; });
    average.transaction_time = per(did.transaction_time, did.transactions);
    average.query_time = per(did.query_time, did.queries);
    average.wait_time = per(did.wait_time, did.assignments);
  }
  before_ = std::move(after);
  const std::lock_guard lock(mutex_);
  averages_ = std::move(averages);
}

// ---------------------------------------------------------------- clients and servers

void Console::ask(uint32_t number, net::Loop& loop, std::function<void(AdminPeople)> answer) const {
  session::Worker& worker = house_.worker(number);
  worker.loop().mailbox().post_call([&worker, &loop, answer = std::move(answer)]() mutable {
    loop.mailbox().post_call([answer = std::move(answer), people = people_of(worker)]() mutable {
      answer(std::move(people));
    });
  });
}

}  // namespace weir::app
