// Streams to the servers of one database: over the network, or a pipe to an engine inside weir. Any
// worker.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include <weir/config/config.h>
#include <weir/pgserver/engine.h>
#include <weir/session/backend.h>

namespace weir::app {

// The hosts of a URL in turn.
class NetworkDialler final : public session::Dialler {
 public:
  NetworkDialler(const std::vector<config::Host>& hosts, net::SocketOptions options,
                 net::TlsConnect tls = {});
  std::unique_ptr<net::Connecting> dial(net::Loop& loop, int& place,
                                        net::ConnectCallback done) override;
  std::string text(int place) const override;
  net::TlsConnect tls(int place) const override;

 private:
  net::TlsConnect tls_;  // without a name: that of the host
  std::vector<net::Endpoint> endpoints_;
  net::SocketOptions options_;
  std::atomic<unsigned> next_{0};
};

// A pipe to an engine, on the loop of whoever dials.
class EngineDialler final : public session::Dialler {
 public:
  EngineDialler(engine::Engine& engine, std::string name)
      : engine_(engine), name_(std::move(name)) {}
  std::unique_ptr<net::Connecting> dial(net::Loop& loop, int& place,
                                        net::ConnectCallback done) override;
  std::string text(int) const override { return name_; }

 private:
  engine::Engine& engine_;
  std::string name_;
};

net::SocketOptions socket_options(const config::Tcp& tcp);
net::Endpoint endpoint(const config::Address& address);

}  // namespace weir::app
