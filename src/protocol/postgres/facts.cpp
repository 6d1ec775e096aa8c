#include "facts.h"

#include "wire.h"

namespace weir::postgres {

namespace {

std::string version_in(const SettingMap& reported) {
  const auto found = reported.find("server_version");
  return found == reported.end() ? std::string() : found->second;
}

}  // namespace

PostgresFacts::PostgresFacts(SettingMap reported)
    : known_(!reported.empty()), reported_(std::move(reported)) {
  for (const auto& [name, value] : reported_)
    by_lower_name_.insert_or_assign(lower_case(name), value);
}

void PostgresFacts::learn(protocol::ServerState& server) {
  const auto& state = static_cast<const ServerState&>(server);
  of(state.variant()).note(state);
}

const PostgresFacts* PostgresFacts::of(uint64_t variant) const {
  return variant == kReaders ? of_readers_.get() : this;
}

PostgresFacts& PostgresFacts::of(uint64_t variant) {
  if (variant != kReaders) return *this;
  if (!of_readers_) of_readers_ = std::make_unique<PostgresFacts>();
  return *of_readers_;
}

void PostgresFacts::note(const ServerState& state) {
  if (known_ && state.base == reported_) return;
  // Another server version may spell values in another way.
  if (known_ && version_in(state.base) != version_in(reported_)) {
    sets_.clear();
    order_.clear();
  }
  known_ = true;
  reported_ = state.base;
  by_lower_name_.clear();
  for (const auto& [name, value] : reported_)
    by_lower_name_.insert_or_assign(lower_case(name), value);
}

bool PostgresFacts::is_reported(const Interned& set) const {
  for (const auto& [name, value] : settings_of(set)) {
    const auto found = by_lower_name_.find(name);
    if (found == by_lower_name_.end() || found->second != value) return false;
  }
  return true;
}

std::optional<Interned> PostgresFacts::canonical(const Interned& set) const {
  if (!known_) return std::nullopt;
  if (const auto found = sets_.find(set.id()); set && found != sets_.end())
    return found->second.canonical;
  if (is_reported(set)) return set;
  return std::nullopt;
}

void PostgresFacts::remember(const Interned& set, const Interned& canonical) {
  if (!set) return;
  if (const auto found = sets_.find(set.id()); found != sets_.end()) {
    found->second.canonical = canonical;
    return;
  }
  sets_.emplace(set.id(), Accepted{set, canonical});
  order_.push_back(set.id());
  if (order_.size() <= kSetsMax) return;
  sets_.erase(order_.front());
  order_.pop_front();
}

std::unique_ptr<protocol::Facts> make_facts(SettingMap reported) {
  return std::make_unique<PostgresFacts>(std::move(reported));
}

}  // namespace weir::postgres
