// Functions about the session, the clock and the server (PostgreSQL's manual, 9.9.5, 9.26, 9.27).
#include "functions.h"

#include <time.h>

#include <cmath>

#include <weir/base/crypto.h>
#include <weir/pgserver/types.h>

namespace weir::engine::sqlite {

using pgserver::date_text;
using pgserver::time_text;
using pgserver::timestamp_text;

void refuse(sqlite3_context* context, std::string_view sqlstate, const std::string& message) {
  handle_of(context).note_sqlstate(sqlstate);
  sqlite3_result_error(context, message.c_str(), static_cast<int>(message.size()));
}

void add(Handle& handle, const FunctionEntry* entries, size_t count) {
  for (size_t i = 0; i < count; ++i)
    sqlite3_create_function_v2(handle.db(), entries[i].name, entries[i].arguments,
                               SQLITE_UTF8 | entries[i].flags, &handle, entries[i].call, nullptr,
                               nullptr, nullptr);
}

namespace {

const SessionView& session_of(sqlite3_context* context) {
  static const SessionView kNobody;
  const SessionView* session = handle_of(context).session();
  return session ? *session : kNobody;
}

void now(sqlite3_context* context, int, sqlite3_value**) {
  give(context, timestamp_text(session_of(context).transaction_began));
}
void statement_now(sqlite3_context* context, int, sqlite3_value**) {
  give(context, timestamp_text(session_of(context).statement_began));
}
void clock_now(sqlite3_context* context, int, sqlite3_value**) {
  give(context, timestamp_text(pgserver::timestamp_now()));
}
void today(sqlite3_context* context, int, sqlite3_value**) {
  give(context, date_text(session_of(context).transaction_began));
}
void time_of_day(sqlite3_context* context, int, sqlite3_value**) {
  const int64_t micros = session_of(context).transaction_began % pgserver::kMicrosPerDay;
  give(context, time_text(micros < 0 ? micros + pgserver::kMicrosPerDay : micros));
}

void user(sqlite3_context* context, int, sqlite3_value**) {
  const SessionView& session = session_of(context);
  if (session.info) give(context, session.info->user);
}
void database(sqlite3_context* context, int, sqlite3_value**) {
  const SessionView& session = session_of(context);
  if (session.info) give(context, session.info->database);
}
void schema(sqlite3_context* context, int, sqlite3_value**) { give(context, "public"); }
void backend_pid(sqlite3_context* context, int, sqlite3_value**) {
  const SessionView& session = session_of(context);
  sqlite3_result_int(context, session.info ? session.info->process_id : 0);
}
void version(sqlite3_context* context, int, sqlite3_value**) {
  give(context,
       std::string("PostgreSQL 15.0 (weir " WEIR_VERSION ", SQLite ") + sqlite3_libversion() + ")");
}
void no(sqlite3_context* context, int, sqlite3_value**) { sqlite3_result_int(context, 0); }
void nothing(sqlite3_context* context, int, sqlite3_value**) { sqlite3_result_null(context); }

void current_setting(sqlite3_context* context, int count, sqlite3_value** values) {
  const SessionView& session = session_of(context);
  const std::string name(text_of(values[0]));
  const auto value = session.info ? session.info->settings.show(name) : std::nullopt;
  if (value) return give(context, *value);
  if (count == 2 && sqlite3_value_int(values[1]) != 0) return;
  refuse(context, "42704", "unrecognized configuration parameter \"" + name + "\"");
}

void set_config(sqlite3_context* context, int, sqlite3_value** values) {
  const SessionView& session = session_of(context);
  if (!session.info) return;
  const std::string name(text_of(values[0]));
  const std::string value(text_of(values[1]));
  const bool local = sqlite3_value_int(values[2]) != 0;
  pgserver::Settings& settings = session.info->settings;
  if (const auto error = local ? settings.set_local(name, value) : settings.set(name, value))
    return refuse(context, error->sqlstate, error->message);
  give(context, settings.show(name).value_or(value));
}

// In small steps, so that a cancel request and the statement's deadline are seen.
void pg_sleep(sqlite3_context* context, int, sqlite3_value** values) {
  Handle& handle = handle_of(context);
  const double seconds = sqlite3_value_double(values[0]);
  const base::Time end = base::steady_now() +
                         static_cast<base::Duration>(std::fmin(std::fmax(seconds, 0), 86400) * 1e6);
  for (base::Time at; (at = base::steady_now()) < end;) {
    if (!handle.watch() || !handle.watch()->may_sleep) {
      // On the loop: give up, to be run again elsewhere.
      (void)handle.spend(INT64_MAX / 2);
      return sqlite3_result_error(context, "not here", -1);
    }
    if (!handle.spend(1)) return sqlite3_result_error(context, "stopped", -1);
    const base::Duration left = std::min<base::Duration>(end - at, 2 * base::kMillisecond);
    const timespec time{0, static_cast<long>(left * 1000)};
    nanosleep(&time, nullptr);
  }
  give(context, "");
}

void random_real(sqlite3_context* context, int, sqlite3_value**) {
  uint64_t bits = 0;
  sqlite3_randomness(sizeof bits, &bits);
  sqlite3_result_double(context, static_cast<double>(bits >> 11) * 0x1.0p-53);
}

void random_uuid(sqlite3_context* context, int, sqlite3_value**) {
  std::string bytes = base::random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  give(context, pgserver::canonical_uuid(pgserver::hex_bytea(bytes).substr(2)).value_or(""));
}

constexpr FunctionEntry kSession[] = {
    {"now", 0, kPlain, now},
    {"transaction_timestamp", 0, kPlain, now},
    {"statement_timestamp", 0, kPlain, statement_now},
    {"clock_timestamp", 0, kPlain, clock_now},
    {"weir_current_date", 0, kPlain, today},
    {"weir_current_time", 0, kPlain, time_of_day},
    {"weir_user", 0, kPlain, user},
    {"current_database", 0, kPlain, database},
    {"current_schema", 0, kPlain, schema},
    {"pg_backend_pid", 0, kPlain, backend_pid},
    {"version", 0, kPlain, version},
    {"current_setting", 1, kPlain, current_setting},
    {"current_setting", 2, kPlain, current_setting},
    {"set_config", 3, kDirect, set_config},
    {"pg_is_in_recovery", 0, kPlain, no},
    {"pg_advisory_unlock_all", 0, kPlain, nothing},
    {"pg_sleep", 1, kDirect, pg_sleep},
    {"random", 0, kPlain, random_real},
    {"gen_random_uuid", 0, kPlain, random_uuid},
};

}  // namespace

void add_session_functions(Handle& handle) { add(handle, kSession, std::size(kSession)); }

void add_functions(Handle& handle) {
  add_session_functions(handle);
  add_cast_functions(handle);
  add_text_functions(handle);
}

}  // namespace weir::engine::sqlite
