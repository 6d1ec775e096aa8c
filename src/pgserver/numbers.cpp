#include <weir/pgserver/types.h>

#include <charconv>
#include <cmath>

#include <weir/pgserver/sql.h>

namespace weir::pgserver {

namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\r\f\v";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
int hex_value(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

}  // namespace

bool read_integer(std::string_view text, int64_t& value) {
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') return false;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool read_real(std::string_view text, double& value) {
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const std::string lower = lower_case(text);
  if (lower == "infinity" || lower == "inf") return value = HUGE_VAL, true;
  if (lower == "-infinity" || lower == "-inf") return value = -HUGE_VAL, true;
  if (lower == "nan") return value = std::nan(""), true;
  if (text.find_first_not_of("+-0123456789.eE") != std::string_view::npos) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// "boolean" in PostgreSQL's manual, 8.6: unique prefixes of true, false, yes, no; on, off, 1, 0.
std::optional<bool> read_boolean(std::string_view text) {
  const std::string lower = lower_case(trimmed(text));
  if (lower.empty()) return std::nullopt;
  const auto begins = [&](std::string_view word) { return word.substr(0, lower.size()) == lower; };
  if (lower == "1" || lower == "on" || begins("true") || begins("yes")) return true;
  if (lower == "0" || lower == "of" || lower == "off" || begins("false") || begins("no"))
    return false;
  return std::nullopt;
}

std::optional<Parameter> read_numeric(std::string_view text) {
  text = trimmed(text);
  Parameter value;
  if (read_integer(text, value.integer)) {
    value.kind = ValueKind::Integer;
    return value;
  }
  if (!read_real(text, value.real)) return std::nullopt;
  size_t digits = 0;
  for (const char c : text.substr(0, text.find_first_of("eE")))
    if (c >= '0' && c <= '9') ++digits;
  const bool exact = digits <= 15 && std::isfinite(value.real);
  value.kind = exact ? ValueKind::Real : ValueKind::Text;
  if (!exact) value.bytes = std::string(text);
  return value;
}

bool read_bytea(std::string_view text, std::string& bytes) {
  bytes.clear();
  if (text.substr(0, 2) == "\\x") {
    if (text.size() % 2 != 0) return false;
    for (size_t i = 2; i < text.size(); i += 2) {
      if (!is_hex(text[i]) || !is_hex(text[i + 1])) return false;
      bytes.push_back(static_cast<char>(hex_value(text[i]) << 4 | hex_value(text[i + 1])));
    }
    return true;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes.push_back(text[i]);
    } else if (i + 1 < text.size() && text[i + 1] == '\\') {
      bytes.push_back(text[++i]);
    } else {
      int value = 0;
      for (size_t k = 1; k <= 3; ++k) {
        const char c = i + k < text.size() ? text[i + k] : '\0';
        if (c < '0' || c > (k == 1 ? '3' : '7')) return false;
        value = value << 3 | (c - '0');
      }
      bytes.push_back(static_cast<char>(value));
      i += 3;
    }
  }
  return true;
}

std::string hex_bytea(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\\x";
  out.reserve(2 + 2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::optional<std::string> canonical_uuid(std::string_view text) {
  if (text.size() >= 2 && text.front() == '{' && text.back() == '}')
    text = text.substr(1, text.size() - 2);
  std::string out;
  for (const char c : text) {
    if (c == '-') continue;
    if (!is_hex(c) || out.size() >= 36) return std::nullopt;
    if (out.size() == 8 || out.size() == 13 || out.size() == 18 || out.size() == 23)
      out.push_back('-');
    out.push_back(c >= 'A' && c <= 'F' ? static_cast<char>(c | 0x20) : c);
  }
  if (out.size() != 36) return std::nullopt;
  return out;
}

// Plain notation for exponents from -4 to 14, like float8out (src/common/d2s.c of PostgreSQL).
std::string real_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char buffer[64];
  const auto plain =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view digits(buffer, static_cast<size_t>(plain.ptr - buffer));
  int exponent = 0;
  const char* exponent_at = digits.data() + digits.find('e') + 1;
  std::from_chars(exponent_at + (*exponent_at == '+' ? 1 : 0), plain.ptr, exponent);
  if (exponent < -4 || exponent >= 15) return std::string(digits);
  char fixed[64];
  const auto end = std::to_chars(fixed, fixed + sizeof fixed, value, std::chars_format::fixed);
  return std::string(fixed, static_cast<size_t>(end.ptr - fixed));
}

namespace {

// One element of an array literal, from `i` on, as JSON. False when it is malformed.
bool append_element(std::string_view in, size_t& i, std::string& json) {
  std::string value;
  const bool quoted = i < in.size() && in[i] == '"';
  if (quoted) ++i;
  for (;; ++i) {
    if (i >= in.size()) return false;
    if (quoted ? in[i] == '"' : (in[i] == ',' || in[i] == '}')) break;
    if (!quoted && (in[i] == '{' || in[i] == '"')) return false;
    if (in[i] == '\\' && ++i >= in.size()) return false;
    value.push_back(in[i]);
  }
  if (quoted) ++i;
  if (!quoted) {
    value = std::string(trimmed(value));
    if (equals_ignoring_case(value, "null")) return json += "null", true;
    int64_t integer = 0;
    if (read_integer(value, integer) && std::to_string(integer) == value)
      return json += value, true;
    if (value.empty()) return false;
  }
  json.push_back('"');
  for (const char c : value) {
    if (c == '"' || c == '\\') json.push_back('\\');
    if (static_cast<unsigned char>(c) >= 0x20) {
      json.push_back(c);
    } else {
      constexpr char kDigits[] = "0123456789abcdef";
      json += "\\u00";
      json.push_back(kDigits[c >> 4]);
      json.push_back(kDigits[c & 15]);
    }
  }
  json.push_back('"');
  return true;
}

}  // namespace

std::optional<std::string> array_as_json(std::string_view literal) {
  literal = trimmed(literal);
  if (literal.size() < 2 || literal.front() != '{' || literal.back() != '}') return std::nullopt;
  if (trimmed(literal.substr(1, literal.size() - 2)).empty()) return "[]";
  std::string json = "[";
  for (size_t i = 1;;) {
    while (i < literal.size() && literal[i] == ' ') ++i;
    if (!append_element(literal, i, json)) return std::nullopt;
    while (i < literal.size() && literal[i] == ' ') ++i;
    if (i < literal.size() && literal[i] == ',') {
      json.push_back(',');
      ++i;
    } else if (i + 1 == literal.size()) {
      json.push_back(']');
      return json;
    } else {
      return std::nullopt;
    }
  }
}

}  // namespace weir::pgserver
