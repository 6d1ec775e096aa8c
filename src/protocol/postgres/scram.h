// SCRAM-SHA-256 (RFC 5802, RFC 7677) as weir needs it beyond a single exchange: the client's half,
// keys that were learnt from a client, and the store that spares repeated derivations. ScramStore
// is owned by the protocol and outlives all dialogues; any thread. ScramClient belongs to one
// login. Passwords are taken as they are: SASLprep (RFC 4013) leaves ASCII unchanged; other
// characters are not normalised, so that a password that SASLprep would change is known to
// PostgreSQL under another key than here.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
// tidy(pure-protocol): derived keys are shared by all workers, and cost a millisecond each
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include <weir/protocol/postgres.h>

namespace weir::postgres {

using base::Bytes;

// Both keys of RFC 5802, section 3. Enough to log in where the salt and the iterations are the
// same.
struct ScramKeys {
  int iterations = 0;
  std::string salt;
  std::string client_key;
  std::string server_key;
  std::string text() const;  // SCRAM-SHA-256-KEYS$<iterations>:<salt>$<ClientKey>:<ServerKey>
};
base::Result<ScramKeys> read_keys(std::string_view secret);
bool has_keys(std::string_view secret);
ScramKeys make_keys(std::string_view password, std::string_view salt, int iterations);
ScramVerifier verifier_of(const ScramKeys& keys);

// What was derived from passwords, so that 1.3 ms of hashing (4096 iterations) happen once for each
// and on another thread (Derivation), and the salts of users who have none. A user that does not
// exist gets the salt it would have if it existed.
class ScramStore {
 public:
  static constexpr size_t kEntriesMax = 1024;

  explicit ScramStore(std::string process_secret) : process_secret_(std::move(process_secret)) {}
  ScramStore() : ScramStore(base_secret()) {}

  // That nobody can pass. Costs no derivation, or strangers could make weir work.
  ScramVerifier mock(std::string_view user, int iterations) const;
  // Does this password belong to that verifier? Only right ones are remembered.
  bool matches(std::string_view password, const ScramVerifier& verifier);
  ScramKeys keys(std::string_view password, std::string_view salt, int iterations);
  // Does keys() or matches() have to derive nothing?
  bool knows(std::string_view password, std::string_view salt, int iterations) const;
  // For a user whose secret is plain. Stays the same for the life of the process.
  std::string salt_of(std::string_view user) const;
  size_t size() const;

 private:
  static std::string base_secret();
  std::string name_of(std::string_view password, std::string_view salt, int iterations) const;
  bool find(const std::string& name, ScramKeys& keys) const;
  void remember(const std::string& name, const ScramKeys& keys);

  const std::string process_secret_;
  // tidy(pure-protocol): derived keys are shared by all workers, and cost a millisecond each
  mutable std::mutex mutex_;
  std::unordered_map<std::string, ScramKeys> entries_;
  std::deque<std::string> order_;  // oldest first
};

// What a dialogue lets another thread derive. Shared by the two, as either may be gone first.
struct Derivation {
  ScramKeys keys;
  bool fits = false;
  std::atomic<bool> is_done = false;
};

// The client's half of one exchange. Each call once, in this order.
class ScramClient {
 public:
  // How this exchange stands to the TLS channel below it: none is there, the server did not offer
  // to bind to it, or it is bound.
  enum class Binding : uint8_t { Impossible, NotOffered, Bound };

  // PostgreSQL ignores the user's name here and goes by the start-up packet; libpq leaves it empty.
  explicit ScramClient(std::string nonce, std::string user = "")
      : user_(std::move(user)), nonce_(std::move(nonce)) {}
  // Before client_first(). `end_point`: hash of the server's certificate (RFC 5929, 4.1).
  void bind(Binding binding, std::string end_point) {
    binding_ = binding;
    end_point_ = std::move(end_point);
  }
  bool is_bound() const { return binding_ == Binding::Bound; }
  std::string client_first() const;
  // Reads server-first; then salt() and iterations() are known.
  base::Status on_server_first(Bytes message);
  const std::string& salt() const { return salt_; }
  int iterations() const { return iterations_; }
  std::string client_final(const ScramKeys& keys);
  // Protocol: malformed; Refused: not a server that knows the secret.
  base::Status on_server_final(Bytes message) const;

 private:
  std::string header() const;  // GS2 (RFC 5802, section 7)
  std::string client_first_bare() const { return "n=" + user_ + ",r=" + nonce_; }
  std::string user_;
  std::string nonce_;  // at first the client's own, then the client's and the server's
  Binding binding_ = Binding::Impossible;
  std::string end_point_;
  std::string client_first_bare_;
  std::string server_first_;
  std::string salt_;
  int iterations_ = 0;
  std::string server_signature_;
};

// Attributes of a SCRAM message: "a=value,b=value". Used by both halves.
class ScramReader {
 public:
  explicit ScramReader(Bytes message) : rest_(message) {}
  // The next attribute has to be this one.
  bool take(char name, Bytes& value);
  // RFC 5802, section 5.1: unknown extensions may follow, all but "m" are to be skipped. Stops
  // before `name`.
  bool skip_to(char name);
  bool at_end() const { return !more_; }
  Bytes rest() const { return rest_; }

 private:
  Bytes rest_;
  bool more_ = true;
};

bool is_scram_nonce(Bytes nonce);

}  // namespace weir::postgres
