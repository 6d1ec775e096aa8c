// A hostile server. The first byte says how its bytes are cut, the second what is spoken; the rest
// is what it says: packets, and the payload of a message. However it is cut, it has said the same,
// and nothing is left of a message that has ended.
#include "tds_talk.h"

namespace {

using namespace weir::tds;
using namespace weir::tds::script;

Version version_from(uint8_t byte) { return static_cast<Version>(byte % 6); }

ServerEar hear(const std::string& bytes, uint8_t how, size_t piece) {
  ServerEar ear((how & 8) != 0, version_from(how >> 4));
  ear.quiet = true;
  for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at))
    ear.feed(Bytes(bytes).substr(at, piece));
  return ear;
}

uint64_t walk(const std::string& bytes, uint8_t how, size_t piece) {
  TokenWalker walker(version_from(how >> 4));
  Digest said;
  TokenEvent event;
  for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
    Bytes in = Bytes(bytes).substr(at, piece);
    while (walker.next(in, event)) add(said, event);
    check(in.empty());
  }
  said.add(walker.rows());
  said.add(static_cast<uint64_t>(walker.end_message()));
  // The next message is read from its beginning, whatever has been.
  std::string done;
  append_done(done, walker.version(), {});
  Bytes in = done;
  check(walker.next(in, event) && event.kind == TokenEvent::Kind::Done);
  check(walker.end_message() == TokenWalker::End::Final);
  return said.value();
}

void compare(const ServerEar& whole, const ServerEar& cut) {
  check(whole.digest.value() == cut.digest.value() && whole.messages == cut.messages);
  check(whole.faulty == cut.faulty);
  check(whole.transaction == cut.transaction && whole.rows == cut.rows);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t piece = data[0] + size_t{1};
  const uint8_t how = data[1];
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const ServerEar whole = hear(bytes, how, SIZE_MAX);
  compare(whole, hear(bytes, how, 1));
  compare(whole, hear(bytes, how, piece));
  const uint64_t walked = walk(bytes, how, SIZE_MAX);
  check(walked == walk(bytes, how, 1));
  check(walked == walk(bytes, how, piece));
  return 0;
}
