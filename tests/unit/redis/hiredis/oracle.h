// What the comparisons with hiredis share: rounds from a seed, random bytes, pieces of them.
// WEIR_ORACLE_SEED=<n> repeats a round that has failed.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace weir::redis::oracle {

using Random = std::mt19937_64;

// Calls `round` with numbers that a seed makes; a failure says which.
template <class Round>
void in_rounds(int rounds, Round round) {
  const char* given = std::getenv("WEIR_ORACLE_SEED");
  const uint64_t first = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::cout << "seeds from " << first << "\n";
  for (uint64_t seed = first; seed < first + static_cast<uint64_t>(given ? 1 : rounds); ++seed) {
    SCOPED_TRACE("WEIR_ORACLE_SEED=" + std::to_string(seed));
    Random random(seed);
    round(random);
    if (testing::Test::HasFailure()) return;
  }
}

inline size_t below(Random& random, size_t limit) { return random() % limit; }

inline std::string random_bytes(Random& random, size_t size) {
  std::string out(size, '\0');
  // Line ends and what looks like a head are frequent: they are what can go wrong.
  constexpr std::string_view kLikely("\r\n*$:+-15\0", 10);
  for (char& c : out)
    c = below(random, 3) == 0 ? kLikely[below(random, kLikely.size())]
                              : static_cast<char>(random());
  return out;
}

inline size_t random_size(Random& random) {
  switch (below(random, 20)) {
    case 0: return below(random, 100'000);
    case 1: return below(random, 3'000);
    default: return below(random, 40);
  }
}

// Pieces of one byte, of a few, of many, or all at once.
inline std::vector<std::string> split(Random& random, const std::string& bytes) {
  constexpr std::array<size_t, 4> kPieces = {1, 8, 2'000, 1'000'000};
  size_t most = kPieces[below(random, kPieces.size())];
  if (bytes.size() / most > 10'000) most = 2'000;
  std::vector<std::string> out;
  for (size_t at = 0; at < bytes.size(); at += out.back().size())
    out.push_back(bytes.substr(at, 1 + below(random, most)));
  return out;
}

}  // namespace weir::redis::oracle
