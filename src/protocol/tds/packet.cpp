#include "packet.h"

#include <algorithm>
#include <utility>

namespace weir::tds {

namespace {

// MS-TDS 2.2.3.1.1 "Type". A server sends replies; Prelogin packets carry its TLS handshake.
bool may_send(Side side, PacketType type) {
  switch (type) {
    case PacketType::Prelogin: return true;
    case PacketType::Reply: return side == Side::Server;
    case PacketType::Batch:
    case PacketType::OldLogin:
    case PacketType::Rpc:
    case PacketType::Attention:
    case PacketType::Bulk:
    case PacketType::FederatedToken:
    case PacketType::TransactionManager:
    case PacketType::Login7:
    case PacketType::Sspi: return side == Side::Client;
  }
  return false;
}

}  // namespace

PacketHead read_packet_head(Bytes in) {
  PacketHead head;
  head.type = static_cast<PacketType>(in[0]);
  head.status = static_cast<uint8_t>(in[1]);
  head.bytes = base::load_be16(in.data() + 2);
  head.spid = base::load_be16(in.data() + 4);
  head.id = static_cast<uint8_t>(in[6]);
  return head;
}

void append_packet_head(std::string& out, const PacketHead& head) {
  append_byte(out, static_cast<uint8_t>(head.type));
  append_byte(out, head.status);
  base::append_be16(out, head.bytes);
  base::append_be16(out, head.spid);
  append_byte(out, head.id);
  append_byte(out, 0);
}

// ---------------------------------------------------------------- following

PacketStream::Run PacketStream::next(Bytes in) {
  Run run;
  if (left_ > 0) {
    run.payload = in.substr(0, left_);
    run.bytes = run.payload.size();
    if (run.bytes == 0) run.want = 1;
  } else {
    if (in.size() < kPacketHeadBytes) {
      // A type that nobody sends shows with its first byte: of a client that speaks TLS, say.
      if (!in.empty() && !may_send(side_, static_cast<PacketType>(in[0])))
        run.fault = "a packet of a type that is unknown here";
      run.want = kPacketHeadBytes;
      return run;
    }
    const PacketHead head = read_packet_head(in);
    run.fault = fault_of(head);
    if (!run.fault.empty()) return run;
    run.begins_message = !message_open_;
    if (run.begins_message) first_status_ = head.status;
    head_ = head;
    message_open_ = true;
    left_ = static_cast<uint16_t>(head.bytes - kPacketHeadBytes);
    run.payload = in.substr(kPacketHeadBytes, left_);
    run.bytes = kPacketHeadBytes + run.payload.size();
  }
  left_ = static_cast<uint16_t>(left_ - run.payload.size());
  run.ends_message = left_ == 0 && run.bytes > 0 && head_.ends_message();
  if (run.ends_message) message_open_ = false;
  return run;
}

std::string_view PacketStream::fault_of(const PacketHead& head) const {
  if (!may_send(side_, head.type)) return "a packet of a type that is unknown here";
  if (head.bytes < kPacketHeadBytes) return "a packet that is shorter than its head";
  if (head.bytes > bytes_max_) return "a packet that is longer than agreed";
  if (message_open_ && head.type != head_.type) return "a message of packets of several types";
  constexpr uint8_t kResets = kResetConnection | kResetConnectionSkipTran;
  if (!message_open_ && (head.status & kResets) == kResets) return "both bits of a reset";
  const bool attention = head.type == PacketType::Attention;
  if (attention && (head.bytes > kPacketHeadBytes || !head.ends_message()))
    return "an attention with a body";  // 2.2.1.7 "Attention"
  return {};
}

// ---------------------------------------------------------------- whole messages

Result<MessageAssembler::Taken> MessageAssembler::feed(Bytes in) {
  if (head_.empty()) return take(in);
  // A head that has come in pieces.
  const size_t more = std::min(kPacketHeadBytes - head_.size(), in.size());
  head_ += in.substr(0, more);
  if (head_.size() < kPacketHeadBytes) return Taken{more, false};
  const std::string head = std::exchange(head_, {});
  auto taken = take(head);
  if (!taken) return taken.error();
  taken->bytes = more;
  if (taken->whole) return taken;
  auto rest = take(in.substr(more));
  if (rest) rest->bytes += more;
  return rest;
}

Result<MessageAssembler::Taken> MessageAssembler::take(Bytes in) {
  Taken taken;
  while (!taken.whole && taken.bytes < in.size()) {
    const Bytes rest = in.substr(taken.bytes);
    const PacketStream::Run run = packets_.next(rest);
    if (!run.fault.empty()) return Error{ErrorKind::Protocol, std::string(run.fault)};
    if (run.bytes == 0) {
      head_ = rest;
      return Taken{in.size(), false};
    }
    taken.bytes += run.bytes;
    bytes_ += run.bytes;
    if (bytes_ > bytes_max_) return Error{ErrorKind::TooLarge, "message too long"};
    payload_ += run.payload;
    taken.whole = run.ends_message;
  }
  return taken;
}

void MessageAssembler::clear() {
  bytes_ = 0;
  payload_ = std::string();
}

// ---------------------------------------------------------------- building

void append_message(std::string& out, const MessageForm& form, Bytes payload) {
  const size_t body_max =
      std::clamp(form.packet_bytes, kPacketBytesMin, kPacketBytesMax) - kPacketHeadBytes;
  PacketHead head{form.type, form.first_status, 0, form.spid, 1};
  do {
    const Bytes body = payload.substr(0, body_max);
    payload.remove_prefix(body.size());
    if (payload.empty()) head.status |= kEndOfMessage;
    head.bytes = static_cast<uint16_t>(kPacketHeadBytes + body.size());
    append_packet_head(out, head);
    out += body;
    head.status = 0;
    ++head.id;
  } while (!payload.empty());
}

void append_attention(std::string& out) { append_message(out, {PacketType::Attention}, {}); }

}  // namespace weir::tds
