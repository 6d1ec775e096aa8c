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

}  // namespace weir::tds
