// Packets and messages (MS-TDS 2.2.3), at every split.
#include "bytes.h"
#include "protocol/tds/packet.h"

namespace weir::tds {
namespace {

using namespace hand;

std::string packet(PacketType type, uint8_t status, const std::string& body) {
  std::string out;
  append_packet_head(out,
                     {type, status, static_cast<uint16_t>(kPacketHeadBytes + body.size()), 0, 1});
  return out + body;
}

// "type/status[payload]" for each message, "(fault)", "..." for what is not whole.
struct Follower {
  explicit Follower(Side side, size_t bytes_max) : packets(side) {
    packets.set_packet_bytes_max(bytes_max);
  }

  void feed(Bytes piece) {
    in += piece;
    while (!over) {
      const PacketStream::Run run = packets.next(in);
      if (!run.fault.empty()) {
        shown += "(" + std::string(run.fault) + ")";
        over = true;
        return;
      }
      if (run.bytes == 0) {
        EXPECT_GT(run.want, in.size());
        return;
      }
      if (run.begins_message)
        shown += std::to_string(static_cast<int>(packets.head().type)) + "/" +
                 std::to_string(packets.first_status()) + "[";
      shown += run.payload;
      EXPECT_EQ(run.ends_message, packets.at_message_border());
      if (run.ends_message) shown += "]";
      in.erase(0, run.bytes);
    }
  }
  std::string result() const { return shown + (over || packets.at_message_border() ? "" : "..."); }

