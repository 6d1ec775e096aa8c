// Rows of auth.query, and the brake on failed logins.
#include <gtest/gtest.h>

#include "app/brake.h"
#include "app/lookups.h"

namespace weir::app {
namespace {

using base::kSecond;

constexpr int64_t kNow = 1'700'000'000;  // 2023-11-14 22:13:20

std::string secret_of(const Rows& rows) { return read_login("ada", rows, kNow).secret; }

TEST(AuthQuery, ReadsTheSecret) {
  EXPECT_EQ(secret_of({{"ada", "md5x"}}), "md5x");
  EXPECT_EQ(secret_of({{"ada", "md5x", std::nullopt, "t"}}), "md5x");
  EXPECT_EQ(secret_of({{"ada", "md5x", "infinity", "t"}}), "md5x");
}

TEST(AuthQuery, NobodyElsesRow) {
  EXPECT_EQ(secret_of({}), "");
  EXPECT_EQ(secret_of({{"bob", "md5x"}}), "");
  EXPECT_EQ(secret_of({{std::nullopt, "md5x"}}), "");
  EXPECT_EQ(secret_of({{"ada", "md5x"}, {"ada", "md5y"}}), "");
  EXPECT_EQ(secret_of({{"ada"}}), "");
}

TEST(AuthQuery, WhoMayNotLogIn) {
  EXPECT_EQ(secret_of({{"ada", std::nullopt}}), "");
  EXPECT_EQ(secret_of({{"ada", ""}}), "");
  EXPECT_EQ(secret_of({{"ada", "md5x", std::nullopt, "f"}}), "");
  EXPECT_EQ(secret_of({{"ada", "md5x", std::nullopt, std::nullopt}}), "");
}

TEST(AuthQuery, ATimeThatIsOver) {
  const auto until = [](const char* text) { return secret_of({{"ada", "md5x", text, "t"}}); };
  EXPECT_EQ(until("2023-11-14 22:13:20+00"), "");
  EXPECT_EQ(until("2023-11-14 22:13:21+00"), "md5x");
  EXPECT_EQ(until("2023-11-14 22:13:21.999+00"), "md5x");
  EXPECT_EQ(until("-infinity"), "");
  EXPECT_EQ(until("14/11/2093 22:13:21"), "");  // cannot be read
}

TEST(Brake, LetsGoWhenTheWindowIsOver) {
  Brake brake;
  brake.set_rules(3, 10 * kSecond);
  const auto brakes = [&](base::Time now, const char* peer = "10.0.0.1:5000") {
    return !brake.refusal(peer, "ada", now).text.empty();
  };
  for (base::Time now = 1; now <= 3; ++now) {
    EXPECT_FALSE(brakes(now));
    brake.failed("10.0.0.1:" + std::to_string(4000 + now), "ada", now);
  }
  EXPECT_TRUE(brakes(4));
  EXPECT_FALSE(brake.refusal("10.0.0.1:5000", "Ada", 4).text.empty());  // to a directory the same
  EXPECT_FALSE(brakes(4, "10.0.0.2:5000"));
  EXPECT_TRUE(brake.refusal("10.0.0.1:1", "bob", 4).text.empty());
  EXPECT_TRUE(brakes(10 * kSecond));
  EXPECT_FALSE(brakes(10 * kSecond + 1));
}

TEST(Brake, CanBeOff) {
  Brake brake;
  brake.set_rules(0, kSecond);
  for (int i = 0; i < 100; ++i) brake.failed("a:1", "ada", 1);
  EXPECT_TRUE(brake.refusal("a:1", "ada", 1).text.empty());
}

TEST(Brake, RemembersABoundedNumberOfPlaces) {
  Brake brake;
  brake.set_rules(1, kSecond);
  for (size_t i = 0; i < 3 * Brake::kPlacesMax; ++i) brake.failed("a", std::to_string(i), 1);
  EXPECT_FALSE(brake.refusal("a", std::to_string(3 * Brake::kPlacesMax - 1), 1).text.empty());
}

}  // namespace
}  // namespace weir::app
