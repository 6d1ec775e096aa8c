// The PostgreSQL protocol, version 3.0 ("Frontend/Backend Protocol" in PostgreSQL's manual, chapter
// 55), as a weir::protocol::Protocol, and what the servers inside weir share with it: cutting and
// building messages, secrets and SCRAM. Such a server gets its clients in through
// Protocol::greet(), with make_facts() for welcome(). Values and pure functions, any thread; a
// Protocol is made by app and outlives all that it makes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/intern.h>
#include <weir/protocol/protocol.h>

namespace weir::postgres {

// `texts` holds statement texts and sets of settings; it outlives the protocol and all its states.
std::unique_ptr<protocol::Protocol> make_protocol(base::InternTable& texts);

using SettingMap = std::map<std::string, std::string, std::less<>>;

// The facts of a server inside weir: the ParameterStatus that its clients are welcomed with. Empty:
// no server is known yet.
std::unique_ptr<protocol::Facts> make_facts(SettingMap reported);
// What the client asked for in its start-up packet, names in lower case, application_name among
// them.
SettingMap startup_settings(const protocol::ClientState& client);
// What a cancel request has to show.
const std::string& cancel_key(const protocol::ClientState& client);

// ---------------------------------------------------------------- messages
//
//   type (1 byte) | length (4 bytes, itself included) | body
//
// A start-up packet has no type.

constexpr size_t kMessageHeadBytes = 5;

struct CutMessage {
  char type = 0;
  base::Bytes body;
  size_t consumed = 0;  // 0: not all of it is there yet
};

// The first message of `in`. Refuses lengths below 4 (Protocol) and bodies above `body_bytes_max`
// (TooLarge) as soon as the head is there.
base::Result<CutMessage> cut_message(base::Bytes in, size_t body_bytes_max);

// Reads a body from its front. The first read that goes over the end makes it !ok(); from then on
// all are empty.
class BodyReader {
 public:
  explicit BodyReader(base::Bytes body) : rest_(body) {}
  uint8_t int8();
  uint16_t int16();
  uint32_t int32();
  base::Bytes text();  // up to a NUL, which is read too
  base::Bytes raw(size_t count);
  base::Bytes rest() const { return rest_; }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  base::Bytes fail();
  base::Bytes rest_;
  bool ok_ = true;
};

// Builds one message at the end of `out`; its destructor writes the length. One at a time on each
// string.
class MessageBuilder {
 public:
  MessageBuilder(std::string& out, char type);  // 0: no type
  ~MessageBuilder();
  MessageBuilder(const MessageBuilder&) = delete;
  MessageBuilder& operator=(const MessageBuilder&) = delete;
  MessageBuilder& int8(char value);
  MessageBuilder& int16(uint16_t value);
  MessageBuilder& int32(uint32_t value);
  MessageBuilder& text(std::string_view value);  // up to its first NUL, and a NUL
  MessageBuilder& raw(base::Bytes value);

 private:
  std::string& out_;
  size_t length_at_;
};

// ErrorResponse and NoticeResponse. Empty fields are left out, but for severity, sqlstate and
// message.
struct ErrorFields {
  std::string severity = "ERROR";
  std::string sqlstate;
  std::string message;
  std::string detail = {};
  std::string hint = {};
  std::string position = {};
};
ErrorFields read_error(base::Bytes body);    // whatever is missing or malformed stays empty
base::Error read_refusal(base::Bytes body);  // an ErrorResponse to weir; it always has a text
void append_error(std::string& out, const ErrorFields& fields);
void append_notice(std::string& out, const ErrorFields& fields);
// `error` in the protocol's words: its own code, or the SQLSTATE that fits its kind.
ErrorFields error_fields(const base::Error& error, std::string_view severity);

enum class Authentication : uint32_t {
  Ok = 0,
  CleartextPassword = 3,
  Md5Password = 5,
  Sasl = 10,
  SaslContinue = 11,
  SaslFinal = 12,
};
void append_authentication(std::string& out, Authentication kind, base::Bytes data = {});
void append_parameter_status(std::string& out, std::string_view name, std::string_view value);
void append_backend_key(std::string& out, uint32_t process_id, base::Bytes key);
void append_command_complete(std::string& out, std::string_view tag);
void append_ready(std::string& out, char status);  // I, T, E

// ---------------------------------------------------------------- secrets
//
// A stored secret is plain text, "md5" and 32 hexadecimal digits, or
// SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey> (PostgreSQL's manual, 53.11 pg_authid).

enum class SecretKind : uint8_t { Plain, Md5, Scram };
SecretKind secret_kind(std::string_view secret);
std::string md5_secret(std::string_view user, std::string_view password);  // md5…
// What a client answers to AuthenticationMD5Password, from md5_secret().
std::string md5_answer(std::string_view md5_secret, base::Bytes salt);

constexpr int kScramIterationsMax = 1'000'000;
constexpr size_t kScramNonceBytesMax = 256;

struct ScramVerifier {
  int iterations = 0;
  std::string salt;
  std::string stored_key;  // 32 bytes
  std::string server_key;  // 32 bytes
  std::string text() const;
};
base::Result<ScramVerifier> read_verifier(std::string_view secret);
ScramVerifier make_verifier(std::string_view password, std::string_view salt, int iterations);

constexpr std::string_view kScram = "SCRAM-SHA-256";
constexpr std::string_view kScramPlus = "SCRAM-SHA-256-PLUS";  // bound to the TLS channel

// The server's half of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677). With `end_point`, the hash
// of the server's certificate (RFC 5929, 4.1), SCRAM-SHA-256-PLUS is on offer as well. Each call
// once, in this order. Protocol: the client's message is malformed; Refused: its proof is wrong.
class ScramServer {
 public:
  ScramServer(ScramVerifier verifier, std::string nonce, std::string end_point = {})
      : verifier_(std::move(verifier)),
        nonce_(std::move(nonce)),
        end_point_(std::move(end_point)) {}
  std::vector<std::string_view> mechanisms() const;
  // `mechanism` is what the client has chosen; the answer is server-first.
  base::Result<std::string> on_client_first(std::string_view mechanism, base::Bytes message);
  base::Result<std::string> on_client_final(base::Bytes message);  // the answer is server-final
  const std::string& client_key() const { return client_key_; }    // after success

 private:
  base::Status read_header(base::Bytes message, bool binds);

  ScramVerifier verifier_;
  std::string nonce_;  // at first the server's own, then the client's and the server's
  std::string end_point_;
  std::string header_;   // the GS2 header that the client began with
  std::string binding_;  // it, and what it is bound to
  std::string client_first_bare_;
  std::string server_first_;
  std::string client_key_;
};

}  // namespace weir::postgres
