// From servers to clients.
#include <algorithm>

#include "link.h"
#include "utf16.h"

namespace weir::tds {

using protocol::Pin;

namespace {

constexpr uint8_t kFatalSeverity = 20;  // the server closes behind it
constexpr int32_t kNoSuchHandle = 8179;
constexpr int32_t kHandleOfOtherContext = 586;
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
    if (const size_t want = bytes_to_wait_for(rest); want > 0) return {Next::Feed, used, want};
    if (server_.turn == ServerState::Turn::None && server_.attentions == 0)
      return fail("the server spoke without being asked");
    const PacketStream::Run run = server_.packets.next(rest);
    if (!run.fault.empty()) return fail(run.fault);
    if (run.bytes == 0) return {Next::Feed, used, run.want};
    if (server_.packets.head().type != PacketType::Reply)
      return fail("the server sent something else than a reply");
    run_ = rest.substr(0, run.bytes);
    payload_ = run.payload;
    value_cut_ = server_.walker.value_bytes();
    value_came_ = false;
    walk(run.payload);
    if (server_.walker.is_lost()) keep_tail();
    if (run.ends_message && server_.walker.is_lost()) find_acknowledgement();
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

// The packet in which the acknowledgement of weir's own attention may stand has to be there as a
// whole.
size_t ServerSide::bytes_to_wait_for(Bytes in) const {
  if (server_.own_attentions == 0 || !server_.packets.at_packet_border()) return 0;
  if (in.size() < kPacketHeadBytes) return kPacketHeadBytes;
  const size_t bytes = read_packet_head(in).bytes;
  return bytes > in.size() && bytes <= kPacketBytes ? bytes : 0;
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
    case TokenEvent::Kind::Unknown: return be_unclear();
    default: return;
  }
}

// Every message ends with a DONE, whatever the walk got lost in: its last bytes.
void ServerSide::keep_tail() {
  const size_t bytes = 1 + done_bytes(server_.walker.version());
  std::string& tail = server_.answer.tail;
  tail.append(payload_.substr(payload_.size() - std::min(payload_.size(), bytes)));
  tail.erase(0, tail.size() - std::min(tail.size(), bytes));
}

void ServerSide::find_acknowledgement() {
  const std::string tail = std::exchange(server_.answer.tail, {});
  if (server_.attentions == 0) return;
  if (tail.size() < 1 + done_bytes(server_.walker.version()))
    return void(fault_ = "an attention's acknowledgement cannot be looked for");
  const auto token = static_cast<Token>(tail[0]);
  if (token != Token::Done && token != Token::DoneProc && token != Token::DoneInProc) return;
  const Done last = read_done(Bytes(tail).substr(1), server_.walker.version());
  if ((last.status & kDoneAttention) == 0) return;
  ++server_.acknowledged;
  server_.answer.failed = true;
}

// Nobody knows any more how it stands.
void ServerSide::be_unclear() {
  server_.pin = Pin::Unclear;
  server_.retire = true;
}

void ServerSide::note_done(const TokenEvent& event) {
  // One for each call; procedures that call procedures may bring others (2.2.7.8).
  const bool is_answer = server_.turn == ServerState::Turn::Client;
  if (is_answer && event.token == Token::DoneProc && server_.outcome.calls > 1)
    ++server_.answer.call;
  if (server_.answer.call > server_.outcome.calls && may_have_mistaken_a_handle())
    fault_ = "there are more answers than calls, so handles cannot be told apart";
  if (event.done.status & kDoneAttention) {
    if (server_.acknowledged < server_.attentions) ++server_.acknowledged;
    server_.answer.failed = true;  // what stood behind has perhaps not come about
  }
  if (event.done.status & (kDoneError | kDoneServerError)) server_.answer.failed = true;
}

void ServerSide::note_error(const TokenEvent& event) {
  server_.answer.failed = server_.answer.told_error = true;
  if (event.severity >= kFatalSeverity) server_.retire = true;
  if (event.number == kNoSuchHandle || event.number == kHandleOfOtherContext) forget_called();
  if (server_.turn == ServerState::Turn::Client) ++sink_.errors;
  if (server_.turn == ServerState::Turn::Prepare && !server_.objection)
    server_.objection = read_message(event.body, server_.walker.version());
}

bool ServerSide::may_have_mistaken_a_handle() const {
  const auto& calls = server_.outcome.prepared;
  return std::any_of(calls.begin(), calls.end(), [](const PreparedCall& one) {
    const bool defines =
        one.procedure == Procedure::Prepare || one.procedure == Procedure::PrepExec;
    return defines && (one.number > 0 || !one.definition.empty());
  });
}

// The server does not know what weir takes it to know: what is called next is prepared anew.
void ServerSide::forget_called() {
  if (!client_.handles) return;
  for (const PreparedCall& call : server_.outcome.prepared)
    if (const Interned* definition = client_.handles->find(call.handle.value_or(0)))
      server_.handles.lose(*definition);
}

// A call of sp_prepare or sp_prepexec gives it back in the place of its first parameter; others may
// stand in front of it (2.2.7.19).
void ServerSide::note_handle(const TokenEvent& event) {
  value_came_ = true;
  if (event.count != 0) return;
  const bool is_number = event.type == TypeId::IntN && !event.null && event.body.size() == 4;
  if (!is_number) return;
  const auto number = load_le<int32_t>(event.body.data());
  if (server_.turn == ServerState::Turn::Prepare) {
    if (!server_.handles.find(server_.preparing)) server_.handles.add(server_.preparing, number);
    return;
  }
  auto& calls = server_.outcome.prepared;
  const auto call = std::find_if(calls.begin(), calls.end(), [&](const PreparedCall& one) {
    return one.number == server_.answer.call && !one.definition.empty();
  });
  if (call == calls.end()) return;
  if (!client_.handles) client_.handles = std::make_unique<Handles>();
  if (call->handle) client_.handles->forget(*call->handle);  // as the server has
  const Interned definition = texts_.intern(std::exchange(call->definition, {}));
  server_.handles.add(definition, number);
  const auto own = client_.handles->add(number, definition);
  if (!own) return void(fault_ = "the client has prepared too many statements");
  if (*own != number) patch_handle(event, *own);
}

// It stands in the run, or its beginning has been held back.
void ServerSide::patch_handle(const TokenEvent& event, int32_t number) {
  const Answer::HeldBack& held = server_.answer.held;
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  for (size_t i = 0; i < sizeof number; ++i) {
    const size_t of_value = i + 1;  // behind its length
    size_t at = held.bytes.size();
    if (event.in_place)
      at += static_cast<size_t>(event.body.data() - run_.data()) + i;
    else if (of_value < held.count)
      at = held.places[of_value];
    else
      at += run_.size() - payload_.size() + of_value - held.count;
    patches_.emplace_back(at, bytes[i]);
  }
  if (!event.in_place && held.count != value_cut_)
    fault_ = "a handle cannot be changed, as it came in pieces";
}

void ServerSide::note_change(const EnvChange& change) {
  switch (change.kind) {
    case EnvKind::Database: server_.answer.new_database = utf8_of(change.new_value); return;
    case EnvKind::EnlistDtc: server_.retire = true; [[fallthrough]];
    case EnvKind::BeginTransaction:
      server_.transaction = descriptor_in(change.new_value);
      if (server_.transaction == 0) be_unclear();
      return;
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
  if (server_.own_attentions > 0 && (server_.acknowledged > 0 || is_stopped(shape)))
    return replace_own_acknowledgement(run, shape);
  const bool is_cut = server_.walker.value_bytes() > 0 && awaits_handle();
  if (patches_.empty() && server_.answer.held.bytes.empty() && !is_cut)
    sink_.to_client.add(run);
  else
    forward_changed(run, shape);
  server_.answer.open = !shape.ends_message;
  return true;
}

// The answer ends with an error of which nothing has been told: the acknowledgement follows.
bool ServerSide::is_stopped(const PacketStream::Run& shape) const {
  return shape.ends_message && server_.turn == ServerState::Turn::Client && server_.answer.failed &&
         !server_.answer.told_error;
}

bool ServerSide::awaits_handle() const {
  const auto& calls = server_.outcome.prepared;
  return std::any_of(calls.begin(), calls.end(), [&](const PreparedCall& one) {
    return one.number == server_.answer.call && !one.definition.empty();
  });
}

// What has been held back, and the run behind it; from a handle on that is cut by its end it is
// held back again.
void ServerSide::forward_changed(Bytes run, const PacketStream::Run& shape) {
  Answer::HeldBack& held = server_.answer.held;
  constexpr size_t kHeldMax = 64;  // packets without a body may stand within a handle
  std::string out = std::exchange(held.bytes, {}).append(run);
  for (const auto& [at, byte] : patches_) out[at] = byte;
  patches_.clear();
  if (value_came_) held.count = 0;
  const size_t cut = server_.walker.value_bytes();
  const bool holds = cut > 0 && cut <= held.places.size() && awaits_handle() &&
                     !shape.ends_message && out.size() <= kHeldMax + run.size() &&
                     cut - held.count <= payload_.size();
  if (!holds) {
    held.count = 0;
    return sink_.to_client.add_copy(out);
  }
  const size_t more = cut - held.count;
  const size_t from = held.count > 0 ? 0 : out.size() - more;
  sink_.to_client.add_copy(Bytes(out).substr(0, from));
  held.bytes = out.substr(from);
  for (size_t i = more; i > 0; --i)
    held.places[held.count++] = static_cast<uint8_t>(held.bytes.size() - i);
}

// The client has asked for no attention: it gets an error where the acknowledgement stands, or
// nothing when that came behind the answer. False: it cannot be told from the rest.
bool ServerSide::replace_own_acknowledgement(Bytes run, const PacketStream::Run& shape) {
  const size_t done = 1 + done_bytes(client_.version);
  if (!shape.ends_message || shape.payload.size() < done) return false;
  if (!patches_.empty() || !server_.answer.held.bytes.empty()) return false;
  const size_t before = shape.payload.size() - done;
  const Done last = read_done(shape.payload.substr(before + 1), client_.version);
  const bool acknowledges = (last.status & kDoneAttention) != 0;
  if (!acknowledges && (last.status & kDoneError) == 0) return false;
  if (acknowledges) --server_.own_attentions;
  if (server_.turn == ServerState::Turn::None) return shape.begins_message;
  std::string tokens(shape.payload.substr(0, before));
  server_.answer.open = false;
  if (run.size() != kPacketHeadBytes + shape.payload.size()) {
    // The packet has been begun, so its length stays: there is no room for more than the end.
    append_done(tokens, client_.version, {.status = kDoneError});
    sink_.to_client.add_copy(tokens);
    return true;
  }
  const Error error{ErrorKind::Timeout, "the request took longer than timeouts.query", "57014"};
  append_message_token(tokens, Token::Error, client_.version, message_of(error, Gravity::Request));
  append_done(tokens, client_.version, {.status = kDoneError});
  std::string packets;
  append_message(packets, {.type = PacketType::Reply, .spid = server_.spid}, tokens);
  sink_.to_client.add_copy(packets);
  return true;
}

// ---------------------------------------------------------------- the end of a message

void ServerSide::end_message() {
  const bool has_rows = server_.walker.rows() > 0;
  const TokenWalker::End end = server_.walker.end_message();
  if (end == TokenWalker::End::Cut || end == TokenWalker::End::Unknown) be_unclear();
  server_.attentions -= std::min(server_.attentions, server_.acknowledged);
  server_.acknowledged = 0;
  // Behind weir's own preparation the client's request is to follow.
  const bool prepared = server_.turn == ServerState::Turn::Prepare;
  switch (std::exchange(server_.turn, ServerState::Turn::None)) {
    case ServerState::Turn::None: break;
    case ServerState::Turn::Client: end_turn(); break;
    case ServerState::Turn::Count: end_count(has_rows, end); break;
    case ServerState::Turn::Prepare: check_prepared(); break;
  }
  // The acknowledgement that is on its way would be taken for the answer.
  const bool may_ask = server_.attentions == 0 && !server_.request_open && !server_.bulk;
  if (server_.must_count && may_ask) ask_for_count();
  sink_.hold_may_end = server_.at_rest() && !server_.pin && !prepared;
}

void ServerSide::end_turn() {
  ++sink_.queries;
  const Outcome& outcome = server_.outcome;
  apply(outcome);
  // An error may have ended one.
  const bool unclear = outcome.transaction || client_.begins_implicitly ||
                       (server_.answer.failed && server_.may_be_in_transaction);
  server_.outcome.forget_calls();  // their definitions may be long
  if (!server_.announces && client_.options.transaction_mode && unclear)
    server_.may_be_in_transaction = server_.must_count = true;
  else if (server_.transaction == 0 && !server_.may_be_in_transaction)
    ++sink_.transactions;
}

// Who does not say how many there are may be in the middle of one.
void ServerSide::end_count(bool has_rows, TokenWalker::End end) {
  const bool answered = !server_.answer.failed && end == TokenWalker::End::Final;
  server_.may_be_in_transaction = has_rows || !answered;
  if (server_.may_be_in_transaction) return;
  server_.transaction = 0;
  ++sink_.transactions;
}

// Without a number and a reason the client's request would be prepared again for ever.
void ServerSide::check_prepared() {
  const bool known = server_.handles.find(server_.preparing).has_value();
  if (known) return server_.objection.reset();
  if (!server_.objection)
    server_.objection = message_of(
        {ErrorKind::Protocol, "the server gave no handle to a statement that it prepared", "08P01"},
        Gravity::Request);
}

void ServerSide::apply(const Outcome& outcome) {
  if (outcome.leaves || server_.handles.made() > client_.options.prepared_statements)
    server_.dirty = true;
  if (server_.outlives_resets(outcome)) server_.retire = true;
  if (outcome.native) server_.native = true;
  if (outcome.bulk && !server_.answer.failed) server_.bulk = true;
  if (outcome.pin && !server_.pin) server_.pin = outcome.pin;
  if (!client_.options.transaction_mode) return;
  if (!server_.answer.failed) {
    carry(outcome.settings);
  } else if (!are_in_force(outcome.settings)) {  // nobody knows which of them came about
    server_.settings_unknown = true;
    if (!server_.pin) server_.pin = Pin::Setting;
  }
  carry_database();
}

// The client has asked for a reset and got it: its state is that of the login. What a reset leaves
// as it was is put right before anybody gets the server.
void ServerSide::forget_state() {
  const SettingMap before = settings_of(server_.in_force);
  server_.settings_unknown = server_.settings_unknown || server_.dirty || server_.pin ||
                             before.contains(kIsolation) || before.contains(kDatabase);
  const uint64_t transaction = server_.transaction;
  const bool may_be = server_.may_be_in_transaction;
  // Its count of transactions stays behind, and no later reset puts it right.
  if (!server_.announces && (transaction != 0 || may_be)) server_.retire = true;
  server_.forget_state();
  if (server_.outcome.keeps_transaction) {
    server_.transaction = transaction;
    server_.may_be_in_transaction = may_be;
  }
  server_.answer.new_database.reset();
  client_.wanted = {};
  client_.handles.reset();
  client_.begins_implicitly = false;
}

// Whether they are made again or not is all the same.
bool ServerSide::are_in_force(const std::vector<Setting>& settings) const {
  if (settings.empty()) return true;
  const SettingMap map = settings_of(client_.wanted);
  return std::all_of(settings.begin(), settings.end(), [&](const Setting& setting) {
    const auto found = map.find(setting.name);
    return found != map.end() && found->second == setting.value && setting.name != "LANGUAGE";
  });
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
  if (!server_.answer.new_database) return;
  SettingMap map = settings_of(client_.wanted);
  if (*server_.answer.new_database == server_.facts.database)
    map.erase(std::string(kDatabase));
  else
    map.insert_or_assign(std::string(kDatabase), *server_.answer.new_database);
  server_.answer.new_database.reset();
  put_in_force(map);
}

void ServerSide::put_in_force(const SettingMap& map) {
  client_.wanted = intern_settings(texts_, map);
  server_.put_in_force(client_.wanted);
}

void ServerSide::ask_for_count() {
  std::string payload;
  if (is_since_72(client_.version)) append_all_headers(payload, server_.transaction);
  append_utf16(payload, kCount);
  std::string packet;
  append_message(packet, {.type = PacketType::Batch}, payload);
  sink_.to_server.add_copy(packet);
  server_.begin(ServerState::Turn::Count);
  server_.must_count = false;
}

}  // namespace weir::tds
