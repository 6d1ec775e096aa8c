// The tokens of a server's messages that weir reads or writes itself (MS-TDS 2.2.7). Readers take
// what follows the token's byte and, where there is one, its length. Texts are UTF-8; what is told
// to people is shown with U+FFFD where it is no UTF-16. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "login7.h"
#include "packet.h"
#include "version.h"
#include "wire.h"

namespace weir::tds {

enum class Token : uint8_t {
  Offset = 0x78,
  ReturnStatus = 0x79,
  ColumnMetadata = 0x81,
  AltMetadata = 0x88,
  DataClassification = 0xa3,
  TableName = 0xa4,
  ColumnInfo = 0xa5,
  Order = 0xa9,
  Error = 0xaa,
  Info = 0xab,
  ReturnValue = 0xac,
  LoginAck = 0xad,
  FeatureExtAck = 0xae,
  Row = 0xd1,
  NbcRow = 0xd2,
  AltRow = 0xd3,
  EnvChange = 0xe3,
  SessionState = 0xe4,
  Sspi = 0xed,
  FedAuthInfo = 0xee,
  Done = 0xfd,
  DoneProc = 0xfe,
  DoneInProc = 0xff,
};

// ---------------------------------------------------------------- DONE (2.2.7.6 to 2.2.7.8)

constexpr uint16_t kDoneMore = 0x001;
constexpr uint16_t kDoneError = 0x002;
constexpr uint16_t kDoneInTransaction = 0x004;
constexpr uint16_t kDoneCount = 0x010;
constexpr uint16_t kDoneAttention = 0x020;
constexpr uint16_t kDoneServerError = 0x100;

struct Done {
  uint16_t status = 0;
  uint16_t command = 0;  // CurCmd
  uint64_t count = 0;    // 32 bits before 7.2
};
constexpr size_t done_bytes(Version version) { return is_since_72(version) ? 12 : 8; }
Done read_done(Bytes body, Version version);  // of done_bytes()
void append_done(std::string& out, Version version, const Done& done, Token token = Token::Done);

// ---------------------------------------------------------------- ENVCHANGE (2.2.7.9)

enum class EnvKind : uint8_t {
  Database = 1,
  Language = 2,
  CharacterSet = 3,
  PacketSize = 4,
  SortLocale = 5,
  SortFlags = 6,
  Collation = 7,
  BeginTransaction = 8,
  CommitTransaction = 9,
  RollbackTransaction = 10,
  EnlistDtc = 11,
  DefectTransaction = 12,
  MirrorPartner = 13,
  PromoteTransaction = 15,
  TransactionManagerAddress = 16,
  TransactionEnded = 17,
  ResetDone = 18,
  UserInstance = 19,
  Routing = 20,
  EnhancedRouting = 21,
};

// Values as they stand, without their lengths: UTF-16LE for is_text(kind). Views.
struct EnvChange {
  EnvKind kind = EnvKind::Database;
  Bytes new_value;
  Bytes old_value;
};
bool is_text(EnvKind kind);
bool is_known(EnvKind kind);
// Nothing: it is not built as its kind has to be. Of a kind that is unknown no values are read.
std::optional<EnvChange> read_env_change(Bytes body);
void append_env_change(std::string& out, const EnvChange& change);
// Of a kind that is_text().
void append_env_text(std::string& out, EnvKind kind, std::string_view new_value,
                     std::string_view old_value);
// The decimal number in a PacketSize; nothing: it is none, or out of range.
std::optional<size_t> packet_bytes_in(const EnvChange& change);
// The descriptor in a BeginTransaction's new or a CommitTransaction's old value; 0: there is none.
uint64_t descriptor_in(Bytes value);

struct Routing {
  std::string host;
  uint16_t port = 0;
  std::string database;  // EnhancedRouting only
};
std::optional<Routing> read_routing(const EnvChange& change);
void append_routing(std::string& out, const Routing& routing);

// ---------------------------------------------------------------- ERROR, INFO (2.2.7.10, 2.2.7.13)

struct ServerMessage {
  int32_t number = 0;
  uint8_t state = 1;
  uint8_t severity = 0;  // "class": above 10 an error, above 19 the last one
  std::string text = {}, server = {}, procedure = {};
  uint32_t line = 0;  // 16 bits before 7.2
};
std::optional<ServerMessage> read_message(Bytes body, Version version);
// Texts that are too long for the token are cut.
void append_message_token(std::string& out, Token token, Version version,
                          const ServerMessage& message);

// ---------------------------------------------------------------- logins

// 2.2.7.14. The version that will be spoken from the next message on.
struct LoginAck {
  uint8_t interface = 1;  // T-SQL
  uint32_t wire_version = 0;
  std::string program;
  uint32_t program_version = 0;  // as the bytes stand: 0x0c0007d0 is 12.0.2000
};
std::optional<LoginAck> read_login_ack(Bytes body);
void append_login_ack(std::string& out, const LoginAck& ack);

// 2.2.7.11. Without features nothing is appended.
void append_feature_acks(std::string& out, const std::vector<Feature>& features);

// The token, its length and `data`: for those whose data weir passes on as they are.
void append_token16(std::string& out, Token token, Bytes data);

}  // namespace weir::tds
