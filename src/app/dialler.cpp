#include "dialler.h"

#include <weir/base/crypto.h>

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

NetworkDialler::NetworkDialler(const std::vector<config::Host>& hosts, net::SocketOptions options,
                               config::LoadBalance balance, net::TlsConnect tls)
    : tls_(std::move(tls)), balance_(balance), avoided_until_(hosts.size()), options_(options) {
  for (const config::Host& host : hosts) {
    if (host.is_unix())
      endpoints_.push_back({.host = "",
                            .port = 0,
                            .unix_path = host.host + "/.s.PGSQL." + std::to_string(host.port)});
    else
      endpoints_.push_back({.host = host.host, .port = host.port, .unix_path = ""});
  }
}

std::unique_ptr<net::Connecting> NetworkDialler::dial(net::Loop& loop, int& place,
                                                      net::ConnectCallback done) {
  if (place < 0) place = choose(loop.now());
  return net::connect(loop, endpoints_[static_cast<size_t>(place)], options_, std::move(done));
}

// With load balancing off the first that has not failed.
int NetworkDialler::choose(base::Time now) {
  size_t first = 0;
  if (balance_ == config::LoadBalance::RoundRobin) first = next_++;
  if (balance_ == config::LoadBalance::Random) first = base::random_u32();
  for (size_t i = 0; i < endpoints_.size(); ++i) {
    const size_t place = (first + i) % endpoints_.size();
    if (avoided_until_[place] <= now) return static_cast<int>(place);
  }
  return static_cast<int>(first % endpoints_.size());
}

void NetworkDialler::failed(int place, base::Time now) {
  avoided_until_[static_cast<size_t>(place)] = now + kAvoided;
}

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

// Not over a unix socket, where PostgreSQL speaks no TLS.
net::TlsConnect NetworkDialler::tls(int place) const {
  const net::Endpoint& endpoint = endpoints_[static_cast<size_t>(place)];
  if (!endpoint.unix_path.empty()) return {};
  net::TlsConnect out = tls_;
  if (out.server_name.empty()) out.server_name = endpoint.host;
  return out;
}

std::string NetworkDialler::text(int place) const {
  return endpoints_[place < 0 ? 0 : static_cast<size_t>(place)].text();
}

}  // namespace weir::app
