#include "errands.h"

#include <weir/base/log.h>

#include <algorithm>

namespace weir::session {

using base::log;
using base::LogLevel;
using protocol::Condition;
using protocol::Encryption;
using protocol::Role;

namespace {

constexpr Duration kClosingTime = base::kSecond;

OpenResult open_result(const base::Error& error) {
  switch (error.kind) {
    case base::ErrorKind::Refused: return OpenResult::Refused;
    case base::ErrorKind::Timeout: return OpenResult::Timeout;
    default: return OpenResult::Failed;
  }
}

// Turns a stream to a server into one of TLS, as its dialler says, and back.
Conversation::Tls tls_on(net::Loop& loop, std::unique_ptr<net::Stream>& stream,
                         const net::TlsConnect& how) {
  if (!how.context) return {};
  const auto start = [&loop, &stream, how](std::shared_ptr<base::Envelope> envelope,
                                           net::TlsShaken shaken) -> net::Stream& {
    net::TlsConnect as = how;
    as.envelope = std::move(envelope);
    stream = net::start_tls(loop, std::move(stream), as, std::move(shaken));
    return *stream;
  };
  const auto stop = [&stream](std::string& received) {
    if (auto clear = net::stop_tls(*stream, received)) stream = std::move(clear);
    return stream->tls() ? nullptr : stream.get();
  };
  return {start, stop};
}

}  // namespace

// ---------------------------------------------------------------- Opening

Opening::Opening(Worker& worker, Backend& backend, uint64_t variant)
    : worker_(worker),
      backend_(backend.shared_from_this()),
      variant_(variant),
      generation_(backend.pool().generation()),
      plan_(backend.plan()),
      dialler_(plan_->read_only_dialler && backend.protocol().reads_only(variant)
                   ? plan_->read_only_dialler
                   : plan_->dialler),
      timer_(on_deadline, this) {}

void Opening::dial() {
  if (place_ < 0) {  // from the beginning
    elsewhere_.reset();
    hops_ = 0;
  }
  worker_.loop().timers().set(timer_, worker_.now() + plan_->connect_timeout);
  const auto connected = [this](auto result) { on_connected(std::move(result)); };
  connecting_ = elsewhere_
                    ? dialler_->dial_elsewhere(worker_.loop(), place_, *elsewhere_, connected)
                    : dialler_->dial(worker_.loop(), place_, connected);
}

// True: it is under way there.
bool Opening::goes_elsewhere(const std::optional<protocol::Login::Elsewhere>& where) {
  if (!where || ++hops_ > kHopsMax) return false;
  log(LogLevel::Info, "{}/{}: the server at {} sends its clients to {}:{}", backend_->database(),
      backend_->user(), dialler_->text(place_), where->host, where->port);
  const auto there = where;  // it is the login's, which goes now
  stop();
  elsewhere_ = there;
  dial();
  return true;
}

// Each host once, in turn. Where a standby is only preferred, then each once more, as it is.
bool Opening::dial_next() {
  const int places = dialler_->places();
  const bool prefers = plan_->target.role == Role::PreferStandby;
  if (++tried_ >= places * (prefers ? 2 : 1)) return false;
  stop();
  was_refused_in_clear_ = false;
  place_ = (place_ + 1) % places;
  elsewhere_.reset();
  hops_ = 0;
  dial();
  return true;
}

void Opening::on_connected(base::Result<std::unique_ptr<net::Stream>> result) {
  if (!result) return fail(result.error());
  stream_ = std::move(*result);
  net::TlsConnect tls = dialler_->tls(place_);
  if (elsewhere_) tls.server_name = elsewhere_->host;
  protocol::LoginTarget target = plan_->target;
  const bool is_remote = elsewhere_ || dialler_->is_remote(place_);
  if (!tls.context && is_remote && target.tls >= Encryption::Required)
    return fail({base::ErrorKind::Config, "TLS is demanded, and cannot be spoken"});
  if (!tls.context) target.tls = Encryption::None;
  if (was_refused_in_clear_) target.tls = Encryption::Required;
  if (target.role == Role::PreferStandby && tried_ < dialler_->places())
    target.role = Role::Standby;
  if (dialler_->may_be_any(place_)) target.role = Role::Any;
  const auto proof = this->proof();
  target.secret = proof.value_or(target.secret);
  target.variant = variant_;
  target.is_proof = proof.has_value();
  may_fall_back_ = target.tls == Encryption::Fallback;
  auto login = backend_->protocol().login(target);
  login_ = login.get();
  conversation_ = std::make_unique<Conversation>(worker_.loop(), *stream_, std::move(login));
  conversation_->allow_tls(tls_on(worker_.loop(), stream_, tls));
  conversation_->begin(plan_->connect_timeout, [this](base::Status status, std::string rest) {
    on_login(std::move(status), rest);
  });
}

std::optional<std::string> Opening::proof() const {
  return plan_->passes_through ? backend_->learnt() : std::nullopt;
}

void Opening::on_login(base::Status result, const std::string& rest) {
  if (!result && may_fall_back_ && result.error().kind == base::ErrorKind::Refused)
    return dial_with_tls();
  if (!result && goes_elsewhere(login_->elsewhere())) return;
  if (!result) return fail(result.error());
  auto state = login_->take_server();
  backend_->with_facts([&](protocol::Facts& facts) { facts.learn(*state); });
  server_ =
      std::make_unique<PooledServer>(worker_, *backend_, std::move(stream_), std::move(state));
  server_->generation = generation_;
  server_->dialler = dialler_;
  server_->place = place_;
  server_->origin = elsewhere_ ? 0 : dialler_->origin(place_, server_->stream().peer());
  if (!rest.empty() && !backend_->link().on_idle_server(server_->state(), rest))
    return fail({base::ErrorKind::Protocol, "the server said more than its login"});
  if (plan_->connect_query.empty()) return join_pool();
  auto talk = backend_->protocol().query(plan_->connect_query, server_->state());
  conversation_ =
      std::make_unique<Conversation>(worker_.loop(), server_->stream(), std::move(talk));
  conversation_->begin(plan_->connect_timeout, [this](base::Status status, const std::string&) {
    on_query(std::move(status));
  });
}

void Opening::on_query(base::Status result) {
  if (!result)
    return fail({base::ErrorKind::Unreachable, "connect_query failed: " + result.error().text});
  join_pool();
}

void Opening::join_pool() {
  worker_.stats(*backend_).opens[OpenResult::Ok].add();
  server_->use(nullptr);
  server_->is_near = server_->stream().is_near();
  log(LogLevel::Info, "server {} open: {}/{} at {}, pid {}", server_->id, backend_->database(),
      backend_->user(), dialler_->text(place_), server_->state().remote_id());
  auto server = std::move(server_);
  stop();
  opened(std::move(server));
}

void Opening::opened(std::unique_ptr<PooledServer> server) {
  worker_.finished(*this);
  backend_->pool().opened(std::move(server), worker_.now(), worker_.orders());
  worker_.carry_out(*backend_);
}

void Opening::fail(const base::Error& error) {
  const base::Error why = error;
  const bool is_refused = why.kind == base::ErrorKind::Refused;
  log(is_refused ? refusal_level_ : LogLevel::Warn, "server of {}/{} at {} cannot be opened: {}",
      backend_->database(), backend_->user(), dialler_->text(place_), why.text);
  if (!is_refused) {
    dialler_->failed(place_, worker_.now());
    if (dial_next()) return;
  }
  stop();
  failed(why);
}

void Opening::count(const base::Error& why) {
  worker_.stats(*backend_).opens[open_result(why)].add();
}

void Opening::failed(const base::Error& why) {
  count(why);
  worker_.finished(*this);
  if (why.kind == base::ErrorKind::Refused) worker_.house().server_refused(*backend_);
  backend_->pool().open_failed(why, {worker_.id(), variant_}, worker_.now(), worker_.orders());
  worker_.carry_out(*backend_);
}

// An errand that is over lives until the callback returns: the other of its two deadlines may be
// due in it, and so may the end of a handshake.
void Opening::stop() {
  timer_.drop();
  connecting_.reset();
  conversation_.reset();
  stream_.reset();
  server_.reset();
}

// The same server once more.
void Opening::dial_with_tls() {
  was_refused_in_clear_ = true;
  stop();
  dial();
}

void Opening::on_deadline(void* self, Time) {
  static_cast<Opening*>(self)->fail(
      {base::ErrorKind::Timeout, "no connection within connect_timeout"});
}

// ---------------------------------------------------------------- Closing

Closing::Closing(Worker& worker, std::unique_ptr<PooledServer> server, bool polite)
    : worker_(worker), server_(std::move(server)), polite_(polite), timer_(on_deadline, this) {}

void Closing::begin() {
  server_->stream().set_reader(this);
  server_->activity = "closing";
  if (server_->ended) return finish();
  if (polite_) server_->outlet.send(server_->stream(), server_->backend().link().goodbye());
  server_->stream().resume(net::kPausePeerFull);
  server_->stream().shut_write();
  worker_.loop().timers().set(timer_, worker_.now() + kClosingTime);
}

void Closing::finish() {
  Backend& backend = server_->backend();
  Worker& worker = worker_;
  worker.finished(*this);
  backend.pool().closed(worker.now(), worker.orders());
  worker.carry_out(backend);
}

void Closing::on_deadline(void* self, Time) { static_cast<Closing*>(self)->finish(); }

// ---------------------------------------------------------------- Farewell

Farewell::Farewell(Worker& worker, std::unique_ptr<net::Stream> stream)
    : worker_(worker), stream_(std::move(stream)), timer_(on_deadline, this) {}

void Farewell::begin() {
  stream_->set_reader(this);
  for (const net::Pause why :
       {net::kPausePeerFull, net::kPauseParked, net::kPauseUnread, net::kPauseBusy})
    stream_->resume(why);
  stream_->shut_write();
  worker_.loop().timers().set(timer_, worker_.now() + kClosingTime);
}

void Farewell::on_deadline(void* self, Time) {
  auto* errand = static_cast<Farewell*>(self);
  errand->worker_.finished(*errand);
}

// ---------------------------------------------------------------- Caretaker

Caretaker::Caretaker(Worker& worker, std::unique_ptr<PooledServer> server, Work work)
    : worker_(worker), server_(std::move(server)), work_(work), plan_(server_->backend().plan()) {}

Caretaker::~Caretaker() {
  if (counted_) count(-1);
}

void Caretaker::count(int change) {
  counted_ = change > 0;
  Stats& stats = worker_.stats(server_->backend());
  (work_.check ? stats.checking : stats.resetting).add(change);
}

void Caretaker::begin() {
  count(1);
  ends_at_ = worker_.now() + plan_->talk_timeout();
  server_->client_id = 0;
  server_->activity = work_.check ? "checking" : "resetting";
  server_->outlet.flush(server_->stream());
  server_->stream().resume(net::kPausePeerFull);
  if (work_.cancel && backend_link().owes(server_->state()))
    stop_work(worker_, *server_, [](bool) {});
  if (!server_->outlet.empty()) return give_up(CloseReason::Abandoned);
  recover();
}

void Caretaker::recover() {
  if (backend_link().condition(server_->state()) != Condition::Open) return reset();
  talk(backend_link().recover(server_->state()), &Caretaker::reset, CloseReason::Abandoned);
}

void Caretaker::reset() {
  std::string how = plan_->reset;
  if (work_.reset && how == "auto") how = "always";
  if (backend_link().condition(server_->state()) == Condition::Clean && !work_.reset &&
      how == "auto")
    return check();
  talk(backend_link().reset(server_->state(), how), &Caretaker::check, CloseReason::ResetFailed);
}

void Caretaker::check() {
  talk(work_.check ? backend_link().check(server_->state()) : nullptr, &Caretaker::finish,
       CloseReason::CheckFailed);
}

void Caretaker::talk(std::unique_ptr<protocol::Dialogue> dialogue, void (Caretaker::*next)(),
                     CloseReason on_failure) {
  if (!dialogue) return (this->*next)();
  conversation_ =
      std::make_unique<Conversation>(worker_.loop(), server_->stream(), std::move(dialogue));
  const Duration left = std::max<Duration>(ends_at_ - worker_.now(), 0);
  conversation_->begin(
      left, [this, next, on_failure](base::Status status, const std::string& rest) {
        if (!status || !rest.empty()) {
          if (!status)
            log(LogLevel::Warn, "server {} is closed: {}", server_->id, status.error().text);
          return give_up(on_failure);
        }
        (this->*next)();
      });
}

void Caretaker::finish() {
  const Condition condition = backend_link().condition(server_->state());
  if (condition == Condition::Dirty && plan_->reset != "never")
    return give_up(CloseReason::ResetFailed);
  if (condition == Condition::Open || condition == Condition::Broken)
    return give_up(CloseReason::Broken);
  count(-1);
  Worker& worker = worker_;
  auto server = std::move(server_);
  server->use(nullptr);
  worker.finished(*this);
  worker.give_back(std::move(server));
}

void Caretaker::give_up(CloseReason why) {
  count(-1);
  Worker& worker = worker_;
  auto server = std::move(server_);
  worker.finished(*this);
  worker.close(std::move(server), why);
}

// ---------------------------------------------------------------- Cancelling

bool stop_work(Worker& worker, PooledServer& server, Cancelling::Done done) {
  std::string stop;
  auto talk = server.backend().link().cancel(server.state(), stop);
  if (talk) {
    worker.start(std::make_unique<Cancelling>(worker, server, std::move(talk), std::move(done)));
    return true;
  }
  Sent sent = Sent::All;
  if (!stop.empty()) {
    Stats& stats = worker.stats(server.backend());
    stats.cancels[CancelResult::Sent].add();
    stats.server_out.add(static_cast<int64_t>(stop.size()));
    sent = server.outlet.send(server.stream(), stop);
  }
  done(!stop.empty());
  return sent != Sent::Broken;
}

Cancelling::Cancelling(Worker& worker, PooledServer& server,
                       std::unique_ptr<protocol::Dialogue> dialogue, Done done)
    : worker_(worker),
      backend_(server.backend().shared_from_this()),
      patience_(backend_->plan()->talk_timeout()),
      server_id_(server.id),
      dialler_(server.dialler),
      place_(server.place),
      peer_(server.stream().peer()),
      dialogue_(std::move(dialogue)),
      is_possible_(dialler_ != nullptr),
      done_(std::move(done)),
      timer_(on_deadline, this) {
  ++server.cancels;
}

void Cancelling::begin() {
  if (!is_possible_) return finish(false);
  worker_.loop().timers().set(timer_, worker_.now() + patience_);
  connecting_ = dialler_->dial_again(worker_.loop(), place_, peer_,
                                     [this](auto result) { on_connected(std::move(result)); });
}

void Cancelling::on_connected(base::Result<std::unique_ptr<net::Stream>> result) {
  if (!result) return finish(false);
  stream_ = std::move(*result);
  conversation_ = std::make_unique<Conversation>(worker_.loop(), *stream_, std::move(dialogue_));
  conversation_->allow_tls(tls_on(worker_.loop(), stream_, dialler_->tls(place_)));
  conversation_->begin(patience_,
                       [this](base::Status status, const std::string&) { finish(bool(status)); });
}

void Cancelling::finish(bool sent) {
  if (is_possible_)
    worker_.stats(*backend_).cancels[sent ? CancelResult::Sent : CancelResult::Failed].add();
  const Done done = std::move(done_);
  Worker& worker = worker_;
  const uint64_t server_id = server_id_;
  const bool in_doubt = conversation_ && !sent;  // it is written, and may be read at any time
  timer_.drop();
  conversation_.reset();
  stream_.reset();
  worker.finished(*this);
  done(sent);
  worker.cancel_over(server_id, in_doubt);
}

void Cancelling::on_deadline(void* self, Time) { static_cast<Cancelling*>(self)->finish(false); }

}  // namespace weir::session
