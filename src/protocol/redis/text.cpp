#include "text.h"

#include <algorithm>
#include <charconv>

namespace weir::redis {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

bool read_number(Bytes text, int64_t& value) {
  const Bytes digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || text.size() > 20) return false;
  if (digits[0] < '0' || digits[0] > '9') return false;
  if (digits[0] == '0' && text.size() > 1) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool equal_ignoring_case(Bytes text, std::string_view name) {
  return std::equal(text.begin(), text.end(), name.begin(), name.end(),
                    [](char a, char b) { return lower(a) == b; });
}

bool is_hashed(std::string_view secret) {
  if (secret.starts_with("SCRAM-SHA-256$")) return true;
  return secret.size() == 35 && secret.starts_with("md5") &&
         secret.find_first_not_of("0123456789abcdef", 3) == std::string_view::npos;
}

bool needs_no_password(std::string_view error) {
  return error.starts_with("ERR AUTH <password> called without any password") ||
         error.starts_with("ERR Client sent AUTH, but no password is set");  // before 6.0
}

void append_error_line(std::string& out, std::string_view text) {
  out.push_back('-');
  const size_t start = out.size();
  out.append(text);
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(start), out.end(),
      [](char c) { return c == '\r' || c == '\n'; }, ' ');
  out.append("\r\n");
}

void append_error(std::string& out, const Error& error) {
  append_error_line(out, error.code == kServersWords ? error.text : "ERR weir: " + error.text);
}

void append_bulk(std::string& out, Bytes value) {
  out.push_back('$');
  out.append(std::to_string(value.size())).append("\r\n").append(value).append("\r\n");
}

void append_text(std::string& out, Bytes text, int resp) {
  if (resp < 3) return append_bulk(out, text);
  out.append("=").append(std::to_string(text.size() + 4)).append("\r\ntxt:").append(text);
  out.append("\r\n");
}

void append_command(std::string& out, std::initializer_list<std::string_view> arguments) {
  out.push_back('*');
  out.append(std::to_string(arguments.size())).append("\r\n");
  for (const std::string_view argument : arguments) append_bulk(out, argument);
}

}  // namespace weir::redis
