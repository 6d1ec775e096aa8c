// Regular expressions of pg_hba.conf and pg_ident.conf, beside those of the C library.
#include <gtest/gtest.h>
#include <regex.h>

#include <random>
#include <string>

#include <weir/config/auth_file.h>

namespace weir::config {
namespace {

// "begin-end", with " group" behind it; "no"; or what is wrong with the expression.
std::string found(const std::string& expression, const std::string& name) {
  const auto pattern = NamePattern::compile(expression);
  if (!pattern) return pattern.error().text;
  const auto match = pattern.value().find(name);
  if (!match) return "no";
  std::string out = std::to_string(match->begin) + '-' + std::to_string(match->end);
  if (match->group) out += ' ' + std::string(*match->group);
  return out;
}
bool fits(const std::string& expression, const std::string& name) {
  const auto pattern = NamePattern::compile(expression);
  EXPECT_TRUE(pattern) << expression << ": " << pattern.error().text;
  return pattern && pattern.value().find(name);
}

TEST(NamePattern, TheLeftmostMatchAndOfTheseTheLongest) {
  EXPECT_EQ(found("b+", "abbbabbbb"), "1-4");
  EXPECT_EQ(found("ab|abcd|abc", "xabcde"), "1-5");
  EXPECT_EQ(found("", "abc"), "0-0");
  EXPECT_EQ(found("x*", "abc"), "0-0");
  EXPECT_EQ(found("c$", "abc"), "2-3");
  EXPECT_EQ(found("^b", "abc"), "no");
  EXPECT_EQ(found("^$", ""), "0-0");
  EXPECT_EQ(found("a^b", "a^b"), "no");
  EXPECT_EQ(found("a||b", "c"), "0-0");
  EXPECT_EQ(found("a()b", "ab"), "0-2 ");
}

TEST(NamePattern, Characters) {
  EXPECT_TRUE(fits("^.$", "\n"));
  EXPECT_FALSE(fits("^a$", "a\n"));
  EXPECT_TRUE(fits("^a.c$", std::string("a\0c", 3)));
  EXPECT_TRUE(fits("^\xc3\xa4..$", "\xc3\xa4\xc3\xb6"));  // a character is a byte
  EXPECT_TRUE(fits("^[\xc3\xa4]+$", "\xc3\xa4"));
  EXPECT_TRUE(fits("^\\.\\*\\\\\\[\\^\\$\\-\\/$", ".*\\[^$-/"));
  EXPECT_FALSE(fits("^\\.$", "a"));
  EXPECT_TRUE(fits("^\\d\\D\\w\\W\\s\\S$", "1a_- x"));
  EXPECT_FALSE(fits("^\\w$", "\xe4"));
  EXPECT_TRUE(fits("^\\W$", "\xe4"));
  EXPECT_FALSE(fits("ann", "Ann"));
  EXPECT_TRUE(fits("^]}{,{x$", "]}{,{x"));
}

TEST(NamePattern, Brackets) {
  EXPECT_TRUE(fits("^[a-c]+$", "abc"));
  EXPECT_FALSE(fits("^[a-c]+$", "abd"));
  EXPECT_TRUE(fits("^[^a-c]+$", "xyz-^"));
  EXPECT_TRUE(fits("^[]a]+$", "]a"));
  EXPECT_TRUE(fits("^[^]a]+$", "[b"));
  EXPECT_TRUE(fits("^[a-]+$", "a-"));
  EXPECT_TRUE(fits("^[-a]+$", "-a"));
  EXPECT_TRUE(fits("^[a^]+$", "^a"));
  EXPECT_TRUE(fits("^[.*+?(){}|$]+$", ".*+?(){}|$"));
  EXPECT_TRUE(fits("^[[:alpha:]_[:digit:]]+$", "a_9"));
  EXPECT_FALSE(fits("^[^[:alpha:]]+$", "1a"));
  EXPECT_TRUE(fits("^[\\w.\\-\\]\\\\]+$", "a_9.-]\\"));
  EXPECT_TRUE(fits("^[\\d\\s]+$", "1 2"));
  EXPECT_TRUE(fits("^[\\!-\\/]$", "#"));
  EXPECT_TRUE(fits("^[[a]$", "["));
}

TEST(NamePattern, Repetitions) {
  EXPECT_TRUE(fits("^a{3}$", "aaa"));
  EXPECT_FALSE(fits("^a{3}$", "aa"));
  EXPECT_FALSE(fits("^a{3}$", "aaaa"));
  EXPECT_TRUE(fits("^a{2,}$", "aaaaa"));
  EXPECT_FALSE(fits("^a{2,}$", "a"));
  EXPECT_TRUE(fits("^a{0,2}$", ""));
  EXPECT_TRUE(fits("^(ab|a){2,3}$", "abaab"));
  EXPECT_FALSE(fits("^(ab|a){2,3}$", "ababaab"));
  EXPECT_TRUE(fits("^(a*)*$", "aaa"));
  EXPECT_TRUE(fits("^(a*)+b$", "aaab"));
  EXPECT_TRUE(fits("^(a?){3}$", "aa"));
  EXPECT_TRUE(fits("^(a|b?){2}c{0}$", "ab"));
  EXPECT_FALSE(fits("^x{0}$", "x"));
  EXPECT_EQ(found("a{,2}", "a{,2}"), "0-5");
  EXPECT_EQ(found("a{255}", "a"), "no");
}

TEST(NamePattern, TheFirstGroupIsAsLongAsItCanBe) {
  EXPECT_EQ(found("^(.*)@", "a@b@c"), "0-4 a@b");
  EXPECT_EQ(found("^([^@]*)@", "a@b@c"), "0-2 a");
  EXPECT_EQ(found("^(a|ab)(c|bcd)(d*)$", "abcd"), "0-4 ab");
  EXPECT_EQ(found("^(ann|anna)(.*)$", "anna"), "0-4 anna");
  EXPECT_EQ(found("^x*(x*)$", "xxx"), "0-3 ");  // what stands before it chooses first
  EXPECT_EQ(found("^(x?)x*$", "xxx"), "0-3 x");
  EXPECT_EQ(found("^(?:cn=)(.+),ou=(.*)$", "cn=a,ou=b,ou=c"), "0-14 a,ou=b");
  EXPECT_EQ(found("^(a(b))c$", "abc"), "0-3 ab");
  EXPECT_EQ(found("^((a)b)c$", "abc"), "0-3 ab");
  EXPECT_EQ(found("^(a)?b$", "b"), "0-1");  // no part in it
  EXPECT_EQ(found("^(a)?b$", "ab"), "0-2 a");
  EXPECT_EQ(found("^(a?)b$", "b"), "0-1 ");
  EXPECT_EQ(found("a|(b)", "b"), "0-1 b");
  EXPECT_EQ(found("a|(b)", "a"), "0-1");
  EXPECT_EQ(found("(?:a)b", "ab"), "0-2");
}

TEST(NamePattern, Groups) {
  const auto pattern = [](const char* text) { return NamePattern::compile(text).value(); };
  EXPECT_TRUE(pattern("(a)").has_group());
  EXPECT_FALSE(pattern("(?:a)").has_group());
  EXPECT_FALSE(pattern("\\(a\\)[(]").has_group());
  EXPECT_FALSE(pattern("(a)?").is_group_repeated());
  EXPECT_FALSE(pattern("(a)b*").is_group_repeated());
  EXPECT_FALSE(pattern("(a)(b)*").is_group_repeated());
  for (const char* text : {"(a)*", "(a)+", "(a){2}", "(?:(a)b)*", "(?:x|(a))+"})
    EXPECT_TRUE(pattern(text).is_group_repeated()) << text;
  EXPECT_EQ(pattern("a(b)"), pattern("a(b)"));
  EXPECT_FALSE(pattern("a(b)") == pattern("a(c)"));
  const NamePattern copy = pattern("^a+$");  // NOLINT: a copy is as good
  EXPECT_TRUE(NamePattern(copy).find("aa"));
  EXPECT_FALSE(NamePattern().find(""));
}

TEST(NamePattern, WhatIsRefused) {
  EXPECT_EQ(found("(", ""), "expected a ) behind the (");
  EXPECT_EQ(found("(a", ""), "expected a ) behind the (");
  EXPECT_EQ(found("a)", ""), "expected a ( before the )");
  EXPECT_EQ(found("(a))b", ""), "expected a ( before the )");
  EXPECT_EQ(found("[a", ""), "expected a ] behind the [");
  EXPECT_EQ(found("[]", ""), "expected a ] behind the [");
  EXPECT_EQ(found("[a-", ""), "expected a ] behind the [");
  EXPECT_EQ(found("[z-a]", ""), "expected a range between [ and ] that goes upwards");
  EXPECT_EQ(found("[[:word:]]", ""), "expected a class such as [:alnum:]");
  EXPECT_EQ(found("[[:alpha]", ""), "expected a class such as [:alnum:]");
  for (const char* text : {"[[.a.]]", "[[=a=]]", "[a-[:digit:]]", "[a-[.z.]]"})
    EXPECT_EQ(found(text, ""), "expected a character, and neither [. nor [= nor [: here");
  EXPECT_EQ(found("[\\W]", ""), "expected no \\D, \\W or \\S between [ and ]");
  EXPECT_EQ(found("[\\n]", ""), "expected \\d, \\w, \\s or \\ and a sign between [ and ]");
  EXPECT_EQ(found("[a-\\d]", ""), "expected \\d, \\w, \\s or \\ and a sign between [ and ]");
  EXPECT_EQ(found("[\\", ""), "expected \\d, \\w, \\s or \\ and a sign between [ and ]");
  for (const char c : {'1', 'y', 'm', 'A', 'Z', 'b', 'n', 'x', 'Q'})
    EXPECT_EQ(found(std::string("(a)\\") + c, ""),
              std::string("expected no \\") + c +
                  " in the expression: \\d \\w \\s \\D \\W \\S are supported");
  EXPECT_EQ(found("a\\", ""), "expected a character behind the \\");
  for (const char* text : {"(?i)a", "(?=a)", "(?!a)", "(?", "(?<=a)"})
    EXPECT_EQ(found(text, ""), "expected ( or (?: and no other (?");
  for (const char* text : {"*", "a|*", "(*)", "***:a"})
    EXPECT_EQ(found(text, ""), "expected something to repeat before *");
  EXPECT_EQ(found("{2}", ""), "expected something to repeat before {");
  for (const char* text : {"a**", "a*?", "a+?", "a??", "a{2}?", "a{2}{3}", "a*+"})
    EXPECT_EQ(found(text, ""),
              "expected one repetition alone; those that take as little as they "
              "can are not supported")
        << text;
  EXPECT_EQ(found("^*", ""), "expected nothing repeated behind ^ or $");
  EXPECT_EQ(found("a$+", ""), "expected nothing repeated behind ^ or $");
  for (const char* text : {"a{256}", "a{1,256}", "a{3,2}", "a{1", "a{1,", "a{1,x}", "a{1,2",
                           "a{99999999999999999999}"})
    EXPECT_EQ(found(text, ""), "expected {m}, {m,} or {m,n} of at most 255") << text;
  EXPECT_EQ(found(std::string("a\0b", 3), ""), "expected an expression without a zero byte");
}

TEST(NamePattern, Bounds) {
  EXPECT_TRUE(fits(std::string(255, '.'), std::string(255, 'x')));
  EXPECT_EQ(found(std::string(256, '.'), ""), "expected an expression of at most 255 bytes");
  EXPECT_TRUE(fits("^.*$", std::string(255, 'x')));
  EXPECT_FALSE(fits("^.*$", std::string(256, 'x')));
  EXPECT_TRUE(fits(std::string(127, '(') + std::string(127, ')'), ""));
}

// Each of these takes time that grows with a power of two when every way is tried.
TEST(NamePattern, HostileNamesCostLittle) {
  const std::string name = std::string(254, 'a') + '!';
  for (const std::string expression :
       {"^(a+)+$", "^(a*)*$", "^(a|aa)+$", "^(a|a?)+$", "^((a*)*)*$", "^(.*a){25}$",
        "^(((a{0,255}){0,255}){0,255}){0,255}$", "^(a?){255}a{255}$", "^(a+a+)+(a+a+)+$",
        "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"})
    EXPECT_FALSE(fits(expression, name)) << expression;
}

// The C library's extended expressions mean the same, where both have them.
TEST(NamePattern, AgreesWithTheCLibrary) {
  std::mt19937 random(17);
  const auto pick = [&](size_t count) { return random() % count; };
  const std::vector<std::string> parts = {"a",     "b", "c", ".", "[ab]", "[^a]", "(",
                                          ")",     "|", "*", "+", "?",    "{2}",  "{1,2}",
                                          "{0,1}", "^", "$", "a", "b"};
  int compared = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::string expression;
    for (size_t n = 1 + pick(9); n > 0; --n) expression += parts[pick(parts.size())];
    const auto pattern = NamePattern::compile(expression);
    regex_t other;
    if (!pattern || regcomp(&other, expression.c_str(), REG_EXTENDED) != 0) continue;
    for (int j = 0; j < 4; ++j) {
      std::string name;
      for (size_t n = pick(7); n > 0; --n) name += static_cast<char>('a' + pick(3));
      regmatch_t match[1];
      const bool does = regexec(&other, name.c_str(), 1, match, 0) == 0;
      const std::string expected =
          does ? std::to_string(match[0].rm_so) + '-' + std::to_string(match[0].rm_eo) : "no";
      const std::string said = found(expression, name);
      EXPECT_EQ(said.substr(0, said.find(' ')), expected) << expression << " in " << name;
      ++compared;
    }
    regfree(&other);
  }
  EXPECT_GT(compared, 10'000);
}

}  // namespace
}  // namespace weir::config
