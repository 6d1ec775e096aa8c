// When servers are opened, of which variant, and what comes of it.
#include <weir/pool/pool.h>

#include <algorithm>
#include <cassert>

namespace weir::pool {

namespace {

constexpr int kRampMax = 16;
// How long others may go before a waiter who needs a server of another variant.
constexpr Duration kVariantPatience = base::kSecond;

}  // namespace

void Pool::Reach::forgive() {
  refused = false;
  retry_delay = 0;
  retry_at = 0;
}

int Pool::limit(Time now) const {
  if (options_.overflow == 0 || waiting_ == 0) return options_.size;
  const Waiter* oldest = oldest_waiter();
  return now - oldest->since >= options_.overflow_after ? options_.size + options_.overflow
                                                        : options_.size;
}

bool Pool::may_open(uint64_t variant, Time now) const {
  const Reach& there = reach(variant);
  return now >= there.retry_at && there.opening < (there.last_error.text.empty() ? there.ramp : 1);
}

// As many connections as there are waiters without one under way, as far as limits and ramp allow.
void Pool::open_more(WorkerId worker, Time now, Orders& orders) {
  if (paused_) return;
  const int wanting = limit(now) > options_.size ? waiting_ : this->wanting();
  while (opening_ < wanting) {
    const auto variant = wanted_variant(now);
    if (!variant) return;
    const WorkerId where = options_.movable ? worker : most_wanted();
    if (wanted_[where] <= 0 && !options_.movable) return;
    if (open_count() + closing_ >= limit(now) || !take_slot()) return make_room(*variant, orders);
    open({where, *variant}, orders);
  }
}

void Pool::open(const Attempt& attempt, Orders& orders) {
  begin(attempt);
  orders.push_back(
      {.kind = Order::Kind::Open, .worker = attempt.worker, .variant = attempt.variant});
}

void Pool::begin(const Attempt& attempt) {
  ++opening_;
  ++reach(attempt.variant).opening;
  under_way_.push_back(attempt.variant);
  --wanted_[attempt.worker];
}

void Pool::end_attempt(uint64_t variant) {
  --opening_;
  --reach(variant).opening;
  const auto one = std::find(under_way_.begin(), under_way_.end(), variant);
  assert(one != under_way_.end());
  if (one != under_way_.end()) under_way_.erase(one);
}

// Of the next server: what the one needs who waits longest, and for whom none is under way. Absent:
// none may be opened just now.
std::optional<uint64_t> Pool::wanted_variant(Time now) const {
  if (mixed_) return wanted_of_several(now);
  const Waiter* oldest = oldest_waiter();
  const uint64_t variant = oldest ? oldest->variant : usual_variant_;
  return may_open(variant, now) ? std::optional(variant) : std::nullopt;
}

std::optional<uint64_t> Pool::wanted_of_several(Time now) const {
  struct Want {
    uint64_t variant;
    int waiting;
    Time since;
  };
  std::vector<Want> wants;
  const auto want_of = [&wants](uint64_t variant) {
    return std::find_if(wants.begin(), wants.end(),
                        [variant](const Want& each) { return each.variant == variant; });
  };
  for (const auto& [key, in] : classes_)
    for (const Line& line : in.lines)
      for (const Waiter* each = line.first; each; each = each->next) {
        const auto known = want_of(each->variant);
        if (known == wants.end()) {
          wants.push_back({each->variant, 1, each->since});
        } else {
          ++known->waiting;
          known->since = std::min(known->since, each->since);
        }
      }
  for (const uint64_t variant : under_way_)
    if (const auto known = want_of(variant); known != wants.end()) --known->waiting;
  const Want* next = nullptr;
  for (const Want& each : wants)
    if (each.waiting > 0 && may_open(each.variant, now) && (!next || each.since < next->since))
      next = &each;
  return next ? std::optional(next->variant) : std::nullopt;
}

// Those who can use this server come all the time, and one who cannot has waited long: there would
// never be room for his.
bool Pool::blocks_another_variant(const Server& server, Time now) const {
  if (!mixed_ || waiting_ == 0 || paused_ || opening_ + closing_ > 0) return false;
  const Waiter* oldest = oldest_waiter();
  return oldest->variant != server.variant() && now - oldest->since >= kVariantPatience &&
         now >= reach(oldest->variant).retry_at && !has_room(oldest->variant, now);
}

// Where most wait for whom no connection is under way.
WorkerId Pool::most_wanted() const {
  return static_cast<WorkerId>(std::max_element(wanted_.begin(), wanted_.end()) - wanted_.begin());
}

void Pool::opened(std::unique_ptr<Server> server, Time now, Orders& orders) {
  {
    const std::lock_guard lock(mutex_);
    end_attempt(server->variant());
    ++wanted_[server->worker];
    ++busy_;
    Reach& there = reach(server->variant());
    ++there.open;
    there.last_error = {};
    there.forgive();
    there.ramp = std::min(there.ramp * 2, kRampMax);
    was_open_ = true;
    server->opened_at = server->checked_at = now;
    server->generation = server->generation == 0 ? generation_ : server->generation;
    if (options_.max_lifetime > 0) server->expires_at = now + jitter(options_.max_lifetime);
  }
  const WorkerId here = server->worker;
  give_back(std::move(server), now, orders);
  const std::lock_guard lock(mutex_);
  open_more(here, now, orders);
}

void Pool::open_failed(const Error& error, const Attempt& attempt, Time now, Orders& orders) {
  const std::lock_guard lock(mutex_);
  end_attempt(attempt.variant);
  ++wanted_[attempt.worker];
  free_slot();
  Reach& there = reach(attempt.variant);
  there.last_error = error;
  there.refused = error.kind == base::ErrorKind::Refused;
  there.ramp = 2;
  if (there.retry_at <= now) {  // of several that fail together the first counts
    there.retry_delay = there.retry_delay == 0
                            ? options_.retry_min
                            : std::min(there.retry_delay * 2, options_.retry_max);
    there.retry_at = now + jitter(there.retry_delay);
  }
  if (!paused_) serve_idle(orders);
  fail_waiters(there, there.refused && there.open == 0, now, orders);
  // The room that it leaves is for those who wait for others.
  if (mixed_ && waiting_ > 0) open_more(attempt.worker, now, orders);
}

void Pool::forgive() {
  const std::lock_guard lock(mutex_);
  for (Reach& each : reach_) each.forgive();
}

// Between 80 and 120 percent, so that what began together does not end together.
Duration Pool::jitter(Duration base) {
  random_ = random_ * 6364136223846793005u + 1442695040888963407u;
  return base * static_cast<Duration>(80 + (random_ >> 33) % 41) / 100;
}

}  // namespace weir::pool
