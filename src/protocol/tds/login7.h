// LOGIN7, with which a client says who it is (MS-TDS 2.2.6.4). Body of the message, little-endian:
//
//   length u32, version u32, packet size u32, program version u32, process u32, connection u32,
//   flags 1, flags 2, type flags, flags 3, time zone i32, locale u32,
//   {offset u16, characters u16}: host, user, password, application, server, extension (bytes; the
//   place of a u32 that is the place of the features), library, language, database;
//   client id (6), SSPI (bytes), attached file; since 7.2 new password, u32 length of a long SSPI
//
// Pure functions, any thread. What holds a password is never logged.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "version.h"
#include "wire.h"

namespace weir::tds {

// Of flags 1, 2, 3 and the type flags: what a pool has to know.
constexpr uint8_t kUseDatabaseNotice = 0x20;   // 1
constexpr uint8_t kDatabaseMustExist = 0x40;   // 1
constexpr uint8_t kSetLanguageNotice = 0x80;   // 1
constexpr uint8_t kLanguageMustExist = 0x01;   // 2
constexpr uint8_t kOdbc = 0x02;                // 2: ANSI defaults, unlimited text size
constexpr uint8_t kUserTypeMask = 0x70;        // 2
constexpr uint8_t kIntegratedSecurity = 0x80;  // 2
constexpr uint8_t kReadOnlyIntent = 0x20;      // type
constexpr uint8_t kChangePassword = 0x01;      // 3
constexpr uint8_t kUserInstance = 0x04;        // 3
constexpr uint8_t kUnknownCollations = 0x08;   // 3
constexpr uint8_t kHasExtension = 0x10;        // 3

// 2.2.6.4, "FeatureOpt"; acknowledged with FEATUREEXTACK.
enum class FeatureId : uint8_t {
  SessionRecovery = 0x01,
  FederatedAuthentication = 0x02,
  ColumnEncryption = 0x04,
  GlobalTransactions = 0x05,
  AzureSql = 0x08,
  DataClassification = 0x09,
  Utf8 = 0x0a,
  DnsCaching = 0x0b,
  Json = 0x0d,
  Vector = 0x0e,
  UserAgent = 0x10,
  Terminator = 0xff,
};

struct Feature {
  FeatureId id = FeatureId::Terminator;
  std::string data;
  bool operator==(const Feature&) const = default;
};

constexpr size_t kLoginNameCharsMax = 128;  // of each name
constexpr size_t kAttachFileCharsMax = 260;
constexpr size_t kFeaturesMax = 64;

struct Login7 {
  Version version = Version::V74;
  uint32_t packet_bytes = 0;  // 0: as the server likes
  uint32_t program_version = 0;
  uint32_t process_id = 0;
  uint32_t connection_id = 0;
  uint8_t flags1 = 0;
  uint8_t flags2 = 0;
  uint8_t type_flags = 0;
  uint8_t flags3 = 0;
  int32_t time_zone_minutes = 0;
  uint32_t locale = 0;
  // UTF-8.
  std::string host, user, password, application, server, library, language, database;
  std::string attach_file, new_password;
  std::array<char, 6> client_id{};
  std::string sspi;               // not empty: it wants to log in with its Windows account
  std::vector<Feature> features;  // written, and flagged, when there are some

  bool wants_sspi() const { return (flags2 & kIntegratedSecurity) != 0 || !sspi.empty(); }
  bool wants_new_password() const {
    return (flags3 & kChangePassword) != 0 || !new_password.empty();
  }
  const Feature* feature(FeatureId id) const;
  bool operator==(const Login7&) const = default;
};

// Protocol: a text, SSPI or features that do not lie whole behind the fixed part and within the
// message, a name that is no UTF-16, features without an end. Refused: a version that weir does not
// speak. TooLarge: a name of more characters than SQL Server takes.
// Where nothing is said, the offset does not matter; bytes that nothing points to are passed over.
Result<Login7> read_login7(Bytes body);
// As clients write it, with all of the fixed part. TooLarge: more than can be pointed to.
Result<std::string> write_login7(const Login7& login);

// md5… or SCRAM-SHA-256$…: of no use here, as the password itself is sent.
bool is_hashed(std::string_view secret);
// Per byte: nibbles are exchanged, then the bits of 0xa5 are turned. Hides, but does not protect.
void obfuscate(std::string& utf16);
void reveal(std::string& utf16);

}  // namespace weir::tds
