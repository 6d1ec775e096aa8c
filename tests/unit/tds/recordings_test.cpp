// The recorded conversations, both sides, cut in all ways.
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "recordings_table.h"
#include "tds_recordings.h"
#include "tds_talk.h"

namespace weir::tds {
namespace {

using recordings::Recording;
using script::ClientEar;
using script::Ear;
using script::ServerEar;

std::string words(const Ear& ear) {
  std::string out;
  for (const auto& [word, count] : ear.words)
    out += (out.empty() ? "" : " ") + word + " " + std::to_string(count);
  return out;
}

const Recording& recording(const std::string& name) {
  for (const Recording& each : recordings::all())
    if (each.name == name) return each;
  ADD_FAILURE() << "no recording " << name;
  return recordings::all().front();
}

template <class Listener>
Listener listen(const std::string& bytes) {
  Listener ear;
  ear.feed(bytes);
  return ear;
}

TEST(TdsRecordings, HowTheyStandInTheEnd) {
  ASSERT_EQ(recordings::all().size(), kExpected.size());
  for (const Expected& each : kExpected) {
    const auto client = listen<ClientEar>(recording(each.name).client);
    EXPECT_EQ(client.messages, each.up.messages) << each.name;
    EXPECT_EQ(client.attentions, each.up.attentions) << each.name;
    EXPECT_EQ(client.resets, each.up.resets) << each.name;
    EXPECT_EQ(client.withdrawn, each.up.withdrawn) << each.name;
    EXPECT_EQ(words(client), each.said) << each.name;
    const auto server = listen<ServerEar>(recording(each.name).server);
    EXPECT_EQ(server.messages, each.down.messages) << each.name;
    EXPECT_EQ(server.acknowledged, each.down.acknowledged) << each.name;
    EXPECT_EQ(server.resets, each.down.resets) << each.name;
    EXPECT_EQ(server.begun, each.down.begun) << each.name;
    EXPECT_EQ(server.rows, each.down.rows) << each.name;
    EXPECT_EQ(words(server), each.answered) << each.name;
    EXPECT_EQ(server.transaction, 0U) << each.name;  // every one that was begun has ended
  }
}

// tds T02
TEST(TdsRecordings, PacketsAndTokensAgreeWhereAReplyEnds) {
  int replies = 0;
  for (const Recording& each : recordings::all()) {
    const auto server = listen<ServerEar>(each.server);
    EXPECT_EQ(server.late, 0) << each.name;
    for (const TokenWalker::End end : server.ends)
      EXPECT_EQ(end, TokenWalker::End::Final) << each.name;
    replies += static_cast<int>(server.ends.size());
  }
  EXPECT_GT(replies, 150);
}

// ---------------------------------------------------------------- cut in all ways

template <class Listener, class How>
void expect_same(const Listener& whole, const std::vector<Bytes>& pieces, How how) {
  Listener cut;
  cut.quiet = true;
  for (const Bytes piece : pieces) cut.feed(piece);
  ASSERT_EQ(cut.messages, whole.messages) << how();
  ASSERT_EQ(cut.faulty, whole.faulty) << how();
  ASSERT_EQ(cut.digest.value(), whole.digest.value()) << how();
}

std::vector<Bytes> pieces_of(Bytes bytes, size_t size) {
  std::vector<Bytes> pieces;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size())))
    pieces.push_back(bytes.substr(0, size));
  return pieces;
}

template <class Listener>
void cut_in_all_ways(const std::string& name, const std::string& bytes) {
  constexpr size_t kEverySplitBytes = 8 * 1024;
  constexpr int kSplits = 1000;
  const auto whole = listen<Listener>(bytes);
  for (const size_t size : {1, 3, 8, 1000})
    expect_same(whole, pieces_of(bytes, size),
                [&] { return name + " in pieces of " + std::to_string(size); });
  std::vector<size_t> places(bytes.size());
  std::iota(places.begin(), places.end(), size_t{0});
  if (bytes.size() > kEverySplitBytes) {
    std::mt19937 random(7);  // NOLINT: the same in every run
    std::shuffle(places.begin(), places.end(), random);
    places.resize(kSplits);
  }
  const Bytes view = bytes;
  for (const size_t at : places)
    expect_same(whole, {view.substr(0, at), view.substr(at)},
                [&] { return name + " cut at " + std::to_string(at); });
}

