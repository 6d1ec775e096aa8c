#include "link.h"

#include <weir/protocol/redis.h>

#include "audience.h"
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

// Answers that say nothing of the connection and come without waiting: they can be read up.
bool owes_plain_answers(const ServerState& server) {
  using Kind = Entry::Kind;
  for (const Kind kind : {Kind::Block, Kind::Select, Kind::Hello, Kind::Auth, Kind::Reset,
                          Kind::Subscribe, Kind::UnsubscribeAll, Kind::Monitor, Kind::Track,
                          Kind::Replica, Kind::Unknown, Kind::Probe, Kind::Pin, Kind::Held})
    if (server.ledger.has(kind)) return false;
  return !server.queued_state;
}

class RedisLink final : public protocol::Link {
 public:
  Progress on_client(protocol::ClientState& client, protocol::ServerState* server, Bytes in,
                     Sink& sink) const override {
    return ClientSide(of(client), server ? &of(*server) : nullptr, sink).judge(in);
  }

  std::string describe(const protocol::ClientState& client, const protocol::ServerState* server,
                       const protocol::Neighbour& self) const override {
    return redis::describe(of(client), server ? &of(*server) : nullptr, self);
  }
  Progress on_server(protocol::ClientState& client, protocol::ServerState& server, Bytes in,
                     Sink& sink) const override {
    return ServerSide(of(client), of(server), sink).judge(in);
  }

  bool on_idle_server(protocol::ServerState&, Bytes in) const override { return in.empty(); }

  size_t answer_error(protocol::ClientState& client, const Error& error, Bytes in,
                      Sink& sink) const override {
    return answer_parked(of(client), error, in, sink);
  }

  void say_fatal(const protocol::ClientState&, const Error& error,
                 std::string& out) const override {
    append_error(out, error);
  }
  void say_notice(const std::string&, std::string&) const override {}  // RESP2 has no room for it
  bool clients_say_goodbye() const override { return false; }
  std::string_view goodbye() const override { return "*1\r\n$4\r\nQUIT\r\n"; }

  Condition condition(const protocol::ServerState& state) const override {
    const ServerState& server = of(state);
    if (server.unknown || server.broken || server.request_open || server.replica || server.raw)
      return Condition::Broken;
    // Others may have redirected their invalidations here, and have to hear that it is gone.
    if (server.has_subscribed || server.subscriptions.all() > 0) return Condition::Broken;
    // What a hub was subscribed to only RESET undoes for certain.
    const bool plain = !server.monitor && !server.tracking && !server.foreign && !server.hub;
    if (!server.answered() || server.multi || server.watch)
      return plain && owes_plain_answers(server) ? Condition::Open : Condition::Broken;
    return plain && !server.logged_out ? Condition::Clean : Condition::Dirty;
  }

  bool is_mid_piece(const protocol::ServerState& server) const override {
    const ServerState& state = of(server);
    return state.raw || (state.reply.open() && state.piece != ServerState::Piece::Silent);
  }
  std::optional<protocol::Pin> pin(const protocol::ServerState& server) const override {
    return of(server).pin();
  }
  // Nobody times out what is to wait for others.
  bool is_open_ended(const protocol::ServerState& server) const override {
    return of(server).raw || of(server).ledger.has(Entry::Kind::Block);
  }
  bool ends_user(const Error& why) const override {
    return why.code == kServersWords &&
           (why.text.starts_with("WRONGPASS") || why.text.starts_with("NOAUTH"));
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

  std::unique_ptr<Dialogue> attach(protocol::ClientState& client,
                                   protocol::ServerState& server) const override {
    // While a script keeps the server busy nothing but what ends it may be asked.
    return of(client).indifferent ? nullptr : make_flavour(of(server), client.flavour());
  }
  std::unique_ptr<Dialogue> reset(protocol::ServerState& server,
                                  const std::string& how) const override {
    const bool dirty = condition(server) == Condition::Dirty;
    return dirty || how == "always" ? make_reset(of(server)) : nullptr;
  }
  std::unique_ptr<Dialogue> recover(protocol::ServerState& server) const override {
    return make_recover(of(server));
  }
  std::unique_ptr<Dialogue> check(protocol::ServerState& server) const override {
    return make_check(of(server));
  }
  std::unique_ptr<Dialogue> cancel(protocol::ServerState&, std::string&) const override {
    return nullptr;
  }
};

class RedisLanes final : public protocol::Lanes {
 public:
  Progress on_server(protocol::ServerState& server, Bytes in, std::vector<protocol::Share>& shares,
                     base::Gather& to_server) const override {
    if (of(server).hub) return share_with_listeners(of(server), in, {shares, to_server});
    return share_answers(of(server), in, shares);
  }
  // With RESP3 pushes can be told from answers. Clients of RESP2 do nothing there but listen.
  uint64_t flavour(const protocol::ClientState& client, protocol::LaneKind kind) const override {
    if (kind != protocol::LaneKind::Hub) return client.flavour();
    return flavour_of(of(client).resp == 3 ? of(client).database : kHome, 3);
  }
  std::unique_ptr<Dialogue> change_flavour(protocol::ServerState& server,
                                           uint64_t flavour) const override {
    return make_shared_flavour(of(server), flavour);
  }
  bool has_listeners(const protocol::ServerState& server) const override {
    const ServerState& state = of(server);
    if (state.hub) return !state.hub->is_empty() || state.reply.open();
    return state.subscriptions.all() > 0;
  }
  void leave(protocol::ServerState& server, uint64_t owner,
             base::Gather& to_server) const override {
    leave_hub(of(server), owner, to_server);
  }
};

class RedisFacts final : public protocol::Facts {
 public:
  // A server that does not say who it is counts as the one before.
  void learn(protocol::ServerState& server) override {
    of(server).pause = pause_;
    if (of(server).audience)
      audience_ = of(server).audience;
    else
      of(server).audience = audience_;
  }

 private:
  std::shared_ptr<Pause> pause_ = std::make_shared<Pause>();
  std::shared_ptr<Audience> audience_ = std::make_shared<Audience>();
};

class RedisProtocol final : public protocol::Protocol {
 public:
  std::string_view name() const override { return "redis"; }
  const protocol::Link& link() const override { return link_; }
  const protocol::Lanes* lanes() const override { return &lanes_; }
  std::unique_ptr<protocol::Greeting> greet(
      const protocol::GreetingOptions& options) const override {
    return std::make_unique<RedisGreeting>(options);
  }
  std::unique_ptr<protocol::Greeting> greet_again(
      const protocol::ClientState& client) const override {
    return std::make_unique<RedisGreeting>(of(client));
  }
  std::unique_ptr<protocol::Login> login(const protocol::LoginTarget& target) const override {
    return std::make_unique<RedisLogin>(target, KnownServers{&tables_, &audiences_});
  }
  std::unique_ptr<protocol::Facts> facts() const override { return std::make_unique<RedisFacts>(); }
  std::unique_ptr<Dialogue> query(const std::string& text,
                                  protocol::ServerState& server) const override {
    return make_query(of(server), text);
  }

 private:
  RedisLink link_;
  RedisLanes lanes_;
  mutable CommandTables tables_;
  mutable Audiences audiences_;
};

}  // namespace

std::unique_ptr<protocol::Protocol> make_protocol() { return std::make_unique<RedisProtocol>(); }

}  // namespace weir::redis
