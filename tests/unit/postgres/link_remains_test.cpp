// What a client leaves in a server's session: what the server says of it, what is carried, and for
// what the client keeps its server.
#include "link_script.h"

namespace weir::postgres {
namespace {

using namespace script;
using protocol::Pin;

struct Left {
  std::string text, tag, asked, found;
  Pin pin;
  std::string removed, removed_tag;
};
const std::vector<Left> kLeft = {
    {"listen x", "LISTEN", "listening", "1", Pin::Subscription, "unlisten x", "UNLISTEN"},
    {"create temp table x()", "CREATE TABLE", "temp", "2", Pin::TempTable, "drop table x",
     "DROP TABLE"},
    {"select 1 as a into temp x", "SELECT 1", "temp", "2", Pin::TempTable, "discard temp",
     "DISCARD TEMP"},
    {"declare x cursor with hold for select 1", "DECLARE CURSOR", "cursor", "4", Pin::Cursor,
     "close x", "CLOSE CURSOR"},
    {"prepare x as select 1", "PREPARE", "prepared", "8", Pin::Prepared, "deallocate all",
     "DEALLOCATE ALL"},
};

TEST(LinkRemains, AClientKeepsItsServerAsLongAsSomethingIsThere) {
  for (const Left& left : kLeft) {
    const std::string done = "C[" + left.tag + "] Z[I]", row = "D[" + left.found + "||]";
    const std::string gone = "C[" + left.removed_tag + "] Z[I]";
    const std::string question = "s: ?[" + left.asked + "]; ";
    const std::vector<Line> begins = {{"c: Q[" + left.text + "]", "s: Q[" + left.text + "]"},
                                      {"s: " + done, question + "c: " + done},
                                      {"s: T " + row + " C[SELECT 1] Z[I]", ""}};
    const auto kept = play(begins);
    EXPECT_EQ(pin(*kept), left.pin) << left.text;
    EXPECT_EQ(condition(*kept), Condition::Dirty) << left.text;
    auto ends = begins;
    ends.insert(ends.end(), {{"c: Q[a]", "s: Q[a]"},
                             {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]"},
                             {"c: Q[" + left.removed + "]", "s: Q[" + left.removed + "]"},
                             {"s: " + gone, question + "c: " + gone},
                             {"s: T C[SELECT 0] Z[I]", "end"}});
    const auto over = play(ends);
    EXPECT_EQ(pin(*over), std::nullopt) << left.text;
    EXPECT_EQ(condition(*over), Condition::Clean) << left.text;
  }
}

TEST(LinkRemains, WhatWasRolledBackIsNotThere) {
  const auto talk = play({{"c: Q[begin]", "s: Q[begin]"},
                          {"s: C[BEGIN] Z[T]", "c: C[BEGIN] Z[T]"},
                          {"c: Q[listen x]", "s: Q[listen x]"},
                          {"s: C[LISTEN] Z[T]", "c: C[LISTEN] Z[T]"},
                          {"c: Q[rollback]", "s: Q[rollback]"},
                          {"s: C[ROLLBACK] Z[I]", "s: ?[listening]; c: C[ROLLBACK] Z[I]"},
                          {"s: T C[SELECT 0] Z[I]", "end"}});
  EXPECT_EQ(condition(*talk), Condition::Clean);
}

TEST(LinkRemains, WhatCannotOutliveItsTransactionIsNotAskedFor) {
  play({{"c: Q[begin]", "s: Q[begin]"},
        {"s: C[BEGIN] Z[T]", "c: C[BEGIN] Z[T]"},
        {"c: Q[declare x cursor for select 1]", "s: Q[declare x cursor for select 1]"},
        {"s: C[DECLARE CURSOR] Z[T]", "c: C[DECLARE CURSOR] Z[T]"},
        {"c: Q[select pg_advisory_xact_lock(1)]", "s: Q[select pg_advisory_xact_lock(1)]"},
        {"s: T D[] C[SELECT 1] Z[T]", "c: T D[] C[SELECT 1] Z[T]"},
        {"c: Q[commit]", "s: Q[commit]"},
        {"s: C[COMMIT] Z[I]", "c: C[COMMIT] Z[I]; end"}});
}

TEST(LinkRemains, LocksAreSeenInTheText) {
  for (const char* text : {"select pg_advisory_lock(1)", "SELECT PG_TRY_ADVISORY_LOCK(1)",
                           "select 'v', Pg_Advisory_Lock(1)",
                           "update t set a = 1 where pg_try_advisory_lock_shared(1)"}) {
    for (const bool extended : {false, true}) {
      const std::string sent =
          std::string(extended ? "P[|" : "Q[") + text + "]" + (extended ? " B[|] E[] S" : "");
      const std::string answer = std::string(extended ? "1 2 " : "T ") + "D[] C[SELECT 1] Z[I]";
      const auto talk = play({{"c: " + sent, "s: " + sent},
                              {"s: " + answer, "s: ?[lock]; c: " + answer},
                              {"s: T D[16||] C[SELECT 1] Z[I]", ""}});
      EXPECT_EQ(pin(*talk), Pin::Lock) << text;
    }
  }
  const auto talk =
      play({{"c: Q[select pg_advisory_lock(1)]", "s: Q[select pg_advisory_lock(1)]"},
            {"s: T D[] C[SELECT 1] Z[I]", "s: ?[lock]; c: T D[] C[SELECT 1] Z[I]"},
            {"s: T D[16||] C[SELECT 1] Z[I]", ""},
            {"c: Q[select pg_advisory_unlock(1)]", "s: Q[select pg_advisory_unlock(1)]"},
            {"s: T D[] C[SELECT 1] Z[I]", "s: ?[lock]; c: T D[] C[SELECT 1] Z[I]"},
            {"s: T C[SELECT 0] Z[I]", "end"}});
  EXPECT_EQ(pin(*talk), std::nullopt);
}

TEST(LinkRemains, AnUnlockWithoutALockIsNotAskedAbout) {
  play({{"c: Q[select pg_advisory_unlock_all()]", "s: Q[select pg_advisory_unlock_all()]"},
        {"s: T D[] C[SELECT 1] Z[I]", "c: T D[] C[SELECT 1] Z[I]; end"}});
}

// ---------------------------------------------------------------- around the question

TEST(LinkRemains, TheNextRequestWaitsForTheAnswer) {
  const auto talk = play(
      {{"c: Q[set search_path=x]", "s: Q[set search_path=x]"},
       {"s: C[SET] Z[I]", "s: ?[search_path]; c: C[SET] Z[I]"},
       {"c: Q[a] Q[b]", ""},
       {"s: N[00000] A S[TimeZone=CET] T D[32|search_path|x] C[SELECT 1]", "c: A S[TimeZone=CET]"},
       {"s: Z[I]", "s: Q[a] Q[b]; end"}});
  EXPECT_EQ(wanted(*talk), (SettingMap{{"search_path", "x"}, {"timezone", "CET"}}));
}

TEST(LinkRemains, RequestsThatAreSentTogetherAreAskedAboutTogether) {
  play({{"c: Q[listen x] Q[prepare y as select 1]", "s: Q[listen x] Q[prepare y as select 1]"},
        {"s: C[LISTEN] Z[I]", "c: C[LISTEN] Z[I]"},
        {"s: C[PREPARE] Z[I]", "s: ?[listening prepared]; c: C[PREPARE] Z[I]"}});
}

TEST(LinkRemains, NotificationsReachAClientThatListens) {
  play({{"c: Q[listen x]", "s: Q[listen x]"},
        {"s: C[LISTEN] Z[I]", "s: ?[listening]; c: C[LISTEN] Z[I]"},
        {"s: T D[1||] C[SELECT 1] Z[I]", ""},
        {"s: A", "c: A"}});
}

// Server 1 has process id 1, client 7 was told 7; others are 9.
TEST(LinkRemains, ANotificationOfOnesOwnHasOnesOwnProcessId) {
  for (const auto& [sent, heard] : {std::pair{1, 7}, {9, 9}}) {
    const auto notification = [](int process_id) {
      std::string text;
      MessageBuilder(text, 'A').int32(static_cast<uint32_t>(process_id)).text("x").text("y");
      return text;
    };
    const std::string in = notification(sent);
    for (size_t cut = 1; cut < in.size(); ++cut) {
      LinkTalk talk;
      talk.hold();
      talk.server_sends(in.substr(0, cut));
      talk.server_sends(in.substr(cut));
      EXPECT_EQ(talk.take().to_client, notification(heard));
    }
  }
}

TEST(LinkRemains, TheUnnamedStatementIsThereAfterTheQuestion) {
  play({{"c: P[|listen x] B[|] E[] S", "s: P[|listen x] B[|] E[] S"},
        {"s: 1 2 C[LISTEN] Z[I]", "s: ?[listening]; c: 1 2 C[LISTEN] Z[I]"},
        {"s: T D[1||] C[SELECT 1] Z[I]", ""},
        {"c: B[|] E[] S", "s: P[|listen x] B[|] E[] S"}});
}

TEST(LinkRemains, WhatIsNotUnderstoodOfOneThingIsUnderstoodOfAnother) {
  play({{"c: Q[listen x]", "s: Q[listen x]"},
        {"s: C[LISTEN] Z[I]", "s: ?[listening]; c: C[LISTEN] Z[I]"},
        {"s: E[42883] Z[I]", "end"},
        {"c: Q[set jit=off]", "s: Q[set jit=off]"},
        {"s: C[SET] Z[I]", "s: ?[jit]; c: C[SET] Z[I]"},
        {"s: T D[32|jit|off] C[SELECT 1] Z[I]", "end"}});
}

TEST(LinkRemains, AServerThatMayNotSayIsReset) {
  const std::vector<Line> lines = {{"c: Q[set jit=off]", "s: Q[set jit=off]"},
                                   {"s: C[SET] Z[I]", "s: ?[jit]; c: C[SET] Z[I]"},
                                   {"s: E[42501] Z[I]", "end"}};
  auto again = lines;
  again.insert(again.end(), lines.begin(), lines.end());
  EXPECT_EQ(condition(*play(again)), Condition::Dirty);
}

TEST(LinkRemains, AListInWhichNothingIsProvesNothing) {
  const auto talk = play({{"c: Q[set jit=off]", "s: Q[set jit=off]"},
                          {"s: C[SET] Z[I]", "s: ?[jit]; c: C[SET] Z[I]"},
                          {"s: T C[SELECT 0] Z[I]", "end"}});
  EXPECT_EQ(condition(*talk), Condition::Dirty);
}

TEST(LinkRemains, AServerThatDoesNotUnderstandIsAskedOnce) {
  const auto talk = play({{"c: Q[listen x]", "s: Q[listen x]"},
                          {"s: C[LISTEN] Z[I]", "s: ?[listening]; c: C[LISTEN] Z[I]"},
                          {"s: E[42883] Z[I]", "end"},
                          {"c: Q[listen x]", "s: Q[listen x]"},
                          {"s: C[LISTEN] Z[I]", "c: C[LISTEN] Z[I]; end"}});
  EXPECT_TRUE(talk->server(0).dirty);
}

// A cancel of the client's may come late and hit it.
TEST(LinkRemains, AQuestionThatIsCancelledIsAskedAgain) {
  const std::vector<Line> lines = {{"c: Q[listen x]", "s: Q[listen x]"},
                                   {"s: C[LISTEN] Z[I]", "s: ?[listening]; c: C[LISTEN] Z[I]"},
                                   {"s: E[57014] Z[I]", "s: ?[listening]"}};
  auto answered = lines;
  answered.push_back({"s: T C[SELECT 0] Z[I]", "end"});
  play(answered);
  auto refused = lines;
  refused.push_back({"s: E[57014] Z[I]", ""});
  EXPECT_EQ(pin(*play(refused)), Pin::Unclear);
}

TEST(LinkRemains, AnswersThatFitNothingEndThePair) {
  for (const char* answer : {"1", "T D[x]", "D[7||]", "D[null||]", "D[32|null|x]", "Z[T]", "G"}) {
    LinkTalk talk;
    talk.client_sends(client_bytes("Q[listen x]"));
    talk.server_sends(server_bytes("C[LISTEN] Z[I]"));
    talk.take();
    talk.server_sends(server_bytes(answer));
    EXPECT_EQ(talk.take().events, " fail") << answer;
  }
}

TEST(LinkRemains, ALibraryStaysForGood) {
  const auto talk = play({{"c: Q[load 'x']", "s: Q[load 'x']"},
                          {"s: C[LOAD] Z[I]", "c: C[LOAD] Z[I]"},
                          {"c: Q[discard all]", "s: Q[discard all]"},
                          {"s: C[DISCARD ALL] Z[I]", "c: C[DISCARD ALL] Z[I]; end"}});
  EXPECT_EQ(condition(*talk), Condition::Broken);  // it is closed
}

TEST(LinkRemains, AnotherUserStaysWhereHeIs) {
  const auto talk =
      play({{"c: Q[set session authorization bob]", "s: Q[set session authorization bob]"},
            {"s: C[SET] S[session_authorization=bob] Z[I]",
             "s: ?[any]; c: C[SET] S[session_authorization=bob] Z[I]"},
            {"s: T C[SELECT 0] Z[I]", ""},
            {"c: Q[a]", "s: Q[a]"},
            {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]"},
            {"c: Q[reset session authorization]", "s: Q[reset session authorization]"},
            {"s: C[RESET] S[session_authorization=app] Z[I]",
             "s: ?[any]; c: C[RESET] S[session_authorization=app] Z[I]"},
            {"s: T C[SELECT 0] Z[I]", "end"}},
           [](LinkTalk& setup) {
             setup.server(0).base["session_authorization"] = "app";
             setup.server(0).reported["session_authorization"] = "app";
           });
  EXPECT_EQ(condition(*talk), Condition::Dirty);
}

TEST(LinkRemains, InSessionModeNothingIsAsked) {
  const auto talk =
      play({{"c: Q[listen x]", "s: Q[listen x]"}, {"s: C[LISTEN] Z[I]", "c: C[LISTEN] Z[I]; end"}},
           [](LinkTalk& setup) { setup.client.options.transaction_mode = false; });
  EXPECT_TRUE(talk->server(0).dirty);
}

// It has not been asked yet: nobody will.
TEST(LinkRemains, AClientThatGoesInATransaction) {
  LinkTalk talk;
  talk.client_sends(client_bytes("Q[begin]"));
  talk.server_sends(server_bytes("C[BEGIN] Z[T]"));
  talk.client_sends(client_bytes("Q[listen x]"));
  talk.server_sends(server_bytes("C[LISTEN] Z[T]"));
  const auto recover = talk.link().recover(talk.server(0));
  std::string sent;
  recover->start(sent);
  EXPECT_EQ(recover->feed(server_bytes("C[ROLLBACK] Z[I]"), sent).step, Step::Done);
  EXPECT_EQ(condition(talk), Condition::Dirty);
}

TEST(LinkRemains, AQuestionThatIsCancelledBehindItsClientIsNotAskedAgain) {
  LinkTalk talk;
  talk.client_sends(client_bytes("Q[listen x]"));
  talk.server_sends(server_bytes("C[LISTEN] Z[I]"));
  const auto recover = talk.link().recover(talk.server(0));
  std::string sent;
  recover->start(sent);
  EXPECT_EQ(recover->feed(server_bytes("E[57014] Z[I]"), sent).step, Step::Done);
  EXPECT_EQ(condition(talk), Condition::Dirty);
}

TEST(LinkRemains, AClientThatGoesLeavesTheQuestionToWhoCleansUp) {
  LinkTalk talk;
  talk.client_sends(client_bytes("Q[listen x]"));
  talk.server_sends(server_bytes("C[LISTEN] Z[I]"));
  EXPECT_EQ(condition(talk), Condition::Open);
  const auto recover = talk.link().recover(talk.server(0));
  std::string sent;
  recover->start(sent);
  const auto end = recover->feed(server_bytes("T D[1||] C[SELECT 1] Z[I]"), sent);
  EXPECT_EQ(end.step, Step::Done);
  EXPECT_EQ(sent, "");
  EXPECT_EQ(condition(talk), Condition::Dirty);
  const auto reset = talk.link().reset(talk.server(0), "auto");
  reset->start(sent);
  reset->feed(server_bytes("C[DISCARD ALL] Z[I]"), sent);
  EXPECT_EQ(condition(talk), Condition::Clean);
  EXPECT_EQ(pin(talk), std::nullopt);
}

}  // namespace
}  // namespace weir::postgres
