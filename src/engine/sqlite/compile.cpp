#include "compile.h"

#include "rewriter.h"

namespace weir::engine::sqlite {

namespace {

constexpr size_t kTextBytesMax = 1 << 20;  // as SQLITE_LIMIT_SQL_LENGTH

// Statements about storage, rights and comments: nothing is to be done for them here.
std::string_view tag_of_nothing(const Lexed& lexed, size_t i) {
  struct Known {
    std::string_view word;
    std::string_view tag;
  };
  constexpr Known kNothing[] = {{"vacuum", "VACUUM"},   {"analyze", "ANALYZE"},
                                {"analyse", "ANALYZE"}, {"cluster", "CLUSTER"},
                                {"reindex", "REINDEX"}, {"checkpoint", "CHECKPOINT"},
                                {"comment", "COMMENT"}, {"grant", "GRANT"},
                                {"revoke", "REVOKE"},   {"lock", "LOCK TABLE"}};
  for (const Known& known : kNothing)
    if (pgserver::is_word(lexed, i, known.word)) return known.tag;
  return {};
}

}  // namespace

void Rewriter::run() {
  if (out_.refused) return;
  const size_t i = first_;
  if (const auto tag = tag_of_nothing(lexed_, i); !tag.empty()) {
    if (const size_t into = find_word(i, "into", 0); into != std::string::npos)
      return refuse_near(into);
    out_.tag = tag;
    return;
  }
  if (is(i, "create") || is(i, "drop") || is(i, "alter") || is(i, "truncate")) return define();
  if (is(i, "copy")) return copy_statement();
  const bool explains = is(i, "explain");
  size_t main = explains ? i + 1 : i;
  if (explains && symbol_is(main, "(") && match(main) != std::string::npos) {
    drop(main, match(main) + 1);
    main = match(main) + 1;
  }
  while (explains && (is(main, "verbose") || is(main, "analyze"))) replace(main++, "");
  const size_t begin = main;
  if (is(main, "with")) {
    // The statement proper comes behind the last common table expression.
    for (++main; main < last_; ++main)
      if (depth(main) == 0 && (is(main, "select") || is(main, "insert") || is(main, "update") ||
                               is(main, "delete") || is(main, "values")))
        break;
  }
  while (symbol_is(main, "(")) ++main;
  struct Known {
    std::string_view word;
    Verb verb;
    std::string_view tag;
  };
  constexpr Known kVerbs[] = {{"select", Verb::Select, "SELECT"},
                              {"values", Verb::Select, "SELECT"},
                              {"insert", Verb::Insert, "INSERT 0"},
                              {"update", Verb::Update, "UPDATE"},
                              {"delete", Verb::Delete, "DELETE"}};
  const Known* found = nullptr;
  for (const Known& known : kVerbs)
    if (is(main, known.word)) found = &known;
  if (!found) return refuse_near(found || main >= last_ ? last_ : main);
  out_.verb = explains ? Verb::Explain : found->verb;
  out_.tag = explains ? "EXPLAIN" : found->tag;
  out_.writes = !explains && found->verb != Verb::Select;
  if (found->verb == Verb::Select && main == begin && is(begin + 1, "into"))
    return refuse_near(begin + 1);
  find_tables();
  if (!explains) find_items();
  if (explains) replace(first_, "EXPLAIN QUERY PLAN");
  expressions(begin, last_);
  out_.sql.push_back(joined(first_, last_));
}

std::shared_ptr<const Compiled> compile(std::string_view text) {
  auto compiled = std::make_shared<Compiled>();
  compiled->text = text;
  if (text.size() > kTextBytesMax) {
    compiled->refused = Failure{"54000", "statement is too long"};
    return compiled;
  }
  compiled->lexed = pgserver::lex(compiled->text);
  if (const auto& error = compiled->lexed.error) {
    compiled->refused = Failure{error->sqlstate, error->message, {}, {}, error->at};
    return compiled;
  }
  const auto parts = pgserver::split_statements(compiled->lexed);
  if (parts.size() != 1) {
    compiled->refused = Failure{"42601", "there has to be one statement"};
    return compiled;
  }
  Rewriter(*compiled, parts[0]).run();
  return compiled;
}

}  // namespace weir::engine::sqlite
