// Packets and the messages that they make up (MS-TDS 2.2.1.1 "Pre-Login" to 2.2.3 "Packets").
//
//   0     1       2-3                4-5    6   7
//   type  status  length, with head  SPID   id  window     big-endian
//
// A message is a run of packets of one type; the last one has the bit EndOfMessage. Whoever
// forwards uses PacketStream, which copies and changes nothing; small messages that have to be
// seen whole go through MessageAssembler. Values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wire.h"

namespace weir::tds {

constexpr size_t kPacketHeadBytes = 8;
// With the head. Before the login is answered, and what may be agreed on (2.2.6.4, PacketSize).
constexpr size_t kPacketBytesDefault = 4096;
constexpr size_t kPacketBytesMin = 512;
constexpr size_t kPacketBytesMax = 32767;

enum class Side : uint8_t { Client, Server };  // that sends

enum class PacketType : uint8_t {
  Batch = 1,
  OldLogin = 2,
  Rpc = 3,
  Reply = 4,
  Attention = 6,
  Bulk = 7,
  FederatedToken = 8,
  TransactionManager = 14,
  Login7 = 16,
  Sspi = 17,
  Prelogin = 18,  // and the records of a TLS handshake
};

// Bits of the status.
constexpr uint8_t kEndOfMessage = 0x01;
constexpr uint8_t kIgnore = 0x02;                   // with EndOfMessage: the message is withdrawn
constexpr uint8_t kResetConnection = 0x08;          // of the first packet of a request, and
constexpr uint8_t kResetConnectionSkipTran = 0x10;  // never both

struct PacketHead {
  PacketType type = PacketType::Batch;
  uint8_t status = 0;
  uint16_t bytes = 0;  // of the packet, with this head
  uint16_t spid = 0;
  uint8_t id = 0;

  bool ends_message() const { return (status & kEndOfMessage) != 0; }
};
// The first kPacketHeadBytes of `in` have to be there; nothing is checked.
PacketHead read_packet_head(Bytes in);
void append_packet_head(std::string& out, const PacketHead& head);

// Follows the packets of one side, in whatever pieces they come.
class PacketStream {
 public:
  explicit PacketStream(Side side) : side_(side) {}

  // A head and what follows it, or more of a packet's body.
  struct Run {
    size_t bytes = 0;  // at the front of the input; 0: nothing can be said before `want` are there
    size_t want = 0;   // with bytes 0
    Bytes payload = {};  // of these bytes, without the head
    bool begins_message = false;
    bool ends_message = false;
    std::string_view fault = {};  // the peer broke the protocol: nothing can be forwarded any more
  };
  // In front of a packet `in` has to begin with it, and no part of a head is passed.
  Run next(Bytes in);

  // What was agreed on: a longer packet is a fault.
  void set_packet_bytes_max(size_t bytes) { bytes_max_ = bytes; }
  size_t packet_bytes_max() const { return bytes_max_; }

  const PacketHead& head() const { return head_; }  // of the packet that next() has told of
  // Of the first packet of the message: with the bits of a reset.
  uint8_t first_status() const { return first_status_; }
  bool at_message_border() const { return !message_open_ && left_ == 0; }
  bool at_packet_border() const { return left_ == 0; }
  size_t body_left() const { return left_; }  // of the packet

 private:
  std::string_view fault_of(const PacketHead& head) const;

  PacketHead head_;
  size_t bytes_max_ = kPacketBytesDefault;
  uint16_t left_ = 0;  // of the packet's body
  uint8_t first_status_ = 0;
  Side side_;
  bool message_open_ = false;  // further packets follow
};

// Puts the payload of one message together, up to a bound.
class MessageAssembler {
 public:
  // Of the message with the heads of its packets.
  MessageAssembler(Side side, size_t bytes_max) : packets_(side), bytes_max_(bytes_max) {}

  struct Taken {
    size_t bytes = 0;  // of the input; what follows them is not of this message
    bool whole = false;
  };
  // Any piece. Protocol: no packet looks like this; TooLarge.
  Result<Taken> feed(Bytes in);

  // Of the message so far. There is a head: that says what type it is of.
  bool has_head() const { return bytes_ > 0; }
  PacketType type() const { return packets_.head().type; }
  uint8_t first_status() const { return packets_.first_status(); }
  bool is_withdrawn() const { return (packets_.head().status & kIgnore) != 0; }
  Bytes payload() const { return payload_; }

  void set_packet_bytes_max(size_t bytes) { packets_.set_packet_bytes_max(bytes); }
  void clear();  // for the next message; gives the memory back

 private:
  Result<Taken> take(Bytes in);

  PacketStream packets_;
  size_t bytes_max_;
  size_t bytes_ = 0;
  std::string payload_;
  std::string head_;  // half a head
};

struct MessageForm {
  PacketType type = PacketType::Reply;
  uint8_t first_status = 0;  // bits of the first packet besides EndOfMessage
  size_t packet_bytes = kPacketBytesDefault;
  uint16_t spid = 0;  // of servers
};
// `payload` as packets of at most packet_bytes; ids count from 1.
void append_message(std::string& out, const MessageForm& form, Bytes payload);
void append_attention(std::string& out);

}  // namespace weir::tds
