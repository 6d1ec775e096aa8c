// What a client does to its connection: database, version of RESP, user, blocking, RESET, what weir
// answers by itself.
#include "play.h"

namespace weir::redis::script {
namespace {

constexpr const char* kRange = "-ERR DB index is out of range\r\n";
constexpr const char* kNumber = "-ERR value is not an integer or out of range\r\n";

// ---------------------------------------------------------------- databases

TEST(RedisConnection, SelectOfTheSameDatabaseNeedsNoLease) {
  const Played same = play("SELECT 0\r\nPING\r\n");
  EXPECT_EQ(same.out, "+OK\r\n+PONG\r\n");
  EXPECT_EQ(same.leases, 0u);
  EXPECT_EQ(play("SELECT 3\r\nGET k\r\n", {"app", "", "3", {}}).leases, 0u);
}

// redis R18, R23
TEST(RedisConnection, SelectMovesTheClientToLanesOfItsDatabase) {
  const Played other = play("PING\r\nSET k 0\r\nSELECT 5\r\nGET k\r\nSELECT 0\r\nGET k\r\n");
  EXPECT_EQ(other.out, "+PONG\r\n+OK\r\n+OK\r\n$-1\r\n+OK\r\n$1\r\n0\r\n");
  EXPECT_TRUE(other.events.starts_with(" lease"));
  EXPECT_TRUE(other.events.ends_with(" end"));  // and what follows goes by lane
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "SELECT 1\r\n");
  for (int round = 0; round < 10; ++round) {
    const std::string number = std::to_string(round);
    world.send(a, command({"SET", "k", "a" + number}));
    world.send(b, command({"SET", "k", "b" + number}));
    world.send(a, "GET k\r\n");
    world.send(b, "GET k\r\n");
    EXPECT_TRUE(world.client(a).out.ends_with(bulk("a" + number)));
    EXPECT_TRUE(world.client(b).out.ends_with(bulk("b" + number)));
  }
  EXPECT_EQ(world.client(a).events, " lease end");
  EXPECT_EQ(world.servers(), 1u);
}

// redis R12, R24
TEST(RedisConnection, ARefusedSelectChangesNothing) {
  for (const auto& [line, answer] : std::vector<std::pair<std::string, std::string>>{
           {"SELECT 99", kRange},
           {"SELECT x", kNumber},
           {"SELECT", "-ERR wrong number of arguments for 'select' command\r\n"},
           {"SELECT 1 2", "-ERR wrong number of arguments for 'select' command\r\n"}}) {
    EXPECT_EQ(play("SET k 0\r\n" + line + "\r\nGET k\r\n").out, "+OK\r\n" + answer + "$1\r\n0\r\n");
    EXPECT_EQ(play("SELECT 2\r\nSET k 2\r\n" + line + "\r\nGET k\r\n").out,
              "+OK\r\n+OK\r\n" + answer + "$1\r\n2\r\n");
  }
}

// redis R25
TEST(RedisConnection, SelectInATransactionHoldsIfItIsCarriedOut) {
  const std::string set = "SET k 0\r\nMULTI\r\nSELECT 5\r\nGET k\r\n";
  const std::string said = "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n";
  EXPECT_EQ(play(set + "EXEC\r\nGET k\r\n").out, said + "*2\r\n+OK\r\n$-1\r\n$-1\r\n");
  EXPECT_EQ(play(set + "DISCARD\r\nGET k\r\n").out, said + "+OK\r\n$1\r\n0\r\n");
  EXPECT_TRUE(play(set + "foo\r\nEXEC\r\nGET k\r\n").out.ends_with("errors.\r\n$1\r\n0\r\n"));
  EXPECT_TRUE(play(set + "SELECT 99\r\nEXEC\r\nGET k\r\n")
                  .out.ends_with("*3\r\n+OK\r\n$-1\r\n" + std::string(kRange) + "$-1\r\n"));
  World world;
  const size_t a = world.add_client();
  world.send(a, set);
  world.send(a, "EXEC\r\n");
  EXPECT_EQ(world.client(a).events, " lease end");
  EXPECT_EQ(world.client(a).state.database, 5);
  world.send(a, "SELECT 0\r\n");
  EXPECT_EQ(world.client(a).state.database, kHome);
}

TEST(RedisConnection, APoolsDatabaseIsHome) {
  const protocol::LoginTarget target{"app", "", "3", {}};
  const Played played = play("SET k 3\r\nSELECT 0\r\nGET k\r\nSELECT 3\r\nGET k\r\n", target);
  EXPECT_EQ(played.out, "+OK\r\n+OK\r\n$-1\r\n+OK\r\n$1\r\n3\r\n");
  EXPECT_EQ(play("SET k 3\r\nSELECT 1\r\nRESET\r\nGET k\r\n", target).out,
            "+OK\r\n+OK\r\n+RESET\r\n$1\r\n3\r\n");
  EXPECT_EQ(play("SET k 3\r\nWATCH k\r\nRESET\r\nGET k\r\n", target).out,
            "+OK\r\n+OK\r\n+RESET\r\n$1\r\n3\r\n");
}

// ---------------------------------------------------------------- HELLO, AUTH

// redis R50, R51
TEST(RedisConnection, HelloTellsOfTheClientsOwnConnection) {
  EXPECT_EQ(play("HELLO\r\nCLIENT ID\r\n").out, greeting(2) + ":9001\r\n");
  EXPECT_EQ(play("HELLO 2\r\nCLIENT ID\r\n").out, greeting(2) + ":9001\r\n");
  EXPECT_EQ(play("HELLO 3\r\nCLIENT ID\r\nHELLO\r\n").out, greeting(3) + ":9001\r\n" + greeting(3));
  EXPECT_EQ(play("GET k\r\nHELLO 3\r\nGET k\r\nHELLO 2\r\nGET k\r\n").out,
            "$-1\r\n" + greeting(3) + "_\r\n" + greeting(2) + "$-1\r\n");
  EXPECT_EQ(play("HELLO 3 SETNAME me\r\nCLIENT GETNAME\r\n").out, greeting(3) + "$2\r\nme\r\n");
}

// redis R51
TEST(RedisConnection, ARefusedHelloChangesNothing) {
  const std::string wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
  for (const auto& [line, answer] : std::vector<std::pair<std::string, std::string>>{
           {"HELLO 4", "-NOPROTO unsupported protocol version\r\n"},
           {"HELLO 3 BADOPT", "-ERR Syntax error in HELLO option 'BADOPT'\r\n"},
           {"HELLO 3 SETNAME x BADOPT", "-ERR Syntax error in HELLO option 'BADOPT'\r\n"},
           {"HELLO 3 SETNAME x AUTH bob wrong", wrong},
           {"AUTH bob wrong", wrong}}) {
    const Played played = play(line + "\r\nGET k\r\nCLIENT GETNAME\r\n");
    EXPECT_EQ(played.out, answer + "$-1\r\n$-1\r\n") << line;
    EXPECT_EQ(played.events, " lease end") << line;
  }
}

// redis R52
TEST(RedisConnection, HelloInATransactionSwitchesWithinItsAnswer) {
  World world;
  const size_t a = world.add_client();
  world.send(a, "MULTI\r\nGET k\r\nHELLO 3\r\nGET k\r\nEXEC\r\nGET k\r\n");
  const std::string& out = world.client(a).out;
  EXPECT_TRUE(out.starts_with("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n$-1\r\n%7\r\n"));
  EXPECT_TRUE(out.ends_with("*0\r\n_\r\n_\r\n"));
  EXPECT_EQ(world.client(a).state.resp, 3);
  EXPECT_EQ(world.client(a).lease, nullptr);
}

// redis R54
TEST(RedisConnection, BothVersionsShareAPool) {
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "HELLO 3\r\n");
  for (int i = 0; i < 3; ++i) {
    world.client(a).out.clear();
    world.client(b).out.clear();
    world.answers = false;
    world.send(a, "GET k\r\n");
    world.send(b, "GET k\r\n");
    world.answers = true;
    world.go_on();
    EXPECT_EQ(world.client(a).out, "_\r\n");
    EXPECT_EQ(world.client(b).out, "$-1\r\n");
  }
  EXPECT_EQ(world.servers(), 2u);  // one for each, as both were owed at the same time
}

