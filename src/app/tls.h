// TLS as the configuration says it.
#pragma once

#include <weir/config/config.h>
#include <weir/net/tls.h>
#include <weir/protocol/protocol.h>

namespace weir::app {

// Null when the mode is `disable`.
// For connections of clients and to servers that speak this protocol.
base::Result<net::TlsContextPtr> client_tls(const config::Tls& tls, std::string_view protocol);
base::Result<net::TlsContextPtr> server_tls(const config::Tls& tls, std::string_view protocol);
protocol::Encryption server_encryption(const config::Tls& tls, std::string_view protocol);
protocol::Encryption client_encryption(const config::Tls& tls);  // of a listener

}  // namespace weir::app
