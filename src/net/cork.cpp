#include "cork.h"

#include <algorithm>
#include <cstring>

#include "socket_stream.h"

namespace weir::net {

bool Cork::hold(SocketStream& stream, std::span<const iovec> pieces) {
  size_t size = 0;
  for (const iovec& piece : pieces) size += piece.iov_len;
  if (size > kWriteBytesMax) return false;
  if (stream.is_corked() && held_.back().stream != &stream) return false;
  if (!stream.is_corked() && held_.size() == kWritesMax) flush();
  constexpr size_t kBytes = kWriteBytesMax * kWritesMax;
  if (!bytes_) bytes_ = std::make_unique_for_overwrite<char[]>(kBytes);
  if (used_ + size > kBytes) return false;
  if (!stream.is_corked()) {
    held_.push_back({&stream, used_, 0});
    stream.set_corked();
  }
  held_.back().size += size;
  for (const iovec& piece : pieces) {
    std::memcpy(bytes_.get() + used_, piece.iov_base, piece.iov_len);
    used_ += piece.iov_len;
  }
  return true;
}

void Cork::flush() {
  if (held_.empty()) return;
  for (const Held& held : held_)
    if (held.stream) sends_.push_back({held.stream->fd(), bytes_of(held)});
  batch_.run(sends_);
  size_t i = 0;
  for (const Held& held : held_)
    if (held.stream) held.stream->on_sent(bytes_of(held), sends_[i++].sent);
  sends_.clear();
  held_.clear();
  used_ = 0;
}

void Cork::flush(SocketStream& stream) {
  if (!stream.is_corked()) return;
  Held& held = *std::find_if(held_.begin(), held_.end(),
                             [&](const Held& each) { return each.stream == &stream; });
  held.stream = nullptr;
  stream.on_sent(bytes_of(held), send_bytes(stream.fd(), bytes_of(held)));
}

}  // namespace weir::net
