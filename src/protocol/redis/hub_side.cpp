// What a server says on a connection that clients share to listen: answers and confirmations, each
// for one of them, and messages for all that listen to a topic.
#include "counts.h"
#include "link.h"
#include "piece.h"

namespace weir::redis {

namespace {

using protocol::Share;

constexpr Bytes kArray = "*";        // in place of '>'
constexpr size_t kSharesMax = 4096;  // then they are given out first

// The end of subscriptions, and how many confirmations of it there will be.
struct Ends {
  uint32_t confirmations = 0;
  Bytes text;
};
void ask_for_nobody(ServerState& server, const Ends& ends, base::Gather& to_server) {
  if (ends.confirmations == 0) return;
  server.ledger.push({.kind = Entry::Kind::Subscribe, .silent = true, .value = ends.confirmations});
  to_server.add_copy(ends.text);
}

class HubSide {
 public:
  HubSide(ServerState& server, const HubSink& sink)
      : server_(server), hub_(*server.hub), shares_(sink.shares), to_server_(sink.to_server) {}

  Progress judge(Bytes in) {
    size_t used = 0;
    while (used < in.size()) {
      const Taken taken = piece(in.substr(used));
      if (taken.did == Did::Fail) return {Next::Fail, used, 0};
      used += taken.bytes;
      if (taken.did == Did::More) return {Next::Feed, used, taken.want};
      // Who listens to what changes when all has been given out that came before; and what was said
      // has to be given out before anything else is.
      if (taken.did == Did::Said || shares_.size() >= kSharesMax) return {Next::Flush, used, 0};
    }
    return {Next::Feed, used, 1};
  }

 private:
  enum class Did : uint8_t { Used, Said, More, Fail };
  struct Taken {
    Did did = Did::Used;
    size_t bytes = 0;
    size_t want = 0;
  };

  Taken piece(Bytes rest) {
    if (server_.reply.open()) return stream(rest);
    if (rest[0] == '>') return push(rest);
    if (server_.ledger.empty()) return {Did::Fail};
    hub_.targets.clear();
    const Entry& entry = server_.ledger.front();
    if (entry.kind != Entry::Kind::Plain && !shares_.empty()) return {Did::Said};
    const bool silent = entry.silent || entry.kind == Entry::Kind::Placeholder;
    if (is_counted(entry)) return counts(rest);
    server_.piece = silent ? ServerState::Piece::Silent : ServerState::Piece::Answer;
    return stream(rest);
  }

  Taken push(Bytes rest) {
    const PushHead head = read_push(rest);
    switch (head.kind) {
      case PushHead::Kind::More: return {Did::More, 0, rest.size() + 1};
      case PushHead::Kind::Confirmation: return confirmation(rest, head);
      case PushHead::Kind::Message: break;
      default: return {Did::Fail};
    }
    server_.piece = ServerState::Piece::Push;
    hub_.targets.clear();
    const ReplyStream::Pass pass = server_.reply.pass(rest);
    if (pass.end == ReplyStream::End::Bad) return {Did::Fail};
    const bool ended = pass.end == ReplyStream::End::Ended;
    const Bytes bytes = rest.substr(0, pass.bytes);
    for (const Hub::Listener* each : hub_.told(head.topic, head.name)) {
      const bool plain = each->client->resp != 3;
      shares_.push_back({.owner = each->owner,
                         .bytes = bytes.substr(plain ? 1 : 0),
                         .piece_open = !ended,
                         .push = true,
                         .head = plain ? kArray : Bytes()});
      if (!ended) hub_.targets.push_back(each->owner);
    }
    return {ended ? Did::Used : Did::More, pass.bytes, pass.want};
  }

