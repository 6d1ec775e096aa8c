#include "login.h"

#include <utility>

#include "envelope.h"
#include "utf16.h"

namespace weir::tds {

using protocol::Step;

namespace {

constexpr uint32_t kRelease = 0x01000000;  // of weir, for whoever looks at it: 1.0
constexpr uint32_t kLocale = 0x0409;       // as every driver says; servers go by the language
constexpr char kTlsAlert = 0x15;           // content type of a record (RFC 8446, 5.1)
constexpr const char* kWantsTlsFirst =
    " at the first packet, as one does that wants TLS before it (tls.mode: strict)";

ServerTls server_tls(protocol::Encryption tls) {
  switch (tls) {
    case protocol::Encryption::None: return ServerTls::None;
    case protocol::Encryption::Required: return ServerTls::Require;
    case protocol::Encryption::Direct: return ServerTls::Strict;
    default: return ServerTls::Login;
  }
}

// What of a login no LOGIN7 can say; nothing: it can. Never quotes the secret.
std::string misfit(const protocol::LoginTarget& target) {
  if (is_hashed(target.secret))
    return "SQL Servers take plain passwords, and weir knows only a hash of that of user \"" +
           target.user + "\"";
  const std::pair<const char*, const std::string*> names[] = {
      {"name of the user", &target.user},
      {"password", &target.secret},
      {"name of the database", &target.database}};
  for (const auto& [what, name] : names) {
    std::string utf16;
    if (!append_utf16(utf16, *name)) return std::string("the ") + what + " is no UTF-8";
    if (utf16.size() / 2 > kLoginNameCharsMax)
      return std::string("the ") + what + " is longer than SQL Server takes";
  }
  return {};
}

}  // namespace

TdsLogin::TdsLogin(protocol::LoginTarget target, const Languages& languages)
    : target_(std::move(target)),
      server_(std::make_unique<ServerState>()),
      reader_(*server_, kReplyBytesMax) {
  server_->shape = shape_of(target_.variant);
  language_ = languages.name_of(server_->shape.language);
  server_->packets.set_packet_bytes_max(kPacketBytes);
}

TdsLogin::Result TdsLogin::start(std::string& send) {
  if (std::string why = misfit(target_); !why.empty())
    return give_up({ErrorKind::Refused, std::move(why), "28000"});
  if (!is_direct()) return say_prelogin(send);
  state_ = State::Covering;
  return {Step::StartTls, 0};
}

TdsLogin::Result TdsLogin::feed(Bytes in, std::string& send) {
  switch (state_) {
    case State::Covering: return say_prelogin(send);
    case State::Prelogin: return on_prelogin(in, send);
    case State::Shaking: return say_login(0, send);
    case State::Login:
    case State::Probe: return on_reply(in, send);
    default: return give_up({ErrorKind::Protocol, "the login is over"});
  }
}

TdsLogin::Result TdsLogin::on_end() {
  const bool refused = message_.has_value() && state_ == State::Login;
  if (refused) return give_up(refusal());
  if (state_ == State::Prelogin && !is_direct())
    return give_up(
        {ErrorKind::Unreachable, std::string("the server closed the connection") + kWantsTlsFirst});
  state_ = State::Failed;
  return Login::on_end();
}

std::shared_ptr<base::Envelope> TdsLogin::envelope() {
  return is_direct() ? nullptr : std::make_shared<PreloginEnvelope>();
}

// ---------------------------------------------------------------- PRELOGIN

TdsLogin::Result TdsLogin::say_prelogin(std::string& send) {
  Prelogin prelogin;
  prelogin.release = {kRelease, 0};
  prelogin.encryption = encryption_to_ask_for(server_tls(target_.tls));
  prelogin.instance = Bytes();
  prelogin.thread_id = 0;
  prelogin.mars = false;
  std::string body;
  append_prelogin(body, prelogin);
  append_message(send, {PacketType::Prelogin}, body);
  state_ = State::Prelogin;
  return {Step::Wait, 0};
}

// The server's half comes in a message of type Reply (2.2.6.5).
TdsLogin::Result TdsLogin::on_prelogin(Bytes in, std::string& send) {
  if (!std::exchange(heard_, true) && !is_direct() && in.starts_with(kTlsAlert))
    return give_up({ErrorKind::Protocol,
                    std::string("the server answered with a TLS alert") + kWantsTlsFirst});
  const auto taken = prelogin_.feed(in);
  if (!taken)
    return give_up({taken.error().kind, "the server does not speak TDS: " + taken.error().text});
  const size_t used = taken.value().bytes;
  if (!taken.value().whole) return {Step::Wait, used};
  if (prelogin_.type() != PacketType::Reply || used < in.size())
    return give_up({ErrorKind::Protocol, "the server does not speak TDS"});
  if (prelogin_.payload().starts_with(static_cast<char>(Token::Error)))
    return on_early_error(prelogin_.payload());
  const auto prelogin = read_prelogin(prelogin_.payload());
  if (!prelogin) return give_up(prelogin.error());
  cover_ = agree_as_client(server_tls(target_.tls), prelogin.value().encryption);
  prelogin_.clear();
  return on_cover(used, send);
}

TdsLogin::Result TdsLogin::on_cover(size_t used, std::string& send) {
  const bool begins = !is_direct() && (cover_ == Cover::Login || cover_ == Cover::All);
  if (cover_ == Cover::Refuse) {
    if (target_.tls == protocol::Encryption::None)
      return give_up({ErrorKind::Refused, "the server demands TLS, which tls.mode rules out"});
    if (target_.tls == protocol::Encryption::Required)
      return give_up({ErrorKind::Refused, "the server has no TLS, which tls.mode demands"});
    return give_up({ErrorKind::Protocol, "the server's answer about encryption makes no sense"});
  }
  if (!begins) return say_login(used, send);
  state_ = State::Shaking;
  return {Step::StartTls, used};
}

// ---------------------------------------------------------------- LOGIN7

// Who begins with TLS speaks 8.0, nobody else does (2.2.6.4, TDSVersion). A client that can read
// less than 7.4 is not told more for that.
Version TdsLogin::version_to_ask_for() const {
  const Version version = server_->shape.version;
  if (version < Version::V74) return version;
  return is_direct() ? Version::V80 : Version::V74;
}

TdsLogin::Result TdsLogin::say_login(size_t used, std::string& send) {
  const LoginShape& shape = server_->shape;
  Login7 login;
  login.version = version_to_ask_for();
  login.packet_bytes = kPacketBytes;
  login.program_version = kRelease;
  login.locale = kLocale;
  login.flags1 = shape.flags1;
  // Another database than that of the pool is of no use.
  if (!target_.database.empty()) login.flags1 |= kDatabaseMustExist;
  login.flags2 = shape.flags2;
  login.type_flags = shape.type_flags;
  login.flags3 = shape.flags3;
  login.user = target_.user;
  login.password = target_.secret;
  login.database = target_.database;
  login.language = language_;
  login.host = login.application = login.library = "weir";
  if (shape.utf8 && login.version >= Version::V74) login.features = {{FeatureId::Utf8, {}}};
  const auto body = write_login7(login);
  if (!body) return give_up(body.error());
  append_message(send, {PacketType::Login7}, body.value());
  server_->walker.set_version(login.version);
  state_ = State::Login;
  return {cover_ == Cover::Login ? Step::StopTls : Step::Wait, used};
}

}  // namespace weir::tds
