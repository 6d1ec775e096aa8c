// The words of T-SQL that say what a text leaves behind, and how words are compared. Tables and
// pure functions, any thread.
#pragma once

#include <string_view>

#include "wire.h"

namespace weir::tds {

// Only ASCII is folded. `upper` is in upper case.
inline char16_t folded(char16_t c) {
  return c >= u'a' && c <= u'z' ? static_cast<char16_t>(c - 0x20) : c;
}
bool equals_folded(Bytes utf16, std::string_view upper);
bool starts_folded(Bytes utf16, std::string_view upper);

enum class Keyword : uint8_t {
  None,
  Call,  // of {call …}, which ODBC has
  With,
  Statement,  // begins one that leaves nothing; all below begin statements, too
  Alter,
  Begin,
  Break,
  Commit,
  Continue,
  Create,
  Dbcc,
  Declare,
  Execute,
  Goto,
  If,
  Insert,
  Open,
  Return,
  Rollback,
  Save,
  Set,
  SetUser,
  Throw,
  While,
};
constexpr bool begins_statement(Keyword keyword) { return keyword >= Keyword::Statement; }
Keyword keyword_of(Bytes utf16);

// What stands behind SET.
struct SetOption {
  enum class Kind : uint8_t {
    Switch,  // ON or OFF, as those of the next three
    Defaults,
    Kept,     // that are not carried
    Halting,  // the same, and what follows may not be executed
    Words,    // a list of words, each with a switch of its own
    Table,    // of a table
    Number,
    DateFormat,
    Language,
    Priority,
    Isolation,
    Context,
  };
  std::string_view name;
  Kind kind;
};
const SetOption* find_option(Bytes utf16);

}  // namespace weir::tds
