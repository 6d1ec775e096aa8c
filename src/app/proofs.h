// Logins that servers have accepted (auth.method passthrough), remembered for a while as keyed
// hashes, so that a storm of logins does not become a storm of connections. One check of each user
// and password is under way at a time, however many clients wait for it, and few of all. Any
// thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <weir/base/time.h>
#include <weir/session/worker.h>

namespace weir::app {

class Proofs {
 public:
  static constexpr size_t kRememberedMax = 10'000;
  static constexpr int kUnderWayMax = 16;
  static constexpr size_t kLineMax = 256;
  using Done = std::function<void(base::Error refusal)>;
  struct Login {
    session::Backend& backend;
    const std::string& secret;
  };

  Proofs();
  void set_life(base::Duration life);  // 0: nothing is remembered
  void forget(const session::Backend& backend);
  // `done` comes once, on the worker's thread, perhaps before this returns.
  void find(const Login& login, session::Worker& worker, Done done);

 private:
  struct Waiting {
    session::Worker* worker;
    Done done;
  };
  struct Known {
    std::string hash;
    base::Time until = 0;  // 0: not known yet
    std::vector<Waiting> waiting = {};
  };
  using User = std::pair<std::string, std::string>;  // database, name
  struct Check {
    std::shared_ptr<session::Backend> backend;
    std::string secret, hash;
    session::Worker* worker;
    uint64_t round = 0;
  };
  Known& known(const User& user, const std::string& hash);
  void begin(const Check& check);
  void checked(const Check& check, const base::Error& refusal);
  void make_room(base::Time now);

  const std::string key_;  // of the hashes
  std::mutex mutex_;
  base::Duration life_ = 0;
  uint64_t round_ = 0;  // what was checked in an earlier one is not remembered
  std::map<User, std::vector<Known>> users_;
  size_t count_ = 0;  // of all that are in there
  int under_way_ = 0;
  std::deque<Check> line_;
};

}  // namespace weir::app
