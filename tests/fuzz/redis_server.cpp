// A hostile server. The first byte says how its bytes are cut, the second how many of the following
// ones make the ledger; the rest is what the server says, on a lane and on a lease. However it is
// cut, everybody gets the same; where it is a fault, at least what comes whole.
#include <array>

#include "protocol/redis/link.h"
#include "redis_talk.h"

namespace {

using namespace weir::redis;
using namespace weir::redis::script;
using weir::base::Gather;

struct Told {
  std::array<std::string, 4> bytes;
  std::array<uint32_t, 4> turns{};
  bool failed = false;
};

ServerState owing(const std::string& ledger) {
  ServerState server;
  for (const char c : ledger)
    for (int i = 0; i <= (c >> 4 & 3); ++i)
      server.ledger.push(c & 3, static_cast<Entry::Kind>((c >> 2 & 3) + (c & 1)));
  return server;
}

template <class Judge>
Told play(const std::string& bytes, size_t piece, Judge judge) {
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
      check(told.failed || again || in.size() < ReplyStream::kPeekBytes);
    }
  }
  return told;
}

Told on_lane(const std::string& ledger, const std::string& bytes, size_t piece) {
  ServerState server = owing(ledger);
  return play(bytes, piece, [&](const std::string& in, Told& told) {
    std::vector<Share> shares;
    const Progress progress = share_answers(server, in, shares);
    for (const Share& share : shares) {
      told.bytes[share.owner] += share.bytes;
      told.turns[share.owner] += share.turns;
    }
    return progress;
  });
}

Told on_lease(const std::string& ledger, const std::string& bytes, size_t piece) {
  ServerState server = owing(ledger);
  ClientState client;
  server.raw = ledger.size() % 2 == 1;
  Told told = play(bytes, piece, [&](const std::string& in, Told& out) {
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
  told.turns[1] = server.multi;
  told.turns[2] = server.watch;
  return told;
}

void compare(const Told& whole, const Told& cut) {
  check(whole.failed == cut.failed);
  for (size_t i = 0; i < whole.bytes.size(); ++i) {
    check(whole.turns[i] == cut.turns[i] || (whole.failed && i > 0));
    check(whole.failed ? cut.bytes[i].starts_with(whole.bytes[i]) : cut.bytes[i] == whole.bytes[i]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t piece = data[0] + size_t{1};
  const std::string all(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string ledger = all.substr(0, data[1] % 16);
  const std::string bytes = all.substr(ledger.size());
  for (const auto& talk : {on_lane, on_lease}) {
    const Told whole = talk(ledger, bytes, SIZE_MAX);
    compare(whole, talk(ledger, bytes, 1));
    compare(whole, talk(ledger, bytes, piece));
  }
  return 0;
}
