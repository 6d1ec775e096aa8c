// The words, names, texts and signs of T-SQL, one after another ("Transact-SQL Reference":
// "Database Identifiers", "Constants", "Comments"). Values over bytes that outlive them, any
// thread. Never looks outside of its bytes; whatever is not closed ends with them.
#pragma once

#include "sql_text_words.h"
#include "wire.h"

namespace weir::tds {

enum class TokenKind : uint8_t {
  End,
  Word,      // select, t, #t, Straße
  Name,      // [t], "t"
  Text,      // 'x', N'x'
  Variable,  // @x, @@x
  Number,    // 1, 1.5e3, 0x1f
  Sign,      // anything else, one character; += and its like count as =
};

struct Token {
  TokenKind kind = TokenKind::End;
  Keyword keyword = Keyword::None;  // of a Word
  char16_t sign = 0;                // of a Sign
  // UTF-16LE, as it stands. Of Name and Text what is within the quotes; doubled ones stay doubled.
  Bytes text = {};

  bool is(char16_t other) const { return kind == TokenKind::Sign && sign == other; }
  bool is(Keyword other) const { return keyword == other; }
  // A word, in upper case here; no name in quotes.
  bool is(std::string_view word) const {
    return kind == TokenKind::Word && equals_folded(text, word);
  }
  bool is_name() const { return kind == TokenKind::Word || kind == TokenKind::Name; }
};

class Lexer {
 public:
  explicit Lexer(Bytes utf16)
      : at_(utf16.data()), end_(utf16.data() + (utf16.size() & ~size_t{1})) {}

  void next(Token& token);  // which is overwritten
  // Servers may see other words than these: a comment holds a lonely carriage return, a number runs
  // into letters.
  bool is_unclear() const { return unclear_; }

 private:
  bool at_end() const { return at_ == end_; }
  // NUL where there is nothing.
  char16_t look(size_t ahead = 0) const {
    return 2 * ahead < static_cast<size_t>(end_ - at_) ? load_le<char16_t>(at_ + 2 * ahead)
                                                       : char16_t{0};
  }
  void skip_space();
  void skip_line();
  void skip_comment();
  void skip_digits();
  void skip_exponent();
  void read_quoted(Token& token, TokenKind kind, char16_t closing);
  void read_number(Token& token);
  void read_word(Token& token);
  void read_sign(Token& token);
  Bytes take_word();
  Bytes since(const char* begin) const { return {begin, static_cast<size_t>(at_ - begin)}; }

  const char* at_;
  const char* end_;
  bool unclear_ = false;
};

// A lexer with one token to look at, and the one before it.
class Tokens {
 public:
  // The little that somebody asks of the token before. Whole tokens are not copied: that is half of
  // the time which a text takes.
  struct Before {
    Keyword keyword = Keyword::None;
    char16_t sign = 0;  // 0: no sign
  };

  explicit Tokens(Bytes utf16) : lexer_(utf16) { advance(); }

  const Token& now() const { return now_; }
  Before before() const { return before_; }
  bool is_unclear() const { return lexer_.is_unclear(); }
  // Names of temporary tables that have come up, #t and ##t.
  bool names_local_table() const { return names_local_table_; }
  bool names_global_table() const { return names_global_table_; }

  void advance();
  template <class What>
  bool take(What what) {
    if (!now_.is(what)) return false;
    advance();
    return true;
  }
  // Of a name of several parts the last, without blanks behind it: "b" of a..[b ]. Empty: there is
  // no name here.
  Bytes take_name();
  // Where a statement may have its last token.
  bool at_border() const {
    return now_.kind == TokenKind::End || now_.is(u';') || begins_statement(now_.keyword);
  }

 private:
  Lexer lexer_;
  Token now_;
  Before before_;
  bool names_local_table_ = false;
  bool names_global_table_ = false;
};

}  // namespace weir::tds
