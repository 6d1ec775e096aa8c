#include "round_trip.h"

// The C library's header, which libuv's brings along, has an older tcp_info.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>

namespace weir::net {

std::optional<base::Duration> shortest_round_trip(int fd) {
  tcp_info info = {};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
    return errno == EOPNOTSUPP ? std::optional<base::Duration>(0) : std::nullopt;
  constexpr size_t kKnown = offsetof(tcp_info, tcpi_min_rtt) + sizeof info.tcpi_min_rtt;
  if (size < kKnown) return std::nullopt;
  return info.tcpi_min_rtt;
}

}  // namespace weir::net
