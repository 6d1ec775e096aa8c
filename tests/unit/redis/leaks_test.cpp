// The state that one client leaves behind is never seen by the next one: of every kind, whether its
// answers were seen or not, however the client goes.
#include "play.h"

namespace weir::redis::script {
namespace {

// What a client may leave, and whether RESET takes it away so that the server can be used again.
struct Leaving {
  std::string commands;
  bool kept = true;
};
const std::vector<Leaving>& leavings() {
  static const std::vector<Leaving> all{
      {"SELECT 5\r\n"},
      {"SELECT 5\r\nSET k 5\r\nWATCH k\r\n"},
      {"HELLO 3\r\n"},
      {"HELLO 3 SETNAME me\r\n"},
      {"SUBSCRIBE c d\r\n", false},
      {"PSUBSCRIBE c*\r\nSSUBSCRIBE s\r\n", false},
      {"HELLO 3\r\nSUBSCRIBE c\r\nSELECT 5\r\n", false},
      {"MONITOR\r\n"},
      {"HELLO 3\r\nCLIENT TRACKING ON\r\nGET k\r\n"},
      {"AUTH bob b\r\n"},
      {"HELLO 3 AUTH bob b SETNAME me\r\n"},
      {"MULTI\r\nSET k 1\r\n"},
      {"WATCH k\r\n"},
      {"WATCH k\r\nMULTI\r\nSET k 1\r\n"},
      {"MULTI\r\nfoo\r\n"},
      {"MULTI\r\nDISCARD x\r\n"},
      {"MULTI\r\nMULTI x\r\n"},
      {"CLIENT SETNAME me\r\nCLIENT NO-EVICT ON\r\n"},
      {"CLIENT REPLY OFF\r\nWATCH k\r\n"},
      {"CLIENT REPLY SKIP\r\nMULTI\r\n"},
      {"MULTI\r\nSELECT 5\r\nEXEC\r\n"},
      {"MULTI\r\nSELECT 5\r\n", false},
      {"MULTI\r\nHELLO 3\r\nEXEC\r\n", false},
      {"HELLO 3\r\nMULTI\r\nSUBSCRIBE c\r\nEXEC\r\n", false},
      {"MULTI\r\nSUBSCRIBE c\r\nEXEC\r\n", false},
      {"MULTI\r\nCLIENT SETNAME me\r\nEXEC\r\n", false},
      {"HELLO 3\r\nMULTI\r\nCLIENT TRACKING ON\r\nGET k\r\nEXEC\r\n", false},
      {"READONLY\r\n", false},
      {"REPLCONF listening-port 1\r\n", false},
      {"CLIENT NOSUCH\r\nCLIENT LIST\r\n"},
      {"SYNC\r\n", false},
      {"*2\r\n$4\r\nECHO\r\n$100000\r\nabc", false},
      // Each of these came back to the pool as somebody else, watching, or as a monitor.
      {"HELLO 3 AUTH bob b BAD\r\n", false},
      {"HELLO 3 AUTH bob b SETNAME 'a b'\r\n", false},
      {"HELLO 3 AUTH bob b AUTH bob wrong\r\n", false},
      {"HELLO 3 AUTH bob b SETNAME a SETNAME b SETNAME c\r\n"},
      {"MULTI\r\nHELLO 3 AUTH bob b BAD\r\nEXEC\r\n", false},
      {"WATCH k\r\nEXEC\r\n"},
      {"SUBSCRIBE c\r\nMULTI\r\nUNSUBSCRIBE c\r\nHELLO 3\r\n", false},
      {"REPLCONF ACK 0\r\nGET k\r\nMONITOR\r\n"},
      {"MONITOR\r\nMONITOR\r\n"},
      {"WATCH k\r\n*3\r\n$4\r\nEXEC\r\n$100000\r\nabc", false},
  };
  return all;
}

void expect_nothing_left(World& world, const std::string& what) {
  const size_t b = world.add_client(), other = world.add_client();
  world.send(other, "SET k 0\r\n");  // a watch that was left would end the next transaction
  EXPECT_EQ(std::exchange(world.client(other).out, {}), "+OK\r\n") << what;
  world.send(b, "GET k\r\nHELLO\r\nCLIENT GETNAME\r\nMULTI\r\nGET k\r\nEXEC\r\nACL WHOAMI\r\n");
  EXPECT_EQ(world.client(b).out, "$1\r\n0\r\n" + greeting(2, b) +
                                     "$-1\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n0\r\n" + bulk("default"))
      << what;
  world.client(b).out.clear();
  world.send(b, "WATCH k\r\n");  // it holds a server while others publish and write
  world.send(other, "PUBLISH c m\r\nPUBLISH s m\r\nSET k 0\r\n");
  EXPECT_EQ(world.client(other).out, ":0\r\n:0\r\n+OK\r\n") << what;
  EXPECT_EQ(world.client(b).out, "+OK\r\n") << what;
  world.leave(b);
  EXPECT_TRUE(world.all_are_idle()) << what;
  EXPECT_FALSE(world.leaked) << what;
}

struct Leak {
  bool password = false;
  bool hub = false;  // clients that listen share a server
};
class RedisLeaks : public testing::TestWithParam<Leak> {
 protected:
  static protocol::LoginTarget target() {
    return {"default", GetParam().password ? "pw" : "", "", {}};
  }
  static void prepare(World& world) {
    world.hub = GetParam().hub;
    if (GetParam().password) world.redis.users["default"] = "pw";
    world.redis.at(0, "k") = {"0", true, 1};
  }
};

// redis R32, R56, R57, R59, R60, R61
TEST_P(RedisLeaks, NothingIsLeftByWhoIsGone) {
  for (const auto& [commands, kept] : leavings()) {
    for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{7}}) {
      World world(piece, {}, target());
      prepare(world);
      const size_t a = world.add_client();
      world.send(a, commands);
      world.leave(a);
      expect_nothing_left(world, commands);
      if (!kept) continue;
      EXPECT_LE(world.servers(), 2u) << commands;  // the last step needs two
    }
  }
}

