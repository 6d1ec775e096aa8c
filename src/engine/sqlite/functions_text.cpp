// Functions on texts, and LIKE and ILIKE as PostgreSQL has them (9.7.1 of its manual): LIKE tells
// cases apart, and a backslash escapes unless another character does.
#include <algorithm>

#include <weir/base/crypto.h>
#include <weir/pgserver/sql.h>
#include <weir/pgserver/types.h>

#include "functions.h"

namespace weir::engine::sqlite {

namespace {

constexpr size_t kPatternBytesMax = 1000;
constexpr int64_t kStepsPerCheck = 4096;

size_t next_character(std::string_view text, size_t i) {
  ++i;
  while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) ++i;
  return i;
}

size_t characters_in(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// Behind the first `count` characters.
size_t offset_of(std::string_view text, int64_t count) {
  size_t i = 0;
  while (count-- > 0 && i < text.size()) i = next_character(text, i);
  return i;
}

char folded(char c, bool fold) {
  return fold && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

struct Pattern {
  std::string_view text;
  char escape = '\\';  // NUL: none
  bool fold = false;
};

// Keeps one place to go back to, the last %. False with `stopped` set when it has taken too long.
bool matches(Handle& handle, const Pattern& pattern, std::string_view text, bool& stopped) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string::npos;
  size_t star_text = 0;
  int64_t steps = 0;
  while (t < text.size()) {
    if (++steps % kStepsPerCheck == 0 && !handle.spend(kStepsPerCheck / 4))
      return stopped = true, false;
    if (p < pattern.text.size()) {
      const char c = pattern.text[p];
      const bool escaped =
          c == pattern.escape && pattern.escape != '\0' && p + 1 < pattern.text.size();
      if (!escaped && c == '%') {
        star = ++p;
        star_text = t;
        continue;
      }
      if (!escaped && c == '_') {
        t = next_character(text, t);
        ++p;
        continue;
      }
      if (folded(escaped ? pattern.text[p + 1] : c, pattern.fold) ==
          folded(text[t], pattern.fold)) {
        ++t;
        p += escaped ? 2 : 1;
        continue;
      }
    }
    if (star == std::string::npos) return false;
    star_text = next_character(text, star_text);
    t = star_text;
    p = star;
  }
  while (p < pattern.text.size() && pattern.text[p] == '%') ++p;
  return p == pattern.text.size();
}

void like_with(sqlite3_context* context, int count, sqlite3_value** values, bool fold) {
  if (is_null(values[0]) || is_null(values[1]) || (count == 3 && is_null(values[2]))) return;
  Pattern pattern{text_of(values[0]), '\\', fold};
  if (pattern.text.size() > kPatternBytesMax)
    return refuse(context, "54000", "LIKE pattern is too long");
  if (count == 3) {
    const std::string_view escape = text_of(values[2]);
    if (escape.size() > 1) return refuse(context, "22019", "invalid escape string");
    pattern.escape = escape.empty() ? '\0' : escape[0];
  }
  bool stopped = false;
  const bool result = matches(handle_of(context), pattern, text_of(values[1]), stopped);
  if (stopped) return sqlite3_result_error(context, "stopped", -1);
  sqlite3_result_int(context, result ? 1 : 0);
}
void like(sqlite3_context* context, int count, sqlite3_value** values) {
  like_with(context, count, values, false);
}
void ilike(sqlite3_context* context, int count, sqlite3_value** values) {
  like_with(context, count, values, true);
}

void strpos(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0]) || is_null(values[1])) return;
  const std::string_view text = text_of(values[0]);
  const size_t at = text.find(text_of(values[1]));
  sqlite3_result_int64(context, at == std::string_view::npos
                                    ? 0
                                    : static_cast<int64_t>(characters_in(text.substr(0, at))) + 1);
}

int64_t character_count(sqlite3_value* value) {
  return std::clamp<int64_t>(sqlite3_value_int64(value), -(int64_t{1} << 31), int64_t{1} << 31);
}

