#include "cork.h"

#include <cstring>

#include "socket_stream.h"

namespace weir::net {

bool Cork::hold(SocketStream& stream, std::span<const iovec> pieces) {
  size_t size = 0;
  for (const iovec& piece : pieces) size += piece.iov_len;
  if (size > kWriteBytesMax) return false;
  if (stream.is_corked() && held_.back().stream != &stream) return false;
  if (held_.size() == kWritesMax) flush();
  constexpr size_t kBytes = kWriteBytesMax * kWritesMax;
  if (!bytes_) bytes_ = std::make_unique_for_overwrite<char[]>(kBytes);
  if (used_ + size > kBytes) return false;
  if (!stream.is_corked()) {
    held_.push_back({&stream, used_, 0});
    stream.set_corked(true);
  }
  held_.back().size += size;
  for (const iovec& piece : pieces) {
    std::memcpy(bytes_.get() + used_, piece.iov_base, piece.iov_len);
    used_ += piece.iov_len;
  }
  return true;
}

void Cork::send(Held& held) {
  if (!held.stream) return;
  held.stream->set_corked(false);
  held.stream->send_held({bytes_.get() + held.offset, held.size});
  held.stream = nullptr;
}

void Cork::flush() {
  if (held_.empty()) return;
  for (Held& held : held_) send(held);
  held_.clear();
  used_ = 0;
}

void Cork::flush(SocketStream& stream) {
  if (!stream.is_corked()) return;
  for (Held& held : held_)
    if (held.stream == &stream) return send(held);
}

}  // namespace weir::net
