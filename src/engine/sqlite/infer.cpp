#include "infer.h"

#include <algorithm>

namespace weir::engine::sqlite {

namespace oid = pgserver::oid;
using pgserver::Column;

namespace {

constexpr int kNestingMax = 12;
constexpr size_t kTokensMax = 4000;  // of an expression whose type is worth guessing

struct FunctionType {
  std::string_view name;
  uint32_t type;
};

// What PostgreSQL's functions give back.
constexpr FunctionType kFunctions[] = {
    {"count", oid::kInt8},
    {"row_number", oid::kInt8},
    {"rank", oid::kInt8},
    {"dense_rank", oid::kInt8},
    {"length", oid::kInt4},
    {"char_length", oid::kInt4},
    {"character_length", oid::kInt4},
    {"octet_length", oid::kInt4},
    {"strpos", oid::kInt4},
    {"ntile", oid::kInt4},
    {"pg_backend_pid", oid::kInt4},
    {"lower", oid::kText},
    {"upper", oid::kText},
    {"trim", oid::kText},
    {"ltrim", oid::kText},
    {"rtrim", oid::kText},
    {"substr", oid::kText},
    {"substring", oid::kText},
    {"replace", oid::kText},
    {"concat", oid::kText},
    {"concat_ws", oid::kText},
    {"left", oid::kText},
    {"right", oid::kText},
    {"md5", oid::kText},
    {"string_agg", oid::kText},
    {"version", oid::kText},
    {"current_database", oid::kName},
    {"current_schema", oid::kName},
    {"current_setting", oid::kText},
    {"set_config", oid::kText},
    {"split_part", oid::kText},
    {"now", oid::kTimestamptz},
    {"transaction_timestamp", oid::kTimestamptz},
    {"statement_timestamp", oid::kTimestamptz},
    {"clock_timestamp", oid::kTimestamptz},
    {"sqrt", oid::kFloat8},
    {"power", oid::kFloat8},
    {"exp", oid::kFloat8},
    {"ln", oid::kFloat8},
    {"random", oid::kFloat8},
    {"gen_random_uuid", oid::kUuid},
    {"pg_is_in_recovery", oid::kBool},
    {"pg_sleep", oid::kVoid},
    {"pg_advisory_unlock_all", oid::kVoid},
    {"json_object", oid::kJson},
    {"json_array", oid::kJson},
};
constexpr FunctionType kKeywords[] = {
    {"current_timestamp", oid::kTimestamptz},
    {"localtimestamp", oid::kTimestamp},
    {"current_date", oid::kDate},
    {"current_time", oid::kTime},
    {"current_user", oid::kName},
    {"session_user", oid::kName},
    {"user", oid::kName},
    {"current_catalog", oid::kName},
    {"current_schema", oid::kName},
    {"current_role", oid::kName},
};
// Give back what they are given.
constexpr std::string_view kSameAsArgument[] = {"max",         "min",        "coalesce", "nullif",
                                                "greatest",    "least",      "lag",      "lead",
                                                "first_value", "last_value", "abs",      "ifnull"};

uint32_t type_of_storage(int storage) {
  switch (storage) {
    case SQLITE_INTEGER: return oid::kInt8;
    case SQLITE_FLOAT: return oid::kFloat8;
    case SQLITE_BLOB: return oid::kBytea;
    default: return oid::kText;
  }
}

uint32_t sum_type(uint32_t argument) {
  if (argument == oid::kInt2 || argument == oid::kInt4) return oid::kInt8;
  if (argument == oid::kInt8) return oid::kNumeric;
  return argument == oid::kFloat4 ? oid::kFloat8 : argument;
}

}  // namespace

size_t Inference::closing(size_t open, size_t end) const {
  size_t depth = 0;
  for (size_t i = open; i < end && i - open < kTokensMax; ++i) {
    if (symbol_is(i, "(")) ++depth;
    if (symbol_is(i, ")") && --depth == 0) return i;
  }
  return end;
}

size_t Inference::opening(size_t close) const {
  size_t depth = 0;
  for (size_t i = close + 1; i-- > 0 && close - i < kTokensMax;) {
    if (symbol_is(i, ")")) ++depth;
    if (symbol_is(i, "(") && --depth == 0) return i;
  }
  return close;
}

// ---------------------------------------------------------------- result columns

std::vector<Column> Inference::columns(sqlite3_stmt* statement, bool row) {
  const auto count = static_cast<size_t>(sqlite3_column_count(statement));
  const auto& items = compiled_.items;
  size_t stars = 0;
  for (const Item& item : items) stars += item.star ? 1 : 0;
  std::vector<Column> columns;
  bool starred = false;
  size_t next_item = 0;
  for (size_t i = 0; i < count; ++i) {
    const int index = static_cast<int>(i);
    // With one star among them, the items behind it are counted from the end.
    const Item* item = nullptr;
    if (!starred && next_item < items.size() && stars <= 1 &&
        (stars == 1 || items.size() == count)) {
      if (items[next_item].star) {
        if (count - i <= items.size() - next_item - 1) ++next_item;
      }
      if (next_item < items.size() && !items[next_item].star) item = &items[next_item++];
    }
    const char* declared = sqlite3_column_decltype(statement, index);
    const bool plain = sqlite3_column_origin_name(statement, index) != nullptr;
    Column column;
    Guess guessed;
    if (item && (!declared || *declared == '\0' || (!plain && item->alias.empty())))
      guessed = guess(item->range, 0);
    if (declared && *declared != '\0') {
      column = column_of_declaration(declared);
    } else if (guessed.type != 0) {
      column.type = guessed.type;
      column.modifier = guessed.modifier;
    } else if (row) {
      column.type = type_of_storage(sqlite3_column_type(statement, index));
    }
    const char* name = sqlite3_column_name(statement, index);
    if (item && !item->alias.empty()) {
      column.name = item->alias;
    } else if (item && !plain) {
      column.name = guessed.name.empty() ? "?column?" : guessed.name;
    } else {
      column.name = name ? name : "?column?";
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

Inference::Guess Inference::column(const std::string& table, const std::string& name) {
  for (const TableReference& reference : compiled_.tables) {
    if (!table.empty() && reference.alias != table && reference.name != table) continue;
    const char* declared = nullptr;
    const int code =
        sqlite3_table_column_metadata(db_, "main", reference.name.c_str(), name.c_str(), &declared,
                                      nullptr, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) continue;
    const Column found = column_of_declaration(declared ? declared : "");
    return {found.type, found.modifier, name};
  }
  return {0, -1, name};
}

// ---------------------------------------------------------------- expressions

Inference::Guess Inference::guess(TokenRange range, int nesting) {
  if (range.first >= range.last || nesting > kNestingMax || range.last - range.first > kTokensMax)
    return {};
  while (range.last - range.first > 2 && symbol_is(range.first, "(") &&
         closing(range.first, range.last) == range.last - 1) {
    range = {range.first + 1, range.last - 1};
    if (is(range.first, "select") || is(range.first, "with") || is(range.first, "values"))
      return {};
  }
  if (range.last - range.first == 1) return guess_single(range.first);
  bool found = false;
  Guess guessed = guess_operators(range, nesting, found);
  if (found) return guessed;
  guessed = guess_cast(range, nesting, found);
  if (found) return guessed;
  if (is(range.first, "case")) return guess_case(range, nesting);
  if (is(range.first, "exists")) return {oid::kBool, -1, "exists"};
  // name.name, name.name.name
  if (is_name(range.last - 1) && symbol_is(range.last - 2, ".") && is_name(range.first)) {
    if (range.last - range.first < 3) return {};
    return column(pgserver::identifier_of(lexed_, range.last - 3),
                  pgserver::identifier_of(lexed_, range.last - 1));
  }
  return guess_call(range, nesting);
}

Inference::Guess Inference::guess_single(size_t token) {
  const std::string_view view = lexed_.view(token);
  switch (lexed_.tokens[token].kind) {
    case TokenKind::Number: {
      int64_t integer = 0;
      if (!pgserver::read_integer(view, integer)) return {oid::kNumeric};
      return {integer == static_cast<int32_t>(integer) ? oid::kInt4 : oid::kInt8};
    }
    case TokenKind::String: return {oid::kText};
    case TokenKind::BitString: return {(view[0] | 0x20) == 'x' ? oid::kBytea : oid::kText};
    case TokenKind::Parameter: {
      const uint32_t number = pgserver::parameter_of(lexed_, token);
      return {number > 0 && number <= parameters_.size() ? parameters_[number - 1] : 0};
    }
    case TokenKind::Word:
      if (is(token, "true") || is(token, "false")) return {oid::kBool, -1, "bool"};
      if (is(token, "null")) return {oid::kText};
      for (const FunctionType& keyword : kKeywords)
        if (is(token, keyword.name)) return {keyword.type, -1, std::string(keyword.name)};
      return column({}, pgserver::identifier_of(lexed_, token));
    case TokenKind::QuotedWord: return column({}, pgserver::identifier_of(lexed_, token));
    default: return {};
  }
}

uint32_t Inference::arithmetic(uint32_t left, uint32_t right) const {
  const auto rank = [](uint32_t type) {
    constexpr uint32_t kOrder[] = {oid::kInt2,    oid::kInt4,   oid::kInt8,
                                   oid::kNumeric, oid::kFloat4, oid::kFloat8};
    return std::find(std::begin(kOrder), std::end(kOrder), type) - std::begin(kOrder);
  };
  if (left == 0 || right == 0 || rank(left) == 6 || rank(right) == 6) return 0;
  return rank(left) >= rank(right) ? left : right;
}

// Operators at the top of the expression, the loosest first.
Inference::Guess Inference::guess_operators(TokenRange range, int nesting, bool& found) {
  constexpr std::string_view kLogical[] = {
      "and", "or", "not", "is", "in", "like", "ilike", "between", "isnull", "notnull", "similar"};
  constexpr std::string_view kComparisons[] = {
      "=",   "<>",   "!=", "<",  ">",  "<=",  ">=", "~~", "!~~",
      "~~*", "!~~*", "~",  "!~", "~*", "!~*", "@>", "<@", "?"};
  size_t text_at = 0;
  size_t arithmetic_at = 0;
  size_t depth = 0;
  size_t cases = 0;
  for (size_t i = range.first; i < range.last; ++i) {
    if (symbol_is(i, "(") || symbol_is(i, "[")) ++depth;
    if ((symbol_is(i, ")") || symbol_is(i, "]")) && depth > 0) --depth;
    if (depth > 0) continue;
    if (is(i, "case")) ++cases;
    if (is(i, "end") && cases > 0) --cases;
    if (cases > 0) continue;
    if (lexed_.tokens[i].kind == TokenKind::Word) {
      if (is(i, "over") || is(i, "filter")) break;
      for (const std::string_view word : kLogical)
        if (is(i, word)) return found = true, Guess{oid::kBool};
    }
    if (lexed_.tokens[i].kind != TokenKind::Operator) continue;
    const std::string_view op = lexed_.view(i);
    for (const std::string_view comparison : kComparisons)
      if (op == comparison) return found = true, Guess{oid::kBool};
    if (op == "||" || op == "->>") text_at = i;
    if (op == "->") return found = true, Guess{oid::kJson};
    if (i > range.first && (op == "+" || op == "-" || op == "*" || op == "/" || op == "%"))
      arithmetic_at = i;
  }
  if (text_at > 0) return found = true, Guess{oid::kText};
  if (arithmetic_at > 0) {
    found = true;
    const uint32_t left = guess({range.first, arithmetic_at}, nesting + 1).type;
    return {arithmetic(left, guess({arithmetic_at + 1, range.last}, nesting + 1).type)};
  }
  if (operator_is(range.first, "-") || operator_is(range.first, "+")) {
    found = true;
    return {guess({range.first + 1, range.last}, nesting + 1).type};
  }
  return {};
}

Inference::Guess Inference::guess_cast(TokenRange range, int nesting, bool& found) {
  size_t depth = 0;
  for (size_t i = range.last; i-- > range.first;) {
    if (symbol_is(i, ")")) ++depth;
    if (symbol_is(i, "(") && depth > 0) --depth;
    if (depth > 0 || !symbol_is(i, "::")) continue;
    const auto type = read_type(lexed_, i + 1, range.last);
    if (!type || type->end != range.last || !type->type) return {};
    found = true;
    Guess inner = guess({range.first, i}, nesting + 1);
    return {
        type->array ? type->type->array : type->type->oid, -1,
        inner.name.empty() ? std::string(pgserver::find_type(type->type->oid)->name) : inner.name};
  }
  if (is(range.first, "cast") && closing(range.first + 1, range.last) == range.last - 1) {
    for (size_t i = range.last - 1; i-- > range.first + 2;) {
      if (!is(i, "as")) continue;
      const auto type = read_type(lexed_, i + 1, range.last - 1);
      if (!type || type->end != range.last - 1 || !type->type) return {};
      found = true;
      Guess inner = guess({range.first + 2, i}, nesting + 1);
      return {type->type->oid, -1,
              inner.name.empty() ? std::string(pgserver::find_type(type->type->oid)->name)
                                 : inner.name};
    }
  }
  const auto type = read_type(lexed_, range.first, range.last);
  if (type && type->type && type->end == range.last - 1 &&
      lexed_.tokens[type->end].kind == TokenKind::String) {
    found = true;
    return {type->type->oid, -1, std::string(type->type->name)};
  }
  return {};
}

Inference::Guess Inference::guess_case(TokenRange range, int nesting) {
  for (size_t i = range.first + 1; i < range.last; ++i) {
    if (!is(i, "then")) continue;
    size_t end = i + 1;
    while (end < range.last && !is(end, "when") && !is(end, "else") && !is(end, "end")) ++end;
    Guess guessed = guess({i + 1, end}, nesting + 1);
    return {guessed.type, guessed.modifier, "case"};
  }
  return {0, -1, "case"};
}

Inference::Guess Inference::guess_call(TokenRange range, int nesting) {
  size_t open = range.first + 1;
  size_t name_at = range.first;
  while (symbol_is(open, ".") && is_name(open + 1)) {
    name_at = open + 1;
    open += 2;
  }
  if (!is_name(name_at) || !symbol_is(open, "(")) return {};
  const std::string name = pgserver::identifier_of(lexed_, name_at);
  const size_t close = closing(open, range.last);
  for (const FunctionType& function : kFunctions)
    if (function.name == name) return {function.type, -1, name};
  // The first argument.
  size_t end = open + 1;
  for (size_t depth = 0; end < close; ++end) {
    if (symbol_is(end, "(")) ++depth;
    if (symbol_is(end, ")")) --depth;
    if (depth == 0 && symbol_is(end, ",")) break;
  }
  const size_t from = is(open + 1, "distinct") ? open + 2 : open + 1;
  const Guess argument = guess({from, end}, nesting + 1);
  for (const std::string_view same : kSameAsArgument)
    if (name == same) return {argument.type, argument.modifier, name};
  if (name == "sum") return {sum_type(argument.type), -1, name};
  const bool floating = argument.type == oid::kFloat4 || argument.type == oid::kFloat8;
  if (name == "avg" || name == "round" || name == "ceil" || name == "floor" || name == "trunc")
    return {argument.type == 0 ? 0 : floating ? oid::kFloat8 : oid::kNumeric, -1, name};
  return {0, -1, name};
}

}  // namespace weir::engine::sqlite
