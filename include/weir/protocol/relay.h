// The relay between a client and the server that is lent to it: part of protocol.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/bytes.h>
#include <weir/base/gather.h>
#include <weir/base/result.h>
#include <weir/protocol/dialogues.h>

namespace weir::protocol {

enum class Next : uint8_t {
  Feed,   // call again when `want` bytes are there (at least one more than now)
  Flush,  // call again with the rest once the sink has been sent
  // Call again with the rest once a server is held, or when more has come: with that it may need
  // none any more.
  NeedServer,
  // call again with the rest and a lane's state: it may be mixed with other clients' requests
  NeedLane,
  Reattach,  // run attach() on the held server, then call again with the rest
  // Call again with the rest and with Sink::roll. Only when nobody owes the client an answer.
  Roll,
  // Without a server, ask Protocol::greet_again() what comes of the rest: the client says that it
  // is somebody else. With one, give that back and call again. Only when nobody owes it an answer.
  Login,
  Later,  // call again with the rest when the server has answered some of what it owes
  Leave,  // the client said goodbye
  Fail,   // error says why: the pair is closed
};

struct Progress {
  Next next = Next::Feed;
  size_t consumed = 0;
  size_t want = 0;
};

// A client, for its neighbours: what the session knows of it.
struct Neighbour {
  uint64_t id = 0;
  std::string user, peer;
  int64_t age_s = 0, idle_s = 0;
  int64_t remote_id = 0;    // of the server that it holds; 0: none
  bool listens = false;     // to that server
  std::string description;  // by Link::describe()
};
using Roll = std::vector<Neighbour>;

// Light: there are some, one is as good as the other. Heavy: one for what is slow or large. Hub:
// one whose server also says what nobody has asked for just now.
enum class LaneKind : uint8_t { Light, Heavy, Hub };

// Where a Link puts its judgements. One call concerns one run of bytes from one side.
struct Sink {
  base::Gather& to_client;
  base::Gather& to_server;
  uint64_t owner = 0;  // on a lane: whom the answers are for
  // Without a lease: no lane owes this client an answer or the rest of a piece, weir may answer by
  // itself.
  bool settled = false;
  // On a lane: how many more requests it may be owed answers to. Later: when some have come.
  uint32_t turns_max = UINT32_MAX;
  LaneKind lane = LaneKind::Light;   // that it is on
  LaneKind needs = LaneKind::Light;  // with NeedLane
  bool prefers_heavy = false;        // the answers that this client gets are large
  bool has_hub = false;              // clients that listen may share a server
  // On a lane: set when what goes to the server may be sent once more should the server be lost.
  // The link takes it back where that would make a difference.
  bool repeatable = false;
  Error error = {};
  uint32_t turns = 0;               // on a lane: requests that went to the server
  uint32_t queries = 0;             // turns that ended
  uint32_t transactions = 0;        // ended
  uint32_t waits = 0;               // turns that ended, and only waited for others: not timed
  uint32_t errors = 0;              // error answers that went to the client
  uint32_t withdrawn = 0;           // requests that were taken back before a server saw them
  bool hold_may_end = false;        // the server owes nothing and is outside a transaction
  bool turn_began = false;          // bytes of a new request went to the server
  bool retire = false;              // close this server at the end of the hold
  const Roll* roll = nullptr;       // of all clients of this database, behind Next::Roll
  std::vector<uint64_t> ends = {};  // those of them that are to be ended
};

// A run of a lane's answers that goes to one client.
struct Share {
  uint64_t owner = 0;
  Bytes bytes;
  uint32_t turns = 0;       // that end with these bytes
  bool piece_open = false;  // the last of them is not whole yet
  bool push = false;        // they answer nothing
  Bytes head = {};          // goes before them
};

// How a server stands when a hold ends without its client's consent, or is to be lent.
enum class Condition : uint8_t {
  Clean,   // at rest, outside a transaction, nothing to undo
  Dirty,   // at rest, outside a transaction, reset() has something to undo
  Open,    // in a transaction or owing answers: recover() can bring it back
  Broken,  // half a piece is open or an invariant does not hold: close it
};

// Why a client keeps its server although no transaction is open.
enum class Pin : uint8_t {
  Watch,
  Blocking,
  Subscription,
  Monitor,
  Tracking,
  User,  // it has logged in to it as somebody else
  Replication,
  Command,  // the configuration says that a command leaves something there
  TempTable,
  Cursor,
  Prepared,  // a statement in a way that weir cannot carry
  Lock,
  Context,  // what the server keeps for its session: an own value, another identity
  Setting,  // that weir cannot carry
  Bulk,     // the server waits for rows
  Unclear,  // what weir does not understand
  kCount,
};

class Link {
 public:
  virtual ~Link() = default;

