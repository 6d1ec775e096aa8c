// A hostile server. The first byte says how its bytes are cut, the second how many of the following
// ones make the ledger, the third how the connection stands; the rest is what the server says, on a
// lane, on a hub and on a lease. However it is cut, everybody gets the same and the connection
// stands the same; where it is a fault, at least what comes whole.
#include <array>

#include "protocol/redis/audience.h"
#include "protocol/redis/link.h"
#include "redis_talk.h"

namespace {

using namespace weir::redis;
using namespace weir::redis::script;
using weir::base::Gather;

struct Told {
  std::array<std::string, 4> bytes;
  std::array<uint32_t, 4> turns{};
  std::string state;  // how the connection stands in the end
  bool failed = false;
};

constexpr size_t kAnswerBytesMax = 1 << 21;  // that weir reads
constexpr int kKinds = static_cast<int>(Entry::Kind::ShardNumsub) + 1;

// What of the answers counts too few.
const std::shared_ptr<Audience>& audience() {
  static const auto one = [] {
    auto made = std::make_shared<Audience>();
    made->change(Hub::Kind::Channel, "c", 2);
    made->change(Hub::Kind::Shard, "c", 3);
    return made;
  }();
  return one;
}

// On a lane: whose answers are due, and which of them go nowhere.
ServerState owing_many(const std::string& ledger) {
  ServerState server;
  server.audience = audience();
  for (const char c : ledger) {
    Entry entry{.owner = c & 3U, .silent = (c & 4) != 0};
    if ((c & 8) != 0) entry.kind = (c & 64) != 0 ? Entry::Kind::Published : Entry::Kind::Numsub;
    if (entry.kind == Entry::Kind::Published) entry.value = 4;
    for (int i = 0; i <= (c >> 4 & 3); ++i) server.ledger.push(entry);
  }
  return server;
}

int64_t value_of(Entry::Kind kind, int choice) {
  switch (kind) {
    case Entry::Kind::Select: return choice;
    case Entry::Kind::Hello:
    case Entry::Kind::Auth: return choice > 1 ? choice : 0;
    case Entry::Kind::Subscribe:
    case Entry::Kind::Track: return choice % 2 + 1;
    case Entry::Kind::UnsubscribeAll: return -1;
    case Entry::Kind::Published: return 5;
    default: return 0;
  }
}

// On a lease: answers of all kinds, on a connection that stands in any way.
ServerState owing_one(uint8_t stand, const std::string& ledger) {
  ServerState server;
  server.audience = audience();
  server.resp = (stand & 1) != 0 ? 3 : 2;
  server.subscriptions.channels = stand >> 1 & 1;
  server.subscriptions.patterns = stand >> 2 & 1;
  server.monitor = (stand & 8) != 0;
  server.multi = (stand & 16) != 0;
  server.watch = (stand & 32) != 0;
  server.tracking = (stand & 64) != 0;
  server.raw = stand == 255;
  if ((stand & 128) != 0) server.hello_name = "me";
  for (const char c : ledger) {
    const auto number = static_cast<uint8_t>(c);
    const auto kind = static_cast<Entry::Kind>(number % kKinds);
    server.ledger.push({.kind = kind,
                        .silent = kind == Entry::Kind::Probe || number > 200,
                        .value = value_of(kind, number / kKinds % 4)});
  }
  return server;
}

std::string stand_of(const ServerState& server, const ClientState& client) {
  std::string out;
  for (const int64_t each :
       {int64_t{server.multi}, int64_t{server.watch}, int64_t{server.monitor},
        int64_t{server.tracking}, int64_t{server.foreign}, int64_t{server.unknown},
        int64_t{server.broken}, int64_t{server.logged_out}, server.database, int64_t{server.resp},
        server.subscriptions.channels, server.subscriptions.patterns, server.subscriptions.shards,
        client.database, int64_t{client.resp}, static_cast<int64_t>(server.ledger.size())})
    out += std::to_string(each) + " ";
  return out + client.name;
}

// `kept_max`: what may have to be seen again.
template <class Judge>
Told play(const std::string& bytes, size_t piece, size_t kept_max, Judge judge) {
  Told told;
  std::string in;
  size_t want = 0;
  for (size_t at = 0; at < bytes.size() && !told.failed; at += std::min(piece, bytes.size() - at)) {
    in += bytes.substr(at, piece);
    for (bool again = in.size() >= want; again && !told.failed && !in.empty();) {
      const std::string now = in;
      const Progress progress = judge(now, told);
      check(progress.consumed <= now.size());
      in.erase(0, progress.consumed);
      want = progress.want;
      told.failed = progress.next == Next::Fail;
      again = progress.next == Next::Flush;
      check(told.failed || again || in.empty() || want > in.size());
      check(told.failed || again || in.size() < kept_max);
    }
  }
  return told;
}

Told on_lane(uint8_t, const std::string& ledger, const std::string& bytes, size_t piece) {
  ServerState server = owing_many(ledger);
  return play(bytes, piece, kAnswerBytesMax, [&](const std::string& in, Told& told) {
    std::vector<Share> shares;
    const Progress progress = share_answers(server, in, shares);
    for (const Share& share : shares) {
      told.bytes[share.owner] += share.bytes;
      told.turns[share.owner] += share.turns;
    }
    return progress;
  });
}

// On a hub: two clients that listen and one that does not, and what they have asked for since.
struct Crowd {
  explicit Crowd(const std::string& ledger) {
    server.resp = 3;
    server.audience = audience();
    server.hub = std::make_unique<Hub>();
    clients[2].resp = 3;
    for (const uint64_t owner : {1, 2}) {
      std::string none;
      server.hub->sent(owner, clients[owner], {.names = {"c", "d"}}, none);
      for (const char* name : {"c", "d"}) server.hub->confirmed(owner, name);
      server.hub->end_change(owner);
    }
    for (const char c : ledger) ask(static_cast<uint8_t>(c));
  }

