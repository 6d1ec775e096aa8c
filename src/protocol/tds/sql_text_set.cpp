#include "sql_text_set.h"

#include <algorithm>

#include "utf16.h"

namespace weir::tds {

namespace {

using Kind = SetOption::Kind;

constexpr size_t kDigitsMax = 10;
constexpr size_t kLanguageCharsMax = 128;

bool is_switch(const SetOption* option) {
  return option == nullptr || option->kind <= Kind::Halting;
}

bool are_same_word(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i + 1 < a.size(); i += 2)
    if (folded(load_le<char16_t>(a.data() + i)) != folded(load_le<char16_t>(b.data() + i)))
      return false;
  return true;
}

}  // namespace

// UPDATE … SET column = …, SET @x = …, ALTER TABLE … SET (…) and ON DELETE SET NULL set nothing.
void SetReader::on_set(bool certain) {
  const Token name = tokens_.now();
  if (!name.is_name() || name.is("NULL") || name.is("DEFAULT")) return;
  tokens_.advance();
  if (tokens_.now().is(u'=') || tokens_.now().is(u'.')) return;
  if (name.kind == TokenKind::Name) return traits_.be_unclear();
  certain_ = certain;
  const SetOption* option = find_option(name.text);
  if (option != nullptr && option->kind == Kind::Context) return traits_.keep(Keeps::Context);
  if (option != nullptr && option->kind >= Kind::Number) return read_value(*option);
  read_switches({name.text, option});
}

// SET name[, …] ON|OFF, SET STATISTICS name[, …] ON|OFF, SET IDENTITY_INSERT table ON|OFF
void SetReader::read_switches(Named first) {
  names_count_ = 0;
  names_[names_count_++] = first;
  const Kind kind = first.option != nullptr ? first.option->kind : Kind::Kept;
  if (kind == Kind::Words || kind == Kind::Table) names_count_ = 0;
  if (!read_names(kind)) return traits_.be_unclear();
  const bool on = tokens_.now().is("ON");
  if (!on && !tokens_.now().is("OFF")) return traits_.be_unclear();
  tokens_.advance();
  std::for_each_n(names_.begin(), names_count_, [&](const Named& named) { apply(named, on); });
}

// What comes behind the first name.
bool SetReader::read_names(Kind kind) {
  if (kind == Kind::Table) names_[names_count_++] = {tokens_.take_name(), nullptr};
  if (kind == Kind::Table) return true;
  while (names_count_ == 0 || tokens_.take(u',')) {
    const Token name = tokens_.now();
    if (name.kind != TokenKind::Word || names_count_ == kNamesMax) return false;
    const SetOption* option = kind == Kind::Words ? nullptr : find_option(name.text);
    if (!is_switch(option)) return false;
    names_[names_count_++] = {name.text, option};
    tokens_.advance();
  }
  return true;
}

void SetReader::apply(const Named& named, bool on) {
  const std::string_view value = on ? "ON" : "OFF";
  if (named.option == nullptr) return keep_switch(named, on);
  if (named.option->kind == Kind::Switch) return carry(named.option->name, std::string(value));
  if (named.option->kind != Kind::Defaults) return keep_switch(named, on);
  for (const std::string_view name :
       {"ANSI_NULLS", "ANSI_NULL_DFLT_ON", "ANSI_PADDING", "ANSI_WARNINGS",
        "CURSOR_CLOSE_ON_COMMIT", "IMPLICIT_TRANSACTIONS", "QUOTED_IDENTIFIER"})
    carry(name, std::string(value));
}

// OFF that may have been skipped leaves on what was on.
void SetReader::keep_switch(const Named& named, bool on) {
  traits_.leaves = true;
  Named* const end = on_.begin() + on_count_;
  Named* const known = std::find_if(
      on_.begin(), end, [&](const Named& each) { return are_same_word(each.text, named.text); });
  if (!on && known != end && certain_) {
    *known = *(end - 1);
    --on_count_;
  }
  if (!on || known != end) return;
  if (on_count_ == kNamesMax) return traits_.be_unclear();
  on_[on_count_++] = named;
}

