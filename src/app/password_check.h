// Asks others whether a password is right: the machine's PAM stack (pam(3)), or a directory (LDAP,
// RFC 4511). Checks block for as long as those take; any thread. Where they cannot tell, that is
// logged and the password counts as wrong.
#pragma once

#include <functional>
#include <string>

#include <weir/config/ldap.h>

namespace weir::app {

using PasswordCheck = std::function<bool(const std::string& password)>;

// Of `user` who comes from `peer`, by the file of this name in /etc/pam.d.
PasswordCheck pam_check(std::string service, std::string user, std::string peer);
// After ten seconds it is given up.
PasswordCheck ldap_check(config::Ldap ldap, std::string user);

}  // namespace weir::app
