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
  return now - oldest_for_room()->since >= options_.overflow_after
             ? options_.size + options_.overflow
             : options_.size;
}

bool Pool::may_open(const Reach& there, Time now) const {
  return now >= there.retry_at && there.opening < (there.last_error.text.empty() ? there.ramp : 1);
}

// ---------------------------------------------------------------- what is wanted

const Pool::Demand* Pool::find_demand(uint64_t variant) const {
  for (const Demand& each : demand_)
    if (each.variant == variant) return &each;
  return nullptr;
}

Pool::Demand& Pool::demand(uint64_t variant) {
  for (Demand& each : demand_)
    if (each.variant == variant) return each;
  return demand_.emplace_back(Demand{variant});
}

void Pool::forget_demand() {
  std::erase_if(demand_,
                [](const Demand& each) { return each.waiting == 0 && each.under_way == 0; });
}

// How many of those who wait have an attempt under way that is of use to them.
int Pool::awaited() const {
  int sum = 0;
  for (const Demand& each : demand_) sum += std::min(each.waiting, each.under_way);
  return sum;
}

// What the one needs who waits longest among those for whom no attempt is under way, and may be
// made. Of all workers, or of one. In a line few stand before him: those whose variant has as many
// attempts as waiters.
std::optional<uint64_t> Pool::wanted_variant(std::optional<WorkerId> worker, Time now) const {
  const Waiter* next = nullptr;
  for (size_t place = 0; place < kPlaces; ++place) {
    if (!may_open(reach_[place], now)) continue;
    for (const auto& [key, in] : classes_) {
      for (WorkerId i = 0; i < workers_; ++i) {
        if (worker && i != *worker) continue;
        const Waiter* each = in.lines[place * workers_ + i].first;
        for (; each && (!next || each->since < next->since); each = each->next) {
          const Demand* wanted = find_demand(each->variant);
          if (wanted->waiting > wanted->under_way) next = each;
        }
      }
    }
  }
  return next ? std::optional(next->variant) : std::nullopt;
}

// ---------------------------------------------------------------- attempts

// As many connections as there are waiters without one under way, as far as limits and ramp allow.
void Pool::open_more(WorkerId worker, Time now, Orders& orders) {
  if (paused_) return;
  const int wanting = limit(now) > options_.size ? waiting_ : this->wanting();
  while (awaited() < wanting) {
    const WorkerId where = options_.movable ? worker : most_wanted();
    if (wanted_[where] <= 0 && !options_.movable) return;
    const bool is_full = open_count() + closing_ >= limit(now);
    if (is_full && idle_count() == 0) return;
    const auto variant =
        wanted_variant(options_.movable ? std::nullopt : std::optional(where), now);
    if (!variant) return;
    if (is_full || !take_slot()) return make_room(*variant, orders);
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
  ++demand(attempt.variant).under_way;
  --wanted_[attempt.worker];
}

void Pool::end_attempt(uint64_t variant) {
  --opening_;
  --reach(variant).opening;
  --demand(variant).under_way;
  assert(demand(variant).under_way >= 0);
  forget_demand();
}

// Those who can use this server come all the time, and one who cannot has waited long: there would
// never be room for his.
bool Pool::blocks_another_variant(const Server& server, Time now) const {
  if (demand_.size() < 2 || waiting_ == 0 || paused_ || closing_ > 0) return false;
  const Waiter* oldest = oldest_for_room();
  return oldest->variant != server.variant() && now - oldest->since >= kVariantPatience &&
         find_demand(oldest->variant)->under_way == 0 && now >= reach(oldest->variant).retry_at &&
         !has_room(oldest->variant, now);
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
    trial_error_.clear();
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
  there.failed_at = now;
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
  if (waiting_ > 0) open_more(oldest_waiter()->ticket.worker, now, orders);
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
