// hiredis as a second opinion on answers in RESP2: where they end, and what is none.
#include <gtest/gtest.h>
#include <hiredis.h>

#include "oracle.h"
#include "protocol/redis/reply.h"

namespace weir::redis {
namespace {

using oracle::below;
using oracle::Random;

struct Reading {
  std::vector<size_t> ends;  // of each answer, from the first byte on
  bool refused = false;
  bool operator==(const Reading&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Reading& reading) {
  for (const size_t end : reading.ends) out << end << " ";
  return out << (reading.refused ? "refused" : "");
}

class Hiredis {
 public:
  Hiredis() : reader_(redisReaderCreate()) {}
  Hiredis(const Hiredis&) = delete;
  Hiredis& operator=(const Hiredis&) = delete;
  ~Hiredis() { redisReaderFree(reader_); }

  void feed(const std::string& bytes) {
    if (reading.refused) return;
    redisReaderFeed(reader_, bytes.data(), bytes.size());
    fed_ += bytes.size();
    for (void* answer = nullptr;;) {
      reading.refused = redisReaderGetReply(reader_, &answer) != REDIS_OK;
      if (reading.refused || !answer) return;
      reading.ends.push_back(fed_ - (reader_->len - reader_->pos));
      freeReplyObject(answer);
    }
  }

  Reading reading;

 private:
  redisReader* reader_;
  size_t fed_ = 0;
};

class Weir {
 public:
  void feed(const std::string& bytes) {
    in_ += bytes;
    while (!reading.refused && !in_.empty() && in_.size() >= want_) {
      const ReplyStream::Pass pass = stream_.pass(in_);
      reading.refused = pass.end == ReplyStream::End::Bad;
      passed_ += pass.bytes;
      in_.erase(0, pass.bytes);
      want_ = pass.end == ReplyStream::End::Open ? pass.want : 0;
      if (pass.end == ReplyStream::End::Ended) reading.ends.push_back(passed_);
    }
  }

  Reading reading;

 private:
  ReplyStream stream_;
  std::string in_;
  size_t passed_ = 0, want_ = 0;
};

struct Both {
  Hiredis hiredis;
  Weir weir;
  void feed(const std::string& bytes) {
    hiredis.feed(bytes);
    weir.feed(bytes);
  }
};

// ---------------------------------------------------------------- answers

constexpr int kDepthMax = 7;  // of arrays within arrays, in hiredis 0.14

// Makes answers; the head with the number `damaged` is none.
class Answers {
 public:
  explicit Answers(Random& random, size_t damaged = SIZE_MAX)
      : random_(random), damaged_(damaged) {}

  std::string bytes;
  size_t heads = 0;
  bool spoilt() const { return heads > damaged_; }

  void append(int depth = kDepthMax) {
    if (spoilt()) return;
    if (heads++ == damaged_) return append_nonsense();
    const size_t kind = below(random_, depth > 0 ? 8 : 6);
    switch (kind) {
      case 0: return append_line('+');
      case 1: return append_line('-');
      case 2: return append_head(':', std::to_string(static_cast<int64_t>(random_())));
      case 3: return append_head('$', "-1");
      case 4: return append_head('*', "-1");
      case 5: return append_string();
      default: return append_array(depth);
    }
  }

 private:
  void append_head(char type, const std::string& rest) {
    bytes.append(1, type).append(rest).append("\r\n");
  }

  void append_line(char type) {
    std::string line = oracle::random_bytes(random_, below(random_, 80));
    for (size_t at; (at = line.find("\r\n")) != std::string::npos;) line[at] = 'x';
    append_head(type, line);
  }

  void append_string() {
    const std::string value = oracle::random_bytes(random_, oracle::random_size(random_));
    append_head('$', std::to_string(value.size()));
    bytes.append(value).append("\r\n");
  }

  void append_array(int depth) {
    const size_t count = below(random_, 5);
    append_head('*', std::to_string(count));
    for (size_t i = 0; i < count; ++i) append(depth - 1);
  }

