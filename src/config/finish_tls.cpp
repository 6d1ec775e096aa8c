// TLS of listeners and databases: what the protocol, the scheme of the URL and the options say
// together.
#include "finish.h"
#include "options.h"

namespace weir::config {

namespace {

void check(Reading& reading, const Tls& tls, const std::string& path, bool needs_cert) {
  if (tls.mode == TlsMode::Disable) return;
  if (needs_cert && tls.cert.empty())
    reading.complain_of(path + ".cert", "expected to be given, as mode is not disable");
  if (tls.cert.empty() != tls.key.empty())
    reading.complain_of(path + (tls.key.empty() ? ".key" : ".cert"),
                        "expected to be given: certificate and key belong together");
  const bool verifies = tls.mode == TlsMode::VerifyCa || tls.mode == TlsMode::VerifyFull;
  if (needs_cert && verifies && tls.ca.empty())
    reading.complain_of(path + ".ca", "expected to be given, as mode verifies clients");
}

// Where TLS is spoken from the first byte on or not at all, the scheme says which, and so does the
// mode.
void settle_tls_at_once(Reading& reading, const ProtocolDescriptor& protocol, Database& database) {
  const std::string path = join_path("databases", database.name);
  Tls& tls = database.tls;
  const bool by_scheme = database.url.scheme == protocol.tls_scheme;
  const bool has_mode = database.given.contains("tls.mode");
  if (!has_mode) tls.mode = by_scheme ? TlsMode::VerifyFull : TlsMode::Disable;
  const bool demands =
      tls.mode >= TlsMode::Require && contains(protocol.server_tls_modes, tls.mode);
  if (by_scheme && !demands)
    reading.complain_of(path + ".tls.mode",
                        "expected require, verify-ca or verify-full, as the url begins with " +
                            protocol.tls_scheme + "://");
  else if (!demands && tls.mode != TlsMode::Disable)
    reading.complain_of(path + ".tls.mode",
                        "expected disable, require, verify-ca or verify-full, as " + protocol.name +
                            " servers cannot be asked whether they speak TLS");
  const auto first = database.given.lower_bound("tls.");
  if (!demands && !has_mode && first != database.given.end() && first->starts_with("tls."))
    reading.complain_of(path + ".tls.mode", "expected to be given, or a url that begins with " +
                                                protocol.tls_scheme + "://");
  const auto is_socket = [](const Host& host) { return host.is_unix(); };
  if (demands && std::any_of(database.url.hosts.begin(), database.url.hosts.end(), is_socket))
    reading.complain_of(path + ".url", "expected no unix socket, as TLS is not spoken there");
  if (demands) tls.negotiation = TlsNegotiation::Direct;
}

struct Possible {
  const std::vector<TlsMode>& modes;
  std::string whose;
};

void check_mode(Reading& reading, const std::string& path, TlsMode mode, const Possible& possible) {
  if (!contains(possible.modes, mode))
    reading.complain_of(path,
                        "expected one of " + words(possible.modes) + " for " + possible.whose);
}

// What of the options is left depends on the protocol.
void settle(Reading& reading, const ProtocolDescriptor& protocol, Database& database) {
  const std::string path = join_path("databases", database.name) + ".tls";
  const auto has = [&](const std::string& option) { return contains(protocol.options, option); };
  Tls& tls = database.tls;
  if (!has("tls"))
    tls.mode = TlsMode::Disable;
  else if (!protocol.tls_scheme.empty())
    settle_tls_at_once(reading, protocol, database);
  else
    check_mode(reading, path + ".mode", tls.mode,
               {protocol.server_tls_modes, "a " + protocol.name + " database"});
  const bool is_direct = tls.negotiation == TlsNegotiation::Direct;
  if (is_direct && tls.mode < TlsMode::Require && has("tls.negotiation"))
    reading.complain_of(path + ".negotiation",
                        "direct needs mode require, verify-ca or verify-full");
}

}  // namespace

void settle_tls(Reading& reading, Database& database) {
  // Without a protocol, the url has been complained of.
  if (const auto* protocol = find_protocol(reading.around(), database.protocol))
    settle(reading, *protocol, database);
  check(reading, database.tls, join_path("databases", database.name) + ".tls", false);
}

void check_tls(Reading& reading, const Listener& listener, const std::string& path) {
  if (const auto* protocol = find_protocol(reading.around(), listener.protocol))
    check_mode(reading, path + ".tls.mode", listener.tls.mode,
               {protocol->listener_tls_modes, "clients of " + protocol->name});
  check(reading, listener.tls, path + ".tls", true);
}

}  // namespace weir::config
