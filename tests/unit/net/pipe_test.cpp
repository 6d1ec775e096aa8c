// The pipe inside the process; on the real loop and, since it only needs run_soon(), on the fake
// one.
#include <random>
#include <tuple>

#include "net_fixture.h"

namespace weir::net {
namespace {

using fake::FakeLoop;

struct Ends {
  explicit Ends(Loop& loop, size_t window = 1000) {
    std::tie(left, right) = make_pipe(loop, window);
    left->set_reader(&at_left);
    right->set_reader(&at_right);
  }
  Recorder at_left, at_right;
  std::unique_ptr<Stream> left, right;
};

TEST(Pipe, OnARealLoop) {
  auto loop = make_loop();
  Ends ends(*loop);
  ends.at_right.then = [&] { write(*ends.right, "pong"); };
  write(*ends.left, "ping");
  EXPECT_EQ(ends.at_right.bytes, "");
  ASSERT_TRUE(RunUntil(*loop, [&] { return ends.at_left.bytes == "pong"; }));
  EXPECT_EQ(ends.at_right.bytes, "ping");
}

TEST(Pipe, NothingIsDeliveredInsideAWrite) {
  FakeLoop loop;
  Ends ends(loop);
  bool inside = false, nested = false;
  ends.at_right.then = [&] {
    nested |= inside;
    inside = true;
    write(*ends.right, "x");
    inside = false;
  };
  ends.at_left.then = [&] { nested |= inside; };
  write(*ends.left, "x");
  loop.settle();
  EXPECT_EQ(ends.at_left.bytes, "x");
  EXPECT_FALSE(nested);
}

TEST(Pipe, TheWindowHoldsEachWayBack) {
  FakeLoop loop;
  Ends ends(loop, 10);
  ends.right->pause(kPausePeerFull);
  EXPECT_EQ(write(*ends.left, "123456"), 6);
  EXPECT_EQ(write(*ends.left, "7890ab"), 4);
  EXPECT_EQ(write(*ends.left, "ab"), 0);
  EXPECT_EQ(write(*ends.right, "1234567890"), 10);  // the other way has its own
  ends.left->want_writable();
  loop.settle();
  EXPECT_EQ(ends.at_left.writables, 0);
  ends.right->resume(kPausePeerFull);
  EXPECT_EQ(ends.at_right.bytes, "");
  loop.settle();
  EXPECT_EQ(ends.at_right.bytes, "1234567890");
  EXPECT_EQ(ends.at_left.writables, 1);
}

TEST(Pipe, EndsAfterItsBytes) {
  FakeLoop loop;
  Ends ends(loop);
  write(*ends.left, "last");
  ends.left.reset();
  loop.settle();
  EXPECT_EQ(ends.at_right.bytes, "last");
  EXPECT_EQ(ends.at_right.ends, 1);
  EXPECT_EQ(ends.at_right.end->text, "");
  EXPECT_EQ(write(*ends.right, "x"), -1);
  ends.right->want_writable();
  loop.settle();
  EXPECT_EQ(ends.at_right.writables, 1);  // so that a blocked writer finds out
}

TEST(Pipe, HalfClosed) {
  FakeLoop loop;
  Ends ends(loop);
  write(*ends.left, "question");
  ends.left->shut_write();
  EXPECT_EQ(write(*ends.left, "more"), -1);
  loop.settle();
  EXPECT_EQ(ends.at_right.ends, 1);
  EXPECT_EQ(write(*ends.right, "answer"), 6);
  loop.settle();
  EXPECT_EQ(ends.at_left.bytes, "answer");
  EXPECT_EQ(ends.at_left.ends, 0);
}

TEST(Pipe, EitherEndDestroyedInsideACallback) {
  for (const bool own : {true, false}) {
    FakeLoop loop;
    Ends ends(loop);
    ends.at_right.then = [&] { (own ? ends.right : ends.left).reset(); };
    write(*ends.left, "x");
    write(*ends.right, "y");
    ends.right->want_writable();
    loop.settle();
    EXPECT_EQ(ends.at_right.deliveries, 1);
    EXPECT_EQ(ends.at_left.bytes, own ? "y" : "");
    EXPECT_EQ(ends.at_left.ends, own ? 1 : 0);
  }
}

TEST(Pipe, BothEndsDestroyedInsideACallback) {
  FakeLoop loop;
  Ends ends(loop);
  ends.at_right.then = [&] {
    ends.left.reset();
    ends.right.reset();
  };
  write(*ends.left, "x");
  loop.settle();
  EXPECT_EQ(ends.at_right.deliveries, 1);
}

TEST(Pipe, DestroyedWhileAskedFor) {
  auto loop = make_loop();
  Ends ends(*loop);
  write(*ends.left, "x");
  ends.left.reset();
  ends.right.reset();
  loop.reset();
}

TEST(Pipe, AnEndlessExchangeYields) {
  FakeLoop loop;
  Ends ends(loop);
  ends.at_right.then = [&] { write(*ends.right, "x"); };
  ends.at_left.then = [&] { write(*ends.left, "x"); };
  write(*ends.left, "x");
  for (int i = 0; i < 10; ++i) {
    const int before = ends.at_left.deliveries;
    EXPECT_TRUE(loop.step());
    EXPECT_LE(ends.at_left.deliveries - before, 20);
    EXPECT_GT(ends.at_left.deliveries, before);
  }
}

TEST(Pipe, ALargeWindowIsDeliveredInSteps) {
  FakeLoop loop;
  Ends ends(loop, 4 << 20);
  write(*ends.left, std::string(4 << 20, 'x'));
  EXPECT_TRUE(loop.step());
  EXPECT_EQ(ends.at_right.bytes.size(), base::kReadsPerWake * base::kScratchBytes);
  loop.settle();
  EXPECT_EQ(ends.at_right.bytes.size(), 4u << 20);
}

TEST(Pipe, AnyTreatmentKeepsTheOrderOfBytes) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    std::mt19937 random(seed);
    FakeLoop loop;
    Ends ends(loop, 1 + random() % 50);
    std::string sent(2000, '\0');
    for (char& c : sent) c = static_cast<char>(random());
    size_t done = 0;
    while (ends.at_right.bytes.size() < sent.size()) {
      const size_t part = std::min<size_t>(random() % 60, sent.size() - done);
      done += static_cast<size_t>(write(*ends.left, std::string_view(sent).substr(done, part)));
      if (random() % 3 == 0) ends.right->pause(kPauseParked);
      if (random() % 2 == 0) loop.step();
      ends.right->resume(kPauseParked);
      if (random() % 2 == 0) loop.step();
    }
    EXPECT_EQ(ends.at_right.bytes, sent) << "seed " << seed;
  }
}

}  // namespace
}  // namespace weir::net
