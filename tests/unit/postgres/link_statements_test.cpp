// Prepared statements: names of the clients, names of the servers, over several servers and
// behind errors.
#include "link_script.h"

namespace weir::postgres {
namespace {

using namespace script;

void two_servers(LinkTalk& talk) { talk.add_server(); }
void one_statement(LinkTalk& talk) { talk.client.options.prepared_statements = 1; }
bool knows(const LinkTalk& talk, const char* name) {
  return talk.client.names.find(name) != nullptr;
}

TEST(LinkStatements, AreRenamedAndPreparedWhereTheyAreUsed) {
  play({{"c: P[s|select $1] D[Ss] B[p|s|v] D[Pp] E[p] S",
         "s: P[@1|select $1] D[S@1] B[p|@1|v] D[Pp] E[p] S"},
        {"s: 1 t T 2 T D[v] C[SELECT 1] Z[I]", "c: 1 t T 2 T D[v] C[SELECT 1] Z[I]; end"},
        {"use 1", ""},
        {"c: B[|s|v] E[] S", "s: P[@1|select $1] B[|@1|v] E[] S"},
        {"s: 1 2 D[v] C[SELECT 1] Z[I]", "c: 2 D[v] C[SELECT 1] Z[I]; end"},
        {"c: D[Ss] S", "s: D[S@1] S"},
        {"s: t T Z[I]", "c: t T Z[I]; end"}},
       two_servers);
}

TEST(LinkStatements, EqualTextsAreOneEqualNamesAreNot) {
  play(
      {{"c: P[a|x] P[b|x] P[c|y] B[|a] B[|b] B[|c] S", "s: P[@1|x] P[@2|y] B[|@1] B[|@1] B[|@2] S"},
       {"s: 1 1 2 2 2 Z[I]", "c: 1 1 1 2 2 2 Z[I]; end"}});
  LinkTalk talk;
  talk.client_sends(client_bytes("P[a|x] S"));
  const Output first = talk.take();
  talk.server_sends(server_bytes("1 Z[I]"));
  talk.client.names = {};  // another client: another text by this name, on the same server
  talk.client_sends(client_bytes("P[a|y] B[|a] S"));
  Names names;
  EXPECT_EQ(show_client(first.to_server, names), " P[@1|x] S");
  EXPECT_EQ(show_client(talk.take().to_server, names), " P[@2|y] B[|@2] S");
}

TEST(LinkStatements, ParameterTypesMakeAnother) {
  LinkTalk talk;
  std::string in;
  for (const uint32_t type : {23U, 25U})
    MessageBuilder(in, 'P').text(std::to_string(type)).text("x").int16(1).int32(type);
  talk.client_sends(in);
  Names names;
  EXPECT_EQ(show_client(talk.take().to_server, names), " P[@1|x] P[@2|x]");
}

TEST(LinkStatements, ANameInUse) {
  const auto talk =
      play({{"c: P[s|x] S", "s: P[@1|x] S"},
            {"s: 1 Z[I]", "c: 1 Z[I]; end"},
            {"c: Q[a] P[s|y] B[|s] S Q[b]", "s: Q[a] P[@1|y] B[|@1] S Q[b]"},
            {"s: C[INSERT 0 1] Z[I] E[42P05] Z[I]", "c: C[INSERT 0 1] Z[I] E[42P05] Z[I]"},
            {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]; end"}});
  EXPECT_TRUE(knows(*talk, "s"));
}

TEST(LinkStatements, AnUnknownName) {
  play({{"c: P[|a] B[|] E[] B[|none] E[] S Q[b]", "s: P[|a] B[|] E[] B[|weir_none] E[] S Q[b]"},
        {"s: 1 2 C[INSERT 0 1] E[26000] Z[I]", "c: 1 2 C[INSERT 0 1] E[26000] Z[I]"},
        {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]; end"}});
  play({{"c: D[Snone] S", "s: B[|weir_none] S"}, {"s: E[26000] Z[I]", "c: E[26000] Z[I]; end"}});
  play({{"c: B[|] S", "s: B[|weir_none] S"}, {"s: E[26000] Z[I]", "c: E[26000] Z[I]; end"}});
}

TEST(LinkStatements, Close) {
  const auto talk = play({{"c: P[s|x] B[|s] C[Ss] C[Snone] C[Pp] S", "s: P[@1|x] B[|@1] C[Pp] S"},
                          {"s: 1 2 3 Z[I]", "c: 1 2 3 3 3 Z[I]; end"},
                          {"c: P[s|y] C[Ss] S", "s: P[@2|y] S"},
                          {"s: 1 Z[I]", "c: 1 3 Z[I]; end"},
                          {"c: P[s|x] S", "c: 1 Z[I]"},
                          {"c: C[Ss] S", "c: 3 Z[I]"}});
  EXPECT_FALSE(knows(*talk, "s"));
}

TEST(LinkStatements, AnUnnamedStatementSurvivesAChangeOfServers) {
  play({{"c: P[|x] S", "s: P[|x] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"use 1", ""},
        {"c: D[S] S", "s: P[|x] D[S] S"},
        {"s: 1 t n Z[I]", "c: t n Z[I]; end"},
        {"c: B[|] E[] S", "s: B[|] E[] S"},
        {"s: 2 C[INSERT 0 1] Z[I]", "c: 2 C[INSERT 0 1] Z[I]; end"},
        {"c: Q[y]", "s: Q[y]"},
        {"s: C[INSERT 0 1] Z[I]", "c: C[INSERT 0 1] Z[I]; end"},
        {"c: B[|] S", "s: B[|weir_none] S"},
        {"s: E[26000] Z[I]", "c: E[26000] Z[I]; end"}},
       two_servers);
}

TEST(LinkStatements, AFailedParseIsForgotten) {
  const auto talk = play({{"c: P[s|bad] B[|s] E[] S", "s: P[@1|bad] B[|@1] E[] S"},
                          {"s: E[42601] Z[I]", "c: E[42601] Z[I]; end"},
                          {"c: P[s|good] S", "s: P[@2|good] S"},
                          {"s: 1 Z[I]", "c: 1 Z[I]; end"}});
  EXPECT_EQ(talk->server(0).prepared.size(), 1U);
}

TEST(LinkStatements, WeirsOwnParseThatFailsAnswersTheBind) {
  play({{"c: P[s|x] S", "s: P[@1|x] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"use 1", ""},
        {"c: B[|s] E[] S", "s: P[@1|x] B[|@1] E[] S"},
        {"s: E[42P01] Z[I]", "c: E[42P01] Z[I]; end"},
        {"c: B[|s] E[] S", "s: P[@1|x] B[|@1] E[] S"},
        {"s: 1 2 C[INSERT 0 1] Z[I]", "c: 2 C[INSERT 0 1] Z[I]; end"}},
       two_servers);
}

TEST(LinkStatements, Eviction) {
  const auto talk =
      play({{"c: P[a|x] B[|a] P[b|y] B[|b] E[] B[|a] S",
             "s: P[@1|x] B[|@1] C[S@1] P[@2|y] B[|@2] E[] C[S@1] C[S@2] P[@1|x] B[|@1] S"},
            {"s: 1 2 3 1 2 C[INSERT 0 1] 3 3 1 2 Z[I]", "c: 1 2 1 2 C[INSERT 0 1] 2 Z[I]; end"},
            {"c: B[|b] S", "s: C[S@1] P[@2|y] B[|@2] S"}},
           one_statement);
  EXPECT_EQ(talk->server(0).prepared.size(), 1U);
}

TEST(LinkStatements, AnEvictionThatIsSkipped) {
  const auto talk = play({{"c: P[a|x] S", "s: P[@1|x] S"},
                          {"s: 1 Z[I]", "c: 1 Z[I]; end"},
                          {"c: B[|none] P[b|y] S", "s: B[|weir_none] C[S@1] P[@2|y] S"},
                          {"s: E[26000] Z[I]", "c: E[26000] Z[I]; end"},
                          {"c: B[|a] S", "s: B[|@1] S"}},
                         one_statement);
  EXPECT_EQ(talk->server(0).prepared.size(), 1U);
}

// The Parse before the second batch's Bind was skipped together with the first batch. The server
// refused that Bind, as it had never seen the statement.
TEST(LinkStatements, AParseOfAnEarlierBatchMayHaveBeenSkipped) {
  play({{"c: P[s|x] S", "s: P[@1|x] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"use 1", ""},
        {"c: P[|bad] B[|s] S B[|s] E[] S", "s: P[|bad] P[@1|x] B[|@1] S"},
        {"s: E[42601] Z[I]", "s: P[@1|x] B[|@1] E[] S; c: E[42601] Z[I]"},
        {"s: 1 2 C[INSERT 0 1] Z[I]", "c: 2 C[INSERT 0 1] Z[I]; end"},
        {"c: B[|s] S", "s: B[|@1] S"}},
       two_servers);
}

TEST(LinkStatements, ANameWhoseParseFailsIsNotThere) {
  play({{"c: P[s|selct] S B[|s] S", "s: P[@1|selct] S"},
        {"s: E[42601] Z[I]", "s: B[|weir_none] S; c: E[42601] Z[I]"},
        {"s: E[26000] Z[I]", "c: E[26000] Z[I]; end"}});
}

// Room is made within one batch: nobody waits for the answer to a Close that stands in it.
TEST(LinkStatements, RoomIsMadeWithinABatch) {
  play({{"c: P[a|x] S", "s: P[@1|x] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"c: P[b|y] S", "s: C[S@1] P[@2|y] S"},
        {"s: 3 1 Z[I]", "c: 1 Z[I]; end"},
        {"c: B[|a] B[|b] B[|a] S",
         "s: C[S@2] P[@1|x] B[|@1] C[S@2] C[S@1] P[@2|y] B[|@2] C[S@1] C[S@2] P[@1|x] B[|@1] S"},
        {"s: 3 1 2 3 3 1 2 3 3 1 2 Z[I]", "c: 2 2 2 Z[I]; end"}},
       one_statement);
}

TEST(LinkStatements, AParseOfAnEarlierBatchIsSureOnceItIsAnswered) {
  play({{"c: P[s|x] H", "s: P[@1|x] H"},
        {"s: 1", "c: 1"},
        {"c: S B[|s] S", "s: S B[|@1] S"},
        {"s: Z[I] 2 Z[I]", "c: Z[I] 2 Z[I]; end"}});
}

// The same with the unnamed statement: the second batch would have run whatever another client
// had left there.
TEST(LinkStatements, AnUnnamedParseOfAnEarlierBatchMayHaveBeenSkipped) {
  play({{"c: B[|none] P[|x] S B[|] E[] S", "s: B[|weir_none] P[|x] S"},
        {"s: E[26000] Z[I]", "s: B[|weir_none] E[] S; c: E[26000] Z[I]"}});
  play({{"c: P[|x] S B[|] E[] S", "s: P[|x] S"},
        {"s: 1 Z[I]", "s: B[|] E[] S; c: 1 Z[I]"},
        {"s: 2 C[INSERT 0 1] Z[I]", "c: 2 C[INSERT 0 1] Z[I]; end"}});
}

// The failure of the first used to take the second, which came later, along.
TEST(LinkStatements, AFailedUnnamedParseForgetsNoLaterOne) {
  play({{"c: P[|bad] S P[|good]", "s: P[|bad] S P[|good]"},
        {"s: E[42601] Z[I]", "c: E[42601] Z[I]"},
        {"c: B[|] E[] S", "s: B[|] E[] S"},
        {"s: 1 2 C[INSERT 0 1] Z[I]", "c: 1 2 C[INSERT 0 1] Z[I]; end"}});
}

TEST(LinkStatements, InAFailedTransactionTheServerAnswersParse) {
  play({{"c: P[s|x] Q[begin]", "s: P[@1|x] Q[begin]"},
        {"s: 1 C[BEGIN] Z[T]", "c: 1 C[BEGIN] Z[T]"},
        {"c: Q[bad]", "s: Q[bad]"},
        {"s: E[22012] Z[E]", "c: E[22012] Z[E]"},
        {"c: P[t|x] S", "s: C[S@1] P[@1|x] S"},
        {"s: 3 E[25P02] Z[E]", "c: E[25P02] Z[E]"},
        {"c: Q[rollback] B[|s] S", "s: Q[rollback] P[@1|x] B[|@1] S"},
        {"s: C[ROLLBACK] Z[I] 1 2 Z[I]", "c: C[ROLLBACK] Z[I] 2 Z[I]; end"}});
}

TEST(LinkStatements, DeallocateAllAndDiscardAll) {
  for (const std::string tag : {"DEALLOCATE ALL", "DISCARD ALL"}) {
    const auto talk = play({{"c: P[s|x] P[|y] S", "s: P[@1|x] P[|y] S"},
                            {"s: 1 1 Z[I]", "c: 1 1 Z[I]; end"},
                            {"c: Q[" + tag + "]", "s: Q[" + tag + "]"},
                            {"s: C[" + tag + "] Z[I]", "c: C[" + tag + "] Z[I]; end"},
                            {"c: B[|s] S", "s: B[|weir_none] S"},
                            {"s: E[26000] Z[I]", "c: E[26000] Z[I]; end"},
                            {"c: P[s|x] S", "s: P[@2|x] S"}});
    EXPECT_EQ(talk->client.unnamed_mark, 0U);
  }
  play({{"c: P[s|x] P[|discard all] B[|] E[] S", "s: P[@1|x] P[|discard all] B[|] E[] S"},
        {"s: 1 1 2 C[DISCARD ALL] Z[I]", "c: 1 1 2 C[DISCARD ALL] Z[I]; end"},
        {"c: B[|s] S", "s: B[|weir_none] S"}});
}

// Npgsql sends DISCARD ALL in front of its next request. What that prepared was forgotten with
// the rest.
TEST(LinkStatements, WhatStandsBehindADiscardWaitsForIt) {
  play({{"c: P[s|x] S", "s: P[@1|x] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"c: Q[DISCARD ALL] P[|y] P[t|x] B[|t]", "s: Q[DISCARD ALL]"},
        {"s: C[DISCARD ALL] Z[I]", "s: P[|y] P[@2|x] B[|@2]; c: C[DISCARD ALL] Z[I]; end"},
        {"c: B[|] B[|t] E[] S", "s: B[|] B[|@2] E[] S"},
        {"s: 1 1 2 2 2 C[INSERT 0 1] Z[I]", "c: 1 1 2 2 2 C[INSERT 0 1] Z[I]; end"},
        {"c: B[|s] S", "s: B[|weir_none] S"}});
}

TEST(LinkStatements, WhatStandsBehindADiscardByTheExtendedProtocolWaitsForIt) {
  play({{"c: P[s|x] S", "s: P[@1|x] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"c: P[|discard all] B[|] E[] S P[s|y] S", "s: P[|discard all] B[|] E[] S"},
        {"s: 1 2 C[DISCARD ALL] Z[I]", "s: P[@2|y] S; c: 1 2 C[DISCARD ALL] Z[I]; end"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"}});
  // Without a Sync the server is asked for its answers.
  play({{"c: P[s|x] S", "s: P[@1|x] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"c: P[|deallocate all] B[|] E[] P[s|y] S", "s: P[|deallocate all] B[|] E[] H"},
        {"s: 1 2 C[DEALLOCATE ALL]", "s: P[@2|y] S; c: 1 2 C[DEALLOCATE ALL]"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"}});
}

// The server gets something harmless to run; its tag is the client's.
TEST(LinkStatements, DeallocateOfAClientsNameByTheExtendedProtocol) {
  const std::string nothing = "P[|UNLISTEN weir_none] ";
  play({{"c: P[s|x] P[d|DEALLOCATE s] S", "s: P[@1|x] P[@2|DEALLOCATE s] S"},
        {"s: 1 1 Z[I]", "c: 1 1 Z[I]; end"},
        {"c: B[|d] E[] B[|s] S", "s: " + nothing + "B[|] E[] B[|weir_none] S"},
        {"s: 1 2 C[UNLISTEN] E[26000] Z[I]", "c: 2 C[DEALLOCATE] E[26000] Z[I]; end"},
        {"c: B[|d] E[] S", "s: B[|@2] E[] S"},
        {"s: 2 E[26000] Z[I]", "c: 2 E[26000] Z[I]; end"}});
  // In a failed transaction it fails, and the name stays.
  play({{"c: Q[begin]", "s: Q[begin]"},
        {"s: C[BEGIN] Z[T]", "c: C[BEGIN] Z[T]"},
        {"c: P[s|x] P[|deallocate s] B[|] E[] S",
         "s: P[@1|x] P[|deallocate s] " + nothing + "B[|] E[] S"},
        {"s: 1 1 E[25P02] Z[E]", "c: 1 1 E[25P02] Z[E]"},
        {"c: Q[rollback] B[|s] S", "s: Q[rollback] B[|@1] S"}});
}

// PostgreSQL turns a literal into a value when it parses, by the settings of that moment.
TEST(LinkStatements, EqualTextsWithLiteralsAreSharedUnderEqualSettingsOnly) {
  const auto under = [](const char* zone) {
    return [zone](LinkTalk& talk) {
      const auto set =
          intern_settings(talk.texts(), {{"timezone", zone}, {"application_name", zone}});
      talk.client.wanted = talk.server(0).in_force = set;
    };
  };
  LinkTalk talk;
  const auto prepare = [&](const char* zone, const std::string& text) {
    under(zone)(talk);
    talk.client.names = {};
    talk.client_sends(client_bytes("P[s|" + text + "] S"));
    const Interned statement = *talk.client.names.find("s");
    talk.server_sends(server_bytes(talk.take().to_server.size() > 5 ? "1 Z[I]" : "Z[I]"));
    talk.take();
    return statement.id();
  };
  EXPECT_EQ(prepare("Tokyo", "select $1"), prepare("Lima", "select $1"));
  const uint64_t tokyo = prepare("Tokyo", "select 'x'");
  EXPECT_NE(tokyo, prepare("Lima", "select 'x'"));
  EXPECT_EQ(tokyo, prepare("Tokyo", "select 'x'"));
  EXPECT_NE(prepare("Tokyo", "select $$x$$"), prepare("Lima", "select $$x$$"));
}

// A setting that changes in the same turn may have come before the Parse or after it.
TEST(LinkStatements, ATextThatMayHaveBeenReadOtherwiseIsNotShared) {
  const auto talk = play({{"c: P[s|select 'x'] B[|s] E[] S", "s: P[@1|select 'x'] B[|@1] E[] S"},
                          {"s: 1 2 D[x] C[SELECT 1] S[TimeZone=Lima] Z[I]",
                           "c: 1 2 D[x] C[SELECT 1] S[TimeZone=Lima] Z[I]; end"}});
  EXPECT_TRUE(talk->server(0).dirty);
  const auto other = play({{"c: P[s|select $1] S", "s: P[@1|select $1] S"},
                           {"s: 1 S[TimeZone=Lima] Z[I]", "c: 1 S[TimeZone=Lima] Z[I]; end"}});
  EXPECT_FALSE(other->server(0).dirty);
}

// A literal is read under the settings of its moment, which end with the transaction.
TEST(LinkStatements, WhatIsReadUnderSetLocalIsNobodyElses) {
  for (const bool is_simple : {true, false}) {
    const std::string set =
        is_simple ? "Q[set local array_nulls=off]" : "P[|set local array_nulls=off] B[|] E[] S";
    const std::string is_set = is_simple ? "C[SET] Z[T]" : "1 2 C[SET] Z[T]";
    play({{"c: P[d|select 'x'] S", "s: P[@1|select 'x'] S"},
          {"s: 1 Z[I]", "c: 1 Z[I]; end"},
          {"c: Q[begin]", "s: Q[begin]"},
          {"s: C[BEGIN] Z[T]", "c: C[BEGIN] Z[T]"},
          {"c: " + set, "s: " + set},
          {"s: " + is_set, "c: " + is_set},
          {"c: P[s|select 'x'] B[|d] E[] B[|s] E[] S",
           "s: P[@2|select 'x'] B[|@1] E[] B[|@2] E[] S"},
          {"s: 1 2 D[u] C[SELECT 1] 2 D[c] C[SELECT 1] Z[T]",
           "c: 1 2 D[u] C[SELECT 1] 2 D[c] C[SELECT 1] Z[T]"},
          {"c: Q[commit]", "s: Q[commit]"},
          {"s: C[COMMIT] Z[I]", "c: C[COMMIT] Z[I]; end"},
          {"c: P[t|select 'x'] B[|t] E[] S", "s: B[|@1] E[] S; c: 1"}});
  }
  play({{"c: P[d|select 'x'] S", "s: P[@1|select 'x'] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"c: Q[begin]", "s: Q[begin]"},
        {"s: C[BEGIN] Z[T]", "c: C[BEGIN] Z[T]"},
        {"c: Q[set local lock_timeout=1;set local time zone utc]",
         "s: Q[set local lock_timeout=1;set local time zone utc]"},
        {"s: C[SET] C[SET] Z[T]", "c: C[SET] C[SET] Z[T]"},
        {"c: P[s|select 'x'] S", "s: S; c: 1"}});
}

// They stay where they were made, under names that another client may use as well.
TEST(LinkStatements, NamesThatAreNotCarriedMakeTheServerDirty) {
  const std::vector<Line> lines = {{"c: P[|x] S", "s: P[|x] S"},
                                   {"s: 1 Z[I]", "c: 1 Z[I]; end"},
                                   {"c: P[s|x] S", "s: P[s|x] S"},
                                   {"s: 1 Z[I]", "c: 1 Z[I]; end"}};
  const auto none =
      play(lines, [](LinkTalk& talk) { talk.client.options.prepared_statements = 0; });
  EXPECT_TRUE(none->server(0).dirty);
  const auto session =
      play(lines, [](LinkTalk& talk) { talk.client.options.transaction_mode = false; });
  EXPECT_TRUE(session->server(0).dirty);
}

TEST(LinkStatements, AClientHasNoEndlessNames) {
  LinkTalk talk;
  const Interned text = talk.texts().intern("x");
  for (size_t i = 0; i < base::kClientStatementsMax; ++i)
    talk.client.names.remember("n" + std::to_string(i), text);
  talk.client_sends(client_bytes("P[one more|x] S"));
  talk.server_sends(server_bytes("E[26000] Z[I]"));
  EXPECT_NE(talk.take().to_client.find("53400"), std::string::npos);
  talk.client.names.forget("n7");
  talk.client_sends(client_bytes("P[one more|x] S"));
  EXPECT_NE(talk.client.names.find("one more"), nullptr);
}

// Each of weir's own errors carries a name of the client's.
TEST(LinkStatements, AnswersThatWaitAreBounded) {
  LinkTalk talk;
  talk.client_sends(client_bytes("Q[select pg_sleep(600)]"));
  std::string describe;
  MessageBuilder(describe, 'D').int8('S').text(std::string(3000, 'n'));
  for (int i = 0; i < 2000; ++i) talk.client_sends(describe);
  ServerState& server = talk.server(0);
  EXPECT_TRUE(server.ledger.is_full());
  EXPECT_LT(server.ledger.size(), 400u);
}

// A server says nothing before Sync or Flush, and the Sync is behind what has to wait.
TEST(LinkStatements, WhoWaitsForAnswersAsksForThem) {
  LinkTalk talk;
  std::string great;
  MessageBuilder(great, 'P').text("").text(std::string(base::kLedgerBytesMax, 'x')).int16(0);
  talk.client_sends(great + client_bytes("P[|y] B[|] E[] S"));
  EXPECT_TRUE(talk.take().to_server.ends_with(client_bytes("P[|y] H")));
  talk.server_sends(server_bytes("1 1"));
  EXPECT_EQ(talk.take().to_server, client_bytes("B[|] E[] S"));
}

TEST(LinkStatements, SyncsThatWaitAreBounded) {
  LinkTalk talk;
  talk.client_sends(client_bytes("Q[select pg_sleep(600)]"));
  std::string syncs;
  for (size_t i = 0; i < base::kLedgerEntriesMax + 1000; ++i) syncs += client_bytes("S");
  talk.client_sends(syncs);
  EXPECT_LE(talk.server(0).ledger.size(), base::kLedgerEntriesMax);
}

TEST(LinkStatements, DeallocateOfAClientsName) {
  for (const std::string text : {"DEALLOCATE s", "deallocate prepare S;", "DEALLOCATE \"s\""}) {
    const auto talk = play({{"c: P[s|x] S", "s: P[@1|x] S"},
                            {"s: 1 Z[I]", "c: 1 Z[I]; end"},
                            {"use 1", ""},
                            {"c: Q[" + text + "]", "c: C[DEALLOCATE] Z[I]; end"},
                            {"c: B[|s] S", "s: B[|weir_none] S"}},
                           two_servers);
    EXPECT_FALSE(talk->server(0).dirty);
  }
  for (const std::string text :
       {"DEALLOCATE t", "DEALLOCATE s s", "DEALLOCATE \"S\"", "deallocate s; select 1"})
    play({{"c: P[s|x] S", "s: P[@1|x] S"},
          {"s: 1 Z[I]", "c: 1 Z[I]; end"},
          {"c: Q[" + text + "]", "s: Q[" + text + "]"},
          {"s: E[26000] Z[I]", "c: E[26000] Z[I]; end"}});
}

TEST(LinkStatements, DeallocateWaitsForItsTurn) {
  play({{"c: P[s|x] S", "s: P[@1|x] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"c: Q[a] Q[deallocate s] B[|s] S", "s: Q[a]"},
        {"s: C[INSERT 0 1] Z[I]",
         "s: B[|weir_none] S; c: C[INSERT 0 1] Z[I] C[DEALLOCATE] Z[I]; end"},
        {"s: E[26000] Z[I]", "c: E[26000] Z[I]; end"}});
  // In a transaction that fails meanwhile the server refuses, and the name stays.
  play({{"c: P[s|x] Q[begin]", "s: P[@1|x] Q[begin]"},
        {"s: 1 C[BEGIN] Z[T]", "c: 1 C[BEGIN] Z[T]"},
        {"c: Q[a] Q[deallocate s] Q[rollback] B[|s] S", "s: Q[a]"},
        {"s: E[22012] Z[E]", "s: Q[deallocate s] Q[rollback] B[|@1] S; c: E[22012] Z[E]"}});
}

TEST(LinkStatements, FakesWaitForTheirPlace) {
  play({{"c: P[s|x] S", "s: P[@1|x] S"},
        {"s: 1 Z[I]", "c: 1 Z[I]; end"},
        {"c: Q[a] C[Ss] C[St] B[|] S", "s: Q[a] B[|weir_none] S"},
        {"s: T D[a long row to be cut]", "c: T D[a long row to be cut]"},
        {"s: C[SELECT 1] Z[I]", "c: C[SELECT 1] Z[I] 3 3"},
        {"s: E[26000] Z[I]", "c: E[26000] Z[I]; end"}});
}

// The answer of weir's own would stand in the middle of the server's message.
TEST(LinkStatements, AFakeDoesNotCutAMessageOfTheServer) {
  LinkTalk talk;
  talk.client_sends(client_bytes("P[s|x] H"));
  const std::string error = server_bytes("1 N[01000]");
  talk.server_sends(error.substr(0, error.size() - 3));
  talk.client_sends(client_bytes("P[t|x]"));
  talk.server_sends(error.substr(error.size() - 3));
  EXPECT_EQ(show_server(talk.take().to_client), " 1 N[01000] 1");
}

TEST(LinkStatements, PassThroughWithoutNames) {
  play({{"c: P[s|x] D[Ss] B[|s] E[] C[Ss] S", "s: P[s|x] D[Ss] B[|s] E[] C[Ss] S"},
        {"s: 1 t n 2 C[INSERT 0 1] 3 Z[I]", "c: 1 t n 2 C[INSERT 0 1] 3 Z[I]; end"}},
       [](LinkTalk& talk) { talk.client.options.prepared_statements = 0; });
}

TEST(LinkStatements, KnownTextsNeedNoServer) {
  const auto talk = play({{"c: P[s|x] S", "s: P[@1|x] S"},
                          {"s: 1 Z[I]", "c: 1 Z[I]; end"},
                          {"c: P[t|x] S C[St] P[u|x] H S", "c: 1 Z[I] 3 1 Z[I]"}});
  EXPECT_TRUE(knows(*talk, "u"));
  EXPECT_FALSE(knows(*talk, "t"));
}

}  // namespace
}  // namespace weir::postgres
