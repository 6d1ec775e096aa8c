// A hostile server. The first byte chooses the kind of secret that weir has, the second how the
// rest is cut; the rest is what the server sends. Whole, in pieces and byte by byte it has to have
// the same outcome.
#include <cstdlib>

#include "postgres_talk.h"

namespace {

using namespace weir::postgres;
using namespace weir::postgres::script;

weir::protocol::LoginTarget target_of(uint8_t choice) {
  static const std::string kSecrets[] = {"pencil", md5_secret("app", "pencil"),
                                         make_verifier("pencil", "salt", 1).text(),
                                         make_keys("pencil", "salt", 1).text(), ""};
  return {"app", kSecrets[choice % 5], "shop", {{"search_path", "shop"}}};
}

// A million rounds of hashing for each input would leave nothing of the fuzzing.
bool costs_too_much(const std::string& bytes) {
  const size_t count = bytes.find(",i=");
  return count != std::string::npos &&
         bytes.find_first_not_of("0123456789", count + 3) - count > 3 + 3;
}

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto target = target_of(data[0]);
  const size_t piece = data[1] + size_t{1};
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (costs_too_much(bytes)) return 0;

  const Outcome expected = log_in(target, {bytes}, whole);
  check((expected.step == Step::Fail) == !expected.error.empty());
  check(expected == log_in(target, {bytes}, bytewise));
  check(expected == log_in(target, {bytes}, pieces_of(piece)));
  return 0;
}
