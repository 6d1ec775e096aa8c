// Interned texts: one node for equal texts, gone with the last handle, from any thread.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include <weir/base/intern.h>

namespace weir::base {
namespace {

TEST(Intern, EqualTextsAreOneNode) {
  InternTable table;
  const Interned a = table.intern("select 1"), b = table.intern("select 1"),
                 c = table.intern("select 2");
  EXPECT_EQ(a, b);
  EXPECT_EQ(a.id(), b.id());
  EXPECT_EQ(a.view().data(), b.view().data());
  EXPECT_FALSE(a == c);
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(c.view(), "select 2");
}

TEST(Intern, ANodeGoesWithItsLastHandle) {
  InternTable table;
  Interned a = table.intern("x");
  const uint64_t id = a.id();
  Interned b = a;
  Interned moved = std::move(a);
  EXPECT_FALSE(a);  // NOLINT: a handle that was moved from is empty
  moved = Interned();
  EXPECT_EQ(table.size(), 1u);
  b = table.intern("y");
  EXPECT_EQ(table.size(), 1u);
  const Interned again = table.intern("x");
  EXPECT_NE(again.id(), id);
}

TEST(Intern, EmptyAndBinaryTexts) {
  InternTable table;
  const Interned none, empty = table.intern(""), binary = table.intern(std::string_view("a\0b", 3));
  EXPECT_FALSE(none);
  EXPECT_TRUE(empty);
  EXPECT_FALSE(none == empty);
  EXPECT_EQ(none.id(), 0u);
  EXPECT_EQ(binary.view().size(), 3u);
  Interned self = binary;
  self = *&self;
  EXPECT_EQ(self, binary);
}

TEST(Intern, ManyThreadsOnFewTexts) {
  InternTable table;
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed)
    threads.emplace_back([&table, seed] {
      std::mt19937 random(seed);
      std::vector<Interned> held(4);
      for (int i = 0; i < 20'000; ++i) {
        const std::string text = "statement " + std::to_string(random() % 5);
        Interned& place = held[random() % held.size()];
        place = table.intern(text);
        if (place.view() != text) std::abort();
        if (random() % 3 == 0) place = held[random() % held.size()];
        if (random() % 3 == 0) held[random() % held.size()] = Interned();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table.size(), 0u);
}

}  // namespace
}  // namespace weir::base
