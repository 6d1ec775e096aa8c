// What the server answers to LOGIN7 and to the probe.
#include <algorithm>
#include <array>
#include <utility>

#include "login.h"
#include "request.h"
#include "utf16.h"

namespace weir::tds {

using protocol::Step;

namespace {

// A transaction that does nothing. Servers of SQL Server tell of it with ENVCHANGE 8 and 10.
constexpr std::string_view kProbe = "BEGIN TRANSACTION ROLLBACK TRANSACTION";
constexpr std::string_view kNotUnderstood = "the server's answer to the login is not understood";

// Wrong name or password, not of a trusted domain, disabled, locked, expired, to be changed; the
// database is closed to the user.
bool is_about_user(int32_t number) {
  constexpr std::array<int32_t, 7> kNumbers = {18456, 18452, 18470, 18486, 18487, 18488, 916};
  return std::find(kNumbers.begin(), kNumbers.end(), number) != kNumbers.end();
}

// There is no such database; 911 is Babelfish's.
bool is_about_database(int32_t number) { return number == 4060 || number == 911; }

}  // namespace

TdsLogin::Result TdsLogin::on_reply(Bytes in, std::string& send) {
  const auto walked = reader_.walk(in, [this](const TokenEvent& event) { on_event(event); });
  if (flaw_) return give_up(*flaw_);
  if (!walked) return give_up(walked.error());
  const size_t used = walked.value().bytes;
  if (used > 0) server_->spid = server_->packets.head().spid;
  if (!walked.value().ended) return {Step::Wait, used};
  if (state_ == State::Probe) return probed(walked.value().end, used);
  if (used < in.size())
    return give_up({ErrorKind::Protocol, "the server said more than its answer to the login"});
  return logged_in(walked.value().end, used, send);
}

void TdsLogin::on_event(const TokenEvent& event) {
  switch (event.kind) {
    case TokenEvent::Kind::LoginAck: return on_login_ack(event);
    case TokenEvent::Kind::FeatureAck: return on_feature(event);
    case TokenEvent::Kind::EnvChange: return on_change(event.change);
    case TokenEvent::Kind::Error:
      if (!message_) message_ = read_message(event.body, server_->walker.version());
      has_error_ = true;
      return;
    case TokenEvent::Kind::Done:
      has_error_ = has_error_ || (event.done.status & (kDoneError | kDoneServerError)) != 0;
      return;
    case TokenEvent::Kind::Sspi:
      return flaw(ErrorKind::Refused, "the server wants a Windows login, which weir has not");
    case TokenEvent::Kind::FedAuthInfo:
      return flaw(ErrorKind::Refused, "the server wants a federated login, which weir has not");
    case TokenEvent::Kind::Unknown:
      if (event.token == Token::LoginAck)
        return flaw(ErrorKind::Protocol, "the server speaks a version of TDS that weir does not");
      return flaw(ErrorKind::Protocol, std::string(kNotUnderstood));
    default: return;
  }
}

void TdsLogin::on_login_ack(const TokenEvent& event) {
  const auto ack = read_login_ack(event.body);
  if (!ack) return flaw(ErrorKind::Protocol, std::string(kNotUnderstood));
  acknowledged_ = true;
  LoginFacts& facts = server_->facts;
  facts.version = server_->walker.version();
  facts.wire_version = ack->wire_version;
  facts.program = ack->program;
  facts.program_version = ack->program_version;
  // The clients of this shape could not read what it says.
  if (facts.version > version_to_ask_for())
    flaw(ErrorKind::Protocol, "the server speaks a newer version of TDS than it was asked for");
}

// What nobody has asked for is not passed on either.
void TdsLogin::on_feature(const TokenEvent& event) {
  if (event.feature != FeatureId::Utf8 || !event.whole || !server_->shape.utf8) return;
  server_->facts.features.assign(1, {event.feature, std::string(event.body)});
}

void TdsLogin::on_change(const EnvChange& change) {
  if (state_ == State::Probe) {
    announced_ = announced_ || change.kind == EnvKind::BeginTransaction;
    return;
  }
  switch (change.kind) {
    case EnvKind::Database: server_->facts.database = utf8_of(change.new_value); return;
    case EnvKind::Language: server_->facts.language = utf8_of(change.new_value); return;
    case EnvKind::Collation: server_->facts.collation = std::string(change.new_value); return;
    case EnvKind::PacketSize: return on_packet_size(change);
    case EnvKind::Routing:
    case EnvKind::EnhancedRouting: return on_routing(change);
    default: return;
  }
}

void TdsLogin::on_packet_size(const EnvChange& change) {
  const auto bytes = packet_bytes_in(change);
  if (!bytes) return flaw(ErrorKind::Protocol, std::string(kNotUnderstood));
  if (*bytes == kPacketBytes) return;
  flaw(ErrorKind::Config, "the server wants packets of " + std::to_string(*bytes) +
                              " bytes, weir and its clients have agreed on " +
                              std::to_string(kPacketBytes));
}

// 2.2.7.9: the client has to log in there; there is nothing for it here.
void TdsLogin::on_routing(const EnvChange& change) {
  const auto routing = read_routing(change);
  if (!routing) return flaw(ErrorKind::Protocol, std::string(kNotUnderstood));
  if (!flaw_) elsewhere_ = Elsewhere{routing->host, routing->port};
  flaw(ErrorKind::Unreachable,
       "the server sends its clients to " + routing->host + ":" + std::to_string(routing->port));
}

TdsLogin::Result TdsLogin::logged_in(TokenWalker::End end, size_t used, std::string& send) {
  if (end != TokenWalker::End::Final)
    return give_up({ErrorKind::Protocol, "the server's answer to the login has no end"});
  if (!acknowledged_ || has_error_) return give_up(refusal());
  // A client may have asked not to be told of databases.
  if (server_->facts.database.empty()) server_->facts.database = target_.database;
  std::string body;
  if (is_since_72(server_->facts.version)) append_all_headers(body, 0);
  body += utf16_of(kProbe);
  append_message(send, {PacketType::Batch}, body);
  state_ = State::Probe;
  return {Step::Wait, used};
}

TdsLogin::Result TdsLogin::probed(TokenWalker::End end, size_t used) {
  if (end != TokenWalker::End::Final)
    return give_up({ErrorKind::Protocol, "the server's answer to a first batch has no end"});
  if (server_->transaction != 0)
    return give_up({ErrorKind::Protocol, "the server has left a transaction open"});
  server_->announces = announced_ && !has_error_;
  state_ = State::Done;
  return {Step::Done, used};
}

// ---------------------------------------------------------------- failures

// Of a server that has no room, say: instead of its PRELOGIN, and nobody knows in which version.
TdsLogin::Result TdsLogin::on_early_error(Bytes payload) {
  Reader reader(payload.substr(1));
  const Bytes body = reader.bytes16();
  message_ = read_message(body, Version::V74);
  if (!message_) message_ = read_message(body, Version::V71);
  return give_up(refusal());
}

// By the first ERROR: behind 4060 comes 18456, which says less.
Error TdsLogin::refusal() const {
  if (!message_) return {ErrorKind::Unreachable, "the server refused the login without a word"};
  std::string text =
      message_->text.empty() ? "error " + std::to_string(message_->number) : message_->text;
  if (is_about_user(message_->number)) return {ErrorKind::Refused, std::move(text), "28000"};
  if (is_about_database(message_->number)) return {ErrorKind::Refused, std::move(text), "3D000"};
  return {ErrorKind::Unreachable, std::move(text)};
}

void TdsLogin::flaw(ErrorKind kind, std::string text) {
  if (!flaw_) flaw_ = Error{kind, std::move(text)};
}

TdsLogin::Result TdsLogin::give_up(Error error) {
  state_ = State::Failed;
  return fail(std::move(error));
}

}  // namespace weir::tds
