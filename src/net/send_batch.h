// Sends to many sockets in one system call, by io_uring where the kernel has it and nothing forbids
// it (containers often do); otherwise one by one. One call costs less than many, and those whom it
// wakes run after all of it: on a CPU that weir shares with a database, that halves the switches
// between the two. For one thread at a time.
#pragma once

#include <memory>
#include <span>

#include <weir/base/bytes.h>

struct io_uring;

namespace weir::net {

class SendBatch {
 public:
  static constexpr size_t kSendsMax = 64;  // in one call

  struct Send {
    int fd;
    base::Bytes bytes;
    int64_t sent = 0;  // out: bytes taken, at once or not at all; or -errno
  };

  // Waits for nobody: a socket that is full takes 0 bytes.
  void run(std::span<Send> sends);

 private:
  enum class State { Untried, Open, Unavailable };
  struct Close {
    void operator()(io_uring* ring) const;
  };

  bool open();
  void submit(std::span<Send> sends);

  std::unique_ptr<io_uring, Close> ring_;
  State state_ = State::Untried;
};

// The same for one socket.
int64_t send_bytes(int fd, base::Bytes bytes);

}  // namespace weir::net
