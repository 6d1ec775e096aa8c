// Texts in T-SQL from anybody: nothing is read outside of them, and what is carried to another
// server says there what it said here, and nothing else.
#include "protocol/tds/sql_text.h"

#include "protocol/tds/utf16.h"
#include "tds_talk.h"

using namespace weir::tds;
using weir::tds::script::check;

namespace {

void check_traits(const SqlTraits& traits, Bytes text) {
  check(traits.keeps == Keeps::Nothing || traits.leaves);
  check(traits.leaves || !traits.ends_server);
  check(traits.settings.size() <= kSettingsMax);
  for (const Setting& setting : traits.settings) check(setting.value.size() <= 2 * text.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes text(reinterpret_cast<const char*>(data), size);
  const SqlTraits traits = scan_sql(text);
  check_traits(traits, text);
  check(scan_sql(text.substr(0, size & ~size_t{1})) == traits);
  const SqlTraits called = scan_called_sql(text);
  check_traits(called, text);
  check(called.settings.empty() && called.bulk == traits.bulk);
  check(called.leaves || !traits.leaves);
  check(called.transaction || !traits.transaction);
  check_traits(traits_of_call(text), text);

  SqlTraits alone;
  alone.settings = traits.settings;
  std::string again;
  for (const Setting& setting : traits.settings)
    again.append("SET ").append(setting.name).append(" ").append(setting.value).append("\n");
  check(scan_sql(utf16_of(again)) == alone);
  return 0;
}
