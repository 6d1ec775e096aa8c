#include "socket_stream.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include <weir/base/limits.h>

#include "address.h"
#include "round_trip.h"

namespace weir::net {

// docs/memory.md counts on it: 112 bytes, and some slack.
static_assert(sizeof(SocketStream) <= 128);

SocketStream::SocketStream(UvLoop& loop, int fd, std::string peer, NodePtr<PollNode> node)
    : loop_(&loop), node_(std::move(node)), peer_(std::move(peer)), fd_(fd) {
  if (node_)
    node_->give_to(on_ready, this);
  else
    node_ = PollNode::open(loop.uv(), fd_, on_ready, this);
}

SocketStream::~SocketStream() {
  if (corked_) loop_->cork().flush(*this);  // a loop that has gone holds nothing
  node_.reset();  // libuv forgets the descriptor before its number can be used again
  ::close(fd_);
}

void SocketStream::set_reader(StreamReader* reader) {
  reader_ = reader;
  if (!reader) {
    paused_ |= kPauseNoReader;
    return;
  }
  resume_bits(kPauseNoReader);
  if (wants_writable_) apply_mask();
}

void SocketStream::on_ready(void* owner, int events) {
  static_cast<SocketStream*>(owner)->handle_ready(events);
}

// Any callback may destroy this stream or move it to another loop. The node outlives both until the
// loop closes it.
void SocketStream::handle_ready(int events) {
  const PollNode& node = *node_;
  if ((events & UV_WRITABLE) && !rest_.empty()) send_rest();
  if ((events & UV_WRITABLE) && rest_.empty() && wants_writable_ && reader_) {
    wants_writable_ = false;
    reader_->on_writable();
    if (!node.is_held()) return;
  }
  if (events & UV_READABLE) {
    if (paused_ != 0)
      read_armed_ = false;  // unwanted bytes: now the mask changes
    else
      read_some(node);
    if (!node.is_held()) return;
  }
  apply_mask();
}

void SocketStream::read_some(const PollNode& node) {
  const std::span<char> scratch = loop_->scratch();
  for (size_t reads = 0; reads < base::kReadsPerWake && paused_ == 0; ++reads) {
    // Not recv() of the C library: see send_bytes().
    const ssize_t got =
        syscall(SYS_recvfrom, fd_, scratch.data(), scratch.size(), 0, nullptr, nullptr);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return end(got < 0 ? errno : 0);
    reader_->on_bytes({scratch.data(), static_cast<size_t>(got)});
    // A short read has emptied the socket; what comes later makes it readable again.
    if (!node.is_held() || static_cast<size_t>(got) < scratch.size()) return;
  }
}

bool SocketStream::is_alive() {
  char byte;
  const ssize_t got = recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && errno == EAGAIN;
}

bool SocketStream::is_near() const { return shortest_round_trip(fd_).value_or(kNear + 1) <= kNear; }

void SocketStream::end(int error_number) {
  paused_ |= kPauseEnded;
  read_armed_ = false;
  if (error_number == 0) error_number = write_error_;
  write_error_ = error_number;
  reader_->on_end(
      {base::ErrorKind::Unreachable, error_number != 0 ? error_text(error_number) : ""});
}

int64_t SocketStream::try_write(std::span<const iovec> pieces) {
  if (write_shut_) return -1;
  if (!rest_.empty()) return write_error_ != 0 ? -1 : 0;
  if (write_error_ != 0) return -1;
  if (loop_->cork().hold(*this, pieces)) {
    size_t size = 0;
    for (const iovec& piece : pieces) size += piece.iov_len;
    return static_cast<int64_t>(size);
  }
  loop_->cork().flush(*this);
  return rest_.empty() ? send_now(pieces) : 0;
}

int64_t SocketStream::send_now(std::span<const iovec> pieces) {
  if (write_error_ != 0) return -1;
  if (pieces.size() == 1)
    return settle(
        send_bytes(fd_, {static_cast<const char*>(pieces[0].iov_base), pieces[0].iov_len}));
  msghdr message = {};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = std::min<size_t>(pieces.size(), IOV_MAX);
  ssize_t sent;
  do {
    sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return settle(sent >= 0 ? sent : errno == EAGAIN ? 0 : -errno);
}

// What a send came to: bytes, or -errno.
int64_t SocketStream::settle(int64_t sent) {
  if (sent >= 0) return sent;
  write_error_ = static_cast<int>(-sent);
  return -1;
}

void SocketStream::on_sent(base::Bytes held, int64_t sent) {
  corked_ = false;
  if (settle(sent) < 0 || static_cast<size_t>(sent) == held.size()) return;
  rest_.assign(held.substr(static_cast<size_t>(sent)));
  apply_mask();
}

void SocketStream::send_rest() {
  const iovec piece{rest_.data(), rest_.size()};
  const int64_t sent = send_now({&piece, 1});
  if (sent < 0 || static_cast<size_t>(sent) == rest_.size())
    std::string().swap(rest_);
  else
    rest_.erase(0, static_cast<size_t>(sent));
}

void SocketStream::want_writable() {
  wants_writable_ = true;
  apply_mask();
}

void SocketStream::resume_bits(uint8_t bits) {
  paused_ &= static_cast<uint8_t>(~bits);
  if (paused_ != 0 || read_armed_) return;
  read_armed_ = true;
  apply_mask();
}

void SocketStream::apply_mask() {
  if (!node_) return;
  const bool tell_writable = (wants_writable_ && reader_) || !rest_.empty();
  node_->arm((read_armed_ ? UV_READABLE : 0) | (tell_writable ? UV_WRITABLE : 0));
}

void SocketStream::shut_write() {
  loop_->cork().flush(*this);
  write_shut_ = true;
  ::shutdown(fd_, SHUT_WR);
}

void SocketStream::leave() {
  assert(loop_);
  loop_->cork().flush(*this);
  node_.reset();
  loop_ = nullptr;
}

void SocketStream::join(Loop& loop) {
  assert(!loop_);
  loop_ = &uv_loop(loop);
  node_ = PollNode::open(loop_->uv(), fd_, on_ready, this);
  read_armed_ = paused_ == 0;
  apply_mask();
}

std::unique_ptr<Stream> adopt(Loop& loop, const Accepted& accepted, const SocketOptions& options) {
  if (!accepted.peer.starts_with("unix:")) set_tcp_options(accepted.fd, options);
  return std::make_unique<SocketStream>(uv_loop(loop), accepted.fd, accepted.peer);
}

std::optional<uint32_t> SocketStream::peer_account() const {
  ucred peer = {};
  socklen_t size = sizeof peer;
  sockaddr_storage own = {};
  socklen_t own_size = sizeof own;
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &own_size) != 0 ||
      own.ss_family != AF_UNIX || getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return std::nullopt;
  return peer.uid;
}

}  // namespace weir::net
