#include <weir/pool/pool.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace weir::pool {

namespace {

constexpr Duration kLocality =
    base::kMillisecond;  // how much older a waiter elsewhere must be to go first

}  // namespace

bool Budget::try_take() {
  int used = used_.load();
  do {
    const int limit = limit_.load();
    if (limit > 0 && used >= limit) return false;
  } while (!used_.compare_exchange_weak(used, used + 1));
  return true;
}

void Pool::Line::push(Waiter& waiter) {
  waiter.next = nullptr;
  waiter.previous = last;
  (last ? last->next : first) = &waiter;
  last = &waiter;
}

void Pool::Line::remove(Waiter& waiter) {
  (waiter.previous ? waiter.previous->next : first) = waiter.next;
  (waiter.next ? waiter.next->previous : last) = waiter.previous;
  waiter.next = waiter.previous = nullptr;
}

Pool::Pool(Options options, std::vector<Budget*> budgets, uint32_t workers, uint64_t seed)
    : options_(options),
      budgets_(std::move(budgets)),
      workers_(workers),
      idle_(workers),
      wanted_(workers),
      random_(seed | 1) {}

Pool::~Pool() = default;

// ---------------------------------------------------------------- to a client

std::unique_ptr<Server> Pool::acquire(Waiter& waiter, Time now, Orders& orders) {
  const std::lock_guard lock(mutex_);
  waiter.since = now;
  const WorkerId here = waiter.ticket.worker;
  if (!paused_ && may_have(waiter)) {
    for (const Kept kept : {Kept::Spared, Kept::Taken}) {
      if (kept == Kept::Taken && has_room(waiter.variant, now)) break;
      if (auto server = take_idle(here, waiter, kept)) {
        ++busy_;
        lend(*server, waiter);
        return server;
      }
      if (options_.movable && move_idle(waiter, kept, orders)) return nullptr;
    }
    if (is_in_vain(waiter, now)) {
      fail(waiter, now, orders);
      return nullptr;
    }
  }
  enqueue(waiter);
  open_more(here, now, orders);
  return nullptr;
}

void Pool::lend(Server& server, const Waiter& waiter) {
  server.stays = waiter.stays;
  server.leased = !waiter.keeps && !waiter.stays;
  leased_ += server.leased ? 1 : 0;
  staying_ += server.stays ? 1 : 0;
}

void Pool::returned(Server& server) {
  if (std::exchange(server.leased, false)) --leased_;
  if (std::exchange(server.stays, false)) --staying_;
}

// Among those that fit the last or the first, as `pick` says; rather one that the waiter keeps, or
// one of the same flavour.
std::unique_ptr<Server> Pool::take_idle(WorkerId worker, const Waiter& waiter, Kept kept) {
  auto& stack = idle_[worker];
  auto found = stack.end();
  const bool lifo = options_.pick == Pick::Lifo;
  int best = -1;
  const int enough = waiter.keeps ? 3 : 2;
  for (size_t n = 0; n < stack.size() && best < enough; ++n) {
    const auto each = stack.begin() + static_cast<std::ptrdiff_t>(lifo ? stack.size() - 1 - n : n);
    const Server& server = **each;
    const bool own = waiter.keeps && server.keeper == waiter.ticket.session;
    const bool free = server.keeper == 0 || own || kept == Kept::Taken;
    if (!free || server.variant() != waiter.variant) continue;
    const bool same = server.flavour() == waiter.flavour;
    const int fit = own ? 3 : server.keeper != 0 ? 0 : same ? 2 : 1;
    if (fit > best) {
      best = fit;
      found = each;
    }
    if (!lifo && fit > 0) break;  // scattered holds are to meet all servers
  }
  if (found == stack.end()) return nullptr;
  auto server = std::move(*found);
  stack.erase(found);
  return server;
}

