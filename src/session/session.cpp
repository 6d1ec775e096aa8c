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
    case Session::State::Moving:
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
  return door.tls ? door.encryption : protocol::Encryption::None;
}

}  // namespace

// docs/memory.md counts on it.
static_assert(sizeof(Session) <= 576);

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
    case State::Waiting: return wait_on(bytes);
    case State::Settling:
    case State::Queued:
    case State::Attaching:
    case State::Calling:
    case State::Moving:
    case State::Reattaching: return park(bytes);
    case State::Idle:
    case State::Sharing:
    case State::Linked: return relay_client(bytes);
    case State::Ended: return;
  }
}

// With what comes behind it the request may need no server any more: it is taken back, or whole
// enough for a lane.
void Session::wait_on(Bytes bytes) {
  const std::string whole = std::exchange(in_, {}).append(bytes);
  Bytes rest = whole;
  while (judge_client(rest)) {
  }
}

void Session::wait_no_more() {
  backend_->pool().withdraw(waiter_);
  waiter_.ticket.wait++;
  stream_->resume(net::kPauseParked);
  to(lane_turns_ > 0 ? State::Sharing : State::Idle);
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
  const bool owed = lease_ && link().owes(*server);
  const bool in_block = lease_ && link().condition(*server) == Condition::Open;
  Sink sink{worker_.to_client(), worker_.to_server()};
  if (server && !lease_) sink.owner = id_;
  sink.settled = is_settled();
  sink.has_hub = plan_->hub && plan_->mode != Mode::Session;
  if (!lease_) offer_lane(sink);
  sink.repeatable = plan_->retry_reads;
  const Progress progress = link().on_client(*client_, server, bytes, sink);
  if (sink.turn_began && !owed) begin_turn(in_block);
  if (sink.turns > 0) note_lane_turns(sink.turns);
  if (sink.turns > 0 && (plan_->retry_reads || owed_)) note_owed(sink);
  return act_on(progress, sink, bytes);
}