// redis R59
TEST(RedisConnection, ALoginAsSomebodyElseKeepsTheServer) {
  for (const std::string login : {"AUTH bob b\r\n", "HELLO 2 AUTH bob b SETNAME x\r\n"}) {
    World world;
    const size_t a = world.add_client(), b = world.add_client();
    world.send(a, login + "ACL WHOAMI\r\n");
    EXPECT_TRUE(world.client(a).out.ends_with(bulk("bob")));
    Server* server = world.client(a).lease;
    ASSERT_NE(server, nullptr) << login;
    EXPECT_EQ(world.link().condition(server->state), Condition::Dirty);
    world.send(b, "ACL WHOAMI\r\n");
    EXPECT_EQ(world.client(b).out, bulk("default"));
    world.send(a, "PING\r\nRESET\r\nACL WHOAMI\r\n");
    EXPECT_TRUE(world.client(a).out.ends_with("+RESET\r\n" + bulk("default")));
    EXPECT_EQ(world.client(a).lease, nullptr);
  }
}

// The one whom weir has let in by this HELLO is not logged in once more.
TEST(RedisConnection, AProvenHelloGoesOnWithoutItsPassword) {
  World world;
  const size_t a = world.add_client();
  world.client(a).state.proven = true;
  world.send(a, "HELLO 3 AUTH weirs secret SETNAME me\r\nCLIENT GETNAME\r\n");
  EXPECT_EQ(world.client(a).out, greeting(3) + "$2\r\nme\r\n");
  EXPECT_EQ(world.client(a).lease, nullptr);
  world.send(a, "HELLO 3 AUTH weirs secret\r\n");
  EXPECT_TRUE(world.client(a).out.ends_with("user is disabled.\r\n"));
}

