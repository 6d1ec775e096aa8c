// What every protocol gives to weir, and all that `session` knows of it. Pure: bytes in, values and
// bytes out; no sockets, files, threads, clock, environment or log. docs/interfaces.md walks
// through it.
//
//   Greeting   a new client says who it is and is authenticated (a Dialogue with the client)
//   Login      weir opens a server connection                   (a Dialogue with the server)
//   Link       the relay: judges every run of bytes between the two as long as the client lives
//   Dialogues  attach, reset, check, recover, cancel: short talks with a server between two holds
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/bytes.h>
#include <weir/base/envelope.h>
#include <weir/base/gather.h>
#include <weir/base/result.h>

namespace weir::protocol {

using base::Bytes;
using base::Error;

// What a protocol remembers of one client. Owned by the session, on its worker's thread.
struct ClientState {
  virtual ~ClientState() = default;
  // What cannot be changed on a server after login: only servers of an equal one serve this client.
  virtual uint64_t variant() const { return 0; }
  // What Link::attach() can change: servers of an equal flavour are preferred, as they need no
  // talk. Who shares a lane is of its flavour.
  virtual uint64_t flavour() const { return 0; }
  // Its lane tells it what it has not asked for just now: it stays on that lane.
  virtual bool listens() const { return false; }
  // It may say later that it is somebody else: Next::Login.
  virtual bool may_change_user() const { return false; }
};

// What a protocol remembers of one server connection: what it still owes, what it has prepared,
// which settings are in force, what must be undone. Travels with the server, from hold to hold and
// from worker to worker.
struct ServerState {
  virtual ~ServerState() = default;
  virtual uint64_t variant() const { return 0; }
  virtual uint64_t flavour() const { return 0; }
  // The server's own name for the connection (a pid).
  virtual int64_t remote_id() const { return 0; }
};

// ---------------------------------------------------------------- dialogues

enum class Step : uint8_t {
  Wait,      // send what was appended, then feed what comes
  StartTls,  // send, then wrap the stream in TLS, then feed({}) when the handshake is done
  StopTls,   // send, then go on in clear, as the peer does; then feed what comes
  Work,      // send, then run work() on another thread, as it takes long, then feed({})
  Ask,  // Greeting only: the app has to decide about request(); it answers with admit() or refuse()
  // Greeting only: a server has to say whether proof() lets request().user in; answer with tried()
  Try,
  // Greeting only: authenticated; answer with welcome() once a server's facts are known
  NeedServer,
  // send; the dialogue is over, the stream at rest (unconsumed bytes belong to what follows)
  Done,
  Fail,  // send; the dialogue is over, error() says why; the stream is to be closed
};

// What a TLS handshake has shown.
struct Secured {
  std::string alpn;              // chosen; empty: none
  std::string peer_name;         // of the peer's certificate, if that was verified
  std::string server_end_point;  // hash of the server's certificate (RFC 5929, 4.1)
};

// What takes too long for a loop.
struct Work {
  std::function<void()> run;
  bool may_hang = false;  // it waits for others, not for a processor
};

// A cold conversation with one peer. Each call appends to `send` what is to be written before
// anything else. feed() may be called with bytes that it has seen before: it says in `consumed`
// what it has used up; so does whatever answers it later, of the bytes that it has left.
class Dialogue {
 public:
  struct Result {
    Step step = Step::Wait;
    size_t consumed = 0;
  };
  virtual ~Dialogue() = default;
  virtual Result start(std::string& send) = 0;
  virtual Result feed(Bytes in, std::string& send) = 0;
  // Of StartTls: what carries the handshake. Null: its records go as they are.
  virtual std::shared_ptr<base::Envelope> envelope() { return nullptr; }
  virtual void secured(const Secured&) {}  // after StartTls, before feed({})
  // After Work. Once; may outlive the dialogue, not its protocol.
  virtual Work work() { return {}; }
  virtual Result on_end() {  // the peer closed
    if (error_.text.empty())
      error_ = {base::ErrorKind::Unreachable, "connection closed by the peer"};
    return {Step::Fail, 0};
  }
  const Error& error() const { return error_; }

