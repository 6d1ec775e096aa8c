// A client's bytes against the server half of the PostgreSQL protocol: whole and in pieces they
// have the same answer, nothing crashes, and at the end nothing is left. The first byte says how
// the pieces are cut.
#include <cstdint>
#include <cstdlib>
#include <string>

#include <weir/pgserver/server.h>

#include "../support/fake_executor.h"
#include "../support/fake_stream.h"
#include "../support/pg_client.h"

namespace {

using namespace weir;

// Without the key to cancel with, which is another one each time.
std::string without_key(std::string_view bytes) {
  std::string out;
  for (;;) {
    auto message = postgres::cut_message(bytes, SIZE_MAX / 2);
    if (!message || message->consumed == 0) return out + std::string(bytes);
    if (message->type != 'K') out += bytes.substr(0, message->consumed);
    bytes.remove_prefix(message->consumed);
  }
}

std::string answer_to(std::string_view bytes, size_t piece) {
  fake::FakeExecutors executors;
  fake::FakeLoop loop;
  pgserver::ServerOptions options;
  options.message_bytes_max = 1 << 16;
  auto server = std::make_unique<pgserver::Server>(
      options, [&](net::Loop&, pgserver::SessionInfo&, pgserver::ExecutorClient& client) {
        return base::Result<std::unique_ptr<pgserver::Executor>>(
            std::make_unique<fake::FakeExecutor>(executors, client));
      });
  fake::Recorder recorder;
  {
    auto [ours, theirs] = fake::make_fake_streams(loop);
    ours->set_reader(&recorder);
    ours->outward().deliver_bytes_max = piece;
    ours->outward().window_bytes = 1 << 20;
    server->serve(loop, std::move(theirs));
    ours->write(bytes);
    for (int rounds = 0; rounds < 1000; ++rounds) {
      loop.settle();
      if (executors.alive.empty() || !executors.alive[0]->pending()) break;
      executors.alive[0]->let_go();
    }
  }
  loop.settle();
  if (server->connections() != 0 || !executors.alive.empty()) std::abort();
  return without_key(recorder.bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > (1 << 16)) return 0;
  const std::string talk = fake::pg_startup({{"user", "fuzz"}}) +
                           std::string(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (answer_to(talk, SIZE_MAX) != answer_to(talk, size_t{1} + data[0] % 64)) std::abort();
  return 0;
}
