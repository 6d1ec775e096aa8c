// Packets of one protocol that carry the bytes of another one's handshake, as SQL Server's do with
// TLS. One object for a connection; its thread only.
#pragma once

#include <optional>
#include <string>

#include <weir/base/bytes.h>

namespace weir::base {

class Envelope {
 public:
  virtual ~Envelope() = default;
  // Appends packets with `inside` to `out`.
  virtual void wrap(Bytes inside, std::string& out) = 0;
  // Appends to `inside` what the first packet of `in` carries, and says how long that packet is. 0:
  // it is not there as a whole. Nothing: it is another one.
  virtual std::optional<size_t> unwrap(Bytes in, std::string& inside) = 0;
};

}  // namespace weir::base
