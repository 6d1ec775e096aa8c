// The one way from worker to worker. A letter is delivered once, on the receiving worker's thread,
// in the order in which one sender posted; letters of different senders may be interleaved in any
// way.
#pragma once

#include <memory>
#include <utility>

namespace weir::base {

class Letter {
 public:
  virtual ~Letter() = default;
  virtual void deliver() = 0;

 private:
  friend class LetterQueue;
  Letter* next_ = nullptr;
};

class Mailbox {
 public:
  virtual ~Mailbox() = default;
  virtual void post(std::unique_ptr<Letter> letter) = 0;  // from any thread

  template <class Call>
  void post_call(Call call) {
    struct CallLetter final : Letter {
      explicit CallLetter(Call c) : call(std::move(c)) {}
      void deliver() override { call(); }
      Call call;
    };
    post(std::make_unique<CallLetter>(std::move(call)));
  }
};

// A chain of letters: first in, first out. Not synchronised; its owner brings the lock.
class LetterQueue {
 public:
  LetterQueue() = default;
  LetterQueue(const LetterQueue&) = delete;
  LetterQueue& operator=(const LetterQueue&) = delete;
  ~LetterQueue() {
    while (pop()) {
    }
  }
  bool empty() const { return first_ == nullptr; }
  void push(std::unique_ptr<Letter> letter) {
    Letter* raw = letter.release();
    (last_ ? last_->next_ : first_) = raw;
    last_ = raw;
  }
  std::unique_ptr<Letter> pop() {
    Letter* raw = first_;
    if (!raw) return nullptr;
    first_ = raw->next_;
    if (!first_) last_ = nullptr;
    return std::unique_ptr<Letter>(raw);
  }
  void swap(LetterQueue& other) {
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
  }

 private:
  Letter* first_ = nullptr;
  Letter* last_ = nullptr;
};

}  // namespace weir::base
