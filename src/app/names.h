// What the names of servers' hosts stand for. Looked up in the background: one look-up of a name at
// a time and one each ttl for the whole process, however many connections are opened. Owned by the
// house. find(), addresses() and views() on any thread; the rest on the thread that answers come
// to, which is worker 0's.
//
//              find()            answer
//   (unknown) -------> awaited ---------> known: addresses, or why there are none
//                                           |  ^
//       (dropped) <-- nobody uses it -- ttl v  | answer; a failure leaves the addresses
//                                         known, asked again
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <weir/base/mailbox.h>
#include <weir/base/result.h>
#include <weir/base/time.h>
#include <weir/net/resolve.h>

namespace weir::app {

class Names {
 public:
  using Addresses = std::vector<std::string>;  // numeric
  using Found = base::Result<Addresses>;
  using Done = std::function<void(Found)>;
  struct Rules {
    base::Duration ttl = 15 * base::kSecond;
    base::Duration negative_ttl = 15 * base::kSecond;  // of failures
  };
  // What it needs of others; all of it outlives it.
  struct Outside {
    std::function<base::Time()> now;
    std::function<std::unique_ptr<net::Resolving>(const std::string& host, net::ResolveCallback)>
        resolve;
    // Is any server of this host open, or wanted?
    std::function<bool(const std::string& host)> in_use;
    // The addresses of a good answer, before anybody can dial them; `mended`: the last one was bad.
    std::function<void(const std::string& host, const Addresses& addresses, bool mended)> heard;
  };
  struct View {
    std::string host;
    base::Duration left = 0;  // until it is looked up again
    Addresses addresses;
    bool is_asked = false;
  };
  static constexpr int kAtOnceMax = 8;  // look-ups under way

  Names(Outside outside, Rules rules) : outside_(std::move(outside)), rules_(rules) {}

  void set_rules(Rules rules);
  // `done` comes once: before this returns when the name is known, else as a letter.
  void find(const std::string& host, base::Mailbox& mailbox, Done done);
  // Looks up again what is in use and as old as the ttl, drops what is not in use.
  void tick();

  Addresses addresses(const std::string& host) const;  // none when it is not known
  std::vector<View> views() const;

 private:
  struct Waiting {
    base::Mailbox* mailbox;
    Done done;
  };
  struct Name {
    Addresses addresses;      // of the last good answer
    base::Error error;        // of the last answer; empty text: it was good
    base::Time heard_at = 0;  // 0: never
    bool wanted = false;      // since the last answer
    std::unique_ptr<net::Resolving> asked;
    std::vector<Waiting> waiting;
  };
  bool is_believed(const Name& name) const;
  base::Time due(const Name& name) const;
  void ask(const std::string& host, Name& name);
  void ask_awaited();
  void answered(const std::string& host, const net::Resolved& answer);
  std::vector<Waiting> note(const std::string& host, const net::Resolved& answer);
  std::vector<std::string> due_names() const;

  Outside outside_;
  mutable std::mutex mutex_;
  Rules rules_;
  std::map<std::string, Name, std::less<>> names_;
  int under_way_ = 0;
};

// Of a peer as net::Stream::peer() has it: "10.0.0.1" of "10.0.0.1:5432", "::1" of "[::1]:5432".
std::string address_of(const std::string& peer);
// What stands for an address in the pools; never 0.
uint64_t origin_of(const std::string& address);

}  // namespace weir::app
