// What is demanded of a client before it gets in: a method by the listener, the configuration, or
// the line of hba_file that concerns it.
#pragma once

#include <string>

#include <weir/config/auth_file.h>
#include <weir/config/config.h>
#include <weir/session/worker.h>

#include "password_check.h"

namespace weir::app {

protocol::AuthMethod method_of(config::AuthMethod method);

struct Demand {
  bool needs_groups = false;  // find out again with the user's groups; the others say nothing then
  protocol::AuthMethod method = protocol::AuthMethod::ScramSha256;
  std::string map;             // of ident_file
  bool equal_names_do = true;  // without a line in the map
  bool certificate_names_user = false;
  PasswordCheck check;  // not empty: it says whether the password is right
  base::Error refusal;  // with a text: it does not get in at all
};

// The visitor's request names the database that is meant. `groups`: null where they are not known
// yet.
Demand demand_of(const config::Config& config, const session::Visitor& visitor,
                 const config::Groups* groups);
// May whoever has proved to be `name` (by certificate or account) be this user?
bool may_be(const config::Config& config, const Demand& demand, const std::string& name,
            const std::string& user);
// The account's name; empty: it has none.
std::string account_name(uint32_t account);

}  // namespace weir::app
