#include "link.h"

#include <weir/protocol/redis.h>

#include "greeting.h"
#include "login.h"
#include "talks.h"

namespace weir::redis {

namespace {

using protocol::CancelRequest;
using protocol::Condition;

ClientState& of(protocol::ClientState& client) { return static_cast<ClientState&>(client); }
const ClientState& of(const protocol::ClientState& client) {
  return static_cast<const ClientState&>(client);
}
ServerState& of(protocol::ServerState& server) { return static_cast<ServerState&>(server); }
const ServerState& of(const protocol::ServerState& server) {
  return static_cast<const ServerState&>(server);
}

class RedisLink final : public protocol::Link {
 public:
  Progress on_client(protocol::ClientState& client, protocol::ServerState* server, Bytes in,
                     Sink& sink) const override {
    return ClientSide(of(client), server ? &of(*server) : nullptr, sink).judge(in);
  }

  Progress on_server(protocol::ClientState& client, protocol::ServerState& server, Bytes in,
                     Sink& sink) const override {
    return ServerSide(of(client), of(server), sink).judge(in);
  }

  Progress on_lane(protocol::ServerState& server, Bytes in,
                   std::vector<protocol::Share>& shares) const override {
    return share_answers(of(server), in, shares);
  }

  bool on_idle_server(protocol::ServerState&, Bytes in) const override { return in.empty(); }

  size_t answer_error(protocol::ClientState& client, const Error& error, Bytes in,
                      Sink& sink) const override {
    return answer_parked(of(client), error, in, sink);
  }

  void say_fatal(const Error& error, std::string& out) const override { append_error(out, error); }
  void say_notice(const std::string&, std::string&) const override {}  // RESP2 has no room for it
  std::string_view goodbye() const override { return "*1\r\n$4\r\nQUIT\r\n"; }

  Condition condition(const protocol::ServerState& state) const override {
    const ServerState& server = of(state);
    if (server.raw || server.broken || server.request_open) return Condition::Broken;
    return server.at_rest() ? Condition::Clean : Condition::Open;
  }

  // Behind a raw command nobody knows.
  bool is_mid_piece(const protocol::ServerState& server) const override {
    return of(server).reply.open() || of(server).raw;
  }
  bool is_idle(const protocol::ClientState& client) const override {
    return !of(client).stream.open();
  }
  bool owes(const protocol::ServerState& server) const override {
    return !of(server).ledger.empty();
  }
  bool cancel_matches(const protocol::ClientState&, const CancelRequest&) const override {
    return false;
  }

  std::unique_ptr<Dialogue> attach(protocol::ClientState&, protocol::ServerState&) const override {
    return nullptr;
  }
  std::unique_ptr<Dialogue> reset(protocol::ServerState& server,
                                  const std::string& how) const override {
    if (how == "never" || of(server).at_rest()) return nullptr;
    return make_recover(of(server));
  }
  std::unique_ptr<Dialogue> recover(protocol::ServerState& server) const override {
    return of(server).at_rest() ? nullptr : make_recover(of(server));
  }
  std::unique_ptr<Dialogue> check(protocol::ServerState& server) const override {
    return make_check(of(server));
  }
  std::unique_ptr<Dialogue> cancel(const protocol::ServerState&) const override { return nullptr; }
};

class NoFacts final : public protocol::Facts {
 public:
  void learn(const protocol::ServerState&) override {}
};

class RedisProtocol final : public protocol::Protocol {
 public:
  std::string_view name() const override { return "redis"; }
  const protocol::Link& link() const override { return link_; }
  std::unique_ptr<protocol::Greeting> greet(
      const protocol::GreetingOptions& options) const override {
    return std::make_unique<RedisGreeting>(options.login_bytes_max);
  }
  std::unique_ptr<protocol::Login> login(const protocol::LoginTarget& target) const override {
    return std::make_unique<RedisLogin>(target);
  }
  std::unique_ptr<protocol::Facts> facts() const override { return std::make_unique<NoFacts>(); }
  std::unique_ptr<Dialogue> query(const std::string& text,
                                  protocol::ServerState& server) const override {
    return make_query(of(server), text);
  }

 private:
  RedisLink link_;
};

}  // namespace

std::unique_ptr<protocol::Protocol> make_protocol() { return std::make_unique<RedisProtocol>(); }

}  // namespace weir::redis
