// The relay's judge: turns, requests that are withdrawn or refused, rows, and the end of the hold.
#include <gmock/gmock.h>

#include "link_plays.h"

namespace weir::tds {
namespace {

using namespace links;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// ---------------------------------------------------------------- turns

TEST(TdsLink, ATurnIsAHold) {
  const Heard heard = run({says(batch("SELECT 1")), answers(reply(one_row())),
                           says(batch("SELECT 2")), answers(failed())});
  EXPECT_THAT(heard.server, ElementsAre("SELECT 1", "SELECT 2"));
  EXPECT_THAT(heard.client, ElementsAre("columns 1; done, rows 1", "error 208 No.; done error"));
  EXPECT_EQ(heard.events, " lease end lease end");
  EXPECT_EQ(heard.queries, 2);
  EXPECT_EQ(heard.transactions, 2);
  EXPECT_EQ(heard.errors, 1);
  EXPECT_EQ(heard.turns, 2);
}

TEST(TdsLink, AllVersions) {
  for (const Version version : {Version::V71, Version::V72, Version::V74}) {
    const auto speak = [&](LinkTalk& talk) {
      talk.client.version = version;
      talk.server().walker.set_version(version);
    };
    const Heard heard = run({says(batch("SELECT 1", {.descriptor = 0, .version = version})),
                             answers(reply(done_token(0, version)))},
                            is_before(speak));
    EXPECT_THAT(heard.server, ElementsAre("SELECT 1"));
    EXPECT_THAT(heard.client, ElementsAre("done"));
    EXPECT_EQ(heard.events, " lease end");
  }
}

TEST(TdsLink, MessagesOfManyPackets) {
  const std::string middle = "SELECT '" + std::string(10'000, 'x') + "'";
  const std::string large = "SELECT '" + std::string(100'000, 'x') + "'";
  for (const std::string& text : {middle, large}) {
    const std::string bytes = batch(text);
    const Heard heard = run({says(bytes), answers(reply(one_row()))});
    EXPECT_EQ(heard.to_server, bytes);
    // More than is looked at may leave anything.
    EXPECT_EQ(heard.events, text.size() > kJudgedBytesMax / 2 ? " lease" : " lease end");
  }
  const std::string small = batch(middle, {.packet_bytes = 512});
  EXPECT_EQ(run({says(small), answers(good())}).to_server, small);
}

TEST(TdsLink, LargeAnswersPass) {
  std::string tokens = columns({hex("38")});
  for (int i = 0; i < 5000; ++i) tokens += row(hex("07000000"));
  const std::string bytes = reply(tokens + done_token(kDoneCount), 77);
  const Heard heard = run({says(batch("SELECT 1")), answers(bytes)});
  EXPECT_EQ(heard.to_client, bytes);
  EXPECT_EQ(heard.events, " lease end");
}

// Half a request used to get a server, which its client could then keep for ever.
TEST(TdsLink, NobodyGetsAServerForHalfARequest) {
  const std::string half = batch("SELECT 1").substr(0, 20);
  EXPECT_EQ(run({says(half)}).events, "");
  EXPECT_EQ(run({says(batch(std::string(3000, 'x')).substr(0, 5000))}).events, "");
  EXPECT_EQ(run({says(half)}, is_before(in_session_mode)).events, "");
}

// tds T53
TEST(TdsLink, AnotherRequestWaits) {
  const Heard heard = run({says(batch("SELECT 1") + batch("SELECT 2") + batch("SELECT 3")),
                           answers(good()), answers(failed()), answers(good())});
  EXPECT_THAT(heard.server, ElementsAre("SELECT 1", "SELECT 2", "SELECT 3"));
  EXPECT_EQ(heard.events, " lease end lease end lease end");
  const Heard held = run({says(batch("SELECT 1") + batch("SELECT 2"))});
  EXPECT_THAT(held.server, ElementsAre("SELECT 1"));
}

TEST(TdsLink, ServersSpeakWhenTheyAreAsked) {
  const Heard stray =
      run({says(batch("SELECT 1")), answers(reply(begun(7) + done_token())), answers(good())});
  EXPECT_THAT(stray.events, HasSubstr("fail: the server spoke without being asked"));
  std::string handshake;
  append_message(handshake, {PacketType::Prelogin}, "x");
  EXPECT_THAT(run({says(batch("SELECT 1")), answers(handshake)}).events, HasSubstr("fail"));
  EXPECT_THAT(run({says(batch("SELECT 1")), answers(batch("SELECT 1"))}).events, HasSubstr("fail"));
}

TEST(TdsLink, ClientsThatBreakTheProtocolAreEnded) {
  std::string login;
  append_message(login, {PacketType::Login7}, "x");
  for (const std::string& bytes :
       {login, std::string("hello, world"), hex("0101 0004 00000000"),
        hex("0100 0008 00000000 0301 0008 00000000"), hex("0601 000a 00000000 0000"),
        hex("0101 1001 00000000"), rows("x")})
    EXPECT_THAT(run({says(bytes)}).events, HasSubstr("fail: ")) << script::hex(bytes);
}

// tds T06
TEST(TdsLink, WhatIsNotUnderstoodIsPassedOnAndKeepsTheClient) {
  for (const std::string& tokens :
       {done_token(kDoneMore) + "\x42whatever", done_token(kDoneMore) + "\xaa\xff",
        hex("8101000000000009003f")}) {
    const Heard heard = run(
        {says(batch("SELECT 1")), answers(reply(tokens)), says(batch("SELECT 2")), answers(good())},
        is_after([](LinkTalk& talk) {
          ASSERT_NE(talk.held(), nullptr);
          EXPECT_EQ(talk.link().pin(*talk.held()), Pin::Unclear);
          EXPECT_EQ(talk.link().condition(*talk.held()), Condition::Broken);
        }));
    EXPECT_EQ(heard.to_client, reply(tokens) + good());
    EXPECT_EQ(heard.events, " lease");
  }
}

TEST(TdsLink, WhoSaysFarewellIsNotKept) {
  std::string token;
  append_message_token(token, Token::Error, Version::V74, {21, 1, 21, "Disk.", "S", "", 1});
  run({says(batch("SELECT 1")), answers(reply(token + done_token(kDoneError)))},
      is_after([](LinkTalk& talk) {
        EXPECT_EQ(talk.link().condition(talk.server()), Condition::Broken);
      }));
}

// A server that answers before it has heard all: the rest is for it all the same.
TEST(TdsLink, EarlyAnswers) {
  const std::string large = batch("SELECT '" + std::string(100'000, 'x') + "'");
  const size_t half = 80'000;
  const Script script{says(large.substr(0, half)), answers(failed()), says(large.substr(half))};
  const Heard heard =
      run(script, {in_session_mode, [](LinkTalk& talk) { EXPECT_TRUE(talk.server().at_rest()); }});
  EXPECT_EQ(heard.to_server, large);
}

// ---------------------------------------------------------------- IGNORE

// tds T07
TEST(TdsLink, WithdrawnRequestsAreAnsweredOnce) {
  const std::string gone = withdrawn(batch("DELETE t"));
  Heard heard = run({says(gone)});
  EXPECT_THAT(heard.server, IsEmpty());
  EXPECT_THAT(heard.client, ElementsAre("error 3617 the request was withdrawn; done error"));
  EXPECT_EQ(heard.events, "");
  // The hold must not end behind weir's own answer when another request has gone out.
  heard = run({says(batch("SELECT 1")), answers(reply(begun(7) + done_token())),
               says(gone + commit_transaction(7)), answers(reply(ended(7) + done_token()))});
  EXPECT_THAT(heard.server, ElementsAre("SELECT 1", "transaction 7 in 7"));
  EXPECT_EQ(heard.client.size(), 3U);
  EXPECT_EQ(heard.events, " lease end");
}

// Half of it went to the server, which would have run that if it does not know the bit.
TEST(TdsLink, SessionModeKnowsWhatIsWithdrawn) {
  const std::string gone = withdrawn(batch("DELETE t WHERE a = 1 AND b = 2 AND c = 3 AND d = 4"));
  const Heard heard = run({says(gone)}, is_before(in_session_mode));
  EXPECT_THAT(heard.server, IsEmpty());
  EXPECT_EQ(heard.client.size(), 1U);
}

TEST(TdsLink, WithdrawnBehindItsBeginning) {
  std::string large = batch("SELECT '" + std::string(100'000, 'x') + "'");
  large[large.size() - large.size() % kPacketBytes + 1] |= static_cast<char>(kIgnore);
  const Heard passed = run({says(large), answers(failed())});
  EXPECT_EQ(passed.to_server, large);
  EXPECT_EQ(passed.client.size(), 1U);
  EXPECT_THAT(run({says(large)}, is_before(unannounced)).events, HasSubstr("fail"));
}

TEST(TdsLink, ManyWithdrawnRequests) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += withdrawn(batch(""));
  const Heard heard = run({says(many)});
  EXPECT_EQ(heard.client.size(), 1000U);
}

// ---------------------------------------------------------------- without a server

TEST(TdsLink, ErrorsOfWeirsOwn) {
  const auto refuse = [](LinkTalk& talk) {
    EXPECT_TRUE(talk.waits());
    talk.answer_error({ErrorKind::Timeout, "no server in time", "53300"});
    talk.serves = true;
  };
  const auto keep_waiting = [](LinkTalk& talk) { talk.serves = false; };
  const std::string large = batch("SELECT '" + std::string(100'000, 'x') + "'");
  const Script script{says(batch("SELECT 1")), then(refuse), says(batch("SELECT 2")),
                      answers(good())};
  Heard heard = run(script, is_before(keep_waiting));
  EXPECT_THAT(heard.server, ElementsAre("SELECT 2"));
  EXPECT_THAT(heard.client, ElementsAre("error 17809 no server in time; done error", "done"));
  // Of what follows of it nothing is kept.
  heard = run({says(large.substr(0, 90'000)), then(refuse), says(large.substr(90'000, 5000)),
               then([](LinkTalk& talk) { EXPECT_LT(talk.kept_bytes(), kPacketBytes); }),
               says(large.substr(95'000)), says(batch("SELECT 2")), answers(good())},
              is_before(keep_waiting));
  EXPECT_THAT(heard.server, ElementsAre("SELECT 2"));
  EXPECT_THAT(heard.client, ElementsAre("error 17809 no server in time; done error", "done"));
}

// tds T50
TEST(TdsLink, AnAttentionTakesBackWhatWaits) {
  const auto wait = [](LinkTalk& talk) { talk.serves = false; };
  const auto serve = [](LinkTalk& talk) { talk.serves = true; };
  Heard heard = run({says(batch("SELECT 1")), says(attention()), then(serve),
                     says(batch("SELECT 2")), answers(good())},
                    is_before(wait));
  EXPECT_THAT(heard.server, ElementsAre("SELECT 2"));
  EXPECT_THAT(heard.client, ElementsAre("done attention", "done"));
  EXPECT_EQ(heard.events, " back lease end");
  // What is no attention takes nothing back.
  heard = run({says(batch("SELECT 1") + hex("0600 000a 00000000 0000"))}, is_before(wait));
  EXPECT_EQ(heard.client.size(), 0U);
}

// ---------------------------------------------------------------- bulk

// tds T52
TEST(TdsLink, Bulk) {
  const Heard heard =
      run({says(batch("INSERT BULK t (a int)")), answers(good()), then([](LinkTalk& talk) {
             EXPECT_EQ(talk.link().pin(talk.server()), Pin::Bulk);
             EXPECT_EQ(talk.link().condition(talk.server()), Condition::Broken);
           }),
           says(rows(std::string(9000, 'r'))), answers(good())});
  EXPECT_THAT(heard.server, ElementsAre("INSERT BULK t (a int)", "rows 9000"));
  EXPECT_EQ(heard.events, " lease end");
  EXPECT_EQ(heard.transactions, 2);
}

TEST(TdsLink, BulkThatTheServerRefuses) {
  const Heard heard =
      run({says(batch("INSERT BULK t (a int)")), answers(failed()), says(rows("r"))});
  EXPECT_THAT(heard.events, HasSubstr("end fail: bulk data"));
}

TEST(TdsLink, RowsThatAreWithdrawnAreTheServersToForget) {
  const Script script{says(batch("INSERT BULK t (a int)")), answers(good()),
                      says(withdrawn(rows("r"))), answers(failed())};
  const Heard heard = run(script);
  EXPECT_THAT(heard.server, ElementsAre("INSERT BULK t (a int)", "rows 1 (withdrawn)"));
  EXPECT_EQ(heard.events, " lease end");
  EXPECT_THAT(run(script, is_before(unannounced)).events, HasSubstr("fail: rows are withdrawn"));
}

// ---------------------------------------------------------------- session mode

TEST(TdsLink, SessionModeJudgesNothing) {
  const std::string large = batch("SET DATEFIRST 3 " + std::string(100'000, ' '));
  const Heard heard =
      run({says(batch("CREATE TABLE #t (a int)")), answers(good()), says(large), answers(good()),
           says(batch("SELECT 1", {.descriptor = 0})), answers(failed())},
          {in_session_mode, [](LinkTalk& talk) {
             EXPECT_FALSE(talk.server().pin);
             EXPECT_FALSE(talk.client.wanted);
             EXPECT_EQ(talk.link().condition(talk.server()), Condition::Dirty);
           }});
  EXPECT_EQ(heard.server.size(), 3U);
  EXPECT_EQ(heard.events, " lease");
}

TEST(TdsLink, SessionModeKnowsBulk) {
  // Headers that are longer than usual: with an activity's id in front.
  std::string payload = hex("40000000 2a000000 0100") + std::string(36, 'i') +
                        hex("12000000 0200 0000000000000000 01000000");
  payload += utf16_of("INSERT BULK t (a int, b int, c int, d int) WITH (TABLOCK)");
  std::string bulk;
  append_message(bulk, {PacketType::Batch}, payload);
  const Heard heard =
      run({says(bulk), answers(good()), says(rows(std::string(90'000, 'r'))), answers(good())},
          is_before(in_session_mode));
  EXPECT_EQ(heard.server.size(), 2U);
  EXPECT_EQ(heard.events, " lease");
}

}  // namespace
}  // namespace weir::tds
