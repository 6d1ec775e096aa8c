// weir logs in to a SQL Server. One for each new server connection, owned by whoever opens it, on
// its worker's thread; take_server() ends it.
//
// Start ──▶ (Covering ──▶) Prelogin ──▶ (Shaking ──▶) Login ──▶ Probe ──▶ Done
//   Every state may end in Failed. Covering waits for TLS around everything (TDS 8.0), Prelogin for
//   the server's half of it, Shaking for the TLS that the two have agreed on, Login for the reply
//   to LOGIN7 (MS-TDS 3.2.5, "Sent LOGIN7"), Probe for that to a batch which begins a transaction
//   and ends it: whether the server tells of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "prelogin.h"
#include "reply_reader.h"
#include "state.h"

namespace weir::tds {

class TdsLogin final : public protocol::Login {
 public:
  static constexpr size_t kPreloginBytesMax = 4096;
  static constexpr size_t kReplyBytesMax = 256 * 1024;  // all that the server says behind that

  // What a failure says: Refused of who logs in, with the server's own words and an SQLSTATE for a
  // code; Config of what the configuration has to say otherwise; Unreachable of a server that
  // cannot be used now; Protocol, TooLarge. Never the secret.
  TdsLogin(protocol::LoginTarget target, const Languages& languages);

  Result start(std::string& send) override;
  Result feed(Bytes in, std::string& send) override;
  Result on_end() override;
  // Null where TLS comes first.
  std::shared_ptr<base::Envelope> envelope() override;
  std::unique_ptr<protocol::ServerState> take_server() override { return std::move(server_); }
  std::optional<Elsewhere> elsewhere() const override { return elsewhere_; }

 private:
  enum class State : uint8_t {
    Start,
    Covering,
    Prelogin,
    Shaking,
    Login,
    Probe,
    Done,
    Failed,
  };

  Result say_prelogin(std::string& send);
  Result on_prelogin(Bytes in, std::string& send);
  Result on_cover(size_t used, std::string& send);
  Result say_login(size_t used, std::string& send);
  Result on_reply(Bytes in, std::string& send);
  void on_event(const TokenEvent& event);
  void on_login_ack(const TokenEvent& event);
  void on_feature(const TokenEvent& event);
  void on_change(const EnvChange& change);
  void on_packet_size(const EnvChange& change);
  void on_routing(const EnvChange& change);
  Result logged_in(TokenWalker::End end, size_t used, std::string& send);
  Result probed(TokenWalker::End end, size_t used);

  bool is_direct() const { return target_.tls == protocol::Encryption::Direct; }
  Version version_to_ask_for() const;
  Result on_early_error(Bytes payload);
  Error refusal() const;
  void flaw(ErrorKind kind, std::string text);  // the first one ends the login
  Result give_up(Error error);

  const protocol::LoginTarget target_;
  std::string language_;
  State state_ = State::Start;
  Cover cover_ = Cover::None;
  std::unique_ptr<ServerState> server_;
  MessageAssembler prelogin_{Side::Server, kPreloginBytesMax};
  ReplyReader reader_;
  std::optional<ServerMessage> message_;  // the first ERROR
  std::optional<Error> flaw_;
  bool heard_ = false;  // the server has said something
  std::optional<Elsewhere> elsewhere_;
  bool acknowledged_ = false;
  bool has_error_ = false;  // the replies tell of one
  bool announced_ = false;  // the probe's reply tells of its transaction
};

}  // namespace weir::tds
