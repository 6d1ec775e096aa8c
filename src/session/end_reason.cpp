#include <weir/session/backend.h>

namespace weir::session {

namespace {

struct Words {
  const char* label;
  const char* text;
};

constexpr Words kEnds[] = {
    {"client_left", "the client said goodbye"},
    {"client_lost", "the client's connection was lost"},
    {"login_failed", "login failed"},
    {"login_timeout", "login took too long"},
    {"protocol_error", "the client broke the protocol"},
    {"server_lost", "the server connection was lost"},
    {"server_protocol", "the server broke the protocol"},
    {"refused", "refused"},
    {"acquire_timeout", "no server in time"},
    {"query_timeout", "query timeout"},
    {"transaction_timeout", "transaction timeout"},
    {"idle_in_transaction", "idle in transaction for too long"},
    {"client_idle", "idle for too long"},
    {"client_stall", "the client did not read its answer"},
    {"pin_idle", "kept a server idle for too long"},
    {"shutdown", "weir is shutting down"},
    {"killed", "terminated by an administrator"},
    {"killed_by_client", "ended by another client"},
    {"too_many_clients", "too many clients"},
};
static_assert(std::size(kEnds) == static_cast<size_t>(EndReason::kCount));

constexpr const char* kCloses[] = {"lost",         "broken",       "retired",
                                   "abandoned",    "reset_failed", "check_failed",
                                   "client_error", "shutdown",     "address_gone"};
static_assert(std::size(kCloses) == static_cast<size_t>(CloseReason::kCount));

constexpr const char* kPins[] = {"watch",      "blocking", "subscription", "monitor",
                                 "tracking",   "user",     "replication",  "command",
                                 "temp_table", "cursor",   "prepared",     "lock",
                                 "context",    "setting",  "bulk",         "unclear"};
static_assert(std::size(kPins) == static_cast<size_t>(protocol::Pin::kCount));

constexpr const char* kClients[] = {"login", "idle", "waiting", "active"};
static_assert(std::size(kClients) == static_cast<size_t>(ClientCount::kCount));

constexpr const char* kLogins[] = {"ok", "failed", "refused", "timeout", "left"};
static_assert(std::size(kLogins) == static_cast<size_t>(LoginResult::kCount));

constexpr const char* kOpens[] = {"ok", "refused", "timeout", "failed"};
static_assert(std::size(kOpens) == static_cast<size_t>(OpenResult::kCount));

constexpr const char* kCancels[] = {"sent", "withdrawn", "ignored", "unknown", "failed"};
static_assert(std::size(kCancels) == static_cast<size_t>(CancelResult::kCount));

}  // namespace

const char* label(EndReason reason) { return kEnds[static_cast<size_t>(reason)].label; }
const char* text(EndReason reason) { return kEnds[static_cast<size_t>(reason)].text; }
const char* label(CloseReason reason) { return kCloses[static_cast<size_t>(reason)]; }
const char* label(protocol::Pin pin) { return kPins[static_cast<size_t>(pin)]; }
const char* label(ClientCount state) { return kClients[static_cast<size_t>(state)]; }
const char* label(LoginResult result) { return kLogins[static_cast<size_t>(result)]; }
const char* label(OpenResult result) { return kOpens[static_cast<size_t>(result)]; }
const char* label(CancelResult result) { return kCancels[static_cast<size_t>(result)]; }

}  // namespace weir::session
