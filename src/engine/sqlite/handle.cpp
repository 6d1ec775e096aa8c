#include "handle.h"

#include <time.h>

namespace weir::engine::sqlite {

using base::Error;
using base::ErrorKind;
using base::Result;
using pgserver::Failure;

namespace {

constexpr size_t kCachedStatementsMax = 100;
constexpr int kStepsPerCheck = 1000;  // of the virtual machine; about 9 µs

void sleep_for(base::Duration duration) {
  const timespec time{duration / base::kSecond, static_cast<long>(duration % base::kSecond * 1000)};
  nanosleep(&time, nullptr);
}

}  // namespace

Prepared& Prepared::operator=(Prepared&& other) noexcept {
  if (this == &other) return *this;
  release();
  handle_ = other.handle_;
  statement_ = std::exchange(other.statement_, nullptr);
  sql_ = std::move(other.sql_);
  return *this;
}

void Prepared::release() {
  if (statement_) handle_->give_back(std::exchange(statement_, nullptr), std::move(sql_));
}

Result<std::unique_ptr<Handle>> Handle::open(const HandleOptions& options) {
  std::unique_ptr<Handle> handle(new Handle(options));
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(options.path.c_str(), &handle->db_, flags, nullptr);
  if (code != SQLITE_OK) {
    const std::string why = handle->db_ ? sqlite3_errmsg(handle->db_) : sqlite3_errstr(code);
    return Error{ErrorKind::System, "cannot open " + options.path + ": " + why, "58030"};
  }
  sqlite3_busy_handler(handle->db_, &Handle::on_busy, handle.get());
  const std::string cache = "PRAGMA cache_size=-" + std::to_string(options.cache_kib);
  int failed = SQLITE_OK;
  for (const char* sql :
       {cache.c_str(), "PRAGMA temp_store=MEMORY", "PRAGMA foreign_keys=ON",
        "PRAGMA wal_autocheckpoint=0", "PRAGMA trusted_schema=OFF", "PRAGMA cell_size_check=ON"})
    if (failed == SQLITE_OK) failed = handle->run_own(sql);
  if (failed == SQLITE_OK && options.role == Role::Reader)
    failed = handle->run_own("PRAGMA query_only=ON");
  if (failed != SQLITE_OK)
    return Error{ErrorKind::System, options.path + ": " + sqlite3_errmsg(handle->db_),
                 sqlstate_of(failed, "")};
  harden(*handle);
  add_functions(*handle);
  sqlite3_wal_hook(handle->db_, &Handle::on_commit, handle.get());
  sqlite3_progress_handler(handle->db_, kStepsPerCheck, &Handle::on_progress, handle.get());
  return handle;
}

Handle::~Handle() {
  forget_statements();
  if (db_) sqlite3_close(db_);
}

int Handle::run_own(const char* sql) {
  const bool before = std::exchange(own_, true);
  Watch* const watch = std::exchange(watch_, nullptr);  // weir's own statements run to their end
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  watch_ = watch;
  own_ = before;
  return code;
}

bool Handle::set_writable(bool writable) {
  if (writable == writable_) return true;
  if (run_own(writable ? "PRAGMA query_only=OFF" : "PRAGMA query_only=ON") != SQLITE_OK)
    return false;
  writable_ = writable;
  return true;
}

Prepared Handle::prepare(const std::string& sql, std::string_view text, Failure& failure) {
  if (const auto found = cached_.find(sql); found != cached_.end()) {
    const auto at = found->second;
    cached_.erase(found);  // its key looks into the entry
    Cached cached = std::move(*at);
    cache_.erase(at);
    return {*this, cached.statement, std::move(cached.sql)};
  }
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.c_str(), static_cast<int>(sql.size() + 1),
                                      SQLITE_PREPARE_PERSISTENT, &statement, &tail);
  if (code != SQLITE_OK) {
    failure = this->failure(code, text);
    return {};
  }
  // One text is one statement, for SQLite as for us.
  const std::string_view rest(tail ? tail : "");
  if (!statement || rest.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    sqlite3_finalize(statement);
    failure = Failure{"42601", "syntax error"};
    return {};
  }
  return {*this, statement, sql};
}

void Handle::give_back(sqlite3_stmt* statement, std::string sql) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (cached_.count(sql) > 0) {
    sqlite3_finalize(statement);
    return;
  }
  cache_.push_front({std::move(sql), statement});
  cached_.emplace(cache_.front().sql, cache_.begin());
  if (cache_.size() <= kCachedStatementsMax) return;
  cached_.erase(cache_.back().sql);
  sqlite3_finalize(cache_.back().statement);
  cache_.pop_back();
}

void Handle::forget_statements() {
  cached_.clear();
  for (const Cached& cached : cache_) sqlite3_finalize(cached.statement);
  cache_.clear();
}

void Handle::refresh(uint64_t generation) {
  if (generation == generation_) return;
  generation_ = generation;
  forget_statements();
  run_own("SELECT 1 FROM sqlite_schema LIMIT 1");
}

void Handle::begin(Watch& watch, const SessionView* session) {
  watch_ = &watch;
  session_ = session;
  sqlstate_.clear();
}

void Handle::end() {
  watch_ = nullptr;
  session_ = nullptr;
}

int Handle::on_progress(void* self) {
  return static_cast<Handle*>(self)->spend(kStepsPerCheck) ? 0 : 1;
}

bool Handle::spend(int64_t steps) {
  Watch* const watch = watch_;
  if (!watch) return true;
  if ((watch->cancelled && watch->cancelled->load(std::memory_order_relaxed)) ||
      (closing_ && closing_->load(std::memory_order_relaxed))) {
    watch->stopped = Stop::Cancelled;
  } else if ((watch->steps_left -= steps) <= 0) {
    watch->stopped = Stop::Budget;
  } else if (watch->deadline != base::kNever && base::steady_now() >= watch->deadline) {
    watch->stopped = Stop::Deadline;
  }
  return watch->stopped == Stop::None;
}

// Another process holds a lock. SQLite's own handler would wake late; on a loop nobody waits.
int Handle::on_busy(void* self, int count) {
  auto& handle = *static_cast<Handle*>(self);
  const Watch* const watch = handle.watch_;
  if (handle.role_ == Role::Keeper || (watch && !watch->may_sleep)) return 0;
  const base::Time now = base::steady_now();
  if (count == 0) handle.busy_since_ = now;
  if (now - handle.busy_since_ >= handle.busy_timeout_) return 0;
  if (watch && watch->cancelled && watch->cancelled->load(std::memory_order_relaxed)) return 0;
  if (handle.closing_ && handle.closing_->load(std::memory_order_relaxed)) return 0;
  if (watch && now >= watch->deadline) return 0;
  sleep_for(count < 20 ? base::kMillisecond / 10 : base::kMillisecond);
  return 1;
}

int Handle::on_commit(void* self, sqlite3*, const char*, int pages) {
  static_cast<Handle*>(self)->log_pages_ = pages;
  return SQLITE_OK;
}

Failure Handle::failure(int code, std::string_view statement_text) const {
  if (watch_ && watch_->stopped == Stop::Cancelled)
    return {"57014", "canceling statement due to user request"};
  if (watch_ && watch_->stopped == Stop::Deadline)
    return {"57014", "canceling statement due to statement timeout"};
  Failure failure = failure_of(code, sqlite3_errmsg(db_), statement_text);
  if (!sqlstate_.empty() && code == SQLITE_ERROR) failure.sqlstate = sqlstate_;
  return failure;
}

}  // namespace weir::engine::sqlite
