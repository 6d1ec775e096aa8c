// The loop itself: letters, timers, what runs soon, what is deleted later, signals.
#include <sys/resource.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

#include "net_fixture.h"

namespace weir::net {
namespace {

TEST(Loop, WorkRunsOnAnotherThread) {
  for (const bool may_hang : {false, true}) {
    const auto loop = make_loop();
    std::thread::id there, back;
    const auto work = loop->work([&] { there = std::this_thread::get_id(); },
                                 [&] {
                                   back = std::this_thread::get_id();
                                   loop->stop();
                                 },
                                 may_hang);
    loop->run();
    EXPECT_NE(there, std::this_thread::get_id());
    EXPECT_NE(there, std::thread::id());
    EXPECT_EQ(back, std::this_thread::get_id());
  }
}

// The last of them goes by itself when the test is over.
TEST(Loop, WorkThatHangsHoldsUpNeitherOtherWorkNorTheEnd) {
  struct Gate {
    std::mutex mutex;
    std::condition_variable opened;
    bool is_open = false;
    std::atomic<int> waiting = 0, through = 0;
  };
  const auto gate = std::make_shared<Gate>();
  constexpr int kMany = 100;
  {
    const auto loop = make_loop();
    std::vector<std::unique_ptr<Work>> hanging;
    const auto hang = [gate] {
      std::unique_lock lock(gate->mutex);
      ++gate->waiting;
      gate->opened.wait(lock, [&] { return gate->is_open; });
      ++gate->through;
    };
    for (int i = 0; i < kMany; ++i)
      hanging.push_back(loop->work(
          hang, [] { FAIL(); }, true));
    bool done = false;
    const auto work = loop->work([] {}, [&] { done = true; }, false);
    ASSERT_TRUE(RunUntil(*loop, [&] { return done && gate->waiting > 0; }));
  }
  EXPECT_LT(gate->waiting, kMany) << "the others wait for a thread";
  const std::lock_guard lock(gate->mutex);
  EXPECT_EQ(gate->through, 0);
  gate->is_open = true;
  gate->opened.notify_all();
}

TEST(Loop, CountsTurns) {
  const auto loop = make_loop();
  const auto count = [&] {
    int64_t all = 0;
    for (int i = 0; i < base::Histogram::kBuckets; ++i) all += loop->turns().count(i);
    return all;
  };
  bool done = false;
  loop->run_soon([&] {
    const base::Time start = loop->now();
    while (base::steady_now() < start + 2 * base::kMillisecond) {
    }
    loop->run_soon([&] { done = true; });
  });
  ASSERT_TRUE(RunUntil(*loop, [&] { return done; }));
  EXPECT_GE(count(), 1);
  EXPECT_GE(loop->turns().sum(), 2 * base::kMillisecond);
}

TEST(Loop, WorkThatNobodyWaitsForIsDoneAllTheSame) {
  std::atomic<bool> ran = false;
  bool told = false;
  {
    const auto loop = make_loop();
    loop->work([&] { ran = true; }, [&] { told = true; }, false).reset();
  }
  EXPECT_TRUE(ran);
  EXPECT_FALSE(told);
}

TEST(Loop, OneReadingOfTheClockForEachWake) {
  auto loop = make_loop();
  base::Time first = 0, second = 0;
  loop->run_soon([&] {
    first = loop->now();
    while (base::steady_now() < first + 2 * base::kMillisecond) {
    }
    second = loop->now();
    loop->stop();
  });
  loop->run();
  EXPECT_EQ(first, second);
  EXPECT_LE(first, base::steady_now());
}

// What the processor has done for who `usage` tells of.
base::Time worked(const rusage& usage) {
  const auto time = [](const timeval& t) { return t.tv_sec * base::kSecond + t.tv_usec; };
  return time(usage.ru_utime) + time(usage.ru_stime);
}

TEST(Loop, TimersFireInTimeAndTheLoopSleepsUntilThen) {
  auto loop = make_loop();
  struct Shot {
    Loop* loop;
    base::Time at;
  } shot{loop.get(), 0};
  base::Timer timer(
      [](void* owner, base::Time now) {
        auto* fired = static_cast<Shot*>(owner);
        fired->at = now;
        fired->loop->stop();
      },
      &shot);
  const base::Time start = loop->now();
  const base::Time deadline = start + 200 * base::kMillisecond;
  loop->timers().set(timer, deadline + base::kSecond);
  loop->timers().set(timer, deadline);  // earlier than what may be armed
  rusage before, after;
  getrusage(RUSAGE_THREAD, &before);
  loop->run();
  getrusage(RUSAGE_THREAD, &after);
  EXPECT_GE(shot.at, deadline);
  // A loop that looks again each millisecond waits some 200 times; one that spins does not wait,
  // and works all the time.
  EXPECT_LT(after.ru_nvcsw - before.ru_nvcsw, 100);
  EXPECT_LT(worked(after) - worked(before), (shot.at - start) / 2);
}

TEST(Loop, ATimerSetInsideACallbackIsArmed) {
  auto loop = make_loop();
  int fired = 0;
  base::Timer timer([](void* owner, base::Time) { ++*static_cast<int*>(owner); }, &fired);
  loop->run_soon([&] { loop->timers().set(timer, loop->now() + 20 * base::kMillisecond); });
  ASSERT_TRUE(RunUntil(*loop, [&] { return fired == 1; }));
}

TEST(Loop, RunsSoonInOrderAndNotNested) {
  auto loop = make_loop();
  std::string order;
  loop->run_soon([&] {
    order += 'a';
    loop->run_soon([&] {
      order += 'c';
      loop->run_soon([&] { loop->stop(); });
    });
    order += 'b';
  });
  loop->run();
  EXPECT_EQ(order, "abc");
}

TEST(Loop, WhatRunsSoonForEverDoesNotStarveTheRest) {
  auto loop = make_loop();
  auto [a, b] = socket_pair(*loop, *loop);
  Recorder reader;
  b->set_reader(&reader);
  write(*a, "x");
  std::function<void()> again = [&] { loop->run_soon(again); };
  again();
  EXPECT_TRUE(RunUntil(*loop, [&] { return reader.bytes == "x"; }));
}

struct Mortal final : Deferred {
  explicit Mortal(std::function<void()> call) : last_call(std::move(call)) {}
  ~Mortal() override { last_call(); }
  std::function<void()> last_call;
};

TEST(Loop, DeletesAfterTheCallback) {
  auto loop = make_loop();
  std::string order;
  loop->run_soon([&] {
    loop->delete_later(std::make_unique<Mortal>([&] {
      order += "first ";
      loop->delete_later(std::make_unique<Mortal>([&] { order += "second "; }));
    }));
    order += "callback ";
    loop->run_soon([&] {
      order += "next";
      loop->stop();
    });
  });
  loop->run();
  EXPECT_EQ(order, "callback first second next");
}

TEST(Loop, DeletesAfterACallbackOfASocket) {
  auto loop = make_loop();
  auto [a, b] = socket_pair(*loop, *loop);
  auto& mine = b;
  Recorder reader;
  bool deleted = false, deleted_inside = false;
  reader.then = [&] {
    loop->delete_later(std::make_unique<Mortal>([&deleted, &mine] {
      mine.reset();
      deleted = true;
    }));
    deleted_inside = deleted;
  };
  b->set_reader(&reader);
  write(*a, "x");
  ASSERT_TRUE(RunUntil(*loop, [&] { return deleted; }));
  EXPECT_FALSE(deleted_inside);
}

TEST(Loop, WhatIsPendingAtTheEndIsForgottenButNotLeaked) {
  int deleted = 0, called = 0;
  {
    auto loop = make_loop();
    loop->delete_later(std::make_unique<Mortal>([&, raw = loop.get()] {
      ++deleted;
      raw->delete_later(std::make_unique<Mortal>([&] { ++deleted; }));
      raw->run_soon([&] { ++called; });
    }));
    loop->run_soon([&] { ++called; });
    loop->mailbox().post_call([&] { ++called; });
  }
  EXPECT_EQ(deleted, 2);
  EXPECT_EQ(called, 0);
}

TEST(Loop, StoppedFromAnotherThread) {
  auto loop = make_loop();
  for (int i = 0; i < 20; ++i) {
    std::thread stopper([&] { loop->stop(); });
    loop->run();
    stopper.join();
  }
}

TEST(Mailbox, LettersKeepTheOrderOfTheirSender) {
  auto loop = make_loop();
  constexpr int kSenders = 3, kLetters = 20'000;
  std::array<int, kSenders> next = {};
  int arrived = 0, disorder = 0;
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender)
    senders.emplace_back([&, sender] {
      for (int i = 0; i < kLetters; ++i)
        loop->mailbox().post_call([&, sender, i] {
          ++arrived;
          disorder += next[static_cast<size_t>(sender)]++ != i;
        });
    });
  EXPECT_TRUE(RunUntil(*loop, [&] { return arrived == kSenders * kLetters; }));
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(disorder, 0);
}

TEST(Mailbox, LettersToAndFroWakeBothLoops) {
  auto here = make_loop(), there = make_loop();
  constexpr int kRounds = 2000;
  int rounds = 0;
  std::function<void()> serve = [&] {
    if (++rounds == kRounds) {
      here->stop();
      there->stop();
      return;
    }
    there->mailbox().post_call([&] { here->mailbox().post_call([&] { serve(); }); });
  };
  here->run_soon(serve);
  std::thread worker([&] { there->run(); });
  here->run();
  worker.join();
  EXPECT_EQ(rounds, kRounds);
}

TEST(Mailbox, LettersThatPostLettersDoNotStarveSockets) {
  auto loop = make_loop();
  auto [a, b] = socket_pair(*loop, *loop);
  Recorder reader;
  b->set_reader(&reader);
  write(*a, "x");
  std::function<void()> again = [&] { loop->mailbox().post_call(again); };
  again();
  EXPECT_TRUE(RunUntil(*loop, [&] { return reader.bytes == "x"; }));
}

TEST(Mailbox, ALetterMayCarryAnUndeliveredStream) {
  auto loop = make_loop();
  auto streams = socket_pair(*loop, *loop);
  struct Carrier final : base::Letter {
    explicit Carrier(std::unique_ptr<Stream> carried) : stream(std::move(carried)) {}
    void deliver() override {}
    std::unique_ptr<Stream> stream;
  };
  loop->mailbox().post(std::make_unique<Carrier>(std::move(streams.first)));
  loop.reset();
}

TEST(Signal, IsToldOnTheLoopAndNoLongerAfterwards) {
  auto loop = make_loop();
  int calls = 0;
  std::unique_ptr<SignalWatch> watch;
  watch = watch_signal(*loop, SIGUSR1, [&] {
    if (++calls == 2) watch.reset();
  });
  raise(SIGUSR1);
  EXPECT_EQ(calls, 0);
  ASSERT_TRUE(RunUntil(*loop, [&] { return calls == 1; }));
  auto guard = watch_signal(*loop, SIGUSR1, [] {});
  raise(SIGUSR1);
  ASSERT_TRUE(RunUntil(*loop, [&] { return calls == 2; }));
  raise(SIGUSR1);
  run_for(*loop, 5 * base::kMillisecond);
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace weir::net
