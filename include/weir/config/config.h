// The configuration as plain values, merged and checked: what app builds everything else from. Made
// by load() (load.h) from a file or from pieces of the command line, then never changed: a reload
// makes another one. What each option means to an operator: docs/configuration.md; the one table of
// options: src/config/options.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/limits.h>
#include <weir/base/log.h>
#include <weir/base/network.h>
#include <weir/base/time.h>
#include <weir/config/ldap.h>
#include <weir/config/secret.h>

namespace weir::config {

struct HbaRules;
struct IdentMaps;

using base::Duration;
using base::kMillisecond;
using base::kSecond;

constexpr Duration kMinute = 60 * kSecond;
constexpr Duration kHour = 60 * kMinute;

template <class T>
using Named = std::map<std::string, T, std::less<>>;
using Names = std::set<std::string, std::less<>>;  // paths of options, as in the table: "pool.size"

enum class LogFormat : uint8_t { Text, Json };
enum class AuthMethod : uint8_t {
  Trust,
  Plain,
  Md5,
  ScramSha256,
  Cert,
  Peer,
  Hba,
  Pam,
  Ldap,
  Passthrough,
};
enum class PoolMode : uint8_t { Session, Transaction, Statement };
enum class Pick : uint8_t { Lifo, RoundRobin, Scatter };
enum class Queue : uint8_t { Fair, Fifo };
enum class Durability : uint8_t { Normal, Full };
enum class Pubsub : uint8_t { Hub, Pin };

// Where weir listens. Tcp: host and port; Unix: path; Abstract: path without the leading @.
struct Address {
  enum class Kind : uint8_t { Tcp, Unix, Abstract };
  Kind kind = Kind::Tcp;
  std::string host;
  uint16_t port = 0;
  std::string path;

  std::string text() const;  // as it is written in the configuration
  bool is_local() const;     // a unix socket or a loopback address
  friend bool operator==(const Address&, const Address&) = default;
};

// One server of a database. `host` that begins with / or @ is the directory of a unix socket (as in
// libpq), which is `host`/.s.PGSQL.`port`; without a port it is the socket itself.
struct Host {
  std::string host;
  uint16_t port = 0;

