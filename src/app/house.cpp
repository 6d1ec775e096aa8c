#include "house.h"

#include <weir/base/crypto.h>
#include <weir/base/log.h>
#include <weir/config/check.h>
#include <weir/protocol/postgres.h>

#include <algorithm>
#include <tuple>

#include "house_entry.h"
#include "tls.h"

namespace weir::app {

using base::Error;
using base::ErrorKind;

namespace {

bool may_not_log_in(const std::string& user, const Rows& rows) {
  return read_login(user, rows, seconds_since_1970()).secret.empty();
}
bool is_in_no_group(const std::string&, const Rows& rows) { return rows.empty(); }

bool is_plain(const std::string& secret) {
  return postgres::secret_kind(secret) == postgres::SecretKind::Plain;
}

// Some of its clients are whom its servers know.
bool is_passed_through(const config::Config& config, const config::Database& database) {
  return std::any_of(config.listeners.begin(), config.listeners.end(), [&](const auto& listener) {
    return listener.auth.method.value_or(config.auth.method) == config::AuthMethod::Passthrough &&
           config.leads_to(listener, database);
  });
}

bool same_target(const protocol::LoginTarget& a, const protocol::LoginTarget& b) {
  return a.user == b.user && a.secret == b.secret && a.database == b.database &&
         a.settings == b.settings && a.tls == b.tls && a.channel_binding == b.channel_binding &&
         a.role == b.role && a.newest_version == b.newest_version;
}

}  // namespace

pool::Options pool_options(const config::PoolOptions& from, bool movable) {
  return {.size = from.size,
          .min = from.min,
          .overflow = from.overflow,
          .overflow_after = from.overflow_after,
          .retry_min = from.retry.min,
          .retry_max = from.retry.max,
          .idle_timeout = from.idle_timeout,
          .max_lifetime = from.max_lifetime,
          .check_interval = from.check_interval,
          .pick = static_cast<pool::Pick>(from.pick),
          .fair = from.queue == config::Queue::Fair,
          .movable = movable};
}

House::House(std::shared_ptr<const config::Config> config,
             const std::vector<std::unique_ptr<protocol::Protocol>>& protocols,
             EngineDiallers engines, uint32_t workers)
    : config_(std::move(config)),
      protocols_(protocols),
      engines_(std::move(engines)),
      worker_count_(workers),
      all_clients_("max_clients", config_->max_clients),
      logins_(may_not_log_in),
      groups_(is_in_no_group) {
  set_auth_rules();
  names_ = make_names();
}

House::~House() = default;

std::shared_ptr<const config::Config> House::config() const {
  const std::lock_guard lock(mutex_);
  return config_;
}

const protocol::Protocol* House::protocol(std::string_view name) const {
  for (const auto& each : protocols_)
    if (each->name() == name) return each.get();
  return nullptr;
}

House::Backends House::backends() const {
  const std::lock_guard lock(mutex_);
  Backends out;
  for (const auto& [key, entry] : entries_) out.push_back(entry->backend);
  for (const auto& entry : own_entries_) out.push_back(entry->backend);
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::tie(a->database(), a->user()) < std::tie(b->database(), b->user());
  });
  return out;
}

// ---------------------------------------------------------------- backends

base::Result<House::Entry*> House::entry_for(const config::Database& database,
                                             const std::string& name, const std::string& login) {
  const std::string user = database.user.empty() ? login : database.user;
  const auto found = entries_.find({name, user});
  if (found != entries_.end()) {
    found->second->used_at = base::steady_now();
    return found->second.get();
  }
  auto entry = make_entry(database, name, login);
  if (!entry) return entry.error();
  return entries_.emplace(std::pair{name, user}, std::move(*entry)).first->second.get();
}

