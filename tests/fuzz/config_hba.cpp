// pg_hba.conf and pg_ident.conf of any bytes. Up to a zero byte stands the file; up to the next,
// the file that it may include under any name; then names for a client. Whatever is read can be
// asked, and says the same each time; groups are needed only where they are not known.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <weir/config/hba.h>
#include <weir/config/ident.h>

namespace {

using namespace weir::config;
using weir::base::Result;

void check(bool holds) {
  if (!holds) std::abort();
}

std::string take_part(std::string_view& rest) {
  const size_t end = std::min(rest.find('\0'), rest.size());
  std::string part(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

AuthFiles files_of(const std::string& text) {
  AuthFiles files;
  files.read = [text,
                left = 20](const std::string& file) mutable -> Result<std::optional<std::string>> {
    return file.ends_with('-') || left-- <= 0 ? std::optional<std::string>() : std::optional(text);
  };
  files.list = [](const std::string&) -> Result<std::vector<std::string>> {
    return std::vector<std::string>{"b.conf", "a.conf", ".c.conf", "d"};
  };
  return files;
}

void check_problems(const std::vector<Problem>& problems) {
  for (const Problem& problem : problems) {
    check(!problem.expected.empty() && !problem.file.empty());
    check((problem.line > 0 && problem.column > 0) || (problem.line == 0 && problems.size() == 1));
  }
}

void check_match(const HbaRules& rules, HbaClient client) {
  const Groups groups{"a", "staff"};
  const HbaVerdict asked = match(rules, client);
  check(asked == match(rules, client));
  client.groups = &groups;
  const HbaVerdict told = match(rules, client);
  check(!told.needs_groups && (asked.needs_groups || asked == told));
  check(told.line > 0 || told == HbaVerdict());
}

void check_hba(const std::string& text, const std::string& other, HbaClient client) {
  const HbaFile read = parse_hba(text, "hba.conf", files_of(other));
  check_problems(read.problems);
  check(!read.problems.empty() || !read.rules.list.empty());
  const std::vector<weir::base::Network> own = {weir::base::read_network("10.0.0.1/8").value()};
  client.own_networks = own;
  check_match(read.rules, client);
  client.is_replication = true;
  check_match(read.rules, client);
  client.is_replication = false;
  client.address = weir::base::read_ip("10.1.2.3").value();
  client.is_local = false;
  check_match(read.rules, client);
  client.over_tls = true;
  check_match(read.rules, client);
}

void check_ident(const std::string& text, const std::string& other, const HbaClient& client) {
  const IdentFile read = parse_ident(text, "ident.conf", files_of(other));
  check_problems(read.problems);
  const Groups groups{"staff"};
  for (const IdentRule& rule : read.maps.list) {
    IdentClaim claim{rule.map, client.database, client.user};
    const Fit asked = may_be(read.maps, claim);
    claim.groups = &groups;
    const Fit told = may_be(read.maps, claim);
    check(told != Fit::NeedsGroups && (asked == Fit::NeedsGroups || asked == told));
  }
}

void check_pattern(const std::string& text, const std::string& name) {
  const auto pattern = NamePattern::compile(text);
  if (!pattern) return check(pattern.error().text.starts_with("expected "));
  const auto match = pattern.value().find(name);
  if (!match) return;
  check(match->begin <= match->end && match->end <= name.size());
  check(!match->group || pattern.value().has_group());
  if (!match->group || match->group->empty()) return;
  const auto at = static_cast<size_t>(match->group->data() - name.data());
  check(at >= match->begin && at + match->group->size() <= match->end);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::string text = take_part(rest);
  const std::string other = take_part(rest);
  HbaClient client;
  client.is_local = true;
  client.database = take_part(rest).substr(0, 63);
  client.user = take_part(rest).substr(0, 63);
  check_hba(text, other, client);
  check_ident(text, other, client);
  check_pattern(text, client.user);
  return 0;
}
