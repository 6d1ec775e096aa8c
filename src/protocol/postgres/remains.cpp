#include "remains.h"

#include <algorithm>

#include "state.h"
#include "wire.h"

namespace weir::postgres {

namespace {

using protocol::Pin;

constexpr std::string_view kDenied = "42501";
constexpr size_t kListedBytesMax = 64 * 1024;  // of an answer, and more than is carried
constexpr size_t kNamesMax = 32;               // that are asked for by name

// Rows: what it is (Remainder), and of settings name and value. All names are qualified, as the
// client's search_path is in force.
struct Part {
  Remainder kind;
  std::string_view from;
};
constexpr Part kParts[] = {
    {kListening, "pg_catalog.pg_listening_channels()"},
    {kTempObjects,
     "pg_catalog.pg_depend WHERE refclassid OPERATOR(pg_catalog.=) "
     "'pg_catalog.pg_namespace'::pg_catalog.regclass AND "
     "refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()"},
    {kHeldCursors, "pg_catalog.pg_cursors WHERE is_holdable"},
    {kSqlStatements, "pg_catalog.pg_prepared_statements WHERE from_sql"},
    {kLocks,
     "pg_catalog.pg_locks WHERE granted AND "
     "locktype OPERATOR(pg_catalog.=) 'advisory' AND "
     "pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"},
};

constexpr std::string_view kSetInSession =
    "SELECT 32,name,setting FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) "
    "'session'";
// It is in no list of settings.
constexpr std::string_view kRole =
    "SELECT 32,'role',pg_catalog.current_setting('role') "
    "WHERE pg_catalog.current_setting('role') OPERATOR(pg_catalog.<>) 'none'";
constexpr size_t kNamePartBytesMax = 63;  // PostgreSQL cuts longer ones

// What stands in it needs no quoting.
bool is_plain(std::string_view name) {
  size_t part = 0;
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.')) return false;
    part = c == '.' ? 0 : part + 1;
    if (part > kNamePartBytesMax) return false;
  }
  return !name.empty();
}

// By an application, or by an extension: the server lists those of loaded extensions only.
bool is_made_up(std::string_view name) { return name.find('.') != std::string_view::npos; }

std::string question_about(uint8_t kinds, const Remains::Answer& settings) {
  std::string text;
  const auto add = [&text](std::string_view part) {
    if (!text.empty()) text += " UNION ALL ";
    text += part;
  };
  for (const Part& part : kParts) {
    if (!(kinds & part.kind)) continue;
    add("SELECT " + std::to_string(part.kind) + ",'','' WHERE EXISTS(SELECT FROM " +
        std::string(part.from) + ")");
  }
  if (!(kinds & kSettings)) return text;
  std::string listed;  // of these the list tells whether they were set in this session
  for (const std::string& name : settings.about) {
    if (is_made_up(name))
      add("SELECT 32,'" + name + "',pg_catalog.current_setting('" + name + "',true)");
    else
      listed += (listed.empty() ? "'" : ",'") + name + "'";
  }
  if (settings.any)
    add(kSetInSession);
  else if (!listed.empty())
    add(std::string(kSetInSession) + " AND name OPERATOR(pg_catalog.=) ANY(ARRAY[" + listed + "])");
  if (settings.any || listed.find("'role'") != std::string::npos) add(kRole);
  return text;
}

std::optional<std::string_view> read_value(BodyReader& row) {
  const uint32_t size = row.int32();
  if (size == UINT32_MAX) return std::nullopt;
  return row.raw(size);
}

}  // namespace

