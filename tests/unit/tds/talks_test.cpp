// Talks with a server: settings are brought, what is there is removed, a look whether it is well.
#include <gmock/gmock.h>

#include "talk_plays.h"

namespace weir::tds {
namespace {

using namespace talks;
using base::ErrorKind;
using protocol::Pin;
using testing::ElementsAre;

// ---------------------------------------------------------------- attach

TEST(TdsAttach, NothingIsSaidWhenEverythingIsInForce) {
  const SettingMap map{{"LANGUAGE", "Deutsch"}};
  EXPECT_EQ(attach(map)(*server_in(in_force(map))), nullptr);
  EXPECT_EQ(attach({})(*server_in(nullptr)), nullptr);
  EXPECT_NE(attach({})(*server_in([](ServerState& s) { s.settings_unknown = true; })), nullptr);
}

TEST(TdsAttach, SaysWhatDiffers) {
  const SettingMap wanted{{"LOCK_TIMEOUT", "500"}, {"USE", "a]b"}, {"TEXTSIZE", "7"}};
  const Played played =
      play_talk(in_force({{"LOCK_TIMEOUT", "500"}, {"TEXTSIZE", "8"}}), attach(wanted), {good()});
  EXPECT_EQ(played.ending.step, Step::Done);
  EXPECT_THAT(played.ending.said, ElementsAre("USE [a]]b];SET TEXTSIZE 7;"));
  EXPECT_EQ(settings_of(played.server->in_force), wanted);
  EXPECT_FALSE(played.server->settings_unknown);
}

TEST(TdsAttach, WhatChangesOthersComesFirst) {
  const SettingMap wanted{{"DATEFIRST", "7"},
                          {"IMPLICIT_TRANSACTIONS", "ON"},
                          {"LANGUAGE", "N'Deutsch'"},
                          {"TRANSACTION ISOLATION LEVEL", "SNAPSHOT"},
                          {"XACT_ABORT", "ON"}};
  SettingMap now = wanted;
  now["LANGUAGE"] = "French";
  const Played played = play_talk(in_force(now), attach(wanted), {good()});
  EXPECT_THAT(played.ending.said,
              ElementsAre("SET LANGUAGE N'Deutsch';SET DATEFIRST 7;"
                          "SET TRANSACTION ISOLATION LEVEL SNAPSHOT;SET XACT_ABORT ON;"
                          "SET IMPLICIT_TRANSACTIONS ON;"));
}

TEST(TdsAttach, WhatIsNotWantedGoesByAReset) {
  const Played played =
      play_talk(in_force({{"TEXTSIZE", "8"}}), attach({{"DATEFIRST", "1"}}), {acknowledged()});
  EXPECT_EQ(played.ending.step, Step::Done);
  EXPECT_THAT(played.ending.said, ElementsAre("reset+" + kBaseline + "SET DATEFIRST 1;"));
  EXPECT_EQ(settings_of(played.server->in_force), (SettingMap{{"DATEFIRST", "1"}}));
}

TEST(TdsAttach, WhatIsUnknownGoesByAReset) {
  const auto unknown = [](ServerState& server) {
    server.settings_unknown = server.dirty = true;
    server.pin = Pin::TempTable;
    server.facts.database.clear();
  };
  const Played played = play_talk(unknown, attach({}), {acknowledged()});
  EXPECT_THAT(played.ending.said,
              ElementsAre("reset+SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"));
  EXPECT_FALSE(played.server->settings_unknown || played.server->dirty || played.server->pin);
}

TEST(TdsAttach, AnOpenTransactionIsRolledBackBeforeAReset) {
  const auto open = [](ServerState& server) {
    server.settings_unknown = true, server.transaction = 5;
  };
  const Played played = play_talk(open, attach({}), {good(), acknowledged()});
  EXPECT_THAT(played.ending.said,
              ElementsAre(std::string(kRollbackText) + " in 5", "reset+" + kBaseline));
}

TEST(TdsAttach, AMissingAcknowledgementIsAFailure) {
  const Played played = play_talk(in_force({{"TEXTSIZE", "8"}}), attach({}), {good()});
  EXPECT_EQ(played.ending.error.kind, ErrorKind::Protocol);
  EXPECT_EQ(played.ending.error.text, "the server did not acknowledge the reset");
}

TEST(TdsAttach, ARefusalIsTheServersAndToldAtTheEnd) {
  const Played played = play_talk(nullptr, attach({{"USE", "other"}}), {refused() + "x"});
  EXPECT_EQ(played.ending.error.kind, ErrorKind::Refused);
  EXPECT_EQ(played.ending.error.text, "No such database.");
  EXPECT_TRUE(played.server->settings_unknown);
  EXPECT_TRUE(played.server->packets.at_message_border());
}

// ---------------------------------------------------------------- reset

TEST(TdsReset, OnlyWhenThereIsSomething) {
  const auto dirty = [](ServerState& server) { server.dirty = true; };
  EXPECT_EQ(reset("auto")(*server_in(nullptr)), nullptr);
  EXPECT_EQ(reset("SELECT 2")(*server_in(nullptr)), nullptr);
  EXPECT_EQ(reset("never")(*server_in(dirty)), nullptr);
  EXPECT_NE(reset("always")(*server_in(nullptr)), nullptr);
  EXPECT_NE(reset("auto")(*server_in(dirty)), nullptr);
}

// The next client was kept for it.
TEST(TdsReset, WithoutOneAPinEndsWithItsClient) {
  const auto server = server_in([](ServerState& now) { now.pin = Pin::TempTable; });
  EXPECT_EQ(reset("never")(*server), nullptr);
  EXPECT_FALSE(server->pin);
}

TEST(TdsReset, RemovesWhatIsThere) {
  const auto dirty = [](ServerState& server) {
    server.dirty = server.settings_unknown = true;
    server.pin = Pin::Prepared;
    server.in_force = intern_settings(texts(), {{"TEXTSIZE", "1"}});
  };
  const Played played = play_talk(dirty, reset("auto"), {acknowledged()});
  EXPECT_EQ(played.ending.step, Step::Done);
  EXPECT_THAT(played.ending.said, ElementsAre("reset+" + kBaseline));
  const ServerState& server = *played.server;
  EXPECT_FALSE(server.dirty || server.settings_unknown || server.pin || server.in_force);
  EXPECT_FALSE(server.answer.was_reset);
}

TEST(TdsReset, RollsBackFirstAndWithoutTheBit) {
  const auto open = [](ServerState& server) { server.transaction = 9; };
  const std::string rolled_back =
      reply(change(EnvKind::RollbackTransaction, {}, descriptor(9)) + done_token());
  const Played played = play_talk(open, reset("auto"), {rolled_back, acknowledged()});
  EXPECT_THAT(played.ending.said,
              ElementsAre(std::string(kRollbackText) + " in 9", "reset+" + kBaseline));
  EXPECT_TRUE(played.server->at_rest());

  const auto perhaps = [](ServerState& server) { server.may_be_in_transaction = true; };
  const Played quiet = play_talk(perhaps, reset("auto"), {good(), acknowledged()});
  EXPECT_THAT(quiet.ending.said, ElementsAre(kRollbackText, "reset+" + kBaseline));
  EXPECT_TRUE(quiet.server->at_rest());

  const Played failed = play_talk(open, reset("auto"), {refused(), acknowledged()});
  EXPECT_EQ(failed.ending.step, Step::Fail);
  EXPECT_EQ(failed.ending.said.size(), 1U);
}

TEST(TdsReset, TheOperatorsTextComesBehind) {
  const auto dirty = [](ServerState& server) { server.dirty = true; };
  const Played played = play_talk(dirty, reset("EXEC tidy_up"), {acknowledged(), good()});
  EXPECT_EQ(played.ending.step, Step::Done);
  EXPECT_THAT(played.ending.said, ElementsAre("reset+" + kBaseline, "EXEC tidy_up"));
  EXPECT_EQ(play_talk(dirty, reset("EXEC tidy_up"), {acknowledged(), refused()}).ending.step,
            Step::Fail);
}

TEST(TdsReset, WithoutAcknowledgementOrWithAnErrorItFails) {
  const std::string both =
      reply(change(EnvKind::ResetDone, {}) + error_token(911, "No.") + done_token(2));
  EXPECT_EQ(play_talk(nullptr, reset("always"), {good()}).ending.error.kind, ErrorKind::Protocol);
  EXPECT_EQ(play_talk(nullptr, reset("always"), {both}).ending.error.kind, ErrorKind::Refused);
  const Played error_bit =
      play_talk(nullptr, reset("always"), {reply(change(EnvKind::ResetDone, {}) + done_token(2))});
  EXPECT_EQ(error_bit.ending.error.text, "the server answered with an error");
}

// ---------------------------------------------------------------- check, query

Make check() {
  return [](ServerState& server) { return make_check(server); };
}
std::string one_row() {
  return reply(hand::columns({hand::hex("38")}) + hand::row(hand::hex("01000000")) +
               done_token(kDoneCount));
}

TEST(TdsCheck, WantsARow) {
  const Played played = play_talk(nullptr, check(), {one_row() + "behind"});
  EXPECT_EQ(played.ending.step, Step::Done);
  EXPECT_EQ(played.ending.left, "behind");
  EXPECT_THAT(played.ending.said, ElementsAre("SELECT 1"));
  EXPECT_EQ(play_talk(nullptr, check(), {good()}).ending.error.text,
            "the server answered without a row");
  EXPECT_EQ(play_talk(nullptr, check(), {refused()}).ending.error.kind, ErrorKind::Refused);
}

TEST(TdsCheck, OldVersionsHaveNoHeaders) {
  const auto old = [](ServerState& server) { server.walker.set_version(Version::V71); };
  const std::string answer =
      reply(hand::hex("81 0100 0000 0000 38 01 6300") + hand::row(hand::hex("01000000")) +
            done_token(kDoneCount, Version::V71));
  const Played played = play_talk(old, check(), {answer});
  EXPECT_EQ(played.ending.step, Step::Done) << played.ending.error.text;
  EXPECT_THAT(played.ending.said, ElementsAre("SELECT 1"));
}

TEST(TdsCheck, AnswersThatAreNoneAreFailures) {
  for (const std::string& flight :
       {reply("\x42"), reply(done_token(kDoneMore)), reply({}), reply("\xfd"),
        reply(done_token(kDoneAttention)), std::string("HTTP/1.1"), good().replace(0, 1, "\x12")}) {
    const Played played = play_talk(nullptr, check(), {flight});
    EXPECT_EQ(played.ending.error.kind, ErrorKind::Protocol) << played.ending.error.text;
  }
  EXPECT_EQ(play_talk(nullptr, check(), {}).ending.error.kind, ErrorKind::Unreachable);
  const std::string cut = refused();
  const Played last_words = play_talk(nullptr, check(), {cut.substr(0, cut.size() - 1)});
  EXPECT_EQ(last_words.ending.error.kind, ErrorKind::Unreachable);
  EXPECT_EQ(last_words.ending.error.text, "No such database.");
}

TEST(TdsQuery, RunsWhateverItIs) {
  const std::string text(5000, '-');
  const auto query = [&](ServerState& server) { return make_query(server, text); };
  const Played played = play_talk(nullptr, query, {one_row()});
  EXPECT_EQ(played.ending.step, Step::Done);
  EXPECT_THAT(played.ending.said, ElementsAre(text));
  EXPECT_EQ(play_talk(nullptr, query, {refused()}).ending.error.kind, ErrorKind::Refused);
}

}  // namespace
}  // namespace weir::tds
