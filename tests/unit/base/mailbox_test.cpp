// The chain of letters.
#include <gtest/gtest.h>

#include <string>

#include <weir/base/mailbox.h>

namespace weir::base {
namespace {

struct Note final : Letter {
  Note(std::string* to, char name) : out(to), letter(name) {}
  ~Note() override { *out += static_cast<char>(letter - 'a' + 'A'); }
  void deliver() override { *out += letter; }
  std::string* out;
  char letter;
};

TEST(LetterQueue, FirstInFirstOut) {
  std::string out;
  LetterQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.pop(), nullptr);
  for (int round = 0; round < 2; ++round) {
    queue.push(std::make_unique<Note>(&out, 'a'));
    queue.push(std::make_unique<Note>(&out, 'b'));
    while (auto letter = queue.pop()) letter->deliver();
    EXPECT_TRUE(queue.empty());
  }
  EXPECT_EQ(out, "aAbBaAbB");
}

TEST(LetterQueue, SwapsAndDestroysWhatIsLeft) {
  std::string out;
  {
    LetterQueue queue;
    {
      LetterQueue other;
      queue.push(std::make_unique<Note>(&out, 'a'));
      other.swap(queue);
      EXPECT_TRUE(queue.empty());
      queue.push(std::make_unique<Note>(&out, 'b'));
      other.push(std::make_unique<Note>(&out, 'c'));
      queue.swap(other);
    }
    EXPECT_EQ(out, "B");
  }
  EXPECT_EQ(out, "BAC");
}

TEST(Mailbox, CallsMayOwnWhatTheyCarry) {
  struct Here final : Mailbox {
    void post(std::unique_ptr<Letter> letter) override { queue.push(std::move(letter)); }
    LetterQueue queue;
  } mailbox;
  int got = 0;
  mailbox.post_call([&got, carried = std::make_unique<int>(7)] { got = *carried; });
  mailbox.queue.pop()->deliver();
  EXPECT_EQ(got, 7);
}

}  // namespace
}  // namespace weir::base
