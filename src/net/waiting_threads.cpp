#include "waiting_threads.h"

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

namespace weir::net {

class WaitingThreads::Wish final : public Work {
 public:
  Wish(WaitingThreads& threads, ChorePtr chore) : threads_(threads), chore_(std::move(chore)) {}
  ~Wish() override { threads_.give_up(chore_); }

 private:
  WaitingThreads& threads_;
  ChorePtr chore_;
};

std::unique_ptr<Work> WaitingThreads::run(base::Mailbox& mailbox, std::function<void()> what,
                                          std::function<void()> done) {
  auto chore = std::make_shared<Chore>(Chore{&mailbox, std::move(what), std::move(done)});
  bool is_coming = false;
  {
    const std::lock_guard lock(mutex_);
    is_coming = has_thread();
    if (is_coming) waiting_.push_back(chore);
  }
  if (!is_coming) report(chore);
  return std::make_unique<Wish>(*this, std::move(chore));
}

bool WaitingThreads::has_thread() {
  if (count_ == max_) return true;
  try {
    std::thread([this] { work(); }).detach();
    ++count_;
  } catch (const std::system_error&) {
  }
  return count_ > 0;
}

void WaitingThreads::work() {
  while (const ChorePtr chore = next()) {
    chore->what();
    report(chore);
  }
}

WaitingThreads::ChorePtr WaitingThreads::next() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    --count_;
    return nullptr;
  }
  ChorePtr first = std::move(waiting_.front());
  waiting_.pop_front();
  return first;
}

void WaitingThreads::report(const ChorePtr& chore) {
  const std::lock_guard lock(mutex_);
  if (!chore->mailbox) return;
  chore->mailbox->post_call([chore] {
    if (!chore->mailbox) return;  // given up meanwhile, on this thread
    const auto done = std::move(chore->done);
    done();
  });
}

void WaitingThreads::give_up(const ChorePtr& chore) {
  const std::lock_guard lock(mutex_);
  chore->mailbox = nullptr;
  std::erase(waiting_, chore);
}

}  // namespace weir::net
