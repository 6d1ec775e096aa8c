// Short talks of weir's own with a server that it holds: check, and back to rest after MULTI and
// WATCH. They end with the server's last answer and keep its state up to date; the state outlives
// them.
#pragma once

#include <memory>
#include <string>

#include "state.h"

namespace weir::redis {

using protocol::Dialogue;

std::unique_ptr<Dialogue> make_check(ServerState& server);
// Reads up what the server owes, then ends a transaction and a watch, whether there is one or not.
std::unique_ptr<Dialogue> make_recover(ServerState& server);
// `text` is one command or more, as lines.
std::unique_ptr<Dialogue> make_query(ServerState& server, const std::string& text);

}  // namespace weir::redis
