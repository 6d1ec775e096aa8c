// Bytes of the protocol, written by hand.
#pragma once

#include <gtest/gtest.h>

#include "protocol/tds/utf16.h"
#include "protocol/tds/wire.h"
#include "tds_recordings.h"

namespace weir::tds::hand {

using recordings::unhex;

// Blanks are for the reader.
inline std::string hex(std::string text) {
  std::erase(text, ' ');
  return unhex(text);
}

template <class Number>
std::string le(Number value) {
  std::string out;
  append_le(out, value);
  return out;
}

inline std::string text8(std::string_view utf8) {
  const std::string utf16 = utf16_of(utf8);
  return le(static_cast<uint8_t>(utf16.size() / 2)) + utf16;
}
inline std::string text16(std::string_view utf8) {
  const std::string utf16 = utf16_of(utf8);
  return le(static_cast<uint16_t>(utf16.size() / 2)) + utf16;
}

}  // namespace weir::tds::hand
