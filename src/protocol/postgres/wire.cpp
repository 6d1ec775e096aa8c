#include "wire.h"

namespace weir::postgres {

using base::Error;
using base::ErrorKind;
using base::Result;

Result<CutMessage> cut_message(Bytes in, size_t body_bytes_max) {
  if (in.size() < kMessageHeadBytes) return CutMessage{};
  const uint32_t length = base::load_be32(in.data() + 1);
  if (length < 4) return Error{ErrorKind::Protocol, "invalid message length"};
  if (length - 4 > body_bytes_max) return Error{ErrorKind::TooLarge, "message too long"};
  if (in.size() - 1 < length) return CutMessage{};
  return CutMessage{in[0], in.substr(kMessageHeadBytes, length - 4), size_t{length} + 1};
}

Bytes BodyReader::fail() {
  ok_ = false;
  rest_ = {};
  return {};
}

Bytes BodyReader::raw(size_t count) {
  if (count > rest_.size()) return fail();
  const Bytes value = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return value;
}

uint8_t BodyReader::int8() {
  const Bytes value = raw(1);
  return value.empty() ? 0 : static_cast<uint8_t>(value[0]);
}

uint16_t BodyReader::int16() {
  const Bytes value = raw(2);
  return value.empty() ? 0 : base::load_be16(value.data());
}

uint32_t BodyReader::int32() {
  const Bytes value = raw(4);
  return value.empty() ? 0 : base::load_be32(value.data());
}

Bytes BodyReader::text() {
  const size_t end = rest_.find('\0');
  if (end == Bytes::npos) return fail();
  return raw(end + 1).substr(0, end);
}

MessageBuilder::MessageBuilder(std::string& out, char type) : out_(out) {
  if (type != 0) out_.push_back(type);
  length_at_ = out_.size();
  out_.append(4, '\0');
}

MessageBuilder::~MessageBuilder() {
  base::store_be32(out_.data() + length_at_, static_cast<uint32_t>(out_.size() - length_at_));
}

MessageBuilder& MessageBuilder::int8(char value) {
  out_.push_back(value);
  return *this;
}

MessageBuilder& MessageBuilder::int16(uint16_t value) {
  base::append_be16(out_, value);
  return *this;
}

MessageBuilder& MessageBuilder::int32(uint32_t value) {
  base::append_be32(out_, value);
  return *this;
}

MessageBuilder& MessageBuilder::text(std::string_view value) {
  out_.append(value.substr(0, value.find('\0')));
  out_.push_back('\0');
  return *this;
}

MessageBuilder& MessageBuilder::raw(Bytes value) {
  out_.append(value);
  return *this;
}

// ---------------------------------------------------------------- errors

ErrorFields read_error(Bytes body) {
  ErrorFields fields;
  fields.severity.clear();
  std::string localized;
  BodyReader reader(body);
  while (reader.ok()) {
    const char code = static_cast<char>(reader.int8());
    if (code == '\0') break;
    // A last field that lacks its NUL is still worth reading.
    const Bytes rest = reader.rest();
    const Bytes value = rest.substr(0, rest.find('\0'));
    reader.text();
    switch (code) {
      case 'V': fields.severity = value; break;
      case 'S': localized = value; break;
      case 'C': fields.sqlstate = value; break;
      case 'M': fields.message = value; break;
      case 'D': fields.detail = value; break;
      case 'H': fields.hint = value; break;
      case 'P': fields.position = value; break;
      default: break;
    }
  }
  if (fields.severity.empty()) fields.severity = localized;
  return fields;
}

Error read_refusal(Bytes body) {
  ErrorFields fields = read_error(body);
  if (fields.message.empty()) fields.message = "server refused without a reason";
  return {ErrorKind::Refused, std::move(fields.message), std::move(fields.sqlstate)};
}

namespace {

void append_fields(std::string& out, char type, const ErrorFields& fields) {
  MessageBuilder message(out, type);
  message.int8('S').text(fields.severity).int8('V').text(fields.severity);
  message.int8('C').text(fields.sqlstate).int8('M').text(fields.message);
  if (!fields.detail.empty()) message.int8('D').text(fields.detail);
  if (!fields.hint.empty()) message.int8('H').text(fields.hint);
  if (!fields.position.empty()) message.int8('P').text(fields.position);
  message.int8('\0');
}

// PostgreSQL's manual, appendix A.
const char* sqlstate_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Protocol: return "08P01";
    case ErrorKind::TooLarge: return "54000";
    case ErrorKind::Unreachable: return "08006";
    case ErrorKind::Refused: return "28000";
    case ErrorKind::Timeout: return "08006";
    case ErrorKind::Config: return "F0000";
    case ErrorKind::System: return "58000";
    case ErrorKind::Cancelled: return "57014";
  }
  return "XX000";
}

}  // namespace

