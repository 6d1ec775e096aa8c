// Runs statements on a handle, on whichever thread holds it. On the stack of that thread; what it
// works on belongs to an executor that waits.
#pragma once

#include <weir/pgserver/executor.h>

#include "cursor.h"
#include "handle.h"

namespace weir::engine::sqlite {

using pgserver::Answer;

// A column of the row that a statement stands on; its bytes last until the next step.
pgserver::Value value_of(sqlite3_stmt* statement, int column);

class Runner {
 public:
  Runner(Handle& handle, Failure& failure) : handle_(handle), failure_(failure) {}

  Answer describe(pgserver::Statement& statement, const Compiled& compiled);
  // Opens the cursor if it is not open, and makes rows. Failed with needs_writer(): it has to go to
  // the writer.
  Answer run(pgserver::Portal& portal, const pgserver::RunLimits& limits);
  Answer feed(pgserver::Portal& portal, bool last);  // the cursor's copy_bytes
  bool needs_writer() const { return needs_writer_; }

 private:
  bool run_all_but_last(const Compiled& compiled);
  bool open(pgserver::Portal& portal, Cursor& cursor);
  bool bind(sqlite3_stmt* statement, const pgserver::Portal& portal);
  bool bind_one(sqlite3_stmt* statement, int index, const pgserver::Parameter& value);
  bool describe_run(pgserver::Statement& statement, const Cursor& cursor, int code);
  bool append_row(pgserver::Portal& portal, sqlite3_stmt* statement);
  bool append_copy_row(pgserver::Portal& portal, const Cursor& cursor);
  void finish(pgserver::Portal& portal, Cursor& cursor);
  Answer begin_copy(pgserver::Portal& portal, Cursor& cursor);
  bool insert_copied(Cursor& cursor, const CopyRow& row);
  bool fail(int code, const Compiled& compiled);

  Handle& handle_;
  Failure& failure_;
  bool needs_writer_ = false;
};

}  // namespace weir::engine::sqlite
