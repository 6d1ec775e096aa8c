#include "daemon.h"

#include <csignal>

#include <weir/base/log.h>
#include <weir/config/check.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "notify.h"
#include "protocols.h"
#include "tls.h"

namespace weir::app {

using base::log;
using base::LogLevel;

namespace {

constexpr base::Duration kTick = 100 * base::kMillisecond;

uint32_t worker_count(const config::Config& config) {
  if (config.workers > 0) return static_cast<uint32_t>(config.workers);
  return std::max(1u, std::thread::hardware_concurrency());
}

void log_doubts(const config::Config& config) {
  for (const std::string& doubt : config::doubts_about(config)) log(LogLevel::Warn, "{}", doubt);
}

}  // namespace

struct Daemon::Seat {
  std::unique_ptr<net::Loop> loop;
  std::unique_ptr<session::Worker> worker;
  std::thread thread;
  int64_t given = 0;  // sessions, ever
};

struct Daemon::Entrance {
  config::Listener listener;
  session::DoorPtr door;
  std::unique_ptr<net::Listener> socket;
};

Daemon::Daemon(config::Config config, Source source)
    : source_(std::move(source)), protocols_(make_protocols(texts_)), ticker_(on_tick, this) {
  const uint32_t workers = worker_count(config);
  house_ = std::make_unique<House>(
      std::make_shared<const config::Config>(std::move(config)), protocols_,
      [this](const config::Database& database) { return engines_.dialler_for(database); }, workers);
  for (uint32_t id = 0; id < workers; ++id) {
    auto seat = std::make_unique<Seat>();
    seat->loop = net::make_loop();
    seat->worker = std::make_unique<session::Worker>(id, *seat->loop, *house_);
    house_->add_worker(*seat->worker);
    seats_.push_back(std::move(seat));
  }
}

Daemon::~Daemon() {
  page_.reset();  // its threads read what goes below
  ticker_.drop();
  signals_.clear();
  entrances_.clear();
  // Idle servers are the pools' and stand on the loops: they go first.
  for (auto& seat : seats_) seat->worker->clear();
  for (const auto& backend : house_->all_backends()) backend->set_pool(nullptr);
}

base::Status Daemon::start() {
  if (auto opened = open_page(); !opened) return opened;
  open_console();
  if (auto opened = house_->open_fixed(); !opened) return opened;
  const auto config = house_->config();
  if (auto opened = change_listeners(*config); !opened) return opened;
  if (auto opened = console_->open_socket(config->admin); !opened) return opened;
  watch_signals();
  for (size_t i = 1; i < seats_.size(); ++i) {
    net::Loop* loop = seats_[i]->loop.get();
    seats_[i]->thread = std::thread([loop] { loop->run(); });
  }
  seats_[0]->loop->timers().set(ticker_, seats_[0]->loop->now() + kTick);
  state_ = State::Running;
  log_doubts(*config);
  notify("READY=1\nSTATUS=running");
  return base::ok();
}

void Daemon::run() {
  seats_[0]->loop->run();
  for (auto& seat : seats_)
    if (seat->thread.joinable()) seat->thread.join();
}

// ---------------------------------------------------------------- the page

base::Status Daemon::open_page() {
  Metrics::Sources sources{[this] { return house_->backends(); }, {}, {}, reloads_};
  for (const auto& seat : seats_) {
    sources.strangers.push_back(&std::as_const(*seat->worker).strangers());
    sources.turns.push_back(&seat->loop->turns());
  }
  metrics_ = std::make_unique<Metrics>(std::move(sources));
  page_ = std::make_unique<Page>(*metrics_, [this] { return not_ready(); });
  const auto& address = house_->config()->http.address;
  return address ? page_->open(*address) : base::ok();
}

void Daemon::open_console() {
  console_ = std::make_unique<Console>(
      *house_, *metrics_,
      Console::Levers{.reload = [this] { return reload(); },
                      .drain =
                          [this] {
                            if (state_ == State::Running) drain();
                          },
                      .stop = [this] { stop(); },
                      .draining = [this] { return state_ != State::Running; }});
  house_->set_console(console_->dialler());
}

std::string Daemon::not_ready() const {
  switch (state_.load()) {
    case State::Starting: return "starting";
    case State::Running: return {};
    default: return "draining";
  }
}

// ---------------------------------------------------------------- clients

base::Result<session::Door> Daemon::door_of(const config::Config& config,
                                            const config::Listener& listener) const {
  auto tls = client_tls(listener.tls, listener.protocol);
  if (!tls) return tls.error();
  const protocol::Protocol* speaks = house_->protocol(listener.protocol);
  if (!speaks)
    return base::Error{base::ErrorKind::Config,
                       "no clients of " + listener.protocol + " can be served yet"};
  session::Door door{.protocol = speaks,
                     .database = listener.database,
                     .login_timeout = config.defaults.timeouts.client_login,
                     .login_bytes_max = config.limits.login_bytes,
                     .socket = socket_options(config.tcp),
                     .tls = std::move(*tls),
                     .encryption = client_encryption(listener.tls),
                     .needs_certificate = listener.tls.mode >= config::TlsMode::VerifyCa,
                     .verifies_name = listener.tls.mode == config::TlsMode::VerifyFull,
                     .balancers = listener.proxy_from};
  if (listener.auth.method) door.method = method_of(*listener.auth.method);
  return door;
}

base::Result<std::unique_ptr<Daemon::Entrance>> Daemon::open_listener(
    const config::Config& config, const config::Listener& listener) {
  auto entrance = std::make_unique<Entrance>();
  entrance->listener = listener;
  auto door = door_of(config, listener);
  if (!door) return door.error();
  entrance->door = std::make_shared<session::Door>(std::move(*door));
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", listener.mode);
  auto socket = net::listen(
      *seats_[0]->loop, endpoint(listener.address),
      {.backlog = config.tcp.backlog, .mode = mode, .group = listener.group},
      {.on_accept = [this, raw = entrance.get()](
                        net::Accepted accepted) { accept(raw->door, std::move(accepted)); },
       .on_accept_rest =
           [](int) {
             log(LogLevel::Warn, "no file descriptor left: accepting rests for 100 ms");
           }});
  if (!socket) return socket.error();
  entrance->socket = std::move(*socket);
  log(LogLevel::Info, "listening for {} on {}", listener.protocol, listener.address.text());
  return entrance;
}

// Those that stay get a new door. A new one that cannot be opened changes nothing.
base::Status Daemon::change_listeners(const config::Config& config) {
  const auto same_socket = [](const config::Listener& a, const config::Listener& b) {
    return a.protocol == b.protocol && a.address == b.address && a.mode == b.mode &&
           a.group == b.group;
  };
  struct Kept {
    Entrance* entrance;
    const config::Listener& listener;
    session::Door door;
  };
  std::vector<std::unique_ptr<Entrance>> fresh;
  std::vector<Kept> kept;
  for (const config::Listener& listener : config.listeners) {
    const auto known = std::find_if(entrances_.begin(), entrances_.end(), [&](const auto& each) {
      return each->socket && same_socket(each->listener, listener);
    });
    if (known == entrances_.end()) {
      auto opened = open_listener(config, listener);
      if (!opened) return opened.error();
      fresh.push_back(std::move(*opened));
    } else {
      auto door = door_of(config, listener);
      if (!door) return door.error();
      kept.push_back({known->get(), listener, std::move(*door)});
    }
  }
  for (const auto& entrance : entrances_) {
    const bool stays = std::any_of(kept.begin(), kept.end(), [&](const Kept& each) {
      return each.entrance == entrance.get();
    });
    if (stays || !entrance->socket) continue;
    log(LogLevel::Info, "no longer listening on {}", entrance->listener.address.text());
    entrance->socket.reset();
  }
  for (Kept& each : kept) {
    each.entrance->listener = each.listener;
    if (!(each.door == *each.entrance->door))
      each.entrance->door = std::make_shared<session::Door>(std::move(each.door));
  }
  std::move(fresh.begin(), fresh.end(), std::back_inserter(entrances_));
  return base::ok();
}

// To the worker with the fewest sessions.
void Daemon::accept(const session::DoorPtr& door, net::Accepted accepted) {
  const auto busy = [](const auto& seat) { return seat->given - seat->worker->sessions_left(); };
  auto& seat = *std::min_element(seats_.begin(), seats_.end(),
                                 [&](const auto& a, const auto& b) { return busy(a) < busy(b); });
  ++seat->given;
  session::Worker& worker = *seat->worker;
  if (worker.id() == 0)
    return worker.greet(door, net::adopt(worker.loop(), accepted, door->socket));
  worker.loop().mailbox().post_call([&worker, door, accepted] {
    worker.greet(door, net::adopt(worker.loop(), accepted, door->socket));
  });
}

void Daemon::on_all(const std::function<void(session::Worker&)>& act) {
  for (const auto& seat : seats_) {
    session::Worker& worker = *seat->worker;
    if (worker.id() == 0)
      act(worker);
    else
      worker.loop().mailbox().post_call([&worker, act] { act(worker); });
  }
}

// ---------------------------------------------------------------- time and signals

void Daemon::on_tick(void* self, base::Time) { static_cast<Daemon*>(self)->tick(); }

void Daemon::tick() {
  net::Loop& loop = *seats_[0]->loop;
  house_->tick(*seats_[0]->worker);
  console_->tick();
  if (state_ == State::Draining) {
    close_listeners();
    on_all([](session::Worker& worker) { worker.end_idle_sessions(session::EndReason::Shutdown); });
    if (is_empty() || loop.now() >= drain_ends_) stop();
  }
  if (state_ != State::Stopping) loop.timers().set(ticker_, loop.now() + kTick);
}

// Clients of the console hold nothing up.
bool Daemon::is_empty() const {
  int64_t sessions = 0;
  for (const auto& seat : seats_) sessions += seat->given - seat->worker->sessions_left();
  return sessions <= house_->console_clients();
}

void Daemon::watch_signals() {
  net::Loop& loop = *seats_[0]->loop;
  const auto on = [&](int number, std::function<void()> call) {
    signals_.push_back(net::watch_signal(loop, number, std::move(call)));
  };
  on(SIGHUP, [this] { (void)reload(); });
  on(SIGTERM, [this] { state_ == State::Draining ? stop() : drain(); });
  on(SIGINT, [this] { stop(); });
  on(SIGQUIT, [this] { stop(); });
  on(SIGUSR1, [this] { pause(true); });
  on(SIGUSR2, [this] { pause(false); });
}

void Daemon::pause(bool paused) {
  log(LogLevel::Info, "{}", paused ? "paused: clients wait" : "resumed");
  house_->pause("", paused, *seats_[0]->worker);
}

base::Status Daemon::reload() {
  notify(reloading());
  base::Status status = load_again();
  notify(status ? "READY=1\nSTATUS=running"
                : "READY=1\nSTATUS=running; the last reload failed, see the log");
  return status;
}

base::Status Daemon::load_again() {
  auto loaded = source_();
  base::Status status = loaded ? base::ok() : base::Status(loaded.error());
  if (status) status = apply(std::make_shared<const config::Config>(std::move(*loaded)));
  reloads_.last_good = bool(status);
  if (status) {
    reloads_.good.add();
    log(LogLevel::Info, "reload: done");
  } else {
    log(LogLevel::Error, "reload: the configuration stays as it was");
    std::istringstream report(status.error().text);
    for (std::string line; std::getline(report, line);) log(LogLevel::Error, "{}", line);
    reloads_.failed.add();
  }
  return status;
}

// What can fail comes first.
base::Status Daemon::apply(std::shared_ptr<const config::Config> config) {
  const auto before = house_->config();
  if (auto possible = house_->prepare(*config); !possible) return possible;
  if (auto opened = change_listeners(*config); !opened) return opened;
  for (const config::Difference& difference : config::differences(*before, *config))
    log(LogLevel::Info, "reload: {}: {}{}", difference.path, difference.text,
        difference.needs_restart ? " (takes effect after a restart)" : "");
  const base::LogOptions options{config->log.level, config->log.format == config::LogFormat::Json,
                                 config->log.file};
  if (auto opened = base::open_log(options); !opened)
    log(LogLevel::Error, "reload: {}", opened.error().text);
  if (config->admin.socket != before->admin.socket)
    if (auto opened = console_->open_socket(config->admin); !opened)
      log(LogLevel::Error, "reload: {}", opened.error().text);
  log_doubts(*config);
  house_->reload(config, *seats_[0]->worker);
  on_all([](session::Worker& worker) { worker.refresh_plans(); });
  return base::ok();
}

// /readyz says at once that weir takes no more clients; the listeners close at the next tick.
void Daemon::drain() {
  const base::Duration timeout = house_->config()->shutdown_timeout;
  if (timeout > 0)
    log(LogLevel::Info, "draining: {} s at most", timeout / base::kSecond);
  else
    log(LogLevel::Info, "draining until the last client has left");
  state_ = State::Draining;
  notify("STOPPING=1\nSTATUS=draining");
  net::Loop& loop = *seats_[0]->loop;
  drain_ends_ = timeout > 0 ? loop.now() + timeout : base::kNever;
  loop.timers().set(ticker_, loop.now() + kTick);
}

void Daemon::close_listeners() {
  for (const auto& entrance : entrances_) entrance->socket.reset();
  on_all([](session::Worker& worker) { worker.set_draining(); });
}

void Daemon::stop() {
  if (state_ == State::Stopping) return;
  state_ = State::Stopping;
  notify("STOPPING=1\nSTATUS=stopping");
  close_listeners();
  for (const auto& seat : seats_) {
    session::Worker& worker = *seat->worker;
    worker.loop().mailbox().post_call([&worker] {
      worker.end_all_sessions(session::EndReason::Shutdown);
      worker.loop().stop();
    });
  }
}

}  // namespace weir::app
