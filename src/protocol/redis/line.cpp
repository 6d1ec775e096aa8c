#include "line.h"

namespace weir::redis {

namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char escaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

class Splitter {
 public:
  explicit Splitter(base::Bytes line) : rest_(line) {}

  bool split(std::vector<std::string>& arguments) {
    for (;;) {
      while (!rest_.empty() && is_space(rest_[0])) rest_.remove_prefix(1);
      if (rest_.empty()) return true;
      if (!argument(arguments.emplace_back())) return false;
    }
  }

 private:
  // A quote may open in the middle of an argument, but has to close at its end.
  bool argument(std::string& out) {
    while (!rest_.empty()) {
      const char c = rest_[0];
      if (c == ' ' || c == '\n' || c == '\r' || c == '\t') return true;
      rest_.remove_prefix(1);
      if (c == '"') return in_double(out) && at_end();
      if (c == '\'') return in_single(out) && at_end();
      out.push_back(c);
    }
    return true;
  }

  bool at_end() const { return rest_.empty() || is_space(rest_[0]); }

  bool in_double(std::string& out) {
    while (!rest_.empty()) {
      const char c = rest_[0];
      if (c == '"') return rest_.remove_prefix(1), true;
      if (c == '\\' && rest_.size() >= 4 && rest_[1] == 'x' && hex_value(rest_[2]) >= 0 &&
          hex_value(rest_[3]) >= 0) {
        out.push_back(static_cast<char>(hex_value(rest_[2]) * 16 + hex_value(rest_[3])));
        rest_.remove_prefix(4);
      } else if (c == '\\' && rest_.size() >= 2) {
        out.push_back(escaped(rest_[1]));
        rest_.remove_prefix(2);
      } else {
        out.push_back(c);
        rest_.remove_prefix(1);
      }
    }
    return false;
  }

  bool in_single(std::string& out) {
    while (!rest_.empty()) {
      const bool quote = rest_.starts_with("\\'");
      if (!quote && rest_[0] == '\'') return rest_.remove_prefix(1), true;
      out.push_back(quote ? '\'' : rest_[0]);
      rest_.remove_prefix(quote ? 2 : 1);
    }
    return false;
  }

  base::Bytes rest_;
};

}  // namespace

bool split_line(base::Bytes line, std::vector<std::string>& arguments) {
  return Splitter(line).split(arguments);
}

}  // namespace weir::redis
