#include "hba_ldap.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <vector>

#include "scalars.h"

namespace weir::config {

namespace {

constexpr std::array<std::string_view, 12> kOptions{
    "ldapserver",     "ldapport",   "ldapscheme",          "ldaptls",
    "ldapprefix",     "ldapsuffix", "ldapbasedn",          "ldapbinddn",
    "ldapbindpasswd", "ldapurl",    "ldapsearchattribute", "ldapsearchfilter"};
constexpr std::array<std::string_view, 3> kSchemes{"ldap://", "ldaps://", "ldapi://"};
constexpr std::string_view kUserOfPostgres = "$username";
constexpr std::string_view kUser = "{user}";

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

// SCHEME://HOST[:PORT], or nothing but a path for ldapi.
bool is_one_url(std::string_view text) {
  const auto scheme = std::find_if(kSchemes.begin(), kSchemes.end(),
                                   [&](std::string_view each) { return text.starts_with(each); });
  if (scheme == kSchemes.end()) return false;
  const std::string_view rest = text.substr(scheme->size());
  if (*scheme == "ldapi://") return rest.find('/') == std::string_view::npos;
  std::string host;
  uint16_t port = 389;
  return rest.find_first_of("/?#") == std::string_view::npos && parse_host_port(rest, host, port) &&
         !host.empty();
}

// ldap[s]://host[:port]/base[?[attribute][?[scope][?[filter]]]] of RFC 4516, into what it stands
// for.
class UrlReader {
 public:
  explicit UrlReader(LdapWords& words) : words_(words) {}

  bool read(std::string_view text, Ldap& out) {
    const size_t scheme_end = text.find("://");
    const size_t path =
        scheme_end == std::string_view::npos ? scheme_end : text.find('/', scheme_end + 3);
    out.url = text.substr(0, path);
    out.scope = Ldap::Scope::Base;  // what RFC 4516 means where nothing is said
    if (!is_one_url(out.url)) return false;
    if (path == std::string_view::npos) return true;
    rest_ = text.substr(path + 1);
    std::string scope;
    return take("ldapbasedn") && take("ldapsearchattribute") && take(scope) &&
           take("ldapsearchfilter") && rest_.empty() && read_scope(scope, out.scope);
  }

 private:
  bool take(std::string& value) {
    const size_t end = rest_.find('?');
    const bool is_read = percent_decode(rest_.substr(0, end), value);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    return is_read;
  }

  bool take(const char* name) {
    std::string value;
    if (!take(value)) return false;
    if (name == std::string_view("ldapsearchattribute"))
      value.resize(std::min(value.find(','), value.size()));
    if (!value.empty()) words_.emplace(name, value);
    return true;
  }

  static bool read_scope(const std::string& text, Ldap::Scope& out) {
    out = text == "sub"   ? Ldap::Scope::Subtree
          : text == "one" ? Ldap::Scope::OneLevel
                          : Ldap::Scope::Base;
    return text.empty() || text == "base" || text == "one" || text == "sub";
  }

  LdapWords& words_;
  std::string_view rest_;
};

std::string servers_of(const LdapWords& words) {
  const auto word = [&](const char* name, const char* otherwise) {
    const auto found = words.find(name);
    return found == words.end() ? std::string(otherwise) : found->second;
  };
  std::string out;
  for (const std::string& host : words_of(word("ldapserver", ""))) {
    out += (out.empty() ? "" : " ") + word("ldapscheme", "ldap") + "://" + host;
    if (words.contains("ldapport")) out += ':' + word("ldapport", "");
  }
  return out;
}

std::string filter_of(const LdapWords& words) {
  const auto filter = words.find("ldapsearchfilter");
  if (filter == words.end()) {
    const auto attribute = words.find("ldapsearchattribute");
    return '(' + (attribute == words.end() ? "uid" : attribute->second) + '=' + std::string(kUser) +
           ')';
  }
  std::string out = filter->second;
  for (size_t at = 0; (at = out.find(kUserOfPostgres, at)) != std::string::npos; at += kUser.size())
    out.replace(at, kUserOfPostgres.size(), kUser);
  return out;
}

bool is_port(const std::string& text) {
  uint16_t port = 0;
  return parse_port(text, port);
}

}  // namespace

bool is_ldap_option(std::string_view name) {
  return std::find(kOptions.begin(), kOptions.end(), name) != kOptions.end();
}

bool is_ldap_url(const std::string& text) {
  const std::vector<std::string> words = words_of(text);
  return !words.empty() && std::all_of(words.begin(), words.end(), is_one_url);
}

std::string complaint_of_ldap_option(const std::string& name, const std::string& value) {
  if (name == "ldapbasedn" && value.empty()) return "expected a DN as ldapbasedn";
  if (name == "ldapsearchfilter" && value.find(kUserOfPostgres) == std::string::npos)
    return "expected $username somewhere in ldapsearchfilter";
  if (name == "ldapport" && !is_port(value)) return "expected ldapport=1 to 65535";
  if (name == "ldaptls" && value != "0" && value != "1") return "expected ldaptls=0 or ldaptls=1";
  if (name == "ldapscheme" && value != "ldap" && value != "ldaps")
    return "expected ldapscheme=ldap or ldapscheme=ldaps";
  return {};
}

std::string read_ldap(const LdapWords& given, Ldap& out) {
  LdapWords words = given;
  if (const auto url = given.find("ldapurl"); url != given.end()) {
    if (given.contains("ldapserver"))
      return "expected ldapserver or ldapurl with ldap, but not both";
    if (!UrlReader(words).read(url->second, out))
      return "expected ldapurl=ldap://host[:port]/base[?attribute[?scope[?filter]]]";
  } else {
    out.url = servers_of(words);
  }
  if (out.url.empty()) return "expected ldapserver or ldapurl with ldap";
  if (!is_ldap_url(out.url)) return "expected names of hosts as ldapserver";
  const auto has = [&](const char* name) { return words.contains(name); };
  out.start_tls = has("ldaptls") && words["ldaptls"] == "1";
  if (out.start_tls && out.url.find("ldaps://") != std::string::npos)
    return "expected ldaptls=1 with ldap only: ldaps is encrypted anyway";
  const bool is_simple = has("ldapprefix") || has("ldapsuffix");
  const bool is_search = has("ldapbasedn") || has("ldapbinddn") || has("ldapsearchattribute") ||
                         has("ldapsearchfilter") || has("ldapbindpasswd");
  if (is_simple && is_search)
    return "expected ldapprefix and ldapsuffix, or options for a search, but not both";
  if (!is_simple && !has("ldapbasedn"))
    return "expected ldapbasedn, ldapprefix or ldapsuffix with ldap";
  if (has("ldapsearchattribute") && has("ldapsearchfilter"))
    return "expected ldapsearchattribute or ldapsearchfilter, but not both";
  if (has("ldapsearchfilter") &&
      words["ldapsearchfilter"].find(kUserOfPostgres) == std::string::npos)
    return "expected $username somewhere in the filter of ldapurl";
  out.base_dn = words["ldapbasedn"];
  out.filter = filter_of(words);
  out.bind_dn = words["ldapbinddn"];
  out.bind_password = Secret(words["ldapbindpasswd"]);
  out.prefix = words["ldapprefix"];
  out.suffix = words["ldapsuffix"];
  return {};
}

}  // namespace weir::config