base::Result<std::unique_ptr<House::Entry>> House::make_entry(const config::Database& database,
                                                              const std::string& name,
                                                              const std::string& login) {
  auto entry = std::make_unique<Entry>();
  entry->name = name;
  entry->is_any = !config_->databases.contains(name);
  entry->login = database.user.empty() ? login : "";
  entry->protocol = database.protocol;
  entry->number = ++entries_made_;
  entry->used_at = base::steady_now();
  entry->url = database.url;
  entry->tls = database.tls;
  entry->read_only = database.read_only;
  entry->failover_partner = database.failover_partner;
  bool movable = true;
  if (auto found = find_diallers(*entry, database, movable); !found) return found.error();
  const protocol::Protocol* speaks = protocol(movable ? database.protocol : "postgres");
  if (!speaks) return Error{ErrorKind::Config, "no protocol for database " + name, "3D000"};
  const std::string user = database.user.empty() ? login : database.user;
  entry->backend = std::make_shared<session::Backend>(name, user, *speaks, worker_count_);
  entry->backend->set_plan(make_plan(database, *entry, entry->login));
  entry->backend->set_pool(std::make_unique<pool::Pool>(options_of(*entry, database, movable),
                                                        server_budgets(database, name, user),
                                                        worker_count_, base::random_u64()));
  if (paused_.contains("") || paused_.contains(name)) {
    pool::Orders none;
    entry->backend->pool().pause(true, base::steady_now(), none);
  }
  return entry;
}

pool::Options House::options_of(const Entry& entry, const config::Database& database,
                                bool movable) const {
  pool::Options out =
      pool_options(config::effective(*config_, database, entry.login).pool, movable);
  if (entry.backend->protocol().lanes())
    out.reserved = std::min(out.size / 2, database.lanes * static_cast<int>(worker_count_));
  out.is_apart = [&protocol = entry.backend->protocol()](uint64_t variant) {
    return protocol.reads_only(variant);
  };
  out.min_at_once = !entry.backend->plan()->passes_through && !entry.is_any;
  return out;
}

// Movable: its servers stand on sockets, which may go from loop to loop.
base::Result<std::shared_ptr<session::Dialler>> House::dialler(const config::Database& database,
                                                               bool& movable) {
  auto engine = engines_(database);
  movable = engine && !*engine;
  if (!movable) return engine;
  return kept_dialler(database, Hosts::Usual);
}

base::Status House::find_diallers(Entry& entry, const config::Database& database, bool& movable) {
  auto usual = dialler(database, movable);
  if (!usual) return usual.error();
  entry.read_only_dialler = nullptr;
  if (!database.read_only.empty()) {
    auto made = kept_dialler(database, Hosts::ReadOnly);
    if (!made) return made.error();
    entry.read_only_dialler = std::move(*made);
  }
  entry.dialler = std::move(*usual);
  return base::ok();
}

base::Result<std::shared_ptr<session::Dialler>> House::kept_dialler(
    const config::Database& database, Hosts which) {
  auto& known = diallers_[{database.name, which}];
  if (known) return known;
  auto made = network_dialler(database, which);
  if (made) known = *made;
  return made;
}

base::Result<std::shared_ptr<session::Dialler>> House::network_dialler(
    const config::Database& database, Hosts which) const {
  auto tls = server_tls(database.tls, database.protocol);
  if (!tls)
    return Error{ErrorKind::Config, "databases." + database.name + ".tls: " + tls.error().text};
  std::vector<config::Host> hosts =
      which == Hosts::ReadOnly ? database.read_only : database.url.hosts;
  const size_t usual = hosts.size();
  // Reading is better done anywhere than nowhere.
  if (which == Hosts::ReadOnly)
    hosts.insert(hosts.end(), database.url.hosts.begin(), database.url.hosts.end());
  if (database.failover_partner) hosts.push_back(*database.failover_partner);
  return std::shared_ptr<session::Dialler>(
      std::make_shared<NetworkDialler>(hosts,
                                       DialOptions{socket_options(config_->tcp),
                                                   database.load_balance_hosts,
                                                   {std::move(*tls), database.tls.server_name},
                                                   hosts.size() - usual,
                                                   which == Hosts::ReadOnly ? usual : 0},
                                       *names_));
}

