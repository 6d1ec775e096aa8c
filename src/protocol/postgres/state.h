// What weir remembers of a PostgreSQL client and of a PostgreSQL server connection, and the
// ledger between them.
// Values of one worker at a time; filled by the greeting and the login, kept up to date by the
// link.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/base/intern.h>
#include <weir/base/limits.h>
#include <weir/protocol/postgres.h>
#include <weir/protocol/protocol.h>

#include "prepared.h"
#include "remains.h"

namespace weir::postgres {

using base::Bytes;
using base::Interned;
using base::InternTable;

// A set of settings is one interned text: name NUL value NUL …, names in lower case and in order.
// Equal sets are therefore one node.
Interned intern_settings(InternTable& texts, const SettingMap& map);
SettingMap settings_of(const Interned& set);
// The set with this setting, or without it when there is no value.
Interned with_setting(InternTable& texts, const Interned& set, std::string_view name,
                      const std::string* value);

// ParameterStatus names that a client cannot set, so that they are never carried.
bool is_carried(std::string_view name);
// May it change what a statement's text means when the server reads it?
bool changes_reading(std::string_view name);

// Keeps what a server reports; false: it is too much to be kept.
// Why a server that reports this is not what it has to be; empty: it is. Goes by what PostgreSQL
// reports since version 14.
std::string misses_role(protocol::Role role, const SettingMap& reported);
bool note_reported(SettingMap& map, const std::string& name, const std::string& value);

// A client's named statements: name -> statement key (text.h).
class StatementNames {
 public:
  const Interned* find(const std::string& name) const;
  void remember(const std::string& name, const Interned& statement);
  void forget(const std::string& name);
  bool is_full() const;  // nothing more may be remembered

 private:
  struct Table {
    std::unordered_map<std::string, Interned> statements;
    size_t bytes = 0;  // names and texts
  };
  std::unique_ptr<Table> table_;  // most clients have none
};

// The variant of who has said that he only reads, where such clients have hosts of their own.
constexpr uint64_t kReaders = 1;

struct ClientState final : protocol::ClientState {
  uint64_t variant() const override { return is_reader ? kReaders : 0; }
  uint64_t flavour() const override { return wanted.id(); }

