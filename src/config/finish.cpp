#include "finish.h"

#include "options.h"

#include <weir/config/hba.h>
#include <weir/config/ident.h>

namespace weir::config {

namespace {

constexpr size_t kUsersFileBytesMax = 64 << 20;
constexpr std::array<std::string_view, 2> kConsoleNames{"weir", "pgbouncer"};

void add_users_of_file(Reading& reading, Config& config) {
  const std::string& file = config.auth.users_file;
  if (file.empty()) return;
  const auto text = read_file(file, kUsersFileBytesMax);
  if (!text) {
    reading.complain_of("auth.users_file", "the file " + file + ' ' + text.error().text);
    return;
  }
  config.files.push_back(file);
  const size_t source = reading.add_source(file, {});  // its lines are never shown
  UsersFile read = parse_users_file(text.value(), file);
  for (const Problem& problem : read.problems) {
    reading.complain({source, problem.line, problem.column}, problem.key, problem.expected);
  }
  for (UserSecret& one : read.users) {
    User& user = config.users[one.name];
    if (user.given.contains("password")) {
      reading.complain({source, one.line, 1}, join_path("users", one.name),
                       "has a password in the configuration too");
    }
    user.name = one.name;
    user.password = std::move(one.secret);
  }
}

void add_problems(Reading& reading, Config& config, const std::string& file,
                  const std::vector<Problem>& problems) {
  config.files.push_back(file);
  for (const Problem& problem : problems)
    reading.complain({reading.add_source(problem.file, {}), problem.line, problem.column},
                     problem.key, problem.expected);
}

void add_rules(Reading& reading, Config& config) {
  Auth& auth = config.auth;
  if (!auth.hba_file.empty()) {
    HbaFile read = load_hba(auth.hba_file);
    add_problems(reading, config, auth.hba_file, read.problems);
    auth.hba = std::make_shared<const HbaRules>(std::move(read.rules));
  }
  if (!auth.ident_file.empty()) {
    IdentFile read = load_ident(auth.ident_file);
    add_problems(reading, config, auth.ident_file, read.problems);
    auth.ident = std::make_shared<const IdentMaps>(std::move(read.maps));
  }
}

// `path` is where the options stand, `given` says which of them do.
struct GivenPool {
  std::string path;
  const PoolOptions& pool;
  const Names& given;
};

void check_pair(Reading& reading, const GivenPool& at, std::array<const char*, 2> names,
                bool is_fine) {
  if (is_fine) return;
  const auto is_given = [&](const char* name) {
    return at.given.contains(std::string("pool.") + name);
  };
  if (is_given(names[0])) {
    reading.complain_of(at.path + ".pool." + names[0], std::string("expected at most ") + names[1]);
  } else if (is_given(names[1])) {
    reading.complain_of(at.path + ".pool." + names[1],
                        std::string("expected at least ") + names[0]);
  }
}

void check_pool(Reading& reading, const GivenPool& at) {
  const PoolOptions& pool = at.pool;
  check_pair(reading, at, {"min", "size"}, pool.min <= pool.size);
  check_pair(reading, at, {"retry.min", "retry.max"}, pool.retry.min <= pool.retry.max);
  const int cap = pool.max_server_connections;
  check_pair(reading, at, {"min", "max_server_connections"}, cap == 0 || pool.min <= cap);
}

std::string lacks_mode(const ProtocolDescriptor& protocol, PoolMode mode) {
  return "a " + protocol.name + " database has no " + words(std::vector{mode}) + " mode";
}

// What nobody has said depends on the protocol.
void settle_mode(Reading& reading, const Defaults& defaults, Database& database) {
  const ProtocolDescriptor* protocol = find_protocol(reading.around(), database.protocol);
  if (!protocol) return;  // the url has been complained of
  const bool is_own = database.given.contains("pool.mode");
  if (!is_own && !defaults.given.contains("pool.mode")) database.pool.mode = protocol->pool_mode;
  if (contains(protocol->pool_modes, database.pool.mode)) return;
  reading.complain_of(join_path("databases", database.name) + ".pool.mode",
                      (is_own ? "expected one of " : "expected to be given, one of ") +
                          words(protocol->pool_modes) + ": " +
                          lacks_mode(*protocol, database.pool.mode) +
                          (is_own ? "" : ", as defaults have it"));
}

void inherit_defaults(Reading& reading, Config& config) {
  const Defaults& defaults = config.defaults;
  check_pool(reading, {"defaults", defaults.pool, defaults.given});
  for (auto& [name, database] : config.databases) {
    inherit(pool_options(), defaults.pool,
            Target<PoolOptions>{pool_options(), database.pool, "pool.", &database.given});
    inherit(timeout_options(), defaults.timeouts,
            Target<Timeouts>{timeout_options(), database.timeouts, "timeouts.", &database.given});
    check_pool(reading, {join_path("databases", name), database.pool, database.given});
    settle_mode(reading, defaults, database);
  }
}

// Who logs in brings its mode to every database.
void check_modes_of_users(Reading& reading, const Config& config) {
  for (const auto& [name, user] : config.users) {
    if (!user.given.contains("pool.mode")) continue;
    for (const auto& [database_name, database] : config.databases) {
      const ProtocolDescriptor* protocol = find_protocol(reading.around(), database.protocol);
      if (!protocol || contains(protocol->pool_modes, user.pool.mode)) continue;
      reading.complain_of(join_path("users", name) + ".pool.mode",
                          "expected one of " + words(protocol->pool_modes) + ": " +
                              lacks_mode(*protocol, user.pool.mode) + ", and there is " +
                              join_path("databases", database_name));
      break;
    }
  }
}

void check_database_name(Reading& reading, const std::string& name, const Database& database) {
  const ProtocolDescriptor* protocol = find_protocol(reading.around(), database.protocol);
  if (!protocol) return;
  const ProtocolDescriptor* clients = find_protocol(reading.around(), clients_of(*protocol));
  const bool reserved =
      std::find(kConsoleNames.begin(), kConsoleNames.end(), name) != kConsoleNames.end();
  if (reserved && clients && clients->clients_name_database) {
    reading.complain_of(join_path("databases", name), "this name is the console's");
  }
}

bool serves(const Surroundings& around, const Database& database, const std::string& protocol) {
  const ProtocolDescriptor* found = find_protocol(around, database.protocol);
  return found && clients_of(*found) == protocol;
}

std::vector<std::string> databases_for(const std::string& protocol, const Config& config,
                                       const Surroundings& around) {
  std::vector<std::string> fitting;
  for (const auto& [name, database] : config.databases)
    if (serves(around, database, protocol)) fitting.push_back(name);
  return fitting;
}

void settle_database(Reading& reading, Config& config, Listener& listener,
                     const std::string& path) {
  const bool names_one = find_protocol(reading.around(), listener.protocol)->clients_name_database;
  if (!listener.database.empty()) {
    const Database* database = config.database(listener.database);
    if (listener.database == "*" && names_one) {
      reading.complain_of(path + ".database",
                          "expected the name of one database; without it, clients name theirs");
    } else if (!database) {
      reading.complain_of(path + ".database", "expected the name of a database");
    } else if (!database->protocol.empty() &&
               !serves(reading.around(), *database, listener.protocol)) {
      reading.complain_of(path + ".database",
                          "expected a database for clients of " + listener.protocol);
    }
    return;
  }
  if (names_one) return;
  const auto fitting = databases_for(listener.protocol, config, reading.around());
  if (fitting.size() == 1) {
    listener.database = fitting[0];
  } else if (fitting.empty()) {
    reading.complain_of(path, "there is no " + listener.protocol + " database for its clients");
  } else {
    reading.complain_of(path + ".database", "expected one of: " + joined(fitting));
  }
}

void check_listener(Reading& reading, Config& config, size_t index) {
  Listener& listener = config.listeners[index];
  const std::string path = "listeners[" + std::to_string(index) + ']';
  const ProtocolDescriptor* protocol = find_protocol(reading.around(), listener.protocol);
  if (protocol && protocol->listen_port != 0) {
    settle_database(reading, config, listener, path);
  } else if (reading.given(path + ".protocol") && !listener.protocol.empty()) {
    reading.complain_of(path + ".protocol",
                        "expected one of: " + listening_protocols(reading.around()));
  }
  check_tls(reading, listener, path);
  for (const char* name : {"mode", "group"}) {
    const bool of_socket = listener.address.kind == Address::Kind::Unix;
    if (!of_socket && reading.given(path + '.' + name)) {
      reading.complain_of(path + '.' + name, "only for an address unix:/path");
    }
  }
}

void check_ldap(Reading& reading, const Config& config) {
  const Ldap& ldap = config.auth.ldap;
  if (!reading.given("auth.ldap.url"))
    reading.complain_of("auth.ldap.url", "expected to be given, as clients log in by it");
  else if (!reading.given("auth.ldap.base_dn"))
    reading.complain_of("auth.ldap.base_dn", "expected to be given, as clients are looked for");
  else if (ldap.start_tls && ldap.url.find("ldaps://") != std::string::npos)
    reading.complain_of("auth.ldap.start_tls", "only for ldap://, as ldaps:// is encrypted anyway");
}

// A server knows its clients by their own names and passwords.
void check_passthrough(Reading& reading, const Config& config, const Listener& listener) {
  for (const auto& [name, database] : config.databases) {
    const bool has_login = !database.user.empty() || !database.password.empty();
    if (!has_login || !config.leads_to(listener, database)) continue;
    const char* const what = database.user.empty() ? "password" : "user";
    const bool in_url = database.given.contains(std::string("url.") + what);
    reading.complain_of(join_path("databases", name) + '.' + (in_url ? "url" : what),
                        std::string("expected no ") + what +
                            ", as its clients log in to its servers themselves (passthrough)");
  }
}

// `told`: the protocols whose listeners' lack of a method of their own has been complained of.
void complain_of_method(Reading& reading, const Config& config, size_t index, Names& told) {
  const Listener& listener = config.listeners[index];
  const ProtocolDescriptor& protocol = *find_protocol(reading.around(), listener.protocol);
  const AuthMethod method = listener.auth.method.value_or(config.auth.method);
  const std::string wrong = words(std::vector{method}) + " is not for clients of " + protocol.name;
  if (listener.auth.method)
    reading.complain_of("listeners[" + std::to_string(index) + "].auth.method",
                        wrong + "; expected one of " + words(protocol.login_methods));
  else if (told.insert(protocol.name).second)
    reading.complain_of("auth.method", wrong + ", whose listeners need one of their own: " +
                                           words(protocol.login_methods));
}

void check_method(Reading& reading, const Config& config, size_t index, Names& told) {
  const Listener& listener = config.listeners[index];
  const ProtocolDescriptor* protocol = find_protocol(reading.around(), listener.protocol);
  if (!protocol) return;
  const AuthMethod method = listener.auth.method.value_or(config.auth.method);
  if (!contains(protocol->login_methods, method)) {
    if (method == AuthMethod::Passthrough || !protocol->other_methods_are_plain)
      complain_of_method(reading, config, index, told);
    return;
  }
  if (method == AuthMethod::Hba && config.auth.hba_file.empty())
    reading.complain_of("auth.hba_file", "expected to be given, as clients log in by it");
  if (method == AuthMethod::Ldap) check_ldap(reading, config);
  if (method == AuthMethod::Passthrough) check_passthrough(reading, config, listener);
  if (method == AuthMethod::Cert && listener.tls.ca.empty())
    reading.complain_of("listeners[" + std::to_string(index) + "].tls.ca",
                        "expected to be given, as its clients log in by certificate");
}

// Some servers let nobody in without.
void check_password(Reading& reading, const Config& config, const Database& database) {
  const ProtocolDescriptor* protocol = find_protocol(reading.around(), database.protocol);
  if (!protocol || !protocol->logins_have_passwords) return;
  if (database.user.empty() || !database.password.empty()) return;
  if (database.given.contains("password")) return;  // it is said to be empty
  const User* user = config.user(database.user);
  if (user && !user->password.empty()) return;
  const auto passes_through = [&](const Listener& listener) {
    return listener.auth.method.value_or(config.auth.method) == AuthMethod::Passthrough &&
           config.leads_to(listener, database);
  };
  // That it has a user at all is complained of then.
  if (std::any_of(config.listeners.begin(), config.listeners.end(), passes_through)) return;
  reading.complain_of(join_path("databases", database.name) + ".password",
                      "expected to be given, as weir logs in as " + masked(database.user) +
                          ", whose password is not under users either");
}

void check_auth(Reading& reading, const Config& config) {
  const Auth::Query& query = config.auth.query;
  if (query.database.empty()) {
    if (!query.user.empty())
      reading.complain_of("auth.query.database", "expected to be given, as user is");
  } else if (!config.databases.contains(query.database) || query.database == "*") {
    reading.complain_of("auth.query.database", "expected the name of one of databases");
  } else if (config.databases.find(query.database)->second.protocol != "postgres") {
    reading.complain_of("auth.query.database", "expected a database on a PostgreSQL server");
  } else if (query.user.empty()) {
    reading.complain_of("auth.query.user", "expected to be given, as database is");
  }
  Names told;
  for (size_t i = 0; i < config.listeners.size(); ++i) check_method(reading, config, i, told);
}

void check_addresses(Reading& reading, const Config& config) {
  std::map<std::string, std::string> taken;
  const auto take = [&](const Address& address, const std::string& path) {
    if (address == Address()) return;  // complained of
    const auto [at, is_new] = taken.emplace(address.text(), path);
    if (!is_new) reading.complain_of(path, "the address is that of " + at->second + " too");
  };
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    take(config.listeners[i].address, "listeners[" + std::to_string(i) + "].address");
  }
  if (config.http.address) take(*config.http.address, "http.address");
  if (config.admin.socket) take(*config.admin.socket, "admin.socket");
}

}  // namespace

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

