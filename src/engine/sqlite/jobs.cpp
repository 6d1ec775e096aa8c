// An executor's work on other threads.
#include <cassert>

#include "executor.h"

namespace weir::engine::sqlite {

using pgserver::TransactionStep;

namespace {

std::string savepoint_name(size_t depth) { return "weir_" + std::to_string(depth); }

}  // namespace

base::Duration SqliteExecutor::lock_timeout() const {
  const base::Duration own = session_.settings.duration("lock_timeout");
  return own > 0 ? own : core_.options.lock_timeout;
}

Answer SqliteExecutor::to_writer(Task task) {
  assert(place_ == Place::None);
  task_ = task;
  place_ = Place::Writer;
  cancelled_.store(false, std::memory_order_relaxed);
  watch_ = Watch{};
  watch_.cancelled = &cancelled_;
  watch_.may_sleep = true;
  if (task == Task::Run) {
    watch_.deadline = limits_.deadline;
    // Other cursors that stand where it writes have to go before the transaction does.
    ends_ = limits_.ends_transaction && !in_block_ && writer_cursors_ == 1;
  }
  keeps_right_ = writes_;
  if (!writes_) {
    base::Time until = state_.loop.now() + lock_timeout();
    if (task == Task::Run) until = std::min(until, limits_.deadline);
    state_.loop.timers().set(timer_, until);
  }
  core_.writer.submit(*this, state_.loop.mailbox());
  return Answer::Pending;
}

Answer SqliteExecutor::to_helper() {
  assert(place_ == Place::None);
  task_ = Task::Run;
  place_ = Place::Helper;
  cancelled_.store(false, std::memory_order_relaxed);
  watch_ = Watch{};
  watch_.cancelled = &cancelled_;
  watch_.may_sleep = true;
  watch_.deadline = limits_.deadline;
  core_.helpers.submit(*this, state_.loop.mailbox());
  return Answer::Pending;
}

void SqliteExecutor::on_timer(void* self, base::Time now) {
  static_cast<SqliteExecutor*>(self)->give_up_waiting(now);
}

void SqliteExecutor::give_up_waiting(base::Time now) {
  if (place_ != Place::Writer || !core_.writer.withdraw(*this)) return;
  place_ = Place::None;
  const bool statement = task_ == Task::Run && now >= limits_.deadline;
  failure_ =
      statement
          ? Failure{"57014", "canceling statement due to statement timeout"}
          : Failure{"55P03", "canceling statement due to lock timeout: another transaction writes"};
  client_.on_answer(Answer::Failed);
}

// On the loop again.
void SqliteExecutor::on_done() {
  timer_.drop();
  const Place place = place_;
  place_ = Place::None;
  if (place == Place::Writer) {
    writes_ = keeps_right_;
    if (!writes_ && snapshot_ && !(*snapshot_).in_transaction()) snapshot_ = {};
  }
  // A read that writes: now it is known, and has to go elsewhere.
  if (place == Place::Helper && answer_ == Answer::Failed && task_ == Task::None) {
    auto& cursor = static_cast<Cursor&>(*portal_->kept);
    cursor.compiled->writes = true;
    cursor.own = {};
    answer_ = route(cursor);
    if (answer_ == Answer::Pending) return;
  }
  if (answer_ == Answer::Failed) note_failure();
  client_.on_answer(answer_);
}

// ---------------------------------------------------------------- on the threads

void SqliteExecutor::work() {
  if (place_ == Place::Writer) return work_as_writer();
  answer_ = perform(*at_);
}

Answer SqliteExecutor::perform(Handle& handle) {
  if (task_ == Task::Describe || task_ == Task::Run)
    handle.refresh(core_.schema.load(std::memory_order_acquire));
  Runner runner(handle, failure_);
  handle.begin(watch_, &view_);
  Answer answer = Answer::Done;
  switch (task_) {
    case Task::Describe: answer = runner.describe(*statement_, *compile(statement_->text)); break;
    case Task::Run: answer = runner.run(*portal_, limits_); break;
    case Task::Feed: answer = runner.feed(*portal_, last_feed_); break;
    case Task::Step: answer = perform_step(handle); break;
    case Task::None: break;
  }
  handle.end();
  if (runner.needs_writer()) task_ = Task::None;
  return answer;
}

// Does its task with the right to write, which it has just got or kept from before.
void SqliteExecutor::work_as_writer() {
  Handle& handle = snapshot_ ? *snapshot_ : core_.writer.handle();
  const bool begins = !keeps_right_;
  if (begins && !begin_write(handle)) {
    answer_ = Answer::Failed;
    keeps_right_ = false;
    core_.writer.keep(false);
    return;
  }
  if (task_ == Task::Run) defines_ |= static_cast<Cursor&>(*portal_->kept).compiled->defines;
  answer_ = perform(handle);
  end_write(handle, begins);
}

bool SqliteExecutor::begin_write(Handle& handle) {
  handle.begin(watch_, nullptr);
  const auto run = [&](const std::string& sql) {
    const int code = handle.run_own(sql.c_str());
    if (code == SQLITE_OK) return true;
    failure_ = handle.failure(code, {});
    return false;
  };
  bool begun = true;
  if (handle.in_transaction()) {
    begun = handle.set_writable(true);
  } else {
    begun = run("BEGIN IMMEDIATE");
  }
  for (size_t depth = 0; begun && depth < savepoints_; ++depth)
    begun = run("SAVEPOINT " + savepoint_name(depth));
  if (!begun && handle.role() == Role::Writer && handle.in_transaction())
    handle.run_own("ROLLBACK");
  handle.end();
  return begun;
}

// After a task: commits what was to be committed, and says whether the right to write is kept.
void SqliteExecutor::end_write(Handle& handle, bool began) {
  const bool done = answer_ == Answer::Done;
  const bool stands_alone = (task_ == Task::Run || task_ == Task::Feed) && ends_;
  if (done && stands_alone && !commit(handle)) answer_ = Answer::Failed;
  if (answer_ == Answer::Failed && stands_alone && began && writer_cursors_ == 1) {
    static_cast<Cursor&>(*portal_->kept).statement.release();
    if (handle.in_transaction()) handle.run_own("ROLLBACK");
    keeps_right_ = false;
  } else if (answer_ == Answer::Failed && task_ != Task::Step) {
    // The connection puts its cursors away first, then asks for the end.
    keeps_right_ = true;
    lost_ = lost_ || !handle.in_transaction();
  } else {
    keeps_right_ = handle.in_transaction();
  }
  if (!handle.in_transaction()) defines_ = false;
  if (!handle.in_transaction() && handle.role() == Role::Reader) handle.set_writable(false);
  core_.writer.keep(keeps_right_);
}

bool SqliteExecutor::commit(Handle& handle) {
  handle.begin(watch_, nullptr);
  const int code = handle.run_own("COMMIT");
  if (code == SQLITE_OK) {
    core_.keeper.note_log(handle.log_pages());
    // Not before: until then others describe what was there before.
    if (defines_) core_.schema.fetch_add(1, std::memory_order_release);
    defines_ = false;
  } else {
    failure_ = handle.failure(code, {});
  }
  handle.end();
  if (code != SQLITE_OK && handle.in_transaction()) handle.run_own("ROLLBACK");
  return code == SQLITE_OK;
}

Answer SqliteExecutor::perform_step(Handle& handle) {
  const auto run = [&](const std::string& sql) {
    const int code = handle.run_own(sql.c_str());
    if (code == SQLITE_OK) return Answer::Done;
    failure_ = handle.failure(code, {});
    return Answer::Failed;
  };
  switch (step_.kind) {
    case TransactionStep::Kind::Begin: return Answer::Done;
    case TransactionStep::Kind::Commit:
      savepoints_ = 0;
      return commit(handle) ? Answer::Done : Answer::Failed;
    case TransactionStep::Kind::Rollback:
      if (handle.in_transaction()) handle.run_own("ROLLBACK");
      savepoints_ = 0;
      return Answer::Done;
    case TransactionStep::Kind::Savepoint: {
      const Answer answer = run("SAVEPOINT " + savepoint_name(step_.depth));
      if (answer == Answer::Done) savepoints_ = step_.depth + 1;
      return answer;
    }
    case TransactionStep::Kind::RollbackTo: {
      const Answer answer = run("ROLLBACK TO " + savepoint_name(step_.depth));
      if (answer == Answer::Done) savepoints_ = step_.depth + 1;
      return answer;
    }
    case TransactionStep::Kind::Release: {
      const Answer answer = run("RELEASE " + savepoint_name(step_.depth));
      if (answer == Answer::Done) savepoints_ = step_.depth;
      return answer;
    }
  }
  return Answer::Done;
}

}  // namespace weir::engine::sqlite
