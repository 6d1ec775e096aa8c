#include "threads.h"

#include <algorithm>

namespace weir::engine::sqlite {

namespace {

constexpr int kCheckpointPages = 1000;  // 4 MiB of log
constexpr int kTruncatePages = 16'000;  // then the log's file is cut, if nobody reads it

void post_done(Job& job, base::Mailbox& mailbox) {
  mailbox.post_call([&job] { job.on_done(); });
}

}  // namespace

// ---------------------------------------------------------------- Writer

Writer::Writer(std::unique_ptr<Handle> handle)
    : handle_(std::move(handle)), thread_([this] { run(); }) {}

void Writer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Writer::submit(Job& job, base::Mailbox& mailbox) {
  {
    const std::lock_guard lock(mutex_);
    if (holder_ == &job) {
      next_of_holder_ = {&job, &mailbox};
    } else {
      waiting_.push_back({&job, &mailbox});
      if (holder_) return;
    }
  }
  wake_.notify_one();
}

bool Writer::withdraw(Job& job) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const Entry& entry) { return entry.job == &job; });
  if (found == waiting_.end()) return false;
  waiting_.erase(found);
  return true;
}

size_t Writer::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void Writer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] {
      return stopping_ || next_of_holder_.job || (!holder_ && !waiting_.empty());
    });
    if (stopping_) return;
    Entry entry = std::exchange(next_of_holder_, {});
    if (!entry.job) {
      entry = waiting_.front();
      waiting_.pop_front();
      holder_ = entry.job;
    }
    lock.unlock();
    keeps_ = false;
    entry.job->work();
    lock.lock();
    if (!keeps_) holder_ = nullptr;
    post_done(*entry.job, *entry.mailbox);
  }
}

// ---------------------------------------------------------------- Helpers

Helpers::Helpers(size_t count) {
  for (size_t i = 0; i < count; ++i) threads_.emplace_back([this] { run(); });
}

void Helpers::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void Helpers::submit(Job& job, base::Mailbox& mailbox) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({&job, &mailbox});
  }
  wake_.notify_one();
}

bool Helpers::withdraw(Job& job) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(queue_.begin(), queue_.end(),
                                  [&](const Entry& entry) { return entry.job == &job; });
  if (found == queue_.end()) return false;
  queue_.erase(found);
  return true;
}

void Helpers::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const Entry entry = queue_.front();
    queue_.pop_front();
    lock.unlock();
    entry.job->work();
    post_done(*entry.job, *entry.mailbox);
    lock.lock();
  }
}

// ---------------------------------------------------------------- Keeper

Keeper::Keeper(std::unique_ptr<Handle> handle)
    : handle_(std::move(handle)), thread_([this] { run(); }) {}

void Keeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Keeper::note_log(int pages) {
  if (pages < kCheckpointPages) return;
  {
    const std::lock_guard lock(mutex_);
    pages_ = pages;
    due_ = true;
  }
  wake_.notify_one();
}

void Keeper::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || due_; });
    if (stopping_) return;
    due_ = false;
    const int mode =
        pages_ >= kTruncatePages ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
    lock.unlock();
    int code = sqlite3_wal_checkpoint_v2(handle_->db(), nullptr, mode, nullptr, nullptr);
    // Somebody reads or writes: as much as can be done without waiting for them.
    if (code == SQLITE_BUSY && mode != SQLITE_CHECKPOINT_PASSIVE)
      code = sqlite3_wal_checkpoint_v2(handle_->db(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                                       nullptr);
    if (code == SQLITE_OK) checkpoints_.fetch_add(1, std::memory_order_relaxed);
    lock.lock();
  }
}

}  // namespace weir::engine::sqlite
