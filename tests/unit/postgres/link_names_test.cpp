// A client's names of statements in a pipeline: whoever uses a name whose last change is not
// answered yet waits, as that change may have failed or been skipped.
#include "link_script.h"

namespace weir::postgres {
namespace {

using script::Line;
using script::play;

// The name used to stay with the text that was refused, and the next one with it was told the
// error of the first.
TEST(LinkNames, ANameWhoseParseFailsIsFreeForTheNextBatch) {
  play({{"c: P[s|bad] S P[s|good] S", "s: P[@1|bad] S"},
        {"s: E[42601] Z[I]", "s: P[@2|good] S; c: E[42601] Z[I]"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"c: B[|s] S", "s: B[|@2] S"}});
}

TEST(LinkNames, ACloseThatWasSkippedLeavesTheName) {
  for (const std::string use : {"B[|s]", "D[Ss]"}) {
    const std::string sent = use == "B[|s]" ? "B[|@1]" : "D[S@1]";
    play({{"c: P[s|x] S", "s: P[@1|x] S"},
          {"s: 1 Z[I]", "c: 1 Z[I]; end"},
          {"c: P[|bad] C[Ss] S " + use + " S", "s: P[|bad] S"},
          {"s: E[42601] Z[I]", "s: " + sent + " S; c: E[42601] Z[I]"}});
  }
}

TEST(LinkNames, ACloseThatWasSkippedDoesNotUndoALaterParse) {
  play({{"c: Q[begin]", "s: Q[begin]"},
        {"s: C[BEGIN] Z[T]", "c: C[BEGIN] Z[T]"},
        {"c: P[s|x] S Q[bad]", "s: P[@1|x] S Q[bad]"},
        {"s: 1 Z[T] E[22012] Z[E]", "c: 1 Z[T] E[22012] Z[E]"},
        {"c: C[Ss] P[s|y] S C[Ss] P[s|z] S B[|s] S", "s: P[@2|y] S; c: 3"},
        {"s: E[25P02] Z[E]", "s: P[@3|z] S; c: E[25P02] Z[E] 3"},
        {"s: E[25P02] Z[E]", "s: B[|weir_none] S; c: E[25P02] Z[E]"},
        {"s: E[26000] Z[E]", "c: E[26000] Z[E]"}});
}

TEST(LinkNames, ADeallocateWaitsForItsName) {
  play({{"c: P[d|DEALLOCATE s] S", "s: P[@1|DEALLOCATE s] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"c: P[s|bad] S B[|d] E[] S", "s: P[@2|bad] S"},
        {"s: E[42601] Z[I]", "s: B[|@1] E[] S; c: E[42601] Z[I]"}});
}

TEST(LinkNames, OneBatchAndOtherNamesNeedNotWait) {
  play({{"c: P[s|x] C[Ss] P[s|y] B[|s] S P[t|z] S", "s: P[@1|x] P[@2|y] B[|@2] S P[@3|z] S"},
        {"s: 1 1 2 Z[I] 1 Z[I]", "c: 1 3 1 2 Z[I] 1 Z[I]; end"}});
}

// Whether the transaction has failed nobody knows yet: the server says what it thinks of a Parse.
TEST(LinkNames, AParseBehindWhatMayFailIsAnsweredByTheServer) {
  play({{"c: P[s|x] S", "s: P[@1|x] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"c: Q[begin] Q[bad] C[Ss] P[s|x] S", "s: Q[begin] Q[bad] C[S@1] P[@1|x] S"},
        {"s: C[BEGIN] Z[T] E[22012] Z[E] 3", "c: C[BEGIN] Z[T] E[22012] Z[E] 3"},
        {"s: E[25P02] Z[E]", "c: E[25P02] Z[E]"},
        {"c: Q[rollback] B[|s] S", "s: Q[rollback] B[|weir_none] S"}});
}

// So many that nobody looks through them.
TEST(LinkNames, BehindVeryManyAnyNameWaits) {
  std::string many, sent, answers;
  for (int i = 1; i <= 70; ++i) {
    many += "P[n" + std::to_string(i) + "|x" + std::to_string(i) + "] ";
    sent += "P[@" + std::to_string(i) + "|x" + std::to_string(i) + "] ";
    answers += "1 ";
  }
  play({{"c: " + many + "S P[other|y] S", "s: " + sent + "S"},
        {"s: " + answers + "Z[I]", "s: P[@71|y] S; c: " + answers + "Z[I]"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"}});
}

}  // namespace
}  // namespace weir::postgres
