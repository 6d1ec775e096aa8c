// The one table of options, in a part for each kind of map. A new option is a member of its struct
// and one row here; docs/configuration.md has to name it too (a test compares the two).
#pragma once

#include "option.h"

namespace weir::config {

// What libpq's parameters in the URL say, unless the option itself was given.
void read_url_parameters(Database& database);

std::string words(const std::vector<TlsMode>& modes);  // "disable, prefer, require"
std::string words(const std::vector<PoolMode>& modes);
std::string words(const std::vector<AuthMethod>& methods);

std::span<const Option<Config>> top_options();
std::span<const Option<Listener>> listener_options();
std::span<const Option<User>> user_options();
std::span<const Option<HostLimit>> host_options();
std::span<const Option<Defaults>> defaults_options();
std::span<const Option<Database>> database_options();
std::span<const Option<PoolOptions>> pool_options();
std::span<const Option<Timeouts>> timeout_options();

// Sections, read in sections.cpp.
void read_include(Reading& reading, const Value& value, Config& config);
void read_listeners(Reading& reading, const Value& value, Config& config);
void read_users(Reading& reading, const Value& value, Config& config);
void read_hosts(Reading& reading, const Value& value, Config& config);
void read_defaults(Reading& reading, const Value& value, Config& config);
void read_databases(Reading& reading, const Value& value, Config& config);
void read_defaults_pool(Reading& reading, const Value& value, Defaults& defaults);
void read_defaults_timeouts(Reading& reading, const Value& value, Defaults& defaults);
void read_user_pool(Reading& reading, const Value& value, User& user);
void read_user_timeouts(Reading& reading, const Value& value, User& user);
void read_database_pool(Reading& reading, const Value& value, Database& database);
void read_database_timeouts(Reading& reading, const Value& value, Database& database);
void read_url(Reading& reading, const Value& value, Database& database);
void read_settings(Reading& reading, const Value& value, Database& database);
void read_command_class(Reading& reading, const Value& value, Database& database);

}  // namespace weir::config
