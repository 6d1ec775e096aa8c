// Many sends in one call: with io_uring where the machine has it, and without.
#include "net/send_batch.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace weir::net {
namespace {

struct Pair {
  Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0); }
  ~Pair() {
    for (const int fd : ends) ::close(fd);
  }
  std::string received() const {
    std::string out(1 << 20, '\0');
    const ssize_t got = recv(ends[1], out.data(), out.size(), 0);
    out.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return out;
  }
  std::array<int, 2> ends;
};

void expect_each_gets_its_own(SendBatch& batch) {
  std::array<Pair, SendBatch::kSendsMax> pairs;
  for (int turn = 0; turn < 3; ++turn) {
    std::vector<std::string> texts;
    std::vector<SendBatch::Send> sends;
    for (size_t i = 0; i < pairs.size(); ++i)
      texts.push_back(std::to_string(turn) + "/" + std::to_string(i));
    for (size_t i = 0; i < pairs.size(); ++i) sends.push_back({pairs[i].ends[0], texts[i]});
    batch.run(sends);
    for (size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_EQ(sends[i].sent, static_cast<int64_t>(texts[i].size()));
      EXPECT_EQ(pairs[i].received(), texts[i]);
    }
  }
}

// One full socket and one without a reader, between two that work.
void expect_each_its_own_trouble(SendBatch& batch) {
  Pair first, full, broken, last;
  const std::string block(1 << 16, 'x');
  while (send_bytes(full.ends[0], block) > 0) {
  }
  shutdown(broken.ends[0], SHUT_WR);
  std::vector<SendBatch::Send> sends{
      {first.ends[0], "a"}, {full.ends[0], "b"}, {broken.ends[0], "c"}, {last.ends[0], "d"}};
  batch.run(sends);
  EXPECT_EQ(sends[0].sent, 1);
  EXPECT_EQ(sends[1].sent, 0);
  EXPECT_EQ(sends[2].sent, -EPIPE);
  EXPECT_EQ(sends[3].sent, 1);
  EXPECT_EQ(first.received() + last.received(), "ad");
}

TEST(SendBatch, EachSocketGetsItsOwn) {
  SendBatch batch;
  expect_each_gets_its_own(batch);
}

TEST(SendBatch, AFullOrBrokenSocketConcernsNoOther) {
  SendBatch batch;
  expect_each_its_own_trouble(batch);
}

TEST(SendBatch, TakesAPartWhenThereIsNoMoreRoom) {
  SendBatch batch;
  Pair narrow, other;
  const std::string large(8 << 20, 'x');
  std::vector<SendBatch::Send> sends{{narrow.ends[0], large}, {other.ends[0], "y"}};
  batch.run(sends);
  EXPECT_GT(sends[0].sent, 0);
  EXPECT_LT(sends[0].sent, static_cast<int64_t>(large.size()));
  EXPECT_EQ(other.received(), "y");
}

// A process that may open nothing gets no ring.
TEST(SendBatch, DoesWithoutTheRing) {
  SendBatch batch;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  Pair pair, other;
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  std::vector<SendBatch::Send> sends{{pair.ends[0], "a"}, {other.ends[0], "b"}};
  batch.run(sends);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(pair.received() + other.received(), "ab");
  expect_each_gets_its_own(batch);
  expect_each_its_own_trouble(batch);
}

}  // namespace
}  // namespace weir::net
