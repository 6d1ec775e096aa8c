// Who may come in, and to which pool: the names of the configuration joined to backends. Asked by all workers. Backends
// are made when somebody first needs them and live as long as the process, so that what they count is never lost.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <weir/base/intern.h>
#include <weir/config/config.h>
#include <weir/session/worker.h>

#include "dialler.h"

namespace weir::app {

protocol::AuthMethod method_of(config::AuthMethod method);

// Makes diallers for databases whose servers live inside weir; null for others. Kept by name over reloads.
using EngineDiallers =
    std::function<base::Result<std::shared_ptr<session::Dialler>>(const config::Database& database)>;

class House final : public session::House {
 public:
  House(std::shared_ptr<const config::Config> config,
        const std::vector<std::unique_ptr<protocol::Protocol>>& protocols, EngineDiallers engines,
        uint32_t workers);
  ~House() override;

  session::Admitted admit(const session::Door& door, const protocol::LoginRequest& request) override;
  void login_failed(const protocol::LoginRequest& request) override;
  session::Worker& worker(pool::WorkerId id) override { return *workers_[id]; }
  uint32_t workers() const override { return worker_count_; }
  void add_worker(session::Worker& worker) { workers_.push_back(&worker); }

  std::shared_ptr<const config::Config> config() const;
  const protocol::Protocol* protocol(std::string_view name) const;
  std::vector<session::Backend*> backends() const;
  int clients() const { return all_clients_.used(); }
  int64_t failed_logins() const { return failed_logins_; }

  // Makes the backends that have servers to keep ready.
  base::Status open_fixed();
  // A new configuration: changed pools get new plans; `now` and `worker` are those of the caller.
  void reload(std::shared_ptr<const config::Config> config, session::Worker& worker);
  void tick(session::Worker& worker);
  void each_pool(session::Worker& worker, const std::function<void(pool::Pool&, pool::Orders&)>& act);

 private:
  struct Entry;  // a backend and what it was made of
  base::Result<session::Backend*> backend_for(const config::Database& database, const std::string& name,
                                              const std::string& login);
  base::Result<std::unique_ptr<Entry>> make_entry(const config::Database& database,
                                                  const std::string& name, const std::string& login);
  std::shared_ptr<const session::Plan> make_plan(const config::Database& database, const Entry& entry) const;
  base::Error count_client(const config::Database* database, const protocol::LoginRequest& request,
                           std::vector<pool::Budget*>& taken);
  std::vector<pool::Budget*> server_budgets(const config::Database& database, const std::string& name,
                                            const std::string& user);

  mutable std::mutex mutex_;
  std::shared_ptr<const config::Config> config_;
  const std::vector<std::unique_ptr<protocol::Protocol>>& protocols_;
  EngineDiallers engines_;
  uint32_t worker_count_;
  std::vector<session::Worker*> workers_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Entry>> entries_;
  std::map<std::string, std::unique_ptr<pool::Budget>> budgets_;
  pool::Budget all_clients_;
  std::atomic<int64_t> failed_logins_{0};
};

}  // namespace weir::app
