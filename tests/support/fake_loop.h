// A loop without an operating system: the clock moves when the test says so, and one event happens
// at a time, when the test says so. Which one goes first is up to a chooser, so that a seed can
// permute streams and letters. Single-threaded; owned by the test; outlives every stream that is on
// it. Streams for it: fake_stream.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <weir/base/limits.h>
#include <weir/net/loop.h>

namespace weir::fake {

// Something on a loop to which an event may happen.
class Steppable {
 public:
  virtual bool is_ready() const = 0;
  virtual void step() = 0;  // exactly one event

 protected:
  ~Steppable() = default;
};

class FakeLoop final : public net::Loop {
 public:
  explicit FakeLoop(base::Time start = base::kSecond) : now_(start), timers_(start) {}
  FakeLoop(const FakeLoop&) = delete;
  FakeLoop& operator=(const FakeLoop&) = delete;
  ~FakeLoop() override {
    soon_.clear();
    delete_now();
  }

  base::Time now() const override { return now_; }
  const base::Histogram& turns() const override { return turns_; }
  base::TimerWheel& timers() override { return timers_; }
  base::Mailbox& mailbox() override { return mailbox_; }
  std::span<char> scratch() override { return {scratch_.get(), base::kScratchBytes}; }
  void delete_later(std::unique_ptr<net::Deferred> object) override {
    if (object) later_.push_back(std::move(object));
  }
  void run_soon(std::function<void()> call) override { soon_.push_back(std::move(call)); }
  // On this thread, with the calls of run_soon().
  std::unique_ptr<net::Work> work(std::function<void()> what, std::function<void()> done,
                                  bool) override {
    auto out = std::make_unique<FakeWork>();
    run_soon([what = std::move(what), done = std::move(done), wanted = out->wanted] {
      what();
      if (*wanted) done();
    });
    return out;
  }
  // Until stop() or until nothing is left that could happen without the clock.
  void run() override {
    stopped_ = false;
    while (!stopped_ && step()) {
    }
  }
  void stop() override { stopped_ = true; }

  // One event: the calls of run_soon() if there are any (they go before polling), else one letter
  // or one event of one stream. False when there was nothing to do.
  bool step() {
    delete_now();
    if (!soon_.empty()) {
      run_soon_now();
    } else if (!step_one()) {
      return false;
    }
    delete_now();
    return true;
  }

  // Steps until nothing is left; says how many. Stops at steps_max, so that a test can tell a
  // live-lock.
  size_t settle(size_t steps_max = 1'000'000) {
    size_t steps = 0;
    while (steps < steps_max && step()) ++steps;
    return steps;
  }

  // Moves the clock and fires the timers on the way, each at its own time. Nothing else happens.
  void advance(base::Duration by) {
    const base::Time target = now_ + by;
    for (base::Time due; (due = timers_.next_due()) <= target;) {
      now_ = std::max(now_ + 1, due);
      if (now_ > target) break;
      timers_.run(now_);
      delete_now();
    }
    now_ = target;
    timers_.run(now_);
    delete_now();
  }

  // Picks which of `count` possible events happens next, as an index below count. Default: in turn.
  void set_chooser(std::function<size_t(size_t count)> chooser) { chooser_ = std::move(chooser); }

  // Letters wait in the mailbox until they are delivered: by step() or, while they are held, by
  // deliver_letter().
  void hold_letters(bool hold) { letters_held_ = hold; }
  size_t letters_waiting() const { return mailbox_.count; }
  bool deliver_letter() {
    auto letter = mailbox_.take();
    if (!letter) return false;
    letter->deliver();
    letter.reset();
    delete_now();
    return true;
  }

  void add(Steppable* member) { members_.push_back(member); }
  void remove(Steppable* member) { std::erase(members_, member); }
  size_t members() const { return members_.size(); }

 private:
  struct FakeWork final : net::Work {
    ~FakeWork() override { *wanted = false; }
    std::shared_ptr<bool> wanted = std::make_shared<bool>(true);
  };
  struct FakeMailbox final : base::Mailbox {
    void post(std::unique_ptr<base::Letter> letter) override {
      letters.push(std::move(letter));
      ++count;
    }
    std::unique_ptr<base::Letter> take() {
      auto letter = letters.pop();
      if (letter) --count;
      return letter;
    }
    base::LetterQueue letters;
    size_t count = 0;
  };

  void run_soon_now() {
    std::vector<std::function<void()>> calls;
    calls.swap(soon_);
    for (auto& call : calls) call();
  }

  bool step_one() {
    std::vector<Steppable*> ready;
    if (!letters_held_ && mailbox_.count > 0) ready.push_back(nullptr);
    for (Steppable* member : members_)
      if (member->is_ready()) ready.push_back(member);
    if (ready.empty()) return false;
    const size_t choice = chooser_ ? chooser_(ready.size()) : turn_++;
    Steppable* chosen = ready[choice % ready.size()];
    if (chosen)
      chosen->step();
    else
      mailbox_.take()->deliver();
    return true;
  }

  void delete_now() {
    while (!later_.empty()) {
      std::vector<std::unique_ptr<net::Deferred>> objects;
      objects.swap(later_);
    }
  }

  base::Time now_;
  base::TimerWheel timers_;
  base::Histogram turns_;  // of no length
  FakeMailbox mailbox_;
  std::unique_ptr<char[]> scratch_ = std::make_unique<char[]>(base::kScratchBytes);
  std::vector<std::unique_ptr<net::Deferred>> later_;
  std::vector<std::function<void()>> soon_;
  std::vector<Steppable*> members_;
  std::function<size_t(size_t)> chooser_;
  size_t turn_ = 0;
  bool letters_held_ = false;
  bool stopped_ = false;
};

}  // namespace weir::fake
