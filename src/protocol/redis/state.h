// What weir remembers of a Redis client and of a Redis server connection, and the ledger between
// them. Values of one worker at a time; filled by the greeting and the login, kept up to date by
// the link.
#pragma once

#include <cstdint>
#include <vector>

#include <weir/protocol/protocol.h>

#include "reply.h"
#include "request.h"

namespace weir::redis {

struct ClientState final : protocol::ClientState {
  bool shares = true;     // false: it keeps a server of its own (session mode), and uses no lane
  RequestStream stream;   // a large command that is half passed
  int64_t database = -1;  // which all servers of its pool are in; -1: it has not seen one yet
};

// Answers that the server owes to one client, one for each of `count` commands behind each other.
struct Entry {
  enum class Kind : uint8_t {
    Plain,
    Multi,
    Exec,
    Discard,
    Watch,
    Unwatch,
    Refused,  // the server got nonsense in place of the command, and weir answers in place of the
              // server
  };
  uint64_t owner = 0;  // 0: who holds the lease
  uint32_t count = 1;
  Kind kind = Kind::Plain;
};

class Ledger {
 public:
  bool empty() const { return head_ == entries_.size(); }
  const Entry& front() const { return entries_[head_]; }
  uint64_t size() const;  // in answers
  void push(uint64_t owner, Entry::Kind kind);
  void pop();  // one answer

 private:
  std::vector<Entry> entries_;  // keeps its room: no allocation once it has grown
  size_t head_ = 0;
};

//            MULTI +OK                     EXEC, DISCARD +OK
//   at rest ----------> multi (and watch) ------------------> at rest      WATCH +OK: watch, until
//   EXEC, DISCARD
//      \--- any Raw command ---> raw, until it is closed                   or UNWATCH +OK
struct ServerState final : protocol::ServerState {
  int64_t database = 0;
  Ledger ledger;
  ReplyStream reply;
  bool multi = false;
  bool watch = false;
  bool raw = false;     // its client keeps it; when the ledger is empty, all bytes pass unseen
  bool broken = false;  // it has said that it will close
  bool request_open = false;  // a client's command is half forwarded

  bool at_rest() const { return ledger.empty() && !reply.open() && !multi && !watch; }
};

}  // namespace weir::redis
