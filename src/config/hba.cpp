// From the fields of a record to a rule.
#include "hba.h"

#include <algorithm>
#include <array>

#include "reading.h"

namespace weir::config {

namespace {

using Connection = HbaRule::Connection;
using Addresses = HbaRule::Addresses;

template <class T>
struct Word {
  std::string_view text;
  T value;
};

// GSSAPI never encrypts a connection to weir.
constexpr std::array<Word<Connection>, 6> kConnections{{{"local", Connection::Local},
                                                        {"host", Connection::Host},
                                                        {"hostssl", Connection::HostTls},
                                                        {"hostnossl", Connection::HostNoTls},
                                                        {"hostgssenc", Connection::HostGss},
                                                        {"hostnogssenc", Connection::Host}}};
constexpr std::array<Word<HbaMethod>, 10> kMethods{{{"trust", HbaMethod::Trust},
                                                    {"reject", HbaMethod::Reject},
                                                    {"password", HbaMethod::Password},
                                                    {"md5", HbaMethod::Md5},
                                                    {"scram-sha-256", HbaMethod::ScramSha256},
                                                    {"cert", HbaMethod::Cert},
                                                    {"peer", HbaMethod::Peer},
                                                    {"ident", HbaMethod::Peer},
                                                    {"pam", HbaMethod::Pam},
                                                    {"ldap", HbaMethod::Ldap}}};
constexpr std::array<std::string_view, 5> kOtherMethods{"gss", "sspi", "radius", "bsd", "oauth"};
constexpr std::array<Word<NameRule::Kind>, 4> kDatabases{
    {{"sameuser", NameRule::Kind::SameUser},
     {"samerole", NameRule::Kind::SameRole},
     {"samegroup", NameRule::Kind::SameRole},
     {"replication", NameRule::Kind::Replication}}};
constexpr std::array<Word<Addresses>, 3> kAddresses{
    {{"all", Addresses::All}, {"samehost", Addresses::SameHost}, {"samenet", Addresses::SameNet}}};

template <class T, size_t size>
const T* value_of(const std::array<Word<T>, size>& words, std::string_view text) {
  for (const auto& word : words)
    if (word.text == text) return &word.value;
  return nullptr;
}

// The fields of a record from left to right. After a complaint, the record is given up.
class HbaRecord {
 public:
  HbaRecord(AuthReader& reader, const AuthRecord& record) : reader_(reader), record_(record) {
    rule_.file = record.place.file;
    rule_.line = record.place.line;
  }
  std::optional<HbaRule> read();

 private:
  const AuthField* next(const char* what);
  const AuthWord* next_word(const char* what);
  bool fail(const AuthPlace& place, std::string expected);

  bool read_connection();
  bool read_databases();
  bool read_users();
  bool read_addresses();
  bool read_mask(const AuthWord& address);
  bool read_method();
  bool may_stand_here(std::string_view method);

