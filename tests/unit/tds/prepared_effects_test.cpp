// What prepared statements do to a server, and what the server does to them.
#include <gmock/gmock.h>

#include "calls.h"

namespace weir::tds {
namespace {

using namespace links;
using testing::_;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kInsert = "INSERT t VALUES (@a)";
const std::string kNoRows = reply(columns({hex("38")}) + done_token(kDoneCount));

std::string used(const std::string& database) {
  return reply(change(EnvKind::Database, database, "shop") + done_token());
}
Line uses(size_t number) {
  return then([number](LinkTalk& talk) { talk.use(number); });
}
void with_others(LinkTalk& talk) {
  talk.server().handles.add(talk.texts().intern(std::string(1, '\0') + "of another one"), 5);
}

// ---------------------------------------------------------------- what they do

// sp_prepexec runs its text, too: what that leaves was forgotten.
TEST(TdsPrepared, PrepexecDoesWhatItsTextSays) {
  run({says(calls({prepexec("EXEC p @a")})), answers(handle_reply(1))},
      is_after([](LinkTalk& talk) { EXPECT_TRUE(talk.server().dirty); }));
  run({says(calls({prepare("EXEC p @a")})), answers(handle_reply(1))},
      is_after([](LinkTalk& talk) { EXPECT_FALSE(talk.server().dirty); }));
  const Heard heard = run({says(calls({prepexec("BEGIN TRAN INSERT t VALUES (@a)")})),
                           answers(handle_reply(1)), answers(kNoRows)},
                          is_before(unannounced));
  EXPECT_EQ(heard.server.back(), kCountText);
}

// Weir's own preparation is a request of the transaction, too.
TEST(TdsPrepared, PreparedWithinATransaction) {
  const Heard heard =
      run({says(calls({prepare(kInsert)})), answers(handle_reply(1)), says(begin_transaction()),
           then([](LinkTalk& talk) { talk.server().handles.clear(); }),
           answers(reply(begun(7) + done_token())), says(calls({execute(1)}, {.descriptor = 7})),
           answers(handle_reply(2)), answers(call_reply())});
  EXPECT_THAT(heard.server,
              ElementsAre(_, "transaction 5", HasSubstr("call 11,,@a int"), "call 12,2,42 in 7"));
  EXPECT_THAT(heard.server[2], HasSubstr(" in 7"));
}

// ---------------------------------------------------------------- where they hold

// Error 586: a handle is of the database and of two settings with which it was made.
TEST(TdsPrepared, InAnotherDatabaseTheyArePreparedAnew) {
  for (const auto& [text, answer] : std::vector<std::pair<std::string, std::string>>{
           {"USE other", used("other")},
           {"SET ANSI_NULLS OFF", links::good()},
           {"SET QUOTED_IDENTIFIER OFF", links::good()}}) {
    const Heard heard = run({says(calls({prepare(kInsert)})), answers(handle_reply(1)),
                             says(batch(text)), answers(answer), says(calls({execute(1)})),
                             answers(handle_reply(2)), answers(call_reply())});
    EXPECT_THAT(heard.server, ElementsAre(_, text, HasSubstr("call 11"), "call 12,2,42"));
  }
  const Heard other =
      run({says(calls({prepare(kInsert)})), answers(handle_reply(1)), says(batch("SET NOCOUNT ON")),
           answers(links::good()), says(calls({execute(1)})), answers(call_reply())});
  EXPECT_EQ(other.server.back(), "call 12,1,42");
}

// Also where weir makes the settings: two clients of one server.
TEST(TdsPrepared, WhoComesFromAnotherDatabasePreparesAnew) {
  InternTable texts;
  ServerState server;
  const Interned statement = texts.intern("x"), shop = intern_settings(texts, {{"USE", "shop"}});
  server.handles.add(statement, 1);
  server.put_in_force(intern_settings(texts, {{"NOCOUNT", "ON"}}));
  EXPECT_TRUE(server.handles.find(statement));
  server.put_in_force(shop);
  EXPECT_FALSE(server.handles.find(statement));
  EXPECT_EQ(server.handles.made(), 1);  // it stays there until a reset
}

TEST(TdsPrepared, WhatTheServerDoesNotKnowIsPreparedAnew) {
  for (const int32_t number : {8179, 586}) {
    const Heard heard =
        run({says(calls({prepare(kInsert)})), answers(handle_reply(1)), says(calls({execute(1)})),
             answers(reply(error_token(number, "Gone.") + call_done(kDoneError))),
             says(calls({execute(1)})), answers(handle_reply(2)), answers(call_reply())});
    EXPECT_THAT(heard.server, ElementsAre(_, "call 12,1,42", HasSubstr("call 11"), "call 12,2,42"));
  }
}

// The server gives the old one up before it looks at the new one, which may fail.
TEST(TdsPrepared, WhatIsPreparedAgainIsGivenUpAtOnce) {
  const Heard heard = run({says(calls({prepare(kInsert)})), answers(handle_reply(1)),
                           says(calls({prepexec("WAITFOR DELAY '0:1'", 1)})), says(attention()),
                           answers(acknowledged()), says(calls({execute(1)})),
                           answers(handle_reply(2)), answers(call_reply())});
  EXPECT_THAT(heard.server, ElementsAre(_, HasSubstr("call 13,1"), "attention",
                                        HasSubstr("call 11"), "call 12,2,42"));
}

// ---------------------------------------------------------------- whose they are

// MS-TDS 2.2.7.8: a procedure that the text calls may bring a DONEPROC of its own.
TEST(TdsPrepared, AHandleBehindTheEndOfAnotherProcedure) {
  const Heard heard = run({says(calls({prepexec("EXEC p")})),
                           answers(reply(call_done(kDoneMore) + handle_tokens(9))),
                           says(calls({execute(9)})), answers(call_reply())});
  EXPECT_EQ(heard.server.back(), "call 12,9,42");
  // Of several calls nobody could tell whose it is.
  LinkTalk talk;
  const Heard several = run_once(
      nullptr,
      {says(calls({prepexec("EXEC p"), prepare(kInsert)})),
       answers(reply(call_done(kDoneMore) + handle_tokens(9, kDoneMore) + handle_tokens(10)))},
      whole(), talk);
  EXPECT_THAT(several.events, HasSubstr("fail: there are more answers than calls"));
  // Weir's own preparation is no answer of them, nor is what came before.
  const Heard anew = run({says(calls({prepare(kInsert), prepare("SELECT @a")})),
                          answers(reply(handle_tokens(1, kDoneMore) + handle_tokens(2))), uses(1),
                          says(calls({execute(1), prepexec("DELETE t")})), answers(handle_reply(7)),
                          answers(reply(call_done(kDoneMore) + handle_tokens(8))),
                          then([](LinkTalk& now) { now.server(1).handles.clear(); }),
                          says(calls({execute(1), prepexec("DELETE t")})), answers(handle_reply(3)),
                          answers(reply(call_done(kDoneMore) + handle_tokens(4)))},
                         is_before([](LinkTalk& now) { now.add_server(); }));
  EXPECT_EQ(anew.events, " lease end lease end lease end");
  // Whoever makes none may get as many as it likes.
  const Heard runs = run({says(calls({prepare("EXEC p")})), answers(handle_reply(1)),
                          says(calls({execute(1), execute(1)})),
                          answers(reply(call_done(kDoneMore) + call_done(kDoneMore) +
                                        call_done(kDoneMore) + call_done()))});
  EXPECT_EQ(runs.events, " lease end lease end");
}

// tds T46
TEST(TdsPrepared, ATextThatPreparesGetsAServerWithoutOthers) {
  const std::string text = "DECLARE @h int EXEC sp_prepare @h OUT, N'', N'SELECT 1'";
  const std::string done = reply(change(EnvKind::ResetDone, {}) + done_token());
  for (const std::string& message :
       {calls({call(Procedure::ExecuteSql, text_parameter(text))}),
        batch("SELECT 1 AS a INTO #t EXEC sp_execute 5"),
        calls({call(Procedure::PrepExecRpc, integer({}, kByReference))})}) {
    const Heard heard = run({says(message), answers(done), answers(links::good()),
                             says(calls({execute(7)})), answers(call_reply())},
                            is_before(with_others));
    ASSERT_EQ(heard.server.size(), 3U);
    EXPECT_THAT(heard.server[0], HasSubstr("reset+"));
    EXPECT_EQ(heard.server[2], "call 12,7,42");
    EXPECT_EQ(heard.events, " lease attach");
  }
}

// Cursors' handles are no statements'.
TEST(TdsPrepared, ACursorEndsNoPreparedStatement) {
  const std::string open = calls({call(Procedure::CursorOpen, integer({}, kByReference))});
  const Heard heard =
      run({says(calls({prepare(kInsert)})), answers(handle_reply(1)), says(open),
           answers(reply(value_token(0, 180150003) + call_done())), says(calls({execute(1)})),
           answers(call_reply())},
          is_after([](LinkTalk& talk) { EXPECT_EQ(talk.server().pin, Pin::Cursor); }));
  EXPECT_EQ(heard.server.back(), "call 12,1,42");
}

TEST(TdsPrepared, ATableAmongTheValuesKeepsNobody) {
  const std::string table =
      hex("00 00 f3 00 00 01 5400 0100 00000000 0000 2604 00 00 01 04 07000000 00");
  const Heard heard = run({says(calls({prepare("EXEC p @a")})), answers(handle_reply(1)),
                           says(calls({call(Procedure::Execute, integer(1) + table), execute(1)})),
                           answers(reply(call_done(kDoneMore) + call_done()))});
  EXPECT_EQ(heard.events, " lease end lease end");
}

// ---------------------------------------------------------------- bounds

TEST(TdsPrepared, LongTextsAreCarried) {
  std::string text = "SELECT @a /* ";
  while (text.size() < 20'000) text += "x";
  text += " */";
  const std::string utf16 = utf16_of(text);
  const std::string in_one_chunk = hex("00 00 e7 ffff 0904d00034 feffffffffffffff") +
                                   hand::le(static_cast<uint32_t>(utf16.size())) + utf16 +
                                   hex("00000000");
  const std::string message =
      calls({call(Procedure::Prepare, integer({}, kByReference) + text_parameter("@a int") +
                                          in_one_chunk + integer(1))});
  LinkTalk talk;
  const Heard heard = run_once(
      nullptr,
      {says(message), answers(handle_reply(1)), says(calls({execute(1)})), answers(call_reply())},
      whole(), talk);
  EXPECT_EQ(heard.events, " lease end lease end");
  EXPECT_EQ(heard.to_client, handle_reply(1) + call_reply());
}

TEST(TdsPrepared, TooManyCallsAreRefused) {
  const std::vector<std::string> many(kPreparedCallsMax + 1, call(Procedure::Execute, ""));
  LinkTalk talk;
  talk.client.options.statement_bytes_max = 0;
  const Heard heard = run_once(nullptr, {says(calls(many))}, whole(), talk);
  EXPECT_THAT(heard.client, ElementsAre(HasSubstr("too many calls of prepared statements")));
  EXPECT_THAT(heard.server, IsEmpty());
  EXPECT_EQ(talk.server().outcome.prepared.capacity(), 0U);
}

// A batch of rows is a call for each.
TEST(TdsPrepared, AsManyCallsAsThereAreRows) {
  const std::vector<std::string> many(5000, execute(1));
  LinkTalk talk;
  const Heard heard = run_once(nullptr,
                               {says(calls({prepare(kInsert)})), answers(handle_reply(1)),
                                says(calls(many)), answers(call_reply())},
                               whole(), talk);
  EXPECT_EQ(heard.events, " lease end lease end");
  EXPECT_EQ(talk.server().outcome.prepared.capacity(), 0U);
}

}  // namespace
}  // namespace weir::tds
