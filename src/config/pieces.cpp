// Configurations without a file: from --database and --listen, from the environment, and the demo.
#include <algorithm>
#include <cctype>

#include "finish.h"
#include "options.h"
#include "scalars.h"
#include "url.h"

namespace weir::config {

namespace {

constexpr std::string_view kVariablePrefix = "WEIR_DATABASE_";
constexpr uint16_t kPagePort = 9930;

Address loopback(uint16_t port) { return {Address::Kind::Tcp, "127.0.0.1", port, {}}; }

class PieceReader {
 public:
  explicit PieceReader(const Surroundings& around) : reading_(around) {
    reading_.add_source("the command line", {});
  }

  void add_database(const Piece& piece) {
    const Place place{reading_.add_source(piece.origin, {}), 0, 0};
    const size_t equals = piece.text.find('=');
    const std::string name = piece.text.substr(0, equals);
    if (equals == std::string::npos || name.empty() || name.find("://") != std::string::npos) {
      reading_.complain(place, {}, "expected NAME=URL");
      return;
    }
    if (!reading_.claim(join_path("databases", name), place)) return;
    auto parsed = parse_url(std::string_view(piece.text).substr(equals + 1), reading_.around());
    if (!parsed) {
      reading_.complain(place, join_path({}, name), parsed.error().text);
      return;
    }
    add_login(*parsed, name, place);
    Database& database = config_.databases[name];
    database.name = name;
    database.protocol = parsed->protocol->name;
    database.clients = clients_of(*parsed->protocol);
    database.url = std::move(parsed->url);
    read_url_parameters(database);
    const auto& options = parsed->protocol->options;
    if (std::find(options.begin(), options.end(), "user") != options.end()) {
      database.user = std::move(parsed->user);
      database.password = std::move(parsed->password);
    }
  }

  void add_listener(const Piece& piece) {
    const Place place{reading_.add_source(piece.origin, {}), 0, 0};
    auto listener = parse_listener(piece.text, reading_.around());
    if (!listener) {
      reading_.complain(place, {}, listener.error().text);
      return;
    }
    const std::string path = "listeners[" + std::to_string(config_.listeners.size()) + ']';
    reading_.claim(path, place);
    config_.listeners.push_back(std::move(*listener));
  }

  Loaded done() {
    if (config_.listeners.empty()) add_usual_listeners();
    settle_auth();
    config_.source = "the command line";
    finish(reading_, config_);
    return {std::move(config_), reading_.take_problems()};
  }

 private:
  // Clients log in with what the URL says.
  void add_login(const ParsedUrl& parsed, const std::string& name, Place place) {
    std::string user = parsed.user;
    if (user.empty() && parsed.password.empty() && parsed.protocol->logins_have_passwords) {
      reading_.complain(place, join_path({}, name),
                        "expected user:password@ in the URL: these servers let nobody in without");
    } else if (parsed.password.empty()) {
      without_password_.emplace_back(name, place);
    } else {
      has_password_ = true;
      if (user.empty()) user = parsed.protocol->default_user;
      if (user.empty()) {
        reading_.complain(place, join_path({}, name), "expected a user before the password");
      }
    }
    if (user.empty()) return;
    const auto [at, is_new] = config_.users.try_emplace(user);
    User& entry = at->second;
    entry.name = user;
    if (is_new) entry.password = parsed.password;
    if (entry.password == parsed.password) return;
    reading_.complain(place, join_path({}, name),
                      "the user " + masked(user) + " has another password in another URL");
  }

  void add_usual_listeners() {
    for (const auto& [name, database] : config_.databases) {
      const auto* protocol = find_protocol(reading_.around(), database.protocol);
      const auto* clients = find_protocol(reading_.around(), clients_of(*protocol));
      if (!clients || clients->listen_port == 0) continue;
      Listener listener;
      listener.protocol = clients->name;
      listener.address = loopback(clients->listen_port);
      auto& all = config_.listeners;
      if (std::find(all.begin(), all.end(), listener) == all.end()) all.push_back(listener);
    }
  }

  void settle_auth() {
    const bool all_local =
        std::all_of(config_.listeners.begin(), config_.listeners.end(),
                    [](const Listener& listener) { return listener.address.is_local(); });
    if (!has_password_) config_.auth.method = AuthMethod::Trust;
    if (!has_password_ && all_local) return;
    for (const auto& [name, place] : without_password_) {
      reading_.complain(place, join_path({}, name),
                        has_password_ ? "expected user:password@ in the URL, as in the others"
                                      : "expected user:password@ in the URL: without a password, "
                                        "clients are let in on local addresses only");
    }
  }

  Reading reading_;
  Config config_;
  bool has_password_ = false;
  std::vector<std::pair<std::string, Place>> without_password_;
};

}  // namespace

std::vector<Piece> database_pieces(const char* const* environment) {
  std::vector<Piece> pieces;
  for (; environment && *environment; ++environment) {
    const std::string_view entry(*environment);
    const size_t equals = entry.find('=');
    if (!entry.starts_with(kVariablePrefix) || equals == std::string_view::npos) continue;
    std::string name(entry.substr(kVariablePrefix.size(), equals - kVariablePrefix.size()));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    pieces.push_back(
        {'$' + std::string(entry.substr(0, equals)), name + std::string(entry.substr(equals))});
  }
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.origin < b.origin; });
  return pieces;
}

Loaded from_pieces(const Pieces& pieces, const Surroundings& around) {
  PieceReader reader(around);
  for (const Piece& piece : pieces.databases) reader.add_database(piece);
  for (const Piece& piece : pieces.listeners) reader.add_listener(piece);
  return reader.done();
}

Loaded demo(const std::string& sqlite_file, const Surroundings& around) {
  Reading reading(around);
  reading.add_source("the demo", {});
  Config config;
  config.source = "the demo";
  for (const ProtocolDescriptor& protocol : around.protocols) {
    if (protocol.path != ProtocolDescriptor::Path::File || !config.databases.empty()) continue;
    Database& database = config.databases["demo"];
    database.name = "demo";
    database.protocol = protocol.name;
    database.clients = clients_of(protocol);
    database.url.scheme = protocol.schemes.at(0);
    database.url.path = sqlite_file;
    Listener& listener = config.listeners.emplace_back();
    listener.protocol = clients_of(protocol);
    const auto* clients = find_protocol(around, listener.protocol);
    listener.address = loopback(clients ? clients->listen_port : 0);
  }
  User& user = config.users["demo"];
  user.name = "demo";
  user.password = Secret("demo");
  config.admin.users = {"demo"};
  config.http.address = loopback(kPagePort);
  finish(reading, config);
  return {std::move(config), reading.take_problems()};
}

base::Result<Listener> parse_listener(std::string_view text, const Surroundings& around) {
  const auto wrong = [](std::string expected) {
    return base::Error{base::ErrorKind::Config, std::move(expected)};
  };
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return wrong("expected PROTOCOL:ADDRESS");
  const auto* protocol = find_protocol(around, text.substr(0, colon));
  if (!protocol || protocol->listen_port == 0) {
    return wrong("expected PROTOCOL:ADDRESS, with one of these protocols: " +
                 listening_protocols(around));
  }
  auto address = parse_address(text.substr(colon + 1));
  if (!address) return address.error();
  Listener listener;
  listener.protocol = protocol->name;
  listener.address = std::move(*address);
  return listener;
}

}  // namespace weir::config
