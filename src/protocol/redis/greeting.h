// A new client: who it is, and whether that is true. Owned by the session; ends with Done or Fail.
//
//   Asking -> Settling -> Done              nobody has to prove anything: not a byte has come or gone
//   Asking <-> Proving -> Settling -> Done
//   Opening -> Asking ...                   where TLS is spoken, the first byte says whether it is
//
//   Asking     the app decides about a user: at first "default", then whoever AUTH or HELLO names
//   Proving    commands are read; AUTH and HELLO may bring the password
//   Settling   authenticated; welcome() gives the answer to the command that did it
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "state.h"

namespace weir::redis {

class RedisGreeting final : public protocol::Greeting {
 public:
  explicit RedisGreeting(const protocol::GreetingOptions& options);

  Result start(std::string& send) override;
  Result feed(Bytes in, std::string& send) override;
  void secured(const protocol::Secured&) override { is_secured_ = true; }
  Result admit(const protocol::Admission& admission, std::string& send) override;
  bool settled_by(const protocol::Facts&) const override { return true; }
  ClientState& client() override { return *client_; }
  Result welcome(protocol::Facts& facts, const protocol::ServerState* attached,
                 std::string& send) override;
  std::unique_ptr<protocol::ClientState> take_client() override { return std::move(client_); }
  void refuse(const Error& error, std::string& send) override { append_error(send, error); }
  std::string learnt_secret() const override { return proof_ ? proof_->password : std::string(); }

 private:
  enum class State : uint8_t { Opening, Asking, Proving, Settling, Done };
  struct Proof {
    std::string user;
    std::string password;
    bool hello = false;
  };

  Result open(Bytes in, std::string& send);
  Result on_command(const Request& request, std::string& send);
  Result on_auth(const Request& request, std::string& send);
  Result on_hello(const Request& request, std::string& send);
  Result prove(Proof proof, std::string& send);
  Result compare(std::string& send);
  Result settle();
  Result say(std::string_view error, std::string& send);

  RequestLimits limits_;
  const protocol::Encryption tls_;
  bool is_secured_ = false;
  State state_ = State::Asking;
  protocol::Admission admission_;  // of request().user
  std::optional<Proof> proof_;     // that is looked at, or that was good
  int failures_ = 0;
  size_t skip_ = 0;  // bytes of a HELLO in front that has not let it in
  std::unique_ptr<ClientState> client_;
};

}  // namespace weir::redis
