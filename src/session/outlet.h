// What one peer has not taken yet. Empty, and without memory, but while the peer is slow; bounded
// because the other side is not read meanwhile.
#pragma once

#include <string>

#include <weir/base/gather.h>
#include <weir/net/stream.h>

namespace weir::session {

enum class Sent : uint8_t { All, Some, Broken };

class Outlet {
 public:
  Sent send(net::Stream& stream, const base::Gather& gather);
  Sent send(net::Stream& stream, base::Bytes bytes);
  Sent flush(net::Stream& stream);  // on_writable
  bool empty() const { return rest_.empty(); }
  size_t size() const { return rest_.size(); }

 private:
  Sent keep(net::Stream& stream, std::span<const iovec> pieces, size_t taken);
  std::string rest_;
};

}  // namespace weir::session
