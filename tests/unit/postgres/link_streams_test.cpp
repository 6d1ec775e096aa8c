// COPY, great messages, statement mode, weir's own answers, and bytes that fit nothing.
#include "link_script.h"

namespace weir::postgres {
namespace {

using namespace script;

TEST(LinkCopy, InAndOut) {
  play({{"c: Q[copy t from stdin]", "s: Q[copy t from stdin]"},
        {"s: G", "c: G"},
        {"c: d[1] d[2] H S c", "s: d[1] d[2] H S c"},
        {"s: C[COPY 2] Z[I]", "c: C[COPY 2] Z[I]; end"},
        {"c: Q[copy t to stdout]", "s: Q[copy t to stdout]"},
        {"s: H d[1] c C[COPY 1] Z[I]", "c: H d[1] c C[COPY 1] Z[I]; end"}});
}

TEST(LinkCopy, WhatComesBehindAnErrorIsSwallowed) {
  play({{"c: Q[copy t from stdin]", "s: Q[copy t from stdin]"},
        {"s: G", "c: G"},
        {"c: d[x]", "s: d[x]"},
        {"s: E[22P02] Z[I]", "c: E[22P02] Z[I]; end"},
        {"c: d[y] d[z] c f[no]", ""},
        {"c: Q[a]", "s: Q[a]"},
        {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]; end"}});
}

TEST(LinkCopy, AnErrorBehindCopyDone) {
  play({{"c: Q[copy t from stdin]", "s: Q[copy t from stdin]"},
        {"s: G", "c: G"},
        {"c: d[x] c", "s: d[x] c"},
        {"s: E[23505] Z[I]", "c: E[23505] Z[I]; end"}});
}

// "COPY Operations", 55.2.6: a Sync in COPY mode is ignored, the client sends another one.
TEST(LinkCopy, ByTheExtendedProtocolWithSyncSentAlong) {
  const std::vector<Line> begin = {
      {"c: P[|copy t from stdin] B[|] E[] S", "s: P[|copy t from stdin] B[|] E[] S"},
      {"s: 1 2 G", "c: 1 2 G"},
      {"c: d[1]", "s: d[1]"}};
  auto done = begin;
  done.insert(done.end(), {{"c: c S", "s: c S"}, {"s: C[COPY 1] Z[I]", "c: C[COPY 1] Z[I]; end"}});
  const auto talk = play(done);
  EXPECT_EQ(talk->link().condition(talk->server(0)), Condition::Clean);
  auto failed = begin;
  failed.insert(
      failed.end(),
      {{"s: E[22P02]", "c: E[22P02]"}, {"c: d[2] c S", "s: S"}, {"s: Z[I]", "c: Z[I]; end"}});
  play(failed);
  auto late = begin;
  late.insert(late.end(), {{"c: c S", "s: c S"}, {"s: E[23505] Z[I]", "c: E[23505] Z[I]; end"}});
  play(late);
}

// Whether it was read before the error or behind it nobody can tell, and so not whether another
// ReadyForQuery comes.
TEST(LinkCopy, ASyncInACopyThatFailsCostsTheServer) {
  const auto talk = play({{"c: Q[copy t from stdin]", "s: Q[copy t from stdin]"},
                          {"s: G", "c: G"},
                          {"c: d[x] d[y] S", "s: d[x] d[y] S"},
                          {"s: E[22P02] Z[I]", "c: E[22P02] Z[I]; end"}});
  EXPECT_EQ(talk->link().condition(talk->server(0)), Condition::Broken);
  const auto cancelled =
      play({{"c: P[|copy t from stdin] B[|] E[] S", "s: P[|copy t from stdin] B[|] E[] S"},
            {"s: 1 2 G", "c: 1 2 G"},
            {"s: E[57014]", "c: E[57014]"},
            {"c: c S", "s: S"},
            {"s: Z[I]", "c: Z[I]; end"}});
  EXPECT_EQ(cancelled->link().condition(cancelled->server(0)), Condition::Broken);
}

TEST(LinkStreams, WhatAServerReportsIsBounded) {
  LinkTalk talk;
  talk.client_sends(client_bytes("Q[a]"));
  for (int i = 0; i < 1000; ++i)
    talk.server_sends(server_bytes("S[x" + std::to_string(i) + "=" + std::to_string(i) + "]"));
  talk.server_sends(server_bytes("S[great=" + std::string(100'000, 'g') + "]"));
  EXPECT_LE(talk.server(0).reported.size(), base::kReportedSettingsMax);
  EXPECT_FALSE(talk.server(0).reported.contains("great"));
  EXPECT_GT(talk.take().to_client.size(), 100'000u);  // the client hears it all the same
}

TEST(LinkStreams, AGreatBindPassesInBoundedMemory) {
  LinkTalk talk;
  talk.client_sends(client_bytes("P[s|x]"));
  std::string bind;
  MessageBuilder(bind, 'B')
      .text("p")
      .text("s")
      .int16(0)
      .int16(1)
      .int32(3 << 20)
      .raw(std::string(3 << 20, 'v'))
      .int16(0);
  size_t sent = talk.take().to_server.size();
  for (size_t at = 0; at < bind.size(); at += 60000) {
    talk.client_sends(Bytes(bind).substr(at, 60000));
    EXPECT_EQ(talk.kept_bytes(), 0U);
    if (at + 60000 < bind.size()) {
      EXPECT_EQ(talk.link().condition(*talk.held()), Condition::Broken);
    }
    sent += talk.take().to_server.size();
  }
  EXPECT_GT(sent, bind.size());
  EXPECT_EQ(talk.link().condition(*talk.held()), Condition::Open);
}

TEST(LinkStatementMode, RefusesBlocks) {
  const script::Setup mode = [](LinkTalk& talk) { talk.client.options.statement_mode = true; };
  play({{"c: Q[a] Q[ /* x */ BEGIN] Q[b]", "s: Q[a] Q[b]"},
        {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I] E[0A000] Z[I]"},
        {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]; end"}},
       mode);
  play({{"c: P[|start transaction] B[|] E[] S", "s: B[|weir_none] B[|weir_none] E[] S"},
        {"s: E[26000] Z[I]", "c: E[0A000] Z[I]; end"}},
       mode);
  play({{"c: Q[select 1; begin]", "s: Q[select 1; begin]"},
        {"s: T D[1] C[SELECT 1] C[BEGIN] Z[T]", "c: T D[1] C[SELECT 1] C[BEGIN]; fail"}},
       mode);
}

TEST(LinkAnswer, ATurnWithoutAServer) {
  const script::Setup none = [](LinkTalk& talk) { talk.serves = false; };
  play({{"c: Q[select 1]", ""}, {"no server", "c: E[53300] Z[I]"}}, none);
  play({{"c: P[|a] B[|] E[] S", ""}, {"no server", "c: E[53300] Z[I]"}}, none);
  play({{"c: P[|a] B[|] E[]", ""},
        {"no server", "c: E[53300]"},
        {"c: D[P] Q[x] S S", "c: Z[I] Z[I]"}},
       none);
  play({{"c: F S", ""}, {"no server", "c: E[53300] Z[I] Z[I]"}}, none);
}

TEST(LinkHostile, ClientsThatBreakTheProtocol) {
  for (const char* bytes : {"{5100000003}", "{51ffffffff}", "{5140000000}", "{4200000005}",
                            "{7000000004}", "{0000000004}", "{53000000050000}", "{420000000541}",
                            "{500000000541}", "{44000000055300}", "{430000000753610000}"}) {
    LinkTalk talk;
    talk.hold();
    talk.client_sends(client_bytes("Q[a]") + client_bytes(bytes) + std::string(8, 'x'));
    const bool is_over = talk.over();
    talk.client_sends(std::string(100000, 'x'));
    EXPECT_TRUE(talk.over()) << bytes << is_over;
  }
}

TEST(LinkHostile, AnswersThatFitNothing) {
  for (const char* bytes : {"1",
                            "2",
                            "3",
                            "T",
                            "n",
                            "t",
                            "s",
                            "I",
                            "D[x]",
                            "d[x]",
                            "C[X]",
                            "Z[I]",
                            "G",
                            "H",
                            "W",
                            "c",
                            "V",
                            "{5a000000054100}",
                            "{5a000000064949}",
                            "{3100000003}",
                            "{31ffffffff}",
                            "K",
                            "R",
                            "{0000000004}"}) {
    LinkTalk talk;
    talk.hold();
    talk.client_sends(client_bytes("P[|a] H"));
    talk.server_sends(server_bytes("1"));
    talk.take();
    talk.server_sends(server_bytes(bytes));
    EXPECT_TRUE(talk.over()) << bytes;
    EXPECT_EQ(talk.take().to_client, "") << bytes;
  }
  for (const char* bytes :
       {"1", "3", "n", "s", "I", "D[x]", "C[X]", "Z[I]", "G", "H", "W", "V", "c"}) {
    LinkTalk talk;
    talk.client_sends(client_bytes("B[|] S"));
    talk.client.unnamed_mark = 0;
    talk.server_sends(server_bytes(bytes));
    EXPECT_TRUE(talk.over()) << bytes << " for a Bind";
  }
}

}  // namespace
}  // namespace weir::postgres
