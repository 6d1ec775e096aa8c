// The Redis protocol, RESP2 ("Redis serialization protocol specification"), as a
// weir::protocol::Protocol. Made by app, used on any thread; outlives all that it makes.
#pragma once

#include <memory>

#include <weir/protocol/protocol.h>

namespace weir::redis {

std::unique_ptr<protocol::Protocol> make_protocol();

}  // namespace weir::redis
