// Attentions, of clients and of weir's own: one acknowledgement each, to whom it belongs.
#include <gmock/gmock.h>

#include "link_plays.h"

namespace weir::tds {
namespace {

using namespace links;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// ---------------------------------------------------------------- attentions

// tds T50
TEST(TdsLink, AttentionsWithoutAServerAreAnsweredByWeir) {
  const Heard heard = run({says(attention() + attention())});
  EXPECT_THAT(heard.client, ElementsAre("done attention", "done attention"));
  EXPECT_EQ(heard.events, "");
}

TEST(TdsLink, AttentionsToWhatRuns) {
  const std::string cut = columns({hex("38")}) + row(hex("07000000"));
  const std::vector<std::vector<std::string>> ways{
      {reply(cut + done_token(kDoneMore) + done_token(kDoneAttention))},
      {reply(done_token(kDoneAttention))},
      {reply(one_row()), acknowledged()},
      {failed(), acknowledged()},
      {reply(cut), acknowledged()}};
  for (const auto& way : ways) {
    Script script{says(batch("SELECT 1")), says(attention())};
    std::string sent;
    for (const std::string& message : way) script.push_back(answers(message)), sent += message;
    script.push_back(says(batch("SELECT 2")));
    script.push_back(answers(good()));
    const Heard heard = run(script);
    EXPECT_THAT(heard.server, ElementsAre("SELECT 1", "attention", "SELECT 2"));
    EXPECT_EQ(heard.to_client, sent + good());
    EXPECT_EQ(heard.events, " lease end lease end");
    EXPECT_EQ(heard.turns, 2);
  }
}

// The next request waited for it for ever.
TEST(TdsLink, AnAcknowledgementBehindWhatNobodyKnows) {
  const Heard heard = run({says(batch("SELECT 1")), says(attention()),
                           answers(reply(hex("42 0000") + done_token(kDoneAttention))),
                           says(batch("SELECT 2")), answers(good())});
  EXPECT_THAT(heard.server, ElementsAre("SELECT 1", "attention", "SELECT 2"));
  EXPECT_EQ(heard.events, " lease");
  const Heard apart = run({says(batch("SELECT 1")), says(attention()),
                           answers(reply(hex("42 0000") + done_token())), answers(acknowledged()),
                           says(batch("SELECT 2")), answers(good())});
  EXPECT_THAT(apart.server, ElementsAre("SELECT 1", "attention", "SELECT 2"));
}

TEST(TdsLink, AnAttentionThatCrossesTheEnd) {
  const Heard heard = run({says(batch("SELECT 1")), answers(good()), says(attention()),
                           says(batch("SELECT 2")), answers(good())});
  EXPECT_THAT(heard.server, ElementsAre("SELECT 1", "SELECT 2"));
  EXPECT_THAT(heard.client, ElementsAre("done", "done attention", "done"));
  // In a transaction the server is still there, and answers itself; meanwhile nothing else runs.
  const Heard held =
      run({says(begin_transaction()), answers(reply(begun(7) + done_token())),
           says(attention() + commit_transaction(7)),
           then([](LinkTalk& talk) { EXPECT_TRUE(talk.link().owes(talk.server())); }),
           answers(acknowledged()), answers(reply(ended(7) + done_token()))});
  EXPECT_THAT(held.server, ElementsAre("transaction 5", "attention", "transaction 7 in 7"));
  EXPECT_EQ(held.events, " lease end");
  EXPECT_EQ(held.turns, 3);  // whoever waits for an acknowledgement has not waited since its turn
}

// ---------------------------------------------------------------- weir's own attentions

constexpr const char* kTookTooLong =
    "error 3617 the request took longer than timeouts.query; done error";

TEST(TdsLink, TheClientDoesNotHearOfWeirsOwnAttention) {
  const std::string cut = columns({hex("38")}) + row(hex("07000000"));
  Heard heard = run(
      {says(batch("SELECT 1")), interrupts(), answers(reply(cut + done_token(kDoneAttention)))});
  EXPECT_THAT(heard.server, ElementsAre("SELECT 1", "attention"));
  EXPECT_THAT(heard.client, ElementsAre("columns 1; " + std::string(kTookTooLong) + ", rows 1"));
  EXPECT_EQ(heard.events, " lease end");
  heard = run({says(batch("SELECT 1")), interrupts(), answers(acknowledged())});
  EXPECT_THAT(heard.client, ElementsAre(kTookTooLong));
  // Too late: the answer was on its way.
  heard = run({says(batch("SELECT 1")), interrupts(), answers(reply(one_row())),
               says(batch("SELECT 2")), answers(acknowledged()), answers(good())});
  EXPECT_THAT(heard.server, ElementsAre("SELECT 1", "attention", "SELECT 2"));
  EXPECT_THAT(heard.client, ElementsAre("columns 1; done, rows 1", "done"));
  EXPECT_EQ(heard.events, " lease end lease end");
}

TEST(TdsLink, WeirsOwnAttentionInAPacketThatIsFull) {
  std::string tokens = columns({hex("38")});
  while (tokens.size() + 5 + 13 <= kPacketBytes - kPacketHeadBytes) tokens += row(hex("07000000"));
  const std::string answer = reply(tokens + done_token(kDoneAttention));
  ASSERT_LE(answer.size(), kPacketBytes);
  const Heard heard = run({says(batch("SELECT 1")), interrupts(), answers(answer)});
  ASSERT_EQ(heard.client.size(), 1U);
  EXPECT_THAT(heard.client[0], HasSubstr("longer than timeouts.query; done error"));
}

// The packet's length has been told already.
TEST(TdsLink, WeirsOwnAttentionWithinAPacket) {
  const std::string cut = columns({hex("38")}) + row(hex("07000000"));
  const std::string answer = reply(cut + done_token(kDoneAttention));
  const Heard heard = run({says(batch("SELECT 1")), answers(answer.substr(0, 15)), interrupts(),
                           then([&](LinkTalk& talk) { talk.server_sends(answer.substr(15)); })});
  EXPECT_THAT(heard.client, ElementsAre("columns 1; done error, rows 1"));
  EXPECT_EQ(heard.events, " lease end");
}

TEST(TdsLink, TheClientTakesWeirsAttentionOver) {
  const Heard heard = run({says(batch("SELECT 1")), interrupts(), says(attention()),
                           answers(reply(one_row())), answers(acknowledged())});
  EXPECT_THAT(heard.server, ElementsAre("SELECT 1", "attention"));
  EXPECT_THAT(heard.client, ElementsAre("columns 1; done, rows 1", "done attention"));
  const Heard other =
      run({says(batch("SELECT 1")), says(attention()), interrupts(), answers(acknowledged())});
  EXPECT_THAT(other.server, ElementsAre("SELECT 1", "attention"));
  EXPECT_THAT(other.client, ElementsAre("done attention"));
}

TEST(TdsLink, NothingIsInterruptedThatDoesNotRun) {
  const Heard heard =
      run({says(begin_transaction()), answers(reply(begun(7) + done_token())), interrupts()});
  EXPECT_THAT(heard.server, ElementsAre("transaction 5"));
}

}  // namespace
}  // namespace weir::tds