  void ask(uint8_t number) {
    const uint64_t owner = number & 3U;
    ClientState& client = clients[owner];
    std::string to_server;
    Hub::Change change{.kind = static_cast<Hub::Kind>((number >> 4) % 3), .names = {"c", "e"}};
    switch (number >> 2 & 3) {
      case 0: {
        const bool counts = (number & 16) != 0;
        server.ledger.push({.owner = owner,
                            .kind = counts ? Entry::Kind::Numsub : Entry::Kind::Plain,
                            .silent = number > 200});
        return;
      }
      case 1:
        server.hub->sent(owner, client, std::move(change), to_server);
        server.ledger.push({.owner = owner, .kind = Entry::Kind::Subscribe, .value = 2});
        return;
      case 2:
        change.what = number > 200 ? Hub::Change::What::Reset : Hub::Change::What::Ends;
        if (number > 100) change.names.clear();
        if (const int64_t count = server.hub->sent(owner, client, std::move(change), to_server))
          server.ledger.push({.kind = Entry::Kind::Subscribe, .silent = true, .value = count});
        server.ledger.push({.owner = owner, .kind = Entry::Kind::Placeholder});
        return;
      default: {
        Gather gather;
        leave_hub(server, owner, gather);
      }
    }
  }

  std::string stand() const {
    std::string out = std::to_string(server.ledger.size());
    for (const ClientState& each : clients)
      for (const int64_t count : {each.hub.channels, each.hub.patterns, each.hub.shards})
        out += " " + std::to_string(count);
    return out;
  }

  ServerState server;
  std::array<ClientState, 4> clients;
};

Told on_hub(uint8_t, const std::string& ledger, const std::string& bytes, size_t piece) {
  Crowd crowd(ledger);
  Told told = play(bytes, piece, kAnswerBytesMax, [&](const std::string& in, Told& out) {
    std::vector<Share> shares;
    Gather to_server;
    const Progress progress = share_with_listeners(crowd.server, in, {shares, to_server});
    for (const Share& share : shares) {
      out.bytes[share.owner] += std::string(share.head) + std::string(share.bytes);
      out.turns[share.owner] += share.turns;
    }
    return progress;
  });
  told.state = crowd.stand();
  return told;
}

Told on_lease(uint8_t stand, const std::string& ledger, const std::string& bytes, size_t piece) {
  ServerState server = owing_one(stand, ledger);
  ClientState client;
  Told told = play(bytes, piece, kAnswerBytesMax, [&](const std::string& in, Told& out) {
    Gather to_client, to_server;
    Sink sink{to_client, to_server};
    const Progress progress = ServerSide(client, server, sink).judge(in);
    check(to_server.empty());
    check(!sink.hold_may_end || (server.at_rest() && !server.raw));
    for (const iovec& each : to_client.pieces())
      out.bytes[0].append(static_cast<const char*>(each.iov_base), each.iov_len);
    out.turns[0] += sink.queries;
    return progress;
  });
  told.state = stand_of(server, client);
  return told;
}

void compare(const Told& whole, const Told& cut) {
  check(whole.failed == cut.failed);
  check(whole.failed || whole.state == cut.state);
  for (size_t i = 0; i < whole.bytes.size(); ++i) {
    check(whole.turns[i] == cut.turns[i] || (whole.failed && i > 0));
    check(whole.failed ? cut.bytes[i].starts_with(whole.bytes[i]) : cut.bytes[i] == whole.bytes[i]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const size_t piece = data[0] + size_t{1};
  const uint8_t stand = data[2];
  const std::string all(reinterpret_cast<const char*>(data) + 3, size - 3);
  const std::string ledger = all.substr(0, data[1] % 16);
  const std::string bytes = all.substr(ledger.size());
  for (const auto& talk : {on_lane, on_hub, on_lease}) {
    const Told whole = talk(stand, ledger, bytes, SIZE_MAX);
    compare(whole, talk(stand, ledger, bytes, 1));
    compare(whole, talk(stand, ledger, bytes, piece));
  }
  return 0;
}
