// What the servers of one pool say of themselves, and which sets of start-up settings they have
// accepted, in the server's spelling. With it most clients are welcomed without a server. Owned by
// the pool's owner, who holds a lock around every call.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "state.h"

namespace weir::postgres {

class PostgresFacts final : public protocol::Facts {
 public:
  static constexpr size_t kSetsMax = 1000;

  PostgresFacts() = default;
  explicit PostgresFacts(SettingMap reported);

  void learn(protocol::ServerState& server) override;
  void note(const ServerState& state);
  // Of the servers of this variant; null: none has said anything yet.
  const PostgresFacts* of(uint64_t variant) const;
  PostgresFacts& of(uint64_t variant);

  bool known() const { return known_; }
  const SettingMap& reported() const { return reported_; }  // names as the server spells them
  // The server's spelling of `set`, when some server has accepted it or when it says what all
  // servers say anyway.
  std::optional<Interned> canonical(const Interned& set) const;
  void remember(const Interned& set, const Interned& canonical);
  size_t sets() const { return sets_.size(); }

 private:
  struct Accepted {
    Interned set;  // keeps the text, so that its id stays in use
    Interned canonical;
  };
  bool is_reported(const Interned& set) const;

  bool known_ = false;
  SettingMap reported_;
  SettingMap by_lower_name_;
  std::unordered_map<uint64_t, Accepted> sets_;
  std::deque<uint64_t> order_;  // oldest first
  // Standbys, perhaps: they say something else of themselves.
  std::unique_ptr<PostgresFacts> of_readers_;
};

}  // namespace weir::postgres
