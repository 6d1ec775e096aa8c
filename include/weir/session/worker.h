// One worker: the sessions, servers and conversations of one loop. Owned by app; everything on its
// loop's thread, except post(). Ends when its loop has stopped.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include <weir/base/network.h>
#include <weir/base/sparing.h>
#include <weir/session/backend.h>

namespace weir::session {

class Session;
class PooledServer;
class Errand;
class Holder;
class Lane;
class Worker;

// How clients of one listener get in. Shared by those that are just logging in: a reload makes
// another one.
struct Door {
  const protocol::Protocol* protocol = nullptr;
  std::string database;  // of the listener; empty: the client says
  std::optional<protocol::AuthMethod> method =
      {};  // of the listener; else what is configured for all
  Duration login_timeout = 60 * base::kSecond;
  size_t login_bytes_max = 64 * 1024;
  net::SocketOptions socket;
  net::TlsContextPtr tls = nullptr;                                 // null: TLS is not spoken here
  protocol::Encryption encryption = protocol::Encryption::Offered;  // then
  bool needs_certificate = false;  // of a client over TLS, and it has to
  bool verifies_name = false;      // be its user's
  // Balancers, which say who is behind them in a PROXY header.
  std::vector<base::Network> balancers = {};
  friend bool operator==(const Door&, const Door&) = default;
};
using DoorPtr = std::shared_ptr<const Door>;

// Who stands at a door: what it says of itself, and what is seen of it.
struct Visitor {
  DoorPtr door;
  protocol::LoginRequest request;
  std::string peer;                 // its address, with a port
  std::optional<uint32_t> account;  // of its process, over a unix socket
  bool over_tls = false;
  // Of its certificate; absent: it has shown none that was verified.
  std::optional<std::string> certificate_name;
  // As whom it is in already: when it moves, its places among the clients of those are free again.
  struct Former {
    std::string user, database;
  };
  std::optional<Former> former = {};
};

struct Admitted {
  std::shared_ptr<Backend> backend;  // null with `refusal` empty: a mock login goes on, and fails
  protocol::Admission admission;
  base::Error refusal;             // said at once when its text is set
  std::function<void()> on_leave;  // gives back what was counted
};

// What the workers ask of app. Any worker's thread.
class House {
 public:
  virtual ~House() = default;
  // `done` is called once, on the worker's thread, perhaps before this returns.
  virtual void admit(const Visitor& visitor, Worker& worker,
                     std::function<void(Admitted)> done) = 0;
  // What a client hears that has proved who it is, and for whom admit() had no backend.
  virtual base::Error no_backend(const Door&, const protocol::LoginRequest& request) {
    return {base::ErrorKind::Refused, "database \"" + request.database + "\" does not exist",
            "3D000"};
  }
  // A replication client has proved who it is: its own backend, of one server. `on_leave` gives
  // that back as well.
  virtual base::Result<std::shared_ptr<Backend>> own_backend(
      const Backend& /*shared*/, const protocol::LoginRequest& /*request*/,
      std::function<void()>& /*on_leave*/) {
    return base::Error{base::ErrorKind::Refused, "no replication here", "0A000"};
  }
  virtual void login_failed(const std::string& peer, const protocol::LoginRequest& request) = 0;
  // Does this secret let the client in at a server of its own backend? `done` is called once, on
  // the worker's thread, perhaps before this returns; without a text it does.
  virtual void prove(Backend&, const std::string& /*secret*/, Worker&,
                     std::function<void(base::Error)> done) {
    done({base::ErrorKind::Refused, "nobody can be asked here", "0A000"});
  }
  // A server has refused a login of the backend's.
  virtual void server_refused(const Backend&) {}
  // What counts for this login in this pool: mode and timeouts may be the user's own.
  virtual std::shared_ptr<const Plan> plan_of(const Backend& backend,
                                              const std::string& /*login*/) {
    return backend.plan();
  }
  virtual Worker& worker(pool::WorkerId id) = 0;
  virtual uint32_t workers() const = 0;
};

// A line of SHOW CLIENTS or SHOW SERVERS.
struct ClientView {
  uint64_t id = 0;
  std::string database, user, server_user, application_name, peer, state;
  std::string tls;  // "TLSv1.3/TLS_AES_256_GCM_SHA384"; empty: in clear
  protocol::Replication replication = protocol::Replication::None;
  Time connected_at = 0, request_at = 0, waiting_since = 0;
  uint64_t server_id = 0;
  std::string pin;  // why it keeps that server beyond a transaction; empty: it does not
};
struct ServerView {
  uint64_t id = 0;
  std::string database, user, state, peer, tls;
  protocol::Replication replication = protocol::Replication::None;
  Time opened_at = 0, request_at = 0;
  int64_t remote_id = 0;
  uint64_t client_id = 0;
  std::string pin;
};

using Answer = base::Result<std::vector<protocol::Row>>;

// What weir asks a server itself.
struct Question {
  std::string text;
  std::string argument;                  // $1
  std::function<void(Answer)> answered;  // once, later, unless the worker ends before
};

class Worker {
 public:
  Worker(pool::WorkerId id, net::Loop& loop, House& house);
  ~Worker();

