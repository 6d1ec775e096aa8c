// The short talks with a server between two holds: attach, reset, recover, check, and a query of
// the configuration's. Each acts on a ServerState that outlives it and is run by the session floor
// under a deadline. What fails with Refused has been answered to its end.
#pragma once

#include <memory>
#include <string>

#include "state.h"

namespace weir::tds {

using protocol::Dialogue;

// Makes what the client wants to be in force so; null when it is. From a reset on where only that
// removes what is there (MS-TDS 2.2.3.1.2, RESETCONNECTION). Protocol: the server has not
// acknowledged the reset.
std::unique_ptr<Dialogue> make_attach(const ClientState& client, ServerState& server);
// Removes what clients may have left: `how` is auto, always, never, or SQL text to be run behind
// that. Null when there is nothing and `how` is not always. An open transaction is rolled back
// first. Protocol as above.
std::unique_ptr<Dialogue> make_reset(ServerState& server, const std::string& how);
// Of a server whose client is gone: ends what it does with an attention (2.2.1.7), reads up what it
// owes, rolls back. It is dirty then. Null when it is at rest. Protocol: half a request has been
// sent, or it waits for rows: nothing brings it back.
std::unique_ptr<Dialogue> make_recover(ServerState& server);
std::unique_ptr<Dialogue> make_check(ServerState& server);
std::unique_ptr<Dialogue> make_query(ServerState& server, const std::string& text);

}  // namespace weir::tds
