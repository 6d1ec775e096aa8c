// Every bound that is not configurable, by name. Reaching one is an Error, never a growth.
#pragma once

#include <cstddef>

namespace weir::base {

constexpr size_t kScratchBytes = 64 * 1024;       // a worker's receive buffer
constexpr size_t kStatementBytesMax = 64 << 20;   // default of limits.statement_bytes
constexpr size_t kLoginBytesMax = 64 * 1024;      // default of limits.login_bytes
constexpr size_t kPieceBytesMax = 0x3fffffff;     // PostgreSQL's own bound of a message, 1 GB - 1
constexpr size_t kServerNoteBytesMax = 16 << 20;  // a server's message that has to be seen whole
constexpr size_t kParkedBytesMax = 64 * 1024;  // request bytes of a client that waits for a server
constexpr size_t kLedgerEntriesMax = 32 * 1024;  // requests in flight on one server
constexpr size_t kLedgerBytesMax = 1 << 20;      // weir's own answers that wait behind the server's
constexpr size_t kClientStatementsMax = 16 * 1024;      // prepared statements of one client, and
constexpr size_t kClientStatementBytesMax = 256 << 20;  // their names and texts
constexpr size_t kReportedSettingsMax = 256;            // that a server reports, and
constexpr size_t kReportedBytesMax = 64 * 1024;         // one of them
constexpr size_t kReadsPerWake = 4;  // full scratch buffers before another stream's turn
constexpr size_t kMailboxLettersMax = 1 << 20;

}  // namespace weir::base
