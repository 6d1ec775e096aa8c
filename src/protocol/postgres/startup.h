// The first packet of a client: what it asks for before anybody is authenticated, read strictly.
// A start-up packet is `length (4) | version or request code (4) | name NUL value NUL … NUL`
// (PostgreSQL's manual, 55.2.1 "Start-Up" and 55.7).
// Pure functions; values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <weir/protocol/postgres.h>

#include "wire.h"

namespace weir::postgres {

struct Startup {
  std::string user;
  std::string database;                      // the user's name when the client gave none
  SettingMap settings;                       // names in lower case; from `options` too
  std::vector<std::string> unknown_options;  // _pq_.…
  protocol::Replication replication = protocol::Replication::None;
  uint32_t version = kVersion30;  // that will be spoken
  bool negotiate = false;         // the client has to be told so
};

// `version` and what follows it. Any error's code is the SQLSTATE that the client gets.
base::Result<Startup> read_startup(uint32_t version, base::Bytes parameters);

// Adds what `options` says to `settings`, as PostgreSQL's process_postgres_switches() reads it: -c
// name=value, -cname=value, --name=value; a backslash takes the next character as it is.
base::Status read_options(std::string_view options, SettingMap& settings);

// An application_name that no server would change.
bool is_plain_application_name(std::string_view name);

}  // namespace weir::postgres
