// SQLite's results as PostgreSQL's errors.
#include <weir/pgserver/sql.h>

#include "handle.h"

namespace weir::engine::sqlite {

using pgserver::Failure;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string_view behind(std::string_view text, std::string_view part) {
  const size_t at = text.find(part);
  return at == std::string_view::npos ? std::string_view() : text.substr(at + part.size());
}

std::string_view sqlstate_of_text(std::string_view message) {
  if (contains(message, "no such table") || contains(message, "no such view")) return "42P01";
  if (contains(message, "no such index")) return "42704";
  if (contains(message, "no such column") || contains(message, "has no column named"))
    return "42703";
  if (contains(message, "no such function")) return "42883";
  if (contains(message, "wrong number of arguments")) return "42883";
  if (contains(message, "ambiguous column name")) return "42702";
  if (contains(message, "duplicate column name")) return "42701";
  if (contains(message, "already exists") || contains(message, "there is already")) return "42P07";
  if (contains(message, "syntax error") || contains(message, "incomplete input")) return "42601";
  if (contains(message, "misuse of aggregate")) return "42803";
  if (contains(message, "not authorized") || contains(message, "prohibited") ||
      contains(message, "unsafe use"))
    return "42501";
  if (contains(message, "may not be modified") || contains(message, "cannot modify"))
    return "42501";
  if (contains(message, "values for") || contains(message, "values were supplied")) return "42601";
  if (contains(message, "too many") || contains(message, "too large") ||
      contains(message, "too deep") || contains(message, "maximum depth"))
    return "54000";
  if (contains(message, "integer overflow")) return "22003";
  if (contains(message, "malformed JSON")) return "22P02";
  if (contains(message, "ON CONFLICT clause does not match")) return "42P10";
  return "42601";
}

// UNIQUE constraint failed: t.a, t.b
Failure unique_violation(std::string_view message) {
  const std::string_view columns = behind(message, "failed: ");
  const std::string table(columns.substr(0, columns.find('.')));
  std::string names;
  for (size_t at = 0; at < columns.size();) {
    const size_t end = std::min(columns.find(", ", at), columns.size());
    const std::string_view one = columns.substr(at, end - at);
    const size_t dot = one.find('.');
    if (!names.empty()) names.push_back('_');
    names += dot == std::string_view::npos ? one : one.substr(dot + 1);
    at = end + 2;
  }
  return {"23505",
          "duplicate key value violates unique constraint \"" + table + "_" + names + "_key\"",
          std::string(message)};
}

Failure not_null_violation(std::string_view message) {
  const std::string_view path = behind(message, "failed: ");
  const size_t dot = path.find('.');
  if (dot == std::string_view::npos) return {"23502", std::string(message)};
  return {"23502", "null value in column \"" + std::string(path.substr(dot + 1)) +
                       "\" of relation \"" + std::string(path.substr(0, dot)) +
                       "\" violates not-null constraint"};
}

// Where the thing that the message names stands in the statement.
size_t position_of(std::string_view name, std::string_view text) {
  if (name.empty() || text.empty()) return std::string::npos;
  const size_t dot = name.rfind('.');
  const std::string qualifier =
      dot == std::string_view::npos ? "" : pgserver::lower_case(name.substr(0, dot));
  const std::string last =
      pgserver::lower_case(dot == std::string_view::npos ? name : name.substr(dot + 1));
  const pgserver::Lexed lexed = pgserver::lex(text);
  for (size_t i = 0; i < lexed.tokens.size(); ++i) {
    const bool same =
        pgserver::lower_case(lexed.view(i)) == last || pgserver::identifier_of(lexed, i) == last;
    if (!same) continue;
    if (qualifier.empty()) return lexed.tokens[i].begin;
    if (i >= 2 && pgserver::identifier_of(lexed, i - 2) == qualifier)
      return lexed.tokens[i - 2].begin;
  }
  return std::string::npos;
}

Failure named_failure(std::string_view message, std::string_view text) {
  Failure failure{std::string(sqlstate_of_text(message)), std::string(message)};
  std::string_view name;
  if (!(name = behind(message, "no such table: ")).empty()) {
    if (name.substr(0, 5) == "main.") name.remove_prefix(5);
    failure.message = "relation \"" + std::string(name) + "\" does not exist";
  } else if (!(name = behind(message, "no such column: ")).empty()) {
    failure.message = "column \"" + std::string(name) + "\" does not exist";
  } else if (!(name = behind(message, "has no column named ")).empty()) {
    failure.message = "column \"" + std::string(name) + "\" of relation does not exist";
  } else if (!(name = behind(message, "no such function: ")).empty()) {
    failure.message = "function " + std::string(name) + " does not exist";
  } else if (!(name = behind(message, "ambiguous column name: ")).empty()) {
    failure.message = "column reference \"" + std::string(name) + "\" is ambiguous";
  } else if (message.substr(0, 6) == "near \"") {
    name = message.substr(6, message.rfind("\": ") - 6);
    failure.message = "syntax error at or near \"" + std::string(name) + "\"";
  } else if (contains(message, "incomplete input")) {
    failure.message = "syntax error at end of input";
  } else if (contains(message, "not authorized")) {
    failure.message = "permission denied: " + std::string(message);
  }
  failure.at = position_of(name, text);
  return failure;
}

}  // namespace

std::string sqlstate_of(int extended_code, std::string_view message) {
  switch (extended_code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID: return "23505";
    case SQLITE_CONSTRAINT_FOREIGNKEY: return "23503";
    case SQLITE_CONSTRAINT_NOTNULL: return "23502";
    case SQLITE_CONSTRAINT_CHECK: return "23514";
    case SQLITE_BUSY_SNAPSHOT: return "40001";
    default: break;
  }
  switch (extended_code & 0xff) {
    case SQLITE_ERROR: return std::string(sqlstate_of_text(message));
    case SQLITE_CONSTRAINT: return "23000";
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "55P03";
    case SQLITE_INTERRUPT: return "57014";
    case SQLITE_TOOBIG: return "54000";
    case SQLITE_FULL: return "53100";
    case SQLITE_NOMEM: return "53200";
    case SQLITE_READONLY: return "25006";
    case SQLITE_AUTH: return "42501";
    case SQLITE_MISMATCH: return "22P02";
    case SQLITE_RANGE: return "08P01";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return "XX001";
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: return "58030";
    default: return "XX000";
  }
}

Failure failure_of(int extended_code, std::string_view message, std::string_view text) {
  switch (extended_code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY: return unique_violation(message);
    case SQLITE_CONSTRAINT_NOTNULL: return not_null_violation(message);
    case SQLITE_CONSTRAINT_CHECK:
      return {"23514", "new row violates check constraint \"" +
                           std::string(behind(message, "failed: ")) + "\""};
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return {"23503", "insert, update or delete violates foreign key constraint"};
    case SQLITE_BUSY_SNAPSHOT:
      return {"40001", "could not serialize access due to concurrent update"};
    default: break;
  }
  if ((extended_code & 0xff) == SQLITE_ERROR || (extended_code & 0xff) == SQLITE_AUTH) {
    Failure failure = named_failure(message, text);
    if ((extended_code & 0xff) == SQLITE_AUTH) failure.sqlstate = "42501";
    return failure;
  }
  if ((extended_code & 0xff) == SQLITE_BUSY)
    return {"55P03", "another process holds the lock of the database file"};
  if ((extended_code & 0xff) == SQLITE_READONLY)
    return {"25006", "cannot write in a read-only transaction"};
  return {sqlstate_of(extended_code, message), std::string(message)};
}

}  // namespace weir::engine::sqlite
