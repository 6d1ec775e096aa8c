// What nobody has used for a while goes: pools without servers, and budgets that nobody draws on.
// Names of users and databases that strangers make up leave nothing behind.
#include <weir/config/check.h>

#include <algorithm>

#include "house_entry.h"

namespace weir::app {

namespace {

constexpr base::Duration kUnusedMax = config::kHour;
// Long enough for the pause after a failed login to count.
constexpr base::Duration kMadeUpMax = config::kMinute;
constexpr std::ptrdiff_t kMadeUpCount = 1000;  // more of them than this go at once

bool somebody_logged_in(const session::Backend& backend) {
  return std::any_of(backend.stats().begin(), backend.stats().end(), [](const auto& stats) {
    return stats.logins[session::LoginResult::Ok].value() > 0;
  });
}

}  // namespace

// Its names are those that a client gave, which has proved nothing.
bool House::is_made_up(const Entry& entry) const {
  const config::Database* database = config_->database(entry.name);
  const bool is_listed = !entry.is_any && database &&
                         (!database->user.empty() || config_->user(entry.backend->user()));
  return !is_listed && !somebody_logged_in(*entry.backend);
}

// Whoever uses a backend holds it, and gets it from the house only. Its pool's own parts do not
// count: as long as it has any, it stays.
bool House::has_expired(Entry& entry, base::Time now, bool is_crowded) const {
  if (!entry.backend->pool().is_empty()) entry.used_at = now;
  if (entry.used_at == now || entry.is_taken || entry.backend.use_count() > 1) return false;
  if (is_made_up(entry)) return is_crowded || now - entry.used_at >= kMadeUpMax;
  const config::Database* database = config_->database(entry.name);
  const bool is_kept = database && config::effective(*config_, *database, entry.login).pool.min > 0;
  return !is_kept && now - entry.used_at >= kUnusedMax;
}

void House::expire(base::Time now) {
  const std::lock_guard lock(mutex_);
  const bool is_crowded = std::count_if(entries_.begin(), entries_.end(), [&](const auto& each) {
                            return is_made_up(*each.second);
                          }) > kMadeUpCount;
  const auto is_over = [&](Entry& entry) { return has_expired(entry, now, is_crowded); };
  const auto key_of = [](const Entry& entry) {
    return EntryKey(entry.name, entry.backend->user());
  };
  // Pools of replication clients count under the same names as the shared one: they outlive it.
  for (const auto& own : own_entries_) {
    const auto shared = entries_.find(key_of(*own));
    if (shared != entries_.end() && !is_over(*own)) shared->second->used_at = now;
  }
  size_t count = std::erase_if(entries_, [&](auto& each) { return is_over(*each.second); });
  count += std::erase_if(
      own_entries_, [&](auto& own) { return !entries_.contains(key_of(*own)) && is_over(*own); });
  count += std::erase_if(former_askers_, [&](auto& entry) { return is_over(*entry); });
  if (count > 0) forget_budgets();
}

// Each holds its backend.
void House::forget_lanes(base::Time now) {
  if (now - lanes_looked_at_ < config::kMinute) return;
  lanes_looked_at_ = now;
  for (session::Worker* worker : workers_)
    worker->loop().mailbox().post_call([worker] { worker->forget_unused_lanes(); });
}

void House::forget_budgets() {
  std::set<const pool::Budget*> drawn_on;
  const auto look = [&](const Entry& entry) {
    const auto& budgets = entry.backend->pool().budgets();
    drawn_on.insert(budgets.begin(), budgets.end());
  };
  each_entry(look);
  for (const auto& own : own_entries_) look(*own);
  std::erase_if(budgets_, [&](const auto& each) {
    return each.second->used() == 0 && !drawn_on.contains(each.second.get());
  });
}

}  // namespace weir::app
