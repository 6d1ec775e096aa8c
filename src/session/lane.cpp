#include "lane.h"

#include <weir/base/log.h>

#include <algorithm>

#include "session.h"

namespace weir::session {

using base::Bytes;
using base::log;
using base::LogLevel;
using protocol::Next;
using protocol::Progress;

namespace {

// How long a lane may keep a server while others wait for one.
constexpr Duration kHoldWhenWanted = base::kMillisecond;
constexpr size_t kHeldBytesMax = 64 << 10;

CloseReason close_reason(base::ErrorKind kind) {
  switch (kind) {
    case base::ErrorKind::Unreachable: return CloseReason::Lost;
    case base::ErrorKind::Timeout: return CloseReason::Abandoned;
    default: return CloseReason::Broken;
  }
}

// So many requests that were held back show that more are about to come.
constexpr uint32_t kManyRequests = 4;

}  // namespace

Lane::Lane(Worker& worker, Backend& backend, Sort sort, uint64_t id)
    : worker_(worker),
      backend_(backend.shared_from_this()),
      lanes_(*backend.protocol().lanes()),
      id_(id),
      kind_(sort.kind),
      timer_(on_timer, this) {
  waiter_.flavour = sort.flavour;
  // A hub's server stays with it for as long as anybody listens, and is reset behind that.
  waiter_.keeps = kind_ != Kind::Hub;
  waiter_.stays = kind_ == Kind::Hub;
  worker_.add_holder(id_, *this);
}

Lane::~Lane() { worker_.remove_holder(id_); }

// ---------------------------------------------------------------- for the sessions

bool Lane::send(const base::Gather& gather, uint64_t session) {
  if (owed_since_ == 0) {
    owed_since_ = batch_at_ = worker_.now();
    watch();
  }
  if (hold_back(gather)) return true;
  send_held();
  const Sent sent = lease_->outlet.send(lease_->stream(), gather);
  if (sent != Sent::Some) return true;  // a broken server says so itself
  blocked_.push_back(session);
  return false;
}

bool Lane::hold_back(const base::Gather& gather) {
  const bool same_turn = batch_at_ == worker_.now();
  if (!lease_->is_near || same_turn || held_.size() + gather.size() > kHeldBytesMax) return false;
  for (const iovec& piece : gather.pieces())
    held_.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  ++held_requests_;
  return true;
}

// The server has worked on the one before. Where many clients ask at once the loop looks once more
// who else does, without waiting.
void Lane::next_batch() {
  if (!lease_ || held_.empty() || gathering_) return;
  if (held_requests_ < kManyRequests) return send_held();
  gathering_ = true;
  net::Loop& loop = worker_.loop();
  loop.run_soon([this, &loop] {
    loop.run_soon([this] {
      gathering_ = false;
      if (lease_) send_held();
    });
  });
}

void Lane::send_held() {
  batch_at_ = worker_.now();
  if (held_.empty()) return;
  lease_->outlet.send(lease_->stream(), Bytes(held_));
  held_.clear();
  held_requests_ = 0;
}

// A server that leaves an answer owing for longer than timeouts.query is of no use to any of them.
void Lane::watch() {
  const Duration limit = plan_->timeouts.query;
  if (limit > 0 && !timer_.is_set()) worker_.loop().timers().set(timer_, owed_since_ + limit);
}

void Lane::on_time(Time now) {
  if (!lease_ || owed_since_ == 0 || plan_->timeouts.query == 0) return;
  if (owed_since_ + plan_->timeouts.query > now) return watch();
  log(LogLevel::Warn,
      "server {}: query timeout after {} ms, on a connection of many clients: {}/{}", lease_->id,
      (now - owed_since_) / base::kMillisecond, backend_->database(), backend_->user());
  die({base::ErrorKind::Timeout, "query timeout", "57014"});
}

void Lane::want(uint64_t session) {
  wanting_.push_back(session);
  if (state_ == State::Resting) acquire();
}

void Lane::forget(uint64_t session) {
  std::erase(wanting_, session);
  std::erase(blocked_, session);
  if (kind_ == Kind::Hub && (state_ == State::Open || state_ == State::Draining)) leave(session);
  if (state_ == State::Waiting && wanting_.empty() && backend_->pool().withdraw(waiter_)) {
    ++waiter_.ticket.wait;
    state_ = State::Resting;
  }
}

void Lane::leave(uint64_t session) {
  base::Gather for_server;
  lanes_.leave(lease_->state(), session, for_server);
  say(for_server);
  if (!sharing_ && !backend_->link().owes(lease_->state())) after_answers();
}

// The link's own words.
void Lane::say(const base::Gather& for_server) {
  if (for_server.empty()) return;
  worker_.stats(*backend_).server_out.add(static_cast<int64_t>(for_server.size()));
  send(for_server, 0);
}

// ---------------------------------------------------------------- a server, and back

void Lane::acquire() {
  state_ = State::Waiting;
  waiter_.ticket = {worker_.id(), id_, waiter_.ticket.wait + 1};
  auto server = backend_->pool().acquire(waiter_, worker_.now(), worker_.orders());
  if (server)
    return served(std::unique_ptr<PooledServer>(static_cast<PooledServer*>(server.release())));
  worker_.carry_out(*backend_);
}

bool Lane::waits_for(const pool::Ticket& ticket) const {
  return state_ == State::Waiting && ticket.wait == waiter_.ticket.wait;
}

void Lane::served(std::unique_ptr<PooledServer> server) {
  if (!server) return acquire();
  if (server->ended || !server->is_alive(worker_.now())) {
    worker_.close(std::move(server), CloseReason::Lost);
    return acquire();
  }
  lease_ = Lease(std::move(server));
  lease_->activity = kind_ == Kind::Hub ? "hub" : "active";
  lease_->lent_at = worker_.now();
  lease_->client_id = id_;
  lease_->keeper = waiter_.keeps ? id_ : 0;
  plan_ = backend_->plan();
  owed_since_ = 0;
  auto talk = lanes_.change_flavour(lease_->state(), waiter_.flavour);
  if (!talk) return open_up();
  state_ = State::Attaching;
  conversation_ = std::make_unique<Conversation>(worker_.loop(), lease_->stream(), std::move(talk));
  conversation_->begin(plan_->talk_timeout(), [this](base::Status status, const std::string& rest) {
    if (!rest.empty())
      status = base::Error{base::ErrorKind::Protocol, "the server said more than it was asked"};
    attached(status);
  });
}

void Lane::attached(const base::Status& result) {
  conversation_.reset();
  if (result) return open_up();
  auto server = lease_.take();
  if (result.error().kind != base::ErrorKind::Refused) {
    worker_.close(std::move(server), CloseReason::Lost);
    return acquire();
  }
  // The server is fine; those who want this flavour are told in its words why they cannot have it.
  const base::Error why = result.error();
  state_ = State::Resting;
  worker_.release(std::move(server));
  wait_failed(why);
}

void Lane::open_up() {
  lease_->use(this);
  opened_at_ = worker_.now();
  state_ = State::Open;
  std::vector<uint64_t> ready;
  ready.swap(wanting_);
  for (const uint64_t id : ready)
    if (Session* session = worker_.session(id)) session->lane_opened();
  after_answers();
}

void Lane::wait_failed(const base::Error& why) {
  state_ = State::Resting;
  std::vector<uint64_t> failed;
  failed.swap(wanting_);
  for (const uint64_t id : failed)
    if (Session* session = worker_.session(id)) session->wait_failed(why);
}

// With the last answer the server goes back; the next request gets it again, as nobody else wants
// it.
void Lane::after_answers() {
  if (state_ != State::Open && state_ != State::Draining) return;
  const bool owes = backend_->link().owes(lease_->state());
  owed_since_ = owes ? worker_.now() : 0;
  if (kind_ == Kind::Hub && lanes_.has_listeners(lease_->state())) return;
  if (!owes) return give_back();
  if (state_ == State::Open && worker_.now() - opened_at_ >= kHoldWhenWanted &&
      backend_->pool().wants_back())
    state_ = State::Draining;
}

void Lane::give_back() {
  state_ = State::Resting;
  worker_.release(lease_.take());
  if (!wanting_.empty()) acquire();
}

void Lane::die(const base::Error& why) {
  auto server = lease_.take();
  state_ = State::Resting;
  owed_since_ = 0;
  held_.clear();
  held_requests_ = 0;
  std::vector<uint64_t> blocked;
  blocked.swap(blocked_);
  // Closing may serve others, who then are on this lane with another server.
  const std::vector<Session*> lost = worker_.sessions_on(*this);
  base::Gather nothing;
  for (const Session* session : lost) lanes_.leave(server->state(), session->id(), nothing);
  worker_.close(std::move(server), close_reason(why.kind));
  for (Session* session : lost) session->lane_lost(why);
  for (const uint64_t id : blocked)
    if (Session* session = worker_.session(id)) session->lane_drained();
  if (state_ == State::Resting && !wanting_.empty()) acquire();
}

// ---------------------------------------------------------------- from the server

void Lane::on_server_bytes(Bytes bytes) {
  if (lease_->in.empty()) {
    while (share(bytes)) {
    }
  } else {
    lease_->in.append(bytes);
    if (lease_->in.size() < lease_->want) return;
    const std::string whole = std::move(lease_->in);
    lease_->in = {};
    Bytes rest = whole;
    while (share(rest)) {
    }
  }
  next_batch();
  after_answers();
}

// True: call again with the rest.
bool Lane::share(Bytes& bytes) {
  shares_.clear();
  base::Gather for_server;
  const Progress progress = lanes_.on_server(lease_->state(), bytes, shares_, for_server);
  say(for_server);  // before anybody asks for more
  sharing_ = true;
  for (const protocol::Share& each : shares_)
    if (Session* session = worker_.session(each.owner)) session->on_lane_share(each);
  sharing_ = false;
  if (progress.next == Next::Fail) {
    die({base::ErrorKind::Protocol, "the server's answer does not fit what it was asked", "08P01"});
    return false;
  }
  bytes.remove_prefix(progress.consumed);
  if (progress.next == Next::Flush) return !bytes.empty();
  lease_->in.assign(bytes);
  lease_->want = progress.want;
  return false;
}

void Lane::on_server_end(const base::Error& why) {
  lease_->ended = true;
  die({base::ErrorKind::Unreachable,
       "server connection lost" + (why.text.empty() ? std::string() : ": " + why.text), "08006"});
}

void Lane::on_server_writable() {
  if (lease_->outlet.flush(lease_->stream()) != Sent::All) return;
  std::vector<uint64_t> free;
  free.swap(blocked_);
  for (const uint64_t id : free)
    if (Session* session = worker_.session(id)) session->lane_drained();
}

}  // namespace weir::session