  bool is_unix() const { return !host.empty() && (host[0] == '/' || host[0] == '@'); }
  std::string text()
      const;  // the key in Config::hosts: "db1:5432", "[::1]:5432", "/run/postgresql:5432"
  friend bool operator==(const Host&, const Host&) = default;
};

// A database's URL, taken apart and decoded. User and password have gone to the Database.
struct Url {
  std::string scheme;
  std::vector<Host> hosts;  // none for a file
  std::string
      path;  // without the slash: a database name ("" = the client's), a number, or a file's path
  Named<std::string>
      parameters;  // what the protocol allows, without host, port, user, password, dbname
  friend bool operator==(const Url&, const Url&) = default;
};

struct PoolOptions {
  PoolMode mode = PoolMode::Transaction;
  int size = 20;
  int min = 0;
  int overflow = 0;
  Duration overflow_after = 5 * kSecond;
  Duration acquire_timeout = 30 * kSecond;
  Duration connect_timeout = 5 * kSecond;
  struct Retry {
    Duration min = 250 * kMillisecond;
    Duration max = 15 * kSecond;
    friend bool operator==(const Retry&, const Retry&) = default;
  } retry;
  Duration idle_timeout = 10 * kMinute;
  Duration max_lifetime = kHour;
  Duration check_after = 30 * kSecond;
  Duration check_interval = 60 * kSecond;
  std::string reset = "auto";  // auto | always | never | SQL text
  std::string connect_query;
  Pick pick = Pick::Lifo;
  Queue queue = Queue::Fair;
  Duration queue_notice = 5 * kSecond;
  int prepared_statements = 200;   // 0 = off
  int max_server_connections = 0;  // over all users of the database; 0 = no limit
  int max_client_connections = 0;
  friend bool operator==(const PoolOptions&, const PoolOptions&) = default;
};

struct Timeouts {  // 0 = off
  Duration query = 0;
  Duration transaction = 0;
  Duration idle_in_transaction = 0;
  Duration client_idle = 0;
  Duration client_login = 60 * kSecond;
  Duration client_stall = 0;
  Duration pin_idle = 600 * kSecond;
  Duration cancel = 10 * kSecond;
  friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

struct Log {
  base::LogLevel level = base::LogLevel::Info;
  LogFormat format = LogFormat::Text;
  std::string file = "stderr";
  Duration slow_query = kSecond;  // 0 = off
};

struct Tcp {
  bool keepalive = true;
  Duration keepalive_idle = 0;  // 0 = the system's
  Duration user_timeout = 0;    // 0 = the system's
  int backlog = 512;
};

struct Dns {  // names of servers' hosts
  Duration ttl = 15 * kSecond;
  Duration negative_ttl = 15 * kSecond;
};

struct Limits {
  size_t statement_bytes = base::kStatementBytesMax;
  size_t login_bytes = base::kLoginBytesMax;
};

// From what encrypts the least to what demands the most. Strict: TLS before anything else.
enum class TlsMode : uint8_t {
  Disable,
  Login,
  Allow,
  Prefer,
  Require,
  Strict,
  VerifyCa,
  VerifyFull,
};
enum class TlsNegotiation : uint8_t { Postgres, Direct };
enum class ChannelBinding : uint8_t { Disable, Prefer, Require };

// Of the servers of one database.
enum class SessionAttrs : uint8_t { Any, ReadWrite, ReadOnly, Primary, Standby, PreferStandby };
enum class LoadBalance : uint8_t { Disable, RoundRobin, Random };

// Files have become absolute names.
struct Tls {
  TlsMode mode = TlsMode::Disable;
  std::string cert = {}, key = {}, ca = {};
  std::string min_version = "1.2";
  std::string ciphers = {};  // "" = OpenSSL's own
  // Of a database only.
  std::string server_name = {};  // "" = the host's
  TlsNegotiation negotiation = TlsNegotiation::Postgres;
  ChannelBinding channel_binding = ChannelBinding::Prefer;
  friend bool operator==(const Tls&, const Tls&) = default;
};

struct Listener {
  std::string protocol;  // a ProtocolDescriptor's name
  Address address;
  unsigned mode = 0777;  // of a unix socket
  std::string group;     // of a unix socket; "" = weir's own
  std::string database;  // "" = the client says; filled in when it cannot and there is only one
  struct Auth {
    std::optional<AuthMethod> method;  // absent: that of Config::auth
    friend bool operator==(const Auth&, const Auth&) = default;
  } auth;
  Tls tls;
  std::vector<base::Network> proxy_from;  // balancers that begin with a PROXY header
  friend bool operator==(const Listener&, const Listener&) = default;
};

struct Http {
  std::optional<Address> address;  // absent: no page
};

struct Admin {
  std::optional<Address> socket;  // absent: app chooses the place
  std::vector<std::string> users;
  std::vector<std::string> stats_users;
};

struct Auth {
  AuthMethod method = AuthMethod::ScramSha256;
  std::string users_file;  // as opened: relative names have become absolute ones
  std::string hba_file, ident_file;
  std::shared_ptr<const HbaRules> hba;     // of hba_file (hba.h); null without one
  std::shared_ptr<const IdentMaps> ident;  // of ident_file (ident.h)
  int scram_iterations = 4096;
  // Asked for users whose secret is not in `users`.
  struct Query {
    std::string database;  // "" = nobody is asked
    std::string user;
    static constexpr const char* kSql =
        "SELECT rolname, rolpassword, rolvaliduntil, rolcanlogin FROM pg_catalog.pg_authid "
        "WHERE rolname = $1";
    std::string sql = kSql;
    std::string group_sql;  // "" = nobody is a member of a role in hba_file
    Duration ttl = 30 * kSecond;
    Duration negative_ttl = 5 * kSecond;
    friend bool operator==(const Query&, const Query&) = default;
  } query;
  struct Brake {
    int failures = 10;  // 0 = off
    Duration window = kMinute;
  } brake;
  Duration passthrough_cache = kMinute;  // 0: nothing is remembered
  std::string pam_service = "weir";
  Ldap ldap;
};

// Keyed by login name. Of `pool` only size and mode, and of `timeouts`, count what `given` names.
struct User {
  std::string name;
  // plain text, md5… or SCRAM-SHA-256$…; empty = cannot log in with a password
  Secret password;
  PoolOptions pool;
  Timeouts timeouts;
  int max_client_connections = 0;
  int max_server_connections = 0;
  Names given;
};

struct Database {
  std::string name;      // "*" = any name that no other entry has
  std::string protocol;  // a ProtocolDescriptor's name
  std::string clients;   // that of its clients'
  Url url;
  std::string user;   // "" = the client's own name
  Secret password;    // empty = the user's own secret
  PoolOptions pool;   // merged with the defaults
  Timeouts timeouts;  // merged with the defaults
  Named<std::string> settings;
  Tls tls = {.mode = TlsMode::Prefer};  // Disable where the protocol has none
  SessionAttrs target_session_attrs = SessionAttrs::Any;
  LoadBalance load_balance_hosts = LoadBalance::RoundRobin;
  std::optional<Host> failover_partner;  // tried when no host of the URL can be reached
  std::vector<Host> read_only;           // for clients that say they only read
  bool newest_protocol = false;
  bool create = true;
  Durability durability = Durability::Normal;
  int lanes = 1;
  Pubsub pubsub = Pubsub::Hub;
  bool retry_reads = false;
  Named<std::string> command_class;     // a command, or command|subcommand, in small letters
  Names given;                          // what was set in this entry itself
  std::vector<Host> all_hosts() const;  // where its servers may be, each once
};

struct HostLimit {
  int max_server_connections = 0;
};

struct Defaults {
  PoolOptions pool;
  Timeouts timeouts;
  Names given;
};

struct Config {
  std::string source;  // the file, or what stands for it: "the command line", "the demo"
  std::vector<std::string> files;  // everything that was read, in order
  int workers = 0;                 // 0 = auto: one for each core
  Log log;
  Duration shutdown_timeout = 30 * kSecond;
  int max_clients = 10000;
  Tcp tcp;
  Dns dns;
  Limits limits;
  std::vector<Listener> listeners;
  Http http;
  Admin admin;
  Auth auth;
  Named<User> users;       // of the file and of auth.users_file
  Named<HostLimit> hosts;  // keyed as Host::text() says
  Defaults defaults;
  Named<Database> databases;

  // The entry that serves `name`: its own, else "*", else null.
  const Database* database(std::string_view name) const;
  // May clients of this listener be clients of this database?
  bool leads_to(const Listener& listener, const Database& database) const;
  bool leads_somewhere(const Listener& listener) const;  // perhaps to the console
  const User* user(std::string_view name) const;
};

}  // namespace weir::config
