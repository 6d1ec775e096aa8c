// pg_hba.conf: which clients may log in, and how they have to prove who they are. PostgreSQL 17's
// chapter "The pg_hba.conf File" is what is read, but for names of hosts and for the methods gss,
// sspi, radius, bsd and oauth, which are refused. Rules are a value; match() is asked on any
// thread, once for each login.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/network.h>
#include <weir/config/auth_file.h>
#include <weir/config/ldap.h>
#include <weir/config/load.h>

namespace weir::config {

enum class HbaMethod : uint8_t {
  Reject,
  Trust,
  Password,  // in plain text
  Md5,
  ScramSha256,
  Cert,
  Peer,  // ident on a local line too
  Pam,
  Ldap,
};

enum class ClientCertificate : uint8_t { Any, VerifyCa, VerifyFull };

struct HbaOptions {
  std::string map;  // of pg_ident.conf; "": the names have to be equal
  ClientCertificate client_certificate = ClientCertificate::Any;  // VerifyFull with Cert
  std::string pam_service;
  Ldap ldap = {};  // with the method ldap
  bool operator==(const HbaOptions&) const = default;
};

struct HbaRule {
  enum class Connection : uint8_t { Local, Host, HostTls, HostNoTls, HostGss };
  enum class Addresses : uint8_t { All, Network, SameHost, SameNet };
  std::string file;
  int line = 0;  // its first
  Connection connection = Connection::Local;
  std::vector<NameRule> databases;
  std::vector<NameRule> users;
  Addresses addresses = Addresses::All;
  base::Network network = {};
  HbaMethod method = HbaMethod::Reject;
  HbaOptions options = {};
  bool operator==(const HbaRule&) const = default;
};

struct HbaRules {
  std::vector<HbaRule> list;
  bool operator==(const HbaRules&) const = default;
};

struct HbaFile {
  HbaRules rules;
  std::vector<Problem> problems;  // all of them; the rules are of no use unless there are none
};
HbaFile parse_hba(std::string_view text, const std::string& file, AuthFiles files = {});
HbaFile load_hba(const std::string& file);

struct HbaClient {
  bool is_local = false;                        // over a unix socket
  std::optional<base::IpAddress> address = {};  // absent: matches only where any address does
  bool over_tls = false;
  std::string database;
  std::string user;
  bool is_replication = false;     // physical; replication=database is a client like any other
  const Groups* groups = nullptr;  // null: not known yet
  std::span<const base::Network> own_networks = {};  // of this machine's interfaces
};

struct HbaVerdict {
  bool needs_groups = false;  // ask again with the user's groups; the others say nothing then
  HbaMethod method = HbaMethod::Reject;
  std::string file = {};
  int line = 0;  // 0: no line matched
  HbaOptions options = {};
  bool operator==(const HbaVerdict&) const = default;
};

// The first line that matches decides.
HbaVerdict match(const HbaRules& rules, const HbaClient& client);

}  // namespace weir::config
