// Gather: what is to be sent to one peer, in order, as pieces for one sendmsg. A piece is either a view of
// received bytes (valid until the caller returns to the loop) or a copy kept in the arena.
// One per direction and worker, reused for every event; no allocation once the arena has grown.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

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
    if (count_ > 0) {
      iovec& last = pieces_[count_ - 1];
      if (static_cast<char*>(last.iov_base) + last.iov_len == view.data()) {
        last.iov_len += view.size();
        return;
      }
    }
    pieces_[count_++] = {const_cast<char*>(view.data()), view.size()};
  }

  // A copy. The caller has asked has_room() before.
  void add_copy(Bytes bytes) {
    if (!arena_) arena_ = std::make_unique<char[]>(kArenaBytes);
    char* place = arena_.get() + arena_used_;
    std::memcpy(place, bytes.data(), bytes.size());
    arena_used_ += bytes.size();
    add({place, bytes.size()});
  }

  // Room for some more views and for `bytes` of copies; if not, send first.
  bool has_room(size_t bytes) const {
    return count_ + 4 <= kPieces && arena_used_ + bytes <= kArenaBytes;
  }

  bool empty() const { return count_ == 0; }
  size_t size() const { return size_; }
  std::span<const iovec> pieces() const { return {pieces_.data(), count_}; }
  void clear() { count_ = arena_used_ = size_ = 0; }

 private:
  std::array<iovec, kPieces> pieces_;
  std::unique_ptr<char[]> arena_;
  size_t count_ = 0;
  size_t arena_used_ = 0;
  size_t size_ = 0;
};

}  // namespace weir::base