// ---------------------------------------------------------------- blocking

// redis R38, R39, R40
TEST(RedisConnection, BlockingCommandsHoldALeaseForOneAnswer) {
  const Played played = play("BLPOP l 0\r\nPING\r\nRESET\r\n");
  EXPECT_EQ(played.out, "*-1\r\n+PONG\r\n+RESET\r\n");
  EXPECT_EQ(played.events, " lease end");
  EXPECT_EQ(play("HELLO 3\r\nBLPOP l 0\r\n").out, greeting(3) + "_\r\n");
  EXPECT_EQ(play("MULTI\r\nBLPOP l 0\r\nEXEC\r\n").out, "+OK\r\n+QUEUED\r\n*1\r\n*-1\r\n");
  EXPECT_EQ(play("SET k 1\r\nWAIT 1 700\r\nPING\r\n").out, "+OK\r\n:0\r\n+PONG\r\n");
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.answers = false;
  world.send(a, "BLPOP l 0\r\n");
  Server& server = *world.client(a).lease;
  EXPECT_TRUE(world.link().is_open_ended(server.state));
  EXPECT_EQ(world.link().condition(server.state), Condition::Broken);
  world.send(b, "PING\r\n");
  world.leave(a);  // R37: else it would eat an element
  EXPECT_TRUE(server.model->closed);
  world.go_on();
  EXPECT_EQ(world.client(b).out, "+PONG\r\n");
}

// redis R41
TEST(RedisConnection, WaitStandsBehindACommandOfItsOwnConnection) {
  World world;
  const size_t a = world.add_client();
  world.answers = false;
  world.send(a, "WAIT 1 700\r\n");
  EXPECT_EQ(world.client(a).lease->coming, "+PONG\r\n:0\r\n");
  world.go_on();
  EXPECT_EQ(world.client(a).out, ":0\r\n");
}

// ---------------------------------------------------------------- RESET

