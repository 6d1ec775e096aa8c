// The reading of a NamePattern's text. Lives for one compile().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <weir/config/auth_file.h>

namespace weir::config {

// Recursive descent; each function reads what it is named after and returns its node. After an
// error nothing more is read and error() says what was wrong.
class PatternReader {
 public:
  using Node = NamePattern::Node;

  explicit PatternReader(std::string_view text) : rest_(text) {}
  uint16_t whole();
  const std::string& error() const { return error_; }

  std::vector<Node> nodes;
  uint16_t group = NamePattern::kNone;
  bool is_group_repeated = false;

 private:
  uint16_t either();
  uint16_t branch();
  uint16_t repeated();
  uint16_t atom();
  uint16_t parentheses();
  uint16_t escape();
  uint16_t brackets();
  void bracket_item(std::bitset<256>& set);
  void bracket_class(std::bitset<256>& set);
  int bracket_byte();
  bool read_bounds(Node& repeat);
  int number();

  bool at(char c) const { return rest_.starts_with(c); }
  bool at_bound() const;
  bool take(std::string_view text);
  uint16_t add(Node node);
  uint16_t fail(std::string expected);

  std::string_view rest_;
  std::string error_;
  bool has_group_ = false;
};

}  // namespace weir::config
