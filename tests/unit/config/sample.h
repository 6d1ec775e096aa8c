// Protocols as app describes them, and shorthands for loading a text.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <weir/config/check.h>
#include <weir/config/load.h>

namespace weir::config {

inline Surroundings sample_surroundings() {
  ProtocolDescriptor postgres;
  postgres.name = "postgres";
  postgres.schemes = {"postgres", "postgresql"};
  postgres.server_port = 5432;
  postgres.listen_port = 6432;
  postgres.parameters = {{"host"},     {"port"},   {"user"},
                         {"password"}, {"dbname"}, {"sslmode", {"disable", "allow", "prefer"}}};
  postgres.options = {"user", "password",        "settings",
                      "tls",  "tls.negotiation", "tls.channel_binding"};
  ProtocolDescriptor redis;
  redis.name = "redis";
  redis.schemes = {"redis", "rediss"};
  redis.tls_scheme = "rediss";
  redis.sockets_are_files = true;
  redis.path = ProtocolDescriptor::Path::Number;
  redis.server_port = 6379;
  redis.listen_port = 6380;
  redis.login_methods = {AuthMethod::Trust, AuthMethod::Plain, AuthMethod::Md5,
                         AuthMethod::ScramSha256, AuthMethod::Passthrough};
  redis.other_methods_are_plain = true;
  redis.clients_name_database = false;
  redis.default_user = "default";
  redis.parameters = {{"host"}};
  redis.options = {"user", "password", "lanes", "pubsub", "command_class", "tls"};
  redis.command_classes = {"lane", "blocking"};
  redis.fixed_commands = {{"multi", "weir follows transactions"},
                          {"client", "weir answers it"},
                          {"script|kill", "it has to get past what it ends"}};
  ProtocolDescriptor tds;
  tds.name = "tds";
  tds.schemes = {"mssql", "sqlserver"};
  tds.server_port = 1433;
  tds.listen_port = 14330;
  tds.logins_have_passwords = true;
  tds.login_methods = {AuthMethod::Trust, AuthMethod::Plain, AuthMethod::ScramSha256,
                       AuthMethod::Ldap, AuthMethod::Passthrough};
  tds.parameters = {{"database"}, {"encrypt", {"true", "strict", "false", "disable"}}};
  tds.options = {"user", "password", "tls"};
  tds.listener_tls_modes = {TlsMode::Disable, TlsMode::Login, TlsMode::Prefer, TlsMode::Require,
                            TlsMode::Strict};
  tds.server_tls_modes = {TlsMode::Disable, TlsMode::Prefer,   TlsMode::Require,
                          TlsMode::Strict,  TlsMode::VerifyCa, TlsMode::VerifyFull};
  tds.pool_modes = {PoolMode::Session, PoolMode::Transaction};
  tds.pool_mode = PoolMode::Session;
  ProtocolDescriptor sqlite;
  sqlite.name = "sqlite";
  sqlite.clients = "postgres";
  sqlite.schemes = {"sqlite"};
  sqlite.path = ProtocolDescriptor::Path::File;
  sqlite.options = {"create", "durability"};
  Surroundings around;
  around.protocols = {postgres, redis, tds, sqlite};
  around.variable = [](const std::string& name) -> std::optional<std::string> {
    static const std::map<std::string, std::string> variables{
        {"APP_PASSWORD", "from-the-environment"}, {"SIZE", "7"}, {"EMPTY", ""}};
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  return around;
}

// Enough of a configuration that nothing else is complained of.
inline const std::string kRest =
    "listeners: [{protocol: postgres, address: 127.0.0.1:6432}]\n"
    "databases: {app: {url: postgres://db1/app}}\n";

inline Loaded load_sample(const std::string& text) {
  return load_text(text, "weir.yaml", sample_surroundings());
}

// The configuration, which has to be fine.
inline Config good(const std::string& text) {
  Loaded loaded = load_sample(text);
  EXPECT_TRUE(loaded) << loaded.report();
  return loaded.config;
}

// "LINE:COL: key: expected" of every problem, one on a line.
inline std::string problems_of(const Loaded& loaded) {
  std::string out;
  for (const Problem& problem : loaded.problems) {
    out += std::to_string(problem.line) + ':' + std::to_string(problem.column) + ": ";
    out += (problem.key.empty() ? "" : problem.key + ": ") + problem.expected + '\n';
  }
  return out;
}

// A directory of its own for a test's files.
class Directory {
 public:
  Directory() {
    std::string name = std::filesystem::temp_directory_path() / "weir-config-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }

  std::string path(const std::string& name) const { return path_ / name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace weir::config
