// TLS of listeners and databases: what the protocol, the scheme of the URL and the options say
// together.
#include "finish.h"
#include "options.h"

namespace weir::config {

namespace {

// Where TLS is spoken from the first byte on or not at all, the scheme says which, and so does the
// mode.
void settle_tls_at_once(Reading& reading, const ProtocolDescriptor& protocol, Database& database) {
  const std::string path = join_path("databases", database.name);
  Tls& tls = database.tls;
  const bool by_scheme = database.url.scheme == protocol.tls_scheme;
  const bool has_mode = database.given.contains("tls.mode");
  if (!has_mode) tls.mode = by_scheme ? TlsMode::VerifyFull : TlsMode::Disable;
  for (const char* name : {"tls.negotiation", "tls.channel_binding"})
    if (database.given.contains(name))
      reading.complain_of(path + '.' + name, "not an option of a " + protocol.name + " database");
  const bool demands = tls.mode >= TlsMode::Require;
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

}  // namespace

void settle_tls(Reading& reading, Database& database) {
  const ProtocolDescriptor* protocol = find_protocol(reading.around(), database.protocol);
  if (!protocol) return;  // the url has been complained of
  const auto& options = protocol->options;
  if (std::find(options.begin(), options.end(), "tls") == options.end())
    database.tls.mode = TlsMode::Disable;
  else if (!protocol->tls_scheme.empty())
    settle_tls_at_once(reading, *protocol, database);
}

void check_tls(Reading& reading, const Tls& tls, const std::string& path, bool needs_cert) {
  if (tls.negotiation == TlsNegotiation::Direct && tls.mode < TlsMode::Require)
    reading.complain_of(path + ".negotiation",
                        "direct needs mode require, verify-ca or verify-full");
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

}  // namespace weir::config
