// Lines of the log that may come by the thousand.
#include <weir/base/sparing.h>

#include <gtest/gtest.h>

namespace weir::base {
namespace {

TEST(Sparing, OneASecondWithTheNumberOfTheOthers) {
  Sparing sparing;
  EXPECT_EQ(sparing.ending(5), "");
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(sparing.ending(6 + i), std::nullopt);
  EXPECT_EQ(sparing.ending(5 + kSecond), " (1000 more since the last such line)");
  EXPECT_EQ(sparing.ending(6 + kSecond), std::nullopt);
  EXPECT_EQ(sparing.ending(9 * kSecond), " (1 more since the last such line)");
  EXPECT_EQ(sparing.ending(11 * kSecond), "");
}

}  // namespace
}  // namespace weir::base
