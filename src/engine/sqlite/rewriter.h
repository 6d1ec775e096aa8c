// The rewriting of one statement, token by token: each token keeps its text, is replaced or
// dropped, and may get something before or behind it. Used by compile() alone, on its stack.
#pragma once

#include "compile.h"

namespace weir::engine::sqlite {

class Rewriter {
 public:
  Rewriter(Compiled& compiled, TokenRange range);
  void run();

 private:
  // rewriter.cpp
  void expressions(size_t from, size_t to);
  void token(size_t i);
  void word(size_t i);
  void symbol(size_t i);
  void operation(size_t i);
  void cast(size_t i);
  void cast_call(size_t i);
  bool typed_literal(size_t i);
  bool any_array(size_t i);
  bool keyword_function(size_t i);
  void limit(size_t i);
  void row_lock(size_t i);
  size_t primary_start(size_t last) const;
  bool wrap(size_t from, size_t to, const TypeName& type);

  // rewrite_define.cpp
  void define();
  void create(size_t i);
  void create_table(size_t i);
  void table_element(size_t from, size_t to);
  void column_definition(size_t from, size_t to);
  size_t column_type(size_t from, size_t to);
  void column_default(size_t from, size_t to);
  std::vector<TokenRange> elements(size_t from, size_t to) const;
  void create_index(size_t i);
  void drop_objects(size_t i);
  void alter_table(size_t i);
  void add_constraint(const std::string& table, size_t i);
  void finish(std::string tag);
  void truncate(size_t i);

  // rewrite_copy.cpp
  void copy_statement();
  bool copy_option(size_t& i);

  // survey.cpp: what the statement is made of
  void find_tables();
  void find_items();
  void add_item(size_t from, size_t to);

  bool is(size_t i, std::string_view word) const {
    return i < last_ && pgserver::is_word(lexed_, i, word);
  }
  bool symbol_is(size_t i, std::string_view symbol) const {
    return i < last_ && pgserver::is_symbol(lexed_, i, symbol);
  }
  bool operator_is(size_t i, std::string_view op) const {
    return i < last_ && lexed_.tokens[i].kind == TokenKind::Operator && lexed_.view(i) == op;
  }
  bool is_name(size_t i) const {
    return i < last_ && (lexed_.tokens[i].kind == TokenKind::Word ||
                         lexed_.tokens[i].kind == TokenKind::QuotedWord);
  }
  std::string name_at(size_t& i) const;  // name or schema.name, without public and pg_catalog
  size_t match(size_t i) const { return match_[i - first_]; }
  size_t depth(size_t i) const { return depth_[i - first_]; }
  size_t find_word(size_t from, std::string_view word, size_t at_depth) const;

  // Beyond the end there is nothing to replace: what is missing there is found by SQLite.
  void replace(size_t i, std::string text) {
    if (i < last_) parts_[i - first_].text = std::move(text);
  }
  void drop(size_t from, size_t to) {
    for (size_t i = from; i < to && i < last_; ++i) replace(i, "");
  }
  void refuse(std::string_view sqlstate, std::string message, size_t i);
  void refuse_near(size_t i);
  std::string joined(size_t from, size_t to) const;

  struct Part {
    std::optional<std::string> text;  // absent: as it is
    std::string before;
    std::string behind;
  };
  Compiled& out_;
  const Lexed& lexed_;
  size_t first_;
  size_t last_;
  std::vector<Part> parts_;
  std::vector<std::string> key_columns_;  // of a table's PRIMARY KEY (…)
  std::vector<size_t> match_;             // of ( and ), as token indexes; npos: none
  std::vector<size_t> depth_;             // parentheses around the token
  size_t offsets_ = 0;
  std::vector<std::pair<size_t, size_t>>
      casts_;  // last token of a cast's type -> first token of the cast
};

}  // namespace weir::engine::sqlite
