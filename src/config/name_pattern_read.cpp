// From an expression's text to its tree. PostgreSQL's chapter "Pattern Matching", section "Regular
// Expression Details" is what it reads, without back references, constraints on what surrounds a
// place, options inside the expression and the repetitions that want as little as they can.
#include <algorithm>
#include <array>
#include <cctype>

#include "name_pattern.h"

namespace weir::config {

namespace {

using Set = std::bitset<256>;
using Node = NamePattern::Node;
using Kind = Node::Kind;

constexpr int kBoundMax = 255;  // PostgreSQL's DUPMAX

struct Class {
  std::string_view name;
  int (*has)(int);
};
constexpr std::array<Class, 12> kClasses{{{"alnum", std::isalnum},
                                          {"alpha", std::isalpha},
                                          {"blank", std::isblank},
                                          {"cntrl", std::iscntrl},
                                          {"digit", std::isdigit},
                                          {"graph", std::isgraph},
                                          {"lower", std::islower},
                                          {"print", std::isprint},
                                          {"punct", std::ispunct},
                                          {"space", std::isspace},
                                          {"upper", std::isupper},
                                          {"xdigit", std::isxdigit}}};

bool is_quantifier(char c) { return c == '*' || c == '+' || c == '?'; }
bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 128 && (std::isalnum(byte) || c == '_');
}

bool add_class(std::string_view name, Set& set) {
  for (const Class& known : kClasses) {
    if (known.name != name) continue;
    for (int byte = 0; byte < 128; ++byte)
      if (known.has(byte)) set.set(static_cast<size_t>(byte));
    return true;
  }
  return false;
}

// \d \w \s, the same letter in capitals being all the rest. False for another letter.
bool add_shorthand(char letter, Set& set) {
  Set of_letter;
  const char lower = static_cast<char>(letter | 0x20);
  if (lower != 'd' && lower != 'w' && lower != 's') return false;
  add_class(lower == 'd' ? "digit" : lower == 'w' ? "alnum" : "space", of_letter);
  if (lower == 'w') of_letter.set('_');
  set |= lower == letter ? of_letter : ~of_letter;
  return true;
}

Node bytes_node(const Set& set) { return {.kind = Kind::Bytes, .bytes = set}; }
Set only(char c) { return Set().set(static_cast<unsigned char>(c)); }

}  // namespace

bool PatternReader::take(std::string_view text) {
  if (!rest_.starts_with(text)) return false;
  rest_.remove_prefix(text.size());
  return true;
}

// Without a digit behind it, { is a character like any other.
bool PatternReader::at_bound() const {
  return at('{') && rest_.size() > 1 && std::isdigit(static_cast<unsigned char>(rest_[1]));
}

uint16_t PatternReader::add(Node node) {
  nodes.push_back(node);
  return static_cast<uint16_t>(nodes.size() - 1);
}

uint16_t PatternReader::fail(std::string expected) {
  if (error_.empty()) error_ = "expected " + std::move(expected);
  rest_ = {};
  return add({});
}

uint16_t PatternReader::whole() {
  if (rest_.find('\0') != std::string_view::npos) return fail("an expression without a zero byte");
  if (rest_.size() > NamePattern::kBytesMax)
    return fail("an expression of at most " + std::to_string(NamePattern::kBytesMax) + " bytes");
  const uint16_t root = either();
  if (at(')')) return fail("a ( before the )");
  return root;
}

// branch | branch | …
uint16_t PatternReader::either() {
  const uint16_t left = branch();
  if (!take("|")) return left;
  const uint16_t right = either();
  return add({.kind = Kind::Either, .left = left, .right = right});
}

// The first atom has the first choice of how much it takes, then the next: so the tree leans right.
uint16_t PatternReader::branch() {
  if (rest_.empty() || at('|') || at(')')) return add({});
  const uint16_t left = repeated();
  if (rest_.empty() || at('|') || at(')')) return left;
  const uint16_t right = branch();
  return add({.kind = Kind::Concat, .left = left, .right = right});
}

uint16_t PatternReader::repeated() {
  const bool is_place = at('^') || at('$');
  const bool had_group = has_group_;
  const uint16_t once = atom();
  Node repeat{.kind = Kind::Repeat, .left = once};
  if (!read_bounds(repeat)) return once;
  if (is_place) return fail("nothing repeated behind ^ or $");
  if (at_bound() || (!rest_.empty() && is_quantifier(rest_[0])))
    return fail("one repetition alone; those that take as little as they can are not supported");
  if (repeat.max == 1 && repeat.min == 0) {  // as a choice, with a place for a group inside
    const uint16_t nothing = add({});
    return add({.kind = Kind::Either, .left = once, .right = nothing});
  }
  if (has_group_ && !had_group) is_group_repeated = true;
  return add(repeat);
}

