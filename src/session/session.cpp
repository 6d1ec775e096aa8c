#include "session.h"

#include <weir/base/limits.h>
#include <weir/base/log.h>

#include <algorithm>

#include "errands.h"

namespace weir::session {

using base::Bytes;
using base::log;
using base::LogLevel;
using protocol::Condition;
using protocol::Next;
using protocol::Progress;
using protocol::Sink;

namespace {

ClientCount counted_as(Session::State state) {
  switch (state) {
    case Session::State::Greeting:
    case Session::State::Settling: return ClientCount::Login;
    case Session::State::Queued:
    case Session::State::Waiting: return ClientCount::Waiting;
    case Session::State::Attaching:
    case Session::State::Reattaching:
    case Session::State::Calling:
    case Session::State::Sharing:
    case Session::State::Linked: return ClientCount::Active;
    default: return ClientCount::Idle;
  }
}

protocol::Encryption encryption(const Door& door) {
  if (!door.tls) return protocol::Encryption::None;
  return door.needs_tls ? protocol::Encryption::Required : protocol::Encryption::Offered;
}

}  // namespace

// docs/memory.md counts on it.
static_assert(sizeof(Session) <= 544);

Session::Session(Worker& worker, uint64_t id, DoorPtr door, std::unique_ptr<net::Stream> stream)
    : worker_(worker),
      id_(id),
      door_(std::move(door)),
      stream_(std::move(stream)),
      greeting_(door_->protocol->greet({door_->login_bytes_max, encryption(*door_)})),
      timer_(on_timer, this),
      connected_at_(worker.now()),
      state_since_(connected_at_) {}

Session::~Session() = default;

void Session::to(State state) {
  if (state != state_) {
    Stats& counts = stats();
    counts.clients[counted_as(state_)].add(-1);
    if (state != State::Ended) counts.clients[counted_as(state)].add(1);
  }
  state_ = state;
  state_since_ = worker_.now();
  if (state == State::Ended)
    timer_.drop();
  else
    arm();
}

// ---------------------------------------------------------------- from the client

void Session::on_bytes(Bytes bytes) {
  if (backend_) stats().client_in.add(static_cast<int64_t>(bytes.size()));
  switch (state_) {
    case State::Greeting: in_.append(bytes); return greet();
    case State::Settling:
    case State::Waiting:
    case State::Queued:
    case State::Attaching:
    case State::Calling:
    case State::Reattaching: return park(bytes);
    case State::Idle:
    case State::Sharing:
    case State::Linked: return relay_client(bytes);
    case State::Ended: return;
  }
}

void Session::relay_client(Bytes bytes) {
  if (in_.empty()) {
    while (judge_client(bytes)) {
    }
    return;
  }
  in_.append(bytes);
  if (in_.size() < want_) return;
  const std::string whole = std::move(in_);
  in_ = {};
  Bytes rest = whole;
  while (judge_client(rest)) {
  }
}

bool Session::judge_client(Bytes& bytes) {
  protocol::ServerState* server = server_state();
  const bool owed = server && link().owes(*server);
  const bool in_block = server && link().condition(*server) == Condition::Open;
  Sink sink{worker_.to_client(), worker_.to_server()};
  if (server && !lease_) sink.owner = id_;
  sink.settled = lane_turns_ == 0;
  if (!lease_) offer_lane(sink);
  const Progress progress = link().on_client(*client_, server, bytes, sink);
  if (sink.turn_began && !owed) begin_turn(in_block);
  if (sink.turns > 0) note_lane_turns(sink.turns);
  return act_on(progress, sink, bytes);
}

// True: judge what is left of `bytes`.
bool Session::act_on(const Progress& progress, const Sink& sink, Bytes& bytes) {
  if (!send_both()) return false;
  bytes.remove_prefix(progress.consumed);
  switch (progress.next) {
    case Next::Flush: return !bytes.empty();
    case Next::Feed:
      in_.assign(bytes);
      want_ = progress.want;
      if (sink.hold_may_end && hold_is_over()) end_hold();
      return false;
    case Next::NeedServer:
      park(bytes);
      if (lane_turns_ == 0) acquire();  // else when the last answer from the lane is there
      return false;
    case Next::NeedLane:
      park(bytes);
      want_lane(sink.heavy);
      return false;
    case Next::Reattach:
      park(bytes);
      reattach();
      return false;
    case Next::Roll:
      park(bytes);
      call_roll();
      return false;
    case Next::Later:
      park(bytes);
      lane_later_ = !lease_;
      return false;
    case Next::Leave: end(EndReason::ClientLeft); return false;
    case Next::Fail: end(EndReason::ProtocolError, sink.error); return false;
  }
  return false;
}

void Session::begin_turn(bool in_block) {
  turn_began_ = worker_.now();
  if (plan_->mode == Mode::Session && !in_block)
    hold_began_ = turn_began_;  // here a hold is no transaction
  if (plan_->timeouts.query > 0 || plan_->timeouts.transaction > 0) arm();
}

// A client that asks and waits sends nothing more; only one that goes on sending is paused.
void Session::park(Bytes bytes) {
  in_.append(bytes);
  want_ = 0;
  if (in_.size() > base::kParkedBytesMax) stream_->pause(net::kPauseParked);
}

void Session::go_on() {
  lane_later_ = false;
  stream_->resume(net::kPauseParked);
  if (!in_.empty()) relay_client({});
}

void Session::on_writable() {
  if (outlet_.flush(*stream_) == Sent::Broken) return end(EndReason::ClientLost);
  if (!outlet_.empty()) return;
  stalled_at_ = 0;
  stream_->resume(net::kPauseUnread);
  if (lane_later_) return go_on();
  if (!lease_ || state_ != State::Linked) return;
  lease_->stream().resume(net::kPausePeerFull);
  if (server_rests() && hold_is_over()) end_hold();
}

void Session::on_end(const base::Error&) { end(EndReason::ClientLost); }

// ---------------------------------------------------------------- from the server

void Session::on_server_bytes(Bytes bytes) {
  if (state_ != State::Linked) return;
  if (lease_->in.empty()) {
    while (judge_server(bytes)) {
    }
    return;
  }
  lease_->in.append(bytes);
  if (lease_->in.size() < lease_->want) return;
  const std::string whole = std::move(lease_->in);
  lease_->in = {};
  Bytes rest = whole;
  while (judge_server(rest)) {
  }
}

bool Session::judge_server(Bytes& bytes) {
  Sink sink{worker_.to_client(), worker_.to_server()};
  const Progress progress = link().on_server(*client_, lease_->state(), bytes, sink);
  if (sink.retire) lease_->said_farewell = true;
  bytes.remove_prefix(progress.consumed);
  lease_->unjudged = bytes.size();
  if (!send_both()) return false;
  count(sink);
  if (progress.next == Next::Flush) return !bytes.empty();
  if (progress.next == Next::Fail) {
    const bool refused = sink.error.kind == base::ErrorKind::Refused;
    end(refused ? EndReason::Refused : EndReason::ServerProtocol, sink.error);
    return false;
  }
  lease_->in.assign(bytes);
  lease_->want = progress.want;
  if (sink.hold_may_end && hold_is_over())
    end_hold();
  else if (!in_.empty() && want_ == 0)
    go_on();  // requests that had to wait for answers
  return false;
}

void Session::count(const Sink& sink) {
  if (sink.errors > 0) stats().server_errors.add(sink.errors);
  if (sink.queries == 0) return;
  const Time now = worker_.now();
  Stats& counts = stats();
  counts.queries.add(sink.queries);
  counts.query.observe(now - turn_began_);
  if (sink.transactions > 0) {
    counts.transactions.add(sink.transactions);
    counts.transaction.observe(now - hold_began_);
    hold_began_ = now;  // with the next transaction already on its way the hold goes on
  }
  if (plan_->slow_query > 0 && now - turn_began_ >= plan_->slow_query) {
    counts.slow_queries.add();
    log(LogLevel::Warn, "client {} server {}: slow query, {} ms, {}/{} as {}", id_, lease_->id,
        (now - turn_began_) / base::kMillisecond, backend_->database(), backend_->user(), user_);
  }
  turn_began_ = turn_ended_ = now;
  turn_cancelled_ = false;
  if (plan_->timeouts.idle_in_transaction > 0 || plan_->mode == Mode::Session) arm();
}

void Session::on_server_writable() {
  if (!lease_ || state_ != State::Linked) return;
  if (lease_->outlet.flush(lease_->stream()) == Sent::Broken)
    return lost_server({base::ErrorKind::Unreachable, "connection lost"});
  if (!lease_->outlet.empty()) return;
  stream_->resume(net::kPausePeerFull);
  if (server_rests() && hold_is_over()) end_hold();
}

void Session::on_server_end(const base::Error& why) { lost_server(why); }

// ---------------------------------------------------------------- to both

bool Session::send_both() {
  base::Gather& for_server = worker_.to_server();
  base::Gather& for_client = worker_.to_client();
  if (!for_server.empty()) {
    stats().server_out.add(static_cast<int64_t>(for_server.size()));
    const Sent sent = lease_ ? lease_->outlet.send(lease_->stream(), for_server)
                      : lane_->send(for_server, id_) ? Sent::All
                                                     : Sent::Some;
    for_server.clear();
    if (sent == Sent::Some) stream_->pause(net::kPausePeerFull);
    if (sent == Sent::Broken) {
      for_client.clear();
      lost_server({base::ErrorKind::Unreachable, "connection lost"});
      return false;
    }
  }
  if (for_client.empty()) return true;
  stats().client_out.add(static_cast<int64_t>(for_client.size()));
  const Sent sent = outlet_.send(*stream_, for_client);
  for_client.clear();
  if (sent == Sent::Broken) {
    end(EndReason::ClientLost);
    return false;
  }
  if (sent == Sent::Some) {
    stream_->pause(net::kPauseUnread);
    if (lease_) lease_->stream().pause(net::kPausePeerFull);
    if (stalled_at_ == 0) stalled_at_ = worker_.now();
    arm();
  }
  return true;
}

// ---------------------------------------------------------------- time

// The nearest of all deadlines that count in this state.
Time Session::deadline() const {
  Time next = base::kNever;
  const auto at = [&next](Time since, Duration limit) {
    if (limit > 0) next = std::min(next, since + limit);
  };
  if (state_ == State::Greeting)
    at(connected_at_, plan_ ? plan_->timeouts.client_login : door_->login_timeout);
  if (!plan_) return next;
  const Timeouts& timeouts = plan_->timeouts;
  if (stalled_at_ != 0) at(stalled_at_, timeouts.client_stall);
  switch (state_) {
    case State::Settling: at(wait_since_, plan_->acquire_timeout); break;
    case State::Queued:
    case State::Waiting:
      at(wait_since_, plan_->acquire_timeout);
      if (!noticed_) at(wait_since_, plan_->queue_notice);
      break;
    case State::Idle: at(state_since_, timeouts.client_idle); break;
    case State::Linked:
      if (link().is_open_ended(lease_->state())) break;
      if (is_in_block()) at(hold_began_, timeouts.transaction);
      if (link().owes(lease_->state()))
        at(turn_began_,
           timeouts.query + (turn_cancelled_ && timeouts.query ? plan_->talk_timeout() : 0));
      else if (is_in_block())
        at(turn_ended_, timeouts.idle_in_transaction);
      else if (plan_->mode == Mode::Session)
        at(turn_ended_, timeouts.client_idle);
      break;
    default: break;
  }
  return next;
}

// In a transaction, or in a turn that may become one.
bool Session::is_in_block() const { return link().condition(lease_->state()) == Condition::Open; }

// A timer that is set too early costs nothing: it looks again. So it is moved only when it is
// too late.
void Session::arm() {
  const Time next = deadline();
  if (next == base::kNever || (timer_.is_set() && timer_.deadline() <= next)) return;
  worker_.loop().timers().set(timer_, next);
}

void Session::on_time(Time now) {
  if (deadline() > now) return arm();
  if (state_ == State::Greeting) {
    return refuse(EndReason::LoginTimeout,
                  {base::ErrorKind::Timeout, "login was not completed in time", "08P01"});
  }
  const Duration stall = plan_->timeouts.client_stall;
  if (stalled_at_ != 0 && stall > 0 && stalled_at_ + stall <= now)
    return end(EndReason::ClientStall);
  switch (state_) {
    case State::Settling:
    case State::Queued:
    case State::Waiting: return on_wait_time(now);
    case State::Linked: return on_linked_time(now);
    case State::Idle: return end_idle();
    default: return;
  }
}

void Session::end_idle() {
  end(EndReason::ClientIdle,
      {base::ErrorKind::Timeout, "terminating connection due to client_idle timeout", "57P05"});
}

void Session::on_wait_time(Time now) {
  if (wait_since_ + plan_->acquire_timeout > now || plan_->acquire_timeout == 0) {
    noticed_ = true;
    std::string notice;
    const bool paused = backend_->pool().snapshot().paused;
    link().say_notice(
        paused ? "waiting: the pool is paused" : "waiting for a free server connection", notice);
    outlet_.send(*stream_, notice);
    return arm();
  }
  const base::Error error = backend_->pool().wait_error(now - wait_since_);
  if (state_ == State::Queued)
    lane_->forget(id_);
  else
    backend_->pool().withdraw(waiter_);
  waiter_.ticket.wait++;
  stats().acquire_timeouts.add();
  if (state_ == State::Settling) return refuse(EndReason::AcquireTimeout, error);
  answer_error(error);
}

void Session::on_linked_time(Time now) {
  const Timeouts& limits = plan_->timeouts;
  if (!is_in_block()) return end_idle();
  if (limits.transaction > 0 && hold_began_ + limits.transaction <= now)
    return end(
        EndReason::TransactionTimeout,
        {base::ErrorKind::Timeout, "terminating connection due to transaction timeout", "25P04"});
  if (!link().owes(lease_->state()))
    return end(EndReason::IdleInTransaction,
               {base::ErrorKind::Timeout,
                "terminating connection due to idle-in-transaction timeout", "25P03"});
  if (turn_cancelled_)
    return end(EndReason::QueryTimeout,
               {base::ErrorKind::Timeout, "terminating connection due to query timeout", "57014"});
  turn_cancelled_ = true;
  log(LogLevel::Warn, "client {} server {}: query timeout after {} ms, cancelled: {}/{} as {}", id_,
      lease_->id, (now - turn_began_) / base::kMillisecond, backend_->database(), backend_->user(),
      user_);
  if (outlet_.empty() && !link().is_mid_piece(lease_->state())) {
    std::string notice;
    link().say_notice("the query takes longer than timeouts.query: it is cancelled", notice);
    outlet_.send(*stream_, notice);
  }
  worker_.start(std::make_unique<Cancelling>(worker_, *lease_, [](bool) {}));
  arm();
}

// ---------------------------------------------------------------- the end

bool Session::can_leave() const {
  return state_ == State::Idle || state_ == State::Greeting || state_ == State::Settling;
}

void Session::end(EndReason reason, const base::Error& why) {
  if (state_ == State::Ended) return;
  if (state_ == State::Waiting || state_ == State::Settling) backend_->pool().withdraw(waiter_);
  if (lane_) lane_->forget(id_);
  const bool was_greeting = state_ == State::Greeting;
  base::Error last_words = why;
  if (last_words.text.empty() && reason == EndReason::Shutdown)
    last_words = {base::ErrorKind::Refused, "weir is shutting down", "57P01"};
  if (last_words.text.empty() && reason == EndReason::Killed)
    last_words = {base::ErrorKind::Refused, "terminated by an administrator", "57P01"};
  const bool mid_piece = lane_piece_open_ || (lease_ && link().is_mid_piece(lease_->state()));
  if (!last_words.text.empty() && !greeting_ && !mid_piece) {
    std::string send;
    link().say_fatal(last_words, send);
    outlet_.send(*stream_, send);
  } else if (!last_words.text.empty() && greeting_ && backend_) {
    std::string send;
    greeting_->refuse(last_words, send);
    outlet_.send(*stream_, send);
  }
  leave_server(reason);
  count_end(reason);
  log(was_greeting ? LogLevel::Debug : LogLevel::Info, "client {} left after {} ms: {}{}{}", id_,
      (worker_.now() - connected_at_) / base::kMillisecond, text(reason),
      why.text.empty() ? "" : ": ", why.text);
  to(State::Ended);
  stream_->set_reader(nullptr);
  const bool gone = reason == EndReason::ClientLost || reason == EndReason::ClientLeft;
  if (!gone && outlet_.empty())
    worker_.start(std::make_unique<Farewell>(worker_, std::move(stream_)));
  if (on_leave_) on_leave_();
  worker_.remove(*this);
}

// The server that the client leaves behind, in whatever state.
void Session::leave_server(EndReason reason) {
  conversation_.reset();
  if (!lease_) return;
  auto server = lease_.take();
  server->use(nullptr);
  if (state_ == State::Attaching || state_ == State::Reattaching || server->ended ||
      !server->in.empty() || server->unjudged > 0 || !server->outlet.empty() ||
      reason == EndReason::ServerProtocol)
    return worker_.close(std::move(server), CloseReason::Abandoned);
  if (link().condition(server->state()) == Condition::Broken)
    return worker_.close(std::move(server), CloseReason::ClientError);
  if (plan_->replication != protocol::Replication::None)
    return worker_.close(std::move(server), CloseReason::Retired);
  const Caretaker::Work work{.cancel = reason != EndReason::ClientLeft,
                             .reset = plan_->mode == Mode::Session};
  worker_.start(std::make_unique<Caretaker>(worker_, std::move(server), work));
}

void Session::refresh_plan() {
  if (backend_) plan_ = worker_.house().plan_of(*backend_, user_);
  arm();
}

}  // namespace weir::session
