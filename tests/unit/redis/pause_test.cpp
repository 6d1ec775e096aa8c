// CLIENT PAUSE: what it holds back holds up nobody else.
#include <thread>

#include "play.h"
#include "redis_commands.h"

namespace weir::redis {
namespace {

using namespace script;

class RedisPause : public testing::Test {
 protected:
  RedisPause() {
    world.redis.commands = some_commands();
    world.redis.at(0, "k") = {"v", true, 1};
    for (size_t* each : {&a, &b, &c, &d}) *each = world.add_client();
  }

  void pause(size_t id) {
    world.send(id, "CLIENT PAUSE 60000 WRITE\r\n");
    EXPECT_TRUE(world.redis.paused);
    world.client(id).out.clear();
    world.client(id).events.clear();
  }

  World world;
  size_t a = 0, b = 0, c = 0, d = 0;
};

TEST_F(RedisPause, AWriteThatIsHeldBackHoldsUpNoRead) {
  pause(a);
  world.send(b, "SET k 1\r\n");
  world.send(c, "GET k\r\nGET k\r\n");
  EXPECT_EQ(world.client(b).events, " lease");
  EXPECT_EQ(world.client(b).out, "");
  EXPECT_EQ(world.client(c).out, "$1\r\nv\r\n$1\r\nv\r\n");
  EXPECT_EQ(world.client(c).events, "");
  world.send(c, "CLIENT UNPAUSE\r\n");
  world.send(c, "GET k\r\n");
  EXPECT_TRUE(world.client(c).out.ends_with("+OK\r\n$1\r\n1\r\n"));
  EXPECT_EQ(world.client(c).events, "");  // there was nothing on the lane that could be stuck
  EXPECT_EQ(world.client(b).out, "+OK\r\n");
  EXPECT_EQ(world.client(b).events, " lease end");
  // And all is as before.
  world.send(b, "SET k 2\r\n");
  EXPECT_EQ(world.client(b).events, " lease end");
  EXPECT_TRUE(world.all_are_idle());
}

TEST_F(RedisPause, HoldsBackAllThatMayWrite) {
  pause(a);
  for (const std::string line : {"EVAL x\r\n", "PUBLISH c m\r\n", "MULTI\r\nSET k 1\r\nEXEC\r\n"}) {
    const size_t id = world.add_client();
    world.send(id, line);
    EXPECT_EQ(world.client(id).events, " lease") << line;
    world.send(c, "GET k\r\n");
  }
  const size_t id = world.add_client();
  world.send(id, "MULTI\r\nGET k\r\nEXEC\r\n");
  EXPECT_EQ(world.client(id).events, "");
  EXPECT_EQ(world.client(id).out, "+OK\r\n+QUEUED\r\n*1\r\n$1\r\nv\r\n");
  EXPECT_EQ(world.client(c).out, "$1\r\nv\r\n$1\r\nv\r\n$1\r\nv\r\n");
  world.send(a, "CLIENT UNPAUSE\r\n");
  EXPECT_TRUE(world.all_are_idle());
}

// Nobody says when it is over: a write that is answered shows it.
TEST_F(RedisPause, AWriteShowsThatItIsOver) {
  pause(a);
  world.redis.paused = false;
  world.send(b, "PUBLISH c m\r\n");  // a script might be answered in the middle of a pause
  EXPECT_EQ(world.client(b).events, " lease end");
  world.send(b, "SET k\r\n");  // an error says nothing either
  EXPECT_EQ(world.client(b).events, " lease end lease end");
  world.send(b, "SET k 1\r\n");
  EXPECT_EQ(world.client(b).events, " lease end lease end lease end");
  world.send(b, "SET k 1\r\n");
  world.send(c, "SET k 1\r\n");
  EXPECT_EQ(world.client(b).events, " lease end lease end lease end");
  EXPECT_EQ(world.client(c).events, "");
}

TEST_F(RedisPause, InATransactionItBeginsWithExec) {
  world.send(a, "MULTI\r\n");
  world.send(a, "CLIENT PAUSE 60000 WRITE\r\n");
  world.send(b, "SET k 1\r\n");  // shows that there is none yet
  world.send(b, "SET k 1\r\n");
  EXPECT_EQ(world.client(b).events, " lease end");
  world.send(a, "EXEC\r\n");
  EXPECT_TRUE(world.redis.paused);
  EXPECT_EQ(world.client(a).events, " lease end");
  world.send(b, "SET k 2\r\n");
  EXPECT_EQ(world.client(b).events, " lease end lease");
  world.send(c, "GET k\r\n");
  EXPECT_EQ(world.client(c).out, "$1\r\n1\r\n");
  world.send(a, "CLIENT UNPAUSE\r\n");
  EXPECT_EQ(world.client(b).events, " lease end lease end");
}

TEST_F(RedisPause, ARefusedOneChangesNothing) {
  world.send(a, "CLIENT PAUSE\r\n");
  EXPECT_TRUE(world.client(a).out.starts_with("-ERR wrong number"));
  world.send(b, "SET k 1\r\n");
  EXPECT_EQ(world.client(b).events, "");
  pause(a);
  world.send(a, "CLIENT PAUSE\r\n");
  world.send(b, "SET k 1\r\n");
  EXPECT_EQ(world.client(b).events, " lease");
}

// What was on its way when the pause began is stuck; its end comes another way.
TEST_F(RedisPause, TheEndGetsPastAStuckLane) {
  world.send(a, "GET k\r\n");
  world.answers = false;
  world.redis.paused = true;  // the server has it already, weir not yet
  world.send(b, "SET k 1\r\n");
  world.send(c, "GET k\r\n");
  EXPECT_TRUE(world.lane().state.may_be_stuck());
  world.send(d, "CLIENT UNPAUSE\r\n");
  EXPECT_EQ(world.client(d).events, " lease");
  world.go_on();
  EXPECT_EQ(world.client(d).out, "+OK\r\n");
  EXPECT_EQ(world.client(b).out, "+OK\r\n");
  EXPECT_EQ(world.client(c).out, "$1\r\n1\r\n");
  EXPECT_TRUE(world.all_are_idle());
}

// It went round for ever between the connection that it listens to and one of its own.
TEST_F(RedisPause, WhoListensWritesElsewhere) {
  world.hub = true;
  world.send(b, "HELLO 3\r\n");
  world.send(b, "SUBSCRIBE c\r\n");
  pause(a);
  world.client(b).out.clear();
  world.client(b).events.clear();
  world.send(b, "SET k 1\r\nGET k\r\n");
  EXPECT_EQ(world.client(b).out, "");
  EXPECT_EQ(world.client(b).events, " lease");
  world.send(c, "CLIENT UNPAUSE\r\n");
  EXPECT_EQ(world.client(b).out, "+OK\r\n$1\r\n1\r\n");
  EXPECT_EQ(world.client(b).events, " lease end");
  // Who listens there ends it elsewhere, so that its end is seen.
  pause(a);
  world.send(c, "SET k 2\r\n");
  world.client(b).out.clear();
  world.send(b, "CLIENT REPLY SKIP\r\nCLIENT UNPAUSE\r\nPING\r\n");
  EXPECT_EQ(world.client(b).out, "+PONG\r\n");
  EXPECT_TRUE(world.client(c).out.ends_with("+OK\r\n"));
}

// Whoever leaves takes his write with him, as without weir.
TEST_F(RedisPause, WhoLeavesHasNotWritten) {
  pause(a);
  world.send(b, "SET k 1\r\n");
  ASSERT_NE(world.client(b).lease, nullptr);
  EXPECT_EQ(world.link().condition(world.client(b).lease->state), Condition::Broken);
  world.leave(b);
  world.send(a, "CLIENT UNPAUSE\r\nGET k\r\n");
  EXPECT_EQ(world.client(a).out, "+OK\r\n$1\r\nv\r\n");
}

TEST_F(RedisPause, WithoutATableOfCommandsNothingStaysOnALane) {
  World bare;
  const size_t first = bare.add_client(), second = bare.add_client();
  bare.send(first, "CLIENT PAUSE 60000 WRITE\r\n");
  bare.send(second, "GET k\r\n");
  EXPECT_EQ(bare.client(second).events, " lease end");
}

TEST(Pause, OnlyWhatCameAfterShowsThatItIsOver) {
  Pause pause;
  EXPECT_FALSE(pause.may_be_on());
  pause.over(0);
  pause.asked();
  const int64_t between = pause.moment();
  pause.asked();  // the server has done it
  pause.over(between);
  EXPECT_TRUE(pause.may_be_on());
  const int64_t after = pause.moment();
  pause.over(after);
  EXPECT_FALSE(pause.may_be_on());
  pause.over(after);
  EXPECT_FALSE(pause.may_be_on());
  pause.asked();
  pause.over(after);
  EXPECT_TRUE(pause.may_be_on());
}

TEST(Pause, OfTwoThreads) {
  Pause pause;
  std::thread other([&pause] {
    for (int i = 0; i < 1000; ++i) pause.over(pause.moment());
  });
  for (int i = 0; i < 1000; ++i) pause.asked();
  other.join();
  pause.over(pause.moment());
  EXPECT_FALSE(pause.may_be_on());
  EXPECT_GE(pause.moment(), 2000);
}

}  // namespace
}  // namespace weir::redis
