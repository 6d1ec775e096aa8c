#include "link.h"

#include <weir/protocol/tds.h>

#include "greeting.h"
#include "login.h"
#include "talks.h"

namespace weir::tds {

namespace {

using protocol::CancelRequest;
using protocol::Condition;
using protocol::Dialogue;

ClientState& of(protocol::ClientState& client) { return static_cast<ClientState&>(client); }
const ClientState& of(const protocol::ClientState& client) {
  return static_cast<const ClientState&>(client);
}
ServerState& of(protocol::ServerState& server) { return static_cast<ServerState&>(server); }
const ServerState& of(const protocol::ServerState& server) {
  return static_cast<const ServerState&>(server);
}

class TdsLink final : public protocol::Link {
 public:
  explicit TdsLink(InternTable& texts) : texts_(texts) {}

  Progress on_client(protocol::ClientState& client, protocol::ServerState* server, Bytes in,
                     Sink& sink) const override {
    return ClientSide(texts_, of(client), server ? &of(*server) : nullptr, sink).judge(in);
  }
  Progress on_server(protocol::ClientState& client, protocol::ServerState& server, Bytes in,
                     Sink& sink) const override {
    return ServerSide(texts_, of(client), of(server), sink).judge(in);
  }
  bool clients_say_goodbye() const override { return false; }
  bool on_idle_server(protocol::ServerState&, Bytes in) const override { return in.empty(); }

  size_t answer_error(protocol::ClientState& client, const Error& error, Bytes in,
                      Sink& sink) const override {
    return ClientSide(texts_, of(client), nullptr, sink).answer_parked(in, error);
  }
  void say_fatal(const protocol::ClientState& client, const Error& error,
                 std::string& out) const override {
    append_error_answer(out, of(client).version, message_of(error, Gravity::Fatal));
  }
  // Outside of an answer a server says nothing.
  void say_notice(const std::string&, std::string&) const override {}
  std::string_view goodbye() const override { return {}; }

  Condition condition(const protocol::ServerState& state) const override {
    const ServerState& server = of(state);
    if (server.request_open || server.bulk) return Condition::Broken;
    if (!server.at_rest()) return Condition::Open;
    if (server.retire) return Condition::Broken;
    return server.dirty || server.pin || server.settings_unknown ? Condition::Dirty
                                                                 : Condition::Clean;
  }
  bool is_mid_piece(const protocol::ServerState& server) const override {
    return of(server).answer.open;
  }
  std::optional<protocol::Pin> pin(const protocol::ServerState& server) const override {
    return of(server).bulk ? protocol::Pin::Bulk : of(server).pin;
  }
  bool is_idle(const protocol::ClientState& client) const override {
    return of(client).packets.at_message_border();
  }
  bool owes(const protocol::ServerState& server) const override {
    return of(server).turn != ServerState::Turn::None || of(server).attentions > 0;
  }
  bool cancel_matches(const protocol::ClientState&, const CancelRequest&) const override {
    return false;
  }
  bool ends_user(const Error& why) const override { return why.code == "28000"; }

  std::unique_ptr<Dialogue> attach(protocol::ClientState& client,
                                   protocol::ServerState& server) const override {
    return make_attach(of(client), of(server));
  }
  std::unique_ptr<Dialogue> reset(protocol::ServerState& server,
                                  const std::string& how) const override {
    return make_reset(of(server), how);
  }
  std::unique_ptr<Dialogue> recover(protocol::ServerState& server) const override {
    return make_recover(of(server));
  }
  std::unique_ptr<Dialogue> check(protocol::ServerState& server) const override {
    return make_check(of(server));
  }
  // 2.2.1.7 "Attention".
  std::unique_ptr<Dialogue> cancel(protocol::ServerState& state,
                                   std::string& to_server) const override {
    ServerState& server = of(state);
    if (server.turn != ServerState::Turn::Client || server.request_open || server.attentions > 0)
      return nullptr;
    append_attention(to_server);
    ++server.attentions;
    ++server.own_attentions;
    return nullptr;
  }

 private:
  InternTable& texts_;
};

class TdsProtocol final : public protocol::Protocol {
 public:
  explicit TdsProtocol(InternTable& texts) : link_(texts) {}
  std::string_view name() const override { return "tds"; }
  const protocol::Link& link() const override { return link_; }
  std::unique_ptr<protocol::Greeting> greet(
      const protocol::GreetingOptions& options) const override {
    return std::make_unique<TdsGreeting>(options, languages_);
  }
  std::unique_ptr<protocol::Login> login(const protocol::LoginTarget& target) const override {
    return std::make_unique<TdsLogin>(target, languages_);
  }
  std::unique_ptr<protocol::Facts> facts() const override { return std::make_unique<TdsFacts>(); }
  bool reads_only(uint64_t variant) const override {
    return (shape_of(variant).type_flags & kReadOnlyIntent) != 0;
  }
  std::unique_ptr<Dialogue> query(const std::string& text,
                                  protocol::ServerState& server) const override {
    return make_query(of(server), text);
  }

 private:
  TdsLink link_;
  mutable Languages languages_;
};

}  // namespace

std::unique_ptr<protocol::Protocol> make_protocol(InternTable& texts) {
  return std::make_unique<TdsProtocol>(texts);
}

}  // namespace weir::tds
