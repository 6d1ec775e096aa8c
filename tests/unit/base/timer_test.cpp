// The wheel against a model that keeps its timers in a plain list.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include <weir/base/timer.h>

namespace weir::base {
namespace {

constexpr Duration kTick = TimerWheel::kTick;

struct Probe {
  Timer timer{[](void* owner, Time now) { static_cast<Probe*>(owner)->on_fire(now); }, this};
  void on_fire(Time now) {
    ++fired;
    fired_at = now;
    if (then) then(*this, now);
  }
  int fired = 0;
  Time fired_at = 0;
  Time expected = kNever;  // the model's deadline; kNever when not set
  Time set_at = 0;
  std::function<void(Probe&, Time)> then;
};

// How far ahead deadlines lie: from the past to beyond the reach of the wheel.
Duration random_distance(std::mt19937_64& random) {
  static constexpr Duration kScales[] = {1,
                                         kTick,
                                         100 * kTick,
                                         kSecond,
                                         60 * kSecond,
                                         3600 * kSecond,
                                         100 * 3600 * kSecond,
                                         int64_t{400} * 86400 * kSecond,
                                         int64_t{20} * 365 * 86400 * kSecond};
  const Duration scale = kScales[random() % std::size(kScales)];
  return static_cast<Duration>(random() % static_cast<uint64_t>(2 * scale)) - scale / 8;
}

struct Model {
  explicit Model(uint64_t seed)
      : random(seed), now(static_cast<Time>(random() % (1000 * kSecond))), wheel(now) {
    for (int i = 0; i < 100; ++i) probes.push_back(std::make_unique<Probe>());
  }

  void change_some() {
    for (uint64_t i = random() % 10; i > 0; --i) {
      Probe& probe = *probes[random() % probes.size()];
      if (random() % 4 == 0) {
        probe.timer.drop();
        probe.expected = kNever;
      } else {
        probe.expected = std::max<Time>(now + random_distance(random), 0);
        probe.set_at = now;
        wheel.set(probe.timer, probe.expected);
      }
    }
  }

  Time earliest() const {
    Time first = kNever;
    for (const auto& probe : probes) first = std::min(first, probe->expected);
    return first;
  }

  void advance() {
    // Mostly as a loop would, to the time that the wheel names; else anywhere.
    if (random() % 3 != 0 && wheel.next_due() != kNever)
      now = std::max(now, wheel.next_due());
    else
      now += std::max<Duration>(random_distance(random) / 4, 0);
    wheel.run(now);
    for (const auto& probe : probes) check(*probe);
  }

  void check(Probe& probe) {
    if (probe.fired > 0) {
      ASSERT_EQ(probe.fired, 1);
      ASSERT_LE(probe.expected, now) << "early";
      ASSERT_EQ(probe.fired_at, now);
      ASSERT_FALSE(probe.timer.is_set());
      probe.expected = kNever;
      probe.fired = 0;
    } else {
      // A tick for rounding up, and one since nothing fires in the tick in which it was set.
      ASSERT_GT(std::max(probe.expected, probe.set_at), now - 2 * kTick) << "late";
      ASSERT_EQ(probe.timer.is_set(), probe.expected != kNever);
    }
  }

  std::mt19937_64 random;
  Time now;
  TimerWheel wheel;
  std::vector<std::unique_ptr<Probe>> probes;
};

TEST(TimerWheel, LikeAPlainList) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Model model(seed);
    for (int step = 0; step < 300 && !::testing::Test::HasFatalFailure(); ++step) {
      model.change_some();
      const Time first = model.earliest();
      // A timer of the past is due with the next tick.
      ASSERT_LE(model.wheel.next_due(),
                first == kNever ? kNever : std::max(first, model.now) + kTick);
      model.advance();
    }
  }
}

// A loop that only ever wakes when next_due() says so must meet every deadline and must not spin.
TEST(TimerWheel, NextDueLeadsToEachDeadline) {
  for (const Duration distance :
       {Duration{0}, Duration{1}, kTick, 63 * kTick, 64 * kTick, 65 * kTick, 4095 * kTick,
        4096 * kTick, 3600 * kSecond, 30 * 86400 * kSecond, int64_t{10} * 365 * 86400 * kSecond}) {
    for (const Time start :
         {Time{0}, Time{1}, 63 * kTick, 64 * kTick - 1, 262143 * kTick, 987654321987}) {
      TimerWheel wheel(start);
      Probe probe;
      Time now = start;
      wheel.set(probe.timer, start + distance);
      int wakes = 0;
      while (probe.fired == 0) {
        ASSERT_GT(wheel.next_due(), now);
        now = wheel.next_due();
        wheel.run(now);
        ASSERT_LE(++wakes, 12) << distance << " from " << start;
      }
      EXPECT_GE(now, start + distance);
      EXPECT_LE(now, start + distance + 2 * kTick);
      EXPECT_EQ(wheel.next_due(), kNever);
    }
  }
}

// The slot of a deadline beyond the wheel's reach used to be that of the present: it was lost for a
// whole turn.
TEST(TimerWheel, BeyondTheReachOfTheWheel) {
  TimerWheel wheel(kTick * 12345);
  Probe far, never;
  wheel.set(far.timer, int64_t{30} * 365 * 86400 * kSecond);
  wheel.set(never.timer, kNever);
  for (int i = 0; i < 100 && far.fired == 0; ++i) {
    ASSERT_NE(wheel.next_due(), kNever);
    wheel.run(wheel.next_due());
  }
  EXPECT_EQ(far.fired, 1);
  EXPECT_EQ(never.fired, 0);
}

TEST(TimerWheel, ATimerMayDoAnythingToTimersInItsCallback) {
  TimerWheel wheel(0);
  Probe again, dropped, killer;
  auto victim = std::make_unique<Probe>();
  again.then = [&](Probe& self, Time now) { wheel.set(self.timer, now); };
  killer.then = [&](Probe&, Time) {
    victim.reset();
    dropped.timer.drop();
  };
  wheel.set(again.timer, 10 * kTick);
  wheel.set(killer.timer, 10 * kTick);
  wheel.set(victim->timer, 10 * kTick);
  wheel.set(dropped.timer, 10 * kTick);
  wheel.run(10 * kTick);
  EXPECT_EQ(again.fired, 1);  // not twice in one run at the same time
  EXPECT_EQ(dropped.fired, 0);
  EXPECT_FALSE(victim);
  wheel.run(11 * kTick);
  EXPECT_EQ(again.fired, 2);
}

TEST(TimerWheel, TimersOutliveTheirWheel) {
  Probe probe;
  {
    TimerWheel wheel(0);
    wheel.set(probe.timer, kSecond);
  }
  EXPECT_FALSE(probe.timer.is_set());
  probe.timer.drop();
}

TEST(TimerWheel, MovesFromOneWheelToAnother) {
  TimerWheel first(0), second(0);
  Probe probe;
  first.set(probe.timer, kSecond);
  second.set(probe.timer, 2 * kSecond);
  first.run(10 * kSecond);
  EXPECT_EQ(probe.fired, 0);
  second.run(10 * kSecond);
  EXPECT_EQ(probe.fired, 1);
}

}  // namespace
}  // namespace weir::base
