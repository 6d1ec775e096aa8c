#include "startup.h"

#include <algorithm>

#include "state.h"
#include "wire.h"

namespace weir::postgres {

using base::Error;
using base::ErrorKind;
using base::ok;
using base::Result;
using base::Status;

namespace {

Error invalid(std::string text) { return {ErrorKind::Protocol, std::move(text), "08P01"}; }
Error refused(std::string text, const char* code) {
  return {ErrorKind::Refused, std::move(text), code};
}

// What PostgreSQL takes as a name, so that nothing else ever gets into a SET that weir writes:
// words of letters, digits, _ and $, joined by dots (guc.c, valid_custom_variable_name).
bool is_setting_name(std::string_view name) {
  bool first = true;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || c == '_' || (c & 0x80) != 0;
    const bool later = (c >= '0' && c <= '9') || c == '$' || c == '.';
    if (!letter && (first || !later)) return false;
    first = c == '.';
  }
  return !name.empty() && !first;
}

Status add_setting(std::string_view name, std::string_view value, SettingMap& settings) {
  const std::string lower = lower_case(name);
  if (!is_setting_name(lower))
    return refused("unrecognized configuration parameter \"" + std::string(name) + "\"", "42704");
  if (!is_carried(lower)) return refused("parameter \"" + lower + "\" cannot be changed", "55P02");
  settings.insert_or_assign(lower, std::string(value));
  return ok();
}

// "name=value" behind -c or --; a '-' in the name stands for '_'.
Status add_switch(const std::string& text, const std::string& shown, SettingMap& settings) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return refused(shown + " requires a value", "42601");
  std::string name = text.substr(0, equals);
  std::replace(name.begin(), name.end(), '-', '_');
  return add_setting(name, std::string_view(text).substr(equals + 1), settings);
}

// pg_split_opts(): words between white space, backslash takes the next character as it is.
std::vector<std::string> split_options(std::string_view options) {
  std::vector<std::string> words;
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  for (size_t i = 0; i < options.size();) {
    if (is_space(options[i])) {
      ++i;
      continue;
    }
    std::string word;
    for (; i < options.size() && !is_space(options[i]); ++i) {
      if (options[i] == '\\' && ++i == options.size()) break;
      word.push_back(options[i]);
    }
    words.push_back(std::move(word));
  }
  return words;
}

// The words are those that PostgreSQL takes for a boolean ("Streaming Replication Protocol", 55.4).
Status read_replication(std::string_view value, protocol::Replication& replication) {
  const std::string lower = lower_case(value);
  const auto begins = [&](std::string_view word, size_t least) {
    return lower.size() >= least && word.starts_with(lower);
  };
  if (begins("false", 1) || begins("no", 1) || begins("off", 2) || lower == "0") return ok();
  replication = protocol::Replication::Logical;
  if (value == "database") return ok();
  replication = protocol::Replication::Physical;
  if (begins("true", 1) || begins("yes", 1) || lower == "on" || lower == "1") return ok();
  return refused("invalid value for parameter \"replication\": \"" + std::string(value) + "\"",
                 "22023");
}

// Name and value pairs up to the NUL that has to be the last byte.
Result<SettingList> read_pairs(Bytes parameters) {
  SettingList pairs;
  BodyReader reader(parameters);
  SettingMap seen;
  while (true) {
    const Bytes name = reader.text();
    if (!reader.ok())
      return invalid("invalid startup packet layout: expected terminator as last byte");
    if (name.empty()) break;
    const Bytes value = reader.text();
    if (!reader.ok()) return invalid("invalid startup packet layout: a parameter has no value");
    if (!is_utf8(name) || !is_utf8(value)) return invalid("invalid startup packet: not UTF-8");
    if (!seen.emplace(lower_case(name), "").second)
      return invalid("invalid startup packet: parameter \"" + std::string(name) + "\" is repeated");
    pairs.emplace_back(name, value);
  }
  if (!reader.at_end())
    return invalid("invalid startup packet layout: expected terminator as last byte");
  return pairs;
}

Status take_pair(const std::string& name, const std::string& value, Startup& startup) {
  if (name == "user") {
    startup.user = value;
  } else if (name == "database") {
    startup.database = value;
  } else if (name == "replication") {
    return read_replication(value, startup.replication);
  } else if (name.starts_with("_pq_.")) {
    startup.unknown_options.push_back(name);
    startup.negotiate = true;
  } else if (name != "options") {
    return add_setting(name, value, startup.settings);
  }
  return ok();
}

}  // namespace

Status read_options(std::string_view options, SettingMap& settings) {
  const std::vector<std::string> words = split_options(options);
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    Status status = ok();
    if (word.starts_with("-c") && word.size() > 2) {
      status = add_switch(word.substr(2), "-c " + word.substr(2), settings);
    } else if (word == "-c" && i + 1 < words.size()) {
      ++i;
      status = add_switch(words[i], "-c " + words[i], settings);
    } else if (word.starts_with("--") && word.size() > 2) {
      status = add_switch(word.substr(2), word, settings);
    } else {
      return refused("invalid command-line argument for server process: " + word, "42601");
    }
    if (!status) return status;
  }
  return ok();
}

Result<Startup> read_startup(uint32_t version, Bytes parameters) {
  const uint32_t major = version >> 16;
  const uint32_t minor = version & 0xffff;
  if (major != 3) {
    // Also to a client of version 2, as PostgreSQL does since 14.
    return Error{ErrorKind::Protocol,
                 "unsupported frontend protocol " + std::to_string(major) + "." +
                     std::to_string(minor) + ": server supports 3.0 to 3.2",
                 "0A000"};
  }
  auto pairs = read_pairs(parameters);
  if (!pairs) return pairs.error();

  Startup startup;
  startup.version = std::min(version, kVersion32);
  startup.negotiate = version > kVersion32;
  // A parameter of its own counts for more than one in `options`, wherever they stand.
  for (const auto& [name, value] : *pairs)
    if (name == "options")
      if (auto status = read_options(value, startup.settings); !status) return status.error();
  for (const auto& [name, value] : *pairs)
    if (auto status = take_pair(name, value, startup); !status) return status.error();

  if (startup.user.empty()) return invalid("no PostgreSQL user name specified in startup packet");
  if (startup.database.empty()) startup.database = startup.user;
  return startup;
}

bool is_plain_application_name(std::string_view name) {
  return name.size() < 64 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

}  // namespace weir::postgres
