#include "dialler.h"

#include <weir/base/crypto.h>

#include <algorithm>

namespace weir::app {

namespace {

constexpr base::Duration kAvoided = 15 * base::kSecond;

}  // namespace

net::SocketOptions socket_options(const config::Tcp& tcp) {
  return {.keepalive = tcp.keepalive,
          .keepalive_idle = tcp.keepalive_idle,
          .user_timeout = tcp.user_timeout};
}

net::Endpoint endpoint(const config::Address& address) {
  switch (address.kind) {
    case config::Address::Kind::Tcp:
      return {.host = address.host, .port = address.port, .unix_path = ""};
    case config::Address::Kind::Unix: return {.host = "", .port = 0, .unix_path = address.path};
    default: return {.host = "", .port = 0, .unix_path = "@" + address.path};
  }
}

NetworkDialler::NetworkDialler(const std::vector<config::Host>& hosts, DialOptions options,
                               Names& names)
    : options_(std::move(options)), names_(names), places_(hosts.size()) {
  for (size_t i = 0; i < hosts.size(); ++i) {
    const config::Host& host = hosts[i];
    if (host.is_unix()) {
      places_[i].endpoint.unix_path =
          host.port == 0 ? host.host : host.host + "/.s.PGSQL." + std::to_string(host.port);
    } else {
      places_[i].endpoint = {.host = host.host, .port = host.port, .unix_path = ""};
      places_[i].is_name = !net::is_numeric(host.host);
    }
  }
}

namespace {

// Waits for the addresses of a name, then connects. Giving up is forgetting it.
class NameConnecting final : public net::Connecting {
 public:
  NameConnecting(net::Loop& loop, net::Endpoint endpoint, net::SocketOptions options,
                 net::ConnectCallback done)
      : loop_(loop),
        endpoint_(std::move(endpoint)),
        options_(options),
        done_(std::move(done)),
        self_(std::make_shared<NameConnecting*>(this)) {}
  ~NameConnecting() override { *self_ = nullptr; }

  void begin(Names& names, size_t first) {
    first_ = first;
    names.find(endpoint_.host, loop_.mailbox(), [self = self_](Names::Found found) {
      if (*self) (*self)->on_found(std::move(found));
    });
  }

 private:
  void on_found(Names::Found found) {
    if (!found) return fail_soon(found.error());
    const auto from = static_cast<std::ptrdiff_t>(first_ % found->size());
    std::rotate(found->begin(), found->begin() + from, found->end());
    endpoint_.addresses = std::move(*found);
    connecting_ = net::connect(loop_, endpoint_, options_, std::move(done_));
  }
  void fail_soon(const base::Error& why) {
    loop_.run_soon([self = self_, why] {
      if (!*self) return;
      const auto done = std::move((*self)->done_);
      done(why);
    });
  }

  net::Loop& loop_;
  net::Endpoint endpoint_;
  net::SocketOptions options_;
  net::ConnectCallback done_;
  std::shared_ptr<NameConnecting*> self_;
  size_t first_ = 0;
  std::unique_ptr<net::Connecting> connecting_;
};

}  // namespace

std::unique_ptr<net::Connecting> NetworkDialler::dial(net::Loop& loop, int& place,
                                                      net::ConnectCallback done) {
  if (place < 0) place = choose(loop.now());
  Place& to = at(place);
  if (!to.is_name) return net::connect(loop, to.endpoint, options_.socket, std::move(done));
  auto connecting =
      std::make_unique<NameConnecting>(loop, to.endpoint, options_.socket, std::move(done));
  connecting->begin(names_, first(to.next_address));
  return connecting;
}

std::unique_ptr<net::Connecting> NetworkDialler::dial_again(net::Loop& loop, int place,
                                                            const std::string& peer,
                                                            net::ConnectCallback done) {
  net::Endpoint endpoint = at(place).endpoint;
  if (at(place).is_name) endpoint.addresses = {address_of(peer)};
  return net::connect(loop, endpoint, options_.socket, std::move(done));
}

std::unique_ptr<net::Connecting> NetworkDialler::dial_elsewhere(
    net::Loop& loop, int, const protocol::Login::Elsewhere& to, net::ConnectCallback done) {
  net::Endpoint endpoint{.host = to.host, .port = to.port, .unix_path = ""};
  if (net::is_numeric(to.host))
    return net::connect(loop, endpoint, options_.socket, std::move(done));
  auto connecting =
      std::make_unique<NameConnecting>(loop, std::move(endpoint), options_.socket, std::move(done));
  connecting->begin(names_, 0);
  return connecting;
}

uint64_t NetworkDialler::origin(int place, const std::string& peer) const {
  return at(place).is_name ? origin_of(address_of(peer)) : 0;
}

size_t NetworkDialler::first(std::atomic<unsigned>& next) const {
  switch (options_.balance) {
    case config::LoadBalance::RoundRobin: return next++;
    case config::LoadBalance::Random: return base::random_u32();
    default: return 0;
  }
}

// With load balancing off the first that has not failed.
int NetworkDialler::choose(base::Time now) {
  const size_t from = first(next_);
  const size_t usual = places_.size() - options_.spares;
  for (size_t i = 0; i < places_.size(); ++i) {
    const size_t place = i < usual ? (from + i) % usual : i;
    if (places_[place].avoided_until <= now) return static_cast<int>(place);
  }
  return static_cast<int>(from % usual);
}

void NetworkDialler::failed(int place, base::Time now) { at(place).avoided_until = now + kAvoided; }

namespace {

constexpr size_t kPipeBytes = 256 * 1024;

// A pipe is there at once; the callback comes from the loop all the same. Giving up is forgetting
// it.
class PipeConnecting final : public net::Connecting {
 public:
  PipeConnecting(net::Loop& loop, engine::Engine& engine, net::ConnectCallback done)
      : wanted_(std::make_shared<bool>(true)) {
    loop.run_soon([&loop, &engine, wanted = wanted_, tell = std::move(done)] {
      if (!*wanted) return;
      auto [ours, theirs] = net::make_pipe(loop, kPipeBytes);
      engine.serve(loop, std::move(theirs));
      tell(std::move(ours));
    });
  }
  ~PipeConnecting() override { *wanted_ = false; }

 private:
  std::shared_ptr<bool> wanted_;
};

}  // namespace

std::unique_ptr<net::Connecting> EngineDialler::dial(net::Loop& loop, int& place,
                                                     net::ConnectCallback done) {
  place = 0;
  return std::make_unique<PipeConnecting>(loop, engine_, std::move(done));
}

// Not over a unix socket, where neither PostgreSQL nor Redis speaks TLS.
net::TlsConnect NetworkDialler::tls(int place) const {
  const net::Endpoint& endpoint = at(place).endpoint;
  if (!endpoint.unix_path.empty()) return {};
  net::TlsConnect out = options_.tls;
  if (out.server_name.empty()) out.server_name = endpoint.host;
  return out;
}

std::string NetworkDialler::text(int place) const { return at(std::max(place, 0)).endpoint.text(); }

}  // namespace weir::app
