#include <algorithm>

#include "errands.h"

namespace weir::session {

namespace {

constexpr Duration kRoomPause = 50 * base::kMillisecond;
constexpr Duration kServerPauseMax = base::kSecond;

Duration patience(const Plan& plan) {
  return plan.acquire_timeout > 0 ? plan.acquire_timeout : plan.connect_timeout;
}

}  // namespace

Trial::Trial(Worker& worker, Backend& backend, std::string secret, Done done)
    : Opening(worker, backend, 0),
      secret_(std::move(secret)),
      done_(std::move(done)),
      ends_at_(worker.now() + patience(*plan_)),
      pause_([](void* self, Time) { static_cast<Trial*>(self)->go_on(); }, this) {
  refusal_level_ = base::LogLevel::Info;
}

void Trial::begin() { go_on(); }

// With room for a connection, or without yet.
void Trial::go_on() {
  if (!has_room_) {
    has_room_ = backend_->pool().begin_trial(worker_.orders());
    worker_.carry_out(*backend_);
  }
  if (has_room_) return dial();
  if (is_later(kRoomPause)) return;
  backend_->pool().give_up_trial();
  end(backend_->pool().wait_error(0, patience(*plan_)));
}

// True: it goes on then.
bool Trial::is_later(Duration pause) {
  const Time then = worker_.now() + pause;
  if (then >= ends_at_) return false;
  worker_.loop().timers().set(pause_, then);
  return true;
}

void Trial::opened(std::unique_ptr<PooledServer> server) {
  // The pool may have been refused with what was known before.
  backend_->learn_accepted(secret_);
  backend_->pool().forgive();
  auto spare = backend_->pool().trial_won(std::move(server), worker_.now(), worker_.orders());
  if (spare) {
    std::unique_ptr<PooledServer> own(static_cast<PooledServer*>(spare.release()));
    worker_.stats(*backend_).closes[CloseReason::Retired].add();
    worker_.start(std::make_unique<Closing>(worker_, std::move(own), true));
  }
  has_room_ = false;
  end({});
}

// A wrong password says nothing of the server.
void Trial::failed(const base::Error& why) {
  if (why.kind != base::ErrorKind::Refused) count(why);
  if (why.kind != base::ErrorKind::Refused && is_later(server_pause_)) {
    server_pause_ = std::min(server_pause_ * 2, kServerPauseMax);
    tried_ = 0;
    place_ = -1;
    return;
  }
  backend_->pool().trial_lost(why, worker_.now(), worker_.orders());
  has_room_ = false;
  end(why);
}

void Trial::end(const base::Error& why) {
  worker_.finished(*this);
  worker_.carry_out(*backend_);
  const Done done = std::move(done_);
  done(why);
}

}  // namespace weir::session
