// The little that weir reads of statement texts: no crash, and what a text is taken for does not
// depend on how much of it was there at the first look.
#include <cstdlib>

#include "protocol/postgres/text.h"

namespace {

using namespace weir::postgres;

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view sql(reinterpret_cast<const char*>(data), size);
  const uint16_t traits = traits_of(sql);
  constexpr uint16_t kOfFirstWord =
      kSetLeavesNothing | kBeginsBlock | kDeallocates | kResets | kForgets;
  if ((traits & kOfFirstWord) != 0)
    for (size_t have = 0; have <= std::min<size_t>(size, 100); ++have)
      check(may_have_traits(sql.substr(0, have)));
  if (traits & kSetSession) check(may_have_traits(sql) || is_several(sql));
  check((traits & (kSetLeavesNothing | kSetSession)) != (kSetLeavesNothing | kSetSession));
  if (traits & kDeallocates) check(!deallocated_name(sql).empty());
  check(setting_name(sql).size() <= size + 16 && reset_name(sql).size() <= size + 16);
  ServerState server;
  server.reported = {{"TimeZone", "UTC"}};
  constexpr uint16_t kOfServer = kSetLeavesNothing | kSetSession | kReadsLocally;
  check((traits_on(server, traits, sql) & ~kOfServer) == (traits & ~kOfServer));
  for (const std::string& name : names_set(sql)) check(name.size() <= size + 16);
  const std::string key = statement_key(7, sql, "timezone");
  check(key_body(key) == sql);
  return 0;
}
