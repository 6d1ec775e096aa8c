#include "greeting.h"

#include <algorithm>

#include "facts.h"
#include "wire.h"

namespace weir::postgres {

using base::ErrorKind;
using protocol::AuthMethod;
using protocol::Encryption;
using protocol::Step;

namespace {

constexpr std::string_view kAlpn = "postgresql";
constexpr char kTlsHandshake =
    0x16;  // RFC 8446, section 5.1: content type of a ClientHello's record

Error invalid(std::string text) { return {ErrorKind::Protocol, std::move(text), "08P01"}; }

// As the server reads a setting that is a truth ("Setting Parameters", 20.1.1): a word may be cut
// short.
bool is_on(std::string_view value) {
  const std::string word = lower_case(value);
  const auto begins = [&word](std::string_view whole) {
    return !word.empty() && whole.starts_with(word);
  };
  return word == "on" || word == "1" || begins("true") || begins("yes");
}

bool asks_to_read(const SettingMap& settings) {
  const auto found = settings.find("default_transaction_read_only");
  return found != settings.end() && is_on(found->second);
}

}  // namespace

PostgresGreeting::Result PostgresGreeting::start(std::string&) { return {}; }

PostgresGreeting::Result PostgresGreeting::feed(Bytes in, std::string& send) {
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

PostgresGreeting::Result PostgresGreeting::step(Bytes in, std::string& send) {
  switch (state_) {
    case State::Start: return on_start(in, send);
    case State::Password:
    case State::Md5:
    case State::SaslFirst:
    case State::SaslFinal: return on_answer(in, send);
    case State::Deriving: return derivation_->is_done ? (this->*next_)(send) : Result{};
    case State::Asking:
    case State::Authenticated:
    case State::Done: return {};
    case State::Failed: break;
  }
  return {Step::Fail, 0};
}

// ---------------------------------------------------------------- before the start-up packet

PostgresGreeting::Result PostgresGreeting::on_start(Bytes in, std::string& send) {
  if (in.starts_with(kTlsHandshake) && !is_secured_) {
    if (parts_.tls != Encryption::None && !ssl_requested_ && !gss_requested_) {
      is_direct_ = true;
      return {Step::StartTls, 0};
    }
    // Nothing is said: the client would take it for a broken TLS record.
    state_ = State::Failed;
    return fail({ErrorKind::Protocol, "client began with TLS, which is not spoken here", "08P01"});
  }
  if (in.size() < 4) return {};
  const uint32_t length = base::load_be32(in.data());
  if (length < 8 || length > parts_.login_bytes_max)
    return give_up(invalid("invalid length of startup packet"), send);
  if (in.size() < length) return {};

  const uint32_t code = base::load_be32(in.data() + 4);
  if (code == kSslCode || code == kGssCode) {
    if (length != 8) return give_up(invalid("invalid length of encryption request"), send);
    return on_encryption_request(code, in, send);
  }
  if (code == kCancelCode) return on_cancel(in.substr(8, length - 8), length);
  if (parts_.tls == Encryption::Required && !is_secured_)
    return give_up(
        {ErrorKind::Refused, "TLS is required here: connect with sslmode=require", "28000"}, send);
  const Result result = on_startup(code, in.substr(8, length - 8), send);
  return {result.step, length};
}

PostgresGreeting::Result PostgresGreeting::on_encryption_request(uint32_t code, Bytes in,
                                                                 std::string& send) {
  bool& requested = code == kSslCode ? ssl_requested_ : gss_requested_;
  if (requested || is_secured_) return give_up(invalid("encryption was requested before"), send);
  // Whoever stands between client and weir could put it there, to be taken for the client's own
  // words (CVE-2021-23214).
  if (in.size() > 8)
    return give_up(invalid("received unencrypted data after encryption request"), send);
  requested = true;
  const bool secures = code == kSslCode && parts_.tls != Encryption::None;
  send.push_back(secures ? 'S' : 'N');
  return {secures ? Step::StartTls : Step::Wait, 8};
}

// Who begins with TLS must say for what: the bytes may be meant for another protocol.
void PostgresGreeting::secured(const protocol::Secured& shown) {
  is_secured_ = true;
  end_point_ = shown.server_end_point;
  if (!is_direct_ || shown.alpn == kAlpn) return;
  state_ = State::Failed;
  error_ = {ErrorKind::Protocol, "client began with TLS without ALPN \"postgresql\"", "08P01"};
}

PostgresGreeting::Result PostgresGreeting::on_cancel(Bytes key, size_t consumed) {
  BodyReader reader(key);
  const uint32_t process_id = reader.int32();
  if (reader.rest().size() < 4 || reader.rest().size() > kCancelKeyBytesMax) {
    state_ = State::Failed;
    return fail(
        invalid("invalid length of cancel request"));  // 55.2.8: no answer to a cancel request
  }
  cancel_ = protocol::CancelRequest{process_id, std::string(reader.rest())};
  state_ = State::Done;
  return {Step::Done, consumed};
}

PostgresGreeting::Result PostgresGreeting::on_startup(uint32_t version, Bytes parameters,
                                                      std::string& send) {
  auto startup = read_startup(version, parameters);
  if (!startup) return give_up(startup.error(), send);
  version_ = startup->version;
  if (startup->negotiate) append_negotiate(send, version_, startup->unknown_options);
  request_.user = std::move(startup->user);
  request_.database = std::move(startup->database);
  settings_ = std::move(startup->settings);
  if (const auto name = settings_.find("application_name"); name != settings_.end())
    request_.application_name = name->second;
  request_.replication = startup->replication;
  if (request_.replication != protocol::Replication::None) keep_for_own_server();
  state_ = State::Asking;
  return {Step::Ask, 0};
}

// A walsender takes settings at its start only.
void PostgresGreeting::keep_for_own_server() {
  const bool physical = request_.replication == protocol::Replication::Physical;
  request_.own_settings.assign(settings_.begin(), settings_.end());
  request_.own_settings.emplace_back("replication", physical ? "true" : "database");
  settings_.clear();
}

// ---------------------------------------------------------------- authentication

PostgresGreeting::Result PostgresGreeting::admit(const protocol::Admission& admission,
                                                 std::string& send) {
  admission_ = admission;
  if (admission_.secret.empty() && !admission_.check &&
      protocol::asks_for_secret(admission_.method))
    admission_.mock = true;
  const SecretKind kind = secret_kind(admission_.secret);
  switch (admission_.method) {
    case AuthMethod::Trust:
    case AuthMethod::Peer:
    case AuthMethod::Cert: return admission_.mock ? wrong_password(send) : authenticated();
    case AuthMethod::Plain:
      append_authentication(send, Authentication::CleartextPassword);
      state_ = State::Password;
      return {};
    case AuthMethod::Md5:
      // As in PostgreSQL: md5 means SCRAM for those whose secret is SCRAM's.
      if (kind == SecretKind::Scram && !admission_.mock) return ask_for_scram(send);
      md5_salt_ = parts_.random_bytes(4);
      append_authentication(send, Authentication::Md5Password, md5_salt_);
      state_ = State::Md5;
      return {};
    case AuthMethod::ScramSha256:
      // From an md5 secret no SCRAM keys can be made.
      if (kind == SecretKind::Md5) admission_.mock = true;
      return ask_for_scram(send);
    case AuthMethod::Passthrough:
    case AuthMethod::Rules:
    case AuthMethod::Pam:
    case AuthMethod::Ldap: break;
  }
  return wrong_password(send);
}

// What takes a millisecond or more is done by another thread, but for what is known from before.
PostgresGreeting::Result PostgresGreeting::derive(std::function<void(Derivation&)> what, Next next,
                                                  bool is_known, std::string& send) {
  derivation_ = std::make_shared<Derivation>();
  if (is_known) {
    what(*derivation_);
    return (this->*next)(send);
  }
  next_ = next;
  work_ = [what = std::move(what), out = derivation_] {
    what(*out);
    out->is_done = true;
  };
  state_ = State::Deriving;
  return {Step::Work, 0};
}

PostgresGreeting::Result PostgresGreeting::ask_for_scram(std::string& send) {
  const int iterations = std::clamp(admission_.scram_iterations, 1, kScramIterationsMax);
  if (admission_.mock) {
    verifier_ = parts_.secrets.mock(request_.user, iterations);
  } else if (auto stored = read_verifier(admission_.secret)) {
    verifier_ = std::move(*stored);
    verifier_is_stored_ = true;
  } else {
    const std::string salt = parts_.secrets.salt_of(request_.user);
    return derive([&store = parts_.secrets, salt, iterations, secret = admission_.secret](
                      Derivation& out) { out.keys = store.keys(secret, salt, iterations); },
                  &PostgresGreeting::use_derived_verifier,
                  parts_.secrets.knows(admission_.secret, salt, iterations), send);
  }
  return offer_scram(send);
}

PostgresGreeting::Result PostgresGreeting::use_derived_verifier(std::string& send) {
  verifier_ = verifier_of(derivation_->keys);
  return offer_scram(send);
}

PostgresGreeting::Result PostgresGreeting::offer_scram(std::string& send) {
  const std::string nonce = base::base64_encode(parts_.random_bytes(18));
  scram_ = std::make_unique<ScramServer>(verifier_, nonce, end_point_);
  std::string mechanisms;
  for (const std::string_view name : scram_->mechanisms()) mechanisms.append(name).push_back('\0');
  mechanisms.push_back('\0');
  append_authentication(send, Authentication::Sasl, mechanisms);
  state_ = State::SaslFirst;
  return {};
}

PostgresGreeting::Result PostgresGreeting::on_answer(Bytes in, std::string& send) {
  const auto message = cut_message(in, parts_.login_bytes_max);
  if (!message) return give_up(invalid(message.error().text), send);
  if (message.value().consumed == 0) return {};
  if (message.value().type != 'p') return give_up(invalid("expected a password response"), send);
  const Bytes body = message.value().body;
  Result result;
  switch (state_) {
    case State::Password: result = on_password(body, send); break;
    case State::Md5: result = on_md5(body, send); break;
    case State::SaslFirst: result = on_sasl_first(body, send); break;
    default: result = on_sasl_final(body, send); break;
  }
  return {result.step, message.value().consumed};
}

PostgresGreeting::Result PostgresGreeting::on_password(Bytes body, std::string& send) {
  BodyReader reader(body);
  password_ = reader.text();
  if (!reader.at_end()) return give_up(invalid("invalid password packet size"), send);
  if (password_.empty()) return wrong_password(send);
  if (admission_.mock) return wrong_after_work(send);
  if (admission_.check)
    return derive([check = admission_.check,
                   password = password_](Derivation& out) { out.fits = check(password); },
                  &PostgresGreeting::on_derived_password, false, send);
  const std::string& secret = admission_.secret;
  bool right = false;
  switch (secret_kind(secret)) {
    case SecretKind::Plain: right = base::equal_constant_time(password_, secret); break;
    case SecretKind::Md5:
      right = base::equal_constant_time(md5_secret(request_.user, password_), secret);
      break;
    case SecretKind::Scram: {
      const ScramVerifier verifier = *read_verifier(secret);
      return derive([&store = parts_.secrets, verifier, password = password_](
                        Derivation& out) { out.fits = store.matches(password, verifier); },
                    &PostgresGreeting::on_derived_password,
                    parts_.secrets.knows(password_, verifier.salt, verifier.iterations), send);
    }
  }
  return right ? right_password() : wrong_after_work(send);
}

// As late as if there were a verifier that keys have to be derived for: time tells nothing about
// the secret, or whether there is one.
PostgresGreeting::Result PostgresGreeting::wrong_after_work(std::string& send) {
  const ScramVerifier nobodys{
      admission_.scram_iterations, parts_.secrets.salt_of(request_.user), {}, {}};
  return derive([&store = parts_.secrets, nobodys, password = password_](
                    Derivation& out) { out.fits = store.matches(password, nobodys); },
                &PostgresGreeting::on_derived_password, false, send);
}

PostgresGreeting::Result PostgresGreeting::on_derived_password(std::string& send) {
  return derivation_->fits ? right_password() : wrong_password(send);
}

PostgresGreeting::Result PostgresGreeting::right_password() {
  learnt_secret_ = std::move(password_);
  return authenticated();
}

PostgresGreeting::Result PostgresGreeting::on_md5(Bytes body, std::string& send) {
  BodyReader reader(body);
  const Bytes answer = reader.text();
  if (!reader.at_end()) return give_up(invalid("invalid password packet size"), send);
  if (admission_.mock) return wrong_password(send);
  const bool plain = secret_kind(admission_.secret) == SecretKind::Plain;
  const std::string secret =
      plain ? md5_secret(request_.user, admission_.secret) : admission_.secret;
  if (!base::equal_constant_time(answer, md5_answer(secret, md5_salt_)))
    return wrong_password(send);
  learnt_secret_ = admission_.secret;
  return authenticated();
}

PostgresGreeting::Result PostgresGreeting::on_sasl_first(Bytes body, std::string& send) {
  BodyReader reader(body);
  const Bytes mechanism = reader.text();
  const uint32_t size = reader.int32();
  if (!reader.ok() || size != reader.rest().size())
    return give_up(invalid("malformed SASLInitialResponse"), send);
  auto answer = scram_->on_client_first(mechanism, reader.rest());
  if (!answer) return give_up(answer.error(), send);
  append_authentication(send, Authentication::SaslContinue, *answer);
  state_ = State::SaslFinal;
  return {};
}

PostgresGreeting::Result PostgresGreeting::on_sasl_final(Bytes body, std::string& send) {
  auto answer = scram_->on_client_final(body);
  if (!answer && answer.error().kind == ErrorKind::Refused) return wrong_password(send);
  if (!answer) return give_up(answer.error(), send);
  if (admission_.mock) return wrong_password(send);
  append_authentication(pending_, Authentication::SaslFinal, *answer);
  // Keys of a verifier that weir made up itself open no server.
  const ScramKeys keys{verifier_.iterations, verifier_.salt, scram_->client_key(),
                       verifier_.server_key};
  learnt_secret_ = verifier_is_stored_ ? keys.text() : admission_.secret;
  return authenticated();
}

PostgresGreeting::Result PostgresGreeting::authenticated() {
  client_ = std::make_unique<ClientState>();
  client_->options = admission_.options;
  client_->is_reader = admission_.options.separate_readers && asks_to_read(settings_);
  client_->session_id = admission_.session_id;
  client_->cancel_key = admission_.cancel_key;
  if (version_ < kVersion32) client_->cancel_key.resize(kOldCancelKeyBytes);
  client_->wanted = client_->startup = intern_settings(parts_.texts, settings_);
  SettingMap asked = settings_;
  if (is_plain_application_name(request_.application_name)) asked.erase("application_name");
  asked_ = intern_settings(parts_.texts, asked);
  scram_.reset();
  admission_.secret.clear();
  admission_.check = nullptr;
  state_ = State::Authenticated;
  return {Step::NeedServer, 0};
}

PostgresGreeting::Result PostgresGreeting::wrong_password(std::string& send) {
  const bool by_peer = admission_.method == AuthMethod::Peer;
  const bool by_certificate = admission_.method == AuthMethod::Cert;
  const char* what = by_peer ? "peer" : by_certificate ? "certificate" : "password";
  return give_up({ErrorKind::Refused,
                  std::string(what) + " authentication failed for user \"" + request_.user + "\"",
                  by_peer || by_certificate ? "28000" : "28P01"},
                 send);
}

PostgresGreeting::Result PostgresGreeting::give_up(Error error, std::string& send) {
  append_fatal(send, error);
  state_ = State::Failed;
  return fail(std::move(error));
}

void PostgresGreeting::refuse(const Error& error, std::string& send) {
  append_fatal(send, error);
  state_ = State::Failed;
  error_ = error;
}

std::string PostgresGreeting::learnt_secret() const { return learnt_secret_; }

// ---------------------------------------------------------------- the welcome

bool PostgresGreeting::settled_by(const protocol::Facts& facts) const {
  const auto* known = static_cast<const PostgresFacts&>(facts).of(client_->variant());
  return known && known->canonical(asked_);
}

PostgresGreeting::Result PostgresGreeting::welcome(protocol::Facts& facts,
                                                   const protocol::ServerState* attached,
                                                   std::string& send) {
  PostgresFacts& known = static_cast<PostgresFacts&>(facts).of(client_->variant());
  const bool plain_name = is_plain_application_name(request_.application_name);
  SettingMap wanted;
  if (attached) {
    if (!known.known()) known.note(static_cast<const ServerState&>(*attached));
    SettingMap accepted = settings_of(client_->wanted);
    wanted = accepted;
    if (plain_name) accepted.erase("application_name");
    known.remember(asked_, intern_settings(parts_.texts, accepted));
  } else {
    wanted = settings_of(known.canonical(asked_).value_or(asked_));
    const auto name = settings_.find("application_name");
    if (plain_name && name != settings_.end()) wanted.insert(*name);
    client_->wanted = intern_settings(parts_.texts, wanted);
  }
  client_->startup = client_->wanted;

  send += pending_;
  append_authentication(send, Authentication::Ok);
  const SettingMap& reported =
      attached ? static_cast<const ServerState&>(*attached).reported : known.reported();
  for (const auto& [name, value] : reported) {
    const auto own = wanted.find(lower_case(name));
    append_parameter_status(send, name, own == wanted.end() ? value : own->second);
  }
  append_backend_key(send, client_process_id(client_->session_id), client_->cancel_key);
  append_ready(send, 'I');
  state_ = State::Done;
  return {Step::Done, 0};
}

const std::string& cancel_key(const protocol::ClientState& client) {
  return static_cast<const ClientState&>(client).cancel_key;
}

SettingMap startup_settings(const protocol::ClientState& client) {
  return settings_of(static_cast<const ClientState&>(client).startup);
}

}  // namespace weir::postgres
