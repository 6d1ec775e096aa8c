// Who may come in, and to which pool: the names of the configuration joined to backends. Asked by
// all workers. Backends are made when somebody first needs them, and go when nobody has needed them
// for an hour.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <weir/base/intern.h>
#include <weir/config/config.h>
#include <weir/engine/console.h>
#include <weir/session/worker.h>

#include "brake.h"
#include "demand.h"
#include "dialler.h"
#include "lookups.h"
#include "names.h"
#include "proofs.h"

namespace weir::app {

pool::Options pool_options(const config::PoolOptions& from, bool movable);
engine::AdminRole role_of(const config::Admin& admin, std::string_view user);

// Makes diallers for databases whose servers live inside weir; null for others. Kept by name
// over reloads.
using EngineDiallers = std::function<base::Result<std::shared_ptr<session::Dialler>>(
    const config::Database& database)>;

class House final : public session::House {
 public:
  House(std::shared_ptr<const config::Config> config,
        const std::vector<std::unique_ptr<protocol::Protocol>>& protocols, EngineDiallers engines,
        uint32_t workers);
  ~House() override;

  // Admission (house_admission.cpp).
  void admit(const session::Visitor& visitor, session::Worker& worker,
             std::function<void(session::Admitted)> done) override;
  base::Error no_backend(const session::Door& door, const protocol::LoginRequest& request) override;
  std::shared_ptr<const session::Plan> plan_of(const session::Backend& backend,
                                               const std::string& login) override;
  base::Result<std::shared_ptr<session::Backend>> own_backend(
      const session::Backend& shared, const protocol::LoginRequest& request,
      std::function<void()>& on_leave) override;
  void login_failed(const std::string& peer, const protocol::LoginRequest& request) override;
  void prove(session::Backend& backend, const std::string& secret, session::Worker& worker,
             std::function<void(base::Error)> done) override;
  void server_refused(const session::Backend& backend) override;
  session::Worker& worker(pool::WorkerId id) override { return *workers_[id]; }
  uint32_t workers() const override { return worker_count_; }
  void add_worker(session::Worker& worker) { workers_.push_back(&worker); }

  std::shared_ptr<const config::Config> config() const;
  const protocol::Protocol* protocol(std::string_view name) const;
  // Without those of the console; those of one database and user side by side.
  using Backends = std::vector<std::shared_ptr<session::Backend>>;
  Backends backends() const;
  Backends all_backends() const;
  int clients() const { return all_clients_.used(); }
  int used(const std::string& budget) const;  // by its name; 0 when nobody has asked for it
  int64_t failed_logins() const { return failed_logins_; }

  // Makes the backends that have servers to keep ready.
  base::Status open_fixed();
  // Can this configuration take the place of the one in force? Opens files that are new in it.
  base::Status prepare(const config::Config& config) const;
  // A new configuration: changed pools get new plans; `now` and `worker` are those of the caller.
  void reload(std::shared_ptr<const config::Config> config, session::Worker& worker);
  void tick(session::Worker& worker);
  std::vector<Names::View> names() const { return names_->views(); }  // of servers' hosts

  // The console (house_console.cpp): a database of its own, outside all limits.
  void set_console(std::shared_ptr<session::Dialler> dialler) { console_ = std::move(dialler); }
  int console_clients() const { return console_clients_; }
  // All databases when the name is empty.
  bool knows(const std::string& database) const;
  void pause(const std::string& database, bool paused, session::Worker& worker);
  bool is_paused(const std::string& database) const;
  void reconnect(const std::string& database, session::Worker& worker);

