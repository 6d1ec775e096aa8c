// What a database says of users (auth.query), asked when they come and remembered for a while. One
// question for each user is under way at a time, however many clients wait for its answer. Any
// thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <weir/base/time.h>
#include <weir/session/worker.h>

namespace weir::app {

using Rows = std::vector<protocol::Row>;

class Lookups {
 public:
  struct Rules {
    std::string sql;
    base::Duration ttl = 0, negative_ttl = 0;
    friend bool operator==(const Rules&, const Rules&) = default;
  };
  using Done = std::function<void(const session::Answer&)>;
  // Do these rows say that there is nothing about the user? Such are believed for negative_ttl.
  using IsNegative = bool (*)(const std::string& user, const Rows& rows);
  static constexpr size_t kUsersMax = 10'000;  // remembered

  explicit Lookups(IsNegative is_negative) : is_negative_(is_negative) {}
  // New rules forget everything.
  void set_rules(Rules rules);
  void forget();
  void forget(const std::string& user);
  // `done` comes once, on the worker's thread, perhaps before this returns.
  void find(const std::string& user, session::Backend& backend, session::Worker& worker, Done done);

 private:
  struct Waiting {
    session::Worker* worker;
    Done done;
  };
  struct Known {
    Rows rows;
    base::Time until = 0;  // 0: not known yet
    bool is_asked = false;
    std::vector<Waiting> waiting;
  };
  void answered(const std::string& user, uint64_t round, session::Answer answer);
  void forget_all();
  void make_room(base::Time now);

  const IsNegative is_negative_;
  std::mutex mutex_;
  Rules rules_;
  uint64_t round_ = 0;  // what was asked in an earlier one is not remembered
  std::map<std::string, Known, std::less<>> users_;
};

// The row of auth.query's sql for `user`: name, verifier [, valid_until [, can_login]]. Without a
// secret it may not log in; `why` says why, if there is something about it. `now` is in seconds
// since 1970.
struct Looked {
  std::string secret;
  std::string why;
};
Looked read_login(const std::string& user, const Rows& rows, int64_t now);
int64_t seconds_since_1970();

}  // namespace weir::app
