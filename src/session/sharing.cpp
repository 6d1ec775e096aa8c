// A session's side of a lane.
#include "lane.h"
#include "session.h"

namespace weir::session {

namespace {

// What a client of a lane may leave unread: its neighbours cannot be made to wait for it.
constexpr size_t kUnreadBytesMax = 64 << 20;
// What it may be sent without having read what was sent before, about.
constexpr uint32_t kDueBytesMax = 512 << 10;
constexpr uint32_t kWindowMax = 4096;
// Answers larger than this go down the heavy lane, where no small ones stand behind them.
constexpr uint32_t kHeavyBytes = 64 << 10;

}  // namespace

// What judges the client's next bytes: the server that it holds, else its lane while that is open.
protocol::ServerState* Session::server_state() {
  if (lease_) return &lease_->state();
  // Nothing is due on a lane when its client changes its flavour.
  if (lane_ && lane_turns_ == 0 && lane_->flavour() != client_->flavour()) lane_ = nullptr;
  return lane_ && lane_->is_open() ? &lane_->state() : nullptr;
}

void Session::offer_lane(protocol::Sink& sink) const {
  const bool reads = outlet_.empty();
  sink.turns_max = reads && lane_window_ > lane_turns_ ? lane_window_ - lane_turns_ : 0;
  sink.on_heavy = lane_ && lane_->heavy();
  sink.prefers_heavy = lane_average_ > kHeavyBytes;
}

// The window opens while answers are small, so that nobody who does not read gets many large ones.
void Session::note_answers(const protocol::Share& share) {
  const auto bytes = static_cast<uint32_t>(std::min<size_t>(share.bytes.size(), kUnreadBytesMax));
  lane_due_ += bytes;
  if (share.turns == 0) return;
  const uint32_t each = lane_due_ / share.turns;
  lane_due_ = 0;
  lane_average_ = each > lane_average_ ? each : lane_average_ - (lane_average_ - each) / 8;
  const uint32_t most = std::clamp(kDueBytesMax / std::max(lane_average_, 1U), 1U, kWindowMax);
  lane_window_ = std::min(most, lane_window_ + share.turns);
}

void Session::note_lane_turns(uint32_t turns) {
  if (lane_turns_ == 0) turn_began_ = worker_.now();
  lane_turns_ += turns;
  if (state_ == State::Idle) to(State::Sharing);
}

// The next request may be mixed with those of others, but the lane is not open.
void Session::want_lane(bool heavy) {
  const auto light = static_cast<uint32_t>(id_ % std::max(plan_->lanes, 1U));
  const uint32_t number = heavy ? Worker::kHeavyLane : light;
  lane_ = &worker_.lane(*backend_, client_->flavour(), number);
  if (lane_->is_open()) return go_on();
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
  note_answers(share);
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
  if (state_ != State::Sharing) return;
  if (lane_turns_ > 0) {
    if (lane_later_ && lane_turns_ <= lane_window_ / 2 && outlet_.empty()) go_on();
    return;
  }
  to(State::Idle);
  go_on();  // a request that could not go down the lane has waited for the answers before it
  leave_if_answered();
}

void Session::lane_drained() { stream_->resume(net::kPausePeerFull); }

void Session::lane_lost(const base::Error& why) { end(EndReason::ServerLost, why); }

}  // namespace weir::session
