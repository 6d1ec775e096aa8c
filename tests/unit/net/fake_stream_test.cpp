// The fakes keep the contract of net::Stream, so that what passes on them means something.
#include <gtest/gtest.h>

#include <random>

#include "fake_stream.h"

namespace weir::fake {
namespace {

TEST(FakeStream, NothingArrivesBeforeAStep) {
  FakeLoop loop;
  auto [a, b] = make_fake_streams(loop);
  Recorder reader;
  b->set_reader(&reader);
  EXPECT_EQ(a->write("hello"), 5);
  EXPECT_EQ(reader.bytes, "");
  EXPECT_TRUE(loop.step());
  EXPECT_EQ(reader.bytes, "hello");
  EXPECT_FALSE(loop.step());
}

TEST(FakeStream, TakesAndDeliversWhatItIsTold) {
  FakeLoop loop;
  auto [a, b] = make_fake_streams(loop);
  Recorder writer, reader;
  a->set_reader(&writer);
  b->set_reader(&reader);
  a->outward().window_bytes = 5;
  a->outward().write_bytes_max = 2;
  a->outward().deliver_bytes_max = 1;
  EXPECT_EQ(a->write("abcdef"), 2);
  EXPECT_EQ(a->write("cdef"), 2);
  EXPECT_EQ(a->write("ef"), 1);
  EXPECT_EQ(a->write("f"), 0);
  a->want_writable();
  b->pause(net::kPauseParked);
  EXPECT_FALSE(loop.step());
  b->resume(net::kPauseParked);
  loop.settle();
  EXPECT_EQ(reader.bytes, "abcde");
  EXPECT_EQ(reader.deliveries, 5);
  EXPECT_EQ(writer.writables, 1);
}

TEST(FakeStream, EndsAndResets) {
  FakeLoop loop;
  auto [a, b] = make_fake_streams(loop);
  Recorder at_a, at_b;
  a->set_reader(&at_a);
  b->set_reader(&at_b);
  a->write("last");
  a->shut_write();
  loop.settle();
  EXPECT_EQ(at_b.bytes, "last");
  ASSERT_TRUE(at_b.end);
  EXPECT_EQ(at_b.end->text, "");
  b->write("lost");
  b->reset();
  loop.settle();
  EXPECT_EQ(at_a.bytes, "");
  ASSERT_TRUE(at_a.end);
  EXPECT_NE(at_a.end->text, "");
  EXPECT_EQ(at_b.ends, 1);
  EXPECT_EQ(b->write("x"), -1);
}

TEST(FakeStream, DestroyedInsideItsOwnDelivery) {
  FakeLoop loop;
  auto [a, b] = make_fake_streams(loop);
  Recorder at_a, at_b;
  a->set_reader(&at_a);
  b->set_reader(&at_b);
  at_b.then = [&, end = &b] { end->reset(); };
  a->write("xy");
  loop.settle();
  EXPECT_EQ(at_a.ends, 1);
  EXPECT_EQ(a->write("z"), -1);
  EXPECT_EQ(loop.members(), 1u);
}

TEST(FakeStream, AnyChoiceOfEventsKeepsTheOrderOfBytes) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    FakeLoop first, second;
    for (FakeLoop* loop : {&first, &second})
      loop->set_chooser([&](size_t count) { return random() % count; });
    auto [a, b] = make_fake_streams(first, second);
    Recorder reader, writer;
    a->set_reader(&writer);
    b->set_reader(&reader);
    a->outward().window_bytes = 7;
    a->outward().take = [&](size_t offered) { return random() % (offered + 1); };
    a->outward().deliver = [&](size_t held) { return random() % held + 1; };
    std::string sent;
    for (int i = 0; i < 500; ++i) sent.push_back(static_cast<char>('a' + i % 26));
    size_t done = 0;
    while (done < sent.size()) {
      done += static_cast<size_t>(a->write(std::string_view(sent).substr(done)));
      if (random() % 2) first.step();
      if (random() % 2) second.step();
    }
    second.settle();
    EXPECT_EQ(reader.bytes, sent) << "seed " << seed;
  }
}

TEST(FakeLoop, TimersFireAtTheirTimes) {
  FakeLoop loop;
  struct Shot {
    FakeLoop* loop;
    base::Time at;
  } shot{&loop, 0};
  base::Timer timer([](void* owner, base::Time now) { static_cast<Shot*>(owner)->at = now; },
                    &shot);
  const base::Time deadline = loop.now() + 10 * base::kSecond;
  loop.timers().set(timer, deadline);
  loop.advance(base::kSecond);
  EXPECT_EQ(shot.at, 0);
  loop.advance(60 * base::kSecond);
  EXPECT_GE(shot.at, deadline);
  EXPECT_LE(shot.at, deadline + base::TimerWheel::kTick);
}

TEST(FakeLoop, LettersAreEventsOrAreHeld) {
  FakeLoop loop;
  int delivered = 0;
  loop.mailbox().post_call([&] { ++delivered; });
  loop.mailbox().post_call([&] { ++delivered; });
  loop.hold_letters(true);
  EXPECT_FALSE(loop.step());
  EXPECT_TRUE(loop.deliver_letter());
  EXPECT_EQ(loop.letters_waiting(), 1u);
  loop.hold_letters(false);
  loop.settle();
  EXPECT_EQ(delivered, 2);
}

}  // namespace
}  // namespace weir::fake