// redis R33, R60
TEST(RedisConnection, ResetGoesBackToTheStart) {
  const Played own = play("RESET\r\nPING\r\nRESET x\r\n");
  EXPECT_EQ(own.out, "+RESET\r\n+PONG\r\n-ERR wrong number of arguments for 'reset' command\r\n");
  EXPECT_EQ(own.leases, 0u);
  EXPECT_EQ(play("MULTI\r\nPING\r\nRESET\r\nEXEC\r\n").out,
            "+OK\r\n+QUEUED\r\n+RESET\r\n-ERR EXEC without MULTI\r\n");
  const std::string all =
      "SET k 0\r\nHELLO 3 SETNAME me\r\nSELECT 4\r\nCLIENT TRACKING ON\r\nWATCH k\r\nRESET\r\n";
  const Played played = play(all + "GET k\r\nCLIENT GETNAME\r\nHELLO\r\n");
  EXPECT_EQ(played.out, "+OK\r\n" + greeting(3) +
                            "+OK\r\n+OK\r\n+OK\r\n+RESET\r\n$1\r\n0\r\n$-1\r\n" + greeting(2));
  EXPECT_TRUE(played.events.ends_with(" end"));
  EXPECT_EQ(play("CLIENT SETNAME me\r\nRESET\r\nCLIENT GETNAME\r\n").out,
            "+OK\r\n+RESET\r\n$-1\r\n");
}

TEST(RedisConnection, ResetLogsInAgain) {
  const protocol::LoginTarget target{"default", "pw", "2", {}};
  const std::string line = "SET k 1\r\nWATCH k\r\nPING\r\nRESET\r\nGET k\r\nMULTI\r\nGET k\r\n";
  const Played played = play(line + "DISCARD\r\n", target);
  EXPECT_EQ(played.out, "+OK\r\n+OK\r\n+PONG\r\n+RESET\r\n$1\r\n1\r\n+OK\r\n+QUEUED\r\n+OK\r\n");
}

// A client that keeps its server, or one that has not read its answers yet, goes on with a server
// that is logged out: it has to be logged in before anything else.
TEST(RedisConnection, ResetLogsInAgainWithinAHold) {
  World world(SIZE_MAX, {}, {"default", "pw", "", {}});
  world.redis.users["default"] = "pw";
  const size_t a = world.add_client();
  world.client(a).state.shares = false;
  world.send(a, "PING\r\nWATCH k\r\nRESET\r\n");
  world.send(a, "GET k\r\n");
  EXPECT_EQ(world.client(a).out, "+PONG\r\n+OK\r\n+RESET\r\n$-1\r\n");
}

// Where every client keeps a server, its database goes with it.
TEST(RedisConnection, WhoKeepsAServerKeepsItsState) {
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.client(a).state.shares = world.client(b).state.shares = false;
  world.send(a, "SET k 0\r\nSELECT 3\r\nHELLO 3\r\nGET k\r\n");
  EXPECT_EQ(world.client(a).out, "+OK\r\n+OK\r\n" + greeting(3) + "_\r\n");
  world.send(a, "RESET\r\n");
  world.send(a, "GET k\r\nMULTI\r\n");
  EXPECT_TRUE(world.client(a).out.ends_with("+RESET\r\n$1\r\n0\r\n+OK\r\n"));
  EXPECT_EQ(world.client(a).events, " lease");
  world.leave(a);
  world.send(b, "GET k\r\n");
  EXPECT_EQ(world.client(b).out, "$1\r\n0\r\n");
  EXPECT_EQ(world.servers(), 1u);
}

// ---------------------------------------------------------------- weir's own answers

