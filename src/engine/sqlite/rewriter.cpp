#include "rewriter.h"

#include <algorithm>

namespace weir::engine::sqlite {

namespace oid = pgserver::oid;

namespace {

constexpr size_t kDepthMax = 400;   // of parentheses
constexpr size_t kCastsMax = 1000;  // in one statement
constexpr size_t kOffsetsMax = 100;

}  // namespace

Rewriter::Rewriter(Compiled& compiled, TokenRange range)
    : out_(compiled), lexed_(compiled.lexed), first_(range.first), last_(range.last) {
  const size_t count = last_ - first_;
  parts_.resize(count);
  match_.assign(count, std::string::npos);
  depth_.assign(count, 0);
  std::vector<size_t> open;
  for (size_t i = first_; i < last_; ++i) {
    if (symbol_is(i, ")") && !open.empty()) {
      match_[i - first_] = open.back();
      match_[open.back() - first_] = i;
      open.pop_back();
    }
    depth_[i - first_] = open.size();
    if (symbol_is(i, "(")) open.push_back(i);
    if (open.size() == kDepthMax) refuse("54001", "statement is nested too deeply", i);
  }
}

void Rewriter::refuse(std::string_view sqlstate, std::string message, size_t i) {
  if (out_.refused) return;
  Failure failure;
  failure.sqlstate = sqlstate;
  failure.message = std::move(message);
  failure.at = i < last_ ? lexed_.tokens[i].begin : lexed_.text.size();
  out_.refused = std::move(failure);
}

void Rewriter::refuse_near(size_t i) {
  if (i >= last_) return refuse("42601", "syntax error at end of input", i);
  refuse("42601", "syntax error at or near \"" + std::string(lexed_.view(i)) + "\"", i);
}

// Every token stands alone, so that SQLite cannot read two of them as one.
std::string Rewriter::joined(size_t from, size_t to) const {
  std::string sql;
  for (size_t i = from; i < to; ++i) {
    const Part& part = parts_[i - first_];
    const std::string_view text = part.text ? std::string_view(*part.text) : lexed_.view(i);
    if (text.empty() && part.before.empty() && part.behind.empty()) continue;
    if (!sql.empty()) sql.push_back(' ');
    sql += part.before;
    // An unquoted name means its lower case (PostgreSQL's manual, 4.1.1).
    if (!part.text && lexed_.tokens[i].kind == TokenKind::Word) {
      sql += pgserver::lower_case(text);
    } else {
      sql += text;
    }
    sql += part.behind;
  }
  return sql;
}

size_t Rewriter::find_word(size_t from, std::string_view word, size_t at_depth) const {
  for (size_t i = from; i < last_; ++i)
    if (depth(i) == at_depth && is(i, word)) return i;
  return std::string::npos;
}

std::string Rewriter::name_at(size_t& i) const {
  if (!is_name(i)) return {};
  std::string name = pgserver::identifier_of(lexed_, i++);
  while (symbol_is(i, ".") && is_name(i + 1)) {
    name = pgserver::identifier_of(lexed_, i + 1);
    i += 2;
  }
  return name;
}

// ---------------------------------------------------------------- expressions

void Rewriter::expressions(size_t from, size_t to) {
  for (size_t i = from; i < to && !out_.refused; ++i) token(i);
}

void Rewriter::token(size_t i) {
  if (parts_[i - first_].text) return;  // dealt with together with an earlier one
  switch (lexed_.tokens[i].kind) {
    case TokenKind::Word: return word(i);
    case TokenKind::QuotedWord:
      return replace(i, pgserver::quoted_identifier(pgserver::identifier_of(lexed_, i)));
    case TokenKind::String: {
      const auto value = pgserver::string_of(lexed_, i);
      if (!value) return refuse("22025", "invalid escape sequence in string", i);
      return replace(i, pgserver::quoted_string(*value));
    }
    case TokenKind::BitString: {
      const std::string_view view = lexed_.view(i);
      const std::string_view digits = view.substr(2, view.size() - 3);
      const bool hex = (view[0] | 0x20) == 'x';
      if (!hex) return replace(i, pgserver::quoted_string(digits));
      if (digits.size() % 2 != 0 ||
          digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
        return refuse("22P02", "invalid hexadecimal string", i);
      return;
    }
    case TokenKind::Number: return;
    case TokenKind::Parameter: {
      const uint32_t number = pgserver::parameter_of(lexed_, i);
      if (number == 0 || number > 32766)
        return refuse("42P02", "there is no parameter " + std::string(lexed_.view(i)), i);
      out_.parameters = std::max(out_.parameters, number);
      std::string place = std::to_string(number);
      place.insert(place.begin(), '?');
      return replace(i, std::move(place));
    }
    case TokenKind::Operator: return operation(i);
    case TokenKind::Symbol: return symbol(i);
  }
}

void Rewriter::symbol(size_t i) {
  const std::string_view view = lexed_.view(i);
  if (view == "::") return cast(i);
  if (view == "[" || view == "]") return refuse("0A000", "arrays are not supported here", i);
  if (view == ":" || view == ":=" || view == ".." || view == ";") return refuse_near(i);
}

// Only operators that mean the same to SQLite go through; above all none that it would take for a
// parameter or a quotation mark.
void Rewriter::operation(size_t i) {
  const std::string_view view = lexed_.view(i);
  if ((view == "=" || view == "<>" || view == "!=") && any_array(i)) return;
  if (view == "~~") return replace(i, "LIKE");
  if (view == "!~~") return replace(i, "NOT LIKE");
  if (view == "~~*") return replace(i, "MATCH");
  if (view == "!~~*") return replace(i, "NOT MATCH");
  for (const std::string_view known : {"+", "-", "*", "/", "%", "<", ">", "=", "<=", ">=", "<>",
                                       "!=", "||", "->", "->>", "&", "|", "<<", ">>"})
    if (view == known) return;
  refuse("42883", "operator does not exist: " + std::string(view), i);
}

void Rewriter::word(size_t i) {
  const std::string_view view = lexed_.view(i);
  const auto equals = [&](std::string_view word) {
    return pgserver::equals_ignoring_case(view, word);
  };
  const bool qualified = i > first_ && symbol_is(i - 1, ".");
  if (qualified) return;
  if (symbol_is(i + 1, ".")) {
    if (equals("pg_catalog") || equals("public")) drop(i, i + 2);
    return;
  }
  if (equals("ilike")) return replace(i, "MATCH");
  if (equals("string_agg") && symbol_is(i + 1, "(")) return replace(i, "group_concat");
  // To SQLite these two are words of joins alone.
  if ((equals("left") || equals("right")) && symbol_is(i + 1, "("))
    return replace(i, equals("left") ? "weir_left" : "weir_right");
  if (equals("pg_sleep")) out_.heavy_by_name = true;
  if (equals("cast") && symbol_is(i + 1, "(")) return cast_call(i);
  if (equals("limit") || equals("fetch") || equals("offset")) return limit(i);
  if (equals("for")) return row_lock(i);
  if (keyword_function(i)) return;
  if (typed_literal(i)) return;
  if (equals("array") && symbol_is(i + 1, "["))
    return refuse("0A000", "arrays are not supported here", i);
}

// Keywords that PostgreSQL calls without parentheses (9.26 and 9.9.5 of its manual).
bool Rewriter::keyword_function(size_t i) {
  struct Keyword {
    std::string_view word;
    std::string_view call;
  };
  constexpr Keyword kKeywords[] = {{"current_timestamp", "now()"},
                                   {"current_date", "weir_current_date()"},
                                   {"current_time", "weir_current_time()"},
                                   {"localtimestamp", "now()"},
                                   {"localtime", "weir_current_time()"},
                                   {"current_user", "weir_user()"},
                                   {"session_user", "weir_user()"},
                                   {"current_role", "weir_user()"},
                                   {"user", "weir_user()"},
                                   {"current_catalog", "current_database()"},
                                   {"current_schema", "current_schema()"}};
  for (const Keyword& keyword : kKeywords) {
    if (!is(i, keyword.word)) continue;
    replace(i, std::string(keyword.call));
    if (symbol_is(i + 1, "(") && match(i + 1) != std::string::npos) drop(i + 1, match(i + 1) + 1);
    return true;
  }
  return false;
}

// ---------------------------------------------------------------- casts

namespace {

// Before and behind what is cast.
std::optional<std::pair<std::string, std::string>> cast_frame(const TypeName& name) {
  if (name.array) return std::pair<std::string, std::string>{"", ""};
  if (!name.type) return std::nullopt;
  const std::string text_end = " AS TEXT)";
  switch (name.type->oid) {
    case oid::kBool: return std::pair<std::string, std::string>{"weir_bool(", ")"};
    case oid::kInt2: return std::pair<std::string, std::string>{"weir_integer(", ",2)"};
    case oid::kInt4:
    case oid::kOid: return std::pair<std::string, std::string>{"weir_integer(", ",4)"};
    case oid::kInt8: return std::pair<std::string, std::string>{"weir_integer(", ",8)"};
    case oid::kFloat4:
    case oid::kFloat8: return std::pair<std::string, std::string>{"weir_real(", ")"};
    case oid::kNumeric:
      return std::pair<std::string, std::string>{"weir_numeric(",
                                                 "," +
                                                     (name.numbers.size() == 2   ? name.numbers[1]
                                                      : name.numbers.size() == 1 ? "0"
                                                                                 : "-1") +
                                                     ")"};
    case oid::kBytea: return std::pair<std::string, std::string>{"weir_bytea(", ")"};
    case oid::kDate: return std::pair<std::string, std::string>{"weir_date(", ")"};
    case oid::kTime: return std::pair<std::string, std::string>{"weir_time(", ")"};
    case oid::kTimestamp: return std::pair<std::string, std::string>{"weir_timestamp(", ")"};
    case oid::kTimestamptz: return std::pair<std::string, std::string>{"weir_timestamptz(", ")"};
    case oid::kUuid: return std::pair<std::string, std::string>{"weir_uuid(", ")"};
    case oid::kInterval: return std::nullopt;
    case oid::kVarchar:
    case oid::kBpchar:
      if (name.numbers.size() == 1)
        return std::pair<std::string, std::string>{"substr(CAST(",
                                                   text_end + ",1," + name.numbers[0] + ")"};
      return std::pair<std::string, std::string>{"CAST(", text_end};
    default: return std::pair<std::string, std::string>{"CAST(", text_end};
  }
}

}  // namespace

// Puts the cast around the tokens [from, to). False when there is no such cast.
bool Rewriter::wrap(size_t from, size_t to, const TypeName& type) {
  auto frame = cast_frame(type);
  if (!frame) return false;
  parts_[from - first_].before.insert(0, frame->first);
  parts_[to - 1 - first_].behind += frame->second;
  return true;
}

// Back from the last token of an operand to its first: a literal, a name path, a call, a
// parenthesis, a cast.
size_t Rewriter::primary_start(size_t last) const {
  for (const auto& [end, start] : casts_)
    if (end == last) return start;
  size_t i = last;
  if (symbol_is(i, ")")) {
    if (match(i) == std::string::npos) return i;
    i = match(i);
    if (i == first_ || !is_name(i - 1)) return i;
    for (const std::string_view keyword :
         {"in", "and",      "or",    "not",     "select", "when",      "then", "else",   "where",
          "on", "like",     "ilike", "between", "values", "returning", "set",  "having", "by",
          "is", "distinct", "case",  "any",     "all",    "exists",    "from"})
      if (is(i - 1, keyword)) return i;
    --i;
  }
  while (i >= first_ + 2 && is_name(i) && symbol_is(i - 1, ".") && is_name(i - 2)) i -= 2;
  return i;
}

void Rewriter::cast(size_t i) {
  const auto type = read_type(lexed_, i + 1, last_);
  if (i == first_ || !type) return refuse_near(type ? i : i + 1);
  const size_t start = primary_start(i - 1);
  // A literal goes in as it is written; everything in front of the cast has been rewritten already.
  if (!wrap(start, i, *type))
    return refuse(type->type ? "0A000" : "42704",
                  type->type ? "type " + type->name + " is not supported"
                             : "type \"" + type->name + "\" does not exist",
                  i + 1);
  drop(i, type->end);
  casts_.emplace_back(type->end - 1, start);
  if (casts_.size() > kCastsMax) refuse("54001", "statement is too complex", i);
}

void Rewriter::cast_call(size_t i) {
  const size_t close = match(i + 1);
  if (close == std::string::npos) return refuse_near(last_);
  size_t as = std::string::npos;
  for (size_t k = i + 2; k < close; ++k)
    if (depth(k) == depth(i) + 1 && is(k, "as")) as = k;
  const auto type = as == std::string::npos ? std::nullopt : read_type(lexed_, as + 1, close);
  if (!type || type->end != close || as == i + 2)
    return refuse_near(as == std::string::npos ? close : as + 1);
  replace(i, "");
  if (!wrap(i + 1, close + 1, *type))
    return refuse(type->type ? "0A000" : "42704", "type \"" + type->name + "\" is not supported",
                  as + 1);
  drop(as, close);
}

// date '2024-02-29'
bool Rewriter::typed_literal(size_t i) {
  bool temporal = false;
  for (const std::string_view word :
       {"date", "time", "timestamp", "timestamptz", "interval", "uuid", "json", "jsonb", "bytea"})
    temporal |= is(i, word);
  if (!temporal) return false;
  const auto type = read_type(lexed_, i, last_);
  if (!type || type->end >= last_ || lexed_.tokens[type->end].kind != TokenKind::String)
    return false;
  drop(i, type->end);
  if (!wrap(type->end, type->end + 1, *type))
    refuse("0A000", "type " + type->name + " is not supported", i);
  return true;
}

// x = ANY ($1), x = ANY (ARRAY[…]), x <> ALL (…)
bool Rewriter::any_array(size_t i) {
  const bool equal = lexed_.view(i) == "=";
  const bool quantified = equal ? is(i + 1, "any") || is(i + 1, "some") : is(i + 1, "all");
  if (!quantified || !symbol_is(i + 2, "(") || match(i + 2) == std::string::npos) return false;
  const size_t close = match(i + 2);
  replace(i, equal ? "IN" : "NOT IN");
  drop(i + 1, i + 2);
  if (is(i + 3, "select") || is(i + 3, "with")) return true;
  if (is(i + 3, "array") && symbol_is(i + 4, "[")) {
    size_t end = i + 5;
    while (end < close && !symbol_is(end, "]")) {
      if (symbol_is(end, "["))
        return refuse("0A000", "arrays of arrays are not supported", end), true;
      ++end;
    }
    drop(i + 3, i + 5);
    drop(end, close);  // ] and a cast of the whole
    return true;
  }
  replace(i + 2, "(SELECT value FROM json_each(weir_array(");
  replace(close, ")))");
  return true;
}

// ---------------------------------------------------------------- the end of a SELECT

void Rewriter::limit(size_t i) {
  if (is(i, "limit")) {
    if (is(i + 1, "all") || is(i + 1, "null")) replace(i + 1, "-1");
    return;
  }
  if (is(i, "fetch")) {
    if (!is(i + 1, "first") && !is(i + 1, "next")) return;
    replace(i, "LIMIT");
    size_t k = i + 2;
    const bool counted = !is(k, "row") && !is(k, "rows");
    replace(i + 1, counted ? "" : "1");
    while (k < last_ && !is(k, "row") && !is(k, "rows")) ++k;
    if (!is(k + 1, "only")) return refuse_near(k + 1);
    return drop(k, k + 2);
  }
  if (++offsets_ > kOffsetsMax) return refuse("54001", "statement is too complex", i);
  bool limited = false;
  for (size_t k = i; k-- > first_;) {
    if (depth(k) < depth(i)) break;
    if (depth(k) == depth(i) && is(k, "limit")) limited = true;
  }
  for (size_t k = i + 1; k < last_ && depth(k) >= depth(i); ++k) {
    if (depth(k) != depth(i)) continue;
    if (is(k, "row") || is(k, "rows")) replace(k, "");
    if (is(k, "limit") || is(k, "fetch")) return refuse("0A000", "write LIMIT before OFFSET", k);
  }
  if (!limited) replace(i, "LIMIT -1 OFFSET");
}

// FOR UPDATE and its like take the right to write, and no part in what SQLite sees.
void Rewriter::row_lock(size_t i) {
  if (!is(i + 1, "update") && !is(i + 1, "share") && !is(i + 1, "no") && !is(i + 1, "key")) return;
  if (out_.verb != Verb::Select) return;
  size_t end = i;
  while (end < last_ && depth(end) >= depth(i) && !symbol_is(end, ")")) ++end;
  drop(i, end);
  out_.writes = true;
}

}  // namespace weir::engine::sqlite
