// From servers to clients.
#include <algorithm>

#include "link.h"
#include "utf16.h"

namespace weir::tds {

using protocol::Pin;

namespace {

constexpr uint8_t kFatalSeverity = 20;  // the server closes behind it
// Rows are counted, their values not looked at.
constexpr std::string_view kCount = "SELECT 1 WHERE @@TRANCOUNT > 0";

}  // namespace

Progress ServerSide::fail(std::string_view text) {
  sink_.error = {ErrorKind::Protocol, std::string(text), "08P01"};
  return {Next::Fail, 0, 0};
}

Progress ServerSide::judge(Bytes in) {
  size_t used = 0;
  while (used < in.size()) {
    const Bytes rest = in.substr(used);
    if (server_.turn == ServerState::Turn::None && server_.attentions == 0)
      return fail("the server spoke without being asked");
    const PacketStream::Run run = server_.packets.next(rest);
    if (!run.fault.empty()) return fail(run.fault);
    if (run.bytes == 0) return {Next::Feed, used, run.want};
    run_ = rest.substr(0, run.bytes);
    walk(run.payload);
    if (!fault_.empty()) return fail(fault_);
    if (!forward(run_, run)) {
      sink_.error = {ErrorKind::Timeout, "the request took longer than timeouts.query", "57014"};
      return {Next::Fail, 0, 0};
    }
    used += run.bytes;
    if (run.ends_message) end_message();
  }
  return {Next::Feed, used, 0};
}

// ---------------------------------------------------------------- tokens

void ServerSide::walk(Bytes payload) {
  TokenEvent event;
  while (server_.walker.next(payload, event)) note(event);
}

void ServerSide::note(const TokenEvent& event) {
  switch (event.kind) {
    case TokenEvent::Kind::EnvChange: return note_change(event.change);
    case TokenEvent::Kind::Done: return note_done(event);
    case TokenEvent::Kind::Error: return note_error(event);
    case TokenEvent::Kind::ReturnValue: return note_handle(event);
    case TokenEvent::Kind::Unknown:
      server_.pin = Pin::Unclear;
      server_.retire = true;
      return;
    default: return;
  }
}

void ServerSide::note_done(const TokenEvent& event) {
  if (event.token == Token::DoneProc) ++server_.call;
  if (event.done.status & kDoneAttention) ++server_.acknowledged;
  if (event.done.status & (kDoneError | kDoneServerError)) server_.failed = true;
}

void ServerSide::note_error(const TokenEvent& event) {
  server_.failed = true;
  if (event.severity >= kFatalSeverity) server_.retire = true;
  if (server_.turn == ServerState::Turn::Client) ++sink_.errors;
  if (server_.turn == ServerState::Turn::Prepare && !server_.objection)
    server_.objection = read_message(event.body, server_.walker.version());
}

// The first number that a call of sp_prepare or sp_prepexec gives back.
void ServerSide::note_handle(const TokenEvent& event) {
  const bool is_number = event.type == TypeId::IntN && !event.null && event.body.size() == 4;
  if (!is_number) return;
  const auto number = load_le<int32_t>(event.body.data());
  if (server_.turn == ServerState::Turn::Prepare) {
    if (!server_.handles.find(server_.preparing)) server_.handles.add(server_.preparing, number);
    return;
  }
  auto& calls = server_.outcome.prepared;
  const auto call = std::find_if(calls.begin(), calls.end(), [&](const PreparedCall& one) {
    return one.number == server_.call && !one.definition.empty();
  });
  if (call == calls.end()) return;
  if (!client_.handles) client_.handles = std::make_unique<Handles>();
  if (call->handle) {  // the server has given that one up
    if (const Interned* before = client_.handles->find(*call->handle))
      server_.handles.forget(*before);
    client_.handles->forget(*call->handle);
  }
  const Interned definition = texts_.intern(std::exchange(call->definition, {}));
  server_.handles.add(definition, number);
  const auto own = client_.handles->add(number, definition);
  if (!own) return void(fault_ = "the client has prepared too many statements");
  if (*own == number) return;
  if (!event.in_place) return void(fault_ = "a handle cannot be changed, as it came in pieces");
  patches_.emplace_back(event.body.data() - run_.data(), *own);
}

void ServerSide::note_change(const EnvChange& change) {
  switch (change.kind) {
    case EnvKind::Database: server_.new_database = utf8_of(change.new_value); return;
    case EnvKind::BeginTransaction: server_.transaction = descriptor_in(change.new_value); return;
    case EnvKind::EnlistDtc:
    case EnvKind::PromoteTransaction: server_.retire = true; return;
    case EnvKind::CommitTransaction:
    case EnvKind::RollbackTransaction:
    case EnvKind::DefectTransaction:
    case EnvKind::TransactionEnded: server_.transaction = 0; return;
    case EnvKind::ResetDone: forget_state(); return;
    default: return;
  }
}

// ---------------------------------------------------------------- bytes

bool ServerSide::forward(Bytes run, const PacketStream::Run& shape) {
  if (server_.turn == ServerState::Turn::Count || server_.turn == ServerState::Turn::Prepare)
    return true;
  if (server_.own_attentions > 0 && server_.acknowledged > 0)
    return replace_own_acknowledgement(run, shape);
  if (patches_.empty()) {
    sink_.to_client.add(run);
  } else {
    std::string copy(run);
    for (const auto& [at, number] : patches_) std::memcpy(copy.data() + at, &number, sizeof number);
    sink_.to_client.add_copy(copy);
    patches_.clear();
  }
  server_.reply_open = !shape.ends_message;
  return true;
}

// The client has asked for no attention: it gets an error where the acknowledgement stands, or
// nothing when that came behind the answer. False: it cannot be told from the rest.
bool ServerSide::replace_own_acknowledgement(Bytes run, const PacketStream::Run& shape) {
  const bool is_packet = run.size() == kPacketHeadBytes + shape.payload.size();
  const size_t done = 1 + done_bytes(client_.version);
  if (!is_packet || !shape.ends_message || shape.payload.size() < done) return false;
  --server_.own_attentions;
  if (server_.turn == ServerState::Turn::None) return shape.begins_message;
  std::string tokens(shape.payload.substr(0, shape.payload.size() - done));
  const Error error{ErrorKind::Timeout, "the request took longer than timeouts.query", "57014"};
  append_message_token(tokens, Token::Error, client_.version, message_of(error, Gravity::Request));
  append_done(tokens, client_.version, {.status = kDoneError});
  std::string packets;
  append_message(packets, {.type = PacketType::Reply, .spid = server_.spid}, tokens);
  sink_.to_client.add_copy(packets);
  server_.reply_open = false;
  return true;
}

// ---------------------------------------------------------------- the end of a message

void ServerSide::end_message() {
  const bool has_rows = server_.walker.rows() > 0;
  const TokenWalker::End end = server_.walker.end_message();
  if (end == TokenWalker::End::Cut || end == TokenWalker::End::Unknown) {
    server_.pin = Pin::Unclear;
    server_.retire = true;
  }
  server_.attentions -= std::min(server_.attentions, server_.acknowledged);
  server_.acknowledged = 0;
  // Behind weir's own preparation the client's request is to follow.
  const bool prepared = server_.turn == ServerState::Turn::Prepare;
  if (server_.turn != ServerState::Turn::None) end_turn(has_rows);
  // An acknowledgement that is still due would be taken for its answer.
  if (server_.count_due && server_.attentions == 0) ask_for_count();
  sink_.hold_may_end = server_.at_rest() && !server_.pin && !prepared;
}

void ServerSide::end_turn(bool has_rows) {
  const auto turn = std::exchange(server_.turn, ServerState::Turn::None);
  if (turn == ServerState::Turn::Prepare) return check_prepared();
  if (turn == ServerState::Turn::Count) {
    server_.may_be_in_transaction = has_rows;
    if (!has_rows) ++sink_.transactions;
    return;
  }
  ++sink_.queries;
  const Outcome& outcome = server_.outcome;
  apply(outcome);
  const bool unannounced = !server_.announces && client_.options.transaction_mode;
  if (unannounced && (outcome.transaction || client_.begins_implicitly))
    server_.may_be_in_transaction = server_.count_due = true;
  if (server_.transaction == 0 && !server_.may_be_in_transaction) ++sink_.transactions;
}

// Without a number and a reason the client's request would be prepared again for ever.
void ServerSide::check_prepared() {
  const bool known = server_.handles.find(server_.preparing).has_value();
  if (!known && !server_.objection)
    server_.objection = message_of(
        {ErrorKind::Protocol, "the server gave no handle to a statement that it prepared", "08P01"},
        Gravity::Request);
}

void ServerSide::apply(const Outcome& outcome) {
  if (outcome.leaves || server_.handles.made() > client_.options.prepared_statements)
    server_.dirty = true;
  if (outcome.ends_server) server_.retire = true;
  if (outcome.bulk && !server_.failed) server_.bulk = true;
  if (outcome.pin && !server_.pin) server_.pin = outcome.pin;
  if (!client_.options.transaction_mode) return;
  if (!server_.failed) {
    carry(outcome.settings);
  } else if (!outcome.settings.empty()) {  // nobody knows which of them came about
    server_.settings_unknown = true;
    if (!server_.pin) server_.pin = Pin::Setting;
  }
  carry_database();
}

// The client has asked for a reset and got it: its state is that of the login. What a reset leaves
// as it was is put right before anybody gets the server.
void ServerSide::forget_state() {
  const SettingMap before = settings_of(server_.in_force);
  server_.settings_unknown = before.contains(kIsolation) || before.contains(kDatabase);
  server_.forget_state();
  server_.new_database.reset();
  client_.wanted = {};
  client_.handles.reset();
  client_.begins_implicitly = false;
}

void ServerSide::carry(const std::vector<Setting>& settings) {
  if (settings.empty()) return;
  SettingMap map = settings_of(client_.wanted);
  for (const Setting& setting : settings) {
    // Some change others.
    if (setting.name == "LANGUAGE") {
      map.erase("DATEFIRST");
      map.erase("DATEFORMAT");
    }
    if (setting.name == "ANSI_NULL_DFLT_ON") map.erase("ANSI_NULL_DFLT_OFF");
    if (setting.name == "ANSI_NULL_DFLT_OFF") map.erase("ANSI_NULL_DFLT_ON");
    map.insert_or_assign(std::string(setting.name), setting.value);
    if (setting.name == kImplicitTransactions) client_.begins_implicitly = setting.value == "ON";
  }
  put_in_force(map);
}

void ServerSide::carry_database() {
  if (!server_.new_database) return;
  SettingMap map = settings_of(client_.wanted);
  if (*server_.new_database == server_.facts.database)
    map.erase(std::string(kDatabase));
  else
    map.insert_or_assign(std::string(kDatabase), *server_.new_database);
  server_.new_database.reset();
  put_in_force(map);
}

void ServerSide::put_in_force(const SettingMap& map) {
  client_.wanted = server_.in_force = intern_settings(texts_, map);
}

void ServerSide::ask_for_count() {
  std::string payload;
  if (is_since_72(client_.version)) append_all_headers(payload, 0);
  append_utf16(payload, kCount);
  std::string packet;
  append_message(packet, {.type = PacketType::Batch}, payload);
  sink_.to_server.add_copy(packet);
  server_.turn = ServerState::Turn::Count;
  server_.count_due = false;
}

}  // namespace weir::tds