 protected:
  Result fail(Error error, size_t consumed = 0) {
    error_ = std::move(error);
    return {Step::Fail, consumed};
  }
  Error error_;
};

// Fallback: in clear, and if that is refused, once more with TLS required. LoginOnly: for what says
// who somebody is; more, if the peer wants that. Direct: required, and begun without asking for it
// in clear first.
enum class Encryption : uint8_t { None, Fallback, LoginOnly, Offered, Required, Direct };

struct GreetingOptions {
  size_t login_bytes_max = 64 * 1024;
  Encryption tls = Encryption::None;
};

using Settings = std::vector<std::pair<std::string, std::string>>;

// A client that follows the server's log of changes: of the whole machine, or of one database.
enum class Replication : uint8_t { None, Physical, Logical };

// Who a client says it is.
struct LoginRequest {
  std::string user;
  std::string database;
  // Another name that a client brings, of the server as it knows it: stands in for a database that
  // is not named or not known.
  std::string server_name = {};
  std::string application_name;
  bool proves = true;  // it has brought what it takes, or will be asked for it
  Replication replication = Replication::None;
  // With replication: what a server that it has to itself is to be logged in to with.
  Settings own_settings;
};

// Cert, Peer: nothing is asked, as the client's certificate or its account has said who it is.
// Rules, Pam, Ldap: app finds out which of the others it is; no greeting ever sees them.
// Passthrough: nobody here knows, a server is asked.
enum class AuthMethod : uint8_t {
  Trust,
  Plain,
  Md5,
  ScramSha256,
  Cert,
  Peer,
  Rules,
  Pam,
  Ldap,
  Passthrough
};

constexpr bool asks_for_secret(AuthMethod method) {
  return method == AuthMethod::Plain || method == AuthMethod::Md5 ||
         method == AuthMethod::ScramSha256;
}

constexpr size_t kCancelKeyBytes = 32;

// The app's answer to Step::Ask. A client that is not to be let in gets the same exchange with
// secrets that nobody knows (`mock`), so that it cannot tell why.
struct Admission {
  AuthMethod method = AuthMethod::ScramSha256;
  std::string secret;  // plain text, md5… or SCRAM-SHA-256$…; never logged
  // With Plain: who says whether a password is right, instead of `secret`. May take long, any
  // thread.
  std::function<bool(const std::string& password)> check;
  int scram_iterations = 4096;
  bool mock = false;
  uint64_t session_id = 0;  // the client's own name for its connection is made from it
  std::string cancel_key;  // kCancelKeyBytes from a secure generator; a protocol may use less of it
  struct ClientOptions {
    bool statement_mode = false;     // refuse transaction blocks
    bool transaction_mode = true;    // servers change between turns: names and settings are carried
    int prepared_statements = 200;   // kept per server; 0: names pass through unchanged
    size_t statement_bytes_max = 0;  // of a message that has to be seen whole
    uint32_t pool = 0;  // names the client's pool: what one of its clients has proved holds for all
  } options;
};

// A request to cancel what the client with this id does. The secret is compared by the session
// that owns it.
struct CancelRequest {
  uint64_t session_id = 0;
  std::string secret;
};

// What the servers of one pool say of themselves at login, and which clients' settings they have
// accepted, so that most clients can be welcomed without a server. Kept by the pool's owner, who
// brings the lock.
class Facts {
 public:
  virtual ~Facts() = default;
  virtual void learn(const ServerState& server) = 0;  // after a login
  // Behind learn(): hangs on the server what all servers of the pool have in common.
  virtual void equip(ServerState& /*server*/) const {}
};

class Greeting : public Dialogue {
 public:
  const LoginRequest& request() const { return request_; }
  // Set: Done, no client will follow.
  const std::optional<CancelRequest>& cancel() const { return cancel_; }
  virtual Result admit(const Admission& admission, std::string& send) = 0;
  // Step::NeedServer: are these facts enough, or has a server to be attached to client() first?
  virtual bool settled_by(const Facts& facts) const = 0;
  virtual ClientState& client() = 0;  // from NeedServer on
  // `attached` is the server on which attach() has just run for client(), or null when
  // settled_by() said yes.
  virtual Result welcome(Facts& facts, const ServerState* attached, std::string& send) = 0;
  virtual std::unique_ptr<ClientState> take_client() = 0;  // after Done
  // Turns `error` into the protocol's fatal refusal, whatever the step.
  virtual void refuse(const Error& error, std::string& send) = 0;
  // From NeedServer on: what a Login as this user can use, so far as the exchange has shown it.
  // Empty: nothing. Never logged.
  virtual std::string learnt_secret() const { return {}; }
  // Step::Try: what a Login is to be tried with. Never logged.
  virtual std::string proof() const { return {}; }
  // Without a text: a server has let it in.
  virtual Result tried(const Error& /*refusal*/, std::string& /*send*/) {
    return fail({base::ErrorKind::Protocol, "a step that has no place here"});
  }
  // So far, from a client that may try again: each is a login that failed. Few.
  uint8_t wrong_proofs() const { return wrong_proofs_; }

