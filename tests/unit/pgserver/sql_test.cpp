#include <gtest/gtest.h>

#include <weir/pgserver/sql.h>

namespace weir::pgserver {
namespace {

std::string shape(std::string_view text) {
  const Lexed lexed = lex(text);
  std::string out;
  for (size_t i = 0; i < lexed.tokens.size(); ++i) {
    constexpr std::string_view kLetters = "wqsbnpo.";
    out += (i == 0 ? "" : " ") +
           std::string(1, kLetters[static_cast<size_t>(lexed.tokens[i].kind)]) + ":" +
           std::string(lexed.view(i));
  }
  if (lexed.error)
    out += (out.empty() ? "" : " ") +
           ("!" + lexed.error->message + "@" + std::to_string(lexed.error->at));
  return out;
}

TEST(SqlLexer, Tokens) {
  const std::pair<std::string_view, std::string_view> kTable[] = {
      {"", ""},
      {" \t\r\n", ""},
      {"select 1", "w:select n:1"},
      {"a.b,c", "w:a .:. w:b .:, w:c"},
      {"\"a\"\"b\" \"c\"", "q:\"a\"\"b\" q:\"c\""},
      {"'it''s'", "s:'it''s'"},
      {"'a\\'", "s:'a\\'"},
      {"E'a\\'b'", "s:E'a\\'b'"},
      {"n'x'", "s:n'x'"},
      {"'a'\n 'b'", "s:'a'\n 'b'"},
      {"'a' 'b'", "s:'a' s:'b'"},
      {"$$a$b$$", "s:$$a$b$$"},
      {"$x$a$$b$y$ $x$", "s:$x$a$$b$y$ $x$"},
      {"$1+$23", "p:$1 o:+ p:$23"},
      {"a$1", "w:a$1"},
      {"B'01' X'fF'", "b:B'01' b:X'fF'"},
      {"1.5 .5 5. 1e10 1E-3 1.e2", "n:1.5 n:.5 n:5. n:1e10 n:1E-3 n:1.e2"},
      {"1..2", "n:1 .:.. n:2"},
      {"x::int[1]", "w:x .::: w:int .:[ n:1 .:]"},
      {"a-- c\nb", "w:a w:b"},
      {"a/*x/*y*/z*/b", "w:a w:b"},
      {"a<=b<>-1", "w:a o:<= w:b o:<> o:- n:1"},
      {"a@-1", "w:a o:@- n:1"},
      {"a*-1", "w:a o:* o:- n:1"},
      {"a->>'b'", "w:a o:->> s:'b'"},
      {"a+--x\n1", "w:a o:+ n:1"},
      {"a*/*x*/b", "w:a o:* w:b"},
      {"d\xc3\xa9j\xc3\xa0", "w:d\xc3\xa9j\xc3\xa0"},
      {"a;b", "w:a .:; w:b"},
      {"a := b", "w:a .::= w:b"},
      {"'a", "!unterminated quoted string@0"},
      {"x 'a''", "w:x !unterminated quoted string@2"},
      {"E'a\\'", "!unterminated quoted string@0"},
      {"\"a", "!unterminated quoted identifier@0"},
      {"\"\"", "!zero-length delimited identifier@0"},
      {"/* /* */", "!unterminated /* comment@0"},
      {"$a$ x", "!unterminated dollar-quoted string@0"},
      {"$a", "!syntax error at or near \"$\"@0"},
      {"1a", "!trailing junk after numeric literal@0"},
      {"$1a", "!trailing junk after parameter@0"},
      {"U&'x'", "!Unicode escapes (U&) are not supported@0"},
      {"a \\ b", "w:a !syntax error at or near \"\\\"@2"},
  };
  for (const auto& [text, expected] : kTable) EXPECT_EQ(shape(text), expected) << text;
}

TEST(SqlLexer, StringsMeanWhatPostgresSays) {
  const std::pair<std::string_view, std::optional<std::string>> kTable[] = {
      {"'it''s'", "it's"},
      {"'a\\n'", "a\\n"},
      {"E'a\\n\\t\\\\\\''", "a\n\t\\'"},
      {"E'\\x41\\101\\u00e9'", "AA\xc3\xa9"},
      {"E'\\U0001F600'", "\xf0\x9f\x98\x80"},
      {"E'\\u12'", std::nullopt},
      {"E'\\uD800'", std::nullopt},
      {"E'\\000'", std::nullopt},
      {"E'\\xff'", std::nullopt},
      {"$$a'b$$", "a'b"},
      {"$q$x$$y$q$", "x$$y"},
      {"'a'\n'b'", "ab"},
      {"e'a\\'b'", "a'b"},
      {"N'x'", "x"},
  };
  for (const auto& [text, expected] : kTable) {
    const Lexed lexed = lex(text);
    ASSERT_EQ(lexed.tokens.size(), 1U) << text;
    EXPECT_EQ(string_of(lexed, 0), expected) << text;
  }
}

TEST(SqlLexer, IdentifiersFoldUnlessQuoted) {
  const Lexed lexed = lex("Foo \"Foo\" \"a\"\"b\"");
  EXPECT_EQ(identifier_of(lexed, 0), "foo");
  EXPECT_EQ(identifier_of(lexed, 1), "Foo");
  EXPECT_EQ(identifier_of(lexed, 2), "a\"b");
}

TEST(SqlLexer, Splits) {
  const auto parts = [](std::string_view text) {
    const Lexed lexed = lex(text);
    std::vector<std::string> out;
    for (const TokenRange& part : split_statements(lexed))
      out.emplace_back(
          text.substr(lexed.tokens[part.first].begin,
                      lexed.tokens[part.last - 1].end - lexed.tokens[part.first].begin));
    return out;
  };
  EXPECT_EQ(parts(";;"), std::vector<std::string>{});
  EXPECT_EQ(parts("a;b ; -- x\n c"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(parts("select ';'; select $$;$$"),
            (std::vector<std::string>{"select ';'", "select $$;$$"}));
}

TEST(SqlLexer, EveryPrefixEndsWell) {
  const std::string text =
      "select E'a\\'' || $t$x$t$, \"q\", 1.5e3, $1 /* c /* d */ */ -- e\n from a.b where x::int[]";
  for (size_t length = 0; length <= text.size(); ++length) {
    const Lexed lexed = lex(std::string_view(text).substr(0, length));
    size_t end = 0;
    for (const Token& token : lexed.tokens) {
      EXPECT_LE(end, token.begin);
      EXPECT_LT(token.begin, token.end);
      EXPECT_LE(token.end, length);
      end = token.end;
    }
  }
}

TEST(SqlLexer, PositionsCountCharacters) {
  EXPECT_EQ(character_position("abc", 0), 1U);
  EXPECT_EQ(character_position("\xc3\xa9\xc3\xa9x", 4), 3U);
}

}  // namespace
}  // namespace weir::pgserver
