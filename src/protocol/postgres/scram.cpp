// The two halves of a SCRAM-SHA-256 exchange. Messages: RFC 5802, section 7.
#include "scram.h"

#include <weir/base/crypto.h>

namespace weir::postgres {

using base::Error;
using base::ErrorKind;
using base::Result;
using base::Status;

namespace {

Error malformed(const char* what) {
  return {ErrorKind::Protocol, std::string("malformed SCRAM message: ") + what, "08P01"};
}

std::string combined(const std::string& a, const std::string& b) {
  std::string out = a;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
  return out;
}

// The only type of channel binding that weir speaks, as a GS2 header begins with it.
constexpr std::string_view kBindingFlag = "p=tls-server-end-point,";

// A key or a proof: always 32 bytes.
bool read_hash(Bytes text, std::string& hash) {
  return text.size() == 44 && base::base64_decode(text, hash) && hash.size() == 32;
}

bool read_count(Bytes text, int& count) {
  if (text.empty() || text.size() > 7 || text[0] == '0') return false;
  count = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    count = count * 10 + (c - '0');
  }
  return count <= kScramIterationsMax;
}

}  // namespace

bool is_scram_nonce(Bytes nonce) {
  if (nonce.empty() || nonce.size() > kScramNonceBytesMax) return false;
  for (const char c : nonce)
    if (c < 0x21 || c > 0x7e || c == ',') return false;
  return true;
}

bool ScramReader::take(char name, Bytes& value) {
  if (!more_ || rest_.size() < 2 || rest_[0] != name || rest_[1] != '=') return false;
  const size_t comma = rest_.find(',');
  more_ = comma != Bytes::npos;
  value = rest_.substr(2, more_ ? comma - 2 : Bytes::npos);
  rest_ = more_ ? rest_.substr(comma + 1) : Bytes();
  return value.find('\0') == Bytes::npos;
}

bool ScramReader::skip_to(char name) {
  Bytes value;
  while (more_ && !rest_.empty() && rest_[0] != name) {
    const char other = rest_[0];
    const bool letter = (other >= 'a' && other <= 'z') || (other >= 'A' && other <= 'Z');
    if (!letter || other == 'm' || !take(other, value)) return false;
  }
  return true;
}

// ---------------------------------------------------------------- the server's half

std::vector<std::string_view> ScramServer::mechanisms() const {
  if (end_point_.empty()) return {kScram};
  return {kScramPlus, kScram};
}

// gs2-header = ("p=" cb-name / "n" / "y") "," [ "a=" authzid ] ","
Status ScramServer::read_header(Bytes message, bool binds) {
  if (binds != message.starts_with("p="))
    return Error{ErrorKind::Protocol, "client's channel binding is not that of its mechanism",
                 "08P01"};
  const std::string_view flag = binds ? kBindingFlag : message.substr(0, 2);
  if (binds && !message.starts_with(kBindingFlag))
    return Error{ErrorKind::Protocol, "client asks for a channel binding of an unknown type",
                 "08P01"};
  if (!binds && flag != "n," && flag != "y,")
    return malformed("it does not begin with a channel binding flag");
  // RFC 5802, section 6: it could bind, and has not seen the offer, which somebody has taken out.
  if (flag == "y," && !end_point_.empty())
    return Error{ErrorKind::Protocol,
                 "client supports channel binding and takes weir for a server that does not: the "
                 "list of mechanisms was changed on its way",
                 "28000"};
  if (message.substr(flag.size()).starts_with("a="))
    return Error{ErrorKind::Protocol,
                 "client asks for an authorization identity, which is not supported", "0A000"};
  if (!message.substr(flag.size()).starts_with(',')) return malformed("the header has no end");
  header_ = message.substr(0, flag.size() + 1);
  binding_ = binds ? header_ + end_point_ : header_;
  return base::ok();
}

Result<std::string> ScramServer::on_client_first(std::string_view mechanism, Bytes message) {
  if (mechanism != kScram && (mechanism != kScramPlus || end_point_.empty()))
    return Error{ErrorKind::Protocol, "client selected an invalid SASL authentication mechanism",
                 "08P01"};
  if (auto read = read_header(message, mechanism == kScramPlus); !read) return read.error();
  client_first_bare_ = message.substr(header_.size());

  ScramReader reader(client_first_bare_);
  Bytes name;  // PostgreSQL's clients leave it empty: the start-up packet counts
  Bytes nonce;
  if (!reader.take('n', name)) return malformed("a user name was expected");
  if (!reader.take('r', nonce) || !is_scram_nonce(nonce)) return malformed("a nonce was expected");
  if (!reader.skip_to('\0') || !reader.at_end()) return malformed("unknown attributes");

  nonce_ = std::string(nonce) + nonce_;
  server_first_ = "r=" + nonce_ + ",s=" + base::base64_encode(verifier_.salt) +
                  ",i=" + std::to_string(verifier_.iterations);
  return server_first_;
}

