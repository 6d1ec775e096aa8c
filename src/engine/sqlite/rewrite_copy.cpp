// COPY … FROM STDIN and TO STDOUT (PostgreSQL's manual, "COPY"), with its new and its old way to
// write options.
#include "rewriter.h"

namespace weir::engine::sqlite {

void Rewriter::copy_statement() {
  size_t i = first_ + 1;
  CopySpec& spec = out_.copy;
  if (symbol_is(i, "(")) {
    const size_t close = match(i);
    if (close == std::string::npos) return refuse_near(last_);
    expressions(i + 1, close);
    spec.query = joined(i + 1, close);
    i = close + 1;
  } else {
    spec.table = name_at(i);
    if (spec.table.empty()) return refuse_near(i);
    if (symbol_is(i, "(") && match(i) != std::string::npos) {
      for (size_t k = i + 1; k < match(i); ++k)
        if (is_name(k)) spec.columns.push_back(pgserver::identifier_of(lexed_, k));
      i = match(i) + 1;
    }
  }
  const bool from = is(i, "from");
  if (!from && !is(i, "to")) return refuse_near(i);
  if (from && !spec.query.empty()) return refuse_near(i);
  ++i;
  if (!is(i, from ? "stdin" : "stdout"))
    return refuse("42501", "COPY to or from a file on the server is not allowed", i);
  ++i;
  if (is(i, "with")) ++i;
  if (symbol_is(i, "(") && match(i) == last_ - 1) {
    ++i;
    while (i < last_ - 1) {
      if (!copy_option(i)) return;
      if (symbol_is(i, ",")) ++i;
    }
    i = last_;
  }
  while (i < last_)
    if (!copy_option(i)) return;
  if (spec.csv && spec.delimiter == '\t') spec.delimiter = ',';
  if (spec.csv && spec.null == "\\N") spec.null.clear();
  out_.verb = from ? Verb::CopyIn : Verb::CopyOut;
  out_.writes = from;
  out_.tag = "COPY";
}

bool Rewriter::copy_option(size_t& i) {
  CopySpec& spec = out_.copy;
  const auto wrong = [&](size_t at) {
    refuse_near(at);
    return false;
  };
  const auto text = [&](std::string& value) {
    if (is(i, "as")) ++i;
    if (i >= last_ || lexed_.tokens[i].kind != TokenKind::String) return false;
    const auto read = pgserver::string_of(lexed_, i++);
    value = read.value_or("");
    return read.has_value();
  };
  if (is(i, "format")) {
    ++i;
    if (is(i, "binary")) return refuse("0A000", "binary COPY is not supported", i), false;
    if (!is(i, "csv") && !is(i, "text")) return wrong(i);
    spec.csv = is(i++, "csv");
    return true;
  }
  if (is(i, "binary")) return refuse("0A000", "binary COPY is not supported", i), false;
  if (is(i, "csv")) return spec.csv = true, ++i, true;
  if (is(i, "freeze") || is(i, "header")) {
    const bool header = is(i++, "header");
    bool on = true;
    if (is(i, "true") || is(i, "on") || is(i, "false") || is(i, "off")) {
      on = is(i, "true") || is(i, "on");
      ++i;
    }
    if (header) spec.header = on;
    return true;
  }
  std::string value;
  if (is(i, "delimiter") || is(i, "delimiters") || is(i, "quote")) {
    const bool quote = is(i++, "quote");
    if (!text(value) || value.size() != 1 || value == "\n" || value == "\r") return wrong(i);
    (quote ? spec.quote : spec.delimiter) = value[0];
    return true;
  }
  if (is(i, "null")) {
    ++i;
    return text(spec.null) || wrong(i);
  }
  if (is(i, "encoding") || is(i, "escape")) {
    ++i;
    return text(value) || wrong(i);
  }
  return wrong(i);
}

}  // namespace weir::engine::sqlite
