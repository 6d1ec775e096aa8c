// PostgreSQL's SQL as tokens: enough to find statements, parameters and words, and to write a text
// anew. Views into the text that was given, which outlives them. Pure functions, any thread;
// hostile text ends as a SyntaxError. Rules: PostgreSQL's manual, 4.1 "Lexical Structure".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::pgserver {

enum class TokenKind : uint8_t {
  Word,        // an unquoted identifier or keyword
  QuotedWord,  // "…"
  String,      // '…', E'…', N'…', $tag$…$tag$, also continued over lines
  BitString,   // B'…', X'…'
  Number,
  Parameter,  // $1
  Operator,   // a run of + - * / < > = ~ ! @ # % ^ & | ` ?
  Symbol,     // ( ) [ ] , . ; : and the pairs :: := ..
};

struct Token {
  TokenKind kind = TokenKind::Symbol;
  uint32_t begin = 0;  // bytes of the text
  uint32_t end = 0;
};

// `at` is a byte offset of the text.
struct SyntaxError {
  std::string sqlstate = "42601";
  std::string message;
  size_t at = 0;
};

struct Lexed {
  std::string_view text;
  std::vector<Token> tokens;
  std::optional<SyntaxError> error;  // set: the tokens before it are right

  std::string_view view(size_t i) const {
    return text.substr(tokens[i].begin, tokens[i].end - tokens[i].begin);
  }
};

Lexed lex(std::string_view text);

// The parts between semicolons, as pairs of token indexes [first, last). Empty parts are left out.
struct TokenRange {
  size_t first = 0;
  size_t last = 0;
};
std::vector<TokenRange> split_statements(const Lexed& lexed);

// What a token means: an identifier without its quotes (a plain word in lower case), a string's
// value. Nothing for a string whose escapes are wrong or that would contain a NUL.
std::string identifier_of(const Lexed& lexed, size_t token);
std::optional<std::string> string_of(const Lexed& lexed, size_t token);
// The number of a Parameter token; 0 when it is too large to be one.
uint32_t parameter_of(const Lexed& lexed, size_t token);

bool is_word(const Lexed& lexed, size_t token,
             std::string_view lower);  // an unquoted word, in any case
bool is_symbol(const Lexed& lexed, size_t token, std::string_view symbol);
bool equals_ignoring_case(std::string_view a, std::string_view lower);
std::string lower_case(std::string_view text);
bool is_utf8(std::string_view text);

// A position as ErrorResponse counts it: characters, from 1.
size_t character_position(std::string_view text, size_t byte_offset);

std::string quoted_string(std::string_view value);     // 'it''s'
std::string quoted_identifier(std::string_view name);  // "a""b"

}  // namespace weir::pgserver
