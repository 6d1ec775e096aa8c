// How a session begins: greeting, admission, and the facts or the server that settle it.
#include <weir/base/crypto.h>
#include <weir/base/log.h>
#include <weir/net/proxy_header.h>

#include <algorithm>

#include "errands.h"
#include "session.h"

namespace weir::session {

using base::log;
using base::LogLevel;
using protocol::Dialogue;
using protocol::Step;

namespace {

LoginResult login_result(EndReason reason) {
  switch (reason) {
    case EndReason::LoginFailed:
    case EndReason::ProtocolError: return LoginResult::Failed;
    case EndReason::LoginTimeout:
    case EndReason::AcquireTimeout: return LoginResult::Timeout;
    case EndReason::ClientLeft:
    case EndReason::ClientLost: return LoginResult::Left;
    default: return LoginResult::Refused;
  }
}

}  // namespace

void Session::begin() {
  stream_->set_reader(this);
  stats().clients[ClientCount::Login].add(1);
  log(LogLevel::Debug, "client {} connected from {}", id_, stream_->peer());
  arm();
  const auto from = base::address_of_peer(stream_->peer());
  behind_balancer_ =
      from && std::any_of(door_->balancers.begin(), door_->balancers.end(),
                          [&](const base::Network& one) { return one.contains(*from); });
  if (!behind_balancer_) start_greeting();
}

void Session::start_greeting() {
  std::string send;
  const Dialogue::Result result = greeting_->start(send);
  greeting_step(result, send);
}

// A balancer's first word is who it stands for; nobody is asked about a client before. False: it
// has not said it yet, or wrongly.
bool Session::meet_balancer() {
  auto header = net::read_proxy_header(in_);
  if (!header) {
    log(LogLevel::Warn, "balancer {} without a PROXY header: {}", stream_->peer(),
        header.error().text);
    end(EndReason::ProtocolError);
    return false;
  }
  if (header->size == 0) return false;
  in_.erase(0, header->size);
  behind_balancer_ = false;
  if (header->has_ends) {
    const base::IpAddress& from = header->source.address;
    const std::string text = from.is_v4() ? from.text() : '[' + from.text() + ']';
    stream_->set_peer(text + ':' + std::to_string(header->source.port));
  }
  start_greeting();
  return !in_.empty() && state_ == State::Greeting && greeting_;
}

void Session::greet() {
  if (behind_balancer_ && !meet_balancer()) return;
  for (;;) {
    std::string send;
    const Dialogue::Result result = greeting_->feed(in_, send);
    in_.erase(0, result.consumed);
    greeting_step(result, send);
    const bool more = result.step == Step::Wait && result.consumed > 0;
    if (!more || in_.empty() || state_ != State::Greeting || !greeting_) return;
  }
}

void Session::greeting_step(Dialogue::Result result, std::string& send) {
  note_wrong_proofs(*greeting_);
  if (!send.empty() && outlet_.send(*stream_, send) == Sent::Broken)
    return end(EndReason::ClientLost);
  switch (result.step) {
    case Step::Wait: return;
    case Step::Ask: return ask();
    case Step::Try: return prove();
    case Step::StartTls: return start_tls();
    case Step::StopTls: return stop_tls();
    case Step::Work: return work();
    case Step::NeedServer: return settle();
    case Step::Done: return greeting_->cancel() ? pass_cancel() : logged_in();
    default: break;
  }
  log(LogLevel::Info, "client {} from {}: {}", id_, stream_->peer(), greeting_->error().text);
  if (greeting_->error().kind == base::ErrorKind::Refused && !greeting_->request().user.empty())
    worker_.house().login_failed(stream_->peer(), greeting_->request());
  end(EndReason::LoginFailed);
}

// Whoever may try again may be guessing.
void Session::note_wrong_proofs(const protocol::Greeting& greeting) {
  for (; wrong_proofs_ < greeting.wrong_proofs(); ++wrong_proofs_) {
    worker_.house().login_failed(stream_->peer(), greeting.request());
    stats().logins[LoginResult::Failed].add();
    log(LogLevel::Info, "client {} from {}: wrong password for user \"{}\"", id_, stream_->peer(),
        greeting.request().user);
  }
}

void Session::work() {
  stream_->pause(net::kPauseUnread);
  protocol::Work work = greeting_->work();
  const auto go_on = [this] {
    if (state_ != State::Greeting) return;
    stream_->resume(net::kPauseUnread);
    greet();
  };
  work_ = worker_.loop().work(std::move(work.run), go_on, work.may_hang);
}

// The bytes behind are the client's half of the handshake, or there are none.
void Session::start_tls() {
  if (!outlet_.empty()) return end(EndReason::ClientLost);
  const std::string received = std::exchange(in_, {});
  const net::TlsAccept as{door_->tls, received, greeting_->envelope()};
  stream_ = net::start_tls(worker_.loop(), std::move(stream_), as,
                           [&worker = worker_, id = id_](const base::Status& status) {
                             if (Session* session = worker.session(id)) session->shaken(status);
                           });
}

void Session::stop_tls() {
  std::string received;
  auto clear = outlet_.empty() && in_.empty() ? net::stop_tls(*stream_, received) : nullptr;
  if (!clear) return end(EndReason::ProtocolError);
  stream_ = std::move(clear);
  stream_->set_reader(this);
  in_ = std::move(received);
  greet();
}

void Session::shaken(const base::Status& status) {
  if (state_ == State::Ended) return;
  if (!status) {
    log(LogLevel::Info, "client {} from {}: {}", id_, stream_->peer(), status.error().text);
    return end(EndReason::LoginFailed);
  }
  greeting_->secured(secured(*stream_));
  stream_->set_reader(this);
  greet();
}

Visitor Session::visitor(const protocol::LoginRequest& request) const {
  const net::TlsFacts* tls = stream_->tls();
  return {.door = door_,
          .request = request,
          .peer = stream_->peer(),
          .account = stream_->peer_account(),
          .over_tls = tls != nullptr,
          .certificate_name = tls ? tls->peer_name : std::nullopt};
}

void Session::ask() {
  const protocol::LoginRequest& request = greeting_->request();
  if (worker_.draining())
    return refuse(EndReason::Shutdown,
                  {base::ErrorKind::Refused, "weir is shutting down", "57P01"});
  if (on_leave_) std::exchange(on_leave_, nullptr)();  // asked about somebody else before
  stream_->pause(net::kPauseUnread);
  worker_.house().admit(visitor(request), worker_, [&worker = worker_, id = id_](Admitted answer) {
    Session* session = worker.session(id);
    if (session) return session->admitted(std::move(answer));
    if (answer.on_leave) answer.on_leave();
  });
}

void Session::admitted(Admitted admitted) {
  if (state_ != State::Greeting) {
    if (admitted.on_leave) admitted.on_leave();
    return;
  }
  stream_->resume(net::kPauseUnread);
  const protocol::LoginRequest& request = greeting_->request();
  on_leave_ = std::move(admitted.on_leave);
  if (!admitted.refusal.text.empty()) return refuse(EndReason::Refused, admitted.refusal);
  user_ = request.user;
  application_name_ = request.application_name;
  stats().clients[ClientCount::Login].add(-1);
  backend_ = std::move(admitted.backend);
  stats().clients[ClientCount::Login].add(1);
  if (backend_) plan_ = worker_.house().plan_of(*backend_, user_);
  admitted.admission.session_id = id_;
  admitted.admission.cancel_key = base::random_bytes(protocol::kCancelKeyBytes);
  std::string send;
  const Dialogue::Result result = greeting_->admit(admitted.admission, send);
  in_.erase(0, result.consumed);
  greeting_step(result, send);
  if (!in_.empty() && state_ == State::Greeting && greeting_) greet();
}

// A server has to say whether the client is let in.
void Session::prove() {
  if (!backend_) return tried(worker_.house().no_backend(*door_, greeting_->request()));
  stream_->pause(net::kPauseUnread);
  worker_.house().prove(*backend_, greeting_->proof(), worker_,
                        [&worker = worker_, id = id_](const base::Error& refusal) {
                          if (Session* session = worker.session(id)) session->tried(refusal);
                        });
}

void Session::tried(const base::Error& refusal) {
  if (state_ != State::Greeting) return;
  stream_->resume(net::kPauseUnread);
  std::string send;
  const Dialogue::Result result = greeting_->tried(refusal, send);
  in_.erase(0, result.consumed);
  greeting_step(result, send);
  if (!in_.empty() && state_ == State::Greeting && greeting_) greet();
}

// Authenticated. Most clients are settled by what is known of the pool; the first one, and one with
// settings that no client has had before, need a server.
void Session::settle() {
  if (!backend_)
    return refuse(EndReason::LoginFailed, worker_.house().no_backend(*door_, greeting_->request()));
  if (greeting_->request().replication != protocol::Replication::None && !take_own_backend())
    return;
  learn(greeting_->learnt_secret());
  if (backend_->with_facts([this](protocol::Facts& facts) { return greeting_->settled_by(facts); }))
    return welcome(nullptr);
  to(State::Settling);
  acquire();
}

void Session::learn(const std::string& secret) {
  if (plan_->passes_through && backend_->learn(secret)) backend_->pool().forgive();
}

// False: it has been refused.
bool Session::take_own_backend() {
  auto own = worker_.house().own_backend(*backend_, greeting_->request(), on_leave_);
  if (!own) {
    refuse(EndReason::Refused, own.error());
    return false;
  }
  stats().clients[ClientCount::Login].add(-1);
  backend_ = std::move(*own);
  stats().clients[ClientCount::Login].add(1);
  plan_ = backend_->plan();
  return true;
}

void Session::welcome(const protocol::ServerState* attached) {
  std::string send;
  const Dialogue::Result result = backend_->with_facts(
      [&](protocol::Facts& facts) { return greeting_->welcome(facts, attached, send); });
  in_.erase(0, result.consumed);
  greeting_step(result, send);
}

void Session::logged_in() {
  client_ = greeting_->take_client();
  greeting_.reset();
  stays_ = plan_->mode == Mode::Session;
  if (!client_->may_change_user()) door_.reset();
  stats().logins[LoginResult::Ok].add();
  log(LogLevel::Info, "client {} logged in: {} to {}/{} from {}", id_, user_, backend_->database(),
      backend_->user(), stream_->peer());
  if (lease_ && plan_->replication != protocol::Replication::None) return link_up();
  if (lease_)
    end_hold();
  else
    to(State::Idle);
  if (state_ == State::Idle) go_on();
}

void Session::refuse(EndReason reason, const base::Error& why) {
  std::string send;
  greeting_->refuse(why, send);
  outlet_.send(*stream_, send);
  log(LogLevel::Info, "client {} from {} refused: {}", id_, stream_->peer(), why.text);
  end(reason);
}

// Who leaves before the login is through has made no error: it may look whether somebody listens,
// or ask its user for a password.
void Session::count_end(EndReason reason) {
  if (greeting_ && greeting_->cancel()) return;  // it has only brought a cancel
  const bool left = reason == EndReason::ClientLeft || reason == EndReason::ClientLost;
  if (client_ || !left) stats().ends[reason].add();
  const bool is_counted = reason == EndReason::LoginFailed && wrong_proofs_ > 0;
  if (!client_ && !is_counted) stats().logins[login_result(reason)].add();
}

// This client only brings a cancel. It waits for our close, which therefore comes after the
// server's.
void Session::pass_cancel() {
  const protocol::CancelRequest request = *greeting_->cancel();
  Worker& worker = worker_;
  worker.route_cancel(request,
                      [&worker, id = id_] { worker.end_session(id, EndReason::ClientLeft); });
}

void Session::cancel(const protocol::CancelRequest& request, std::function<void()> done) {
  if (!client_ || !link().cancel_matches(*client_, request)) {
    worker_.strangers().cancels[CancelResult::Unknown].add();
    return done();
  }
  if (state_ == State::Waiting) {
    stats().cancels[CancelResult::Withdrawn].add();
    backend_->pool().withdraw(waiter_);
    waiter_.ticket.wait++;
    answer_error({base::ErrorKind::Cancelled, "canceling statement due to user request", "57014"});
    return done();
  }
  if (state_ != State::Linked || !link().owes(lease_->state())) {
    stats().cancels[CancelResult::Ignored].add();  // finished, or weir's own statement runs
    return done();
  }
  stop_work(worker_, *lease_, [finish = std::move(done)](bool) { finish(); });
}

}  // namespace weir::session
