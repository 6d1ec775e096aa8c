// One worker's event loop as everything above `net` sees it. One per worker thread, owned by `app`.
// All functions are for the loop's own thread, except mailbox().post() and stop(), which must have
// returned before the loop is destroyed. Destroying it forgets letters and calls that wait, and
// deletes what was to be deleted later. Streams should be gone by then; one that is left may only
// be destroyed.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <weir/base/mailbox.h>
#include <weir/base/stats.h>
#include <weir/base/time.h>
#include <weir/base/timer.h>
#include <weir/net/stream.h>

namespace weir::net {

// Anything that must not die inside its own callback.
class Deferred {
 public:
  virtual ~Deferred() = default;
};

// Something that runs on another thread. Destroying it forgets the callback, not the work.
class Work {
 public:
  virtual ~Work() = default;
};

class Loop {
 public:
  virtual ~Loop() = default;
  virtual base::Time now() const = 0;  // read once per wake
  virtual base::TimerWheel& timers() = 0;
  virtual base::Mailbox& mailbox() = 0;
  virtual std::span<char> scratch() = 0;  // the receive buffer, shared by all streams of the loop
  virtual void delete_later(std::unique_ptr<Deferred> object) = 0;  // after the current callback
  virtual void run_soon(std::function<void()> call) = 0;            // before the next poll
  // `done` comes on the loop's thread when `what` has run on another. The loop's end waits for it,
  // but not for what may hang: that waits for others, and has threads of its own.
  virtual std::unique_ptr<Work> work(std::function<void()> what, std::function<void()> done,
                                     bool may_hang) = 0;
  // How long each turn with something to do took, from its first look at the clock until the next
  // poll: nobody else was served meanwhile. Any thread reads it.
  virtual const base::Histogram& turns() const = 0;
  virtual void run() = 0;  // until stop()
  virtual void stop() = 0;
};

std::unique_ptr<Loop> make_loop();

// Where a stream can be dialled: host and port, or the path of a unix socket ("@name" is abstract).
struct Endpoint {
  std::string host;
  uint16_t port = 0;
  std::string unix_path;
  // Of a host that is a name, to be tried in this order; numeric (see resolve.h).
  std::vector<std::string> addresses = {};
  std::string text() const;  // for people and as a name: "host:port" or "unix:/path"
};

struct SocketOptions {
  bool keepalive = true;
  base::Duration keepalive_idle = 0;
  base::Duration user_timeout = 0;
  friend bool operator==(const SocketOptions&, const SocketOptions&) = default;
};

// An attempt to connect; destroying it gives up. The callback comes once, on the loop's thread,
// never from inside connect(). No deadline of its own: the owner sets one.
class Connecting {
 public:
  virtual ~Connecting() = default;
};
using ConnectCallback = std::function<void(base::Result<std::unique_ptr<Stream>>)>;
// Looks no name up: that is for resolve.h.
std::unique_ptr<Connecting> connect(Loop& loop, const Endpoint& endpoint,
                                    const SocketOptions& options, ConnectCallback done);

// An accepted socket that has no loop yet: it goes by mailbox to the worker that will serve it.
struct Accepted {
  int fd = -1;
  std::string peer;
};
// Takes over the file descriptor.
std::unique_ptr<Stream> adopt(Loop& loop, const Accepted& accepted, const SocketOptions& options);

// A listening socket, or one for each address that the host stands for ("*": all of the machine),
// on one port; their IPv6 sockets take IPv6 only. A unix socket's file is replaced if nobody
// answers on it. Destroying the listener closes it and removes its file. When no file descriptor is
// left accepting rests for 100 ms at a time, on_accept_rest says so once per rest.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual Endpoint bound() const = 0;  // with the port that the system chose
};
struct ListenOptions {
  int backlog = 512;
  std::string mode = "0777";  // of a unix socket
  std::string group;          // of a unix socket; empty: unchanged
};
struct ListenCallbacks {
  std::function<void(Accepted)> on_accept;
  std::function<void(int error_number)> on_accept_rest;
};
base::Result<std::unique_ptr<Listener>> listen(Loop& loop, const Endpoint& endpoint,
                                               const ListenOptions& options,
                                               ListenCallbacks callbacks);

// Two streams joined inside the process. Each way holds at most window_bytes; delivery never
// happens inside a write, but from the loop before it polls; any kind of loop will do. They stay on
// it: no leave() or join().
std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_pipe(Loop& loop,
                                                                      size_t window_bytes);

// Runs `call` on the loop's thread when the signal arrives. For worker 0 only. Ends when destroyed.
class SignalWatch {
 public:
  virtual ~SignalWatch() = default;
};
std::unique_ptr<SignalWatch> watch_signal(Loop& loop, int signal_number,
                                          std::function<void()> call);

}  // namespace weir::net
