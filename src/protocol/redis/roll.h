// What a client asks about the other clients, and does to them: CLIENT LIST, INFO, KILL, UNBLOCK,
// and the redirection of CLIENT TRACKING. Their numbers are weir's own. Texts as Redis 7.0.15 gives
// them (networking.c). Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "state.h"

namespace weir::redis {

// The client's line in CLIENT LIST, without its end.
std::string describe(const ClientState& client, const ServerState* server,
                     const protocol::Neighbour& self);

struct Call {
  std::string answer = {};          // weir's own
  std::string command = {};         // or what a server is to be asked instead
  std::vector<uint64_t> ends = {};  // clients
  int64_t redirect = 0;             // to this client
};
// `request` is one that client_word() says Roll of.
Call answer_roll(const ClientState& client, const protocol::Roll& roll, const Request& request);

}  // namespace weir::redis
