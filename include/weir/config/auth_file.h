// What pg_hba.conf and pg_ident.conf have in common: where the files that they include come from,
// and the names of databases and users in them. Values; compared on any thread.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/result.h>

namespace weir::config {

// Empty functions stand for the files on disk. Tests give files of their own.
struct AuthFiles {
  // The text of a file; nullopt when there is none of that name.
  std::function<base::Result<std::optional<std::string>>(const std::string& file)> read = {};
  // The names of the files in a directory, in any order.
  std::function<base::Result<std::vector<std::string>>(const std::string& directory)> list = {};
};

// The roles that a user is a member of, directly or not. Absent where nobody has asked yet.
using Groups = std::set<std::string>;

enum class Fit : uint8_t { No, Yes, NeedsGroups };

// A regular expression as PostgreSQL's files have it, without what costs more than it is worth:
//
//   text . [a-z] [^[:alpha:]] ( ) (?: ) | * + ? {m} {m,} {m,n} ^ $ \d \w \s \D \W \S \.
//
// Letters are ASCII's and a character is a byte, as in a server that reads its files. Of the
// matches the leftmost counts, of these the longest; the first group in it is as long as it can be.
// Names come from anybody: no name makes it try one way after the other, and time is bounded by the
// lengths of both.
class NamePattern {
 public:
  static constexpr size_t kBytesMax = 255;      // of the expression
  static constexpr size_t kNameBytesMax = 255;  // a longer name does not match

  static base::Result<NamePattern> compile(std::string_view text);

  struct Match {
    size_t begin = 0;
    size_t end = 0;
    std::optional<std::string_view> group = {};  // \1
  };
  std::optional<Match> find(std::string_view name) const;
  bool has_group() const { return group_ != kNone; }
  // \1 of a group that is repeated, as in (a|b)*, has no place; only find() of others tells it.
  bool is_group_repeated() const { return is_group_repeated_; }

  // A tree; the root is the last node. Group and Repeat have a left side only.
  struct Node {
    enum class Kind : uint8_t { Empty, Begin, End, Bytes, Group, Concat, Either, Repeat };
    Kind kind = Kind::Empty;
    std::bitset<256> bytes = {};
    uint16_t left = 0, right = 0;
    uint16_t min = 0, max = 0;  // of Repeat; kNone: without an end
    bool operator==(const Node&) const = default;
  };
  static constexpr uint16_t kNone = 0xffff;
  bool operator==(const NamePattern&) const = default;

 private:
  std::vector<Node> nodes_;
  uint16_t group_ = kNone;  // the node of the first one
  bool is_group_repeated_ = false;
};

// One word of a list of databases or users.
struct NameRule {
  enum class Kind : uint8_t {
    Name,
    All,
    Group,     // +group; `text` is the group's name
    Pattern,   // /expression
    SameUser,  // of databases only, as the two below
    SameRole,
    Replication,  // matches physical replication and nothing else; nothing else matches that
  };
  Kind kind = Kind::Name;
  std::string text;
  std::optional<NamePattern> pattern = {};
  bool operator==(const NameRule&) const = default;
};

}  // namespace weir::config
