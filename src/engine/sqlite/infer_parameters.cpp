// What a parameter's neighbours say of its type.
#include "infer.h"

namespace weir::engine::sqlite {

namespace oid = pgserver::oid;

namespace {

constexpr size_t kTokensBack = 400;

uint32_t array_of(uint32_t element) {
  const pgserver::Type* type = pgserver::find_type(element);
  return type && type->array != 0 ? type->array : oid::kTextArray;
}

}  // namespace

std::vector<uint32_t> Inference::parameters() {
  parameters_.resize(std::max<size_t>(parameters_.size(), compiled_.parameters), 0);
  for (uint32_t& type : parameters_)
    if (type == oid::kUnknown) type = 0;
  if (compiled_.verb == Verb::Insert) insert_targets();
  // Twice: a parameter may be compared with one that comes later.
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < lexed_.tokens.size(); ++i) {
      if (lexed_.tokens[i].kind != TokenKind::Parameter) continue;
      const uint32_t number = pgserver::parameter_of(lexed_, i);
      if (number == 0 || number > parameters_.size() || parameters_[number - 1] != 0) continue;
      parameters_[number - 1] = parameter_type(i);
    }
  }
  for (uint32_t& type : parameters_)
    if (type == 0) type = oid::kText;
  return parameters_;
}

uint32_t Inference::parameter_type(size_t i) {
  if (symbol_is(i + 1, "::")) {
    const auto type = read_type(lexed_, i + 2, lexed_.tokens.size());
    if (type && type->type) return type->array ? type->type->array : type->type->oid;
    return 0;
  }
  if (is(i + 1, "as") && i >= 2 && symbol_is(i - 1, "(") && is(i - 2, "cast")) {
    const auto type = read_type(lexed_, i + 2, lexed_.tokens.size());
    return type && type->type ? type->type->oid : 0;
  }
  if (i == 0) return 0;
  if (is(i - 1, "limit") || is(i - 1, "offset") || is(i - 1, "first") || is(i - 1, "next"))
    return oid::kInt8;
  if (symbol_is(i - 1, "(") && i >= 3 &&
      (is(i - 2, "any") || is(i - 2, "all") || is(i - 2, "some")))
    return array_of(left_operand(i - 3));
  const bool operation = lexed_.tokens[i - 1].kind == TokenKind::Operator;
  if (operation && (operator_is(i - 1, "->") || operator_is(i - 1, "->>"))) return oid::kText;
  if (operation && operator_is(i - 1, "||")) return oid::kText;
  if (operation)
    if (const uint32_t type = left_operand(i - 1)) return type;
  if (is(i - 1, "like") || is(i - 1, "ilike")) return oid::kText;
  if (is(i - 1, "between")) return left_operand(is(i - 2, "not") ? i - 2 : i - 1);
  if (is(i - 1, "and") && i >= 4)
    for (size_t k = i - 1; k-- > 1 && i - k < 12;)
      if (is(k, "between")) return left_operand(is(k - 1, "not") ? k - 1 : k);
  if (symbol_is(i - 1, "(") || symbol_is(i - 1, ","))
    if (const uint32_t type = in_list(i)) return type;
  if (i + 1 < lexed_.tokens.size() && lexed_.tokens[i + 1].kind == TokenKind::Operator)
    return right_operand(i + 2);
  if (is(i - 1, "not") || is(i - 1, "where")) return is(i + 1, "is") ? 0 : oid::kBool;
  return 0;
}

// The type of what ends in front of `behind`, an operator or a keyword.
uint32_t Inference::left_operand(size_t behind) {
  if (behind == 0) return 0;
  size_t last = behind - 1;
  if (is(last, "not") && last > 0) --last;
  size_t first = last;
  if (symbol_is(first, ")")) {
    first = opening(first);
    if (first > 0 && is_name(first - 1) && !is(first - 1, "in") && !is(first - 1, "and") &&
        !is(first - 1, "or") && !is(first - 1, "where"))
      --first;
  }
  while (first >= 2 && is_name(first) && symbol_is(first - 1, ".") && is_name(first - 2))
    first -= 2;
  // x::type
  while (first >= 2 && symbol_is(first - 1, "::")) {
    first -= 2;
    if (symbol_is(first, ")")) first = opening(first);
  }
  return guess({first, last + 1}, 1).type;
}

