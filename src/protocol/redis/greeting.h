// A new client: who it is, and whether that is true. Owned by the session; ends with Done or Fail.
//
//   Asking -> Settling -> Done          nobody has to prove anything: not a byte has come or gone
//   Asking <-> Proving -> Asking -> Settling -> Done
//                         Asking -> Trying -> Settling, Proving
//   Opening -> Asking ...               where TLS is spoken, the first byte says whether it is
//
//   Asking     the app decides about a user: at first "default", then whoever AUTH or HELLO names
//   Proving    commands are read; AUTH and HELLO may bring the password
//   Trying     a server is asked whether that is right
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
  // Of a client that is logged in: for one AUTH or HELLO with AUTH.
  explicit RedisGreeting(const ClientState& client);

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
  std::string learnt_secret() const override;
  std::string proof() const override { return proof_ ? proof_->password : std::string(); }
  Result tried(const Error& refusal, std::string& send) override;

 private:
  enum class State : uint8_t { Opening, Asking, Proving, Trying, Settling, Done };
  struct Proof {
    enum class By : uint8_t {
      Auth,     // AUTH password
      Name,     // AUTH user password
      Hello,    // HELLO version AUTH user password
      Nothing,  // another command: the user may need no password
    };
    std::string user;
    std::string password;
    By by = By::Auth;
  };

  Result begin(Bytes in, std::string& send);
  Result on_command(const Request& request, std::string& send);
  Result on_auth(const Request& request, std::string& send);
  Result on_hello(const Request& request, std::string& send);
  Result without_proof(std::string_view refusal, std::string& send);
  Result prove(Proof proof);
  Result compare(std::string& send);
  Result wrong_proof();
  Result refused();
  Result settle();
  Result say(std::string_view error, std::string& send);

  RequestLimits limits_;
  const protocol::Encryption tls_;
  bool is_secured_ = false;
  State state_ = State::Asking;
  protocol::Admission admission_;  // of request().user
  std::optional<Proof> proof_;     // that is looked at, or that was good
  std::string_view unproved_;      // what is said when Proof::By::Nothing is not enough
  bool needs_password_ = false;    // a server has said so
  size_t skip_ = 0;                // bytes of the command in front, should it not let the client in
  std::unique_ptr<ClientState> client_;
  std::optional<ClientState> before_;  // who it is so far
};

}  // namespace weir::redis
