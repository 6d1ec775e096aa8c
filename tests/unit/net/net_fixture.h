// What the tests of real sockets share: running a loop until something holds, and connected pairs.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <weir/net/loop.h>

#include "fake_stream.h"

namespace weir::net {

using fake::Recorder;

inline int64_t write(Stream& stream, std::string_view bytes) {
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  return stream.try_write({&piece, 1});
}

// Runs the loop until `condition` holds; false after ten seconds.
class RunUntil {
 public:
  RunUntil(Loop& loop, std::function<bool()> condition)
      : loop_(loop),
        condition_(std::move(condition)),
        give_up_(loop.now() + 10 * base::kSecond),
        timer_([](void* owner, base::Time) { static_cast<RunUntil*>(owner)->check(); }, this) {
    loop_.timers().set(timer_, loop_.now());
    loop_.run();
    timer_.drop();
  }
  explicit operator bool() const { return held_; }

 private:
  void check() {
    held_ = condition_();
    if (held_ || loop_.now() > give_up_)
      loop_.stop();
    else
      loop_.timers().set(timer_, loop_.now() + base::TimerWheel::kTick);
  }
  Loop& loop_;
  std::function<bool()> condition_;
  base::Time give_up_;
  base::Timer timer_;
  bool held_ = false;
};

// Lets the loop turn for a while, for what must not happen.
inline void run_for(Loop& loop, base::Duration duration) {
  const base::Time end = loop.now() + duration;
  EXPECT_TRUE(RunUntil(loop, [&] { return loop.now() >= end; }));
}

// Two connected unix sockets as streams; options for the kind of trouble that needs small buffers.
inline std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> socket_pair(Loop& first,
                                                                               Loop& second) {
  int fds[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  return {adopt(first, {fds[0], "unix:"}, {}), adopt(second, {fds[1], "unix:"}, {})};
}

// A listener on a port of its own, and what it accepted.
struct Server {
  explicit Server(Loop& on, Endpoint endpoint = {"127.0.0.1", 0, ""}) : loop(on) {
    ListenCallbacks callbacks;
    callbacks.on_accept = [this](Accepted one) {
      peer = one.peer;
      streams.push_back(adopt(loop, one, {}));
    };
    auto opened = listen(loop, endpoint, {}, std::move(callbacks));
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().text);
    if (opened) listener = std::move(*opened);
  }
  Loop& loop;
  std::unique_ptr<Listener> listener;
  std::vector<std::unique_ptr<Stream>> streams;
  std::string peer;
};

// The outcome of one connect().
struct Client {
  Client(Loop& loop, const Endpoint& endpoint) {
    connecting = connect(loop, endpoint, {}, [this](base::Result<std::unique_ptr<Stream>> result) {
      ++calls;
      if (result)
        stream = std::move(*result);
      else
        error = result.error().text;
    });
    EXPECT_EQ(calls, 0);
  }
  std::unique_ptr<Connecting> connecting;
  std::unique_ptr<Stream> stream;
  std::string error;
  int calls = 0;
};

}  // namespace weir::net
