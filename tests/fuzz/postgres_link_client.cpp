// A hostile client that holds a server. The first byte chooses the client's options, the second how
// its bytes are cut, the third what the server answers in between; the rest is what the client
// sends, before and after the answers. Whole, in pieces and byte by byte it has to come out the
// same.
#include <algorithm>

#include "postgres_link_talk.h"

namespace {

using namespace weir::postgres;
using namespace weir::postgres::script;

const char* const kAnswers[] = {"",
                                "E\0\0\0\5\0",
                                "E\0\0\0\5\0Z\0\0\0\5I",
                                "1\0\0\0\4",
                                "Z\0\0\0\5I",
                                "G\0\0\0\7\0\0\0",
                                "C\0\0\0\x0e"
                                "BEGIN ALL\0Z\0\0\0\5T",
                                "1\0\0\0\0042\0\0\0\4"};
const size_t kSizes[] = {0, 6, 12, 5, 6, 8, 21, 10};

void check(bool holds) {
  if (!holds) std::abort();
}

// Between two messages: no server answers what it has only half of.
size_t middle(const std::string& bytes) {
  size_t at = 0;
  Head head{};
  while (at < bytes.size() / 2 && bytes.size() - at >= kHeadBytes &&
         read_head(Bytes(bytes).substr(at), head) && head.total <= bytes.size() - at)
    at += head.total;
  return at;
}

// How much of a last message that is not whole has gone out already may depend on the cut.
bool ends_whole(const std::string& bytes) {
  size_t at = 0;
  Head head{};
  while (bytes.size() - at >= kHeadBytes) {
    if (!read_head(Bytes(bytes).substr(at), head)) return true;
    if (head.total > bytes.size() - at) return false;
    at += head.total;
  }
  return at == bytes.size();
}

struct Result {
  Output output;
  std::string remembered;
  bool operator==(const Result& other) const {
    return output.to_client == other.output.to_client &&
           output.to_server == other.output.to_server && output.events == other.output.events &&
           remembered == other.remembered;
  }
};

Result run(const uint8_t* head, const std::string& bytes, size_t piece) {
  LinkTalk talk;
  talk.ends_holds = false;
  talk.hold();
  auto& options = talk.client.options;
  options.statement_mode = (head[0] & 1) != 0;
  options.transaction_mode = (head[0] & 2) == 0;
  options.prepared_statements = (head[0] & 4) != 0 ? 1 : 200;
  options.statement_bytes_max = 4096;
  const size_t half = middle(bytes);
  const auto send = [&](const std::string& part) {
    for (size_t at = 0; at < part.size(); at += piece) talk.client_sends(part.substr(at, piece));
  };
  send(bytes.substr(0, half));
  talk.server_sends(std::string(kAnswers[head[2] & 7], kSizes[head[2] & 7]));
  send(bytes.substr(half));
  ServerState& server = talk.server(0);
  check(talk.kept_bytes() <= bytes.size() + 64 && server.ledger.size() <= bytes.size() * 2);
  check(server.prepared.size() <= 201);
  Result result{talk.take(), {}};
  result.remembered = std::to_string(server.ledger.size()) + server.status +
                      std::to_string(server.prepared.size()) + std::to_string(server.unsynced) +
                      std::to_string(server.bound_traits) + std::to_string(talk.client.body_left) +
                      std::string(talk.client.wanted.view()) + talk.client.unnamed;
  if (talk.over() || talk.link().condition(server) != Condition::Open) return result;
  std::string recovery;
  if (const auto recover = talk.link().recover(server)) recover->start(recovery);
  result.remembered += recovery;
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 3, size - 3);
  const Result expected = run(data, bytes, bytes.size() + 1);
  const Result bytewise = run(data, bytes, 1);
  const Result in_pieces = run(data, bytes, data[1] + size_t{1});
  if (!ends_whole(bytes)) return 0;
  check(expected == bytewise);
  check(expected == in_pieces);
  return 0;
}