  pool::WorkerId id() const { return id_; }
  net::Loop& loop() { return loop_; }
  House& house() { return house_; }
  Time now() const { return loop_.now(); }
  int64_t sessions_left() const { return left_.value(); }  // ever; any thread

  void greet(DoorPtr door, std::unique_ptr<net::Stream> stream);

  // ---- for the sessions and what works for them
  base::Gather& to_client() { return to_client_; }
  base::Gather& to_server() { return to_server_; }
  pool::Orders& orders() { return orders_; }
  void carry_out(Backend& backend);  // the orders that have been put into orders()
  void release(
      std::unique_ptr<PooledServer> server);  // a hold is over: give back, reset, recover or close
  void close(std::unique_ptr<PooledServer> server, CloseReason why);
  void route_cancel(const protocol::CancelRequest& request, std::function<void()> done);
  void broken(PooledServer& server, CloseReason why);  // nobody used it
  void remove(Session& session);
  Session* session(uint64_t id) const;
  struct LaneName {
    uint64_t flavour = 0;
    protocol::LaneKind kind = protocol::LaneKind::Light;
    uint32_t number = 0;  // of the light ones: below the plan's lanes
  };
  Lane& lane(Backend& backend, const LaneName& name);
  // Those who are owed answers on it, or listen there.
  std::vector<Session*> sessions_on(const Lane& lane) const;
  // Not from within one of them. As long as a lane is there, so is its backend.
  void forget_unused_lanes();
  bool end_session(uint64_t id, EndReason why);  // false: it is not here
  // All clients of the backend's database, whichever worker's. `done` is called later, on this
  // one's thread.
  void call_roll(Backend& backend, std::function<void(protocol::Roll)> done);
  // On whichever worker it is.
  void end_anywhere(uint64_t id, EndReason why);
  void start(std::unique_ptr<Errand> errand);
  void ask(Backend& backend, Question question);  // answered on this worker's thread
  // Logs in to a server with this secret; see House::prove(). The connection joins the pool if
  // there is room.
  void try_login(Backend& backend, std::string secret, std::function<void(base::Error)> done);
  void add_holder(uint64_t id, Holder& holder) { holders_.emplace(id, &holder); }
  void remove_holder(uint64_t id) { holders_.erase(id); }
  void finished(Errand& errand);
  void give_back(std::unique_ptr<PooledServer> server);  // clean and at rest
  void cancel_over(uint64_t server_id, bool in_doubt);
  uint64_t next_server_id() { return ++server_count_ * house_.workers() + id_; }
  Stats& stats(Backend& backend) { return backend.stats(id_); }
  Stats& strangers() {
    return strangers_;
  }  // clients whose backend is not known yet, or never will be
  const Stats& strangers() const { return strangers_; }

  base::Sparing& without_server() { return without_server_; }  // lines of clients that got none

  // ---- for app
  void end_idle_sessions(EndReason why);  // drain: those that hold no server
  void end_all_sessions(EndReason why);
  void clear();  // at the end, when the loop has stopped: errands and sessions go
  void set_draining() { draining_ = true; }
  bool draining() const { return draining_; }
  void refresh_plans();
  std::vector<ClientView> clients() const;
  std::vector<ServerView> servers() const;

 private:
  friend class PooledServer;
  void carry_out_here(Backend& backend, pool::Order order);
  void forward(Backend& backend, pool::Order order);
  void note_closed(PooledServer& server, CloseReason why);
  Holder* holder(uint64_t id) const;
  void serve(Backend& backend, pool::Order order);
  void move(Backend& backend, pool::Order order);
  void open(Backend& backend);
  void check(Backend& backend, pool::Order order);
  void fail(pool::Order order);
  struct RollCall;
  void answer_roll(const std::shared_ptr<RollCall>& call);
  void list_here(const std::string& database, const protocol::Protocol& protocol,
                 protocol::Roll& roll) const;
  void cancel_here(const protocol::CancelRequest& request, std::function<void()> done);

  pool::WorkerId id_;
  net::Loop& loop_;
  House& house_;
  uint64_t next_session_id();

  uint64_t session_count_ = 0;  // ever
  base::Counter left_;
  Stats strangers_;
  uint64_t server_count_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions_;
  std::unordered_map<uint64_t, Holder*> holders_;  // besides the sessions
  using LaneKey = std::tuple<Backend*, uint64_t, protocol::LaneKind, uint32_t>;
  std::map<LaneKey, std::unique_ptr<Lane>> lanes_;
  std::unordered_map<uint64_t, PooledServer*> servers_;  // all that are on this loop
  std::unordered_map<Errand*, std::unique_ptr<Errand>> errands_;
  std::unordered_map<uint64_t, std::unique_ptr<PooledServer>>
      being_cancelled_;  // given back, but not yet safe
  base::Gather to_client_, to_server_;
  pool::Orders orders_;
  std::vector<std::pair<Backend*, pool::Order>>
      agenda_;            // orders that wait for the one being carried out
  bool working_ = false;  // an order of agenda_ is being carried out
  bool draining_ = false;
  base::Sparing without_server_;
};

}  // namespace weir::session
