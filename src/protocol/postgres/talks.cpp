#include "talks.h"

#include <weir/base/limits.h>

#include "link.h"
#include "wire.h"

namespace weir::postgres {

namespace {

using protocol::Encryption;
using protocol::Step;

// Simple Queries, one behind the other, whose rows do not matter. An error in one is the dialogue's
// failure, but the talk goes on to ReadyForQuery, so that the server stays usable when the caller
// can live with the error.
class QueryTalk : public Dialogue {
 public:
  using Finish = std::function<void()>;
  QueryTalk(ServerState& server, std::vector<std::string> texts, Finish finish)
      : server_(server), texts_(std::move(texts)), finish_(std::move(finish)) {}

  Result start(std::string& send) override {
    append_query(send, texts_[0]);
    server_.unnamed_mark = 0;  // "Extended Query", 55.2.3: a simple Query destroys it
    return {Step::Wait, 0};
  }

  Result feed(Bytes in, std::string& send) override {
    size_t used = 0;
    while (used < in.size()) {
      auto cut = cut_message(in.substr(used), base::kServerNoteBytesMax);
      if (!cut) return fail(cut.error(), used);
      if (cut->consumed == 0) return {Step::Wait, used};
      used += cut->consumed;
      if (const Result end = on_message(*cut, used, send); end.step != Step::Wait) return end;
    }
    return {Step::Wait, used};
  }

  // What it said before was its last word, not a refusal of what it was asked.
  Result on_end() override {
    error_.kind = base::ErrorKind::Unreachable;
    return Dialogue::on_end();
  }

 private:
  Result on_message(const CutMessage& message, size_t used, std::string& send) {
    switch (message.type) {
      case 'E': error_ = read_refusal(message.body); return {Step::Wait, 0};
      case 'S': note_status(message.body); return {Step::Wait, 0};
      case 'Z':
        server_.status = message.body.empty() ? '?' : message.body[0];
        if (server_.status == 'I' || server_.status == 'T') return finish(used, send);
        return fail({base::ErrorKind::Protocol, "the server is in a failed transaction"}, used);
      case 'C':
      case 'T':
      case 'D':
      case 'I':
      case 'N': return {Step::Wait, 0};
      case 'A': return keep_notification(message.body);
      default:
        return fail({base::ErrorKind::Protocol, "the server sent an unexpected message"}, used);
    }
  }

  Result keep_notification(Bytes body) {
    if (server_.heard.size() + body.size() > base::kParkedBytesMax)
      return fail({base::ErrorKind::TooLarge, "too many notifications"});
    MessageBuilder(server_.heard, 'A').raw(body);
    return {Step::Wait, 0};
  }

  void note_status(Bytes body) {
    BodyReader reader(body);
    std::string name(reader.text());
    std::string value(reader.text());
    if (reader.ok()) note_reported(server_.reported, name, value);
  }

  Result finish(size_t used, std::string& send) {
    if (!error_.text.empty()) return {Step::Fail, used};
    if (++done_ < texts_.size()) {
      append_query(send, texts_[done_]);
      return {Step::Wait, used};
    }
    if (finish_) finish_();
    return {Step::Done, used};
  }

  ServerState& server_;
  std::vector<std::string> texts_;
  size_t done_ = 0;
  Finish finish_;
};

std::string quote_literal(std::string_view value) {
  const bool escapes = value.find('\\') != std::string_view::npos;
  std::string out(escapes ? "E'" : "'");
  for (const char c : value) {
    if (c == '\'' || c == '\\') out.push_back(c);
    out.push_back(c);
  }
  return out + "'";
}

// set_config() takes a value exactly as a start-up packet does; SET would read lists and quotes
// differently.
std::string attach_text(const SettingMap& wanted, const ServerState& server) {
  const SettingMap current = settings_of(server.in_force);
  bool reset = server.settings_unknown;
  for (const auto& [name, value] : current) {
    const auto next = wanted.find(name);
    // Another role may not be allowed to set what the next one wants.
    reset = reset || next == wanted.end() || (name == "role" && next->second != value);
  }
  // RESET ALL leaves the role and the session's user alone.
  std::string text(reset ? "SET SESSION AUTHORIZATION DEFAULT;RESET ROLE;RESET ALL;" : "");
  const auto set = [&](const std::string& name, const std::string& value) {
    const auto now = current.find(name);
    if (!reset && now != current.end() && now->second == value) return;
    text += "SELECT pg_catalog.set_config(" + quote_literal(name) + "," + quote_literal(value) +
            ",false);";
  };
  for (const auto& [name, value] : wanted)
    if (name != "role") set(name, value);
  // Behind it the others could not be set.
  if (const auto role = wanted.find("role"); role != wanted.end()) set("role", role->second);
  return text;
}

// The same settings as the server spells them, so that equal sets are one text.
Interned canonical(InternTable& texts, SettingMap wanted, const ServerState& server) {
  for (const auto& [name, value] : server.reported) {
    const std::string lower = lower_case(name);
    const auto own = wanted.find(lower);
    if (own != wanted.end() && is_carried(lower)) own->second = value;
  }
  return intern_settings(texts, wanted);
}

// Swallows what the server owes and brings it back outside a transaction.
class RecoverTalk final : public Dialogue {
 public:
  RecoverTalk(InternTable& texts, ServerState& server) : texts_(texts), server_(server) {
    nobody_.options.transaction_mode = false;
  }

