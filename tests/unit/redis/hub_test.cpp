// Clients that listen over one server connection: each of them hears what it would hear alone.
#include "play.h"

namespace weir::redis::script {
namespace {

constexpr LaneKind kHub = LaneKind::Hub;
Played play_shared(const std::string& bytes) { return play_with({{}, true}, bytes); }

std::string pmessage(int resp, std::string_view pattern, std::string_view channel,
                     std::string_view text) {
  return (resp == 3 ? ">4\r\n" : "*4\r\n") + bulk("pmessage") + bulk(pattern) + bulk(channel) +
         bulk(text);
}

// Some clients that listen, of whom those with an even number speak RESP3; what they were told so
// far is forgotten.
struct Crowd {
  explicit Crowd(size_t count, size_t piece = SIZE_MAX, const std::string& asks = "SUBSCRIBE c\r\n")
      : world(piece) {
    world.hub = true;
    for (size_t i = 0; i < count; ++i) {
      const size_t id = world.add_client();
      world.send(id, (resp(id) == 3 ? "HELLO 3\r\n" : "") + asks);
      world.client(id).out.clear();
      world.client(id).events.clear();
    }
    other = world.add_client();
  }
  ~Crowd() {
    EXPECT_FALSE(world.lane_failed);
    EXPECT_FALSE(world.within_a_piece);
    for (size_t id = 1; id <= other; ++id)
      if (!world.client(id).over) world.leave(id);
    world.go_on();
    EXPECT_TRUE(world.all_are_idle());
    EXPECT_FALSE(world.leaked);
  }
  static int resp(size_t id) { return id % 2 == 0 ? 3 : 2; }
  std::string hear(size_t id) { return std::exchange(world.client(id).out, {}); }
  void publish(const std::string& channel, const std::string& text) {
    world.send(other, command({"PUBLISH", channel, text}));
  }

