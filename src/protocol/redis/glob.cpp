#include "glob.h"

#include <algorithm>
#include <utility>

namespace weir::redis {

namespace {

constexpr size_t kStarsMax = 1000;  // behind so many a server gives up, too

// What a pattern begins with, which stands for one byte: how long it is, and whether that is `c`.
struct Element {
  size_t bytes = 0;
  bool fits = false;
};

// "[...", also without an end. A server compares bytes as signed numbers.
Element read_class(Bytes pattern, char c) {
  const auto number = [](char each) { return static_cast<signed char>(each); };
  size_t i = 1;
  const bool inverted = i < pattern.size() && pattern[i] == '^';
  if (inverted) ++i;
  bool fits = false;
  for (; i < pattern.size() && pattern[i] != ']'; ++i) {
    const size_t left = pattern.size() - i;
    if (pattern[i] == '\\' && left >= 2) {
      fits = fits || pattern[++i] == c;
    } else if (left >= 3 && pattern[i + 1] == '-') {
      auto [low, high] = std::minmax({number(pattern[i]), number(pattern[i + 2])});
      fits = fits || (low <= number(c) && number(c) <= high);
      i += 2;
    } else {
      fits = fits || pattern[i] == c;
    }
  }
  return {std::min(i + 1, pattern.size()), fits != inverted};
}

Element read_element(Bytes pattern, char c) {
  switch (pattern[0]) {
    case '?': return {1, true};
    case '[': return read_class(pattern, c);
    case '\\':
      if (pattern.size() > 1) return {2, pattern[1] == c};
      return {1, c == '\\'};
    default: return {1, pattern[0] == c};
  }
}

size_t stars(Bytes pattern) { return std::min(pattern.find_first_not_of('*'), pattern.size()); }

}  // namespace

// What stands between two stars is taken at the first place where it fits: no later one leaves more
// to what follows.
bool fits_pattern(Bytes text, Bytes pattern, size_t& steps) {
  if (text.empty()) return pattern.empty();  // not even "*" fits nothing
  Bytes part = pattern;                      // behind the last star
  Bytes start = text;                        // where that part is tried
  size_t runs = 0;                           // of stars
  while (!text.empty()) {
    if (const size_t some = stars(pattern); some > 0) {
      pattern.remove_prefix(some);
      steps -= std::min(steps, some);
      if (pattern.empty()) return true;
      if (++runs > kStarsMax) return false;
      part = pattern;
      start = text;
    }
    const Element next =
        pattern.empty() ? Element{} : read_element(pattern.substr(0, steps + 1), text[0]);
    if (steps <= next.bytes) return steps = 0, false;
    steps -= next.bytes + 1;
    if (next.fits) {
      pattern.remove_prefix(next.bytes);
      text.remove_prefix(1);
      continue;
    }
    if (runs == 0) return false;
    start.remove_prefix(1);
    text = start;
    pattern = part;
  }
  return stars(pattern) == pattern.size();
}

}  // namespace weir::redis
