// ${NAME} and ${file:/path} inside scalars. What they stand for is never shown in an error.
#include <cctype>
#include <cstdlib>

#include "reading.h"

namespace weir::config {

namespace {

std::optional<std::string> environment(const Surroundings& around, const std::string& name) {
  if (around.variable) return around.variable(name);
  const char* found = std::getenv(name.c_str());
  return found ? std::optional<std::string>(found) : std::nullopt;
}

bool is_variable_name(std::string_view name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  for (const unsigned char c : name) {
    if (!std::isalnum(c) && c != '_') return false;
  }
  return true;
}

}  // namespace

std::optional<std::string> Reading::replacement(const Value& value, const std::string& name) {
  if (name.starts_with("file:")) {
    const std::string file = resolve(name.substr(5), value.place.source);
    auto text = read_file(file, kSubstituteBytesMax);
    if (!text) {
      complain(value.place, value.path, "the file " + file + " " + text.error().text);
      return std::nullopt;
    }
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    return *text;
  }
  if (!is_variable_name(name)) {
    complain(value.place, value.path,
             "expected ${NAME} or ${file:/path} (write $${ for ${ itself)");
    return std::nullopt;
  }
  auto found = environment(around_, name);
  if (!found) {
    complain(value.place, value.path, "the environment variable " + name + " is not set");
  }
  return found;
}

std::optional<std::string> Reading::scalar(const Value& value) {
  if (!value.node.IsScalar()) return std::nullopt;
  const std::string& raw = value.node.Scalar();
  std::string out;
  size_t at = 0;
  while (true) {
    const size_t start = raw.find("${", at);
    if (start == std::string::npos) return out + raw.substr(at);
    if (start > at && raw[start - 1] == '$') {
      out += raw.substr(at, start - 1 - at) + "${";
      at = start + 2;
      continue;
    }
    const size_t end = raw.find('}', start);
    const std::string name =
        end == std::string::npos ? std::string() : raw.substr(start + 2, end - start - 2);
    const auto text = replacement(value, name);
    if (!text) return std::nullopt;
    out += raw.substr(at, start - at) + *text;
    at = end + 1;
  }
}

}  // namespace weir::config
