#include "demand.h"

#include <weir/config/hba.h>
#include <weir/config/ident.h>

#include <ifaddrs.h>
#include <netinet/in.h>
#include <pwd.h>

#include <array>

namespace weir::app {

using base::Error;
using base::ErrorKind;
using protocol::AuthMethod;

namespace {

constexpr size_t kNameBytesMax = 63;  // of a role and a database in PostgreSQL

base::Bytes bytes_of(const sockaddr* address) {
  if (address->sa_family == AF_INET)
    return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr),
            sizeof(in_addr)};
  return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr),
          sizeof(in6_addr)};
}

std::vector<base::Network> read_own_networks() {
  std::vector<base::Network> out;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return out;
  for (const ifaddrs* each = list; each; each = each->ifa_next) {
    if (!each->ifa_addr || !each->ifa_netmask) continue;
    if (each->ifa_addr->sa_family != AF_INET && each->ifa_addr->sa_family != AF_INET6) continue;
    auto network = base::network_of(bytes_of(each->ifa_addr), bytes_of(each->ifa_netmask));
    if (network) out.push_back(*network);
  }
  freeifaddrs(list);
  return out;
}

AuthMethod method_of(config::HbaMethod method) {
  switch (method) {
    case config::HbaMethod::Trust: return AuthMethod::Trust;
    case config::HbaMethod::Password: return AuthMethod::Plain;
    case config::HbaMethod::Md5: return AuthMethod::Md5;
    case config::HbaMethod::Cert: return AuthMethod::Cert;
    case config::HbaMethod::Peer: return AuthMethod::Peer;
    case config::HbaMethod::Pam: return AuthMethod::Pam;
    case config::HbaMethod::Ldap: return AuthMethod::Ldap;
    default: return AuthMethod::ScramSha256;
  }
}

Error refused(const session::Visitor& visitor, const char* what) {
  const auto address = base::address_of_peer(visitor.peer);
  return {ErrorKind::Refused,
          std::string(what) + " for " +
              (address ? "host \"" + address->text() + '"' : "a local client") + ", user \"" +
              visitor.request.user + "\", database \"" + visitor.request.database + "\", " +
              (visitor.over_tls ? "TLS" : "no TLS"),
          "28000"};
}

Error certificate_missing() {
  return {ErrorKind::Refused, "connection requires a valid client certificate", "28000"};
}

PasswordCheck check_by(AuthMethod method, const std::string& pam_service, const config::Ldap& ldap,
                       const session::Visitor& visitor) {
  if (method == AuthMethod::Pam) return pam_check(pam_service, visitor.request.user, visitor.peer);
  return method == AuthMethod::Ldap ? ldap_check(ldap, visitor.request.user) : nullptr;
}

Demand by_rules(const config::Config& config, const session::Visitor& visitor,
                const config::Groups* groups) {
  const std::vector<base::Network> own = read_own_networks();
  const std::string& database = visitor.request.database;
  Demand out;
  if (visitor.request.user.size() > kNameBytesMax || database.size() > kNameBytesMax) {
    out.refusal = refused(visitor, "no entry of hba_file");
    return out;
  }
  const config::HbaVerdict verdict =
      match(*config.auth.hba,
            {.is_local = visitor.account.has_value(),
             .address = base::address_of_peer(visitor.peer),
             .over_tls = visitor.over_tls,
             .database = database,
             .user = visitor.request.user,
             .is_replication = visitor.request.replication == protocol::Replication::Physical,
             .groups = groups,
             .own_networks = own});
  out.needs_groups = verdict.needs_groups;
  out.method = method_of(verdict.method);
  out.map = verdict.options.map;
  out.equal_names_do = out.map.empty();
  out.certificate_names_user =
      verdict.options.client_certificate == config::ClientCertificate::VerifyFull;
  if (verdict.needs_groups) return out;
  const bool needs_certificate =
      out.method == AuthMethod::Cert ||
      verdict.options.client_certificate != config::ClientCertificate::Any;
  if (needs_certificate && !visitor.certificate_name) out.refusal = certificate_missing();
  if (verdict.line == 0) out.refusal = refused(visitor, "no entry of hba_file");
  if (verdict.line > 0 && verdict.method == config::HbaMethod::Reject)
    out.refusal = refused(visitor, "hba_file rejects connections");
  const std::string& service = verdict.options.pam_service;
  out.check = check_by(out.method, service.empty() ? config.auth.pam_service : service,
                       verdict.options.ldap, visitor);
  return out;
}

// Clients of other protocols are asked for the password of `users`.
bool knows(std::string_view protocol, AuthMethod method) {
  if (protocol::asks_for_secret(method) || method == AuthMethod::Trust ||
      method == AuthMethod::Passthrough || protocol == "postgres")
    return true;
  return protocol == "tds" && (method == AuthMethod::Pam || method == AuthMethod::Ldap);
}

}  // namespace

AuthMethod method_of(config::AuthMethod method) {
  switch (method) {
    case config::AuthMethod::Trust: return AuthMethod::Trust;
    case config::AuthMethod::Plain: return AuthMethod::Plain;
    case config::AuthMethod::Md5: return AuthMethod::Md5;
    case config::AuthMethod::Cert: return AuthMethod::Cert;
    case config::AuthMethod::Peer: return AuthMethod::Peer;
    case config::AuthMethod::Hba: return AuthMethod::Rules;
    case config::AuthMethod::Pam: return AuthMethod::Pam;
    case config::AuthMethod::Ldap: return AuthMethod::Ldap;
    case config::AuthMethod::Passthrough: return AuthMethod::Passthrough;
    default: return AuthMethod::ScramSha256;
  }
}

Demand demand_of(const config::Config& config, const session::Visitor& visitor,
                 const config::Groups* groups) {
  const AuthMethod method = visitor.door->method.value_or(method_of(config.auth.method));
  const std::string_view speaks = visitor.door->protocol->name();
  Demand out;
  if (speaks == "postgres" && method == AuthMethod::Rules) {
    out = by_rules(config, visitor, groups);
  } else {
    out.method = knows(speaks, method) ? method : AuthMethod::Plain;
    if (method == AuthMethod::Cert) out.map = "cert";
    if (method == AuthMethod::Peer) out.map = "peer";
    out.check = check_by(out.method, config.auth.pam_service, config.auth.ldap, visitor);
  }
  if (out.check) out.method = AuthMethod::Plain;
  if ((visitor.door->needs_certificate || out.method == AuthMethod::Cert) &&
      !visitor.certificate_name && visitor.over_tls)
    out.refusal = certificate_missing();
  if (visitor.door->verifies_name) {
    out.certificate_names_user = true;
    if (out.map.empty()) out.map = "cert";
  }
  return out;
}

bool may_be(const config::Config& config, const Demand& demand, const std::string& name,
            const std::string& user) {
  if (name.empty()) return false;
  if (name == user && demand.equal_names_do) return true;
  if (!config.auth.ident || demand.map.empty()) return false;
  return may_be(*config.auth.ident, {.map = demand.map, .system_name = name, .user = user}) ==
         config::Fit::Yes;
}

std::string account_name(uint32_t account) {
  std::array<char, 4096> room;
  passwd entry = {};
  passwd* found = nullptr;
  if (getpwuid_r(account, &entry, room.data(), room.size(), &found) != 0 || !found) return {};
  return found->pw_name;
}

}  // namespace weir::app