ErrorFields error_fields(const Error& error, std::string_view severity) {
  ErrorFields fields;
  fields.severity = severity;
  fields.sqlstate = error.code.size() == 5 ? error.code : sqlstate_of(error.kind);
  fields.message = error.text;
  return fields;
}

void append_error(std::string& out, const ErrorFields& fields) { append_fields(out, 'E', fields); }
void append_notice(std::string& out, const ErrorFields& fields) { append_fields(out, 'N', fields); }
void append_fatal(std::string& out, const Error& error) {
  append_error(out, error_fields(error, "FATAL"));
}

// ---------------------------------------------------------------- a server's messages

void append_authentication(std::string& out, Authentication kind, Bytes data) {
  MessageBuilder(out, 'R').int32(static_cast<uint32_t>(kind)).raw(data);
}

void append_parameter_status(std::string& out, std::string_view name, std::string_view value) {
  MessageBuilder(out, 'S').text(name).text(value);
}

void append_backend_key(std::string& out, uint32_t process_id, Bytes key) {
  MessageBuilder(out, 'K').int32(process_id).raw(key);
}

void append_command_complete(std::string& out, std::string_view tag) {
  MessageBuilder(out, 'C').text(tag);
}
void append_ready(std::string& out, char status) { MessageBuilder(out, 'Z').int8(status); }

void append_negotiate(std::string& out, uint32_t version,
                      const std::vector<std::string>& unknown_options) {
  // 55.7 says "newest minor protocol version"; PostgreSQL sends, and libpq reads, the whole version
  // number.
  MessageBuilder message(out, 'v');
  message.int32(version).int32(static_cast<uint32_t>(unknown_options.size()));
  for (const std::string& name : unknown_options) message.text(name);
}

// ---------------------------------------------------------------- a client's messages

void append_startup(std::string& out, const SettingList& parameters, uint32_t version) {
  MessageBuilder message(out, '\0');
  message.int32(version);
  for (const auto& [name, value] : parameters) message.text(name).text(value);
  message.int8('\0');
}

void append_ssl_request(std::string& out) { MessageBuilder(out, '\0').int32(kSslCode); }

void append_cancel_request(std::string& out, uint32_t process_id, Bytes key) {
  MessageBuilder(out, '\0').int32(kCancelCode).int32(process_id).raw(key);
}

void append_password(std::string& out, std::string_view password) {
  MessageBuilder(out, 'p').text(password);
}

void append_sasl_initial(std::string& out, std::string_view mechanism, Bytes data) {
  MessageBuilder(out, 'p').text(mechanism).int32(static_cast<uint32_t>(data.size())).raw(data);
}

void append_sasl_response(std::string& out, Bytes data) { MessageBuilder(out, 'p').raw(data); }
void append_query(std::string& out, std::string_view text) { MessageBuilder(out, 'Q').text(text); }
void append_sync(std::string& out) { MessageBuilder(out, 'S'); }
void append_terminate(std::string& out) { MessageBuilder(out, 'X'); }

// ---------------------------------------------------------------- small things

uint32_t client_process_id(uint64_t session_id) {
  const auto low = static_cast<uint32_t>(session_id & 0x7fffffff);
  return low == 0 ? 0x7fffffff : low;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

namespace {

constexpr size_t kNoTail = 9;

// How many bytes follow this one.
size_t utf8_tail(unsigned char lead) {
  if (lead < 0x80) return 0;
  if (lead < 0xc2 || lead > 0xf4) return kNoTail;
  if (lead < 0xe0) return 1;
  return lead < 0xf0 ? 2 : 3;
}

}  // namespace

bool is_utf8(Bytes text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    const unsigned char lead = byte(i);
    const size_t tail = utf8_tail(lead);
    if (tail == kNoTail || text.size() - i <= tail) return false;
    for (size_t k = 1; k <= tail; ++k)
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    // Overlong forms, surrogates, and what lies above U+10FFFF (RFC 3629, section 4).
    if (lead == 0xe0 && byte(i + 1) < 0xa0) return false;
    if (lead == 0xed && byte(i + 1) > 0x9f) return false;
    if (lead == 0xf0 && byte(i + 1) < 0x90) return false;
    if (lead == 0xf4 && byte(i + 1) > 0x8f) return false;
    i += tail + 1;
  }
  return true;
}

}  // namespace weir::postgres
