// The PROXY protocol's header, versions 1 and 2, that a load balancer puts in front of a client's
// bytes (HAProxy's doc/proxy-protocol.txt). Pure: bytes in, a value out. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include <weir/base/bytes.h>
#include <weir/base/network.h>
#include <weir/base/result.h>

namespace weir::net {

// The document's worst line, and 16 bytes with at most 4 KiB behind them. More is refused before it
// is read.
constexpr size_t kProxyLineBytesMax = 107;
constexpr size_t kProxyBlockBytesMax = 4096;
constexpr size_t kProxyHeaderBytesMax = 16 + kProxyBlockBytesMax;

struct ProxyEnd {
  base::IpAddress address;
  uint16_t port = 0;
  friend bool operator==(const ProxyEnd&, const ProxyEnd&) = default;
};

struct ProxyHeader {
  size_t size = 0;  // of the header, in bytes; 0: more are needed to tell
  // False for LOCAL, UNKNOWN and what is not TCP: then the connection's own ends are the client's.
  bool has_ends = false;
  ProxyEnd source;       // the client
  ProxyEnd destination;  // what it dialled
  friend bool operator==(const ProxyHeader&, const ProxyHeader&) = default;
};

// `received` is all that has come so far, and may go on behind the header. Errors are of kind
// Protocol and stay errors whatever comes.
base::Result<ProxyHeader> read_proxy_header(base::Bytes received);

}  // namespace weir::net