// redis R12, R55, R57
TEST(RedisConnection, ClientCommandsAreAnsweredByWeir) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"CLIENT ID", ":9001\r\n"},
      {"client getname", "$-1\r\n"},
      {"CLIENT SETNAME me", "+OK\r\n"},
      {"CLIENT SETNAME 'a b'",
       "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"},
      {"CLIENT SETINFO lib-name x", "+OK\r\n"},
      {"CLIENT SETINFO LIB-VER 1", "+OK\r\n"},
      {"CLIENT SETINFO foo 1", "-ERR Unrecognized option 'foo'\r\n"},
      {"CLIENT SETINFO lib-name 'x y'",
       "-ERR lib-name cannot contain spaces, newlines or special characters.\r\n"},
      {"CLIENT NO-EVICT ON", "+OK\r\n"},
      {"CLIENT NO-TOUCH OFF", "+OK\r\n"},
      {"CLIENT NO-EVICT x", "-ERR syntax error\r\n"},
      {"CLIENT REPLY x", "-ERR syntax error\r\n"},
      {"CLIENT REPLY ON", "+OK\r\n"},
      {"CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command\r\n"},
      {"CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command\r\n"},
      {"CLIENT Reply ON x", "-ERR wrong number of arguments for 'client|reply' command\r\n"},
  };
  for (const auto& [line, answer] : cases) {
    const Played played = play("PING\r\n" + line + "\r\nPING\r\n");
    EXPECT_EQ(played.out, "+PONG\r\n" + answer + "+PONG\r\n") << line;
    EXPECT_EQ(played.leases, 0u) << line;
    // On a lease as well, behind what is owed there.
    EXPECT_EQ(play("WATCH k\r\nPING\r\n" + line + "\r\nPING\r\n").out,
              "+OK\r\n+PONG\r\n" + answer + "+PONG\r\n")
        << line;
  }
  EXPECT_EQ(
      play("CLIENT SETNAME me\r\nCLIENT GETNAME\r\nCLIENT SETNAME ''\r\nCLIENT GETNAME\r\n").out,
      "+OK\r\n$2\r\nme\r\n+OK\r\n$-1\r\n");
  EXPECT_EQ(play("HELLO 3\r\nCLIENT GETNAME\r\n").out, greeting(3) + "_\r\n");
}

// It was told alone, and given back when that was answered: two clients passed a connection to and
// fro for ever.
TEST(RedisConnection, ANameIsNoReasonToHaveAServer) {
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "CLIENT SETNAME a\r\n");
  world.send(b, "CLIENT SETNAME b\r\n");
  world.answers = false;
  world.send(a, "CLIENT LIST\r\n");
  world.send(b, "CLIENT LIST\r\n");
  world.go_on();
  for (const size_t id : {a, b}) {
    EXPECT_EQ(world.client(id).events, " lease end lease end");  // whether it may, and who there is
    EXPECT_NE(world.client(id).out.find("name=b"), std::string::npos);
  }
  // With a command it goes along.
  world.answers = true;
  world.send(a, "WATCH k\r\n");
  EXPECT_EQ(world.client(a).lease->state.name, "a");
  world.send(a, "UNWATCH\r\n");
  EXPECT_EQ(world.client(a).events, " lease end lease end lease end");
  EXPECT_TRUE(world.all_are_idle());
}

// redis R55
TEST(RedisConnection, ClientInfoIsOfTheClientsConnection) {
  const std::string said = play("CLIENT SETNAME me\r\nSELECT 5\r\nCLIENT INFO\r\nPING\r\n").out;
  for (const std::string field :
       {"$", "id=9001 ", " addr=127.0.0.1:1 ", " name=me ", " flags=N ", " db=5 ", " sub=0 ",
        " cmd=client|info ", " user=default ", " resp=2\n\r\n+PONG\r\n"})
    EXPECT_NE(said.find(field), std::string::npos) << field << said;
  const std::string third = play("HELLO 3\r\nCLIENT NO-EVICT ON\r\nCLIENT INFO\r\n").out;
  EXPECT_TRUE(third.starts_with(greeting(3) + "+OK\r\n="));
  EXPECT_NE(third.find("\r\ntxt:id=9001 "), std::string::npos);
  EXPECT_NE(third.find(" flags=e "), std::string::npos);
  EXPECT_TRUE(third.ends_with(" resp=3\n\r\n"));
  EXPECT_EQ(play("CLIENT INFO\r\n").leases, 0u);
  const std::string pinned = play("HELLO 3\r\nSUBSCRIBE a b\r\nCLIENT INFO\r\n").out;
  EXPECT_NE(pinned.find(" flags=P db=0 sub=2 psub=0 "), std::string::npos);
}

