#include <weir/base/limits.h>

#include <algorithm>
#include <charconv>

#include "link.h"
#include "text.h"
#include "wire.h"

namespace weir::postgres {

bool at_rest(const ServerState& server) {
  return server.ledger.empty() && !server.unsynced && server.copy == Copy::None &&
         !server.client_body_open && server.body_left == 0;
}

void settle(const ServerState& server, Sink& sink) {
  sink.hold_may_end = server.status == 'I' && at_rest(server) && !server.remains.pin();
  sink.retire = server.retire;
}

void emit_fakes(ServerState& server, Sink& sink) {
  if (server.body_left > 0) return;
  while (!server.ledger.empty() && server.ledger.front().fate == Entry::Fate::Fake) {
    sink.to_client.add_copy(server.ledger.front().fake);
    server.ledger.pop();
  }
}

Progress ServerSide::judge(Bytes in) {
  size_t used = 0;
  while (used < in.size()) {
    const Bytes rest = in.substr(used);
    if (server_.body_left > 0) {
      const size_t count = std::min<uint64_t>(server_.body_left, rest.size());
      if (!server_.body_dropped) sink_.to_client.add(rest.substr(0, count));
      server_.body_left -= count;
      used += count;
      continue;
    }
    if (!server_.ledger.empty()) emit_fakes(server_, sink_);
    if (rest.size() < kHeadBytes) return {Next::Feed, used, kHeadBytes};
    Head head;
    if (!read_head(rest, head)) return fail("the server sent an impossible message length");
    if (!sink_.to_client.has_room(1024)) return {Next::Flush, used, 0};
    const bool is_row = head.type == 'D' || head.type == 'd';
    if (is_row && runs()) {  // no other work than to count them down
      server_.rows_seen = true;
      forward(rest, head.total);
      used += std::min(rest.size(), head.total);
      continue;
    }
    const Progress step = message(rest, head);
    used += step.consumed;
    if (step.next != Next::Feed || step.want > 0) return {step.next, used, step.want};
  }
  emit_fakes(server_, sink_);
  // Where they were all that was still owed.
  if (server_.status == 'I' && at_rest(server_) && server_.remains.is_suspected()) ask();
  settle(server_, sink_);
  return {Next::Feed, used, kHeadBytes};
}

Progress ServerSide::message(Bytes in, Head head) {
  if (server_.remains.is_asking()) return on_answer(in, head);
  bool fits = true;
  switch (head.type) {
    case 'C':
    case 'Z':
    case 'S': return whole(in, head);
    case '1': fits = answer(in, head, Entry::Kind::Parse); break;
    case '2': fits = answer(in, head, Entry::Kind::Bind); break;
    case '3': fits = answer(in, head, Entry::Kind::Close); break;
    case 'T':
    case 'n':
    case 't': fits = describe(in, head); break;
    case 's': fits = on_execute_end(in, head); break;
    case 'I': fits = on_execute_end(in, head); break;
    case 'E':
      if (needs_whole_error() && in.size() < head.total) {
        if (head.total > base::kServerNoteBytesMax)
          return fail("the server sent too long a message");
        return {Next::Feed, 0, head.total};
      }
      fits = on_error(in, head);
      break;
    case 'G':
    case 'H':
    case 'W':
    case 'c': fits = on_copy(in, head); break;
    case 'V':
      fits = !server_.ledger.empty() && server_.ledger.front().kind == Entry::Kind::Call;
      if (fits) forward(in, head.total);
      break;
    case 'A': return on_notification(in, head);
    case 'N': forward(in, head.total); break;
    case 'D':
    case 'd': return fail("the server sent a row that nobody asked for");
    default: return fail("the server sent a message of unknown type");
  }
  if (!fits) return fail("the server's answer does not fit what it was asked");
  return {Next::Feed, std::min(in.size(), head.total), 0};
}

// CommandComplete, ReadyForQuery, ParameterStatus.
Progress ServerSide::whole(Bytes in, Head head) {
  if (head.total > base::kServerNoteBytesMax) return fail("the server sent too long a message");
  if (in.size() < head.total) return {Next::Feed, 0, head.total};
  if (head.type == 'S') {
    on_status(in, head);
  } else if (head.type == 'Z') {
    if (head.total != kHeadBytes + 1 || !on_ready(in, head))
      return fail("the server said ReadyForQuery when nothing was asked");
    if (sink_.error.text.size() > 0) return {Next::Fail, 0, 0};
  } else {
    if (head.total < kHeadBytes + 1 || server_.ledger.empty())
      return fail("the server completed a command that nobody sent");
    on_complete(in.substr(kHeadBytes, head.total - kHeadBytes - 1));
    if (!on_execute_end(in, head))
      return fail("the server's answer does not fit what it was asked");
  }
  return {Next::Feed, head.total, 0};
}

bool ServerSide::answer(Bytes in, Head head, Entry::Kind kind) {
  if (server_.ledger.empty()) return false;
  const Entry& entry = server_.ledger.front();
  if (entry.kind != kind || entry.fate == Entry::Fate::Poison) return false;
  const bool swallow = entry.fate == Entry::Fate::Swallow;
  if (entry.statement && kind == Entry::Kind::Parse) server_.prepared.parsed(entry.statement.id());
  if (entry.statement && kind == Entry::Kind::Close) server_.prepared.closed(entry.statement.id());
  if (entry.mark != 0 && entry.mark == server_.unnamed_mark) server_.unnamed_sure = true;
  server_.ledger.pop();
  swallow ? drop(in, head.total) : forward(in, head.total);
  return true;
}

// RowDescription and NoData end a Describe; RowDescription also stands in the answer to a Query.
bool ServerSide::describe(Bytes in, Head head) {
  if (server_.ledger.empty()) return false;
  const Entry::Kind kind = server_.ledger.front().kind;
  if (kind == Entry::Kind::Query) {
    server_.rows_seen = true;
  } else if (kind != Entry::Kind::Describe) {
    return false;
  } else if (head.type != 't') {
    server_.ledger.pop();
  }
  forward(in, head.total);
  return true;
}

// A statement runs, so that rows or a COPY may come.
bool ServerSide::runs() const {
  if (server_.ledger.empty()) return false;
  const Entry::Kind kind = server_.ledger.front().kind;
  return kind == Entry::Kind::Execute || kind == Entry::Kind::Query;
}

bool ServerSide::on_copy(Bytes in, Head head) {
  if (!runs()) return false;
  switch (head.type) {
    case 'G': on_copy_in(); break;
    case 'H': server_.copy = Copy::Out; break;
    case 'W': server_.copy = Copy::Both; break;
    default: server_.copy = Copy::None; break;
  }
  forward(in, head.total);
  return true;
}

// CommandComplete, EmptyQueryResponse, PortalSuspended: the end of an Execute, or of one
// statement of a Query.
bool ServerSide::on_execute_end(Bytes in, Head head) {
  if (server_.ledger.empty()) return false;
  const Entry::Kind kind = server_.ledger.front().kind;
  if (kind != Entry::Kind::Execute && (kind != Entry::Kind::Query || head.type == 's'))
    return false;
  if (head.type == 's') note_locks();
  if (stands_for_deallocate(in, head)) {
    std::string complete;
    append_command_complete(complete, "DEALLOCATE");
    sink_.to_client.add_copy(complete);
    drop(in, head.total);
  } else {
    forward(in, head.total);
  }
  if (kind == Entry::Kind::Execute) server_.ledger.pop();
  server_.rows_seen = false;
  if (server_.copy == Copy::In || server_.copy == Copy::Out) server_.copy = Copy::None;
  return true;
}

// ClientSide::bind_deallocate() has bound UNLISTEN in its place.
bool ServerSide::stands_for_deallocate(Bytes in, Head head) const {
  return head.type == 'C' && (current_traits() & kDeallocates) &&
         in.substr(kHeadBytes).starts_with("UNLISTEN");
}

bool ServerSide::in_extended() const {
  const Entry::Kind kind = server_.ledger.front().kind;
  return kind != Entry::Kind::Query && kind != Entry::Kind::Call && kind != Entry::Kind::Sync &&
         kind != Entry::Kind::Question;
}

// Of a Parse under a name that is taken only the complaint about that name is reworded; what
// poison_message() calls forth always is.
bool ServerSide::is_replaced(const Entry& entry, Bytes message) const {
  if (entry.kind != Entry::Kind::Parse) return true;
  const std::string sqlstate = read_error(message.substr(kHeadBytes)).sqlstate;
  return sqlstate == "42P05" || sqlstate == "26000";
}

bool ServerSide::needs_whole_error() const {
  return !server_.ledger.empty() &&
         (server_.ledger.front().fate == Entry::Fate::Poison || server_.syncs_ignored > 0);
}

// A Sync that is read behind the error that ended its COPY is answered. Those sent before the COPY
// began are read before, unless it is cancelled before anything is read.
bool ServerSide::may_answer_ignored(Bytes error) const {
  return server_.sync_in_copy ||
         (server_.copy == Copy::In && read_error(error.substr(kHeadBytes)).sqlstate == "57014");
}

bool ServerSide::on_error(Bytes in, Head head) {
  if (server_.ledger.empty()) {  // a last word before the server closes
    server_.retire = true;
    const bool concerns_client =
        !client_.options.transaction_mode || server_.status != 'I' || !at_rest(server_);
    concerns_client ? forward(in, head.total) : drop(in, head.total);
    return true;
  }
  ++sink_.errors;
  note_failure();
  if (server_.syncs_ignored > 0 && may_answer_ignored(in.substr(0, head.total)))
    server_.retire = true;
  Entry& entry = server_.ledger.front();
  if (entry.fate == Entry::Fate::Poison && is_replaced(entry, in.substr(0, head.total))) {
    sink_.to_client.add_copy(entry.fake);
    drop(in, head.total);
  } else {
    forward(in, head.total);
  }
  server_.copy = Copy::None;
  server_.rows_seen = false;
  if (in_extended()) cut_to_sync();
  return true;
}

// "Extended Query", 55.2.3: after an error the server skips everything up to the next Sync.
void ServerSide::cut_to_sync() {
  Ledger& ledger = server_.ledger;
  size_t count = 0;
  while (count < ledger.size() && ledger.at(count).kind != Entry::Kind::Sync) ++count;
  // Backwards: a statement may have been closed to make room, and prepared again behind that.
  for (size_t i = count; i > 0; --i) undo(ledger.at(i - 1), i == 1);
  for (; count > 0; --count) ledger.pop();
  if (server_.ledger.empty()) server_.unsynced = server_.skipping = true;
}

// A Parse that fails has destroyed the unnamed statement before it; one that is skipped has not.
void ServerSide::undo_unnamed(Entry& parse, bool failed) {
  if (server_.unnamed_mark == parse.mark) server_.unnamed_mark = 0;
  if (parse.fate != Entry::Fate::Forward || client_.unnamed_mark != parse.mark) return;
  client_.unnamed = failed ? std::string() : std::move(parse.name);
  client_.unnamed_mark = failed ? 0 : parse.mark_before;
}

// What was noted when the message was sent did not come about.
void ServerSide::undo(Entry& entry, bool failed) {
  if (entry.kind == Entry::Kind::Parse) {
    if (entry.mark != 0) undo_unnamed(entry, failed);
    if (!entry.statement) return;
    if (entry.fate != Entry::Fate::Fake) server_.prepared.skipped(entry.statement.id());
    if (entry.name.empty()) return;
    const Interned* found = client_.names.find(entry.name);
    if (found && *found == entry.statement) client_.names.forget(entry.name);
  } else if (entry.statement) {  // Close, or Bind of DEALLOCATE: the client's name is back
    if (entry.fate == Entry::Fate::Swallow) server_.prepared.skipped(entry.statement.id());
    if (entry.name.empty()) return;
    client_.names.remember(entry.name, entry.statement);
  } else if (entry.kind == Entry::Kind::Query && (entry.traits & kForgets)) {
    server_.prepared.clear_over();
  }
}

// Syncs that were sent between the Execute of a COPY and the end of its data are ignored by the
// server ("COPY Operations", 55.2.6). A client that does not wait may have sent that end already.
void ServerSide::on_copy_in() {
  server_.copy = Copy::In;
  if (server_.ledger.empty()) return;
  bool ended = server_.ledger.front().copy_ended;
  if (server_.ledger.front().kind == Entry::Kind::Execute) {
    size_t count = 0;
    while (!ended && count + 1 < server_.ledger.size() &&
           server_.ledger.at(count + 1).kind == Entry::Kind::Sync)
      ended = server_.ledger.at(++count).copy_ended;
    server_.ledger.erase(1, count);
    server_.syncs_ignored += static_cast<uint32_t>(count);
    if (count > 0) server_.unsynced = server_.ledger.size() == 1;
  }
  if (ended) server_.copy = Copy::None;
}

bool ServerSide::on_ready(Bytes in, Head head) {
  if (server_.ledger.empty()) {
    if (server_.syncs_ignored == 0) return false;
    server_.retire = true;  // one of them counted after all; which one nobody can tell
    server_.unsynced = server_.skipping = false;
  } else {
    if (in_extended()) return false;
    const Entry& entry = server_.ledger.front();
    if (entry.kind == Entry::Kind::Query && (entry.traits & kForgets))
      server_.prepared.clear_over();
    server_.ledger.pop();
  }
  server_.status = in[kHeadBytes];
  if (server_.status != 'I' && server_.status != 'T' && server_.status != 'E') return false;
  server_.copy = Copy::None;
  server_.rows_seen = server_.reset_seen = false;
  if (server_.ledger.empty()) {
    server_.syncs_ignored = 0;
    server_.sync_in_copy = false;
    // A portal of this transaction may still be run.
    if (server_.status == 'I') {
      if (server_.reads_text && server_.remains.may_change_reading()) server_.dirty = true;
      server_.bound_traits = 0;
      server_.reads_text = false;
      server_.local_reading.clear();
      server_.bound_reset.clear();
    }
  }
  ++sink_.queries;
  if (server_.status == 'I') ++sink_.transactions;
  if (client_.options.statement_mode && server_.status != 'I')
    sink_.error = {base::ErrorKind::Refused,
                   "transaction blocks are not allowed in statement pooling mode", "0A000"};
  else
    forward(in, head.total);
  if (server_.status == 'I' && at_rest(server_)) ask();
  return true;
}

Progress ServerSide::fail(const char* text) {
  sink_.error = {base::ErrorKind::Protocol, text, "08P01"};
  return {Next::Fail, 0, 0};
}

void ServerSide::forward(Bytes in, size_t total) {
  const size_t count = std::min(in.size(), total);
  sink_.to_client.add(in.substr(0, count));
  server_.body_left = total - count;
  server_.body_dropped = false;
}

void ServerSide::drop(Bytes in, size_t total) {
  const size_t count = std::min(in.size(), total);
  server_.body_left = total - count;
  server_.body_dropped = true;
}

}  // namespace weir::postgres
