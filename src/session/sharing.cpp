// A session's side of a lane.
#include <weir/base/log.h>

#include "lane.h"
#include "session.h"

namespace weir::session {

using base::log;
using base::LogLevel;
using protocol::LaneKind;

namespace {

// What a client of a lane may leave unread: its neighbours cannot be made to wait for it.
constexpr size_t kUnreadBytesMax = 64 << 20;
// The same of what it has not asked for: as a Redis server has it (client-output-buffer-limit).
constexpr size_t kUnheardBytesMax = 32 << 20;
// What it may be sent without having read what was sent before, about.
constexpr uint32_t kDueBytesMax = 512 << 10;
constexpr uint32_t kWindowMax = 4096;
// Answers larger than this go down the heavy lane, where no small ones stand behind them.
constexpr uint32_t kHeavyBytes = 64 << 10;
constexpr size_t kRepeatedBytesMax = 64 << 10;

}  // namespace

// What judges the client's next bytes: the server that it holds, else its lane while that is open.
protocol::ServerState* Session::server_state() {
  if (lease_) return &lease_->state();
  // Nothing is due on a lane when its client changes its flavour.
  if (lane_ && lane_turns_ == 0 && !client_->listens() &&
      lane_->flavour() != lanes().flavour(*client_, lane_->kind()))
    lane_ = nullptr;
  return lane_ && lane_->is_open() ? &lane_->state() : nullptr;
}

void Session::offer_lane(protocol::Sink& sink) const {
  const bool reads = outlet_.empty();
  sink.turns_max = reads && lane_window_ > lane_turns_ ? lane_window_ - lane_turns_ : 0;
  sink.lane = lane_ ? lane_->kind() : LaneKind::Light;
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

// Of requests that are about to go down the lane.
void Session::note_owed(const protocol::Sink& sink) {
  if (!owed_)
    owed_ = std::make_unique<Owed>(Owed{.requests = {}, .repeatable = lane_turns_ == sink.turns});
  const bool fits = owed_->requests.size() + sink.to_server.size() <= kRepeatedBytesMax;
  owed_->repeatable = owed_->repeatable && sink.repeatable && fits;
  if (!owed_->repeatable) return;
  for (const iovec& piece : sink.to_server.pieces())
    owed_->requests.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
}

// The next request may be mixed with those of others, but the lane is not open.
void Session::want_lane(LaneKind kind) {
  const auto light = static_cast<uint32_t>(id_ % std::max(plan_->lanes, 1U));
  lane_ = &worker_.lane(*backend_, {.flavour = lanes().flavour(*client_, kind),
                                    .kind = kind,
                                    .number = kind == LaneKind::Light ? light : 0});
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
  stats().client_out.add(static_cast<int64_t>(share.head.size() + share.bytes.size()));
  lane_piece_open_ = share.piece_open;
  if (share.push && must_keep(share)) return keep(share);
  if (!share.push) note_answers(share);
  if (!share.push && owed_) owed_->repeatable = false;
  worker_.to_client().add(share.head);
  worker_.to_client().add(share.bytes);
  if (!say(share.push ? kUnheardBytesMax : kUnreadBytesMax)) return;
  if (share.turns == 0) return after_push();
  lane_turns_ -= share.turns;
  if (owed_ && lane_turns_ == 0) owed_.reset();
  stats().queries.add(share.turns);
  stats().transactions.add(share.turns);
  const Duration took = worker_.now() - turn_began_;
  stats().query.observe(took);
  note_slow(took, lane_->server_id());
  turn_began_ = worker_.now();  // of what is still due
  if (state_ != State::Sharing) return;
  if (lane_turns_ > 0) {
    if (lane_later_ && lane_turns_ <= lane_window_ / 2 && outlet_.empty()) go_on();
    return;
  }
  to(State::Idle);
  go_on();  // a request that could not go down the lane has waited for the answers before it
  leave_if_answered();
}

// Its neighbours do not wait for a client that does not read.
bool Session::say(size_t unread_max) {
  base::Gather& for_client = worker_.to_client();
  const bool was_empty = outlet_.empty();
  const Sent sent = outlet_.send(*stream_, for_client);
  for_client.clear();
  if (sent == Sent::Broken) return end(EndReason::ClientLost), false;
  if (sent == Sent::All) return true;
  stream_->pause(net::kPauseUnread);
  if (was_empty) stalled_at_ = worker_.now();
  if (outlet_.size() > unread_max) return end(EndReason::ClientStall), false;
  if (was_empty) arm();
  return true;
}

// ---------------------------------------------------------------- what it has not asked for

// While the client holds another server the two may not speak at once: what one says begins when
// the other has ended.
bool Session::must_keep(const protocol::Share& share) const {
  if (kept_) return true;
  if (state_ == State::Idle || state_ == State::Sharing) return false;
  return share.piece_open || (lease_ && link().is_mid_piece(lease_->state()));
}

void Session::keep(const protocol::Share& share) {
  if (!kept_) kept_ = std::make_unique<std::string>();
  kept_->append(share.head).append(share.bytes);
  if (kept_->size() > kUnheardBytesMax) return end(EndReason::ClientStall);
  say_kept();
}

void Session::say_kept() {
  if (!kept_ || state_ == State::Ended || lane_piece_open_) return;
  if (lease_ && link().is_mid_piece(lease_->state())) return;
  const auto kept = std::move(kept_);
  worker_.to_client().add(*kept);
  if (say(kUnheardBytesMax)) after_push();
}

// A request may have waited for its end alone.
void Session::after_push() {
  if (state_ == State::Idle && is_settled() && !in_.empty() && want_ == 0) go_on();
}

void Session::lane_drained() { stream_->resume(net::kPausePeerFull); }

void Session::lane_lost(const base::Error& why) {
  if (may_ask_again(why)) return ask_lane_again();
  end(why.kind == base::ErrorKind::Timeout ? EndReason::QueryTimeout : EndReason::ServerLost, why);
}

// Once, and only when nothing has been answered; who listens there has missed something. A request
// that brings a server down would bring down the next ones as well.
bool Session::may_ask_again(const base::Error& why) const {
  return why.kind == base::ErrorKind::Unreachable && state_ == State::Sharing && owed_ &&
         owed_->repeatable && !owed_->repeated && !lane_piece_open_ &&
         lane_->kind() != LaneKind::Hub;
}

void Session::ask_lane_again() {
  log(LogLevel::Info, "client {}: {} reads are sent once more, as their server was lost", id_,
      lane_turns_);
  in_.insert(0, std::exchange(owed_->requests, {}));
  want_ = 0;
  owed_->repeated = true;
  lane_turns_ = 0;
  lane_due_ = 0;
  go_on_soon();
}

}  // namespace weir::session
