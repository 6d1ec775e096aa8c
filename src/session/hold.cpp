// How a session gets a server and gives it back.
#include <weir/base/log.h>

#include <algorithm>

#include "errands.h"
#include "session.h"

namespace weir::session {

using base::ErrorKind;

// From Idle (a request is parked) or Settling.
void Session::acquire() {
  const protocol::ClientState& state = client_ ? *client_ : greeting_->client();
  wait_since_ = worker_.now();
  noticed_ = false;
  ask_pool(state);
}

void Session::ask_pool(const protocol::ClientState& state) {
  waiter_.ticket = {worker_.id(), id_, waiter_.ticket.wait + 1};
  waiter_.variant = state.variant();
  waiter_.flavour = state.flavour();
  const Duration patience = plan_->acquire_timeout;
  waiter_.deadline = patience > 0 ? wait_since_ + patience : base::kNever;
  waiter_.fair_class = std::hash<std::string>{}(user_ + '\0' + application_name_);
  auto server = backend_->pool().acquire(waiter_, worker_.now(), worker_.orders());
  if (server)
    return served(std::unique_ptr<PooledServer>(static_cast<PooledServer*>(server.release())));
  if (state_ != State::Settling) to(State::Waiting);
  arm();
  worker_.carry_out(*backend_);
}

bool Session::waits_for(const pool::Ticket& ticket) const {
  return (state_ == State::Waiting || state_ == State::Settling) && !lease_ &&
         ticket.wait == waiter_.ticket.wait;
}

void Session::served(std::unique_ptr<PooledServer> server) {
  if (!server) return ask_pool(client_ ? *client_ : greeting_->client());
  lease_ = Lease(std::move(server));
  lease_->client_id = id_;
  lease_->keeper = 0;
  lease_->activity = "active";
  lease_->lent_at = worker_.now();
  const Duration rested = worker_.now() - lease_->idle_since;
  if (lease_->ended || !lease_->is_alive(worker_.now())) return drop_server(CloseReason::Lost);
  stats().acquire.observe(worker_.now() - wait_since_);
  hold_began_ = turn_began_ = turn_ended_ = worker_.now();
  if (plan_->check_after > 0 && rested >= plan_->check_after && lease_->served) return check();
  lease_->served = true;
  attach();
}

void Session::wait_failed(const base::Error& error) {
  const bool is_refused = error.kind == ErrorKind::Refused;
  base::Error why = error;
  // Who reads this looks for the mistake in what it has sent itself.
  if (is_refused && !plan_->logs_in_as_client)
    why.text = "weir's own login is refused by the server: " + why.text;
  if (!is_refused) stats().acquire_timeouts.add();
  if (state_ == State::Settling)
    return refuse(is_refused ? EndReason::Refused : EndReason::AcquireTimeout, why);
  // It is the client's own login that the server does not take any more.
  if (is_refused && plan_->logs_in_as_client && link().ends_user(why))
    return end(EndReason::Refused, why);
  answer_no_server(why);
}

void Session::answer_no_server(const base::Error& why) {
  if (const auto ending = worker_.without_server().ending(worker_.now()))
    base::log(base::LogLevel::Warn, "client {} got no server of {}/{}: {}{}", id_,
              backend_->database(), backend_->user(), why.text, *ending);
  answer_error(why);
}

// The server that was lent is of no use; nothing has been sent to it, so another one will do.
void Session::drop_server(CloseReason why) {
  conversation_.reset();
  auto server = lease_.take();
  worker_.close(std::move(server), why);
  if (!greeting_)
    to(State::Waiting);
  else
    to(State::Settling);
  served(nullptr);
}

void Session::talk(std::unique_ptr<protocol::Dialogue> dialogue,
                   void (Session::*next)(const base::Status&)) {
  conversation_ =
      std::make_unique<Conversation>(worker_.loop(), lease_->stream(), std::move(dialogue));
  conversation_->begin(
      plan_->talk_timeout(), [this, next](base::Status status, const std::string& rest) {
        if (!rest.empty())
          status = base::Error{ErrorKind::Protocol, "the server said more than it was asked"};
        (this->*next)(status);
      });
}

void Session::check() {
  to(State::Attaching);
  talk(link().check(lease_->state()), &Session::checked);
}

void Session::checked(const base::Status& result) {
  if (!result) return drop_server(CloseReason::CheckFailed);
  lease_->served = true;
  attach();
}

// Puts the client's settings in force; at once when they are.
void Session::attach() {
  protocol::ClientState& state = client_ ? *client_ : greeting_->client();
  auto dialogue = link().attach(state, lease_->state());
  if (!dialogue) return link_up();
  attach_began_ = worker_.now();
  to(State::Attaching);
  talk(std::move(dialogue), &Session::attached);
}

void Session::attached(const base::Status& result) {
  conversation_.reset();
  if (result) {
    stats().attach.observe(worker_.now() - attach_began_);
    return link_up();
  }
  if (result.error().kind != ErrorKind::Refused) return drop_server(CloseReason::Lost);
  // The server refused a setting: it is fine itself, and the client is told in the server's words.
  const base::Error why = result.error();
  worker_.release(lease_.take());
  if (state_ == State::Ended) return;
  if (greeting_) return refuse(EndReason::Refused, why);
  answer_error(why);
}

// In the middle of a hold no other server will do: a failure ends the session.
void Session::reattach() {
  auto dialogue = link().attach(*client_, lease_->state());
  if (!dialogue) return go_on();
  to(State::Reattaching);
  lease_->stream().resume(net::kPausePeerFull);  // the talk is small, and has a deadline
  talk(std::move(dialogue), &Session::reattached);
}

void Session::reattached(const base::Status& result) {
  conversation_.reset();
  if (result) return link_up();
  const bool refused = result.error().kind == ErrorKind::Refused;
  end(refused ? EndReason::Refused : EndReason::ServerLost, result.error());
}

void Session::unblock() {
  if (outlet_.empty()) lease_->stream().resume(net::kPausePeerFull);
  if (lease_->outlet.empty()) stream_->resume(net::kPausePeerFull);
}

void Session::link_up() {
  if (greeting_) return welcome(&lease_->state());
  to(State::Linked);
  lease_->use(this);
  unblock();
  go_on();
}

// Who shares a server to listen keeps no other, whatever a reload has made of the pool's mode.
bool Session::hold_is_over() const {
  const bool stays = plan_->mode == Mode::Session || stays_;
  return is_drained() && (!stays || client_->listens());
}

bool Session::is_drained() const {
  return lease_ && outlet_.empty() && lease_->outlet.empty() && lease_->in.empty();
}

// At rest outside a transaction; half a piece or an open turn is neither.
bool Session::server_rests() const {
  const protocol::Condition condition = link().condition(lease_->state());
  return condition == protocol::Condition::Clean || condition == protocol::Condition::Dirty;
}

void Session::end_hold() {
  auto server = lease_.take();
  note_pin();
  to(State::Idle);
  worker_.release(std::move(server));
  // Requests that had to wait for these answers.
  if (state_ == State::Idle && !in_.empty() && want_ == 0) go_on();
}

// weir's own answer to the turn that is parked; the client lives on.
void Session::answer_error(const base::Error& error) {
  to(State::Idle);
  owed_.reset();
  protocol::Sink sink{worker_.to_client(), worker_.to_server()};
  in_.erase(0, link().answer_error(*client_, error, in_, sink));
  stats().own_errors.add();
  if (send_both()) go_on();
}

void Session::lost_server(const base::Error& why) {
  if (state_ != State::Linked) return;
  lease_->ended = true;
  if (lease_->said_farewell) return end(EndReason::ServerLost);
  end(EndReason::ServerLost,
      {ErrorKind::Unreachable,
       "server connection lost" + (why.text.empty() ? std::string() : ": " + why.text), "08006"});
}

}  // namespace weir::session
