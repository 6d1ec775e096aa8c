// From text to Config: a file with its includes, or pieces of the command line. All errors at once.
// Blocking file reads; called at start, at a reload and by `weir check`, never inside a relay.
#pragma once

#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/result.h>
#include <weir/config/config.h>

namespace weir::config {

// What config learns of a protocol. `app` passes these in as values.
struct ProtocolDescriptor {
  enum class Path : uint8_t {
    Name,    // scheme://hosts/name: a database; absent = the name that the client asked for
    Number,  // scheme://hosts/number; absent = 0
    File,    // scheme:///path/of/a/file: no hosts
  };
  struct Parameter {
    std::string name;
    std::vector<std::string> values = {};  // empty: any
  };
  std::string name;          // of the protocol: "postgres"
  std::string clients = {};  // the protocol of the clients of its databases; "" = its own name
  std::vector<std::string> schemes;  // of URLs: "postgres", "postgresql"
  // That of them whose servers speak TLS, which they do from the first byte on. "": a server is
  // asked, or speaks none.
  std::string tls_scheme = {};
  Path path = Path::Name;
  bool sockets_are_files = false;  // a host /path is the socket; else it is libpq's directory
  uint16_t server_port = 0;        // of a URL without a port
  uint16_t listen_port = 0;  // of 127.0.0.1 when no file says otherwise; 0: cannot be listened for
  // What auth.method may be for its clients, and whether any other but passthrough stands for the
  // password of `users`.
  std::vector<AuthMethod> login_methods = {
      AuthMethod::Trust,       AuthMethod::Plain, AuthMethod::Md5,
      AuthMethod::ScramSha256, AuthMethod::Cert,  AuthMethod::Peer,
      AuthMethod::Hba,         AuthMethod::Pam,   AuthMethod::Ldap};
  bool other_methods_are_plain = false;
  bool clients_name_database = true;  // false: a listener needs `database` unless there is only one
  bool logins_have_passwords = false;  // its servers let nobody in without one
  std::string default_user = {};       // of a URL with a password alone: redis://:secret@host
  std::vector<Parameter> parameters =
      {};  // of URLs; host, port, user, password, dbname mean what libpq says
  // Of its databases, besides those that all have: user password settings tls tls.negotiation …
  std::vector<std::string> options = {};
  // What tls.mode may be for its listeners, and for its databases.
  static constexpr TlsMode kUsualTlsModes[] = {TlsMode::Disable,  TlsMode::Allow,
                                               TlsMode::Prefer,   TlsMode::Require,
                                               TlsMode::VerifyCa, TlsMode::VerifyFull};
  std::vector<TlsMode> listener_tls_modes{std::begin(kUsualTlsModes), std::end(kUsualTlsModes)};
  std::vector<TlsMode> server_tls_modes{std::begin(kUsualTlsModes), std::end(kUsualTlsModes)};
  // What pool.mode may be for its databases, and is unless the configuration says something.
  std::vector<PoolMode> pool_modes = {PoolMode::Session, PoolMode::Transaction,
                                      PoolMode::Statement};
  PoolMode pool_mode = PoolMode::Transaction;
  std::vector<std::string> command_classes = {};  // what `command_class` takes
  // Commands of which it may not say anything, and why.
  std::vector<std::pair<std::string, std::string>> fixed_commands = {};
};

// The world as load() sees it. An empty `variable` stands for getenv.
struct Surroundings {
  std::vector<ProtocolDescriptor> protocols;
  std::function<std::optional<std::string>(const std::string& name)> variable = {};
};

// One thing wrong. text() is what people see, never with a secret:
//   weir.yaml:3:9: defaults.pool.size: expected a whole number of at least 1
//       size: many
//             ^
struct Problem {
  std::string file;
  int line = 0;  // from 1; 0: the whole file, or no file at all
  int column = 0;
  std::string key;
  std::string expected;
  std::string source;  // the line, masked where it may hold a secret
  std::string text() const;
};

// Like Result<Config>, with every error.
struct [[nodiscard]] Loaded {
  Config config;
  std::vector<Problem> problems;

  explicit operator bool() const { return problems.empty(); }
  std::string report() const;  // all problems, one text
  base::Error error() const { return {base::ErrorKind::Config, report()}; }
};

Loaded load(const std::string& file, const Surroundings& around);
// The same for a text at hand; relative names in it start at the directory of `file`.
Loaded load_text(std::string_view text, const std::string& file, const Surroundings& around);

// ---------------------------------------------------------------- without a file

// `origin` is what an error names: "--database", "$WEIR_DATABASE_APP".
struct Piece {
  std::string origin;
  std::string text;
};

struct Pieces {
  std::vector<Piece> databases;  // NAME=URL
  std::vector<Piece> listeners;  // PROTOCOL:ADDRESS
};

// Every $WEIR_DATABASE_NAME of an environment like `environ`, as a piece with the name lower-cased.
std::vector<Piece> database_pieces(const char* const* environment);

// Clients log in with each URL's user and password, on `listeners` or else on 127.0.0.1 at the
// protocols' listen_port. When no URL has a password, everybody is let in, but only on local
// addresses.
Loaded from_pieces(const Pieces& pieces, const Surroundings& around);

// Database demo in `sqlite_file`, user and password demo, who is console admin; postgres on
// 127.0.0.1:6432, page on :9930. The first descriptor whose URLs are files serves it.
Loaded demo(const std::string& sqlite_file, const Surroundings& around);

// PROTOCOL:ADDRESS and addresses alone: host:port, [v6]:port, unix:/path, unix:@name. Errors of
// kind Config.
base::Result<Listener> parse_listener(std::string_view text, const Surroundings& around);
base::Result<Address> parse_address(std::string_view text);
// Of a listener whose clients do not say which database they want: the only one that they can have.
// Errors of kind Config.
base::Status choose_database(Listener& listener, const Config& config, const Surroundings& around);
// 250ms 30s 10m 1h 2d 0, with a unit unless 0; 64KiB 1MiB 1GiB, or bytes without a unit.
base::Result<Duration> parse_duration(std::string_view text);
base::Result<size_t> parse_size(std::string_view text);

// PgBouncer's userlist.txt: "user" "secret", "" inside quotes for a quote, ; for a comment. Text of
// `file`.
struct UserSecret {
  std::string name;
  Secret secret;
  int line = 0;
};
struct UsersFile {
  std::vector<UserSecret> users;
  std::vector<Problem> problems;
};
UsersFile parse_users_file(std::string_view text, const std::string& file);

}  // namespace weir::config
