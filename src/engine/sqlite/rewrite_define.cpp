// CREATE, DROP, ALTER and TRUNCATE. A declared type decides how SQLite stores what is put into a
// column, so names that would mislead it get a second word: "timestamptz text", "bytea blob"
// (SQLite's datatype3.html, 3.1).
#include <algorithm>

#include "rewriter.h"

namespace weir::engine::sqlite {

namespace oid = pgserver::oid;

// Takes what has been rewritten as the one text of the statement.
void Rewriter::finish(std::string tag) {
  out_.tag = std::move(tag);
  out_.sql.push_back(joined(first_, last_));
}

void Rewriter::define() {
  out_.verb = Verb::Define;
  out_.writes = true;
  out_.defines = true;
  if (is(first_, "create")) return create(first_ + 1);
  if (is(first_, "drop")) return drop_objects(first_ + 1);
  if (is(first_, "alter")) return alter_table(first_ + 1);
  truncate(first_ + 1);
}

void Rewriter::create(size_t i) {
  bool replaces = false;
  if (is(i, "or") && is(i + 1, "replace")) {
    replaces = true;
    drop(i, i + 2);
    i += 2;
  }
  if (is(i, "local") || is(i, "global")) replace(i++, "");
  if (is(i, "temp") || is(i, "temporary"))
    return refuse("0A000", "temporary objects are not supported", i);
  if (is(i, "unlogged")) replace(i++, "");
  if (is(i, "table")) return create_table(i + 1);
  if (is(i, "index") || (is(i, "unique") && is(i + 1, "index")))
    return create_index(is(i, "index") ? i + 1 : i + 2);
  if (!is(i, "view")) {
    if (!is_name(i)) return refuse_near(i);
    std::string what(lexed_.view(i));
    std::transform(what.begin(), what.end(), what.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return refuse("0A000", "CREATE " + what + " is not supported", i);
  }
  if (replaces) {
    size_t name = i + 1;
    out_.sql.push_back("DROP VIEW IF EXISTS " + pgserver::quoted_identifier(name_at(name)));
  }
  if (size_t as = find_word(i, "as", 0); as != std::string::npos) {
    const size_t with = find_word(as, "with", 0);
    if (with != std::string::npos && (is(with + 1, "no") || is(with + 1, "data")))
      drop(with, last_);
  }
  expressions(i, last_);
  finish("CREATE VIEW");
}

// ---------------------------------------------------------------- CREATE TABLE

// The parts between commas of what stands in parentheses.
std::vector<TokenRange> Rewriter::elements(size_t from, size_t to) const {
  std::vector<TokenRange> parts;
  const size_t inside = from < to ? depth(from) : 0;
  size_t begin = from;
  for (size_t i = from; i <= to; ++i) {
    if (i < to && !(symbol_is(i, ",") && depth(i) == inside)) continue;
    parts.push_back({begin, i});
    begin = i + 1;
  }
  return parts;
}

void Rewriter::create_table(size_t i) {
  if (is(i, "if")) i += 3;
  size_t open = i;
  const std::string name = name_at(open);
  if (name.empty()) return refuse_near(i);
  expressions(i, open);
  if (!symbol_is(open, "(") || match(open) == std::string::npos || is(open + 1, "select")) {
    if (!is(open, "as")) return refuse_near(open);
    out_.verb = Verb::CreateTableAs;
    const size_t with = find_word(open, "with", 0);
    if (with != std::string::npos && with > open + 1 &&
        (is(with + 1, "no") || is(with + 1, "data"))) {
      if (is(with + 1, "no"))
        return refuse("0A000", "CREATE TABLE AS … WITH NO DATA is not supported", with);
      drop(with, last_);
    }
    expressions(open, last_);
    return finish("SELECT");
  }
  const size_t close = match(open);
  for (size_t k = close + 1; k < last_; ++k) {
    if (is(k, "inherits") || is(k, "partition"))
      return refuse("0A000", "inheritance and partitions are not supported", k);
    if (is(k, "as"))
      return refuse("0A000", "CREATE TABLE AS with column names is not supported", k);
  }
  drop(close + 1, last_);  // WITH (fillfactor…), TABLESPACE, USING, ON COMMIT
  const auto parts = elements(open + 1, close);
  for (const TokenRange& part : parts) {
    const size_t at = is(part.first, "constraint") ? part.first + 2 : part.first;
    if (!is(at, "primary") || !symbol_is(at + 2, "(")) continue;
    for (size_t k = at + 3; k < match(at + 2); ++k)
      if (is_name(k)) key_columns_.push_back(pgserver::identifier_of(lexed_, k));
  }
  for (const TokenRange& part : parts) table_element(part.first, part.last);
  finish("CREATE TABLE");
}

void Rewriter::table_element(size_t from, size_t to) {
  if (from >= to) return refuse_near(from);
  for (const std::string_view word : {"exclude", "like"})
    if (is(from, word))
      return refuse("0A000", pgserver::lower_case(lexed_.view(from)) + " is not supported here",
                    from);
  for (const std::string_view word : {"constraint", "primary", "unique", "check", "foreign"})
    if (is(from, word)) return expressions(from, to);
  column_definition(from, to);
}

// name type [constraints]
void Rewriter::column_definition(size_t from, size_t to) {
  if (!is_name(from)) return refuse_near(from);
  expressions(from, from + 1);
  const size_t after_type = column_type(from, to);
  for (size_t i = after_type; i < to && !out_.refused; ++i) {
    if (depth(i) != depth(from) || lexed_.tokens[i].kind != TokenKind::Word) continue;
    if (is(i, "collate")) {
      size_t end = i + 1;
      name_at(end);
      drop(i, end);
    } else if (is(i, "default")) {
      column_default(i, to);
    } else if (is(i, "generated")) {
      const size_t as = find_word(i, "as", depth(from));
      if (as == std::string::npos || as >= to || !is(as + 1, "identity")) continue;
      size_t end = as + 2;
      if (symbol_is(end, "(") && match(end) != std::string::npos) end = match(end) + 1;
      drop(i, end);
      i = end - 1;
    }
  }
  expressions(after_type, to);
}

// Writes the type of the column at `from` as SQLite has to see it. Returns the token behind it.
size_t Rewriter::column_type(size_t from, size_t to) {
  const auto type = read_type(lexed_, from + 1, to);
  if (!type) return refuse("42601", "a column needs a type", from), to;
  if (!type->type)
    return refuse("42704", "type \"" + type->name + "\" does not exist", from + 1), to;
  if (type->array) return refuse("0A000", "columns of array types are not supported", from + 1), to;
  const std::string column = pgserver::identifier_of(lexed_, from);
  bool identity = type->name.find("serial") != std::string::npos;
  bool key = key_columns_.size() == 1 && key_columns_[0] == column;
  bool not_null = std::find(key_columns_.begin(), key_columns_.end(), column) != key_columns_.end();
  for (size_t i = type->end; i < to; ++i) {
    key |= is(i, "primary");
    identity |= is(i, "identity");
  }
  std::string text;
  switch (type->type->oid) {
    case oid::kInt2:
    case oid::kInt4:
    case oid::kInt8:
    case oid::kFloat4:
    case oid::kFloat8:
    case oid::kBool: text = identity ? "INTEGER" : type->name; break;
    case oid::kText:
    case oid::kVarchar:
    case oid::kBpchar:
    case oid::kNumeric: text = type->name; break;
    case oid::kBytea: text = "bytea blob"; break;
    case oid::kInterval: text = "itvl text"; break;
    case 600: text = "pnt text"; break;
    default:
      text = std::string(type->type->name == "\"char\"" ? "name" : type->type->name) + " text";
      break;
  }
  if (identity && !key) refuse("0A000", "a serial column has to be the primary key", from + 1);
  if (type->type->oid == oid::kNumeric || type->type->oid == oid::kVarchar ||
      type->type->oid == oid::kBpchar) {
    for (size_t n = 0; n < type->numbers.size(); ++n)
      text += (n == 0 ? "(" : ",") + type->numbers[n];
    if (!type->numbers.empty()) text += ")";
  }
  const bool rowid = pgserver::equals_ignoring_case(text, "integer") && key;
  if ((key || not_null) && !rowid) text += " NOT NULL";
  drop(from + 1, type->end);
  replace(from + 1, text);
  return type->end;
}

// DEFAULT takes any expression in PostgreSQL, but only a literal or parentheses in SQLite.
void Rewriter::column_default(size_t from, size_t to) {
  size_t end = from + 1;
  for (; end < to; ++end) {
    if (depth(end) != depth(from) || end == from + 1) continue;
    bool constraint = false;
    for (const std::string_view word :
         {"not", "null", "constraint", "primary", "unique", "check", "references", "generated",
          "collate", "deferrable", "initially"})
      constraint |= is(end, word);
    if (constraint) break;
  }
  if (end == from + 1) return refuse_near(end);
  const bool now =
      (is(from + 1, "now") && symbol_is(from + 2, "(") && end == from + 4) ||
      ((is(from + 1, "current_timestamp") || is(from + 1, "localtimestamp")) && end == from + 2);
  if (now) {
    drop(from + 2, end);
    return replace(from + 1, "CURRENT_TIMESTAMP");
  }
  if (is(from + 1, "current_date") && end == from + 2) return replace(from + 1, "CURRENT_DATE");
  if (end == from + 2 || symbol_is(from + 1, "(")) return;
  expressions(from + 1, end);
  std::string& before = parts_[from + 1 - first_].before;
  before.insert(before.begin(), '(');
  parts_[end - 1 - first_].behind += ")";
}

// ---------------------------------------------------------------- indexes

void Rewriter::create_index(size_t i) {
  if (is(i, "concurrently")) replace(i++, "");
  if (is(i, "if")) i += 3;
  const size_t on = find_word(i, "on", 0);
  if (on == std::string::npos) return refuse_near(last_);
  if (is(on + 1, "only")) replace(on + 1, "");
  size_t open = is(on + 1, "only") ? on + 2 : on + 1;
  const std::string table = name_at(open);
  if (is(open, "using")) {
    if (!is(open + 1, "btree") && !is(open + 1, "hash"))
      return refuse("0A000", "access method is not supported", open + 1);
    drop(open, open + 2);
    open += 2;
  }
  if (!symbol_is(open, "(") || match(open) == std::string::npos) return refuse_near(open);
  const size_t close = match(open);
  std::string generated = table;
  for (size_t k = open + 1; k < close; ++k) {
    if (depth(k) != depth(open) + 1) continue;
    if (is_name(k) && (k == open + 1 || symbol_is(k - 1, ",")))
      generated += "_" + pgserver::identifier_of(lexed_, k);
    if (is(k, "nulls")) drop(k, k + 2);
    const std::string lower = pgserver::lower_case(lexed_.view(k));
    if (lower.size() > 4 && lower.substr(lower.size() - 4) == "_ops") replace(k, "");
  }
  if (on == i) parts_[on - first_].before = pgserver::quoted_identifier(generated + "_idx") + " ";
  for (size_t k = close + 1; k < last_ && depth(k) == 0;) {
    const bool options = is(k, "include") || is(k, "with");
    if (!options || !symbol_is(k + 1, "(") || match(k + 1) == std::string::npos) break;
    const size_t end = match(k + 1) + 1;
    drop(k, end);
    k = end;
  }
  expressions(i, last_);
  finish("CREATE INDEX");
}

// ---------------------------------------------------------------- DROP, ALTER, TRUNCATE

void Rewriter::drop_objects(size_t i) {
  std::string what;
  for (const std::string_view word : {"table", "view", "index"})
    if (is(i, word)) what = word;
  if (what.empty()) {
    if (!is_name(i)) return refuse_near(i);
    return refuse("0A000", "DROP " + std::string(lexed_.view(i)) + " is not supported", i);
  }
  std::transform(what.begin(), what.end(), what.begin(),
                 [](char c) { return static_cast<char>(c & ~0x20); });
  ++i;
  if (is(i, "concurrently")) ++i;
  const bool if_exists = is(i, "if") && is(i + 1, "exists");
  if (if_exists) i += 2;
  do {
    const std::string name = name_at(i);
    if (name.empty()) return refuse_near(i);
    out_.sql.push_back("DROP " + what + (if_exists ? " IF EXISTS " : " ") +
                       pgserver::quoted_identifier(name));
  } while (symbol_is(i, ",") && ++i < last_);
  if (is(i, "cascade") || is(i, "restrict")) ++i;
  if (i < last_) return refuse_near(i);
  out_.tag = "DROP " + what;
}

void Rewriter::truncate(size_t i) {
  if (is(i, "table")) ++i;
  if (is(i, "only")) ++i;
  out_.defines = false;
  do {
    const std::string name = name_at(i);
    if (name.empty()) return refuse_near(i);
    if (operator_is(i, "*")) ++i;
    out_.sql.push_back("DELETE FROM " + pgserver::quoted_identifier(name));
  } while (symbol_is(i, ",") && ++i < last_);
  while (is(i, "restart") || is(i, "continue") || is(i, "identity") || is(i, "cascade") ||
         is(i, "restrict"))
    ++i;
  if (i < last_) return refuse_near(i);
  out_.tag = "TRUNCATE TABLE";
}

void Rewriter::alter_table(size_t i) {
  if (!is(i, "table")) return refuse("0A000", "only ALTER TABLE is supported", i);
  ++i;
  if (is(i, "if")) {
    drop(i, i + 2);
    i += 2;
  }
  if (is(i, "only")) replace(i++, "");
  size_t at = i;
  const std::string table = name_at(at);
  if (table.empty()) return refuse_near(i);
  expressions(i, at);
  for (size_t k = at; k < last_; ++k)
    if (symbol_is(k, ",") && depth(k) == 0)
      return refuse("0A000", "one action at a time in ALTER TABLE, please", k);
  if (is(at, "rename")) {
    expressions(at, last_);
    return finish("ALTER TABLE");
  }
  if (is(at, "drop") && !is(at + 1, "constraint")) {
    if (is(last_ - 1, "cascade") || is(last_ - 1, "restrict")) replace(last_ - 1, "");
    expressions(at, last_);
    return finish("ALTER TABLE");
  }
  if (!is(at, "add")) return refuse("0A000", "this form of ALTER TABLE is not supported", at);
  for (const std::string_view word : {"constraint", "primary", "unique", "check", "foreign"})
    if (is(at + 1, word)) return add_constraint(table, at + 1);
  size_t column = is(at + 1, "column") ? at + 2 : at + 1;
  if (is(column, "if")) return refuse("0A000", "ADD COLUMN IF NOT EXISTS is not supported", column);
  column_definition(column, last_);
  finish("ALTER TABLE");
}

// SQLite cannot add a constraint; a unique index does the same work.
void Rewriter::add_constraint(const std::string& table, size_t i) {
  std::string name;
  if (is(i, "constraint")) {
    ++i;
    name = name_at(i);
  }
  const bool primary = is(i, "primary") && is(i + 1, "key");
  if (!primary && !is(i, "unique"))
    return refuse("0A000", "this constraint can only be made with its table", i);
  const size_t open = primary ? i + 2 : i + 1;
  if (!symbol_is(open, "(") || match(open) != last_ - 1) return refuse_near(open);
  expressions(open, last_);
  if (name.empty()) name = table + (primary ? "_pkey" : "_key");
  out_.sql.push_back("CREATE UNIQUE INDEX " + pgserver::quoted_identifier(name) + " ON " +
                     pgserver::quoted_identifier(table) + " " + joined(open, last_));
  out_.tag = "ALTER TABLE";
}

}  // namespace weir::engine::sqlite