  // What neither has: a type that is in no version of the protocol, or a length that is no number.
  void append_nonsense() {
    constexpr Bytes kTypes("\0\r\n @a{}^\"01\xff", 13);
    static const std::vector<std::string> kLengths = {"",
                                                      "-2",
                                                      "-",
                                                      "+1",
                                                      "01",
                                                      "-0",
                                                      "-01",
                                                      "1x",
                                                      "x",
                                                      " 1",
                                                      "1 ",
                                                      "1.",
                                                      "--1",
                                                      "0x1",
                                                      "1\n",
                                                      "1\r",
                                                      "1\r1",
                                                      "9223372036854775808",
                                                      "99999999999999999999"};
    if (below(random_, 2) == 0) return append_head(kTypes[below(random_, kTypes.size())], "1");
    append_head("$*"[below(random_, 2)], kLengths[below(random_, kLengths.size())]);
  }

  Random& random_;
  size_t damaged_;
};

TEST(HiredisOracle, KnownAnswersEndAtTheSamePlace) {
  const std::string line(100, 'x'), body(100'000, '\r');
  const std::vector<std::string> answers = {
      "+OK\r\n",
      "+\r\n",
      "-ERR x\r\n",
      ":0\r\n",
      ":-9223372036854775808\r\n",
      "$-1\r\n",
      "*-1\r\n",
      "$0\r\n\r\n",
      "*0\r\n",
      "$5\r\na\r\nb*\r\n",
      "$1\r\nabc",  // what stands behind a string is not looked at
      "*2\r\n$1\r\na\r\n*2\r\n:1\r\n*0\r\n",
      "*3\r\n*-1\r\n$-1\r\n*1\r\n*1\r\n*1\r\n:5\r\n",
      "+" + line + "\r\n",
      "*1\r\n-" + line + "\r\r\n",
      "*1\r\n+" + line + "\n\rx\r\n",
      "$" + std::to_string(body.size()) + "\r\n" + body + "\r\n",
      "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n$1\r\nx\r\n",
  };
  for (const std::string& answer : answers) {
    for (const size_t piece : {1, 2, 3, 7, 31, 32, 33, 1'000'000}) {
      Both both;
      for (size_t at = 0; at < answer.size(); at += piece) both.feed(answer.substr(at, piece));
      const Reading expected{{answer.size()}};
      EXPECT_EQ(both.hiredis.reading, expected) << answer.substr(0, 80);
      EXPECT_EQ(both.weir.reading, expected) << answer.substr(0, 80);
    }
  }
}

TEST(HiredisOracle, RandomAnswersEndAtTheSamePlace) {
  oracle::in_rounds(500, [](Random& random) {
    Answers answers(random);
    Reading expected;
    for (size_t i = 1 + below(random, 8); i > 0; --i) {
      answers.append();
      expected.ends.push_back(answers.bytes.size());
    }
    Both both;
    for (const std::string& piece : oracle::split(random, answers.bytes)) {
      both.feed(piece);
      ASSERT_EQ(both.weir.reading, both.hiredis.reading);
    }
    EXPECT_EQ(both.weir.reading, expected);
  });
}

TEST(HiredisOracle, BothRefuseWhatIsNoAnswer) {
  oracle::in_rounds(1'000, [](Random& random) {
    Answers answers(random, below(random, 12));
    Reading expected{{}, true};
    while (!answers.spoilt()) {
      answers.append();
      if (!answers.spoilt()) expected.ends.push_back(answers.bytes.size());
    }
    Both both;
    for (const std::string& piece : oracle::split(random, answers.bytes)) both.feed(piece);
    EXPECT_EQ(both.hiredis.reading, expected);
    EXPECT_EQ(both.weir.reading, expected);
  });
}

// What weir passes on and hiredis cannot read.
TEST(HiredisOracle, WhereWeirTakesMore) {
  std::string deep;
  for (int i = 0; i < 12; ++i) deep += "*1\r\n";  // as COMMAND DOCS does
  for (const std::string& answer :
       {deep + ":1\r\n", std::string(":12x\r\n"), std::string("_\r\n"), std::string("#t\r\n"),
        std::string("%1\r\n+a\r\n:1\r\n"), std::string(">1\r\n+a\r\n")}) {
    Both both;
    both.feed(answer);
    EXPECT_TRUE(both.hiredis.reading.refused) << answer;
    EXPECT_EQ(both.weir.reading, (Reading{{answer.size()}})) << answer;
  }
}

}  // namespace
}  // namespace weir::redis
