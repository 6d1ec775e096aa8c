// What weir remembers of a Redis client and of a Redis server connection, and the ledger between
// them. Values of one worker at a time; filled by the greeting and the login, kept up to date by
// the link.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/protocol/protocol.h>

#include "hub.h"
#include "pause.h"
#include "reply.h"
#include "request.h"

namespace weir::redis {

class Audience;
class CommandTable;

// The database that the servers of a pool are logged in to, whichever it is.
constexpr int64_t kHome = -1;

constexpr uint64_t flavour_of(int64_t database, int resp) {
  return static_cast<uint64_t>(database + 1) << 2 | static_cast<uint64_t>(resp);
}
constexpr int64_t database_of(uint64_t flavour) { return static_cast<int64_t>(flavour >> 2) - 1; }
constexpr int resp_of(uint64_t flavour) { return static_cast<int>(flavour & 3); }

// What CLIENT REPLY says about the answers to come.
enum class Answers : uint8_t { On, Off, SkipNext };

// Whether a server has said that its user may see and end other clients.
enum class Permit : uint8_t { Unasked, Granted, Denied };

// To how many channels and patterns a client of a hub listens.
struct HubCounts {
  int32_t channels = 0, patterns = 0, shards = 0;
  int32_t all() const { return channels + patterns + shards; }
};

struct ClientState final : protocol::ClientState {
  uint64_t flavour() const override { return flavour_of(database, resp); }
  bool listens() const override { return hub.all() > 0; }
  // It has gone on to another database than that of the hub which it listens on.
  bool is_elsewhere() const { return listens() && database != hub_database; }
  bool may_change_user() const override { return moves; }

  bool moves = false;    // AUTH takes it to that user's pool; else a server has it for itself
  bool shares = true;    // false: it keeps a server of its own (session mode), and uses no lane
  RequestStream stream;  // a large command that is half passed
  int64_t database = kHome;
  int resp = 2;
  uint64_t id = 0;  // what it is told that its connection is called
  std::string name;
  Answers answers = Answers::On;
  bool indifferent = false;                 // whatever the database, what it asks for does the same
  bool no_evict = false, no_touch = false;  // which weir only tells of
  const char* asks = "NULL";                // what it is about to hear of the other clients
  uint32_t asks_bytes = 0;
  Permit permit = Permit::Unasked;
  std::string denial;   // in the server's words
  bool proven = false;  // its next HELLO is the one that has let it in, with AUTH
  std::string fault;    // of a command that is half passed: said when all else is answered
  std::shared_ptr<const CommandTable> commands;  // of the server that it had last
  HubCounts hub;
  int32_t hub_database = 0;  // of that hub
};

// Answers that the server owes to one client, one for each of `count` commands behind each other.
struct Entry {
  enum class Kind : uint8_t {
    Plain,
    Multi,
    Exec,
    Discard,
    Watch,
    Unwatch,
    Block,   // the answer may be long in coming
    Select,  // value: the database
    Hello,   // value: the version, or 0
    Auth,    // another user from here on
    Reset,
    Subscribe,  // value: so many confirmations
    UnsubscribeAll,
    Monitor,
    Track,     // value: on or off
    Redirect,  // the answer names a client
    Replica,
    Unknown,      // nobody knows what it leaves behind
    Refused,      // the server got nonsense in place of the command, and weir answers instead of it
    Permit,       // weir's own question whether its user may do so
    Probe,        // weir's own question how the connection stands
    Pin,          // as Unknown, and its client needs it
    Pause,        // CLIENT PAUSE
    Unpause,      // value: the moment; see Pause
    Held,         // a write that may be held back. value: the same
    Name,         // weir's own CLIENT SETNAME
    Placeholder,  // a PING, where a client of a hub is told something
    Published,    // value: so many more get it than the server counts (counts.h)
    Numsub,       // the answer names channels, and counts too few
    ShardNumsub,
  };
  uint64_t owner = 0;  // 0: who holds the lease
  uint32_t count = 1;
  Kind kind = Kind::Plain;
  bool silent = false;  // goes nowhere
  int64_t value = 0;
};

class Ledger {
 public:
  bool empty() const { return head_ == entries_.size(); }
  Entry& front() { return entries_[head_]; }
  const Entry& front() const { return entries_[head_]; }
  // In answers: those that are owed, those that were ever, and those that have come.
  uint64_t size() const { return pushed_ - popped_; }
  uint64_t pushed() const { return pushed_; }
  uint64_t popped() const { return popped_; }
  size_t entries() const { return entries_.size() - head_; }
  bool has(Entry::Kind kind) const;
  void push(const Entry& entry);
  void pop();        // one answer
  void take_back();  // the last one that was pushed

