// A session's side of a lane.
#include "lane.h"
#include "session.h"

namespace weir::session {

namespace {

// What a client of a lane may leave unread: its neighbours cannot be made to wait for it.
constexpr size_t kUnreadBytesMax = 64 << 20;

}  // namespace

// What judges the client's next bytes: the server that it holds, else its lane while that is open.
protocol::ServerState* Session::server_state() {
  if (lease_) return &lease_->state();
  return lane_ && lane_->is_open() ? &lane_->state() : nullptr;
}

void Session::note_lane_turns(uint32_t turns) {
  if (lane_turns_ == 0) turn_began_ = worker_.now();
  lane_turns_ += turns;
  if (state_ == State::Idle) to(State::Sharing);
}

// The next request may be mixed with those of others, but the lane is not open.
void Session::want_lane() {
  if (!lane_) lane_ = &worker_.lane(*backend_, plan_->lanes > 0 ? id_ % plan_->lanes : 0);
  wait_since_ = worker_.now();
  noticed_ = false;
  to(State::Queued);
  lane_->want(id_);
}

void Session::lane_opened() {
  if (state_ != State::Queued) return;
  stats().acquire.observe(worker_.now() - wait_since_);
  to(lane_turns_ > 0 ? State::Sharing : State::Idle);
  go_on();
}

void Session::on_lane_share(const protocol::Share& share) {
  stats().client_out.add(static_cast<int64_t>(share.bytes.size()));
  lane_piece_open_ = share.piece_open;
  const bool was_empty = outlet_.empty();
  const Sent sent = outlet_.send(*stream_, share.bytes);
  if (sent == Sent::Broken) return end(EndReason::ClientLost);
  if (sent == Sent::Some) stream_->pause(net::kPauseUnread);
  if (sent == Sent::Some && was_empty) stalled_at_ = worker_.now();
  if (outlet_.size() > kUnreadBytesMax) return end(EndReason::ClientStall);
  if (share.turns == 0) return;
  lane_turns_ -= share.turns;
  stats().queries.add(share.turns);
  stats().transactions.add(share.turns);
  stats().query.observe(worker_.now() - turn_began_);
  if (lane_turns_ > 0 || state_ != State::Sharing) return;
  to(State::Idle);
  go_on();  // a request that could not go down the lane has waited for the answers before it
}

void Session::lane_drained() { stream_->resume(net::kPausePeerFull); }

void Session::lane_lost(const base::Error& why) { end(EndReason::ServerLost, why); }

}  // namespace weir::session