  World world;
  size_t other;
};

// ---------------------------------------------------------------- the same words as alone

// redis R42, R43, R44, R45
TEST(RedisHub, OneClientCannotTell) {
  for (const std::string& script : std::vector<std::string>{
           "SUBSCRIBE a\r\nGET k\r\nPING\r\nPING x\r\nPING x y\r\nCLIENT ID\r\nSELECT "
           "1\r\nMULTI\r\n"
           "HELLO 3\r\nUNSUBSCRIBE a\r\nGET k\r\nCLIENT ID\r\n",
           "SUBSCRIBE a\r\nQUIT\r\n",
           "SUBSCRIBE a\r\nRESET\r\nGET k\r\n",
           "SUBSCRIBE a\r\nRESET x\r\nSUBSCRIBE\r\nPING\r\n",
           "SUBSCRIBE a a b\r\nUNSUBSCRIBE\r\nPING\r\n",
           "SUBSCRIBE a\r\nUNSUBSCRIBE x y\r\nPUNSUBSCRIBE\r\nSUNSUBSCRIBE z\r\nPING\r\n",
           "SUBSCRIBE a b\r\nPSUBSCRIBE p q\r\nSSUBSCRIBE s\r\nUNSUBSCRIBE\r\nUNSUBSCRIBE\r\n"
           "PUNSUBSCRIBE\r\nSUNSUBSCRIBE\r\nGET k\r\n",
           "subscribe a\r\n" + command({"Subscribe", "b", ""}) +
               command({"UnSubScribe", "a", "b", ""}),
           "UNSUBSCRIBE\r\nSUBSCRIBE\r\nPING\r\n",
           "SUBSCRIBE a\r\n*x\r\n",
           "GET k\r\nSUBSCRIBE a\r\nUNSUBSCRIBE a\r\nSUBSCRIBE a\r\nUNSUBSCRIBE\r\nGET k\r\n",
           "LRANGE l 0 -1\r\nSUBSCRIBE a\r\nUNSUBSCRIBE a\r\nLRANGE l 0 -1\r\nPING\r\n",
           "EVAL x\r\nSUBSCRIBE a\r\nUNSUBSCRIBE a\r\nEVAL x\r\n",
           "SELECT 1\r\nSUBSCRIBE a\r\nUNSUBSCRIBE a\r\nSET k 1\r\nGET k\r\nSELECT 0\r\nGET k\r\n",
       }) {
    EXPECT_EQ(play_shared(script).out, play(script).out) << script;
    if (script.find("HELLO") == std::string::npos) {
      const std::string three = "HELLO 3\r\n" + script;
      EXPECT_EQ(play_shared(three).out, play(three).out) << three;
    }
  }
  for (const std::string& script : std::vector<std::string>{
           "SET a 1\r\nSUBSCRIBE c\r\nSET a 2\r\nGET a\r\nUNSUBSCRIBE c\r\nGET a\r\n",
           "SUBSCRIBE c\r\nPUBLISH c m\r\nPING\r\nEVAL x\r\nPUBLISH c m\r\nLRANGE l 0 -1\r\n",
           "SUBSCRIBE c\r\nMULTI\r\nSET k 1\r\nGET k\r\nEXEC\r\nPUBLISH c m\r\nGET k\r\n",
           "SUBSCRIBE c\r\nMULTI\r\nSET k 1\r\nfoo\r\nEXEC\r\nPUBLISH c m\r\n",
           "SUBSCRIBE c\r\nWATCH k\r\nMULTI\r\nGET k\r\nEXEC\r\nPUBLISH c m\r\n",
           "SUBSCRIBE c\r\nSELECT 3\r\nSET k 3\r\nGET k\r\nSELECT 0\r\nGET k\r\nPUBLISH c m\r\n",
           "SELECT 3\r\nSUBSCRIBE c\r\nSET k 3\r\nPUBLISH c m\r\nSELECT 0\r\nGET k\r\n"
           "SUBSCRIBE d\r\nUNSUBSCRIBE\r\nGET k\r\n",
           "SUBSCRIBE c\r\nHELLO 2\r\nGET k\r\nPUBLISH c m\r\nPING\r\nUNSUBSCRIBE c\r\nGET k\r\n",
           "SUBSCRIBE c\r\nBLPOP l 0\r\nSUBSCRIBE d\r\nPUBLISH d m\r\n",
           "BLPOP l 0\r\nSUBSCRIBE d\r\nPUBLISH d m\r\nRESET\r\nGET k\r\n",
           "SUBSCRIBE c\r\nMULTI\r\nRESET\r\nGET k\r\nPUBLISH c m\r\n",
           "SUBSCRIBE c\r\nWATCH k\r\nRESET\r\nGET k\r\nHELLO\r\n",
           "SUBSCRIBE c\r\nCLIENT SETNAME me\r\nCLIENT ID\r\nRESET\r\nCLIENT GETNAME\r\n",
           "SUBSCRIBE c\r\nCLIENT REPLY OFF\r\nGET k\r\nPUBLISH c m\r\nUNSUBSCRIBE c\r\n"
           "CLIENT REPLY ON\r\nCLIENT REPLY SKIP\r\nGET k\r\nGET k\r\n",
           "SUBSCRIBE c\r\nCLIENT TRACKING ON\r\nGET k\r\nSET k 1\r\nCLIENT TRACKING OFF\r\n"
           "UNSUBSCRIBE c\r\nGET k\r\n",
       }) {
    const std::string three = "HELLO 3\r\n" + script;
    EXPECT_EQ(play_shared(three).out, play(three).out) << three;
  }
}

// One who listens uses no lease for what can go down a lane, nor for its subscriptions.
TEST(RedisHub, ListeningTakesNoLease) {
  EXPECT_EQ(play_shared("SUBSCRIBE a\r\nPING\r\nUNSUBSCRIBE a\r\nGET k\r\n").leases, 0u);
  const Played three =
      play_shared("HELLO 3\r\nSUBSCRIBE a\r\nGET k\r\nEVAL x\r\nUNSUBSCRIBE\r\nGET k\r\n");
  EXPECT_EQ(three.leases, 1u);  // of HELLO
}

TEST(RedisHub, HugeChannelNames) {
  World world(65'536);
  world.hub = true;
  const size_t a = world.add_client();
  world.send(a, "SUBSCRIBE a\r\n");
  world.client(a).out.clear();
  world.send(a, command({"SUBSCRIBE", std::string(70'000, 'c')}) + "PING\r\n");
  EXPECT_EQ(world.client(a).out, std::string(kRefusal) + "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  world.client(a).out.clear();
  world.send(a, command({"PING", std::string(70'000, 'c')}) + "UNSUBSCRIBE a\r\nGET k\r\n");
  EXPECT_EQ(world.client(a).out,
            std::string(kRefusal) + told(2, "unsubscribe", "a", 0) + "$-1\r\n");
}

// ---------------------------------------------------------------- together

TEST(RedisHub, ManyListenOverOneConnection) {
  for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{7}}) {
    Crowd crowd(20, piece);
    crowd.world.send(3, "PSUBSCRIBE c*\r\n");
    crowd.hear(3);
    crowd.publish("c", "m");
    crowd.publish("cc", "n");
    EXPECT_EQ(crowd.hear(crowd.other), ":21\r\n:1\r\n");
    for (size_t id = 1; id <= 20; ++id) {
      const std::string more =
          id == 3 ? pmessage(2, "c*", "c", "m") + pmessage(2, "c*", "cc", "n") : std::string();
      EXPECT_EQ(crowd.hear(id), message(Crowd::resp(id), "c", "m") + more) << id;
    }
    EXPECT_EQ(crowd.world.servers(), 2u);
  }
}

// Each kind is counted by itself, as a server counts them.
TEST(RedisHub, EachClientHasItsOwnCounts) {
  Crowd crowd(3);
  crowd.world.send(1, "SUBSCRIBE c d\r\n");
  EXPECT_EQ(crowd.hear(1), told(2, "subscribe", "c", 1) + told(2, "subscribe", "d", 2));
  crowd.world.send(2, "PSUBSCRIBE c*\r\nSSUBSCRIBE s\r\nUNSUBSCRIBE\r\n");
  EXPECT_EQ(crowd.hear(2), told(3, "psubscribe", "c*", 2) + told(3, "ssubscribe", "s", 1) +
                               told(3, "unsubscribe", "c", 1));
  crowd.world.send(3, "UNSUBSCRIBE d\r\nUNSUBSCRIBE c\r\n");
  EXPECT_EQ(crowd.hear(3), told(2, "unsubscribe", "d", 1) + told(2, "unsubscribe", "c", 0));
  crowd.publish("c", "m");
  EXPECT_EQ(crowd.hear(1) + crowd.hear(2) + crowd.hear(3),
            message(2, "c", "m") + pmessage(3, "c*", "c", "m"));
}

// What was published before the end of a subscription comes before the word that it has ended, and
// what was published before its beginning never comes, whoever else listens.
TEST(RedisHub, BeginningsAndEndsKeepTheirPlace) {
  Crowd crowd(3);
  crowd.world.answers = false;
  crowd.publish("c", "1");
  crowd.world.send(1, "UNSUBSCRIBE c\r\n");
  crowd.publish("c", "2");
  crowd.world.send(1, "SUBSCRIBE c\r\n");
  crowd.publish("c", "3");
  crowd.world.go_on();
  EXPECT_EQ(crowd.hear(1), message(2, "c", "1") + told(2, "unsubscribe", "c", 0) +
                               told(2, "subscribe", "c", 1) + message(2, "c", "3"));
  for (const size_t id : {2, 3})
    EXPECT_EQ(crowd.hear(id), message(Crowd::resp(id), "c", "1") +
                                  message(Crowd::resp(id), "c", "2") +
                                  message(Crowd::resp(id), "c", "3"));
  crowd.world.answers = true;
}

// The server's subscription ends with that of the last one.
TEST(RedisHub, TheLastOneEndsTheServersSubscription) {
  Crowd crowd(3);
  for (const size_t id : {1, 2, 3}) {
    crowd.publish("c", "m");
    EXPECT_EQ(crowd.hear(crowd.other), ":" + std::to_string(4 - id) + "\r\n");
    crowd.world.send(id, "UNSUBSCRIBE\r\n");
    EXPECT_EQ(crowd.hear(id),
              message(Crowd::resp(id), "c", "m") + told(Crowd::resp(id), "unsubscribe", "c", 0));
    for (const size_t each : {1, 2, 3}) crowd.hear(each);
  }
  crowd.publish("c", "m");
  EXPECT_EQ(crowd.hear(crowd.other), ":0\r\n");
  EXPECT_FALSE(crowd.world.has_lane(kHub));
  crowd.world.send(1, "SUBSCRIBE c\r\n");
  crowd.publish("c", "m");
  EXPECT_EQ(crowd.hear(1), told(2, "subscribe", "c", 1) + message(2, "c", "m"));
}

// A server refuses a command as a whole: nothing of it counts, for nobody.
TEST(RedisHub, WhatIsForbiddenIsSaidToWhoAsked) {
  Crowd crowd(2);
  crowd.world.redis.forbidden = {"f"};
  const std::string no = "-NOPERM no such channel for you\r\n";
  crowd.world.send(1, "SUBSCRIBE d f\r\nSUBSCRIBE e\r\nUNSUBSCRIBE d\r\nUNSUBSCRIBE\r\nGET k\r\n");
  EXPECT_EQ(crowd.hear(1), no + told(2, "subscribe", "e", 2) + told(2, "unsubscribe", "d", 2) +
                               told(2, "unsubscribe", "c", 1) + told(2, "unsubscribe", "e", 0) +
                               "$-1\r\n");
  crowd.world.send(crowd.other, "SUBSCRIBE f\r\nGET k\r\n");
  EXPECT_EQ(crowd.hear(crowd.other), no + "$-1\r\n");
  crowd.publish("d", "m");
  crowd.publish("c", "m");
  EXPECT_EQ(crowd.hear(1) + crowd.hear(2), message(3, "c", "m"));
}

// A name that is there twice was given up twice.
TEST(RedisHub, WhatIsForbiddenMayBeNamedTwice) {
  Crowd crowd(1);
  crowd.world.redis.forbidden = {"f"};
  crowd.world.send(crowd.other, "SUBSCRIBE f f\r\nGET k\r\n");
  EXPECT_EQ(crowd.hear(crowd.other), "-NOPERM no such channel for you\r\n$-1\r\n");
  crowd.world.send(1, "SUBSCRIBE f e f\r\n");
  EXPECT_EQ(crowd.hear(1), "-NOPERM no such channel for you\r\n");
}

// What was refused first and granted then was forgotten: the server went on with it for nobody.
TEST(RedisHub, GrantedBehindARefusal) {
  for (const std::string& last :
       std::vector<std::string>{"", "UNSUBSCRIBE c\r\n", "UNSUBSCRIBE\r\n", "RESET\r\n"}) {
    Crowd crowd(1, SIZE_MAX, "SUBSCRIBE stays\r\n");
    const size_t a = crowd.world.add_client();
    crowd.world.answers = false;
    crowd.world.redis.forbidden = {"c"};
    crowd.world.send(a, "SUBSCRIBE c d\r\n");
    crowd.world.redis.forbidden.clear();
    crowd.world.send(a, "SUBSCRIBE c\r\n");
    crowd.world.go_on();
    EXPECT_EQ(crowd.hear(a), "-NOPERM no such channel for you\r\n" + told(2, "subscribe", "c", 1));
    crowd.world.answers = true;
    crowd.publish("c", "m");
    EXPECT_EQ(crowd.hear(crowd.other), ":1\r\n");
    EXPECT_EQ(crowd.hear(a), message(2, "c", "m"));
    crowd.world.send(a, last);
    if (last.empty()) crowd.world.leave(a);
    crowd.world.go_on();
    crowd.publish("c", "m");
    crowd.publish("d", "m");
    EXPECT_EQ(crowd.hear(crowd.other), ":0\r\n:0\r\n") << last;
    if (!last.empty()) crowd.world.leave(a);
  }
}

// Who leaves, or ends it, while another one waits for what will be refused.
TEST(RedisHub, RefusedBehindTheLastListener) {
  for (const bool leaves : {false, true}) {
    Crowd crowd(2, SIZE_MAX, "SUBSCRIBE stays\r\n");
    crowd.world.send(1, "SUBSCRIBE c\r\n");
    crowd.world.redis.forbidden = {"f"};
    crowd.world.answers = false;
    crowd.world.send(2, "SUBSCRIBE c f\r\n");
    if (leaves)
      crowd.world.leave(1);
    else
      crowd.world.send(1, "UNSUBSCRIBE c\r\n");
    crowd.world.answers = true;
    crowd.world.go_on();
    EXPECT_EQ(crowd.hear(2), "-NOPERM no such channel for you\r\n");
    crowd.publish("c", "m");
    EXPECT_EQ(crowd.hear(crowd.other), ":0\r\n");
  }
}

// redis R15, R49
TEST(RedisHub, WhoIsGoneIsMissedByNobody) {
  for (const std::string& last :
       std::vector<std::string>{"", "SUBSCRIBE c d\r\n", "UNSUBSCRIBE c\r\n", "RESET\r\n",
                                "PSUBSCRIBE *\r\nUNSUBSCRIBE\r\n", "GET k\r\n"}) {
    Crowd crowd(4);
    crowd.world.answers = false;
    crowd.world.send(2, last);
    crowd.publish("c", "1");
    crowd.world.leave(2);
    crowd.publish("c", "2");
    crowd.world.answers = true;
    crowd.world.go_on();
    for (const size_t id : {1, 3, 4})
      EXPECT_EQ(crowd.hear(id),
                message(Crowd::resp(id), "c", "1") + message(Crowd::resp(id), "c", "2"))
          << last;
    EXPECT_EQ(crowd.hear(2), "") << last;
    for (const size_t id : {1, 3, 4}) crowd.world.leave(id);
    crowd.world.go_on();
    crowd.hear(crowd.other);
    crowd.publish("c", "3");
    crowd.publish("d", "3");
    EXPECT_EQ(crowd.hear(crowd.other), ":0\r\n:0\r\n") << last;
  }
}

// redis R49
TEST(RedisHub, WhoeverListensIsClosedWithTheServer) {
  Crowd crowd(3);
  crowd.world.send(crowd.other, "GET k\r\n");
  crowd.hear(crowd.other);
  crowd.world.lose_lane(kHub);
  for (const size_t id : {1, 2, 3}) {
    EXPECT_EQ(crowd.hear(id), "-ERR weir: server connection lost\r\n");
    EXPECT_EQ(crowd.world.client(id).events, " lost");
  }
  crowd.world.send(crowd.other, "GET k\r\nSUBSCRIBE c\r\n");
  EXPECT_EQ(crowd.hear(crowd.other), "$-1\r\n" + told(2, "subscribe", "c", 1));
}

// What nobody has asked for ends the hub with all who listen.
TEST(RedisHub, Surprises) {
  const std::string confirmation = told(3, "subscribe", "c", 1);
  for (const std::string& surprise : std::vector<std::string>{
           std::string("+OK\r\n"), confirmation, told(3, "sunsubscribe", "c", 0),
           std::string(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"), std::string(">1\r\n:1\r\n"),
           std::string("?"), std::string(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n?")}) {
    World world;
    world.hub = true;
    const size_t a = world.add_client();
    world.send(a, "SUBSCRIBE c\r\n");
    world.arrive(world.lane(kHub), surprise);
    EXPECT_TRUE(world.lane_failed) << surprise;
    EXPECT_EQ(world.client(a).events, " lost") << surprise;
  }
}

// ---------------------------------------------------------------- pieces

// Of a message that is longer than what comes at once each part goes on at once.
TEST(RedisHub, LongMessagesAreStreamed) {
  Crowd crowd(4);
  Server& hub = crowd.world.lane(kHub);
  const std::string text(1'000, 'x');
  const std::string push = message(3, "c", text);
  crowd.world.arrive(hub, push.substr(0, 500));
  EXPECT_EQ(crowd.world.client(1).out, "*" + push.substr(1, 499));
  EXPECT_EQ(crowd.world.client(2).out, push.substr(0, 500));
  crowd.world.leave(3);
  crowd.world.arrive(hub, push.substr(500));
  EXPECT_EQ(crowd.hear(1), message(2, "c", text));
  EXPECT_EQ(crowd.hear(2) + crowd.hear(4), push + push);
  EXPECT_EQ(crowd.hear(3), "*" + push.substr(1, 499));
}

// redis R46
TEST(RedisHub, NothingIsSaidWithinAMessage) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"CLIENT ID\r\n", ":9002\r\n"},
      {"QUIT\r\n", "+OK\r\n"},
      {"*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
      {"MULTI\r\n", "+OK\r\n"},
      {"BLPOP l 0\r\n", "_\r\n"},
      {"RESET\r\n", "+RESET\r\n"}};
  for (const auto& [own, answer] : cases) {
    Crowd crowd(2);
    const std::string push = message(3, "c", "0123456789");
    Server& hub = crowd.world.lane(kHub);
    crowd.world.arrive(hub, push.substr(0, push.size() - 7));
    crowd.world.answers = false;
    crowd.world.send(2, own);
    EXPECT_TRUE(push.starts_with(crowd.world.client(2).out)) << own << crowd.world.client(2).out;
    crowd.world.arrive(hub, push.substr(push.size() - 7));
    crowd.world.answers = true;
    crowd.world.go_on();
    EXPECT_EQ(crowd.hear(2), push + answer) << own;
    EXPECT_EQ(crowd.hear(1), message(2, "c", "0123456789")) << own;
  }
}

// redis R46. Answers of the server that it holds, and messages of the one that it listens to.
TEST(RedisHub, NoMessageStandsInsideAnAnswer) {
  for (size_t place = 0; place <= 4; ++place) {
    Crowd crowd(2);
    crowd.world.send(2, "WATCH k\r\n");
    crowd.hear(2);
    Server& lease = *crowd.world.client(2).lease;
    Server& hub = crowd.world.lane(kHub);
    const std::string push = message(3, "c", "0123456789"), answer = "$10\r\n0123456789\r\n";
    crowd.world.answers = false;
    crowd.world.send(2, "GET k\r\n");
    lease.coming.clear();
    size_t answered = 0, pushed = 0;
    const auto next = [&](bool more_of_answer) {
      const auto cut = [](const std::string& text, size_t& from) {
        const std::string part = text.substr(from, (text.size() + 2) / 3);
        from += part.size();
        return part;
      };
      if (more_of_answer)
        crowd.world.arrive(lease, cut(answer, answered));
      else
        crowd.world.arrive(hub, cut(push, pushed));
    };
    // The message comes in three parts, so does the answer, in all ways of mixing them.
    const std::vector<std::string> orders{"aappap", "pappaa", "apppaa", "pppaaa", "apaapp"};
    for (const char each : orders[place]) next(each == 'a');
    const std::string got = crowd.hear(2);
    EXPECT_TRUE(got == push + answer || got == answer + push) << got;
    crowd.world.answers = true;
  }
}

// ---------------------------------------------------------------- elsewhere

// A server sends invalidations to a connection that another client names: it has to be its own.
TEST(RedisHub, InvalidationsNeedAConnectionOfTheirOwn) {
  World world;
  world.hub = true;
  const size_t a = world.add_client(), b = world.add_client(), c = world.add_client();
  world.send(a, "SUBSCRIBE __redis__:invalidate\r\n");
  EXPECT_NE(world.client(a).lease, nullptr);
  world.send(b, "SUBSCRIBE c\r\n");
  EXPECT_EQ(world.client(b).lease, nullptr);
  world.send(c, "CLIENT TRACKING ON REDIRECT 9001\r\n");
  EXPECT_EQ(world.client(c).out, "+OK\r\n");
  world.send(c, "RESET\r\n");
  world.client(c).out.clear();
  world.send(c, "CLIENT TRACKING ON REDIRECT 9002\r\n");
  EXPECT_EQ(world.client(c).out, "-ERR The client ID you want redirect to does not exist\r\n");
}

TEST(RedisHub, WhoListensIsListedSo) {
  World world;
  world.hub = true;
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "HELLO 3\r\nSUBSCRIBE c d\r\nPSUBSCRIBE p\r\nSSUBSCRIBE s\r\nCLIENT INFO\r\n");
  EXPECT_NE(world.client(a).out.find(" flags=P "), std::string::npos);
  EXPECT_NE(world.client(a).out.find(" sub=2 psub=1 ssub=1 "), std::string::npos);
  world.send(b, "CLIENT KILL TYPE pubsub\r\n");
  EXPECT_TRUE(world.client(a).over);
}

// A transaction holds another server: there a client that listens elsewhere cannot subscribe.
TEST(RedisHub, NobodyIsSubscribedAtTwoPlaces) {
  EXPECT_EQ(
      play_shared("HELLO 3\r\nSUBSCRIBE c\r\nMULTI\r\nSUBSCRIBE d\r\nEXEC\r\nUNSUBSCRIBE c\r\n"
                  "GET k\r\n")
          .out,
      greeting(3) + told(3, "subscribe", "c", 1) + "+OK\r\n" + std::string(kRefusal) +
          "-EXECABORT Transaction discarded because of previous errors.\r\n" +
          told(3, "unsubscribe", "c", 0) + "_\r\n");
  // Who does not listen yet is pinned.
  const std::string first =
      "HELLO 3\r\nMULTI\r\nSUBSCRIBE d\r\nEXEC\r\nSUBSCRIBE e\r\n"
      "UNSUBSCRIBE\r\nGET k\r\n";
  EXPECT_EQ(play_shared(first).out, play(first).out);
}

}  // namespace
}  // namespace weir::redis::script
