// TLS handshake records in packets of type Prelogin, as both sides send them until the handshake is
// over (MS-TDS 2.2.6.5 "PRELOGIN"; 3.2.5 and 3.3.5, TLS/SSL negotiation). Records and packets need
// not begin or end together. One for a connection; its thread only.
#pragma once

#include <weir/base/envelope.h>

#include "packet.h"

namespace weir::tds {

class PreloginEnvelope final : public base::Envelope {
 public:
  // One message, of packets of kPacketBytesDefault at most.
  void wrap(Bytes inside, std::string& out) override;
  // Nothing: a packet of another type, or shorter than its head or longer than any may be.
  std::optional<size_t> unwrap(Bytes in, std::string& inside) override;
};

}  // namespace weir::tds
