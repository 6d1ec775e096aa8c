#include "state.h"

#include "wire.h"

#include <algorithm>
#include <array>

namespace weir::postgres {

// docs/memory.md counts on it: 136 bytes, and some slack.
static_assert(sizeof(ClientState) <= 152);

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

bool ServerState::reported_setting(std::string_view name) const {
  return is_carried(name) && std::any_of(reported.begin(), reported.end(), [&](const auto& pair) {
           return lower_case(pair.first) == name;
         });
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
