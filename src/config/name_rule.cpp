// Names of databases and users: what a word stands for, and whom it fits.
#include <array>

#include "auth_lines.h"

namespace weir::config {

NameRule read_name(AuthReader& reader, const AuthWord& word) {
  NameRule rule{NameRule::Kind::Name, word.text};
  if (word.is("all")) {
    rule.kind = NameRule::Kind::All;
  } else if (!word.quoted && word.text.starts_with('+')) {
    rule = {NameRule::Kind::Group, word.text.substr(1)};
    if (rule.text.empty()) reader.complain(word.place, "expected a group's name behind the +");
  } else if (word.text.starts_with('/')) {  // in quotes too: otherwise it could have no comma
    auto pattern = NamePattern::compile(std::string_view(word.text).substr(1));
    rule.kind = NameRule::Kind::Pattern;
    if (pattern)
      rule.pattern = std::move(*pattern);
    else
      reader.complain(word.place, pattern.error().text);
  }
  return rule;
}

Fit fit_of_member(const std::string& role, const std::string& user, const Groups* groups) {
  if (role == user) return Fit::Yes;
  if (!groups) return Fit::NeedsGroups;
  return groups->contains(role) ? Fit::Yes : Fit::No;
}

Fit fit_of_user(const NameRule& rule, const std::string& user, const Groups* groups) {
  const auto as_fit = [](bool fits) { return fits ? Fit::Yes : Fit::No; };
  switch (rule.kind) {
    case NameRule::Kind::All: return Fit::Yes;
    case NameRule::Kind::Name: return as_fit(rule.text == user);
    case NameRule::Kind::Group: return fit_of_member(rule.text, user, groups);
    case NameRule::Kind::Pattern: return as_fit(rule.pattern && rule.pattern->find(user));
    case NameRule::Kind::SameUser:
    case NameRule::Kind::SameRole:
    case NameRule::Kind::Replication: break;
  }
  return Fit::No;
}

}  // namespace weir::config
