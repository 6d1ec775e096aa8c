// Which tables a statement names and which columns it gives back: what types are guessed from.
#include "rewriter.h"

namespace weir::engine::sqlite {

namespace {

constexpr size_t kTablesMax = 64;
constexpr size_t kItemsMax = 2000;

// Words that cannot be an alias without AS.
bool ends_reference(const Lexed& lexed, size_t i) {
  for (const std::string_view word :
       {"where",     "group",   "order",  "limit",    "offset",     "fetch",      "on",
        "using",     "join",    "left",   "right",    "full",       "inner",      "outer",
        "cross",     "natural", "set",    "values",   "select",     "returning",  "union",
        "intersect", "except",  "having", "window",   "for",        "default",    "as",
        "not",       "indexed", "do",     "conflict", "overriding", "tablesample"})
    if (pgserver::is_word(lexed, i, word)) return true;
  return false;
}

}  // namespace

void Rewriter::find_tables() {
  for (size_t i = first_; i < last_; ++i) {
    const bool list = is(i, "from");
    if (!list && !is(i, "join") && !is(i, "into") && !is(i, "update")) continue;
    size_t k = i + 1;
    do {
      if (is(k, "only") || is(k, "lateral")) ++k;
      TableReference reference{name_at(k), {}};
      if (reference.name.empty()) break;
      if (is(k, "as")) ++k;
      if (is_name(k) && !ends_reference(lexed_, k))
        reference.alias = pgserver::identifier_of(lexed_, k++);
      if (out_.tables.size() < kTablesMax) out_.tables.push_back(std::move(reference));
    } while (list && symbol_is(k, ",") && ++k < last_);
    i = k - 1;
  }
}

void Rewriter::find_items() {
  size_t begin = std::string::npos;
  size_t at_depth = 0;
  const bool returns = out_.verb != Verb::Select;
  for (size_t i = first_; i < last_; ++i) {
    if (returns ? !(depth(i) == 0 && is(i, "returning")) : !is(i, "select")) continue;
    // Not the selects within common table expressions or subqueries; (SELECT …) UNION … begins
    // deeper.
    if (!returns && depth(i) > 0 && i != first_ && !symbol_is(i - 1, "(")) continue;
    if (!returns && depth(i) > 0 && is(first_, "with")) continue;
    begin = i + 1;
    at_depth = depth(i);
    break;
  }
  if (begin == std::string::npos) return;
  if (is(begin, "distinct") || is(begin, "all")) ++begin;
  size_t from = begin;
  for (size_t i = begin; i <= last_; ++i) {
    bool ends = i == last_ || depth(i) < at_depth ||
                (symbol_is(i, ")") && depth(i) == at_depth && match(i) < begin);
    if (!ends && depth(i) == at_depth)
      for (const std::string_view word :
           {"from", "where", "group", "having", "order", "limit", "offset", "fetch", "union",
            "intersect", "except", "window", "for"})
        ends |= is(i, word);
    if (!ends && !(symbol_is(i, ",") && depth(i) == at_depth)) continue;
    if (i > from) add_item(from, i);
    from = i + 1;
    if (ends || out_.items.size() >= kItemsMax) break;
  }
}

void Rewriter::add_item(size_t from, size_t to) {
  Item item;
  item.range = {from, to};
  item.star = operator_is(to - 1, "*") && (to - from == 1 || symbol_is(to - 2, "."));
  if (to - from >= 3 && is(to - 2, "as") && is_name(to - 1)) {
    item.alias = pgserver::identifier_of(lexed_, to - 1);
    item.range.last = to - 2;
  } else if (to - from >= 2 && is_name(to - 1)) {
    // An alias without AS follows an operand, and is no keyword that ends an expression.
    const TokenKind before = lexed_.tokens[to - 2].kind;
    const bool operand = (before != TokenKind::Operator && before != TokenKind::Symbol) ||
                         symbol_is(to - 2, ")") || symbol_is(to - 2, "]");
    bool keyword = false;
    for (const std::string_view word :
         {"end", "null", "true", "false", "not", "precision", "zone", "varying", "unknown"})
      keyword |= is(to - 1, word);
    for (const std::string_view word : {"is", "not", "and", "or", "like", "ilike", "in", "between",
                                        "case", "then", "else", "when", "escape", "distinct"})
      keyword |= is(to - 2, word);
    if (operand && !keyword && !symbol_is(to - 2, "::")) {
      item.alias = pgserver::identifier_of(lexed_, to - 1);
      item.range.last = to - 1;
    }
  }
  out_.items.push_back(std::move(item));
}

}  // namespace weir::engine::sqlite
