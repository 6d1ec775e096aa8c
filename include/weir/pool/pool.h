// A pool: the servers of one (database, server user), and the clients that wait for one. Knows no
// protocol, no bytes and no loop; time is an argument. One mutex; any worker may call. What has to
// happen on a worker's thread comes back as Orders, which the caller carries out: those for itself
// at once, those for others through their mailbox.
//
//             acquire                                  give_back
//   client ------------> idle server here? ---- yes ---> lent
//                          | no: idle elsewhere? -- yes -> Move
//                          | no: room for one more? -----> Open, and wait
// +------ no --------------------> wait: a server that comes back goes to the first
//
// Owned by its backend.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <weir/base/result.h>
#include <weir/base/time.h>

namespace weir::pool {

using base::Duration;
using base::Error;
using base::Time;
using WorkerId = uint32_t;

// How many there may be of something, over several pools. Any thread; exact.
class Budget {
 public:
  explicit Budget(std::string name, int limit) : name_(std::move(name)), limit_(limit) {}
  bool try_take();  // reserve one; give() is abort or end
  // For who has one already and is about to give that back: not another one in the end.
  void take_second() { used_.fetch_add(1); }
  void give() { used_.fetch_sub(1); }
  void set_limit(int limit) { limit_ = limit; }  // 0: none
  int used() const { return used_; }
  int limit() const { return limit_; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::atomic<int> limit_;
  std::atomic<int> used_{0};
};

// What a pool needs to know of a server. Owned by the pool while idle, by a lease while busy,
// by an order between.
class Server {
 public:
  virtual ~Server() = default;
  virtual uint64_t variant() const = 0;
  // What a talk can change: whoever asks for a server gets one of his own flavour first.
  virtual uint64_t flavour() const { return 0; }

  uint64_t id = 0;
  // Who uses it whenever there is something to do (a Ticket's session): while a further server can
  // be opened, nobody else gets it. 0: nobody.
  uint64_t keeper = 0;
  bool leased = false;  // to somebody who neither keeps it nor stays
  bool stays = false;   // lent to somebody who does
  WorkerId worker = 0;  // on whose loop it is
  uint32_t generation = 0;
  uint64_t origin = 0;  // stands for where it is, if that may cease to be right; see keep_origins()
  Time opened_at = 0;
  Time expires_at = base::kNever;
  Time idle_since = 0;
  Time checked_at = 0;
  bool under_check = false;  // of the pool's own accord: it goes on resting
};

// Says which waiter an order is for. A session numbers its waits, so that a late order finds
// out that it is late.
struct Ticket {
  WorkerId worker = 0;
  uint64_t session = 0;
  uint32_t wait = 0;
};

// A place in the queue. Lives in the session that waits; linked by the pool under its mutex.
struct Waiter {
  Ticket ticket;
  uint64_t variant = 0;
  uint64_t flavour = 0;
  uint64_t fair_class = 0;
  Time since = 0;
  Time deadline = base::kNever;  // when it will give up; who cannot be served by then fails at once
  bool queued = false;
  bool keeps = false;  // the servers that it gets: Server::keeper
  bool stays = false;  // it does not give its server back for others, however long they wait
  Waiter* next = nullptr;
  Waiter* previous = nullptr;
};

struct Order {
  enum class Kind : uint8_t {
    Serve,  // lend `server` to `ticket`, both on this worker
    Move,   // take `server` off this worker's loop and send it to `ticket`
    Open,   // open a connection of this variant
    Close,  // close `server`; tell closed() when it is gone
    Check,  // see whether `server`, which is idle, lives; then give it back
    Fail,   // tell `ticket` that it waits in vain
  };
  Kind kind;
  WorkerId worker;  // who carries it out
  std::unique_ptr<Server> server = {};
  Ticket ticket = {};
  Error error = {};
  bool origin_gone = false;  // why it is closed
  uint64_t variant = 0;
};
using Orders = std::vector<Order>;

enum class Pick : uint8_t { Lifo, RoundRobin, Scatter };

struct Options {
  int size = 20;
  int min = 0;
  // Of `size`, for waiters that keep their servers: the others cannot take all, nor those who stay.
  int reserved = 0;
  int overflow = 0;
  Duration overflow_after = 5 * base::kSecond;
  Duration retry_min = 250 * base::kMillisecond;
  Duration retry_max = 15 * base::kSecond;
  Duration idle_timeout = 600 * base::kSecond;
  Duration max_lifetime = 3600 * base::kSecond;
  Duration check_interval = 60 * base::kSecond;
  Pick pick = Pick::Lifo;
  bool fair = true;
  bool movable = true;      // servers can go to another worker
  bool min_at_once = true;  // false: `min` counts when a first server is open
  // Variants whose servers are elsewhere: whether these can be opened says nothing of the others.
  // Of one variant always the same. Absent: there are none.
  std::function<bool(uint64_t variant)> is_apart = {};
};

// An Open that was carried out.
struct Attempt {
  WorkerId worker = 0;
  uint64_t variant = 0;
};

struct Snapshot {
  int idle = 0, busy = 0, opening = 0, closing = 0, waiting = 0;
  int size = 0;
  int classes = 0;  // of fairness, that are remembered
  Time oldest_wait_since = base::kNever;
  bool paused = false;
  std::string last_error;  // of the last attempt to open a server; empty: it was good
  void add(const Snapshot& other);
};

class Pool {
 public:
  // `budgets` are taken for every server besides the pool's own size; they outlive the pool.
  Pool(Options options, std::vector<Budget*> budgets, uint32_t workers, uint64_t seed);
  ~Pool();

