// What weir remembers of a client and of a server of SQL Server. Values of one worker at a time;
// filled by the greeting and the login, kept up to date by the link.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/intern.h>
#include <weir/protocol/protocol.h>

#include "outcome.h"
#include "packet.h"
#include "prepared.h"
#include "shape.h"
#include "token_walker.h"

namespace weir::tds {

using base::Interned;
using base::InternTable;

// Of all connections: whoever forwards packets changes none of their sizes, so both sides agree on
// the same.
constexpr size_t kPacketBytes = kPacketBytesDefault;

// What a server has said of itself when weir logged in, and clients of the same shape are told.
struct LoginFacts {
  Version version = Version::V74;  // that it speaks, perhaps an older one than it was asked for
  uint32_t wire_version = 0;
  std::string program;
  uint32_t program_version = 0;
  std::string collation;           // as it stands in ENVCHANGE
  std::string database, language;  // UTF-8
  std::vector<Feature> features;   // that it has acknowledged
  bool operator==(const LoginFacts&) const = default;
};

// Settings that weir carries from server to server: what stands behind SET, and the value behind
// that. kDatabase stands for USE.
using SettingMap = std::map<std::string, std::string, std::less<>>;
constexpr std::string_view kDatabase = "USE";
constexpr std::string_view kIsolation = "TRANSACTION ISOLATION LEVEL";
constexpr std::string_view kImplicitTransactions = "IMPLICIT_TRANSACTIONS";

// Equal sets are one node; null: those of the login.
Interned intern_settings(InternTable& texts, const SettingMap& map);
SettingMap settings_of(const Interned& set);

struct ClientState final : protocol::ClientState {
  uint64_t variant() const override { return shape.number(); }
  uint64_t flavour() const override { return wanted.id(); }

  protocol::Admission::ClientOptions options;
  LoginShape shape;
  Version version = Version::V74;  // that was agreed on
  PacketStream packets{Side::Client};
  Interned wanted;                   // the settings that must be in force while it holds a server
  bool begins_implicitly = false;    // a transaction, with whatever touches a table
  std::unique_ptr<Handles> handles;  // most clients have none
  bool resets_next = false;          // the request that waits for a server carries a reset
  // Of a message that has to be seen whole: how far it is known that it has not ended.
  struct Ahead {
    PacketStream packets;
    size_t bytes = 0;
    bool whole = false;
  };
  std::unique_ptr<Ahead> ahead;
  std::unique_ptr<LaterCalls> later_calls;  // of the message that is half sent
  // The message that is coming is not for a server; the answer to it when it has ended.
  bool dropping = false;
  std::string answer;
};

// What a server has said in one turn, so far. Ends with it.
struct Answer {
  std::optional<std::string> new_database;
  bool open = false;        // half of it has gone to the client
  bool failed = false;      // an error came
  bool told_error = false;  // which said why
  bool was_reset = false;
  uint32_t call = 0;  // which of the calls it answers just now
  std::string tail;   // of a message that the walker does not understand
  // Of a handle of which not all has come: held back, as the client may get another number.
  struct HeldBack {
    std::string bytes;
    std::array<uint8_t, 4> places{};  // of the handle's bytes, with its length, in these
    uint8_t count = 0;
  } held;
};

struct ServerState final : protocol::ServerState {
  uint64_t variant() const override { return shape.number(); }
  uint64_t flavour() const override { return in_force.id(); }
  int64_t remote_id() const override { return spid; }

  LoginShape shape;  // that it was opened for
  LoginFacts facts;
  uint16_t spid = 0;
  // It tells with ENVCHANGE of transactions that SQL text begins or ends. Babelfish does not.
  bool announces = true;

  // The request that is being answered; there is one at a time (MS-TDS 2.2.1.6, without MARS).
  enum class Turn : uint8_t {
    None,
    Client,
    Count,    // weir asks whether a transaction is open
    Prepare,  // weir prepares what its client is about to execute
  };
  Turn turn = Turn::None;
  Outcome outcome;              // of it
  Answer answer;                // to it, so far
  bool request_open = false;    // half of the client's message has been sent
  uint32_t attentions = 0;      // sent, and not acknowledged
  uint32_t acknowledged = 0;    // in the message that is coming
  uint32_t own_attentions = 0;  // the first of these, which are weir's own
  PacketStream packets{Side::Server};
  TokenWalker walker{Version::V74};

  uint64_t transaction = 0;            // its descriptor; 0: none is open
  bool may_be_in_transaction = false;  // of one that is not announced
  bool must_count = false;             // as soon as no attention is on its way
  Interned in_force;
  bool settings_unknown = false;     // attach() starts from a reset
  std::optional<protocol::Pin> pin;  // why its client keeps it
  bool native = false;               // who names prepared statements by the server's numbers
  bool dirty = false;                // only a reset removes what may be there
  bool retire = false;               // no reset does
  bool bulk = false;                 // it waits for rows

  ServerHandles handles;
  Interned preparing;                      // Turn::Prepare
  std::optional<ServerMessage> objection;  // to that

  void begin(Turn next) {
    turn = next;
    answer = {};
  }
  void put_in_force(const Interned& settings);
  // What was asked for leaves something that its resets do not remove.
  bool outlives_resets(const Outcome& asked) const {
    return asked.ends_server || (asked.sets_context && !announces);
  }
  // Others may do with it as they like: what is said here must be forgotten.
  void forget_state() {
    transaction = 0;
    may_be_in_transaction = dirty = native = false;
    pin.reset();
    in_force = {};
    handles.clear();
    objection.reset();
  }
  bool at_rest() const {
    return turn == Turn::None && !request_open && attentions == 0 && transaction == 0 &&
           !may_be_in_transaction && !bulk;
  }
};

}  // namespace weir::tds
