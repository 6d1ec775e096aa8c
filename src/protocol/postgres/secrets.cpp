// Stored secrets: what kind they are, and their texts.
#include <array>

#include <weir/base/crypto.h>

#include "scram.h"

namespace weir::postgres {

using base::Error;
using base::ErrorKind;
using base::Result;

namespace {

constexpr std::string_view kVerifierPrefix = "SCRAM-SHA-256$";
constexpr std::string_view kKeysPrefix = "SCRAM-SHA-256-KEYS$";
constexpr size_t kSaltBytesMax = 1024;

// <iterations>:<salt>$<first key>:<second key>
struct Parts {
  int iterations = 0;
  std::string salt;
  std::array<std::string, 2> keys;
};

bool read_iterations(std::string_view text, int& iterations) {
  if (text.empty() || text.size() > 7) return false;
  iterations = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    iterations = iterations * 10 + (c - '0');
  }
  return iterations >= 1 && iterations <= kScramIterationsMax;
}

bool read_parts(std::string_view text, Parts& parts) {
  const size_t colon = text.find(':');
  const size_t dollar = text.find('$');
  if (colon == std::string_view::npos || dollar == std::string_view::npos || colon > dollar)
    return false;
  const std::string_view keys = text.substr(dollar + 1);
  const size_t middle = keys.find(':');
  if (middle == std::string_view::npos) return false;
  return read_iterations(text.substr(0, colon), parts.iterations) &&
         base::base64_decode(text.substr(colon + 1, dollar - colon - 1), parts.salt) &&
         !parts.salt.empty() && parts.salt.size() <= kSaltBytesMax &&
         base::base64_decode(keys.substr(0, middle), parts.keys[0]) && parts.keys[0].size() == 32 &&
         base::base64_decode(keys.substr(middle + 1), parts.keys[1]) && parts.keys[1].size() == 32;
}

std::string write_parts(std::string_view prefix, const Parts& parts) {
  std::string text(prefix);
  text += std::to_string(parts.iterations) + ":" + base::base64_encode(parts.salt) + "$";
  return text + base::base64_encode(parts.keys[0]) + ":" + base::base64_encode(parts.keys[1]);
}

}  // namespace

SecretKind secret_kind(std::string_view secret) {
  if (secret.size() == 35 && secret.starts_with("md5") &&
      secret.find_first_not_of("0123456789abcdef", 3) == std::string_view::npos)
    return SecretKind::Md5;
  return read_verifier(secret) ? SecretKind::Scram : SecretKind::Plain;
}

std::string md5_secret(std::string_view user, std::string_view password) {
  std::string text(password);
  return "md5" + base::md5_hex(text.append(user));
}

std::string md5_answer(std::string_view md5_secret, Bytes salt) {
  std::string text(md5_secret.substr(3));
  return "md5" + base::md5_hex(text.append(salt));
}

Result<ScramVerifier> read_verifier(std::string_view secret) {
  Parts parts;
  if (!secret.starts_with(kVerifierPrefix) ||
      !read_parts(secret.substr(kVerifierPrefix.size()), parts))
    return Error{ErrorKind::Config, "not a SCRAM-SHA-256 verifier"};
  return ScramVerifier{parts.iterations, parts.salt, parts.keys[0], parts.keys[1]};
}

std::string ScramVerifier::text() const {
  return write_parts(kVerifierPrefix, {iterations, salt, {stored_key, server_key}});
}

bool has_keys(std::string_view secret) { return secret.starts_with(kKeysPrefix); }

Result<ScramKeys> read_keys(std::string_view secret) {
  Parts parts;
  if (!has_keys(secret) || !read_parts(secret.substr(kKeysPrefix.size()), parts))
    return Error{ErrorKind::Config, "not SCRAM-SHA-256 keys"};
  return ScramKeys{parts.iterations, parts.salt, parts.keys[0], parts.keys[1]};
}

std::string ScramKeys::text() const {
  return write_parts(kKeysPrefix, {iterations, salt, {client_key, server_key}});
}

// RFC 5802, section 3.
ScramKeys make_keys(std::string_view password, std::string_view salt, int iterations) {
  const std::string salted = base::pbkdf2_sha256(password, salt, iterations);
  return {iterations, std::string(salt), base::hmac_sha256(salted, "Client Key"),
          base::hmac_sha256(salted, "Server Key")};
}

ScramVerifier verifier_of(const ScramKeys& keys) {
  return {keys.iterations, keys.salt, base::sha256(keys.client_key), keys.server_key};
}

ScramVerifier make_verifier(std::string_view password, std::string_view salt, int iterations) {
  return verifier_of(make_keys(password, salt, iterations));
}

// ---------------------------------------------------------------- the store

std::string ScramStore::base_secret() { return base::random_bytes(32); }

std::string ScramStore::salt_of(std::string_view user) const {
  return base::hmac_sha256(process_secret_, "salt:" + std::string(user)).substr(0, 16);
}

// Under a keyed hash, so that no password lies in memory for longer than its exchange.
std::string ScramStore::name_of(std::string_view password, std::string_view salt,
                                int iterations) const {
  std::string text = std::to_string(iterations) + ":" + base::base64_encode(salt) + ":";
  return base::hmac_sha256(process_secret_, text.append(password));
}

bool ScramStore::find(const std::string& name, ScramKeys& keys) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return false;
  keys = found->second;
  return true;
}

void ScramStore::remember(const std::string& name, const ScramKeys& keys) {
  const std::lock_guard lock(mutex_);
  if (!entries_.emplace(name, keys).second) return;
  order_.push_back(name);
  if (order_.size() <= kEntriesMax) return;
  entries_.erase(order_.front());
  order_.pop_front();
}

size_t ScramStore::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

ScramKeys ScramStore::keys(std::string_view password, std::string_view salt, int iterations) {
  const std::string name = name_of(password, salt, iterations);
  ScramKeys keys;
  if (find(name, keys)) return keys;
  keys = make_keys(password, salt, iterations);
  remember(name, keys);
  return keys;
}

bool ScramStore::knows(std::string_view password, std::string_view salt, int iterations) const {
  ScramKeys keys;
  return find(name_of(password, salt, iterations), keys);
}

ScramVerifier ScramStore::mock(std::string_view user, int iterations) const {
  const std::string secret = process_secret_ + "mock:" + std::string(user);
  return {iterations, salt_of(user), base::sha256(secret + ":stored"),
          base::sha256(secret + ":server")};
}

bool ScramStore::matches(std::string_view password, const ScramVerifier& verifier) {
  const std::string name = name_of(password, verifier.salt, verifier.iterations);
  ScramKeys keys;
  const bool known = find(name, keys);
  if (!known) keys = make_keys(password, verifier.salt, verifier.iterations);
  const bool right = base::equal_constant_time(base::sha256(keys.client_key), verifier.stored_key);
  if (right && !known) remember(name, keys);
  return right;
}

}  // namespace weir::postgres
