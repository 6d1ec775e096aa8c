// Which way a command goes. Only the commands that need more than a lane are listed (commands.cpp);
// all others, and those that weir has never heard of, go down a lane: the server itself says what
// it thinks of them.
#pragma once

#include <cstdint>

#include "request.h"

namespace weir::redis {

enum class Way : uint8_t {
  Lane,   // no state on the connection: may be mixed with others
  Multi,  // from here to Unwatch a lease: state that the answers show
  Exec,
  Discard,
  Watch,
  Unwatch,
  Lease,   // no state, but it must not stand in line behind what it is to end
  Raw,     // lease: state that they do not show, or more answers than one, or none for a long time
  Select,  // Lane when it names the database that all are in, else Raw
  Read,    // XREAD, XREADGROUP: Raw when they block, else Lane
  Quit,
  Refuse,  // makes a replica or a debugger of the connection
  Attack,  // a web browser's words; the server closes without an answer
};

// Without allocation, whatever the case of its letters.
Way way_of_name(Bytes name, Bytes subcommand);
// Never Read. Of a large command only the first arguments are known.
Way way_of(const Request& request);

}  // namespace weir::redis
