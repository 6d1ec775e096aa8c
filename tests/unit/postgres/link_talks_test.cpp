// The talks between two holds: recover from every state in which a client can leave a server,
// reset, check, cancel; and what an idle server may say.
#include "link_script.h"

namespace weir::postgres {
namespace {

using namespace script;
using namespace std::literals;

struct Exchange {
  std::string server;    // what it says; empty: nothing yet
  std::string expected;  // what weir sends then
};

// Runs the dialogue whole and byte by byte; says how it ended.
std::string converse(protocol::Dialogue& dialogue, const std::vector<Exchange>& exchanges,
                     bool bytewise) {
  Names names;
  std::string in, send;
  Step step = dialogue.start(send).step;
  for (const auto& [server, expected] : exchanges) {
    const std::string bytes = server_bytes(server);
    for (size_t i = 0; i < bytes.size() && step == Step::Wait; i += bytewise ? 1 : bytes.size()) {
      in.append(bytes, i, bytewise ? 1 : bytes.size());
      const auto result = dialogue.feed(in, send);
      in.erase(0, result.consumed);
      step = result.step;
    }
    const std::string sent = show_client(send, names);
    EXPECT_EQ(sent.empty() ? sent : sent.substr(1), expected) << "after " << server;
    send.clear();
  }
  if (step == Step::Fail) return "fail: " + dialogue.error().text;
  if (!in.empty()) return "unconsumed";
  return step == Step::Done ? "done" : "waits";
}

struct Left {
  std::string client;  // turns so far, in pairs: what the client sent, what the server said
  std::string server;
};

// A client leaves after these; recover() then says and hears `exchanges`.
void recovers(const std::vector<Left>& left, const std::vector<Exchange>& exchanges,
              const std::string& end = "done") {
  for (const bool bytewise : {false, true}) {
    LinkTalk talk;
    for (const auto& [client, server] : left) {
      talk.client_sends(client_bytes(client));
      talk.server_sends(server_bytes(server));
    }
    ASSERT_NE(talk.held(), nullptr);
    ServerState& server = *talk.held();
    EXPECT_EQ(talk.link().condition(server), Condition::Open);
    const auto dialogue = talk.link().recover(server);
    EXPECT_EQ(converse(*dialogue, exchanges, bytewise), end);
    if (end != "done") continue;
    EXPECT_TRUE(talk.link().condition(server) == Condition::Clean ||
                talk.link().condition(server) == Condition::Dirty);
    EXPECT_EQ(server.status, 'I');
  }
}

TEST(LinkRecover, AQueryThatRuns) {
  recovers({{"Q[a]", "T D[x]"}}, {{"", ""}, {"C[SELECT 1] Z[I]", ""}});
}

TEST(LinkRecover, AnOpenTransaction) {
  recovers({{"Q[begin]", "C[BEGIN] Z[T]"}}, {{"", "Q[ROLLBACK]"}, {"C[ROLLBACK] Z[I]", ""}});
  recovers({{"Q[begin]", "C[BEGIN] Z[T]"}, {"Q[a]", "E[22012] Z[E]"}},
           {{"", "Q[ROLLBACK]"}, {"C[ROLLBACK] Z[I]", ""}});
  recovers({{"Q[begin] Q[a]", "C[BEGIN] Z[T]"}},
           {{"", ""}, {"C[INSERT 0 1] Z[T]", "Q[ROLLBACK]"}, {"C[ROLLBACK] Z[I]", ""}});
}

// A Sync alone would commit what the client never finished.
TEST(LinkRecover, ExtendedMessagesWithoutSync) {
  recovers({{"P[|insert] B[|] E[]", ""}},
           {{"", "B[|weir_none] S"}, {"1 2 C[INSERT 0 1] E[26000] Z[I]", ""}});
  recovers({{"P[|insert] B[|] E[] H", "1 2 C[INSERT 0 1]"}},
           {{"", "B[|weir_none] S"}, {"E[26000] Z[I]", ""}});
}

TEST(LinkRecover, BehindAnErrorWithoutSync) {
  recovers({{"P[|insert] B[|] E[]", "1 E[22012]"}}, {{"", "S"}, {"Z[I]", ""}});
  recovers({{"Q[begin]", "C[BEGIN] Z[T]"}, {"P[|insert] B[|] E[]", "1 E[22012]"}},
           {{"", "S"}, {"Z[E]", "Q[ROLLBACK]"}, {"C[ROLLBACK] Z[I]", ""}});
}

TEST(LinkRecover, CopyIn) {
  recovers({{"Q[copy t from stdin]", "G"}, {"d[1]", ""}},
           {{"", "f[the client is gone]"}, {"E[57014] Z[I]", ""}});
  recovers({{"P[|copy t from stdin] B[|] E[] S", "1 2 G"}, {"d[1]", ""}},
           {{"", "f[the client is gone] S"}, {"E[57014] Z[I]", ""}});
  recovers({{"Q[copy t from stdin]", "G"}, {"d[1] c", ""}}, {{"", ""}, {"C[COPY 1] Z[I]", ""}});
}

TEST(LinkRecover, CopyInThatBeginsWhenTheClientIsGone) {
  recovers({{"Q[copy t from stdin]", ""}},
           {{"", ""}, {"G", "f[the client is gone]"}, {"E[57014] Z[I]", ""}});
  recovers({{"P[|copy t from stdin] B[|] E[] S", ""}},
           {{"", ""}, {"1 2 G", "f[the client is gone] S"}, {"E[57014] Z[I]", ""}});
  recovers({{"P[|copy t from stdin] B[|] E[]", ""}},
           {{"", "B[|weir_none] S"}, {"1 2 G", "f[the client is gone]"}, {"E[08P01]", ""}},
           "waits");
}

TEST(LinkRecover, CopyOut) {
  recovers({{"Q[copy t to stdout]", "H d[1]"}}, {{"", ""}, {"d[2] c C[COPY 2] Z[I]", ""}});
}

TEST(LinkRecover, WhatTheClientHadPipelined) {
  recovers({{"P[s|a] S P[|c] B[|] E[] S C[Ss] Q[b]", "1"}},
           {{"", ""}, {"Z[I] 1 2 C[INSERT 0 1] Z[I] C[INSERT 0 1] Z[I]", ""}});
}

// This used to write through a null pointer: the client whose names are restored is gone.
TEST(LinkRecover, AnErrorThatCutsAClose) {
  recovers({{"P[s|a] S", "1"}, {"B[|s] E[] C[Ss] S", ""}}, {{"", ""}, {"Z[I] E[22012] Z[I]", ""}});
}

TEST(LinkTalks, AQueryOfWeirsOwnTakesTheUnnamedStatementAway) {
  LinkTalk talk;
  talk.client_sends(client_bytes("P[|x] S"));
  talk.server_sends(server_bytes("1 Z[I]"));
  const auto check = talk.link().check(talk.server(0));
  EXPECT_EQ(converse(*check, {{"", "Q[]"}, {"I Z[I]", ""}}, false), "done");
  talk.take();
  talk.client_sends(client_bytes("B[|] E[] S"));
  Names names;
  EXPECT_EQ(show_client(talk.take().to_server, names), " P[|x] B[|] E[] S");
}

// The operator's text may have dropped statements or not.
TEST(LinkTalks, AfterAResetOfTheOperatorsNoStatementIsLeft) {
  LinkTalk talk;
  talk.client_sends(client_bytes("P[s|x] S"));
  talk.server_sends(server_bytes("1 Z[I]"));
  const auto reset = talk.link().reset(talk.server(0), "RESET ALL");
  EXPECT_EQ(converse(*reset,
                     {{"", "Q[RESET ALL]"},
                      {"C[RESET] Z[I]", "Q[DEALLOCATE ALL]"},
                      {"C[DEALLOCATE ALL] Z[I]", ""}},
                     false),
            "done");
  EXPECT_EQ(talk.server(0).prepared.size(), 0u);
}

// What else is in force on the server must stay known, or the next client gets it.
TEST(LinkRecover, ARollbackOfASettingForgetsNoOther) {
  LinkTalk talk;
  talk.client.wanted = talk.server(0).in_force =
      intern_settings(talk.texts(), {{"application_name", "me"}, {"search_path", "mine"}});
  talk.client_sends(client_bytes("Q[begin] Q[set timezone='CET']"));
  talk.server_sends(server_bytes("C[BEGIN] Z[T] C[SET] S[TimeZone=CET] Z[T]"));
  const auto dialogue = talk.link().recover(talk.server(0));
  EXPECT_EQ(
      converse(*dialogue, {{"", "Q[ROLLBACK]"}, {"C[ROLLBACK] S[TimeZone=UTC] Z[I]", ""}}, false),
      "done");
  EXPECT_EQ(settings_of(talk.server(0).in_force),
            (SettingMap{{"application_name", "me"}, {"search_path", "mine"}}));
}

TEST(LinkRecover, AServerThatSaysSomethingElseFails) {
  recovers({{"Q[a]", ""}}, {{"", ""}, {"2", ""}},
           "fail: the server's answer does not fit what it was asked");
  recovers({{"Q[a]", ""}}, {{"", ""}, {"Z[x]", ""}},
           "fail: the server said ReadyForQuery when nothing was asked");
}

TEST(LinkRecover, AHalfMessageOfTheClientCannotBeRecovered) {
  LinkTalk talk;
  const std::string query = client_bytes("Q[" + std::string(20000, 'x') + "]");
  talk.client_sends(query.substr(0, query.size() - 1));
  EXPECT_EQ(talk.link().condition(*talk.held()), Condition::Broken);
}

TEST(LinkRecover, AHalfMessageOfTheServerIsReadUp) {
  const std::string row = server_bytes("D[a long value]");
  LinkTalk talk;
  talk.client_sends(client_bytes("Q[a]"));
  talk.server_sends(server_bytes("T") + row.substr(0, 9));
  EXPECT_EQ(talk.link().condition(*talk.held()), Condition::Open);
  const auto dialogue = talk.link().recover(*talk.held());
  std::string send;
  EXPECT_EQ(dialogue->start(send).step, Step::Wait);
  const std::string rest = row.substr(9) + server_bytes("C[SELECT 1] Z[I]");
  EXPECT_EQ(dialogue->feed(rest, send).step, Step::Done);
}

// ---------------------------------------------------------------- reset, check, cancel, idle

TEST(LinkReset, RunsWhatIsAskedForAndForgets) {
  LinkTalk talk;
  ServerState& server = talk.server(0);
  EXPECT_EQ(talk.link().reset(server, "auto"), nullptr);
  EXPECT_EQ(talk.link().reset(server, "never"), nullptr);
  server.dirty = true;
  EXPECT_EQ(talk.link().condition(server), Condition::Dirty);
  EXPECT_EQ(talk.link().reset(server, "never"), nullptr);
  server.in_force = intern_settings(talk.texts(), {{"timezone", "CET"}});
  const auto reset = talk.link().reset(server, "auto");
  EXPECT_EQ(converse(*reset,
                     {{"", "Q[DISCARD ALL]"}, {"N[00000] C[DISCARD ALL] S[TimeZone=UTC] Z[I]", ""}},
                     true),
            "done");
  EXPECT_EQ(talk.link().condition(server), Condition::Clean);
  EXPECT_FALSE(server.in_force);
}

TEST(LinkReset, AnErrorIsAFailure) {
  LinkTalk talk;
  talk.server(0).dirty = true;
  const auto reset = talk.link().reset(talk.server(0), "always");
  EXPECT_EQ(converse(*reset, {{"", "Q[DISCARD ALL]"}, {"E[42501] Z[I]", ""}}, true), "fail: m");
  EXPECT_EQ(talk.link().condition(talk.server(0)), Condition::Dirty);
}

// It used to count as a success: the next client got what the last one had left.
TEST(LinkReset, AnErrorWithoutAReasonIsAFailure) {
  for (const std::string error : {"{4500000004}", "{450000000500}", "{450000000b43343235303100}"}) {
    LinkTalk talk;
    talk.server(0).dirty = true;
    const auto reset = talk.link().reset(talk.server(0), "always");
    EXPECT_EQ(converse(*reset, {{"", "Q[DISCARD ALL]"}, {error + " Z[I]", ""}}, true),
              "fail: server refused without a reason");
    EXPECT_EQ(talk.link().condition(talk.server(0)), Condition::Dirty);
  }
}

TEST(LinkReset, AnOwnTextLeavesTheSettingsUnknown) {
  LinkTalk talk;
  const auto reset = talk.link().reset(talk.server(0), "select reset_me()");
  EXPECT_EQ(converse(*reset,
                     {{"", "Q[select reset_me()]"},
                      {"T D[x] C[SELECT 1] Z[I]", "Q[DEALLOCATE ALL]"},
                      {"C[DEALLOCATE ALL] Z[I]", ""}},
                     true),
            "done");
  const auto attach = talk.link().attach(talk.client, talk.server(0));
  ASSERT_NE(attach, nullptr);
  EXPECT_EQ(converse(*attach,
                     {{"", "Q[SET SESSION AUTHORIZATION DEFAULT;RESET ROLE;RESET ALL;]"},
                      {"C[SET] C[RESET] C[RESET] Z[I]", ""}},
                     true),
            "done");
  EXPECT_EQ(talk.link().attach(talk.client, talk.server(0)), nullptr);
}

TEST(LinkCheck, AnEmptyQuery) {
  LinkTalk talk;
  for (const auto& [answer, end] : std::vector<std::pair<std::string, std::string>>{
           {"I Z[I]", "done"},
           {"Z[E]", "fail: the server is in a failed transaction"},
           {"1", "fail: the server sent an unexpected message"},
           {"{4900000003}", "fail: invalid message length"}}) {
    const auto check = talk.link().check(talk.server(0));
    EXPECT_EQ(converse(*check, {{"", "Q[]"}, {answer, ""}}, true), end);
  }
}

TEST(LinkCancel, GoesWithTheServersOwnKey) {
  LinkTalk talk;
  talk.server(0).process_id = 0x01020304;
  talk.server(0).cancel_key = "\x05\x06\x07\x08";
  std::string send;
  const auto cancel = talk.link().cancel(talk.server(0), send);
  EXPECT_TRUE(send.empty());
  EXPECT_EQ(cancel->start(send).step, Step::Wait);
  EXPECT_EQ(send, "\0\0\0\x10\x04\xd2\x16\x2e\1\2\3\4\5\6\7\x08"s);
  EXPECT_EQ(cancel->on_end().step, Step::Done);
  talk.server(0).process_id = 0;
  EXPECT_EQ(talk.link().cancel(talk.server(0), send), nullptr);
}

TEST(LinkIdle, ANoticeOrASettingIsNoSurprise) {
  LinkTalk talk;
  ServerState& server = talk.server(0);
  EXPECT_TRUE(talk.link().on_idle_server(server, server_bytes("N[00000] S[TimeZone=CET]")));
  EXPECT_EQ(server.base["TimeZone"], "CET");
  EXPECT_EQ(server.reported["TimeZone"], "CET");
  for (const char* surprise :
       {"E[57P01]", "Z[I]", "A", "D[x]", "{53000000}", "{5300000006}", "{530000000661}"})
    EXPECT_FALSE(talk.link().on_idle_server(server, server_bytes(surprise))) << surprise;
}

}  // namespace
}  // namespace weir::postgres
