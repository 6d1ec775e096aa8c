#include "audience.h"

#include "glob.h"

namespace weir::redis {

void Audience::change(Hub::Kind kind, Bytes name, int64_t by) {
  if (by == 0) return;
  const std::lock_guard lock(mutex_);
  Topics& topics = all_[static_cast<size_t>(kind)];
  auto found = topics.find(name);
  if (found == topics.end()) {
    found = topics.try_emplace(std::string(name), 0).first;
    topics_.fetch_add(1, std::memory_order_release);
  }
  if ((found->second += by) != 0) return;
  topics.erase(found);
  topics_.fetch_sub(1, std::memory_order_release);
}

int64_t Audience::listeners(Hub::Kind kind, Bytes name) const {
  if (is_empty()) return 0;
  const std::lock_guard lock(mutex_);
  return find(kind, name);
}

int64_t Audience::receivers(Bytes channel) const {
  if (is_empty()) return 0;
  const std::lock_guard lock(mutex_);
  int64_t count = find(Hub::Kind::Channel, channel);
  size_t steps = kPatternStepsMax;
  for (const auto& [pattern, listeners] : all_[static_cast<size_t>(Hub::Kind::Pattern)]) {
    if (steps == 0) break;
    if (fits_pattern(channel, pattern, steps)) count += listeners;
  }
  return count;
}

std::shared_ptr<Audience> Audiences::of(const std::string& server) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<Audience>& found = all_[server];
  auto audience = found.lock();
  if (audience) return audience;
  audience = std::make_shared<Audience>();
  found = audience;
  std::erase_if(all_, [](const auto& each) { return each.second.expired(); });
  return audience;
}

int64_t Audience::find(Hub::Kind kind, Bytes name) const {
  const Topics& topics = all_[static_cast<size_t>(kind)];
  const auto found = topics.find(name);
  return found == topics.end() ? 0 : found->second;
}

}  // namespace weir::redis
