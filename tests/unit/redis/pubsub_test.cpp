// What comes without being asked for: messages, invalidations, MONITOR.
#include "play.h"

namespace weir::redis::script {
namespace {

// redis R42
TEST(RedisPubsub, WhoSubscribesInResp2CanDoLittleElse) {
  const Played played = play(
      "SUBSCRIBE a\r\nGET k\r\nPING\r\nPING x\r\nCLIENT ID\r\nSELECT 1\r\nMULTI\r\nHELLO 3\r\n"
      "UNSUBSCRIBE a\r\nGET k\r\nCLIENT ID\r\n");
  EXPECT_EQ(played.out, told(2, "subscribe", "a", 1) + only_subscribes("get") +
                            "*2\r\n$4\r\npong\r\n$0\r\n\r\n*2\r\n$4\r\npong\r\n$1\r\nx\r\n" +
                            only_subscribes("client|id") + only_subscribes("select") +
                            only_subscribes("multi") + only_subscribes("hello") +
                            told(2, "unsubscribe", "a", 0) + "$-1\r\n:9001\r\n");
  EXPECT_TRUE(played.events.ends_with(" end"));
  EXPECT_EQ(play("SUBSCRIBE a\r\nQUIT\r\n").out, told(2, "subscribe", "a", 1) + "+OK\r\n");
  EXPECT_EQ(play("SUBSCRIBE a\r\nRESET\r\nGET k\r\n").out,
            told(2, "subscribe", "a", 1) + "+RESET\r\n$-1\r\n");
}

// redis R43
TEST(RedisPubsub, ConfirmationsAreCounted) {
  const Played played = play("SUBSCRIBE a a b\r\nUNSUBSCRIBE\r\nPING\r\n");
  EXPECT_EQ(played.out, told(2, "subscribe", "a", 1) + told(2, "subscribe", "a", 1) +
                            told(2, "subscribe", "b", 2) + told(2, "unsubscribe", "a", 1) +
                            told(2, "unsubscribe", "b", 0) + "+PONG\r\n");
  EXPECT_EQ(played.events, " lease end");
  for (const int resp : {2, 3}) {
    const std::string hello = resp == 3 ? "HELLO 3\r\n" : "";
    const std::string said = resp == 3 ? greeting(3) : "";
    const Played none = play(hello + "UNSUBSCRIBE\r\nPING\r\n");
    EXPECT_EQ(none.out, said + told(resp, "unsubscribe", "", 0) + "+PONG\r\n");
    EXPECT_TRUE(none.events.ends_with(" end"));
    EXPECT_EQ(play(hello + "UNSUBSCRIBE x y\r\nPUNSUBSCRIBE\r\nSUNSUBSCRIBE z\r\nPING\r\n").out,
              said + told(resp, "unsubscribe", "x", 0) + told(resp, "unsubscribe", "y", 0) +
                  told(resp, "punsubscribe", "", 0) + told(resp, "sunsubscribe", "z", 0) +
                  "+PONG\r\n");
    const Played mixed = play(hello +
                              "SUBSCRIBE a\r\nPSUBSCRIBE p q\r\nSSUBSCRIBE s\r\nUNSUBSCRIBE\r\n"
                              "UNSUBSCRIBE\r\nPUNSUBSCRIBE\r\nSUNSUBSCRIBE\r\nGET k\r\n");
    EXPECT_EQ(mixed.out,
              said + told(resp, "subscribe", "a", 1) + told(resp, "psubscribe", "p", 2) +
                  told(resp, "psubscribe", "q", 3) + told(resp, "ssubscribe", "s", 1) +
                  told(resp, "unsubscribe", "a", 2) + told(resp, "unsubscribe", "", 2) +
                  told(resp, "punsubscribe", "p", 1) + told(resp, "punsubscribe", "q", 0) +
                  told(resp, "sunsubscribe", "s", 0) + (resp == 3 ? "_\r\n" : "$-1\r\n"));
    EXPECT_TRUE(mixed.events.ends_with(" end"));
  }
  EXPECT_EQ(play("SUBSCRIBE\r\nPING\r\n").out,
            "-ERR wrong number of arguments for 'subscribe' command\r\n+PONG\r\n");
}

// What confirms a subscription is kept until it is whole: so a command of many or huge names is
// refused.
TEST(RedisPubsub, HugeChannelNames) {
  World world(65'536);
  const size_t a = world.add_client();
  world.send(a, command({"SUBSCRIBE", std::string(70'000, 'c')}) + "PING\r\n");
  EXPECT_EQ(world.client(a).out, std::string(kRefusal) + "+PONG\r\n");
  EXPECT_EQ(world.client(a).events, " lease end");
}

// redis R44
TEST(RedisPubsub, ConfirmationsKeepTheirPlace) {
  EXPECT_EQ(
      play("HELLO 3\r\nSET a 1\r\nSUBSCRIBE c\r\nSET a 2\r\nGET a\r\nUNSUBSCRIBE c\r\nGET a\r\n")
          .out,
      greeting(3) + "+OK\r\n" + told(3, "subscribe", "c", 1) + "+OK\r\n$1\r\n2\r\n" +
          told(3, "unsubscribe", "c", 0) + "$1\r\n2\r\n");
}

// redis R45
TEST(RedisPubsub, OnesOwnMessageComesBeforeTheCount) {
  EXPECT_EQ(play("HELLO 3\r\nSUBSCRIBE c\r\nPUBLISH c m\r\nPING\r\n").out,
            greeting(3) + told(3, "subscribe", "c", 1) + message(3, "c", "m") + ":1\r\n+PONG\r\n");
}

TEST(RedisPubsub, MessagesOfOthersPass) {
  for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{5}}) {
    World world(piece);
    const size_t a = world.add_client(), b = world.add_client(), c = world.add_client();
    world.send(a, "SUBSCRIBE c\r\n");
    world.send(b, "HELLO 3\r\nPSUBSCRIBE ?\r\n");
    world.client(a).out.clear();
    world.client(b).out.clear();
    world.send(c, "PUBLISH c m\r\nPUBLISH d m\r\n");
    EXPECT_EQ(world.client(a).out, message(2, "c", "m"));
    EXPECT_EQ(world.client(b).out, ">4\r\n" + bulk("pmessage") + bulk("?") + bulk("c") + bulk("m") +
                                       ">4\r\n" + bulk("pmessage") + bulk("?") + bulk("d") +
                                       bulk("m"));
    EXPECT_EQ(world.client(c).out, ":2\r\n:1\r\n");
    // Others may have redirected their invalidations to it.
    EXPECT_EQ(world.link().condition(world.client(a).lease->state), Condition::Broken);
  }
}

// An answer that looks like a message is one where there are no subscriptions.
TEST(RedisPubsub, AnswersThatLookLikeMessages) {
  const std::string answer = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nl\r\n";
  EXPECT_EQ(play("LRANGE l 0 -1\r\nSUBSCRIBE a\r\nUNSUBSCRIBE a\r\nLRANGE l 0 -1\r\nPING\r\n").out,
            answer + told(2, "subscribe", "a", 1) + told(2, "unsubscribe", "a", 0) + answer +
                "+PONG\r\n");
  EXPECT_EQ(play("HELLO 3\r\nSUBSCRIBE a\r\nLRANGE l 0 -1\r\nPING\r\n").out,
            greeting(3) + told(3, "subscribe", "a", 1) + answer + "+PONG\r\n");
}

// redis R46
TEST(RedisPubsub, NothingIsSaidWithinAPush) {
  for (const std::string own : {"CLIENT ID\r\n", "QUIT\r\n", "*x\r\n"}) {
    World world;
    const size_t a = world.add_client();
    world.send(a, "HELLO 3\r\nSUBSCRIBE c\r\n");
    world.client(a).out.clear();
    const std::string push = message(3, "c", "0123456789");
    Server& server = *world.client(a).lease;
    world.arrive(server, push.substr(0, push.size() - 7));
    world.send(a, own);
    EXPECT_TRUE(push.starts_with(world.client(a).out)) << own << world.client(a).out;
    if (world.client(a).lease) world.arrive(server, push.substr(push.size() - 7));
    EXPECT_TRUE(world.client(a).out.starts_with(push)) << own << world.client(a).out;
    EXPECT_GT(world.client(a).out.size(), push.size()) << own;
  }
}

// redis R47
TEST(RedisPubsub, ResetEndsSubscriptionsWithoutAWord) {
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "HELLO 3\r\nSUBSCRIBE c d\r\n");
  world.client(a).out.clear();
  world.answers = false;
  world.send(b, "PUBLISH c m\r\n");
  world.send(a, "RESET\r\n");
  world.go_on();
  world.answers = true;
  EXPECT_EQ(world.client(a).out, message(3, "c", "m") + "+RESET\r\n");
  world.send(b, "PUBLISH c m\r\n");
  world.send(a, "GET k\r\n");
  EXPECT_EQ(world.client(a).out, message(3, "c", "m") + "+RESET\r\n$-1\r\n");
  EXPECT_EQ(world.client(a).lease, nullptr);
}

// redis R49
TEST(RedisPubsub, WhoLosesItsServerIsTold) {
  World world;
  const size_t a = world.add_client();
  world.send(a, "SUBSCRIBE c\r\n");
  world.client(a).lease->model->closed = true;
  world.go_on();
  EXPECT_EQ(world.client(a).out,
            told(2, "subscribe", "c", 1) + "-ERR weir: server connection lost\r\n");
  EXPECT_EQ(world.client(a).events, " lease lost");
}

// ---------------------------------------------------------------- in transactions

// redis R34
TEST(RedisPubsub, SubscribeInATransactionResp3) {
  const std::string channels = "MULTI\r\nSUBSCRIBE a\r\nPING\r\nSUBSCRIBE b\r\nEXEC\r\n";
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "HELLO 3\r\n" + channels);
  world.send(b, "PUBLISH b m\r\n");
  world.send(a, "UNSUBSCRIBE\r\nGET k\r\n");
  EXPECT_EQ(world.client(a).out, greeting(3) + "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n" +
                                     told(3, "subscribe", "a", 1) + "+PONG\r\n" +
                                     told(3, "subscribe", "b", 2) + message(3, "b", "m") +
                                     told(3, "unsubscribe", "a", 1) +
                                     told(3, "unsubscribe", "b", 0) + "_\r\n");
  EXPECT_EQ(world.client(a).lease, nullptr);
}

// redis R34. In RESP2 the server refuses weir's CLIENT INFO behind EXEC, and the hold used to end.
TEST(RedisPubsub, SubscribeInATransactionResp2) {
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "MULTI\r\nSUBSCRIBE a\r\nEXEC\r\n");
  const std::string said = "+OK\r\n+QUEUED\r\n*1\r\n" + told(2, "subscribe", "a", 1);
  EXPECT_EQ(world.client(a).out, said);
  EXPECT_EQ(world.client(a).events, " lease");
  world.send(b, "PUBLISH a m\r\n");
  EXPECT_EQ(world.client(b).out, ":1\r\n");
  EXPECT_EQ(world.client(a).out, said + message(2, "a", "m"));
  world.send(a, "UNSUBSCRIBE\r\n");
  EXPECT_EQ(world.client(a).out, said + message(2, "a", "m") + told(2, "unsubscribe", "a", 0));
}

// redis R34. Redis counts them as one of EXEC's elements, so that nobody could say where the answer
// ends: weir's own question behind it was answered to the client.
TEST(RedisPubsub, SubscribeToManyInATransactionIsRefused) {
  for (const std::string what : {"SUBSCRIBE a b", "UNSUBSCRIBE", "PUNSUBSCRIBE a b"}) {
    const Played played = play("MULTI\r\n" + what + "\r\nEXEC\r\nPING\r\n");
    EXPECT_EQ(played.out,
              "+OK\r\n" + std::string(kRefusal) +
                  "-EXECABORT Transaction discarded because of previous errors.\r\n+PONG\r\n");
    EXPECT_EQ(played.events, " lease end");
  }
}

// ---------------------------------------------------------------- tracking, MONITOR

// redis R58
TEST(RedisPubsub, InvalidationsPass) {
  World world(2);
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "HELLO 3\r\nCLIENT TRACKING ON\r\nGET k\r\n");
  world.send(b, "SET k 1\r\nSET k 2\r\n");
  const std::string push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
  EXPECT_EQ(world.client(a).out, greeting(3) + "+OK\r\n_\r\n" + push);
  world.send(a, "MULTI\r\nGET k\r\nSET k 3\r\nEXEC\r\n");
  EXPECT_TRUE(world.client(a).out.ends_with("*2\r\n$1\r\n2\r\n+OK\r\n" + push));
  world.send(a, "CLIENT TRACKING OFF\r\n");
  EXPECT_EQ(world.client(a).lease, nullptr);
}

// redis R61
TEST(RedisPubsub, MonitorEndsWithReset) {
  World world(4);
  const size_t a = world.add_client(), b = world.add_client();
  world.answers = false;
  for (const size_t each : {a, b}) world.send(each, "WATCH k\r\nUNWATCH\r\n");
  world.answers = true;  // two servers are there, so that their logins are not seen
  world.go_on();
  world.client(a).out.clear();
  world.client(a).events.clear();
  world.send(a, "MONITOR\r\n");
  world.send(b, "PING\r\n");
  const std::string line = "+123.456 [0 127.0.0.1:1] \"PING\"\r\n";
  EXPECT_EQ(world.client(a).out, "+OK\r\n" + line);
  world.send(a, "PING\r\nRESET\r\n");
  EXPECT_EQ(world.client(a).out, "+OK\r\n" + line + "+PONG\r\n" + line + "+RESET\r\n");
  EXPECT_EQ(world.client(a).events, " lease end");
  world.send(b, "PING\r\n");
  EXPECT_TRUE(world.client(a).out.ends_with("+RESET\r\n"));
}

}  // namespace
}  // namespace weir::redis::script
