// Streams to the servers of one database: over the network, or a pipe to an engine inside weir. Any
// worker.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include <weir/base/time.h>
#include <weir/config/config.h>
#include <weir/pgserver/engine.h>
#include <weir/session/backend.h>

namespace weir::app {

// The hosts of a URL. One that has failed is left out for a while, unless all have.
class NetworkDialler final : public session::Dialler {
 public:
  NetworkDialler(const std::vector<config::Host>& hosts, net::SocketOptions options,
                 config::LoadBalance balance, net::TlsConnect tls);
  std::unique_ptr<net::Connecting> dial(net::Loop& loop, int& place,
                                        net::ConnectCallback done) override;
  std::string text(int place) const override;
  net::TlsConnect tls(int place) const override;
  int places() const override { return static_cast<int>(endpoints_.size()); }
  void failed(int place, base::Time now) override;

 private:
  int choose(base::Time now);

  net::TlsConnect tls_;  // without a name: that of the host
  config::LoadBalance balance_;
  std::vector<net::Endpoint> endpoints_;
  std::vector<std::atomic<base::Time>> avoided_until_;
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
