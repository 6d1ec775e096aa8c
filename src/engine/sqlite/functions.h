// Helpers for functions that SQLite calls. They run on whichever thread holds the handle, and never
// throw.
#pragma once

#include <string>
#include <string_view>

#include "handle.h"

namespace weir::engine::sqlite {

using FunctionCall = void (*)(sqlite3_context*, int, sqlite3_value**);

struct FunctionEntry {
  const char* name;
  int arguments;  // -1: any number
  int flags;      // beside SQLITE_UTF8
  FunctionCall call;
};

// The same for every row of a statement; a schema may use it; a schema may not.
constexpr int kPure = SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
constexpr int kPlain = SQLITE_INNOCUOUS;
constexpr int kDirect = SQLITE_DIRECTONLY;

inline Handle& handle_of(sqlite3_context* context) {
  return *static_cast<Handle*>(sqlite3_user_data(context));
}
inline bool is_null(sqlite3_value* value) { return sqlite3_value_type(value) == SQLITE_NULL; }
inline std::string_view text_of(sqlite3_value* value) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  return {text ? text : "", text ? static_cast<size_t>(sqlite3_value_bytes(value)) : 0};
}
inline void give(sqlite3_context* context, std::string_view text) {
  sqlite3_result_text64(context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}
void refuse(sqlite3_context* context, std::string_view sqlstate, const std::string& message);
void add(Handle& handle, const FunctionEntry* entries, size_t count);

void add_cast_functions(Handle& handle);     // functions_cast.cpp
void add_text_functions(Handle& handle);     // functions_text.cpp
void add_session_functions(Handle& handle);  // functions.cpp

}  // namespace weir::engine::sqlite