// redis R55
TEST(RedisConnection, ClientListAndKillAreOfWeirsClients) {
  World world;
  const size_t a = world.add_client(), b = world.add_client(), c = world.add_client();
  world.send(b, "SUBSCRIBE x\r\n");
  world.send(a, "CLIENT LIST ID 9002\r\n");
  EXPECT_NE(world.client(a).out.find("id=9002 "), std::string::npos);
  EXPECT_EQ(world.client(a).out.find("id=9001 "), std::string::npos);
  world.client(a).out.clear();
  world.send(a, "CLIENT LIST TYPE pubsub\r\nCLIENT LIST TYPE nosuch\r\n");
  EXPECT_EQ(world.client(a).out.find("id=9003 "), std::string::npos);
  EXPECT_TRUE(world.client(a).out.ends_with("-ERR Unknown client type 'nosuch'\r\n"));
  world.client(a).out.clear();
  world.send(a, "CLIENT KILL ID 9002\r\nCLIENT KILL ID 9002\r\nCLIENT KILL ID x\r\nPING\r\n");
  EXPECT_EQ(world.client(a).out,
            ":1\r\n:0\r\n-ERR client-id should be greater than 0\r\n+PONG\r\n");
  EXPECT_EQ(world.client(b).events, " lease killed");
  EXPECT_TRUE(world.all_are_idle());
  EXPECT_FALSE(world.client(c).over);
  world.send(a, "CLIENT KILL TYPE normal\r\nCLIENT KILL TYPE normal SKIPME no\r\n");
  EXPECT_TRUE(world.client(a).out.ends_with(":1\r\n:1\r\n"));
  EXPECT_TRUE(world.client(a).over && world.client(c).over);
}

// Nothing of what stands behind its own end is carried out, however it comes.
TEST(RedisConnection, WhoKillsItselfGetsTheCountAndNoMore) {
  const std::string kill = "CLIENT KILL ID 9001 SKIPME no\r\n";
  EXPECT_EQ(play(kill + "CLIENT ID\r\n").out, ":1\r\n");
  EXPECT_EQ(play(kill + "SET k 1\r\n").out, ":1\r\n");
}

