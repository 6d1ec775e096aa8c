// The parts of a file that are more than one value: listeners, users, hosts, defaults, databases.
#include "finish.h"
#include "options.h"
#include "url.h"

namespace weir::config {

namespace {

bool user_may_set(std::string_view name) { return name == "size" || name == "mode"; }

bool named(Reading& reading, const Entry& entry) {
  if (!entry.key.empty()) return reading.claim(entry.value.path, entry.key_place);
  reading.complain(entry.key_place, entry.value.path, "expected a name");
  return false;
}

// "name", or of one subcommand "name|subcommand".
bool is_command_name(std::string_view name) {
  constexpr size_t kNameBytesMax = 128;
  const auto fits = [](char c) { return c > ' ' && c <= '~'; };
  return name.size() <= kNameBytesMax && std::all_of(name.begin(), name.end(), fits) &&
         !name.starts_with('|') && !name.ends_with('|');
}

// The database's protocol knows the classes, and which commands it has to see itself.
void check_command_classes(Reading& reading, const std::string& path, const Database& database,
                           const ProtocolDescriptor& protocol) {
  const auto& classes = protocol.command_classes;
  for (const auto& [name, value] : database.command_class) {
    const std::string at = join_path(path + ".command_class", name);
    const std::string_view command = std::string_view(name).substr(0, name.find('|'));
    const auto is_it = [&command, &whole = name](const auto& each) {
      return each.first == whole || each.first == command;
    };
    const auto fixed =
        std::find_if(protocol.fixed_commands.begin(), protocol.fixed_commands.end(), is_it);
    if (fixed != protocol.fixed_commands.end()) {
      reading.complain_of(at, "the class of this command cannot be changed: " + fixed->second);
    } else if (!value.empty() &&
               std::find(classes.begin(), classes.end(), value) == classes.end()) {
      reading.complain_of(at, "expected one of " + joined(classes));
    }
  }
}

// What only some protocols' databases have.
void check_database_options(Reading& reading, const std::string& path, Database& database) {
  const ProtocolDescriptor* protocol = find_protocol(reading.around(), database.protocol);
  if (!protocol) return;  // the url has been complained of
  const auto allows = [&](std::string_view name) {
    const auto& options = protocol->options;
    return std::find(options.begin(), options.end(), name) != options.end();
  };
  for (const char* name :
       {"user", "password", "settings", "create", "durability", "lanes", "pubsub", "retry_reads",
        "command_class", "tls", "tls.negotiation", "tls.channel_binding", "target_session_attrs",
        "load_balance_hosts", "failover_partner", "read_only", "max_protocol_version"}) {
    const auto given = database.given.lower_bound(name);
    const bool is_given = given != database.given.end() &&
                          (*given == name || given->starts_with(std::string(name) + '.'));
    const bool is_said_of_all = std::string_view(name).starts_with("tls.") && !allows("tls");
    if (!is_given || allows(name) || is_said_of_all) continue;
    reading.complain_of(path + '.' + name, "not an option of a " + protocol->name + " database");
  }
  if (allows("command_class")) check_command_classes(reading, path, database, *protocol);
  for (const char* name : {"user", "password"}) {
    const bool in_url = database.given.contains(std::string("url.") + name);
    if (in_url && !allows(name)) {
      reading.complain_of(path + ".url",
                          std::string("expected no ") + name + " in a URL of " + protocol->name);
    } else if (in_url && database.given.contains(name)) {
      reading.complain_of(path + '.' + name, "given before, in the url");
    }
  }
}

}  // namespace

void read_include(Reading& reading, const Value& value, Config&) {
  for (Value& one : reading.elements(value)) reading.want_files(std::move(one));
}

void read_listeners(Reading& reading, const Value& value, Config& config) {
  for (Value& one : reading.elements(value)) {
    one.path = "listeners[" + std::to_string(config.listeners.size()) + ']';
    reading.claim(one.path, one.place);
    read_map(reading, one, Target<Listener>{listener_options(), config.listeners.emplace_back()});
    for (const char* name : {"protocol", "address"}) {
      const std::string path = one.path + '.' + name;
      const bool is_map = one.node.IsMap() || one.node.IsNull();
      if (is_map && !reading.given(path)) reading.complain(one.place, path, "expected to be given");
    }
  }
}

void read_users(Reading& reading, const Value& value, Config& config) {
  for (const Entry& entry : reading.entries(value)) {
    if (!named(reading, entry)) continue;
    User& user = config.users[entry.key];
    user.name = entry.key;
    Target<User> target{user_options(), user};
    target.given = &user.given;
    read_map(reading, entry.value, target);
  }
}

void read_hosts(Reading& reading, const Value& value, Config& config) {
  for (const Entry& entry : reading.entries(value)) {
    Host host;
    const size_t colon = entry.key.rfind(':');
    const bool is_directory = entry.key.starts_with('/') || entry.key.starts_with('@');
    host.host = entry.key.substr(0, colon);
    const bool fine =
        is_directory
            ? colon == std::string::npos || parse_port(entry.key.substr(colon + 1), host.port)
            : parse_host_port(entry.key, host.host, host.port) && host.port != 0;
    if (!fine) {
      reading.complain(entry.key_place, entry.value.path,
                       "expected \"host:port\", \"[v6]:port\", \"/directory:port\" or \"/socket\" "
                       "as key");
    } else if (reading.claim(join_path(value.path, host.text()), entry.key_place)) {
      read_map(reading, entry.value, Target<HostLimit>{host_options(), config.hosts[host.text()]});
    }
  }
}

void read_defaults(Reading& reading, const Value& value, Config& config) {
  read_map(reading, value, Target<Defaults>{defaults_options(), config.defaults});
}

void read_databases(Reading& reading, const Value& value, Config& config) {
  for (const Entry& entry : reading.entries(value)) {
    if (!named(reading, entry)) continue;
    Database& database = config.databases[entry.key];
    database.name = entry.key;
    Target<Database> target{database_options(), database};
    target.given = &database.given;
    read_map(reading, entry.value, target);
    const bool is_map = entry.value.node.IsMap() || entry.value.node.IsNull();
    if (is_map && !database.given.contains("url")) {
      reading.complain_of(entry.value.path + ".url", "expected a URL to be given");
    }
    check_database_options(reading, entry.value.path, database);
    read_url_parameters(database);
  }
}

void read_defaults_pool(Reading& reading, const Value& value, Defaults& defaults) {
  read_map(reading, value,
           Target<PoolOptions>{pool_options(), defaults.pool, "pool.", &defaults.given});
}

void read_defaults_timeouts(Reading& reading, const Value& value, Defaults& defaults) {
  read_map(reading, value,
           Target<Timeouts>{timeout_options(), defaults.timeouts, "timeouts.", &defaults.given});
}

void read_user_pool(Reading& reading, const Value& value, User& user) {
  read_map(reading, value,
           Target<PoolOptions>{pool_options(), user.pool, "pool.", &user.given, user_may_set});
}

void read_user_timeouts(Reading& reading, const Value& value, User& user) {
  read_map(reading, value,
           Target<Timeouts>{timeout_options(), user.timeouts, "timeouts.", &user.given});
}

void read_database_pool(Reading& reading, const Value& value, Database& database) {
  read_map(reading, value,
           Target<PoolOptions>{pool_options(), database.pool, "pool.", &database.given});
}

void read_database_timeouts(Reading& reading, const Value& value, Database& database) {
  read_map(reading, value,
           Target<Timeouts>{timeout_options(), database.timeouts, "timeouts.", &database.given});
}

void read_url(Reading& reading, const Value& value, Database& database) {
  if (!value.node.IsScalar()) {
    reading.complain(value.place, value.path, "expected a URL");
    return;
  }
  const auto text = reading.scalar(value);
  if (!text) return;
  auto parsed = parse_url(*text, reading.around());
  if (!parsed) {
    reading.complain(value.place, value.path, parsed.error().text);
    return;
  }
  database.protocol = parsed->protocol->name;
  database.clients = clients_of(*parsed->protocol);
  database.url = std::move(parsed->url);
  if (!parsed->user.empty()) {
    database.given.insert("url.user");
    database.user = std::move(parsed->user);
  }
  if (!parsed->password.empty()) {
    database.given.insert("url.password");
    database.password = std::move(parsed->password);
  }
}

void read_settings(Reading& reading, const Value& value, Database& database) {
  for (const Entry& entry : reading.entries(value)) {
    if (entry.key.empty()) reading.complain(entry.key_place, entry.value.path, "expected a name");
    read_scalar<Text>(reading, entry.value, database.settings[entry.key]);
  }
}

// Names of commands are the same whatever the case of their letters.
void read_command_class(Reading& reading, const Value& value, Database& database) {
  for (const Entry& entry : reading.entries(value)) {
    std::string name = entry.key;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (name.empty() || !is_command_name(name))
      reading.complain(entry.key_place, entry.value.path, "expected the name of a command as key");
    else if (reading.claim(join_path(value.path, name), entry.key_place))
      read_scalar<SomeText>(reading, entry.value, database.command_class[name]);
  }
}

}  // namespace weir::config
