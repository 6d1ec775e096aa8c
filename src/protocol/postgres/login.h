// weir logs in to a PostgreSQL server. One for each new server connection, owned by whoever opens
// it, on its worker's thread; take_server() ends it.
//
// Start ──▶ (Negotiation ──▶) Authentication
//       ──▶ (SaslContinue ──▶ Deriving ──▶ SaslFinal ──▶ Accepted) ──▶ Settling ──▶ Done
//   Every state may end in Failed. Negotiation waits for S or N, Authentication for the first
//   demand or AuthenticationOk, SaslContinue and SaslFinal for the server's half of SCRAM, Deriving
//   for another thread, Accepted for AuthenticationOk, Settling for ReadyForQuery.
#pragma once

#include <memory>
#include <string>

#include <weir/base/crypto.h>

#include "scram.h"
#include "state.h"
#include "wire.h"

namespace weir::postgres {

using base::Error;

class PostgresLogin final : public protocol::Login {
 public:
  static constexpr size_t kMessageBytesMax = 1 << 20;
  static constexpr size_t kReportedBytesMax = 1 << 20;  // of all ParameterStatus together

  struct Parts {
    ScramStore& secrets;
    std::string (*random_bytes)(size_t) = base::random_bytes;
  };
  PostgresLogin(protocol::LoginTarget target, const Parts& parts)
      : target_(std::move(target)), parts_(parts), server_(std::make_unique<ServerState>()) {}

  Result start(std::string& send) override;
  Result feed(Bytes in, std::string& send) override;
  void secured(const protocol::Secured& shown) override;
  protocol::Work work() override { return {std::move(work_)}; }
  std::unique_ptr<protocol::ServerState> take_server() override { return std::move(server_); }

 private:
  enum class State : uint8_t {
    Start,
    Negotiation,
    Authentication,
    SaslContinue,
    Deriving,
    SaslFinal,
    Accepted,
    Settling,
    Done,
    Failed
  };

  Result begin(std::string& send);
  Result on_negotiated(Bytes in, std::string& send);
  Result step(Bytes in, std::string& send);
  Result on_message(const CutMessage& message, std::string& send);
  Result on_authentication(Bytes body, std::string& send);
  Result on_demand(uint32_t kind, Bytes data, std::string& send);
  Result on_cleartext(std::string& send);
  Result on_md5(Bytes salt, std::string& send);
  Result on_sasl(Bytes mechanisms, std::string& send);
  Result on_sasl_continue(Bytes data, std::string& send);
  Result derive();
  Result on_derived(std::string& send);
  Result on_sasl_final(Bytes data);
  Result on_version(Bytes body);
  Result on_error(Bytes body);
  Result on_parameter_status(Bytes body);
  Result on_backend_key(Bytes body);
  Result on_ready(Bytes body);
  Result on_old_error(Bytes in);
  uint32_t asked_version() const { return target_.newest_version ? kVersion32 : kVersion30; }
  bool needs_binding() const {
    return target_.channel_binding == protocol::ChannelBinding::Require;
  }
  bool can_bind() const {
    return !end_point_.empty() && target_.channel_binding != protocol::ChannelBinding::Disable;
  }
  Result refuse_unbound();

  base::Result<ScramKeys> keys_for(const ScramClient& scram);
  bool has_to_derive() const;
  Result give_up(base::ErrorKind kind, std::string text, std::string code = {});

  const protocol::LoginTarget target_;
  const Parts parts_;
  State state_ = State::Start;
  bool answered_ = false;  // a demand for a password; there is only one
  size_t reported_bytes_ = 0;
  bool is_bound_ = false;  // the server's proof covers the TLS channel
  std::string end_point_;  // hash of the server's certificate (RFC 5929, 4.1); empty: no TLS
  std::unique_ptr<ScramClient> scram_;
  std::shared_ptr<Derivation> derivation_;
  std::function<void()> work_;
  std::unique_ptr<ServerState> server_;
};

}  // namespace weir::postgres
