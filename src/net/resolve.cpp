#include <weir/net/resolve.h>

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <system_error>
#include <thread>

#include "address.h"

namespace weir::net {

namespace {

// What the thread and the one who waits share. The thread cannot be stopped, so it may outlive both
// the wait and the loop: then it finds no mailbox.
struct Question {
  std::mutex mutex;
  base::Mailbox* mailbox;  // null: given up
  ResolveCallback done;    // touched on the mailbox's thread alone
};

Resolved failure(const std::string& host, const std::string& why) {
  return base::Error{base::ErrorKind::Unreachable, "cannot look up " + host + ": " + why};
}

std::string numeric_text(const addrinfo& one) {
  char text[NI_MAXHOST] = "";
  getnameinfo(one.ai_addr, one.ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  return text;
}

Resolved look_up(const std::string& host) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int status = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (status != 0)
    return failure(host, status == EAI_SYSTEM ? error_text(errno) : gai_strerror(status));
  std::vector<std::string> out;
  for (const addrinfo* one = list; one; one = one->ai_next) {
    std::string text = numeric_text(*one);
    if (!text.empty() && std::find(out.begin(), out.end(), text) == out.end())
      out.push_back(std::move(text));
  }
  freeaddrinfo(list);
  if (out.empty()) return failure(host, "it has no address");
  return out;
}

void answer(const std::shared_ptr<Question>& question, Resolved resolved) {
  const std::lock_guard lock(question->mutex);
  if (!question->mailbox) return;
  question->mailbox->post_call([question, resolved = std::move(resolved)]() mutable {
    if (!question->mailbox) return;  // given up meanwhile, on this thread
    const auto done = std::move(question->done);
    done(std::move(resolved));
  });
}

class Lookup final : public Resolving {
 public:
  Lookup(base::Mailbox& mailbox, const std::string& host, ResolveCallback done)
      : question_(std::make_shared<Question>()) {
    question_->mailbox = &mailbox;
    question_->done = std::move(done);
    try {
      std::thread([question = question_, host] { answer(question, look_up(host)); }).detach();
    } catch (const std::system_error& no_thread) {
      answer(question_, failure(host, no_thread.what()));
    }
  }
  ~Lookup() override {
    const std::lock_guard lock(question_->mutex);
    question_->mailbox = nullptr;
  }

 private:
  std::shared_ptr<Question> question_;
};

}  // namespace

std::unique_ptr<Resolving> resolve(base::Mailbox& mailbox, const std::string& host,
                                   ResolveCallback done) {
  return std::make_unique<Lookup>(mailbox, host, std::move(done));
}

bool is_numeric(const std::string& host) { return !numeric_addresses(host, 0).empty(); }

}  // namespace weir::net
