// Requests and answers, cut whole and at every split. The words of faults are those of
// redis-server 7.0.15.
#include <gtest/gtest.h>

#include "protocol/redis/reply.h"
#include "protocol/redis/request.h"

namespace weir::redis {
namespace {

// ---------------------------------------------------------------- requests

// "[a b][c]" for two commands, "(why)" for a fault, "..." for what is not whole, "large:n" for a
// large one.
struct Reader {
  std::string in;
  std::string shown;
  size_t want = 0;
  bool over = false;

  void feed(Bytes bytes) {
    in += bytes;
    while (!over && in.size() >= want && !in.empty()) {
      const Request request = cut_request(in);
      want = 0;
      switch (request.kind) {
        case Request::Kind::Incomplete:
          EXPECT_GT(request.want, in.size());
          want = request.want;
          return;
        case Request::Kind::Nothing: break;
        case Request::Kind::Bad:
          shown += "(" + request.error + ")";
          over = true;
          return;
        case Request::Kind::Large:
          shown += "large:" + std::to_string(request.count);
          over = true;
          return;
        case Request::Kind::Whole: show(request);
      }
      in.erase(0, request.bytes);
    }
  }

  void show(const Request& request) {
    shown += "[";
    int64_t count = 0;
    any_argument(request, [&](Bytes argument) {
      shown += (count++ > 0 ? " " : "") + std::string(argument);
      return false;
    });
    EXPECT_EQ(count, request.count);
    shown += "]";
  }

