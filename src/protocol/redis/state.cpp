#include "state.h"

namespace weir::redis {

uint64_t Ledger::size() const {
  uint64_t answers = 0;
  for (size_t i = head_; i < entries_.size(); ++i) answers += entries_[i].count;
  return answers;
}

void Ledger::push(uint64_t owner, Entry::Kind kind) {
  if (!empty()) {
    Entry& last = entries_.back();
    if (last.owner == owner && last.kind == kind && last.count < UINT32_MAX) {
      ++last.count;
      return;
    }
  }
  entries_.push_back({owner, 1, kind});
}

void Ledger::pop() {
  if (--entries_[head_].count > 0) return;
  if (++head_ == entries_.size()) {
    entries_.clear();
    head_ = 0;
  } else if (head_ >= 64 && head_ * 2 >= entries_.size()) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

}  // namespace weir::redis
