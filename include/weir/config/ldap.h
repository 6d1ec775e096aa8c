// How a directory (LDAP, RFC 4511) is asked whether a password is right. A value.
#pragma once

#include <cstdint>
#include <string>

#include <weir/config/secret.h>

namespace weir::config {

struct Ldap {
  enum class Scope : uint8_t { Base, OneLevel, Subtree };
  // ldap://host[:port], ldaps:// or ldapi://; several, with spaces between, are tried in turn.
  std::string url;
  bool start_tls = false;
  // With base_dn, who logs in is looked for below it, by the filter of RFC 4515 in which {user}
  // stands for the name, as bind_dn ("" = as nobody). The password has to be that of what is found.
  std::string base_dn;
  Scope scope = Scope::Subtree;
  std::string filter = "(uid={user})";
  std::string bind_dn;
  Secret bind_password;
  // Without base_dn, the name in the directory is the user's with these around it.
  std::string prefix, suffix;
  bool operator==(const Ldap&) const = default;
};

}  // namespace weir::config