// redis R40
TEST(RedisConnection, UnblockFindsTheServerOfItsClient) {
  World world;
  const size_t a = world.add_client(), b = world.add_client();
  world.answers = false;
  world.send(b, "BLPOP l 0\r\n");
  const int64_t server = world.client(b).lease->state.id;
  world.send(a, "CLIENT UNBLOCK 9002 ERROR\r\n");
  ASSERT_NE(world.client(a).lease, nullptr);
  EXPECT_EQ(static_cast<ModelConnection&>(*world.client(a).lease->model).heard(),
            "CLIENT UNBLOCK " + std::to_string(server) + " ERROR");
  world.answers = true;
  world.go_on();
  EXPECT_EQ(world.client(a).out, ":1\r\n");
  world.send(a, "CLIENT UNBLOCK 9002\r\nCLIENT UNBLOCK 77\r\nCLIENT UNBLOCK x\r\n");
  EXPECT_EQ(world.client(a).out,
            ":1\r\n:0\r\n:0\r\n-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(world.client(a).lease, nullptr);
}

// A name that is not looked at whole is none: it must not be taken for an empty one.
TEST(RedisConnection, AHugeNameIsNoEmptyName) {
  World world;
  const size_t a = world.add_client();
  world.send(a, "CLIENT SETNAME me\r\n" + command({"CLIENT", "SETNAME", std::string(70'000, 'n')}) +
                    "CLIENT GETNAME\r\n");
  EXPECT_FALSE(world.client(a).out.ends_with("$-1\r\n"));
  EXPECT_EQ(world.client(a).events.find("fail"), std::string::npos);
}

// redis R56
TEST(RedisConnection, AnswersThatAreNotWanted) {
  EXPECT_EQ(play("CLIENT REPLY OFF\r\nSET k 1\r\nNOSUCH\r\nCLIENT REPLY ON\r\nGET k\r\n").out,
            "+OK\r\n$1\r\n1\r\n");
  EXPECT_EQ(play("CLIENT REPLY SKIP\r\nSET k 1\r\nGET k\r\n").out, "$1\r\n1\r\n");
  EXPECT_EQ(play("CLIENT REPLY SKIP\r\nNOSUCH\r\nPING\r\n").out, "+PONG\r\n");
  EXPECT_EQ(play("CLIENT REPLY SKIP\r\nCLIENT ID\r\nPING\r\n").out, "+PONG\r\n");
  EXPECT_EQ(play("CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n").out, "+OK\r\n+PONG\r\n");
  EXPECT_EQ(play("CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\n").out, "");
  EXPECT_EQ(play("CLIENT REPLY OFF\r\nPING\r\nRESET\r\nPING\r\n").out, "+RESET\r\n+PONG\r\n");
  EXPECT_EQ(play("CLIENT REPLY OFF\r\nWATCH k\r\nPING\r\nRESET\r\nPING\r\n").out,
            "+RESET\r\n+PONG\r\n");
  EXPECT_EQ(play("CLIENT REPLY OFF\r\nMULTI\r\nSET k 1\r\nEXEC\r\nSELECT 1\r\nHELLO 3\r\nCLIENT "
                 "INFO\r\nCLIENT REPLY ON\r\nGET k\r\n")
                .out,
            "+OK\r\n_\r\n");
  EXPECT_EQ(
      play("CLIENT REPLY OFF\r\nSCRIPT DEBUG YES\r\nMULTI\r\nSCRIPT DEBUG YES\r\nEXEC\r\n").out,
      "");
  EXPECT_EQ(play("CLIENT REPLY SKIP\r\nWAIT 1 1\r\nPING\r\n").out, "+PONG\r\n");
  // Subscriptions are confirmed all the same.
  EXPECT_EQ(play("CLIENT REPLY OFF\r\nPING\r\nSUBSCRIBE a\r\n").out, told(2, "subscribe", "a", 1));
  EXPECT_EQ(play("HELLO 3\r\nCLIENT REPLY OFF\r\nSUBSCRIBE a\r\nPUBLISH a m\r\n").out,
            greeting(3) + told(3, "subscribe", "a", 1) + message(3, "a", "m"));
}

// redis R56
TEST(RedisConnection, NeighboursOfTheSilentLoseNothing) {
  World world(3);
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "CLIENT REPLY OFF\r\n");
  world.answers = false;
  for (int i = 0; i < 5; ++i) {
    world.send(a, "ECHO a\r\nPING\r\n");
    world.send(b, "ECHO b\r\n");
  }
  world.go_on();
  EXPECT_EQ(world.client(a).out, "");
  EXPECT_EQ(world.client(b).out, "$1\r\nb\r\n$1\r\nb\r\n$1\r\nb\r\n$1\r\nb\r\n$1\r\nb\r\n");
  EXPECT_EQ(world.client(a).turns, 0u);
  EXPECT_EQ(world.servers(), 1u);
}

TEST(RedisConnection, WhatWaitsForOthersIsNotTimed) {
  const auto waits = [](Entry::Kind kind, bool multi) {
    ServerState server;
    ClientState client;
    server.multi = multi;
    server.ledger.push({.kind = kind});
    server.ledger.push({});
    base::Gather to_client, to_server;
    Sink sink{to_client, to_server};
    EXPECT_EQ(ServerSide(client, server, sink).judge("+A\r\n+B\r\n").next, Next::Feed);
    EXPECT_EQ(sink.queries, 2u);
    return sink.waits;
  };
  EXPECT_EQ(waits(Entry::Kind::Block, false), 1u);
  EXPECT_EQ(waits(Entry::Kind::Block, true), 0u);  // queued
  EXPECT_EQ(waits(Entry::Kind::Plain, false), 0u);
}

}  // namespace
}  // namespace weir::redis::script
