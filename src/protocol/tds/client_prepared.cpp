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
  if (outcome.prepares && !outcome.resets) {
    if (auto step = prepared_by_text(message)) return step;
  }
  outcome.native = outcome.prepares;
  if (outcome.prepared.empty()) return std::nullopt;
  const bool native = server_->native && !outcome.resets;
  const bool carried =
      client_.options.prepared_statements > 0 && message.whole && !outcome.pin && !native;
  if (!carried) return by_servers_numbers(message);
  // The server forgets all handles before it looks at the calls.
  if (outcome.resets) return std::nullopt;
  if (outcome.prepared.size() > kPreparedCallsMax)
    return refuse(message,
                  message_of({ErrorKind::Refused,
                              "too many calls of prepared statements in one message", "54000"},
                             Gravity::Request));
  const bool answered = only_unprepares();
  for (const PreparedCall& call : outcome.prepared)
    if (auto step = ready(message, call, answered)) return step;
  if (answered) return unprepare(message);
  for (const PreparedCall& call : outcome.prepared) give_up(call);
  return std::nullopt;
}

// Handles are then the server's own; those that weir has given must not be among them, and nobody
// else's may be named.
std::optional<ClientSide::Step> ClientSide::by_servers_numbers(const Message& message) {
  Outcome& outcome = server_->outcome;
  if (!outcome.resets) {
    if (client_.handles && !client_.handles->empty())
      return refuse(message, message_of({ErrorKind::Refused,
                                         "this call of a prepared statement cannot be carried, and "
                                         "earlier ones were",
                                         "0A000"},
                                        Gravity::Request));
    const bool may_be_others = !server_->native && server_->handles.made() > 0;
    for (const PreparedCall& call : outcome.prepared)
      if (call.names && may_be_others)
        return refuse(message, unknown_handle(call.handle.value_or(0)));
    if (auto step = without_others(message)) return step;
  }
  outcome.prepared.clear();
  outcome.native = outcome.leaves = outcome.transaction = true;
  if (!outcome.pin) outcome.pin = Pin::Prepared;
  return std::nullopt;
}

// The client gets a server on which nobody else has prepared anything.
std::optional<ClientSide::Step> ClientSide::without_others(const Message& message) {
  if (server_->native || server_->handles.made() == 0) return std::nullopt;
  const bool in_transaction = server_->transaction != 0 || server_->may_be_in_transaction;
  if (in_transaction || server_->pin)
    return refuse(message, message_of({ErrorKind::Refused,
                                       "this prepared statement cannot be carried, and the "
                                       "connection has others'",
                                       "0A000"},
                                      Gravity::Request));
  server_->settings_unknown = true;
  return over(Next::Reattach);
}

// weir answers them itself; unless the server has too many, and does not get rid of them because
// its hold goes on.
bool ClientSide::only_unprepares() const {
  const Outcome& outcome = server_->outcome;
  if (outcome.prepared.size() != outcome.calls) return false;
  bool crowded = server_->handles.made() > client_.options.prepared_statements;
  for (const PreparedCall& call : outcome.prepared) {
    if (call.procedure != Procedure::Unprepare) return false;
    const auto* definition =
        client_.handles ? client_.handles->find(call.handle.value_or(0)) : nullptr;
    crowded = crowded && definition && server_->handles.find(*definition);
  }
  return !crowded;
}

// What a text says of handles weir cannot change.
std::optional<ClientSide::Step> ClientSide::prepared_by_text(const Message& message) {
  const bool has_handles = client_.handles && !client_.handles->empty();
  if (!server_->native && has_handles && message.type == PacketType::Batch) {
    const SeenRequest request{message.type, message.payload, message.whole};
    server_->outcome.prepared = unprepares_in(request, client_.version);
    if (!server_->outcome.prepared.empty()) return unprepare(message);
  }
  if (!server_->native && has_handles && server_->handles.made() > 0)
    return refuse(message,
                  message_of({ErrorKind::Refused,
                              "prepared statements by text and by call cannot be mixed", "0A000"},
                             Gravity::Request));
  return without_others(message);
}

// The server knows what the call stands for, and the call names it by the server's number.
// `answered`: no server will get it.
std::optional<ClientSide::Step> ClientSide::ready(const Message& message, const PreparedCall& call,
                                                  bool answered) {
  const bool defines =
      call.procedure == Procedure::Prepare || call.procedure == Procedure::PrepExec;
  if (defines && !call.names) return std::nullopt;
  const int32_t handle = call.handle.value_or(0);
  const Interned* definition = client_.handles ? client_.handles->find(handle) : nullptr;
  if (!definition) return refuse(message, unknown_handle(handle));
  if (answered) return std::nullopt;
  const auto number = server_->handles.find(*definition);
  if (!number) return prepare_first(message, *definition);
  if (*number != handle)
    server_->outcome.patches.push_back(
        {call.handle_at, sizeof handle, static_cast<uint32_t>(*number)});
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
  return Step{};
}

// It goes to the server, which forgets the statement that it names for all clients.
void ClientSide::give_up(const PreparedCall& call) {
  if (!call.names || call.procedure == Procedure::Execute) return;
  const int32_t handle = call.handle.value_or(0);
  const Interned* found = client_.handles->find(handle);
  if (!found) return;
  server_->handles.forget(*found);
  if (call.procedure == Procedure::Unprepare) client_.handles->forget(handle);
}

ClientSide::Step ClientSide::prepare_first(const Message& message, const Interned& definition) {
  if (server_->objection && server_->preparing == definition) {
    const ServerMessage why = *std::exchange(server_->objection, std::nullopt);
    return refuse(message, why);
  }
  std::string packets;
  append_prepare(packets, client_.version, server_->transaction, definition);
  sink_.to_server.add_copy(packets);
  server_->begin(ServerState::Turn::Prepare);
  server_->preparing = definition;
  server_->objection.reset();
  sink_.turn_began = true;
  return over(Next::Later);
}

}  // namespace weir::tds