 private:
  std::vector<Entry> entries_;  // keeps its room: no allocation once it has grown
  size_t head_ = 0;
  uint64_t pushed_ = 0, popped_ = 0;
};

// Numbers of the channels and patterns that a connection is subscribed to.
struct Subscriptions {
  int64_t channels = 0, patterns = 0, shards = 0;
  int64_t all() const { return channels + patterns + shards; }
};

//                MULTI                        EXEC, DISCARD
//   at rest ----------------> multi ----------------------------------> at rest
//            WATCH            watch    EXEC, DISCARD, UNWATCH
//            SUBSCRIBE ...    pinned   the last UNSUBSCRIBE; RESET
//            MONITOR, AUTH    pinned   RESET
//            CLIENT TRACKING  pinned   CLIENT TRACKING OFF; RESET
//            by command_class pinned   RESET
//   What is queued in a transaction and changes the connection is found out behind EXEC (Probe).
struct ServerState final : protocol::ServerState {
  uint64_t flavour() const override {
    return flavour_of(database == home ? kHome : database, resp);
  }
  int64_t remote_id() const override { return id; }

  // Whether it takes a talk to bring it to this flavour.
  bool differs(uint64_t flavour) const {
    const int64_t wanted = database_of(flavour) == kHome ? home : database_of(flavour);
    return logged_out || wanted != database || resp_of(flavour) != resp;
  }

  int64_t home = 0;  // the database that it is logged in to
  int64_t database = 0;
  int resp = 2;
  int64_t id = 0;                                // CLIENT ID
  std::string user = "default";                  // that it is logged in as
  std::string name;                              // that it knows this connection by
  bool takes_names = true;                       // it has not refused one
  std::string login;                             // what it takes to log in once more; never logged
  std::shared_ptr<const CommandTable> commands;  // null: nothing is known of them
  Ledger ledger;
  ReplyStream reply;
  enum class Piece : uint8_t { Answer, Push, Silent };
  Piece piece = Piece::Answer;  // of the one that `reply` is in
  bool multi = false;
  bool multi_sent = false;    // MULTI was sent, and neither EXEC nor DISCARD since
  bool queued_state = false;  // and in between something that changes the connection
  bool queued_pause = false;  // or CLIENT PAUSE
  bool watch = false;
  Subscriptions subscriptions;
  bool has_subscribed = false;  // ever: others may have redirected their invalidations here
  std::unique_ptr<Hub> hub;     // of the clients that share it to listen
  bool monitor = false;
  bool tracking = false;
  int64_t redirect = 0;  // the client that gets the invalidations; 0: its own
  bool foreign = false;  // the client has logged in to it as somebody else
  bool logged_out = false;
  bool replica = false;
  bool raw = false;      // a replica's: bytes pass unseen
  bool unknown = false;  // closed behind its client
  bool kept = false;     // and its client keeps it until RESET
  bool broken = false;   // it has said that it will close
  bool reset_sent = false;
  bool hello_has_options = false;
  std::optional<std::string> hello_name;  // of the HELLO that is not answered yet
  bool request_open = false;              // a client's command is half forwarded
  std::shared_ptr<Pause> pause;           // of its pool; null: it has none
  std::shared_ptr<Audience> audience;     // of all hubs of that server; null: as if there were none
  std::string said;        // in place of an answer on a lane; lives until the next call
  uint64_t unguarded = 0;  // of the ledger: pushed on a lane when nobody had asked for a pause

  bool may_pause() const { return pause && pause->may_be_on(); }
  // On a lane: something that may be held back is owed.
  bool may_be_stuck() const { return unguarded > ledger.popped(); }

  bool pinned() const {
    return multi || watch || subscriptions.all() > 0 || monitor || tracking || foreign || replica ||
           raw || kept;
  }
  std::optional<protocol::Pin> pin() const;
  bool answered() const { return ledger.empty() && !reply.open(); }
  bool at_rest() const { return answered() && !pinned(); }
  // RESP2 clients with subscriptions can do little else.
  bool only_subscribes() const { return resp == 2 && subscriptions.all() > 0; }
};

// What RESET has undone, on a server's side.
void forget_client(ServerState& server);

}  // namespace weir::redis