 private:
  struct Entry;                                          // a backend and what it was made of
  using EntryKey = std::pair<std::string, std::string>;  // database, server user
  base::Result<Entry*> entry_for(const config::Database& database, const std::string& name,
                                 const std::string& login);
  base::Result<std::unique_ptr<Entry>> make_entry(const config::Database& database,
                                                  const std::string& name,
                                                  const std::string& login);
  pool::Options options_of(const Entry& entry, const config::Database& database,
                           bool movable) const;
  base::Status prepare_own(Entry& entry, const config::Database& database,
                           const protocol::LoginRequest& request);
  std::string database_name(const session::Door& door, const protocol::LoginRequest& request) const;
  session::Admitted decide(const Demand& demand, const session::Visitor& visitor,
                           const std::string& looked_up);
  session::Admitted decide_by(const Demand& demand, const session::Visitor& visitor,
                              const session::Answer& rows);
  void admit_by(const Demand& demand, const session::Visitor& visitor, session::Worker& worker,
                std::function<void(session::Admitted)> done);
  void ask_groups(const session::Visitor& visitor, session::Worker& worker,
                  std::function<void(session::Admitted)> done);
  protocol::Admission admission(const Demand& demand, const session::Visitor& visitor,
                                const std::string& looked_up) const;
  base::Result<std::shared_ptr<session::Backend>> lookup_backend();
  void set_auth_rules();
  void reload_lookups(session::Worker& worker);
  void refresh(Entry& entry, const config::Database& database, session::Worker& worker);
  // What nobody uses any more (house_expiry.cpp).
  void expire(base::Time now);
  bool has_expired(Entry& entry, base::Time now, bool is_crowded) const;
  bool is_made_up(const Entry& entry) const;
  void forget_budgets();
  void forget_lanes(base::Time now);
  // Names of hosts (house_names.cpp).
  std::unique_ptr<Names> make_names();
  void heard(const std::string& host, const Names::Addresses& addresses, bool mended);
  bool in_use(const std::string& host) const;
  std::vector<uint64_t> origins(const std::vector<config::Host>& hosts,
                                const std::string& host = {},
                                const Names::Addresses& addresses = {}) const;
  void each_entry(const std::function<void(const Entry&)>& act) const;
  void note_paused(const std::string& database, bool paused);
  bool is_console(const session::Door& door, const protocol::LoginRequest& request) const;
  void admit_to_console(const protocol::LoginRequest& request, session::Admitted& out);
  std::shared_ptr<session::Backend> console_backend(const std::string& login);
  std::shared_ptr<const session::Plan> make_plan(const config::Database& database,
                                                 const Entry& entry,
                                                 const std::string& login) const;
  std::shared_ptr<const session::Plan> plan_for(Entry& entry, const std::string& login) const;
  base::Error count_client(const config::Database* database, const session::Visitor& visitor,
                           std::vector<pool::Budget*>& taken);
  base::Result<std::shared_ptr<session::Dialler>> dialler(const config::Database& database,
                                                          bool& movable);
  base::Status find_diallers(Entry& entry, const config::Database& database, bool& movable);
  enum class Hosts : uint8_t { Usual, ReadOnly };
  base::Result<std::shared_ptr<session::Dialler>> kept_dialler(const config::Database& database,
                                                               Hosts which);
  base::Result<std::shared_ptr<session::Dialler>> network_dialler(const config::Database& database,
                                                                  Hosts which) const;
  std::vector<pool::Budget*> server_budgets(const config::Database& database,
                                            const std::string& name, const std::string& user);

  mutable std::mutex mutex_;
  std::shared_ptr<const config::Config> config_;
  const std::vector<std::unique_ptr<protocol::Protocol>>& protocols_;
  EngineDiallers engines_;
  uint32_t worker_count_;
  std::vector<session::Worker*> workers_;
  std::map<EntryKey, std::unique_ptr<Entry>> entries_;
  uint32_t entries_made_ = 0;
  std::vector<std::unique_ptr<Entry>> own_entries_;  // each for one client at a time
  std::shared_ptr<session::Dialler> console_;
  std::map<std::string, std::shared_ptr<session::Backend>> consoles_;  // by login
  std::atomic<int> console_clients_{0};
  // Of the networks' databases by their names in the configuration; one for all their pools.
  std::map<std::pair<std::string, Hosts>, std::shared_ptr<session::Dialler>> diallers_;
  std::set<std::string> paused_;  // databases; "" stands for all
  std::map<std::string, std::unique_ptr<pool::Budget>> budgets_;
  pool::Budget all_clients_;
  std::atomic<int64_t> failed_logins_{0};
  Brake brake_;
  Proofs proofs_;
  Lookups logins_, groups_;  // by auth.query's sql and group_sql
  std::unique_ptr<Names> names_;
  std::unique_ptr<Entry> asker_;  // of auth.query
  std::vector<std::unique_ptr<Entry>> former_askers_;
  base::Time lanes_looked_at_ = 0;
};

}  // namespace weir::app
