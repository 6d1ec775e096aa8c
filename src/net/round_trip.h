// How far away the other end of a socket is.
#pragma once

#include <optional>

#include <weir/base/time.h>

namespace weir::net {

// The shortest round trip that the kernel has seen; 0 over a unix socket. Nothing: it cannot tell.
std::optional<base::Duration> shortest_round_trip(int fd);

}  // namespace weir::net