  virtual Progress on_client(ClientState& client, ServerState* server, Bytes in,
                             Sink& sink) const = 0;
  virtual Progress on_server(ClientState& client, ServerState& server, Bytes in,
                             Sink& sink) const = 0;

  // A client that closes at rest without it is lost.
  virtual bool clients_say_goodbye() const { return true; }

  // The words of a client's protocol for one of its clients. `server`: that it holds, or null.
  // tidy(shared-interface): only Redis has a command that lists clients
  virtual std::string describe(const ClientState&, const ServerState* /*server*/,
                               const Neighbour&) const {
    return {};
  }

  // A server that nobody holds sent bytes. False: it must not be used again.
  virtual bool on_idle_server(ServerState& server, Bytes in) const = 0;

  // weir's own answer to the turn that the client has begun without a server, in the client's
  // protocol; the client lives on. `in` are the parked request bytes; says how many of them are
  // thereby answered.
  virtual size_t answer_error(ClientState& client, const Error& error, Bytes in,
                              Sink& sink) const = 0;
  // The last words to a client.
  virtual void say_fatal(const ClientState& client, const Error& error, std::string& out) const = 0;
  virtual void say_notice(const std::string& text, std::string& out) const = 0;
  virtual std::string_view goodbye() const = 0;  // said to a server before it is closed at rest

  virtual Condition condition(const ServerState& server) const = 0;
  // Half a piece of this server's has gone to its client, who would take anything else for the
  // other half.
  virtual bool is_mid_piece(const ServerState&) const { return false; }
  virtual std::optional<Pin> pin(const ServerState&) const { return {}; }
  // What its client has asked for ends when it ends: no timeout for queries applies.
  virtual bool is_open_ended(const ServerState&) const { return false; }
  // A server has refused a Login with this: whoever logs in so is not let in any more.
  virtual bool ends_user(const Error&) const { return false; }
  virtual bool is_idle(const ClientState& client) const = 0;  // no turn begun, no half piece
  virtual bool owes(
      const ServerState& server) const = 0;  // something is running: cancel makes sense
  virtual bool cancel_matches(const ClientState& client, const CancelRequest& request) const = 0;

  // Null when there is nothing to do. They act on `server` (and `client`), which outlive them.
  virtual std::unique_ptr<Dialogue> attach(ClientState& client, ServerState& server) const = 0;
  virtual std::unique_ptr<Dialogue> reset(ServerState& server, const std::string& how) const = 0;
  virtual std::unique_ptr<Dialogue> recover(ServerState& server) const = 0;
  virtual std::unique_ptr<Dialogue> check(ServerState& server) const = 0;
  // Asks the server to stop what it does: appends what it is to hear on its own connection, or
  // gives the talk for a new one. Neither: it cannot be asked.
  virtual std::unique_ptr<Dialogue> cancel(ServerState& server, std::string& to_server) const = 0;
};

// Servers that many clients share at once, each client's requests whole and in turn. Of protocols
// in which one connection may bear the requests of several clients.
// tidy(shared-interface): a connection of PostgreSQL or of TDS has the state of one client
class Lanes {
 public:
  virtual ~Lanes() = default;
  // A lane's server sent bytes: says whose they are. `shares` is cleared by the caller; what they
  // look at lives until the next call. `to_server`: what has to be said to it on account of that.
  // Next: Feed, Flush or Fail.
  virtual Progress on_server(ServerState& server, Bytes in, std::vector<Share>& shares,
                             base::Gather& to_server) const = 0;
  // Of the lanes of this kind that this client shares with others.
  virtual uint64_t flavour(const ClientState& client, LaneKind kind) const = 0;
  // Null: it has this flavour.
  virtual std::unique_ptr<Dialogue> change_flavour(ServerState& server, uint64_t flavour) const = 0;
  // Clients listen to it: it stays with whoever holds it.
  virtual bool has_listeners(const ServerState& server) const = 0;
  // A client of a hub is gone: it listens no more, and nothing that is due to it reaches anybody.
  virtual void leave(ServerState& server, uint64_t owner, base::Gather& to_server) const = 0;
};

}  // namespace weir::protocol
