#include "state.h"

#include <algorithm>

namespace weir::redis {

bool Ledger::has(Entry::Kind kind) const {
  return std::any_of(entries_.begin() + static_cast<std::ptrdiff_t>(head_), entries_.end(),
                     [kind](const Entry& entry) { return entry.kind == kind; });
}

void Ledger::push(const Entry& entry) {
  pushed_ += entry.count;
  if (!empty()) {
    Entry& last = entries_.back();
    if (last.owner == entry.owner && last.kind == entry.kind && last.silent == entry.silent &&
        last.value == 0 && entry.value == 0 && last.count < UINT32_MAX) {
      last.count += entry.count;
      return;
    }
  }
  entries_.push_back(entry);
}

void Ledger::pop() {
  ++popped_;
  if (--entries_[head_].count > 0) return;
  if (++head_ == entries_.size()) {
    entries_.clear();
    head_ = 0;
  } else if (head_ >= 64 && head_ * 2 >= entries_.size()) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void Ledger::take_back() {
  --pushed_;
  if (--entries_.back().count > 0) return;
  entries_.pop_back();
  if (head_ < entries_.size()) return;
  entries_.clear();
  head_ = 0;
}

std::optional<protocol::Pin> ServerState::pin() const {
  using protocol::Pin;
  if (raw || replica) return Pin::Replication;
  if (!ledger.empty() && ledger.has(Entry::Kind::Block)) return Pin::Blocking;
  if (multi) return std::nullopt;
  if (watch) return Pin::Watch;
  if (subscriptions.all() > 0) return Pin::Subscription;
  if (monitor) return Pin::Monitor;
  if (tracking) return Pin::Tracking;
  if (foreign) return Pin::User;
  return kept ? std::optional(Pin::Command) : std::nullopt;
}

void forget_client(ServerState& server) {
  server.multi = server.watch = server.monitor = server.tracking = server.foreign = false;
  server.unknown = server.unknown || server.replica;
  server.replica = server.kept = false;
  server.multi_sent = server.queued_state = server.queued_pause = server.reset_sent = false;
  server.subscriptions = {};
  server.hub.reset();
  server.name.clear();
  server.database = 0;
  server.resp = 2;
  server.logged_out = !server.login.empty();
}

}  // namespace weir::redis
