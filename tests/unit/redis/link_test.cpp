// Whole relays between clients, a lane, leases and a small model of a server.
#include <gtest/gtest.h>

#include "redis_talk.h"

namespace weir::redis::script {
namespace {

std::string command(std::initializer_list<std::string_view> arguments) {
  std::string out;
  append_command(out, arguments);
  return out;
}

// Plays it with everything in one piece, and in pieces of each small size; the client gets the same
// each time.
struct Played {
  std::string out;
  std::string events;
  size_t leases = 0;
};
Played play(const std::string& bytes) {
  Played first;
  for (size_t piece = 0; piece <= 24; ++piece) {
    World world(piece == 0 ? SIZE_MAX : piece);
    const size_t id = world.add_client();
    world.send(id, bytes);
    const Client& client = world.client(id);
    if (piece == 0)
      first = {client.out, client.events, world.leases_opened()};
    else
      EXPECT_EQ(client.out, first.out) << "in pieces of " << piece << ": " << bytes;
    EXPECT_FALSE(world.lane_failed);
  }
  return first;
}

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

TEST(RedisLink, WhatTurnsAConnectionIntoSomethingElseIsRefused) {
  const std::string refusal(kRefusal);
  EXPECT_EQ(play("PING\r\nPSYNC ? -1\r\nSCRIPT DEBUG YES\r\nPING\r\n").out,
            "+PONG\r\n" + refusal + refusal + "+PONG\r\n");
  EXPECT_EQ(play("MULTI\r\nREPLCONF capa eof\r\nEXEC\r\nPING\r\n").out,
            "+OK\r\n" + refusal +
                "-EXECABORT Transaction discarded because of previous errors.\r\n+PONG\r\n");
}

TEST(RedisLink, SelectOfTheSameDatabaseNeedsNoLease) {
  const Played same = play("SELECT 0\r\nPING\r\n");
  EXPECT_EQ(same.out, "+OK\r\n+PONG\r\n");
  EXPECT_EQ(same.leases, 0u);
  const Played other = play("PING\r\nSET k 0\r\nSELECT 5\r\nGET k\r\nSELECT 0\r\nGET k\r\n");
  EXPECT_EQ(other.out, "+PONG\r\n+OK\r\n+OK\r\n$-1\r\n+OK\r\n$1\r\n0\r\n");
  EXPECT_EQ(other.leases, 1u);
  EXPECT_EQ(other.events, " lease");  // and it keeps it
}

// redis R28, R29
TEST(RedisLink, ATransactionHoldsALease) {
  const Played played = play("MULTI\r\nSET a 1\r\nGET a\r\nEXEC\r\nGET a\r\n");
  EXPECT_EQ(played.out, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\n1\r\n$1\r\n1\r\n");
  EXPECT_EQ(played.events, " lease end");
  EXPECT_EQ(play("EXEC\r\n").out, "-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(play("EXEC\r\n").events, " lease end");
  const Played nested = play("MULTI\r\nMULTI\r\nWATCH a\r\nEXEC\r\n");
  EXPECT_EQ(nested.out,
            "+OK\r\n-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not "
            "allowed\r\n*0\r\n");
  EXPECT_EQ(nested.events, " lease end");
  const Played spoilt = play("MULTI\r\nfoo\r\nEXEC\r\n");
  EXPECT_EQ(spoilt.events, " lease end");
  EXPECT_EQ(play("MULTI\r\nPING\r\nDISCARD\r\nDISCARD\r\n").events, " lease end");
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
    EXPECT_EQ(world.servers(), 2u);
  }
}

TEST(RedisLink, StateThatAnswersDoNotShowKeepsTheLease) {
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "PING\r\nSUBSCRIBE x y\r\n");
  EXPECT_TRUE(
      world.client(a).out.starts_with("+PONG\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n*3\r\n"));
  Server& server = *world.client(a).lease;
  EXPECT_EQ(world.link().condition(server.state), Condition::Broken);
  world.client(a).out.clear();
  world.arrive(server, ">3\r\n$7\r\nmes");  // in whatever pieces, of whatever protocol
  world.arrive(server, "sage\r\n$1\r\nx\r\n$1\r\nm\r\n");
  EXPECT_EQ(world.client(a).out, ">3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\nm\r\n");
  world.leave(a);
  EXPECT_TRUE(server.model->closed);
  world.send(b, "PING\r\n");
  EXPECT_EQ(world.client(b).out, "+PONG\r\n");
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
  EXPECT_TRUE(world.lane().state.ledger.empty());
}

// redis R20
TEST(RedisLink, ASurpriseOnALaneGoesToNobody) {
  for (const std::string surprise :
       {"+STRAY\r\n", ">2\r\n$3\r\nfoo\r\n$3\r\nbar\r\n", "hello", "*x\r\n"}) {
    World world;
    const size_t a = world.add_client();
    world.answers = false;
    world.send(a, "ECHO 1\r\n");
    world.arrive(world.lane(), "$1\r\n1\r\n" + surprise);
    EXPECT_EQ(world.client(a).out, "$1\r\n1\r\n");
    EXPECT_TRUE(world.lane_failed);
  }
  World world;
  const size_t a = world.add_client();
  world.answers = false;
  world.send(a, "ECHO 1\r\n");
  world.arrive(world.lane(), ">2\r\n$3\r\nfoo\r\n$3\r\nbar\r\n$1\r\n1\r\n");
  EXPECT_EQ(world.client(a).out, "");
  EXPECT_TRUE(world.lane_failed);
}

// redis R18
TEST(RedisLink, OrderHoldsAcrossLaneAndLease) {
  World world;
  const size_t a = world.add_client();
  world.answers = false;
  world.send(a, "SET k 1\r\nMULTI\r\nGET k\r\nEXEC\r\nSET k 2\r\n");
  EXPECT_EQ(world.client(a).lease, nullptr);  // the lane owes an answer
  EXPECT_FALSE(world.client(a).in.empty());
  world.answers = true;
  world.go_on();
  EXPECT_EQ(world.client(a).out, "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n1\r\n+OK\r\n");
  EXPECT_EQ(world.client(a).lease, nullptr);
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
