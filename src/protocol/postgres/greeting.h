// A new PostgreSQL client: what it asks for, who it is, and its welcome. One for each connection,
// owned by the session, on its worker's thread; take_client() ends it.
//
// Start ──▶ Asking ──▶ Password │ Md5 │ SaslFirst ──▶ SaslFinal ──▶ Authenticated ──▶ Done
//   Every state may end in Failed. Start waits for the first packet, Asking for admit(), Password
//   to SaslFinal for the client's answer, Authenticated for welcome(). Deriving, before SaslFirst
//   and behind Password, waits for another thread.
#pragma once

#include <memory>
#include <string>

#include <weir/base/crypto.h>
#include <weir/base/intern.h>

#include "scram.h"
#include "startup.h"
#include "state.h"

namespace weir::postgres {

using base::Error;

struct GreetingParts {
  InternTable& texts;
  ScramStore& secrets;
  size_t login_bytes_max = 0;
  std::string (*random_bytes)(size_t) = base::random_bytes;
  protocol::Encryption tls = protocol::Encryption::None;
};

class PostgresGreeting final : public protocol::Greeting {
 public:
  explicit PostgresGreeting(const GreetingParts& parts) : parts_(parts) {}

  Result start(std::string& send) override;
  Result feed(Bytes in, std::string& send) override;
  void secured(const protocol::Secured& shown) override;
  protocol::Work work() override { return {std::move(work_), admission_.check != nullptr}; }
  Result admit(const protocol::Admission& admission, std::string& send) override;
  bool settled_by(const protocol::Facts& facts) const override;
  protocol::ClientState& client() override { return *client_; }
  Result welcome(protocol::Facts& facts, const protocol::ServerState* attached,
                 std::string& send) override;
  std::unique_ptr<protocol::ClientState> take_client() override { return std::move(client_); }
  void refuse(const Error& error, std::string& send) override;
  std::string learnt_secret() const override;

 private:
  enum class State : uint8_t {
    Start,
    Asking,
    Password,
    Md5,
    SaslFirst,
    SaslFinal,
    Deriving,
    Authenticated,
    Done,
    Failed
  };

  // One packet or message from the front of `in`; consumed 0 and Wait: it is not all there.
  Result step(Bytes in, std::string& send);
  Result on_start(Bytes in, std::string& send);
  Result on_encryption_request(uint32_t code, Bytes in, std::string& send);
  Result on_cancel(Bytes key, size_t consumed);
  Result on_startup(uint32_t version, Bytes parameters, std::string& send);
  void keep_for_own_server();
  Result on_answer(Bytes in, std::string& send);
  Result on_password(Bytes body, std::string& send);
  Result on_md5(Bytes body, std::string& send);
  Result on_sasl_first(Bytes body, std::string& send);
  Result on_sasl_final(Bytes body, std::string& send);

  using Next = Result (PostgresGreeting::*)(std::string& send);
  Result derive(std::function<void(Derivation&)> what, Next next, bool is_known, std::string& send);
  Result ask_for_scram(std::string& send);
  Result use_derived_verifier(std::string& send);
  Result offer_scram(std::string& send);
  Result wrong_after_work(std::string& send);
  Result on_derived_password(std::string& send);
  Result right_password();
  Result authenticated();
  Result wrong_password(std::string& send);
  Result give_up(Error error, std::string& send);

  const GreetingParts parts_;
  State state_ = State::Start;
  bool ssl_requested_ = false;
  bool is_secured_ = false;
  bool is_direct_ = false;  // it began with TLS, without asking
  std::string end_point_;   // hash of weir's certificate (RFC 5929, 4.1); empty: no TLS
  bool gss_requested_ = false;
  protocol::Admission admission_;
  SettingMap settings_;
  Interned asked_;  // settings_ without a plain application_name
  uint32_t version_ = kVersion30;
  std::string md5_salt_;
  std::unique_ptr<ScramServer> scram_;
  ScramVerifier verifier_;
  bool verifier_is_stored_ = false;
  std::string password_;  // that the client has sent
  std::string learnt_secret_;
  std::shared_ptr<Derivation> derivation_;
  std::function<void()> work_;
  Next next_ = nullptr;  // when it is done
  std::string pending_;  // goes out with the welcome
  std::unique_ptr<ClientState> client_;
};

}  // namespace weir::postgres
