// The options of an ldap line in pg_hba.conf. Private to the folder.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <weir/config/ldap.h>

namespace weir::config {

// As written, by PostgreSQL's names.
using LdapWords = std::map<std::string, std::string>;

bool is_ldap_option(std::string_view name);
// What is expected instead of this value; "": nothing.
std::string complaint_of_ldap_option(const std::string& name, const std::string& value);
// All of a line. What is expected instead, or "", and then `out` says it.
std::string read_ldap(const LdapWords& words, Ldap& out);

// Is it a list of ldap://host[:port] and the like, with spaces between?
bool is_ldap_url(const std::string& text);

}  // namespace weir::config