  protocol::Admission::ClientOptions options;
  uint64_t session_id = 0;  // its low 31 bits are the process id that the client was told
  std::string cancel_key;   // that it was told; 4 bytes, or 32 since version 3.2
  Interned startup;         // the settings of its start-up packet, in the server's spelling
  Interned wanted;          // what must be in force while it holds a server
  StatementNames names;
  // The settings that `reading` was made of, and those of them that may change what a text means.
  Interned read_under, reading;
  std::string unnamed;        // the last unnamed statement, as a key of text.h; empty: none
  uint64_t unnamed_mark = 0;  // which one it is; see ServerState::unnamed_mark
  uint32_t unnamed_count = 0;
  uint64_t body_left = 0;  // of the message being relayed
  bool is_reader = false;
  bool body_dropped = false;  // that body goes nowhere
  bool skip_to_sync = false;  // weir answered an error without a server: all but Sync is dropped
};

// One answer that the server owes.
struct Entry {
  // Question: weir's own Query, about what its client has left (remains.h).
  enum class Kind : uint8_t { Query, Call, Parse, Bind, Describe, Execute, Close, Sync, Question };
  // Forward to the client · Swallow · Fake: nothing was sent, `fake` is the answer · Poison: the
  // server will refuse what was sent, and its error is replaced by `fake`.
  enum class Fate : uint8_t { Forward, Swallow, Fake, Poison };
  Kind kind = Kind::Query;
  Fate fate = Fate::Forward;
  bool copy_ended =
      false;            // CopyDone or CopyFail was sent behind it, before the server asked for data
  uint16_t traits = 0;  // of the text of a Query, or of what an Execute may run (text.h)
  Interned statement = {};  // Parse, Close, Bind of a DEALLOCATE: what fails when it fails
  // Parse, Close, Bind of a DEALLOCATE: the client's name of it; Query: the setting that it resets
  std::string name = {};
  std::string fake = {};
  bool changes_name = false;  // gives `name` to a statement, or takes it away
  uint32_t segment = 0;       // in which it stands; see ServerState::segment
  uint64_t mark = 0;          // Parse: of which unnamed statement
  uint64_t mark_before = 0;   // the client's one before it, whose key is `name`
  size_t own_bytes = 0;       // set by the ledger
  bool ends_segment() const {
    return kind == Kind::Query || kind == Kind::Call || kind == Kind::Sync ||
           kind == Kind::Question;
  }
};

class Ledger {
 public:
  bool empty() const { return head_ == entries_.size(); }
  size_t size() const { return entries_.size() - head_; }
  Entry& front() { return entries_[head_]; }
  Entry& back() { return entries_.back(); }
  Entry& at(size_t i) { return entries_[head_ + i]; }
  const Entry& at(size_t i) const { return entries_[head_ + i]; }
  Entry& push(Entry entry) {
    entry.own_bytes = entry.fake.size() + entry.name.size();
    own_bytes_ += entry.own_bytes;
    if (entry.changes_name) name_changes_.push_back({entry.name, entry.segment});
    if (entry.ends_segment()) ++segment_ends_;
    asked_for_ = false;
    entries_.push_back(std::move(entry));
    return entries_.back();
  }
  // The answers that are due are wanted. False: they were asked for before.
  bool ask() { return !std::exchange(asked_for_, true); }
  bool is_full() const {
    return size() >= base::kLedgerEntriesMax || own_bytes_ >= base::kLedgerBytesMax;
  }
  void pop() {
    own_bytes_ -= front().own_bytes;
    if (front().changes_name) name_changes_.pop_front();
    if (front().ends_segment()) --segment_ends_;
    if (++head_ == entries_.size()) {
      entries_.clear();
      head_ = 0;
    } else if (head_ >= 64 && head_ * 2 >= entries_.size()) {
      entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  void erase(size_t i, size_t count) {  // of Syncs
    segment_ends_ -= count;
    const auto first = entries_.begin() + static_cast<std::ptrdiff_t>(head_ + i);
    entries_.erase(first, first + static_cast<std::ptrdiff_t>(count));
  }

  // Answers of earlier segments are due, so that nobody knows whether a transaction has failed.
  bool is_behind() const { return segment_ends_ > 0; }
  // Is the last change of this name that stands before `segment` not answered yet? It may have
  // failed, or been skipped. Where there are very many, any name is held for uncertain.
  bool is_uncertain(const std::string& name, uint32_t segment) const {
    constexpr int kLookedThrough = 64;
    int looked = 0;
    for (const NameChange& change : name_changes_) {
      if (change.segment == segment) return false;
      if (change.name == name || ++looked == kLookedThrough) return true;
    }
    return false;
  }

 private:
  struct NameChange {
    std::string name;
    uint32_t segment;
  };
  std::vector<Entry> entries_;          // keeps its room: no allocation once it has grown
  std::list<NameChange> name_changes_;  // of the entries, in their order
  size_t head_ = 0;
  size_t own_bytes_ = 0;  // of names, texts and fake answers
  size_t segment_ends_ = 0;
  bool asked_for_ = false;
};

enum class Copy : uint8_t { None, In, Out, Both };

struct ServerState final : protocol::ServerState {
  uint64_t variant() const override { return is_readers ? kReaders : 0; }
  uint64_t flavour() const override { return in_force.id(); }
  int64_t remote_id() const override { return process_id; }

  // Is this (in lower case) a setting that ParameterStatus reports and weir carries?
  bool reported_setting(std::string_view name) const;

  // How it was secured, and how its cancels are: None, Required (after a request), Direct.
  protocol::Encryption tls = protocol::Encryption::None;
  protocol::Role role = protocol::Role::Any;  // what it has to be, and to stay
  bool is_readers = false;                    // see kReaders
  int32_t process_id = 0;                     // BackendKeyData; 0: none came, cancel does nothing
  std::string cancel_key;
  SettingMap reported;  // ParameterStatus as it stands, names as the server spells them
  SettingMap base;      // ParameterStatus at login: what RESET goes back to
  Interned in_force;    // the carried settings that weir or the client has made valid here
  bool settings_unknown = false;  // attach() starts from RESET ALL
  Ledger ledger;
  char status = 'I';  // of the last ReadyForQuery: I, T, E
  Copy copy = Copy::None;
  // A Parse was sent, since it was last at rest, of a text that depends on the settings: if they
  // change as well, nobody knows under which it was read.
  bool reads_text = false;
  // Not empty: a SET LOCAL is in force, or may be. Stands for what is read in this transaction, as
  // nothing that is read in any other is the same.
  std::string local_reading;
  bool dirty = false;  // a turn left, or may have left, state that only a reset removes
  Remains remains;     // of what its client has left: what is known by name
  std::string heard;   // notifications that came during a talk of weir's, for its client
  bool retire = false;
  bool is_used_up = false;  // by what no reset removes: nobody else may get it
  PreparedSet prepared;
  uint32_t segment = 0;          // counts the Sync, Query and Call that were sent
  uint64_t unnamed_mark = 0;     // whose unnamed statement the server has; 0: nobody's
  uint32_t unnamed_segment = 0;  // in which it was sent
  bool unnamed_sure = false;     // and the server has taken it
  uint64_t body_left = 0;        // of the message being relayed to the client
  bool body_dropped = false;
  bool client_body_open = false;  // a client's message to this server is half forwarded
  bool unsynced = false;          // extended messages were sent behind the last Sync
  bool skipping = false;  // and one of them failed: the server ignores all up to the Sync to come
  uint32_t syncs_ignored =
      0;  // Syncs that came in COPY mode: the server answers them only if it had left it
  bool sync_in_copy = false;  // one of them was sent when the COPY ran already
  bool rows_seen = false;     // a row or its description was sent since the last CommandComplete
  uint16_t bound_traits = 0;  // of the statements that were bound in this turn
  std::string bound_reset;    // the setting that one of them resets; "*": more than one
  bool reset_seen = false;    // this turn ran RESET or DISCARD ALL
};

}  // namespace weir::postgres
