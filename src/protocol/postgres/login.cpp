#include "login.h"

#include <algorithm>

#include "wire.h"

namespace weir::postgres {

using base::ErrorKind;
using protocol::Encryption;
using protocol::Step;

namespace {

constexpr std::string_view kAlpn = "postgresql";
constexpr size_t kOldErrorBytesMax = 4096;

// A server that says no (to the user, the database, a setting), in contrast to one that cannot just
// now: the former fails waiting clients at once, the latter lets them wait.
bool is_refusal(std::string_view sqlstate) {
  return sqlstate.starts_with("28") || sqlstate.starts_with("22") || sqlstate.starts_with("42") ||
         sqlstate == "3D000";
}

}  // namespace

PostgresLogin::Result PostgresLogin::start(std::string& send) {
  if (target_.tls == Encryption::None || target_.tls == Encryption::Fallback) return begin(send);
  state_ = State::Negotiation;
  if (target_.tls == Encryption::Direct) return {Step::StartTls, 0};
  append_ssl_request(send);
  return {};
}

void PostgresLogin::secured(const protocol::Secured& shown) {
  const bool direct = target_.tls == Encryption::Direct;
  server_->tls = direct ? Encryption::Direct : Encryption::Required;
  end_point_ = shown.server_end_point;
  // As libpq insists: whoever takes TLS for something else does not speak for a PostgreSQL server.
  if (direct && shown.alpn != kAlpn)
    give_up(ErrorKind::Refused, "server takes TLS, but not for PostgreSQL (ALPN)");
}

// "SSL Session Encryption", 55.2.10: one byte, S or N. Whatever comes behind the S in clear was put
// there by somebody else (CVE-2021-23222).
PostgresLogin::Result PostgresLogin::on_negotiated(Bytes in, std::string& send) {
  if (server_->tls != Encryption::None) return begin(send);
  if (in.empty()) return {};
  if (in[0] == 'S' && in.size() == 1) return {Step::StartTls, 1};
  if (in[0] == 'S')
    return give_up(ErrorKind::Protocol, "server sent unencrypted data behind its answer to TLS");
  if (in[0] == 'N') {
    if (target_.tls == Encryption::Required)
      return give_up(ErrorKind::Refused, "server does not speak TLS, which tls.mode demands");
    const Result result = begin(send);
    return {result.step, 1};
  }
  // The error itself may be anybody's (CVE-2024-10977).
  if (in[0] == 'E')
    return give_up(ErrorKind::Unreachable, "server answered the request for TLS with an error");
  return give_up(ErrorKind::Protocol,
                 "server answered the request for TLS with neither yes nor no");
}

PostgresLogin::Result PostgresLogin::begin(std::string& send) {
  SettingList parameters = {{"user", target_.user}, {"database", target_.database}};
  parameters.insert(parameters.end(), target_.settings.begin(), target_.settings.end());
  append_startup(send, parameters, asked_version());
  state_ = State::Authentication;
  return {};
}

PostgresLogin::Result PostgresLogin::feed(Bytes in, std::string& send) {
  size_t consumed = 0;
  while (true) {
    const State before = state_;
    Result result = step(in.substr(consumed), send);
    consumed += result.consumed;
    const bool moved = result.consumed > 0 || state_ != before;  // as when it has derived keys
    if (result.step != Step::Wait || !moved || consumed == in.size())
      return {result.step, consumed};
  }
}

PostgresLogin::Result PostgresLogin::step(Bytes in, std::string& send) {
  if (state_ == State::Failed) return {Step::Fail, 0};
  if (state_ == State::Done) return {};
  if (state_ == State::Deriving) return derivation_->is_done ? on_derived(send) : Result{};
  if (state_ == State::Negotiation) return on_negotiated(in, send);
  const auto message = cut_message(in, kMessageBytesMax);
  if (!message && in[0] == 'E' && in[1] >= ' ' && state_ == State::Authentication && !answered_)
    return on_old_error(in);
  if (!message)
    return give_up(message.error().kind, "server sent a bad message: " + message.error().text);
  if (message.value().consumed == 0) return {};
  const Result result = on_message(message.value(), send);
  return {result.step, message.value().consumed};
}

// A postmaster that cannot fork says so in the manner of protocol 2: 'E', a text, a NUL.
PostgresLogin::Result PostgresLogin::on_old_error(Bytes in) {
  const size_t end = in.find('\0');
  if (end == Bytes::npos && in.size() < kOldErrorBytesMax) return {};
  return give_up(ErrorKind::Unreachable,
                 std::string(in.substr(1, std::min(end, kOldErrorBytesMax) - 1)));
}

PostgresLogin::Result PostgresLogin::on_message(const CutMessage& message, std::string& send) {
  const bool settling = state_ == State::Settling;
  switch (message.type) {
    case 'E': return on_error(message.body);
    case 'N': return {};
    case 'v':
      if (state_ == State::Authentication && !answered_) return on_version(message.body);
      break;
    case 'R':
      if (!settling) return on_authentication(message.body, send);
      break;
    case 'S':
      if (settling) return on_parameter_status(message.body);
      break;
    case 'K':
      if (settling) return on_backend_key(message.body);
      break;
    case 'Z':
      if (settling) return on_ready(message.body);
      break;
    default: break;
  }
  return give_up(ErrorKind::Protocol, "server sent a message that has no place in a login");
}

// ---------------------------------------------------------------- authentication

PostgresLogin::Result PostgresLogin::on_authentication(Bytes body, std::string& send) {
  BodyReader reader(body);
  const uint32_t kind = reader.int32();
  if (!reader.ok())
    return give_up(ErrorKind::Protocol, "server sent a malformed authentication request");
  const auto is = [kind](Authentication other) { return kind == static_cast<uint32_t>(other); };
  switch (state_) {
    case State::SaslContinue:
      if (is(Authentication::SaslContinue)) return on_sasl_continue(reader.rest(), send);
      break;
    case State::SaslFinal:
      if (is(Authentication::SaslFinal)) return on_sasl_final(reader.rest());
      break;
    default:
      if (is(Authentication::Ok) && reader.at_end()) {
        if (needs_binding() && !is_bound_) return refuse_unbound();
        state_ = State::Settling;
        return {};
      }
      if (state_ == State::Authentication && !answered_)
        return on_demand(kind, reader.rest(), send);
  }
  // Above all AuthenticationOk from a server that has not proved yet that it knows the secret.
  return give_up(ErrorKind::Protocol, "server broke off the authentication that it began");
}

PostgresLogin::Result PostgresLogin::on_demand(uint32_t kind, Bytes data, std::string& send) {
  answered_ = true;
  switch (static_cast<Authentication>(kind)) {
    case Authentication::CleartextPassword:
    case Authentication::Md5Password:
    case Authentication::Sasl: break;
    default:
      return give_up(ErrorKind::Refused, "server demands authentication method " +
                                             std::to_string(kind) + ", which weir does not speak");
  }
  if (needs_binding() && static_cast<Authentication>(kind) != Authentication::Sasl)
    return refuse_unbound();
  if (target_.secret.empty())
    return give_up(ErrorKind::Refused,
                   "server demands a password for user \"" + target_.user + "\", and weir has none",
                   "28P01");
  if (kind == static_cast<uint32_t>(Authentication::Sasl)) return on_sasl(data, send);
  if (kind == static_cast<uint32_t>(Authentication::Md5Password)) return on_md5(data, send);
  return on_cleartext(send);
}

PostgresLogin::Result PostgresLogin::on_cleartext(std::string& send) {
  if (secret_kind(target_.secret) != SecretKind::Plain || has_keys(target_.secret))
    return give_up(ErrorKind::Refused,
                   "server demands the plain password of user \"" + target_.user +
                       "\", and weir knows only a hash of it",
                   "28P01");
  append_password(send, target_.secret);
  return {};
}

PostgresLogin::Result PostgresLogin::on_md5(Bytes salt, std::string& send) {
  if (salt.size() != 4)
    return give_up(ErrorKind::Protocol, "server sent a malformed authentication request");
  const SecretKind kind = secret_kind(target_.secret);
  if (kind == SecretKind::Scram || has_keys(target_.secret))
    return give_up(ErrorKind::Refused,
                   "server demands an md5 password of user \"" + target_.user +
                       "\", and weir knows only SCRAM keys",
                   "28P01");
  const std::string secret =
      kind == SecretKind::Md5 ? target_.secret : md5_secret(target_.user, target_.secret);
  append_password(send, md5_answer(secret, salt));
  return {};
}

PostgresLogin::Result PostgresLogin::on_sasl(Bytes mechanisms, std::string& send) {
  BodyReader reader(mechanisms);
  bool offered = false;
  bool binds = false;
  for (Bytes name = reader.text(); reader.ok() && !name.empty(); name = reader.text()) {
    offered = offered || name == kScram;
    binds = binds || (name == kScramPlus && can_bind());
  }
  if (!reader.at_end())
    return give_up(ErrorKind::Protocol, "server sent a malformed authentication request");
  if (needs_binding() && !binds) return refuse_unbound();
  if (!offered && !binds)
    return give_up(ErrorKind::Refused, "server offers no SASL mechanism that weir speaks");
  scram_ = std::make_unique<ScramClient>(base::base64_encode(parts_.random_bytes(18)));
  using Binding = ScramClient::Binding;
  if (can_bind()) scram_->bind(binds ? Binding::Bound : Binding::NotOffered, end_point_);
  append_sasl_initial(send, binds ? kScramPlus : kScram, scram_->client_first());
  state_ = State::SaslContinue;
  return {};
}

base::Result<ScramKeys> PostgresLogin::keys_for(const ScramClient& scram) {
  const auto refused = [this](const char* why) {
    return Error{ErrorKind::Refused, "cannot log in as user \"" + target_.user + "\": " + why,
                 "28P01"};
  };
  if (has_keys(target_.secret)) {
    auto keys = read_keys(target_.secret);
    if (keys && (keys->salt != scram.salt() || keys->iterations != scram.iterations()))
      return refused(
          "the server's SCRAM verifier is not the one that weir has; both have to be the same");
    return keys;
  }
  switch (secret_kind(target_.secret)) {
    case SecretKind::Md5:
      return refused("the server demands SCRAM, and weir knows only an md5 hash");
    case SecretKind::Scram:
      return refused("of a SCRAM verifier weir learns the keys only when a client logs in with it");
    case SecretKind::Plain: break;
  }
  return parts_.secrets.keys(target_.secret, scram.salt(), scram.iterations());
}

PostgresLogin::Result PostgresLogin::on_sasl_continue(Bytes data, std::string& send) {
  if (auto read = scram_->on_server_first(data); !read)
    return give_up(read.error().kind, read.error().text, read.error().code);
  return has_to_derive() ? derive() : on_derived(send);
}

bool PostgresLogin::has_to_derive() const {
  const std::string& secret = target_.secret;
  return secret_kind(secret) == SecretKind::Plain && !has_keys(secret) &&
         !parts_.secrets.knows(secret, scram_->salt(), scram_->iterations());
}

PostgresLogin::Result PostgresLogin::derive() {
  derivation_ = std::make_shared<Derivation>();
  work_ = [&store = parts_.secrets, secret = target_.secret, salt = scram_->salt(),
           iterations = scram_->iterations(), out = derivation_] {
    out->keys = store.keys(secret, salt, iterations);
    out->is_done = true;
  };
  state_ = State::Deriving;
  return {Step::Work, 0};
}

PostgresLogin::Result PostgresLogin::on_derived(std::string& send) {
  auto keys = derivation_ ? base::Result<ScramKeys>(derivation_->keys) : keys_for(*scram_);
  if (!keys) return give_up(keys.error().kind, keys.error().text, keys.error().code);
  append_sasl_response(send, scram_->client_final(*keys));
  state_ = State::SaslFinal;
  return {};
}

PostgresLogin::Result PostgresLogin::on_sasl_final(Bytes data) {
  if (auto checked = scram_->on_server_final(data); !checked)
    return give_up(checked.error().kind, checked.error().text, checked.error().code);
  is_bound_ = scram_->is_bound();
  scram_.reset();
  state_ = State::Accepted;
  return {};
}

PostgresLogin::Result PostgresLogin::refuse_unbound() {
  return give_up(ErrorKind::Refused,
                 "server does not bind the login to the TLS channel, which tls.channel_binding "
                 "demands",
                 "28000");
}

// ---------------------------------------------------------------- what a server says of itself

// NegotiateProtocolVersion: an older version is fine, there is nothing that weir would miss.
PostgresLogin::Result PostgresLogin::on_version(Bytes body) {
  BodyReader reader(body);
  const uint32_t version = reader.int32();
  const uint32_t options = reader.int32();
  if (!reader.at_end() || options != 0 || version < kVersion30 || version >= asked_version())
    return give_up(ErrorKind::Protocol, "server sent a malformed NegotiateProtocolVersion");
  return {};
}

PostgresLogin::Result PostgresLogin::on_error(Bytes body) {
  const Error why = read_refusal(body);
  return give_up(is_refusal(why.code) ? ErrorKind::Refused : ErrorKind::Unreachable, why.text,
                 why.code);
}

PostgresLogin::Result PostgresLogin::on_parameter_status(Bytes body) {
  BodyReader reader(body);
  const Bytes name = reader.text();
  const Bytes value = reader.text();
  if (!reader.at_end() || name.empty())
    return give_up(ErrorKind::Protocol, "server sent a malformed ParameterStatus");
  reported_bytes_ += body.size();
  if (reported_bytes_ > kReportedBytesMax)
    return give_up(ErrorKind::TooLarge, "server reports too many parameters");
  server_->reported.insert_or_assign(std::string(name), std::string(value));
  return {};
}

PostgresLogin::Result PostgresLogin::on_backend_key(Bytes body) {
  BodyReader reader(body);
  const uint32_t process_id = reader.int32();
  const Bytes key = reader.rest();
  if (!reader.ok() || key.empty() || key.size() > kCancelKeyBytesMax)
    return give_up(ErrorKind::Protocol, "server sent a malformed BackendKeyData");
  server_->process_id = static_cast<int32_t>(process_id);
  server_->cancel_key = key;
  return {};
}

PostgresLogin::Result PostgresLogin::on_ready(Bytes body) {
  if (body != "I") return give_up(ErrorKind::Protocol, "server is not idle after the login");
  if (const std::string misses = misses_role(target_.role, server_->reported); !misses.empty())
    return give_up(ErrorKind::Unreachable, misses);
  server_->base = server_->reported;
  server_->role = target_.role;
  server_->is_readers = target_.variant == kReaders;
  state_ = State::Done;
  return {Step::Done, 0};
}

PostgresLogin::Result PostgresLogin::give_up(ErrorKind kind, std::string text, std::string code) {
  state_ = State::Failed;
  return fail({kind, std::move(text), std::move(code)});
}

}  // namespace weir::postgres
