// The threads of one database: the writer, which does all writing, one transaction at a time;
// helpers, for reads that are too slow for a loop; and a keeper that moves the write-ahead log into
// the database. Owned by the engine; destroying them joins them, when the loops have stopped.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <weir/base/mailbox.h>

#include "handle.h"

namespace weir::engine::sqlite {

// Something that a thread does for an executor, which waits for it and outlives it.
class Job {
 public:
  virtual void work() = 0;     // on the thread
  virtual void on_done() = 0;  // on the loop's thread, from its mailbox

 protected:
  ~Job() = default;
};

// Runs jobs of one transaction until it gives up its right to write; then the next in the queue has
// its turn.
class Writer {
 public:
  explicit Writer(std::unique_ptr<Handle> handle);
  ~Writer() { stop(); }
  void stop();  // joins the thread; the handle lives on
  Handle& handle() { return *handle_; }

  // On any loop's thread. A job of whoever holds the right to write runs at once, all others wait.
  void submit(Job& job, base::Mailbox& mailbox);
  bool withdraw(Job& job);  // true: it has not begun and will not
  // On the writer's thread, in work(): this job's owner keeps the right to write, or gives it up.
  void keep(bool keeps) { keeps_ = keeps; }
  size_t waiting() const;

 private:
  struct Entry {
    Job* job = nullptr;
    base::Mailbox* mailbox = nullptr;
  };
  void run();

  std::unique_ptr<Handle> handle_;
  bool keeps_ = false;  // of the writer's thread
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Job* holder_ = nullptr;
  Entry next_of_holder_;
  std::deque<Entry> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

class Helpers {
 public:
  explicit Helpers(size_t count);
  ~Helpers() { stop(); }
  void stop();
  void submit(Job& job, base::Mailbox& mailbox);
  bool withdraw(Job& job);

 private:
  struct Entry {
    Job* job = nullptr;
    base::Mailbox* mailbox = nullptr;
  };
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Entry> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// Checkpoints when the log has grown, so that no commit has to.
class Keeper {
 public:
  explicit Keeper(std::unique_ptr<Handle> handle);
  ~Keeper() { stop(); }
  void stop();
  void note_log(int pages);  // from the writer's thread, after each commit
  uint64_t checkpoints() const { return checkpoints_.load(std::memory_order_relaxed); }

 private:
  void run();

  std::unique_ptr<Handle> handle_;
  std::mutex mutex_;
  std::condition_variable wake_;
  int pages_ = 0;
  bool due_ = false;
  bool stopping_ = false;
  std::atomic<uint64_t> checkpoints_{0};
  std::thread thread_;
};

}  // namespace weir::engine::sqlite
