// A backend: one pool of servers with everything that is needed to open, judge and count them. Made
// by app, one for each (database, server user); lives as long as app or anybody else holds it. Any
// worker reads it; what a reload changes is the Plan.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <weir/base/stats.h>
#include <weir/net/loop.h>
#include <weir/net/tls.h>
#include <weir/pool/pool.h>
#include <weir/protocol/protocol.h>

namespace weir::session {

using base::Duration;
using base::Time;

// Makes streams to the servers of a database: over the network, or to an engine inside weir.
class Dialler {
 public:
  virtual ~Dialler() = default;
  // `place` says which of several servers: chosen by the call when it comes as -1.
  virtual std::unique_ptr<net::Connecting> dial(net::Loop& loop, int& place,
                                                net::ConnectCallback done) = 0;
  // The same server once more, which is at `peer` (Stream::peer()).
  virtual std::unique_ptr<net::Connecting> dial_again(net::Loop& loop, int place,
                                                      const std::string& /*peer*/,
                                                      net::ConnectCallback done) {
    return dial(loop, place, std::move(done));
  }
  // Where a server of this place has sent weir to.
  virtual std::unique_ptr<net::Connecting> dial_elsewhere(net::Loop& loop, int place,
                                                          const protocol::Login::Elsewhere&,
                                                          net::ConnectCallback done) {
    return dial(loop, place, std::move(done));
  }
  // What pool::Server::origin says of a server at `peer`.
  virtual uint64_t origin(int /*place*/, const std::string& /*peer*/) const { return 0; }
  virtual std::string text(int place) const = 0;
  virtual net::TlsConnect tls(int /*place*/) const { return {}; }  // without a context: in clear
  // Bytes to this place can be seen by others: where TLS is demanded, nothing else will do.
  virtual bool is_remote(int /*place*/) const { return false; }
  virtual int places() const { return 1; }
  // LoginTarget::role is not said of this place.
  virtual bool may_be_any(int /*place*/) const { return false; }
  // Others are dialled before it for a while.
  virtual void failed(int /*place*/, Time /*now*/) {}
};

enum class Mode : uint8_t { Session, Transaction, Statement };

struct Timeouts {  // 0: off
  Duration client_login = 0;
  Duration query = 0, transaction = 0, idle_in_transaction = 0, client_idle = 0, client_stall = 0;
  Duration pin_idle = 0;
  Duration cancel = 10 * base::kSecond;
};

// What a reload may change. Never changed itself.
struct Plan {
  Mode mode = Mode::Transaction;
  std::string reset = "auto";
  std::string connect_query;
  Duration acquire_timeout = 30 * base::kSecond;
  Duration connect_timeout = 5 * base::kSecond;
  Duration check_after = 30 * base::kSecond;
  Duration queue_notice = 5 * base::kSecond;
  Duration slow_query = 0;
  Timeouts timeouts;
  uint32_t lanes = 1;  // on each worker, for protocols that have them
  bool hub = false;    // and clients that listen share a server, on each worker
  // What was asked on a lane that is lost is asked once more, if it only reads.
  bool retry_reads = false;
  Duration talk_timeout() const {
    return timeouts.cancel > 0 ? timeouts.cancel : 10 * base::kSecond;
  }
  protocol::LoginTarget target;
  // Servers are logged in to with what the last client has proved (Backend::learn()), as `target`
  // has no secret that every server takes.
  bool passes_through = false;
  // They are logged in to as the clients themselves.
  bool logs_in_as_client = false;
  // The servers are each for one client alone, from its login to its end: nothing of them is reset.
  protocol::Replication replication = protocol::Replication::None;
  protocol::Admission::ClientOptions client;
  std::shared_ptr<Dialler> dialler;
  // For clients that only read (Protocol::reads_only()). Null: these are like others.
  std::shared_ptr<Dialler> read_only_dialler;
};

enum class ClientCount : uint8_t { Login, Idle, Waiting, Active, kCount };
const char* label(ClientCount state);

// Why a session ended, a server was closed. One text and one label each (end_reason.cpp).
enum class EndReason : uint8_t {
  ClientLeft,
  ClientLost,
  LoginFailed,
  LoginTimeout,
  ProtocolError,
  ServerLost,
  ServerProtocol,
  Refused,
  AcquireTimeout,
  QueryTimeout,
  TransactionTimeout,
  IdleInTransaction,
  ClientIdle,
  ClientStall,
  PinIdle,
  Shutdown,
  Killed,
  KilledByNeighbour,
  TooManyClients,
  kCount,
};
const char* label(EndReason reason);
const char* text(EndReason reason);

enum class CloseReason : uint8_t {
  Lost,
  Broken,
  Retired,
  Abandoned,
  ResetFailed,
  CheckFailed,
  ClientError,
  Shutdown,
  AddressGone,
  kCount,
};
const char* label(CloseReason reason);
const char* label(protocol::Pin pin);

// What became of a client's login, of the opening of a server, of a cancel.
enum class LoginResult : uint8_t { Ok, Failed, Refused, Timeout, Left, kCount };
const char* label(LoginResult result);
enum class OpenResult : uint8_t { Ok, Refused, Timeout, Failed, kCount };
const char* label(OpenResult result);
enum class CancelResult : uint8_t { Sent, Withdrawn, Ignored, Unknown, Failed, kCount };
const char* label(CancelResult result);

// Of one backend on one worker. Only that worker writes.
struct alignas(64) Stats {
  base::Tally<ClientCount> clients;
  base::Counter resetting, checking, pinned_clients;
  base::Counter queries, transactions, slow_queries, acquire_timeouts;
  base::Counter server_errors,
      own_errors;  // answers that were errors: a server's, weir's in its stead
  base::Counter client_in, client_out, server_in, server_out;
  base::Tally<CancelResult> cancels;
  base::Tally<LoginResult> logins;
  base::Tally<OpenResult> opens;
  base::Tally<EndReason> ends;
  base::Tally<CloseReason> closes;
  base::Tally<protocol::Pin> pins;
  base::Histogram acquire, attach, query, transaction;
};

class Backend : public std::enable_shared_from_this<Backend> {
 public:
  Backend(std::string database, std::string user, const protocol::Protocol& protocol,
          uint32_t workers)
      : database_(std::move(database)),
        user_(std::move(user)),
        protocol_(protocol),
        facts_(protocol.facts()),
        stats_(workers) {}

