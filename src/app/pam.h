// Asks the machine's PAM stack (pam(3)) whether a password is right. Blocks for as long as its
// modules do; any thread.
#pragma once

#include <functional>
#include <string>

namespace weir::app {

using PasswordCheck = std::function<bool(const std::string& password)>;

// Of `user` who comes from `peer`, by the file of this name in /etc/pam.d. False as well when PAM
// cannot tell, which is logged.
PasswordCheck pam_check(std::string service, std::string user, std::string peer);

}  // namespace weir::app
