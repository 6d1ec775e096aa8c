// What a request may do to its connection, as far as its text or its calls say. Pure, any thread.
#pragma once

#include <optional>
#include <vector>

#include <weir/protocol/protocol.h>

#include "packet.h"
#include "sql_text.h"
#include "version.h"

namespace weir::tds {

// A call of sp_prepare and its like.
struct PreparedCall {
  Procedure procedure = Procedure::Execute;  // Prepare, PrepExec, Execute or Unprepare
  uint32_t number = 0;                       // among the calls of its message
  bool names = false;                        // it brings a handle
  std::optional<int32_t> handle =
      {};  // that, if it is a number, and where it stands in the payload
  size_t handle_at = 0;
  std::string definition = {};  // that it prepares (prepared.h)
};

// What is changed in a message: `bytes` of `value` at a place in its payload.
struct Patch {
  size_t at = 0;
  size_t bytes = 0;
  uint64_t value = 0;
};

// Of one message; what is more is refused. Drivers send a batch of rows as a call for each.
constexpr size_t kPreparedCallsMax = 500'000;

struct Outcome {
  std::vector<PreparedCall> prepared = {};
  uint32_t calls = 0;                     // with all others
  std::vector<Patch> patches = {};        // by their places
  std::optional<protocol::Pin> pin = {};  // why its client has to keep the server
  std::vector<Setting> settings = {};     // that came about if the answer is without an error
  bool leaves = false;                    // something that only a reset removes
  bool transaction = false;               // it may have begun or ended one
  bool ends_server = false;               // no reset is enough
  bool bulk = false;                      // rows follow
  bool keeps_transaction = false;         // whatever it resets
  bool resets = false;                    // it carries the bit of a reset
  bool sets_context = false;              // which Babelfish's reset leaves as it is
  bool prepares = false;                  // in a text, where weir sees no numbers
  bool native = false;                    // it names prepared statements by the server's numbers
  void clear();                           // keeps its room, unless that is much
  void forget_calls();
};

// A client's message as far as it is there, without the heads of its packets.
struct SeenRequest {
  PacketType type = PacketType::Batch;
  Bytes payload;
  bool whole = false;
};
// Into `outcome`, which is new or has been cleared. Of calls that are not all there LaterCalls
// says the rest.
void judge_request(const SeenRequest& request, Version version, Outcome& outcome);

// The calls of a message that is followed as it comes, from its first byte on: judge_request() has
// seen the beginning only. Into the same outcome.
class LaterCalls {
 public:
  explicit LaterCalls(Version version) : walker_(version) {}
  void take(Bytes payload, Outcome& outcome);
  void end(Outcome& outcome);

 private:
  void on_call(const CallEvent& event, Outcome& outcome);

  CallWalker walker_;
  bool runs_text_ = false;
};

// A batch that is nothing but EXEC sp_unprepare and numbers, as Microsoft's JDBC driver sends it:
// these. Else none.
std::vector<PreparedCall> unprepares_in(const SeenRequest& request, Version version);

// INSERT BULK, as its first words. A message of which kBulkBytes of text are there, or all.
constexpr size_t kBulkBytes = 2048;
bool begins_bulk(const SeenRequest& request, Version version);

}  // namespace weir::tds