  // A server at once, or null: then the waiter is queued, or an order says that it waits in vain.
  std::unique_ptr<Server> acquire(Waiter& waiter, Time now, Orders& orders);
  // False: it is not queued any more, and an order for its ticket is under way.
  bool withdraw(Waiter& waiter);

  // A clean server at rest comes back from a hold, a check or a login.
  void give_back(std::unique_ptr<Server> server, Time now, Orders& orders);
  // A server is going to be closed by its holder; closed() follows when its slot is free.
  void closing(Server& server, Time now, Orders& orders);
  void closed(Time now, Orders& orders);
  // What an Open came to.
  void opened(std::unique_ptr<Server> server, Time now, Orders& orders);
  void open_failed(const Error& error, const Attempt& attempt, Time now, Orders& orders);

  // A connection outside `size`, inside the budgets, that shows whether a login is good. False:
  // there is no room just now; it may be asked for again.
  bool begin_trial(Orders& orders);
  void give_up_trial();  // it will not be
  // It was good. The server is the pool's, if there is room; else it comes back to be closed, and
  // closed() follows.
  std::unique_ptr<Server> trial_won(std::unique_ptr<Server> server, Time now, Orders& orders);
  void trial_lost(const Error& why, Time now, Orders& orders);

  // An idle server broke. Null: it is not idle any more; whoever has got it will find out.
  std::unique_ptr<Server> take_broken(Server& server);

  // Once in a while, by one worker: lifetimes, idle times, checks, min, overflow, retries.
  void tick(Time now, Orders& orders);

  // What made the last login fail may have been mended: the next waiter tries at once.
  void forgive();

  void pause(bool paused, Time now, Orders& orders);
  void configure(const Options& options, bool new_generation, Time now, Orders& orders);
  void close_idle(Orders& orders);
  // Servers of other origins are closed when they rest. Those without one stay, and all do until
  // this has been called.
  void keep_origins(std::vector<uint64_t> origins, Time now, Orders& orders);

  // What keeps it from serving those who wait: a budget that is full, and how many more of it are
  // wanted. No budget: nothing.
  struct Lack {
    const Budget* budget = nullptr;
    int count = 0;
  };
  Lack lack() const;
  bool draws_on(const Budget* budget) const;
  const std::vector<Budget*>& budgets() const { return budgets_; }  // always the same
  // When the server began to rest that rests longest, of those above `min`; kNever: there is none.
  Time idle_since() const;
  bool evict(Orders& orders);  // closes it

  // What a client is told that has waited in vain for a server of this variant: what is missing,
  // and why.
  Error wait_error(uint64_t variant, Duration waited) const;
  Snapshot snapshot() const;
  bool wants_back() const;  // a server that is lent: somebody waits who would get it
  bool is_empty() const;    // no server in any state, and nobody waits
  uint32_t generation() const;
  bool movable() const { return options_.movable; }  // never changes

 private:
  struct Line {  // first in, first out
    Waiter* first = nullptr;
    Waiter* last = nullptr;
    void push(Waiter& waiter);
    void remove(Waiter& waiter);
  };
  struct Class {
    std::vector<Line> lines;  // one for each place and worker
    int count = 0;
  };
  // How it stands with the servers in one place.
  struct Reach {
    Error last_error;  // of the last failed login; empty after a good one
    bool refused = false;
    Duration retry_delay = 0;
    Time retry_at = 0;
    int ramp = 2;  // how many may be opened at a time
    Time failed_at = 0;
    int opening = 0;
    int open = 0;
    void forgive();
  };
  static constexpr size_t kPlaces = 2;  // the usual one, and that of variants which are apart
  // Who waits for servers of one variant, and the attempts to open some: there is either.
  struct Demand {
    uint64_t variant = 0;
    int waiting = 0;
    int under_way = 0;
  };

