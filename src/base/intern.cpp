#include <weir/base/intern.h>

namespace weir::base {

InternTable::Shard& InternTable::shard_of(std::string_view text) {
  return shards_[std::hash<std::string_view>{}(text) % shards_.size()];
}

Interned InternTable::intern(std::string_view text) {
  Shard& shard = shard_of(text);
  const std::lock_guard lock(shard.mutex);
  if (const auto found = shard.nodes.find(text); found != shard.nodes.end()) {
    found->second->count.fetch_add(1, std::memory_order_relaxed);
    return Interned(found->second);
  }
  auto* node = new Interned::Node{std::string(text), ++last_id_, this, 1};
  shard.nodes.emplace(node->text, node);
  return Interned(node);
}

Interned InternTable::find(std::string_view text) {
  Shard& shard = shard_of(text);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.nodes.find(text);
  if (found == shard.nodes.end()) return {};
  found->second->count.fetch_add(1, std::memory_order_relaxed);
  return Interned(found->second);
}

size_t InternTable::size() const {
  size_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.nodes.size();
  }
  return sum;
}

void InternTable::drop(Interned::Node* node) {
  Shard& shard = shard_of(node->text);
  {
    const std::lock_guard lock(shard.mutex);
    // The last handle goes under the lock, so that intern() cannot hand the node out again
    // meanwhile.
    if (node->count.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    shard.nodes.erase(node->text);
  }
  delete node;
}

void Interned::release() {
  if (!node_) return;
  uint64_t count = node_->count.load(std::memory_order_relaxed);
  while (count > 1)
    if (node_->count.compare_exchange_weak(count, count - 1, std::memory_order_acq_rel)) return;
  node_->table->drop(node_);
}

}  // namespace weir::base