// A negative count leaves out as many at the other end.
void left(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0]) || is_null(values[1])) return;
  const std::string_view text = text_of(values[0]);
  int64_t count = character_count(values[1]);
  if (count < 0) count += static_cast<int64_t>(characters_in(text));
  give(context, text.substr(0, offset_of(text, count)));
}
void right(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0]) || is_null(values[1])) return;
  const std::string_view text = text_of(values[0]);
  const int64_t count = character_count(values[1]);
  const int64_t skip = count < 0 ? -count : static_cast<int64_t>(characters_in(text)) - count;
  give(context, text.substr(offset_of(text, skip)));
}

void length(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0])) return;
  sqlite3_result_int64(context, static_cast<int64_t>(characters_in(text_of(values[0]))));
}

void concat_with(sqlite3_context* context, std::string_view between, int count,
                 sqlite3_value** values) {
  std::string out;
  bool first = true;
  for (int i = 0; i < count; ++i) {
    if (is_null(values[i])) continue;
    if (!first) out += between;
    first = false;
    out += text_of(values[i]);
  }
  give(context, out);
}
void concat(sqlite3_context* context, int count, sqlite3_value** values) {
  concat_with(context, "", count, values);
}
void concat_ws(sqlite3_context* context, int count, sqlite3_value** values) {
  if (count == 0 || is_null(values[0])) return;
  concat_with(context, text_of(values[0]), count - 1, values + 1);
}

int compare(sqlite3_value* a, sqlite3_value* b) {
  const auto number = [](sqlite3_value* value) {
    return sqlite3_value_type(value) == SQLITE_INTEGER || sqlite3_value_type(value) == SQLITE_FLOAT;
  };
  if (number(a) && number(b)) {
    const double x = sqlite3_value_double(a);
    const double y = sqlite3_value_double(b);
    return x < y ? -1 : x > y ? 1 : 0;
  }
  return text_of(a).compare(text_of(b));
}
void extreme(sqlite3_context* context, int count, sqlite3_value** values, int sign) {
  sqlite3_value* best = nullptr;  // nulls do not count, unlike in SQLite's max() and min()
  for (int i = 0; i < count; ++i)
    if (!is_null(values[i]) && (!best || sign * compare(values[i], best) > 0)) best = values[i];
  if (best) sqlite3_result_value(context, best);
}
void greatest(sqlite3_context* context, int count, sqlite3_value** values) {
  extreme(context, count, values, 1);
}
void least(sqlite3_context* context, int count, sqlite3_value** values) {
  extreme(context, count, values, -1);
}

void md5(sqlite3_context* context, int, sqlite3_value** values) {
  if (!is_null(values[0])) give(context, base::md5_hex(text_of(values[0])));
}

void split_part(sqlite3_context* context, int, sqlite3_value** values) {
  if (is_null(values[0]) || is_null(values[1]) || is_null(values[2])) return;
  std::string_view text = text_of(values[0]);
  const std::string_view separator = text_of(values[1]);
  int64_t field = sqlite3_value_int64(values[2]);
  if (field < 1) return refuse(context, "22023", "field position must be greater than zero");
  if (separator.empty()) return give(context, field == 1 ? text : "");
  for (; field > 1; --field) {
    const size_t at = text.find(separator);
    if (at == std::string_view::npos) return give(context, "");
    text.remove_prefix(at + separator.size());
  }
  give(context, text.substr(0, text.find(separator)));
}

constexpr FunctionEntry kText[] = {
    {"like", 2, kPure, like},
    {"like", 3, kPure, like},
    {"match", 2, kPure, ilike},
    {"strpos", 2, kPure, strpos},
    {"weir_left", 2, kPure, left},
    {"weir_right", 2, kPure, right},
    {"char_length", 1, kPure, length},
    {"character_length", 1, kPure, length},
    {"concat", -1, kPure, concat},
    {"concat_ws", -1, kPure, concat_ws},
    {"greatest", -1, kPure, greatest},
    {"least", -1, kPure, least},
    {"md5", 1, kPure, md5},
    {"split_part", 3, kPure, split_part},
};

}  // namespace

void add_text_functions(Handle& handle) { add(handle, kText, std::size(kText)); }

}  // namespace weir::engine::sqlite
