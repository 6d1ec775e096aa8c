// How problems look, and what of a line may be shown.
#include <algorithm>
#include <cctype>

#include "reading.h"

namespace weir::config {

namespace {

constexpr std::string_view kMask = "***";

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; }

// Where the word "password" or "secret" ends, or npos.
size_t secret_word_end(std::string_view line) {
  std::string lower(line);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const size_t at = std::min({lower.find("password"), lower.find("secret"), lower.find("passwd")});
  if (at == std::string::npos) return at;
  size_t end = at;
  while (end < line.size() && is_word(line[end])) ++end;
  return end;
}

// user:password@ of a URL. A password may itself contain @ or /, so everything up to the last @
// goes.
std::string without_user_info(std::string line) {
  const size_t start = line.find("://");
  if (start == std::string::npos) return line;
  const size_t end = line.rfind('@');
  if (end == std::string::npos || end < start + 3) return line;
  return line.substr(0, start + 3) + std::string(kMask) + line.substr(end);
}

size_t indent_of(std::string_view line) {
  const size_t at = line.find_first_not_of(" \t");
  return at == std::string_view::npos ? line.size() : at;
}

bool blank(std::string_view line) { return indent_of(line) == line.size(); }

// A secret's value may stand on lines below its key.
bool continues_secret(const std::vector<std::string>& lines, size_t index) {
  size_t indent = indent_of(lines[index]);
  bool direct = true;
  for (size_t i = index; i-- > 0;) {
    if (blank(lines[i])) continue;
    const size_t end = secret_word_end(lines[i]);
    const bool deeper = indent_of(lines[i]) < indent;
    if (end != std::string::npos && (deeper || (direct && lines[i].ends_with(':')))) return true;
    if (deeper) indent = indent_of(lines[i]);
    direct = false;
    if (indent == 0) break;
  }
  return false;
}

}  // namespace

std::string masked(std::string_view line) {
  const size_t end = secret_word_end(line);
  if (end == std::string::npos || end == line.size()) return without_user_info(std::string(line));
  const bool has_colon = line[end] == ':' || line[end] == '=';
  std::string head(line.substr(0, end + (has_colon ? 1 : 0)));
  if (line.find_first_not_of(" \t", head.size()) == std::string_view::npos)
    return std::string(line);
  return without_user_info(head + (has_colon && line[end] == '=' ? "" : " ")) + std::string(kMask);
}

std::string masked_line(const std::vector<std::string>& lines, size_t index) {
  if (continues_secret(lines, index)) {
    return std::string(indent_of(lines[index]), ' ') + std::string(kMask);
  }
  return masked(lines[index]);
}

bool Reading::follows_secret(Place place) const {
  const auto& lines = sources_[place.source].lines;
  auto i = static_cast<size_t>(std::max(place.line - 1, 0));
  while (i > 0 && blank(lines[i - 1])) --i;
  return i > 0 && masked_line(lines, i - 1) != lines[i - 1];
}

bool Reading::block_has_secret(Place place) const {
  const auto& lines = sources_[place.source].lines;
  for (auto i = static_cast<size_t>(std::max(place.line - 1, 0)); i-- > 0;) {
    if (secret_word_end(lines[i]) != std::string::npos) return true;
    if (!blank(lines[i]) && indent_of(lines[i]) == 0) return false;
  }
  return false;
}

std::string Problem::text() const {
  std::string out = file;
  if (line > 0) out += ':' + std::to_string(line) + ':' + std::to_string(column);
  out += ": ";
  if (!key.empty()) out += key + ": ";
  out += expected;
  if (line == 0 || source.empty()) return out;
  std::string shown = source.substr(0, 200);
  std::replace(shown.begin(), shown.end(), '\t', ' ');
  out += "\n    " + shown;
  if (column > 0 && static_cast<size_t>(column) <= shown.size()) {
    out += "\n    " + std::string(static_cast<size_t>(column) - 1, ' ') + '^';
  }
  return out;
}

std::string Loaded::report() const {
  std::string out;
  for (const Problem& problem : problems) {
    if (!out.empty()) out += '\n';
    out += problem.text();
  }
  return out;
}

}  // namespace weir::config
