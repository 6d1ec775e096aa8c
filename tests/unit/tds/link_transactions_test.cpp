// Transactions, settings and resets: what a server's answers say of how it stands.
#include <gmock/gmock.h>

#include "link_plays.h"

namespace weir::tds {
namespace {

using namespace links;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// ---------------------------------------------------------------- transactions

// tds T30
TEST(TdsLink, TransactionsThatAreAnnounced) {
  for (const EnvKind how : {EnvKind::CommitTransaction, EnvKind::RollbackTransaction,
                            EnvKind::DefectTransaction, EnvKind::TransactionEnded}) {
    const Heard heard =
        run({says(batch("BEGIN TRAN")), answers(reply(begun(7) + done_token())),
             says(batch("SELECT 1", {.descriptor = 7})), answers(good()),
             says(commit_transaction(7)), answers(reply(ended(7, how) + done_token()))});
    EXPECT_EQ(heard.events, " lease end");
    EXPECT_EQ(heard.transactions, 1);
    EXPECT_EQ(heard.queries, 3);
  }
}

// tds T31
TEST(TdsLink, CommitAndBegin) {
  const Heard heard =
      run({says(begin_transaction()), answers(reply(begun(7) + done_token())),
           says(commit_transaction(7)), answers(reply(ended(7) + begun(8) + done_token())),
           then([](LinkTalk& talk) { EXPECT_EQ(talk.server().transaction, 8U); }),
           says(commit_transaction(8)), answers(reply(ended(8) + done_token()))});
  EXPECT_EQ(heard.events, " lease end");
}

// tds T32
TEST(TdsLink, TransactionsThatAnErrorEnds) {
  const Heard heard = run({says(begin_transaction()), answers(reply(begun(7) + done_token())),
                           says(batch("SELECT 1/0", {.descriptor = 7})),
                           answers(reply(ended(7, EnvKind::RollbackTransaction) +
                                         error_token(1205, "Dead.") + done_token(kDoneError))),
                           says(batch("SELECT 1")),
                           answers(reply(ended(0, EnvKind::RollbackTransaction) + done_token()))});
  EXPECT_EQ(heard.events, " lease end lease end");
}

TEST(TdsLink, DistributedTransactionsEndTheServer) {
  const std::string enlisted = change(EnvKind::EnlistDtc, descriptor(9));
  run({says(batch("SELECT 1")), answers(reply(enlisted + done_token()))},
      is_after([](LinkTalk& talk) {
        EXPECT_EQ(talk.events, " lease");
        EXPECT_EQ(talk.server().transaction, 9U);
        EXPECT_EQ(talk.link().condition(talk.server()), Condition::Open);
        talk.server().transaction = 0;
        EXPECT_EQ(talk.link().condition(talk.server()), Condition::Broken);
      }));
}

// The bit with which a transaction survives the reset (2.2.3.1.2): nothing else tells of it.
TEST(TdsLink, AResetThatKeepsTheTransaction) {
  const std::string done = reply(change(EnvKind::ResetDone, {}) + done_token());
  const std::string kept = batch("SELECT 1", {.descriptor = 7, .status = kResetConnectionSkipTran});
  const Heard heard =
      run({says(begin_transaction()), answers(reply(begun(7) + done_token())), says(kept),
           answers(done), then([](LinkTalk& talk) { EXPECT_EQ(talk.server().transaction, 7U); }),
           says(commit_transaction(7)), answers(reply(ended(7) + done_token()))});
  EXPECT_EQ(heard.events, " lease end");
  EXPECT_THAT(
      run({says(batch("SELECT 1", {.status = kResetConnection | kResetConnectionSkipTran}))})
          .events,
      HasSubstr("fail: both bits"));
}

TEST(TdsLink, ADescriptorThatIsNoneIsNotTakenForTheEndOfATransaction) {
  for (const std::string& value : {std::string(), std::string("abc"), std::string(8, '\0')})
    EXPECT_EQ(run({says(batch("BEGIN TRAN")),
                   answers(reply(change(EnvKind::BeginTransaction, value) + done_token()))})
                  .events,
              " lease");
}

// tds T34
TEST(TdsLink, DescriptorsAreThoseOfTheServer) {
  const auto with = [](uint64_t named, uint64_t open) {
    const auto opened = [open](LinkTalk& talk) {
      talk.server().transaction = open;
      talk.ends_holds = false;
      talk.hold();
    };
    return run({says(batch("SELECT 1", {.descriptor = named}))}, is_before(opened)).server;
  };
  EXPECT_THAT(with(5, 0), ElementsAre("SELECT 1"));
  EXPECT_THAT(with(5, 9), ElementsAre("SELECT 1 in 9"));
  EXPECT_THAT(with(9, 9), ElementsAre("SELECT 1 in 9"));
  EXPECT_THAT(with(0, 9), ElementsAre("SELECT 1"));
}

// A head of a packet may stand in the middle of the number.
TEST(TdsLink, DescriptorsAcrossPackets) {
  std::string payload;
  append_all_headers(payload, 0x1122334455667788);
  payload += utf16_of("SELECT 1");
  const auto in_packets = [&](size_t first, size_t second) {
    std::string out;
    const Bytes parts[] = {Bytes(payload).substr(0, first), Bytes(payload).substr(first, second),
                           Bytes(payload).substr(first + second)};
    for (size_t i = 0; i < 3; ++i) {
      append_packet_head(out, {PacketType::Batch, i == 2 ? kEndOfMessage : uint8_t{0},
                               static_cast<uint16_t>(kPacketHeadBytes + parts[i].size()), 0,
                               static_cast<uint8_t>(i + 1)});
      out += parts[i];
    }
    return out;
  };
  for (size_t first = 1; first < payload.size() - 4; ++first)
    for (const size_t second : {0, 1, 3}) {
      const auto opened = [](LinkTalk& talk) {
        talk.server().transaction = 0x99;
        talk.hold();
      };
      const std::string bytes = in_packets(first, second);
      LinkTalk talk;
      const Heard heard = run_once(opened, {says(bytes)}, whole(), talk);
      EXPECT_THAT(heard.server, ElementsAre("SELECT 1 in 153")) << first << " " << second;
      EXPECT_EQ(heard.to_server.size(), bytes.size());
    }
}

// ---------------------------------------------------------------- servers that announce nothing

std::string count_of(bool any) {
  return reply(columns({hex("38")}) + (any ? row(hex("01000000")) : "") + done_token(kDoneCount));
}

// tds T33
TEST(TdsLink, WhoDoesNotAnnounceIsAsked) {
  const Heard heard = run(
      {says(batch("BEGIN TRAN")), answers(good()), answers(count_of(true)), says(batch("SELECT 1")),
       answers(good()), says(batch("COMMIT")), answers(good()), answers(count_of(false))},
      is_before(unannounced));
  EXPECT_THAT(heard.server,
              ElementsAre("BEGIN TRAN", kCountText, "SELECT 1", "COMMIT", kCountText));
  EXPECT_THAT(heard.client, ElementsAre("done", "done", "done"));
  EXPECT_EQ(heard.events, " lease end");
  EXPECT_EQ(heard.transactions, 1);
  EXPECT_EQ(heard.queries, 3);
  EXPECT_THAT(run({says(batch("SELECT 1")), answers(good())}, is_before(unannounced)).server,
              ElementsAre("SELECT 1"));
  EXPECT_THAT(run({says(batch("BEGIN TRAN")), answers(good())}).server, ElementsAre("BEGIN TRAN"));
}

// Babelfish counts on, so that the next one's COMMIT would end nothing.
TEST(TdsLink, AResetWithinATransactionEndsWhoDoesNotAnnounce) {
  const std::string done = reply(change(EnvKind::ResetDone, {}) + done_token());
  run({says(batch("BEGIN TRAN")), answers(good()), answers(count_of(true)),
       says(batch("SELECT 1", {.status = kResetConnection})), answers(done)},
      {unannounced,
       [](LinkTalk& talk) { EXPECT_EQ(talk.link().condition(talk.server()), Condition::Broken); }});
}

// Whoever cannot say it may be in the middle of one: an error was taken for none.
TEST(TdsLink, WhoCannotSayMayBeInATransaction) {
  for (const std::string& answer :
       {failed(), reply(columns({hex("38")})), reply(done_token(kDoneError))})
    run({says(batch("BEGIN TRAN")), answers(good()), answers(answer)},
        {unannounced, [](LinkTalk& talk) {
           EXPECT_EQ(talk.events, " lease");
           EXPECT_TRUE(talk.server().may_be_in_transaction);
         }});
}

TEST(TdsLink, AnErrorMayHaveEndedIt) {
  const Heard heard =
      run({says(batch("BEGIN TRAN")), answers(good()), answers(count_of(true)),
           says(batch("INSERT t VALUES (1)")), answers(failed()), answers(count_of(false))},
          is_before(unannounced));
  EXPECT_EQ(heard.events, " lease end");
}

// The acknowledgement was taken for the answer to the count, and the client never got it.
TEST(TdsLink, NobodyIsAskedBeforeEachAttentionIsAcknowledged) {
  Heard heard = run(
      {says(batch("EXEC p")), says(attention()), answers(reply(one_row())), says(batch("SELECT 2")),
       answers(acknowledged()), answers(count_of(true)), answers(good())},
      is_before(unannounced));
  EXPECT_THAT(heard.server, ElementsAre("EXEC p", "attention", kCountText, "SELECT 2"));
  EXPECT_THAT(heard.client, ElementsAre("columns 1; done, rows 1", "done attention", "done"));
  EXPECT_EQ(heard.events, " lease");
  // An attention that cuts it may have come behind what began one.
  heard = run(
      {says(batch("EXEC p")), says(attention()), answers(acknowledged()), answers(count_of(false))},
      is_before(unannounced));
  EXPECT_THAT(heard.server, ElementsAre("EXEC p", "attention", kCountText));
  EXPECT_EQ(heard.events, " lease end");
  heard = run({says(batch("EXEC p")), interrupts(), answers(reply(one_row())),
               answers(acknowledged()), answers(count_of(false))},
              is_before(unannounced));
  EXPECT_THAT(heard.client, ElementsAre("columns 1; done, rows 1"));
  EXPECT_EQ(heard.events, " lease end");
}

TEST(TdsLink, AnAttentionToTheCountIsAnsweredByWeir) {
  const Heard heard =
      run({says(batch("EXEC p")), answers(good()), says(attention()), answers(count_of(false))},
          is_before(unannounced));
  EXPECT_THAT(heard.server, ElementsAre("EXEC p", kCountText));
  EXPECT_THAT(heard.client, ElementsAre("done", "done attention"));
  EXPECT_EQ(heard.events, " lease end");
}

TEST(TdsLink, WhoLeavesBeforeTheCountLeavesNothing) {
  run({says(batch("EXEC p")), says(attention()), answers(reply(one_row()))},
      {unannounced, [](LinkTalk& talk) {
         ServerState& server = talk.server();
         EXPECT_EQ(talk.link().condition(server), Condition::Open);
         const auto recover = talk.link().recover(server);
         std::string send;
         ASSERT_EQ(recover->start(send).step, Step::Wait);
         EXPECT_EQ(send, "");
         EXPECT_EQ(recover->feed(acknowledged(), send).step, Step::Wait);
         EXPECT_THAT(words_of(send, Version::V74),
                     ElementsAre("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"));
         EXPECT_EQ(recover->feed(links::good(), send).step, Step::Done);
         EXPECT_TRUE(server.at_rest());
         EXPECT_FALSE(server.must_count);
       }});
}

// A question in front of the rows would take the load back.
TEST(TdsLink, NobodyIsAskedBetweenABulkLoadAndItsRows) {
  const auto implicit = [](LinkTalk& talk) {
    unannounced(talk);
    talk.client.begins_implicitly = true;
  };
  const Heard heard = run({says(batch("INSERT BULK t (a int)")), answers(good()),
                           says(rows("rows")), answers(good()), answers(good())},
                          is_before(implicit));
  EXPECT_THAT(heard.server, ElementsAre("INSERT BULK t (a int)", "rows 4", kCountText));
  EXPECT_EQ(heard.events, " lease end");
}

// No reset of Babelfish's removes it: the server ends with its client.
TEST(TdsLink, AContextEndsWhoDoesNotAnnounce) {
  for (const char* text :
       {"SET CONTEXT_INFO 0x1", "SELECT 1 INTO #t EXEC sp_set_session_context a, b"})
    for (const bool session : {false, true}) {
      const auto before = [session](LinkTalk& talk) {
        unannounced(talk);
        if (session) in_session_mode(talk);
      };
      run({says(batch(text)), answers(good()), answers(good())},
          {before, [](LinkTalk& talk) { EXPECT_TRUE(talk.server().retire) << talk.events; }});
    }
  run({says(batch("SET CONTEXT_INFO 0x1")), answers(good())},
      is_after([](LinkTalk& talk) { EXPECT_FALSE(talk.server().retire); }));
  // What is too long to be looked at may set one; rows do not, nor do values.
  const auto quiet_session = [](LinkTalk& talk) {
    unannounced(talk);
    in_session_mode(talk);
  };
  const auto ends_it = [&](const Script& script) {
    LinkTalk talk;
    run_once(quiet_session, script, whole(), talk);
    return talk.server().retire;
  };
  EXPECT_TRUE(ends_it({says(batch("SELECT 1 --" + std::string(80'000, 'x'))), answers(good())}));
  EXPECT_FALSE(ends_it({says(batch("INSERT BULK t (a int)")), answers(good()),
                        says(rows(std::string(90'000, 'r'))), answers(good())}));
  const std::string value = hex("00 00 a7 ffff 0904d00034 feffffffffffffff 00800000") +
                            std::string(0x8000, 'v') + hex("00800000") + std::string(0x8000, 'v') +
                            hex("00000000");
  EXPECT_FALSE(ends_it(
      {says(request(PacketType::Rpc, hex("0100 7000 0000") + value + value)), answers(good())}));
}

// Nor does it end with a client that is gone before its answer.
TEST(TdsLink, AContextOfOneThatIsGoneEndsWhoDoesNotAnnounce) {
  run({says(batch("EXEC sp_set_session_context a, b WAITFOR DELAY '0:1'"))},
      {unannounced, [](LinkTalk& talk) {
         ServerState& server = talk.server();
         const auto recover = talk.link().recover(server);
         std::string send;
         recover->start(send);
         recover->feed(acknowledged(), send);
         EXPECT_TRUE(server.retire);
       }});
}

TEST(TdsLink, NobodyIsAskedInSessionMode) {
  const auto before = [](LinkTalk& talk) {
    unannounced(talk);
    in_session_mode(talk);
  };
  EXPECT_THAT(run({says(batch("BEGIN TRAN")), answers(good())}, is_before(before)).server,
              ElementsAre("BEGIN TRAN"));
}

// ---------------------------------------------------------------- settings

SettingMap wanted_after(const Script& script, Around how = {}) {
  SettingMap wanted;
  how.after = [&](LinkTalk& talk) {
    wanted = settings_of(talk.client.wanted);
    if (!talk.held()) {
      EXPECT_EQ(talk.client.wanted, talk.server().in_force);
    }
  };
  run(script, how);
  return wanted;
}

TEST(TdsLink, SettingsAreCarried) {
  EXPECT_EQ(wanted_after({says(batch("SET DATEFIRST 3 SET ANSI_NULLS OFF")), answers(good())}),
            (SettingMap{{"ANSI_NULLS", "OFF"}, {"DATEFIRST", "3"}}));
  EXPECT_EQ(wanted_after({says(batch("SET DATEFIRST 3")), answers(good()),
                          says(batch("SET LANGUAGE N'Deutsch'")), answers(good())}),
            (SettingMap{{"LANGUAGE", "N'Deutsch'"}}));
  const std::string moved = change(EnvKind::Database, "other", "shop");
  EXPECT_EQ(wanted_after({says(batch("USE other")), answers(reply(moved + done_token()))}),
            (SettingMap{{"USE", "other"}}));
  EXPECT_EQ(
      wanted_after({says(batch("USE other")), answers(reply(moved + done_token())),
                    says(batch("USE shop")),
                    answers(reply(change(EnvKind::Database, "shop", "other") + done_token()))}),
      SettingMap{});
}

TEST(TdsLink, TheNextServerGetsThem) {
  const auto two = [](LinkTalk& talk) { talk.add_server(); };
  const Heard heard = run(
      {says(batch("SET DATEFIRST 3")), answers(good()), then([](LinkTalk& talk) { talk.use(1); }),
       says(batch("SELECT 1")), answers(good()), answers(good())},
      is_before(two));
  EXPECT_THAT(heard.server, ElementsAre("SET DATEFIRST 3", "SET DATEFIRST 3;", "SELECT 1"));
  EXPECT_EQ(heard.events, " lease end lease attach end");
}

TEST(TdsLink, SettingsOfABatchThatFailsKeepTheClient) {
  run({says(batch("SET DATEFIRST 3 SELECT 1/0")), answers(failed())}, is_after([](LinkTalk& talk) {
        EXPECT_EQ(talk.events, " lease");
        EXPECT_EQ(talk.server().pin, Pin::Setting);
        EXPECT_TRUE(talk.server().settings_unknown);
        EXPECT_FALSE(talk.client.wanted);
      }));
}

// What stands behind a statement that is stopped has perhaps not come about.
TEST(TdsLink, SettingsOfABatchThatIsStoppedKeepTheClient) {
  run({says(batch("SELECT 1 SET DATEFIRST 3")), says(attention()), answers(acknowledged())},
      is_after([](LinkTalk& talk) {
        EXPECT_EQ(talk.events, " lease");
        EXPECT_FALSE(talk.client.wanted);
        EXPECT_TRUE(talk.server().settings_unknown);
      }));
}

// Whoever repeats what is so already was kept for ever by the first error behind it.
TEST(TdsLink, SettingsThatAreInForceMayFailAgain) {
  for (const std::string& way : {failed(), acknowledged()}) {
    const std::vector<std::string> again{batch("SET NOCOUNT ON SELECT 1/0")};
    const Heard heard = run({says(batch("SET NOCOUNT ON")), answers(good()), says(again[0]),
                             says(way == acknowledged() ? attention() : ""), answers(way)});
    EXPECT_EQ(heard.events, " lease end lease end");
  }
  const Heard other = run({says(batch("SET NOCOUNT ON")), answers(good()),
                           says(batch("SET NOCOUNT OFF SELECT 1/0")), answers(failed())});
  EXPECT_EQ(other.events, " lease end lease");
}

// The database that a client in session mode chose was taken for the next one's.
TEST(TdsLink, WhatOneClientChoseIsNotTheNextOnes) {
  run({says(batch("USE other")),
       answers(reply(change(EnvKind::Database, "other", "shop") + done_token())),
       then([](LinkTalk& talk) { talk.client.options.transaction_mode = true; }),
       says(batch("SELECT 1")), answers(good())},
      {in_session_mode, [](LinkTalk& talk) { EXPECT_FALSE(talk.client.wanted); }});
}

// ---------------------------------------------------------------- resets of the client's

// tds T43
TEST(TdsLink, AResetEndsPins) {
  const std::string done = reply(change(EnvKind::ResetDone, {}) + done_token());
  const Heard heard =
      run({says(batch("CREATE TABLE #t (a int)")), answers(good()),
           then([](LinkTalk& talk) { EXPECT_EQ(talk.server().pin, Pin::TempTable); }),
           says(batch("SELECT 1", {.status = kResetConnection})), answers(done)});
  EXPECT_THAT(heard.server, ElementsAre("CREATE TABLE #t (a int)", "reset+SELECT 1"));
  EXPECT_EQ(heard.events, " lease end");
}

// Not all is as it was at the login: whoever gets the server next gets that first.
TEST(TdsLink, WhatAResetLeavesIsPutRightForTheNext) {
  const std::string done = reply(change(EnvKind::ResetDone, {}) + done_token());
  const std::string last = batch("SELECT 1", {.status = kResetConnection});
  const std::vector<std::pair<Script, Condition>> scripts{
      {{says(last), answers(done)}, Condition::Clean},
      {{says(batch("SET DATEFIRST 3")), answers(good()), says(last), answers(done)},
       Condition::Clean},
      {{says(batch("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")), answers(good()), says(last),
        answers(done), answers(done)},  // of weir's own before it
       Condition::Clean},
      {{says(batch("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE SELECT 1/0")), answers(failed()),
        says(last), answers(done)},
       Condition::Dirty},
      {{says(batch("CREATE TABLE #t (a int)")), answers(good()), says(last), answers(done)},
       Condition::Dirty}};
  for (const auto& [script, condition] : scripts) {
    Condition found{};
    run(script, is_after([&](LinkTalk& talk) {
          EXPECT_EQ(talk.held(), nullptr);
          EXPECT_FALSE(talk.client.wanted);
          found = talk.link().condition(talk.server());
        }));
    EXPECT_EQ(found, condition);
  }
}

}  // namespace
}  // namespace weir::tds
