// Records of TLS in packets.
#include "protocol/tds/envelope.h"

#include "bytes.h"

namespace weir::tds {
namespace {

TEST(TdsEnvelope, CarriesBytesInPackets) {
  PreloginEnvelope envelope;
  const std::string inside(10000, 'r');
  std::string packets, got;
  envelope.wrap({}, packets);
  EXPECT_EQ(packets, "");
  envelope.wrap(inside, packets);
  EXPECT_EQ(packets.size(), inside.size() + 3 * kPacketHeadBytes);
  int count = 0;
  for (Bytes rest = packets; !rest.empty(); ++count) {
    const auto used = envelope.unwrap(rest, got);
    ASSERT_TRUE(used && *used > 0 && *used <= kPacketBytesDefault);
    rest.remove_prefix(*used);
  }
  EXPECT_EQ(count, 3);
  EXPECT_EQ(got, inside);
}

TEST(TdsEnvelope, WaitsForAWholePacket) {
  PreloginEnvelope envelope;
  std::string packet, got;
  envelope.wrap("record", packet);
  for (size_t bytes = 0; bytes < packet.size(); ++bytes)
    EXPECT_EQ(envelope.unwrap(packet.substr(0, bytes), got), std::optional<size_t>(0));
  EXPECT_EQ(got, "");
  EXPECT_EQ(envelope.unwrap(packet + "more", got), std::optional<size_t>(packet.size()));
  EXPECT_EQ(got, "record");
}

TEST(TdsEnvelope, OtherPacketsAreNotOpened) {
  PreloginEnvelope envelope;
  std::string got;
  for (const char* bytes : {"04", "16030100", "12 01 0007 0000 00 00", "12 01 ffff 0000 00 00"})
    EXPECT_EQ(envelope.unwrap(hand::hex(bytes), got), std::nullopt) << bytes;
  EXPECT_EQ(got, "");
}

}  // namespace
}  // namespace weir::tds
