#include "talks.h"

#include <algorithm>
#include <utility>

#include "batch_talk.h"

namespace weir::tds {

namespace {

using protocol::Step;

constexpr std::string_view kImplicit = "IMPLICIT_TRANSACTIONS";
// These change others: LANGUAGE brings its own DATEFIRST and DATEFORMAT.
constexpr std::string_view kFirst[] = {kDatabase, "ANSI_DEFAULTS", "LANGUAGE"};
// One leaves every level. Never a loop: on Babelfish a reset leaves @@TRANCOUNT behind, and none of
// its rounds would lower that. Never with a reset, for the same reason.
constexpr const char* kRollback = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION";

// ---------------------------------------------------------------- settings

std::string use_text(std::string_view database) {
  std::string text = "USE [";
  for (const char c : database) {
    if (c == ']') text.push_back(c);
    text.push_back(c);
  }
  return text + "];";
}

std::string set_text(std::string_view name, std::string_view value) {
  if (name == kDatabase) return use_text(value);
  return std::string("SET ").append(name).append(" ").append(value).append(";");
}

// What a reset may leave as it is: the isolation level (2.2.3.1.2), Babelfish also the database.
std::string baseline_text(const ServerState& server) {
  std::string text = set_text(kIsolation, "READ COMMITTED");
  if (!server.facts.database.empty()) text += use_text(server.facts.database);
  return text;
}

bool goes_first(std::string_view name) {
  for (const std::string_view first : kFirst)
    if (name == first) return true;
  return false;
}

// Those of `wanted` that `current` has not got so. All, if one of these changes others.
std::string settings_text(const SettingMap& wanted, const SettingMap& current) {
  const auto differs = [&](std::string_view name) {
    const auto to = wanted.find(name), from = current.find(name);
    return to != wanted.end() && (from == current.end() || from->second != to->second);
  };
  std::string text;
  bool all = false;
  for (const std::string_view name : kFirst) {
    if (!differs(name)) continue;
    text += set_text(name, wanted.find(name)->second);
    all = all || name != kDatabase;
  }
  for (const auto& [name, value] : wanted)
    if (!goes_first(name) && name != kImplicit && (all || differs(name)))
      text += set_text(name, value);
  // Behind it even what only looks at a table begins a transaction.
  if (wanted.contains(kImplicit) && (all || differs(kImplicit)))
    text += set_text(kImplicit, wanted.find(kImplicit)->second);
  return text;
}

bool needs_reset(const SettingMap& wanted, const ServerState& server) {
  if (server.settings_unknown || server.dirty) return true;
  for (const auto& [name, value] : settings_of(server.in_force))
    if (!wanted.contains(name)) return true;
  return false;
}

void note_reset(ServerState& server) {
  server.forget_state();
  server.settings_unknown = false;
}

// In session mode nobody has looked at what a server that does not announce transactions was asked.
bool may_have_transaction(const ServerState& server) {
  return server.transaction != 0 || server.may_be_in_transaction ||
         (!server.announces && (server.dirty || server.settings_unknown || server.pin));
}

OwnBatch rollback_batch(ServerState& server) {
  return {.text = kRollback, .then = [&server] {
            server.transaction = 0;
            server.may_be_in_transaction = false;
          }};
}

std::unique_ptr<Dialogue> make_talk(ServerState& server, std::vector<OwnBatch> batches) {
  return std::make_unique<BatchTalk>(server, std::move(batches));
}

// ---------------------------------------------------------------- recover

// Draining ──▶ (RollingBack ──▶) Done
//   Draining waits for the end of the reply and the acknowledgement of every attention, which
//   stands in the reply or in a message behind it (2.2.1.7; 3.2.5, "Sent Attention").
class RecoverTalk final : public Dialogue {
 public:
  static constexpr size_t kDrainBytesMax = 64 << 20;

  explicit RecoverTalk(ServerState& server)
      : server_(server),
        reader_(server, kDrainBytesMax),
        rollback_(server, {rollback_batch(server)}) {}

  Result start(std::string& send) override {
    if (server_.request_open)
      return fail({ErrorKind::Protocol, "half a request has been sent to the server"});
    if (server_.bulk || server_.outcome.bulk)
      return fail({ErrorKind::Protocol, "the server waits for rows"});
    server_.attentions -= std::min(server_.attentions, server_.acknowledged);
    server_.acknowledged = 0;
    if (is_drained()) return roll_back(0, send);
    if (server_.attentions == 0) {
      append_attention(send);
      ++server_.attentions;
      ++server_.own_attentions;
    }
    return {Step::Wait, 0};
  }