  const std::string& database() const { return database_; }
  const std::string& user() const { return user_; }
  const protocol::Protocol& protocol() const { return protocol_; }
  const protocol::Link& link() const { return protocol_.link(); }
  pool::Pool& pool() { return *pool_; }
  const pool::Pool& pool() const { return *pool_; }
  void set_pool(std::unique_ptr<pool::Pool> pool) { pool_ = std::move(pool); }

  Stats& stats(pool::WorkerId worker) { return stats_[worker]; }
  const std::vector<Stats>& stats() const { return stats_; }

  std::shared_ptr<const Plan> plan() const {
    const std::lock_guard lock(mutex_);
    return plan_;
  }
  void set_plan(std::shared_ptr<const Plan> plan) {
    const std::lock_guard lock(mutex_);
    resets_always_ = plan->reset == "always";
    plan_ = std::move(plan);
  }

  // A secret that a client has proved to know. True: it is another one than before.
  bool learn(const std::string& secret) {
    const std::lock_guard lock(mutex_);
    if (secret.empty() || secret == learnt_) return false;
    learnt_ = secret;
    return true;
  }
  // One that a server has just accepted; it may be empty.
  void learn_accepted(const std::string& secret) {
    const std::lock_guard lock(mutex_);
    learnt_ = secret;
  }
  // One that a server has accepted some time ago: perhaps another is known since.
  void learn_older(const std::string& secret) {
    const std::lock_guard lock(mutex_);
    if (!learnt_) learnt_ = secret;
  }
  std::optional<std::string> learnt() const {
    const std::lock_guard lock(mutex_);
    return learnt_;
  }

  bool resets_always() const { return resets_always_.load(std::memory_order_relaxed); }

  template <class Use>
  auto with_facts(Use use) {
    const std::lock_guard lock(mutex_);
    return use(*facts_);
  }

 private:
  std::string database_;
  std::string user_;
  const protocol::Protocol& protocol_;
  mutable std::mutex mutex_;
  std::unique_ptr<protocol::Facts> facts_;
  std::shared_ptr<const Plan> plan_;
  std::optional<std::string> learnt_;
  std::atomic<bool> resets_always_{false};  // of the plan, asked at each release
  std::unique_ptr<pool::Pool> pool_;
  std::vector<Stats> stats_;
};

}  // namespace weir::session
