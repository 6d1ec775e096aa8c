#include "envelope.h"

namespace weir::tds {

void PreloginEnvelope::wrap(Bytes inside, std::string& out) {
  if (!inside.empty()) append_message(out, {PacketType::Prelogin}, inside);
}

std::optional<size_t> PreloginEnvelope::unwrap(Bytes in, std::string& inside) {
  // A type that does not fit shows with its first byte: an alert in clear, or a reply.
  if (!in.empty() && static_cast<PacketType>(in[0]) != PacketType::Prelogin) return std::nullopt;
  if (in.size() < kPacketHeadBytes) return 0;
  const size_t bytes = read_packet_head(in).bytes;
  if (bytes < kPacketHeadBytes || bytes > kPacketBytesMax) return std::nullopt;
  if (in.size() < bytes) return 0;
  inside += in.substr(kPacketHeadBytes, bytes - kPacketHeadBytes);
  return bytes;
}

}  // namespace weir::tds
