#include "uv_loop.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "waiting_threads.h"

namespace weir::net {

UvMailbox::UvMailbox() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) std::abort();  // a worker without a mailbox cannot work
}

UvMailbox::~UvMailbox() {
  node_.reset();
  ::close(fd_);
}

void UvMailbox::open(uv_loop_t& loop) {
  node_ = PollNode::open(
      loop, fd_, [](void* owner, int) { static_cast<UvMailbox*>(owner)->deliver(); }, this);
  node_->arm(UV_READABLE);
}

void UvMailbox::post(std::unique_ptr<base::Letter> letter) {
  bool was_empty;
  {
    const std::lock_guard lock(mutex_);
    was_empty = letters_.empty();
    letters_.push(std::move(letter));
  }
  if (!was_empty) return;
  const uint64_t one = 1;
  while (write(fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void UvMailbox::deliver() {
  // First the descriptor, then the letters: one that comes in between wakes the loop again.
  uint64_t count;
  while (read(fd_, &count, sizeof count) < 0 && errno == EINTR) {
  }
  base::LetterQueue letters;
  {
    const std::lock_guard lock(mutex_);
    letters.swap(letters_);
  }
  while (auto letter = letters.pop()) letter->deliver();
}

bool UvMailbox::discard() {
  base::LetterQueue letters;
  const std::lock_guard lock(mutex_);
  letters.swap(letters_);
  return !letters.empty();
}

namespace {

// The loop's own handles have the loop as their data; all others are in nodes.
void close_handle(uv_handle_t* handle, void* loop) {
  if (uv_is_closing(handle)) return;
  if (handle->data == loop)
    uv_close(handle, nullptr);
  else
    static_cast<HandleNode*>(handle->data)->close();
}

}  // namespace

UvLoop::UvLoop()
    : now_(base::steady_now()),
      timers_(now_),
      scratch_(std::make_unique_for_overwrite<char[]>(base::kScratchBytes)) {
  if (uv_loop_init(&uv_) != 0) std::abort();
  uv_prepare_init(&uv_, &prepare_);
  uv_check_init(&uv_, &check_);
  uv_idle_init(&uv_, &idle_);
  uv_timer_init(&uv_, &timer_);
  prepare_.data = check_.data = idle_.data = timer_.data = this;
  uv_prepare_start(&prepare_,
                   [](uv_prepare_t* h) { static_cast<UvLoop*>(h->data)->before_poll(); });
  uv_check_start(&check_, [](uv_check_t* h) { static_cast<UvLoop*>(h->data)->after_poll(); });
  mailbox_.open(uv_);
}

UvLoop::~UvLoop() {
  while (forget_pending()) {
  }
  cork_.flush();
  mailbox_.close();
  uv_walk(&uv_, close_handle, this);
  uv_run(&uv_, UV_RUN_DEFAULT);
  while (forget_pending()) {
  }
  [[maybe_unused]] const int left = uv_loop_close(&uv_);
  assert(left == 0);
}

// What was to be done later is not done any more; what was to be deleted is.
bool UvLoop::forget_pending() {
  const bool any = !soon_.empty() || !later_.empty();
  std::vector<std::function<void()>>().swap(soon_);
  delete_now();
  return mailbox_.discard() || any;
}

void UvLoop::run() { uv_run(&uv_, UV_RUN_DEFAULT); }

void UvLoop::stop() {
  mailbox_.post_call([this] { uv_stop(&uv_); });
}

void UvLoop::before_poll() {
  run_soon_now();
  cork_.flush();
  delete_now();
  arm_timer();
  if (soon_.empty())
    uv_idle_stop(&idle_);
  else
    uv_idle_start(&idle_, [](uv_idle_t*) {});
  if (clock_read_) turns_.observe(base::steady_now() - now_);
  clock_read_ = false;
}

void UvLoop::after_poll() {
  cork_.flush();
  delete_now();
}

void UvLoop::run_soon_now() {
  if (soon_.empty()) return;
  running_.swap(soon_);
  for (auto& call : running_) call();
  running_.clear();
}

namespace {

// Lives until libuv's thread pool has done with it.
struct Job {
  uv_work_t request;
  std::function<void()> what, done;
  std::shared_ptr<bool> wanted = std::make_shared<bool>(true);
};

// Of a thread of the pool: loops go first, as everybody waits for them.
int step_back() {
  constexpr int kNicer = 10;
  return setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()),
                     getpriority(PRIO_PROCESS, 0) + kNicer);
}

class QueuedWork final : public Work {
 public:
  explicit QueuedWork(std::shared_ptr<bool> wanted) : wanted_(std::move(wanted)) {}
  ~QueuedWork() override { *wanted_ = false; }

 private:
  std::shared_ptr<bool> wanted_;
};

std::unique_ptr<Work> work_that_may_hang(base::Mailbox& mailbox, std::function<void()> what,
                                         std::function<void()> done) {
  constexpr size_t kThreadsMax = 32;
  static WaitingThreads& threads = *new WaitingThreads(kThreadsMax);
  return threads.run(mailbox, std::move(what), std::move(done));
}

}  // namespace

std::unique_ptr<Work> UvLoop::work(std::function<void()> what, std::function<void()> done,
                                   bool may_hang) {
  if (may_hang) return work_that_may_hang(mailbox_, std::move(what), std::move(done));
  auto* job = new Job{{}, std::move(what), std::move(done)};
  job->request.data = job;
  auto out = std::make_unique<QueuedWork>(job->wanted);
  const auto over = [](uv_work_t* request, int) {
    const std::unique_ptr<Job> finished(static_cast<Job*>(request->data));
    if (*finished->wanted) finished->done();
  };
  const auto run = [](uv_work_t* request) {
    [[maybe_unused]] thread_local const int once = step_back();
    static_cast<Job*>(request->data)->what();
  };
  uv_queue_work(&uv_, &job->request, run, over);  // fails only without a function to call
  return out;
}

void UvLoop::delete_later(std::unique_ptr<Deferred> object) {
  if (object) later_.push_back(std::move(object));
}

void UvLoop::delete_now() {
  while (!later_.empty()) {
    dying_.swap(later_);
    dying_.clear();
  }
}

// The deadline that is armed may be earlier than the first one set: then the wheel runs for nothing
// once, which costs less than arming for each transaction.
void UvLoop::arm_timer() {
  const base::Time due = timers_.next_due();
  if (due >= armed_) return;
  armed_ = due;
  const base::Duration wait = std::max<base::Duration>(due - now(), 0);
  const auto wait_ms = static_cast<uint64_t>((wait + base::kMillisecond - 1) / base::kMillisecond);
  uv_timer_start(
      &timer_, [](uv_timer_t* h) { static_cast<UvLoop*>(h->data)->on_timer(); }, wait_ms, 0);
}

void UvLoop::on_timer() {
  armed_ = base::kNever;
  clock_read_ = false;
  timers_.run(now());
}

// libuv reads it when its threads are first used. What the environment says counts.
std::unique_ptr<Loop> make_loop() {
  [[maybe_unused]] static const int set = setenv("UV_THREADPOOL_SIZE", "16", 0);
  return std::make_unique<UvLoop>();
}

}  // namespace weir::net
