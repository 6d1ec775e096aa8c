// Talks with one peer at a time, and what a protocol remembers of client and server: part of
// protocol.h.
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
  // tidy(shared-interface): goes with Lanes
  virtual bool listens() const { return false; }
  // It may say later that it is somebody else: Next::Login.
  // tidy(shared-interface): only Redis lets a client log in again
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

constexpr std::string_view kPeerClosed = "connection closed by the peer";

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
  // tidy(shared-interface): only TDS wraps a handshake in packets of its own
  virtual std::shared_ptr<base::Envelope> envelope() { return nullptr; }
  virtual void secured(const Secured&) {}  // after StartTls, before feed({})
  // After Work. Once; may outlive the dialogue, not its protocol.
  virtual Work work() { return {}; }
  virtual Result on_end() {  // the peer closed
    if (error_.text.empty()) error_ = {base::ErrorKind::Unreachable, std::string(kPeerClosed)};
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
    bool separate_readers = false;   // who only reads has hosts of his own
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
  // After a login. Hangs on the server what all servers of the pool have in common.
  virtual void learn(ServerState& server) = 0;
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
  // tidy(shared-interface): only TDS has routing in its login
  virtual std::optional<Elsewhere> elsewhere() const { return std::nullopt; }
  virtual std::unique_ptr<ServerState> take_server() = 0;  // after Done
};

// A question to a server on weir's own account. Refused: the server said no, and is fine.
using Row = std::vector<std::optional<std::string>>;  // values as text; absent: NULL

class Lookup : public Dialogue {
 public:
  std::vector<Row> rows;  // after Done
};

}  // namespace weir::protocol
