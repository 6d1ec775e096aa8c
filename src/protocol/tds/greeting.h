// A new client: who it is, and whether that is true (MS-TDS 3.3.5). Owned by the session; ends with
// Done or Fail.
//
//   Opening -> Prelogin -> Login -> Asking -> Settling -> Done
//   Opening -> Login                Asking -> Working, Trying -> Settling
//
//   Opening    its first byte says how it begins: PRELOGIN, LOGIN7 (old ones), TLS (TDS 8.0)
//   Prelogin   that has begun
//   Login      LOGIN7 is awaited, in TLS or not, as both PRELOGINs have agreed
//   Asking     the app decides
//   Working    what the app has brought looks at the password; it may take long
//   Trying     a server is asked whether the password is right
//   Settling   authenticated; welcome() says what its servers have said
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "facts.h"
#include "own_answers.h"
#include "prelogin.h"

namespace weir::tds {

class TdsGreeting final : public protocol::Greeting {
 public:
  TdsGreeting(const protocol::GreetingOptions& options, Languages& languages);

  Result start(std::string& send) override;
  Result feed(Bytes in, std::string& send) override;
  std::shared_ptr<base::Envelope> envelope() override;
  void secured(const protocol::Secured& secured) override;
  Result admit(const protocol::Admission& admission, std::string& send) override;
  protocol::Work work() override;
  bool settled_by(const protocol::Facts& facts) const override;
  ClientState& client() override { return *client_; }
  Result welcome(protocol::Facts& facts, const protocol::ServerState* attached,
                 std::string& send) override;
  std::unique_ptr<protocol::ClientState> take_client() override { return std::move(client_); }
  void refuse(const Error& error, std::string& send) override;
  std::string learnt_secret() const override;
  std::string proof() const override { return login_.password; }
  Result tried(const Error& refusal, std::string& send) override;

 private:
  enum class State : uint8_t {
    Opening,
    Prelogin,
    Login,
    Asking,
    Working,
    Trying,
    Settling,
    Done,
  };

  Result opening(Bytes in, std::string& send);
  Result on_prelogin(Bytes in, std::string& send);
  Result answer_prelogin(size_t used, std::string& send);
  Result on_login(Bytes in, std::string& send);
  Result judge_login(std::string& send);
  std::string objection() const;
  Result compare(std::string& send);
  Result settle(std::string& send);
  Result wrong_password(std::string& send);
  Result give_up(const Error& error, size_t used, std::string& send);
  void say(const ServerMessage& message, std::string& send) const;

  Languages& languages_;
  const protocol::Encryption tls_;
  State state_ = State::Opening;
  MessageAssembler message_;
  Cover cover_ = Cover::None;
  bool is_strict_ = false;  // TLS came first
  std::string alpn_;
  Login7 login_;
  bool has_login_ = false;
  std::optional<Error> fault_;  // of a LOGIN7 that cannot be read, told once it can be heard
  protocol::Admission admission_;
  std::shared_ptr<std::atomic<bool>> is_right_;  // Working
  std::unique_ptr<ClientState> client_;
};

}  // namespace weir::tds