// An idle server of the worker that has most of them goes to the waiter, or one of another that
// has a fitting one.
bool Pool::move_idle(Waiter& waiter, Kept kept, Orders& orders) {
  const auto richest = std::max_element(
      idle_.begin(), idle_.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  if (richest->empty()) return false;
  auto server = take_idle(static_cast<WorkerId>(richest - idle_.begin()), waiter, kept);
  for (WorkerId from = 0; from < workers_ && !server; ++from)
    server = take_idle(from, waiter, kept);
  if (!server) return false;
  ++busy_;
  lend(*server, waiter);
  const WorkerId from = server->worker;
  orders.push_back({.kind = Order::Kind::Move,
                    .worker = from,
                    .server = std::move(server),
                    .ticket = waiter.ticket});
  return true;
}

void Pool::enqueue(Waiter& waiter) {
  const uint64_t key = options_.fair ? waiter.fair_class : 0;
  waiter.fair_class = key;
  Class& in = classes_[key];
  if (in.lines.empty()) {
    in.lines.resize(kPlaces * workers_);
    turns_.push_back(key);
  }
  line_of(in, waiter).push(waiter);
  waiter.queued = true;
  const bool is_usual = place(waiter.variant) == 0;
  if (is_usual || !usual_seen_) last_variant_ = waiter.variant;
  usual_seen_ = usual_seen_ || is_usual;
  ++demand(waiter.variant).waiting;
  ++waiting_;
  keepers_waiting_ += waiter.keeps ? 1 : 0;
  stayers_waiting_ += waiter.stays ? 1 : 0;
  ++wanted_[waiter.ticket.worker];
  ++in.count;
}

void Pool::dequeue(Waiter& waiter) {
  Class& in = classes_[waiter.fair_class];
  line_of(in, waiter).remove(waiter);
  waiter.queued = false;
  --demand(waiter.variant).waiting;
  forget_demand();
  --waiting_;
  keepers_waiting_ -= waiter.keeps ? 1 : 0;
  stayers_waiting_ -= waiter.stays ? 1 : 0;
  --wanted_[waiter.ticket.worker];
  if (--in.count > 0) return;
  classes_.erase(waiter.fair_class);
  // The class that was just served has gone to the end.
  const auto turn = std::find(turns_.rbegin(), turns_.rend(), waiter.fair_class);
  turns_.erase(std::prev(turn.base()));
}

bool Pool::withdraw(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  if (!waiter.queued) return false;
  dequeue(waiter);
  return true;
}

// The first of a class that a server of this variant on this worker can serve. A waiter here goes
// before one elsewhere that came at most a millisecond earlier.
Waiter* Pool::first_of(Class& in, WorkerId worker, uint64_t variant, bool movable) const {
  Waiter* here = nullptr;
  Waiter* oldest = nullptr;
  for (WorkerId i = 0; i < workers_; ++i) {
    if (!movable && i != worker) continue;
    Waiter* first = in.lines[place(variant) * workers_ + i].first;
    while (first && (first->variant != variant || !may_have(*first))) first = first->next;
    if (!first) continue;
    if (i == worker) here = first;
    if (!oldest || first->since < oldest->since) oldest = first;
  }
  return here && here->since <= oldest->since + kLocality ? here : oldest;
}

// Round robin between the classes that have waiters.
Waiter* Pool::next_waiter(WorkerId worker, uint64_t variant) {
  if (wanting() == 0) return nullptr;
  for (size_t tries = turns_.size(); tries > 0; --tries) {
    const uint64_t key = turns_.front();
    turns_.pop_front();
    turns_.push_back(key);
    if (Waiter* found = first_of(classes_[key], worker, variant, options_.movable)) return found;
  }
  return nullptr;
}

Waiter* Pool::oldest_at(size_t place) const {
  Waiter* oldest = nullptr;
  for (const auto& [key, in] : classes_)
    for (size_t i = place * workers_; i < (place + 1) * workers_; ++i) {
      Waiter* first = in.lines[i].first;
      if (first && (!oldest || first->since < oldest->since)) oldest = first;
    }
  return oldest;
}

Waiter* Pool::oldest_waiter() const {
  Waiter* here = oldest_at(0);
  Waiter* apart = oldest_at(1);
  if (!here || !apart) return here ? here : apart;
  return apart->since < here->since ? apart : here;
}

// Of those who wait for room, rather than for servers that cannot be reached.
const Waiter* Pool::oldest_for_room() const {
  const bool here = reach_[0].last_error.text.empty(), apart = reach_[1].last_error.text.empty();
  const Waiter* oldest = here == apart ? nullptr : oldest_at(here ? 0 : 1);
  return oldest ? oldest : oldest_waiter();
}

Pool::Line& Pool::line_of(Class& in, const Waiter& waiter) {
  return in.lines[place(waiter.variant) * workers_ + waiter.ticket.worker];
}

// ---------------------------------------------------------------- from a client

void Pool::give_back(std::unique_ptr<Server> server, Time now, Orders& orders) {
  const std::lock_guard lock(mutex_);
  returned(*server);
  const bool stale = is_stale(*server, now);
  const bool spare = waiting_ == 0 && open_count() > options_.size;
  if (stale || spare || blocks_another_variant(*server, now)) {
    const WorkerId here = server->worker;
    close(std::move(server), orders);
    open_more(here, now, orders);
    return;
  }
  const bool rested = std::exchange(server->under_check, false);
  const Time idle_since = rested ? server->idle_since : now;  // a check is no use
  server->idle_since = now;
  Waiter* waiter =
      paused_ || waiting_ == 0 ? nullptr : next_waiter(server->worker, server->variant());
  if (waiter) return hand_over(std::move(server), *waiter, orders);
  --busy_;
  server->idle_since = idle_since;
  const WorkerId here = server->worker;
  auto& stack = idle_[here];
  const auto place = std::find_if(stack.rbegin(), stack.rend(), [idle_since](const auto& each) {
    return each->idle_since <= idle_since;
  });
  stack.insert(place.base(), std::move(server));
  // Those who wait cannot use it: it is of another variant, or bound to a worker where nobody
  // waits.
  open_more(here, now, orders);
}

void Pool::hand_over(std::unique_ptr<Server> server, Waiter& waiter, Orders& orders) {
  const Ticket ticket = waiter.ticket;
  lend(*server, waiter);
  dequeue(waiter);
  const WorkerId here = server->worker;
  const auto kind = ticket.worker == here ? Order::Kind::Serve : Order::Kind::Move;
  orders.push_back({.kind = kind, .worker = here, .server = std::move(server), .ticket = ticket});
}

void Pool::close(std::unique_ptr<Server> server, Orders& orders) {
  --busy_;
  --reach(server->variant()).open;
  ++closing_;
  const WorkerId worker = server->worker;
  const bool origin_gone = has_gone(server->origin);
  orders.push_back({.kind = Order::Kind::Close,
                    .worker = worker,
                    .server = std::move(server),
                    .origin_gone = origin_gone});
}

// With one lease less there may be another, of a server that rests.
void Pool::closing(Server& server, Time now, Orders& orders) {
  const std::lock_guard lock(mutex_);
  returned(server);
  --busy_;
  --reach(server.variant()).open;
  ++closing_;
  if (waiting_ > 0 && !paused_ && !has_room(oldest_for_room()->variant, now)) serve_idle(orders);
}

void Pool::closed(Time now, Orders& orders) {
  const std::lock_guard lock(mutex_);
  --closing_;
  slot_is_free(now, orders);
}

std::unique_ptr<Server> Pool::take_broken(Server& server) {
  const std::lock_guard lock(mutex_);
  auto& stack = idle_[server.worker];
  const auto found = std::find_if(stack.begin(), stack.end(),
                                  [&server](const auto& each) { return each.get() == &server; });
  if (found == stack.end()) return nullptr;
  auto taken = std::move(*found);
  stack.erase(found);
  ++busy_;
  return taken;
}

// ---------------------------------------------------------------- time

void Pool::tick(Time now, Orders& orders) {
  const std::lock_guard lock(mutex_);
  tick_idle(now, orders);
  if (paused_) return;
  if (waiting_ > 0) open_more(oldest_waiter()->ticket.worker, now, orders);
  const int least = options_.min_at_once || was_open_ ? std::min(options_.min, options_.size) : 0;
  while (open_count() + closing_ < least && may_open(reach(last_variant_), now) && take_slot())
    open({next_worker_++ % workers_, last_variant_}, orders);
}

void Pool::tick_idle(Time now, Orders& orders) {
  for (auto& stack : idle_) {
    for (size_t i = 0; i < stack.size();) {
      Server& server = *stack[i];
      const bool unused = options_.idle_timeout > 0 &&
                          now - server.idle_since >= options_.idle_timeout &&
                          open_count() > options_.min;
      const bool stale = is_stale(server, now);
      const bool spare = open_count() > options_.size;
      const bool check =
          options_.check_interval > 0 &&
          now - std::max(server.checked_at, server.idle_since) >= options_.check_interval;
      if (!unused && !stale && !spare && !check) {
        ++i;
        continue;
      }
      auto taken = std::move(stack[i]);
      stack.erase(stack.begin() + static_cast<std::ptrdiff_t>(i));
      ++busy_;
      if (unused || stale || spare) {
        close(std::move(taken), orders);
      } else {
        taken->checked_at = now;
        taken->under_check = true;
        const WorkerId worker = taken->worker;
        orders.push_back(
            {.kind = Order::Kind::Check, .worker = worker, .server = std::move(taken)});
      }
    }
  }
}

// Those who wait are served from what is idle, whoever keeps it.
void Pool::serve_idle(Orders& orders) {
  for (auto& stack : idle_) {
    for (size_t i = stack.size(); i > 0 && waiting_ > 0; --i) {
      Waiter* waiter = next_waiter(stack[i - 1]->worker, stack[i - 1]->variant());
      if (!waiter) continue;
      auto server = std::move(stack[i - 1]);
      stack.erase(stack.begin() + static_cast<std::ptrdiff_t>(i - 1));
      ++busy_;
      hand_over(std::move(server), *waiter, orders);
    }
  }
}

void Pool::pause(bool paused, Time now, Orders& orders) {
  const std::lock_guard lock(mutex_);
  paused_ = paused;
  if (paused) return;
  serve_idle(orders);
  if (waiting_ > 0) open_more(oldest_waiter()->ticket.worker, now, orders);
}

void Pool::configure(const Options& options, bool new_generation, Time now, Orders& orders) {
  const std::lock_guard lock(mutex_);
  options_ = options;
  if (new_generation) {
    ++generation_;
    for (Reach& each : reach_) {
      each.forgive();
      each.last_error = {};
    }
  }
  tick_idle(now, orders);
  if (waiting_ > 0) open_more(oldest_waiter()->ticket.worker, now, orders);
}

void Pool::close_idle(Orders& orders) {
  const std::lock_guard lock(mutex_);
  for (auto& stack : idle_) {
    while (!stack.empty()) {
      auto server = std::move(stack.back());
      stack.pop_back();
      ++busy_;
      close(std::move(server), orders);
    }
  }
}

}  // namespace weir::pool