  AuthReader& reader_;
  const AuthRecord& record_;
  size_t next_ = 0;
  HbaRule rule_;
};

bool HbaRecord::fail(const AuthPlace& place, std::string expected) {
  reader_.complain(place, std::move(expected));
  return false;
}

const AuthField* HbaRecord::next(const char* what) {
  if (next_ < record_.fields.size()) return &record_.fields[next_++];
  reader_.complain(record_.end, std::string("expected ") + what + ", not the end of the line");
  return nullptr;
}

const AuthWord* HbaRecord::next_word(const char* what) {
  const AuthField* field = next(what);
  if (!field) return nullptr;
  if (field->words.size() == 1) return &field->words[0];
  reader_.complain(field->place, std::string("expected ") + what + ", and one alone");
  return nullptr;
}

bool HbaRecord::read_connection() {
  const AuthWord* word = next_word("local, host, hostssl or hostnossl");
  if (!word) return false;
  const Connection* connection = value_of(kConnections, word->text);
  if (!connection)
    return fail(word->place,
                "expected local, host, hostssl, hostnossl, hostgssenc or hostnogssenc");
  rule_.connection = *connection;
  return true;
}

bool HbaRecord::read_databases() {
  const AuthField* field = next("databases");
  if (!field) return false;
  for (const AuthWord& word : field->words) {
    const NameRule::Kind* kind = word.quoted ? nullptr : value_of(kDatabases, word.text);
    if (kind || word.text.starts_with('+'))  // no group, where a database is named
      rule_.databases.push_back({kind ? *kind : NameRule::Kind::Name, word.text});
    else
      rule_.databases.push_back(read_name(reader_, word));
  }
  return true;
}

bool HbaRecord::read_users() {
  const AuthField* field = next("users");
  if (!field) return false;
  for (const AuthWord& word : field->words) rule_.users.push_back(read_name(reader_, word));
  return true;
}

bool HbaRecord::read_addresses() {
  if (rule_.connection == Connection::Local) return true;
  const AuthWord* word = next_word("an address such as 10.0.0.0/8");
  if (!word) return false;
  const Addresses* addresses = word->quoted ? nullptr : value_of(kAddresses, word->text);
  rule_.addresses = addresses ? *addresses : Addresses::Network;
  if (addresses) return true;
  if (word->text.find('/') == std::string::npos) return read_mask(*word);
  const auto network = base::read_network(word->text);
  if (!network) return fail(word->place, network.error().text);
  rule_.network = network.value();
  return true;
}

bool HbaRecord::read_mask(const AuthWord& address) {
  const auto ip = base::read_ip(address.text);
  if (!ip)
    return fail(address.place,
                "expected an address such as 10.0.0.0/8, all, samehost or samenet: names of hosts "
                "are not looked up");
  const AuthWord* mask = next_word("a mask behind the address, or ADDRESS/PREFIX");
  if (!mask) return false;
  if (!base::read_ip(mask->text))
    return fail(mask->place, "expected a mask behind the address, or ADDRESS/PREFIX");
  const auto network = base::read_network(address.text, mask->text);
  if (!network) return fail(mask->place, network.error().text);
  rule_.network = network.value();
  return true;
}

bool HbaRecord::may_stand_here(std::string_view method) {
  const AuthPlace& place = record_.fields[next_ - 1].place;
  const bool is_local = rule_.connection == Connection::Local;
  if (method == "peer" && !is_local) return fail(place, "expected peer on local lines only");
  if (method == "ident" && !is_local)
    return fail(place, "expected ident on local lines only: servers of RFC 1413 are not asked");
  if (method == "cert" && rule_.connection != Connection::HostTls)
    return fail(place, "expected cert on hostssl lines only");
  return true;
}

bool HbaRecord::read_method() {
  const AuthWord* word = next_word("a method");
  if (!word) return false;
  if (std::find(kOtherMethods.begin(), kOtherMethods.end(), word->text) != kOtherMethods.end())
    return fail(word->place, "the method " + word->text + " is not supported");
  const HbaMethod* method = value_of(kMethods, word->text);
  if (!method)
    return fail(word->place,
                "expected a method: trust, reject, password, md5, scram-sha-256, cert, peer, "
                "ident, pam or ldap");
  rule_.method = *method;
  return may_stand_here(word->text);
}

std::optional<HbaRule> HbaRecord::read() {
  const bool is_read =
      read_connection() && read_databases() && read_users() && read_addresses() && read_method();
  if (!is_read) return std::nullopt;
  read_hba_options(reader_, record_.place, std::span(record_.fields).subspan(next_), rule_);
  return std::move(rule_);
}

}  // namespace

HbaFile parse_hba(std::string_view text, const std::string& file, AuthFiles files) {
  HbaFile out;
  AuthReader reader(std::move(files));
  reader.read(text, file, [&](const AuthRecord& record) {
    if (auto rule = HbaRecord(reader, record).read()) out.rules.list.push_back(std::move(*rule));
  });
  out.problems = reader.take_problems();
  if (out.problems.empty() && out.rules.list.empty())
    out.problems.push_back({file, 0, 0, {}, "expected at least one record", {}});
  return out;
}

HbaFile load_hba(const std::string& file) {
  const auto text = read_file(file, kFileBytesMax);
  if (text) return parse_hba(text.value(), file);
  HbaFile out;
  out.problems.push_back({file, 0, 0, {}, text.error().text, {}});
  return out;
}

}  // namespace weir::config
