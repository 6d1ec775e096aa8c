#include <weir/base/limits.h>

#include <algorithm>

#include "link.h"
#include "text.h"
#include "wire.h"

namespace weir::postgres {

namespace {

constexpr size_t kTextBytesMax = 16 * 1024;  // of a Query whose text is looked at

}  // namespace

std::string error_message(std::string sqlstate, std::string text) {
  std::string out;
  append_error(out, {.sqlstate = std::move(sqlstate), .message = std::move(text)});
  return out;
}

std::string block_error() {
  return error_message("0A000", "transaction blocks are not allowed in statement pooling mode");
}

std::string empty_message(char type) { return std::string{type, 0, 0, 0, 4}; }

std::string poison_message() {
  std::string out;
  MessageBuilder(out, 'B').text("").text("weir_none").int16(0).int16(0).int16(0);
  return out;
}

bool read_head(Bytes in, Head& head) {
  const uint32_t length = base::load_be32(in.data() + 1);
  head = {in[0], size_t{length} + 1};
  return length >= 4 && length <= base::kPieceBytesMax;
}

Progress ClientSide::judge(Bytes in) {
  size_t used = 0;
  if (server_ && !server_->heard.empty()) {
    sink_.to_client.add_copy(server_->heard);
    server_->heard.clear();
  }
  while (used < in.size()) {
    const Bytes rest = in.substr(used);
    if (client_.body_left > 0) {
      const size_t count = std::min<uint64_t>(client_.body_left, rest.size());
      if (!client_.body_dropped) sink_.to_server.add(rest.substr(0, count));
      client_.body_left -= count;
      if (client_.body_left == 0 && server_) server_->client_body_open = false;
      used += count;
      continue;
    }
    if (rest.size() < kHeadBytes) return {Next::Feed, used, kHeadBytes};
    Head head;
    if (!read_head(rest, head)) return fail("message length is impossible");
    if (flush_ || !sink_.to_server.has_room(1024) || !sink_.to_client.has_room(1024))
      return {Next::Flush, used, 0};
    Progress step = message(rest, head);
    used += step.consumed;
    step.consumed = used;
    if (step.next != Next::Feed || step.want > 0) return step;
  }
  if (server_) settle(*server_, sink_);
  return {Next::Feed, used, kHeadBytes};
}

Progress ClientSide::message(Bytes in, Head head) {
  if (head.type == 'X') return {Next::Leave, in.size(), 0};
  if (server_ && server_->remains.is_asking()) return {Next::Later, 0, 0};
  const bool skipping = client_.skip_to_sync || (server_ && server_->skipping);
  if (skipping && head.type != 'S') return drop(in, head);
  switch (head.type) {
    case 'S': return on_sync(in, head);
    case 'd':
    case 'c':
    case 'f': return on_copy(in, head);
    case 'H': return server_ ? pass(in, head) : drop(in, head);
    case 'Q':
    case 'F':
    case 'P':
    case 'B':
    case 'D':
    case 'E':
    case 'C': break;
    default: return fail("unknown message type");
  }
  if (!server_) return without_server(in, head);
  const bool differs = server_->settings_unknown || !(client_.wanted == server_->in_force);
  if (differs && server_->body_left > 0) return {Next::Later, 0, 0};
  if (differs && server_->ledger.empty() && server_->status != 'E' && !server_->unsynced)
    return {Next::Reattach, 0, 0};
  if (server_->ledger.is_full()) return wait_for_answers();
  // Which names are left is known when the server has answered.
  const bool names_a_statement = head.type != 'Q' && head.type != 'F' && head.type != 'E';
  if (names_a_statement && carries_names() && is_forgetting()) return wait_for_answers();
  sink_.turn_began = true;
  if (head.type == 'Q') return on_query(in, head);
  if (head.type == 'F') {
    server_->unsynced = false;
    owe(Entry::Kind::Call);
    ++server_->segment;
    return pass(in, head);
  }
  server_->unsynced = true;
  return dispatch_extended(in, head);
}

// A client outside a transaction prepares what other clients of its pool have prepared before, or
// forgets a statement: that needs no server. Should the statement have become invalid since, Bind
// will say so.
Progress ClientSide::without_server(Bytes in, Head head) {
  const Progress ask{Next::NeedServer, 0, 0};
  if ((head.type != 'P' && head.type != 'C') || !carries_names()) return ask;
  if (in.size() < head.total) return need(in, head.total, client_.options.statement_bytes_max);
  const Bytes body = in.substr(kHeadBytes, head.total - kHeadBytes);
  if (head.type == 'C') {
    if (body.size() < 3 || body[0] != 'S' || body.find('\0') != body.size() - 1) return ask;
    client_.names.forget(std::string(body.substr(1, body.size() - 2)));
    sink_.to_client.add_copy(empty_message('3'));
    return drop(in, head);
  }
  const std::string name(body.substr(0, body.find('\0')));
  if (name.empty() || name.size() + 2 > body.size() || client_.names.find(name) ||
      client_.names.is_full())
    return ask;
  const Interned known = texts_.find(key_of(body.substr(name.size() + 1)));
  if (!known || (key_traits(known.view()) & kBeginsBlock && client_.options.statement_mode))
    return ask;
  client_.names.remember(name, known);
  sink_.to_client.add_copy(empty_message('1'));
  return drop(in, head);
}

// All of the text of a simple query is looked at only when its first letters say that it matters.
Progress ClientSide::on_query(Bytes in, Head head) {
  const size_t here = std::min(in.size(), head.total);
  const size_t wanted = std::min(head.total, kTextBytesMax);
  if (here < wanted) return need(in, wanted, wanted);
  const bool is_whole = head.total <= kTextBytesMax && head.total > kHeadBytes;
  const std::string_view sql = in.substr(kHeadBytes, wanted - kHeadBytes - (is_whole ? 1 : 0));
  uint16_t traits = kMayHold | traits_within(sql);  // as long as nobody has looked
  std::string resets;
  if (may_have_traits(sql) || is_several(sql)) {
    if (is_whole) {
      traits = traits_of(sql);
      if ((traits & kBeginsBlock) && client_.options.statement_mode) return refuse_block(in, head);
      if ((traits & kDeallocates) && carries_names() && client_.names.find(deallocated_name(sql))) {
        if (!server_->ledger.empty() && !server_->unsynced && server_->copy == Copy::None)
          return {Next::Later, 0, 0};
        if (deallocate(sql)) return drop(in, head);
      }
      traits = traits_on(*server_, traits, sql);
      if (traits & kResets) resets = reset_name(sql);
    }
  }
  if (traits & kReadsLocally) read_locally();
  if (!is_whole || (traits & kSetSession)) server_->remains.may_set(names_set(sql), is_whole);
  client_.unnamed
      .clear();  // "Extended Query", 55.2.3: a simple Query destroys the unnamed statement
  client_.unnamed_mark = server_->unnamed_mark = 0;
  server_->unsynced = false;  // it ends with ReadyForQuery, whatever came before
  if (traits & kForgets) server_->prepared.clear_sent();
  ++server_->segment;
  owe(Entry::Kind::Query);
  server_->ledger.back().traits = traits;
  server_->ledger.back().name = std::move(resets);
  return pass(in, head);
}

Progress ClientSide::on_sync(Bytes in, Head head) {
  if (head.total != kHeadBytes) return fail("Sync message is not well formed");
  if (!server_) {  // nothing is open: what the server would say is known
    client_.skip_to_sync = false;
    std::string ready;
    append_ready(ready, 'I');
    sink_.to_client.add_copy(ready);
    return done(head.total);
  }
  // The first Sync behind something else always passes: it may be what the answers wait for.
  if (server_->ledger.is_full() && server_->ledger.back().kind == Entry::Kind::Sync)
    return {Next::Later, 0, 0};
  if (server_->copy == Copy::In) {
    server_->sync_in_copy = true;
    ++server_->syncs_ignored;  // "COPY Operations", 55.2.6
  } else {
    owe(Entry::Kind::Sync);
    ++server_->segment;
    server_->unsynced = server_->skipping = false;
  }
  return pass(in, head);
}

// Outside COPY mode a server ignores these, so those of a client whose COPY has failed may go
// either way.
Progress ClientSide::on_copy(Bytes in, Head head) {
  if (!server_ || (server_->copy != Copy::In && server_->ledger.empty())) return drop(in, head);
  if (head.type != 'd') {
    if (server_->copy != Copy::In) server_->ledger.back().copy_ended = true;
    server_->copy = Copy::None;
  }
  return pass(in, head);
}

Progress ClientSide::refuse_block(Bytes in, Head head) {
  Entry entry{.kind = Entry::Kind::Query, .fate = Entry::Fate::Fake};
  entry.fake = block_error();
  append_ready(entry.fake, 'I');
  server_->ledger.push(std::move(entry));
  emit_fakes(*server_, sink_);
  return drop(in, head);
}

// DEALLOCATE of a statement that was made by Parse: the server knows it by another name, and may
// keep it for the next client. False: let the server answer, which refuses.
bool ClientSide::deallocate(std::string_view sql) {
  const std::string name = deallocated_name(sql);
  if (!server_->ledger.empty() || server_->status == 'E' || server_->unsynced) return false;
  client_.names.forget(name);
  client_.unnamed.clear();
  client_.unnamed_mark = 0;
  std::string answer;
  append_command_complete(answer, "DEALLOCATE");
  append_ready(answer, server_->status);
  sink_.to_client.add_copy(answer);
  ++sink_.queries;
  return true;
}

// DISCARD ALL or DEALLOCATE ALL is on its way, by either protocol.
bool ClientSide::is_forgetting() const {
  return server_->prepared.is_clearing() ||
         ((server_->bound_traits & kForgets) && !server_->ledger.empty());
}

// Without Sync a server keeps its answers to itself.
Progress ClientSide::wait_for_answers() {
  if (server_->unsynced && server_->ledger.ask()) sink_.to_server.add_copy(empty_message('H'));
  return {Next::Later, 0, 0};
}

void ClientSide::owe(Entry::Kind kind) { server_->ledger.push({.kind = kind}); }

bool ClientSide::carries_names() const {
  return client_.options.transaction_mode && client_.options.prepared_statements > 0;
}

Progress ClientSide::need(Bytes in, size_t want, size_t limit) {
  if (want > limit)
    return fail("message is longer than weir accepts here (limits.statement_bytes)");
  return {Next::Feed, 0, std::max(want, in.size() + 1)};
}

Progress ClientSide::fail(const char* text) {
  sink_.error = {base::ErrorKind::Protocol, text, "08P01"};
  return {Next::Fail, 0, 0};
}

Progress ClientSide::pass(Bytes in, Head head) {
  const size_t count = std::min(in.size(), head.total);
  sink_.to_server.add(in.substr(0, count));
  client_.body_left = head.total - count;
  client_.body_dropped = false;
  if (server_) server_->client_body_open = client_.body_left > 0;
  return done(count);
}

Progress ClientSide::drop(Bytes in, Head head) {
  const size_t count = std::min(in.size(), head.total);
  client_.body_left = head.total - count;
  client_.body_dropped = true;
  return done(count);
}

Progress ClientSide::done(size_t consumed) { return {Next::Feed, consumed, 0}; }

}  // namespace weir::postgres
