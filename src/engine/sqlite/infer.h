// The types of a statement's parameters and result columns, as far as they can be told: declared
// types of columns where SQLite knows them, else a guess from the tokens. On the stack of whoever
// holds the handle.
#pragma once

#include <sqlite3.h>

#include <vector>

#include "compile.h"

namespace weir::engine::sqlite {

class Inference {
 public:
  // `given`: the types in Parse, 0 where there are none.
  Inference(const Compiled& compiled, sqlite3* db, std::vector<uint32_t> given)
      : compiled_(compiled), lexed_(compiled.lexed), db_(db), parameters_(std::move(given)) {}

  // One type for each parameter; text where nothing is known.
  std::vector<uint32_t> parameters();
  // `row`: the statement stands on a row, whose values tell what nothing else does.
  std::vector<pgserver::Column> columns(sqlite3_stmt* statement, bool row);

 private:
  struct Guess {
    uint32_t type = 0;  // 0: unknown
    int32_t modifier = -1;
    std::string name = {};  // empty: ?column?
  };
  Guess guess(TokenRange range, int nesting);
  Guess guess_single(size_t token);
  Guess guess_operators(TokenRange range, int nesting, bool& found);
  Guess guess_case(TokenRange range, int nesting);
  Guess guess_call(TokenRange range, int nesting);
  Guess guess_cast(TokenRange range, int nesting, bool& found);
  Guess column(const std::string& table, const std::string& name);
  uint32_t arithmetic(uint32_t left, uint32_t right) const;

  uint32_t parameter_type(size_t token);
  uint32_t left_operand(size_t behind);
  uint32_t right_operand(size_t from);
  uint32_t in_list(size_t open);
  void insert_targets();
  std::vector<std::string> columns_of(const std::string& table) const;

  bool is(size_t i, std::string_view word) const { return pgserver::is_word(lexed_, i, word); }
  bool symbol_is(size_t i, std::string_view symbol) const {
    return pgserver::is_symbol(lexed_, i, symbol);
  }
  bool operator_is(size_t i, std::string_view op) const {
    return i < lexed_.tokens.size() && lexed_.tokens[i].kind == TokenKind::Operator &&
           lexed_.view(i) == op;
  }
  bool is_name(size_t i) const {
    return i < lexed_.tokens.size() && (lexed_.tokens[i].kind == TokenKind::Word ||
                                        lexed_.tokens[i].kind == TokenKind::QuotedWord);
  }
  size_t closing(size_t open, size_t end) const;
  size_t opening(size_t close) const;

  const Compiled& compiled_;
  const Lexed& lexed_;
  sqlite3* db_;
  std::vector<uint32_t> parameters_;
};

}  // namespace weir::engine::sqlite
