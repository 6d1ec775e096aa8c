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

#include "names.h"

namespace weir::app {

struct DialOptions {
  net::SocketOptions socket;
  config::LoadBalance balance = config::LoadBalance::RoundRobin;
  net::TlsConnect tls;  // without a name: that of the host
  size_t spares = 0;    // so many of the last hosts are dialled only when the others have failed
  size_t any = 0;       // so many of the first may have any role
};

// The hosts of a URL. One that has failed is left out for a while, unless all have. The addresses
// of a name take turns as the hosts do; a look-up is waited for only when it is not known yet.
class NetworkDialler final : public session::Dialler {
 public:
  NetworkDialler(const std::vector<config::Host>& hosts, DialOptions options, Names& names);
  std::unique_ptr<net::Connecting> dial(net::Loop& loop, int& place,
                                        net::ConnectCallback done) override;
  std::unique_ptr<net::Connecting> dial_again(net::Loop& loop, int place, const std::string& peer,
                                              net::ConnectCallback done) override;
  std::unique_ptr<net::Connecting> dial_elsewhere(net::Loop& loop, int place,
                                                  const protocol::Login::Elsewhere& to,
                                                  net::ConnectCallback done) override;
  uint64_t origin(int place, const std::string& peer) const override;
  std::string text(int place) const override;
  net::TlsConnect tls(int place) const override;
  bool is_remote(int place) const override { return at(place).endpoint.unix_path.empty(); }
  int places() const override { return static_cast<int>(places_.size()); }
  bool may_be_any(int place) const override { return static_cast<size_t>(place) < options_.any; }
  void failed(int place, base::Time now) override;

 private:
  struct Place {
    net::Endpoint endpoint;
    bool is_name = false;
    std::atomic<base::Time> avoided_until = 0;
    std::atomic<unsigned> next_address = 0;
  };
  int choose(base::Time now);
  size_t first(std::atomic<unsigned>& next) const;
  const Place& at(int place) const { return places_[static_cast<size_t>(place)]; }
  Place& at(int place) { return places_[static_cast<size_t>(place)]; }

  DialOptions options_;
  Names& names_;  // the house's
  std::vector<Place> places_;
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
