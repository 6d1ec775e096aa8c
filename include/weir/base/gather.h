// Gather: what is to be sent to one peer, in order, as pieces for one sendmsg. A piece is either a
// view of received bytes (valid until the caller returns to the loop) or a copy kept in the arena.
// One per direction and worker, reused for every event; no allocation once it has grown, but for a
// copy that does not fit the arena.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <weir/base/bytes.h>

namespace weir::base {

class Gather {
 public:
  static constexpr size_t kPieces = 64;
  static constexpr size_t kArenaBytes = 64 * 1024;

  // A view; neighbouring views are joined.
  void add(Bytes view) {
    if (view.empty()) return;
    size_ += view.size();
    if (!pieces_.empty()) {
      iovec& last = pieces_.back();
      if (static_cast<char*>(last.iov_base) + last.iov_len == view.data()) {
        last.iov_len += view.size();
        return;
      }
    }
    pieces_.push_back({const_cast<char*>(view.data()), view.size()});
  }

  void add_copy(Bytes bytes) {
    if (arena_used_ + bytes.size() > kArenaBytes) {
      spilled_.push_back(std::make_unique<std::string>(bytes));
      return add(*spilled_.back());
    }
    if (!arena_) arena_ = std::make_unique<char[]>(kArenaBytes);
    char* place = arena_.get() + arena_used_;
    std::memcpy(place, bytes.data(), bytes.size());
    arena_used_ += bytes.size();
    add({place, bytes.size()});
  }

  // Is there room for some more views and for `bytes` of copies? If not, send first.
  bool has_room(size_t bytes) const {
    return pieces_.size() + 8 <= kPieces && arena_used_ + bytes <= kArenaBytes;
  }

  bool empty() const { return pieces_.empty(); }
  size_t size() const { return size_; }
  std::span<const iovec> pieces() const { return pieces_; }
  void clear() {
    pieces_.clear();
    if (!spilled_.empty()) spilled_.clear();
    arena_used_ = size_ = 0;
  }

 private:
  std::vector<iovec> pieces_;
  std::vector<std::unique_ptr<std::string>> spilled_;
  std::unique_ptr<char[]> arena_;
  size_t arena_used_ = 0;
  size_t size_ = 0;
};

}  // namespace weir::base
