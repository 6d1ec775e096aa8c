// Prepared statements follow their client from server to server, under numbers of its own.
#include <gmock/gmock.h>

#include "calls.h"

namespace weir::tds {
namespace {

using namespace links;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kUnknown5 =
    "error 8179 Could not find prepared statement with handle 5.; done error";
const std::string kInsert = "INSERT t VALUES (@a)";

void two_servers(LinkTalk& talk) { talk.add_server(); }
Line uses(size_t number) {
  return then([number](LinkTalk& talk) { talk.use(number); });
}
// A server with statements of somebody else.
void with_others(LinkTalk& talk) {
  talk.server().handles.add(talk.texts().intern(std::string(1, '\0') + "of another one"), 5);
}
// tds T45
TEST(TdsPreparedLink, OnOneServerNothingIsChanged) {
  const std::string first = calls({prepare(kInsert)}), second = calls({execute(1)});
  const Heard heard =
      run({says(first), answers(handle_reply(1)), says(second), answers(call_reply())});
  EXPECT_EQ(heard.to_server, first + second);
  EXPECT_EQ(heard.to_client, handle_reply(1) + call_reply());
  EXPECT_EQ(heard.events, " lease end lease end");
}

TEST(TdsPreparedLink, AnotherServerIsToldFirst) {
  const Heard heard = run({says(calls({prepexec(kInsert)})), answers(handle_reply(1)), uses(1),
                           says(calls({execute(1)})), answers(handle_reply(77)),
                           answers(call_reply()), says(calls({execute(1)})), answers(call_reply()),
                           uses(0), says(calls({execute(1)})), answers(call_reply())},
                          is_before(two_servers));
  EXPECT_THAT(heard.server, ElementsAre("call 13,," + std::string("@a int,") + kInsert + ",42",
                                        "call 11,,@a int," + kInsert + ",1", "call 12,77,42",
                                        "call 12,77,42", "call 12,1,42"));
  EXPECT_EQ(heard.client.size(), 4U);
  EXPECT_EQ(heard.queries, 4);
  EXPECT_EQ(heard.events, " lease end lease end lease end lease end");
}

// Two servers give the same number: to the client they are two.
TEST(TdsPreparedLink, NumbersThatCollide) {
  const Heard heard =
      run({says(calls({prepare(kInsert)})), answers(handle_reply(1)), uses(1),
           says(calls({prepare("DELETE t WHERE a = @a")})), answers(handle_reply(1)),
           says(calls({execute(2)})), answers(call_reply()), says(calls({execute(1)})),
           answers(handle_reply(2)), answers(call_reply()), says(calls({unprepare(2)}))},
          is_before(two_servers));
  ASSERT_EQ(heard.client.size(), 5U);
  EXPECT_THAT(heard.client[0], HasSubstr("value 0 01000000"));
  EXPECT_THAT(heard.client[1], HasSubstr("value 0 02000000"));
  EXPECT_EQ(heard.server[2], "call 12,1,42");
  EXPECT_EQ(heard.server[3], "call 11,,@a int," + kInsert + ",1");
  EXPECT_EQ(heard.server[4], "call 12,2,42");
}

// It comes behind many rows, so that the border of two packets stands somewhere in it.
TEST(TdsPreparedLink, ANumberAcrossPackets) {
  const Script begin{says(calls({prepare(kInsert)})), answers(handle_reply(1)), uses(1),
                     says(calls({prepexec("SELECT @a")}))};
  const std::string head = columns({hex("38")}), one = row(hex("07000000"));
  for (size_t pad = 0; pad < 24; ++pad) {
    std::string tokens = head;
    std::string text(pad, 'x');
    append_message_token(tokens, Token::Info, Version::V74,
                         {.number = 1, .severity = 0, .text = text});
    while (tokens.size() < 4050 - 2 * text.size()) tokens += one;
    tokens += value_token(0, 1) + value_token(3, 9) + call_done();
    Script script = begin;
    script.push_back(answers(reply(tokens)));
    script.push_back(says(calls({execute(2)})));
    script.push_back(answers(call_reply()));
    const Heard heard = run(script, is_before(two_servers));
    ASSERT_EQ(heard.client.size(), 3U);
    EXPECT_THAT(heard.client[1], HasSubstr("value 0 02000000; value 3 09000000"));
    EXPECT_THAT(heard.server.back(), "call 12,1,42");
    EXPECT_EQ(heard.events, " lease end lease end lease end");
    if (testing::Test::HasFailure()) break;
  }
}

// Packets without a body, as long as the server likes, in the middle of a number: nothing of that
// is kept for long.
TEST(TdsPreparedLink, ANumberInPiecesIsNotKeptForEver) {
  const std::string tokens = value_token(0, 1);
  std::string answer;
  append_packet_head(answer, {PacketType::Reply, 0, static_cast<uint16_t>(8 + tokens.size() - 2)});
  answer += tokens.substr(0, tokens.size() - 2);
  for (int i = 0; i < 1000; ++i) append_packet_head(answer, {PacketType::Reply, 0, 8});
  LinkTalk talk;
  two_servers(talk);
  run_once(nullptr,
           {says(calls({prepare(kInsert)})), answers(handle_reply(1)), uses(1),
            says(calls({prepexec("SELECT @a")})), answers(answer)},
           whole(), talk);
  EXPECT_LT(talk.held()->answer.held.bytes.size(), 100U);
  talk.server_sends(hex("0401 0017 00000000") + tokens.substr(tokens.size() - 2) +
                    done_token(kDoneError));
  EXPECT_THAT(talk.events, HasSubstr("fail: a handle cannot be changed"));
}

TEST(TdsPreparedLink, ValuesOfTheUsersAreNoHandles) {
  const std::string values = integer(1, kByReference);
  const Heard heard =
      run({says(calls({prepexec("SET @a = 2", {}, values)})),
           answers(reply(value_token(3, 9) + value_token(0, 4) + call_done())),
           says(calls({execute(9)})), says(calls({execute(4)})), answers(call_reply())});
  EXPECT_THAT(heard.client[1], HasSubstr("error 8179"));
  EXPECT_EQ(heard.server.back(), "call 12,4,42");
  // It could not be prepared.
  const Heard none = run({says(calls({prepexec("SET @a = 2", {}, values)})),
                          answers(reply(value_token(0, {}) + value_token(3, 9) + call_done(2))),
                          says(calls({execute(9)}))});
  EXPECT_THAT(none.client[1], HasSubstr("error 8179"));
}

TEST(TdsPreparedLink, ZeroIsNoHandleYet) {
  const Heard heard = run({says(calls({prepexec(kInsert, 0)})), answers(handle_reply(4)),
                           says(calls({execute(4)})), answers(call_reply())});
  EXPECT_EQ(heard.server.size(), 2U);
  EXPECT_EQ(heard.client.size(), 2U);
}

// tds T45
TEST(TdsPreparedLink, NobodyElsesHandlesAreRun) {
  for (const std::string& message :
       {calls({execute(5)}), calls({unprepare(5)}), calls({prepexec(kInsert, 5)})}) {
    const Heard heard = run({says(message), says(batch("SELECT 1")), answers(links::good())},
                            is_before(with_others));
    EXPECT_THAT(heard.client, ElementsAre(kUnknown5, "done"));
    EXPECT_THAT(heard.server, ElementsAre("SELECT 1"));
    EXPECT_EQ(heard.events, " lease end lease end");
  }
  // Nor is one given in a type that is no handle's.
  const std::string wide = hex("00 00 2608 08 0500000000000000");
  EXPECT_THAT(
      run({says(request(PacketType::Rpc, call(Procedure::Execute, wide)))}, is_before(with_others))
          .server,
      IsEmpty());
  const std::string again = call(
      Procedure::PrepExec, wide + text_parameter("@a int") + text_parameter(kInsert) + integer(1));
  EXPECT_THAT(run({says(request(PacketType::Rpc, again))}, is_before(with_others)).server,
              IsEmpty());
}

TEST(TdsPreparedLink, PreparedAgainUnderItsNumber) {
  const Heard heard =
      run({says(calls({prepexec(kInsert)})), answers(handle_reply(1)), uses(1),
           says(calls({prepexec("DELETE t WHERE a = @a", 1)})), answers(handle_reply(70)),
           answers(handle_reply(71)), says(calls({execute(71)})), answers(call_reply()),
           says(calls({execute(1)}))},
          is_before(two_servers));
  EXPECT_EQ(heard.server[2], "call 13,70,@a int,DELETE t WHERE a = @a,42");
  EXPECT_EQ(heard.server[3], "call 12,71,42");
  EXPECT_THAT(heard.client.back(), HasSubstr("8179"));
}

// ---------------------------------------------------------------- several calls

TEST(TdsPreparedLink, SeveralCalls) {
  const Heard heard =
      run({says(calls({prepare(kInsert), prepare("SELECT @a"), prepare("DELETE t")})),
           answers(reply(handle_tokens(1, kDoneMore) + value_token(0, {}) + call_done(kDoneMore) +
                         handle_tokens(3))),
           uses(1), says(calls({execute(1), execute(3), execute(1)})), answers(handle_reply(61)),
           answers(handle_reply(63)),
           answers(reply(call_done(kDoneMore) + call_done(kDoneMore) + call_done()))},
          is_before(two_servers));
  EXPECT_EQ(heard.server.back(), "call 12,61,42 12,63,42 12,61,42");
  EXPECT_EQ(heard.server.size(), 4U);
  EXPECT_EQ(heard.events, " lease end lease end");
}

TEST(TdsPreparedLink, NumbersAcrossPackets) {
  std::vector<std::string> all;
  for (int i = 0; i < 60; ++i) all.push_back(execute(1));
  const Heard heard = run({says(calls({prepare(kInsert)})), answers(handle_reply(1)), uses(1),
                           says(calls(all, {.packet_bytes = 512})),
                           answers(handle_reply(0x01020304)), answers(call_reply())},
                          is_before(two_servers));
  std::string words = "call";
  for (int i = 0; i < 60; ++i) words += " 12,16909060,42";
  EXPECT_EQ(heard.server.back(), words);
}

TEST(TdsPreparedLink, LongCallsAreSeenWhole) {
  const std::string long_text = text_parameter(std::string(3900, 'v'));
  std::string values;
  for (int i = 0; i < 12; ++i) values += long_text;
  const std::string long_call = calls({call(Procedure::Execute, integer(1) + values), execute(1)});
  ASSERT_GT(long_call.size(), kJudgedBytesMax);
  const Script script{says(calls({prepare(kInsert)})),
                      answers(handle_reply(1)),
                      uses(1),
                      says(long_call),
                      answers(handle_reply(9)),
                      answers(call_reply()),
                      says(batch("SELECT 1")),
                      answers(links::good())};
  const Heard heard = run(script, is_before(two_servers));
  ASSERT_EQ(heard.server.size(), 4U);
  EXPECT_THAT(heard.server[2], HasSubstr("call 12,9,"));
  EXPECT_THAT(heard.server[2], HasSubstr(" 12,9,42"));
  EXPECT_EQ(heard.events, " lease end lease end lease end");
  const auto bounded = [](LinkTalk& talk) {
    two_servers(talk);
    talk.client.options.statement_bytes_max = 70'000;
  };
  EXPECT_THAT(run(script, is_before(bounded)).events, HasSubstr("fail: a call of a prepared"));
}

// No server is kept meanwhile, and an attention takes all of it back.
TEST(TdsPreparedLink, LongCallsThatAreTakenBack) {
  const std::string long_call =
      calls({call(Procedure::Execute, integer(1) + text_parameter(std::string(3900, 'v')) +
                                          std::string(80'000, '\0'))});
  const auto wait = [](LinkTalk& talk) { talk.serves = false; };
  const Heard heard = run({says(long_call.substr(0, 70'000)),
                           then([](LinkTalk& talk) { EXPECT_EQ(talk.held(), nullptr); }),
                           says(long_call.substr(70'000)), says(attention()),
                           then([](LinkTalk& talk) { talk.serves = true; }),
                           says(batch("SELECT 1")), answers(links::good())},
                          is_before(wait));
  EXPECT_THAT(heard.client, ElementsAre("done attention", "done"));
  EXPECT_EQ(heard.events, " back lease end");
}

// ---------------------------------------------------------------- objections

TEST(TdsPreparedLink, AServerThatCannotPrepareItSaysWhy) {
  const Heard heard =
      run({says(calls({prepare(kInsert)})), answers(handle_reply(1)), uses(1),
           says(calls({execute(1)})),
           answers(reply(error_token(208, "Invalid object name 't'.") + call_done(kDoneError))),
           says(calls({execute(1)})), answers(handle_reply(9)), answers(call_reply())},
          is_before(two_servers));
  EXPECT_EQ(heard.client[1], "error 208 Invalid object name 't'.; done error");
  EXPECT_EQ(heard.server.back(), "call 12,9,42");
  EXPECT_EQ(heard.events, " lease end lease end lease end");
  EXPECT_EQ(heard.errors, 0);
  const Heard none = run({says(calls({prepare(kInsert)})), answers(handle_reply(1)), uses(1),
                          says(calls({execute(1)})), answers(call_reply())},
                         is_before(two_servers));
  EXPECT_THAT(none.client[1], HasSubstr("gave no handle"));
}

// What had been changed in the message that was refused was changed in the next one.
TEST(TdsPreparedLink, WhatIsRefusedChangesNothingElse) {
  const Heard heard =
      run({says(calls({prepare(kInsert), prepare("SELECT @a")})),
           answers(reply(handle_tokens(1, kDoneMore) + handle_tokens(2))), uses(1),
           says(calls({execute(1), execute(2)}) + batch("SELECT 'abcdefgh'")),
           answers(handle_reply(0x11223344)), answers(failed()), answers(links::good())},
          is_before(two_servers));
  EXPECT_EQ(heard.server.back(), "SELECT 'abcdefgh'");
  EXPECT_EQ(heard.client[1], "error 208 No.; done error");
  EXPECT_EQ(heard.events, " lease end lease end");
}

TEST(TdsPreparedLink, AnAttentionBehindAPreparation) {
  const Heard heard = run({says(calls({prepare(kInsert)})), answers(handle_reply(1)), uses(1),
                           says(calls({execute(1)})), says(attention()), answers(handle_reply(9)),
                           answers(acknowledged())},
                          is_before(two_servers));
  EXPECT_EQ(heard.server.back(), "attention");
  EXPECT_THAT(heard.client, ElementsAre(testing::_, "done attention"));
  EXPECT_EQ(heard.events, " lease end lease end");
}

// ---------------------------------------------------------------- unprepare

TEST(TdsPreparedLink, WeirAnswersUnprepare) {
  const Heard heard =
      run({says(calls({prepare(kInsert), prepare("SELECT @a")})),
           answers(reply(handle_tokens(1, kDoneMore) + handle_tokens(2))),
           says(calls({unprepare(1), unprepare(2)})), says(calls({prepare(kInsert)})),
           answers(handle_reply(3)), says(calls({execute(1)}))});
  EXPECT_EQ(heard.server.size(), 2U);
  EXPECT_EQ(heard.client[1], "status 0; done more; status 0; done");
  EXPECT_THAT(heard.client[3], HasSubstr("handle 1."));
  EXPECT_EQ(heard.events, " lease end lease end lease end lease end");
}

// The hold ended behind weir's own answer, although the next request was on its way.
TEST(TdsPreparedLink, WhatFollowsUnprepareAtOnceRuns) {
  LinkTalk talk;
  const Heard heard = run_once(
      nullptr,
      {says(calls({prepare(kInsert)})), answers(handle_reply(1)),
       says(calls({unprepare(1)}) + batch("SELECT 1")),
       then([](LinkTalk& now) { EXPECT_NE(now.held(), nullptr); }), answers(links::good())},
      whole(), talk);
  EXPECT_EQ(heard.events, " lease end lease end");
  EXPECT_EQ(heard.client.size(), 3U);
}

// Another call among them was lost, and its answer with it.
TEST(TdsPreparedLink, UnprepareAmongOtherCallsGoesToTheServer) {
  const std::string other =
      call(Procedure::ExecuteSql, text_parameter("SELECT 1") + text_parameter("@a int"));
  Heard heard = run({says(calls({prepare(kInsert), prepare("SELECT @a")})),
                     answers(reply(handle_tokens(1, kDoneMore) + handle_tokens(2))), uses(1),
                     says(calls({unprepare(1), other, execute(2)})), answers(handle_reply(8)),
                     answers(handle_reply(9)),
                     answers(reply(call_done(kDoneMore) + call_done(kDoneMore) + call_done())),
                     says(calls({execute(1)}))},
                    is_before(two_servers));
  EXPECT_EQ(heard.server.back(), "call 15,8 10,SELECT 1,@a int 12,9,42");
  EXPECT_THAT(heard.client.back(), HasSubstr("handle 1."));
}

// Else a client that keeps its server fills it, and weir.
TEST(TdsPreparedLink, ACrowdedServerIsToldOfUnprepare) {
  const auto few = [](LinkTalk& talk) {
    talk.client.options.prepared_statements = 1;
    talk.server().transaction = 7;
    talk.hold();
  };
  const Heard heard =
      run({says(calls({prepare(kInsert)})), answers(handle_reply(1)),
           says(calls({prepare("SELECT @a")})), answers(handle_reply(2)),
           says(calls({unprepare(1)})), answers(call_reply()), says(calls({unprepare(2)}))},
          {few, [](LinkTalk& talk) { EXPECT_EQ(talk.server().handles.made(), 1); }});
  EXPECT_EQ(heard.server.size(), 3U);
  EXPECT_EQ(heard.server.back(), "call 15,1");
  EXPECT_EQ(heard.client.size(), 4U);
}

TEST(TdsPreparedLink, AServerWithManyIsCleaned) {
  const auto few = [](LinkTalk& talk) { talk.client.options.prepared_statements = 1; };
  run({says(calls({prepare(kInsert)})), answers(handle_reply(1)),
       says(calls({prepare("SELECT @a")})), answers(handle_reply(2))},
      {few, [](LinkTalk& talk) {
         EXPECT_EQ(talk.link().condition(talk.server()), Condition::Dirty);
         EXPECT_TRUE(talk.server().outcome.prepared.empty());
       }});
}

// ---------------------------------------------------------------- resets, texts, no carrying

TEST(TdsPreparedLink, AResetForgetsThem) {
  const std::string reset = change(EnvKind::ResetDone, {});
  const Form with_reset{.status = kResetConnection};
  Heard heard = run({says(calls({prepare(kInsert)})), answers(handle_reply(1)),
                     says(calls({execute(1)}, with_reset)),
                     answers(reply(reset + error_token(8179, "Gone.") + call_done(kDoneError))),
                     says(calls({execute(1)}))});
  EXPECT_EQ(heard.server.size(), 2U);
  EXPECT_THAT(heard.client.back(), HasSubstr("error 8179 Could not"));
  // weir does not answer what carries a reset, which its server would not hear of.
  heard =
      run({says(calls({prepare(kInsert)})), answers(handle_reply(1)),
           says(calls({unprepare(1)}, with_reset)),
           answers(reply(reset + error_token(8179, "Gone.") + call_done(kDoneError))),
           says(calls({prepexec(kInsert)}, with_reset)), answers(reply(reset + handle_tokens(1))),
           says(calls({execute(1)})), answers(call_reply())});
  EXPECT_EQ(heard.server[1], "reset+call 15,1");
  EXPECT_EQ(heard.server.back(), "call 12,1,42");
  EXPECT_EQ(heard.events, " lease end lease end lease end lease end");
}

// tds T46
TEST(TdsPreparedLink, ByText) {
  const std::string text = "DECLARE @h int EXEC sp_prepare @h OUT, N'', N'SELECT 1'";
  const auto reset = [](LinkTalk& talk) { EXPECT_EQ(talk.server().handles.made(), 0); };
  const std::string done = reply(change(EnvKind::ResetDone, {}) + done_token());
  Heard heard = run({says(batch(text)), answers(done), then(reset), answers(links::good()),
                     says(calls({execute(7)})), answers(call_reply())},
                    is_before(with_others));
  EXPECT_THAT(heard.server, ElementsAre(HasSubstr("reset+SET TRANSACTION"), text, "call 12,7,42"));
  EXPECT_EQ(heard.events, " lease attach");
  heard = run({says(calls({prepare(kInsert)})), answers(handle_reply(1)), says(batch(text))});
  EXPECT_THAT(heard.client.back(), HasSubstr("cannot be mixed"));
  EXPECT_EQ(heard.events, " lease end lease end");
  // What the client has there already would be lost.
  heard = run({says(batch("CREATE TABLE #t (a int)")), answers(links::good()), says(batch(text))},
              is_before(with_others));
  EXPECT_THAT(heard.client.back(), HasSubstr("the connection has others'"));
  EXPECT_EQ(heard.server.size(), 1U);
}

// The handles of a client that keeps its server for something else were not found any more.
TEST(TdsPreparedLink, WhatCannotBeCarriedIsTheServersOwn) {
  const std::string unclear = "CREATE TABLE ##x (a int) SET CONTEXT_INFO 0x1";
  const Script script{says(batch("CREATE TABLE #t (a int)")),
                      answers(links::good()),
                      says(calls({prepexec(unclear)})),
                      answers(handle_reply(5)),
                      says(calls({execute(5)})),
                      answers(call_reply()),
                      says(calls({unprepare(5)})),
                      answers(call_reply())};
  const Heard heard =
      run(script, is_after([](LinkTalk& talk) { EXPECT_TRUE(talk.server().native); }));
  EXPECT_EQ(heard.server.size(), 4U);
  EXPECT_EQ(heard.server.back(), "call 15,5");
  const Heard mixed = run({says(calls({prepare(kInsert)})), answers(handle_reply(1)),
                           says(calls({prepexec(unclear)}))});
  EXPECT_THAT(mixed.client.back(), HasSubstr("error 40510 this call"));
}

TEST(TdsPreparedLink, WithoutCarrying) {
  const auto none = [](LinkTalk& talk) { talk.client.options.prepared_statements = 0; };
  const Heard heard =
      run({says(calls({prepare(kInsert)})), answers(handle_reply(1)), says(calls({execute(1)})),
           answers(call_reply()), says(calls({unprepare(1)})), answers(call_reply())},
          {none, [](LinkTalk& talk) {
             EXPECT_EQ(talk.server().pin, Pin::Prepared);
             EXPECT_EQ(talk.client.handles, nullptr);
           }});
  EXPECT_EQ(heard.server.size(), 3U);
  EXPECT_EQ(heard.events, " lease");
  const Heard session = run({says(calls({prepare(kInsert)})), answers(handle_reply(1)),
                             says(calls({execute(1)})), answers(call_reply())},
                            is_before(in_session_mode));
  EXPECT_EQ(session.server.size(), 2U);
}

// A statement is run with what is known of it.
TEST(TdsPreparedLink, WhatAStatementMayDoIsRemembered) {
  const auto quiet = [](LinkTalk& talk) { talk.server().announces = false; };
  const Heard heard =
      run({says(calls({prepare("EXEC p @a")})), answers(handle_reply(1)), says(calls({execute(1)})),
           answers(call_reply()), answers(reply(columns({hex("38")}) + done_token(kDoneCount)))},
          is_before(quiet));
  EXPECT_THAT(heard.server, ElementsAre(testing::_, "call 12,1,42", kCountText));
  EXPECT_EQ(heard.events, " lease end lease end");
}

TEST(TdsPreparedLink, TooMany) {
  LinkTalk talk;
  auto& handles = talk.client.handles;
  handles = std::make_unique<Handles>();
  const Interned definition = talk.texts().intern(std::string(2, '\0'));
  for (int i = 1; handles->add(i, definition);) ++i;
  const Heard heard =
      run_once(nullptr, {says(calls({prepare(kInsert)})), answers(handle_reply(1))}, whole(), talk);
  EXPECT_THAT(heard.events, HasSubstr("fail: the client has prepared too many statements"));
}

}  // namespace
}  // namespace weir::tds