Result<std::string> ScramServer::on_client_final(Bytes message) {
  ScramReader reader(message);
  Bytes binding;
  Bytes nonce;
  if (!reader.take('c', binding)) return malformed("channel binding data was expected");
  if (binding != base::base64_encode(binding_))
    return malformed("the channel binding data has changed");
  if (!reader.take('r', nonce)) return malformed("a nonce was expected");
  if (!base::equal_constant_time(nonce, nonce_)) return malformed("the nonce has changed");
  if (!reader.skip_to('p') || reader.at_end()) return malformed("a proof was expected");

  const Bytes without_proof = message.substr(0, message.size() - reader.rest().size() - 1);
  Bytes text;
  std::string proof;
  if (!reader.take('p', text) || !reader.at_end() || !read_hash(text, proof))
    return malformed("a proof of 32 bytes was expected at its end");

  const std::string auth_message =
      client_first_bare_ + "," + server_first_ + "," + std::string(without_proof);
  const std::string client_key =
      combined(proof, base::hmac_sha256(verifier_.stored_key, auth_message));
  if (!base::equal_constant_time(base::sha256(client_key), verifier_.stored_key))
    return Error{ErrorKind::Refused, "wrong password", "28P01"};
  client_key_ = client_key;
  return "v=" + base::base64_encode(base::hmac_sha256(verifier_.server_key, auth_message));
}

// ---------------------------------------------------------------- the client's half

std::string ScramClient::header() const {
  switch (binding_) {
    case Binding::Bound: return std::string(kBindingFlag) + ",";
    case Binding::NotOffered: return "y,,";
    default: return "n,,";
  }
}

std::string ScramClient::client_first() const { return header() + client_first_bare(); }

Status ScramClient::on_server_first(Bytes message) {
  ScramReader reader(message);
  Bytes nonce;
  Bytes salt;
  Bytes count;
  if (!reader.take('r', nonce)) return malformed("a nonce was expected");
  if (!is_scram_nonce(nonce) || !nonce.starts_with(nonce_) || nonce.size() == nonce_.size())
    return malformed("the nonce is not an extension of the client's");
  if (!reader.take('s', salt) || salt.size() > 1024 || !base::base64_decode(salt, salt_) ||
      salt_.empty())
    return malformed("a salt was expected");
  if (!reader.take('i', count) || !read_count(count, iterations_))
    return malformed("an iteration count from 1 to 1000000 was expected");
  if (!reader.at_end()) return malformed("unknown attributes");
  client_first_bare_ = client_first_bare();
  nonce_ = nonce;
  server_first_ = message;
  return base::ok();
}

std::string ScramClient::client_final(const ScramKeys& keys) {
  const std::string bound = binding_ == Binding::Bound ? end_point_ : "";
  const std::string without_proof = "c=" + base::base64_encode(header() + bound) + ",r=" + nonce_;
  const std::string auth_message = client_first_bare_ + "," + server_first_ + "," + without_proof;
  const std::string signature = base::hmac_sha256(base::sha256(keys.client_key), auth_message);
  server_signature_ = base::hmac_sha256(keys.server_key, auth_message);
  return without_proof + ",p=" + base::base64_encode(combined(keys.client_key, signature));
}

Status ScramClient::on_server_final(Bytes message) const {
  ScramReader reader(message);
  Bytes text;
  std::string signature;
  if (message.starts_with("e="))
    return Error{ErrorKind::Refused, "the server refused the SCRAM exchange", "28P01"};
  if (!reader.take('v', text) || !reader.at_end() || !read_hash(text, signature))
    return malformed("a signature of 32 bytes was expected");
  if (!base::equal_constant_time(signature, server_signature_))
    return Error{ErrorKind::Refused,
                 "the server's SCRAM signature is wrong: it does not know the secret", "28P01"};
  return base::ok();
}

}  // namespace weir::postgres
