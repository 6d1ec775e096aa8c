// Threads for what waits for others: look-ups of names, password checks. So many at most, the rest
// takes its turn. They cannot be stopped: one that hangs is left behind, also at the end of the
// process.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include <weir/base/mailbox.h>
#include <weir/net/loop.h>

namespace weir::net {

// Never destroyed, as threads may outlive main().
class WaitingThreads {
 public:
  explicit WaitingThreads(size_t max) : max_(max) {}
  // `done` comes as a letter when `what` has run, or could not, as there is no thread. Any thread
  // may call. The result is destroyed on the mailbox's thread, or when that has stopped.
  std::unique_ptr<Work> run(base::Mailbox& mailbox, std::function<void()> what,
                            std::function<void()> done);

 private:
  struct Chore {
    base::Mailbox* mailbox;  // null: given up
    std::function<void()> what;
    std::function<void()> done;  // touched on the mailbox's thread alone
  };
  using ChorePtr = std::shared_ptr<Chore>;
  class Wish;
  bool has_thread();  // for one more; under the mutex
  void work();
  ChorePtr next();
  void report(const ChorePtr& chore);
  void give_up(const ChorePtr& chore);

  const size_t max_;
  std::mutex mutex_;
  size_t count_ = 0;
  std::deque<ChorePtr> waiting_;
};

}  // namespace weir::net
