// Answers in which a server counts its connections that listen, where weir's clients are meant:
// PUBLISH, SPUBLISH, PUBSUB NUMSUB and PUBSUB SHARDNUMSUB. (NUMPAT counts patterns.) Pure
// functions, any thread.
//
//   PUBLISH   whoever has been told of its subscription before is counted: noted with the command
//   NUMSUB    the answer names the channels: they are looked up when it comes
#pragma once

#include <string>

#include "state.h"

namespace weir::redis {

// What is owed for a command that leaves nothing behind.
Entry counted_entry(const ServerState& server, const Request& request);
constexpr bool is_counted(const Entry& entry) {
  return entry.kind == Entry::Kind::Published || entry.kind == Entry::Kind::Numsub ||
         entry.kind == Entry::Kind::ShardNumsub;
}
// The answer to the oldest of what is owed, as the client is to get it. Empty: as it is.
std::string recounted(const ServerState& server, Bytes answer);

}  // namespace weir::redis
