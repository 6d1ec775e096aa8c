// A hostile client. The first byte says how its bytes are cut, the second what is spoken; the rest
// is what it says: packets, the payload of calls, and the payload of any request. However it is
// cut, it has said the same; more of a request never changes what has been seen of it.
#include "tds_talk.h"

namespace {

using namespace weir::tds;
using namespace weir::tds::script;

Version version_from(uint8_t byte) { return static_cast<Version>(byte % 6); }

ClientEar hear(const std::string& bytes, uint8_t how, size_t piece) {
  ClientEar ear(version_from(how));
  ear.quiet = true;
  for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at))
    ear.feed(Bytes(bytes).substr(at, piece));
  return ear;
}

uint64_t walk(const std::string& bytes, uint8_t how, size_t piece) {
  CallWalker walker(version_from(how));
  Digest said;
  CallEvent event;
  for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
    Bytes in = Bytes(bytes).substr(at, piece);
    while (walker.next(in, event)) {
      check(event.at <= bytes.size() && event.value.size() <= 32 * 1024);
      check(!event.in_place || event.value == Bytes(bytes).substr(event.at, event.value.size()));
      add(said, event);
    }
    check(in.empty());
  }
  said.add(uint64_t{walker.end_message()});
  return said.value();
}

// What is said of a head that is there as a whole.
std::string show(const RequestHead& head) {
  return number(head.headers.descriptor.has_value()) + " " +
         number(static_cast<int64_t>(head.headers.descriptor_at)) + " " +
         number(static_cast<int64_t>(head.headers.bytes)) + " " +
         number(static_cast<int>(head.transaction.action)) + " " +
         number(head.transaction.isolation) + " " + number(head.transaction.begins_again);
}

void look_again_and_again(PacketType type, uint8_t how, const std::string& bytes) {
  std::string seen;
  for (size_t size = 0; size <= std::min<size_t>(bytes.size(), 100); ++size) {
    const std::string part = bytes.substr(0, size);
    const RequestHead head = read_request_head(type, version_from(how), part, false);
    const bool whole = head.seen == Seen::Whole;
    check(head.seen != Seen::More || head.want > size);
    check(!whole || head.body.size() <= size);
    const std::string now = whole ? show(head) : head.seen == Seen::Bad ? "bad" : "";
    check(seen.empty() || seen == now);
    seen = now;
    const RequestHead last = read_request_head(type, version_from(how), part, true);
    check(last.seen == (whole ? Seen::Whole : Seen::Bad));
  }
}

void compare(const ClientEar& whole, const ClientEar& cut) {
  check(whole.digest.value() == cut.digest.value() && whole.messages == cut.messages);
  check(whole.faulty == cut.faulty);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t piece = data[0] + size_t{1};
  const uint8_t how = data[1];
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const ClientEar whole = hear(bytes, how, SIZE_MAX);
  compare(whole, hear(bytes, how, 1));
  compare(whole, hear(bytes, how, piece));
  const uint64_t walked = walk(bytes, how, SIZE_MAX);
  check(walked == walk(bytes, how, 1));
  check(walked == walk(bytes, how, piece));
  look_again_and_again(PacketType::Batch, how, bytes);
  look_again_and_again(PacketType::TransactionManager, how, bytes);
  return 0;
}
