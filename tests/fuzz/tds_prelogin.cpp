// PRELOGIN from anybody: nothing is read outside of it, and what was read is the same when it is
// written and read again.
#include "protocol/tds/prelogin.h"

#include "tds_talk.h"

namespace {

using namespace weir::tds;
using weir::tds::script::check;

void agree(std::optional<uint8_t> byte) {
  for (const ListenerTls listener : {ListenerTls::Disable, ListenerTls::Login, ListenerTls::Prefer,
                                     ListenerTls::Require, ListenerTls::Strict}) {
    const Agreement agreement = agree_as_server(byte, listener);
    check(listener == ListenerTls::Strict || agreement.answer <= 3);
    check(listener != ListenerTls::Require || agreement.cover == Cover::All ||
          agreement.cover == Cover::Refuse);
  }
  check(agree_as_client(ServerTls::Require, byte) != Cover::None);
  check(agree_as_client(ServerTls::Require, byte) != Cover::Login);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  const auto read = read_prelogin(body);
  if (!read) return 0;
  const Prelogin& first = read.value();
  agree(first.encryption);
  if (first.instance && first.instance->size() > 200) return 0;  // longer than is ever written
  std::string written;
  append_prelogin(written, first, size % 2 == 0);
  const auto again = read_prelogin(written);
  check(static_cast<bool>(again));
  const Prelogin& second = again.value();
  check(first.release == second.release && first.encryption == second.encryption);
  check(first.instance == second.instance && first.thread_id == second.thread_id);
  check(first.mars == second.mars && first.trace_id == second.trace_id);
  check(first.federated_login == second.federated_login && first.nonce == second.nonce);
  return 0;
}
