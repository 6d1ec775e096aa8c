// From servers: what their clients have left, as the answers to weir's own question say.
#include <weir/base/limits.h>

#include "link.h"
#include "text.h"
#include "wire.h"

namespace weir::postgres {

namespace {

constexpr size_t kCarriedMax = 100;
constexpr size_t kCarriedBytesMax = 16 * 1024;

bool is_too_much(const SettingMap& settings) {
  size_t bytes = 0;
  for (const auto& [name, value] : settings) bytes += name.size() + value.size();
  return settings.size() > kCarriedMax || bytes > kCarriedBytesMax;
}

}  // namespace

// Of a client that keeps its server anyway it is enough that there is something.
void ServerSide::suspect(uint8_t kinds) {
  if (!client_.options.transaction_mode || (kinds & server_.remains.mute())) server_.dirty = true;
  if (client_.options.transaction_mode)
    server_.remains.suspect(kinds & static_cast<uint8_t>(~server_.remains.mute()));
}

// It may have committed before.
void ServerSide::note_failure() {
  note_locks();
  if (!(current_traits() & kRunsBlocks)) return;
  server_.dirty = true;
  server_.remains.may_set({}, false);
  suspect(kEverything);
}

// Locks that a statement has taken stay when it fails, and when it is not run to its end.
void ServerSide::note_locks() {
  const uint16_t traits = current_traits();
  if (traits & kMayLock) suspect(kLocks);
  if (traits & kMayUnlock) server_.remains.doubt();
}

// At rest, outside a transaction. Who cleans up behind a client that is gone does not ask.
void ServerSide::ask() {
  const bool is_asked = client_.options.transaction_mode && server_.remains.is_suspected();
  if (!is_asked) return server_.remains.forget_names();
  const std::string question = server_.remains.ask(server_.in_force);
  std::string message;
  append_query(message, question);
  sink_.to_server.add_copy(message);
  server_.ledger.push({.kind = Entry::Kind::Question});
  server_.unnamed_mark = 0;  // "Extended Query", 55.2.3: a simple Query destroys it
}

Progress ServerSide::on_answer(Bytes in, Head head) {
  if (head.type == 'S') return whole(in, head);
  if (head.type == 'A') return on_notification(in, head);
  if (head.total > base::kServerNoteBytesMax) return fail("the server sent too long a message");
  if (in.size() < head.total) return {Next::Feed, 0, head.total};
  const Bytes body = in.substr(kHeadBytes, head.total - kHeadBytes);
  bool fits = true;
  switch (head.type) {
    case 'T':
    case 'C':
    case 'N': break;
    case 'D': fits = server_.remains.on_row(body); break;
    case 'E': server_.remains.on_refusal(read_refusal(body)); break;
    case 'Z': fits = body == "I"; break;
    default: fits = false;
  }
  if (!fits) return fail("the server's answer does not fit what it was asked");
  if (head.type == 'Z') on_answered();
  return {Next::Feed, head.total, 0};
}

// Of itself a client knows another process id than its server does.
Progress ServerSide::on_notification(Bytes in, Head head) {
  constexpr size_t kWithProcessId = kHeadBytes + 4;
  if (head.total < kWithProcessId) return fail("the server sent an impossible message length");
  if (in.size() < kWithProcessId) return {Next::Feed, 0, kWithProcessId};
  const size_t count = std::min(in.size(), head.total);
  const bool is_own =
      base::load_be32(in.data() + kHeadBytes) == static_cast<uint32_t>(server_.process_id);
  std::string front(in.substr(0, kHeadBytes));
  base::append_be32(front, client_process_id(client_.session_id));
  sink_.to_client.add_copy(is_own ? Bytes(front) : in.substr(0, kWithProcessId));
  sink_.to_client.add(in.substr(kWithProcessId, count - kWithProcessId));
  server_.body_left = head.total - count;
  server_.body_dropped = false;
  return {Next::Feed, count, 0};
}

void ServerSide::on_answered() {
  server_.ledger.pop();
  const Remains::Answer answer = server_.remains.conclude();
  // Those that an application has made up are in no list: there may be one that nobody has named.
  // Another product may have a list in which nothing ever is.
  if (answer.is_refused || answer.any || answer.lacks_settings) server_.dirty = true;
  if (server_.remains.is_suspected()) return ask();
  if (answer.is_refused) return;
  if (answer.is_too_long) return server_.remains.too_many_settings();
  const SettingMap wanted =
      with_answer(settings_of(client_.wanted), answer, settings_of(client_.startup));
  if (is_too_much(wanted)) return server_.remains.too_many_settings();
  client_.wanted = intern_settings(texts_, wanted);
  server_.in_force =
      intern_settings(texts_, with_answer(settings_of(server_.in_force), answer, {}));
}

// Of the settings that the server reports it has told when they changed.
SettingMap ServerSide::with_answer(SettingMap set, const Remains::Answer& answer,
                                   const SettingMap& otherwise) const {
  const auto is_asked_for = [this](const std::string& name) {
    return is_carried(name) && !server_.reported_setting(name);
  };
  std::erase_if(set, [&](const auto& each) {
    return answer.concerns(each.first) && is_asked_for(each.first);
  });
  for (const auto& [name, value] : otherwise)
    if (answer.concerns(name) && is_asked_for(name)) set.emplace(name, value);
  for (const auto& [name, value] : answer.settings)
    if (is_asked_for(name)) set.insert_or_assign(name, value);
  if (!answer.any) return set;
  // A RESET that was rolled back has not been reported.
  for (const auto& [name, value] : server_.reported) {
    const auto login = server_.base.find(name);
    const bool is_own = login == server_.base.end() || login->second != value;
    if (const std::string lower = lower_case(name); is_own && is_carried(lower))
      set.insert_or_assign(lower, value);
  }
  return set;
}

}  // namespace weir::postgres
