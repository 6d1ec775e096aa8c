// One SQLite connection: opened and hardened in one place, with a cache of prepared statements and
// with what may stop a running one. Used by one thread at a time: whoever holds it. Its owner is
// the Readers pool, a cursor or a transaction that holds it for itself, or the Writer.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <weir/base/result.h>
#include <weir/base/time.h>
#include <weir/pgserver/executor.h>

namespace weir::engine::sqlite {

enum class Role : uint8_t { Reader, Writer, Keeper };  // a keeper only runs checkpoints

struct HandleOptions {
  std::string path;
  Role role = Role::Reader;
  base::Duration busy_timeout = 30 * base::kSecond;  // for locks of other processes
  int cache_kib = 4096;
  const std::atomic<bool>* closing = nullptr;  // set: everything that runs is to stop
};

enum class Stop : uint8_t { None, Cancelled, Deadline, Budget };

// What stops the statement that runs.
struct Watch {
  const std::atomic<bool>* cancelled = nullptr;
  base::Time deadline = base::kNever;
  int64_t steps_left = INT64_MAX;  // of SQLite's virtual machine
  bool may_sleep = false;          // off the loop
  Stop stopped = Stop::None;
};

// What functions such as now() and current_user ask. Lives as long as the session's connection.
struct SessionView {
  pgserver::SessionInfo* info = nullptr;
  int64_t transaction_began = 0;  // microseconds, as pgserver::timestamp_now()
  int64_t statement_began = 0;
};

class Handle;

// A statement taken from its handle's cache; goes back into it, at rest, when it is destroyed.
class Prepared {
 public:
  Prepared() = default;
  Prepared(Handle& handle, sqlite3_stmt* statement, std::string sql)
      : handle_(&handle), statement_(statement), sql_(std::move(sql)) {}
  Prepared(Prepared&& other) noexcept { *this = std::move(other); }
  Prepared& operator=(Prepared&& other) noexcept;
  ~Prepared() { release(); }
  explicit operator bool() const { return statement_ != nullptr; }
  sqlite3_stmt* get() const { return statement_; }
  void release();

 private:
  Handle* handle_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  std::string sql_;
};

class Handle {
 public:
  static base::Result<std::unique_ptr<Handle>> open(const HandleOptions& options);
  ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  sqlite3* db() const { return db_; }
  Role role() const { return role_; }
  bool in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

  // A client's statement, under the authorizer. Empty with failure set when it cannot be.
  // `text` is what the client wrote, for positions.
  Prepared prepare(const std::string& sql, std::string_view text, pgserver::Failure& failure);
  // SQLite looks whether the schema has changed when a statement is stepped, not when it is
  // prepared. `generation` changes with the schema: with a new one, SQLite is made to look, and
  // nothing prepared before is used again.
  void refresh(uint64_t generation);
  void forget_statements();
  // One of weir's own statements, without the authorizer. Returns SQLite's code.
  int run_own(const char* sql);
  bool runs_own() const { return own_; }
  // A reader refuses to write unless it is told otherwise. False: it could not be changed.
  bool set_writable(bool writable);

  // Between these two, statements may run; `watch` and `session` outlive it.
  void begin(Watch& watch, const SessionView* session);
  void end();
  Watch* watch() const { return watch_; }
  // A function has done so much work. False: it is to stop, with an error.
  bool spend(int64_t steps);
  const SessionView* session() const { return session_; }

  int log_pages() const {
    return log_pages_;
  }  // in the write-ahead log, after this handle's last commit

  // What a failed call means for the client.
  pgserver::Failure failure(int code, std::string_view statement_text) const;

  // For the code of functions that fail with an SQLSTATE of their own.
  void note_sqlstate(std::string_view sqlstate) { sqlstate_ = sqlstate; }

 private:
  friend class Prepared;
  explicit Handle(const HandleOptions& options)
      : role_(options.role), busy_timeout_(options.busy_timeout), closing_(options.closing) {}
  void give_back(sqlite3_stmt* statement, std::string sql);
  static int on_progress(void* self);
  static int on_busy(void* self, int count);
  static int on_commit(void* self, sqlite3*, const char*, int pages);

  struct Cached {
    std::string sql;
    sqlite3_stmt* statement;
  };
  sqlite3* db_ = nullptr;
  Role role_;
  base::Duration busy_timeout_;
  const std::atomic<bool>* closing_;
  base::Time busy_since_ = 0;
  int log_pages_ = 0;
  bool own_ = false;
  bool writable_ = false;
  Watch* watch_ = nullptr;
  const SessionView* session_ = nullptr;
  uint64_t generation_ = 0;
  std::string sqlstate_;
  std::list<Cached> cache_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Cached>::iterator> cached_;
};

// hardening.cpp: what a client's SQL may not do (each of them is refused by a test).
void harden(Handle& handle);
// functions.cpp: PostgreSQL's functions that SQLite lacks or has otherwise.
void add_functions(Handle& handle);
// errors.cpp
std::string sqlstate_of(int extended_code, std::string_view message);
pgserver::Failure failure_of(int extended_code, std::string_view message,
                             std::string_view statement_text);

}  // namespace weir::engine::sqlite