// redis R15, R32, R37
TEST_P(RedisLeaks, NothingIsLeftByWhoHasNotSeenItsAnswers) {
  for (const auto& [commands, kept] : leavings()) {
    for (const size_t seen : {size_t{0}, size_t{1}, size_t{4}, size_t{9}, size_t{30}}) {
      World world(SIZE_MAX, {}, target());
      prepare(world);
      const size_t a = world.add_client();
      world.answers = false;
      world.send(a, commands);
      if (Server* lease = world.client(a).lease) {
        const std::string first = lease->coming.substr(0, seen);
        lease->coming.erase(0, first.size());
        if (!first.empty()) world.arrive(*lease, first);
      }
      world.leave(a);
      world.answers = true;
      world.go_on();
      expect_nothing_left(world, commands);
    }
  }
}

// redis R60
TEST_P(RedisLeaks, NothingIsLeftAfterReset) {
  for (const auto& [commands, kept] : leavings()) {
    // Replicas keep their connection; within a large command there is no RESET.
    const bool replica = commands.starts_with("SYNC") || commands.starts_with("REPLCONF");
    if (replica || commands.ends_with("abc")) continue;
    World world(SIZE_MAX, {}, target());
    prepare(world);
    const size_t a = world.add_client();
    world.send(a, commands);
    world.client(a).out.clear();
    world.send(a, "RESET\r\nGET k\r\nHELLO\r\nCLIENT GETNAME\r\n");
    EXPECT_EQ(world.client(a).out, "+RESET\r\n$1\r\n0\r\n" + greeting(2) + "$-1\r\n") << commands;
    expect_nothing_left(world, commands);
  }
}

// redis R59. The answer to AUTH in a transaction is but +QUEUED: the connection went back to the
// pool as somebody else's.
TEST_P(RedisLeaks, ALoginInATransactionIsNotLeft) {
  World world(SIZE_MAX, {}, target());
  prepare(world);
  const size_t a = world.add_client();
  world.send(a, "MULTI\r\nAUTH bob b\r\nEXEC\r\n");
  EXPECT_EQ(world.client(a).out, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  world.leave(a);
  expect_nothing_left(world, "AUTH");
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutAPassword, RedisLeaks,
                         testing::Values(Leak{false, false}, Leak{true, false}, Leak{false, true},
                                         Leak{true, true}));

}  // namespace
}  // namespace weir::redis::script
