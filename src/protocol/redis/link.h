// The relay's judge for Redis: which way each command goes, whose each answer is, and when a hold
// may end. Stateless itself; see state.h for what it keeps up.
//
//   no server   nothing is sent: says what is needed, and answers by itself what needs no server
//   a lane      whole commands without state, each with an entry that names its client; also a
//               transaction that is there as a whole; on a hub subscriptions as well
//   a lease     all commands; the answers say how the connection stands, so that the hold ends when
//               it is at rest, and whatever it was left in is carried to the client's next server
#pragma once

#include "command_table.h"
#include "own_answers.h"
#include "roll.h"
#include "state.h"

namespace weir::redis {

using protocol::LaneKind;
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
  Step body_fails(std::string error);
  // Without a lease.
  Step without_lease(Bytes in, const Request& request);
  // A command, or a transaction that stands whole in front of some bytes; without commands: there
  // is no such one.
  struct Batch {
    size_t bytes = 0;
    uint32_t commands = 0;
    LaneKind lane = LaneKind::Light;
    Entry entry = {};
  };
  Batch whole_transaction(Bytes in) const;
  Effect effect_of(const Request& request) const;
  bool may_be_held(const Request& request) const;
  bool only_reads(const Request& request) const;
  Step down_the_lane(Bytes in, const Batch& batch);
  Step by_weir(const Request& request, Way way);
  bool is_own(const Request& request, Way way) const;
  bool is_login(const Request& request, Way way) const;
  bool is_settled() const { return sink_.settled && sink_.turns == 0; }
  // On a hub, or on the way there (client_hub.cpp). Nothing: as without subscriptions.
  bool is_on_hub() const;
  bool wants_hub(const Request& request, Way way) const;
  std::optional<Step> on_hub(Bytes in, const Request& request, Way way);
  std::optional<Step> only_listens(const Request& request, Way way);
  Step listen(Bytes in, const Request& request);
  Step change_hub(Hub::Change change);
  std::optional<Step> back_to_hub(const Request& request, Way way);
  Step reset_before_hub();
  // With one (client_lease.cpp).
  Step on_lease(Bytes in, const Request& request);
  void name_server();
  Step on_pinned(Bytes in, const Request& request, Way way);
  Step pass(Bytes in, const Request& request, Entry entry);
  Step pass_changing(Bytes in, const Request& request, Entry entry);
  Step sync(Bytes in, const Request& request);
  Step begin_transaction(Bytes in, const Request& request);
  Step end_transaction(Bytes in, const Request& request, Entry::Kind kind);
  Step select(Bytes in, const Request& request);
  Step hello(Bytes in, const Request& request);
  Step subscribe(Bytes in, const Request& request);
  Step wait(Bytes in, const Request& request);
  Step pause(Bytes in, const Request& request);
  Entry plain(const Request& request) const;
  Entry unpause() const;
  Step reset(Bytes in, const Request& request);
  Step client_on_lease(Bytes in, const Request& request);
  Step about_others(const Request& request);
  Step refuse_on_lease(const Request& request);

  Step over(Next next, size_t want = 0);
  Step call_roll(const Request& request);
  Step ask_server(const Call& call, const Request& request);
  Step fail(const std::string& text);
  Step say(const std::string& answer);
  bool silent();
  void take(const Request& request);
  bool needs_lease(const Request& request, Way way) const;
  Way way_of(const Request& request) const {
    return redis::way_of(request, client_.commands.get());
  }

  ClientState& client_;
  ServerState* server_;
  Sink& sink_;
  Mode mode_ = Mode::Nothing;
  bool pauses_ = false;  // CLIENT PAUSE may be in force
  size_t used_ = 0;
};

// Judges a server's bytes, on a lease. One object per call.
class ServerSide {
 public:
  ServerSide(ClientState& client, ServerState& server, Sink& sink)
      : client_(client), server_(server), sink_(sink) {}
  Progress judge(Bytes in);

 private:
  enum class Did : uint8_t { Used, More, Fail };
  Did piece(Bytes rest);
  Did whole(Bytes rest);
  Did stream(Bytes rest, bool fresh);
  void begin_answer(Bytes in);
  void end_answer();
  void changed(Bytes answer);
  void transaction_over(Bytes answer);
  void confirmed(Bytes confirmation);
  void said_hello(Bytes answer);
  void told_redirect(Bytes answer);
  void told_counts(Bytes answer);
  void permitted(Bytes answer);
  void probed(Bytes answer);
  void was_reset();
  Did fail(const char* text);

  ClientState& client_;
  ServerState& server_;
  Sink& sink_;
  size_t used_ = 0;
  size_t want_ = 1;
};

// Judges a server's bytes, on a lane; and on one that clients listen on (hub_side.cpp).
Progress share_answers(ServerState& server, Bytes in, std::vector<protocol::Share>& shares);
struct HubSink {
  std::vector<protocol::Share>& shares;
  base::Gather& to_server;
};
Progress share_with_listeners(ServerState& server, Bytes in, const HubSink& sink);
void leave_hub(ServerState& server, uint64_t owner, base::Gather& to_server);

// weir's own answer to each of the parked commands; see Link::answer_error().
size_t answer_parked(ClientState& client, const Error& error, Bytes in, Sink& sink);

}  // namespace weir::redis
