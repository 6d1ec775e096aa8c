#include <weir/base/timer.h>

#include <algorithm>
#include <chrono>

namespace weir::base {

Time steady_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

namespace {

void unlink(TimerLink& link) {
  link.previous->next = link.next;
  link.next->previous = link.previous;
  link.next = link.previous = nullptr;
}

void append(TimerLink& head, TimerLink& link) {
  link.next = &head;
  link.previous = head.previous;
  head.previous->next = &link;
  head.previous = &link;
}

bool is_empty(const TimerLink& head) { return head.next == &head; }

}  // namespace

void Timer::drop() {
  if (is_set()) unlink(*this);
}

TimerWheel::TimerWheel(Time now) : tick_(static_cast<uint64_t>(now / kTick)) {
  for (auto& level : slots_)
    for (auto& slot : level) slot.next = slot.previous = &slot;
}

TimerWheel::~TimerWheel() {
  for (auto& level : slots_)
    for (auto& slot : level)
      while (!is_empty(slot)) unlink(*slot.next);
}

void TimerWheel::set(Timer& timer, Time deadline) {
  timer.drop();
  timer.deadline_ = std::max<Time>(deadline, 0);
  place(timer, tick_ + 1);
}

// Level n holds the timers that are less than 64^(n+1) ticks away, in slots of 64^n ticks.
void TimerWheel::place(Timer& timer, uint64_t earliest) {
  constexpr int kTopShift = 6 * (kLevels - 1);
  const Time deadline = timer.deadline_;
  const auto rounded_up = static_cast<uint64_t>(deadline / kTick + (deadline % kTick != 0));
  // The slot of the present at the top level would come round only after a whole turn of the wheel.
  const uint64_t farthest = (((tick_ >> kTopShift) + kSlots) << kTopShift) - 1;
  const uint64_t due = std::min(std::max(rounded_up, earliest), farthest);
  int level = 0;
  while (level + 1 < kLevels && (due >> (6 * level)) - (tick_ >> (6 * level)) >= kSlots) ++level;
  append(slots_[level][(due >> (6 * level)) % kSlots], timer);
  first_ = std::min(first_, due >> (6 * level) << (6 * level));
}

void TimerWheel::cascade(int level) {
  TimerLink& slot = slots_[level][(tick_ >> (6 * level)) % kSlots];
  TimerLink moved;
  moved.next = moved.previous = &moved;
  while (!is_empty(slot)) {
    TimerLink& link = *slot.next;
    unlink(link);
    append(moved, link);
  }
  while (!is_empty(moved)) {
    auto& timer = static_cast<Timer&>(*moved.next);
    unlink(timer);
    place(timer, tick_);
  }
}

void TimerWheel::fire_slot(TimerLink& slot, Time now) {
  while (!is_empty(slot)) {
    auto& timer = static_cast<Timer&>(*slot.next);
    unlink(timer);
    if (timer.deadline_ > now) {  // set past the wheel's reach: go round once more
      place(timer, tick_ + 1);
      continue;
    }
    timer.callback_(timer.owner_, now);
  }
}

void TimerWheel::run(Time now) {
  const auto target = static_cast<uint64_t>(now / kTick);
  if (target <= tick_) return;
  if (first_ > target) {
    tick_ = target;
    return;
  }
  while (tick_ < target) {
    const uint64_t due = first_slot();  // skip the ticks at which nothing happens
    if (due > target) {
      tick_ = target;
      break;
    }
    tick_ = due;
    for (int level = 1; level < kLevels && (tick_ % (uint64_t{1} << (6 * level))) == 0; ++level)
      cascade(level);
    fire_slot(slots_[0][tick_ % kSlots], now);
  }
  first_ = first_slot();
}

// The first tick at which a slot with timers starts.
uint64_t TimerWheel::first_slot() const {
  uint64_t best = kNone;
  for (int level = 0; level < kLevels; ++level) {
    const uint64_t base = tick_ >> (6 * level);
    for (uint64_t i = 1; i < kSlots; ++i) {
      if (!is_empty(slots_[level][(base + i) % kSlots])) {
        best = std::min(best, (base + i) << (6 * level));
        break;
      }
    }
  }
  return best;
}

}  // namespace weir::base
