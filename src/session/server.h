// A server connection with all that travels with it. Idle: owned by its pool. Lent: by a Lease.
// Between: by an order or an errand. On one worker's thread at a time; moves only at rest.
#pragma once

#include <memory>
#include <string>

#include <weir/session/worker.h>

#include "outlet.h"

namespace weir::session {

std::string tls_of(const net::Stream& stream);  // as SHOW has it; empty: in clear

// Who uses a server. Without one, what the server says is a surprise.
class ServerUser {
 public:
  virtual void on_server_bytes(base::Bytes bytes) = 0;
  virtual void on_server_end(const base::Error& why) = 0;
  virtual void on_server_writable() = 0;

 protected:
  ~ServerUser() = default;
};

class PooledServer final : public pool::Server, public net::Deferred, private net::StreamReader {
 public:
  PooledServer(Worker& home, Backend& backend, std::unique_ptr<net::Stream> stream,
               std::unique_ptr<protocol::ServerState> state);
  ~PooledServer() override;

  uint64_t variant() const override { return state_->variant(); }
  uint64_t flavour() const override { return state_->flavour(); }
  Backend& backend() { return *backend_; }
  Worker& home() { return *home_; }
  net::Stream& stream() { return *stream_; }
  protocol::ServerState& state() { return *state_; }

  void use(ServerUser* user);  // null: nobody
  // After some rest it is looked at before it is used: its end may not have been noticed yet.
  bool is_alive(Time now) { return now - idle_since <= kPeekAfter || stream_->is_alive(); }
  // Leaves its worker's loop, and joins another's, on the respective threads.
  void leave();
  void join(Worker& worker);

  Outlet outlet;
  std::string in;                    // a piece that is not whole yet
  size_t want = 0;                   // bytes that it takes
  size_t unjudged = 0;               // bytes of the last delivery that its user has not looked at
  std::shared_ptr<Dialler> dialler;  // that has made its stream, and makes those of its cancels
  int place = -1;                    // which of the dialler's servers it is
  int cancels = 0;                   // under way; until they are over it goes to nobody
  bool is_near = false;              // Stream::is_near(), at its login
  bool ended = false;                // its stream is over
  bool in_doubt = false;             // a cancel that was given up may still reach it
  bool served = false;               // it has served somebody since its login
  bool said_farewell = false;        // its last words went to the client
  uint64_t client_id = 0;
  std::string_view activity = "idle";  // for people, as is the next
  Time lent_at = 0;                    // to whom it serves or has served; 0: to nobody yet

 private:
  static constexpr Duration kPeekAfter = 2 * base::kMillisecond;
  void on_bytes(base::Bytes bytes) override;
  void on_end(const base::Error& why) override;
  void on_writable() override;

  Worker* home_;
  std::shared_ptr<Backend> backend_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<protocol::ServerState> state_;
  ServerUser* user_ = nullptr;
};

// The right to use a server. Destroyed without having been given back, it closes the server.
class Lease {
 public:
  Lease() = default;
  explicit Lease(std::unique_ptr<PooledServer> server) : server_(std::move(server)) {}
  Lease(Lease&&) = default;
  Lease& operator=(Lease&& other) noexcept {
    std::swap(server_, other.server_);
    return *this;
  }
  ~Lease() {
    if (server_) server_->home().close(std::move(server_), CloseReason::Abandoned);
  }
  explicit operator bool() const { return server_ != nullptr; }
  PooledServer* operator->() const { return server_.get(); }
  PooledServer& operator*() const { return *server_; }
  std::unique_ptr<PooledServer> take() { return std::move(server_); }

 private:
  std::unique_ptr<PooledServer> server_;
};

}  // namespace weir::session
