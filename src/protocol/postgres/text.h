// The little that weir reads of statement texts. The server's answers decide what happened; the
// text only tells apart what its answers leave open. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "state.h"

namespace weir::postgres {

enum Traits : uint8_t {
  kMayCreate = 1,  // has the word INTO or CREATE: "SELECT 0" may have made a table
  kSetLeavesNothing =
      2,             // one statement, SET LOCAL or SET TRANSACTION, or of a setting that is carried
  kSetSession = 4,   // one statement, SET of something that lasts; its name: setting_name()
  kBeginsBlock = 8,  // BEGIN or START TRANSACTION
  kDeallocates = 16,  // one statement, DEALLOCATE of one name: deallocated_name()
  kForgets = 64,      // DISCARD, DEALLOCATE ALL: statements that weir has prepared may go
  kResets = 32,       // RESET, or one statement SET … TO DEFAULT: reset_name()
};
uint8_t traits_of(std::string_view sql);

// The same for a text that is about to run on `server`, which reports some settings by itself.
uint8_t traits_on(const ServerState& server, uint8_t traits, std::string_view sql);

// Of "SET [SESSION] name …", in lower case; empty for what has no simple name.
std::string setting_name(std::string_view sql);
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
//   traits (1 byte) | depends on settings (1) | pool (4) | size (4) of, and the settings under
//   which it is read, if it depends on them | text NUL parameter types, exactly as in Parse
std::string statement_key(uint32_t pool, std::string_view text_and_types, std::string_view reading);
inline uint8_t key_traits(std::string_view key) { return static_cast<uint8_t>(key[0]); }
inline bool key_depends(std::string_view key) { return key[1] != 0; }
std::string_view key_reading(std::string_view key);
std::string_view key_body(std::string_view key);

// The name under which servers know a statement.
std::string server_name(uint64_t statement_id);

}  // namespace weir::postgres
