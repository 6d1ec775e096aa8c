// The metrics of weir: what each worker has counted, summed up when somebody asks. docs/metrics.md
// describes them. Owned by the daemon, outlives the page. Any thread; reads atomics, and each pool
// under its mutex.
#pragma once

#include <prometheus/collectable.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <weir/session/backend.h>

namespace weir::app {

// Written by the main thread.
struct Reloads {
  base::Counter good, failed;
  std::atomic<bool> last_good{true};
};

// One pool at one moment; without a pool and a name: the clients that belong to none (yet).
struct Sample {
  std::string database, user;
  std::optional<pool::Snapshot> pool;
  std::vector<const session::Stats*> slots;                       // one for each worker
  std::vector<std::shared_ptr<const session::Backend>> backends;  // of replication clients as well

  template <class Pick>
  int64_t sum(Pick pick) const {  // pick: Stats -> Counter
    int64_t total = 0;
    for (const session::Stats* slot : slots) total += pick(*slot).value();
    return total;
  }
  int64_t clients(session::ClientCount state) const;
  int64_t all_clients() const;
  int64_t resetting() const;
  int64_t pinned() const;
  int64_t checking() const;
  int64_t active() const;  // servers that are neither idle nor being opened, reset or checked
};

class Metrics final : public prometheus::Collectable {
 public:
  struct Sources {
    std::function<std::vector<std::shared_ptr<session::Backend>>()> backends;
    std::vector<const session::Stats*> strangers;  // of each worker
    std::vector<const base::Histogram*> turns;     // of each worker's loop
    const Reloads& reloads;
  };
  explicit Metrics(Sources sources) : sources_(std::move(sources)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;
  std::vector<Sample> samples() const;  // those who belong to no pool come last

 private:
  Sources sources_;
};

}  // namespace weir::app
