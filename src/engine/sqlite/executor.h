// One client's statements and transaction on a SQLite database, with READ COMMITTED as PostgreSQL
// has it: BEGIN does nothing; a read before the first write sees the newest commit; the first write
// takes the right to write, and from then on everything of the transaction runs where it writes,
// until its end. Owned by a connection, on its loop's thread; while a job runs, the job's thread
// alone touches what the job is about.
//
//   a read           inline on the loop's reader, for so many steps ─▶ a helper thread, with a
//   reader of its own a write          the writer's thread, when it is this transaction's turn
//   REPEATABLE READ  the same on a reader that the transaction keeps, in a real transaction
#pragma once

#include <atomic>

#include <weir/base/timer.h>
#include <weir/pgserver/executor.h>

#include "core.h"
#include "cursor.h"
#include "runner.h"

namespace weir::engine::sqlite {

class SqliteExecutor final : public pgserver::Executor, private Job {
 public:
  SqliteExecutor(Core& core, LoopState& state, pgserver::SessionInfo& session,
                 pgserver::ExecutorClient& client);
  ~SqliteExecutor() override;

  Answer describe(pgserver::Statement& statement) override;
  Answer run(pgserver::Portal& portal, const pgserver::RunLimits& limits) override;
  Answer feed(pgserver::Portal& portal, base::Bytes bytes, bool last) override;
  Answer transact(const pgserver::TransactionStep& step) override;
  Answer fail_block() override;
  bool in_transaction() const override { return writes_; }
  base::Duration idle_limit() const override;
  void cancel() override;
  Answer discard() override { return Answer::Done; }

 private:
  enum class Task : uint8_t { None, Describe, Run, Feed, Step };
  enum class Place : uint8_t { None, Helper, Writer };

  // executor.cpp: what to run where
  Answer route(Cursor& cursor);
  Answer run_inline(Cursor& cursor);
  Answer run_aside(Cursor& cursor);
  Answer describe_inline(pgserver::Statement& statement, const Compiled& compiled);
  bool refuses_write(const Compiled& compiled);
  Answer finish_transaction();
  Answer fail(std::string_view sqlstate, std::string message);
  Answer fail(const base::Error& error);
  Handle* reading_handle();
  bool open_snapshot();
  void begin_clock();
  void note_failure();
  bool has_snapshot() const {
    return mode_.isolation != pgserver::Isolation::ReadCommitted && in_block_;
  }

  // jobs.cpp: work on other threads
  Answer to_writer(Task task);
  Answer to_helper();
  void work() override;
  void on_done() override;
  void work_as_writer();
  Answer perform(Handle& handle);
  bool begin_write(Handle& handle);
  void end_write(Handle& handle, bool began);
  Answer perform_step(Handle& handle);
  bool commit(Handle& handle);
  static void on_timer(void* self, base::Time now);
  void give_up_waiting(base::Time now);
  base::Duration lock_timeout() const;

  Core& core_;
  LoopState& state_;
  pgserver::SessionInfo& session_;
  pgserver::ExecutorClient& client_;

  // The transaction
  bool in_block_ = false;
  pgserver::TransactionMode mode_;
  ReaderLease snapshot_;  // of REPEATABLE READ and SERIALIZABLE
  bool writes_ = false;   // holds the right to write
  bool defines_ = false;  // has changed the schema
  bool lost_ = false;     // SQLite has rolled everything back, savepoints too
  size_t savepoints_ = 0;
  int writer_cursors_ = 0;  // open where it writes

  // The call that is being answered
  Task task_ = Task::None;
  Place place_ = Place::None;
  pgserver::Statement* statement_ = nullptr;
  pgserver::Portal* portal_ = nullptr;
  pgserver::RunLimits limits_;
  pgserver::TransactionStep step_;
  bool last_feed_ = false;
  bool ends_ = false;     // commit when it is done
  Handle* at_ = nullptr;  // a helper's
  Answer answer_ = Answer::Done;
  bool keeps_right_ = false;  // what the job says of writes_
  std::atomic<bool> cancelled_{false};
  Watch watch_;
  SessionView view_;
  base::Timer timer_;
};

}  // namespace weir::engine::sqlite