  enum class Kept : uint8_t { Spared, Taken };  // idle servers that others keep
  std::unique_ptr<Server> take_idle(WorkerId worker, const Waiter& waiter, Kept kept);
  bool move_idle(Waiter& waiter, Kept kept, Orders& orders);
  void serve_idle(Orders& orders);
  bool has_room(uint64_t variant, Time now) const;
  bool may_lease() const;
  bool may_stay() const;
  bool may_have(const Waiter& waiter) const;
  void lend(Server& server, const Waiter& waiter);
  void returned(Server& server);
  void hand_over(std::unique_ptr<Server> server, Waiter& waiter, Orders& orders);
  void make_room(uint64_t variant, Orders& orders);
  void enqueue(Waiter& waiter);
  void dequeue(Waiter& waiter);
  Waiter* next_waiter(WorkerId worker, uint64_t variant);
  Waiter* first_of(Class& in, WorkerId worker, uint64_t variant, bool movable) const;
  void open_more(WorkerId worker, Time now, Orders& orders);
  void open(const Attempt& attempt, Orders& orders);
  void begin(const Attempt& attempt);
  void end_attempt(uint64_t variant);
  bool may_open(const Reach& there, Time now) const;
  std::optional<uint64_t> wanted_variant(std::optional<WorkerId> worker, Time now) const;
  Line& line_of(Class& in, const Waiter& waiter);
  Demand& demand(uint64_t variant);
  const Demand* find_demand(uint64_t variant) const;
  void forget_demand();
  int awaited() const;
  size_t place(uint64_t variant) const {
    return options_.is_apart && options_.is_apart(variant) ? 1 : 0;
  }
  const Reach& reach(uint64_t variant) const { return reach_[place(variant)]; }
  Reach& reach(uint64_t variant) { return reach_[place(variant)]; }
  bool blocks_another_variant(const Server& server, Time now) const;
  WorkerId most_wanted() const;
  int wanting() const;
  int limit(Time now) const;
  void slot_is_free(Time now, Orders& orders);
  bool close_longest_idle(Orders& orders);
  bool take_slot();
  void free_slot();
  void close(std::unique_ptr<Server> server, Orders& orders);
  bool is_stale(const Server& server, Time now) const;
  bool has_gone(uint64_t origin) const;
  bool is_in_vain(const Waiter& waiter, Time now) const;
  Error error_in_vain(const Reach& there, Time now) const;
  void fail(Waiter& waiter, Time now, Orders& orders) const;
  void fail_waiters(const Reach& there, bool all, Time now, Orders& orders);
  Waiter* oldest_waiter() const;
  Waiter* oldest_at(size_t place) const;
  const Waiter* oldest_for_room() const;
  void tick_idle(Time now, Orders& orders);
  const Server* longest_idle() const;
  Duration jitter(Duration base);
  int idle_count() const;
  int open_count() const { return idle_count() + busy_ + opening_; }

  mutable std::mutex mutex_;
  Options options_;
  std::vector<Budget*> budgets_;
  const Budget* full_ = nullptr;  // that refused the last slot
  uint32_t workers_;
  std::vector<std::deque<std::unique_ptr<Server>>> idle_;  // by worker; most recently used last
  std::unordered_map<uint64_t, Class> classes_;            // those that have waiters
  std::deque<uint64_t> turns_;                             // the same, next one first
  std::vector<int> wanted_;  // by worker: waiters, less connections under way
  std::vector<Demand> demand_;
  // That was waited for; of those that are not apart, if there were any.
  uint64_t last_variant_ = 0;
  bool usual_seen_ = false;
  int waiting_ = 0;
  int keepers_waiting_ = 0;  // those among them that keep their servers
  int stayers_waiting_ = 0;  // and those that stay
  int busy_ = 0;             // lent, in an order, or being checked
  int leased_ = 0;
  int staying_ = 0;
  int opening_ = 0;
  int closing_ = 0;
  std::array<Reach, kPlaces> reach_;
  std::string trial_error_;  // of the last trial that reached no server
  int trials_ = 0;
  bool trial_waits_ = false;  // for room
  uint32_t generation_ = 1;
  std::vector<uint64_t> origins_;  // empty: none is wrong
  bool paused_ = false;
  bool was_open_ = false;  // a server, ever
  uint64_t random_;
  uint32_t next_worker_ = 0;
};

// Where a budget is full and clients of one pool wait, the servers of others that have rested
// longest make room: calls `evict` for each of those pools, once for each server.
void share(const std::vector<Pool*>& pools, const std::function<void(Pool&)>& evict);

}  // namespace weir::pool