  Result feed(Bytes in, std::string& send) override {
    if (rolls_back_) return from_rollback(rollback_.feed(in, send), 0);
    size_t used = 0;
    while (used < in.size()) {
      const auto walked = reader_.walk(in.substr(used), [this](const TokenEvent& event) {
        if (event.kind == TokenEvent::Kind::Done) on_done(event.done);
      });
      if (!walked) return fail(walked.error(), used);
      used += walked.value().bytes;
      if (!walked.value().ended) break;
      // Whoever breaks off owes the acknowledgement still.
      if (walked.value().end != TokenWalker::End::Final && server_.attentions == 0)
        return fail({ErrorKind::Protocol, "the server's answer has no end"}, used);
      end_turn();
      if (is_drained()) return drained(in, used, send);
    }
    return {Step::Wait, used};
  }

 private:
  bool is_drained() const {
    return server_.turn == ServerState::Turn::None && server_.attentions == 0;
  }

  void on_done(const Done& done) {
    if ((done.status & kDoneAttention) != 0 && server_.attentions > 0) --server_.attentions;
  }

  void end_turn() {
    using Turn = ServerState::Turn;
    const Turn turn = server_.turn;
    // Who announces has done so; of the others any request may have begun one.
    if (turn == Turn::Count || (turn == Turn::Client && !server_.announces))
      server_.may_be_in_transaction = true;
    server_.retire = server_.retire || server_.outlives_resets(server_.outcome);
    server_.begin(Turn::None);
    server_.outcome = {};
    server_.must_count = false;
    server_.settings_unknown = true;
  }

  Result drained(Bytes in, size_t used, std::string& send) {
    server_.own_attentions = 0;
    if (may_have_transaction(server_) && used < in.size())
      return fail({ErrorKind::Protocol, "the server said more than its answer"}, used);
    return roll_back(used, send);
  }

  Result roll_back(size_t used, std::string& send) {
    server_.dirty = true;
    rolls_back_ = may_have_transaction(server_);
    if (!rolls_back_) return {Step::Done, used};
    return from_rollback(rollback_.start(send), used);
  }

  Result from_rollback(Result result, size_t used) {
    error_ = rollback_.error();
    return {result.step, used + result.consumed};
  }

  Result on_end() override {
    if (!rolls_back_) return Dialogue::on_end();
    return from_rollback(rollback_.on_end(), 0);
  }

  ServerState& server_;
  ReplyReader reader_;
  BatchTalk rollback_;
  bool rolls_back_ = false;
};

}  // namespace

std::unique_ptr<Dialogue> make_attach(const ClientState& client, ServerState& server) {
  if (!server.settings_unknown && client.wanted == server.in_force) return nullptr;
  const SettingMap wanted = settings_of(client.wanted);
  const SettingMap current = settings_of(server.in_force);
  const bool stays = current.contains(kIsolation) || current.contains(kDatabase);
  // The client's own reset does as well, where it removes all that there is.
  if (client.resets_next && !stays && !server.settings_unknown && !server.dirty) return nullptr;
  const bool resets = needs_reset(wanted, server);
  OwnBatch batch;
  batch.resets = resets;
  batch.text =
      resets ? baseline_text(server) + settings_text(wanted, {}) : settings_text(wanted, current);
  batch.then = [&server, resets, in_force = client.wanted] {
    if (resets) note_reset(server);
    server.put_in_force(in_force);
    server.settings_unknown = false;
  };
  // Until then, as an error may come in the middle of them.
  server.settings_unknown = true;
  std::vector<OwnBatch> batches;
  if (resets && may_have_transaction(server)) batches.push_back(rollback_batch(server));
  batches.push_back(std::move(batch));
  return make_talk(server, std::move(batches));
}

std::unique_ptr<Dialogue> make_reset(ServerState& server, const std::string& how) {
  if (how == "never") {  // what there is is everybody's
    server.pin.reset();
    server.native = false;
    server.objection.reset();
    return nullptr;
  }
  const bool is_clean =
      !server.dirty && !server.settings_unknown && !server.pin && !may_have_transaction(server);
  if (is_clean && how != "always") return nullptr;
  std::vector<OwnBatch> batches;
  if (may_have_transaction(server)) batches.push_back(rollback_batch(server));
  batches.push_back(
      {.text = baseline_text(server), .resets = true, .then = [&server] { note_reset(server); }});
  if (how != "auto" && how != "always") batches.push_back({.text = how});
  return make_talk(server, std::move(batches));
}

std::unique_ptr<Dialogue> make_recover(ServerState& server) {
  if (server.at_rest()) return nullptr;
  return std::make_unique<RecoverTalk>(server);
}

std::unique_ptr<Dialogue> make_check(ServerState& server) {
  return make_talk(server, {{.text = "SELECT 1", .rows_min = 1}});
}

std::unique_ptr<Dialogue> make_query(ServerState& server, const std::string& text) {
  return make_talk(server, {{.text = text}});
}

}  // namespace weir::tds
