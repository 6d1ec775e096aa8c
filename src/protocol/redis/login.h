// Logs in to a server: AUTH, SELECT, CLIENT ID, PING in one flight, as far as they are needed, and
// TLS before the first of them; behind them what the survey asks. Owned by whoever opens the
// connection; ends with the survey's last answer, or with the first error.
#pragma once

#include <memory>
#include <string>

#include "audience.h"
#include "state.h"
#include "survey.h"

namespace weir::redis {

// What is known of all servers. No tables: nothing is asked about commands.
struct KnownServers {
  CommandTables* tables = nullptr;
  Audiences* audiences = nullptr;
};

class RedisLogin final : public protocol::Login {
 public:
  explicit RedisLogin(const protocol::LoginTarget& target, KnownServers known = {})
      : target_(target), audiences_(known.audiences) {
    if (known.tables) survey_.emplace(*known.tables, target_.settings);
  }

  Result start(std::string& send) override;
  Result feed(Bytes in, std::string& send) override;
  std::unique_ptr<protocol::ServerState> take_server() override { return std::move(server_); }

 private:
  Result begin(std::string& send);
  Result on_error(Bytes line);
  Result logged_in(Bytes rest, size_t used, std::string& send);

  protocol::LoginTarget target_;
  Audiences* audiences_;
  bool begun_ = false;        // else TLS comes first
  bool says_secret_ = false;  // and has no answer to it yet
  std::unique_ptr<ServerState> server_;
  std::optional<Survey> survey_;
  int answers_left_ = 0;
  size_t scanned_ = 0;  // of an answer without its end
};

}  // namespace weir::redis
