#include "greeting.h"

#include <weir/base/crypto.h>

#include "commands.h"
#include "own_answers.h"

namespace weir::redis {

using base::ErrorKind;
using protocol::AuthMethod;
using protocol::Encryption;
using protocol::Step;

namespace {

constexpr uint8_t kWrongProofsMax = 10;
constexpr std::string_view kDefaultUser = "default";
// The first byte of a TLS handshake (RFC 8446, 5.1), with which no command begins.
constexpr char kTlsHandshake = 0x16;

// What a client without a password may send (authRequired() in Redis' networking.c).
constexpr int64_t kArgumentsMax = 10;
constexpr int64_t kBulkBytesMax = 16384;

constexpr std::string_view kNoAuth = "NOAUTH Authentication required.";
constexpr std::string_view kHelloNoAuth =
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH "
    "<user> <pass> "
    "option can be used to authenticate the client and select the RESP protocol version at the "
    "same time";
constexpr std::string_view kWrongPass =
    "WRONGPASS invalid username-password pair or user is disabled.";

}  // namespace

RedisGreeting::RedisGreeting(const protocol::GreetingOptions& options)
    : limits_{options.login_bytes_max, kArgumentsMax, kBulkBytesMax}, tls_(options.tls) {}

RedisGreeting::RedisGreeting(const ClientState& client)
    : tls_(Encryption::None), state_(State::Proving), before_(client) {}

RedisGreeting::Result RedisGreeting::start(std::string&) {
  request_.user = kDefaultUser;
  request_.proves = false;
  if (tls_ == Encryption::None) return {Step::Ask, 0};
  state_ = State::Opening;
  return {};
}

// Redis' clients speak TLS from the first byte on, without asking for it.
RedisGreeting::Result RedisGreeting::begin(Bytes in, std::string& send) {
  if (!is_secured_) {
    if (in.empty()) return {};
    if (in[0] == kTlsHandshake) return {Step::StartTls, 0};
    if (tls_ == Encryption::Required) {
      append_error_line(send, "ERR weir: TLS is required here");
      return fail({ErrorKind::Protocol, "the client began without TLS, which is required here"});
    }
  }
  state_ = State::Asking;
  return {Step::Ask, 0};
}

RedisGreeting::Result RedisGreeting::admit(const protocol::Admission& admission,
                                           std::string& send) {
  admission_ = admission;
  if (admission.method == AuthMethod::Trust) return settle();
  state_ = State::Proving;
  if (!proof_) return {};
  if (admission.method != AuthMethod::Passthrough) return compare(send);
  state_ = State::Trying;
  return {Step::Try, 0};
}

std::string RedisGreeting::learnt_secret() const {
  const bool is_own = proof_ && admission_.method != AuthMethod::Passthrough;
  return is_own ? proof_->password : std::string();
}

RedisGreeting::Result RedisGreeting::settle() {
  client_ = before_ ? std::make_unique<ClientState>(*before_) : std::make_unique<ClientState>();
  client_->moves = admission_.options.transaction_mode && admission_.method != AuthMethod::Trust;
  client_->shares = admission_.options.transaction_mode;
  if (!before_) client_->id = admission_.session_id;
  client_->proven = proof_ && proof_->by == Proof::By::Hello;
  state_ = State::Settling;
  return {Step::NeedServer, 0};
}

RedisGreeting::Result RedisGreeting::feed(Bytes in, std::string& send) {
  if (state_ == State::Opening) return begin(in, send);
  if (state_ != State::Proving) return {};
  size_t used = 0;
  while (state_ == State::Proving) {
    if (!is_secured_ && in.substr(used).starts_with(kTlsHandshake))
      return fail({ErrorKind::Protocol, "the client began with TLS, which is not spoken here"},
                  used);
    const Request request = cut_request(in.substr(used), limits_);
    switch (request.kind) {
      case Request::Kind::Incomplete: return {Step::Wait, used};
      case Request::Kind::Nothing: used += request.bytes; continue;
      case Request::Kind::Large:
        append_error_line(send, "ERR Protocol error: unauthenticated command is too long");
        return fail({ErrorKind::TooLarge, "a command before authentication is too long"}, used);
      case Request::Kind::Bad:
        append_error_line(send, "ERR " + request.error);
        return fail({ErrorKind::Protocol, request.error}, used);
      case Request::Kind::Whole: break;
    }
    Result result = on_command(request, send);
    // What may let the client in is left until that is known.
    if (result.step == Step::Ask) {
      skip_ = request.bytes;
      return {Step::Ask, used};
    }
    used += request.bytes;
    result.consumed = used;
    if (result.step != Step::Wait || before_) return result;
  }
  return {Step::Wait, used};
}

RedisGreeting::Result RedisGreeting::say(std::string_view error, std::string& send) {
  append_error_line(send, error);
  return {};
}

RedisGreeting::Result RedisGreeting::on_command(const Request& request, std::string& send) {
  const Bytes name = request.argument(0);
  if (equal_ignoring_case(name, "auth")) return on_auth(request, send);
  if (equal_ignoring_case(name, "hello")) return on_hello(request, send);
  if (equal_ignoring_case(name, "reset")) {
    send += "+RESET\r\n";
    return {};
  }
  switch (way_of(request)) {
    case Way::Quit:
      send += "+OK\r\n";
      return fail({ErrorKind::Cancelled, "the client left before it was authenticated"});
    case Way::Attack: return fail({ErrorKind::Protocol, "this is a web browser"});
    default: return without_proof(kNoAuth, send);
  }
}

// It is "default", if that needs no password: a server has to say so, once.
RedisGreeting::Result RedisGreeting::without_proof(std::string_view refusal, std::string& send) {
  if (before_) return say("ERR syntax error", send);
  if (admission_.method != AuthMethod::Passthrough || needs_password_) return say(refusal, send);
  unproved_ = refusal;
  return prove({.user = std::string(kDefaultUser), .password = {}, .by = Proof::By::Nothing});
}

RedisGreeting::Result RedisGreeting::on_auth(const Request& request, std::string& send) {
  if (request.count == 1) return say("ERR wrong number of arguments for 'auth' command", send);
  if (request.count > 3) return say("ERR syntax error", send);
  Proof proof{.user = std::string(kDefaultUser), .password = {}};
  if (request.count == 3) proof.user = request.argument(1);
  if (request.count == 3) proof.by = Proof::By::Name;
  proof.password = request.argument(static_cast<size_t>(request.count) - 1);
  return prove(std::move(proof));
}

// HELLO version [AUTH user password] [SETNAME name], as helloCommand() in Redis' networking.c reads
// it.
RedisGreeting::Result RedisGreeting::on_hello(const Request& request, std::string& send) {
  int64_t version = 0;
  if (request.count == 1) return without_proof(kHelloNoAuth, send);
  if (!read_number(request.argument(1), version))
    return say("ERR Protocol version is not an integer or out of range", send);
  if (version != 2 && version != 3) return say("NOPROTO unsupported protocol version", send);
  std::optional<Proof> proof;
  for (size_t i = 2; i < static_cast<size_t>(request.count); ++i) {
    const Bytes option = request.argument(i);
    const size_t follow = static_cast<size_t>(request.count) - i - 1;
    if (equal_ignoring_case(option, "auth") && follow >= 2 && i + 2 < request.known) {
      proof = Proof{std::string(request.argument(i + 1)), std::string(request.argument(i + 2)),
                    Proof::By::Hello};
      i += 2;
    } else if (equal_ignoring_case(option, "setname") && follow >= 1) {
      if (!is_client_name(request.argument(i + 1)))
        return say("ERR Client names cannot contain spaces, newlines or special characters.", send);
      request_.application_name = request.argument(++i);
    } else {
      return say("ERR Syntax error in HELLO option '" + std::string(option) + "'", send);
    }
  }
  return proof ? prove(std::move(*proof)) : without_proof(kHelloNoAuth, send);
}

RedisGreeting::Result RedisGreeting::prove(Proof proof) {
  proof_ = std::move(proof);
  request_.user = proof_->user;
  request_.proves = proof_->by != Proof::By::Nothing;
  state_ = State::Asking;
  return {Step::Ask, 0};
}

RedisGreeting::Result RedisGreeting::compare(std::string& send) {
  const Proof proof = *std::exchange(proof_, std::nullopt);
  if (proof.by == Proof::By::Nothing) {
    say(unproved_, send);
    return refused();
  }
  const bool hashed = !admission_.mock && is_hashed(admission_.secret);
  const bool equal = base::equal_constant_time(admission_.secret, proof.password);
  if (!hashed && !admission_.mock && !admission_.secret.empty() && equal) {
    proof_ = proof;
    return settle();
  }
  if (hashed)
    say("ERR weir: Redis clients send plain passwords, and weir knows only a hash of this user's",
        send);
  else
    say(kWrongPass, send);
  return wrong_proof();
}

RedisGreeting::Result RedisGreeting::wrong_proof() {
  if (++wrong_proofs_ < kWrongProofsMax) return refused();
  return fail({ErrorKind::Protocol, "too many wrong passwords"}, skip_);
}

RedisGreeting::Result RedisGreeting::refused() { return {Step::Wait, std::exchange(skip_, 0)}; }

RedisGreeting::Result RedisGreeting::tried(const Error& refusal, std::string& send) {
  if (refusal.text.empty()) return settle();
  state_ = State::Proving;
  Proof proof = *std::exchange(proof_, std::nullopt);
  const bool by_server = refusal.kind == ErrorKind::Refused && refusal.code == kServersWords;
  if (proof.by == Proof::By::Nothing && by_server && refusal.text.starts_with("NOAUTH")) {
    needs_password_ = true;
    say(unproved_, send);
    return refused();
  }
  const bool has_name = proof.by == Proof::By::Name || proof.by == Proof::By::Hello;
  if (has_name && needs_no_password(refusal.text)) {
    proof.password.clear();
    proof_ = std::move(proof);
    state_ = State::Trying;
    return {Step::Try, 0};
  }
  append_error(send, refusal);
  return by_server && proof.by != Proof::By::Nothing ? wrong_proof() : refused();
}

RedisGreeting::Result RedisGreeting::welcome(protocol::Facts&, const protocol::ServerState*,
                                             std::string& send) {
  state_ = State::Done;
  // A server has to answer HELLO, and the first command of who needs no password.
  if (!proof_ || proof_->by >= Proof::By::Hello) return {Step::Done, 0};
  send += "+OK\r\n";
  return {Step::Done, skip_};
}

}  // namespace weir::redis
