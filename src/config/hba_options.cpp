// The options behind a method. Values are never repeated in a complaint: one of them is a password.
#include <algorithm>
#include <array>

#include "hba.h"

namespace weir::config {

namespace {

constexpr std::array<std::string_view, 11> kLdapOptions{
    "ldapserver",      "ldapport",   "ldapscheme", "ldaptls", "ldapprefix",
    "ldapsuffix",      "ldapbasedn", "ldapbinddn", "ldapurl", "ldapsearchattribute",
    "ldapsearchfilter"};

// "" or what is expected instead.
using Complaint = std::string;

Complaint set_map(HbaRule& rule, const std::string& value) {
  if (rule.method != HbaMethod::Peer && rule.method != HbaMethod::Cert)
    return "expected map with the methods ident, peer and cert only";
  rule.options.map = value;
  return {};
}

Complaint set_client_certificate(HbaRule& rule, const std::string& value) {
  if (rule.connection != HbaRule::Connection::HostTls)
    return "expected clientcert on hostssl lines only";
  if (value == "verify-full") {
    rule.options.client_certificate = ClientCertificate::VerifyFull;
  } else if (value != "verify-ca") {
    return "expected clientcert=verify-ca or clientcert=verify-full";
  } else if (rule.method == HbaMethod::Cert) {
    return "expected clientcert=verify-full with the method cert, or no clientcert";
  } else {
    rule.options.client_certificate = ClientCertificate::VerifyCa;
  }
  return {};
}

Complaint set_client_name(HbaRule& rule, const std::string& value) {
  if (rule.connection != HbaRule::Connection::HostTls)
    return "expected clientname on hostssl lines only";
  return value == "CN" ? "" : "expected clientname=CN: of a certificate, its CN is the name";
}

Complaint set_pam(HbaRule& rule, const std::string& name, const std::string& value) {
  if (rule.method != HbaMethod::Pam) return "expected " + name + " with the method pam only";
  if (name == "pamservice")
    rule.options.pam_service = value;
  else if (value != "0")
    return "expected pam_use_hostname=0: names of hosts are not looked up";
  return {};
}

bool is_port(const std::string& value) {
  return !value.empty() && value.size() <= 5 &&
         value.find_first_not_of("0123456789") == std::string::npos && std::stoi(value) > 0 &&
         std::stoi(value) <= 65535;
}

Complaint set_ldap(HbaRule& rule, const std::string& name, const std::string& value) {
  if (rule.method != HbaMethod::Ldap) return "expected " + name + " with the method ldap only";
  if (name == "ldapbindpasswd") {
    rule.options.ldap_bind_password = Secret(value);
    return {};
  }
  if (name == "ldapport" && !is_port(value)) return "expected ldapport=1 to 65535";
  if (name == "ldaptls" && value != "0" && value != "1") return "expected ldaptls=0 or ldaptls=1";
  if (name == "ldapscheme" && value != "ldap" && value != "ldaps")
    return "expected ldapscheme=ldap or ldapscheme=ldaps";
  rule.options.ldap[name] = value;
  return {};
}

Complaint set_option(HbaRule& rule, const std::string& name, const std::string& value) {
  if (name == "map") return set_map(rule, value);
  if (name == "clientcert") return set_client_certificate(rule, value);
  if (name == "clientname") return set_client_name(rule, value);
  if (name == "pamservice" || name == "pam_use_hostname") return set_pam(rule, name, value);
  if (name == "ldapbindpasswd" ||
      std::find(kLdapOptions.begin(), kLdapOptions.end(), name) != kLdapOptions.end())
    return set_ldap(rule, name, value);
  return "there is no such option: expected map, clientcert, clientname, pamservice or one of "
         "ldap's";
}

void finish_ldap(AuthReader& reader, const AuthPlace& place, const HbaOptions& options) {
  const auto has = [&](const char* name) { return options.ldap.contains(name); };
  const bool is_simple = has("ldapprefix") || has("ldapsuffix");
  const bool is_search = has("ldapbasedn") || has("ldapbinddn") || has("ldapsearchattribute") ||
                         has("ldapsearchfilter") || !options.ldap_bind_password.empty();
  if (is_simple && is_search)
    reader.complain(place,
                    "expected ldapprefix and ldapsuffix, or options for a search, but not both");
  else if (!is_simple && !has("ldapbasedn") && !has("ldapurl"))
    reader.complain(place, "expected ldapbasedn, ldapurl, ldapprefix or ldapsuffix with ldap");
  else if (has("ldapsearchattribute") && has("ldapsearchfilter"))
    reader.complain(place, "expected ldapsearchattribute or ldapsearchfilter, but not both");
}

}  // namespace

void read_hba_options(AuthReader& reader, std::span<const AuthField> fields, HbaRule& rule) {
  for (const AuthField& field : fields) {
    for (const AuthWord& word : field.words) {
      const size_t equals = word.text.find('=');
      if (equals == std::string::npos) {
        reader.complain(word.place, "expected options as NAME=VALUE behind the method");
        continue;
      }
      const Complaint complaint =
          set_option(rule, word.text.substr(0, equals), word.text.substr(equals + 1));
      if (!complaint.empty()) reader.complain(word.place, complaint);
    }
  }
}

void finish_hba_options(AuthReader& reader, const AuthPlace& place, HbaRule& rule) {
  if (rule.method == HbaMethod::Cert)
    rule.options.client_certificate = ClientCertificate::VerifyFull;
  if (rule.method == HbaMethod::Ldap) finish_ldap(reader, place, rule.options);
}

}  // namespace weir::config
