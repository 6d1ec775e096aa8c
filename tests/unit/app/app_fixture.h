// Metrics over a made-up backend "app" of two workers, with a pool of four.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "app/metrics.h"
#include "app/protocols.h"

namespace weir::app {

class PlainServer final : public pool::Server {
 public:
  uint64_t variant() const override { return 0; }
};

class AppFixture : public testing::Test {
 protected:
  session::Backend& add_backend(const std::string& database) {
    auto backend = std::make_shared<session::Backend>(database, "alice", *protocols_.at(0), 2);
    backend->set_pool(
        std::make_unique<pool::Pool>(pool::Options{.size = 4}, std::vector<pool::Budget*>{}, 2, 1));
    return *backends_.emplace_back(std::move(backend));
  }
  base::InternTable texts_;
  std::vector<std::unique_ptr<protocol::Protocol>> protocols_ = make_protocols(texts_);
  std::vector<std::shared_ptr<session::Backend>> backends_;
  session::Backend& app_ = add_backend("app");
  session::Stats strangers_[2];
  base::Histogram turns_;
  Reloads reloads_;
  Metrics metrics_{
      {[this] { return backends_; }, {&strangers_[0], &strangers_[1]}, {&turns_}, reloads_}};
};

}  // namespace weir::app
