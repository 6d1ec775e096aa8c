// The little that weir reads of statement texts. The server's answers decide what happened; the
// text only tells apart what its answers leave open. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "state.h"

namespace weir::postgres {

enum Traits : uint16_t {
  kMayCreate = 1,  // has the word INTO or CREATE: "SELECT 0" may have made a table
  // One statement, SET LOCAL or SET TRANSACTION, or of a setting that the server reports.
  kSetLeavesNothing = 2,
  kSetSession = 4,     // SET of something that lasts; its names: names_set()
  kBeginsBlock = 8,    // BEGIN or START TRANSACTION
  kDeallocates = 16,   // one statement, DEALLOCATE of one name: deallocated_name()
  kResets = 32,        // RESET, or one statement SET … TO DEFAULT: reset_name()
  kForgets = 64,       // DISCARD, DEALLOCATE ALL: statements that weir has prepared may go
  kMayHold = 128,      // has the word HOLD: a cursor may outlive its transaction
  kMayLock = 256,      // has pg_advisory_lock or pg_try_advisory_lock
  kRunsBlocks = 1024,  // DO or CALL, which may commit before it fails
  // SET LOCAL of what may change the meaning of a text, see ServerState::local_reading.
  kReadsLocally = 2048,
  kMayUnlock = 512,  // has pg_advisory_unlock
};
uint16_t traits_of(std::string_view sql);
// Of a text whose first word does not matter: may_have_traits() says so.
uint16_t traits_within(std::string_view sql);

// The same for a text that is about to run on `server`, which reports some settings by itself.
uint16_t traits_on(const ServerState& server, uint16_t traits, std::string_view sql);

// Of "SET [SESSION] name …", in lower case; empty for what has no simple name.
std::string setting_name(std::string_view sql);
// Of all statements of a text that may be such a SET; few, the last one empty if there are more.
std::vector<std::string> names_set(std::string_view sql);
// One of them is SET LOCAL of what may change what a text means, and is not reported when it does.
bool reads_locally(std::string_view sql, const ServerState* server);
// It may hold more than one statement.
bool is_several(std::string_view sql);
// Of one statement "RESET name", "RESET ALL" or "SET name TO DEFAULT", in lower case; empty for
// all others.
std::string reset_name(std::string_view sql);
// COMMIT, ROLLBACK and their like, which a failed transaction still takes.
bool ends_block(std::string_view sql);
// Of "DEALLOCATE [PREPARE] name", as the server would fold it; empty for anything else.
std::string deallocated_name(std::string_view sql);

// Could the first word matter? A quick look that spares most texts everything else.
bool may_have_traits(std::string_view sql_prefix);

// A statement as the clients of a pool share it. Equal keys are one prepared statement on a server.
//
//   traits (2 bytes) | depends on settings (1) | pool (4) | size (4) of, and the settings under
//   which it is read, if it depends on them | text NUL parameter types, exactly as in Parse
std::string statement_key(uint32_t pool, std::string_view text_and_types, std::string_view reading);
inline uint16_t key_traits(std::string_view key) { return base::load_be16(key.data()); }
inline bool key_depends(std::string_view key) { return key[2] != 0; }
std::string_view key_reading(std::string_view key);
std::string_view key_body(std::string_view key);

// The name under which servers know a statement.
std::string server_name(uint64_t statement_id);

}  // namespace weir::postgres
