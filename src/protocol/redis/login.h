// Logs in to a server: AUTH, SELECT, CLIENT ID, PING in one flight, as far as they are needed.
// Owned by whoever opens the connection; ends with the answer to PING, or with the first error.
#pragma once

#include <memory>
#include <string>

#include "state.h"

namespace weir::redis {

class RedisLogin final : public protocol::Login {
 public:
  explicit RedisLogin(const protocol::LoginTarget& target) : target_(target) {}

  Result start(std::string& send) override;
  Result feed(Bytes in, std::string& send) override;
  std::unique_ptr<protocol::ServerState> take_server() override { return std::move(server_); }

 private:
  Result on_error(Bytes line);

  protocol::LoginTarget target_;
  std::unique_ptr<ServerState> server_;
  int answers_left_ = 0;
  size_t scanned_ = 0;  // of an answer without its end
};

}  // namespace weir::redis
