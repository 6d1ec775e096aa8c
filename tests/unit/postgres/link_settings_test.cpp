// Settings: what a client set comes along, what it has not set is not there, and RESET goes back to
// what it logged in with.
#include "link_script.h"

namespace weir::postgres {
namespace {

using namespace script;

// A client that logged in with these, on servers where they are in force.
Setup logged_in_with(const SettingMap& settings) {
  return [settings](LinkTalk& talk) {
    talk.client.startup = talk.client.wanted = intern_settings(talk.texts(), settings);
    talk.server(0).in_force = talk.client.wanted;
    for (auto& [name, value] : talk.server(0).reported)
      if (const auto own = settings.find(lower_case(name)); own != settings.end())
        value = own->second;
    talk.add_server();
  };
}

TEST(LinkSettings, AReportedSettingComesAlong) {
  const auto talk =
      play({{"c: Q[set timezone='CET']", "s: Q[set timezone='CET']"},
            {"s: C[SET] S[TimeZone=CET] Z[I]", "c: C[SET] S[TimeZone=CET] Z[I]; end"},
            {"use 1", ""},
            {"c: Q[a]", "s: Q[SELECT pg_catalog.set_config('timezone','CET',false);]; attach"},
            {"s: T D[CET] C[SELECT 1] S[TimeZone=CET] Z[I]", "s: Q[a]"},
            {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]; end"}},
           [](LinkTalk& setup) { setup.add_server(); });
  EXPECT_EQ(wanted(*talk), (SettingMap{{"timezone", "CET"}}));
  EXPECT_EQ(in_force(*talk, 0), wanted(*talk));
  EXPECT_EQ(in_force(*talk, 1), wanted(*talk));
  EXPECT_FALSE(talk->server(0).dirty);
}

TEST(LinkSettings, WhatANewClientHasNotSetIsReset) {
  play({{"c: Q[a]",
         "s: Q[SET SESSION AUTHORIZATION DEFAULT;RESET ROLE;RESET ALL;"
         "SELECT pg_catalog.set_config('application_name','me',false);]; attach"},
        {"s: C[SET] C[RESET] C[RESET] T D[me] C[SELECT 1] S[TimeZone=UTC] Z[I]", "s: Q[a]"}},
       [](LinkTalk& talk) {
         talk.server(0).in_force = intern_settings(talk.texts(), {{"timezone", "CET"}});
         talk.client.wanted = intern_settings(talk.texts(), {{"application_name", "me"}});
       });
}

TEST(LinkSettings, ASettingThatIsRolledBackIsNotRemembered) {
  const auto talk =
      play({{"c: Q[begin;set timezone='CET']", "s: Q[begin;set timezone='CET']"},
            {"s: C[BEGIN] C[SET] S[TimeZone=CET] Z[T]", "c: C[BEGIN] C[SET] S[TimeZone=CET] Z[T]"},
            {"c: Q[rollback]", "s: Q[rollback]"},
            {"s: C[ROLLBACK] S[TimeZone=UTC] Z[I]",
             "s: ?[timezone]; c: C[ROLLBACK] S[TimeZone=UTC] Z[I]"},
            {"s: T C[SELECT 0] Z[I]", "end"}});
  EXPECT_EQ(wanted(*talk), SettingMap{});
  EXPECT_EQ(in_force(*talk), SettingMap{});
}

// RESET of one setting used to run RESET ALL and RESET ROLE in the middle of a transaction.
TEST(LinkSettings, ResetGoesBackToTheStartUpValueAndTouchesNothingElse) {
  const auto talk =
      play({{"c: Q[begin]", "s: Q[begin]"},
            {"s: C[BEGIN] Z[T]", "c: C[BEGIN] Z[T]"},
            {"c: Q[set local role bob]", "s: Q[set local role bob]"},
            {"s: C[SET] Z[T]", "c: C[SET] Z[T]"},
            {"c: Q[set timezone=PST8PDT]", "s: Q[set timezone=PST8PDT]"},
            {"s: C[SET] S[TimeZone=PST8PDT] Z[T]", "c: C[SET] S[TimeZone=PST8PDT] Z[T]"},
            {"c: Q[reset timezone]", "s: Q[reset timezone]"},
            {"s: C[RESET] S[TimeZone=UTC] Z[T]", "c: C[RESET] S[TimeZone=CET] Z[T]"},
            {"c: Q[a]", "s: Q[SELECT pg_catalog.set_config('timezone','CET',false);]; attach"},
            {"s: T D[CET] C[SELECT 1] S[TimeZone=CET] Z[T]", "s: Q[a]"},
            {"s: C[INSERT 0 1] Z[T]", "c: C[INSERT 0 1] Z[T]"},
            {"c: Q[b]", "s: Q[b]"}},
           logged_in_with({{"timezone", "CET"}, {"search_path", "shop"}}));
  EXPECT_EQ(wanted(*talk), (SettingMap{{"timezone", "CET"}, {"search_path", "shop"}}));
}

TEST(LinkSettings, ResetOfAnUnreportedSetting) {
  for (const char* text :
       {"RESET search_path;", "set search_path to default", "set SESSION search_path = DEFAULT ;"})
    play({{"c: Q[" + std::string(text) + "]", "s: Q[" + std::string(text) + "]"},
          {"s: C[" + std::string(text[0] == 'R' ? "RESET" : "SET") + "] Z[T]",
           "c: C[" + std::string(text[0] == 'R' ? "RESET" : "SET") + "] Z[T]"},
          {"c: Q[a]", "s: Q[SELECT pg_catalog.set_config('search_path','shop',false);]; attach"}},
         logged_in_with({{"timezone", "CET"}, {"search_path", "shop"}}));
}

TEST(LinkSettings, ResetAllAndDiscardAll) {
  for (const char* tag : {"RESET", "DISCARD ALL"})
    play({{"c: Q[reset all]", "s: Q[reset all]"},
          {"s: C[" + std::string(tag) + "] S[TimeZone=UTC] Z[T]",
           "c: C[" + std::string(tag) + "] S[TimeZone=CET] Z[T]"},
          {"c: Q[a]",
           "s: Q[SELECT pg_catalog.set_config('search_path','shop',false);"
           "SELECT pg_catalog.set_config('timezone','CET',false);]; attach"},
          {"s: T D[x] C[SELECT 1] T D[x] C[SELECT 1] S[TimeZone=CET] Z[T]", "s: Q[a]"},
          {"s: C[INSERT 0 1] Z[T]", "c: C[INSERT 0 1] Z[T]"}},
         logged_in_with({{"timezone", "CET"}, {"search_path", "shop"}}));
}

// The value was that of weir's login, so that the server has nothing to report.
TEST(LinkSettings, ResetTellsTheClientWhatTheServerDoesNot) {
  play({{"c: Q[set timezone=UTC]", "s: Q[set timezone=UTC]"},
        {"s: C[SET] S[TimeZone=UTC] Z[T]", "c: C[SET] S[TimeZone=UTC] Z[T]"},
        {"c: P[|reset timezone] B[|] E[] S", "s: P[|reset timezone] B[|] E[] S"},
        {"s: 1 2 C[RESET] Z[T]", "c: 1 2 S[TimeZone=CET] C[RESET] Z[T]"},
        {"c: Q[a]", "s: Q[SELECT pg_catalog.set_config('timezone','CET',false);]; attach"}},
       logged_in_with({{"timezone", "CET"}}));
}

TEST(LinkSettings, ResetAmongOtherStatements) {
  play({{"c: Q[reset a;reset b]", "s: Q[reset a;reset b]"},
        {"s: C[RESET] C[RESET] S[TimeZone=UTC] Z[T]", "c: C[RESET] C[RESET] S[TimeZone=CET] Z[T]"},
        {"c: Q[a]",
         "s: Q[SELECT pg_catalog.set_config('search_path','shop',false);"
         "SELECT pg_catalog.set_config('timezone','CET',false);]; attach"}},
       logged_in_with({{"timezone", "CET"}, {"search_path", "shop"}}));
}

TEST(LinkSettings, AttachQuotesAndKeepsValuesAsTheyAre) {
  const SettingMap settings = {{"a.quote", "it's"},
                               {"application_name", "a\\b'c"},
                               {"search_path", "\"\", \"$user\", x"},
                               {"x", ""}};
  play({{"c: Q[a]",
         "s: Q[SELECT pg_catalog.set_config('a.quote','it''s',false);"
         "SELECT pg_catalog.set_config('application_name',E'a\\\\b''c',false);"
         "SELECT pg_catalog.set_config('search_path','\"\", \"$user\", x',false);"
         "SELECT pg_catalog.set_config('x','',false);]; attach"}},
       [&](LinkTalk& talk) { talk.client.wanted = intern_settings(talk.texts(), settings); });
}

TEST(LinkSettings, TheServersSpellingIsKept) {
  const auto talk = play(
      {{"c: Q[a]",
        "s: Q[SELECT pg_catalog.set_config('application_name','App',false);"
        "SELECT pg_catalog.set_config('timezone','cet',false);]; attach"},
       {"s: T D[x] C[SELECT 1] T D[x] C[SELECT 1] S[application_name=App] S[TimeZone=CET] Z[I]",
        "s: Q[a]"},
       {"s: I Z[I]", "c: I Z[I]; end"}},
      [](LinkTalk& setup) {
        setup.client.wanted =
            intern_settings(setup.texts(), {{"timezone", "cet"}, {"application_name", "App"}});
      });
  EXPECT_EQ(wanted(*talk), (SettingMap{{"timezone", "CET"}, {"application_name", "App"}}));
}

TEST(LinkSettings, AServerThatRefusesASettingIsAtRest) {
  const auto talk = play({{"c: Q[a]", "s: Q[SELECT pg_catalog.set_config('x','1',false);]; attach"},
                          {"s: E[42704]", ""},
                          {"s: Z[I]", "refused"}},
                         [](LinkTalk& setup) {
                           setup.client.wanted = intern_settings(setup.texts(), {{"x", "1"}});
                         });
  EXPECT_EQ(talk->link().condition(talk->server(0)), Condition::Clean);
  EXPECT_EQ(in_force(*talk), SettingMap{});
}

// ---------------------------------------------------------------- what may leave something

bool is_suspect(LinkTalk& talk) {
  return talk.server(0).dirty || talk.server(0).remains.is_asking();
}

bool dirty_after(const std::string& text, const std::string& answer, bool extended = false) {
  LinkTalk talk;
  talk.client_sends(client_bytes(extended ? "P[|" + text + "] B[|] E[] S" : "Q[" + text + "]"));
  talk.server_sends(server_bytes((extended ? "1 2 " : "") + answer + " Z[I]"));
  const Remains& remains = talk.server(0).remains;
  EXPECT_EQ(talk.held() == nullptr, !remains.is_asking() && !remains.pin()) << text;
  return is_suspect(talk);
}

TEST(LinkDirty, ByTextAndTagOfSet) {
  const std::vector<std::pair<std::string, bool>> table = {
      {"set local work_mem='1MB'", false},
      {"SET /* a /* nested */ comment */ LOCAL x=1;", false},
      {"-- a comment\nset transaction read only", false},
      {"set timezone='CET'", false},
      {"set session TimeZone to 'CET' ; ", false},
      {"set time zone 'CET'", false},
      {"set names 'latin1'", false},
      {"set \"application_name\" = 'x'", false},
      {"set timezone to default", false},
      {"set work_mem='1MB'", true},
      {"set work_mem to default", true},
      {"set search_path=x", true},
      {"set session characteristics as transaction read only", true},
      {"set session authorization bob", true},
      {"set role bob", true},
      {"set local a=1; set b=2", true},
      {"set local a='x;--'; set b=2", true},
      {"set local a='x;/*'; set b=2", true},
      {"set local a=$$x;--$$; set b=2", true},
      {"set timezone='x;--'; set b=2", true},
      {"select 1; set timezone='CET'", true},
      {"set -- \rb=1 --\n local x", true},
      {"set local.a=1", true},
      {"set names.a=1", true},
      {"set transaction.a=1", true},
      {"set timezone.a=1", true},
      {"set server_version='1'", true},
      {"set", true},
      {"execute x", true}};
  for (const auto& [text, dirty] : table) {
    EXPECT_EQ(dirty_after(text, "C[SET]"), dirty) << text;
    // What else stands in the pipeline may undo a reset.
    const bool is_asked = dirty || text == "set timezone to default";
    EXPECT_EQ(dirty_after(text, "C[SET]", true), is_asked) << text << " (extended)";
  }
}

// One statement that is harmless must not hide another one of the same turn.
TEST(LinkDirty, SeveralSetsInOneTurn) {
  LinkTalk talk;
  talk.client_sends(client_bytes("P[|set local a=1] B[|] E[] P[|set b='x;'] B[|] E[] S"));
  talk.server_sends(server_bytes("1 2 C[SET] 1 2 C[SET] Z[I]"));
  EXPECT_TRUE(is_suspect(talk));
}

TEST(LinkDirty, ByTag) {
  for (const char* tag :
       {"INSERT 0 1",    "UPDATE 1",       "DELETE 2",        "MERGE 1",
        "COPY 5",        "BEGIN",          "COMMIT",          "ROLLBACK",
        "SAVEPOINT",     "RELEASE",        "SET CONSTRAINTS", "FETCH 1",
        "MOVE 1",        "TRUNCATE TABLE", "VACUUM",          "CLOSE CURSOR",
        "ALTER TABLE",   "DROP TABLE",     "GRANT",           "NOTIFY",
        "DISCARD PLANS", "LOCK TABLE",     "DISCARD TEMP",    "PREPARE TRANSACTION"})
    EXPECT_FALSE(dirty_after("x", "C[" + std::string(tag) + "]")) << tag;
  for (const char* tag : {"CREATE TABLE", "CREATE VIEW", "CREATE SEQUENCE", "CREATE FUNCTION", "DO",
                          "CALL", "LISTEN", "LOAD", "PREPARE", "DECLARE CURSOR", "RESET",
                          "CREATE TABLE AS", "SOMETHING", "", "EXPLAIN"})
    EXPECT_TRUE(dirty_after("x", "C[" + std::string(tag) + "]")) << tag;
}

TEST(LinkDirty, ASelectThatMayHaveMadeATable) {
  EXPECT_FALSE(dirty_after("select 1", "T D[1] C[SELECT 1]"));
  EXPECT_FALSE(dirty_after("select 1 where false", "T C[SELECT 0]"));
  EXPECT_TRUE(dirty_after("select 1 into temp x", "C[SELECT 1]"));
  EXPECT_TRUE(dirty_after("select 1 into temp x where false", "C[SELECT 0]"));
  EXPECT_TRUE(dirty_after("select 1; select 2 into x", "T D[1] C[SELECT 1] C[SELECT 1]"));
  EXPECT_FALSE(dirty_after("select 1 where false", "C[SELECT 0]", true));
  EXPECT_FALSE(dirty_after("select 1", "D[1] C[SELECT 1]", true));
  EXPECT_TRUE(dirty_after("select 1 InTo temp x where false", "C[SELECT 0]", true));
  EXPECT_TRUE(dirty_after("select 1 into temp x", "C[SELECT 1]", true));
  EXPECT_TRUE(dirty_after("CREATE temp table x as select 1 where false", "C[SELECT 0]", true));
}

// The portal was bound in an earlier turn of the transaction.
TEST(LinkDirty, APortalOfAnEarlierTurn) {
  LinkTalk talk;
  talk.client_sends(client_bytes("Q[begin]"));
  talk.server_sends(server_bytes("C[BEGIN] Z[T]"));
  talk.client_sends(client_bytes("P[|create temp table x as select 1 where false] B[p|] S"));
  talk.server_sends(server_bytes("1 2 Z[T]"));
  talk.client_sends(client_bytes("E[p] S"));
  talk.server_sends(server_bytes("C[SELECT 0] Z[T]"));
  EXPECT_TRUE(talk.server(0).remains.is_suspected());
}

TEST(LinkDirty, DiscardAllCleans) {
  LinkTalk talk;
  talk.client_sends(client_bytes("Q[create temp table x()]"));
  talk.server_sends(server_bytes("C[CREATE TABLE] Z[I]"));
  EXPECT_TRUE(is_suspect(talk));
  talk.server_sends(server_bytes("E[42P01] Z[I]"));  // it cannot say: it is reset
  EXPECT_TRUE(talk.server(0).dirty);
  talk.client_sends(client_bytes("Q[discard all]"));
  talk.server_sends(server_bytes("C[DISCARD ALL] Z[I]"));
  EXPECT_FALSE(talk.server(0).dirty);
}

}  // namespace
}  // namespace weir::postgres
