// A server whose client is gone is brought back.
#include <gmock/gmock.h>

#include "talk_plays.h"

namespace weir::tds {
namespace {

using namespace talks;
using base::ErrorKind;
using testing::ElementsAre;
using Turn = ServerState::Turn;

Make recover() {
  return [](ServerState& server) { return make_recover(server); };
}
Before running(uint32_t attentions = 0) {
  return [attentions](ServerState& server) {
    server.turn = Turn::Client;
    server.attentions = attentions;
  };
}
std::string attention_done() { return done_token(kDoneAttention); }

void expect_back(const Played& played) {
  EXPECT_EQ(played.ending.step, Step::Done) << played.ending.error.text;
  EXPECT_EQ(played.ending.left, "");
  EXPECT_TRUE(played.server->at_rest());
  EXPECT_TRUE(played.server->dirty);
  EXPECT_FALSE(played.server->answer.open);
  EXPECT_EQ(played.server->own_attentions, 0U);
}

TEST(TdsRecover, NothingAtRest) { EXPECT_EQ(recover()(*server_in(nullptr)), nullptr); }

TEST(TdsRecover, TheAcknowledgementStandsInTheReply) {
  const std::string cut = hand::columns({hand::hex("38")}) + hand::row(hand::hex("07000000"));
  const Played played =
      play_talk(running(), recover(), {reply(cut + done_token(kDoneMore) + attention_done())});
  expect_back(played);
  EXPECT_THAT(played.ending.said, ElementsAre("attention"));
  EXPECT_TRUE(played.server->settings_unknown);
}

TEST(TdsRecover, TheAcknowledgementStandsBehindTheReply) {
  for (const std::string& tokens :
       {done_token(), error_token(50000, "No.") + done_token(2), hand::columns({hand::hex("38")}),
        hand::columns({hand::hex("38")}) + "\xd1"}) {
    const Played played =
        play_talk(running(), recover(), {reply(tokens) + reply(attention_done())});
    expect_back(played);
    EXPECT_THAT(played.ending.said, ElementsAre("attention"));
  }
}

TEST(TdsRecover, AnAttentionThatIsOnItsWayIsEnough) {
  const Played played = play_talk(running(1), recover(), {good(), reply(attention_done())});
  expect_back(played);
  EXPECT_TRUE(played.ending.said.empty());
  const auto late = [](ServerState& server) { server.attentions = 2; };
  const Played twice =
      play_talk(late, recover(), {reply(attention_done()), reply(attention_done())});
  expect_back(twice);
  EXPECT_TRUE(twice.ending.said.empty());
}

TEST(TdsRecover, GoesOnInTheMiddleOfAReply) {
  const std::string tokens = hand::columns({hand::hex("38")}) + hand::row(hand::hex("07000000"));
  const std::string flight = reply(tokens + attention_done());
  for (size_t read = kPacketHeadBytes; read < flight.size(); ++read) {
    const auto half = [&](ServerState& server) {
      server.turn = Turn::Client;
      server.answer.open = true;
      Bytes payload = server.packets.next(Bytes(flight).substr(0, read)).payload;
      for (TokenEvent event; server.walker.next(payload, event);) continue;
    };
    // What the relay has walked over is not walked over again: the rest holds all of the last DONE.
    if (flight.size() - read < attention_done().size()) break;
    expect_back(play_talk(half, recover(), {flight.substr(read)}));
  }
}

TEST(TdsRecover, RollsBack) {
  const auto open = [](ServerState& server) { server.transaction = 3; };
  const Played only = play_talk(open, recover(), {good()});
  expect_back(only);
  EXPECT_THAT(only.ending.said, ElementsAre(std::string(kRollbackText) + " in 3"));

  const std::string begun =
      reply(change(EnvKind::BeginTransaction, descriptor(4)) + attention_done());
  const Played both = play_talk(running(), recover(), {begun, good()});
  expect_back(both);
  EXPECT_THAT(both.ending.said, ElementsAre("attention", std::string(kRollbackText) + " in 4"));
}

TEST(TdsRecover, WhoDoesNotAnnounceMayBeInATransaction) {
  const auto quiet = [](ServerState& server) {
    server.turn = Turn::Client;
    server.announces = false;
  };
  const Played played = play_talk(quiet, recover(), {good() + reply(attention_done()), good()});
  expect_back(played);
  EXPECT_THAT(played.ending.said, ElementsAre("attention", kRollbackText));
  const auto counting = [](ServerState& server) { server.turn = Turn::Count; };
  EXPECT_THAT(play_talk(counting, recover(), {reply(attention_done()), good()}).ending.said,
              ElementsAre("attention", kRollbackText));
}

TEST(TdsRecover, WhatItsRequestWouldHaveLeftIsKept) {
  const auto ending = [](ServerState& server) {
    server.turn = Turn::Client;
    server.outcome.ends_server = true;
  };
  const Played played = play_talk(ending, recover(), {reply(attention_done())});
  expect_back(played);
  EXPECT_TRUE(played.server->retire);
  EXPECT_FALSE(played.server->outcome.ends_server);
}

TEST(TdsRecover, SomeCannotBeBroughtBack) {
  const Before half = [](ServerState& server) { server.request_open = true; };
  const Before bulk = [](ServerState& server) { server.bulk = true; };
  const Before begun = [](ServerState& server) {
    server.turn = Turn::Client;
    server.outcome.bulk = true;
  };
  for (const Before& before : {half, bulk, begun})
    EXPECT_EQ(play_once(before, recover(), {}, whole()).ending.error.kind, ErrorKind::Protocol);
  const Played lost = play_talk(running(), recover(), {reply("\x42" + attention_done())});
  EXPECT_EQ(lost.ending.error.kind, ErrorKind::Protocol);
  const Played gone = play_talk(running(), recover(), {good()});
  EXPECT_EQ(gone.ending.error.kind, ErrorKind::Unreachable);
}

}  // namespace
}  // namespace weir::tds
