#include "tls.h"

namespace weir::app {

using config::TlsMode;

namespace {

// Redis has no name there.
std::vector<std::string> alpn_of(std::string_view protocol) {
  if (protocol == "postgres") return {"postgresql"};
  return {};
}

}  // namespace

base::Result<net::TlsContextPtr> client_tls(const config::Tls& tls, std::string_view protocol) {
  if (tls.mode == TlsMode::Disable) return net::TlsContextPtr();
  return net::make_tls_server({.cert = tls.cert,
                               .key = tls.key,
                               .ca = tls.ca,
                               .min_version = tls.min_version,
                               .ciphers = tls.ciphers,
                               .alpn = alpn_of(protocol)});
}

base::Result<net::TlsContextPtr> server_tls(const config::Tls& tls, std::string_view protocol) {
  if (tls.mode == TlsMode::Disable) return net::TlsContextPtr();
  return net::make_tls_client(
      {.cert = tls.cert,
       .key = tls.key,
       .ca = tls.ca,
       .verifies = tls.mode == TlsMode::VerifyCa || tls.mode == TlsMode::VerifyFull,
       .verifies_name = tls.mode == TlsMode::VerifyFull,
       .min_version = tls.min_version,
       .ciphers = tls.ciphers,
       .alpn = alpn_of(protocol)});
}

protocol::Encryption server_encryption(const config::Tls& tls) {
  if (tls.negotiation == config::TlsNegotiation::Direct) return protocol::Encryption::Direct;
  switch (tls.mode) {
    case TlsMode::Disable: return protocol::Encryption::None;
    case TlsMode::Allow: return protocol::Encryption::Fallback;
    case TlsMode::Prefer: return protocol::Encryption::Offered;
    default: return protocol::Encryption::Required;
  }
}

protocol::Encryption client_encryption(const config::Tls& tls) {
  return tls.mode >= TlsMode::Require ? protocol::Encryption::Required
                                      : protocol::Encryption::Offered;
}

}  // namespace weir::app
