#include "sql_text_lexer.h"

#include <array>

namespace weir::tds {

namespace {

// What an ASCII character may be.
enum Class : uint8_t {
  kBlank = 1,
  kDigit = 2,
  kHexDigit = 4,
  kBeginsWord = 8,
  kInWord = 16,
  kBeforeEquals = 32,  // += and its like
};
constexpr uint8_t ascii_class_of(char c) {
  const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c;
  uint8_t classes = 0;
  if (c <= ' ' || c == 0x7f) classes |= kBlank;
  if (c >= '0' && c <= '9') classes |= kDigit | kHexDigit | kInWord;
  if (upper >= 'A' && upper <= 'F') classes |= kHexDigit;
  if ((upper >= 'A' && upper <= 'Z') || c == '_' || c == '#') classes |= kBeginsWord | kInWord;
  if (c == '@' || c == '$') classes |= kInWord;
  if (std::string_view("+-*/%&^|").find(c) != std::string_view::npos) classes |= kBeforeEquals;
  return classes;
}
constexpr std::array<uint8_t, 128> kClasses = [] {
  std::array<uint8_t, 128> classes{};
  for (size_t c = 0; c < classes.size(); ++c) classes[c] = ascii_class_of(static_cast<char>(c));
  return classes;
}();

// Among them what no name may have: whoever takes too much for a blank sees words too many.
bool is_wide_blank(char16_t c) {
  if (c < 0xc0) return c != 0xaa && c != 0xb5 && c != 0xba;
  return c == 0xd7 || c == 0xf7 || c == 0x1680 || c == 0x180e || (c >= 0x2000 && c < 0x2070) ||
         (c >= 0x3000 && c < 0x3004) || c == 0xfeff;
}

bool is_one(char16_t c, uint8_t classes) {
  if (c < kClasses.size()) return (kClasses[c] & classes) != 0;
  return (classes & (is_wide_blank(c) ? kBlank : kBeginsWord | kInWord)) != 0;
}

}  // namespace

void Lexer::next(Token& token) {
  token.keyword = Keyword::None;
  token.sign = 0;
  skip_space();
  const char16_t c = look();
  if (at_end()) {
    token.kind = TokenKind::End;
    token.text = {};
  } else if (is_one(c, kBeginsWord)) {
    read_word(token);
  } else if (is_one(c, kDigit)) {
    read_number(token);
  } else if (c == u'\'') {
    read_quoted(token, TokenKind::Text, c);
  } else if (c == u'"' || c == u'[') {
    read_quoted(token, TokenKind::Name, c == u'[' ? u']' : c);
  } else if (c == u'@') {
    token.kind = TokenKind::Variable;
    token.text = take_word();
  } else {
    read_sign(token);
  }
}

void Lexer::skip_space() {
  while (!at_end()) {
    const char16_t c = look();
    if (is_one(c, kBlank))
      at_ += 2;
    else if (c == u'-' && look(1) == u'-')
      skip_line();
    else if (c == u'/' && look(1) == u'*')
      skip_comment();
    else
      return;
  }
}

// What a carriage return alone ends is not written down anywhere.
void Lexer::skip_line() {
  for (; !at_end(); at_ += 2) {
    const char16_t c = look();
    if (c == u'\n') return;
    if (c != u'\r') continue;
    if (end_ - at_ > 2 && look(1) != u'\n') unclear_ = true;
    return;
  }
}

// "Slash Star (Block Comment)": comments nest.
void Lexer::skip_comment() {
  size_t depth = 0;
  while (!at_end()) {
    const char16_t c = look();
    const char16_t after = look(1);
    if (c == u'/' && after == u'*') {
      ++depth;
      at_ += 4;
    } else if (c == u'*' && after == u'/') {
      at_ += 4;
      if (--depth == 0) return;
    } else {
      at_ += 2;
    }
  }
}

void Lexer::read_quoted(Token& token, TokenKind kind, char16_t closing) {
  at_ += 2;
  const char* begin = at_;
  bool closed = false;
  for (; !closed && !at_end(); at_ += 2) {
    if (look() != closing) continue;
    if (look(1) == closing)
      at_ += 2;
    else
      closed = true;
  }
  token.kind = kind;
  token.text = since(begin);
  if (closed) token.text.remove_suffix(2);
}

void Lexer::skip_digits() {
  while (is_one(look(), kDigit)) at_ += 2;
}

// 1e is a number, and 1exec p is one and a word: which one is not written down anywhere.
void Lexer::skip_exponent() {
  if (folded(look()) != u'E') return;
  at_ += 2;
  const char16_t c = look();
  const bool has_sign = c == u'+' || c == u'-';
  if ((has_sign && !is_one(look(1), kDigit)) || is_one(c, kBeginsWord)) unclear_ = true;
  if (has_sign && is_one(look(1), kDigit)) at_ += 2;
  skip_digits();
}

// A number ends where it must: 1select is two tokens.
void Lexer::read_number(Token& token) {
  const char* begin = at_;
  if (look() == u'0' && folded(look(1)) == u'X') {
    at_ += 4;
    while (is_one(look(), kHexDigit)) at_ += 2;
  } else {
    skip_digits();
    if (look() == u'.') at_ += 2;
    skip_digits();
    skip_exponent();
  }
  token.kind = TokenKind::Number;
  token.text = since(begin);
}

Bytes Lexer::take_word() {
  const char* begin = at_;
  at_ += 2;
  while (!at_end() && is_one(load_le<char16_t>(at_), kInWord)) at_ += 2;
  return since(begin);
}

void Lexer::read_word(Token& token) {
  token.kind = TokenKind::Word;
  token.text = take_word();
  token.keyword = keyword_of(token.text);
  if (look() == u'\'' && equals_folded(token.text, "N")) read_quoted(token, TokenKind::Text, u'\'');
}

void Lexer::read_sign(Token& token) {
  token.kind = TokenKind::Sign;
  token.sign = look();
  token.text = {at_, 2};
  at_ += 2;
  if (!is_one(token.sign, kBeforeEquals) || look() != u'=') return;
  token.sign = u'=';
  at_ += 2;
}

void Tokens::advance() {
  before_ = {now_.keyword, now_.sign};
  lexer_.next(now_);
  if (!now_.is_name() || !starts_folded(now_.text, "#")) return;
  (starts_folded(now_.text, "##") ? names_global_table_ : names_local_table_) = true;
}

Bytes Tokens::take_name() {
  Bytes name;
  while (now_.is_name() && !begins_statement(now_.keyword)) {
    name = now_.text;
    while (name.size() >= 2 && load_le<char16_t>(name.data() + name.size() - 2) == u' ')
      name.remove_suffix(2);
    advance();
    if (!now_.is(u'.')) break;
    while (take(u'.')) {
    }
  }
  return name;
}

}  // namespace weir::tds
