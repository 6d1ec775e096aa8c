#include <weir/pgserver/settings.h>

#include <weir/pgserver/sql.h>
#include <weir/pgserver/types.h>

namespace weir::pgserver {

namespace {

enum class Kind : uint8_t {
  Free,
  Fixed,  // cannot be changed
  Boolean,
  Integer,
  Duration,  // a number of milliseconds, or with a unit
  Choice,    // one of `choices`, separated by blanks
  Encoding,
  DateStyle,
};

struct Known {
  std::string_view name;
  std::string_view reported;  // its name in ParameterStatus, or empty
  std::string_view initial;
  Kind kind = Kind::Free;
  std::string_view choices = {};
};

constexpr std::string_view kServerVersion = "15.0 (weir " WEIR_VERSION ")";
constexpr std::string_view kIsolation =
    "serializable|repeatable read|read committed|read uncommitted";

// Names as PostgreSQL's manual, chapter 20 "Server Configuration", has them. What is Free is taken
// and has no effect.
constexpr Known kKnown[] = {
    {"application_name", "application_name", ""},
    {"array_nulls", "", "on", Kind::Boolean},
    {"backslash_quote", "", "safe_encoding"},
    {"bytea_output", "", "hex", Kind::Choice, "hex"},
    {"check_function_bodies", "", "on", Kind::Boolean},
    {"client_encoding", "client_encoding", "UTF8", Kind::Encoding},
    {"client_min_messages", "", "notice", Kind::Choice,
     "debug5|debug4|debug3|debug2|debug1|debug|log|notice|warning|error"},
    {"cursor_tuple_fraction", "", "0.1"},
    {"datestyle", "DateStyle", "ISO, MDY", Kind::DateStyle},
    {"default_table_access_method", "", "heap"},
    {"default_tablespace", "", ""},
    {"default_transaction_deferrable", "", "off", Kind::Boolean},
    {"default_transaction_isolation", "", "read committed", Kind::Choice, kIsolation},
    {"default_transaction_read_only", "default_transaction_read_only", "off", Kind::Boolean},
    {"default_with_oids", "", "off", Kind::Boolean},
    {"enable_seqscan", "", "on", Kind::Boolean},
    {"extra_float_digits", "", "1", Kind::Integer},
    {"geqo", "", "on", Kind::Boolean},
    {"idle_in_transaction_session_timeout", "", "0", Kind::Duration},
    {"idle_session_timeout", "", "0", Kind::Duration},
    {"in_hot_standby", "in_hot_standby", "off", Kind::Fixed},
    {"integer_datetimes", "integer_datetimes", "on", Kind::Fixed},
    {"intervalstyle", "IntervalStyle", "postgres", Kind::Choice,
     "postgres|postgres_verbose|sql_standard|iso_8601"},
    {"is_superuser", "is_superuser", "off", Kind::Fixed},
    {"jit", "", "off", Kind::Boolean},
    {"lc_collate", "", "C", Kind::Fixed},
    {"lc_ctype", "", "C", Kind::Fixed},
    {"lc_messages", "", "C"},
    {"lc_monetary", "", "C"},
    {"lc_numeric", "", "C"},
    {"lc_time", "", "C"},
    {"lock_timeout", "", "0", Kind::Duration},
    {"maintenance_work_mem", "", "64MB"},
    {"max_identifier_length", "", "63", Kind::Fixed},
    {"max_index_keys", "", "32", Kind::Fixed},
    {"role", "", "none", Kind::Choice, "none"},
    {"row_security", "", "on", Kind::Boolean},
    {"search_path", "", "\"$user\", public"},
    {"server_encoding", "server_encoding", "UTF8", Kind::Fixed},
    {"server_version", "server_version", kServerVersion, Kind::Fixed},
    {"server_version_num", "", "150000", Kind::Fixed},
    {"session_authorization", "session_authorization", "", Kind::Fixed},
    {"standard_conforming_strings", "standard_conforming_strings", "on", Kind::Choice,
     "on|true|yes|1"},
    {"statement_timeout", "", "0", Kind::Duration},
    {"synchronize_seqscans", "", "on", Kind::Boolean},
    {"synchronous_commit", "", "on"},
    {"temp_buffers", "", "8MB"},
    {"timezone", "TimeZone", "UTC"},
    {"transaction_isolation", "", "read committed", Kind::Choice, kIsolation},
    {"transaction_read_only", "", "off", Kind::Boolean},
    {"work_mem", "", "4MB"},
    {"xmloption", "", "content"},
};

const Known* find_known(std::string_view lower_name) {
  for (const Known& known : kKnown)
    if (known.name == lower_name) return &known;
  return nullptr;
}

// "1500", "1500ms", "2s", "1min", "1h", "1d" (20.1.1); -1 when it is none of these.
base::Duration read_duration(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789. "), text.size());
  double number = 0;
  if (!read_real(text.substr(0, digits), number) || number < 0) return -1;
  const std::string_view unit = text.substr(digits);
  struct Unit {
    std::string_view name;
    double micros;
  };
  constexpr Unit kUnits[] = {{"", 1e3},    {"us", 1},    {"ms", 1e3},   {"s", 1e6},
                             {"min", 6e7}, {"h", 3.6e9}, {"d", 8.64e10}};
  for (const Unit& each : kUnits)
    if (unit == each.name && number * each.micros <= 2147483647e3)
      return static_cast<base::Duration>(number * each.micros);
  return -1;
}

bool one_of(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    const size_t bar = std::min(choices.find('|'), choices.size());
    if (choices.substr(0, bar) == value) return true;
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
  return false;
}

// Only ISO is written; the order of day and month concerns what is read, which is ISO too.
std::optional<std::string> canonical_date_style(std::string_view value) {
  std::string order = "MDY";
  const std::string lower = lower_case(value);
  for (size_t at = 0; at < lower.size();) {
    const size_t begin = lower.find_first_not_of(", ", at);
    if (begin == std::string::npos) break;
    at = std::min(lower.find_first_of(", ", begin), lower.size());
    const std::string word = lower.substr(begin, at - begin);
    if (word == "mdy" || word == "us" || word == "noneuro") {
      order = "MDY";
    } else if (word == "dmy" || word == "euro" || word == "european") {
      order = "DMY";
    } else if (word == "ymd") {
      order = "YMD";
    } else if (word != "iso") {
      return std::nullopt;
    }
  }
  return "ISO, " + order;
}

SettingError invalid(std::string_view name, std::string_view value) {
  return {"22023", "invalid value for parameter \"" + std::string(name) + "\": \"" +
                       std::string(value) + "\""};
}

// The value as it is kept, or an error.
std::optional<SettingError> check(const Known& known, std::string& value) {
  switch (known.kind) {
    case Kind::Free: return std::nullopt;
    case Kind::Fixed:
      return SettingError{"55P02",
                          "parameter \"" + std::string(known.name) + "\" cannot be changed"};
    case Kind::Boolean:
      if (const auto truth = read_boolean(value))
        return value = *truth ? "on" : "off", std::nullopt;
      return SettingError{"22023",
                          "parameter \"" + std::string(known.name) + "\" requires a Boolean value"};
    case Kind::Integer: {
      int64_t number = 0;
      if (read_integer(value, number)) return value = std::to_string(number), std::nullopt;
      return invalid(known.name, value);
    }
    case Kind::Duration:
      if (read_duration(value) >= 0) return std::nullopt;
      return invalid(known.name, value);
    case Kind::Choice: {
      std::string lower = lower_case(value);
      if (!one_of(known.choices, lower)) return invalid(known.name, value);
      value = known.name == "standard_conforming_strings" ? "on" : lower;
      return std::nullopt;
    }
    case Kind::Encoding: {
      std::string plain;
      for (const char c : lower_case(value))
        if (c != '-' && c != '_' && c != '\'' && c != ' ') plain.push_back(c);
      if (plain != "utf8" && plain != "unicode") return invalid(known.name, value);
      value = "UTF8";
      return std::nullopt;
    }
    case Kind::DateStyle:
      if (auto style = canonical_date_style(value)) return value = *style, std::nullopt;
      return invalid(known.name, value);
  }
  return std::nullopt;
}

constexpr size_t kOwnSettingsMax = 200;  // of a custom class, "app.user"
constexpr size_t kSettingBytesMax = 64 * 1024;

bool is_custom_name(std::string_view name) {
  const size_t dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 && dot + 1 < name.size() && name.size() <= 127;
}

}  // namespace

struct Settings::State {
  SettingMap session;
  SettingMap local;
};

Settings::Settings() : state_(std::make_shared<const State>()) {}

std::optional<SettingError> Settings::change(std::string_view name,
                                             std::optional<std::string_view> value, bool local) {
  const std::string lower = lower_case(name);
  const Known* known = find_known(lower);
  if (!known && !is_custom_name(lower))
    return SettingError{"42704",
                        "unrecognized configuration parameter \"" + std::string(name) + "\""};
  std::string checked(value.value_or(std::string_view()));
  if (checked.size() > kSettingBytesMax) return invalid(lower, checked.substr(0, 32) + "…");
  if (value && known)
    if (auto error = check(*known, checked)) return error;
  auto next = std::make_shared<State>(*state_);
  next->local.erase(lower);
  SettingMap& map = local ? next->local : next->session;
  if (value) {
    map[lower] = std::move(checked);
  } else {
    map.erase(lower);
  }
  if (map.size() > kOwnSettingsMax) return SettingError{"53400", "too many settings"};
  state_ = std::move(next);
  return std::nullopt;
}

std::optional<SettingError> Settings::set_initial(std::string_view name, std::string_view value) {
  const std::string lower = lower_case(name);
  const Mark before = state_;
  if (auto error = change(lower, value, false)) return error;
  initial_[lower] = state_->session.at(lower);
  state_ = before;
  return std::nullopt;
}

void Settings::tell(std::string_view name, std::string_view value) {
  initial_[lower_case(name)] = value;
}

std::optional<SettingError> Settings::set(std::string_view name, std::string_view value) {
  return change(name, value, false);
}
std::optional<SettingError> Settings::set_local(std::string_view name, std::string_view value) {
  return change(name, value, true);
}

std::optional<SettingError> Settings::reset(std::string_view name) {
  const Known* known = find_known(lower_case(name));
  if (known && known->kind == Kind::Fixed)
    return SettingError{"55P02",
                        "parameter \"" + std::string(known->name) + "\" cannot be changed"};
  return change(name, std::nullopt, false);
}

void Settings::reset_all() { state_ = std::make_shared<const State>(); }

void Settings::end_transaction() {
  if (state_->local.empty()) return;
  auto next = std::make_shared<State>(*state_);
  next->local.clear();
  state_ = std::move(next);
}

std::string Settings::effective(std::string_view lower) const {
  if (const auto it = state_->local.find(lower); it != state_->local.end()) return it->second;
  if (const auto it = state_->session.find(lower); it != state_->session.end()) return it->second;
  if (const auto it = initial_.find(lower); it != initial_.end()) return it->second;
  const Known* known = find_known(lower);
  return known ? std::string(known->initial) : std::string();
}

std::optional<std::string> Settings::show(std::string_view name) const {
  const std::string lower = lower_case(name);
  if (find_known(lower) ||
      state_->local.count(lower) + state_->session.count(lower) + initial_.count(lower) > 0)
    return effective(lower);
  return std::nullopt;
}

SettingMap Settings::all() const {
  SettingMap map;
  for (const Known& known : kKnown) map[std::string(known.name)] = effective(known.name);
  for (const SettingMap* own : {&initial_, &state_->session, &state_->local})
    for (const auto& [name, value] : *own) map[name] = effective(name);
  return map;
}

SettingMap Settings::reported() const {
  SettingMap map;
  for (const Known& known : kKnown)
    if (!known.reported.empty()) map[std::string(known.reported)] = effective(known.name);
  return map;
}

base::Duration Settings::duration(std::string_view name) const {
  return std::max<base::Duration>(read_duration(effective(name)), 0);
}
bool Settings::is_on(std::string_view name) const { return effective(name) == "on"; }

}  // namespace weir::pgserver
