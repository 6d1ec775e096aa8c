#include "outlet.h"

namespace weir::session {

Sent Outlet::send(net::Stream& stream, const base::Gather& gather) {
  if (gather.empty()) return rest_.empty() ? Sent::All : Sent::Some;
  if (!rest_.empty()) return keep(stream, gather.pieces(), 0);
  const int64_t taken = stream.try_write(gather.pieces());
  if (taken < 0) return Sent::Broken;
  if (static_cast<size_t>(taken) == gather.size()) return Sent::All;
  return keep(stream, gather.pieces(), static_cast<size_t>(taken));
}

Sent Outlet::send(net::Stream& stream, base::Bytes bytes) {
  base::Gather gather;
  gather.add(bytes);
  return send(stream, gather);
}

Sent Outlet::keep(net::Stream& stream, std::span<const iovec> pieces, size_t taken) {
  if (rest_.empty()) stream.want_writable();
  for (const iovec& piece : pieces) {
    if (taken >= piece.iov_len) {
      taken -= piece.iov_len;
      continue;
    }
    rest_.append(static_cast<const char*>(piece.iov_base) + taken, piece.iov_len - taken);
    taken = 0;
  }
  return Sent::Some;
}

Sent Outlet::flush(net::Stream& stream) {
  if (rest_.empty()) return Sent::All;
  const iovec piece{rest_.data(), rest_.size()};
  const int64_t taken = stream.try_write({&piece, 1});
  if (taken < 0) return Sent::Broken;
  if (static_cast<size_t>(taken) == rest_.size()) {
    std::string().swap(rest_);
    return Sent::All;
  }
  rest_.erase(0, static_cast<size_t>(taken));
  stream.want_writable();
  return Sent::Some;
}

}  // namespace weir::session
