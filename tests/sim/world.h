// One simulated world: a seed decides how it is built, what goes wrong in it and what happens next.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client.h"

namespace weir::sim {

// Which kinds of trouble a world has.
struct Weather {
  bool short_io = false;  // EAGAIN at any byte, deliveries in pieces
  bool stalls = false;    // streams that rest for a while
  bool letters = false;   // mailboxes that rest for a while
  bool deaths = false;    // servers and streams that end
  bool refusals = false;  // connections and logins that fail
  bool clock_jumps = false;
  bool leavers = false;  // clients that are gone without a word
  bool cancels = false;
  bool is_calm() const { return !stalls && !deaths && !refusals && !clock_jumps; }
};

class SimWorld {
 public:
  explicit SimWorld(uint64_t seed);
  // Empty, or what is wrong.
  std::string run();

 private:
  static Weather weather_of(Random& random);
  static model::WorldOptions options_of(Random& random, const Weather& weather);
  void prepare_faults();
  void add_client();
  void happen();
  void step_some_loop();
  void trouble();
  void stall_something();
  static void break_off(fake::FakeStream& stream);
  void wake_sleeper();
  void calm_down();
  bool come_to_rest();
  std::string check_limits();
  std::string check_clients();
  std::string check_counts();
  std::string close_down();
  std::string failure();
  fake::FakeWay faulty_way();
  void disturb(fake::FakeStream& stream);

  Random random_;
  const Weather weather_;
  const model::WorldOptions options_;
  model::PooledWorld world_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  int clients_left_ = 0;
  int last_client_ = 0;
  std::string failure_;
};

}  // namespace weir::sim
