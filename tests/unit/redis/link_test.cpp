// Whole relays between clients, a lane, leases and a small model of a server.
#include "play.h"

namespace weir::redis::script {
namespace {

// redis R01, R02, R03, R05, R11, R13
TEST(RedisLink, CommandsWithoutStateShareALane) {
  EXPECT_EQ(play("\r\n*0\r\n*-1\r\nPING\r\n").out, "+PONG\r\n");
  EXPECT_EQ(play("PING\n").out, "+PONG\r\n");
  EXPECT_EQ(play("*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n").out, "+PONG\r\n+PONG\r\n");
  EXPECT_EQ(play(command({"NOSUCH", "a"}) + "PING\r\n").out,
            "-ERR unknown command 'NOSUCH', with args beginning with: \r\n+PONG\r\n");
  const std::string value("a\0\r\n*3\r\n$1\r\n", 12);
  const Played binary = play(command({"SET", "", value}) + command({"GET", ""}));
  EXPECT_EQ(binary.out, "+OK\r\n$12\r\n" + value + "\r\n");
  EXPECT_EQ(binary.leases, 0u);
}

// redis R04, R06, R09, R10
TEST(RedisLink, FaultsAreSaidAfterTheAnswersBefore) {
  const std::vector<std::pair<std::string, std::string>> faults{
      {"*+1\r\n", "invalid multibulk length"},
      {"*01\r\n", "invalid multibulk length"},
      {"*1\r\n$00000004\r\n", "invalid bulk length"},
      {"*1\r\n$4 \r\n", "invalid bulk length"},
      {"*2\r\n$4\r\nECHO\r\n$-1\r\n", "invalid bulk length"},
      {"*1\r\n+PING\r\n", "expected '$', got '+'"},
      {"PING 'a b\r\n", "unbalanced quotes in request"},
  };
  for (const auto& [bytes, text] : faults) {
    const Played played = play("PING\r\n" + bytes + "PING\r\n");
    EXPECT_EQ(played.out, "+PONG\r\n-ERR Protocol error: " + text + "\r\n");
    EXPECT_EQ(played.events, " fail");
    EXPECT_EQ(played.leases, 0u);
  }
  EXPECT_EQ(play("PING\r\nPOST / HTTP/1.1\r\n").out, "+PONG\r\n");
  EXPECT_EQ(play("Host: x\r\n").events, " fail");
  EXPECT_EQ(play("SET /x y\r\nGET /x\r\n").out, "+OK\r\n$1\r\ny\r\n");
}

TEST(RedisLink, AFaultOnALeaseIsSaidByTheServer) {
  const Played played = play("MULTI\r\nPING\r\n*1\r\n+x\r\n");
  EXPECT_TRUE(
      played.out.starts_with("+OK\r\n+QUEUED\r\n-ERR Protocol error: expected '$', got '+'\r\n"));
}

// redis R60
TEST(RedisLink, QuitIsAnsweredBehindAllElse) {
  Played played = play("PING\r\nQUIT\r\nPING\r\n");
  EXPECT_EQ(played.out, "+PONG\r\n+OK\r\n");
  EXPECT_EQ(played.events, " leave");
  EXPECT_EQ(played.leases, 0u);
  EXPECT_EQ(play("QUIT\r\n").out, "+OK\r\n");
  EXPECT_EQ(play("MULTI\r\nPING\r\nEXEC\r\nQUIT\r\nPING\r\n").out,
            "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n+OK\r\n");
}

TEST(RedisLink, WhatMakesADebuggerOfAConnectionIsRefused) {
  const std::string refusal(kRefusal);
  const std::string debug = "SCRIPT DEBUG YES\r\n";
  const Played played = play("PING\r\n" + debug + "PING\r\n");
  EXPECT_EQ(played.out, "+PONG\r\n" + refusal + "+PONG\r\n");
  EXPECT_EQ(played.leases, 0u);
  for (const std::string& refused : {debug, std::string("CLIENT REPLY OFF\r\n")})
    EXPECT_EQ(play("MULTI\r\n" + refused + "EXEC\r\nPING\r\n").out,
              "+OK\r\n" + refusal +
                  "-EXECABORT Transaction discarded because of previous errors.\r\n+PONG\r\n");
  const std::string large = "*3\r\n$6\r\nSCRIPT\r\n$5\r\nDEBUG\r\n$70000\r\n";
  EXPECT_EQ(play(large + std::string(70'000, 'x') + "\r\nPING\r\n").out, refusal + "+PONG\r\n");
}

TEST(RedisLink, AReplicaGetsTheBytesUnseen) {
  World world(3);
  const size_t a = world.add_client();
  world.send(a, "PING\r\nSYNC\r\n");
  world.send(a, "\r\nnonsense '\r\n");
  EXPECT_EQ(world.client(a).out,
            "+PONG\r\n\n$4\r\nRDB!-ERR unknown command 'nonsense', with args beginning with: \r\n");
  Server& server = *world.client(a).lease;
  EXPECT_TRUE(world.link().is_open_ended(server.state));
  EXPECT_TRUE(world.link().is_mid_piece(server.state));
  world.leave(a);
  EXPECT_TRUE(server.model->closed);
  EXPECT_EQ(play("MULTI\r\nPSYNC ? -1\r\nEXEC\r\n").out,
            "+OK\r\n-ERR unknown command 'PSYNC', with args beginning with: \r\n"
            "-EXECABORT Transaction discarded because of previous errors.\r\n");
}

// redis R28, R29
TEST(RedisLink, ATransactionHoldsALease) {
  const auto split = [](const std::string& first, const std::string& second) {
    return play_in({first, second}, SIZE_MAX, {});
  };
  const Played played = split("MULTI\r\n", "SET a 1\r\nGET a\r\nEXEC\r\nGET a\r\n");
  EXPECT_EQ(played.out, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\n1\r\n$1\r\n1\r\n");
  EXPECT_EQ(played.events, " lease end");
  EXPECT_EQ(play("EXEC\r\n").out, "-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(play("EXEC\r\n").events, " lease end");
  const Played nested = play("MULTI\r\nMULTI\r\nWATCH a\r\nEXEC\r\n");
  EXPECT_EQ(nested.out,
            "+OK\r\n-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not "
            "allowed\r\n*0\r\n");
  EXPECT_EQ(nested.events, " lease end");
  const Played spoilt = split("MULTI\r\n", "foo\r\nEXEC\r\n");
  EXPECT_EQ(spoilt.events, " lease end");
  EXPECT_EQ(play("MULTI\r\nPING\r\nDISCARD\r\nDISCARD\r\n").events, " lease end");
  // EXEC ends the transaction even if it is malformed; DISCARD does not.
  EXPECT_EQ(play("MULTI\r\nEXEC x\r\nGET a\r\n").events, " lease end");
  EXPECT_EQ(play("MULTI\r\nDISCARD x\r\nGET a\r\n").events, " lease");
  EXPECT_EQ(play("MULTI x\r\nGET a\r\n").events, " lease end");
}

// redis R27, R29
TEST(RedisLink, AWholeTransactionGoesDownALane) {
  const std::string body = "SET a 1\r\nGET a\r\n";
  const Played whole = play("MULTI\r\n" + body + "EXEC\r\nGET a\r\n");
  EXPECT_EQ(whole.out, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\n1\r\n$1\r\n1\r\n");
  EXPECT_EQ(whole.leases, 0u);
  const Played spoilt = play("MULTI\r\nfoo\r\nPING\r\nEXEC\r\nPING\r\n");
  EXPECT_TRUE(spoilt.out.ends_with(
      "+QUEUED\r\n-EXECABORT Transaction discarded because of previous errors.\r\n+PONG\r\n"));
  EXPECT_EQ(spoilt.leases, 0u);
  for (const std::string other : {"SELECT 1\r\n", "BLPOP a 0\r\n", "MULTI\r\n", "DISCARD\r\n",
                                  "CLIENT ID\r\n", "HELLO 3\r\n", "RESET\r\n", "MULTI x\r\n"})
    EXPECT_GE(play("MULTI\r\n" + body + other + "EXEC\r\n").leases, 1u) << other;
  EXPECT_EQ(play("MULTI\r\n" + body + "EXEC x\r\nPING\r\n").leases, 1u);
  EXPECT_EQ(play("MULTI\r\n" + body).leases, 1u);
  std::string many = "MULTI\r\n";
  for (int i = 0; i < 2000; ++i) many += "PING\r\n";
  EXPECT_EQ(play_in({many + "EXEC\r\n"}, SIZE_MAX, {}).leases, 1u);
}

// redis R27
TEST(RedisLink, WholeTransactionsDoNotMixEither) {
  World world;
  const size_t a = world.add_client(), b = world.add_client(), c = world.add_client();
  world.answers = false;
  world.send(a, "MULTI\r\nSET k a\r\nGET k\r\nEXEC\r\n");
  world.send(b, "MULTI\r\nSET k b\r\nGET k\r\nEXEC\r\n");
  world.send(c, "GET k\r\n");
  world.go_on();
  EXPECT_EQ(world.client(a).out, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\na\r\n");
  EXPECT_EQ(world.client(b).out, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\nb\r\n");
  EXPECT_EQ(world.client(c).out, "$1\r\nb\r\n");
  EXPECT_EQ(world.servers(), 1u);
}

// redis R30
TEST(RedisLink, AWatchHoldsALeaseToo) {
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "WATCH k\r\n");
  world.send(a, "GET k\r\n");
  EXPECT_NE(world.client(a).lease, nullptr);
  world.send(b, "SET k 1\r\n");
  world.send(a, "MULTI\r\nPING\r\nEXEC\r\n");
  EXPECT_EQ(world.client(a).out, "+OK\r\n$-1\r\n+OK\r\n+QUEUED\r\n*-1\r\n");
  EXPECT_EQ(world.client(a).events, " lease end");
  EXPECT_EQ(world.client(b).events, "");
  world.send(a, "WATCH k\r\nUNWATCH\r\n");
  EXPECT_EQ(world.client(a).events, " lease end lease end");
  EXPECT_EQ(play("WATCH k\r\nSET k 1\r\nMULTI\r\nPING\r\nEXEC\r\n").out,
            "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n");
  EXPECT_TRUE(play("HELLO 3\r\nWATCH k\r\nSET k 1\r\nMULTI\r\nPING\r\nEXEC\r\n")
                  .out.ends_with("+QUEUED\r\n_\r\n"));
  EXPECT_TRUE(play("WATCH k\r\nSELECT 1\r\nSET k 1\r\nMULTI\r\nPING\r\nEXEC\r\n")
                  .out.ends_with("*1\r\n+PONG\r\n"));
}

// redis R27
TEST(RedisLink, TransactionsDoNotMix) {
  World world;
  const size_t a = world.add_client(), b = world.add_client(), c = world.add_client();
  world.send(a, "MULTI\r\n");
  world.send(b, "MULTI\r\n");
  world.send(a, "SET k a\r\n");
  world.send(c, "GET k\r\n");
  world.send(b, "SET k b\r\n");
  world.send(b, "EXEC\r\n");
  world.send(a, "GET k\r\n");
  world.send(a, "EXEC\r\n");
  EXPECT_EQ(world.client(a).out, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\na\r\n");
  EXPECT_EQ(world.client(b).out, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  EXPECT_EQ(world.client(c).out, "$-1\r\n");
}

// redis R32
TEST(RedisLink, WhoLeavesInATransactionLeavesNothing) {
  for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{7}}) {
    World world(piece);
    const size_t a = world.add_client(), b = world.add_client();
    world.send(a, "WATCH k\r\nMULTI\r\nSET k 1\r\n");
    world.answers = false;
    world.send(a, "SET k 2\r\nGET k\r\n");  // and the answers are never seen
    world.leave(a);
    world.answers = true;
    world.send(b, "MULTI\r\nGET k\r\nEXEC\r\n");
    EXPECT_EQ(world.client(b).out, "+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n");
    EXPECT_EQ(world.servers(), 1u);
  }
}

// redis R14
TEST(RedisLink, EachGetsItsOwnInItsOwnOrder) {
  for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{3}, size_t{1000}}) {
    World world(piece);
    std::vector<std::string> expected(101);
    for (size_t id = 1; id <= 100; ++id) EXPECT_EQ(world.add_client(), id);
    for (int round = 0; round < 20; ++round) {
      world.answers = false;
      for (size_t id = 1; id <= 100; ++id) {
        const std::string tag = std::to_string(id) + ":" + std::to_string(round);
        world.send(id, command({"ECHO", tag}) + command({"SET", "k" + std::to_string(id), tag}) +
                           command({"GET", "k" + std::to_string(id)}));
        expected[id] += ModelConnection::bulk(tag) + "+OK\r\n" + ModelConnection::bulk(tag);
      }
      world.answers = true;
      world.go_on();
    }
    for (size_t id = 1; id <= 100; ++id) EXPECT_EQ(world.client(id).out, expected[id]);
    EXPECT_EQ(world.servers(), 1u);
  }
}

// redis R15
TEST(RedisLink, AnswersForTheGoneAreNobodysElse) {
  World world(5);
  const size_t a = world.add_client(), b = world.add_client();
  world.answers = false;
  world.send(a, "ECHO a1\r\nECHO a2\r\n");
  world.send(b, "ECHO b1\r\n");
  world.send(a, "ECHO a3\r\n");
  world.send(b, "ECHO b2\r\n");
  world.leave(a);
  world.go_on();
  EXPECT_EQ(world.client(b).out, "$2\r\nb1\r\n$2\r\nb2\r\n");
  EXPECT_EQ(world.client(a).out, "");
  EXPECT_TRUE(world.all_are_idle());
}

// redis R20
TEST(RedisLink, ASurpriseOnALaneGoesToNobody) {
  const std::string push = ">2\r\n$3\r\nfoo\r\n$3\r\nbar\r\n";
  for (const std::string& surprise :
       {std::string("+STRAY\r\n"), push, std::string("hello"), std::string("*x\r\n")}) {
    World world;
    const size_t a = world.add_client(), b = world.add_client();
    world.answers = false;
    world.send(a, "ECHO 1\r\n");
    world.arrive(world.lane(), "$1\r\n1\r\n" + surprise);
    EXPECT_EQ(world.client(a).out, "$1\r\n1\r\n");
    EXPECT_TRUE(world.lane_failed);
    EXPECT_FALSE(world.client(a).over);  // it was owed nothing any more
    world.answers = true;
    world.send(b, "PING\r\n");
    EXPECT_EQ(world.client(b).out, "+PONG\r\n");
    EXPECT_EQ(world.servers(), 2u);
  }
  World world;
  const size_t a = world.add_client();
  world.answers = false;
  world.send(a, "ECHO 1\r\n");
  world.arrive(world.lane(), push + "$1\r\n1\r\n");
  EXPECT_EQ(world.client(a).out, "-ERR weir: the answer does not fit\r\n");
  EXPECT_EQ(world.client(a).events, " lost");
  EXPECT_TRUE(world.lane_failed);
}

// redis R20
TEST(RedisLink, ASurpriseOnALeaseEndsItsClient) {
  World world;
  const size_t a = world.add_client();
  world.send(a, "WATCH k\r\n");
  Server& server = *world.client(a).lease;
  world.arrive(server, "+STRAY\r\n");
  EXPECT_TRUE(world.client(a).out.starts_with("+OK\r\n-ERR "));
  EXPECT_EQ(world.client(a).events, " lease fail");
  EXPECT_TRUE(server.model->closed);
}

// redis R18
TEST(RedisLink, OrderHoldsAcrossLaneAndLease) {
  World world;
  const size_t a = world.add_client();
  world.answers = false;
  world.send(a, "SET k 1\r\nWATCH k\r\nMULTI\r\nGET k\r\nEXEC\r\nSET k 2\r\n");
  EXPECT_EQ(world.client(a).lease, nullptr);  // the lane owes an answer
  EXPECT_FALSE(world.client(a).in.empty());
  world.answers = true;
  world.go_on();
  EXPECT_EQ(world.client(a).out, "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n1\r\n+OK\r\n");
  EXPECT_EQ(world.client(a).lease, nullptr);
}

// redis R18
TEST(RedisLink, OrderHoldsAcrossTheHeavyLane) {
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.answers = false;
  world.send(a, "SET k 1\r\nEVAL x 0\r\nGET k\r\n");
  EXPECT_TRUE(world.client(a).in.starts_with("EVAL"));  // the other lane owes an answer
  world.send(b, "EVAL y 0\r\nGET k\r\nGET k\r\n");
  EXPECT_EQ(world.client(b).in, "");  // what is not heavy may go down the heavy lane
  world.answers = true;
  world.go_on();
  EXPECT_EQ(world.client(a).out, "+OK\r\n$1\r\nx\r\n$1\r\n1\r\n");
  EXPECT_EQ(world.client(b).out, "$1\r\ny\r\n$1\r\n1\r\n$1\r\n1\r\n");
  EXPECT_EQ(world.servers(), 2u);
  EXPECT_EQ(play("EVAL x 0\r\nSET k 1\r\nEVAL y 0\r\nGET k\r\n").out,
            "$1\r\nx\r\n+OK\r\n$1\r\ny\r\n$1\r\n1\r\n");
  EXPECT_EQ(play("MULTI\r\nEVAL x 0\r\nEXEC\r\nGET k\r\n").leases, 0u);
}

// redis R17
TEST(RedisLink, AClientIsOwedOnlySoManyAnswers) {
  World world;
  const size_t a = world.add_client();
  world.window = 4;
  world.answers = false;
  std::string bytes, expected;
  for (int i = 0; i < 50; ++i) {
    bytes += "ECHO " + std::to_string(i) + "\r\n";
    expected += bulk(std::to_string(i));
  }
  world.send(a, bytes);
  EXPECT_EQ(world.client(a).turns, 4u);
  world.answers = true;
  world.go_on();
  EXPECT_EQ(world.client(a).out, expected);
  // A transaction goes as a whole, however many it has.
  world.client(a).out.clear();
  world.send(a, "MULTI\r\n" + bytes + "EXEC\r\nPING\r\n");
  EXPECT_TRUE(world.client(a).out.ends_with(expected + "+PONG\r\n"));
  EXPECT_EQ(world.client(a).events, "");
}

// redis R13
TEST(RedisLink, ALargeCommandGoesByLeaseAndStreams) {
  const std::string value(300'000, 'v');
  const std::string bytes = "PING\r\n" + command({"SET", "k", value}) + command({"ECHO", "x"});
  for (const size_t piece : {SIZE_MAX, size_t{1000}, size_t{70'001}}) {
    World world(piece);
    const size_t id = world.add_client();
    size_t kept = 0;
    for (size_t at = 0; at < bytes.size(); at += 777) {
      world.send(id, Bytes(bytes).substr(at, 777));
      kept = std::max(kept, world.client(id).in.size());
    }
    EXPECT_EQ(world.client(id).out, "+PONG\r\n+OK\r\n$1\r\nx\r\n");
    EXPECT_EQ(world.client(id).events, " lease end");
    EXPECT_LT(kept, 2000u);
    EXPECT_EQ(world.redis.at(0, "k").text, value);
  }
}

// redis R07
TEST(RedisLink, HugeAnnouncementsAllocateNothing) {
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "*2000000000\r\n");
  EXPECT_EQ(world.client(a).lease, nullptr);
  world.send(a, "$4\r\nMGET\r\n$1\r\nk\r\n");
  EXPECT_NE(world.client(a).lease, nullptr);
  EXPECT_EQ(world.client(a).in, "");
  world.answers = false;
  world.send(b, "GET k\r\n");
  world.arrive(world.lane(), "*2\r\n$4000000000\r\n");
  world.arrive(world.lane(), "abc");
  EXPECT_EQ(world.client(b).out, "*2\r\n$4000000000\r\nabc");
  world.leave(a);
}

// Behind EXEC weir asks how the connection stands; it used to ask in the middle of a large one.
TEST(RedisLink, ALargeExecPassesAsItIs) {
  World world;
  const size_t a = world.add_client();
  const std::string body(70'000, 'x');
  world.send(a, "MULTI\r\nSELECT 5\r\n");
  world.send(a, command({"EXEC", body}) + "PING\r\n");
  EXPECT_EQ(world.client(a).out,
            "+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: wrong number of "
            "arguments for 'exec' command\r\n+PONG\r\n");
  EXPECT_FALSE(world.leaked);
}

// What stands behind a MULTI that is refused is not in a transaction.
TEST(RedisLink, AMalformedMultiIsNone) {
  const std::string refused = "-ERR wrong number of arguments for 'multi' command\r\n";
  EXPECT_EQ(play("MULTI x\r\nCLIENT ID\r\n").out, refused + ":9001\r\n");
  EXPECT_EQ(play("MULTI x\r\nHELLO 3\r\nGET k\r\n").out, refused + greeting(3) + "_\r\n");
  EXPECT_EQ(play("MULTI x\r\nSELECT 5\r\nSET k 5\r\nGET k\r\n").out,
            refused + "+OK\r\n+OK\r\n$1\r\n5\r\n");
}

// redis R22
TEST(RedisLink, WhatEndsAScriptDoesNotStandBehindIt) {
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.answers = false;
  world.send(a, "EVAL x 0\r\n");
  world.client(b).state.database = 5;
  world.send(b, "SCRIPT KILL\r\n");
  ASSERT_NE(world.client(b).lease, nullptr);
  EXPECT_EQ(world.client(b).lease->state.database, 0);  // a SELECT would only be told BUSY
  world.answers = true;
  world.go_on();
  EXPECT_EQ(world.client(b).lease, nullptr);
  // What stands behind it goes to the client's own database all the same.
  world.send(b, "SCRIPT KILL\r\nSET k 5\r\nWATCH k\r\nSCRIPT KILL\r\nGET k\r\n");
  EXPECT_TRUE(world.client(b).out.ends_with("$1\r\n5\r\n"));
  EXPECT_EQ(world.redis.at(5, "k").text, "5");
  EXPECT_EQ(world.redis.at(0, "k").text, "");
}

// redis R56
TEST(RedisLink, ParkedCommandsOfTheSilentAreNotAnswered) {
  World world;
  for (const Answers answers : {Answers::Off, Answers::SkipNext}) {
    ClientState client;
    client.answers = answers;
    base::Gather to_client, to_server;
    Sink sink{to_client, to_server};
    world.link().answer_error(client, {base::ErrorKind::Timeout, "no server", "53300"},
                              "PING\r\nPING\r\n", sink);
    const size_t each = std::string("-ERR weir: no server\r\n").size();
    EXPECT_EQ(to_client.size(), answers == Answers::Off ? 0 : each);
  }
}

TEST(RedisLink, ParkedCommandsAreAnsweredByWeir) {
  World world;
  const std::string large = "*2\r\n$4\r\nECHO\r\n$100000\r\n";
  const std::string parked = "PING\r\n\r\n" + command({"GET", "k"}) + large;
  ClientState client;
  base::Gather to_client, to_server;
  Sink sink{to_client, to_server};
  sink.settled = true;
  const size_t used = world.link().answer_error(
      client, {base::ErrorKind::Timeout, "no server", "53300"}, parked, sink);
  EXPECT_EQ(to_client.size(), 3 * std::string("-ERR weir: no server\r\n").size());
  EXPECT_FALSE(world.link().is_idle(client));
  const std::string rest = parked.substr(used) + std::string(100'002, 'x') + "QUIT\r\n";
  const Progress progress = world.link().on_client(client, nullptr, rest, sink);
  EXPECT_EQ(progress.next, Next::Leave);
  EXPECT_EQ(progress.consumed, rest.size());
  EXPECT_TRUE(to_server.empty());
}

}  // namespace
}  // namespace weir::redis::script
