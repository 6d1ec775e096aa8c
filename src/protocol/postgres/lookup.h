// One question with one argument, by the extended protocol, and its rows as text. An error of the
// server's is Refused and leaves it usable.
#pragma once

#include <memory>
#include <string>

#include "state.h"

namespace weir::postgres {

std::unique_ptr<protocol::Lookup> make_lookup(ServerState& server, const std::string& text,
                                              const std::string& argument);

}  // namespace weir::postgres
