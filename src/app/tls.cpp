#include "tls.h"

namespace weir::app {

using config::TlsMode;

namespace {

// Redis has no name there, and SQL Server has one only where TLS comes first.
std::vector<std::string> alpn_of(std::string_view protocol, bool comes_first) {
  if (protocol == "postgres") return {"postgresql"};
  if (protocol == "tds" && comes_first) return {"tds/8.0"};
  return {};
}

bool verifies_name(TlsMode mode) { return mode == TlsMode::VerifyFull || mode == TlsMode::Strict; }

}  // namespace

base::Result<net::TlsContextPtr> client_tls(const config::Tls& tls, std::string_view protocol) {
  if (tls.mode == TlsMode::Disable) return net::TlsContextPtr();
  return net::make_tls_server({.cert = tls.cert,
                               .key = tls.key,
                               .ca = tls.ca,
                               .min_version = tls.min_version,
                               .ciphers = tls.ciphers,
                               .alpn = alpn_of(protocol, true)});  // the client decides
}

base::Result<net::TlsContextPtr> server_tls(const config::Tls& tls, std::string_view protocol) {
  if (tls.mode == TlsMode::Disable) return net::TlsContextPtr();
  return net::make_tls_client({.cert = tls.cert,
                               .key = tls.key,
                               .ca = tls.ca,
                               .verifies = tls.mode == TlsMode::VerifyCa || verifies_name(tls.mode),
                               .verifies_name = verifies_name(tls.mode),
                               .min_version = tls.min_version,
                               .ciphers = tls.ciphers,
                               .alpn = alpn_of(protocol, tls.mode == TlsMode::Strict)});
}

// A server of SQL Server's that has TLS encrypts at least the login; all of it only for who wants
// that.
protocol::Encryption server_encryption(const config::Tls& tls, std::string_view protocol) {
  if (tls.negotiation == config::TlsNegotiation::Direct) return protocol::Encryption::Direct;
  switch (tls.mode) {
    case TlsMode::Disable: return protocol::Encryption::None;
    case TlsMode::Allow: return protocol::Encryption::Fallback;
    case TlsMode::Login: return protocol::Encryption::LoginOnly;
    case TlsMode::Prefer:
      return protocol == "tds" ? protocol::Encryption::LoginOnly : protocol::Encryption::Offered;
    case TlsMode::Strict: return protocol::Encryption::Direct;
    default: return protocol::Encryption::Required;
  }
}

protocol::Encryption client_encryption(const config::Tls& tls) {
  switch (tls.mode) {
    case TlsMode::Disable: return protocol::Encryption::None;
    case TlsMode::Login: return protocol::Encryption::LoginOnly;
    case TlsMode::Allow:
    case TlsMode::Prefer: return protocol::Encryption::Offered;
    case TlsMode::Strict: return protocol::Encryption::Direct;
    default: return protocol::Encryption::Required;
  }
}

}  // namespace weir::app
