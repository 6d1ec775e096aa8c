#include "send_batch.h"

#include <liburing.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace weir::net {

// send() of the C library is a point where a thread can be cancelled, which costs; nobody cancels
// here.
int64_t send_bytes(int fd, base::Bytes bytes) {
  ssize_t sent;
  do {
    sent = syscall(SYS_sendto, fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT, nullptr,
                   0);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return sent;
  return errno == EAGAIN ? 0 : -errno;
}

void SendBatch::Close::operator()(io_uring* ring) const {
  io_uring_queue_exit(ring);
  delete ring;
}

bool SendBatch::open() {
  if (state_ != State::Untried) return state_ == State::Open;
  auto ring = std::make_unique<io_uring>();
  const int error = io_uring_queue_init(kSendsMax, ring.get(), 0);
  state_ = error == 0 ? State::Open : State::Unavailable;
  if (error == 0) ring_.reset(ring.release());
  return error == 0;
}

void SendBatch::run(std::span<Send> sends) {
  if (sends.size() > 1 && open()) return submit(sends);
  for (Send& send : sends) send.sent = send_bytes(send.fd, send.bytes);
}

void SendBatch::submit(std::span<Send> sends) {
  for (Send& send : sends) {
    io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
    io_uring_prep_send(entry, send.fd, send.bytes.data(), send.bytes.size(),
                       MSG_NOSIGNAL | MSG_DONTWAIT);
    io_uring_sqe_set_data(entry, &send);
    send.sent = -EIO;
  }
  size_t answered = 0;
  while (answered < sends.size()) {
    // All are answered by the first call: MSG_DONTWAIT leaves nothing to wait for.
    const int error = io_uring_submit_and_wait(ring_.get(), 1);
    if (error < 0 && error != -EINTR) break;
    unsigned head, seen = 0;
    io_uring_cqe* answer;
    io_uring_for_each_cqe(ring_.get(), head, answer) {
      auto* send = static_cast<Send*>(io_uring_cqe_get_data(answer));
      send->sent = answer->res == -EAGAIN ? 0 : answer->res;
      ++seen;
    }
    io_uring_cq_advance(ring_.get(), seen);
    answered += seen;
  }
  if (answered == sends.size()) return;
  ring_.reset();  // it broke: nobody knows what was sent, and those sockets are closed
  state_ = State::Unavailable;
}

}  // namespace weir::net
