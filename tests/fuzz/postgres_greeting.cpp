// A hostile client. The first byte chooses the method and the kind of secret, the second how the
// rest is cut; the rest is what the client sends. Whole, in pieces and byte by byte it has to have
// the same outcome.
#include <cstdlib>

#include "postgres_talk.h"

namespace {

using namespace weir::postgres;
using namespace weir::postgres::script;
using weir::protocol::Admission;
using weir::protocol::AuthMethod;

Admission admission_of(uint8_t choice) {
  static const std::string kSecrets[] = {"pencil", md5_secret("alice", "pencil"),
                                         make_verifier("pencil", "salt", 1).text(), ""};
  Admission admission;
  admission.method = static_cast<AuthMethod>(choice & 3);
  admission.secret = kSecrets[choice >> 2 & 3];
  admission.mock = (choice & 16) != 0;
  admission.scram_iterations = 1;
  admission.session_id = 42;
  return admission;
}

// Bytes behind an encryption request are refused when they come with it, so where it is cut does
// matter there: such requests come alone.
Flights flights_of(std::string bytes) {
  Flights flights;
  while (bytes.starts_with(std::string("\0\0\0\x08\x04\xd2\x16", 7)) && bytes.size() > 8) {
    flights.push_back(bytes.substr(0, 8));
    bytes.erase(0, 8);
  }
  flights.push_back(bytes);
  return flights;
}

void check(bool holds) {
  if (!holds) std::abort();
}

void check_sent(const Outcome& outcome) {
  weir::base::Bytes sent(outcome.sent);
  while (sent.starts_with('N')) sent.remove_prefix(1);
  int errors = 0;
  while (!sent.empty()) {
    const auto message = cut_message(sent, sent.size());
    check(message && message.value().consumed > 0);
    check(errors == 0);  // nothing follows an error
    if (message.value().type == 'E') ++errors;
    sent.remove_prefix(message.value().consumed);
  }
  check((outcome.step == Step::Fail) == !outcome.error.empty());
  check(errors == 0 || outcome.step == Step::Fail);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  Host host;
  host.admission = admission_of(data[0]);
  const size_t piece = data[1] + size_t{1};
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Flights flights = flights_of(bytes);

  const Outcome expected = greet(host, flights, whole);
  check_sent(expected);
  check(expected == greet(host, flights, bytewise));
  check(expected == greet(host, flights, pieces_of(piece)));
  check_sent(greet(host, {bytes}, whole));
  return 0;
}