  // What there is of an answer, or more of a message.
  Taken stream(Bytes rest) {
    const ReplyStream::Pass pass = server_.reply.pass(rest);
    if (pass.end == ReplyStream::End::Bad) return {Did::Fail};
    if (pass.bytes == 0) return {Did::More, 0, pass.want};
    const bool ended = pass.end == ReplyStream::End::Ended;
    const Bytes bytes = rest.substr(0, pass.bytes);
    const Taken taken{ended ? Did::Used : Did::More, pass.bytes, pass.want};
    if (server_.piece == ServerState::Piece::Push) {
      for (const uint64_t owner : hub_.targets)
        shares_.push_back({.owner = owner, .bytes = bytes, .piece_open = !ended, .push = true});
      return taken;
    }
    const Entry entry = server_.ledger.front();
    if (server_.piece == ServerState::Piece::Answer)
      shares_.push_back(
          {.owner = entry.owner, .bytes = bytes, .turns = ended, .piece_open = !ended});
    if (!ended) return taken;
    server_.ledger.pop();
    return {answered(entry), pass.bytes, 0};
  }

  // An answer in which connections are counted.
  Taken counts(Bytes rest) {
    const Measure measure = measure_answer(rest);
    if (measure.bad) return {Did::Fail};
    if (measure.bytes == 0) return {Did::More, 0, rest.size() + 1};
    const Entry entry = server_.ledger.front();
    const Bytes answer = rest.substr(0, measure.bytes);
    std::string counted = entry.silent ? std::string() : recounted(server_, answer);
    server_.ledger.pop();
    if (!counted.empty()) return {say(entry.owner, std::move(counted), 1), answer.size()};
    shares_.push_back({.owner = entry.owner, .bytes = entry.silent ? Bytes() : answer, .turns = 1});
    return {Did::Used, answer.size()};
  }

  Did answered(const Entry& entry) {
    if (entry.kind == Entry::Kind::Placeholder) return say(entry.owner, hub_.ended(entry.owner), 1);
    if (entry.kind == Entry::Kind::Subscribe && !entry.silent) {
      std::string ask;
      const uint32_t nobodys = hub_.refused(entry.owner, ask);
      ask_for_nobody(server_, {nobodys, ask}, to_server_);
    }
    if (entry.kind == Entry::Kind::Plain && entry.silent)
      shares_.push_back({.owner = entry.owner, .bytes = {}, .turns = 1});
    return Did::Used;
  }

  // Of a subscription or its end: the client has its own count.
  Taken confirmation(Bytes rest, const PushHead& head) {
    const Measure measure = measure_answer(rest);
    if (measure.bad) return {Did::Fail};
    if (measure.bytes == 0) return {Did::More, 0, rest.size() + 1};
    if (server_.ledger.empty()) return {Did::Fail};
    if (!shares_.empty()) return {Did::Said};
    Entry& entry = server_.ledger.front();
    if (entry.kind != Entry::Kind::Subscribe || head.begins == entry.silent) return {Did::Fail};
    const uint64_t owner = entry.owner;
    const bool silent = entry.silent, last = --entry.value == 0;
    if (last) server_.ledger.pop();
    if (silent) return {Did::Used, measure.bytes};
    std::string said = hub_.confirmed(owner, head.name);
    if (last) hub_.end_change(owner);
    return {say(owner, std::move(said), last ? 1 : 0), measure.bytes};
  }

  Did say(uint64_t owner, std::string text, uint32_t turns) {
    server_.said = std::move(text);
    shares_.push_back({.owner = owner, .bytes = server_.said, .turns = turns});
    return Did::Said;
  }

  ServerState& server_;
  Hub& hub_;
  std::vector<Share>& shares_;
  base::Gather& to_server_;
};

}  // namespace

Progress share_with_listeners(ServerState& server, Bytes in, const HubSink& sink) {
  return HubSide(server, sink).judge(in);
}

void leave_hub(ServerState& server, uint64_t owner, base::Gather& to_server) {
  if (!server.hub) return;
  std::string ask;
  const uint32_t nobodys = server.hub->leave(owner, ask);
  ask_for_nobody(server, {nobodys, ask}, to_server);
}

}  // namespace weir::redis
