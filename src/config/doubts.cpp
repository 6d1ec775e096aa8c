// What is allowed and hardly meant.
#include <fmt/format.h>

#include <algorithm>

#include <weir/config/check.h>

#include "reading.h"

namespace weir::config {

namespace {

AuthMethod method_of(const Config& config, const Listener& listener) {
  return listener.auth.method.value_or(config.auth.method);
}

// Only PostgreSQL's clients prove a password without saying it.
bool hears_passwords(const Config& config, const Listener& listener) {
  switch (method_of(config, listener)) {
    case AuthMethod::Trust:
    case AuthMethod::Cert:
    case AuthMethod::Peer:
    case AuthMethod::Hba: return false;
    case AuthMethod::Md5:
    case AuthMethod::ScramSha256: return listener.protocol != "postgres";
    default: return true;
  }
}

bool lets_in_by_secrets_of_users(const Config& config, const Listener& listener) {
  const AuthMethod method = method_of(config, listener);
  return method == AuthMethod::Plain || method == AuthMethod::Md5 ||
         method == AuthMethod::ScramSha256;
}

void doubt_listeners(const Config& config, std::vector<std::string>& doubts) {
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    const Listener& listener = config.listeners[i];
    if (!config.leads_somewhere(listener))
      doubts.push_back(fmt::format("listeners[{}]: there is no {} database for its clients", i,
                                   listener.protocol));
    const bool is_clear = listener.tls.mode == TlsMode::Disable && !listener.address.is_local();
    if (is_clear && hears_passwords(config, listener))
      doubts.push_back(
          fmt::format("listeners[{}].tls: passwords come in clear over the network", i));
  }
}

void doubt_databases(const Config& config, std::vector<std::string>& doubts) {
  for (const auto& [name, database] : config.databases) {
    const auto leads = [&, &of = database](const Listener& listener) {
      return config.leads_to(listener, of);
    };
    if (config.auth.query.database == name ||
        std::any_of(config.listeners.begin(), config.listeners.end(), leads))
      continue;
    doubts.push_back(fmt::format("{}: no listener leads to it; its clients speak {}",
                                 join_path("databases", name), database.clients));
  }
}

// Of the servers' users, an entry may hold limits only.
bool is_servers_user(const Config& config, const std::string& name) {
  return config.auth.query.user == name ||
         std::any_of(config.databases.begin(), config.databases.end(),
                     [&](const auto& each) { return each.second.user == name; });
}

void doubt_users(const Config& config, std::vector<std::string>& doubts) {
  const bool by_secrets =
      config.auth.query.database.empty() &&
      std::all_of(config.listeners.begin(), config.listeners.end(), [&](const Listener& listener) {
        return lets_in_by_secrets_of_users(config, listener);
      });
  if (!by_secrets) return;
  if (config.users.empty() && !config.listeners.empty())
    doubts.emplace_back("users: there are none, and clients log in with their passwords");
  for (const auto& [name, user] : config.users)
    if (user.password.empty() && !is_servers_user(config, name))
      doubts.push_back(fmt::format("{}: has no password, so nobody can log in as this user",
                                   join_path("users", name)));
}

}  // namespace

std::vector<std::string> doubts_about(const Config& config) {
  std::vector<std::string> doubts;
  doubt_listeners(config, doubts);
  doubt_databases(config, doubts);
  doubt_users(config, doubts);
  return doubts;
}

}  // namespace weir::config
