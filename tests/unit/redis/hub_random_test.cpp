// Clients of a hub, beside clients of a server without weir: at random, from a printed seed.
#include "play.h"

#include <random>

namespace weir::redis::script {
namespace {

// The commands of some clients, one after the other, through weir and at a server without it.
class Twins {
 public:
  explicit Twins(uint64_t seed) : random_(seed), world_(piece(seed)) {
    world_.hub = true;
    for (size_t i = 0; i < kClients; ++i) {
      world_.add_client();
      alone_.push_back(std::make_unique<ModelConnection>(redis_));
    }
    said_.resize(kClients);
  }

  void run() {
    for (int step = 0; step < 200; ++step) {
      const size_t id = pick(kClients) + 1;
      if (world_.client(id).over) continue;
      if (pick(60) == 0) {
        world_.leave(id);
        world_.go_on();
        hear();
        alone_[id - 1]->closed = true;
        continue;
      }
      const std::string asks = ask(id);
      trace_ += std::to_string(id) + ": " + asks;
      world_.send(id, asks);
      said_[id - 1] += as_greeted(id, alone_[id - 1]->feed(asks));
      hear();
      for (size_t each = 1; each <= kClients; ++each)
        ASSERT_EQ(world_.client(each).out, said_[each - 1]) << each << "\n" << trace_;
    }
    ASSERT_FALSE(world_.leaked || world_.lane_failed || world_.within_a_piece) << trace_;
  }

 private:
  static constexpr size_t kClients = 5;
  static size_t piece(uint64_t seed) { return seed % 3 == 0 ? SIZE_MAX : seed % 11 + 1; }
  size_t pick(size_t count) { return random_() % count; }

  // Without weir it has another number.
  static std::string as_greeted(size_t id, std::string said) {
    const std::string plain = ModelConnection::greeting(3, 500 + static_cast<int64_t>(id));
    for (size_t at; (at = said.find(plain)) != std::string::npos;)
      said.replace(at, plain.size(), greeting(3, id));
    return said;
  }

  void hear() {
    for (size_t i = 0; i < kClients; ++i)
      if (!alone_[i]->closed) said_[i] += alone_[i]->feed({});
  }

  std::string names() {
    std::string out;
    for (size_t i = 0; i <= pick(3); ++i) out += std::string(" ") + "abc*"[pick(4)];
    return out;
  }

  std::string count() {
    static constexpr const char* kWords[] = {"PUBLISH ",           "publish ",
                                             "SPUBLISH ",          "PUBSUB NUMSUB",
                                             "pubsub shardnumsub", "PUBSUB NUMPAT\r\nPING"};
    const size_t word = pick(6);
    if (word == 5) return kWords[word] + std::string("\r\n");
    return kWords[word] + (word < 3 ? names().substr(1, 1) + " m" : names()) + "\r\n";
  }

  // The last one publishes and does nothing else.
  std::string ask(size_t id) {
    if (id == kClients) {
      std::string out;
      for (size_t i = 0; i <= pick(3); ++i) out += count();
      return out;
    }
    static constexpr const char* kWords[] = {"SUBSCRIBE",   "PSUBSCRIBE",   "SSUBSCRIBE",
                                             "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE",
                                             "SUBSCRIBE",   "UNSUBSCRIBE"};
    std::string out;
    for (size_t i = 0; i <= pick(3); ++i) {
      switch (pick(9)) {
        case 0: out += "PING\r\n"; break;
        case 1: out += "GET k\r\n"; break;
        case 2: out += "UNSUBSCRIBE\r\n"; break;
        case 3: out += pick(4) == 0 ? "RESET\r\nHELLO 3\r\n" : "EVAL x\r\n"; break;
        case 4: out += "MULTI\r\nPING\r\nEXEC\r\n"; break;
        case 5: out += count(); break;
        default: out += kWords[pick(8)] + names() + "\r\n"; break;
      }
    }
    return out;
  }

  std::mt19937_64 random_;
  World world_;
  ModelRedis redis_;
  std::vector<std::unique_ptr<ModelConnection>> alone_;
  std::vector<std::string> said_;
  std::string trace_;
};

// redis R42, R43, R44, R47
TEST(RedisHub, AtRandomAsWithoutWeir) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Twins(seed).run();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace weir::redis::script
