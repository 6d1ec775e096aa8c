// What start-up reads for TLS, as OpenSSL holds it.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include <weir/net/tls.h>

namespace weir::net {

struct OpenTls final : TlsContext {
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, Free> ssl;
  bool verifies_name = false;
  std::string alpn;  // as it goes over the wire: lengths and names
};

// The first error of OpenSSL's queue in words, and the queue emptied.
std::string tls_error(const char* otherwise);

}  // namespace weir::net
