// Prepared statements, from clients to servers: a client's handles are its own, whichever server
// runs what they stand for.
#include "link.h"

namespace weir::tds {

using protocol::Pin;

namespace {

ServerMessage unknown_handle(int32_t handle) {
  return {.number = 8179,
          .state = 4,
          .severity = 16,
          .text = "Could not find prepared statement with handle " + std::to_string(handle) + ".",
          .server = "weir"};
}

}  // namespace

std::optional<ClientSide::Step> ClientSide::judge_prepared(const Message& message) {
  Outcome& outcome = server_->outcome;
  if (outcome.by_text) return prepared_by_text(message);
  if (outcome.prepared.empty()) return std::nullopt;
  const bool carried = client_.options.prepared_statements > 0 && message.whole && !outcome.pin &&
                       server_->pin != Pin::Prepared;
  if (!carried) {
    // Handles are then the server's own; those that weir has given must not be among them.
    outcome.prepared.clear();
    if (client_.handles && !client_.handles->empty())
      return refuse(message, message_of({ErrorKind::Refused,
                                         "this call of a prepared statement cannot be carried, and "
                                         "earlier ones were",
                                         "0A000"},
                                        Gravity::Request));
    outcome.pin = Pin::Prepared;
    outcome.leaves = true;
    return std::nullopt;
  }
  bool only_ends = true;
  for (const PreparedCall& call : outcome.prepared) {
    if (call.procedure != Procedure::Unprepare) only_ends = false;
    if (auto step = ready(message, call)) return step;
  }
  return only_ends ? unprepare(message) : std::nullopt;
}

// What a text says of handles weir cannot change: the client gets a server that has no others.
std::optional<ClientSide::Step> ClientSide::prepared_by_text(const Message& message) {
  if (server_->pin == Pin::Prepared || server_->handles.made() == 0) return std::nullopt;
  const bool in_transaction = server_->transaction != 0 || server_->may_be_in_transaction;
  const bool has_handles = client_.handles && !client_.handles->empty();
  if (in_transaction || has_handles)
    return refuse(message,
                  message_of({ErrorKind::Refused,
                              "prepared statements by text and by call cannot be mixed", "0A000"},
                             Gravity::Request));
  server_->settings_unknown = true;
  return over(Next::Reattach);
}

// The server knows what the call stands for, and the call names it by the server's number.
std::optional<ClientSide::Step> ClientSide::ready(const Message& message,
                                                  const PreparedCall& call) {
  const bool defines =
      call.procedure == Procedure::Prepare || call.procedure == Procedure::PrepExec;
  if (defines && !call.handle) return std::nullopt;
  const int32_t handle = call.handle.value_or(0);
  const Interned* definition = client_.handles ? client_.handles->find(handle) : nullptr;
  if (!definition) return refuse(message, unknown_handle(handle));
  if (call.procedure == Procedure::Unprepare) return std::nullopt;
  const auto number = server_->handles.find(*definition);
  if (!number) return prepare_first(message, *definition);
  if (*number != handle)
    patches_.push_back({call.handle_at, sizeof handle, static_cast<uint32_t>(*number)});
  const char effects = definition->view()[0];
  if (effects & kMayLeave) server_->outcome.leaves = true;
  if (effects & kMayTransact) server_->outcome.transaction = true;
  return std::nullopt;
}

// weir says it, so that the server has to prepare it no more than once for all clients.
std::optional<ClientSide::Step> ClientSide::unprepare(const Message& message) {
  std::string tokens;
  const auto& calls = server_->outcome.prepared;
  for (const PreparedCall& call : calls) {
    client_.handles->forget(call.handle.value_or(0));
    append_unprepared(tokens, client_.version, &call == &calls.back());
  }
  std::string answer;
  append_message(answer, {.type = PacketType::Reply}, tokens);
  say(answer);
  ++sink_.queries;
  take(message.begin, message.bytes);
  sink_.hold_may_end = server_->at_rest() && !server_->pin;
  return Step{};
}

ClientSide::Step ClientSide::prepare_first(const Message& message, const Interned& definition) {
  if (server_->objection && server_->preparing == definition) {
    const ServerMessage why = *std::exchange(server_->objection, std::nullopt);
    return refuse(message, why);
  }
  std::string packets;
  append_prepare(packets, client_.version, definition);
  sink_.to_server.add_copy(packets);
  server_->turn = ServerState::Turn::Prepare;
  server_->preparing = definition;
  server_->objection.reset();
  server_->failed = false;
  sink_.turn_began = true;
  patches_.clear();
  return over(Next::Later);
}

}  // namespace weir::tds
