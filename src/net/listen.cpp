// Listening sockets. A host that stands for several addresses ("*", localhost) gets a socket for
// each, all on one port. Accepts in batches; rests when the process has no descriptor left.
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <list>
#include <utility>
#include <vector>

#include "address.h"
#include "socket_file.h"
#include "uv_loop.h"

namespace weir::net {

namespace {

constexpr int kAcceptsPerWake = 64;
constexpr base::Duration kAcceptRest = 100 * base::kMillisecond;

class SocketListener;

// One listening socket of a listener.
struct Door {
  Door(SocketListener* owner, int opened) : listener(owner), fd(opened) {}
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;
  ~Door() {
    node.reset();
    ::close(fd);
  }
  SocketListener* listener;
  int fd;
  NodePtr<PollNode> node;
};

class SocketListener final : public Listener {
 public:
  SocketListener(UvLoop& loop, const Endpoint& endpoint, ListenCallbacks callbacks)
      : loop_(loop),
        endpoint_(endpoint),
        callbacks_(std::make_shared<ListenCallbacks>(std::move(callbacks))),
        rest_([](void* owner,
                 base::Time) { static_cast<SocketListener*>(owner)->watch(UV_READABLE); },
              this) {}
  Endpoint bound() const override { return endpoint_; }

  base::Status open_tcp(const ListenOptions& options);
  base::Status open_unix(const ListenOptions& options);
  void start();

 private:
  int open_tcp_one(Address address, int backlog);
  void learn_port(int fd);
  void watch(int mask);
  void accept_some(const Door& door);
  void rest(int error_number);
  std::string peer_text(const sockaddr_storage& peer) const;
  base::Error failure(std::string_view text) const {
    return {base::ErrorKind::System, fmt::format("listen on {}: {}", endpoint_.text(), text)};
  }

  UvLoop& loop_;
  Endpoint endpoint_;
  std::shared_ptr<ListenCallbacks> callbacks_;  // outlives the listener during its own call
  base::Timer rest_;
  SocketFile file_;
  std::list<Door> doors_;  // stays where it is: the nodes point to it
};

// Names are looked up on the spot: listening happens at the start and when the configuration is
// read again.
base::Result<std::vector<Address>> listen_addresses(const Endpoint& endpoint) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  const bool any = endpoint.host.empty() || endpoint.host == "*";
  addrinfo* list = nullptr;
  const int status = getaddrinfo(any ? nullptr : endpoint.host.c_str(),
                                 std::to_string(endpoint.port).c_str(), &hints, &list);
  if (status != 0) return base::Error{base::ErrorKind::Config, gai_strerror(status)};
  auto out = to_addresses(list);
  freeaddrinfo(list);
  return out;
}

void set_port(Address& address, uint16_t port) {
  if (address.family() == AF_INET)
    reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
  else if (address.family() == AF_INET6)
    reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port = htons(port);
}

base::Status SocketListener::open_tcp(const ListenOptions& options) {
  auto addresses = listen_addresses(endpoint_);
  if (!addresses) return failure(addresses.error().text);
  int last_error = EADDRNOTAVAIL;
  for (const Address& address : *addresses) {
    const int error_number = open_tcp_one(address, options.backlog);
    if (error_number == 0) continue;
    last_error = error_number;
    // A machine without IPv6 still has names that stand for ::1.
    if (error_number != EAFNOSUPPORT && error_number != EADDRNOTAVAIL)
      return failure(error_text(error_number));
  }
  return doors_.empty() ? base::Status(failure(error_text(last_error))) : base::ok();
}

int SocketListener::open_tcp_one(Address address, int backlog) {
  const int fd = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  set_port(address, endpoint_.port);
  if (bind(fd, address.get(), address.size) != 0 || ::listen(fd, backlog) != 0) {
    const int error_number = errno;
    ::close(fd);
    return error_number;
  }
  learn_port(fd);
  doors_.emplace_back(this, fd);
  return 0;
}

void SocketListener::learn_port(int fd) {
  if (endpoint_.port != 0) return;
  Address here;
  here.size = sizeof here.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&here.storage), &here.size) == 0)
    endpoint_.port = address_port(here.get());
}

base::Status SocketListener::open_unix(const ListenOptions& options) {
  auto fd = file_.bind(endpoint_.unix_path, options);
  if (!fd) return failure(fd.error().text);
  doors_.emplace_back(this, *fd);
  if (::listen(*fd, options.backlog) != 0) return failure(error_text(errno));
  return base::ok();
}

void SocketListener::start() {
  for (Door& door : doors_) {
    const auto on_ready = [](void* owner, int) {
      const Door& ready = *static_cast<Door*>(owner);
      ready.listener->accept_some(ready);
    };
    door.node = PollNode::open(loop_.uv(), door.fd, on_ready, &door);
  }
  watch(UV_READABLE);
}

void SocketListener::watch(int mask) {
  for (const Door& door : doors_) door.node->arm(mask);
}

void SocketListener::accept_some(const Door& door) {
  const PollNode& node = *door.node;
  const auto callbacks = callbacks_;
  for (int i = 0; i < kAcceptsPerWake; ++i) {
    sockaddr_storage peer = {};
    socklen_t size = sizeof peer;
    const int fd =
        accept4(door.fd, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      callbacks->on_accept({fd, peer_text(peer)});
      if (!node.is_held()) return;  // destroyed by its own callback
      continue;
    }
    if (errno == EAGAIN) break;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      return rest(errno);
    // Anything else concerns one client that has gone already (accept(2), Error handling).
  }
  watch(UV_READABLE);  // libuv disarms a descriptor that reports an error
}

void SocketListener::rest(int error_number) {
  watch(0);
  loop_.timers().set(rest_, loop_.now() + kAcceptRest);
  const auto callbacks = callbacks_;
  if (callbacks->on_accept_rest) callbacks->on_accept_rest(error_number);
}

std::string SocketListener::peer_text(const sockaddr_storage& peer) const {
  if (!endpoint_.unix_path.empty()) return endpoint_.text();
  return address_text(reinterpret_cast<const sockaddr*>(&peer));
}

}  // namespace

base::Result<std::unique_ptr<Listener>> listen(Loop& loop, const Endpoint& endpoint,
                                               const ListenOptions& options,
                                               ListenCallbacks callbacks) {
  auto listener = std::make_unique<SocketListener>(uv_loop(loop), endpoint, std::move(callbacks));
  const auto opened =
      endpoint.unix_path.empty() ? listener->open_tcp(options) : listener->open_unix(options);
  if (!opened) return opened.error();
  listener->start();
  return std::unique_ptr<Listener>(std::move(listener));
}

}  // namespace weir::net
