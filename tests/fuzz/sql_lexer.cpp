// The SQL lexer: tokens lie in the text, in order; their values can be asked for; a text without
// its last byte does no harm either.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <weir/pgserver/sql.h>

namespace {

void check(std::string_view text) {
  using namespace weir::pgserver;
  const Lexed lexed = lex(text);
  size_t end = 0;
  for (size_t i = 0; i < lexed.tokens.size(); ++i) {
    const Token& token = lexed.tokens[i];
    if (token.begin < end || token.end <= token.begin || token.end > text.size()) std::abort();
    end = token.end;
    if (token.kind == TokenKind::String) {
      if (const auto value = string_of(lexed, i); value && value->find('\0') != std::string::npos)
        std::abort();
    } else if (token.kind == TokenKind::Parameter) {
      if (parameter_of(lexed, i) > 65535) std::abort();
    } else {
      (void)identifier_of(lexed, i);
    }
  }
  for (const TokenRange& part : split_statements(lexed))
    if (part.first >= part.last || part.last > lexed.tokens.size()) std::abort();
  if (lexed.error && lexed.error->at > text.size()) std::abort();
  // A text that has been read whole reads the same when it is written anew.
  if (lexed.error) return;
  for (size_t i = 0; i < lexed.tokens.size(); ++i) {
    if (lexed.tokens[i].kind != TokenKind::String) continue;
    const auto value = string_of(lexed, i);
    if (!value) continue;
    const std::string again = quoted_string(*value);
    const Lexed one = lex(again);
    if (one.tokens.size() != 1 || string_of(one, 0) != value) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(text);
  if (!text.empty()) check(text.substr(0, size - 1));
  return 0;
}
