// Secrets of users that the configuration does not name, asked of a database (auth.query) and
// remembered for a while. One question for each user is under way at a time, however many clients
// wait for its answer. Any thread.
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

// What the database says of a user. `error` set: it could not be asked.
struct Looked {
  std::string secret;  // empty: there is no such user, or it may not log in
  base::Error error;
};

class Lookups {
 public:
  struct Rules {
    std::string sql;  // columns: name, verifier [, valid_until [, can_login]]
    base::Duration ttl = 0, negative_ttl = 0;
    friend bool operator==(const Rules&, const Rules&) = default;
  };
  using Done = std::function<void(Looked)>;
  static constexpr size_t kUsersMax = 10'000;  // remembered

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
    Looked looked;
    base::Time until = 0;  // 0: not known yet
    bool is_asked = false;
    std::vector<Waiting> waiting;
  };
  void answered(const std::string& user, uint64_t round, session::Answer answer);
  void forget_all();
  void make_room(base::Time now);

  std::mutex mutex_;
  Rules rules_;
  uint64_t round_ = 0;  // what was asked in an earlier one is not remembered
  std::map<std::string, Known, std::less<>> users_;
};

// The row of auth.query for `user`; the log says why somebody may not log in. `now` is in seconds
// since 1970.
Looked read_login(const std::string& user, const std::vector<protocol::Row>& rows, int64_t now);

}  // namespace weir::app
