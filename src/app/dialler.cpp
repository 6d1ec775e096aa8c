#include "dialler.h"

namespace weir::app {

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
                               net::TlsConnect tls)
    : tls_(std::move(tls)), options_(options) {
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
  if (place < 0) place = static_cast<int>(next_++ % endpoints_.size());
  return net::connect(loop, endpoints_[static_cast<size_t>(place)], options_, std::move(done));
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
