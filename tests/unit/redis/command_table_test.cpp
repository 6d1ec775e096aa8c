// What a server's COMMAND and the configuration say of commands, and what becomes of them.
#include "play.h"
#include "protocol/redis/command_reader.h"
#include "redis_commands.h"
#include "redis_dialogues.h"

#include <map>

namespace weir::redis {
namespace {

using namespace script;
using protocol::LoginTarget;

std::vector<CommandRow> read_in_pieces(const std::string& answer, size_t first, size_t piece) {
  CommandReader reader;
  reader.take(Bytes(answer).substr(0, first));
  for (size_t at = first; at < answer.size(); at += std::min(piece, answer.size() - at))
    reader.take(Bytes(answer).substr(at, piece));
  return reader.take_rows();
}

std::string text_of(const std::vector<CommandRow>& rows) {
  std::string out;
  for (const CommandRow& row : rows)
    out += row.name + "|" + row.subcommand + " " + std::to_string(static_cast<int>(row.way)) + " " +
           std::to_string(static_cast<int>(row.effect)) + "\n";
  return out;
}

std::string read_at_every_split(const std::string& answer) {
  const std::string whole = text_of(read_in_pieces(answer, answer.size(), 1));
  for (size_t place = 0; place < answer.size(); ++place)
    EXPECT_EQ(text_of(read_in_pieces(answer, place, SIZE_MAX)), whole) << "cut at " << place;
  for (size_t piece = 1; piece <= 40; ++piece)
    EXPECT_EQ(text_of(read_in_pieces(answer, 0, piece)), whole) << "in pieces of " << piece;
  return whole;
}

std::string row(const std::string& name, Way way, Effect effect, const std::string& sub = "") {
  return text_of({{name, sub, way, effect}});
}

TEST(CommandReader, KeepsNamesAndClasses) {
  EXPECT_EQ(
      read_at_every_split(some_commands()),
      row("get", Way::Lane, Effect::Reads) + row("set", Way::Lane, Effect::Writes) +
          row("eval", Way::Lane, Effect::MayWrite) + row("publish", Way::Lane, Effect::MayWrite) +
          row("echo", Way::Unknown, Effect::None) + row("blpop", Way::Block, Effect::Writes) +
          row("multi", Way::Unknown, Effect::None) + row("config", Way::Lane, Effect::None, "set") +
          row("config", Way::Lane, Effect::None) + row("mod.wait", Way::Block, Effect::Writes) +
          row("mod.follow", Way::Unknown, Effect::None) +
          row("mod.name", Way::Unknown, Effect::None) +
          row("mod.begin", Way::Unknown, Effect::None) + row("mod.read", Way::Lane, Effect::Reads) +
          row("mod.do", Way::Lane, Effect::MayWrite) + row("newer", Way::Lane, Effect::MayWrite) +
          row("mod", Way::Block, Effect::None, "wait") +
          row("mod", Way::Lane, Effect::Writes, "poll") + row("mod", Way::Lane, Effect::None));
}

// Redis before version 6, and RESP3.
TEST(CommandReader, KnowsOlderAndNewerForms) {
  EXPECT_EQ(read_at_every_split("*1\r\n*6\r\n$5\r\nblpop\r\n:-3\r\n*2\r\n+write\r\n+noscript\r\n"
                                ":1\r\n:-2\r\n:1\r\n"),
            row("blpop", Way::Lane, Effect::Writes));
  EXPECT_EQ(read_at_every_split("*1\r\n*7\r\n$1\r\na\r\n:1\r\n~1\r\n+blocking\r\n:0\r\n:0\r\n:0\r\n"
                                "~1\r\n+@slow\r\n"),
            row("a", Way::Block, Effect::None));
  EXPECT_EQ(read_at_every_split("*0\r\n"), "");
}

TEST(CommandReader, LeavesNothingOfWhatItDoesNotUnderstand) {
  const std::string good = described("get", {"readonly"});
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "*1\r\n";
  for (const std::string& answer : std::vector<std::string>{
           "-ERR unknown command\r\n", "+OK\r\n", ":1\r\n", "$3\r\nget\r\n", "*-1\r\n", "*x\r\n",
           "*1\r\n", "\r\n", "*99999999999\r\n", "*2\r\n" + good, "*1\r\n" + good + good,
           "*2\r\n" + good + "*-7\r\n", "*2\r\n" + good + "$-2\r\n", deep + ":1\r\n",
           "*2\r\n" + good + "+" + std::string(2000, 'x') + "\r\n"})
    EXPECT_EQ(read_at_every_split(answer), "") << answer;
  // Names that are too long, null or missing are passed over.
  const std::string long_name = described(std::string(300, 'n'), {"blocking"});
  EXPECT_EQ(read_at_every_split(array_of({"*-1\r\n", "*0\r\n", ":5\r\n", long_name, good})),
            row("get", Way::Lane, Effect::Reads));
}

TEST(CommandReader, IsBounded) {
  const std::string one = described("x", {"blocking"});
  const size_t most = CommandReader::kBytesMax / one.size();
  ASSERT_GT(most, NameIndex::kRowsMax);
  CommandReader many, large;
  many.take("*" + std::to_string(NameIndex::kRowsMax + 1) + "\r\n");
  for (size_t i = 0; i <= NameIndex::kRowsMax; ++i) many.take(one);
  EXPECT_TRUE(many.take_rows().empty());
  large.take("*2\r\n" + one + "$8400000\r\n");
  for (int i = 0; i < 84; ++i) large.take(std::string(100'000, 'x'));
  large.take("\r\n");
  EXPECT_TRUE(large.take_rows().empty());
  CommandReader fits;
  fits.take("*2\r\n" + one + "$8000000\r\n");
  for (int i = 0; i < 80; ++i) fits.take(std::string(100'000, 'x'));
  fits.take("\r\n");
  EXPECT_EQ(fits.take_rows().size(), 1u);
}

CommandTable table_of(const std::string& answer, const protocol::Settings& classes = {}) {
  return {read_in_pieces(answer, 0, SIZE_MAX), classes};
}

Way way_in(const CommandTable& table, Bytes line) { return way_of(cut_request(line), &table); }

TEST(CommandTable, WeirsOwnListWinsOverTheServer) {
  const CommandTable table = table_of(some_commands());
  EXPECT_EQ(way_in(table, "GET k\r\n"), Way::Lane);
  EXPECT_EQ(way_in(table, "echo k\r\n"), Way::Lane);
  EXPECT_EQ(way_in(table, "EVAL x 0\r\n"), Way::Heavy);
  EXPECT_EQ(way_in(table, "MULTI\r\n"), Way::Multi);
  EXPECT_EQ(way_in(table, "BLPOP l 0\r\n"), Way::Block);
  EXPECT_EQ(way_in(table, "MOD.WAIT 0\r\n"), Way::Block);
  EXPECT_EQ(way_in(table, "mod.wait\r\n"), Way::Block);
  EXPECT_EQ(way_in(table, "mod.waits\r\n"), Way::Lane);
  EXPECT_EQ(way_in(table, "Mod Wait\r\n"), Way::Block);
  EXPECT_EQ(way_in(table, "mod poll\r\n"), Way::Lane);
  EXPECT_EQ(way_in(table, "mod\r\n"), Way::Lane);
  EXPECT_EQ(way_in(table, "mod.follow c\r\n"), Way::Unknown);
  EXPECT_EQ(way_in(table, "mod.name n\r\n"), Way::Unknown);
  EXPECT_EQ(way_in(table, "mod.begin\r\n"), Way::Unknown);
  EXPECT_EQ(way_in(table, "{.x\r\n"), Way::Lane);
  EXPECT_EQ(table.effect("get", "k"), Effect::Reads);
  EXPECT_EQ(table.effect("SET", "k"), Effect::Writes);
  EXPECT_EQ(table.effect("Publish", ""), Effect::MayWrite);
  EXPECT_EQ(table.effect("mod", "poll"), Effect::Writes);
  EXPECT_EQ(table.effect("mod", "other"), Effect::None);
  EXPECT_EQ(table.effect("nosuch", ""), Effect::MayWrite);
}

TEST(CommandTable, TheConfigurationWinsOverBoth) {
  const CommandTable table = table_of(some_commands(), {{"mod.wait", "lane"},
                                                        {"get", "blocking"},
                                                        {"eval", "lane"},
                                                        {"xread", "lease"},
                                                        {"mod|wait", "heavy"},
                                                        {"mod", "pinned"},
                                                        {"script", "heavy"},
                                                        {"multi", "lane"},
                                                        {"1x", "lease"},
                                                        {std::string(129, 'x'), "lease"},
                                                        {"set", "nonsense"}});
  EXPECT_EQ(way_in(table, "MOD.WAIT 0\r\n"), Way::Lane);
  EXPECT_EQ(way_in(table, "Get k\r\n"), Way::Block);
  EXPECT_EQ(way_in(table, "EVAL x 0\r\n"), Way::Lane);
  EXPECT_EQ(way_in(table, "XREAD BLOCK 0 STREAMS s 0\r\n"), Way::Alone);
  EXPECT_EQ(way_in(table, "mod wait\r\n"), Way::Heavy);
  EXPECT_EQ(way_in(table, "mod poll\r\n"), Way::Pinned);
  EXPECT_EQ(way_in(table, "script load x\r\n"), Way::Heavy);
  EXPECT_EQ(way_in(table, "script kill\r\n"), Way::Lease);
  EXPECT_EQ(way_in(table, "script debug yes\r\n"), Way::Refuse);
  EXPECT_EQ(way_in(table, "multi\r\n"), Way::Multi);
  EXPECT_EQ(way_in(table, "1X\r\n"), Way::Alone);
  EXPECT_EQ(way_in(table, "set k v\r\n"), Way::Lane);
  EXPECT_EQ(command_classes(),
            (std::vector<std::string>{"lane", "heavy", "lease", "blocking", "pinned"}));
}

TEST(CommandTable, SaysWhichCommandsWeirHasToSee) {
  std::map<std::string, std::string> fixed;
  for (const auto& [name, why] : fixed_commands()) fixed[name] = why;
  for (const char* name : {"multi", "exec", "auth", "hello", "select", "reset", "subscribe",
                           "monitor", "client", "client|pause", "script|kill", "sync", "quit"})
    EXPECT_FALSE(fixed[name].empty()) << name;
  for (const char* name : {"eval", "blpop", "debug", "keys", "readonly", "xread", "ping", "script"})
    EXPECT_FALSE(fixed.contains(name)) << name;
}

// ---------------------------------------------------------------- at the login

const std::string kAsked =
    "*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n*1\r\n$4\r\nPING\r\n*1\r\n$5\r\nHELLO\r\n"
    "*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n*2\r\n$7\r\nCOMMAND\r\n$5\r\nCOUNT\r\n";
const std::string kCommand = "*1\r\n$7\r\nCOMMAND\r\n";

std::string greeting_of(int64_t id, const std::string& version = "7.0.15") {
  std::string hello = ModelConnection::greeting(2, id);
  const std::string known = bulk("7.0.15");
  return hello.replace(hello.find(known), known.size(), bulk(version));
}

std::string info_of(const std::string& run_id) {
  return bulk("# Server\r\nredis_version:7.0.15\r\nrun_id:" + run_id + "\r\ntcp_port:6379\r\n");
}

Outcome survey_at_every_split(const std::string& bytes) {
  CommandTables none;
  const Outcome whole = log_in({}, bytes, SIZE_MAX, &none);
  for (size_t piece = 1; piece <= 30; ++piece) {
    CommandTables fresh;
    EXPECT_EQ(log_in({}, bytes, piece, &fresh), whole) << "in pieces of " << piece;
  }
  return whole;
}

TEST(RedisSurvey, AsksForTheCommandsOnce) {
  CommandTables known;
  const std::string login = ":7\r\n+PONG\r\n";
  const std::string info = info_of("0123abc");
  const std::string answers = login + greeting_of(7) + info + ":240\r\n";
  const std::string all = answers + some_commands() + "+X";
  EXPECT_EQ(survey_at_every_split(all).step, Step::Done);
  Outcome outcome = log_in({}, all, SIZE_MAX, &known);
  EXPECT_EQ(outcome.step, Step::Done);
  EXPECT_EQ(outcome.sent, kAsked + kCommand);
  EXPECT_EQ(outcome.left, "+X");
  ASSERT_TRUE(outcome.commands.table);
  EXPECT_EQ(way_in(*outcome.commands.table, "mod.wait\r\n"), Way::Block);
  // Another connection of the same server has another number.
  const Outcome next =
      log_in({}, login + greeting_of(12345) + info + ":240\r\n+X", SIZE_MAX, &known);
  EXPECT_EQ(next.step, Step::Done);
  EXPECT_EQ(next.sent, kAsked);
  EXPECT_EQ(next.left, "+X");
  EXPECT_EQ(next.commands.table, outcome.commands.table);
  // Another version, number of commands or configuration.
  EXPECT_EQ(log_in({}, login + greeting_of(7, "7.2.0") + info + ":240\r\n", 99, &known).step,
            Step::Wait);
  EXPECT_EQ(log_in({}, login + greeting_of(7) + info + ":241\r\n", 99, &known).step, Step::Wait);
  LoginTarget target;
  target.settings = {{"get", "lease"}};
  EXPECT_EQ(log_in(target, answers, SIZE_MAX, &known).step, Step::Wait);
  outcome = log_in(target, answers + some_commands(), SIZE_MAX, &known);
  EXPECT_EQ(way_in(*outcome.commands.table, "get k\r\n"), Way::Alone);
  EXPECT_EQ(way_in(*outcome.commands.table, "mod.wait\r\n"), Way::Block);
}

TEST(RedisSurvey, AServerThatDoesNotSayIsFineAllTheSame) {
  LoginTarget target;
  target.settings = {{"get", "lease"}};
  const std::string login = ":7\r\n+PONG\r\n", old = "-ERR unknown command `HELLO`\r\n";
  const std::string denied =
      "-NOPERM this user has no permissions to run the 'command' command\r\n";
  for (const std::string& answers :
       {old + denied + denied, greeting_of(7) + denied + denied, old + denied + ":9\r\n" + denied,
        old + info_of("1") + ":9\r\n+what\r\n",
        old + denied + ":9\r\n*1\r\n*1\r\n*2\r\n:1\r\n:2\r\n"}) {
    for (const size_t piece : {1, 7, 9999}) {
      CommandTables known;
      const Outcome outcome = log_in(target, login + answers, piece, &known);
      EXPECT_EQ(outcome.step, Step::Done) << answers;
      EXPECT_EQ(outcome.left, "");
      EXPECT_EQ(way_in(*outcome.commands.table, "get k\r\n"), Way::Alone);
      EXPECT_EQ(outcome.commands.table->effect("get", "k"), Effect::MayWrite);
    }
  }
  // Busy with a script: it says so to PING and to COMMAND.
  CommandTables known;
  const std::string busy = "-BUSY Redis is busy running a script.\r\n";
  EXPECT_EQ(log_in(target, busy + busy + greeting_of(7) + busy + busy, 3, &known).step, Step::Done);
  for (const std::string bad : {"?\r\n", "*x\r\n"})
    for (const std::string& before : {std::string(), greeting_of(7), greeting_of(7) + info_of("1"),
                                      greeting_of(7) + info_of("1") + ":1\r\n"}) {
      CommandTables none;
      EXPECT_EQ(log_in({}, login + before + bad, 3, &none).kind, base::ErrorKind::Protocol);
    }
}

// Whoever is connected to the same server counts with the others.
TEST(RedisSurvey, TellsServersApart) {
  CommandTables known;
  log_in({}, ":7\r\n+PONG\r\n" + greeting_of(7) + info_of("x") + ":240\r\n" + some_commands(), 99,
         &known);
  const auto audience = [&known](const std::string& info) {
    const std::string answers = ":7\r\n+PONG\r\n" + greeting_of(7) + info + ":240\r\n";
    const Outcome outcome = log_in({}, answers, 1, &known);
    EXPECT_EQ(outcome.step, Step::Done) << info;
    return outcome.commands.audience;
  };
  const auto one = audience(info_of("abc"));
  ASSERT_TRUE(one);
  EXPECT_EQ(audience(info_of("abc")), one);
  EXPECT_NE(audience(info_of("abd")), one);
  for (const std::string& none :
       {std::string("-NOPERM\r\n"), std::string("+OK\r\n"), std::string("$-1\r\n"),
        bulk("# Server\r\n"), info_of(""), info_of(std::string(65, 'x'))})
    EXPECT_EQ(audience(none), nullptr) << none;
}

TEST(Audiences, GoWithTheLastConnection) {
  Audiences all;
  auto one = all.of("a");
  const std::weak_ptr<Audience> gone = one;
  EXPECT_EQ(all.of("a"), one);
  EXPECT_NE(all.of("b"), one);
  one.reset();
  EXPECT_TRUE(gone.expired());
  EXPECT_TRUE(all.of("a")->is_empty());
}

TEST(RedisSurvey, TheTablesAreFew) {
  CommandTables tables;
  const auto table =
      std::make_shared<const CommandTable>(std::vector<CommandRow>{}, protocol::Settings{});
  for (int i = 0; i < 17; ++i) tables.keep(std::to_string(i), table);
  tables.keep("16", nullptr);
  EXPECT_EQ(tables.find("0"), nullptr);
  EXPECT_EQ(tables.find("1"), table);
  EXPECT_EQ(tables.find("16"), table);
}

// ---------------------------------------------------------------- what becomes of them

TEST(RedisClasses, TheServersOwnWordCounts) {
  World world;
  world.redis.commands = some_commands();
  const size_t a = world.add_client(), b = world.add_client();
  world.send(a, "MOD.READ\r\nMOD.READ\r\n");
  EXPECT_EQ(world.client(a).events, "");
  world.send(a, "MOD.WAIT 0\r\nMOD.READ\r\n");
  EXPECT_EQ(world.client(a).events, " lease end");
  world.send(b, "MOD.WAIT 0\r\n");
  EXPECT_EQ(world.client(b).events, " lease end");
  EXPECT_EQ(world.redis.surveys, 1u);
  EXPECT_EQ(world.client(a).out, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
}

// Without a table it would stand in a lane.
TEST(RedisClasses, AreLookedAtAgainWhenTheLaneIsThere) {
  for (const size_t piece : {size_t{1}, size_t{5}, SIZE_MAX}) {
    World world(piece);
    world.redis.commands = some_commands();
    const size_t a = world.add_client();
    world.answers = false;
    world.send(a, "PING\r\nMOD.WAIT 0\r\nPING\r\n");
    world.go_on();
    EXPECT_EQ(world.client(a).out, "+PONG\r\n+OK\r\n+PONG\r\n");
    EXPECT_EQ(world.client(a).events.substr(0, 6), " lease");
    EXPECT_TRUE(world.all_are_idle());
  }
}

TEST(RedisClasses, OfTheConfiguration) {
  LoginTarget target;
  target.settings = {{"mod.read", "pinned"}, {"echo", "lease"}, {"eval", "lane"}};
  World world(SIZE_MAX, {}, target);
  const size_t a = world.add_client(), b = world.add_client(), c = world.add_client();
  world.send(a, "ECHO x\r\n");
  EXPECT_EQ(world.client(a).events, " lease end");
  world.send(b, "EVAL x\r\nEVAL x\r\n");
  EXPECT_EQ(world.client(b).events, "");
  EXPECT_NE(world.client(b).on, protocol::LaneKind::Heavy);
  // It stays with its client until that resets it, and is closed then.
  const size_t servers = world.servers();
  world.send(c, "MOD.READ\r\nPING\r\n");
  ASSERT_NE(world.client(c).lease, nullptr);
  const Server& server = *world.client(c).lease;
  EXPECT_EQ(world.link().pin(server.state), protocol::Pin::Command);
  EXPECT_EQ(world.link().condition(server.state), Condition::Broken);
  world.send(c, "RESET\r\n");
  EXPECT_EQ(world.client(c).events, " lease end");
  EXPECT_TRUE(server.model->closed);
  world.send(c, "PING\r\n");
  EXPECT_EQ(world.client(c).out, "+OK\r\n+PONG\r\n+RESET\r\n+PONG\r\n");
  EXPECT_GE(world.servers(), servers);
}

// Leaves something on the connection that nobody can undo.
TEST(RedisClasses, TheUnknownOfTheConnectionAreClosedBehindTheirClient) {
  World world;
  world.redis.commands = array_of({described("mod.read", {}, {"@connection"})});
  const size_t a = world.add_client();
  world.send(a, "MOD.READ\r\n");
  EXPECT_EQ(world.client(a).events, " lease end");
  size_t open = 0;
  for (const ModelConnection* each : world.redis.connections) open += each->closed ? 0 : 1;
  world.send(a, "PING\r\n");
  EXPECT_EQ(world.client(a).out, "+OK\r\n+PONG\r\n");
  EXPECT_EQ(open, world.servers() - 2);
}

}  // namespace
}  // namespace weir::redis
