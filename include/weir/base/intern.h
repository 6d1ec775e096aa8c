// Immutable texts that travel between sessions, servers and workers: statement texts, sets of
// settings. Equal texts are one node with an atomic count, so comparing two is comparing pointers.
// The table is owned by `app` and outlives every handle. Any thread; interning takes a shard's
// lock, copying and comparing take none.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace weir::base {

class InternTable;

class Interned {
 public:
  Interned() = default;
  Interned(const Interned& other) : node_(other.node_) { retain(); }
  Interned(Interned&& other) noexcept : node_(other.node_) { other.node_ = nullptr; }
  Interned& operator=(Interned other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Interned() { release(); }

  explicit operator bool() const { return node_ != nullptr; }
  std::string_view view() const {
    return node_ ? std::string_view(node_->text) : std::string_view();
  }
  uint64_t id() const { return node_ ? node_->id : 0; }  // never used twice in a process
  friend bool operator==(const Interned& a, const Interned& b) { return a.node_ == b.node_; }

 private:
  friend class InternTable;
  struct Node {
    std::string text;
    uint64_t id;
    InternTable* table;
    std::atomic<uint64_t> count;
  };
  explicit Interned(Node* node) : node_(node) {}
  void retain() {
    if (node_) node_->count.fetch_add(1, std::memory_order_relaxed);
  }
  void release();
  Node* node_ = nullptr;
};

class InternTable {
 public:
  InternTable() = default;
  InternTable(const InternTable&) = delete;
  InternTable& operator=(const InternTable&) = delete;
  Interned intern(std::string_view text);
  Interned find(std::string_view text);  // null unless somebody holds it
  size_t size() const;

 private:
  friend class Interned;
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string_view, Interned::Node*> nodes;
  };
  Shard& shard_of(std::string_view text);
  void drop(Interned::Node* node);

  std::array<Shard, 16> shards_;
  std::atomic<uint64_t> last_id_{0};
};

}  // namespace weir::base
