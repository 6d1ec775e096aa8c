// Which way a command goes. Only the commands that need more than a lane are listed (commands.cpp);
// of others the server's own COMMAND and the configuration may say it (command_table.h). All that
// is left, and what nobody has ever heard of, goes down a lane: the server itself says what it
// thinks of it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

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
  Alone,  // the same as Lane, on a server of its own
  Block,  // the answer may be long in coming
  Wait,   // for replicas, to have what this connection wrote
  Hello,
  Auth,
  Subscribe,  // any of the six that begin or end a subscription
  Monitor,
  Pause,    // a lane may stand still from then on
  Unpause,  // Lane, unless that stands still
  Unknown,  // state that nobody sees
  Pinned,   // the same, and its client needs it: the server is its own until RESET
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

class CommandTable;

// By weir's own list. Without allocation, whatever the case of its letters.
Way way_of_name(Bytes name, Bytes subcommand);
bool is_listed(Bytes name, Bytes subcommand);
// Why nothing may be said of a command but what weir's own list says; null: something may.
const char* must_be_seen(Way way);
// Those commands, as "name" or "name|subcommand", and why.
std::vector<std::pair<std::string, std::string>> commands_to_be_seen();

// Never Read. Of a large command only the first arguments are known. `table`: of the server, or
// null.
Way way_of(const Request& request, const CommandTable* table = nullptr);

}  // namespace weir::redis
