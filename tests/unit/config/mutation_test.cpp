// Whatever a file contains, loading it ends, with a Config or with problems, and without an
// exception.
#include <random>

#include "sample.h"

namespace weir::config {
namespace {

const std::string kWhole =
    "workers: auto\nlog: {level: info, slow_query: 1s}\ninclude: [none/*.yaml]\n"
    "listeners:\n  - {protocol: postgres, address: \"[::1]:6432\"}\n"
    "  - protocol: redis\n    address: unix:/x\n    mode: \"0770\"\n"
    "admin: {users: [a, b]}\nauth: {method: md5}\n"
    "users:\n  app: &app\n    password: |\n      two\n      lines\n    pool: {size: 5}\n  ann: "
    "*app\n"
    "hosts: {\"db1:5432\": {max_server_connections: 90}}\n"
    "defaults:\n  pool:\n    retry: {min: 250ms, max: 15s}\n    mode: transaction\n"
    "databases:\n  app:\n    url: postgres://u:p%40@db1,db2:6000/main?sslmode=allow\n"
    "    settings: {search_path: app}\n"
    "  cache: {url: \"redis://c/3\", lanes: 4}\n  \"*\": {url: \"postgres://${SIZE}\"}\n";

std::string mutated(std::mt19937& random) {
  static const std::string kBytes = std::string(":-{}[]\"'\n\t &*!|>%@#,?0a~$\\\xff") + '\0';
  std::string text = kWhole;
  const auto below = [&](size_t bound) { return random() % bound; };
  for (size_t count = 1 + below(6); count > 0; --count) {
    const size_t at = below(text.size());
    switch (below(4)) {
      case 0: text[at] = kBytes[below(kBytes.size())]; break;
      case 1: text.insert(at, 1, kBytes[below(kBytes.size())]); break;
      case 2: text.erase(at, 1 + below(12)); break;
      default: text.insert(at, text.substr(below(text.size()), below(40))); break;
    }
    if (text.empty()) text = "a";
  }
  return text;
}

TEST(Mutation, LoadingAlwaysEnds) {
  ASSERT_TRUE(load_sample(kWhole)) << load_sample(kWhole).report();
  const unsigned seed = 20;
  std::mt19937 random(seed);
  size_t fine = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::string text = mutated(random);
    Loaded loaded;
    ASSERT_NO_THROW(loaded = load_sample(text)) << "seed " << seed << '\n' << text;
    for (const Problem& problem : loaded.problems) {
      ASSERT_GE(problem.line, 1) << text;
      ASSERT_GE(problem.column, 1) << text;
      ASSERT_FALSE(problem.expected.empty()) << text;
    }
    fine += loaded ? 1 : 0;
  }
  EXPECT_GT(fine, 0u);
}

}  // namespace
}  // namespace weir::config
