// The relay's judge for PostgreSQL: what each message of a client or of a server means for the
// ledger, the maps of prepared statements, the settings, and the end of the hold. Stateless itself;
// see state.h for what it keeps up. "Message Flow" and "Message Formats" are 55.2 and 55.7 of
// PostgreSQL's manual.
#pragma once

#include "state.h"

namespace weir::postgres {

using protocol::Next;
using protocol::Progress;
using protocol::Sink;

constexpr size_t kHeadBytes = 5;  // a type byte and a length that counts itself

struct Head {
  char type;
  size_t total;  // bytes of the whole message
};
// False: the length is impossible.
bool read_head(Bytes in, Head& head);

// A Bind that every server refuses, as weir names no statement like this.
std::string poison_message();

std::string error_message(std::string sqlstate, std::string text);
std::string block_error();  // of statement mode
std::string empty_message(char type);

// Judges a client's bytes. One object per call.
class ClientSide {
 public:
  ClientSide(InternTable& texts, ClientState& client, ServerState* server, Sink& sink)
      : texts_(texts), client_(client), server_(server), sink_(sink) {}
  Progress judge(Bytes in);

 private:
  Progress message(Bytes in, Head head);
  Progress need(Bytes in, size_t want, size_t limit);
  Progress fail(const char* text);
  Progress pass(Bytes in, Head head);  // forward; the body streams
  Progress drop(Bytes in, Head head);
  Progress without_server(Bytes in, Head head);
  Progress dispatch_extended(Bytes in, Head head);
  Progress on_query(Bytes in, Head head);
  Progress on_parse(Bytes in, Head head);
  Progress on_parse_named(Bytes in, Head head, std::string name, Bytes rest);
  Progress on_bind(Bytes in, Head head);
  bool bind_deallocate(std::string_view key);
  Progress on_describe_or_close(Bytes in, Head head);
  Progress on_close(Bytes in, Head head, std::string name);
  Progress on_sync(Bytes in, Head head);
  Progress on_copy(Bytes in, Head head);
  Progress refuse_block(Bytes in, Head head);
  bool deallocate(std::string_view sql);
  bool is_forgetting() const;
  bool is_uncertain(const std::string& name);
  Progress wait_for_answers();
  Progress poison(Bytes in, Head head, Entry::Kind kind, std::string error);

  void owe(Entry::Kind kind);
  void send_parse(Bytes name, Bytes body);
  void send_close(const Interned& statement);
  PreparedSet::Need make_ready(const Interned& statement);
  void note_bound(std::string_view key);
  void make_room(size_t count);
  void ensure_prepared(const Interned& statement);
  std::string_view reading();
  void read_locally();
  std::string key_of(Bytes text_and_types);
  bool is_ready(const Interned& statement);
  bool is_open(const Interned& statement) const;
  void note_parse(const Interned& statement);
  const Interned* named(const std::string& name);
  bool unnamed_is_open() const;
  bool ensure_unnamed();
  void own_unnamed(Entry parse);
  bool carries_names() const;
  Progress done(size_t consumed);

  InternTable& texts_;
  ClientState& client_;
  ServerState* server_;
  Sink& sink_;
  bool flush_ = false;  // views into texts that may change were put into the sink
};

// Judges a server's bytes. One object per call.
class ServerSide {
 public:
  ServerSide(InternTable& texts, ClientState& client, ServerState& server, Sink& sink)
      : texts_(texts), client_(client), server_(server), sink_(sink) {}
  Progress judge(Bytes in);

 private:
  Progress message(Bytes in, Head head);
  Progress whole(Bytes in, Head head);  // messages that have to be seen whole
  Progress fail(const char* text);
  void forward(Bytes in, size_t total);
  void drop(Bytes in, size_t total);
  bool answer(Bytes in, Head head, Entry::Kind kind);
  bool describe(Bytes in, Head head);
  bool on_execute_end(Bytes in, Head head);
  bool stands_for_deallocate(Bytes in, Head head) const;
  bool on_error(Bytes in, Head head);
  bool is_replaced(const Entry& entry, Bytes message) const;
  bool needs_whole_error() const;
  bool may_answer_ignored(Bytes error) const;
  bool on_ready(Bytes in, Head head);
  void on_status(Bytes in, Head head);
  void on_complete(Bytes tag);
  void on_maker(Bytes tag);
  void on_set();
  void on_reset_by_name();
  void on_discard_all();
  void on_reset(const std::string& name);
  void tell_restored(const std::string& name);
  std::string reset_now() const;
  void forget_all();
  void cut_to_sync();
  void undo(Entry& entry, bool failed);
  void undo_unnamed(Entry& parse, bool failed);
  void on_copy_in();
  bool on_copy(Bytes in, Head head);
  bool runs() const;
  bool in_extended() const;
  uint16_t current_traits() const;
  // What a client leaves (server_remains.cpp).
  void suspect(uint8_t kinds);
  void ask();
  Progress on_answer(Bytes in, Head head);
  Progress on_notification(Bytes in, Head head);
  void on_answered();
  SettingMap with_answer(SettingMap set, const Remains::Answer& answer,
                         const SettingMap& otherwise) const;
  void note_locks();
  void note_failure();

  InternTable& texts_;
  ClientState& client_;
  ServerState& server_;
  Sink& sink_;
};

// Puts out the answers of weir's own that have come to the head of the ledger, unless a message
// is half sent.
void emit_fakes(ServerState& server, Sink& sink);
// Says in the sink whether the server may leave its client.
void settle(const ServerState& server, Sink& sink);
bool at_rest(const ServerState& server);

}  // namespace weir::postgres
