#include "options.h"

#include <weir/config/hba.h>
#include <weir/config/ident.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include <weir/config/check.h>

#include "hba_ldap.h"
#include "host_options.h"
#include "url.h"

namespace weir::config {

namespace {

using base::LogLevel;

constexpr std::array<Word<LogLevel>, 6> kLevels{{{"trace", LogLevel::Trace},
                                                 {"debug", LogLevel::Debug},
                                                 {"info", LogLevel::Info},
                                                 {"warn", LogLevel::Warn},
                                                 {"error", LogLevel::Error},
                                                 {"off", LogLevel::Off}}};
constexpr std::array<Word<LogFormat>, 2> kFormats{
    {{"text", LogFormat::Text}, {"json", LogFormat::Json}}};
constexpr std::array<Word<AuthMethod>, 10> kMethods{{{"trust", AuthMethod::Trust},
                                                     {"plain", AuthMethod::Plain},
                                                     {"md5", AuthMethod::Md5},
                                                     {"scram-sha-256", AuthMethod::ScramSha256},
                                                     {"cert", AuthMethod::Cert},
                                                     {"peer", AuthMethod::Peer},
                                                     {"hba", AuthMethod::Hba},
                                                     {"pam", AuthMethod::Pam},
                                                     {"ldap", AuthMethod::Ldap},
                                                     {"passthrough", AuthMethod::Passthrough}}};
constexpr std::array<Word<PoolMode>, 3> kModes{{{"session", PoolMode::Session},
                                                {"transaction", PoolMode::Transaction},
                                                {"statement", PoolMode::Statement}}};
constexpr std::array<Word<Pick>, 3> kPicks{
    {{"lifo", Pick::Lifo}, {"round_robin", Pick::RoundRobin}, {"scatter", Pick::Scatter}}};
constexpr std::array<Word<Queue>, 2> kQueues{{{"fair", Queue::Fair}, {"fifo", Queue::Fifo}}};
constexpr std::array<Word<Durability>, 2> kDurabilities{
    {{"normal", Durability::Normal}, {"full", Durability::Full}}};
constexpr std::array<Word<Pubsub>, 2> kPubsubs{{{"hub", Pubsub::Hub}, {"pin", Pubsub::Pin}}};

constexpr std::array<Word<TlsMode>, 8> kTlsModes{{{"disable", TlsMode::Disable},
                                                  {"login", TlsMode::Login},
                                                  {"allow", TlsMode::Allow},
                                                  {"prefer", TlsMode::Prefer},
                                                  {"require", TlsMode::Require},
                                                  {"strict", TlsMode::Strict},
                                                  {"verify-ca", TlsMode::VerifyCa},
                                                  {"verify-full", TlsMode::VerifyFull}}};
// As drivers of SQL Server write it. What they do not demand they take nevertheless.
constexpr std::array<Word<TlsMode>, 8> kEncrypts{{{"true", TlsMode::Require},
                                                  {"yes", TlsMode::Require},
                                                  {"mandatory", TlsMode::Require},
                                                  {"strict", TlsMode::Strict},
                                                  {"false", TlsMode::Prefer},
                                                  {"no", TlsMode::Prefer},
                                                  {"optional", TlsMode::Prefer},
                                                  {"disable", TlsMode::Disable}}};
constexpr std::array<Word<TlsNegotiation>, 2> kTlsNegotiations{
    {{"postgres", TlsNegotiation::Postgres}, {"direct", TlsNegotiation::Direct}}};
constexpr std::array<Word<ChannelBinding>, 3> kChannelBindings{
    {{"disable", ChannelBinding::Disable},
     {"prefer", ChannelBinding::Prefer},
     {"require", ChannelBinding::Require}}};
constexpr std::array<Word<SessionAttrs>, 6> kSessionAttrs{
    {{"any", SessionAttrs::Any},
     {"read-write", SessionAttrs::ReadWrite},
     {"read-only", SessionAttrs::ReadOnly},
     {"primary", SessionAttrs::Primary},
     {"standby", SessionAttrs::Standby},
     {"prefer-standby", SessionAttrs::PreferStandby}}};
constexpr std::array<Word<bool>, 3> kProtocolVersions{
    {{"3.0", false}, {"3.2", true}, {"latest", true}}};
constexpr std::array<Word<LoadBalance>, 3> kLoadBalances{{{"disable", LoadBalance::Disable},
                                                          {"round_robin", LoadBalance::RoundRobin},
                                                          {"random", LoadBalance::Random}}};
constexpr std::array<Word<std::string_view>, 4> kTlsVersions{
    {{"1.0", "1.0"}, {"1.1", "1.1"}, {"1.2", "1.2"}, {"1.3", "1.3"}}};

struct LdapFilter : Text {
  static bool parse(const std::string& text, std::string& out) {
    out = text;
    return text.find("{user}") != std::string::npos;
  }
  static std::string takes() { return "a filter of RFC 4515 with {user} in it"; }
};

struct LdapUrl : Text {
  static bool parse(const std::string& text, std::string& out) {
    out = text;
    return is_ldap_url(text);
  }
  static std::string takes() { return "ldap://host[:port], ldaps:// or ldapi://, or several"; }
};

using StatementBytes = Size<1 << 10, 1023 << 20>;
using LoginBytes = Size<1 << 10, 16 << 20>;
using Connections = Whole<0>;

constexpr Field<Config> kInclude{read_include, [] { return std::string("a list of file names"); },
                                 nullptr, nullptr, nullptr};
// A file of auth, relative to that of the configuration. What is in it counts as well.
template <auto Member>
bool same_auth_file(const Auth& a, const Auth& b) {
  const auto same = [](const auto& one, const auto& other) {
    return one == other || (one && other && *one == *other);
  };
  return a.*Member == b.*Member && same(a.hba, b.hba) && same(a.ident, b.ident);
}

template <auto Member>
constexpr Field<Config> kAuthFile{
    [](Reading& reading, const Value& value, Config& config) {
      std::string& name = config.auth.*Member;
      read_scalar<SomeText>(reading, value, name);
      name = reading.resolve(name, value.place.source);
    },
    [] { return std::string("a file name"); },
    [](const Config& config) { return Text::show(config.auth.*Member); }, nullptr,
    [](const Config& a, const Config& b) { return same_auth_file<Member>(a.auth, b.auth); }};

constexpr Field<Listener> kNetworks{
    [](Reading& reading, const Value& value, Listener& listener) {
      for (const Value& one : reading.elements(value)) {
        std::string text;
        read_scalar<SomeText>(reading, one, text);
        auto network = base::read_network(text);
        if (network)
          listener.proxy_from.push_back(*network);
        else
          reading.complain(one.place, one.path, network.error().text);
      }
    },
    [] { return std::string("a list of networks such as 10.0.0.0/8"); },
    [](const Listener& listener) {
      std::string out;
      for (const auto& one : listener.proxy_from) out += (out.empty() ? "" : ", ") + one.text();
      return '[' + out + ']';
    },
    nullptr, [](const Listener& a, const Listener& b) { return a.proxy_from == b.proxy_from; }};
constexpr Field<Database> kUrl{read_url, [] { return std::string("a URL"); },
                               [](const Database& database) { return show_url(database.url); },
                               nullptr,
                               [](const Database& a, const Database& b) { return a.url == b.url; }};
template <Named<std::string> Database::*Member>
constexpr Field<Database> texts_by_name(void (*read)(Reading&, const Value&, Database&)) {
  return {read, [] { return std::string("a map of names and texts"); },
          [](const Database& database) {
            std::string out;
            for (const auto& [name, value] : database.*Member)
              out += (out.empty() ? "" : ", ") + name + ": " + value;
            return '{' + out + '}';
          },
          nullptr, [](const Database& a, const Database& b) { return a.*Member == b.*Member; }};
}

constexpr Option<Config> kTop[] = {
    {"workers", field<Workers, &Config::workers>, "auto",
     "event-loop threads; auto = one for each core"},
    {"log.level", field<OneOf<kLevels>, &Config::log, &Log::level>, "info", "least level logged"},
    {"log.format", field<OneOf<kFormats>, &Config::log, &Log::format>, "text",
     "lines for people or for machines"},
    {"log.file", field<SomeText, &Config::log, &Log::file>, "stderr",
     "a file, stderr or stdout; HUP reopens it"},
    {"log.slow_query", field<Period<>, &Config::log, &Log::slow_query>, "1s",
     "queries that take longer are logged and counted; 0 = none"},
    {"shutdown_timeout", field<Period<>, &Config::shutdown_timeout>, "30s",
     "how long TERM waits for clients to end; 0 = without end"},
    {"max_clients", field<Whole<1>, &Config::max_clients>, "10000",
     "clients at once, over all listeners"},
    {"include", kInclude, "[]", "further files"},
    {"tcp.keepalive", field<YesNo, &Config::tcp, &Tcp::keepalive>, "true", "probe silent peers"},
    {"tcp.keepalive_idle", field<Period<>, &Config::tcp, &Tcp::keepalive_idle>, "0",
     "silence before the first probe; 0 = the system's"},
    {"tcp.user_timeout", field<Period<>, &Config::tcp, &Tcp::user_timeout>, "0",
     "how long sent bytes may stay unacknowledged; 0 = the system's"},
    {"tcp.backlog", field<Whole<1, 65535>, &Config::tcp, &Tcp::backlog>, "512",
     "connections waiting to be accepted"},
    {"dns.ttl", field<Period<kSecond>, &Config::dns, &Dns::ttl>, "15s",
     "names of servers' hosts in use are looked up this often"},
    {"dns.negative_ttl", field<Period<>, &Config::dns, &Dns::negative_ttl>, "15s",
     "how long a failed look-up is believed"},
    {"limits.statement_bytes", field<StatementBytes, &Config::limits, &Limits::statement_bytes>,
     "64MiB", "largest message that weir has to see whole"},
    {"limits.login_bytes", field<LoginBytes, &Config::limits, &Limits::login_bytes>, "64KiB",
     "largest message of a client that has not logged in"},
    {"listeners", section<Config>(read_listeners)},
    {"http.address", field<At<Over::Tcp>, &Config::http, &Http::address>, "",
     "where the page and /metrics are; absent = nowhere"},
    {"admin.socket", field<At<Over::Unix>, &Config::admin, &Admin::socket>, "",
     "socket of the console; absent = a place by account"},
    {"admin.users", names<&Config::admin, &Admin::users>, "[]", "may do everything in the console"},
    {"admin.stats_users", names<&Config::admin, &Admin::stats_users>, "[]",
     "may look at everything in the console"},
    {"auth.method", field<OneOf<kMethods>, &Config::auth, &Auth::method>, "scram-sha-256",
     "how clients log in"},
    {"auth.users_file", kAuthFile<&Auth::users_file>, "",
     "names and secrets in PgBouncer's format"},
    {"auth.hba_file", kAuthFile<&Auth::hba_file>, "",
     "who logs in how from where, in the format of pg_hba.conf"},
    {"auth.ident_file", kAuthFile<&Auth::ident_file>, "",
     "who may be which user, in the format of pg_ident.conf"},
    {"auth.scram_iterations", field<Whole<1, 1'000'000>, &Config::auth, &Auth::scram_iterations>,
     "4096", "work of SCRAM logins whose secret is a plain password"},
    {"auth.query.database", field<SomeText, &Config::auth, &Auth::query, &Auth::Query::database>,
     "", "where users that have no secret here are looked up; absent = nowhere"},
    {"auth.query.user", field<SomeText, &Config::auth, &Auth::query, &Auth::Query::user>, "",
     "as whom they are looked up"},
    {"auth.query.sql", field<SomeText, &Config::auth, &Auth::query, &Auth::Query::sql>,
     Auth::Query::kSql, "gives name, verifier, and perhaps valid_until, can_login of the user $1"},
    {"auth.query.group_sql", field<SomeText, &Config::auth, &Auth::query, &Auth::Query::group_sql>,
     "", "gives the roles that the user $1 is a member of, for +role in hba_file"},
    {"auth.query.ttl", field<Period<>, &Config::auth, &Auth::query, &Auth::Query::ttl>, "30s",
     "how long a user that was found is believed"},
    {"auth.query.negative_ttl",
     field<Period<>, &Config::auth, &Auth::query, &Auth::Query::negative_ttl>, "5s",
     "how long one that was not"},
    {"auth.pam.service", field<SomeText, &Config::auth, &Auth::pam_service>, "weir",
     "the PAM service that decides with method pam"},
    {"auth.ldap.url", field<LdapUrl, &Config::auth, &Auth::ldap, &Ldap::url>, "",
     "the directory that decides with method ldap"},
    {"auth.ldap.start_tls", field<YesNo, &Config::auth, &Auth::ldap, &Ldap::start_tls>, "false",
     "encrypt connections to ldap://"},
    {"auth.ldap.base_dn", field<SomeText, &Config::auth, &Auth::ldap, &Ldap::base_dn>, "",
     "below it, who logs in is looked for"},
    {"auth.ldap.bind_dn", field<SomeText, &Config::auth, &Auth::ldap, &Ldap::bind_dn>, "",
     "as whom it is looked for; absent = as nobody"},
    {"auth.ldap.bind_password", field<Hidden, &Config::auth, &Auth::ldap, &Ldap::bind_password>, "",
     "with this password"},
    {"auth.ldap.filter", field<LdapFilter, &Config::auth, &Auth::ldap, &Ldap::filter>,
     "(uid={user})", "what is looked for; {user} is the client's name"},
    {"auth.brake.failures",
     field<Whole<0, 1'000'000>, &Config::auth, &Auth::brake, &Auth::Brake::failures>, "10",
     "failed logins as one user from one address, then it has to wait; 0 = off"},
    {"auth.brake.window", field<Period<kSecond>, &Config::auth, &Auth::brake, &Auth::Brake::window>,
     "1m", "from the first of them"},
    {"auth.passthrough_cache", field<Period<>, &Config::auth, &Auth::passthrough_cache>, "1m",
     "how long a login that a server has accepted is believed; 0 = never"},
    {"users", section<Config>(read_users)},
    {"hosts", section<Config>(read_hosts)},
    {"defaults", section<Config>(read_defaults)},
    {"databases", section<Config>(read_databases)},
};

// The name of a file, relative to that of the configuration.
template <auto Member>
void read_tls_file(Reading& reading, const Value& value, auto& owner) {
  std::string& name = owner.tls.*Member;
  read_scalar<SomeText>(reading, value, name);
  name = reading.resolve(name, value.place.source);
  if (!name.empty() && !std::ifstream(name))
    reading.complain(value.place, value.path,
                     std::string("expected a file that can be read: ") + std::strerror(errno));
}

template <class Owner, auto Member>
constexpr Field<Owner> kTlsFile{
    [](Reading& reading, const Value& value, Owner& owner) {
      read_tls_file<Member>(reading, value, owner);
    },
    [] { return std::string("a file name"); },
    [](const Owner& owner) { return Text::show(owner.tls.*Member); },
    [](const Owner& from, Owner& to) { to.tls.*Member = from.tls.*Member; },
    [](const Owner& a, const Owner& b) { return a.tls.*Member == b.tls.*Member; }};

constexpr Option<Listener> kListener[] = {
    {"protocol", field<SomeText, &Listener::protocol>, "", "what clients speak"},
    {"address", field<At<Over::Any>, &Listener::address>, "", "where they connect"},
    {"mode", field<FileMode, &Listener::mode>, "\"0777\"", "permissions of a unix socket"},
    {"group", field<Text, &Listener::group>, "", "group of a unix socket; absent = weir's"},
    {"database", field<SomeText, &Listener::database>, "",
     "the database of all its clients; absent = the client names one"},
    {"auth.method", field<OneOf<kMethods>, &Listener::auth, &Listener::Auth::method>, "",
     "how its clients log in; absent = auth.method of all"},
    {"proxy_protocol.from", kNetworks, "[]",
     "balancers that say by the PROXY protocol who is behind them"},
    {"tls.mode", field<OneOf<kTlsModes>, &Listener::tls, &Tls::mode>, "disable",
     "whether its clients may or must encrypt, and show a certificate"},
    {"tls.cert", kTlsFile<Listener, &Tls::cert>, "", "weir's certificate, and those above it"},
    {"tls.key", kTlsFile<Listener, &Tls::key>, "", "its key"},
    {"tls.ca", kTlsFile<Listener, &Tls::ca>, "", "who signs clients' certificates"},
    {"tls.min_version", field<OneOf<kTlsVersions>, &Listener::tls, &Tls::min_version>, "1.2",
     "older TLS is refused"},
    {"tls.ciphers", field<Text, &Listener::tls, &Tls::ciphers>, "",
     "for TLS 1.2 and below, as OpenSSL writes them; absent = its own"},
};

constexpr Option<User> kUser[] = {
    {"password", field<Hidden, &User::password>, "", "plain text, md5… or SCRAM-SHA-256$…"},
    {"pool", section<User>(read_user_pool)},
    {"timeouts", section<User>(read_user_timeouts)},
    {"max_client_connections", field<Connections, &User::max_client_connections>, "0",
     "clients of this user at once; 0 = no limit"},
    {"max_server_connections", field<Connections, &User::max_server_connections>, "0",
     "servers logged in as this user, over all databases; 0 = no limit"},
};

constexpr Option<HostLimit> kHost[] = {
    {"max_server_connections", field<Connections, &HostLimit::max_server_connections>, "0",
     "connections to this host, over all databases; 0 = no limit"},
};

constexpr Option<Defaults> kDefaults[] = {
    {"pool", section<Defaults>(read_defaults_pool)},
    {"timeouts", section<Defaults>(read_defaults_timeouts)},
};

constexpr Option<Database> kDatabase[] = {
    {"url", kUrl, "", "where the database is"},
    {"user", field<SomeText, &Database::user>, "", "logs in as; absent = the client's own name"},
    {"password", field<Hidden, &Database::password>, "",
     "logs in with; absent = the user's own secret"},
    {"pool", section<Database>(read_database_pool)},
    {"timeouts", section<Database>(read_database_timeouts)},
    {"settings", texts_by_name<&Database::settings>(read_settings), "{}",
     "set on every server connection"},
    {"create", field<YesNo, &Database::create>, "true", "make the file when there is none"},
    {"durability", field<OneOf<kDurabilities>, &Database::durability>, "normal",
     "full = a commit survives the loss of power"},
    {"target_session_attrs", field<OneOf<kSessionAttrs>, &Database::target_session_attrs>, "any",
     "what a server has to be; others of its hosts are tried"},
    {"load_balance_hosts", field<OneOf<kLoadBalances>, &Database::load_balance_hosts>,
     "round_robin", "which of its hosts comes first"},
    {"failover_partner", kPartner, "",
     "a host that is tried when none of the url's can be reached"},
    {"read_only", kReadOnly, "[]",
     "hosts for clients that announce that they only read (ApplicationIntent=ReadOnly; "
     "default_transaction_read_only)"},
    {"max_protocol_version", field<OneOf<kProtocolVersions>, &Database::newest_protocol>, "3.0",
     "the newest version of the protocol that servers are asked for"},
    {"tls.mode", field<OneOf<kTlsModes>, &Database::tls, &Tls::mode>, "prefer",
     "whether servers may or must encrypt, and whom they must be"},
    {"tls.ca", kTlsFile<Database, &Tls::ca>, "",
     "who signs the servers' certificates; absent = whom the machine trusts"},
    {"tls.cert", kTlsFile<Database, &Tls::cert>, "", "what weir shows to servers that ask"},
    {"tls.key", kTlsFile<Database, &Tls::key>, "", "its key"},
    {"tls.server_name", field<SomeText, &Database::tls, &Tls::server_name>, "",
     "the name that is asked for and verified; absent = the host's"},
    {"tls.min_version", field<OneOf<kTlsVersions>, &Database::tls, &Tls::min_version>, "1.2",
     "older TLS is refused"},
    {"tls.ciphers", field<Text, &Database::tls, &Tls::ciphers>, "",
     "for TLS 1.2 and below, as OpenSSL writes them; absent = its own"},
    {"tls.negotiation", field<OneOf<kTlsNegotiations>, &Database::tls, &Tls::negotiation>,
     "postgres", "direct = TLS from the first byte, without asking (PostgreSQL 17)"},
    {"tls.channel_binding", field<OneOf<kChannelBindings>, &Database::tls, &Tls::channel_binding>,
     "prefer", "whether logins may or must be bound to the TLS channel (SCRAM-SHA-256-PLUS)"},
    {"lanes", field<Whole<1, 256>, &Database::lanes>, "1", "connections shared by many clients"},
    {"pubsub", field<OneOf<kPubsubs>, &Database::pubsub>, "hub",
     "pin = each client that subscribes has a server to itself"},
    {"retry_reads", field<YesNo, &Database::retry_reads>, "false",
     "whether commands that only read are sent once more when their connection is lost"},
    {"command_class", texts_by_name<&Database::command_class>(read_command_class), "{}",
     "which connection commands need, by name"},
};

constexpr Option<PoolOptions> kPool[] = {
    {"mode", field<OneOf<kModes>, &PoolOptions::mode>, "transaction",
     "how long a client keeps its server"},
    {"size", field<Whole<1>, &PoolOptions::size>, "20",
     "server connections per (database, server user), on the whole machine"},
    {"min", field<Whole<>, &PoolOptions::min>, "0", "kept open"},
    {"overflow", field<Whole<>, &PoolOptions::overflow>, "0",
     "further ones, opened when a client has waited for overflow_after"},
    {"overflow_after", field<Period<>, &PoolOptions::overflow_after>, "5s",
     "wait before overflow is used"},
    {"acquire_timeout", field<Period<>, &PoolOptions::acquire_timeout>, "30s",
     "how long a client may wait for a server; 0 = without end"},
    {"connect_timeout", field<Period<kMillisecond>, &PoolOptions::connect_timeout>, "5s",
     "connecting and logging in to a server"},
    {"retry.min", field<Period<kMillisecond>, &PoolOptions::retry, &PoolOptions::Retry::min>,
     "250ms", "first pause after a failed login"},
    {"retry.max", field<Period<kMillisecond>, &PoolOptions::retry, &PoolOptions::Retry::max>, "15s",
     "longest pause after failed logins"},
    {"idle_timeout", field<Period<>, &PoolOptions::idle_timeout>, "10m",
     "an idle server is closed after this; 0 = never"},
    {"max_lifetime", field<Period<>, &PoolOptions::max_lifetime>, "1h",
     "a server is replaced after this, with jitter; 0 = never"},
    {"check_after", field<Period<>, &PoolOptions::check_after>, "30s",
     "a server idle for longer is checked before use; 0 = never"},
    {"check_interval", field<Period<>, &PoolOptions::check_interval>, "60s",
     "idle servers are checked in the background this often; 0 = never"},
    {"reset", field<ResetText, &PoolOptions::reset>, "auto",
     "what is done when a server comes back"},
    {"connect_query", field<Text, &PoolOptions::connect_query>, "\"\"",
     "sent once on every new server"},
    {"pick", field<OneOf<kPicks>, &PoolOptions::pick>, "lifo", "which idle server is lent"},
    {"queue", field<OneOf<kQueues>, &PoolOptions::queue>, "fair", "which waiting client is next"},
    {"queue_notice", field<Period<>, &PoolOptions::queue_notice>, "5s",
     "a client that waits longer gets a NOTICE; 0 = none"},
    {"prepared_statements", field<Whole<0, 1'000'000>, &PoolOptions::prepared_statements>, "200",
     "kept per server, least recently used go first; 0 = off"},
    {"max_server_connections", field<Connections, &PoolOptions::max_server_connections>, "0",
     "over all users of the database; 0 = no limit"},
    {"max_client_connections", field<Connections, &PoolOptions::max_client_connections>, "0",
     "clients of the database at once; 0 = no limit"},
};

constexpr Option<Timeouts> kTimeouts[] = {
    {"query", field<Period<>, &Timeouts::query>, "0", "one request and its answer"},
    {"transaction", field<Period<>, &Timeouts::transaction>, "0", "a transaction as a whole"},
    {"idle_in_transaction", field<Period<>, &Timeouts::idle_in_transaction>, "0",
     "a client silent inside a transaction"},
    {"client_idle", field<Period<>, &Timeouts::client_idle>, "0",
     "a client silent outside a transaction"},
    {"client_login", field<Period<>, &Timeouts::client_login>, "60s", "from accept to logged in"},
    {"client_stall", field<Period<>, &Timeouts::client_stall>, "0",
     "a client that does not read what it is sent"},
    {"pin_idle", field<Period<>, &Timeouts::pin_idle>, "10m",
     "a client silent that keeps a server outside a transaction"},
    {"cancel", field<Period<kMillisecond>, &Timeouts::cancel>, "10s",
     "a cancel request to a server"},
};

template <const auto& Table>
std::string words_of(const auto& values) {
  std::string out;
  for (const auto value : values) out += (out.empty() ? "" : ", ") + OneOf<Table>::show(value);
  return out;
}

template <class Owner>
void append_texts(const char* group, std::span<const Option<Owner>> options,
                  std::vector<OptionText>& out) {
  for (const Option<Owner>& option : options) {
    if (!option.field.takes) continue;
    out.push_back({std::string(group) + std::string(option.name), option.field.takes(),
                   std::string(option.fallback), std::string(option.meaning)});
  }
}

}  // namespace

void read_url_parameters(Database& database) {
  const auto& parameters = database.url.parameters;
  Tls& tls = database.tls;
  const auto read = [&](const char* parameter, const char* option, auto parse) {
    const auto found = parameters.find(parameter);
    if (found != parameters.end() && !database.given.contains(option)) parse(found->second);
  };
  read("target_session_attrs", "target_session_attrs", [&](const std::string& text) {
    OneOf<kSessionAttrs>::parse(text, database.target_session_attrs);
  });
  read("load_balance_hosts", "load_balance_hosts", [&](const std::string& text) {
    OneOf<kLoadBalances>::parse(text, database.load_balance_hosts);
  });
  read("max_protocol_version", "max_protocol_version", [&](const std::string& text) {
    OneOf<kProtocolVersions>::parse(text, database.newest_protocol);
  });
  read("sslmode", "tls.mode",
       [&](const std::string& text) { OneOf<kTlsModes>::parse(text, tls.mode); });
  read("encrypt", "tls.mode",
       [&](const std::string& text) { OneOf<kEncrypts>::parse(text, tls.mode); });
  read("sslnegotiation", "tls.negotiation",
       [&](const std::string& text) { OneOf<kTlsNegotiations>::parse(text, tls.negotiation); });
  read("channel_binding", "tls.channel_binding",
       [&](const std::string& text) { OneOf<kChannelBindings>::parse(text, tls.channel_binding); });
}

std::string words(const std::vector<TlsMode>& modes) { return words_of<kTlsModes>(modes); }
std::string words(const std::vector<PoolMode>& modes) { return words_of<kModes>(modes); }
std::string words(const std::vector<AuthMethod>& methods) { return words_of<kMethods>(methods); }

std::span<const Option<Config>> top_options() { return kTop; }
std::span<const Option<Listener>> listener_options() { return kListener; }
std::span<const Option<User>> user_options() { return kUser; }
std::span<const Option<HostLimit>> host_options() { return kHost; }
std::span<const Option<Defaults>> defaults_options() { return kDefaults; }
std::span<const Option<Database>> database_options() { return kDatabase; }
std::span<const Option<PoolOptions>> pool_options() { return kPool; }
std::span<const Option<Timeouts>> timeout_options() { return kTimeouts; }

std::vector<OptionText> option_texts() {
  std::vector<OptionText> out;
  append_texts("", top_options(), out);
  append_texts("listeners[].", listener_options(), out);
  append_texts("users.NAME.", user_options(), out);
  append_texts("hosts.HOST:PORT.", host_options(), out);
  append_texts("databases.NAME.", database_options(), out);
  append_texts("pool.", pool_options(), out);
  append_texts("timeouts.", timeout_options(), out);
  return out;
}

}  // namespace weir::config