  PacketStream packets;
  std::string in, shown;
  bool over = false;
};

std::string follow(const std::string& bytes, Side side = Side::Client,
                   size_t bytes_max = kPacketBytesDefault) {
  Follower whole(side, bytes_max), bytewise(side, bytes_max);
  whole.feed(bytes);
  for (const char c : bytes) bytewise.feed({&c, 1});
  EXPECT_EQ(bytewise.result(), whole.result());
  for (size_t at = 1; at < bytes.size(); ++at) {
    Follower cut(side, bytes_max);
    cut.feed(Bytes(bytes).substr(0, at));
    cut.feed(Bytes(bytes).substr(at));
    EXPECT_EQ(cut.result(), whole.result()) << "cut at " << at;
  }
  return whole.result();
}

TEST(TdsPackets, Messages) {
  const std::string batch = packet(PacketType::Batch, 1, "abc");
  EXPECT_EQ(follow(batch), "1/1[abc]");
  EXPECT_EQ(follow(batch + batch), "1/1[abc]1/1[abc]");
  EXPECT_EQ(follow(packet(PacketType::Rpc, 8, "abc") + packet(PacketType::Rpc, 0, "") +
                   packet(PacketType::Rpc, 1, "d")),
            "3/8[abcd]");
  EXPECT_EQ(follow(packet(PacketType::Batch, 0, "abc") + packet(PacketType::Batch, 9, "")),
            "1/0[abc]");  // a reset counts on the first packet only
  EXPECT_EQ(follow(packet(PacketType::Attention, 1, "") + batch), "6/1[]1/1[abc]");
  EXPECT_EQ(follow(packet(PacketType::Batch, 0, "abc")), "1/0[abc...");
  EXPECT_EQ(follow(packet(PacketType::Reply, 1, "abc"), Side::Server), "4/1[abc]");
  EXPECT_EQ(follow(packet(PacketType::Prelogin, 1, "abc"), Side::Server), "18/1[abc]");
}

// tds T03 (part)
TEST(TdsPackets, WhatNoPacketLooksLike) {
  const std::string unknown = "(a packet of a type that is unknown here)";
  const std::string batch = packet(PacketType::Batch, 1, "abc");
  const std::string half = packet(PacketType::Batch, 0, "abc");
  for (uint8_t length = 0; length < kPacketHeadBytes; ++length)
    EXPECT_EQ(follow(batch + hex("0101 00") + std::string(1, static_cast<char>(length)) +
                     hex("00000100")),
              "1/1[abc](a packet that is shorter than its head)");
  const std::string full(504, 'x');
  EXPECT_EQ(follow(packet(PacketType::Batch, 1, full), Side::Client, 512), "1/1[" + full + "]");
  EXPECT_EQ(follow(packet(PacketType::Batch, 1, full + "x"), Side::Client, 512),
            "(a packet that is longer than agreed)");
  EXPECT_EQ(follow(half + packet(PacketType::Rpc, 1, "abc")),
            "1/0[abc(a message of packets of several types)");
  EXPECT_EQ(follow(half + packet(PacketType::Attention, 1, "")),
            "1/0[abc(a message of packets of several types)");
  EXPECT_EQ(follow(packet(PacketType::Attention, 1, "x")), "(an attention with a body)");
  EXPECT_EQ(follow(packet(PacketType::Attention, 0, "")), "(an attention with a body)");
  EXPECT_EQ(follow(packet(PacketType::Reply, 1, "abc")), unknown);
  EXPECT_EQ(follow(batch, Side::Server), unknown);
  EXPECT_EQ(follow(hex("16")), unknown);  // TLS, and MARS: their first byte says so
  EXPECT_EQ(follow(hex("53")), unknown);
  EXPECT_EQ(follow(hex("05")), unknown);
}

TEST(TdsPackets, Building) {
  std::string body;
  for (int i = 0; i < 1009; ++i) body.push_back(static_cast<char>('a' + i % 26));
  std::string out;
  append_message(out, {PacketType::Rpc, kResetConnection, 512, 0}, body);
  EXPECT_EQ(out.size(), body.size() + 3 * kPacketHeadBytes);
  EXPECT_EQ(out.substr(0, 8), hex("03 08 0200 0000 01 00"));
  EXPECT_EQ(out.substr(512, 8), hex("03 00 0200 0000 02 00"));
  EXPECT_EQ(out.substr(1024, 8), hex("03 01 0009 0000 03 00"));
  EXPECT_EQ(follow(out, Side::Client, 512), "3/8[" + body + "]");

  out.clear();
  append_message(out, {PacketType::Reply, 0, 512, 77}, body.substr(0, 504));
  EXPECT_EQ(out.substr(0, 8), hex("04 01 0200 004d 01 00"));
  EXPECT_EQ(out.size(), 512U);
  out.clear();
  append_attention(out);
  EXPECT_EQ(out, hex("06 01 0008 0000 01 00"));
  out.clear();
  append_message(out, {PacketType::Batch, 0, 8, 0}, "abc");  // no such size: the smallest one
  EXPECT_EQ(out.size(), 11U);
  out.clear();
  append_message(out, {PacketType::Batch, 0, 512, 0}, std::string(504 * 300, 'x'));
  EXPECT_EQ(out[512 * 255 + 6], '\0');  // ids go round
}

// ---------------------------------------------------------------- whole messages

std::string assemble(const std::string& bytes, size_t bytes_max) {
  std::string expected;
  for (size_t piece = bytes.size(); piece > 0; --piece) {
    MessageAssembler message(Side::Client, bytes_max);
    std::string shown;
    Bytes rest = bytes;
    while (!rest.empty() && !shown.starts_with("(")) {
      const std::string now(rest.substr(0, piece));
      auto taken = message.feed(now);
      if (!taken) {
        shown = "(" + taken.error().text + ")";
        break;
      }
      EXPECT_LE(message.payload().size(), bytes_max);
      EXPECT_TRUE(taken->whole || taken->bytes == now.size());
      rest.remove_prefix(taken->bytes);
      if (!taken->whole) continue;
      shown += std::to_string(static_cast<int>(message.type())) + "/" +
               std::to_string(message.first_status()) + (message.is_withdrawn() ? "x" : "") + "[" +
               std::string(message.payload()) + "]";
      message.clear();
    }
    if (piece == bytes.size()) expected = shown;
    EXPECT_EQ(shown, expected) << "pieces of " << piece;
  }
  return expected;
}

// tds T03 (part)
TEST(TdsPackets, WholeMessagesAreBounded) {
  const std::string two =
      packet(PacketType::Login7, 0, "abc") + packet(PacketType::Login7, 1, "de");
  EXPECT_EQ(assemble(two, 21), "16/0[abcde]");
  EXPECT_EQ(assemble(two, 20), "(message too long)");
  EXPECT_EQ(assemble(two + packet(PacketType::Attention, 1, "") + two, 100),
            "16/0[abcde]6/1[]16/0[abcde]");
  EXPECT_EQ(assemble(packet(PacketType::Batch, 0, "abc") + packet(PacketType::Batch, 3, ""), 100),
            "1/0x[abc]");
  EXPECT_EQ(assemble(packet(PacketType::Prelogin, 0, "abc") + hex("1201 0007 00000100"), 100),
            "(a packet that is shorter than its head)");
  EXPECT_EQ(assemble(hex("1603010100"), 100), "(a packet of a type that is unknown here)");
  // Packets of nothing, without an end.
  std::string endless;
  for (int i = 0; i < 20; ++i) endless += packet(PacketType::Prelogin, 0, "");
  EXPECT_EQ(assemble(endless, 100), "(message too long)");
}

}  // namespace
}  // namespace weir::tds
