#include "connection.h"

#include <cassert>

namespace weir::pgserver {

namespace {

constexpr size_t kStepsPerPump = 64;  // messages, statements or batches before other streams' turn
constexpr size_t kInputBytesMax =
    256 * 1024;  // received and not handled, before the stream is no longer read
constexpr size_t kKeptBufferBytes = 8 * 1024;  // larger empty buffers are given back

}  // namespace

Connection::Connection(ServerCore& core, net::Loop& loop, std::unique_ptr<net::Stream> stream)
    : core_(core), loop_(loop), stream_(std::move(stream)), timer_(&Connection::on_timer, this) {}

Connection::~Connection() {
  stream_.reset();
  running_.reset();
  portals_.clear();
  statements_.clear();
  parsing_ = {};
}

// ---------------------------------------------------------------- the stream

void Connection::on_bytes(base::Bytes bytes) {
  if (state_ == State::Ending || state_ == State::Ended) return;
  in_.append(bytes);
  if (state_ == State::Greeting) greet();
  pump();
}

void Connection::on_end(const base::Error&) { end(nullptr); }

void Connection::on_writable() {
  wants_writable_ = false;
  pump();
}

// Does what can be done: messages, statements, rows; until it has to wait for input, for the
// executor or for room on the stream.
void Connection::pump() {
  if (pumping_ || state_ == State::Ended) return;
  pumping_ = true;
  size_t steps = 0;
  while (state_ == State::Open) {
    if (backlog() >= core_.options.backlog_bytes && !flush()) break;
    if (++steps > kStepsPerPump) {
      pump_soon();
      break;
    }
    if (!step()) break;
  }
  pumping_ = false;
  if (state_ == State::Greeting || state_ == State::Open || state_ == State::Working) {
    flush();
    settle();
  }
}

bool Connection::step() {
  if (running_ && !running_->copying) {
    run_more();
    return true;
  }
  if (script_ && !running_) {
    next_in_script();
    return true;
  }
  return next_message();
}

void Connection::pump_soon() {
  if (pump_asked_) return;
  pump_asked_ = true;
  loop_.run_soon([this] {
    pump_asked_ = false;
    if (state_ == State::Ended) return finish();
    pump();
  });
}

// True when nothing is left to be sent.
bool Connection::flush() {
  if (!stream_) return false;
  if (backlog() > 0) {
    const iovec piece{out_.data() + out_at_, backlog()};
    const int64_t sent = stream_->try_write({&piece, 1});
    if (sent < 0) {
      end(nullptr);
      return false;
    }
    out_at_ += static_cast<size_t>(sent);
  }
  if (backlog() == 0) {
    out_.clear();
    out_at_ = 0;
    if (out_.capacity() > kKeptBufferBytes && !running_) out_.shrink_to_fit();
    return true;
  }
  if (out_at_ > out_.size() / 2) {
    out_.erase(0, out_at_);
    out_at_ = 0;
  }
  if (!wants_writable_) {
    wants_writable_ = true;
    stream_->want_writable();
  }
  return false;
}

// Before the loop goes on: what is waited for, and for how long.
void Connection::settle() {
  if (in_at_ == in_.size()) {
    in_.clear();
    if (in_.capacity() > kKeptBufferBytes) in_.shrink_to_fit();
  } else if (in_at_ > 0) {
    in_.erase(0, in_at_);
  }
  in_at_ = 0;
  // A message that is not all there may be larger than the bound; it has one of its own.
  const bool blocked =
      state_ == State::Working || backlog() >= core_.options.backlog_bytes || pump_asked_;
  if (blocked && in_.size() > kInputBytesMax) {
    stream_->pause(net::kPausePeerFull);
  } else {
    stream_->resume(net::kPausePeerFull);
  }
  if (state_ == State::Greeting) return;
  const bool waits =
      state_ == State::Open && !pump_asked_ && (!block_.is_none() || executor_->in_transaction());
  const base::Duration limit = waits ? executor_->idle_limit() : 0;
  if (limit > 0) {
    loop_.timers().set(timer_, loop_.now() + limit);
  } else {
    timer_.drop();
  }
}

void Connection::on_timer(void* self, base::Time) { static_cast<Connection*>(self)->on_deadline(); }

void Connection::on_deadline() {
  if (state_ == State::Greeting) return end(nullptr);
  const Failure idle{"25P03", "terminating connection due to idle-in-transaction timeout"};
  end(&idle);
}

// ---------------------------------------------------------------- the end

// The one way out. May be called twice, and from within any of the functions above.
void Connection::end(const Failure* fatal) {
  if (state_ == State::Ending || state_ == State::Ended) return;
  const bool pending = state_ == State::Working;
  state_ = State::Ending;
  if (fatal) append_failure(*fatal, "FATAL");
  if (backlog() > 0) {
    const iovec piece{out_.data() + out_at_, backlog()};
    (void)stream_->try_write({&piece, 1});  // what the stream does not take now is lost
  }
  timer_.drop();
  stream_->shut_write();
  if (pending) {
    executor_->cancel();
  } else {
    wind_up();
  }
}

void Connection::wind_up() {
  assert(state_ == State::Ending);
  running_.reset();
  script_.reset();
  forget_portals();
  statements_.clear();
  if (!executor_ || !executor_->in_transaction()) return finish();
  after_ = After::WindUp;
  if (executor_->transact({TransactionStep::Kind::Rollback}) != Answer::Pending) finish();
}

void Connection::finish() {
  state_ = State::Ended;
  if (pump_asked_) return;  // that call comes back here
  core_.remove(*this);
}

// From another connection's cancel request.
void Connection::cancel() {
  if (state_ == State::Working) {
    executor_->cancel();
  } else if (state_ == State::Open && running_) {
    cancelled_ = true;
    if (running_->copying) fail("57014", "canceling statement due to user request");
    pump();
  }
}

}  // namespace weir::pgserver
