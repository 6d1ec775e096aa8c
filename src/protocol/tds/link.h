// The relay's judge for SQL Server: what each message of a client or of a server means for the
// turn, the transaction, the settings and the end of the hold. Packets are forwarded as they come;
// what is changed in them keeps its length. Stateless itself; see state.h for what it keeps up.
#pragma once

#include "own_answers.h"
#include "request.h"
#include "state.h"

namespace weir::tds {

using protocol::Next;
using protocol::Progress;
using protocol::Sink;

// What of a request is looked at before it goes to the server, packet heads included.
constexpr size_t kJudgedBytesMax = 64 * 1024;

// A client's message as far as it is there.
struct Message {
  Bytes begin = {};        // from its first packet on
  size_t bytes = 0;        // of its packets, that are there
  size_t want = 0;         // to see more of it
  bool whole = false;      // that is all
  bool withdrawn = false;  // with kIgnore (2.2.3.1.2)
  PacketType type = PacketType::Batch;
  bool resets = false;             // with one of the bits of a reset
  bool keeps_transaction = false;  // with the one that leaves it open
  Bytes payload = {};              // of all its packets: looks into `in`, or into the scratch
  std::string_view fault = {};
};
// `scratch` holds the payload of several packets. Not much more than `bytes_max` is looked at.
Message look_at(PacketStream packets, Bytes in, std::string& scratch,
                size_t bytes_max = kJudgedBytesMax);

// Judges a client's bytes. One object per call.
class ClientSide {
 public:
  ClientSide(InternTable& texts, ClientState& client, ServerState* server, Sink& sink)
      : client_(client), server_(server), sink_(sink), texts_(texts) {}
  Progress judge(Bytes in);
  // weir's own answer to what is parked; see Link::answer_error().
  size_t answer_parked(Bytes in, const Error& error);

 private:
  // What a step has come to: go on with the next message, or return `progress`.
  struct Step {
    bool over = false;
    Progress progress = {};
  };
  Progress finish(Progress progress);
  Step begin(Bytes in);
  Step go_on(Bytes in);
  Step without_server(Bytes in);
  Step attention();
  Step request(Bytes in);
  // Nothing: there is enough of `message`.
  std::optional<Step> see(Bytes in, Message& message);
  bool looks_at_all() const;
  bool is_enough(const Message& message) const;
  bool needs_its_end(const Message& message) const;
  std::optional<Step> wait_for_end(Bytes in);
  Step withdrawn(const Message& message);
  Step judged(Bytes in, const Message& message);
  Step forward(Bytes in, const Message& message);
  void mend_descriptor(const Message& message);
  void add_mended(Bytes message);
  Step refuse(const Message& message, const ServerMessage& why);
  // Prepared statements (client_prepared.cpp). Nothing: the message may be sent.
  std::optional<Step> judge_prepared(const Message& message);
  std::optional<Step> prepared_by_text(const Message& message);
  std::optional<Step> without_others(const Message& message);
  std::optional<Step> by_servers_numbers(const Message& message);
  bool only_unprepares() const;
  std::optional<Step> ready(const Message& message, const PreparedCall& call, bool answered);
  std::optional<Step> unprepare(const Message& message);
  void give_up(const PreparedCall& call);
  Step prepare_first(const Message& message, const Interned& definition);
  void take(Bytes in, size_t bytes);
  void say(const std::string& answer) { sink_.to_client.add_copy(answer); }
  Step over(Next next, size_t want = 0) const { return {true, {next, used_, want}}; }
  Step fail(std::string_view text);

  ClientState& client_;
  ServerState* server_;
  Sink& sink_;
  InternTable& texts_;
  std::string scratch_;  // of look_at()
  size_t used_ = 0;
};

// Judges a server's bytes. One object per call.
class ServerSide {
 public:
  ServerSide(InternTable& texts, ClientState& client, ServerState& server, Sink& sink)
      : texts_(texts), client_(client), server_(server), sink_(sink) {}
  Progress judge(Bytes in);

 private:
  void walk(Bytes payload);
  void note(const TokenEvent& event);
  void note_done(const TokenEvent& event);
  void note_error(const TokenEvent& event);
  void note_handle(const TokenEvent& event);
  void note_change(const EnvChange& change);
  void patch_handle(const TokenEvent& event, int32_t number);
  void keep_tail();
  void find_acknowledgement();
  bool may_have_mistaken_a_handle() const;
  void forget_called();
  void be_unclear();
  size_t bytes_to_wait_for(Bytes in) const;
  bool is_stopped(const PacketStream::Run& shape) const;
  bool awaits_handle() const;
  bool forward(Bytes run, const PacketStream::Run& shape);
  void forward_changed(Bytes run, const PacketStream::Run& shape);
  bool replace_own_acknowledgement(Bytes run, const PacketStream::Run& shape);
  void end_message();
  void end_turn();
  void end_count(bool has_rows, TokenWalker::End end);
  void apply(const Outcome& outcome);
  void forget_state();
  void check_prepared();
  bool are_in_force(const std::vector<Setting>& settings) const;
  void carry(const std::vector<Setting>& settings);
  void carry_database();
  void put_in_force(const SettingMap& map);
  void ask_for_count();
  Progress fail(std::string_view text);

  InternTable& texts_;
  ClientState& client_;
  ServerState& server_;
  Sink& sink_;
  Bytes run_, payload_;  // that is looked at
  // Of numbers that the client gets in place of the server's, by their place in what is held back
  // and the run behind it.
  std::vector<std::pair<size_t, char>> patches_;
  size_t value_cut_ = 0;     // of a value that began before the run
  bool value_came_ = false;  // with the run
  std::string_view fault_;
};

// How long the first of these messages is, if an attention follows, which takes it back (2.2.1.7);
// else 0.
size_t bytes_taken_back(const ClientState& client, Bytes parked);

}  // namespace weir::tds
