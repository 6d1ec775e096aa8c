// The console as a database of the house, and what it changes about pools.
#include <weir/base/crypto.h>
#include <weir/config/check.h>

#include <algorithm>

#include "house_entry.h"

namespace weir::app {

using engine::AdminRole;

namespace {

constexpr const char* kDatabase = "weir";
constexpr const char* kAlias = "pgbouncer";
constexpr int kConsoleClients = 1000;            // of one user
constexpr uint32_t kConsoleNumber = 0x80000000;  // apart from those of entries

bool is_listed(const std::vector<std::string>& names, std::string_view user) {
  return std::find(names.begin(), names.end(), user) != names.end();
}

}  // namespace

AdminRole role_of(const config::Admin& admin, std::string_view user) {
  if (is_listed(admin.users, user)) return AdminRole::Admin;
  return is_listed(admin.stats_users, user) ? AdminRole::Stats : AdminRole::None;
}

// ---------------------------------------------------------------- its clients

bool House::is_console(const session::Door& door, const protocol::LoginRequest& request) const {
  if (!console_ || door.protocol->name() != "postgres" || !door.database.empty()) return false;
  return request.database == kDatabase || request.database == kAlias;
}

// Who is not listed hears so after the password, not before: see no_backend().
void House::admit_to_console(const protocol::LoginRequest& request, session::Admitted& out) {
  if (out.admission.mock || role_of(config_->admin, request.user) == AdminRole::None) return;
  out.backend = console_backend(request.user);
  out.admission.options = out.backend->plan()->client;
  ++console_clients_;
  out.on_leave = [this] { --console_clients_; };
}

base::Error House::no_backend(const session::Door& door, const protocol::LoginRequest& request) {
  if (is_console(door, request))
    return {base::ErrorKind::Refused,
            "user \"" + request.user +
                "\" may not use the console: neither admin.users nor admin.stats_users names it",
            "28000"};
  if (request.database.empty() && door.database.empty())
    return {base::ErrorKind::Refused,
            "no database is named" + (request.server_name.empty()
                                          ? std::string()
                                          : ", and none is called \"" + request.server_name + "\""),
            "3D000"};
  return session::House::no_backend(door, request);
}

// Session mode and nothing carried: every message passes as it is.
std::shared_ptr<session::Backend> House::console_backend(const std::string& login) {
  auto& backend = consoles_[login];
  if (backend) return backend;
  auto plan = std::make_shared<session::Plan>();
  plan->mode = session::Mode::Session;
  plan->check_after = 0;
  plan->target.user = login;
  plan->target.database = kDatabase;
  plan->client = {.statement_mode = false,
                  .transaction_mode = false,
                  .prepared_statements = 0,
                  .statement_bytes_max = config_->limits.statement_bytes,
                  .pool = kConsoleNumber + static_cast<uint32_t>(consoles_.size())};
  plan->dialler = console_;
  backend =
      std::make_shared<session::Backend>(kDatabase, login, *protocol("postgres"), worker_count_);
  backend->set_plan(std::move(plan));
  const pool::Options options{.size = kConsoleClients,
                              .idle_timeout = 60 * base::kSecond,
                              .max_lifetime = 0,
                              .check_interval = 0,
                              .movable = false};
  backend->set_pool(std::make_unique<pool::Pool>(options, std::vector<pool::Budget*>{},
                                                 worker_count_, base::random_u64()));
  return backend;
}

House::Backends House::all_backends() const {
  auto out = backends();
  const std::lock_guard lock(mutex_);
  for (const auto& [login, backend] : consoles_) out.push_back(backend);
  if (asker_) out.push_back(asker_->backend);
  for (const auto& entry : former_askers_) out.push_back(entry->backend);
  return out;
}

// ---------------------------------------------------------------- what it does

bool House::knows(const std::string& database) const {
  const std::lock_guard lock(mutex_);
  const auto is_its = [&](const auto& each) { return each.first.first == database; };
  return database.empty() || config_->databases.contains(database) ||
         std::any_of(entries_.begin(), entries_.end(), is_its);
}

void House::note_paused(const std::string& database, bool paused) {
  if (paused) {
    paused_.insert(database);
    return;
  }
  if (database.empty()) return paused_.clear();
  if (paused_.erase("") > 0) {  // all but this one
    for (const auto& [name, configured] : config_->databases) paused_.insert(name);
    for (const auto& [key, entry] : entries_) paused_.insert(key.first);
  }
  paused_.erase(database);
}

// A pool that is made later is paused as well.
void House::pause(const std::string& database, bool paused, session::Worker& worker) {
  Backends concerned;
  {
    const std::lock_guard lock(mutex_);
    note_paused(database, paused);
    for (const auto& [key, entry] : entries_)
      if (database.empty() || key.first == database) concerned.push_back(entry->backend);
    for (const auto& entry : own_entries_)
      if (database.empty() || entry->name == database) concerned.push_back(entry->backend);
  }
  for (const auto& backend : concerned) {
    backend->pool().pause(paused, worker.now(), worker.orders());
    worker.carry_out(*backend);
  }
}

bool House::is_paused(const std::string& database) const {
  const std::lock_guard lock(mutex_);
  return paused_.contains("") || (!database.empty() && paused_.contains(database));
}

int House::used(const std::string& budget) const {
  const std::lock_guard lock(mutex_);
  const auto found = budgets_.find(budget);
  return found == budgets_.end() ? 0 : found->second->used();
}

void House::reconnect(const std::string& database, session::Worker& worker) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, entry] : entries_) {
    const config::Database* configured = config_->database(entry->name);
    if (!configured || (!database.empty() && key.first != database)) continue;
    pool::Pool& pool = entry->backend->pool();
    pool.configure(options_of(*entry, *configured, pool.movable()), true, worker.now(),
                   worker.orders());
    worker.carry_out(*entry->backend);
  }
}

}  // namespace weir::app
