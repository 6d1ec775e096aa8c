// Connecting: the addresses of an endpoint one after the other.
//
//   Dialling --writable, no error--> done with a stream
//     |  ^ next address; or the same one later, if a unix socket's queue is full
//     v  |
//   Resting
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "address.h"
#include "socket_stream.h"
#include "uv_loop.h"

namespace weir::net {

namespace {

constexpr base::Duration kQueueFullRest = 10 * base::kMillisecond;

class Attempt final : public Connecting {
 public:
  Attempt(UvLoop& loop, const Endpoint& endpoint, const SocketOptions& options,
          ConnectCallback done)
      : loop_(loop),
        endpoint_(endpoint),
        options_(options),
        done_(std::move(done)),
        retry_([](void* owner, base::Time) { static_cast<Attempt*>(owner)->dial(); }, this) {}
  ~Attempt() override;
  void begin();

 private:
  void find_addresses();
  void dial();
  int dial_one(const Address& address);
  void on_ready();
  void drop_socket();
  bool is_self_connected() const;
  void fail(std::string_view text);
  void fail_soon(std::string text);
  void finish(base::Result<std::unique_ptr<Stream>> result);

  UvLoop& loop_;
  Endpoint endpoint_;
  SocketOptions options_;
  ConnectCallback done_;
  std::vector<Address> addresses_;
  size_t next_ = 0;
  int last_error_ = 0;
  int fd_ = -1;
  NodePtr<PollNode> node_;
  base::Timer retry_;
  std::shared_ptr<Attempt*> self_;  // for a call from run_soon(), which cannot be taken back
};

Attempt::~Attempt() {
  if (self_) *self_ = nullptr;
  drop_socket();
}

void Attempt::drop_socket() {
  node_.reset();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Attempt::begin() {
  if (!endpoint_.unix_path.empty()) {
    auto address = unix_address(endpoint_.unix_path);
    if (!address) return fail_soon(address.error().text);
    addresses_.push_back(*address);
  } else {
    find_addresses();
  }
  if (addresses_.empty()) return fail_soon("the host is a name that nobody has looked up");
  // Nothing may be called back from inside connect(), so a refusal at once is told later.
  self_ = std::make_shared<Attempt*>(this);
  loop_.run_soon([self = self_] {
    if (*self) (*self)->dial();
  });
}

void Attempt::find_addresses() {
  if (endpoint_.addresses.empty()) addresses_ = numeric_addresses(endpoint_.host, endpoint_.port);
  for (const std::string& text : endpoint_.addresses)
    for (const Address& address : numeric_addresses(text, endpoint_.port))
      addresses_.push_back(address);
}

void Attempt::dial() {
  while (next_ < addresses_.size()) {
    const int error_number = dial_one(addresses_[next_]);
    if (error_number == 0) return;
    drop_socket();
    if (error_number == EAGAIN)  // a unix socket whose queue is full cannot be waited for
      return loop_.timers().set(retry_, loop_.now() + kQueueFullRest);
    last_error_ = error_number;
    ++next_;
  }
  const size_t tried = addresses_.size();
  fail(tried < 2 ? error_text(last_error_)
                 : fmt::format("{} (the last of {} addresses)", error_text(last_error_), tried));
}

int Attempt::dial_one(const Address& address) {
  fd_ = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return errno;
  if (address.family() != AF_UNIX) set_tcp_options(fd_, options_);
  if (::connect(fd_, address.get(), address.size) != 0 && errno != EINPROGRESS) return errno;
  node_ = PollNode::open(
      loop_.uv(), fd_, [](void* owner, int) { static_cast<Attempt*>(owner)->on_ready(); }, this);
  node_->arm(UV_WRITABLE);
  return 0;
}

void Attempt::on_ready() {
  int error_number = 0;
  socklen_t size = sizeof error_number;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error_number, &size);
  if (error_number == 0 && is_self_connected()) error_number = ECONNREFUSED;
  if (error_number != 0) {
    last_error_ = error_number;
    drop_socket();
    ++next_;
    return dial();
  }
  const Address& address = addresses_[next_];
  auto peer = address.family() == AF_UNIX ? endpoint_.text() : address_text(address.get());
  const int fd = std::exchange(fd_, -1);
  std::unique_ptr<Stream> stream =
      std::make_unique<SocketStream>(loop_, fd, std::move(peer), std::move(node_));
  finish(std::move(stream));
}

// TCP lets a socket connect to itself when the system happens to give it the port that it dials and
// nobody listens there (RFC 9293, 3.5, simultaneous open). A server that is tried again and again
// while it is down meets that.
bool Attempt::is_self_connected() const {
  const Address& there = addresses_[next_];
  if (there.family() == AF_UNIX) return false;
  Address here;
  here.size = sizeof here.storage;
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&here.storage), &here.size) != 0) return false;
  return address_port(here.get()) == address_port(there.get()) &&
         address_text(here.get()) == address_text(there.get());
}

void Attempt::fail(std::string_view text) {
  finish(base::Error{base::ErrorKind::Unreachable,
                     fmt::format("connect to {}: {}", endpoint_.text(), text)});
}

void Attempt::fail_soon(std::string text) {
  self_ = std::make_shared<Attempt*>(this);
  loop_.run_soon([self = self_, text = std::move(text)] {
    if (*self) (*self)->fail(text);
  });
}

// The callback may destroy this attempt.
void Attempt::finish(base::Result<std::unique_ptr<Stream>> result) {
  const auto done = std::move(done_);
  done(std::move(result));
}

}  // namespace

std::unique_ptr<Connecting> connect(Loop& loop, const Endpoint& endpoint,
                                    const SocketOptions& options, ConnectCallback done) {
  auto attempt = std::make_unique<Attempt>(uv_loop(loop), endpoint, options, std::move(done));
  attempt->begin();
  return attempt;
}

}  // namespace weir::net
