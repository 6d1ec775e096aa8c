// TLS for talks in memory: certificates that are made once, a real handshake by OpenSSL on either
// side, and what may be said in clear around it. Shared by the fuzz targets.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net/tls.h>

#include "certificates.h"
#include "fake_stream.h"

namespace weir::fake {

struct TlsContexts {
  net::TlsContextPtr server;         // shows a certificate for "localhost"
  net::TlsContextPtr client;         // looks at it
  net::TlsContextPtr blind_client;   // does not
  net::TlsContextPtr other_client;   // speaks, but not of PostgreSQL
  net::TlsContextPtr silent_client;  // does not say for what (ALPN)
};

inline const TlsContexts& tls_contexts() {
  static const TlsContexts only = [] {
    Authority authority;
    authority.sign("localhost", "DNS:localhost");
    net::TlsServerOptions server;
    server.cert = authority.cert("localhost");
    server.key = authority.key("localhost");
    server.alpn = {"postgresql"};
    net::TlsClientOptions client;
    client.ca = authority.ca();
    client.alpn = {"postgresql"};
    net::TlsClientOptions looking = client, other = client, silent = client;
    looking.verifies = looking.verifies_name = true;
    other.alpn = {"h2"};
    silent.alpn = {};
    return TlsContexts{*net::make_tls_server(server), *net::make_tls_client(looking),
                       *net::make_tls_client(client), *net::make_tls_client(other),
                       *net::make_tls_client(silent)};
  }();
  return only;
}

inline void fuzz_check(bool holds) {
  if (!holds) std::abort();
}

// The content types of whole records: these bytes are TLS and nothing else ("Record Layer", RFC
// 8446, 5.1). Of equal ones in a row there is one: how much a record holds depends on keys and
// signatures, which are random.
inline std::string kinds_of_records(base::Bytes bytes) {
  std::string kinds;
  while (!bytes.empty()) {
    fuzz_check(bytes.size() >= 5);
    const char kind = bytes[0];
    fuzz_check(kind >= 0x14 && kind <= 0x17 && bytes[1] == 3);
    const size_t size = 5 + base::load_be16(bytes.data() + 3);
    fuzz_check(size <= bytes.size());
    if (kinds.empty() || kinds.back() != kind) kinds.push_back(kind);
    bytes.remove_prefix(size);
  }
  return kinds;
}

inline std::vector<std::string> pieces_of(const std::string& bytes, size_t size) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < bytes.size(); at += std::min(size, bytes.size() - at))
    pieces.push_back(bytes.substr(at, size));
  return pieces;
}

inline int64_t write(net::Stream& stream, base::Bytes bytes) {
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  return stream.try_write({&piece, 1});
}

}  // namespace weir::fake
