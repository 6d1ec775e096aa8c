// Which way a command goes. Only the commands that need more than a lane are listed (commands.cpp);
// all others, and those that weir has never heard of, go down a lane: the server itself says what
// it thinks of them.
#pragma once

#include <cstdint>

#include "request.h"

namespace weir::redis {

enum class Way : uint8_t {
  Lane,   // no state on the connection: may be mixed with others
  Heavy,  // the same, but it may take long, or its answer may be large
  Multi,  // from here to Unknown a lease
  Exec,
  Discard,
  Watch,
  Unwatch,
  Lease,  // no state, but it must not stand in line behind what it is to end
  Block,  // the answer may be long in coming
  Wait,   // for replicas, to have what this connection wrote
  Hello,
  Auth,
  Subscribe,  // any of the six that begin or end a subscription
  Monitor,
  Unknown,  // state that nobody sees
  Replica,  // says what a replica wants, before it asks for it
  Sync,     // makes a replica of the client: from here on the bytes pass unseen
  Select,   // Lane when it names the database that all are in, else a lease
  Read,     // XREAD, XREADGROUP: Block when they block, else Lane
  Client,   // depends on its subcommand (own_answers.h)
  Reset,
  Quit,
  Refuse,  // makes a debugger of the connection
  Attack,  // a web browser's words; the server closes without an answer
};

// Without allocation, whatever the case of its letters.
Way way_of_name(Bytes name, Bytes subcommand);
// Never Read. Of a large command only the first arguments are known.
Way way_of(const Request& request);

}  // namespace weir::redis