// True: judge what is left of `bytes`.
bool Session::act_on(const Progress& progress, const Sink& sink, Bytes& bytes) {
  if (sink.withdrawn > 0) stats().cancels[CancelResult::Withdrawn].add(sink.withdrawn);
  // Neighbours have been asked for before it waited.
  const bool still_waits =
      (progress.next == Next::NeedServer || progress.next == Next::Roll) && lane_turns_ == 0;
  if (state_ == State::Waiting && !still_waits) wait_no_more();
  if (!send_both()) return false;
  if (lease_) note_pin();
  bytes.remove_prefix(progress.consumed);
  if (state_ == State::Waiting) return park(bytes), false;
  switch (progress.next) {
    case Next::Flush: return !bytes.empty();
    case Next::Feed:
      in_.assign(bytes);
      want_ = progress.want;
      if (sink.hold_may_end && hold_is_over()) end_hold();
      return false;
    case Next::NeedServer:
      if (left_at_ != 0 && is_settled()) return end(EndReason::ClientLost), false;
      park(bytes);
      if (is_settled()) acquire();  // else when the last answer from the lane is there
      return false;
    case Next::NeedLane:
      park(bytes);
      want_lane(sink.needs);
      return false;
    case Next::Reattach:
      park(bytes);
      if (lease_->in.empty()) reattach();  // else when the rest of a message has come
      return false;
    case Next::Roll:
      park(bytes);
      call_roll();
      return false;
    case Next::Login:
      park(bytes);
      if (!lease_)
        log_in_again();
      else if (is_drained())
        end_hold();
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
  turn_cancelled_ = false;
  if ((plan_->mode == Mode::Session || pin_) && !in_block)
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
  if (left_at_ != 0) return leave_if_answered();
  if (!lease_ || state_ != State::Linked) return;
  lease_->stream().resume(net::kPausePeerFull);
  drained();
}

// Nothing is on its way any more that the end of a hold, or what is parked, may have waited for.
void Session::drained() {
  if (server_rests() && !link().pin(lease_->state()) && hold_is_over()) return end_hold();
  if (is_drained() && !in_.empty() && want_ == 0) go_on();
}

// A client that has closed its half may still wait for answers; those of a lane are soon there.
void Session::on_end(const base::Error& why) {
  const bool waits = state_ == State::Sharing || state_ == State::Queued || owed_;
  if (!why.text.empty()) return end(EndReason::ClientLost);
  if (!waits) return end(farewell());
  left_at_ = worker_.now();
  arm();
}

void Session::leave_if_answered() {
  if (left_at_ != 0 && state_ == State::Idle && !owed_ && outlet_.empty()) end(farewell());
}

// Of a client that has closed in an orderly way.
EndReason Session::farewell() const {
  // A transaction that is left open is rolled back.
  const bool waits_for_nothing =
      state_ == State::Idle || (state_ == State::Linked && !link().owes(lease_->state()) &&
                                link().is_idle(*client_) && pin_ != protocol::Pin::Bulk);
  const bool rests = client_ && waits_for_nothing && in_.empty() && outlet_.empty();
  return rests && !link().clients_say_goodbye() ? EndReason::ClientLeft : EndReason::ClientLost;
}

// ---------------------------------------------------------------- from the server

void Session::on_server_bytes(Bytes bytes) {
  if (state_ != State::Linked) return;
  if (lease_->in.empty()) {
    while (judge_server(bytes)) {
    }
    return say_kept();
  }
  lease_->in.append(bytes);
  if (lease_->in.size() < lease_->want) return;
  const std::string whole = std::move(lease_->in);
  lease_->in = {};
  Bytes rest = whole;
  while (judge_server(rest)) {
  }
  say_kept();
}

bool Session::judge_server(Bytes& bytes) {
  Sink sink{worker_.to_client(), worker_.to_server()};
  const Progress progress = link().on_server(*client_, lease_->state(), bytes, sink);
  if (sink.retire) lease_->said_farewell = true;
  bytes.remove_prefix(progress.consumed);
  lease_->unjudged = bytes.size();
  if (!send_both()) return false;
  note_pin();
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
  const bool worked = sink.waits == 0;
  counts.queries.add(sink.queries);
  if (worked) counts.query.observe(now - turn_began_);
  if (sink.transactions > 0) {
    counts.transactions.add(sink.transactions);
    if (worked) counts.transaction.observe(now - hold_began_);
    hold_began_ = now;  // with the next transaction already on its way the hold goes on
  }
  if (worked) note_slow(now - turn_began_, lease_->id);
  turn_began_ = turn_ended_ = now;
  turn_cancelled_ = false;
  if (plan_->timeouts.idle_in_transaction > 0 || plan_->mode == Mode::Session || pin_) arm();
}

void Session::note_slow(Duration took, uint64_t server) {
  if (plan_->slow_query == 0 || took < plan_->slow_query) return;
  stats().slow_queries.add();
  log(LogLevel::Warn, "client {} server {}: slow query, {} ms, {}/{} as {}", id_, server,
      took / base::kMillisecond, backend_->database(), backend_->user(), user_);
}

void Session::note_pin() {
  const auto pin = lease_ ? link().pin(lease_->state()) : std::nullopt;
  if (pin != pin_) {
    if (pin) stats().pins[*pin].add();
    stats().pinned_clients.add((pin ? 1 : 0) - (pin_ ? 1 : 0));
    pin_ = pin;
  }
  if (pin_) arm();
}

void Session::on_server_writable() {
  if (!lease_ || state_ != State::Linked) return;
  if (lease_->outlet.flush(lease_->stream()) == Sent::Broken)
    return lost_server({base::ErrorKind::Unreachable, "connection lost"});
  if (!lease_->outlet.empty()) return;
  stream_->resume(net::kPausePeerFull);
  drained();
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

// ---------------------------------------------------------------- the end

bool Session::can_leave() const {
  const bool idles = state_ == State::Idle && !owed_;
  return idles || state_ == State::Greeting || state_ == State::Settling;
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
    link().say_fatal(*client_, last_words, send);
    outlet_.send(*stream_, send);
  } else if (!last_words.text.empty() && greeting_ && backend_) {
    std::string send;
    greeting_->refuse(last_words, send);
    outlet_.send(*stream_, send);
  }
  leave_server(reason);
  count_end(reason);
  const bool is_servers = reason == EndReason::ServerLost || reason == EndReason::ServerProtocol;
  const LogLevel level = is_servers ? LogLevel::Warn : LogLevel::Info;
  log(was_greeting ? LogLevel::Debug : level, "client {} left after {} ms: {}{}{}", id_,
      (worker_.now() - connected_at_) / base::kMillisecond, text(reason),
      why.text.empty() ? "" : ": ", why.text);
  to(State::Ended);
  stream_->set_reader(nullptr);
  const bool gone = reason == EndReason::ClientLost || reason == EndReason::ClientLeft;
  if (!gone && outlet_.empty())
    worker_.start(std::make_unique<Farewell>(worker_, std::move(stream_)));
  leave_limits();
  worker_.remove(*this);
}

// The server that the client leaves behind, in whatever state.
void Session::leave_server(EndReason reason) {
  conversation_.reset();
  if (!lease_) return;
  auto server = lease_.take();
  note_pin();
  server->use(nullptr);
  if (state_ == State::Attaching || state_ == State::Reattaching || server->ended ||
      !server->in.empty() || server->unjudged > 0 || !server->outlet.empty() ||
      reason == EndReason::ServerProtocol)
    return worker_.close(std::move(server), reason == EndReason::ServerLost
                                                ? CloseReason::Lost
                                                : CloseReason::Abandoned);
  if (link().condition(server->state()) == Condition::Broken)
    return worker_.close(std::move(server), client_ && link().is_idle(*client_)
                                                ? CloseReason::Retired
                                                : CloseReason::ClientError);
  if (plan_->replication != protocol::Replication::None)
    return worker_.close(std::move(server), CloseReason::Retired);
  const Caretaker::Work work{.cancel = reason != EndReason::ClientLeft,
                             .reset = plan_->mode == Mode::Session || stays_};
  worker_.start(std::make_unique<Caretaker>(worker_, std::move(server), work));
}

void Session::refresh_plan() {
  if (backend_) plan_ = worker_.house().plan_of(*backend_, user_);
  arm();
}

}  // namespace weir::session
