// What nobody has used for a while goes: pools without servers, and budgets that nobody draws on.
// Names of users and databases that strangers make up leave nothing behind.
#include <weir/config/check.h>

#include <algorithm>

#include "house_entry.h"

namespace weir::app {

namespace {

constexpr base::Duration kUnusedMax = config::kHour;

bool somebody_logged_in(const session::Backend& backend) {
  return std::any_of(backend.stats().begin(), backend.stats().end(), [](const auto& stats) {
    return stats.logins[session::LoginResult::Ok].value() > 0;
  });
}

}  // namespace

// Whoever uses a backend holds it, and gets it from the house only. Its pool's own parts do not
// count: as long as it has any, it stays.
bool House::has_expired(Entry& entry, base::Time now) const {
  if (!entry.backend->pool().is_empty()) entry.used_at = now;
  if (entry.used_at == now || entry.is_taken || entry.backend.use_count() > 1) return false;
  const config::Database* database = config_->database(entry.name);
  if (database && config::effective(*config_, *database, entry.login).pool.min > 0) return false;
  // A database that "*" stands for has whatever name a client gave it.
  const bool is_made_up = entry.is_any && !somebody_logged_in(*entry.backend);
  return is_made_up || now - entry.used_at >= kUnusedMax;
}

void House::expire(base::Time now) {
  const std::lock_guard lock(mutex_);
  const auto is_over = [&](const std::unique_ptr<Entry>& entry) {
    return has_expired(*entry, now);
  };
  size_t count = std::erase_if(entries_, [&](const auto& each) { return is_over(each.second); });
  count += std::erase_if(own_entries_, is_over);
  count += std::erase_if(former_askers_, is_over);
  if (count == 0) return;
  std::erase_if(budgets_, [&](const auto& each) {
    return each.second->used() == 0 && !is_drawn_on(*each.second);
  });
}

bool House::is_drawn_on(const pool::Budget& budget) const {
  bool found = false;
  const auto look = [&](const Entry& entry) {
    found = found || entry.backend->pool().draws_on(&budget);
  };
  each_entry(look);
  for (const auto& entry : own_entries_) look(*entry);
  return found;
}

}  // namespace weir::app
