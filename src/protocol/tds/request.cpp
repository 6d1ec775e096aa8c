#include "request.h"

#include <algorithm>

#include "type_info.h"

namespace weir::tds {

namespace {

constexpr uint16_t kTransactionDescriptor = 2;  // 2.2.5.3.2
constexpr size_t kHeaderHeadBytes = 4 + 2;
constexpr size_t kDescriptorBytes = 8 + 4;

// The headers behind the total length. False: they are not built like headers.
bool read_each(Bytes payload, AllHeaders& headers) {
  for (size_t at = 4; at < headers.bytes;) {
    const Bytes rest = payload.substr(at, headers.bytes - at);
    if (rest.size() < kHeaderHeadBytes) return false;
    const auto length = load_le<uint32_t>(rest.data());
    if (length < kHeaderHeadBytes || length > rest.size()) return false;
    if (load_le<uint16_t>(rest.data() + 4) == kTransactionDescriptor) {
      if (length != kHeaderHeadBytes + kDescriptorBytes || headers.descriptor) return false;
      headers.descriptor_at = at + kHeaderHeadBytes;
      headers.descriptor = load_le<uint64_t>(rest.data() + kHeaderHeadBytes);
      headers.outstanding = load_le<uint32_t>(rest.data() + kHeaderHeadBytes + 8);
    }
    at += length;
  }
  return true;
}

// How long a transaction manager's request is as far as it has to be read.
size_t measure_transaction(Bytes body) {
  Ruler ruler(body);
  const auto action = static_cast<TransactionAction>(ruler.le<uint16_t>());
  if (ruler.stopped()) return ruler.bytes();
  switch (action) {
    case TransactionAction::Begin: ruler.skip(1); break;
    case TransactionAction::Commit:
    case TransactionAction::Rollback:
      ruler.skip(ruler.le<uint8_t>());  // its name, in bytes
      if ((ruler.le<uint8_t>() & 1) != 0) ruler.skip(1);
      break;
    default: break;
  }
  return ruler.bytes();
}

TransactionRequest read_transaction(Bytes body) {
  Reader reader(body);
  TransactionRequest request;
  request.action = static_cast<TransactionAction>(reader.u16());
  switch (request.action) {
    case TransactionAction::Begin: request.isolation = reader.u8(); break;
    case TransactionAction::Commit:
    case TransactionAction::Rollback:
      reader.bytes8();
      request.begins_again = (reader.u8() & 1) != 0;
      if (request.begins_again) request.isolation = reader.u8();
      break;
    default: break;
  }
  return request;
}

}  // namespace

AllHeaders read_all_headers(Bytes payload) {
  AllHeaders headers;
  headers.bytes = 4;
  if (payload.size() < 4) return headers;
  headers.bytes = load_le<uint32_t>(payload.data());
  if (headers.bytes < 4 || headers.bytes > kHeadersBytesMax) {
    headers.seen = Seen::Bad;
  } else if (headers.bytes <= payload.size()) {
    headers.seen = read_each(payload, headers) ? Seen::Whole : Seen::Bad;
  }
  return headers;
}

void append_all_headers(std::string& out, uint64_t descriptor) {
  constexpr uint32_t kHeader = kHeaderHeadBytes + kDescriptorBytes;
  append_le(out, uint32_t{4 + kHeader});
  append_le(out, kHeader);
  append_le(out, kTransactionDescriptor);
  append_le(out, descriptor);
  append_le(out, uint32_t{1});  // this request alone is outstanding: no MARS
}

RequestHead read_request_head(PacketType type, Version version, Bytes payload, bool whole) {
  RequestHead head;
  head.seen = Seen::Whole;
  head.body = payload;
  if (has_headers(type, version)) {
    head.headers = read_all_headers(payload);
    head.seen = head.headers.seen;
    if (head.seen == Seen::Whole) head.body = payload.substr(head.headers.bytes);
    head.want = head.headers.bytes;
  }
  if (head.seen == Seen::Whole && type == PacketType::TransactionManager) {
    const size_t bytes = measure_transaction(head.body);
    head.want = payload.size() - head.body.size() + bytes;
    if (bytes > head.body.size())
      head.seen = Seen::More;
    else
      head.transaction = read_transaction(head.body);
  }
  if (head.seen == Seen::More && whole) head.seen = Seen::Bad;
  return head;
}

}  // namespace weir::tds
