#include "greeting.h"

#include <weir/base/crypto.h>

#include <algorithm>

#include "envelope.h"
#include "utf16.h"

namespace weir::tds {

using protocol::AuthMethod;
using protocol::Step;

namespace {

// The first byte of a TLS handshake (RFC 8446, 5.1).
constexpr char kTlsHandshake = 0x16;
constexpr std::string_view kAlpn = "tds/8.0";
// What weir says it is before it knows the server: no client asks more of older ones.
constexpr Prelogin::Release kRelease{0x0f0007d0, 0};  // 15.0.2000

ListenerTls listener_tls(protocol::Encryption tls) {
  switch (tls) {
    case protocol::Encryption::None: return ListenerTls::Disable;
    case protocol::Encryption::LoginOnly: return ListenerTls::Login;
    case protocol::Encryption::Required: return ListenerTls::Require;
    case protocol::Encryption::Direct: return ListenerTls::Strict;
    default: return ListenerTls::Prefer;
  }
}

// Of what drivers have as the server's name: "tcp:sales,14330".
std::string host_in(std::string_view server) {
  if (server.starts_with("tcp:")) server.remove_prefix(4);
  return std::string(server.substr(0, server.find(',')));
}

}  // namespace

TdsGreeting::TdsGreeting(const protocol::GreetingOptions& options, Languages& languages)
    : languages_(languages), tls_(options.tls), message_(Side::Client, options.login_bytes_max) {}

TdsGreeting::Result TdsGreeting::start(std::string&) { return {}; }

std::shared_ptr<base::Envelope> TdsGreeting::envelope() {
  return is_strict_ ? nullptr : std::make_shared<PreloginEnvelope>();
}

void TdsGreeting::secured(const protocol::Secured& secured) { alpn_ = secured.alpn; }

TdsGreeting::Result TdsGreeting::feed(Bytes in, std::string& send) {
  switch (state_) {
    case State::Opening: return opening(in, send);
    case State::Prelogin: return on_prelogin(in, send);
    case State::Login: return on_login(in, send);
    case State::Working: return is_right_->load() ? settle(send) : wrong_password(send);
    default: return {};
  }
}

// ---------------------------------------------------------------- PRELOGIN

TdsGreeting::Result TdsGreeting::opening(Bytes in, std::string& send) {
  if (in.empty()) return {};
  if (in[0] == kTlsHandshake && !is_strict_) {
    if (tls_ == protocol::Encryption::None)
      return fail({ErrorKind::Protocol, "the client began with TLS, which is not spoken here"});
    is_strict_ = true;
    return {Step::StartTls, 0};
  }
  if (is_strict_ && alpn_ != kAlpn)
    return fail({ErrorKind::Protocol, "TLS came first, but not for tds/8.0 (ALPN)"});
  if (static_cast<PacketType>(in[0]) == PacketType::Login7) {
    const bool needs_tls = tls_ >= protocol::Encryption::Required && !is_strict_;
    if (needs_tls) fault_ = Error{ErrorKind::Protocol, "TLS is required here", "28000"};
    state_ = State::Login;
    return on_login(in, send);
  }
  state_ = State::Prelogin;
  return on_prelogin(in, send);
}

TdsGreeting::Result TdsGreeting::on_prelogin(Bytes in, std::string& send) {
  auto taken = message_.feed(in);
  if (!taken) return fail(taken.error());
  if (message_.has_head() && message_.type() != PacketType::Prelogin)
    return fail({ErrorKind::Protocol, "a client of SQL Server begins with PRELOGIN"}, taken->bytes);
  return taken->whole ? answer_prelogin(taken->bytes, send) : Result{Step::Wait, taken->bytes};
}

TdsGreeting::Result TdsGreeting::answer_prelogin(size_t used, std::string& send) {
  auto prelogin = read_prelogin(message_.payload());
  if (!prelogin) return fail(prelogin.error(), used);
  // A client of a strict listener that knows nothing of that is told so when it can be: in answer
  // to its login, which TLS has to cover.
  ListenerTls listener = listener_tls(tls_);
  if (listener == ListenerTls::Strict && !is_strict_) listener = ListenerTls::Require;
  if (is_strict_) listener = ListenerTls::Strict;
  const Agreement agreement = agree_as_server(prelogin->encryption, listener);
  Prelogin answer{
      .release = kRelease, .encryption = agreement.answer, .instance = Bytes(), .mars = false};
  if (prelogin->federated_login) answer.federated_login = false;
  std::string body;
  append_prelogin(body, answer, true);
  append_message(send, {.type = PacketType::Reply}, body);
  message_.clear();
  cover_ = is_strict_ ? Cover::None : agreement.cover;
  if (agreement.cover == Cover::Refuse)
    return fail({ErrorKind::Protocol, tls_ == protocol::Encryption::None
                                          ? "the client wants TLS, which is not spoken here"
                                          : "the client has no TLS, which is required here"},
                used);
  state_ = State::Login;
  return {cover_ == Cover::None ? Step::Wait : Step::StartTls, used};
}

// ---------------------------------------------------------------- LOGIN7

TdsGreeting::Result TdsGreeting::on_login(Bytes in, std::string& send) {
  if (has_login_) return judge_login(send);  // in clear again
  auto taken = message_.feed(in);
  if (!taken) return fail(taken.error());
  if (message_.has_head() && message_.type() != PacketType::Login7)
    return fail({ErrorKind::Protocol, "LOGIN7 was expected"}, taken->bytes);
  if (!taken->whole) return {Step::Wait, taken->bytes};
  auto login = read_login7(message_.payload());
  message_.clear();
  has_login_ = true;
  if (login)
    login_ = std::move(*login);
  else if (!fault_)
    fault_ = login.error();
  if (cover_ == Cover::Login) return {Step::StopTls, taken->bytes};
  Result result = judge_login(send);
  result.consumed = taken->bytes;
  return result;
}

// What weir cannot do for this login.
std::string TdsGreeting::objection() const {
  if (tls_ == protocol::Encryption::Direct && !is_strict_)
    return "this address takes TDS 8.0 only (Encrypt=strict)";
  if (login_.wants_sspi())
    return "Windows logins cannot be pooled, as a ticket is for one server: use a SQL Server login";
  if (login_.feature(FeatureId::FederatedAuthentication))
    return "Entra logins cannot be pooled: use a SQL Server login";
  if (login_.wants_new_password())
    return "a new password has to be set at the server itself, without weir";
  return {};
}

TdsGreeting::Result TdsGreeting::judge_login(std::string& send) {
  if (fault_) return give_up(*fault_, 0, send);
  request_.user = login_.user;
  request_.database = login_.database;
  request_.server_name = host_in(login_.server);
  request_.application_name = login_.application;
  if (const std::string why = objection(); !why.empty())
    return give_up({ErrorKind::Refused, why, "28000"}, 0, send);
  state_ = State::Asking;
  return {Step::Ask, 0};
}

// ---------------------------------------------------------------- the password

TdsGreeting::Result TdsGreeting::admit(const protocol::Admission& admission, std::string& send) {
  admission_ = admission;
  if (admission.method == AuthMethod::Trust) return settle(send);
  if (admission.method == AuthMethod::Passthrough) {
    state_ = State::Trying;
    return {Step::Try, 0};
  }
  if (!admission.check || admission.mock) return compare(send);
  state_ = State::Working;
  is_right_ = std::make_shared<std::atomic<bool>>(false);
  return {Step::Work, 0};
}

protocol::Work TdsGreeting::work() {
  return {.run = [check = admission_.check, password = login_.password,
                  is_right = is_right_] { is_right->store(check(password)); },
          .may_hang = true};
}

TdsGreeting::Result TdsGreeting::compare(std::string& send) {
  if (!admission_.mock && is_hashed(admission_.secret))
    return give_up({ErrorKind::Refused,
                    "SQL Server's clients send plain passwords, and weir knows only a hash of this "
                    "user's",
                    "28000"},
                   0, send);
  const bool equal = base::equal_constant_time(admission_.secret, login_.password);
  return !admission_.mock && !admission_.secret.empty() && equal ? settle(send)
                                                                 : wrong_password(send);
}

TdsGreeting::Result TdsGreeting::tried(const Error& refusal, std::string& send) {
  if (refusal.text.empty()) return settle(send);
  if (refusal.kind == ErrorKind::Refused && refusal.code == "28000") return wrong_password(send);
  return give_up(refusal, 0, send);
}

TdsGreeting::Result TdsGreeting::wrong_password(std::string& send) {
  say(login_failed(login_.user), send);
  const bool has_none = !admission_.mock && !admission_.check && admission_.secret.empty() &&
                        admission_.method != AuthMethod::Passthrough;
  const char* why = admission_.mock ? "no such user: \""
                    : has_none      ? "no password is known of user \""
                                    : "wrong password for user \"";
  return fail({ErrorKind::Refused, why + login_.user + "\"", "28000"});
}

std::string TdsGreeting::learnt_secret() const {
  const bool is_own =
      admission_.method != AuthMethod::Passthrough && admission_.method != AuthMethod::Trust;
  return is_own ? login_.password : std::string();
}

// Its language gets a number only now: strangers could name many.
TdsGreeting::Result TdsGreeting::settle(std::string& send) {
  const auto shape = shape_of(login_, languages_);
  if (!shape) return give_up({ErrorKind::Refused, "too many languages", "28000"}, 0, send);
  client_ = std::make_unique<ClientState>();
  client_->shape = *shape;
  client_->version = shape->version;
  client_->options = admission_.options;
  state_ = State::Settling;
  return {Step::NeedServer, 0};
}

// ---------------------------------------------------------------- the answer

bool TdsGreeting::settled_by(const protocol::Facts& facts) const {
  return static_cast<const TdsFacts&>(facts).find(client_->variant()) != nullptr;
}

// In the order in which SQL Server says it.
TdsGreeting::Result TdsGreeting::welcome(protocol::Facts& facts,
                                         const protocol::ServerState* attached, std::string& send) {
  const LoginFacts* known = attached ? &static_cast<const ServerState*>(attached)->facts
                                     : static_cast<TdsFacts&>(facts).find(client_->variant());
  if (!known) return fail({ErrorKind::Protocol, "nothing is known of the server"});
  // No newer one than it has asked for, whatever weir and the server speak.
  const Version version = std::min(client_->shape.version, known->version);
  client_->version = version;
  std::string tokens;
  append_env_text(tokens, EnvKind::Database, known->database, "master");
  append_message_token(tokens, Token::Info, version,
                       {.number = 5701,
                        .state = 2,
                        .text = "Changed database context to '" + known->database + "'.",
                        .server = "weir"});
  if (!known->collation.empty())
    append_env_change(tokens, {EnvKind::Collation, known->collation, {}});
  if (!known->language.empty()) {
    append_env_text(tokens, EnvKind::Language, known->language, "");
    append_message_token(tokens, Token::Info, version,
                         {.number = 5703,
                          .text = "Changed language setting to " + known->language + ".",
                          .server = "weir"});
  }
  append_login_ack(tokens, {.wire_version = version == known->version ? known->wire_version
                                                                      : wire_value(version),
                            .program = known->program,
                            .program_version = known->program_version});
  const size_t asked = login_.packet_bytes == 0 ? kPacketBytes : login_.packet_bytes;
  if (asked != kPacketBytes)
    append_env_text(tokens, EnvKind::PacketSize, std::to_string(kPacketBytes),
                    std::to_string(asked));
  append_feature_acks(tokens, known->features);
  append_done(tokens, version, {});
  append_message(send, {.type = PacketType::Reply}, tokens);
  login_ = Login7();
  state_ = State::Done;
  return {Step::Done, 0};
}

void TdsGreeting::say(const ServerMessage& message, std::string& send) const {
  append_error_answer(send, login_.version, message);
}

TdsGreeting::Result TdsGreeting::give_up(const Error& error, size_t used, std::string& send) {
  refuse(error, send);
  return fail(error, used);
}

// Before LOGIN7 a client reads nothing but what it waits for.
void TdsGreeting::refuse(const Error& error, std::string& send) {
  if (!has_login_) return;
  std::string tokens;
  append_message_token(tokens, Token::Error, login_.version, message_of(error, Gravity::Request));
  if (error.code == "3D000" || error.code == "28000")
    append_message_token(tokens, Token::Error, login_.version, login_failed(login_.user));
  append_done(tokens, login_.version, {.status = kDoneError});
  append_message(send, {.type = PacketType::Reply}, tokens);
}

}  // namespace weir::tds
