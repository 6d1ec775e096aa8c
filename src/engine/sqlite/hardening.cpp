// What stands between a client's SQL and the rest of the machine. Several fences, so that none
// alone has to hold: the compiler lets few kinds of statements through, the authorizer sees every
// action when a statement is prepared, and the connection itself is configured and limited.
#include <cstring>
#include <initializer_list>

#include <weir/pgserver/sql.h>

#include "handle.h"

namespace weir::engine::sqlite {

namespace {

bool one_of(const char* name, std::initializer_list<std::string_view> denied) {
  if (!name) return false;
  for (const std::string_view each : denied)
    if (pgserver::equals_ignoring_case(name, each)) return true;
  return false;
}

// Virtual tables that look behind the database, and functions that reach out of it.
bool is_forbidden_table(const char* name) {
  return name && (std::strncmp(name, "pragma_", 7) == 0 ||
                  one_of(name, {"dbstat", "sqlite_dbpage", "sqlite_dbptr", "sqlite_stmt",
                                "bytecode", "tables_used", "completion", "fsdir"}));
}

bool is_forbidden_function(const char* name) {
  return one_of(name, {"load_extension", "fts3_tokenizer", "fts5", "readfile", "writefile", "edit",
                       "rtreecheck", "rtreenode", "geopoly_debug", "sqlite_compileoption_get",
                       "sqlite_compileoption_used", "sqlite_source_id", "sqlite_log",
                       "sqlite_offset", "shell_add_schema"});
}

// tidy(parameters): the signature is SQLite's
int authorize(void* self, int action, const char* first, const char* second, const char* database,
              const char*) {
  if (static_cast<const Handle*>(self)->runs_own()) return SQLITE_OK;
  // ALTER TABLE looks through the temporary schema too; DEFENSIVE keeps clients from writing to it.
  const bool temporary = database && std::strcmp(database, "temp") == 0;
  const bool schema = one_of(first, {"sqlite_temp_master", "sqlite_temp_schema"});
  if (temporary && action != SQLITE_READ && action != SQLITE_SELECT &&
      !(action == SQLITE_UPDATE && schema))
    return SQLITE_DENY;
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_VIEW:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_VIEW:
    case SQLITE_ALTER_TABLE:
    case SQLITE_REINDEX:  // CREATE INDEX asks for it
      return SQLITE_OK;
    case SQLITE_READ: return is_forbidden_table(first) ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_FUNCTION: return is_forbidden_function(second) ? SQLITE_DENY : SQLITE_OK;
    default:
      // ATTACH, DETACH, PRAGMA, transactions and savepoints, temporary objects, triggers, virtual
      // tables, ANALYZE, and what later versions may add.
      return SQLITE_DENY;
  }
}

void set_limits(sqlite3* db) {
  struct Limit {
    int which;
    int value;
  };
  constexpr Limit kLimits[] = {{SQLITE_LIMIT_LENGTH, 16 << 20},
                               {SQLITE_LIMIT_SQL_LENGTH, 4 << 20},  // what rewriting makes of 1 MiB
                               {SQLITE_LIMIT_EXPR_DEPTH, 200},
                               {SQLITE_LIMIT_COMPOUND_SELECT, 100},
                               {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
                               {SQLITE_LIMIT_VDBE_OP, 250'000},
                               {SQLITE_LIMIT_ATTACHED, 0},
                               {SQLITE_LIMIT_TRIGGER_DEPTH, 100},
                               {SQLITE_LIMIT_FUNCTION_ARG, 100},
                               {SQLITE_LIMIT_WORKER_THREADS, 0}};
  for (const Limit& limit : kLimits) sqlite3_limit(db, limit.which, limit.value);
}

}  // namespace

void harden(Handle& handle) {
  sqlite3* const db = handle.db();
  for (const int off : {SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
                        SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, SQLITE_DBCONFIG_WRITABLE_SCHEMA,
                        SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_DQS_DDL})
    sqlite3_db_config(db, off, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  set_limits(db);
  sqlite3_set_authorizer(db, &authorize, &handle);
}

}  // namespace weir::engine::sqlite