 protected:
  uint8_t wrong_proofs_ = 0;
  LoginRequest request_;
  std::optional<CancelRequest> cancel_;
};

// Whether a login is to be bound to the TLS channel that it goes over.
enum class ChannelBinding : uint8_t { Disable, Prefer, Require };

// What a server has to be. PreferStandby: a standby, or any if there is none.
enum class Role : uint8_t { Any, ReadWrite, ReadOnly, Primary, Standby, PreferStandby };

// Where and as whom to log in.
struct LoginTarget {
  std::string user;
  std::string secret;  // plain text, md5… or SCRAM keys; never logged
  std::string database;
  Settings settings;  // for every server of the pool
  Encryption tls = Encryption::None;
  ChannelBinding channel_binding = ChannelBinding::Prefer;
  Role role = Role::Any;  // another one: Unreachable, the next host may be it
  // ClientState::variant() of whom it is opened for. 0: of nobody in particular.
  uint64_t variant = 0;
  bool newest_version = false;  // ask for the newest version of the protocol, not the usual one
  bool is_proof = false;        // the secret is a client's: to be judged even if it is empty
};

class Login : public Dialogue {
 public:
  // After Fail: the server sends its clients there.
  struct Elsewhere {
    std::string host;
    uint16_t port = 0;
  };
  virtual std::optional<Elsewhere> elsewhere() const { return std::nullopt; }
  virtual std::unique_ptr<ServerState> take_server() = 0;  // after Done
};

// A question to a server on weir's own account. Refused: the server said no, and is fine.
using Row = std::vector<std::optional<std::string>>;  // values as text; absent: NULL

class Lookup : public Dialogue {
 public:
  std::vector<Row> rows;  // after Done
};

// ---------------------------------------------------------------- the relay

enum class Next : uint8_t {
  Feed,        // call again when `want` bytes are there (at least one more than now)
  Flush,       // call again with the rest once the sink has been sent
  NeedServer,  // call again with the rest once a server is held
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

  // A lane's server sent bytes: says whose they are. `shares` is cleared by the caller; what they
  // look at lives until the next call. `to_server`: what has to be said to it on account of that.
  // Next: Feed, Flush or Fail.
  virtual Progress on_lane(ServerState&, Bytes, std::vector<Share>&,
                           base::Gather& /*to_server*/) const {
    return {Next::Fail, 0, 0};
  }

  // Of the lanes that this client shares with others.
  virtual uint64_t lane_flavour(const ClientState& client, LaneKind) const {
    return client.flavour();
  }
  // Clients listen to it: it stays with whoever holds it.
  virtual bool has_listeners(const ServerState&) const { return false; }
  // A client of a hub is gone: it listens no more, and nothing that is due to it reaches anybody.
  virtual void leave(ServerState&, uint64_t /*owner*/, base::Gather& /*to_server*/) const {}

  // The words of a client's protocol for one of its clients. `server`: that it holds, or null.
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
  // What a client that waits for a server has sent takes its request back: it waits no more, and
  // on_client() is called without a server.
  virtual bool takes_back(const ClientState&, Bytes /*parked*/) const { return false; }
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

  // For those who share a lane; see ClientState::flavour(). Null: it has this flavour.
  virtual std::unique_ptr<Dialogue> change_flavour(ServerState&, uint64_t /*flavour*/) const {
    return nullptr;
  }

  // Null when there is nothing to do. They act on `server` (and `client`), which outlive them.
  virtual std::unique_ptr<Dialogue> attach(ClientState& client, ServerState& server) const = 0;
  virtual std::unique_ptr<Dialogue> reset(ServerState& server, const std::string& how) const = 0;
  virtual std::unique_ptr<Dialogue> recover(ServerState& server) const = 0;
  virtual std::unique_ptr<Dialogue> check(ServerState& server) const = 0;
  virtual std::unique_ptr<Dialogue> cancel(
      const ServerState& server) const = 0;  // on a new connection
  // The same on its own, where that is how it is done: appends what the server is to hear. False:
  // it is not.
  virtual bool interrupt(ServerState& /*server*/, std::string& /*to_server*/) const {
    return false;
  }
};

// One per protocol, made by app/protocols.cpp.
class Protocol {
 public:
  virtual ~Protocol() = default;
  virtual std::string_view name() const = 0;
  virtual const Link& link() const = 0;
  virtual bool has_lanes() const { return false; }
  // Whose variant this is has said that it will only read.
  virtual bool reads_only(uint64_t /*variant*/) const { return false; }
  virtual std::unique_ptr<Greeting> greet(const GreetingOptions& options) const = 0;
  // For one that is logged in and says that it is somebody else: take_client() is the same client
  // then. One command is judged; Wait: it has been refused.
  virtual std::unique_ptr<Greeting> greet_again(const ClientState&) const { return nullptr; }
  virtual std::unique_ptr<Login> login(const LoginTarget& target) const = 0;
  virtual std::unique_ptr<Facts> facts() const = 0;
  virtual std::unique_ptr<Dialogue> query(const std::string& text,
                                          ServerState& server) const = 0;  // connect_query
  // Null: this protocol has none.
  virtual std::unique_ptr<Lookup> lookup(const std::string& /*text*/,
                                         const std::string& /*argument*/,
                                         ServerState& /*server*/) const {
    return nullptr;
  }
};

}  // namespace weir::protocol
