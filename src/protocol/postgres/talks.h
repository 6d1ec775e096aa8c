// The short talks with a server between two holds: attach, reset, check, recover, cancel. Each acts
// on a ServerState that outlives it and is run by the session floor under a deadline.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "state.h"

namespace weir::postgres {

using protocol::Dialogue;

// Makes what the client wants to be in force so; null when it is.
std::unique_ptr<Dialogue> make_attach(InternTable& texts, ClientState& client, ServerState& server);
// Removes what clients may have left; null when there is nothing and `how` is auto.
std::unique_ptr<Dialogue> make_reset(ServerState& server, const std::string& how);
std::unique_ptr<Dialogue> make_check(ServerState& server);
std::unique_ptr<Dialogue> make_query(ServerState& server, const std::string& text);
// Reads up what the server still owes, closes what is open, rolls back.
std::unique_ptr<Dialogue> make_recover(InternTable& texts, ServerState& server);
std::unique_ptr<Dialogue> make_cancel(const ServerState& server);

}  // namespace weir::postgres
