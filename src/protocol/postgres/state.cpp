#include "state.h"

#include "wire.h"

#include <algorithm>
#include <array>

namespace weir::postgres {

// docs/memory.md counts on it: 176 bytes.
static_assert(sizeof(ClientState) <= 176);

Interned intern_settings(InternTable& texts, const SettingMap& map) {
  if (map.empty()) return {};
  std::string text;
  for (const auto& [name, value] : map) {
    text.append(name).push_back('\0');
    text.append(value).push_back('\0');
  }
  return texts.intern(text);
}

SettingMap settings_of(const Interned& set) {
  SettingMap map;
  std::string_view rest = set.view();
  const auto take = [&rest] {
    const size_t end = rest.find('\0');
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return std::string(part);
  };
  while (!rest.empty()) {
    std::string name = take();
    map.emplace(std::move(name), take());
  }
  return map;
}

Interned with_setting(InternTable& texts, const Interned& set, std::string_view name,
                      const std::string* value) {
  SettingMap map = settings_of(set);
  if (value)
    map.insert_or_assign(std::string(name), *value);
  else if (const auto found = map.find(name); found != map.end())
    map.erase(found);
  return intern_settings(texts, map);
}

std::string misses_role(protocol::Role role, const SettingMap& reported) {
  using protocol::Role;
  if (role == Role::Any || role == Role::PreferStandby) return {};
  const auto recovers = reported.find("in_hot_standby");
  const auto read_only = reported.find("default_transaction_read_only");
  if (recovers == reported.end() || read_only == reported.end())
    return "server does not report whether it is a standby (PostgreSQL 14 does), which "
           "target_session_attrs needs";
  const bool is_standby = recovers->second == "on";
  const bool takes_writes = !is_standby && read_only->second != "on";
  switch (role) {
    case Role::ReadWrite: return takes_writes ? "" : "server is read-only";
    case Role::ReadOnly: return takes_writes ? "server is not read-only" : "";
    case Role::Primary: return is_standby ? "server is a standby" : "";
    default: return is_standby ? "" : "server is not a standby";
  }
}

bool note_reported(SettingMap& map, const std::string& name, const std::string& value) {
  if (name.size() + value.size() > base::kReportedBytesMax) return false;
  if (map.size() >= base::kReportedSettingsMax && !map.contains(name)) return false;
  map.insert_or_assign(name, value);
  return true;
}

const Interned* StatementNames::find(const std::string& name) const {
  if (!table_) return nullptr;
  const auto found = table_->statements.find(name);
  return found == table_->statements.end() ? nullptr : &found->second;
}

void StatementNames::remember(const std::string& name, const Interned& statement) {
  if (!table_) table_ = std::make_unique<Table>();
  if (table_->statements.emplace(name, statement).second)
    table_->bytes += name.size() + statement.view().size();
}

void StatementNames::forget(const std::string& name) {
  if (!table_) return;
  const auto found = table_->statements.find(name);
  if (found == table_->statements.end()) return;
  table_->bytes -= name.size() + found->second.view().size();
  table_->statements.erase(found);
}

bool StatementNames::is_full() const {
  return table_ && (table_->statements.size() >= base::kClientStatementsMax ||
                    table_->bytes >= base::kClientStatementBytesMax);
}

bool ServerState::reported_setting(std::string_view name) const {
  return is_carried(name) && std::any_of(reported.begin(), reported.end(), [&](const auto& pair) {
           return lower_case(pair.first) == name;
         });
}

// All but those of which it is known that they do not. When search_path has changed PostgreSQL
// reads a text again by itself.
bool changes_reading(std::string_view name) {
  static constexpr std::array<std::string_view, 10> kHarmless = {
      "application_name",   "client_min_messages",
      "extra_float_digits", "idle_in_transaction_session_timeout",
      "lock_timeout",       "role",
      "row_security",       "search_path",
      "statement_timeout",  "work_mem"};
  const bool is_own = name.find('.') != std::string_view::npos;  // of an application or extension
  return !is_own && !name.starts_with("enable_") &&
         std::find(kHarmless.begin(), kHarmless.end(), name) == kHarmless.end();
}

bool is_carried(std::string_view name) {
  // Reported by the server, and not for a client to set. session_authorization is undone by the
  // reset instead.
  static constexpr std::array<std::string_view, 6> kFixed = {
      "in_hot_standby",  "integer_datetimes", "is_superuser",
      "server_encoding", "server_version",    "session_authorization"};
  return std::find(kFixed.begin(), kFixed.end(), name) == kFixed.end();
}

}  // namespace weir::postgres
