// One client from accept to close. Owned by its worker; on that worker's thread only; ends in
// end().
//
//   Greeting -> Settling -> Idle <-> Waiting -> Attaching -> Linked <-> Reattaching
//                             ^                                |
//                             +---------- hold over -----------+
//
//   Greeting     a dialogue with the client: who it is, and whether that is true
//   Settling     logged in; waits for a server that knows the pool's facts or proves its settings
//   Idle         holds no server
//   Waiting      stands in the pool's queue; its request is parked
//   Attaching    a talk of weir's own with the server it has got: check, settings
//   Linked       the relay runs
//   Reattaching  a talk in the middle of a hold: the client's own RESET is made good
//   Calling      waits for what other workers know of its database's clients
//   Moving       says that it is somebody else; is that true?      (Idle -> Moving -> Idle)
//   Queued       waits for a lane to open; its request is parked  (Idle -> Queued -> Idle)
//   Sharing      answers are due on a lane                        (Idle -> Sharing -> Idle)
//   Ended        being deleted
#pragma once

#include <memory>
#include <string>

#include "conversation.h"
#include "lane.h"
#include "server.h"

namespace weir::session {

class Session final : public net::Deferred,
                      public Holder,
                      private net::StreamReader,
                      private ServerUser {
 public:
  enum class State : uint8_t {
    Greeting,
    Settling,
    Idle,
    Waiting,
    Attaching,
    Linked,
    Reattaching,
    Calling,
    Moving,
    Queued,
    Sharing,
    Ended,
  };

  Session(Worker& worker, uint64_t id, DoorPtr door, std::unique_ptr<net::Stream> stream);
  ~Session() override;
  void begin();
  uint64_t id() const { return id_; }

  // From the worker.
  bool waits_for(const pool::Ticket& ticket) const override;
  void served(std::unique_ptr<PooledServer> server) override;
  void wait_failed(const base::Error& error) override;
  void cancel(const protocol::CancelRequest& request, std::function<void()> done);
  bool can_leave() const;
  void refresh_plan();
  ClientView view() const;
  // Nothing: it is none of this database and protocol, or has not logged in.
  std::optional<protocol::Neighbour> as_neighbour(const std::string& database,
                                                  const protocol::Protocol& protocol) const;

  // From its lane (sharing.cpp).
  void lane_opened();
  void lane_drained();
  void lane_lost(const base::Error& why);
  void on_lane_share(const protocol::Share& share);
  const Lane* lane() const { return lane_; }
  bool is_on(const Lane& lane) const {
    return lane_ == &lane && (lane_turns_ > 0 || (client_ && client_->listens()));
  }

  // The only end. May be called twice; `why` is told to the client when its text is set.
  void end(EndReason reason, const base::Error& why = {});

 private:
  void on_bytes(base::Bytes bytes) override;
  void on_end(const base::Error& why) override;
  void on_writable() override;
  void on_server_bytes(base::Bytes bytes) override;
  void on_server_end(const base::Error& why) override;
  void on_server_writable() override;

  // Login (login.cpp).
  void greet();
  void start_greeting();
  bool meet_balancer();
  void greeting_step(protocol::Dialogue::Result result, std::string& send);
  void start_tls();
  void stop_tls();
  void work();
  void shaken(const base::Status& status);
  void ask();
  Visitor visitor(const protocol::LoginRequest& request) const;
  void admitted(Admitted admitted);
  void prove();
  void tried(const base::Error& refusal);
  void note_wrong_proofs(const protocol::Greeting& greeting);
  void settle();
  void learn(const std::string& secret);
  bool take_own_backend();
  void welcome(const protocol::ServerState* attached);
  void refuse(EndReason reason, const base::Error& why);
  void logged_in();
  void count_end(EndReason reason);
  void leave_limits();
  void pass_cancel();

  // Login as somebody else (moving.cpp).
  void log_in_again();
  void ask_again();
  void admitted_again(Admitted admitted);
  void prove_again();
  void tried_again(const base::Error& refusal);
  void moving_step(protocol::Dialogue::Result result, const std::string& send);
  void move();
  void stay();
  void go_on_soon();

  // A server, and back (hold.cpp).
  void acquire();
  void ask_pool(const protocol::ClientState& state);
  void drop_server(CloseReason why);
  void attach();
  void reattach();
  void reattached(const base::Status& result);
  void talk(std::unique_ptr<protocol::Dialogue> dialogue,
            void (Session::*next)(const base::Status&));
  void check();
  void checked(const base::Status& result);
  void attached(const base::Status& result);
  void link_up();
  void unblock();  // what was paused for a peer that has taken everything since
  void end_hold();
  void lost_server(const base::Error& why);
  void answer_error(const base::Error& error);
  void answer_no_server(const base::Error& why);

  void want_lane(protocol::LaneKind kind);
  // No lane owes it anything, nor is it in the middle of what one tells it.
  bool is_settled() const { return lane_turns_ == 0 && !lane_piece_open_; }
  bool must_keep(const protocol::Share& share) const;
  void keep(const protocol::Share& share);
  void say_kept();
  void after_push();
  bool say(size_t unread_max);  // what is in to_client(); false: this session has ended
  void offer_lane(protocol::Sink& sink) const;
  void note_answers(const protocol::Share& share);
  void note_lane_turns(uint32_t turns);
  void note_owed(const protocol::Sink& sink);
  bool may_ask_again(const base::Error& why) const;
  void ask_lane_again();
  protocol::ServerState* server_state();

  // The relay (session.cpp).
  void wait_on(base::Bytes bytes);
  void wait_no_more();
  void relay_client(base::Bytes bytes);
  bool judge_client(base::Bytes& bytes);  // true: call again with what is left
  bool act_on(const protocol::Progress& progress, const protocol::Sink& sink, base::Bytes& bytes);
  // Neighbours (neighbours.cpp).
  void call_roll();
  void on_roll(const protocol::Roll& roll);
  bool judge_server(base::Bytes& bytes);
  bool send_both();  // false: this session has ended
  void begin_turn(bool in_block);
  void count(const protocol::Sink& sink);
  void note_slow(Duration took, uint64_t server);
  void note_pin();
  void park(base::Bytes bytes);
  void go_on();  // with what is parked
  bool hold_is_over() const;
  bool is_drained() const;
  void drained();
  bool server_rests() const;

  void to(State state);
  // Deadlines (deadlines.cpp).
  void arm();
  Time deadline() const;
  Duration idle_limit() const;
  void leave_if_answered();
  EndReason farewell() const;
  void on_time(Time now);
  void on_wait_time(Time now);
  void on_linked_time(Time now);
  void end_idle();
  bool is_in_block() const;
  bool pins_in_vain() const;
  void leave_server(EndReason reason);
  static void on_timer(void* self, Time now) { static_cast<Session*>(self)->on_time(now); }
  const protocol::Link& link() const { return backend_->link(); }
  const protocol::Lanes& lanes() const { return *backend_->protocol().lanes(); }
  Stats& stats() { return backend_ ? worker_.stats(*backend_) : worker_.strangers(); }

  Worker& worker_;
  const uint64_t id_;
  State state_ = State::Greeting;
  std::optional<protocol::Pin> pin_;  // why it keeps its server
  bool lane_piece_open_ = false;      // half of an answer from the lane, or of a push, has come
  bool noticed_ = false;              // it has been told that it waits
  bool behind_balancer_ = false;      // who has not said yet whom it stands for
  bool lane_later_ = false;           // what is parked waits for some answers from the lane
  uint8_t wrong_proofs_ = 0;          // of its greeting, that have been counted
  uint32_t lane_turns_ = 0;           // whose answers are due on the lane
  uint32_t lane_window_ = 2;          // how many may be: grows as long as answers are small
  uint32_t lane_average_ = 0;         // bytes of an answer
  uint32_t lane_due_ = 0;             // bytes of the one that is coming
  DoorPtr door_;                      // as long as it may log in
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<protocol::Greeting> greeting_;  // until logged in
  std::unique_ptr<net::Work> work_;               // of the greeting
  std::unique_ptr<protocol::ClientState> client_;
  std::shared_ptr<Backend> backend_;
  std::shared_ptr<const Plan> plan_;
  std::function<void()> on_leave_;
  Lease lease_;
  Lane* lane_ = nullptr;               // the worker's; chosen when it is first needed
  std::unique_ptr<std::string> kept_;  // what its lane has told it in the middle of an answer
  struct Owed {
    std::string requests;
    bool repeatable = true;
    bool repeated = false;  // they have been lost once
  };
  std::unique_ptr<Owed> owed_;  // with retry_reads: what its lane has not answered yet
  std::unique_ptr<Conversation> conversation_;
  struct Move {
    std::unique_ptr<protocol::Greeting> greeting;
    Admitted admitted;  // as whom it says it is
  };
  std::unique_ptr<Move> move_;  // while Moving
  std::string in_;              // a piece that is not whole yet, or a request that waits
  size_t want_ = 0;
  Outlet outlet_;
  pool::Waiter waiter_;
  base::Timer timer_;
  Time connected_at_;
  Time state_since_;
  Time wait_since_ = 0;
  Time attach_began_ = 0;
  Time hold_began_ = 0;
  Time turn_began_ = 0;
  Time turn_ended_ = 0;
  Time left_at_ = 0;             // when it closed its half, while answers were due
  Time stalled_at_ = 0;          // when the client stopped taking bytes; 0: it takes them
  bool turn_cancelled_ = false;  // its turn has been cancelled for taking too long
  // It logged in to keep its server: nothing is carried for it.
  bool stays_ = false;
  std::string user_, application_name_;
};

}  // namespace weir::session
