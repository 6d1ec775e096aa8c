// A server that the sessions of one worker share: their requests go down it one behind the other,
// and the link says whose each answer is. Owned by its worker, one or more for each backend that
// has them; that worker's thread only.
//
// The requests of one turn of the loop go out in one write. A near server, while it works on them,
// gets no more: those that come meanwhile follow in one write when it has answered, and it receives
// them all at once. As it would take them in turn anyway, that costs a client a round trip to that
// server at most.
//
//   Resting -> Waiting -> Attaching -> Open -> Draining -> Resting
//   Resting    holds no server: nothing is asked
//   Waiting    stands in the pool's queue; sessions wait for it
//   Attaching  a talk with the server, which is of another flavour
//   Open       requests go out, answers come in; with the last answer the server goes back. A hub's
//   stays as long as anybody listens
//   Draining   others wait for a server: no more requests, the answers that are due, then the
//   server goes back
#pragma once

#include <memory>
#include <vector>

#include "conversation.h"
#include "server.h"

namespace weir::session {

// Whoever can wait in a pool's queue.
class Holder {
 public:
  virtual bool waits_for(const pool::Ticket& ticket) const = 0;
  virtual void served(std::unique_ptr<PooledServer> server) = 0;  // null: ask again
  virtual void wait_failed(const base::Error& why) = 0;

 protected:
  ~Holder() = default;
};

class Lane final : public net::Deferred, public Holder, private ServerUser {
 public:
  enum class State : uint8_t { Resting, Waiting, Attaching, Open, Draining };

  using Kind = protocol::LaneKind;

  struct Sort {
    uint64_t flavour = 0;  // of its server
    Kind kind = Kind::Light;
  };
  Lane(Worker& worker, Backend& backend, Sort sort, uint64_t id);
  ~Lane() override;
  uint64_t id() const { return id_; }
  uint64_t flavour() const { return waiter_.flavour; }
  Kind kind() const { return kind_; }

  // Nothing goes on here; whether anybody means to use it again it does not know.
  bool is_unused() const { return state_ == State::Resting && wanting_.empty() && !gathering_; }
  bool is_open() const { return state_ == State::Open; }
  protocol::ServerState& state() { return lease_->state(); }
  uint64_t server_id() const { return lease_->id; }
  // What the link has put together for the server. False: not all of it went out, this session
  // should pause.
  bool send(const base::Gather& gather, uint64_t session);
  // Calls Session::lane_opened() when requests may go out.
  void want(uint64_t session);
  // It does not wait any more, nor listen; answers that it is owed are dropped.
  void forget(uint64_t session);

  bool waits_for(const pool::Ticket& ticket) const override;
  void served(std::unique_ptr<PooledServer> server) override;
  void wait_failed(const base::Error& why) override;

 private:
  void on_server_bytes(base::Bytes bytes) override;
  void on_server_end(const base::Error& why) override;
  void on_server_writable() override;
  bool hold_back(const base::Gather& gather);
  void send_held();
  void next_batch();
  bool share(base::Bytes& bytes);
  void acquire();
  void attached(const base::Status& result);
  void open_up();
  void after_answers();
  void leave(uint64_t session);
  void say(const base::Gather& for_server);
  void give_back();
  void die(const base::Error& why);
  void watch();
  void on_time(Time now);
  static void on_timer(void* self, Time now) { static_cast<Lane*>(self)->on_time(now); }

  Worker& worker_;
  std::shared_ptr<Backend> backend_;
  const protocol::Lanes& lanes_;
  const uint64_t id_;
  const Kind kind_;
  State state_ = State::Resting;
  Lease lease_;
  pool::Waiter waiter_;
  std::unique_ptr<Conversation> conversation_;
  Time opened_at_ = 0;
  std::vector<uint64_t> wanting_;  // sessions that wait for it to open
  std::vector<uint64_t> blocked_;  // sessions that wait for it to take more
  std::vector<protocol::Share> shares_;
  bool sharing_ = false;  // is giving out what the server has said
  std::shared_ptr<const Plan> plan_;
  std::string held_;  // requests that wait until the server has answered some of the others
  uint32_t held_requests_ = 0;
  bool gathering_ = false;  // they go out soon
  Time batch_at_ = 0;       // the turn of the loop in which those others went out
  Time owed_since_ = 0;     // the oldest answer that is due, or the one before it
  base::Timer timer_;
};

}  // namespace weir::session
