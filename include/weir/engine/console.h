// The admin console as a PostgreSQL server inside weir: SHOW … and a few commands, for people,
// drivers and PgBouncer's exporters (docs/console.md). What it shows and does comes from app
// through AdminView and AdminActions, which outlive it. Owned by app; see <weir/pgserver/engine.h>
// for its life and its threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/result.h>
#include <weir/base/time.h>
#include <weir/pgserver/engine.h>

namespace weir::engine {

enum class AdminRole : uint8_t {
  None,   // is not let in
  Stats,  // may look
  Admin,  // may do everything
};

struct AdminPool {
  std::string database, user, mode;
  int64_t clients_active = 0, clients_idle = 0, clients_waiting = 0;
  int64_t servers_active = 0, servers_idle = 0, servers_opening = 0, servers_resetting = 0,
          servers_checking = 0, servers_closing = 0;
  int64_t size = 0;
  base::Duration longest_wait = 0;
  bool paused = false;
  std::string last_error;  // of the last attempt to open a server; empty: it was good
};

struct AdminClient {
  uint64_t id = 0;
  std::string database, user, server_user, application_name, peer, state;
  std::string tls;  // empty: in clear
  base::Time connected_at = 0, request_at = 0;
  base::Time waiting_since = 0;  // 0: does not wait
  const char* replication = "none";
  uint64_t server_id = 0;  // 0: holds none
  std::string pin;         // why it keeps that one
  uint32_t worker = 0;
};

struct AdminServer {
  uint64_t id = 0;
  std::string database, user, peer, state, tls;
  base::Time opened_at = 0, request_at = 0;
  int64_t remote_id = 0;
  uint64_t client_id = 0;  // 0: serves nobody
  std::string pin;
  const char* replication = "none";
  uint32_t worker = 0;
};

// What one worker knows.
struct AdminPeople {
  std::vector<AdminClient> clients;
  std::vector<AdminServer> servers;
};

struct AdminDatabase {
  std::string name, host, remote_database, forced_user, mode, protocol;
  int64_t port = 0;
  int64_t pool_size = 0, pool_min = 0, pool_overflow = 0;
  base::Duration server_lifetime = 0;
  int64_t servers_max = 0, servers = 0, clients_max = 0, clients = 0;
  bool paused = false;
};

struct AdminCounts {
  int64_t assignments = 0, transactions = 0, queries = 0, received = 0, sent = 0;
  base::Duration transaction_time = 0, query_time = 0, wait_time = 0;
  int64_t logins = 0;
};
struct AdminStats {
  std::string database;
  AdminCounts total;
  AdminCounts average;  // a second; the times for each transaction, query, assignment
};

struct AdminUser {
  std::string name, mode;  // mode empty: nothing of its own
  int64_t pool_size = 0;   // 0: nothing of its own
  int64_t servers_max = 0, servers = 0, clients_max = 0, clients = 0;
};

struct AdminOption {
  std::string key, value, fallback;
  bool changeable = true;  // by a reload
};

struct AdminItem {
  std::string name;
  int64_t value = 0;
};

struct AdminName {  // of a server's host
  std::string host;
  base::Duration left = 0;  // until it is looked up again
  std::vector<std::string> addresses;
};

// Any worker's thread.
class AdminView {
 public:
  virtual std::vector<AdminPool> pools() const = 0;
  virtual std::vector<AdminDatabase> databases() const = 0;
  virtual std::vector<AdminStats> stats() const = 0;
  virtual std::vector<AdminUser> users() const = 0;
  virtual std::vector<AdminOption> options() const = 0;  // without secrets
  virtual std::vector<AdminItem> lists() const = 0;
  virtual std::vector<AdminName> names() const = 0;
  virtual std::vector<AdminItem> state() const = 0;
  virtual uint32_t workers() const = 0;
  // `answer` comes once, on the thread of `loop`, never from inside the call; not at all when the
  // loops stop first.
  virtual void ask(uint32_t worker, net::Loop& loop,
                   std::function<void(AdminPeople)> answer) const = 0;

 protected:
  ~AdminView() = default;
};

enum class AdminVerb : uint8_t {
  Reload,
  Pause,  // no new holds; done when no server is in use any more
  Resume,
  Reconnect,
  KillClient,
  ShutDown,         // at once
  ShutDownWaiting,  // when clients hold no server
};

struct AdminCommand {
  AdminVerb verb = AdminVerb::Reload;
  std::string database;  // empty: all
  uint64_t client = 0;
};

// Any worker's thread. `done` comes as in AdminView::ask().
class AdminActions {
 public:
  virtual void act(const AdminCommand& command, net::Loop& loop,
                   std::function<void(base::Status)> done) = 0;

 protected:
  ~AdminActions() = default;
};

struct ConsoleOptions {
  const AdminView& view;
  AdminActions& actions;
  std::string version;  // as SHOW VERSION says it
  std::function<AdminRole(std::string_view user)> role_of;
};

std::unique_ptr<Engine> make_console(ConsoleOptions options);

}  // namespace weir::engine
