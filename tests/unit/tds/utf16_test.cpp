// UTF-16LE and UTF-8 (RFC 2781, RFC 3629).
#include "bytes.h"

namespace weir::tds {
namespace {

using namespace hand;

TEST(TdsUtf16, EveryCharacterThereAndBack) {
  for (uint32_t point = 0; point < 0x110000; ++point) {
    if (point >= 0xd800 && point < 0xe000) continue;
    std::string utf16;
    if (point < 0x10000) {
      append_le(utf16, static_cast<uint16_t>(point));
    } else {
      append_le(utf16, static_cast<uint16_t>(0xd800 + ((point - 0x10000) >> 10)));
      append_le(utf16, static_cast<uint16_t>(0xdc00 + (point & 0x3ff)));
    }
    std::string utf8, again;
    ASSERT_TRUE(append_utf8(utf8, utf16)) << point;
    ASSERT_TRUE(append_utf16(again, utf8)) << point;
    ASSERT_EQ(again, utf16) << point;
  }
  EXPECT_EQ(utf8_of(hex("6100 e400 ac20 3dd8 11dd")), "a\u00e4\u20ac\U0001f511");
}

TEST(TdsUtf16, HalvesOfPairs) {
  const std::string instead = "\ufffd";
  struct Case {
    std::string utf16, utf8;
  };
  const std::vector<Case> cases{
      {"3dd8", instead},
      {"11dd", instead},
      {"3dd8 6100", instead + "a"},
      {"3dd8 3dd8 11dd", instead + "\U0001f511"},
      {"6100 11dd 6200", "a" + instead + "b"},
      {"6100 62", "a" + instead},
      {"11dd 3dd8", instead + instead},
  };
  for (const auto& [utf16, utf8] : cases) {
    std::string out;
    EXPECT_FALSE(append_utf8(out, hex(utf16))) << utf16;
    EXPECT_EQ(out, utf8) << utf16;
  }
}

TEST(TdsUtf16, WhatIsNoUtf8) {
  const std::string instead = hex("fdff");
  struct Case {
    std::string utf8;
    size_t replaced;
  };
  for (const auto& [utf8, replaced] : std::vector<Case>{{"80", 1},
                                                        {"c3", 1},
                                                        {"c080", 2},
                                                        {"e08080", 3},
                                                        {"eda080", 3},
                                                        {"f0808080", 4},
                                                        {"f4908080", 4},
                                                        {"f5", 1},
                                                        {"e282", 2},
                                                        {"f09f94", 3}}) {
    std::string out, expected;
    EXPECT_FALSE(append_utf16(out, hex(utf8) + "a")) << utf8;
    for (size_t i = 0; i < replaced; ++i) expected += instead;
    EXPECT_EQ(out, expected + hex("6100")) << utf8;
  }
}

}  // namespace
}  // namespace weir::tds