std::shared_ptr<const session::Plan> House::plan_for(Entry& entry, const std::string& login) const {
  const config::Database* database = config_->database(entry.name);
  const config::User* user = config_->user(login);
  if (!database || database->user.empty() || !user || user->given.empty())
    return entry.backend->plan();
  auto& plan = entry.plans[login];
  if (!plan) plan = make_plan(*database, entry, login);
  return plan;
}

std::shared_ptr<const session::Plan> House::make_plan(const config::Database& database,
                                                      const Entry& entry,
                                                      const std::string& login) const {
  const auto effective = config::effective(*config_, database, login);
  const config::PoolOptions& pool = effective.pool;
  const config::Timeouts& timeouts = effective.timeouts;
  auto plan = std::make_shared<session::Plan>();
  plan->mode = static_cast<session::Mode>(pool.mode);
  plan->reset = pool.reset;
  plan->connect_query = pool.connect_query;
  plan->acquire_timeout = pool.acquire_timeout;
  plan->connect_timeout = pool.connect_timeout;
  plan->check_after = pool.check_after;
  plan->queue_notice = pool.queue_notice;
  plan->slow_query = config_->log.slow_query;
  plan->timeouts = {.client_login = timeouts.client_login,
                    .query = timeouts.query,
                    .transaction = timeouts.transaction,
                    .idle_in_transaction = timeouts.idle_in_transaction,
                    .client_idle = timeouts.client_idle,
                    .client_stall = timeouts.client_stall,
                    .pin_idle = timeouts.pin_idle,
                    .cancel = timeouts.cancel};
  plan->target.user = effective.server_user;
  const config::User* user = config_->user(effective.server_user);
  plan->target.secret = !database.password.empty() ? database.password.reveal()
                        : user                     ? user->password.reveal()
                                                   : "";
  // A plain secret opens every server; of others, and of users that auth.query has found, weir
  // learns what opens one when they log in.
  plan->passes_through = !entry.login.empty() && database.password.empty() &&
                         (plan->target.secret.empty() || !is_plain(plan->target.secret) ||
                          is_passed_through(*config_, database));
  plan->logs_in_as_client = !entry.login.empty();
  // Of a client that names none and comes to "*", the server's own choice.
  const std::string asked_for = entry.name == "*" ? "" : entry.name;
  plan->target.database = database.url.path.empty() ? asked_for : database.url.path;
  plan->target.settings.assign(database.settings.begin(), database.settings.end());
  // A protocol has the one or the other.
  plan->target.settings.insert(plan->target.settings.end(), database.command_class.begin(),
                               database.command_class.end());
  plan->client = {.statement_mode = pool.mode == config::PoolMode::Statement,
                  .transaction_mode = pool.mode != config::PoolMode::Session,
                  .separate_readers = entry.read_only_dialler != nullptr,
                  .prepared_statements = pool.prepared_statements,
                  .statement_bytes_max = config_->limits.statement_bytes,
                  .pool = entry.number};
  plan->dialler = entry.dialler;
  plan->read_only_dialler = entry.read_only_dialler;
  plan->target.tls = server_encryption(database.tls, database.protocol);
  plan->target.role = static_cast<protocol::Role>(database.target_session_attrs);
  plan->target.newest_version = database.newest_protocol;
  plan->target.channel_binding =
      static_cast<protocol::ChannelBinding>(database.tls.channel_binding);
  plan->lanes = static_cast<uint32_t>(database.lanes);
  plan->hub = database.pubsub == config::Pubsub::Hub && plan->client.transaction_mode;
  plan->retry_reads = database.retry_reads;
  return plan;
}

std::vector<pool::Budget*> House::server_budgets(const config::Database& database,
                                                 const std::string& name, const std::string& user) {
  std::vector<pool::Budget*> out;
  const auto add = [&](const std::string& what, int limit) {
    auto& budget = budgets_[what];
    if (!budget) budget = std::make_unique<pool::Budget>(what, limit);
    budget->set_limit(limit);
    out.push_back(budget.get());
  };
  add("server connections of database " + name, database.pool.max_server_connections);
  const config::User* entry = config_->user(user);
  add("server connections of user " + user, entry ? entry->max_server_connections : 0);
  for (const config::Host& host : database.all_hosts()) {
    const auto limit = config_->hosts.find(host.text());  // a reload may bring one
    add("server connections of host " + host.text(),
        limit == config_->hosts.end() ? 0 : limit->second.max_server_connections);
  }
  return out;
}

