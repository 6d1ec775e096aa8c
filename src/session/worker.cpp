#include <weir/session/worker.h>

#include <weir/base/log.h>

#include <unordered_set>

#include "errands.h"
#include "inquiry.h"
#include "server.h"
#include "session.h"

namespace weir::session {

using base::log;
using base::LogLevel;
using pool::Order;
using protocol::Condition;

Worker::Worker(pool::WorkerId id, net::Loop& loop, House& house)
    : id_(id), loop_(loop), house_(house) {}

Worker::~Worker() = default;

// ---------------------------------------------------------------- sessions

void Worker::greet(DoorPtr door, std::unique_ptr<net::Stream> stream) {
  const uint64_t id = next_session_id();
  auto session = std::make_unique<Session>(*this, id, door, std::move(stream));
  Session& raw = *session;
  sessions_.emplace(id, std::move(session));
  raw.begin();
}

// A session's id tells its worker, so that a cancel request finds it; clients are told it in 31
// bits.
uint64_t Worker::next_session_id() {
  uint64_t id;
  do {
    session_count_ = session_count_ % (0x7fffffff / house_.workers() - 1) + 1;
    id = session_count_ * house_.workers() + id_;
  } while (holder(id));
  return id;
}

void Worker::remove(Session& session) {
  const auto found = sessions_.find(session.id());
  if (found == sessions_.end()) return;
  left_.add();
  loop_.delete_later(std::move(found->second));
  sessions_.erase(found);
}

void Worker::end_idle_sessions(EndReason why) {
  std::vector<Session*> idle;
  for (const auto& [id, session] : sessions_)
    if (session->can_leave()) idle.push_back(session.get());
  for (Session* session : idle) session->end(why);
}

void Worker::end_all_sessions(EndReason why) {
  while (!sessions_.empty()) sessions_.begin()->second->end(why);
}

bool Worker::end_session(uint64_t id, EndReason why) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return false;
  found->second->end(why);
  return true;
}

void Worker::end_anywhere(uint64_t id, EndReason why) {
  const auto owner = static_cast<pool::WorkerId>(id % house_.workers());
  if (owner == id_) {
    end_session(id, why);
    return;
  }
  Worker& to = house_.worker(owner);
  to.loop().mailbox().post_call([&to, id, why] { to.end_session(id, why); });
}

void Worker::list_here(const std::string& database, const protocol::Protocol& protocol,
                       protocol::Roll& roll) const {
  for (const auto& [id, session] : sessions_) {
    auto neighbour = session->as_neighbour(database, protocol);
    if (neighbour) roll.push_back(std::move(*neighbour));
  }
}

struct Worker::RollCall {
  Worker& asker;
  std::shared_ptr<Backend> backend;
  std::function<void(protocol::Roll)> done;
  protocol::Roll roll = {};
};

void Worker::call_roll(Backend& backend, std::function<void(protocol::Roll)> done) {
  answer_roll(std::make_shared<RollCall>(
      RollCall{.asker = *this, .backend = backend.shared_from_this(), .done = std::move(done)}));
}

// From worker to worker, and back to the one that has asked.
void Worker::answer_roll(const std::shared_ptr<RollCall>& call) {
  list_here(call->backend->database(), call->backend->protocol(), call->roll);
  Worker& next = house_.worker((id_ + 1) % house_.workers());
  next.loop().mailbox().post_call([&next, call] {
    if (&next == &call->asker) return call->done(std::move(call->roll));
    next.answer_roll(call);
  });
}

void Worker::clear() {
  sessions_.clear();
  lanes_.clear();
  errands_.clear();
  being_cancelled_.clear();
  agenda_.clear();
  orders_.clear();
}

void Worker::refresh_plans() {
  for (const auto& [id, session] : sessions_) session->refresh_plan();
}

std::vector<ClientView> Worker::clients() const {
  std::vector<ClientView> out;
  for (const auto& [id, session] : sessions_) out.push_back(session->view());
  return out;
}

std::vector<ServerView> Worker::servers() const {
  std::vector<ServerView> out;
  for (const auto& [id, server] : servers_) {
    Backend& backend = server->backend();
    const auto pin = backend.link().pin(server->state());
    out.push_back({id, backend.database(), backend.user(), std::string(server->activity),
                   server->stream().peer(), tls_of(server->stream()), backend.plan()->replication,
                   server->opened_at, std::max(server->opened_at, server->lent_at),
                   server->state().remote_id(), server->client_id, pin ? label(*pin) : ""});
  }
  return out;
}

