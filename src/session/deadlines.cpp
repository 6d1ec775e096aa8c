// What a session waits for has a deadline; one timer for all of them.
#include <weir/base/log.h>

#include <algorithm>

#include "errands.h"
#include "session.h"

namespace weir::session {

using base::log;
using base::LogLevel;
using protocol::Condition;

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
  if (left_at_ != 0) at(left_at_, plan_->talk_timeout());
  switch (state_) {
    case State::Settling: at(wait_since_, plan_->acquire_timeout); break;
    case State::Queued:
    case State::Waiting:
      at(wait_since_, plan_->acquire_timeout);
      if (!noticed_) at(wait_since_, plan_->queue_notice);
      break;
    case State::Idle:
      if (!client_->listens()) at(state_since_, timeouts.client_idle);
      break;
    case State::Calling: at(state_since_, plan_->talk_timeout()); break;
    case State::Moving: at(state_since_, timeouts.client_login); break;
    case State::Linked:
      if (link().is_open_ended(lease_->state())) break;
      if (is_in_block()) at(hold_began_, timeouts.transaction);
      if (link().owes(lease_->state()))
        at(turn_began_,
           timeouts.query + (turn_cancelled_ && timeouts.query ? plan_->talk_timeout() : 0));
      else
        at(turn_ended_, idle_limit());
      break;
    default: break;
  }
  return next;
}

// A client that keeps a server for what it may do next. Not one that hears from it meanwhile, or
// that lets others wait.
bool Session::pins_in_vain() const {
  using protocol::Pin;
  if (!pin_) return false;
  switch (*pin_) {
    case Pin::Watch:
    case Pin::Command:
    case Pin::TempTable:
    case Pin::Cursor:
    case Pin::Prepared:
    case Pin::Context:
    case Pin::Setting:
    case Pin::Unclear: return true;
    default: return false;
  }
}

// How long the client of a server that owes nothing may be silent; 0: for ever.
Duration Session::idle_limit() const {
  const Timeouts& limits = plan_->timeouts;
  const Duration pinned = pins_in_vain() ? limits.pin_idle : 0;
  if (!is_in_block()) return plan_->mode == Mode::Session ? limits.client_idle : pinned;
  const Duration in_block = limits.idle_in_transaction;
  return pinned > 0 && (in_block == 0 || pinned < in_block) ? pinned : in_block;
}

// In a transaction, or in a turn that may become one, perhaps with half of its request.
bool Session::is_in_block() const {
  const Condition condition = link().condition(lease_->state());
  return condition == Condition::Open || pin_ == protocol::Pin::Bulk ||
         (condition == Condition::Broken && link().owes(lease_->state()));
}

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
  if (left_at_ != 0 && left_at_ + plan_->talk_timeout() <= now) return end(EndReason::ClientLost);
  switch (state_) {
    case State::Settling:
    case State::Queued:
    case State::Waiting: return on_wait_time(now);
    case State::Linked: return on_linked_time(now);
    case State::Idle: return end_idle();
    case State::Calling:
      return end(EndReason::QueryTimeout,
                 {base::ErrorKind::Timeout, "the other clients were not found in time", "57014"});
    case State::Moving:
      return end(EndReason::LoginTimeout,
                 {base::ErrorKind::Timeout, "login was not completed in time", "08P01"});
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
  const base::Error error = backend_->pool().wait_error(waiter_.variant, now - wait_since_);
  if (state_ == State::Queued) {
    lane_->forget(id_);
    lane_drained();
  } else {
    backend_->pool().withdraw(waiter_);
  }
  waiter_.ticket.wait++;
  stats().acquire_timeouts.add();
  if (state_ == State::Settling) return refuse(EndReason::AcquireTimeout, error);
  answer_no_server(error);
}

void Session::on_linked_time(Time now) {
  const Timeouts& limits = plan_->timeouts;
  const bool owes = link().owes(lease_->state());
  if (!owes && pins_in_vain() && limits.pin_idle > 0 && turn_ended_ + limits.pin_idle <= now)
    return end(EndReason::PinIdle, {base::ErrorKind::Timeout,
                                    "terminating connection due to pin_idle timeout", "57P05"});
  if (!owes && !is_in_block()) return end_idle();
  if (is_in_block() && limits.transaction > 0 && hold_began_ + limits.transaction <= now)
    return end(
        EndReason::TransactionTimeout,
        {base::ErrorKind::Timeout, "terminating connection due to transaction timeout", "25P04"});
  if (!owes)
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
  if (!stop_work(worker_, *lease_, [](bool) {}))
    return lost_server({base::ErrorKind::Unreachable, "connection lost"});
  arm();
}

}  // namespace weir::session
