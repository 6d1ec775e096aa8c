// LOGIN7 from anybody: nothing is read outside of it, and what was read is the same when it is
// written and read again.
#include "protocol/tds/login7.h"

#include "tds_talk.h"

using namespace weir::tds;
using weir::tds::script::check;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  auto read = read_login7(body);
  if (!read) return 0;
  Login7& login = read.value();
  for (const std::string* name : {&login.host, &login.user, &login.password, &login.application,
                                  &login.server, &login.library, &login.language, &login.database})
    check(name->size() <= 3 * kLoginNameCharsMax);
  const auto written = write_login7(login);
  if (!written) return 0;  // an SSPI of more than 64 KB
  const auto again = read_login7(written.value());
  check(static_cast<bool>(again));
  // The bit says whether there are features, and nothing else.
  login.flags3 = static_cast<uint8_t>(login.flags3 & ~kHasExtension);
  if (!login.features.empty()) login.flags3 |= kHasExtension;
  check(again.value() == login);
  return 0;
}
