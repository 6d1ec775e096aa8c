// From clients to servers.
#include <algorithm>

#include "link.h"

namespace weir::tds {

Message look_at(PacketStream packets, Bytes in, std::string& scratch, size_t bytes_max) {
  Message message{.begin = in};
  size_t count = 0;
  while (!message.whole && message.bytes < in.size() && message.bytes < bytes_max) {
    const PacketStream::Run run = packets.next(in.substr(message.bytes));
    message.fault = run.fault;
    if (!run.fault.empty()) return message;
    if (run.bytes == 0) break;
    if (++count == 2) scratch.assign(message.payload);
    if (count > 1) scratch += run.payload;
    message.payload = count > 1 ? Bytes(scratch) : run.payload;
    message.bytes += run.bytes;
    message.whole = run.ends_message;
  }
  // To the end of the packet, or the head of the next one.
  const size_t next = packets.at_packet_border() ? kPacketHeadBytes : packets.body_left();
  message.want = std::max(message.bytes + next, in.size() + 1);
  message.type = packets.head().type;
  message.keeps_transaction = (packets.first_status() & kResetConnectionSkipTran) != 0;
  message.resets = (packets.first_status() & (kResetConnection | kResetConnectionSkipTran)) != 0;
  // The head of its last packet says so, before the rest of that has come.
  message.withdrawn =
      message.bytes > 0 && packets.head().ends_message() && (packets.head().status & kIgnore) != 0;
  return message;
}

size_t bytes_taken_back(const ClientState& client, Bytes parked) {
  PacketStream packets = client.packets;
  size_t used = 0;
  while (used < parked.size()) {
    const PacketStream::Run run = packets.next(parked.substr(used));
    if (run.bytes == 0) return 0;
    used += run.bytes;
    if (run.ends_message) break;
  }
  if (!packets.at_message_border()) return 0;
  const PacketStream::Run behind = packets.next(parked.substr(used));
  return behind.bytes > 0 && packets.head().type == PacketType::Attention ? used : 0;
}

Progress ClientSide::judge(Bytes in) {
  constexpr size_t kAnswerBytes =
      1024;  // of an answer of weir's, or of what is changed in a message
  while (used_ < in.size()) {
    const bool room =
        sink_.to_client.has_room(kAnswerBytes) && sink_.to_server.has_room(kAnswerBytes);
    if (!room) return {Next::Flush, used_, 0};
    const Bytes rest = in.substr(used_);
    const Step step = client_.packets.at_message_border() ? begin(rest) : go_on(rest);
    if (step.over) return finish(step.progress);
  }
  return finish({Next::Feed, used_, 0});
}

// What weir has answered itself has left the server at rest; what came behind that may have not.
Progress ClientSide::finish(Progress progress) {
  if (progress.next == Next::Feed && server_)
    sink_.hold_may_end = server_->at_rest() && !server_->pin;
  return progress;
}

ClientSide::Step ClientSide::fail(std::string_view text) {
  sink_.error = {ErrorKind::Protocol, std::string(text), "08P01"};
  return over(Next::Fail);
}

// In front of a message.
ClientSide::Step ClientSide::begin(Bytes in) {
  PacketStream look = client_.packets;
  const PacketStream::Run run = look.next(in);
  if (!run.fault.empty()) return fail(run.fault);
  if (run.bytes == 0) return over(Next::Feed, run.want);
  switch (look.head().type) {
    case PacketType::Attention: return attention();
    case PacketType::Batch:
    case PacketType::Rpc:
    case PacketType::TransactionManager: return server_ ? request(in) : without_server(in);
    case PacketType::Bulk:
      if (!server_ || !server_->bulk) return fail("bulk data that no INSERT BULK has asked for");
      return request(in);
    default: return fail("a message that has no place behind the login");
  }
}

// Further bytes of a message whose beginning has been judged.
ClientSide::Step ClientSide::go_on(Bytes in) {
  const PacketStream::Run run = client_.packets.next(in);
  if (!run.fault.empty()) return fail(run.fault);
  if (run.bytes == 0) return over(Next::Feed, run.want);
  used_ += run.bytes;
  if (client_.dropping) {
    if (!run.ends_message) return {};
    client_.dropping = false;
    say(std::exchange(client_.answer, {}));
    return {};
  }
  if (!server_) return fail("the rest of a message whose server is gone");
  if (client_.later_calls) {
    client_.later_calls->take(run.payload, server_->outcome);
    const bool may_be_others =
        client_.options.transaction_mode && !server_->native && server_->handles.made() > 0;
    if (server_->outcome.native && may_be_others)
      return fail("a call of a prepared statement stands too far behind in its message");
    if (run.ends_message) std::exchange(client_.later_calls, nullptr)->end(server_->outcome);
  }
  sink_.to_server.add(in.substr(0, run.bytes));
  server_->request_open = !run.ends_message;
  // Who does not know the bit would run what has come.
  const bool withdrawn = run.ends_message && (client_.packets.head().status & kIgnore) != 0;
  if (withdrawn && !server_->announces) return fail("a message is withdrawn that is half sent");
  return {};
}

void ClientSide::take(Bytes in, size_t bytes) {
  for (size_t taken = 0; taken < bytes;)
    taken += client_.packets.next(in.substr(taken, bytes - taken)).bytes;
  used_ += bytes;
  client_.ahead.reset();
}

// ---------------------------------------------------------------- attentions (2.2.1.7)

// One acknowledgement each, and none reaches a server that runs nothing of this client's.
ClientSide::Step ClientSide::attention() {
  client_.packets = PacketStream(Side::Client);
  client_.packets.set_packet_bytes_max(kPacketBytes);
  client_.ahead.reset();
  used_ += kPacketHeadBytes;
  if (!server_ || server_->turn == ServerState::Turn::Count) {
    std::string answer;
    append_attention_answer(answer, client_.version);
    say(answer);
  } else if (server_->own_attentions > 0) {
    --server_->own_attentions;  // this one's acknowledgement is the client's now
  } else {
    if (server_->turn == ServerState::Turn::None && server_->attentions == 0)
      sink_.turn_began = true;
    std::string packet;
    append_attention(packet);
    sink_.to_server.add_copy(packet);
    ++server_->attentions;
  }
  return {};
}

// ---------------------------------------------------------------- requests

// weir's own answer to a message, once all of it has come.
ClientSide::Step ClientSide::refuse(const Message& message, const ServerMessage& why) {
  std::string answer;
  append_error_answer(answer, client_.version, why);
  take(message.begin, message.bytes);
  client_.resets_next = false;  // no server has heard of it
  if (server_) server_->outcome.clear();
  client_.dropping = !message.whole;
  if (client_.dropping) {
    client_.answer = std::move(answer);
    return {};
  }
  say(answer);
  return {};
}

ClientSide::Step ClientSide::withdrawn(const Message& message) {
  return refuse(message, message_of({ErrorKind::Cancelled, "the request was withdrawn", "57014"},
                                    Gravity::Request));
}

ClientSide::Step ClientSide::without_server(Bytes in) {
  if (const size_t bytes = bytes_taken_back(client_, in); bytes > 0) {
    used_ += bytes;
    ++sink_.withdrawn;
    return attention();
  }
  Message message;
  if (const auto step = see(in, message)) return *step;
  client_.resets_next = message.resets;
  if (message.resets) {  // nothing of what was is wanted any more, whoever answers
    client_.wanted = {};
    client_.handles.reset();
    client_.begins_implicitly = false;
  }
  return over(Next::NeedServer);
}

// There is one request at a time: another one waits for the end of the answer.
ClientSide::Step ClientSide::request(Bytes in) {
  if (server_->turn != ServerState::Turn::None || server_->attentions > 0) return over(Next::Later);
  Message message;
  if (const auto step = see(in, message)) return *step;
  // A reset that was to make them so was not sent after all.
  if (!message.resets && server_->in_force != client_.wanted) {
    client_.resets_next = false;
    return over(Next::Reattach);
  }
  return judged(in, message);
}

// Nobody gets a server for less: who sends the rest late would keep it for nothing.
std::optional<ClientSide::Step> ClientSide::see(Bytes in, Message& message) {
  if (client_.ahead) {
    if (const auto step = wait_for_end(in)) return step;
  }
  message = look_at(client_.packets, in, scratch_, client_.ahead ? SIZE_MAX : kJudgedBytesMax);
  if (!message.fault.empty()) return fail(message.fault);
  if (message.withdrawn && message.type != PacketType::Bulk) return withdrawn(message);
  // Who does not know the bit would load the rows.
  if (message.withdrawn && !server_->announces) return fail("rows are withdrawn");
  if (!is_enough(message)) return over(Next::Feed, message.want);
  if (message.whole || client_.ahead || !needs_its_end(message)) return std::nullopt;
  client_.ahead = std::make_unique<ClientState::Ahead>(ClientState::Ahead{client_.packets});
  return see(in, message);
}

// In session mode a reset makes good whatever there was; on Babelfish not quite.
bool ClientSide::looks_at_all() const {
  return client_.options.transaction_mode || (server_ && !server_->announces);
}

bool ClientSide::is_enough(const Message& message) const {
  if (message.whole || message.bytes >= kJudgedBytesMax) return true;
  if (looks_at_all()) return false;
  const RequestHead head =
      read_request_head(message.type, client_.version, message.payload, message.whole);
  const size_t body_min = message.type == PacketType::Batch ? kBulkBytes : 0;
  return head.seen != Seen::More && head.body.size() >= body_min;
}

// There may be numbers of prepared statements further behind.
bool ClientSide::needs_its_end(const Message& message) const {
  const auto& options = client_.options;
  if (!options.transaction_mode || options.prepared_statements == 0) return false;
  if (message.type != PacketType::Rpc) return false;
  Outcome outcome;
  judge_request({message.type, message.payload, message.whole}, client_.version, outcome);
  return !outcome.prepared.empty();
}

// It is followed by the heads of its packets.
std::optional<ClientSide::Step> ClientSide::wait_for_end(Bytes in) {
  ClientState::Ahead& ahead = *client_.ahead;
  while (!ahead.whole && ahead.bytes < in.size()) {
    const PacketStream::Run run = ahead.packets.next(in.substr(ahead.bytes));
    if (!run.fault.empty()) return fail(run.fault);
    if (run.bytes == 0) break;
    ahead.bytes += run.bytes;
    ahead.whole = run.ends_message;
  }
  const size_t most = client_.options.statement_bytes_max;
  if (most == 0 || ahead.bytes <= most)
    return ahead.whole ? std::nullopt : std::optional(over(Next::Feed, in.size() + 1));
  return fail("a call of a prepared statement is longer than limits.statement_bytes");
}

ClientSide::Step ClientSide::judged(Bytes in, const Message& message) {
  Outcome& outcome = server_->outcome;
  outcome.clear();
  outcome.resets = message.resets;
  outcome.keeps_transaction = message.keeps_transaction;
  const SeenRequest request{message.type, message.payload, message.whole};
  if (looks_at_all()) judge_request(request, client_.version, outcome);
  if (client_.options.transaction_mode) {
    if (const auto step = judge_prepared(message)) return *step;
  } else {
    outcome.prepared.clear();
    outcome.pin.reset();
    outcome.leaves = true;
    outcome.bulk = outcome.bulk || begins_bulk(request, client_.version);
  }
  if (looks_at_all() && !message.whole && message.type == PacketType::Rpc) {
    client_.later_calls = std::make_unique<LaterCalls>(client_.version);
    client_.later_calls->take(message.payload, outcome);
  }
  return forward(in, message);
}

ClientSide::Step ClientSide::forward(Bytes in, const Message& message) {
  mend_descriptor(message);
  add_mended(in.substr(0, message.bytes));
  take(in, message.bytes);
  client_.resets_next = false;
  server_->begin(ServerState::Turn::Client);
  server_->request_open = !message.whole;
  server_->bulk = false;
  sink_.turn_began = true;
  return {};
}

// The transaction that a request names is that of its own server, or none: another one is that of a
// server which the client had before.
void ClientSide::mend_descriptor(const Message& message) {
  if (!has_headers(message.type, client_.version)) return;
  const AllHeaders headers = read_all_headers(message.payload);
  const uint64_t named = headers.descriptor.value_or(0);
  if (headers.seen != Seen::Whole || named == 0 || named == server_->transaction) return;
  auto& patches = server_->outcome.patches;  // it stands in front of all handles
  patches.insert(patches.begin(), {headers.descriptor_at, sizeof named, server_->transaction});
}

// The message, as far as it is there, with what is changed in its payload.
void ClientSide::add_mended(Bytes message) {
  size_t packet_at = 0, payload_at = 0, body = 0;  // of the packet that is looked at
  const auto look = [&] {
    body = read_packet_head(message.substr(packet_at)).bytes - kPacketHeadBytes;
  };
  look();
  size_t added = 0;
  for (const Patch& patch : server_->outcome.patches) {
    const char* value = reinterpret_cast<const char*>(&patch.value);
    for (size_t done = 0; done < patch.bytes;) {
      while (patch.at + done >= payload_at + body) {
        payload_at += body;
        packet_at += kPacketHeadBytes + body;
        look();
      }
      const size_t offset = patch.at + done - payload_at;
      const size_t bytes = std::min(patch.bytes - done, body - offset);
      const size_t place = packet_at + kPacketHeadBytes + offset;
      sink_.to_server.add(message.substr(added, place - added));
      sink_.to_server.add_copy({value + done, bytes});
      added = place + bytes;
      done += bytes;
    }
  }
  sink_.to_server.add(message.substr(added));
}

size_t ClientSide::answer_parked(Bytes in, const Error& error) {
  const Message message = look_at(client_.packets, in, scratch_);
  std::string answer;
  append_error_answer(answer, client_.version, message_of(error, Gravity::Request));
  take(in, message.bytes);
  if (message.whole) {
    say(answer);
  } else {
    client_.dropping = true;
    client_.answer = std::move(answer);
  }
  return used_;
}

}  // namespace weir::tds