base::Status House::open_fixed() {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, database] : config_->databases) {
    if (name == "*") continue;
    bool movable = false;  // says at once when a file cannot be opened
    if (auto made = dialler(database, movable); !made) return made.error();
    if (database.user.empty() || database.pool.min == 0) continue;
    if (auto made = entry_for(database, name, database.user); !made) return made.error();
  }
  return base::ok();
}

base::Status House::prepare(const config::Config& config) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, entry] : entries_) {
    const config::Database* database = config.database(entry->name);
    if (database && database->protocol != entry->protocol)
      return Error{ErrorKind::Config, "databases." + entry->name + ".url: from " + entry->protocol +
                                          " to " + database->protocol + " takes a restart"};
  }
  for (const auto& [name, database] : config.databases) {
    auto made = engines_(database);
    if (made && !*made) made = network_dialler(database, Hosts::Usual);
    if (!made) return made.error();
  }
  return base::ok();
}

void House::reload(std::shared_ptr<const config::Config> config, session::Worker& worker) {
  const std::lock_guard lock(mutex_);
  config_ = std::move(config);
  all_clients_.set_limit(config_->max_clients);
  names_->set_rules({config_->dns.ttl, config_->dns.negative_ttl});
  diallers_.clear();
  for (const auto& [key, entry] : entries_) {
    entry->is_any = !config_->databases.contains(entry->name);
    // Without a database its clients stay until they leave; nobody new gets in.
    if (const config::Database* database = config_->database(entry->name))
      refresh(*entry, *database, worker);
  }
  reload_lookups(worker);
}

void House::refresh(Entry& entry, const config::Database& database, session::Worker& worker) {
  bool movable = true;
  if (auto found = find_diallers(entry, database, movable); !found)
    return base::log(base::LogLevel::Error, "pool {}/{} stays as it was: {}", entry.name,
                     entry.backend->user(), found.error().text);
  const bool moved = database.url.hosts != entry.url.hosts || database.tls != entry.tls ||
                     database.read_only != entry.read_only ||
                     database.failover_partner != entry.failover_partner ||
                     (!movable && database.url.path != entry.url.path);
  entry.url = database.url;
  entry.tls = database.tls;
  entry.read_only = database.read_only;
  entry.failover_partner = database.failover_partner;
  entry.login = database.user.empty() ? entry.backend->user() : "";
  const auto before = entry.backend->plan();
  const auto plan = make_plan(database, entry, entry.login);
  entry.backend->set_plan(plan);
  entry.plans.clear();
  server_budgets(database, entry.name, entry.backend->user());
  const bool changed = moved || !same_target(before->target, plan->target) ||
                       before->connect_query != plan->connect_query;
  if (changed) proofs_.forget(*entry.backend);
  pool::Pool& pool = entry.backend->pool();
  pool.configure(options_of(entry, database, pool.movable()), changed, worker.now(),
                 worker.orders());
  pool.keep_origins(origins(entry.hosts()), worker.now(), worker.orders());
  worker.carry_out(*entry.backend);
}

void House::tick(session::Worker& worker) {
  names_->tick();
  forget_lanes(worker.now());
  expire(worker.now());
  std::map<pool::Pool*, session::Backend*> owners;
  std::vector<pool::Pool*> pools;
  const Backends all = all_backends();
  for (const auto& backend : all) {
    backend->pool().tick(worker.now(), worker.orders());
    worker.carry_out(*backend);
    owners.emplace(&backend->pool(), backend.get());
    pools.push_back(&backend->pool());
  }
  pool::share(pools, [&](pool::Pool& rich) {
    rich.evict(worker.orders());
    worker.carry_out(*owners.at(&rich));
  });
}

}  // namespace weir::app
