#include <optional>

#include <weir/config/ident.h>

#include "auth_lines.h"
#include "reading.h"

namespace weir::config {

namespace {

constexpr std::string_view kGroup = "\\1";

bool wants_group(const NameRule& user) {
  return user.kind == NameRule::Kind::Name && user.text.find(kGroup) != std::string::npos;
}

// Of a system's names, neither all nor +group means more than it says.
NameRule read_system_name(AuthReader& reader, const AuthWord& word) {
  if (word.text.starts_with('/')) return read_name(reader, word);
  return {NameRule::Kind::Name, word.text};
}

void check_group(AuthReader& reader, const AuthWord& word, const IdentRule& rule) {
  if (!rule.system.pattern || !wants_group(rule.user)) return;
  if (!rule.system.pattern->has_group())
    reader.complain(word.place, "expected ( ) in the expression: \\1 stands for what is in them");
  else if (rule.system.pattern->is_group_repeated())
    reader.complain(word.place,
                    "expected the first ( ) where nothing repeats it: \\1 stands for it");
}

std::optional<IdentRule> read_record(AuthReader& reader, const AuthRecord& record) {
  const auto& fields = record.fields;
  for (const AuthField& field : fields) {
    if (field.words.size() == 1) continue;
    reader.complain(field.place, "expected one name, and no list");
    return std::nullopt;
  }
  if (fields.size() != 3) {
    reader.complain(fields.size() < 3 ? record.end : fields[3].place,
                    "expected a map's name, a system's user and a database's user");
    return std::nullopt;
  }
  IdentRule rule;
  rule.map = fields[0].words[0].text;
  rule.system = read_system_name(reader, fields[1].words[0]);
  rule.user = read_name(reader, fields[2].words[0]);
  rule.file = record.place.file;
  rule.line = record.place.line;
  check_group(reader, fields[1].words[0], rule);
  return rule;
}

// Nothing where the line wants a group that has no part in the match: PostgreSQL looks no further
// then, and the claim is refused.
std::optional<Fit> fit_of(const IdentRule& rule, const IdentClaim& claim) {
  if (rule.map != claim.map) return Fit::No;
  if (!rule.system.pattern) {
    if (rule.system.text != claim.system_name) return Fit::No;
    return fit_of_user(rule.user, claim.user, claim.groups);
  }
  const auto match = rule.system.pattern->find(claim.system_name);
  if (!match) return Fit::No;
  if (!wants_group(rule.user)) return fit_of_user(rule.user, claim.user, claim.groups);
  if (!match->group) return std::nullopt;
  std::string user = rule.user.text;
  user.replace(user.find(kGroup), kGroup.size(), *match->group);  // the first alone
  return user == claim.user ? Fit::Yes : Fit::No;
}

}  // namespace

IdentFile parse_ident(std::string_view text, const std::string& file, AuthFiles files) {
  IdentFile out;
  AuthReader reader(std::move(files));
  reader.read(text, file, [&](const AuthRecord& record) {
    if (auto rule = read_record(reader, record)) out.maps.list.push_back(std::move(*rule));
  });
  out.problems = reader.take_problems();
  return out;
}

IdentFile load_ident(const std::string& file) {
  const auto text = read_file(file, kFileBytesMax);
  if (text) return parse_ident(text.value(), file);
  IdentFile out;
  out.problems.push_back({file, 0, 0, {}, text.error().text, {}});
  return out;
}

Fit may_be(const IdentMaps& maps, const IdentClaim& claim) {
  if (claim.map.empty()) return claim.system_name == claim.user ? Fit::Yes : Fit::No;
  Fit out = Fit::No;
  for (const IdentRule& rule : maps.list) {
    const auto fit = fit_of(rule, claim);
    if (!fit) return out;
    if (*fit == Fit::Yes) return Fit::Yes;
    if (*fit == Fit::NeedsGroups) out = Fit::NeedsGroups;
  }
  return out;
}

}  // namespace weir::config
