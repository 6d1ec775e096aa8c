// UTF-16LE, which TDS carries, and UTF-8, which weir keeps. Pure functions, any thread.
// Strict about what it says, lenient about what it does: half a surrogate pair (and anything that
// is no UTF-8) becomes U+FFFD, and the function returns false. Names and passwords of a login are
// refused then; texts for people are shown as they are.
#pragma once

#include <string>
#include <string_view>

#include <weir/base/bytes.h>

namespace weir::tds {

// An odd byte at the end counts as half a character.
bool append_utf8(std::string& out, base::Bytes utf16);
bool append_utf16(std::string& out, std::string_view utf8);

// For people.
std::string utf8_of(base::Bytes utf16);
std::string utf16_of(std::string_view utf8);

}  // namespace weir::tds