uint32_t Inference::right_operand(size_t from) {
  if (from >= lexed_.tokens.size()) return 0;
  size_t last = from;
  while (symbol_is(last + 1, ".") && is_name(last + 2)) last += 2;
  if (symbol_is(last + 1, "(") && is_name(last)) last = closing(last + 1, lexed_.tokens.size());
  if (symbol_is(last, "(")) last = closing(last, lexed_.tokens.size());
  if (last >= lexed_.tokens.size()) return 0;
  return guess({from, last + 1}, 1).type;
}

// x IN ($1, $2), coalesce(x, $1), lower($1)
uint32_t Inference::in_list(size_t i) {
  size_t depth = 0;
  for (size_t k = i; k-- > 0 && i - k < kTokensBack;) {
    if (symbol_is(k, ")")) ++depth;
    if (!symbol_is(k, "(")) continue;
    if (depth-- > 0) continue;
    if (k == 0) return 0;
    if (is(k - 1, "in")) return left_operand(k - 1);
    if (!is_name(k - 1)) return 0;
    const std::string name = pgserver::identifier_of(lexed_, k - 1);
    if (name == "coalesce" || name == "nullif" || name == "greatest" || name == "least") {
      if (k + 1 == i) return 0;
      size_t end = k + 2;
      while (end < i && !symbol_is(end, ",")) ++end;
      return guess({k + 1, end}, 1).type;
    }
    for (const std::string_view text :
         {"lower", "upper", "trim", "length", "concat", "replace", "md5", "like"})
      if (name == text) return oid::kText;
    if (name == "pg_sleep") return oid::kFloat8;
    return 0;
  }
  return 0;
}

// INSERT INTO t (a, b) VALUES ($1, $2), (…): by place.
void Inference::insert_targets() {
  if (compiled_.tables.empty()) return;
  const std::string& table = compiled_.tables[0].name;
  const size_t count = lexed_.tokens.size();
  size_t i = 0;
  while (i < count && !is(i, "into")) ++i;
  while (i < count && !symbol_is(i, "(") && !is(i, "values") && !is(i, "select")) ++i;
  std::vector<std::string> targets;
  if (symbol_is(i, "(")) {
    const size_t close = closing(i, count);
    for (size_t k = i + 1; k < close; ++k)
      if (is_name(k)) targets.push_back(pgserver::identifier_of(lexed_, k));
    i = close + 1;
  } else {
    targets = columns_of(table);
  }
  while (i < count && !is(i, "values") && !is(i, "select")) ++i;
  const bool selects = is(i, "select");
  size_t place = 0;
  size_t depth = selects ? 1 : 0;
  for (++i; i < count && !is(i, "returning") && !(selects && depth == 1 && is(i, "from")); ++i) {
    if (symbol_is(i, "(") && depth++ == 0) place = 0;
    if (symbol_is(i, ")") && depth > 0) --depth;
    if (depth == 0 && is(i, "on")) break;
    if (depth == 1 && symbol_is(i, ",")) ++place;
    const bool alone =
        (symbol_is(i - 1, "(") || symbol_is(i - 1, ",") || is(i - 1, "select")) &&
        (i + 1 == count || symbol_is(i + 1, ",") || symbol_is(i + 1, ")") || is(i + 1, "from"));
    if (depth != 1 || !alone || lexed_.tokens[i].kind != TokenKind::Parameter ||
        place >= targets.size())
      continue;
    const uint32_t number = pgserver::parameter_of(lexed_, i);
    if (number > 0 && number <= parameters_.size() && parameters_[number - 1] == 0)
      parameters_[number - 1] = column(table, targets[place]).type;
  }
}

std::vector<std::string> Inference::columns_of(const std::string& table) const {
  std::vector<std::string> names;
  sqlite3_stmt* statement = nullptr;
  const std::string sql = "SELECT * FROM " + pgserver::quoted_identifier(table);
  if (sqlite3_prepare_v2(db_, sql.c_str(), static_cast<int>(sql.size() + 1), &statement, nullptr) ==
      SQLITE_OK)
    for (int i = 0; i < sqlite3_column_count(statement); ++i)
      names.emplace_back(sqlite3_column_name(statement, i));
  sqlite3_finalize(statement);
  return names;
}

}  // namespace weir::engine::sqlite
