#include "state.h"

namespace weir::tds {

// name NUL value NUL …
Interned intern_settings(InternTable& texts, const SettingMap& map) {
  std::string text;
  for (const auto& [name, value] : map) {
    text.append(name).push_back('\0');
    text.append(value).push_back('\0');
  }
  return text.empty() ? Interned() : texts.intern(text);
}

SettingMap settings_of(const Interned& set) {
  SettingMap map;
  std::string_view rest = set.view();
  const auto text = [&rest] {
    const size_t end = rest.find('\0');
    const std::string_view found = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return std::string(found);
  };
  while (!rest.empty()) {
    std::string name = text();
    map.emplace(std::move(name), text());
  }
  return map;
}

namespace {

// Error 586: a handle is not valid elsewhere.
bool prepare_alike(const Interned& one, const Interned& other) {
  const SettingMap a = settings_of(one), b = settings_of(other);
  const auto equal_in = [&](std::string_view name) {
    const auto in_a = a.find(name), in_b = b.find(name);
    return in_a == a.end() ? in_b == b.end() : in_b != b.end() && in_a->second == in_b->second;
  };
  return equal_in(kDatabase) && equal_in("ANSI_NULLS") && equal_in("QUOTED_IDENTIFIER");
}

}  // namespace

void ServerState::put_in_force(const Interned& settings) {
  if (in_force == settings) return;
  if (!prepare_alike(in_force, settings)) handles.lose();
  in_force = settings;
}

}  // namespace weir::tds
