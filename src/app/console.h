// What the admin console sees and does of this process, the engines that speak for it, and the
// admin socket. Owned by the daemon; made before the loops run, destroyed when they have stopped
// and before they go. The socket and tick() are on worker 0's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <weir/engine/console.h>

#include "house.h"
#include "metrics.h"

namespace weir::app {

class Console final : private engine::AdminView, private engine::AdminActions {
 public:
  // What it may ask of the daemon, on worker 0's thread.
  struct Levers {
    std::function<base::Status()> reload;
    std::function<void()> drain;
    std::function<void()> stop;
    std::function<bool()> draining;  // any thread
  };
  Console(House& house, const Metrics& metrics, Levers levers);
  ~Console();

  std::shared_ptr<session::Dialler> dialler();  // for clients of listeners
  base::Status open_socket(const config::Admin& admin);
  void tick();

 private:
  using Done = std::function<void(base::Status)>;
  struct Pausing {
    std::string database;
    Done done;
  };
  using CountsByDatabase = std::map<std::string, engine::AdminCounts>;

  // AdminView (console_view.cpp)
  std::vector<engine::AdminPool> pools() const override;
  std::vector<engine::AdminDatabase> databases() const override;
  std::vector<engine::AdminStats> stats() const override;
  std::vector<engine::AdminUser> users() const override;
  std::vector<engine::AdminOption> options() const override;
  std::vector<engine::AdminItem> lists() const override;
  std::vector<engine::AdminName> names() const override;
  std::vector<engine::AdminItem> state() const override;
  uint32_t workers() const override { return house_.workers(); }
  void ask(uint32_t worker, net::Loop& loop,
           std::function<void(engine::AdminPeople)> answer) const override;
  CountsByDatabase totals() const;
  void average();

  // AdminActions
  void act(const engine::AdminCommand& command, net::Loop& loop, Done done) override;
  void carry_out(const engine::AdminCommand& command, Done done);
  void kill(uint64_t client, Done done);
  bool is_in_use(const std::string& database) const;

  std::unique_ptr<engine::Engine> make_engine(
      std::function<engine::AdminRole(std::string_view)> role_of);
  void accept(const net::Accepted& accepted);

  House& house_;
  const Metrics& metrics_;
  Levers levers_;
  std::vector<Pausing> pausing_;  // these wait until nothing is in use
  int ticks_to_stop_ = 0;         // 0: nobody has asked for the end
  base::Time averaged_at_ = 0;
  CountsByDatabase before_;  // when averages were last taken
  mutable std::mutex mutex_;
  CountsByDatabase averages_;

  std::unique_ptr<engine::Engine> for_listeners_, for_socket_, for_strangers_;
  std::unique_ptr<net::Listener> socket_;
};

}  // namespace weir::app