bool Remains::Answer::concerns(const std::string& name) const {
  const auto has = [&name](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return ((any && !is_made_up(name)) || has(about)) && !has(staying);
}

void Remains::may_set(const std::vector<std::string>& names, bool are_all) {
  any_setting_ = any_setting_ || !are_all;
  for (const std::string& name : names) {
    if (std::find(settings_.begin(), settings_.end(), name) != settings_.end()) continue;
    if (is_plain(name) && settings_.size() < kNamesMax)
      settings_.push_back(name);
    else
      (is_made_up(name) ? too_many_settings_ : any_setting_) = true;
  }
}

bool Remains::may_change_reading() const {
  return (suspected_ & kSettings) &&
         (any_setting_ || std::any_of(settings_.begin(), settings_.end(), changes_reading));
}

std::vector<std::string> made_up_names(const base::Interned& settings) {
  std::vector<std::string> names;
  for (const auto& [name, value] : settings_of(settings))
    if (is_made_up(name)) names.push_back(name);
  return names;
}

std::string Remains::ask(const base::Interned& carried) {
  Asked asked;
  asked.kinds = std::exchange(suspected_, 0);
  if (asked.kinds & kSettings) {
    asked.answer.any = any_setting_ || settings_.empty();
    if (asked.answer.any) may_set(made_up_names(carried), true);
    asked.answer.about = std::exchange(settings_, {});
    if (asked.answer.any)
      std::erase_if(asked.answer.about, [](const auto& name) { return !is_made_up(name); });
    if (too_many_settings_) asked.found = kSettings;
  }
  forget_names();
  asked_ = std::move(asked);
  return question_about(asked_->kinds, asked_->answer);
}

bool Remains::on_row(base::Bytes data_row) {
  BodyReader row(data_row);
  if (row.int16() != 3) return false;
  const auto kind = read_value(row), name = read_value(row), value = read_value(row);
  if (!row.at_end() || !kind || !name) return false;
  if (*kind == "32") {
    if (value) note_setting(*name, *value);
    return true;
  }
  for (const Part& part : kParts) {
    if (*kind != std::to_string(part.kind)) continue;
    asked_->found |= part.kind;
    return true;
  }
  return false;
}

// In which bytes a value that is no ASCII comes to another server depends on its encoding, and so
// does where it ends.
void Remains::note_setting(std::string_view name, std::string_view value) {
  static constexpr std::string_view kNotCarried[] = {
      "seed", "transaction_deferrable", "transaction_isolation", "transaction_read_only"};
  asked_->bytes += name.size() + value.size() + 1;
  if (asked_->bytes > kListedBytesMax) asked_->answer.is_too_long = true;
  if (asked_->answer.is_too_long) return;
  const std::string lower = lower_case(name);
  if (std::find(std::begin(kNotCarried), std::end(kNotCarried), lower) != std::end(kNotCarried))
    return;
  const bool fits = is_plain(lower) && std::all_of(value.begin(), value.end(),
                                                   [](char c) { return c > 0 && c < 0x7f; });
  if (fits) {
    asked_->answer.settings.insert_or_assign(lower, std::string(value));
  } else {
    asked_->answer.staying.push_back(lower);
    asked_->found |= kSettings;
  }
}

void Remains::on_refusal(const base::Error& error) { asked_->sqlstate = error.code; }

// Undefined tables and functions, a syntax that is not understood: another product, which will not
// learn it.
bool is_not_understood(const std::string& sqlstate) {
  return sqlstate == "42P01" || sqlstate == "42883" || sqlstate == "42703" || sqlstate == "42601";
}

Remains::Answer Remains::conclude() {
  Asked asked = *std::exchange(asked_, std::nullopt);
  const bool failed = !asked.sqlstate.empty();
  const bool again = std::exchange(was_refused_, failed);
  if (failed) asked.answer.is_refused = true;
  asked.answer.lacks_settings = (asked.kinds & kSettings) && asked.answer.settings.empty();
  if (!failed) {
    // Settings that have stayed are not known by name.
    const uint8_t known = asked.kinds & static_cast<uint8_t>(~kSettings);
    found_ = static_cast<uint8_t>((found_ & ~known) | asked.found);
  } else if (is_not_understood(asked.sqlstate)) {
    mute_ |= asked.kinds;
  } else if (asked.sqlstate == kDenied) {  // a hardened server, or a role that may do little
  } else if (again) {
    kept_ = Pin::Unclear;
  } else {
    suspected_ = asked.kinds;
    settings_ = asked.answer.about;
    any_setting_ = asked.answer.any;
  }
  return std::move(asked.answer);
}

Pin Remains::reason() const {
  if (is_another_) return Pin::User;
  if (kept_) return *kept_;
  if (found_ & kListening) return Pin::Subscription;
  if (found_ & kTempObjects) return Pin::TempTable;
  if (found_ & kHeldCursors) return Pin::Cursor;
  if (found_ & kSqlStatements) return Pin::Prepared;
  return found_ & kLocks ? Pin::Lock : Pin::Setting;
}

void Remains::clear() {
  suspected_ = found_ = 0;
  is_another_ = was_refused_ = false;
  kept_.reset();
}

}  // namespace weir::postgres