// tds T01
TEST(TdsRecordings, AClientCutAnywhere) {
  for (const Recording& each : recordings::all())
    cut_in_all_ways<ClientEar>(each.name, each.client);
}

// tds T01
TEST(TdsRecordings, AServerCutAnywhere) {
  for (const Recording& each : recordings::all())
    cut_in_all_ways<ServerEar>(each.name, each.server);
}

// ---------------------------------------------------------------- what some of them are about

std::vector<std::string> said_with(const Ear& ear, const std::string& words) {
  std::vector<std::string> found;
  for (const std::string& line : ear.said) {
    const std::string first = line.substr(0, line.find(' '));
    if ((" " + words + " ").find(" " + first + " ") != std::string::npos) found.push_back(line);
  }
  return found;
}

TEST(TdsRecordings, TransactionsBeginAndEnd) {
  using Lines = std::vector<std::string>;
  const auto kinds = [](const std::string& name) {
    Lines found;
    for (const std::string& line :
         said_with(listen<ServerEar>(recording(name).server), "env error"))
      if (line.substr(0, 5) == "error" || line[4] == '8' || line[4] == '9' || line[5] == '0')
        found.push_back(line.substr(0, 6));
    return found;
  };
  EXPECT_EQ(kinds("tedious_tran_commit"), (Lines{"env 8 ", "env 9 "}));
  EXPECT_EQ(kinds("tedious_tran_rollback"), (Lines{"env 8 ", "env 10"}));
  EXPECT_EQ(kinds("tedious_tran_error"), (Lines{"env 8 ", "env 10", "error "}));
  EXPECT_EQ(kinds("tedious_tran_text"), Lines{});  // this server does not tell
  const Lines commit =
      said_with(listen<ClientEar>(recording("tedious_tran_commit").client), "transaction");
  EXPECT_EQ(commit, (Lines{"transaction 5 isolation 2", "transaction 9 isolation 0",
                           "transaction 7 isolation 0"}));
}

// The descriptor that the server has given is that of the requests that follow.
TEST(TdsRecordings, RequestsNameTheirTransaction) {
  const auto server = listen<ServerEar>(recording("tedious_tran_commit").server);
  const auto client = listen<ClientEar>(recording("tedious_tran_commit").client);
  const auto told = said_with(server, "env");
  EXPECT_NE(std::find(told.begin(), told.end(), "env 8 4a03000000000000 "), told.end());
  const auto batches = said_with(client, "batch");
  ASSERT_EQ(batches.size(), 5U);
  for (size_t i : {1, 2, 3}) EXPECT_TRUE(batches[i].starts_with("batch 842'")) << batches[i];
  EXPECT_TRUE(batches[4].starts_with("batch 0'"));
}

TEST(TdsRecordings, HandlesOfPreparedStatements) {
  const auto server = listen<ServerEar>(recording("tedious_prepare_execute").server);
  EXPECT_EQ(said_with(server, "value"), std::vector<std::string>{"value 0 01000000"});
  const auto client = listen<ClientEar>(recording("tedious_prepare_execute").client);
  const auto calls = said_with(client, "call parameter");
  const std::vector<std::string> expected{
      "call 11'' options 0 at 26",
      "parameter 0'@handle' out null at 47",
      "parameter 1'@params' '@p int' at 73",
      "parameter 2'@stmt' 'SELECT @p * 2 AS v' at 107",
      "call 12'' options 0 at 26",
      "parameter 0'' 1 at 33",
      "parameter 1'@p' 21 at 46",
      "call 12'' options 0 at 26",
      "parameter 0'' 1 at 33",
      "parameter 1'@p' 50 at 46",
      "call 15'' options 0 at 26",
      "parameter 0'@handle' 1 at 47",
  };
  EXPECT_EQ(calls, expected);
}

}  // namespace
}  // namespace weir::tds
