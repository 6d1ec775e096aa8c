#include <weir/pgserver/sql.h>

namespace weir::pgserver {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void append_utf8(std::string& out, uint32_t code) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

// The escapes of E'…' (PostgreSQL's manual, 4.1.2.2). `i` is behind the backslash. False: not a
// valid escape.
bool append_escape(std::string& out, std::string_view body, size_t& i) {
  if (i >= body.size()) return false;
  const char c = body[i++];
  if (c == 'u' || c == 'U') {
    const size_t digits = c == 'u' ? 4 : 8;
    uint32_t code = 0;
    for (size_t k = 0; k < digits; ++k, ++i) {
      const int digit = i < body.size() ? hex_digit(body[i]) : -1;
      if (digit < 0) return false;
      code = code << 4 | static_cast<uint32_t>(digit);
    }
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    append_utf8(out, code);
    return true;
  }
  uint32_t value = 0;
  size_t digits = 0;
  if (c == 'x' && i < body.size() && hex_digit(body[i]) >= 0) {
    for (; digits < 2 && i < body.size() && hex_digit(body[i]) >= 0; ++digits, ++i)
      value = value << 4 | static_cast<uint32_t>(hex_digit(body[i]));
    out.push_back(static_cast<char>(value));
    return value != 0;
  }
  if (c >= '0' && c <= '7') {
    --i;
    for (; digits < 3 && i < body.size() && body[i] >= '0' && body[i] <= '7'; ++digits, ++i)
      value = value << 3 | static_cast<uint32_t>(body[i] - '0');
    out.push_back(static_cast<char>(value));
    return (value & 0xff) != 0;
  }
  constexpr std::string_view kNames = "bfnrt";
  constexpr std::string_view kValues = "\b\f\n\r\t";
  const size_t which = kNames.find(c);
  out.push_back(which == std::string_view::npos ? c : kValues[which]);
  return true;
}

std::optional<std::string> quoted_value(std::string_view literal) {
  const bool escapes = literal[0] == 'e' || literal[0] == 'E';
  std::string out;
  bool inside = false;
  for (size_t i = literal[0] == '\'' ? 0 : 1; i < literal.size();) {
    const char c = literal[i++];
    if (!inside) {
      inside = c == '\'';  // blanks between the parts of a continued literal are skipped
    } else if (c == '\\' && escapes) {
      if (!append_escape(out, literal, i)) return std::nullopt;
    } else if (c != '\'') {
      out.push_back(c);
    } else if (i < literal.size() && literal[i] == '\'') {
      out.push_back('\'');
      ++i;
    } else {
      inside = false;
    }
  }
  if (escapes && !is_utf8(out)) return std::nullopt;
  return out;
}

std::string doubled(std::string_view value, char quote) {
  std::string out(1, quote);
  for (const char c : value) {
    if (c == quote) out.push_back(quote);
    out.push_back(c);
  }
  out.push_back(quote);
  return out;
}

}  // namespace

std::string identifier_of(const Lexed& lexed, size_t token) {
  const std::string_view view = lexed.view(token);
  if (lexed.tokens[token].kind != TokenKind::QuotedWord) return lower_case(view);
  std::string out;
  for (size_t i = 1; i + 1 < view.size(); ++i) {
    out.push_back(view[i]);
    if (view[i] == '"') ++i;
  }
  return out;
}

std::optional<std::string> string_of(const Lexed& lexed, size_t token) {
  const std::string_view view = lexed.view(token);
  std::optional<std::string> value;
  if (view[0] == '$') {
    const size_t tag = view.find('$', 1) + 1;
    value = std::string(view.substr(tag, view.size() - 2 * tag));
  } else {
    value = quoted_value(view);
  }
  if (value && value->find('\0') != std::string::npos) return std::nullopt;
  return value;
}

uint32_t parameter_of(const Lexed& lexed, size_t token) {
  uint32_t number = 0;
  for (const char c : lexed.view(token).substr(1)) {
    number = number * 10 + static_cast<uint32_t>(c - '0');
    if (number > 65535) return 0;
  }
  return number;
}

bool equals_ignoring_case(std::string_view a, std::string_view lower_b) {
  if (a.size() != lower_b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower_b[i]) return false;
  return true;
}

bool is_word(const Lexed& lexed, size_t token, std::string_view lower_word) {
  return token < lexed.tokens.size() && lexed.tokens[token].kind == TokenKind::Word &&
         equals_ignoring_case(lexed.view(token), lower_word);
}

bool is_symbol(const Lexed& lexed, size_t token, std::string_view symbol) {
  return token < lexed.tokens.size() && lexed.tokens[token].kind == TokenKind::Symbol &&
         lexed.view(token) == symbol;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
    const unsigned char lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t tail = lead >= 0xc2 && lead < 0xe0   ? 1
                        : lead >= 0xe0 && lead < 0xf0 ? 2
                        : lead >= 0xf0 && lead < 0xf5 ? 3
                                                      : 0;
    if (tail == 0 || text.size() - i <= tail) return false;
    for (size_t k = 1; k <= tail; ++k)
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    // Overlong forms, surrogates, and what lies above U+10FFFF (RFC 3629, section 4).
    const unsigned char second = byte(i + 1);
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return false;
    if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return false;
    i += tail + 1;
  }
  return true;
}

size_t character_position(std::string_view text, size_t byte_offset) {
  size_t position = 1;
  for (size_t i = 0; i < byte_offset && i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) ++position;
  return position;
}

std::string quoted_string(std::string_view value) { return doubled(value, '\''); }
std::string quoted_identifier(std::string_view name) { return doubled(name, '"'); }

}  // namespace weir::pgserver
