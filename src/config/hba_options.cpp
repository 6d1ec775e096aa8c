// The options behind a method. Values are never repeated in a complaint: one of them is a password.
#include "hba.h"
#include "hba_ldap.h"

namespace weir::config {

namespace {

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

Complaint set_option(HbaRule& rule, LdapWords& ldap, const std::string& name,
                     const std::string& value) {
  if (is_ldap_option(name)) {
    if (rule.method != HbaMethod::Ldap) return "expected " + name + " with the method ldap only";
    ldap[name] = value;
    return complaint_of_ldap_option(name, value);
  }
  if (name == "map") return set_map(rule, value);
  if (name == "clientcert") return set_client_certificate(rule, value);
  if (name == "clientname") return set_client_name(rule, value);
  if (name == "pamservice" || name == "pam_use_hostname") return set_pam(rule, name, value);
  return "there is no such option: expected map, clientcert, clientname, pamservice or one of "
         "ldap's";
}

// What options have to say together, and what a method implies.
void finish(AuthReader& reader, const AuthPlace& place, HbaRule& rule, const LdapWords& ldap) {
  if (rule.method == HbaMethod::Cert)
    rule.options.client_certificate = ClientCertificate::VerifyFull;
  if (rule.method != HbaMethod::Ldap) return;
  const Complaint complaint = read_ldap(ldap, rule.options.ldap);
  if (!complaint.empty()) reader.complain(place, complaint);
}

}  // namespace

void read_hba_options(AuthReader& reader, const AuthPlace& place, std::span<const AuthField> fields,
                      HbaRule& rule) {
  LdapWords ldap;
  bool is_whole = true;
  const auto complain = [&](const AuthPlace& at, const Complaint& what) {
    reader.complain(at, what);
    is_whole = false;
  };
  for (const AuthField& field : fields) {
    for (const AuthWord& word : field.words) {
      const size_t equals = word.text.find('=');
      if (equals == std::string::npos) {
        complain(word.place, "expected options as NAME=VALUE behind the method");
        continue;
      }
      const Complaint complaint =
          set_option(rule, ldap, word.text.substr(0, equals), word.text.substr(equals + 1));
      if (!complaint.empty()) complain(word.place, complaint);
    }
  }
  if (is_whole) finish(reader, place, rule, ldap);
}

}  // namespace weir::config
