// PgBouncer's userlist.txt: lines of "user" "secret"; what follows on a line is ignored, as
// PgBouncer does.
#include <algorithm>
#include <set>

#include "reading.h"

namespace weir::config {

namespace {

// A quoted text at the start of `rest`, with "" for a quote. Removes it; false when there is none.
bool take_quoted(std::string_view& rest, std::string& out) {
  if (!rest.starts_with('"')) return false;
  out.clear();
  for (size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] != '"') {
      out.push_back(rest[i]);
    } else if (i + 1 < rest.size() && rest[i + 1] == '"') {
      out.push_back(rest[i++]);
    } else {
      rest.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

void skip_blanks(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\v\f"), rest.size()));
}

}  // namespace

UsersFile parse_users_file(std::string_view text, const std::string& file) {
  UsersFile out;
  std::set<std::string, std::less<>> names;
  for (int line = 1; !text.empty(); ++line) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    std::string_view rest = whole;
    const auto complain = [&](const char* expected) {
      const int column = static_cast<int>(whole.size() - rest.size()) + 1;
      out.problems.push_back({file, line, column, {}, expected, {}});
    };
    skip_blanks(rest);
    if (rest.empty() || rest[0] == ';') continue;
    std::string name;
    std::string secret;
    if (!take_quoted(rest, name)) {
      complain("expected \"user\" in double quotes");
      continue;
    }
    skip_blanks(rest);
    if (!take_quoted(rest, secret)) {
      complain("expected \"secret\" in double quotes after the user");
    } else if (name.empty()) {
      rest = whole;
      complain("expected a user's name that is not empty");
    } else if (!names.insert(name).second) {
      rest = whole;
      complain("the user is given twice");
    } else {
      out.users.push_back({std::move(name), Secret(std::move(secret)), line});
    }
  }
  return out;
}

}  // namespace weir::config
