// A client that is logged in says that it is somebody else. When that is true it moves to that
// user's pool; else it stays who it was.
#include <weir/base/log.h>

#include "errands.h"
#include "session.h"

namespace weir::session {

using base::log;
using base::LogLevel;
using protocol::Dialogue;
using protocol::Step;

// Its words are parked.
void Session::log_in_again() {
  move_ = std::make_unique<Move>(Move{backend_->protocol().greet_again(*client_), {}});
  wrong_proofs_ = 0;
  to(State::Moving);
  std::string send;
  moving_step(move_->greeting->feed(in_, send), send);
}

void Session::moving_step(Dialogue::Result result, const std::string& send) {
  in_.erase(0, result.consumed);
  note_wrong_proofs(*move_->greeting);
  if (!send.empty() && outlet_.send(*stream_, send) == Sent::Broken)
    return end(EndReason::ClientLost);
  switch (result.step) {
    case Step::Ask: return ask_again();
    case Step::Try: return prove_again();
    case Step::NeedServer: return move();
    case Step::Wait: return stay();
    default: break;
  }
  end(EndReason::LoginFailed);
}

void Session::ask_again() {
  Visitor self = visitor(move_->greeting->request());
  self.former = {user_, backend_->database()};
  worker_.house().admit(self, worker_, [&worker = worker_, id = id_](Admitted answer) {
    Session* session = worker.session(id);
    if (session) return session->admitted_again(std::move(answer));
    if (answer.on_leave) answer.on_leave();
  });
}

void Session::admitted_again(Admitted admitted) {
  move_->admitted = std::move(admitted);
  if (!move_->admitted.refusal.text.empty()) return tried_again(move_->admitted.refusal);
  std::string send;
  const Dialogue::Result result = move_->greeting->admit(move_->admitted.admission, send);
  moving_step(result, send);
}

void Session::prove_again() {
  protocol::Greeting& greeting = *move_->greeting;
  if (!move_->admitted.backend)
    return tried_again(worker_.house().no_backend(*door_, greeting.request()));
  worker_.house().prove(*move_->admitted.backend, greeting.proof(), worker_,
                        [&worker = worker_, id = id_](const base::Error& refusal) {
                          if (Session* session = worker.session(id)) session->tried_again(refusal);
                        });
}

void Session::tried_again(const base::Error& refusal) {
  std::string send;
  const Dialogue::Result result = move_->greeting->tried(refusal, send);
  moving_step(result, send);
}

// It has proved who it is.
void Session::move() {
  if (!move_->admitted.backend)
    return tried_again(worker_.house().no_backend(*door_, move_->greeting->request()));
  const std::unique_ptr<Move> done = std::move(move_);
  protocol::Greeting& greeting = *done->greeting;
  std::string send;
  const Dialogue::Result result = done->admitted.backend->with_facts(
      [&](protocol::Facts& facts) { return greeting.welcome(facts, nullptr, send); });
  in_.erase(0, result.consumed);
  stats().clients[ClientCount::Login].add(-1);
  leave_limits();
  on_leave_ = std::move(done->admitted.on_leave);
  backend_ = std::move(done->admitted.backend);
  user_ = greeting.request().user;
  plan_ = worker_.house().plan_of(*backend_, user_);
  stats().clients[ClientCount::Login].add(1);
  stats().logins[LoginResult::Ok].add();
  learn(greeting.learnt_secret());
  client_ = greeting.take_client();
  lane_ = nullptr;
  log(LogLevel::Info, "client {} logged in again: {} to {}/{} from {}", id_, user_,
      backend_->database(), backend_->user(), stream_->peer());
  if (outlet_.send(*stream_, send) == Sent::Broken) return end(EndReason::ClientLost);
  go_on_soon();
}

void Session::stay() {
  const std::unique_ptr<Move> done = std::move(move_);
  if (done->admitted.on_leave) done->admitted.on_leave();
  go_on_soon();
}

// Its next words may be the same once more, and again: not from within this call.
void Session::go_on_soon() {
  to(State::Idle);
  worker_.loop().run_soon([&worker = worker_, id = id_] {
    Session* session = worker.session(id);
    if (session && session->state_ == State::Idle) session->go_on();
  });
}

void Session::leave_limits() {
  if (on_leave_) std::exchange(on_leave_, nullptr)();
  if (move_ && move_->admitted.on_leave) std::exchange(move_->admitted.on_leave, nullptr)();
}

}  // namespace weir::session
