#include "protocols.h"

#include <weir/protocol/postgres.h>
#include <weir/protocol/redis.h>
#include <weir/protocol/tds.h>

namespace weir::app {

std::vector<std::unique_ptr<protocol::Protocol>> make_protocols(base::InternTable& texts) {
  std::vector<std::unique_ptr<protocol::Protocol>> out;
  out.push_back(postgres::make_protocol(texts));
  out.push_back(redis::make_protocol());
  out.push_back(tds::make_protocol(texts));
  return out;
}

namespace {

using Path = config::ProtocolDescriptor::Path;
using Method = config::AuthMethod;

config::ProtocolDescriptor sql_server() {
  using Tls = config::TlsMode;
  using Mode = config::PoolMode;
  return {
      .name = "tds",
      .schemes = {"mssql", "sqlserver"},
      .path = Path::Name,
      .sockets_are_files = true,
      .server_port = 1433,
      .listen_port = 14330,
      .login_methods = {Method::Trust, Method::Plain, Method::Md5, Method::ScramSha256, Method::Pam,
                        Method::Ldap, Method::Passthrough},
      .logins_have_passwords = true,
      .parameters = {{.name = "host"},
                     {.name = "port"},
                     {.name = "user"},
                     {.name = "password"},
                     {.name = "database"},
                     {.name = "encrypt",
                      .values = {"true", "yes", "mandatory", "strict", "false", "no", "optional",
                                 "disable"}}},
      .options = {"user", "password", "tls", "load_balance_hosts", "failover_partner", "read_only"},
      .listener_tls_modes = {Tls::Disable, Tls::Login, Tls::Prefer, Tls::Require, Tls::Strict},
      .server_tls_modes = {Tls::Disable, Tls::Prefer, Tls::Require, Tls::Strict, Tls::VerifyCa,
                           Tls::VerifyFull},
      .pool_modes = {Mode::Session, Mode::Transaction},
      .pool_mode = Mode::Session};
}

}  // namespace

std::vector<config::ProtocolDescriptor> protocol_descriptors() {
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
       .options = {"user", "password", "settings", "tls", "tls.negotiation", "tls.channel_binding",
                   "target_session_attrs", "load_balance_hosts", "read_only",
                   "max_protocol_version"}},
      {.name = "redis",
       .schemes = {"redis", "rediss"},
       .tls_scheme = "rediss",
       .path = Path::Number,
       .sockets_are_files = true,
       .server_port = 6379,
       .listen_port = 6380,
       .login_methods = {Method::Trust, Method::Plain, Method::Md5, Method::ScramSha256,
                         Method::Passthrough},
       .other_methods_are_plain = true,
       .clients_name_database = false,
       .default_user = "default",
       .parameters = {{.name = "host"}},
       .options = {"user", "password", "tls", "lanes", "pubsub", "retry_reads",
                   "load_balance_hosts", "command_class"},
       .command_classes = redis::command_classes(),
       .fixed_commands = redis::fixed_commands()},
      sql_server(),
      {.name = "sqlite",
       .clients = "postgres",
       .schemes = {"sqlite"},
       .path = Path::File,
       .options = {"create", "durability"}},
  };
}

}  // namespace weir::app
