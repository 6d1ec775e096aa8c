#include "scalars.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace weir::config {

namespace {

struct Unit {
  std::string_view name;
  int64_t count;
};

constexpr std::array<Unit, 4> kDurationUnits{
    {{"ms", kMillisecond}, {"s", kSecond}, {"m", kMinute}, {"h", kHour}}};
constexpr std::array<Unit, 3> kSizeUnits{{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}};
constexpr size_t kUnixPathMax = 107;  // sun_path, without its last zero

base::Error wrong(std::string expected) { return {base::ErrorKind::Config, std::move(expected)}; }

template <class Units>
bool parse_with_unit(std::string_view text, const Units& units, int64_t& value) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  for (const Unit& unit : units) {
    if (text.substr(digits) != unit.name) continue;
    if (!parse_whole(text.substr(0, digits), INT64_MAX / unit.count, value)) return false;
    value *= unit.count;
    return true;
  }
  return false;
}

// The largest unit that needs no fraction.
template <class Units>
std::string show_with_unit(int64_t value, const Units& units) {
  const Unit* best = nullptr;
  for (const Unit& unit : units) {
    if (value % unit.count == 0) best = &unit;
  }
  if (value == 0 || !best) return std::to_string(value);
  return std::to_string(value / best->count) + std::string(best->name);
}

bool is_host_name(std::string_view host) {
  for (const unsigned char c : host) {
    if (c <= ' ' || c == 127 || std::strchr("/@?#[]\"'\\,:", c)) return false;
  }
  return !host.empty() && host.size() <= 255;
}

// The shape only; the zone after % is the name of an interface.
bool is_v6(std::string_view name) {
  const std::string_view zone = name.substr(std::min(name.find('%'), name.size()));
  const std::string_view digits = name.substr(0, name.size() - zone.size());
  return digits.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos &&
         digits.find(':') != std::string_view::npos &&
         (zone.empty() || is_host_name(zone.substr(1)));
}

}  // namespace

bool parse_whole(std::string_view text, int64_t max, int64_t& value) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value <= max;
}

bool parse_port(std::string_view text, uint16_t& port) {
  int64_t value = 0;
  if (!parse_whole(text, 65535, value) || value == 0) return false;
  port = static_cast<uint16_t>(value);
  return true;
}

bool parse_host_port(std::string_view text, std::string& host, uint16_t& port) {
  std::string_view name;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    name = text.substr(1, end - 1);
    if (!is_v6(name)) return false;
    text.remove_prefix(end + 1);
  } else {
    name = text.substr(0, text.find(':'));
    if (!is_host_name(name)) return false;
    text.remove_prefix(name.size());
  }
  host = name;
  if (text.empty()) return true;
  return text[0] == ':' && parse_port(text.substr(1), port);
}

bool percent_decode(std::string_view text, std::string& out) {
  out.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return false;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    if (error != std::errc() || end != text.data() + i + 3 || value == 0) return false;
    out.push_back(static_cast<char>(value));
    i += 2;
  }
  return true;
}

base::Result<Duration> parse_duration(std::string_view text) {
  int64_t value = 0;
  if (text == "0" || (parse_with_unit(text, kDurationUnits, value) && value <= kDurationMax)) {
    return Duration{value};
  }
  return wrong("expected a duration such as 250ms, 30s, 10m or 1h, or 0");
}

base::Result<size_t> parse_size(std::string_view text) {
  int64_t value = 0;
  if (parse_whole(text, INT64_MAX, value) || parse_with_unit(text, kSizeUnits, value)) {
    return static_cast<size_t>(value);
  }
  return wrong("expected a size such as 64KiB or 1MiB");
}

base::Result<Address> parse_address(std::string_view text) {
  Address address;
  if (text.starts_with("unix:@")) {
    address.kind = Address::Kind::Abstract;
    address.path = text.substr(6);
  } else if (text.starts_with("unix:")) {
    address.kind = Address::Kind::Unix;
    address.path = text.substr(5);
    if (!address.path.starts_with('/')) address.path.clear();
  } else if (parse_host_port(text, address.host, address.port) && address.port != 0) {
    return address;
  }
  if (address.path.size() > kUnixPathMax) {
    return wrong("expected a unix socket's path of at most " + std::to_string(kUnixPathMax) +
                 " bytes");
  }
  if (address.path.empty()) {
    return wrong("expected an address: host:port, [v6]:port, unix:/path or unix:@name");
  }
  return address;
}

std::string show_duration(Duration duration) { return show_with_unit(duration, kDurationUnits); }

std::string show_size(size_t bytes) {
  return show_with_unit(static_cast<int64_t>(bytes), kSizeUnits);
}

std::string Address::text() const {
  if (kind == Kind::Unix) return "unix:" + path;
  if (kind == Kind::Abstract) return "unix:@" + path;
  return Host{host, port}.text();
}

bool Address::is_local() const {
  return kind != Kind::Tcp || host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string Host::text() const {
  if (is_unix() && port == 0) return host;
  const bool v6 = !is_unix() && host.find(':') != std::string::npos;
  return (v6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

std::vector<Host> Database::all_hosts() const {
  std::vector<Host> all;
  const auto add = [&all](const Host& host) {
    if (std::find(all.begin(), all.end(), host) == all.end()) all.push_back(host);
  };
  std::for_each(url.hosts.begin(), url.hosts.end(), add);
  std::for_each(read_only.begin(), read_only.end(), add);
  if (failover_partner) add(*failover_partner);
  return all;
}

bool Config::leads_somewhere(const Listener& listener) const {
  const bool has_console = listener.protocol == "postgres" && listener.database.empty() &&
                           !(admin.users.empty() && admin.stats_users.empty());
  return has_console || std::any_of(databases.begin(), databases.end(), [&](const auto& each) {
           return leads_to(listener, each.second);
         });
}

bool Config::leads_to(const Listener& listener, const Database& of) const {
  return listener.database.empty() ? listener.protocol == of.clients
                                   : database(listener.database) == &of;
}

const Database* Config::database(std::string_view name) const {
  auto found = databases.find(name);
  if (found == databases.end()) found = databases.find("*");
  return found == databases.end() ? nullptr : &found->second;
}

const User* Config::user(std::string_view name) const {
  const auto found = users.find(name);
  return found == users.end() ? nullptr : &found->second;
}

}  // namespace weir::config
