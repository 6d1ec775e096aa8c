// A hostile client before its login, and a hostile server at weir's. The first byte chooses the
// method, the kind of secret, who talks and whether the server is asked about its commands, the
// second how the bytes are cut. Whole, in pieces and byte by byte the outcome is the same.
#include "redis_dialogues.h"

namespace {

using namespace weir::redis::script;
using weir::protocol::AuthMethod;
using weir::protocol::LoginTarget;

void check(bool holds) {
  if (!holds) std::abort();
}

Host host_of(uint8_t choice) {
  static const std::string kSecrets[] = {"sec", "md5" + std::string(32, 'a'),
                                         "SCRAM-SHA-256$1:a$b:c", ""};
  Host host;
  host.method = static_cast<AuthMethod>(choice & 3);
  host.secret = kSecrets[choice >> 2 & 3];
  host.mock = (choice & 16) != 0;
  return host;
}

Outcome talk(uint8_t choice, const std::string& bytes, size_t piece) {
  if ((choice & 32) == 0) return greet(host_of(choice), bytes, piece);
  const LoginTarget target{(choice & 1) != 0 ? "app" : "default",
                           (choice & 2) != 0 ? "pw" : "",
                           (choice & 4) != 0 ? "3" : "",
                           {}};
  weir::redis::CommandTables tables;
  return log_in(target, bytes, piece, (choice & 64) != 0 ? &tables : nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome expected = talk(data[0], bytes, SIZE_MAX);
  check(expected.step != Step::Fail || !expected.error.empty());
  check(expected == talk(data[0], bytes, 1));
  check(expected == talk(data[0], bytes, data[1] + size_t{1}));
  return 0;
}
