// Settings that the server does not report: asked for behind the SET, carried, reset, bounded.
#include "link_script.h"

namespace weir::postgres {
namespace {

using namespace script;
using protocol::Pin;

void two_servers(LinkTalk& talk) { talk.add_server(); }

TEST(LinkRemains, ASettingThatIsNotReportedComesAlong) {
  const auto talk =
      play({{"c: Q[set work_mem='8MB']", "s: Q[set work_mem='8MB']"},
            {"s: C[SET] Z[I]", "s: ?[work_mem]; c: C[SET] Z[I]"},
            {"s: T D[32|work_mem|8MB] C[SELECT 1] Z[I]", "end"},
            {"use 1", ""},
            {"c: Q[a]", "s: Q[SELECT pg_catalog.set_config('work_mem','8MB',false);]; attach"},
            {"s: T D[8MB] C[SELECT 1] Z[I]", "s: Q[a]"},
            {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]; end"}},
           two_servers);
  EXPECT_EQ(wanted(*talk), (SettingMap{{"work_mem", "8MB"}}));
  EXPECT_EQ(in_force(*talk, 0), wanted(*talk));
  EXPECT_EQ(in_force(*talk, 1), wanted(*talk));
  EXPECT_EQ(condition(*talk), Condition::Clean);
}

TEST(LinkRemains, ByTheExtendedProtocolToo) {
  const auto talk = play(
      {{"c: P[|set work_mem=8] B[|] E[] P[|set my.own=x] B[|] E[] S",
        "s: P[|set work_mem=8] B[|] E[] P[|set my.own=x] B[|] E[] S"},
       {"s: 1 2 C[SET] 1 2 C[SET] Z[I]", "s: ?[work_mem my.own]; c: 1 2 C[SET] 1 2 C[SET] Z[I]"},
       {"s: T D[32|work_mem|8] D[32|my.own|x] C[SELECT 2] Z[I]", "end"}});
  EXPECT_EQ(wanted(*talk), (SettingMap{{"my.own", "x"}, {"work_mem", "8"}}));
}

// Names of an application's own are in no list.
TEST(LinkRemains, WhereNoNameSaysWhatWasSetAllIsAskedFor) {
  const std::string set = "set session characteristics as transaction read only";
  const auto talk = play({{"c: Q[" + set + "]", "s: Q[" + set + "]"},
                          {"s: C[SET] Z[I]", "s: ?[any my.own]; c: C[SET] Z[I]"},
                          {"s: T D[32|my.own|y] D[32|jit|off] D[32|TimeZone|CET] D[32|Plpgsql.x|1] "
                           "D[32|transaction_isolation|serializable] D[32|role|bob] Z[I]",
                           "end"}},
                         [](LinkTalk& setup) {
                           setup.client.wanted = intern_settings(
                               setup.texts(), {{"enable_sort", "off"}, {"my.own", "x"}});
                           setup.server(0).in_force = setup.client.wanted;
                         });
  EXPECT_EQ(wanted(*talk),
            (SettingMap{{"jit", "off"}, {"my.own", "y"}, {"plpgsql.x", "1"}, {"role", "bob"}}));
}

TEST(LinkRemains, NamesOfAllStatementsOfAMessage) {
  for (const auto& [text, asked] : {std::pair{"set a=1; set b.c='x;'; select 1", "a b.c"},
                                    {"select 1; set /* ; set x.y=1 */ a=1", "a x.y"},
                                    {"/* a; b */ set app.t=1", "app.t"},
                                    {"set /*;*/ app.t=1", "app.t"},
                                    {"set session.t to 1", "session.t"},
                                    {"set session a.t = 1", "a.t"},
                                    {"set schema 'x'", "search_path"},
                                    {"set xml option document", "any"},
                                    {"set u&\"a\" = 1", "any"},
                                    {"insert into x values (';'); SET \"a\"=1", "a"},
                                    {"set local a=1; set b=1", "b"}}) {
    LinkTalk talk;
    Names names;
    talk.client_sends(client_bytes("Q[" + std::string(text) + "]"));
    talk.take();
    talk.server_sends(server_bytes("C[SET] Z[I]"));
    EXPECT_EQ(show_client(talk.take().to_server, names), " ?[" + std::string(asked) + "]") << text;
  }
}

// Comments and names that never end used to be read to the end of the text for each word "set".
TEST(LinkRemains, ATextOfNothingButSets) {
  for (const std::string word : {"set/*", "set \"", "set a=1;", "set local \""}) {
    std::string text;
    while (text.size() < 2'000'000) text += word;
    EXPECT_NE(traits_of(text) & (kSetSession | kReadsLocally), 0) << word;
    EXPECT_LE(names_set(text).size(), 65) << word;
  }
  std::string many;
  for (int i = 0; i < 100; ++i) many += "set a" + std::to_string(i) + "=1;";
  EXPECT_EQ(names_set(many).size(), 65);
  EXPECT_EQ(names_set(many).back(), "");
}

TEST(LinkRemains, ATextThatIsTooLongToLookAtMaySetAnything) {
  LinkTalk talk;
  Names names;
  const std::string comment(17000, 'x');
  talk.client_sends(client_bytes("Q[set a=1 /*" + comment + "*/; set b=1]"));
  talk.take();
  talk.server_sends(server_bytes("C[SET] C[SET] Z[I]"));
  EXPECT_EQ(show_client(talk.take().to_server, names), " ?[any]");
}

// As it does in a function's body.
TEST(LinkRemains, AWordSetThatHasNotRunChangesNothing) {
  const std::string text = "create function set(x int) returns int as $$select 1; select 2$$";
  const auto talk = play({{"c: Q[" + text + "]", "s: Q[" + text + "]"},
                          {"s: C[CREATE FUNCTION] Z[I]", "s: ?[temp]; c: C[CREATE FUNCTION] Z[I]"},
                          {"s: T C[SELECT 0] Z[I]", "end"}},
                         [](LinkTalk& setup) {
                           setup.client.wanted = setup.server(0).in_force =
                               intern_settings(setup.texts(), {{"search_path", "mine"}});
                         });
  EXPECT_EQ(wanted(*talk), (SettingMap{{"search_path", "mine"}}));
  EXPECT_EQ(condition(*talk), Condition::Clean);
}

TEST(LinkRemains, AfterASetThatIsRolledBackItIsAsItWas) {
  const auto talk = play({{"c: Q[set work_mem=8]", "s: Q[set work_mem=8]"},
                          {"s: C[SET] Z[I]", "s: ?[work_mem]; c: C[SET] Z[I]"},
                          {"s: T D[32|work_mem|8kB] C[SELECT 1] Z[I]", "end"},
                          {"c: Q[begin]", "s: Q[begin]"},
                          {"s: C[BEGIN] Z[T]", "c: C[BEGIN] Z[T]"},
                          {"c: Q[set work_mem=9]", "s: Q[set work_mem=9]"},
                          {"s: C[SET] Z[T]", "c: C[SET] Z[T]"},
                          {"c: Q[set no.such=9]", "s: Q[set no.such=9]"},
                          {"s: C[SET] Z[T]", "c: C[SET] Z[T]"},
                          {"c: Q[rollback]", "s: Q[rollback]"},
                          {"s: C[ROLLBACK] Z[I]", "s: ?[work_mem no.such]; c: C[ROLLBACK] Z[I]"},
                          {"s: T D[32|work_mem|8kB] D[32|no.such|null] C[SELECT 1] Z[I]", "end"}});
  EXPECT_EQ(wanted(*talk), (SettingMap{{"work_mem", "8kB"}}));
}

// The client means its own login, the server weir's.
TEST(LinkRemains, AResetThatIsRolledBackDoesNothing) {
  const auto log_in = [](LinkTalk& talk) {
    talk.client.startup = intern_settings(talk.texts(), {{"search_path", "mine"}});
    talk.client.wanted = intern_settings(talk.texts(), {{"jit", "off"}, {"search_path", "other"}});
    talk.server(0).in_force = talk.client.wanted;
  };
  const auto talk =
      play({{"c: Q[begin]", "s: Q[begin]"},
            {"s: C[BEGIN] Z[T]", "c: C[BEGIN] Z[T]"},
            {"c: Q[reset search_path]", "s: Q[reset search_path]"},
            {"s: C[RESET] Z[T]", "c: C[RESET] Z[T]"},
            {"c: Q[a]", "s: Q[SELECT pg_catalog.set_config('search_path','mine',false);]; attach"},
            {"s: T D[mine] C[SELECT 1] Z[T]", "s: Q[a]"},
            {"s: C[INSERT 0 1] Z[T]", "c: C[INSERT 0 1] Z[T]"},
            {"c: Q[rollback]", "s: Q[rollback]"},
            {"s: C[ROLLBACK] Z[I]", "s: ?[any]; c: C[ROLLBACK] Z[I]"},
            {"s: T D[32|jit|off] D[32|search_path|other] C[SELECT 2] Z[I]", "end"}},
           log_in);
  EXPECT_EQ(wanted(*talk), (SettingMap{{"jit", "off"}, {"search_path", "other"}}));
}

// Those that were set without a name of theirs having been seen.
TEST(LinkRemains, WhereNoNameSaysWhatWasSetTheServerIsReset) {
  LinkTalk other;
  other.client_sends(client_bytes("Q[x]"));
  other.server_sends(server_bytes("C[SET] Z[I] T C[SELECT 0] Z[I]"));
  EXPECT_EQ(condition(other), Condition::Dirty);
}

TEST(LinkRemains, WithoutPreparedStatementsNamesAreSeenToo) {
  play({{"c: P[|set app.tenant=x] B[|] E[] S", "s: P[|set app.tenant=x] B[|] E[] S"},
        {"s: 1 2 C[SET] Z[I]", "s: ?[app.tenant]; c: 1 2 C[SET] Z[I]"}},
       [](LinkTalk& talk) { talk.client.options.prepared_statements = 0; });
}

TEST(LinkRemains, WhatStandsBehindDiscardAllIsSeen) {
  play({{"c: Q[discard all] Q[set app.tenant=x]", "s: Q[discard all] Q[set app.tenant=x]"},
        {"s: C[DISCARD ALL] Z[I]", "c: C[DISCARD ALL] Z[I]"},
        {"s: C[SET] Z[I]", "s: ?[app.tenant]; c: C[SET] Z[I]"}});
}

// What follows the word set in an UPDATE, or was denied.
TEST(LinkRemains, ANameThatWasNotSetIsNotCarried) {
  const std::string text = "set work_mem=8; update t set x=1";
  const auto talk =
      play({{"c: Q[" + text + "]", "s: Q[" + text + "]"},
            {"s: C[SET] C[UPDATE 1] Z[I]", "s: ?[work_mem x]; c: C[SET] C[UPDATE 1] Z[I]"},
            {"s: T D[32|work_mem|8kB] C[SELECT 1] Z[I]", "end"}});
  EXPECT_EQ(wanted(*talk), (SettingMap{{"work_mem", "8kB"}}));
  EXPECT_EQ(condition(*talk), Condition::Clean);
}

TEST(LinkRemains, NamesEndWithTheirClient) {
  LinkTalk talk;
  talk.client_sends(client_bytes("Q[begin]"));
  talk.server_sends(server_bytes("C[BEGIN] Z[T]"));
  talk.client_sends(client_bytes("Q[set session_replication_role=replica]"));
  talk.server_sends(server_bytes("E[42501] Z[E]"));
  const auto recover = talk.link().recover(talk.server(0));
  std::string sent;
  recover->start(sent);
  EXPECT_EQ(recover->feed(server_bytes("C[ROLLBACK] Z[I]"), sent).step, Step::Done);
  Remains& remains = talk.server(0).remains;
  remains.suspect(kSettings);
  EXPECT_EQ(remains.ask({}).find("session_replication_role"), std::string::npos);
}

TEST(LinkRemains, ALongTextBehindANamedOne) {
  LinkTalk talk;
  Names names;
  talk.client_sends(client_bytes("Q[begin] Q[set jit=off]"));
  talk.server_sends(server_bytes("C[BEGIN] Z[T] C[SET] Z[T]"));
  talk.client_sends(
      client_bytes("Q[insert '" + std::string(17000, 'x') + "'; set role bob] Q[commit]"));
  talk.take();
  talk.server_sends(server_bytes("C[INSERT 0 1] C[SET] Z[T] C[COMMIT] Z[I]"));
  EXPECT_EQ(show_client(talk.take().to_server, names), " ?[any]");
}

TEST(LinkRemains, ABlockThatFailsMayHaveCommitted) {
  for (const char* text : {"do $$begin commit; end$$", "call x()", "select 1; call x()"}) {
    const auto talk = play(
        {{"c: Q[" + std::string(text) + "]", "s: Q[" + std::string(text) + "]"},
         {"s: E[P0001] Z[I]", "s: ?[listening temp cursor prepared lock any]; c: E[P0001] Z[I]"},
         {"s: T C[SELECT 0] Z[I]", "end"}});
    EXPECT_EQ(condition(*talk), Condition::Dirty) << text;
  }
}

TEST(LinkRemains, ResetAndSetInOneTurn) {
  for (const std::string text : {"reset all; set jit=off", "set a to default; set jit=off"}) {
    const bool resets = text.starts_with("reset");
    const std::string tag = resets ? "C[RESET]" : "C[SET]";
    const std::string asked = resets ? "?[any]" : "?[a jit]";
    const auto talk =
        play({{"c: Q[" + text + "]", "s: Q[" + text + "]"},
              {"s: " + tag + " C[SET] Z[I]", "s: " + asked + "; c: " + tag + " C[SET] Z[I]"},
              {"s: T D[32|jit|off] C[SELECT 1] Z[I]", "end"}});
    EXPECT_EQ(wanted(*talk), (SettingMap{{"jit", "off"}})) << text;
  }
}

TEST(LinkRemains, ANameOfSeveralPartsIsReset) {
  const auto talk =
      play({{"c: Q[reset app.tenant]", "s: Q[reset app.tenant]"},
            {"s: C[RESET] Z[I]", "c: C[RESET] Z[I]; end"}},
           [](LinkTalk& setup) {
             setup.client.startup = intern_settings(setup.texts(), {{"app.tenant", "x"}});
             setup.client.wanted = setup.server(0).in_force =
                 intern_settings(setup.texts(), {{"app.tenant", "y"}});
           });
  EXPECT_EQ(wanted(*talk), (SettingMap{{"app.tenant", "x"}}));
  EXPECT_EQ(in_force(*talk), SettingMap{});
}

// Of a reported one, and of one that is in no list.
TEST(LinkRemains, AResetThatIsRolledBackInOnePipeline) {
  const std::string text = "P[|reset all] B[|] E[] P[|bad] S";
  const auto talk =
      play({{"c: " + text, "s: " + text},
            {"s: 1 2 C[RESET] E[42601] Z[I]", "s: ?[any app.t]; c: 1 2 C[RESET] E[42601] Z[I]"},
            {"s: T D[32|app.t|y] C[SELECT 1] Z[I]", "end"}},
           [](LinkTalk& setup) {
             setup.client.wanted = setup.server(0).in_force =
                 intern_settings(setup.texts(), {{"app.t", "y"}, {"timezone", "CET"}});
             setup.server(0).reported["TimeZone"] = "CET";
           });
  EXPECT_EQ(wanted(*talk), (SettingMap{{"app.t", "y"}, {"timezone", "CET"}}));
}

TEST(LinkRemains, AValueThatIsNotCarriedStaysInForce) {
  const auto talk = play({{"c: Q[set search_path='x']", "s: Q[set search_path='x']"},
                          {"s: C[SET] Z[I]", "s: ?[search_path]; c: C[SET] Z[I]"},
                          {"s: T D[32|search_path|sch\xc3\xa9ma] C[SELECT 1] Z[I]", ""},
                          {"c: Q[a]", "s: Q[a]"}},
                         [](LinkTalk& setup) {
                           setup.client.startup = setup.client.wanted = setup.server(0).in_force =
                               intern_settings(setup.texts(), {{"search_path", "app"}});
                         });
  EXPECT_EQ(pin(*talk), Pin::Setting);
}

TEST(LinkRemains, ANameThatTheServerCutsStays) {
  LinkTalk talk;
  const std::string name = "app." + std::string(70, 'x');
  talk.client_sends(client_bytes("Q[set " + name + "=1]"));
  talk.server_sends(server_bytes("C[SET] Z[I] T C[SELECT 0] Z[I]"));
  EXPECT_EQ(pin(talk), Pin::Setting);
}

TEST(LinkRemains, OneThatIsNotCarriedStaysUntilAllAreReset) {
  const std::vector<Line> lines = {{"c: Q[set app.name='x']", "s: Q[set app.name='x']"},
                                   {"s: C[SET] Z[I]", "s: ?[app.name]; c: C[SET] Z[I]"},
                                   {"s: T D[32|app.name|\xe8] C[SELECT 1] Z[I]", ""},
                                   {"c: Q[set work_mem=8]", "s: Q[set work_mem=8]"},
                                   {"s: C[SET] Z[I]", "s: ?[work_mem]; c: C[SET] Z[I]"},
                                   {"s: T D[32|work_mem|8kB] C[SELECT 1] Z[I]", ""}};
  EXPECT_EQ(pin(*play(lines)), Pin::Setting);
  auto reset = lines;
  reset.insert(reset.end(), {{"c: Q[reset all]", "s: Q[reset all]"},
                             {"s: C[RESET] Z[I]", "c: C[RESET] Z[I]; end"}});
  const auto talk = play(reset);
  EXPECT_EQ(condition(*talk), Condition::Dirty);
  EXPECT_EQ(wanted(*talk), SettingMap{});
}

TEST(LinkRemains, SettingsAreBoundedPerClient) {
  LinkTalk talk;
  const std::string value(5000, 'x');
  for (const std::string name : {"a.a", "a.b", "a.c", "a.d"}) {
    EXPECT_EQ(pin(talk), std::nullopt) << name;
    talk.client_sends(client_bytes("Q[set " + name + "='y']"));
    talk.server_sends(server_bytes("C[SET] Z[I]"));
    talk.server_sends(server_bytes("T D[32|" + name + "|" + value + "] C[SELECT 1] Z[I]"));
  }
  EXPECT_EQ(pin(talk), Pin::Setting);
  EXPECT_EQ(wanted(talk).size(), 3);
}

TEST(LinkRemains, AnEndlessAnswerIsNotKept) {
  LinkTalk talk;
  talk.client.wanted = talk.server(0).in_force = intern_settings(talk.texts(), {{"jit", "off"}});
  talk.client_sends(client_bytes("Q[set session characteristics as transaction read only]"));
  talk.server_sends(server_bytes("C[SET] Z[I] T"));
  const std::string row = server_bytes("D[32|a|" + std::string(1000, 'x') + "]");
  for (int i = 0; i < 100; ++i) talk.server_sends(row);
  talk.server_sends(server_bytes("C[SELECT 100] Z[I]"));
  EXPECT_EQ(pin(talk), Pin::Setting);
  EXPECT_EQ(wanted(talk), (SettingMap{{"jit", "off"}}));
}

TEST(LinkRemains, ResetAllKeepsTheRole) {
  const auto talk =
      play({{"c: Q[reset all]", "s: Q[reset all]"}, {"s: C[RESET] Z[I]", "c: C[RESET] Z[I]; end"}},
           [](LinkTalk& setup) {
             setup.client.wanted = setup.server(0).in_force =
                 intern_settings(setup.texts(), {{"jit", "off"}, {"role", "bob"}});
           });
  EXPECT_EQ(wanted(*talk), (SettingMap{{"role", "bob"}}));
}

TEST(LinkRemains, LocksOfStatementsThatFailOrAreNotRunToTheirEnd) {
  const std::string text = "P[|select pg_advisory_lock(1)] B[|] E[|1] S";
  play({{"c: " + text, "s: " + text}, {"s: 1 2 D[] s Z[I]", "s: ?[lock]; c: 1 2 D[] s Z[I]"}});
  play(
      {{"c: " + text, "s: " + text}, {"s: 1 2 E[57014] Z[I]", "s: ?[lock]; c: 1 2 E[57014] Z[I]"}});
}

// The refusal of BEGIN is all that is owed when the server has answered.
TEST(LinkRemains, BehindAnAnswerOfWeirsOwn) {
  play({{"c: Q[listen x] Q[begin]", "s: Q[listen x]"},
        {"s: C[LISTEN] Z[I]", "s: ?[listening]; c: C[LISTEN] Z[I] E[0A000] Z[I]"}},
       [](LinkTalk& talk) { talk.client.options.statement_mode = true; });
}

TEST(LinkRemains, NotificationsDuringATalkAreTold) {
  play({{"c: Q[listen x]", "s: Q[listen x]"},
        {"s: C[LISTEN] Z[I]", "s: ?[listening]; c: C[LISTEN] Z[I]"},
        {"s: T D[1||] C[SELECT 1] Z[I]", ""},
        {"c: Q[reset jit]", "s: Q[reset jit]"},
        {"s: C[RESET] Z[I]", "c: C[RESET] Z[I]"},
        {"c: Q[a]", "s: Q[SELECT pg_catalog.set_config('jit','off',false);]; attach"},
        {"s: T D[off] C[SELECT 1] A Z[I]", "s: Q[a]; c: A"}},
       [](LinkTalk& talk) {
         talk.client.startup = talk.client.wanted = talk.server(0).in_force =
             intern_settings(talk.texts(), {{"jit", "off"}});
       });
}

TEST(LinkRemains, TooManySettingsStayWhereTheyAre) {
  std::string rows;
  for (int i = 0; i < 101; ++i) rows += " D[32|my.n" + std::to_string(i) + "|x]";
  LinkTalk talk;
  talk.client_sends(client_bytes("Q[set session characteristics as transaction read only]"));
  talk.server_sends(server_bytes("C[SET] Z[I]"));
  talk.server_sends(server_bytes("T" + rows + " C[SELECT 101] Z[I]"));
  EXPECT_EQ(pin(talk), Pin::Setting);
  EXPECT_NE(talk.held(), nullptr);
}

// What was read before a setting changed, and what after it, nobody can tell apart.
TEST(LinkRemains, TextsThatWereReadBesideASettingAreNotShared) {
  for (const auto& [name, is_shared] :
       {std::pair{"search_path", true}, {"backslash_quote", false}}) {
    const std::string set = std::string("set ") + name + "=x";
    const auto talk =
        play({{"c: P[|" + set + "] B[|] E[] P[s|select 'x'] S",
               "s: P[|" + set + "] B[|] E[] P[@1|select 'x'] S"},
              {"s: 1 2 C[SET] 1 Z[I]", std::string("s: ?[") + name + "]; c: 1 2 C[SET] 1 Z[I]"},
              {std::string("s: T D[32|") + name + "|x] C[SELECT 1] Z[I]", "end"}});
    EXPECT_EQ(talk->server(0).dirty, !is_shared) << name;
  }
}

TEST(LinkRemains, ARoleIsSetLast) {
  play({{"c: Q[a]",
         "s: Q[SELECT pg_catalog.set_config('session_replication_role','replica',false);"
         "SELECT pg_catalog.set_config('role','bob',false);]; attach"}},
       [](LinkTalk& talk) {
         talk.client.wanted = intern_settings(
             talk.texts(), {{"role", "bob"}, {"session_replication_role", "replica"}});
       });
}

}  // namespace
}  // namespace weir::postgres
