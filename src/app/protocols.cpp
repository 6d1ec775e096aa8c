#include "protocols.h"

#include <weir/protocol/postgres.h>
#include <weir/protocol/redis.h>

namespace weir::app {

std::vector<std::unique_ptr<protocol::Protocol>> make_protocols(base::InternTable& texts) {
  std::vector<std::unique_ptr<protocol::Protocol>> out;
  out.push_back(postgres::make_protocol(texts));
  out.push_back(redis::make_protocol());
  return out;
}

std::vector<config::ProtocolDescriptor> protocol_descriptors() {
  using Path = config::ProtocolDescriptor::Path;
  return {
      {.name = "postgres",
       .schemes = {"postgres", "postgresql"},
       .path = Path::Name,
       .server_port = 5432,
       .listen_port = 6432,
       .parameters =
           {{.name = "host"},
            {.name = "port"},
            {.name = "user"},
            {.name = "password"},
            {.name = "dbname"},
            {.name = "sslmode",
             .values = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}},
            {.name = "sslnegotiation", .values = {"postgres", "direct"}},
            {.name = "channel_binding", .values = {"disable", "prefer", "require"}},
            {.name = "target_session_attrs",
             .values = {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}},
            {.name = "load_balance_hosts", .values = {"disable", "round_robin", "random"}},
            {.name = "max_protocol_version", .values = {"3.0", "3.2", "latest"}}},
       .options = {"user", "password", "settings", "tls", "target_session_attrs",
                   "load_balance_hosts", "max_protocol_version"}},
      {.name = "redis",
       .schemes = {"redis", "rediss"},
       .tls_scheme = "rediss",
       .path = Path::Number,
       .sockets_are_files = true,
       .server_port = 6379,
       .listen_port = 6380,
       .logins_pass_through = true,
       .clients_name_database = false,
       .default_user = "default",
       .parameters = {{.name = "host"}},
       .options = {"user", "password", "tls", "lanes", "pubsub", "retry_reads",
                   "load_balance_hosts", "command_class"},
       .command_classes = redis::command_classes(),
       .fixed_commands = redis::fixed_commands()},
      {.name = "sqlite",
       .clients = "postgres",
       .schemes = {"sqlite"},
       .path = Path::File,
       .options = {"create", "durability"}},
  };
}

}  // namespace weir::app