  Result start(std::string& send) override {
    close(send);
    return next(0, send);
  }

  Result feed(Bytes in, std::string& send) override {
    protocol::Sink sink{to_client_, to_server_};
    const Progress progress = ServerSide(texts_, nobody_, server_, sink).judge(in);
    to_client_.clear();
    to_server_.clear();
    if (progress.next == Next::Fail) return fail(sink.error, progress.consumed);
    if (server_.copy == Copy::In) close(send);
    if (!server_.ledger.empty() || server_.body_left > 0) return {Step::Wait, progress.consumed};
    return next(progress.consumed, send);
  }

 private:
  // Ends what waits for the client to go on.
  void close(std::string& send) {
    const bool copies = server_.copy == Copy::In;
    if (copies) {
      MessageBuilder(send, 'f').text("the client is gone");
      server_.copy = Copy::None;
    }
    if (!server_.unsynced) return;
    // A Sync alone would commit what the client never finished: let the server fail first.
    if (!copies && !server_.skipping) {
      send += poison_message();
      server_.ledger.push({.kind = Entry::Kind::Bind, .fate = Entry::Fate::Poison});
    }
    append_sync(send);
    server_.ledger.push({.kind = Entry::Kind::Sync});
    server_.unsynced = server_.skipping = false;
  }

  Result next(size_t used, std::string& send) {
    if (!server_.ledger.empty()) return {Step::Wait, used};
    if (server_.status == 'I') {
      if (!at_rest(server_))
        return fail({base::ErrorKind::Protocol, "the server is not at rest"}, used);
      return {Step::Done, used};
    }
    append_query(send, "ROLLBACK");
    server_.ledger.push({.kind = Entry::Kind::Query});
    return {Step::Wait, used};
  }

  InternTable& texts_;
  ServerState& server_;
  ClientState nobody_;
  base::Gather to_client_, to_server_;
};

// "Canceling Requests in Progress", 55.2.8: the server's answer is that it closes.
class CancelTalk final : public Dialogue {
 public:
  explicit CancelTalk(const ServerState& server)
      : process_id_(static_cast<uint32_t>(server.process_id)),
        key_(server.cancel_key),
        tls_(server.tls) {}
  Result start(std::string& send) override {
    if (tls_ == Encryption::Direct) return {Step::StartTls, 0};
    asked_ = tls_ != Encryption::None;
    asked_ ? append_ssl_request(send) : append_cancel_request(send, process_id_, key_);
    return {Step::Wait, 0};
  }
  Result feed(Bytes in, std::string& send) override {
    if (std::exchange(is_secured_, false)) append_cancel_request(send, process_id_, key_);
    if (!asked_ || in.empty()) return {Step::Wait, in.size()};
    asked_ = false;
    if (in == "S") return {Step::StartTls, 1};
    return fail({base::ErrorKind::Protocol, "the server does not take a cancel over TLS"},
                in.size());
  }
  void secured(const protocol::Secured&) override { is_secured_ = true; }
  Result on_end() override { return {Step::Done, 0}; }

 private:
  uint32_t process_id_;
  std::string key_;
  const Encryption tls_;
  bool asked_ = false;       // for TLS, and waits for the answer
  bool is_secured_ = false;  // the request can be sent
};

}  // namespace

std::unique_ptr<Dialogue> make_attach(InternTable& texts, ClientState& client,
                                      ServerState& server) {
  if (!server.settings_unknown && client.wanted == server.in_force) return nullptr;
  const SettingMap wanted = settings_of(client.wanted);
  std::vector<std::string> text{attach_text(wanted, server)};
  return std::make_unique<QueryTalk>(server, std::move(text), [&, wanted] {
    client.wanted = server.in_force = canonical(texts, wanted, server);
    server.settings_unknown = false;
  });
}

std::unique_ptr<Dialogue> make_reset(ServerState& server, const std::string& how) {
  const bool is_clean = !server.dirty && !server.remains.any();
  if (how == "never") {
    server.remains.clear();
    server.heard.clear();
  }
  if (how == "never" || (how == "auto" && is_clean)) return nullptr;
  const bool discards = how == "auto" || how == "always";
  const auto finish = [&server, discards] {
    server.dirty = false;
    server.remains.clear();
    server.heard.clear();
    server.settings_unknown = !discards;
    if (discards) server.in_force = {};
    server.prepared.clear();
  };
  // What a text of the operator's does to statements nobody knows: afterwards there are none.
  std::vector<std::string> texts{discards ? "DISCARD ALL" : how};
  if (!discards) texts.emplace_back("DEALLOCATE ALL");
  return std::make_unique<QueryTalk>(server, std::move(texts), finish);
}

std::unique_ptr<Dialogue> make_check(ServerState& server) { return make_query(server, ""); }

std::unique_ptr<Dialogue> make_query(ServerState& server, const std::string& text) {
  return std::make_unique<QueryTalk>(server, std::vector{text}, nullptr);
}

std::unique_ptr<Dialogue> make_recover(InternTable& texts, ServerState& server) {
  return std::make_unique<RecoverTalk>(texts, server);
}

std::unique_ptr<Dialogue> make_cancel(const ServerState& server) {
  if (server.process_id == 0) return nullptr;
  return std::make_unique<CancelTalk>(server);
}

}  // namespace weir::postgres
