#include "utf16.h"

#include <cstdint>

#include "wire.h"

namespace weir::tds {

namespace {

constexpr uint32_t kReplacement = 0xfffd;

bool is_high(uint32_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low(uint32_t unit) { return unit >= 0xdc00 && unit < 0xe000; }

void append_point(std::string& out, uint32_t point) {
  if (point < 0x80) {
    append_byte(out, point);
  } else if (point < 0x800) {
    append_byte(out, 0xc0 | point >> 6);
    append_byte(out, 0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    append_byte(out, 0xe0 | point >> 12);
    append_byte(out, 0x80 | (point >> 6 & 0x3f));
    append_byte(out, 0x80 | (point & 0x3f));
  } else {
    append_byte(out, 0xf0 | point >> 18);
    append_byte(out, 0x80 | (point >> 12 & 0x3f));
    append_byte(out, 0x80 | (point >> 6 & 0x3f));
    append_byte(out, 0x80 | (point & 0x3f));
  }
}

// The character at the front of `rest`, which is taken off. False: there is none, and one byte is
// (RFC 3629, section 4: no overlong forms, no surrogates, nothing above U+10FFFF).
bool take_point(std::string_view& rest, uint32_t& point) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(rest[i]); };
  const unsigned lead = byte(0);
  size_t bytes = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead > 0xf4 || bytes > rest.size()) bytes = 0;
  point = bytes < 2 ? lead : lead & (0xffU >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      bytes = 0;
      break;
    }
    point = point << 6 | (byte(i) & 0x3fU);
  }
  const bool overlong = (bytes == 3 && point < 0x800) || (bytes == 4 && point < 0x10000);
  const bool good = bytes > 0 && !overlong && !is_high(point) && !is_low(point) && point < 0x110000;
  rest.remove_prefix(good ? bytes : 1);
  return good;
}

}  // namespace

bool append_utf8(std::string& out, base::Bytes utf16) {
  bool exact = utf16.size() % 2 == 0;
  for (size_t at = 0; at + 1 < utf16.size(); at += 2) {
    uint32_t point = load_le<uint16_t>(utf16.data() + at);
    if (is_high(point) && at + 3 < utf16.size()) {
      const uint32_t low = load_le<uint16_t>(utf16.data() + at + 2);
      if (is_low(low)) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        at += 2;
      }
    }
    const bool good = !is_high(point) && !is_low(point);
    exact = exact && good;
    append_point(out, good ? point : kReplacement);
  }
  if (utf16.size() % 2 != 0) append_point(out, kReplacement);
  return exact;
}

bool append_utf16(std::string& out, std::string_view utf8) {
  bool exact = true;
  while (!utf8.empty()) {
    uint32_t point = 0;
    if (!take_point(utf8, point)) {
      exact = false;
      point = kReplacement;
    }
    if (point < 0x10000) {
      append_le(out, static_cast<uint16_t>(point));
      continue;
    }
    append_le(out, static_cast<uint16_t>(0xd800 + ((point - 0x10000) >> 10)));
    append_le(out, static_cast<uint16_t>(0xdc00 + ((point - 0x10000) & 0x3ff)));
  }
  return exact;
}

std::string utf8_of(base::Bytes utf16) {
  std::string out;
  append_utf8(out, utf16);
  return out;
}

std::string utf16_of(std::string_view utf8) {
  std::string out;
  append_utf16(out, utf8);
  return out;
}

}  // namespace weir::tds
