// The client's half of prepared statements: its names, the servers' names, and what has to be
// prepared first.
#include <algorithm>
#include <utility>

#include "link.h"
#include "text.h"
#include "wire.h"

namespace weir::postgres {

namespace {

constexpr size_t kNameBytesMax = 4 * 1024;

std::string too_many_error() {
  return error_message("53400", "too many prepared statements of this client: close some");
}

std::string no_statement_error(std::string_view name) {
  if (name.empty()) return error_message("26000", "unnamed prepared statement does not exist");
  return error_message("26000", "prepared statement \"" + std::string(name) + "\" does not exist");
}

// Nobody listens on it: this does nothing, but fails like DEALLOCATE in a failed transaction.
constexpr std::string_view kNothingToDo("UNLISTEN weir_none\0\0\0", 21);

std::string deallocated_by(std::string_view key) {
  const Bytes body = key_body(key);
  return deallocated_name(body.substr(0, body.find('\0')));
}

// Describe or Close of a statement by its name on the server.
std::string statement_message(char type, const std::string& name) {
  std::string out;
  MessageBuilder(out, type).int8('S').text(name);
  return out;
}

}  // namespace

Progress ClientSide::dispatch_extended(Bytes in, Head head) {
  switch (head.type) {
    case 'P': return on_parse(in, head);
    case 'B': return on_bind(in, head);
    case 'E': owe(Entry::Kind::Execute); return pass(in, head);
    default: return on_describe_or_close(in, head);
  }
}

Progress ClientSide::on_parse(Bytes in, Head head) {
  if (in.size() < head.total) return need(in, head.total, client_.options.statement_bytes_max);
  const Bytes body = in.substr(kHeadBytes, head.total - kHeadBytes);
  const size_t name_end = body.find('\0');
  if (name_end == Bytes::npos || body.find('\0', name_end + 1) == Bytes::npos)
    return fail("Parse message is not well formed");
  if (name_end > kNameBytesMax) return fail("the name of a statement is too long");
  const Bytes rest = body.substr(name_end + 1);
  if (client_.options.statement_mode && (traits_of(rest.substr(0, rest.find('\0'))) & kBeginsBlock))
    return poison(in, head, Entry::Kind::Parse, block_error());
  if (!carries_names()) {
    const std::string_view sql = rest.substr(0, rest.find('\0'));
    const uint16_t traits = traits_of(sql);
    server_->bound_traits |= traits;
    if (traits & kSetSession) server_->remains.may_set(names_set(sql), true);
    if (name_end == 0)
      server_->unnamed_mark = 0;
    else
      server_->dirty = true;  // a name of this client's own, which nobody else may meet
    owe(Entry::Kind::Parse);
    return pass(in, head);
  }
  if (name_end > 0) return on_parse_named(in, head, std::string(body.substr(0, name_end)), rest);
  std::string before = std::exchange(client_.unnamed, key_of(rest));
  if (client_.unnamed.capacity() > 64 * 1024) client_.unnamed.shrink_to_fit();
  const uint64_t mark_before =
      std::exchange(client_.unnamed_mark, client_.session_id << 32 | ++client_.unnamed_count);
  own_unnamed({.kind = Entry::Kind::Parse, .name = std::move(before), .mark_before = mark_before});
  return pass(in, head);
}

Progress ClientSide::on_parse_named(Bytes in, Head head, std::string name, Bytes rest) {
  if (is_uncertain(name)) return {Next::Later, 0, 0};
  if (const Interned* taken = client_.names.find(name)) {
    // The server has that one: it finds everything else that is wrong with the new one first,
    // and then the name.
    ensure_prepared(*taken);
    send_parse(server_name(taken->id()), rest);
    server_->ledger.push(
        {.kind = Entry::Kind::Parse,
         .fate = Entry::Fate::Poison,
         .fake = error_message("42P05", "prepared statement \"" + name + "\" already exists")});
    return done(head.total);
  }
  if (client_.names.is_full()) return poison(in, head, Entry::Kind::Parse, too_many_error());
  const Interned statement = texts_.intern(key_of(rest));
  client_.names.remember(name, statement);
  Entry entry{.kind = Entry::Kind::Parse,
              .statement = statement,
              .name = std::move(name),
              .changes_name = true,
              .segment = server_->segment};
  if (make_ready(statement) == PreparedSet::Need::Nothing) {
    entry.fate = Entry::Fate::Fake;
    entry.fake = empty_message('1');
    server_->ledger.push(std::move(entry));
    emit_fakes(*server_, sink_);
    return drop(in, head);
  }
  note_parse(statement);
  send_parse(server_name(statement.id()), rest);
  server_->ledger.push(std::move(entry));
  return done(head.total);
}

// Bind: only as much is looked at as the two names take; the parameters stream.
Progress ClientSide::on_bind(Bytes in, Head head) {
  const Bytes here = in.substr(0, std::min(in.size(), head.total));
  const size_t portal_end = here.find('\0', kHeadBytes);
  const size_t name_end = portal_end == Bytes::npos ? portal_end : here.find('\0', portal_end + 1);
  if (name_end == Bytes::npos) {
    if (here.size() == head.total) return fail("Bind message is not well formed");
    return need(in, std::min(head.total, std::max<size_t>(here.size() * 2, 64)), kNameBytesMax);
  }
  const Bytes name = here.substr(portal_end + 1, name_end - portal_end - 1);
  if (!carries_names()) {
    // Of an earlier turn, should it keep its server.
    if (server_->remains.pin()) server_->bound_traits |= kMayLock | kMayHold | kMayCreate;
    owe(Entry::Kind::Bind);
    return pass(in, head);
  }
  if (name.empty() ? unnamed_is_open() : is_uncertain(std::string(name)))
    return {Next::Later, 0, 0};
  const Interned* statement = named(std::string(name));
  if (statement && is_open(*statement)) return {Next::Later, 0, 0};
  const bool is_there = name.empty() ? client_.unnamed_mark != 0 : statement != nullptr;
  if (!is_there) return poison(in, head, Entry::Kind::Bind, no_statement_error(name));
  const std::string_view key = name.empty() ? client_.unnamed : statement->view();
  if ((key_traits(key) & kDeallocates) && is_uncertain(deallocated_by(key)))
    return {Next::Later, 0, 0};
  std::string known;
  if (!bind_deallocate(key)) {
    if (name.empty()) {
      if (!ensure_unnamed()) return poison(in, head, Entry::Kind::Bind, no_statement_error(name));
      note_bound(client_.unnamed);
    } else {
      ensure_prepared(*statement);
      note_bound(statement->view());
      known = server_name(statement->id());
    }
    owe(Entry::Kind::Bind);
  }
  if (name.empty()) return pass(in, head);
  std::string front("B");
  base::append_be32(front, static_cast<uint32_t>(head.total - 1 - name.size() + known.size()));
  sink_.to_server.add_copy(front);
  sink_.to_server.add(here.substr(kHeadBytes, portal_end + 1 - kHeadBytes));
  sink_.to_server.add_copy(known);
  sink_.to_server.add(here.substr(name_end));
  client_.body_left = head.total - here.size();
  client_.body_dropped = false;
  server_->client_body_open = client_.body_left > 0;
  return done(here.size());
}

// DEALLOCATE of a statement made by Parse: the server knows it by another name, and may keep it
// for the next client. It gets something harmless to run, and ServerSide puts the tag right.
bool ClientSide::bind_deallocate(std::string_view key) {
  if (!(key_traits(key) & kDeallocates)) return false;
  std::string name = deallocated_by(key);
  const Interned* statement = client_.names.find(name);
  if (!statement) return false;
  send_parse("", kNothingToDo);
  server_->unnamed_mark = 0;
  server_->ledger.push({.kind = Entry::Kind::Parse, .fate = Entry::Fate::Swallow});
  Entry bind{.kind = Entry::Kind::Bind,
             .statement = *statement,
             .changes_name = true,
             .segment = server_->segment};
  client_.names.forget(name);
  bind.name = std::move(name);
  server_->ledger.push(std::move(bind));
  server_->bound_traits |= kDeallocates;
  return true;
}

Progress ClientSide::on_describe_or_close(Bytes in, Head head) {
  if (in.size() < head.total) return need(in, head.total, kNameBytesMax);
  const Bytes body = in.substr(kHeadBytes, head.total - kHeadBytes);
  if (body.size() < 2 || body.find('\0') != body.size() - 1)
    return fail("Describe or Close message is not well formed");
  const bool describes = head.type == 'D';
  const std::string name(body.substr(1, body.size() - 2));
  if (body[0] != 'S' || !carries_names()) {
    owe(describes ? Entry::Kind::Describe : Entry::Kind::Close);
    return pass(in, head);
  }
  if (!name.empty() && is_uncertain(name)) return {Next::Later, 0, 0};
  if (!describes) return on_close(in, head, name);
  if (name.empty()) {
    if (unnamed_is_open()) return {Next::Later, 0, 0};
    if (!ensure_unnamed()) return poison(in, head, Entry::Kind::Describe, no_statement_error(name));
    owe(Entry::Kind::Describe);
    return pass(in, head);
  }
  const Interned* statement = named(name);
  if (!statement) return poison(in, head, Entry::Kind::Describe, no_statement_error(name));
  if (is_open(*statement)) return {Next::Later, 0, 0};
  ensure_prepared(*statement);
  owe(Entry::Kind::Describe);
  sink_.to_server.add_copy(statement_message('D', server_name(statement->id())));
  return done(head.total);
}

// A client's statement is only forgotten: the server keeps it for the next client with the same
// text.
Progress ClientSide::on_close(Bytes in, Head head, std::string name) {
  Entry entry{.kind = Entry::Kind::Close, .fate = Entry::Fate::Fake, .fake = empty_message('3')};
  if (name.empty()) {
    client_.unnamed.clear();
    client_.unnamed_mark = 0;
  } else if (const Interned* statement = client_.names.find(name)) {
    entry.statement = *statement;
    client_.names.forget(name);
    entry.name = std::move(name);
    entry.changes_name = true;
    entry.segment = server_->segment;
  }
  server_->ledger.push(std::move(entry));
  emit_fakes(*server_, sink_);
  return drop(in, head);
}

// Instead of the client's message one that the server refuses, so that the server goes into the
// same error state as the client believes it in; the error that comes back is replaced by ours.
Progress ClientSide::poison(Bytes in, Head head, Entry::Kind kind, std::string error) {
  if (kind == Entry::Kind::Parse && server_->status == 'E')
    error = error_message("25P02",
                          "current transaction is aborted, commands ignored until end of "
                          "transaction block");
  server_->ledger.push({.kind = kind, .fate = Entry::Fate::Poison, .fake = std::move(error)});
  sink_.to_server.add_copy(poison_message());
  return drop(in, head);
}

// What is in force and may change what a text means.
std::string_view ClientSide::reading() {
  if (server_ && !server_->local_reading.empty()) return server_->local_reading;
  const Interned& now = server_ ? server_->in_force : client_.wanted;
  if (!(client_.read_under == now)) {
    SettingMap map = settings_of(now);
    std::erase_if(map, [](const auto& each) { return !changes_reading(each.first); });
    client_.read_under = now;
    client_.reading = intern_settings(texts_, map);
  }
  return client_.reading.view();
}

std::string ClientSide::key_of(Bytes text_and_types) {
  return statement_key(client_.options.pool, text_and_types, reading());
}

// Its last change stands in an earlier segment and is not answered yet. While the client owes the
// data of a COPY no answer would come.
bool ClientSide::is_uncertain(const std::string& name) {
  return server_->copy != Copy::In && server_->ledger.is_uncertain(name, server_->segment);
}

bool ClientSide::is_open(const Interned& statement) const {
  return server_->prepared.is_open(statement.id(), server_->segment);
}

bool ClientSide::is_ready(const Interned& statement) {
  return server_->prepared.need(statement.id(), server_->segment) == PreparedSet::Need::Nothing;
}

// A client's statement by its name. Where it was not prepared under the settings of its Parse, it
// becomes what the same text means under those of today: others share what was read as it says.
const Interned* ClientSide::named(const std::string& name) {
  const Interned* statement = client_.names.find(name);
  if (!statement || !key_depends(statement->view())) return statement;
  if (key_reading(statement->view()) == reading() || is_ready(*statement)) return statement;
  const Interned again = texts_.intern(key_of(key_body(statement->view())));
  client_.names.forget(name);
  client_.names.remember(name, again);
  return client_.names.find(name);
}

void ClientSide::note_parse(const Interned& statement) {
  server_->prepared.parse_sent(statement, server_->segment);
  if (key_depends(statement.view())) server_->reads_text = true;
}

void ClientSide::note_bound(std::string_view key) {
  const Bytes body = key_body(key);
  const std::string_view sql = body.substr(0, body.find('\0'));
  const uint16_t traits = traits_on(*server_, key_traits(key) & ~kDeallocates, sql);
  server_->bound_traits |= traits;
  if (traits & kResets) server_->bound_reset = server_->bound_reset.empty() ? reset_name(sql) : "*";
  if (traits & kSetSession) server_->remains.may_set(names_set(sql), true);
  if (traits & kReadsLocally) read_locally();
}

void ClientSide::read_locally() {
  server_->local_reading = "local " + std::to_string(server_->segment);
}

void ClientSide::send_parse(Bytes name, Bytes body) {
  std::string front("P");
  base::append_be32(front, static_cast<uint32_t>(4 + name.size() + 1 + body.size()));
  front.append(name).push_back('\0');
  sink_.to_server.add_copy(front);
  sink_.to_server.add(body);
}

// Closes the statements that were used longest ago, so that `count` more fit.
void ClientSide::make_room(size_t count) {
  const auto limit = static_cast<size_t>(std::max(client_.options.prepared_statements, 1));
  while (server_->prepared.size() + count > limit && server_->prepared.size() > 0) {
    send_close(server_->prepared.oldest());
  }
}

void ClientSide::send_close(const Interned& statement) {
  sink_.to_server.add_copy(statement_message('C', server_name(statement.id())));
  server_->ledger.push(
      {.kind = Entry::Kind::Close, .fate = Entry::Fate::Swallow, .statement = statement});
  server_->prepared.close_sent(statement, server_->segment);
}

// Sends what has to come before a Parse, if one is needed at all. In a transaction that has failed,
// or may have, the server itself shall say what it thinks of it.
PreparedSet::Need ClientSide::make_ready(const Interned& statement) {
  auto need = server_->prepared.need(statement.id(), server_->segment);
  if (need == PreparedSet::Need::Nothing && (server_->status == 'E' || server_->ledger.is_behind()))
    need = PreparedSet::Need::CloseAndParse;
  if (need == PreparedSet::Need::CloseAndParse) send_close(statement);
  if (need != PreparedSet::Need::Nothing) make_room(1);
  return need;
}

void ClientSide::ensure_prepared(const Interned& statement) {
  if (server_->prepared.need(statement.id(), server_->segment) == PreparedSet::Need::Nothing)
    return;
  make_ready(statement);
  note_parse(statement);
  send_parse(server_name(statement.id()), key_body(statement.view()));
  server_->ledger.push(
      {.kind = Entry::Kind::Parse, .fate = Entry::Fate::Swallow, .statement = statement});
  flush_ = true;
}

// The client's last Parse of it is in an earlier segment and not answered yet: it may have failed.
bool ClientSide::unnamed_is_open() const {
  return client_.unnamed_mark != 0 && server_->unnamed_mark == client_.unnamed_mark &&
         !server_->unnamed_sure && server_->unnamed_segment != server_->segment;
}

// False: the client has no unnamed statement.
bool ClientSide::ensure_unnamed() {
  if (client_.unnamed_mark == 0) return false;
  if (server_->unnamed_mark == client_.unnamed_mark) return true;
  // In a failed transaction only its end can be parsed; anything else has failed, and is gone.
  const Bytes body = key_body(client_.unnamed);
  if (server_->status == 'E' && !ends_block(body.substr(0, body.find('\0')))) return false;
  send_parse("", key_body(client_.unnamed));
  own_unnamed({.kind = Entry::Kind::Parse, .fate = Entry::Fate::Swallow});
  flush_ = true;
  return true;
}

// The client's unnamed statement is on its way to the server.
void ClientSide::own_unnamed(Entry parse) {
  server_->unnamed_mark = client_.unnamed_mark;
  server_->unnamed_segment = server_->segment;
  server_->unnamed_sure = false;
  parse.mark = client_.unnamed_mark;
  server_->ledger.push(std::move(parse));
}

}  // namespace weir::postgres
