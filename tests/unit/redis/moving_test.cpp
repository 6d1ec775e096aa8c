// Clients that say in mid-session that they are somebody else, and move to that user's pool.
#include "play.h"

namespace weir::redis::script {
namespace {

const std::string kWrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

Played move_in(const std::vector<std::string>& parts, size_t piece) {
  World world(piece);
  const size_t id = world.add_client();
  world.client(id).state.moves = true;
  for (const std::string& part : parts) world.send(id, part);
  EXPECT_FALSE(world.leaked);
  EXPECT_FALSE(world.within_a_piece);
  return {world.client(id).out, world.client(id).events, world.leases_opened()};
}

Played move(const std::string& bytes) {
  const Played whole = move_in({bytes}, SIZE_MAX);
  for (size_t piece = 1; piece <= 24; ++piece)
    EXPECT_EQ(move_in({bytes}, piece).out, whole.out) << "in pieces of " << piece << ": " << bytes;
  for (size_t place = 1; place < bytes.size(); ++place)
    EXPECT_EQ(move_in({bytes.substr(0, place), bytes.substr(place)}, SIZE_MAX).out, whole.out);
  return whole;
}

// redis R59
TEST(RedisMoving, AuthTakesNoServer) {
  Played played = move("SET k 1\r\nAUTH bob secret\r\nGET k\r\nauth secret\r\nGET k\r\n");
  EXPECT_EQ(played.out, "+OK\r\n+OK\r\n$1\r\n1\r\n+OK\r\n$1\r\n1\r\n");
  EXPECT_EQ(played.events, " bob default");
  EXPECT_EQ(played.leases, 0u);
  played = move("AUTH bob no\r\nPING\r\nAUTH bob secret\r\n");
  EXPECT_EQ(played.out, kWrong + "+PONG\r\n+OK\r\n");
  EXPECT_EQ(played.events, " refused bob");
}

TEST(RedisMoving, WhatIsWronglyPutChangesNothing) {
  Played played = move("AUTH\r\nAUTH a b c\r\nPING\r\n");
  EXPECT_EQ(played.out.find("-ERR wrong number of arguments for 'auth' command"), 0u);
  // The server would have logged in before it says so.
  played = move("HELLO 9 AUTH bob b\r\nHELLO 3 AUTH bob b BAD\r\nPING\r\nACL WHOAMI\r\n");
  EXPECT_EQ(played.out,
            "-NOPROTO unsupported protocol version\r\n-ERR Syntax error in HELLO option 'BAD'\r\n"
            "+PONG\r\n" +
                bulk("default"));
  EXPECT_EQ(played.events, " refused refused");
  EXPECT_EQ(move("HELLO 3 SETNAME auth\r\nCLIENT GETNAME\r\n").out, greeting(3) + "$4\r\nauth\r\n");
}

// redis R51, R59
TEST(RedisMoving, Hello) {
  Played played = move("HELLO 3 AUTH bob secret SETNAME me\r\nGET k\r\nCLIENT GETNAME\r\n");
  EXPECT_EQ(played.out, greeting(3) + "_\r\n$2\r\nme\r\n");
  EXPECT_EQ(played.events, " bob lease end");
  played = move("HELLO 3 AUTH bob no SETNAME me\r\nGET k\r\nCLIENT GETNAME\r\n");
  EXPECT_EQ(played.out, kWrong + "$-1\r\n$-1\r\n");
  EXPECT_EQ(played.events, " refused");
  EXPECT_EQ(move("SELECT 3\r\nSET k 3\r\nAUTH bob secret\r\nGET k\r\n").out,
            "+OK\r\n+OK\r\n+OK\r\n$1\r\n3\r\n");
}

TEST(RedisMoving, ItWaitsForAnswers) {
  World world;
  const size_t a = world.add_client();
  world.client(a).state.moves = true;
  world.answers = false;
  world.send(a, "GET k\r\nAUTH bob secret\r\nPING\r\n");
  EXPECT_EQ(world.client(a).out, "");
  EXPECT_EQ(world.client(a).events, "");
  world.answers = true;
  world.go_on();
  EXPECT_EQ(world.client(a).out, "$-1\r\n+OK\r\n+PONG\r\n");
  EXPECT_EQ(world.client(a).events, " bob");
  // And for the server that it has to itself for a while.
  world.send(a, "BLPOP l 0\r\nAUTH bob secret\r\nPING\r\n");
  EXPECT_TRUE(world.client(a).out.ends_with("*-1\r\n+OK\r\n+PONG\r\n"));
  EXPECT_EQ(world.client(a).events, " bob lease end bob");
  EXPECT_EQ(world.client(a).lease, nullptr);
}

// redis R59
TEST(RedisMoving, WhatIsKeptOnAServerIsKept) {
  for (const std::string kept : {"WATCH k\r\n", "MULTI\r\n", "CLIENT TRACKING ON\r\n"}) {
    World world;
    const size_t a = world.add_client();
    world.client(a).state.moves = true;
    world.send(a, kept + "AUTH bob b\r\n");
    EXPECT_NE(world.client(a).lease, nullptr) << kept;
    EXPECT_EQ(world.client(a).events, " lease") << kept;
    world.leave(a);
    EXPECT_TRUE(world.all_are_idle());
    EXPECT_FALSE(world.leaked);
  }
}

}  // namespace
}  // namespace weir::redis::script
