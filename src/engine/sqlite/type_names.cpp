// Types as they are written in SQL, and what SQLite's declared types mean.
#include <charconv>

#include "compile.h"

namespace weir::engine::sqlite {

namespace oid = pgserver::oid;
using pgserver::is_symbol;
using pgserver::is_word;

namespace {

void read_numbers(const Lexed& lexed, size_t& i, size_t end, TypeName& type) {
  if (i >= end || !is_symbol(lexed, i, "(")) return;
  size_t k = i + 1;
  std::vector<std::string> numbers;
  while (k < end && lexed.tokens[k].kind == TokenKind::Number) {
    numbers.emplace_back(lexed.view(k++));
    if (k < end && is_symbol(lexed, k, ",")) ++k;
  }
  if (k >= end || !is_symbol(lexed, k, ")") || numbers.empty() || numbers.size() > 2) return;
  for (const std::string& number : numbers)
    if (number.size() > 6 || number.find_first_not_of("0123456789") != std::string::npos) return;
  type.numbers = std::move(numbers);
  i = k + 1;
}

// The words that may follow the first one of a type of several words.
void read_more_words(const Lexed& lexed, size_t& i, size_t end, TypeName& type) {
  const auto next = [&](std::string_view word) { return i < end && is_word(lexed, i, word); };
  if (type.name == "double" && next("precision")) {
    type.name = "double precision";
    ++i;
  } else if ((type.name == "character" || type.name == "char" || type.name == "bit") &&
             next("varying")) {
    type.name = type.name == "bit" ? "bit varying" : "character varying";
    ++i;
  } else if (type.name == "timestamp" || type.name == "time") {
    read_numbers(lexed, i, end, type);
    const bool with = next("with");
    if ((with || next("without")) && i + 2 < end && is_word(lexed, i + 1, "time") &&
        is_word(lexed, i + 2, "zone")) {
      type.name += with ? " with time zone" : " without time zone";
      i += 3;
    }
  }
}

}  // namespace

std::optional<TypeName> read_type(const Lexed& lexed, size_t begin, size_t end) {
  size_t i = begin;
  if (i + 1 < end && is_word(lexed, i, "pg_catalog") && is_symbol(lexed, i + 1, ".")) i += 2;
  if (i >= end) return std::nullopt;
  const TokenKind kind = lexed.tokens[i].kind;
  if (kind != TokenKind::Word && kind != TokenKind::QuotedWord) return std::nullopt;
  TypeName type;
  type.name = pgserver::identifier_of(lexed, i++);
  if (kind == TokenKind::QuotedWord && type.name == "char") type.name = "\"char\"";
  if (type.name == "dec") type.name = "decimal";
  read_more_words(lexed, i, end, type);
  read_numbers(lexed, i, end, type);
  while (i < end && is_symbol(lexed, i, "[")) {
    const size_t close =
        i + 1 < end && lexed.tokens[i + 1].kind == TokenKind::Number ? i + 2 : i + 1;
    if (close >= end || !is_symbol(lexed, close, "]")) return std::nullopt;
    type.array = true;
    i = close + 1;
  }
  type.type = pgserver::find_type(type.name);
  type.end = i;
  return type;
}

namespace {

// Names that SQLite's own users write (datatype3.html, section 3.1, "Determination Of Column
// Affinity").
uint32_t type_by_affinity(std::string_view lower) {
  const auto has = [&](std::string_view part) {
    return lower.find(part) != std::string_view::npos;
  };
  if (has("int")) return oid::kInt8;
  if (has("char") || has("clob") || has("text")) return oid::kText;
  if (has("blob")) return oid::kBytea;
  if (has("real") || has("floa") || has("doub")) return oid::kFloat8;
  return oid::kText;
}

int number_of(const std::string& text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

pgserver::Column column_of_declaration(std::string_view declared) {
  pgserver::Column column;
  const std::string text(declared);
  const Lexed lexed = pgserver::lex(text);
  auto type = read_type(lexed, 0, lexed.tokens.size());
  if (!type) return column;
  const std::string& name = type->name;
  if (name == "itvl") {
    column.type = oid::kInterval;
  } else if (name == "pnt") {
    column.type = 600;
  } else if (type->type) {
    column.type = type->array ? type->type->array : type->type->oid;
  } else {
    column.type = type_by_affinity(pgserver::lower_case(text));
  }
  if (column.type == oid::kNumeric && !type->numbers.empty()) {
    const int scale = type->numbers.size() == 2 ? number_of(type->numbers[1]) : 0;
    column.modifier = ((number_of(type->numbers[0]) & 0x7fff) << 16 | (scale & 0x7fff)) + 4;
  } else if ((column.type == oid::kVarchar || column.type == oid::kBpchar) &&
             type->numbers.size() == 1) {
    column.modifier = number_of(type->numbers[0]) + 4;
  }
  return column;
}

}  // namespace weir::engine::sqlite
