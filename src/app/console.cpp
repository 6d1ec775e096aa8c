#include "console.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/base/log.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "places.h"

namespace weir::app {

using base::Error;
using base::ErrorKind;
using base::log;
using base::LogLevel;
using engine::AdminCommand;
using engine::AdminRole;
using engine::AdminVerb;

namespace {

constexpr int kTicksToStop = 2;  // for the answer to get out

// Makes what is missing; the last directory is for weir's own account alone.
base::Status make_directory(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const bool last = slash == std::string::npos;
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), last ? 0700 : 0755) != 0 && errno != EEXIST)
      return Error{ErrorKind::System, "cannot create " + part + ": " + std::strerror(errno)};
    if (last) return base::ok();
  }
}

bool may_administer(int socket) {
  ucred peer = {};
  socklen_t size = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

}  // namespace

Console::Console(House& house, const Metrics& metrics, Levers levers)
    : house_(house), metrics_(metrics), levers_(std::move(levers)) {
  for_listeners_ =
      make_engine([this](std::string_view user) { return role_of(house_.config()->admin, user); });
  for_socket_ = make_engine([](std::string_view) { return AdminRole::Admin; });
  for_strangers_ = make_engine([](std::string_view) { return AdminRole::None; });
}

Console::~Console() = default;

std::unique_ptr<engine::Engine> Console::make_engine(
    std::function<AdminRole(std::string_view)> role_of) {
  return engine::make_console({.view = *this,
                               .actions = *this,
                               .version = "weir " WEIR_VERSION,
                               .role_of = std::move(role_of)});
}

std::shared_ptr<session::Dialler> Console::dialler() {
  return std::make_shared<EngineDialler>(*for_listeners_, "console");
}

// ---------------------------------------------------------------- the admin socket

// At a place of its own choice weir does without: another weir may be there.
base::Status Console::open_socket(const config::Admin& admin) {
  const bool chosen = admin.socket.has_value();
  const net::Endpoint place =
      chosen ? endpoint(*admin.socket) : net::Endpoint{"", 0, admin_socket()};
  base::Status made = base::ok();
  const bool is_file = place.unix_path[0] == '/';
  if (is_file) made = make_directory(place.unix_path.substr(0, place.unix_path.rfind('/')));
  if (made) {
    auto opened =
        net::listen(house_.worker(0).loop(), place, {.backlog = 16, .mode = "0600", .group = ""},
                    {.on_accept = [this](net::Accepted accepted) { accept(accepted); },
                     .on_accept_rest = [](int) {}});
    if (opened)
      socket_ = std::move(*opened);
    else
      made = opened.error();
  }
  if (made) log(LogLevel::Info, "admin socket {}", place.text());
  if (made || chosen) return made;
  log(LogLevel::Warn, "no admin socket: {}", made.error().text);
  return base::ok();
}

// SO_PEERCRED says who is there: weir's own account and root need no password.
void Console::accept(const net::Accepted& accepted) {
  engine::Engine& engine = may_administer(accepted.fd) ? *for_socket_ : *for_strangers_;
  net::Loop& loop = house_.worker(0).loop();
  engine.serve(loop, net::adopt(loop, accepted, {}));
}

// ---------------------------------------------------------------- commands

void Console::act(const AdminCommand& command, net::Loop& loop, Done done) {
  Done tell = [&loop, done = std::move(done)](base::Status status) {
    loop.mailbox().post_call([done, status = std::move(status)] { done(status); });
  };
  house_.worker(0).loop().mailbox().post_call(
      [this, command, tell = std::move(tell)] { carry_out(command, tell); });
}

void Console::carry_out(const AdminCommand& command, Done done) {
  session::Worker& worker = house_.worker(0);
  if (!house_.knows(command.database))
    return done(Error{ErrorKind::Refused, "no such database: " + command.database, "3D000"});
  switch (command.verb) {
    case AdminVerb::Reload: return done(levers_.reload());
    case AdminVerb::Pause:
      house_.pause(command.database, true, worker);
      pausing_.push_back({command.database, std::move(done)});
      return;
    case AdminVerb::Resume: house_.pause(command.database, false, worker); break;
    case AdminVerb::Reconnect: house_.reconnect(command.database, worker); break;
    case AdminVerb::KillClient: return kill(command.client, std::move(done));
    case AdminVerb::ShutDown: ticks_to_stop_ = kTicksToStop; break;
    case AdminVerb::ShutDownWaiting: levers_.drain(); break;
  }
  done(base::ok());
}

void Console::kill(uint64_t client, Done done) {
  session::Worker& worker = house_.worker(static_cast<pool::WorkerId>(client % house_.workers()));
  worker.loop().mailbox().post_call([&worker, client, done = std::move(done)] {
    if (worker.end_session(client, session::EndReason::Killed)) return done(base::ok());
    done(Error{ErrorKind::Refused, "no client has the id " + std::to_string(client), "42704"});
  });
}

bool Console::is_in_use(const std::string& database) const {
  const auto backends = house_.backends();
  return std::any_of(backends.begin(), backends.end(), [&](const auto& backend) {
    return (database.empty() || backend->database() == database) &&
           backend->pool().snapshot().busy > 0;
  });
}

void Console::tick() {
  std::vector<Pausing> done;
  for (auto it = pausing_.begin(); it != pausing_.end();) {
    const bool over = !house_.is_paused(it->database) || !is_in_use(it->database);
    if (over) done.push_back(std::move(*it));
    it = over ? pausing_.erase(it) : it + 1;
  }
  for (const Pausing& one : done) one.done(base::ok());
  average();
  if (ticks_to_stop_ > 0 && --ticks_to_stop_ == 0) levers_.stop();
}

}  // namespace weir::app
