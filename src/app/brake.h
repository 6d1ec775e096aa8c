// Slows down whoever guesses passwords: after some failures as one user from one address, further
// logins as this user from there are refused until the window is over. Any thread.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include <weir/base/result.h>
#include <weir/base/time.h>

namespace weir::app {

class Brake {
 public:
  static constexpr size_t kPlacesMax = 10'000;  // remembered

  void set_rules(int failures, base::Duration window);  // 0 failures: never brakes
  void failed(const std::string& peer, const std::string& user, base::Time now);
  // What to say instead of asking for a password; without a text: nothing.
  base::Error refusal(const std::string& peer, const std::string& user, base::Time now);

 private:
  struct Count {
    int failures = 0;
    base::Time until = 0;
  };
  std::mutex mutex_;
  int failures_max_ = 0;
  base::Duration window_ = 0;
  std::map<std::string, Count> counts_;
};

}  // namespace weir::app
