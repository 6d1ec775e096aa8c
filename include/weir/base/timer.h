// One timer wheel per worker: any number of deadlines, no allocation and no system call to set
// or drop one.
// Timers live inside the objects that wait; the wheel only links them. Used by its own worker's
// thread alone.
// A timer fires at the first turn at or after its deadline, at most one tick (4 ms) late, never
// early.
#pragma once

#include <array>
#include <cstdint>

#include <weir/base/time.h>

namespace weir::base {

class TimerWheel;

struct TimerLink {
  TimerLink* next = nullptr;
  TimerLink* previous = nullptr;
};

// Destroying a timer drops it. It may be set again while it is set, also from its own callback.
class Timer : private TimerLink {
 public:
  using Callback = void (*)(void* owner, Time now);
  Timer(Callback callback, void* owner) : callback_(callback), owner_(owner) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { drop(); }

  void drop();
  bool is_set() const { return next != nullptr; }
  Time deadline() const { return deadline_; }

 private:
  friend class TimerWheel;
  Callback callback_;
  void* owner_;
  Time deadline_ = 0;
};

class TimerWheel {
 public:
  static constexpr Duration kTick = 4 * kMillisecond;

  explicit TimerWheel(Time now);
  ~TimerWheel();
  void set(Timer& timer, Time deadline);
  void run(Time now);  // fires what is due
  // A time at or before the first deadline, cheap to ask; kNever when a run has left nothing and
  // nothing was set since. Dropping a timer does not move it: the run at that time finds nothing
  // and moves it on.
  Time next_due() const { return first_ == kNone ? kNever : static_cast<Time>(first_) * kTick; }

 private:
  static constexpr int kLevels = 6;
  static constexpr int kSlots = 64;
  static constexpr uint64_t kNone = UINT64_MAX;
  void place(Timer& timer, uint64_t earliest);
  uint64_t first_slot() const;
  void cascade(int level);
  void fire_slot(TimerLink& slot, Time now);

  std::array<std::array<TimerLink, kSlots>, kLevels> slots_;
  uint64_t tick_;           // ticks up to and including this one have been run
  uint64_t first_ = kNone;  // no slot that starts earlier holds a timer
};

}  // namespace weir::base
