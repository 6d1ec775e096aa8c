// The relay's judge for Redis: which way each command goes, whose each answer is, and when a hold
// may end. Stateless itself; see state.h for what it keeps up.
//
//   no server   nothing is sent: says what is needed, and answers by itself what needs no server
//   a lane      whole commands without state, each with an entry that names its client
//   a lease     all commands; the answers to MULTI, EXEC, DISCARD, WATCH and UNWATCH say how the
//   server stands raw         a lease with state that answers do not show: kept until the client
//   leaves, then closed
#pragma once

#include "commands.h"
#include "state.h"

namespace weir::redis {

using protocol::Next;
using protocol::Progress;
using protocol::Sink;

// Judges a client's bytes. One object per call.
class ClientSide {
 public:
  ClientSide(ClientState& client, ServerState* server, Sink& sink)
      : client_(client), server_(server), sink_(sink) {}
  Progress judge(Bytes in);

 private:
  // What a step has come to: go on with the next command, or return `progress`.
  struct Step {
    bool over = false;
    Progress progress = {};
  };
  enum class Mode : uint8_t { Nothing, Lane, Lease };

  Step next(Bytes in);
  Step body(Bytes in);
  Step command(Bytes in, const Request& request);
  Step without_lease(Bytes in, const Request& request);
  Step on_lease(Bytes in, const Request& request);
  Step by_weir(const Request& request, Way way);
  Step pass(Bytes in, const Request& request, Entry::Kind kind);
  Step go_raw(Bytes in);
  Step over(Next next, size_t want = 0);
  Step fail(std::string text);
  Way way(const Request& request) const;
  void refuse(const Request& request);

  ClientState& client_;
  ServerState* server_;
  Sink& sink_;
  Mode mode_ = Mode::Nothing;
  size_t used_ = 0;
};

// Judges a server's bytes, on a lease. One object per call.
class ServerSide {
 public:
  ServerSide(const ClientState& client, ServerState& server, Sink& sink)
      : client_(client), server_(server), sink_(sink) {}
  Progress judge(Bytes in);

 private:
  void begin_answer(Bytes in);
  void end_answer();
  Progress fail(size_t used, const char* text);

  const ClientState& client_;
  ServerState& server_;
  Sink& sink_;
};

// Judges a server's bytes, on a lane.
Progress share_answers(ServerState& server, Bytes in, std::vector<protocol::Share>& shares);

// weir's own answer to each of the parked commands; see Link::answer_error().
size_t answer_parked(ClientState& client, const Error& error, Bytes in, Sink& sink);

// What a client is told in place of a command that weir does not let through.
constexpr Bytes kRefusal = "-ERR weir: this command is not possible on a pooled connection\r\n";

}  // namespace weir::redis
