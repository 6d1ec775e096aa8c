// Does a line speak of this client? First what is known of the connection, then the names: a line
// that needs the user's groups and can do nothing without them ends the search until they are
// known.
#include <algorithm>

#include <weir/config/hba.h>

#include "auth_lines.h"

namespace weir::config {

namespace {

bool fits_connection(const HbaRule& rule, const HbaClient& client) {
  switch (rule.connection) {
    case HbaRule::Connection::Local: return client.is_local;
    case HbaRule::Connection::Host: return !client.is_local;
    case HbaRule::Connection::HostTls: return !client.is_local && client.over_tls;
    case HbaRule::Connection::HostNoTls: return !client.is_local && !client.over_tls;
    case HbaRule::Connection::HostGss: break;
  }
  return false;
}

bool fits_address(const HbaRule& rule, const HbaClient& client) {
  if (rule.addresses == HbaRule::Addresses::All) return true;
  if (!client.address) return false;
  const base::IpAddress& address = *client.address;
  const auto& own = client.own_networks;
  switch (rule.addresses) {
    case HbaRule::Addresses::Network: return rule.network.contains(address);
    case HbaRule::Addresses::SameHost:
      return std::any_of(own.begin(), own.end(),
                         [&](const base::Network& network) { return network.address == address; });
    case HbaRule::Addresses::SameNet:
      return std::any_of(own.begin(), own.end(),
                         [&](const base::Network& network) { return network.contains(address); });
    case HbaRule::Addresses::All: break;
  }
  return true;
}

Fit fit_of_database(const NameRule& rule, const HbaClient& client) {
  const auto as_fit = [](bool fits) { return fits ? Fit::Yes : Fit::No; };
  if (client.is_replication) return as_fit(rule.kind == NameRule::Kind::Replication);
  switch (rule.kind) {
    case NameRule::Kind::SameUser: return as_fit(client.database == client.user);
    case NameRule::Kind::SameRole:
      return fit_of_member(client.database, client.user, client.groups);
    case NameRule::Kind::Replication: return Fit::No;
    default: return fit_of_user(rule, client.database, nullptr);
  }
}

template <class FitOf>
Fit any_of(const std::vector<NameRule>& rules, FitOf fit_of) {
  Fit out = Fit::No;
  for (const NameRule& rule : rules) {
    const Fit fit = fit_of(rule);
    if (fit == Fit::Yes) return fit;
    if (fit == Fit::NeedsGroups) out = fit;
  }
  return out;
}

Fit fit_of_rule(const HbaRule& rule, const HbaClient& client) {
  if (!fits_connection(rule, client) || !fits_address(rule, client)) return Fit::No;
  const Fit database =
      any_of(rule.databases, [&](const NameRule& name) { return fit_of_database(name, client); });
  if (database == Fit::No) return Fit::No;
  const Fit user = any_of(rule.users, [&](const NameRule& name) {
    return fit_of_user(name, client.user, client.groups);
  });
  return database == Fit::Yes || user == Fit::No ? user : database;
}

}  // namespace

HbaVerdict match(const HbaRules& rules, const HbaClient& client) {
  for (const HbaRule& rule : rules.list) {
    const Fit fit = fit_of_rule(rule, client);
    if (fit == Fit::No) continue;
    if (fit == Fit::NeedsGroups) return {.needs_groups = true};
    return {false, rule.method, rule.file, rule.line, rule.options};
  }
  return {};
}

}  // namespace weir::config
