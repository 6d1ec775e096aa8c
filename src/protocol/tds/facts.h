// What the servers of one pool say of themselves, by the shape of the login: most clients are
// welcomed with that, without a server. Owned by the pool's owner, who holds a lock around every
// call.
#pragma once

#include <map>

#include "state.h"

namespace weir::tds {

class TdsFacts final : public protocol::Facts {
 public:
  static constexpr size_t kShapesMax = 1000;

  void learn(protocol::ServerState& server) override {
    const auto& state = static_cast<const ServerState&>(server);
    if (by_shape_.size() >= kShapesMax) by_shape_.clear();
    by_shape_.insert_or_assign(state.variant(), state.facts);
  }
  const LoginFacts* find(uint64_t shape) const {
    const auto found = by_shape_.find(shape);
    return found == by_shape_.end() ? nullptr : &found->second;
  }

 private:
  std::map<uint64_t, LoginFacts> by_shape_;
};

}  // namespace weir::tds
