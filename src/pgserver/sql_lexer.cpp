#include <weir/pgserver/sql.h>

namespace weir::pgserver {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_word_part(char c) { return is_word_start(c) || is_digit(c) || c == '$'; }
bool is_operator(char c) {
  return c != '\0' && std::string_view("+-*/<>=~!@#%^&|`?").find(c) != std::string_view::npos;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { result_.text = text; }

  Lexed run() {
    if (text_.size() > UINT32_MAX) {
      fail("statement is too long", 0);
      return std::move(result_);
    }
    while (!result_.error && skip_blank()) token();
    return std::move(result_);
  }

 private:
  char at(size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
  void fail(std::string message, size_t where) {
    result_.error = SyntaxError{"42601", std::move(message), where};
  }
  void push(TokenKind kind, size_t begin) {
    result_.tokens.push_back({kind, static_cast<uint32_t>(begin), static_cast<uint32_t>(i_)});
  }

  // Blanks and comments. False at the end of the text or on an error.
  bool skip_blank() {
    while (i_ < text_.size()) {
      if (is_space(text_[i_])) {
        ++i_;
      } else if (text_[i_] == '-' && at(i_ + 1) == '-') {
        i_ = std::min(text_.find_first_of("\n\r", i_), text_.size());
      } else if (text_[i_] == '/' && at(i_ + 1) == '*') {
        if (!skip_comment()) return false;
      } else {
        return true;
      }
    }
    return false;
  }

  bool skip_comment() {
    const size_t begin = i_;
    size_t depth = 0;
    while (i_ < text_.size()) {
      if (text_[i_] == '/' && at(i_ + 1) == '*') {
        ++depth;
        i_ += 2;
      } else if (text_[i_] == '*' && at(i_ + 1) == '/') {
        i_ += 2;
        if (--depth == 0) return true;
      } else {
        ++i_;
      }
    }
    fail("unterminated /* comment", begin);
    return false;
  }

  void token() {
    const size_t begin = i_;
    const char c = text_[i_];
    const char next = at(i_ + 1);
    if (c == '\'') return string(begin, false);
    if (next == '\'' && (c == 'e' || c == 'E' || c == 'n' || c == 'N')) {
      ++i_;
      return string(begin, c == 'e' || c == 'E');
    }
    if (next == '\'' && (c == 'b' || c == 'B' || c == 'x' || c == 'X')) {
      ++i_;
      return bit_string(begin);
    }
    if ((c == 'u' || c == 'U') && next == '&' && (at(i_ + 2) == '\'' || at(i_ + 2) == '"')) {
      fail("Unicode escapes (U&) are not supported", begin);
      result_.error->sqlstate = "0A000";
      return;
    }
    if (is_word_start(c)) return word(begin);
    if (c == '"') return quoted_word(begin);
    if (is_digit(c) || (c == '.' && is_digit(next))) return number(begin);
    if (c == '$') return dollar(begin);
    if (is_operator(c)) return operator_run(begin);
    symbol(begin);
  }

  void word(size_t begin) {
    while (i_ < text_.size() && is_word_part(text_[i_])) ++i_;
    push(TokenKind::Word, begin);
  }

  void quoted_word(size_t begin) {
    for (++i_;;) {
      i_ = text_.find('"', i_);
      if (i_ == std::string_view::npos) return fail("unterminated quoted identifier", begin);
      ++i_;
      if (at(i_) != '"') break;
      ++i_;
    }
    if (i_ - begin == 2) return fail("zero-length delimited identifier", begin);
    push(TokenKind::QuotedWord, begin);
  }

  // i_ is at the opening quote.
  void string(size_t begin, bool escapes) {
    if (!quoted(escapes)) return fail("unterminated quoted string", begin);
    // A literal goes on after blanks with a line break in them (4.1.2.1).
    for (size_t after = continuation(); after != 0; after = continuation()) {
      i_ = after;
      if (!quoted(escapes)) return fail("unterminated quoted string", begin);
    }
    push(TokenKind::String, begin);
  }

  bool quoted(bool escapes) {
    for (++i_; i_ < text_.size();) {
      if (text_[i_] == '\\' && escapes) {
        i_ += 2;
      } else if (text_[i_] != '\'') {
        ++i_;
      } else if (at(i_ + 1) == '\'') {
        i_ += 2;
      } else {
        ++i_;
        return true;
      }
    }
    return false;
  }

  // Where the literal's next quote is, or 0.
  size_t continuation() const {
    size_t i = i_;
    bool line_break = false;
    while (i < text_.size() && is_space(text_[i])) {
      line_break |= text_[i] == '\n' || text_[i] == '\r';
      ++i;
    }
    return line_break && at(i) == '\'' ? i : 0;
  }

  void bit_string(size_t begin) {
    const size_t end = text_.find('\'', i_ + 1);
    if (end == std::string_view::npos) return fail("unterminated bit string literal", begin);
    i_ = end + 1;
    push(TokenKind::BitString, begin);
  }

  void number(size_t begin) {
    while (is_digit(at(i_))) ++i_;
    if (at(i_) == '.' && at(i_ + 1) != '.') {
      ++i_;
      while (is_digit(at(i_))) ++i_;
    }
    if (at(i_) == 'e' || at(i_) == 'E') {
      const size_t sign = at(i_ + 1) == '+' || at(i_ + 1) == '-' ? 1 : 0;
      if (is_digit(at(i_ + 1 + sign))) {
        i_ += 1 + sign;
        while (is_digit(at(i_))) ++i_;
      }
    }
    if (is_word_start(at(i_))) return fail("trailing junk after numeric literal", begin);
    push(TokenKind::Number, begin);
  }

  void dollar(size_t begin) {
    ++i_;
    if (is_digit(at(i_))) {
      while (is_digit(at(i_))) ++i_;
      if (is_word_start(at(i_))) return fail("trailing junk after parameter", begin);
      return push(TokenKind::Parameter, begin);
    }
    // $tag$ … $tag$; a tag is an identifier without dollar signs.
    size_t end = i_;
    while (end < text_.size() && (is_word_start(text_[end]) || is_digit(text_[end]))) ++end;
    if (at(end) != '$') return fail("syntax error at or near \"$\"", begin);
    const std::string_view tag = text_.substr(begin, end + 1 - begin);
    const size_t close = text_.find(tag, end + 1);
    if (close == std::string_view::npos) return fail("unterminated dollar-quoted string", begin);
    i_ = close + tag.size();
    push(TokenKind::String, begin);
  }

  // A comment ends an operator, and a trailing + or - belongs to what follows unless a character of
  // the second kind is in it (4.1.3).
  void operator_run(size_t begin) {
    while (i_ < text_.size() && is_operator(text_[i_])) {
      const char next = at(i_ + 1);
      if (i_ > begin && ((text_[i_] == '-' && next == '-') || (text_[i_] == '/' && next == '*')))
        break;
      ++i_;
    }
    const std::string_view run = text_.substr(begin, i_ - begin);
    if (run.find_first_of("~!@#%^&|`?") == std::string_view::npos)
      while (i_ > begin + 1 && (text_[i_ - 1] == '+' || text_[i_ - 1] == '-')) --i_;
    push(TokenKind::Operator, begin);
  }

  void symbol(size_t begin) {
    const std::string_view pair = text_.substr(i_, 2);
    if (pair == "::" || pair == ":=" || pair == "..") {
      i_ += 2;
      return push(TokenKind::Symbol, begin);
    }
    if (std::string_view("()[],.;:").find(text_[i_]) == std::string_view::npos || text_[i_] == '\0')
      return fail("syntax error at or near \"" + std::string(1, text_[i_]) + "\"", begin);
    ++i_;
    push(TokenKind::Symbol, begin);
  }

  std::string_view text_;
  size_t i_ = 0;
  Lexed result_;
};

}  // namespace

Lexed lex(std::string_view text) { return Lexer(text).run(); }

std::vector<TokenRange> split_statements(const Lexed& lexed) {
  std::vector<TokenRange> parts;
  size_t first = 0;
  const size_t count = lexed.tokens.size();
  for (size_t i = 0; i <= count; ++i) {
    if (i < count && !is_symbol(lexed, i, ";")) continue;
    if (i > first) parts.push_back({first, i});
    first = i + 1;
  }
  return parts;
}

}  // namespace weir::pgserver