void SetReader::end_text() {
  if (on_count_ > 0) keep();
}

// ---------------------------------------------------------------- values

void SetReader::read_value(const SetOption& option) {
  std::string value;
  switch (option.kind) {
    case Kind::Number: value = take_number(); break;
    case Kind::DateFormat: value = take_date_format(); break;
    case Kind::Language: value = take_language(); break;
    case Kind::Isolation: value = take_isolation(); break;
    default:
      value = take_one_of({"LOW", "NORMAL", "HIGH"});
      if (value.empty()) value = take_number();
  }
  if (value.empty()) {
    // A variable is a value, too, but nobody knows which one.
    if (tokens_.now().kind == TokenKind::Variable) return keep();
    return traits_.be_unclear();
  }
  carry(option.kind == Kind::Isolation ? "TRANSACTION ISOLATION LEVEL" : option.name,
        std::move(value));
}

std::string SetReader::take_number() {
  std::string value(tokens_.take(u'-') ? "-" : "");
  const Token number = tokens_.now();
  if (number.kind != TokenKind::Number || number.text.size() > 2 * kDigitsMax) return {};
  for (size_t i = 0; i < number.text.size(); i += 2) {
    if (number.text[i] < '0' || number.text[i] > '9') return {};
    value.push_back(number.text[i]);
  }
  tokens_.advance();
  return value;
}

std::string SetReader::take_one_of(std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (tokens_.take(word)) return std::string(word);
  return {};
}

// A word or a text.
std::string SetReader::take_date_format() {
  const Token format = tokens_.now();
  if (format.kind != TokenKind::Word && format.kind != TokenKind::Text) return {};
  for (const std::string_view known : {"MDY", "DMY", "YMD", "YDM", "MYD", "DYM"}) {
    if (!equals_folded(format.text, known)) continue;
    tokens_.advance();
    return std::string(known);
  }
  return {};
}

// Quotes within a text are doubled already.
std::string SetReader::take_language() {
  const Token name = tokens_.now();
  const bool is_word = name.kind == TokenKind::Word && !begins_statement(name.keyword);
  if (!is_word && name.kind != TokenKind::Text) return {};
  if (name.text.size() > 2 * kLanguageCharsMax) return {};
  std::string value = "N'";
  if (!append_utf8(value, name.text)) return {};
  tokens_.advance();
  return value + "'";
}

std::string SetReader::take_isolation() {
  if (!tokens_.take("ISOLATION") || !tokens_.take("LEVEL")) return {};
  if (tokens_.take("READ")) {
    const std::string which = take_one_of({"UNCOMMITTED", "COMMITTED"});
    return which.empty() ? which : "READ " + which;
  }
  if (tokens_.take("REPEATABLE")) return tokens_.take("READ") ? "REPEATABLE READ" : "";
  return take_one_of({"SNAPSHOT", "SERIALIZABLE"});
}

void SetReader::carry(std::string_view name, std::string value) {
  const bool halted = std::any_of(on_.begin(), on_.begin() + on_count_, [](const Named& named) {
    return named.option != nullptr && named.option->kind == Kind::Halting;
  });
  // What it begins does not end with a text that is called.
  if (runs_ == Runs::Called && name == "IMPLICIT_TRANSACTIONS") traits_.transaction = true;
  if (runs_ == Runs::Called || !certain_ || halted || traits_.settings.size() == kSettingsMax)
    return keep();
  traits_.settings.push_back({name, std::move(value)});
}

void SetReader::keep() {
  if (runs_ == Runs::AsBatch)
    traits_.keep(Keeps::Setting);
  else
    traits_.leaves = true;
}

}  // namespace weir::tds