// ---------------------------------------------------------------- orders

// Orders may lead to more orders, for this and for other pools: they are worked off one after the
// other, never one inside the other.
void Worker::carry_out(Backend& backend) {
  for (Order& order : orders_) {
    if (order.worker == id_)
      agenda_.emplace_back(&backend, std::move(order));
    else
      forward(backend, std::move(order));
  }
  orders_.clear();
  if (working_) return;
  working_ = true;
  for (size_t i = 0; i < agenda_.size(); ++i) {
    auto [which, order] = std::move(agenda_[i]);
    carry_out_here(*which, std::move(order));
  }
  agenda_.clear();
  working_ = false;
}

void Worker::forward(Backend& backend, Order order) {
  Worker& to = house_.worker(order.worker);
  to.loop().mailbox().post_call([&to, &backend, moved = std::move(order)]() mutable {
    to.orders_.push_back(std::move(moved));
    to.carry_out(backend);
  });
}

void Worker::carry_out_here(Backend& backend, Order order) {
  switch (order.kind) {
    case Order::Kind::Serve: return serve(backend, std::move(order));
    case Order::Kind::Move: return move(backend, std::move(order));
    case Order::Kind::Open: return start(std::make_unique<Opening>(*this, backend, order.variant));
    case Order::Kind::Check: return check(backend, std::move(order));
    case Order::Kind::Fail: return fail(std::move(order));
    case Order::Kind::Close: {
      std::unique_ptr<PooledServer> server(static_cast<PooledServer*>(order.server.release()));
      const auto why = order.origin_gone ? CloseReason::AddressGone : CloseReason::Retired;
      note_closed(*server, why);
      return start(std::make_unique<Closing>(*this, std::move(server), true));
    }
  }
}

void Worker::serve(Backend&, Order order) {
  std::unique_ptr<PooledServer> server(static_cast<PooledServer*>(order.server.release()));
  if (server && server->worker != id_) server->join(*this);
  Holder* waiting = holder(order.ticket.session);
  if (waiting && waiting->waits_for(order.ticket)) return waiting->served(std::move(server));
  if (server) release(std::move(server));
}

Holder* Worker::holder(uint64_t id) const {
  if (Session* found = session(id)) return found;
  const auto found = holders_.find(id);
  return found == holders_.end() ? nullptr : found->second;
}

Session* Worker::session(uint64_t id) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

Lane& Worker::lane(Backend& backend, const LaneName& name) {
  const LaneKey key(&backend, name.flavour, name.kind, name.number);
  const auto found = lanes_.find(key);
  if (found != lanes_.end()) return *found->second;
  auto lane = std::make_unique<Lane>(*this, backend, Lane::Sort{name.flavour, name.kind},
                                     next_session_id());
  return *lanes_.emplace(key, std::move(lane)).first->second;
}

void Worker::forget_unused_lanes() {
  std::unordered_set<const Lane*> used;
  for (const auto& [id, session] : sessions_) used.insert(session->lane());
  std::erase_if(lanes_, [&](const auto& each) {
    return each.second->is_unused() && !used.contains(each.second.get());
  });
}

std::vector<Session*> Worker::sessions_on(const Lane& lane) const {
  std::vector<Session*> out;
  for (const auto& [id, session] : sessions_)
    if (session->is_on(lane)) out.push_back(session.get());
  return out;
}

// The server leaves this loop; without it (it broke meanwhile) the other one is told to ask again.
void Worker::move(Backend& backend, Order order) {
  auto* server = static_cast<PooledServer*>(order.server.get());
  if (server->ended) {
    close(std::unique_ptr<PooledServer>(static_cast<PooledServer*>(order.server.release())),
          CloseReason::Lost);
  } else {
    server->leave();
  }
  order.kind = Order::Kind::Serve;
  order.worker = order.ticket.worker;
  forward(backend, std::move(order));
}

void Worker::fail(Order order) {
  Holder* waiting = holder(order.ticket.session);
  if (waiting && waiting->waits_for(order.ticket)) waiting->wait_failed(order.error);
}

void Worker::check(Backend&, Order order) {
  std::unique_ptr<PooledServer> server(static_cast<PooledServer*>(order.server.release()));
  start(std::make_unique<Caretaker>(*this, std::move(server), Caretaker::Work{.check = true}));
}

