// What a server's answers say about the session behind them: settings, statements, what must be
// undone.
#include <algorithm>

#include "link.h"
#include "text.h"
#include "wire.h"

namespace weir::postgres {

namespace {

// Tags of statements after which nothing stays behind in the session. Everything else that does not
// begin like one of these makes the server dirty: a reset too many is only slow.
bool leaves_nothing(Bytes tag) {
  static constexpr std::string_view kHarmless[] = {"INSERT",
                                                   "UPDATE",
                                                   "DELETE",
                                                   "MERGE",
                                                   "FETCH",
                                                   "MOVE",
                                                   "COPY",
                                                   "BEGIN",
                                                   "COMMIT",
                                                   "ROLLBACK",
                                                   "SAVEPOINT",
                                                   "RELEASE",
                                                   "START TRANSACTION",
                                                   "SHOW",
                                                   "VACUUM",
                                                   "ANALYZE",
                                                   "REINDEX",
                                                   "CLUSTER",
                                                   "TRUNCATE",
                                                   "NOTIFY",
                                                   "UNLISTEN",
                                                   "CLOSE CURSOR",
                                                   "LOCK TABLE",
                                                   "SET CONSTRAINTS",
                                                   "CHECKPOINT",
                                                   "ALTER",
                                                   "DROP",
                                                   "GRANT",
                                                   "REVOKE",
                                                   "COMMENT",
                                                   "REFRESH",
                                                   "DISCARD PLANS",
                                                   "DISCARD SEQUENCES",
                                                   "DISCARD TEMP",
                                                   "PREPARE TRANSACTION"};
  return std::any_of(std::begin(kHarmless), std::end(kHarmless),
                     [tag](std::string_view known) { return tag.starts_with(known); });
}

// Statements that may remove what is known to be there.
bool may_remove(Bytes tag) {
  static constexpr std::string_view kRemoving[] = {"UNLISTEN",     "DROP",    "ALTER",
                                                   "CLOSE CURSOR", "DISCARD", "DEALLOCATE"};
  return std::any_of(std::begin(kRemoving), std::end(kRemoving),
                     [tag](std::string_view known) { return tag.starts_with(known); });
}

bool is_zero_count(Bytes tag) { return tag == "SELECT 0"; }

}  // namespace

uint16_t ServerSide::current_traits() const {
  const Entry& entry = server_.ledger.front();
  return entry.kind == Entry::Kind::Query ? entry.traits : server_.bound_traits;
}

// What the tag of a finished statement says about what stays behind ("CommandComplete", 55.7).
void ServerSide::on_complete(Bytes tag) {
  note_locks();
  if (may_remove(tag)) server_.remains.doubt();
  if (tag.starts_with("SELECT")) {
    // A SELECT without a row or a row's description may have been CREATE TABLE AS or SELECT INTO.
    if (server_.rows_seen) return;
    const bool is_query = server_.ledger.front().kind == Entry::Kind::Query;
    if (!is_zero_count(tag) || is_query || (current_traits() & kMayCreate)) suspect(kTempObjects);
    return;
  }
  if (leaves_nothing(tag)) return;
  if (tag == "SET") {
    on_set();
  } else if (tag == "RESET") {
    on_reset_by_name();
    server_.dirty = true;
  } else if (tag == "DISCARD ALL") {
    on_discard_all();
  } else if (tag == "DEALLOCATE ALL") {
    forget_all();
  } else {
    on_maker(tag);
  }
}

// A statement that may make what stays.
void ServerSide::on_maker(Bytes tag) {
  if (tag.starts_with("CREATE")) return suspect(kTempObjects);
  if (tag == "LISTEN") return suspect(kListening);
  if (tag == "PREPARE") return suspect(kSqlStatements);
  if (tag == "DECLARE CURSOR") {
    if (current_traits() & kMayHold) suspect(kHeldCursors);
    return;
  }
  server_.dirty = true;
  if (tag == "DEALLOCATE") return;  // of a statement that SQL's PREPARE made
  if (tag == "LOAD") {              // nothing unloads it
    server_.is_used_up = true;
    if (client_.options.transaction_mode) server_.remains.keep_for(protocol::Pin::Context);
    return;
  }
  server_.remains.may_set({}, false);
  suspect(kEverything);
}

void ServerSide::on_set() {
  const uint16_t traits = current_traits();
  if (traits & kResets) on_reset_by_name();
  if ((traits & kSetLeavesNothing) && !(traits & kSetSession)) return;
  if (traits & kResets) {
    server_.dirty = true;
    server_.remains.may_set({}, false);
  }
  suspect(kSettings);
}

// In a transaction that is rolled back it has done nothing, and others may stand beside it.
void ServerSide::on_reset_by_name() {
  const std::string name = reset_now();
  const bool stands_alone =
      server_.status == 'I' && !name.empty() && server_.ledger.front().kind == Entry::Kind::Query;
  if (!stands_alone) {
    server_.remains.may_set(made_up_names(server_.in_force), false);
    suspect(kSettings);
  }
  if (name == "all" && server_.status == 'I') server_.remains.settings_reset();
  const SettingMap wanted = settings_of(client_.wanted);
  on_reset(name);
  if (name != "all") return;
  // Of the role it is not ("RESET").
  if (const auto role = wanted.find("role"); role != wanted.end()) {
    client_.wanted = with_setting(texts_, client_.wanted, role->first, &role->second);
    server_.in_force = with_setting(texts_, server_.in_force, role->first, &role->second);
  }
}

void ServerSide::on_discard_all() {
  forget_all();
  on_reset("all");
  // Without names that are carried something may have been prepared behind it.
  if (client_.options.prepared_statements > 0) server_.dirty = false;
  server_.remains.clear();
}

std::string ServerSide::reset_now() const {
  const Entry& entry = server_.ledger.front();
  const std::string& name = entry.kind == Entry::Kind::Query ? entry.name : server_.bound_reset;
  return name == "*" ? std::string() : name;
}

// RESET goes back to weir's own login, but the client means the settings that it has logged in
// with: before its next request attach() makes in_force what is wanted. An empty name: more than
// one, nobody knows which.
void ServerSide::on_reset(const std::string& name) {
  server_.reset_seen = true;
  const SettingMap startup = settings_of(client_.startup);
  tell_restored(name);
  if (name == "all") {
    client_.wanted = client_.startup;
    server_.in_force = {};
  } else if (name.empty()) {  // of those that are reported on_status() will hear
    for (const auto& [own, value] : startup)
      if (!server_.reported_setting(own))
        server_.in_force = with_setting(texts_, server_.in_force, own, nullptr);
  } else {
    const auto own = startup.find(name);
    server_.in_force = with_setting(texts_, server_.in_force, name, nullptr);
    client_.wanted =
        with_setting(texts_, client_.wanted, name, own == startup.end() ? nullptr : &own->second);
  }
}

// The server reports nothing when the value was that of weir's login already.
void ServerSide::tell_restored(const std::string& name) {
  const SettingMap startup = settings_of(client_.startup);
  for (const auto& [spelled, value] : server_.reported) {
    const std::string lower = lower_case(spelled);
    const auto own = startup.find(lower);
    if ((name != lower && name != "all") || own == startup.end() || own->second == value) continue;
    const auto base = server_.base.find(spelled);
    if (base == server_.base.end() || base->second != value) continue;
    std::string status;
    append_parameter_status(status, spelled, own->second);
    sink_.to_client.add_copy(status);
  }
}

// The names behind it in the ledger were given later. The unnamed statement stays ("DEALLOCATE":
// all prepared statements of the session's table, which it is not in); a simple Query has taken it
// away already.
void ServerSide::forget_all() {
  server_.prepared.clear();
  StatementNames later;
  for (size_t i = 1; i < server_.ledger.size(); ++i) {
    const Entry& entry = server_.ledger.at(i);
    if (entry.kind != Entry::Kind::Parse || entry.name.empty()) continue;
    if (const Interned* found = client_.names.find(entry.name)) later.remember(entry.name, *found);
  }
  client_.names = std::move(later);
}

void ServerSide::on_status(Bytes in, Head head) {
  const Bytes body = in.substr(kHeadBytes, head.total - kHeadBytes);
  const size_t name_end = body.find('\0');
  const size_t value_end = name_end == Bytes::npos ? name_end : body.find('\0', name_end + 1);
  if (value_end == Bytes::npos) return forward(in, head.total);
  const std::string name(body.substr(0, name_end));
  const std::string value(body.substr(name_end + 1, value_end - name_end - 1));
  if (!note_reported(server_.reported, name, value)) return forward(in, head.total);
  if (name == "session_authorization" && client_.options.transaction_mode) {
    const auto login = server_.base.find(name);
    server_.remains.note_identity(login != server_.base.end() && login->second != value);
  }
  const std::string lower = lower_case(name);
  if (!is_carried(lower)) return forward(in, head.total);
  if (server_.reads_text && changes_reading(lower)) server_.dirty = true;
  const auto first = server_.base.find(name);
  const bool is_base = first != server_.base.end() && first->second == value;
  const SettingMap startup = settings_of(client_.startup);
  const auto own = startup.find(lower);
  if (server_.reset_seen && is_base && own != startup.end()) {  // on_reset()
    client_.wanted = with_setting(texts_, client_.wanted, lower, &own->second);
    server_.in_force = with_setting(texts_, server_.in_force, lower, nullptr);
    std::string status;
    append_parameter_status(status, name, own->second);
    sink_.to_client.add_copy(status);
    return drop(in, head.total);
  }
  // Each by itself: the client may be gone, and the server's other settings stay in force.
  const std::string* now = is_base && own == startup.end() ? nullptr : &value;
  client_.wanted = with_setting(texts_, client_.wanted, lower, now);
  server_.in_force = with_setting(texts_, server_.in_force, lower, now);
  forward(in, head.total);
}

}  // namespace weir::postgres
