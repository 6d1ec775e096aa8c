// SELECT without a table: literals, and the functions that drivers ask for when they connect.
#include <charconv>

#include "table.h"

namespace weir::engine::console {

using pgserver::Lexed;
using pgserver::TokenKind;
using pgserver::TokenRange;

namespace {

namespace oid = pgserver::oid;

class SelectParser {
 public:
  SelectParser(const Lexed& lexed, TokenRange range, const pgserver::SessionInfo& session)
      : lexed_(lexed), i_(range.first + 1), end_(range.last), session_(session) {}

  base::Result<Table> run() {
    Table table;
    do {
      pgserver::Column column;
      if (!expression(column) || !alias(column)) return refused();
      table.columns.push_back(std::move(column));
    } while (take_symbol(","));
    if (i_ < end_) return refused();
    table.rows.push_back(std::move(row_));
    table.sets = std::move(sets_);
    return table;
  }

 private:
  static base::Error refused() {
    return {base::ErrorKind::Refused,
            "the console has no tables: SELECT takes literals and a few functions", "42601"};
  }
  bool at(TokenKind kind) const { return i_ < end_ && lexed_.tokens[i_].kind == kind; }
  bool take_symbol(std::string_view symbol) {
    if (i_ >= end_ || !pgserver::is_symbol(lexed_, i_, symbol)) return false;
    ++i_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (i_ >= end_ || !pgserver::is_word(lexed_, i_, word)) return false;
    ++i_;
    return true;
  }

  bool expression(pgserver::Column& column) {
    if (at(TokenKind::Number)) return number(column);
    if (!at(TokenKind::String)) return function(column);
    std::string text;
    column = {"?column?", oid::kText};
    if (!take_text(text)) return false;
    row_.text(std::move(text));
    return true;
  }

  bool number(pgserver::Column& column) {
    const std::string_view text = lexed_.view(i_++);
    int64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return false;
    const bool small = value <= INT32_MAX;
    column = {"?column?", small ? oid::kInt4 : oid::kInt8};
    row_.number(value);
    return true;
  }

  bool function(pgserver::Column& column) {
    if (take_word("pg_catalog") && !take_symbol(".")) return false;
    if (!at(TokenKind::Word)) return false;
    const std::string name = pgserver::identifier_of(lexed_, i_++);
    if (name == "set_config") return set_config(column);
    const bool called = take_symbol("(");
    if (called && !take_symbol(")")) return false;
    const bool bare = name == "current_user" || name == "session_user" || name == "user";
    if (called == bare && name != "current_schema" && name != "current_catalog") return false;
    column = {name, oid::kText};
    if (bare) {
      row_.text(session_.user);
    } else if (name == "version") {
      row_.text("PostgreSQL " + session_.settings.show("server_version").value_or("") +
                " (the console of weir)");
    } else if (name == "current_database" || name == "current_catalog") {
      row_.text(session_.database);
    } else if (name == "current_schema") {
      row_.text("public");
    } else if (name == "pg_backend_pid") {
      column.type = oid::kInt4;
      row_.number(session_.process_id);
    } else if (name == "pg_is_in_recovery") {
      column.type = oid::kBool;
      row_.number(0);
    } else {
      return false;
    }
    return true;
  }

  // set_config('name', 'value', false), as weir itself asks for what its client has set.
  bool set_config(pgserver::Column& column) {
    Setting setting;
    if (!take_symbol("(") || !take_text(setting.name) || !take_symbol(",") ||
        !take_text(setting.value) || !take_symbol(","))
      return false;
    setting.local = take_word("true");
    if ((!setting.local && !take_word("false")) || !take_symbol(")")) return false;
    column = {"set_config", oid::kText};
    row_.text(setting.value);
    sets_.push_back(std::move(setting));
    return true;
  }
  bool take_text(std::string& out) {
    if (!at(TokenKind::String)) return false;
    const auto text = pgserver::string_of(lexed_, i_++);
    if (text) out = *text;
    return text.has_value();
  }

  bool alias(pgserver::Column& column) {
    const bool as = take_word("as");
    if (!at(TokenKind::Word) && !at(TokenKind::QuotedWord)) return !as;
    if (!as && pgserver::is_word(lexed_, i_, "from")) return false;
    column.name = pgserver::identifier_of(lexed_, i_++);
    return true;
  }

  const Lexed& lexed_;
  size_t i_;
  size_t end_;
  const pgserver::SessionInfo& session_;
  Row row_;
  std::vector<Setting> sets_;
};

}  // namespace

base::Result<Table> select_table(std::string_view text, const pgserver::SessionInfo& session) {
  const Lexed lexed = pgserver::lex(text);
  const auto parts = pgserver::split_statements(lexed);
  return SelectParser(lexed, parts.at(0), session).run();
}

}  // namespace weir::engine::console
