// hiredis as a second opinion on commands: those that it formats are cut into their arguments.
#include <gtest/gtest.h>
#include <hiredis.h>

#include "oracle.h"
#include "protocol/redis/request.h"

namespace weir::redis {
namespace {

using oracle::below;
using oracle::Random;

using Words = std::vector<std::string>;

std::string format(const Words& words) {
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const std::string& word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* made = nullptr;
  const auto size =
      redisFormatCommandArgv(&made, static_cast<int>(words.size()), texts.data(), sizes.data());
  std::string out(made, static_cast<size_t>(size));
  redisFreeCommand(made);
  return out;
}

Words random_words(Random& random) {
  Words words;
  for (size_t i = 1 + below(random, below(random, 2) == 0 ? 4 : 40); i > 0; --i)
    words.push_back(oracle::random_bytes(random, oracle::random_size(random)));
  return words;
}

// Cuts commands as a link does, in whatever pieces they come, and compares them with `expected`.
class Cutter {
 public:
  explicit Cutter(std::vector<Words> expected) : expected_(std::move(expected)) {}

  void feed(const std::string& bytes) {
    in_ += bytes;
    while (!in_.empty() && in_.size() >= want_ && !testing::Test::HasFatalFailure())
      if (!(stream_.open() ? go_on() : next())) return;
  }

  bool is_over() const { return in_.empty() && !stream_.open() && at_ == expected_.size(); }

 private:
  bool next() {
    want_ = 0;
    const Request request = cut_request(in_);
    if (request.kind == Request::Kind::Incomplete) {
      EXPECT_GT(request.want, in_.size());
      want_ = request.want;
      return false;
    }
    compare(request);
    if (request.kind != Request::Kind::Large) return drop(request.bytes);
    stream_.begin(request.count);
    streamed_ = request.head_bytes;
    drop(request.head_bytes);
    return go_on();
  }

  // The rest of a large command.
  bool go_on() {
    const RequestStream::Pass pass = stream_.pass(in_);
    EXPECT_EQ(pass.error, "");
    streamed_ += pass.bytes;
    drop(pass.bytes);
    want_ = stream_.open() ? pass.want : 0;
    if (stream_.open()) return false;
    EXPECT_EQ(streamed_, format(expected_[at_ - 1]).size());
    return true;
  }

  void compare(const Request& request) {
    ASSERT_LT(at_, expected_.size());
    const Words& words = expected_[at_++];
    const bool large = format(words).size() > kWholeCommandBytesMax;
    ASSERT_EQ(request.kind, large ? Request::Kind::Large : Request::Kind::Whole) << request.error;
    ASSERT_EQ(request.count, static_cast<int64_t>(words.size()));
    for (size_t i = 0; i < request.known; ++i) EXPECT_EQ(request.argument(i), words[i]);
    if (large) return;
    Words found;
    any_argument(request, [&found](Bytes word) {
      found.emplace_back(word);
      return false;
    });
    EXPECT_EQ(found, words);
  }

  bool drop(size_t bytes) {
    in_.erase(0, bytes);
    return true;
  }

  std::vector<Words> expected_;
  size_t at_ = 0;
  std::string in_;
  size_t want_ = 0;
  RequestStream stream_;
  size_t streamed_ = 0;
};

TEST(HiredisOracle, ItsCommandsAreCutIntoTheirArguments) {
  oracle::in_rounds(500, [](Random& random) {
    std::vector<Words> commands;
    std::string bytes;
    for (size_t i = 1 + below(random, 6); i > 0; --i) {
      commands.push_back(random_words(random));
      bytes += format(commands.back());
    }
    Cutter cutter(commands);
    for (const std::string& piece : oracle::split(random, bytes)) cutter.feed(piece);
    EXPECT_TRUE(cutter.is_over());
  });
}

}  // namespace
}  // namespace weir::redis
