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
// Whatever state a client has left: back to how it was after the login. Nothing may be owed.
std::unique_ptr<Dialogue> make_reset(ServerState& server);
// Brings it to another database and version of RESP; Refused, in the server's words, when it does
// not have them.
std::unique_ptr<Dialogue> make_flavour(ServerState& server, uint64_t flavour);
// The same for one that many share: it has nobody's name.
std::unique_ptr<Dialogue> make_shared_flavour(ServerState& server, uint64_t flavour);
// Reads up what the server owes, then ends a transaction and a watch, whether there is one or not.
std::unique_ptr<Dialogue> make_recover(ServerState& server);
// `text` is one command or more, as lines.
std::unique_ptr<Dialogue> make_query(ServerState& server, const std::string& text);

}  // namespace weir::redis
