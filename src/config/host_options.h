// Options that name hosts besides those of a URL.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "option.h"
#include "reading.h"
#include "scalars.h"

namespace weir::config {

// Without a port it is that of the protocol, once that is known (settle_hosts()).
inline std::optional<Host> read_host(Reading& reading, const Value& value) {
  std::string text;
  read_scalar<Text>(reading, value, text);
  Host host;
  if (text.empty()) return std::nullopt;
  if (parse_host_port(text, host.host, host.port)) return host;
  reading.complain(value.place, value.path, "expected host or host:port");
  return std::nullopt;
}
constexpr Field<Database> kPartner{
    [](Reading& reading, const Value& value, Database& database) {
      database.failover_partner = read_host(reading, value);
    },
    [] { return std::string("host or host:port"); },
    [](const Database& database) {
      return database.failover_partner ? database.failover_partner->text() : std::string("\"\"");
    },
    nullptr,
    [](const Database& a, const Database& b) { return a.failover_partner == b.failover_partner; }};
constexpr Field<Database> kReadOnly{
    [](Reading& reading, const Value& value, Database& database) {
      for (const Value& one : reading.elements(value))
        if (auto host = read_host(reading, one)) database.read_only.push_back(std::move(*host));
    },
    [] { return std::string("a list of host or host:port"); },
    [](const Database& database) {
      std::string out;
      for (const Host& host : database.read_only) out += (out.empty() ? "" : ", ") + host.text();
      return '[' + out + ']';
    },
    nullptr, [](const Database& a, const Database& b) { return a.read_only == b.read_only; }};
}  // namespace weir::config
