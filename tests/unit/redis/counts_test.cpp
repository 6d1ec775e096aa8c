// Answers that count who listens: clients, not the connections that they share.
#include <thread>

#include "play.h"
#include "protocol/redis/audience.h"

namespace weir::redis::script {
namespace {

// Clients that listen on one hub, and on that of another database; what they were told is
// forgotten.
class RedisCounts : public testing::Test {
 protected:
  RedisCounts() { world.hub = true; }
  ~RedisCounts() override {
    EXPECT_FALSE(world.lane_failed || world.within_a_piece);
    for (size_t id = 1; id <= count; ++id)
      if (!world.client(id).over) world.leave(id);
    world.go_on();
    EXPECT_FALSE(world.leaked);
    ServerState any;
    world.facts().learn(any);
    EXPECT_TRUE(any.audience->is_empty());
  }
  size_t add(const std::string& asks) {
    const size_t id = count = world.add_client();
    world.send(id, asks);
    world.client(id).out.clear();
    world.client(id).events.clear();
    return id;
  }
  std::string ask(size_t id, const std::string& asks) {
    world.client(id).out.clear();
    world.send(id, asks);
    return std::exchange(world.client(id).out, {});
  }

  World world;
  size_t count = 0;
};

std::string two_counts(int first, int second) {
  return "*4\r\n$1\r\nc\r\n:" + std::to_string(first) +
         "\r\n$1\r\nd\r\n:" + std::to_string(second) + "\r\n";
}

TEST_F(RedisCounts, OfTwoHubs) {
  const size_t talker = add("PING\r\n");
  for (int i = 0; i < 3; ++i) add("SUBSCRIBE c\r\n");
  for (int i = 0; i < 2; ++i) add("HELLO 3\r\nSELECT 1\r\nSUBSCRIBE c d\r\nPSUBSCRIBE c* ?\r\n");
  EXPECT_EQ(ask(talker,
                "PUBLISH c m\r\nPUBLISH d m\r\nPUBLISH cc m\r\nPUBLISH e m\r\n"
                "PUBLISH ee m\r\nSPUBLISH c m\r\n"),
            ":9\r\n:4\r\n:2\r\n:2\r\n:0\r\n:0\r\n");
  EXPECT_EQ(ask(talker, "PUBSUB NUMSUB c d\r\nPUBSUB SHARDNUMSUB c d\r\nPUBSUB NUMPAT\r\n"),
            two_counts(5, 2) + two_counts(0, 0) + ":2\r\n");
  EXPECT_EQ(ask(talker, "PUBSUB NUMSUB\r\n"), "*0\r\n");
}

TEST_F(RedisCounts, OfShards) {
  const size_t talker = add("PING\r\n");
  for (int i = 0; i < 4; ++i) add("SSUBSCRIBE c\r\n");
  EXPECT_EQ(ask(talker, "SPUBLISH c m\r\nPUBLISH c m\r\n"), ":4\r\n:0\r\n");
  EXPECT_EQ(ask(talker, "PUBSUB shardnumsub c d\r\npubsub NumSub c d\r\n"),
            two_counts(4, 0) + two_counts(0, 0));
}

// The same on a lane, where it listens, and on a server of its own, cut anywhere.
TEST_F(RedisCounts, WhereverTheyAreAsked) {
  const std::string asks = command({"PUBLISH", "c", "m"}) + "GET k\r\n" +
                           command({"PUBSUB", "NUMSUB", "c", "d"}) + "PUBLISH d m\r\nPING\r\n" +
                           command({"PUBLISH", "c", std::string(70'000, 'x')}) + "PING\r\n";
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{3}, size_t{5}, size_t{64}, SIZE_MAX}) {
    for (const std::string before : {"", "HELLO 3\r\nSUBSCRIBE x\r\n", "WATCH k\r\n"}) {
      World cut(piece);
      cut.hub = true;
      for (int i = 0; i < 3; ++i) cut.send(cut.add_client(), "SUBSCRIBE c d\r\n");
      cut.send(3, "UNSUBSCRIBE d\r\n");
      const size_t talker = cut.add_client();
      cut.send(talker, before);
      cut.client(talker).out.clear();
      cut.send(talker, asks);
      const std::string null = before.starts_with("HELLO") ? "_\r\n" : "$-1\r\n";
      EXPECT_EQ(cut.client(talker).out,
                ":3\r\n" + null + two_counts(3, 2) + ":2\r\n+PONG\r\n:3\r\n+PONG\r\n")
          << before << piece;
      EXPECT_FALSE(cut.lane_failed || cut.within_a_piece);
    }
  }
}

// What stands before it on the same connection has been done by then.
TEST_F(RedisCounts, OnesOwnSubscriptionsCount) {
  for (int i = 0; i < 2; ++i) add("SUBSCRIBE c\r\n");
  const size_t me = add("HELLO 3\r\nSUBSCRIBE x\r\n");
  world.answers = false;
  world.send(me,
             "SUBSCRIBE c\r\nPUBLISH c m\r\nPUBSUB NUMSUB c d\r\nPSUBSCRIBE c c*\r\n"
             "PUBLISH c m\r\nUNSUBSCRIBE c\r\nPUBLISH c m\r\nPUNSUBSCRIBE\r\nPUBLISH c m\r\n"
             "PUBSUB NUMSUB c d\r\n");
  world.go_on();
  std::string counts;
  const std::string& out = world.client(me).out;
  for (size_t at = 0; (at = out.find("\r\n:", at)) != std::string::npos; ++at)
    counts += out.substr(at + 3, out.find('\r', at + 3) - at - 3) + " ";
  //         told, hears, counts d, told,  hears, told, hears, told, hears, counts d
  EXPECT_EQ(counts, "2 3 3 0 3 4 5 3 4 2 1 2 2 0 ") << out;
  world.answers = true;
}

TEST_F(RedisCounts, WhoIsGoneIsNotCounted) {
  const size_t talker = add("PING\r\n");
  std::vector<size_t> all;
  for (int i = 0; i < 4; ++i) all.push_back(add("SUBSCRIBE c\r\nPSUBSCRIBE c*\r\n"));
  EXPECT_EQ(ask(talker, "PUBLISH c m\r\n"), ":8\r\n");
  world.leave(all[0]);
  world.go_on();
  EXPECT_EQ(ask(talker, "PUBLISH c m\r\n"), ":6\r\n");
  world.send(all[1], "RESET\r\n");
  EXPECT_EQ(ask(talker, "PUBLISH c m\r\n"), ":4\r\n");
  world.send(all[2], "QUIT\r\n");
  EXPECT_EQ(ask(talker, "PUBLISH c m\r\n"), ":2\r\n");
  world.send(all[3], "PUNSUBSCRIBE\r\n");
  EXPECT_EQ(ask(talker, "PUBLISH c m\r\n"), ":1\r\n");
  add("SUBSCRIBE c\r\n");
  EXPECT_EQ(ask(talker, "PUBLISH c m\r\n"), ":2\r\n");
  world.lose_lane(LaneKind::Hub);
  EXPECT_EQ(ask(talker, "PUBLISH c m\r\n"), ":0\r\n");
}

// Whoever has heard it may be gone before the answer.
TEST_F(RedisCounts, WhoHasHeardItIsCounted) {
  const size_t talker = add("PING\r\n");
  const size_t a = add("SUBSCRIBE c\r\n");
  add("SUBSCRIBE c\r\n");
  world.answers = false;
  world.send(talker, "PUBLISH c m\r\n");
  world.leave(a);
  world.go_on();
  EXPECT_EQ(world.client(talker).out, ":2\r\n");
  world.answers = true;
}

// A server counts for itself what it does in a transaction.
TEST_F(RedisCounts, NotWithinTransactions) {
  const size_t talker = add("PING\r\n");
  for (int i = 0; i < 3; ++i) add("SUBSCRIBE c\r\n");
  const std::string asks = "MULTI\r\nPUBLISH c m\r\nPUBSUB NUMSUB c\r\nEXEC\r\nPUBLISH c m\r\n";
  const std::string answer = "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n*2\r\n$1\r\nc\r\n:1\r\n";
  EXPECT_EQ(ask(talker, asks), answer + ":3\r\n");
  EXPECT_EQ(ask(talker, "WATCH k\r\n" + asks), "+OK\r\n" + answer + ":3\r\n");
}

TEST_F(RedisCounts, ErrorsAndSilence) {
  const size_t talker = add("PING\r\n");
  for (int i = 0; i < 3; ++i) add("SUBSCRIBE c\r\n");
  const std::string wrong = "-ERR wrong number of arguments for 'publish' command\r\n";
  for (const std::string before : {"", "WATCH k\r\n"}) {
    ask(talker, before);
    EXPECT_EQ(ask(talker, "PUBLISH\r\nPUBLISH c\r\nPUBLISH c m m\r\nPING\r\n"),
              wrong + wrong + wrong + "+PONG\r\n");
    EXPECT_EQ(ask(talker,
                  "CLIENT REPLY OFF\r\nPUBLISH c m\r\nPUBSUB NUMSUB c\r\n"
                  "CLIENT REPLY ON\r\nPUBLISH c m\r\n"),
              "+OK\r\n:3\r\n");
  }
}

TEST(Audience, CountsEachKindByItself) {
  Audience audience;
  EXPECT_TRUE(audience.is_empty());
  audience.change(Hub::Kind::Channel, "c", 2);
  audience.change(Hub::Kind::Pattern, "c*", 3);
  audience.change(Hub::Kind::Pattern, "*c", 4);
  audience.change(Hub::Kind::Shard, "c", 5);
  audience.change(Hub::Kind::Channel, "d", 0);
  EXPECT_FALSE(audience.is_empty());
  EXPECT_EQ(audience.receivers("c"), 9);
  EXPECT_EQ(audience.receivers("cx"), 3);
  EXPECT_EQ(audience.receivers("xc"), 4);
  EXPECT_EQ(audience.receivers("x"), 0);
  EXPECT_EQ(audience.listeners(Hub::Kind::Channel, "c"), 2);
  EXPECT_EQ(audience.listeners(Hub::Kind::Shard, "c"), 5);
  EXPECT_EQ(audience.listeners(Hub::Kind::Channel, "d"), 0);
  audience.change(Hub::Kind::Channel, "c", -1);
  EXPECT_EQ(audience.listeners(Hub::Kind::Channel, "c"), 1);
  audience.change(Hub::Kind::Channel, "c", -1);
  audience.change(Hub::Kind::Pattern, "c*", -3);
  audience.change(Hub::Kind::Pattern, "*c", -4);
  audience.change(Hub::Kind::Shard, "c", -5);
  EXPECT_TRUE(audience.is_empty());
}

TEST(Audience, OfTwoThreads) {
  Audience audience;
  const auto work = [&audience] {
    for (int i = 0; i < 1'000; ++i) {
      audience.change(Hub::Kind::Channel, "c", 1);
      audience.change(Hub::Kind::Pattern, "*", 1);
      EXPECT_GE(audience.receivers("c"), 2);
      audience.change(Hub::Kind::Channel, "c", -1);
      audience.change(Hub::Kind::Pattern, "*", -1);
    }
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_TRUE(audience.is_empty());
}

// A hub that ends gives back what it has added.
TEST(Audience, AHubThatEnds) {
  const auto audience = std::make_shared<Audience>();
  ClientState clients[3];
  {
    Hub hub(audience);
    std::string ask;
    for (uint64_t id = 1; id <= 3; ++id) {
      hub.sent(id, clients[id - 1], {.kind = Hub::Kind::Channel, .names = {"c"}}, ask);
      EXPECT_EQ(hub.coming(Hub::Kind::Channel, "c"), id == 1 ? 0 : 1);
      hub.confirmed(id, "c");
      hub.end_change(id);
      EXPECT_EQ(audience->listeners(Hub::Kind::Channel, "c"), static_cast<int64_t>(id) - 1);
    }
    EXPECT_EQ(hub.coming(Hub::Kind::Channel, "c"), 0);
  }
  EXPECT_TRUE(audience->is_empty());
}

}  // namespace
}  // namespace weir::redis::script
