#include "link.h"

#include <weir/base/crypto.h>

#include "facts.h"
#include "greeting.h"
#include "login.h"
#include "lookup.h"
#include "talks.h"
#include "wire.h"

namespace weir::postgres {

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

class PostgresLink final : public protocol::Link {
 public:
  explicit PostgresLink(InternTable& texts) : texts_(texts) {}

  Progress on_client(protocol::ClientState& client, protocol::ServerState* server, Bytes in,
                     Sink& sink) const override {
    return ClientSide(texts_, of(client), server ? &of(*server) : nullptr, sink).judge(in);
  }

  Progress on_server(protocol::ClientState& client, protocol::ServerState& server, Bytes in,
                     Sink& sink) const override {
    return ServerSide(texts_, of(client), of(server), sink).judge(in);
  }

  // Between holds a server may report a changed setting or send a notice; anything else is a
  // surprise.
  bool on_idle_server(protocol::ServerState& server, Bytes in) const override {
    while (!in.empty()) {
      auto cut = cut_message(in, 64 * 1024);
      if (!cut || cut->consumed == 0 || (cut->type != 'S' && cut->type != 'N')) return false;
      if (cut->type == 'S') {
        BodyReader reader(cut->body);
        std::string name(reader.text());
        std::string value(reader.text());
        if (!reader.ok()) return false;
        note_reported(of(server).base, name, value);
        note_reported(of(server).reported, name, value);
      }
      in.remove_prefix(cut->consumed);
    }
    return misses_role(of(server).role, of(server).base).empty();
  }

  size_t answer_error(protocol::ClientState& client, const Error& error, Bytes in,
                      Sink& sink) const override {
    std::string answer;
    append_error(answer, error_fields(error, "ERROR"));
    Head head{'P', 0};
    size_t answered = 0;
    if (in.size() >= kHeadBytes && read_head(in, head) && (head.type == 'Q' || head.type == 'F')) {
      append_ready(answer, 'I');
      answered = std::min(in.size(), head.total);
      of(client).body_left = head.total - answered;
      of(client).body_dropped = true;
    } else {
      of(client).skip_to_sync = true;
    }
    sink.to_client.add_copy(answer);
    return answered;
  }

  void say_fatal(const protocol::ClientState&, const Error& error,
                 std::string& out) const override {
    append_fatal(out, error);
  }

  void say_notice(const std::string& text, std::string& out) const override {
    append_notice(out, {.severity = "NOTICE", .sqlstate = "00000", .message = text});
  }

  std::string_view goodbye() const override { return {"X\0\0\0\4", 5}; }

  Condition condition(const protocol::ServerState& state) const override {
    const ServerState& server = of(state);
    if (server.client_body_open || server.retire) return Condition::Broken;
    if (server.status != 'I' || !at_rest(server)) return Condition::Open;
    if (server.is_used_up) return Condition::Broken;
    return server.dirty || server.remains.any() ? Condition::Dirty : Condition::Clean;
  }

  bool is_mid_piece(const protocol::ServerState& server) const override {
    return of(server).body_left > 0 && !of(server).body_dropped;
  }

  // A stream of replication.
  bool is_open_ended(const protocol::ServerState& server) const override {
    return of(server).copy == Copy::Both;
  }
  std::optional<protocol::Pin> pin(const protocol::ServerState& server) const override {
    if (of(server).copy == Copy::Both) return protocol::Pin::Replication;
    return of(server).remains.pin();
  }
  bool is_idle(const protocol::ClientState& client) const override {
    return of(client).body_left == 0 && !of(client).skip_to_sync;
  }

  bool owes(const protocol::ServerState& server) const override {
    return !of(server).ledger.empty();
  }

  bool cancel_matches(const protocol::ClientState& client,
                      const CancelRequest& request) const override {
    return base::equal_constant_time(of(client).cancel_key, request.secret);
  }

  std::unique_ptr<Dialogue> attach(protocol::ClientState& client,
                                   protocol::ServerState& server) const override {
    return make_attach(texts_, of(client), of(server));
  }
  std::unique_ptr<Dialogue> reset(protocol::ServerState& server,
                                  const std::string& how) const override {
    return make_reset(of(server), how);
  }
  std::unique_ptr<Dialogue> recover(protocol::ServerState& server) const override {
    return make_recover(texts_, of(server));
  }
  std::unique_ptr<Dialogue> check(protocol::ServerState& server) const override {
    return make_check(of(server));
  }
  std::unique_ptr<Dialogue> cancel(protocol::ServerState& server, std::string&) const override {
    return make_cancel(of(server));
  }

 private:
  InternTable& texts_;
};

class PostgresProtocol final : public protocol::Protocol {
 public:
  explicit PostgresProtocol(InternTable& texts) : texts_(texts), link_(texts) {}
  std::string_view name() const override { return "postgres"; }
  const protocol::Link& link() const override { return link_; }
  std::unique_ptr<protocol::Greeting> greet(
      const protocol::GreetingOptions& options) const override {
    return std::make_unique<PostgresGreeting>(
        GreetingParts{.texts = texts_,
                      .secrets = secrets_,
                      .login_bytes_max = options.login_bytes_max,
                      .tls = options.tls});
  }
  std::unique_ptr<protocol::Login> login(const protocol::LoginTarget& target) const override {
    return std::make_unique<PostgresLogin>(target, PostgresLogin::Parts{secrets_});
  }
  std::unique_ptr<protocol::Facts> facts() const override { return make_facts({}); }
  bool reads_only(uint64_t variant) const override { return variant == kReaders; }
  std::unique_ptr<Dialogue> query(const std::string& text,
                                  protocol::ServerState& server) const override {
    return make_query(of(server), text);
  }
  std::unique_ptr<protocol::Lookup> lookup(const std::string& text, const std::string& argument,
                                           protocol::ServerState& server) const override {
    return make_lookup(of(server), text, argument);
  }

 private:
  InternTable& texts_;
  PostgresLink link_;
  mutable ScramStore secrets_;  // brings its own lock
};

}  // namespace

std::unique_ptr<protocol::Protocol> make_protocol(base::InternTable& texts) {
  return std::make_unique<PostgresProtocol>(texts);
}

}  // namespace weir::postgres
