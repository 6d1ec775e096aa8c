#include "prepared.h"

namespace weir::postgres {

PreparedSet::Need PreparedSet::need(uint64_t id, uint32_t segment) {
  const auto found = known_.find(id);
  if (found == known_.end()) return Need::Parse;
  Known& known = found->second;
  const bool shares_its_fate = known.on_way > 0 && known.segment == segment;
  const bool is_sure = known.on_way == 0;
  if (!known.stays || !(shares_its_fate || is_sure)) return Need::CloseAndParse;
  order_.splice(order_.end(), order_, known.place);
  return Need::Nothing;
}

bool PreparedSet::is_open(uint64_t id, uint32_t segment) const {
  const auto found = known_.find(id);
  return found != known_.end() && found->second.on_way > 0 && found->second.segment != segment;
}

void PreparedSet::stay(Known& known, const base::Interned& statement) {
  leaving_.erase(statement.id());
  if (known.stays) return;
  known.place = order_.insert(order_.end(), statement);
  known.stays = true;
}

void PreparedSet::go(Known& known) {
  if (!known.stays) return;
  order_.erase(known.place);
  known.stays = false;
}

void PreparedSet::parse_sent(const base::Interned& statement, uint32_t segment) {
  Known& known = known_[statement.id()];
  ++known.on_way;
  known.segment = segment;
  stay(known, statement);
}

void PreparedSet::close_sent(const base::Interned& statement, uint32_t segment) {
  Known& known = known_[statement.id()];
  ++known.on_way;
  known.segment = segment;
  go(known);
  leaving_.insert_or_assign(statement.id(), statement);
}

void PreparedSet::parsed(uint64_t id) {
  const auto found = known_.find(id);
  if (found == known_.end()) return;
  found->second.there = true;
  --found->second.on_way;
}

void PreparedSet::closed(uint64_t id) {
  const auto found = known_.find(id);
  if (found == known_.end()) return;
  found->second.there = false;
  if (--found->second.on_way > 0) return;
  go(found->second);
  known_.erase(found);
  leaving_.erase(id);
}

void PreparedSet::skipped(uint64_t id) {
  const auto found = known_.find(id);
  if (found == known_.end()) return;
  Known& known = found->second;
  if (--known.on_way > 0) return;
  if (known.there) {
    if (const auto left = leaving_.find(id); left != leaving_.end()) {
      const base::Interned statement = left->second;
      stay(known, statement);
    }
    return;
  }
  go(known);
  known_.erase(found);
  leaving_.erase(id);
}

void PreparedSet::clear() {
  for (auto next = known_.begin(); next != known_.end();) {
    Known& known = next->second;
    known.there = false;
    if (known.on_way > 0) {
      ++next;
      continue;
    }
    go(known);
    next = known_.erase(next);
  }
}

}  // namespace weir::postgres
