// The PostgreSQL protocol, version 3.0 ("Frontend/Backend Protocol" in PostgreSQL's manual, chapter 55), as a
// weir::protocol::Protocol, and the few builders that the servers inside weir share with it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <weir/base/intern.h>
#include <weir/protocol/protocol.h>

namespace weir::postgres {

// `texts` holds statement texts and sets of settings; it outlives the protocol and all its states.
std::unique_ptr<protocol::Protocol> make_protocol(base::InternTable& texts);

}  // namespace weir::postgres
