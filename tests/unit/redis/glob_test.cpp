// Patterns of channels: as a server sees them, at a bounded cost.
#include <gtest/gtest.h>

#include <random>

#include "protocol/redis/glob.h"

namespace weir::redis {
namespace {

bool fits(Bytes text, Bytes pattern) {
  size_t steps = kPatternStepsMax;
  return fits_pattern(text, pattern, steps);
}

struct Case {
  std::string pattern;
  std::vector<std::string> yes, no;
};

// What redis-server 7.0.15 says, odd as it is; test_32_redis_hub.py asks one.
const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"", {""}, {"a"}},
      {"*", {"a", "ab", "*"}, {""}},
      {"**", {"a", "ab"}, {""}},
      {"a*", {"a", "ab", "a*"}, {"", "b", "ba"}},
      {"*a", {"a", "ba", "aa", "aba"}, {"", "ab"}},
      {"a***", {"a", "abc"}, {"b"}},
      {"*a*b*", {"ab", "xaxbx", "aab", "abb"}, {"ba", "a", "b"}},
      {"a*b*c", {"abc", "abbc", "axbxc", "abcabc"}, {"ac", "ab", "abcd"}},
      {"*ab", {"ab", "aab", "abab"}, {"aba", "b"}},
      {"?", {"a", "?", "*"}, {"", "ab"}},
      {"a?c", {"abc", "a?c"}, {"ac", "abbc"}},
      {"*?", {"a", "ab"}, {""}},
      {"?*?", {"ab", "abc"}, {"a"}},
      {"[abc]", {"a", "c"}, {"d", "", "ab", "["}},
      {"[^abc]", {"d", "^"}, {"a", ""}},
      {"[a-c]x", {"ax", "cx"}, {"dx", "-x"}},
      {"[c-a]", {"a", "b", "c"}, {"d", "-"}},
      {"[^a-c]", {"d"}, {"b"}},
      {"[]", {}, {"", "]", "[", "[]"}},
      {"[]a]", {}, {"]", "a", "]a]"}},
      {"[^]", {"a", "]"}, {""}},
      {"[^]a", {"xa", "]a"}, {"a"}},
      {"[\\]]", {"]"}, {"\\", "a"}},
      {"[\\^a]", {"^", "a"}, {"b"}},
      {"[a^]", {"a", "^"}, {"b"}},
      {"[a-]", {"a", "]", "^"}, {"-", "b"}},
      {"[-a]", {"-", "a"}, {"b"}},
      {"[a-b-c]", {"a", "b", "-", "c"}, {"d"}},
      {"[a\\-c]", {"a", "-", "c"}, {"b", "\\"}},
      {"[\\a-c]", {"a", "-", "c"}, {"b"}},
      {"[!-\\]", {"!", "0", "A", "\\"}, {"a", "]"}},
      // Without an end.
      {"[", {}, {"", "[", "a"}},
      {"[^", {"a", "[", "^"}, {"", "ab"}},
      {"[ab", {"a", "b"}, {"c", "[ab"}},
      {"[^ab", {"c"}, {"a"}},
      {"[a-", {"a", "-"}, {"b"}},
      {"[a\\", {"a", "\\"}, {"b"}},
      {"x[a", {"xa"}, {"x", "a"}},
      {"*[a", {"a", "ba"}, {"b"}},
      {"\\*", {"*"}, {"a", "\\*", "\\"}},
      {"\\a", {"a"}, {"\\a"}},
      {"\\\\", {"\\"}, {"\\\\"}},
      {"\\", {"\\"}, {"", "a"}},
      {"a\\", {"a\\"}, {"a"}},
      {"h\\[llo", {"h[llo"}, {"hello"}},
      {"*\\*", {"*", "a*"}, {"a"}},
      {"h[ae]*?o", {"hello", "haxo"}, {"hllo", "hao"}},
      {"A", {"A"}, {"a"}},
      // Bytes are signed numbers.
      {"[\x01-\xff]", {"\xff", std::string(1, '\0'), "\x01"}, {"\x80", "a"}},
      {std::string("a\0*", 3), {std::string("a\0", 2), std::string("a\0b", 3)}, {"a", "ab"}},
  };
  return all;
}

TEST(RedisGlob, FitsWhatAServerSays) {
  for (const Case& each : cases()) {
    for (const std::string& text : each.yes)
      EXPECT_TRUE(fits(text, each.pattern)) << each.pattern << " " << text;
    for (const std::string& text : each.no)
      EXPECT_FALSE(fits(text, each.pattern)) << each.pattern << " " << text;
  }
}

// As stringmatchlen() goes about it: each star tries all places, one after the other.
bool slowly(Bytes text, Bytes pattern) {
  if (text.empty()) return pattern.empty();
  if (pattern.empty()) return false;
  const bool star = pattern[0] == '*';
  const Bytes behind = pattern.substr(std::min(pattern.find_first_not_of('*'), pattern.size()));
  if (star && behind.empty()) return true;
  for (Bytes rest = text; star && !rest.empty(); rest.remove_prefix(1))
    if (slowly(rest, behind)) return true;
  if (star || (pattern[0] != '?' && pattern[0] != text[0])) return false;
  const Bytes more = pattern.substr(1);
  if (text.size() > 1) return slowly(text.substr(1), more);
  return more.find_first_not_of('*') == Bytes::npos;
}

TEST(RedisGlob, AtRandom) {
  std::mt19937_64 random(1);
  size_t fitting = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text, pattern;
    for (size_t n = random() % 9; n > 0; --n) text += "ab"[random() % 2];
    for (size_t n = random() % 9; n > 0; --n) pattern += "ab?**"[random() % 5];
    fitting += slowly(text, pattern) ? 1 : 0;
    ASSERT_EQ(fits(text, pattern), slowly(text, pattern)) << text << " " << pattern;
  }
  EXPECT_GT(fitting, 20'000u);
}

TEST(RedisGlob, ManyStars) {
  const auto stars = [](size_t count) {
    std::string out;
    for (size_t i = 0; i < count; ++i) out += "*a";
    return out;
  };
  const std::string text(2'000, 'a');
  EXPECT_TRUE(fits(text, stars(1'000)));
  EXPECT_TRUE(fits(text, stars(1'000) + "*"));
  EXPECT_FALSE(fits(text, stars(1'001)));  // so does a server: it gives up
}

// What would take a naive search longer than the universe has.
TEST(RedisGlob, HostilePatternsCostLittle) {
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "a*";
  const std::string text(1'000, 'a');
  EXPECT_FALSE(fits(text, pattern + "b"));
  EXPECT_TRUE(fits(text + "b", pattern + "b"));
  // And where each byte costs: it is given up, and so is all that follows.
  size_t steps = kPatternStepsMax;
  const std::string long_class = "*[" + std::string(60'000, 'x') + "]";
  EXPECT_FALSE(fits_pattern(text + "x", long_class, steps));
  EXPECT_EQ(steps, 0u);
  EXPECT_FALSE(fits_pattern("a", "a", steps));
}

}  // namespace
}  // namespace weir::redis