const ProtocolDescriptor* find_protocol(const Surroundings& around, std::string_view name) {
  for (const auto& protocol : around.protocols) {
    if (protocol.name == name) return &protocol;
  }
  return nullptr;
}

const std::string& clients_of(const ProtocolDescriptor& protocol) {
  return protocol.clients.empty() ? protocol.name : protocol.clients;
}

std::string listening_protocols(const Surroundings& around) {
  std::vector<std::string> names;
  for (const auto& protocol : around.protocols) {
    if (protocol.listen_port != 0) names.push_back(protocol.name);
  }
  return joined(names);
}

namespace {

void settle_hosts(Reading& reading, Database& database) {
  const ProtocolDescriptor* protocol = find_protocol(reading.around(), database.protocol);
  if (!protocol) return;
  const auto settle = [protocol](Host& host) {
    if (host.port == 0) host.port = protocol->server_port;
  };
  if (database.failover_partner) settle(*database.failover_partner);
  for (Host& host : database.read_only) settle(host);
}

}  // namespace

void finish(Reading& reading, Config& config) {
  add_users_of_file(reading, config);
  add_rules(reading, config);
  inherit_defaults(reading, config);
  check_modes_of_users(reading, config);
  for (auto& [name, database] : config.databases) {
    check_database_name(reading, name, database);
    settle_tls(reading, database);
    settle_hosts(reading, database);
  }
  for (size_t i = 0; i < config.listeners.size(); ++i) check_listener(reading, config, i);
  for (const auto& [name, database] : config.databases) check_password(reading, config, database);
  check_auth(reading, config);
  check_addresses(reading, config);
  if (!reading.clean()) return;
  // Said only when nothing else is wrong: it may be the consequence of another error.
  const int first = config.files.empty() ? 0 : 1;  // of a file; pieces have no lines
  const Place start{0, first, first};
  if (config.listeners.empty()) {
    reading.complain(start, "listeners", "expected at least one listener");
  }
  if (config.databases.empty()) {
    reading.complain(start, "databases", "expected at least one database");
  }
}

base::Status choose_database(Listener& listener, const Config& config, const Surroundings& around) {
  if (find_protocol(around, listener.protocol)->clients_name_database) return base::ok();
  const auto fitting = databases_for(listener.protocol, config, around);
  if (fitting.size() != 1) {
    const std::string which = fitting.empty() ? "there is none" : "there are " + joined(fitting);
    return base::Error{base::ErrorKind::Config, "expected one database for clients of " +
                                                    listener.protocol + ", and " + which};
  }
  listener.database = fitting[0];
  return base::ok();
}

}  // namespace weir::config
