// The loop over libuv. What happens in one turn of it, in this order:
//
//   timer wheel, when its uv_timer_t fires
//   prepare: run_soon() calls, what was written goes out, deletions, arm the timer if an earlier
//            deadline was set, forget the time
//   poll:    sockets, letters, signals; the first to ask for now() reads the clock
//   check:   what was written goes out, deletions
//   closing: nodes of closed handles are freed
#pragma once

#include <uv.h>

#include <cassert>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include <weir/base/limits.h>
#include <weir/net/loop.h>

#include "cork.h"
#include "poll.h"

namespace weir::net {

// Letters to one loop. The descriptor is written only when the queue was empty, so that a burst
// costs one wake.
class UvMailbox final : public base::Mailbox {
 public:
  UvMailbox();
  ~UvMailbox() override;
  void post(std::unique_ptr<base::Letter> letter) override;

  void open(uv_loop_t& loop);
  void close() { node_.reset(); }
  bool discard();  // what has not been delivered; false when there was nothing

 private:
  void deliver();  // what was there at the start

  std::mutex mutex_;
  base::LetterQueue letters_;
  int fd_;
  NodePtr<PollNode> node_;
};

class UvLoop final : public Loop {
 public:
  UvLoop();
  ~UvLoop() override;
  UvLoop(const UvLoop&) = delete;
  UvLoop& operator=(const UvLoop&) = delete;

  base::Time now() const override {
    if (!clock_read_) {
      now_ = base::steady_now();
      clock_read_ = true;
    }
    return now_;
  }
  base::TimerWheel& timers() override { return timers_; }
  base::Mailbox& mailbox() override { return mailbox_; }
  std::span<char> scratch() override { return {scratch_.get(), base::kScratchBytes}; }
  void delete_later(std::unique_ptr<Deferred> object) override;
  void run_soon(std::function<void()> call) override { soon_.push_back(std::move(call)); }
  std::unique_ptr<Work> work(std::function<void()> what, std::function<void()> done,
                             bool may_hang) override;
  const base::Histogram& turns() const override { return turns_; }
  void run() override;
  void stop() override;

  uv_loop_t& uv() { return uv_; }
  Cork& cork() { return cork_; }

 private:
  void before_poll();
  void after_poll();
  void run_soon_now();
  void delete_now();
  void arm_timer();
  void on_timer();
  bool forget_pending();

  uv_loop_t uv_;
  uv_prepare_t prepare_;
  uv_check_t check_;
  uv_idle_t idle_;  // active while something is to run soon: then polling does not block
  uv_timer_t timer_;
  base::Histogram turns_;
  mutable base::Time now_;
  mutable bool clock_read_ = true;
  base::Time armed_ = base::kNever;
  base::TimerWheel timers_;
  UvMailbox mailbox_;
  Cork cork_;
  std::unique_ptr<char[]> scratch_;
  std::vector<std::unique_ptr<Deferred>> later_, dying_;
  std::vector<std::function<void()>> soon_, running_;
};

// Everything in this folder that needs libuv's loop can only live on this kind of loop.
inline UvLoop& uv_loop(Loop& loop) {
  assert(dynamic_cast<UvLoop*>(&loop));
  return static_cast<UvLoop&>(loop);
}

}  // namespace weir::net
