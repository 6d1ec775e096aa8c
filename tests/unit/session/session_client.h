// A client of a fake world, for the tests of sessions.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "client_talk.h"
#include "worlds.h"

namespace weir::session {

using model::WorldOptions;

// All timeouts off, so that each test sees only its own.
inline WorldOptions quiet() {
  WorldOptions options;
  options.pool.size = 1;
  options.plan.acquire_timeout = 0;
  options.plan.queue_notice = 0;
  options.plan.timeouts.cancel = 10 * base::kSecond;
  return options;
}

// A client that writes what it is told and keeps what it reads.
struct Client {
  explicit Client(model::PooledWorld& in, uint32_t worker = 0)
      : world(in), stream(in.connect(worker)) {
    stream->set_reader(&recorder);
  }
  Client& login(const std::string& name = "one") {
    stream->write(
        talk::startup({{"user", "app"}, {"database", "base"}, {"application_name", name}}));
    world.settle();
    login_bytes = std::exchange(recorder.bytes, {});
    return *this;
  }
  std::string ask(const std::string& bytes) {
    stream->write(bytes);
    world.settle();
    return take();
  }
  std::string take() { return std::exchange(recorder.bytes, {}); }
  bool ended() const { return recorder.end.has_value(); }

  model::PooledWorld& world;
  fake::Recorder recorder;
  std::unique_ptr<fake::FakeStream> stream;
  std::string login_bytes;
};

inline std::string code_in(const std::string& bytes) { return talk::last_error(bytes).sqlstate; }

}  // namespace weir::session
