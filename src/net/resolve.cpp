#include <weir/net/resolve.h>

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "address.h"
#include "waiting_threads.h"

namespace weir::net {

namespace {

constexpr size_t kThreadsMax = 32;  // given up ones that hang included

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

class Lookup final : public Resolving {
 public:
  explicit Lookup(std::unique_ptr<Work> work) : work_(std::move(work)) {}

 private:
  std::unique_ptr<Work> work_;
};

}  // namespace

std::unique_ptr<Resolving> resolve(base::Mailbox& mailbox, const std::string& host,
                                   ResolveCallback done) {
  static WaitingThreads& threads = *new WaitingThreads(kThreadsMax);
  auto found = std::make_shared<Resolved>(failure(host, "no thread can be had"));
  return std::make_unique<Lookup>(threads.run(
      mailbox, [found, host] { *found = look_up(host); },
      [found, done = std::move(done)] { done(std::move(*found)); }));
}

bool is_numeric(const std::string& host) { return !numeric_addresses(host, 0).empty(); }

}  // namespace weir::net