  std::string result() const { return shown + (in.empty() || over ? "" : "..."); }
};

std::string read(const std::string& bytes) {
  Reader whole;
  whole.feed(bytes);
  Reader bytewise;
  for (const char c : bytes) bytewise.feed({&c, 1});
  EXPECT_EQ(whole.result(), bytewise.result());
  for (size_t place = 1; place < bytes.size() && bytes.size() < 2000; ++place) {
    Reader cut;
    cut.feed(Bytes(bytes).substr(0, place));
    cut.feed(Bytes(bytes).substr(place));
    EXPECT_EQ(whole.result(), cut.result()) << "cut at " << place;
  }
  return whole.result();
}

struct Case {
  std::string bytes;
  std::string expected;
};

TEST(RedisRequest, Arrays) {
  const std::vector<Case> cases{
      {"*1\r\n$4\r\nPING\r\n", "[PING]"},
      {"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n*1\r\n$4\r\nPING\r\n", "[ECHO hi][PING]"},
      {"*0\r\n*-1\r\n*-2\r\n*1\r\n$0\r\n\r\n", "[]"},
      {"*2\r\n$3\r\nGET\r\n$4\r\n\r\n*3\r\n", "[GET \r\n*3]"},
      {"*2\r\n$4\r\nECHO\r\n$2\r\nabcd*1\r\n$4\r\nPINGxx", "[ECHO ab][PING]"},
      {"*1\rX$4\rYPING\r\n", "[PING]"},
      {std::string("*2\r\n$3\r\nGET\r\n$3\r\na\0b\r\n", 22), std::string("[GET a\0b]", 9)},
      {"*9\r\n" +
           [] {
             std::string nine;
             for (char c = '1'; c <= '9'; ++c) nine += std::string("$1\r\n") + c + "\r\n";
             return nine;
           }(),
       "[1 2 3 4 5 6 7 8 9]"},
      {"*2\r\n$4\r\nPING\r\n", "..."},
      {"*1\n$4\nPING\n", "..."},
      {"*2147483647\r\n", "..."},
      {std::string("*1\r\n\0\r\n", 7), "..."},
  };
  for (const auto& [bytes, expected] : cases) EXPECT_EQ(read(bytes), expected) << bytes;
}

TEST(RedisRequest, Lines) {
  const std::vector<Case> cases{
      {"PING\r\n", "[PING]"},
      {"PING\n", "[PING]"},
      {" \t PING  x \r\n", "[PING x]"},
      {"\r\n\n   \r\nPING\r\n", "[PING]"},
      {"PING 'a b'\r\n", "[PING a b]"},
      {"PING 'a\\'b\\n'\r\n", "[PING a'b\\n]"},
      {"PING \"a\\x41\\n\\q\\\"\" \r\n", "[PING aA\nq\"]"},
      {"PING x\"y z\"\r\n", "[PING xy z]"},
      {"''\r\n", "[]"},
      {"PING \r\r\n", "[PING]"},
      {"PING\rx\r\n", "[PING x]"},
      {"\tPING\v\f\r\n", "[PING\v\f]"},
      {"GET /x HTTP/1.1\r\n", "[GET /x HTTP/1.1]"},
      {"\xff\xfe\r\n", "[\xff\xfe]"},
      {std::string("PI\0NG\r\n", 7), "..."},
      {"PING", "..."},
  };
  for (const auto& [bytes, expected] : cases) EXPECT_EQ(read(bytes), expected) << bytes;
}

// redis R04, R08
TEST(RedisRequest, Faults) {
  const std::string ones(70'000, '1');
  const std::vector<Case> cases{
      {"*1\n$4\nPING\r\n", "invalid multibulk length"},
      {"*+1\r\n", "invalid multibulk length"},
      {"*01\r\n", "invalid multibulk length"},
      {"*\r\n", "invalid multibulk length"},
      {"* 1\r\n", "invalid multibulk length"},
      {"*2147483648\r\n", "invalid multibulk length"},
      {"*99999999999999999999999\r\n", "invalid multibulk length"},
      {"*1\r\n$00000004\r\n", "invalid bulk length"},
      {"*1\r\n$4 \r\n", "invalid bulk length"},
      {"*1\r\n$x\r\n", "invalid bulk length"},
      {"*2\r\n$4\r\nPING\r\n$-1\r\n", "invalid bulk length"},
      {"*1\r\n$9223372036854775807\r\n", "invalid bulk length"},
      {"*1\r\n+PING\r\n", "expected '$', got '+'"},
      {"*1\r\n\r\n", "expected '$', got ' '"},
      {"PING 'a b\r\n", "unbalanced quotes in request"},
      {"PING \"a\"b\r\n", "unbalanced quotes in request"},
      {std::string(70'000, 'a') + "\r\n", "too big inline request"},
      {"*" + ones + "\r\n", "too big mbulk count string"},
      {"*1\r\n$" + ones + "\r\n", "too big bulk count string"},
  };
  for (const auto& [bytes, expected] : cases)
    EXPECT_EQ(read(bytes), "(Protocol error: " + expected + ")") << bytes.substr(0, 40);
}

// redis R07
TEST(RedisRequest, LargeOnesAreFollowedThroughTheirHeads) {
  EXPECT_EQ(read("*2000000000\r\n"), "...");
  EXPECT_EQ(read("*2000000000\r\n$4\r\nMGET\r\n"), "large:2000000000");
  EXPECT_EQ(read("*20000\r\n$4\r\nMGET\r\n$x\r\n"),
            "large:20000");  // not a fault, however it is cut
  EXPECT_EQ(read("*2\r\n$4\r\nECHO\r\n$70000\r\n"), "large:2");
  EXPECT_EQ(read("*2\r\n$9000000000000\r\n"), "large:2");
  const std::string body = "$4\r\nECHO\r\n$70000\r\n" + std::string(70'000, '\r') + "\r\n";
  for (const size_t piece : {body.size() + 4, size_t{1}, size_t{999}}) {
    RequestStream stream;
    stream.begin(2);
    std::string in;
    size_t passed = 0;
    for (size_t at = 0; at < body.size() + 4; at += piece) {
      in += (body + "next").substr(at, piece);
      const auto pass = stream.pass(in);
      EXPECT_EQ(pass.error, "");
      passed += pass.bytes;
      in.erase(0, pass.bytes);
      if (!stream.open()) continue;
      EXPECT_GT(pass.want, in.size());
      EXPECT_LT(in.size(), 20u);
    }
    EXPECT_FALSE(stream.open());
    EXPECT_EQ(passed, body.size());
  }
  RequestStream stream;
  stream.begin(1);
  EXPECT_EQ(stream.pass("$x\r\n").error, "Protocol error: invalid bulk length");
}

// redis R07
TEST(RedisRequest, LimitsBeforeAuthentication) {
  const RequestLimits limits{65536, 10, 16384};
  const auto error = [&](Bytes bytes) { return cut_request(bytes, limits).error; };
  EXPECT_EQ(error("*11\r\n"), "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(error("*10\r\n$16385\r\n"), "Protocol error: unauthenticated bulk length");
  EXPECT_EQ(error("*10\r\n$16384\r\n"), "");
}

// ---------------------------------------------------------------- answers

// Bytes of each answer, "..." for one that is not whole, "!" for none.
std::string follow(const std::string& bytes, size_t piece) {
  ReplyStream stream;
  std::string in, shown, answer;
  size_t want = 0;
  for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
    in += bytes.substr(at, piece);
    while (!in.empty() && in.size() >= want) {
      const auto pass = stream.pass(in);
      if (pass.end == ReplyStream::End::Bad) return shown + "!";
      answer += in.substr(0, pass.bytes);
      in.erase(0, pass.bytes);
      want = pass.want;
      if (pass.end == ReplyStream::End::Open) {
        EXPECT_GT(pass.want, in.size());
        EXPECT_LT(in.size(), ReplyStream::kPeekBytes);
        break;
      }
      EXPECT_FALSE(stream.open());
      shown += std::to_string(answer.size()) + " ";
      answer.clear();
      want = 0;
    }
  }
  return shown + (answer.empty() && in.empty() ? "" : "...");
}

TEST(RedisReply, EverySplit) {
  const std::string line(100, 'x');
  const std::vector<Case> cases{
      {"+OK\r\n", "5 "},
      {"+\r\n:1\r\n-ERR x\r\n", "3 4 8 "},
      {"$-1\r\n*-1\r\n$0\r\n\r\n*0\r\n", "5 5 6 4 "},
      {"$5\r\na\r\nb*\r\n+OK\r\n", "11 5 "},
      {"*2\r\n$1\r\na\r\n*2\r\n:1\r\n*0\r\n+OK\r\n", "23 5 "},
      {"*3\r\n*-1\r\n$-1\r\n*1\r\n*1\r\n*1\r\n:5\r\n", "30 "},
      {"+" + line + "\r\n+OK\r\n", "103 5 "},
      {"*1\r\n-" + line + "\r\r\n+OK\r\n", "108 5 "},
      {"*1\r\n+" + line + "\n\rx\r\n", "110 "},
      {"_\r\n#t\r\n,1.5\r\n(123\r\n=5\r\ntxt:a\r\n!3\r\nERR\r\n", "3 4 6 6 11 9 "},
      {"%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n:2\r\n", "24 "},
      {"|1\r\n+ttl\r\n:9\r\n+OK\r\n%0\r\n~0\r\n", "19 4 4 "},
      {"*2\r\n|1\r\n+a\r\n:9\r\n:1\r\n:2\r\n", "24 "},
      {">2\r\n+a\r\n+b\r\n", "12 "},
      {"$10\r\nabc", "..."},
      {"*2\r\n:1\r\n", "..."},
      {"*1152921504606846976\r\n:1\r\n", "..."},
      {"$1152921504606846976\r\nabc", "..."},
      {"+OK\r\nhello", "5 !"},
      {"$x\r\n", "!"},
      {"$-2\r\n", "!"},
      {"*01\r\n", "!"},
      {"$9223372036854775807\r\n", "!"},
      {"%1152921504606846976\r\n", "!"},
      {"*1152921504606846976\r\n*1152921504606846976\r\n", "!"},
      {"$" + line + "\r\n", "!"},
      {"*1\r\nx\r\n", "!"},
      // Streamed strings and aggregates.
      {"$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;0\r\n+OK\r\n", "29 5 "},
      {"$?\r\n;0\r\n:1\r\n", "8 4 "},
      {"$?\r\n;2\r\n;0\r\n;0\r\n", "16 "},
      {"*?\r\n:1\r\n:2\r\n.\r\n+OK\r\n", "15 5 "},
      {"*?\r\n.\r\n%?\r\n.\r\n~?\r\n.\r\n", "7 7 7 "},
      {"%?\r\n+a\r\n:1\r\n+b\r\n*2\r\n:2\r\n:3\r\n.\r\n+OK\r\n", "31 5 "},
      {"*2\r\n*?\r\n*1\r\n:1\r\n~?\r\n$?\r\n;1\r\nx\r\n;0\r\n.\r\n.\r\n:4\r\n+OK\r\n", "45 5 "},
      {"*1\r\n$?\r\n;1\r\nx\r\n;0\r\n+OK\r\n", "19 5 "},
      {"|?\r\n+a\r\n:1\r\n.\r\n:5\r\n+OK\r\n", "19 5 "},
      {"*?\r\n+" + line + "\r\n.\r\n+OK\r\n", "110 5 "},
      {"*?\r\n:1\r\n", "..."},
      {"$?\r\n", "..."},
      {"$?\r\n;5\r\nab", "..."},
      {"=?\r\n", "!"},
      {"!?\r\n", "!"},
      {"$?\r\n;x\r\n", "!"},
      {"$?\r\n;-1\r\n", "!"},
      {"$?\r\n+OK\r\n", "!"},
      {";1\r\nx\r\n", "!"},
      {".\r\n", "!"},
      {"*2\r\n.\r\n", "!"},
      {"*?\r\n*1\r\n.\r\n", "!"},
      {"*?\r\n.x\r\n", "!"},
      {"*?\r\n.\n", "!"},
      {"*??\r\n", "!"},
  };
  for (const auto& [bytes, expected] : cases)
    for (size_t piece = 1; piece <= bytes.size(); ++piece)
      EXPECT_EQ(follow(bytes, piece), expected) << bytes << " in pieces of " << piece;
}

TEST(RedisReply, DepthCostsNothing) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "*1\r\n";
  EXPECT_EQ(follow(deep + ":1\r\n", SIZE_MAX), std::to_string(deep.size() + 4) + " ");
  // Those that say only at their end where it is have to be remembered: so many and no more.
  std::string streamed, ends;
  for (int i = 0; i < 8; ++i) {
    streamed += "*?\r\n";
    ends += ".\r\n";
  }
  EXPECT_EQ(follow(streamed + ends, 3), "56 ");
  EXPECT_EQ(follow("*?\r\n" + streamed, SIZE_MAX), "!");
}

TEST(RedisText, Numbers) {
  int64_t value = 0;
  for (const Bytes text : {"0", "-1", "9223372036854775807", "-9223372036854775808"})
    EXPECT_TRUE(read_number(text, value)) << text;
  for (const Bytes text : {"", "-", "+1", "01", "-0", "-01", " 1", "1 ", "1x", "0x1",
                           "9223372036854775808", "-9223372036854775809", "--1"})
    EXPECT_FALSE(read_number(text, value)) << text;
}

}  // namespace
}  // namespace weir::redis
