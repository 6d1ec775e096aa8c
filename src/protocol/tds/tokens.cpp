#include "tokens.h"

#include <algorithm>
#include <charconv>

#include "utf16.h"

namespace weir::tds {

namespace {

void append_text8(std::string& out, std::string_view utf8) {
  const std::string utf16 = utf16_of(utf8).substr(0, size_t{2} * UINT8_MAX);
  append_byte(out, static_cast<unsigned>(utf16.size() / 2));
  out += utf16;
}

void append_text16(std::string& out, std::string_view utf8) {
  constexpr size_t kCharsMax = 8000;  // so that a whole ERROR has room for more than this
  const std::string utf16 = utf16_of(utf8).substr(0, 2 * kCharsMax);
  append_le(out, static_cast<uint16_t>(utf16.size() / 2));
  out += utf16;
}

}  // namespace

void append_token16(std::string& out, Token token, Bytes data) {
  data = data.substr(0, UINT16_MAX);
  append_byte(out, static_cast<uint8_t>(token));
  append_le(out, static_cast<uint16_t>(data.size()));
  out += data;
}

// ---------------------------------------------------------------- DONE

Done read_done(Bytes body, Version version) {
  Reader reader(body);
  Done done;
  done.status = reader.u16();
  done.command = reader.u16();
  done.count = is_since_72(version) ? reader.u64() : reader.u32();
  return done;
}

void append_done(std::string& out, Version version, const Done& done, Token token) {
  append_byte(out, static_cast<uint8_t>(token));
  append_le(out, done.status);
  append_le(out, done.command);
  if (is_since_72(version))
    append_le(out, done.count);
  else
    append_le(out, static_cast<uint32_t>(std::min<uint64_t>(done.count, UINT32_MAX)));
}

// ---------------------------------------------------------------- ENVCHANGE

namespace {

enum class Shape : uint8_t { Texts, Bytes8, Long, Route, Unknown };

Shape shape_of(EnvKind kind) {
  switch (kind) {
    case EnvKind::Database:
    case EnvKind::Language:
    case EnvKind::CharacterSet:
    case EnvKind::PacketSize:
    case EnvKind::SortLocale:
    case EnvKind::SortFlags:
    case EnvKind::MirrorPartner:
    case EnvKind::UserInstance: return Shape::Texts;
    case EnvKind::Collation:
    case EnvKind::BeginTransaction:
    case EnvKind::CommitTransaction:
    case EnvKind::RollbackTransaction:
    case EnvKind::EnlistDtc:
    case EnvKind::DefectTransaction:
    case EnvKind::TransactionManagerAddress:
    case EnvKind::TransactionEnded:
    case EnvKind::ResetDone: return Shape::Bytes8;
    case EnvKind::PromoteTransaction: return Shape::Long;
    case EnvKind::Routing:
    case EnvKind::EnhancedRouting: return Shape::Route;
  }
  return Shape::Unknown;
}

}  // namespace

bool is_text(EnvKind kind) { return shape_of(kind) == Shape::Texts; }
bool is_known(EnvKind kind) { return shape_of(kind) != Shape::Unknown; }

std::optional<EnvChange> read_env_change(Bytes body) {
  Reader reader(body);
  EnvChange change;
  change.kind = static_cast<EnvKind>(reader.u8());
  switch (shape_of(change.kind)) {
    case Shape::Texts:
      change.new_value = reader.text8();
      change.old_value = reader.text8();
      break;
    case Shape::Bytes8:
      change.new_value = reader.bytes8();
      change.old_value = reader.bytes8();
      break;
    case Shape::Long:
      change.new_value = reader.raw(reader.u32());
      change.old_value = reader.bytes8();
      break;
    case Shape::Route:
      change.new_value = reader.bytes16();
      change.old_value = reader.bytes16();
      break;
    case Shape::Unknown: break;
  }
  if (!reader.ok()) return std::nullopt;
  return change;
}

namespace {

void append_value(std::string& body, Shape shape, Bytes value) {
  switch (shape) {
    case Shape::Texts: append_byte(body, static_cast<unsigned>(value.size() / 2)); break;
    case Shape::Route: append_le(body, static_cast<uint16_t>(value.size())); break;
    case Shape::Long: append_le(body, static_cast<uint32_t>(value.size())); break;
    default: append_byte(body, static_cast<unsigned>(value.size())); break;
  }
  body += value;
}

}  // namespace

void append_env_change(std::string& out, const EnvChange& change) {
  const Shape shape = shape_of(change.kind);
  std::string body(1, static_cast<char>(change.kind));
  append_value(body, shape, change.new_value);
  append_value(body, shape == Shape::Long ? Shape::Bytes8 : shape, change.old_value);
  append_token16(out, Token::EnvChange, body);
}

void append_env_text(std::string& out, EnvKind kind, std::string_view new_value,
                     std::string_view old_value) {
  const std::string texts[] = {utf16_of(new_value).substr(0, 2 * UINT8_MAX),
                               utf16_of(old_value).substr(0, 2 * UINT8_MAX)};
  append_env_change(out, {kind, texts[0], texts[1]});
}

std::optional<size_t> packet_bytes_in(const EnvChange& change) {
  const std::string text = utf8_of(change.new_value);
  size_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  const bool good = error == std::errc() && end == text.data() + text.size();
  if (!good || change.kind != EnvKind::PacketSize) return std::nullopt;
  if (bytes < kPacketBytesMin || bytes > kPacketBytesMax) return std::nullopt;
  return bytes;
}

uint64_t descriptor_in(Bytes value) {
  return value.size() == 8 ? load_le<uint64_t>(value.data()) : 0;
}

std::optional<Routing> read_routing(const EnvChange& change) {
  constexpr uint8_t kTcp = 0;
  Reader reader(change.new_value);
  const uint8_t protocol = reader.u8();
  Routing routing;
  routing.port = reader.u16();
  const bool exact = append_utf8(routing.host, reader.text16());
  if (change.kind == EnvKind::EnhancedRouting) append_utf8(routing.database, reader.text16());
  const bool good = reader.ok() && exact && protocol == kTcp && routing.port != 0;
  if (!good || routing.host.empty()) return std::nullopt;
  return routing;
}

void append_routing(std::string& out, const Routing& routing) {
  std::string value(1, '\0');
  append_le(value, routing.port);
  append_text16(value, routing.host);
  if (!routing.database.empty()) append_text16(value, routing.database);
  const auto kind = routing.database.empty() ? EnvKind::Routing : EnvKind::EnhancedRouting;
  append_env_change(out, {kind, value, {}});
}

// ---------------------------------------------------------------- ERROR, INFO

std::optional<ServerMessage> read_message(Bytes body, Version version) {
  Reader reader(body);
  ServerMessage message;
  message.number = reader.le<int32_t>();
  message.state = reader.u8();
  message.severity = reader.u8();
  message.text = utf8_of(reader.text16());
  message.server = utf8_of(reader.text8());
  message.procedure = utf8_of(reader.text8());
  message.line = is_since_72(version) ? reader.u32() : reader.u16();
  if (!reader.ok()) return std::nullopt;
  return message;
}

void append_message_token(std::string& out, Token token, Version version,
                          const ServerMessage& message) {
  std::string body;
  append_le(body, message.number);
  append_byte(body, message.state);
  append_byte(body, message.severity);
  append_text16(body, message.text);
  append_text8(body, message.server);
  append_text8(body, message.procedure);
  if (is_since_72(version))
    append_le(body, message.line);
  else
    append_le(body, static_cast<uint16_t>(std::min<uint32_t>(message.line, UINT16_MAX)));
  append_token16(out, token, body);
}

// ---------------------------------------------------------------- logins

std::optional<LoginAck> read_login_ack(Bytes body) {
  Reader reader(body);
  LoginAck ack;
  ack.interface = reader.u8();
  ack.wire_version = reader.be32();
  ack.program = utf8_of(reader.text8());
  ack.program_version = reader.be32();
  if (!reader.ok()) return std::nullopt;
  return ack;
}

void append_login_ack(std::string& out, const LoginAck& ack) {
  std::string body;
  append_byte(body, ack.interface);
  base::append_be32(body, ack.wire_version);
  append_text8(body, ack.program);
  base::append_be32(body, ack.program_version);
  append_token16(out, Token::LoginAck, body);
}

void append_feature_acks(std::string& out, const std::vector<Feature>& features) {
  if (features.empty()) return;
  append_byte(out, static_cast<uint8_t>(Token::FeatureExtAck));
  for (const Feature& feature : features) {
    append_byte(out, static_cast<uint8_t>(feature.id));
    append_le(out, static_cast<uint32_t>(feature.data.size()));
    out += feature.data;
  }
  append_byte(out, static_cast<uint8_t>(FeatureId::Terminator));
}

}  // namespace weir::tds
