// Turns of both protocols through the link: what is forwarded, when the hold ends, what errors cut.
#include "link_script.h"

namespace weir::postgres {
namespace {

using namespace script;

TEST(LinkTurns, ASimpleQuery) {
  play({{"c: Q[select 1]", "s: Q[select 1]"},
        {"s: T D[1] C[SELECT 1]", "c: T D[1] C[SELECT 1]"},
        {"s: Z[I]", "c: Z[I]; end"}});
}

TEST(LinkTurns, ManyQueriesAtOnceAreAnsweredOneByOne) {
  play({{"c: Q[a] Q[b] Q[c]", "s: Q[a] Q[b] Q[c]"},
        {"s: E[42601] Z[I]", "c: E[42601] Z[I]"},
        {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]"},
        {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]; end"}});
}

TEST(LinkTurns, SeveralStatementsInOneQueryOneFailing) {
  play({{"c: Q[a;b;c]", "s: Q[a;b;c]"},
        {"s: C[INSERT 0 1] T D[x] C[SELECT 1] E[22012]",
         "c: C[INSERT 0 1] T D[x] C[SELECT 1] E[22012]"},
        {"s: Z[I]", "c: Z[I]; end"}});
}

TEST(LinkTurns, EmptyQueries) {
  play({{"c: Q[] P[|] B[|] E[] S", "s: Q[] P[|] B[|] E[] S"},
        {"s: I Z[I]", "c: I Z[I]"},
        {"s: 1 2 I Z[I]", "c: 1 2 I Z[I]; end"}});
}

TEST(LinkTurns, AFunctionCall) {
  play({{"c: F", "s: F"}, {"s: V Z[I]", "c: V Z[I]; end"}});
  play({{"c: F", "s: F"}, {"s: E[42883] Z[I]", "c: E[42883] Z[I]; end"}});
}

TEST(LinkTurns, AnExtendedTurn) {
  play({{"c: P[|select $1] D[S] B[||v] D[P] E[] S", "s: P[|select $1] D[S] B[||v] D[P] E[] S"},
        {"s: 1 t T 2 T D[v] C[SELECT 1]", "c: 1 t T 2 T D[v] C[SELECT 1]"},
        {"s: Z[I]", "c: Z[I]; end"}});
}

TEST(LinkTurns, AFlushKeepsTheServerUntilTheSync) {
  play({{"c: P[|a] B[|] E[] H", "s: P[|a] B[|] E[] H"},
        {"s: 1 2 C[INSERT 0 1]", "c: 1 2 C[INSERT 0 1]"},
        {"c: S", "s: S"},
        {"s: Z[I]", "c: Z[I]; end"}});
}

TEST(LinkTurns, TheHoldEndsAfterTheLastOfManySyncs) {
  play({{"c: P[|a] B[|] E[] S P[|b] B[|] E[] S S", "s: P[|a] B[|] E[] S P[|b] B[|] E[] S S"},
        {"s: 1 2 C[INSERT 0 1] Z[I]", "c: 1 2 C[INSERT 0 1] Z[I]"},
        {"s: 1 2 C[INSERT 0 1] Z[I]", "c: 1 2 C[INSERT 0 1] Z[I]"},
        {"s: Z[I]", "c: Z[I]; end"}});
}

TEST(LinkTurns, AnErrorCutsItsBatchAndNoOther) {
  play({{"c: P[|a] B[|] E[] S P[|b] B[|] E[] S P[|c] B[|] E[] S",
         "s: P[|a] B[|] E[] S P[|b] B[|] E[] S P[|c] B[|] E[] S"},
        {"s: 1 2 C[INSERT 0 1] Z[I] 1 E[22012] Z[I]", "c: 1 2 C[INSERT 0 1] Z[I] 1 E[22012] Z[I]"},
        {"s: 1 2 C[INSERT 0 1] Z[I]", "c: 1 2 C[INSERT 0 1] Z[I]; end"}});
}

TEST(LinkTurns, SimpleAndExtendedMixed) {
  play({{"c: Q[a] P[|b] B[|] E[] S Q[c]", "s: Q[a] P[|b] B[|] E[] S Q[c]"},
        {"s: C[INSERT 0 1] Z[I] 1 E[22012] Z[I] C[INSERT 0 1] Z[I]",
         "c: C[INSERT 0 1] Z[I] 1 E[22012] Z[I] C[INSERT 0 1] Z[I]; end"}});
}

TEST(LinkTurns, AQueryBehindAnErrorIsSkippedByTheServerToo) {
  play({{"c: P[|a] B[|] E[] Q[b] P[|c] S Q[d]", "s: P[|a] B[|] E[] Q[b] P[|c] S Q[d]"},
        {"s: 1 E[22012] Z[I]", "c: 1 E[22012] Z[I]"},
        {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]; end"}});
}

TEST(LinkTurns, AnErrorAtTheSyncItself) {
  play({{"c: P[|a] B[|] E[] S", "s: P[|a] B[|] E[] S"},
        {"s: 1 2 C[INSERT 0 1] E[23503] Z[I]", "c: 1 2 C[INSERT 0 1] E[23503] Z[I]; end"}});
}

TEST(LinkTurns, ATransactionKeepsTheServer) {
  play({{"c: Q[begin]", "s: Q[begin]"},
        {"s: C[BEGIN] Z[T]", "c: C[BEGIN] Z[T]"},
        {"c: Q[a]", "s: Q[a]"},
        {"s: E[22012] Z[E]", "c: E[22012] Z[E]"},
        {"c: Q[rollback]", "s: Q[rollback]"},
        {"s: C[ROLLBACK] Z[I]", "c: C[ROLLBACK] Z[I]; end"}});
}

TEST(LinkTurns, RowLimits) {
  play(
      {{"c: P[|begin] B[|] E[] P[|a] B[p|] E[p|2] S", "s: P[|begin] B[|] E[] P[|a] B[p|] E[p|2] S"},
       {"s: 1 2 C[BEGIN] 1 2 D[x] D[y] s Z[T]", "c: 1 2 C[BEGIN] 1 2 D[x] D[y] s Z[T]"},
       {"c: E[p|2] S", "s: E[p|2] S"},
       {"s: D[z] C[SELECT 1] Z[T]", "c: D[z] C[SELECT 1] Z[T]"},
       {"c: Q[commit]", "s: Q[commit]"},
       {"s: C[COMMIT] Z[I]", "c: C[COMMIT] Z[I]; end"},
       {"c: E[p|2] S", "s: E[p|2] S"},
       {"s: E[34000] Z[I]", "c: E[34000] Z[I]; end"}});
}

TEST(LinkTurns, AsynchronousMessagesEndNothing) {
  play({{"c: Q[begin]", "s: Q[begin]"},
        {"s: C[BEGIN] Z[T]", "c: C[BEGIN] Z[T]"},
        {"s: N[00000] A S[in_hot_standby=off]", "c: N[00000] A S[in_hot_standby=off]"},
        {"c: P[|a] H", "s: P[|a] H"},
        {"s: N[00000] 1 A", "c: N[00000] 1 A"},
        {"c: S Q[commit]", "s: S Q[commit]"},
        {"s: Z[T] N[00000] C[COMMIT] N[00000] Z[I]",
         "c: Z[T] N[00000] C[COMMIT] N[00000] Z[I]; end"}});
}

TEST(LinkTurns, TheClientLeaves) {
  play({{"c: X", "leave"}});
  const auto talk = play({{"c: Q[a] X", "s: Q[a]; leave"}});
  EXPECT_EQ(talk->link().condition(*talk->held()), Condition::Open);
}

TEST(LinkTurns, ASyncAloneNeedsNoServer) { play({{"c: S H S", "c: Z[I] Z[I]"}}); }

TEST(LinkTurns, AServersLastWordRetiresIt) {
  const auto talk = play(
      {{"c: Q[begin]", "s: Q[begin]"}, {"s: C[BEGIN] Z[T] E[57P01]", "c: C[BEGIN] Z[T] E[57P01]"}});
  EXPECT_EQ(talk->link().condition(*talk->held()), Condition::Broken);
}

// The messages behind the error come after weir has seen the error: the server skips them all the
// same.
TEST(LinkTurns, WhatComesBehindAnErrorIsSkipped) {
  play({{"c: P[|a] B[|] E[]", "s: P[|a] B[|] E[]"},
        {"s: 1 E[22012]", "c: 1 E[22012]"},
        {"c: P[s1|b] B[|s1] D[P] E[] C[Ss1] Q[x] F d[x] H", ""},
        {"c: P[|c]", ""},
        {"c: S Q[d]", "s: S Q[d]"},
        {"s: Z[I] C[INSERT 0 1] Z[I]", "c: Z[I] C[INSERT 0 1] Z[I]; end"},
        {"c: P[s1|b] S", "s: P[@1|b] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"}});
}

// A simple query ends an extended turn as a Sync does.
TEST(LinkTurns, AQueryBehindExtendedMessages) {
  play({{"c: P[|a] B[|] E[] Q[b]", "s: P[|a] B[|] E[] Q[b]"},
        {"s: 1 2 C[INSERT 0 1] C[INSERT 0 1] Z[I]",
         "c: 1 2 C[INSERT 0 1] C[INSERT 0 1] Z[I]; end"}});
  play({{"c: P[|a] B[|] E[] Q[b]", "s: P[|a] B[|] E[] Q[b]"},
        {"s: 1 E[22012]", "c: 1 E[22012]"},
        {"c: S", "s: S"},
        {"s: Z[I]", "c: Z[I]; end"}});
}

}  // namespace
}  // namespace weir::postgres