// ---------------------------------------------------------------- servers

void Worker::give_back(std::unique_ptr<PooledServer> server) {
  if (server->ended) return close(std::move(server), CloseReason::Lost);
  if (server->in_doubt) return close(std::move(server), CloseReason::Broken);
  server->client_id = 0;
  server->activity = "idle";
  server->use(nullptr);
  if (server->cancels > 0) {
    server->activity = "being_canceled";
    const uint64_t id = server->id;
    being_cancelled_.emplace(id, std::move(server));
    return;
  }
  Backend& backend = server->backend();
  backend.pool().give_back(std::move(server), now(), orders_);
  carry_out(backend);
}

void Worker::release(std::unique_ptr<PooledServer> server) {
  if (server->ended) return close(std::move(server), CloseReason::Lost);
  if (!server->in.empty()) return close(std::move(server), CloseReason::Broken);
  const Condition condition = server->backend().link().condition(server->state());
  if (condition == Condition::Broken) return close(std::move(server), CloseReason::Broken);
  if (condition == Condition::Clean && !server->backend().resets_always())
    return give_back(std::move(server));
  start(std::make_unique<Caretaker>(*this, std::move(server), Caretaker::Work{}));
}

void Worker::note_closed(PooledServer& server, CloseReason why) {
  Backend& backend = server.backend();
  stats(backend).closes[why].add();
  log(LogLevel::Info, "server {} closed: {}, {}/{}", server.id, label(why), backend.database(),
      backend.user());
}

void Worker::close(std::unique_ptr<PooledServer> server, CloseReason why) {
  Backend& backend = server->backend();
  server->use(nullptr);
  note_closed(*server, why);
  backend.pool().closing(*server, now(), orders_);
  start(std::make_unique<Closing>(*this, std::move(server), false));
  if (!orders_.empty()) carry_out(backend);
}

void Worker::broken(PooledServer& server, CloseReason why) {
  server.ended = true;
  auto taken = server.backend().pool().take_broken(server);
  if (!taken) return;  // on its way to a client: that way ends it
  close(std::unique_ptr<PooledServer>(static_cast<PooledServer*>(taken.release())), why);
}

void Worker::start(std::unique_ptr<Errand> errand) {
  Errand& raw = *errand;
  errands_.emplace(&raw, std::move(errand));
  raw.begin();
}

void Worker::ask(Backend& backend, Question question) {
  start(std::make_unique<Inquiry>(*this, backend, next_session_id(), std::move(question)));
}

void Worker::try_login(Backend& backend, std::string secret,
                       std::function<void(base::Error)> done) {
  start(std::make_unique<Trial>(*this, backend, std::move(secret), std::move(done)));
}

void Worker::finished(Errand& errand) {
  const auto found = errands_.find(&errand);
  if (found == errands_.end()) return;
  loop_.delete_later(std::move(found->second));
  errands_.erase(found);
}

// ---------------------------------------------------------------- cancels

void Worker::route_cancel(const protocol::CancelRequest& request, std::function<void()> done) {
  const auto owner = static_cast<pool::WorkerId>(request.session_id % house_.workers());
  if (owner == id_) return cancel_here(request, std::move(done));
  Worker& to = house_.worker(owner);
  to.loop().mailbox().post_call([&to, this, request, answer = std::move(done)]() mutable {
    to.cancel_here(request, [this, answer = std::move(answer)]() mutable {
      loop_.mailbox().post_call(std::move(answer));
    });
  });
}

void Worker::cancel_here(const protocol::CancelRequest& request, std::function<void()> done) {
  const auto found = sessions_.find(request.session_id);
  if (found == sessions_.end()) {
    strangers_.cancels[CancelResult::Unknown].add();
    return done();
  }
  found->second->cancel(request, std::move(done));
}

void Worker::cancel_over(uint64_t server_id, bool in_doubt) {
  const auto found = servers_.find(server_id);
  if (found == servers_.end()) return;
  if (in_doubt) found->second->in_doubt = true;
  if (--found->second->cancels > 0) return;
  const auto parked = being_cancelled_.find(server_id);
  if (parked == being_cancelled_.end()) return;
  auto server = std::move(parked->second);
  being_cancelled_.erase(parked);
  release(std::move(server));
}

}  // namespace weir::session
