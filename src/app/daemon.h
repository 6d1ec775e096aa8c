// The running process: loops and workers on their threads, listeners, signals, the page, the
// slow clock of the pools.
// Lives on the main thread, which is worker 0's.
//
//   Starting -> Running -> Draining -> Stopping
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <weir/base/intern.h>
#include <weir/base/stats.h>
#include <weir/config/config.h>
#include <weir/session/worker.h>

#include "console.h"
#include "engines.h"
#include "house.h"
#include "metrics.h"
#include "page.h"

namespace weir::app {

// Where the configuration comes from; asked again at a reload.
using Source = std::function<base::Result<config::Config>()>;

class Daemon {
 public:
  enum class State : uint8_t { Starting, Running, Draining, Stopping };

  Daemon(config::Config config, Source source);
  ~Daemon();
  base::Status start();
  void run();  // until it has stopped

  State state() const { return state_; }
  House& house() { return *house_; }

 private:
  struct Seat;      // a worker with its loop and thread
  struct Entrance;  // a listener with its door
  void open_console();
  base::Status open_page();
  std::string not_ready() const;  // any thread
  base::Result<std::unique_ptr<Entrance>> open_listener(const config::Config& config,
                                                        const config::Listener& listener);
  base::Result<session::Door> door_of(const config::Config& config,
                                      const config::Listener& listener) const;
  base::Status change_listeners(const config::Config& config);
  void accept(const session::DoorPtr& door, net::Accepted accepted);
  void watch_signals();
  void tick();
  base::Status reload();
  base::Status load_again();
  base::Status apply(std::shared_ptr<const config::Config> config);
  void drain();
  void close_listeners();
  void stop();
  void on_all(const std::function<void(session::Worker&)>& act);
  void pause(bool paused);
  bool is_empty() const;
  static void on_tick(void* self, base::Time now);

  Source source_;
  base::InternTable texts_;
  std::vector<std::unique_ptr<protocol::Protocol>> protocols_;
  std::vector<std::unique_ptr<Seat>> seats_;
  Engines engines_;
  std::unique_ptr<House> house_;
  std::vector<std::unique_ptr<Entrance>> entrances_;
  std::vector<std::unique_ptr<net::SignalWatch>> signals_;
  base::Timer ticker_;
  std::atomic<State> state_{State::Starting};
  base::Time drain_ends_ = 0;
  Reloads reloads_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Page> page_;
  std::unique_ptr<Console> console_;
};

}  // namespace weir::app
