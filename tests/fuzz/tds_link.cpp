// A hostile client and a hostile server of one link. The first byte chooses the client's options
// and what the server is, the second says how the bytes are cut; the rest are lines: who speaks, 16
// bits of a length, and what is said. Whole, in pieces and byte by byte both hear the same; what
// goes out to either side is packets, one behind the other.
#include <vector>

#include "tds_link_talk.h"

namespace {

using namespace weir::tds;
using namespace weir::tds::script;

constexpr size_t kHeadBytes = 3;

struct Line {
  uint8_t who;
  std::string bytes;
};

std::vector<Line> lines_in(Bytes in) {
  std::vector<Line> lines;
  while (in.size() >= kHeadBytes) {
    const size_t length = load_le<uint16_t>(in.data() + 1);
    lines.push_back({static_cast<uint8_t>(in[0] & 3), std::string(in.substr(kHeadBytes, length))});
    in.remove_prefix(std::min(in.size(), kHeadBytes + length));
  }
  return lines;
}

struct Heard {
  std::string to_client, to_server, events, state;
  bool operator==(const Heard&) const = default;
};

// False: these are no packets of whoever speaks there.
bool are_packets(Bytes sent, Side side) {
  PacketStream packets(side);
  while (!sent.empty()) {
    const PacketStream::Run run = packets.next(sent);
    if (!run.fault.empty()) return false;
    if (run.bytes == 0) break;
    sent.remove_prefix(run.bytes);
  }
  return true;
}

void set_up(LinkTalk& talk, uint8_t how) {
  auto& options = talk.client.options;
  options.transaction_mode = (how & 1) == 0;
  talk.ends_holds = options.transaction_mode;
  options.prepared_statements = (how & 2) != 0 ? 1 : 200;
  if ((how & 4) != 0) options.prepared_statements = 0;
  options.statement_bytes_max = 100'000;
  const Version version = (how & 8) != 0 ? Version::V71 : Version::V74;
  talk.client.version = version;
  talk.add_server();
  for (size_t i = 0; i < 2; ++i) {
    ServerState& server = talk.server(i);
    server.walker.set_version(version);
    server.announces = (how & 16) == 0;
    if ((how & 32) != 0)
      server.handles.add(talk.texts().intern(std::string(1, '\0') + "of another one"), 5);
  }
}

std::string state_of(LinkTalk& talk) {
  std::string out(talk.client.wanted.view());
  for (size_t i = 0; i < 2; ++i) {
    const ServerState& server = talk.server(i);
    for (const uint64_t number :
         {uint64_t{server.attentions}, uint64_t{server.own_attentions}, server.transaction,
          static_cast<uint64_t>(server.turn), uint64_t{server.request_open}, uint64_t{server.bulk},
          uint64_t{server.may_be_in_transaction}, uint64_t{server.retire}, uint64_t{server.dirty},
          static_cast<uint64_t>(server.handles.made()),
          static_cast<uint64_t>(server.pin ? static_cast<int>(*server.pin) : -1)})
      out += std::to_string(number) + " ";
  }
  return out;
}

Heard play(const std::vector<Line>& lines, uint8_t how, size_t piece) {
  LinkTalk talk;
  set_up(talk, how);
  size_t given = 0;
  for (const Line& line : lines) {
    given += line.bytes.size();
    for (size_t at = 0; line.who < 2 && at < line.bytes.size();) {
      const Bytes part = Bytes(line.bytes).substr(at, piece);
      at += part.size();
      if (line.who == 0)
        talk.client_sends(part);
      else
        talk.server_sends(part);
    }
    if (line.who == 2) talk.interrupt();
    if (line.who == 3) talk.use(line.bytes.size() % 2);
    LinkTalk::check(talk.kept_bytes() <= given);
    for (size_t i = 0; i < 2; ++i) LinkTalk::check(talk.server(i).answer.held.bytes.size() <= 100);
  }
  LinkTalk::check(are_packets(talk.to_server, Side::Client));
  LinkTalk::check(are_packets(talk.to_client, Side::Server));
  Heard heard{talk.to_client, talk.to_server, talk.events, {}};
  if (!talk.over()) heard.state = state_of(talk);
  return heard;
}

// What depends on the cut by its nature: how much of something had gone out before it failed, and
// weir's own attention in the middle of a packet.
bool depends(const std::vector<Line>& lines, const Heard& heard) {
  for (const Line& line : lines)
    if (line.who == 2) return true;
  return heard.events.find("fail") != std::string::npos ||
         heard.events.find("refused") != std::string::npos;
}

// Whole messages only: of a half one it depends how much has gone out already.
bool are_whole(const std::vector<Line>& lines) {
  for (const Line& line : lines) {
    if (line.who > 1) continue;
    PacketStream packets(line.who == 0 ? Side::Client : Side::Server);
    Bytes rest = line.bytes;
    size_t messages = 0;
    while (!rest.empty()) {
      const PacketStream::Run run = packets.next(rest);
      if (run.bytes == 0) return false;
      rest.remove_prefix(run.bytes);
      messages += run.ends_message ? 1 : 0;
    }
    // Two in one line: weir's answer to the first may end the hold in between, or not.
    if (!packets.at_message_border() || messages > 1) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint8_t how = data[0];
  const std::vector<Line> lines = lines_in({reinterpret_cast<const char*>(data) + 2, size - 2});
  const Heard whole = play(lines, how, SIZE_MAX);
  const Heard bytewise = play(lines, how, 1);
  const Heard cut = play(lines, how, data[1] + size_t{1});
  if (depends(lines, whole) || depends(lines, bytewise) || depends(lines, cut)) return 0;
  if (!are_whole(lines)) return 0;
  LinkTalk::check(whole == bytewise);
  LinkTalk::check(whole == cut);
  return 0;
}
