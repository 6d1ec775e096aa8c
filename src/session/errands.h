// What a worker does by itself, without a client: opening and closing servers, bringing them back
// into order, cancelling. Each is owned by its worker until finished(); each has a deadline.
#pragma once

#include <weir/base/log.h>

#include <memory>

#include "conversation.h"
#include "server.h"

namespace weir::session {

class Errand : public net::Deferred {
 public:
  virtual void begin() = 0;
};

// Connects, logs in, runs connect_query; the server goes to the pool.
class Opening : public Errand {
 public:
  // `variant`: of the client for whom it is; see LoginTarget.
  Opening(Worker& worker, Backend& backend, uint64_t variant);
  void begin() override { dial(); }

 protected:
  void dial();
  // What it has come to. Over with these.
  virtual void opened(std::unique_ptr<PooledServer> server);
  virtual void failed(const base::Error& why);
  virtual std::optional<std::string> proof() const;  // of a client: what it logs in with
  void count(const base::Error& why);

  Worker& worker_;
  std::shared_ptr<Backend> backend_;
  const uint64_t variant_;
  const uint32_t generation_;  // read before the plan: a server is not taken for newer than it is
  std::shared_ptr<const Plan> plan_;
  std::shared_ptr<Dialler> dialler_;  // of the plan
  int place_ = -1;
  int tried_ = 0;  // places, before this one
  base::LogLevel refusal_level_ = base::LogLevel::Warn;

 private:
  bool dial_next();
  void on_connected(base::Result<std::unique_ptr<net::Stream>> result);
  void on_login(base::Status result, const std::string& rest);
  void dial_with_tls();
  void on_query(base::Status result);
  void join_pool();
  void stop();
  void fail(const base::Error& error);
  static void on_deadline(void* self, Time now);

  bool goes_elsewhere(const std::optional<protocol::Login::Elsewhere>& where);

  static constexpr int kHopsMax = 3;
  std::optional<protocol::Login::Elsewhere> elsewhere_;  // the place's server has sent it there
  int hops_ = 0;
  bool may_fall_back_ = false;         // to TLS, if the login in clear is refused
  bool was_refused_in_clear_ = false;  // and so it is to be TLS
  std::unique_ptr<net::Connecting> connecting_;
  std::unique_ptr<net::Stream> stream_;
  protocol::Login* login_ = nullptr;  // owned by conversation_
  std::unique_ptr<Conversation> conversation_;
  std::unique_ptr<PooledServer> server_;
  base::Timer timer_;
};

// Finds out on a connection of its own whether a server lets a client in. It waits for room, and
// for a server that cannot be reached, as long as a client waits for one.
class Trial final : public Opening {
 public:
  using Done = std::function<void(base::Error)>;
  Trial(Worker& worker, Backend& backend, std::string secret, Done done);
  void begin() override;

 private:
  void opened(std::unique_ptr<PooledServer> server) override;
  void failed(const base::Error& why) override;
  std::optional<std::string> proof() const override { return secret_; }
  void go_on();
  bool is_later(Duration pause);
  void end(const base::Error& why);

  const std::string secret_;
  Done done_;
  const Time ends_at_;
  base::Timer pause_;
  Duration server_pause_ = 250 * base::kMillisecond;  // before the next attempt; doubled each time
  bool has_room_ = false;
};

// Ends a server, with a goodbye when it rests, and waits for its end, at most a second: until then
// the slot is taken.
class Closing final : public Errand, private net::StreamReader {
 public:
  Closing(Worker& worker, std::unique_ptr<PooledServer> server, bool polite);
  void begin() override;

 private:
  void on_bytes(base::Bytes) override {}
  void on_end(const base::Error&) override { finish(); }
  void on_writable() override {}
  void finish();
  static void on_deadline(void* self, Time now);

  Worker& worker_;
  std::unique_ptr<PooledServer> server_;
  const bool polite_;
  base::Timer timer_;
};

// Waits, at most a second, until a client that has been told of its end closes. If its stream were
// closed while bytes of the client lie there unread, the system would throw away what the client
// has not read yet (RFC 1122, 4.2.2.13).
class Farewell final : public Errand, private net::StreamReader {
 public:
  Farewell(Worker& worker, std::unique_ptr<net::Stream> stream);
  void begin() override;

 private:
  void on_bytes(base::Bytes) override {}
  void on_end(const base::Error&) override { worker_.finished(*this); }
  void on_writable() override {}
  static void on_deadline(void* self, Time now);

  Worker& worker_;
  std::unique_ptr<net::Stream> stream_;
  base::Timer timer_;
};

// Brings a server that nobody uses back into order: cancel, recover, reset, check; then it goes to
// its pool.
//
//   Cancelling -> Recovering -> Resetting -> Checking -> pool
//        each may be left out; each failure closes the server
class Caretaker final : public Errand {
 public:
  struct Work {
    bool cancel = false;  // stop what is running first
    bool reset = false;   // even if nothing is known to be left behind
    bool check = false;
  };
  Caretaker(Worker& worker, std::unique_ptr<PooledServer> server, Work work);
  ~Caretaker() override;
  void begin() override;

 private:
  void recover();
  void reset();
  void check();
  void talk(std::unique_ptr<protocol::Dialogue> dialogue, void (Caretaker::*next)(),
            CloseReason on_failure);
  const protocol::Link& backend_link() const { return server_->backend().link(); }
  void count(int change);
  void finish();
  void give_up(CloseReason why);

  Worker& worker_;
  std::unique_ptr<PooledServer> server_;
  Work work_;
  std::shared_ptr<const Plan> plan_;
  std::unique_ptr<Conversation> conversation_;
  Time ends_at_ = 0;  // of all its talks together
  bool counted_ = false;
};

// Sends a cancel for what a server runs, over a connection of its own. The server goes to nobody
// until done.
class Cancelling final : public Errand {
 public:
  using Done = std::function<void(bool sent)>;
  Cancelling(Worker& worker, PooledServer& server, std::unique_ptr<protocol::Dialogue> dialogue,
             Done done);
  void begin() override;

 private:
  void on_connected(base::Result<std::unique_ptr<net::Stream>> result);
  void finish(bool sent);
  static void on_deadline(void* self, Time now);

  Worker& worker_;
  std::shared_ptr<Backend> backend_;
  Duration patience_;
  uint64_t server_id_;
  std::shared_ptr<Dialler> dialler_;
  int place_;
  std::string peer_;
  std::unique_ptr<protocol::Dialogue> dialogue_;
  const bool is_possible_;  // this server can be dialled
  Done done_;
  std::unique_ptr<net::Connecting> connecting_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<Conversation> conversation_;
  base::Timer timer_;
};

// Asks a server to stop what it does, in its protocol's way. False: its connection is broken.
bool stop_work(Worker& worker, PooledServer& server, Cancelling::Done done);

}  // namespace weir::session
