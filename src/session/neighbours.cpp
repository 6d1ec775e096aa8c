// What others see of a session, and it of them.
#include <algorithm>

#include "session.h"

namespace weir::session {

std::string tls_of(const net::Stream& stream) {
  const net::TlsFacts* facts = stream.tls();
  return facts ? facts->version + '/' + facts->cipher : std::string();
}

ClientView Session::view() const {
  static constexpr const char* kNames[] = {"login",  "login",   "idle",   "waiting",
                                           "active", "active",  "active", "active",
                                           "login",  "waiting", "active", "ended"};
  ClientView view;
  view.id = id_;
  view.user = user_;
  view.application_name = application_name_;
  view.peer = stream_->peer();
  view.tls = tls_of(*stream_);
  view.state = kNames[static_cast<size_t>(state_)];
  view.connected_at = connected_at_;
  view.request_at = turn_began_;
  if (backend_) {
    view.database = backend_->database();
    view.server_user = backend_->user();
    view.replication = plan_->replication;
  }
  if (state_ == State::Waiting || state_ == State::Queued || state_ == State::Settling)
    view.waiting_since = wait_since_;
  if (lease_) view.server_id = lease_->id;
  if (pin_) view.pin = label(*pin_);
  return view;
}

std::optional<protocol::Neighbour> Session::as_neighbour(const std::string& database,
                                                         const protocol::Protocol& protocol) const {
  if (!client_ || &backend_->protocol() != &protocol || backend_->database() != database) return {};
  protocol::Neighbour out;
  out.id = id_;
  out.user = user_;
  out.peer = stream_->peer();
  out.age_s = (worker_.now() - connected_at_) / base::kSecond;
  out.idle_s = (worker_.now() - std::max(state_since_, turn_began_)) / base::kSecond;
  const protocol::ServerState* server = lease_ ? &lease_->state() : nullptr;
  if (server) out.remote_id = server->remote_id();
  const protocol::Lanes* lanes = protocol.lanes();
  out.listens = server && lanes && lanes->has_listeners(*server);
  out.description = link().describe(*client_, server, out);
  return out;
}

// A server says nothing meanwhile that its client could be told.
void Session::call_roll() {
  to(State::Calling);
  if (lease_) lease_->stream().pause(net::kPausePeerFull);
  worker_.call_roll(*backend_, [&worker = worker_, id = id_](const protocol::Roll& roll) {
    if (Session* session = worker.session(id)) session->on_roll(roll);
  });
}

void Session::on_roll(const protocol::Roll& roll) {
  if (state_ != State::Calling) return;
  to(lease_ ? State::Linked : State::Idle);
  if (lease_) unblock();
  stream_->resume(net::kPauseParked);
  const std::string parked = std::exchange(in_, {});
  base::Bytes bytes = parked;
  protocol::Sink sink{worker_.to_client(), worker_.to_server()};
  sink.settled = true;
  sink.has_hub = plan_->hub;
  sink.roll = &roll;
  protocol::ServerState* server = server_state();
  if (server && !lease_) sink.owner = id_;
  if (!lease_) offer_lane(sink);
  const auto progress = link().on_client(*client_, server, bytes, sink);
  if (sink.turn_began) begin_turn(false);
  if (sink.turns > 0) note_lane_turns(sink.turns);
  const std::vector<uint64_t> ends = std::move(sink.ends);
  Worker& worker = worker_;
  if (act_on(progress, sink, bytes))
    while (judge_client(bytes)) {
    }
  for (const uint64_t id : ends) worker.end_anywhere(id, EndReason::KilledByNeighbour);
}

}  // namespace weir::session