// False when no repetition follows.
bool PatternReader::read_bounds(Node& repeat) {
  repeat.max = NamePattern::kNone;
  if (take("*")) return true;
  if (take("+")) {
    repeat.min = 1;
    return true;
  }
  if (take("?")) {
    repeat.max = 1;
    return true;
  }
  if (!at_bound()) return false;
  rest_.remove_prefix(1);
  const int min = number();
  int max = min;
  const bool is_open = take(",") && at('}');
  if (!is_open && !at('}')) max = number();
  if (!take("}") || min > kBoundMax || max > kBoundMax || (!is_open && min > max)) {
    fail("{m}, {m,} or {m,n} of at most 255");
    return false;
  }
  repeat.min = static_cast<uint16_t>(min);
  if (!is_open) repeat.max = static_cast<uint16_t>(max);
  return true;
}

// One too large where it is none.
int PatternReader::number() {
  size_t digits = 0;
  int value = 0;
  while (digits < rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[digits])))
    value = std::min(value * 10 + (rest_[digits++] - '0'), kBoundMax + 1);
  rest_.remove_prefix(digits);
  return digits == 0 ? kBoundMax + 1 : value;
}

uint16_t PatternReader::atom() {
  const char c = rest_[0];
  if (is_quantifier(c) || at_bound()) return fail(std::string("something to repeat before ") + c);
  rest_.remove_prefix(1);
  switch (c) {
    case '^': return add({.kind = Kind::Begin});
    case '$': return add({.kind = Kind::End});
    case '.': return add(bytes_node(~Set()));
    case '(': return parentheses();
    case '[': return brackets();
    case '\\': return escape();
    default: return add(bytes_node(only(c)));
  }
}

uint16_t PatternReader::parentheses() {
  const bool is_plain = take("?:");
  if (at('?')) return fail("( or (?: and no other (?");
  const bool is_first = !is_plain && !has_group_;
  if (is_first) has_group_ = true;
  const uint16_t inside = either();
  if (!take(")")) return fail("a ) behind the (");
  if (!is_first) return inside;
  group = add({.kind = Kind::Group, .left = inside});
  return group;
}

uint16_t PatternReader::escape() {
  if (rest_.empty()) return fail("a character behind the \\");
  const char c = rest_[0];
  rest_.remove_prefix(1);
  Set set;
  if (!is_word(c) || c == '_') return add(bytes_node(only(c)));
  if (add_shorthand(c, set)) return add(bytes_node(set));
  return fail(std::string("no \\") + c +
              " in the expression: \\d \\w \\s \\D \\W \\S are supported");
}

// Behind the [.
uint16_t PatternReader::brackets() {
  const bool is_all_but = take("^");
  Set set;
  for (bool first = true; first || !at(']'); first = false) {
    if (rest_.empty()) return fail("a ] behind the [");
    bracket_item(set);
  }
  take("]");
  return add(bytes_node(is_all_but ? ~set : set));
}

// A class, a character, or a range of them.
void PatternReader::bracket_item(Set& set) {
  if (take("[:")) return bracket_class(set);
  if (at('\\') && rest_.size() > 1 && add_shorthand(rest_[1], set)) {
    if (std::isupper(static_cast<unsigned char>(rest_[1])))
      fail("no \\D, \\W or \\S between [ and ]");
    else
      rest_.remove_prefix(2);
    return;
  }
  const int from = bracket_byte();
  const bool is_range = rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']';
  if (is_range) rest_.remove_prefix(1);
  const int to = is_range ? bracket_byte() : from;
  if (from > to) fail("a range between [ and ] that goes upwards");
  for (int byte = from; byte <= to; ++byte) set.set(static_cast<size_t>(byte));
}

void PatternReader::bracket_class(Set& set) {
  const size_t end = rest_.find(":]");
  if (end == std::string_view::npos || !add_class(rest_.substr(0, end), set)) {
    fail("a class such as [:alnum:]");
    return;
  }
  rest_.remove_prefix(end + 2);
}

int PatternReader::bracket_byte() {
  if (rest_.starts_with("[.") || rest_.starts_with("[=") || rest_.starts_with("[:")) {
    fail("a character, and neither [. nor [= nor [: here");
    return 0;
  }
  if (take("\\") && (rest_.empty() || (is_word(rest_[0]) && rest_[0] != '_'))) {
    fail("\\d, \\w, \\s or \\ and a sign between [ and ]");
    return 0;
  }
  const auto byte = static_cast<unsigned char>(rest_[0]);
  rest_.remove_prefix(1);
  return byte;
}

}  // namespace weir::config
