// What stands behind a PostgreSQL connection of weir's own servers: something that describes
// statements, runs them and keeps a transaction. One Executor for each connection, made by the
// engine, owned by the connection, called on its loop's thread only. It may work elsewhere: then a
// call answers Pending, and the executor calls ExecutorClient::on_answer() once on the loop's
// thread; until then the connection calls nothing but cancel().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/time.h>
#include <weir/pgserver/settings.h>
#include <weir/pgserver/sql.h>
#include <weir/pgserver/types.h>

namespace weir::pgserver {

// An error as the client gets it. `at` is a byte offset of the statement's text, npos when it is
// not known.
struct Failure {
  std::string sqlstate = "XX000";
  std::string message;
  std::string detail = {};
  std::string hint = {};
  size_t at = std::string::npos;
};

enum class Answer : uint8_t {
  Done,       // what was asked for is complete
  More,       // run(): rows are in the batch and more would come; feed(): goes on
  WantsCopy,  // run(): COPY … FROM STDIN, to be fed
  Pending,    // on_answer() will say
  Failed,     // failure() says why
};

// What an executor keeps of a statement or of a running portal.
struct Kept {
  virtual ~Kept() = default;
};

// One statement. describe() or the first run() fills in what is below the line.
struct Statement {
  std::string text;
  std::vector<uint32_t> parameter_types;  // as in Parse; describe() fills the gaps
  // ----
  bool described = false;
  std::vector<Column> columns;  // empty: gives no rows
  bool copies_out = false;      // the rows are the lines of COPY … TO STDOUT
  std::unique_ptr<Kept> kept;
};

// A statement with its parameters, from Bind to its end.
struct Portal {
  std::shared_ptr<Statement> statement;
  std::vector<Parameter> parameters;
  std::vector<Format> formats;  // one for each column, or none: all text
  std::string batch;  // DataRow messages (CopyData for COPY … TO): the connection takes them away
  uint64_t rows = 0;  // since the running Execute began; the connection sets it back
  std::string tag;    // after Done
  size_t copy_columns = 0;  // after WantsCopy
  std::unique_ptr<Kept> kept;

  Format format_of(size_t column) const {
    return formats.empty() ? Format::Text : formats.size() == 1 ? formats[0] : formats[column];
  }
};

struct RunLimits {
  uint64_t rows = UINT64_MAX;  // at most, in this batch
  size_t bytes = 64 * 1024;    // about, in this batch
  base::Time deadline = base::kNever;
  bool ends_transaction =
      false;  // if no block is open, this statement's end is the transaction's end
};

enum class Isolation : uint8_t { ReadCommitted, RepeatableRead, Serializable };

struct TransactionMode {
  Isolation isolation = Isolation::ReadCommitted;
  bool read_only = false;
};

// Savepoints are numbered by depth, from 0.
struct TransactionStep {
  enum class Kind : uint8_t { Begin, Commit, Rollback, Savepoint, RollbackTo, Release };
  Kind kind = Kind::Begin;
  TransactionMode mode = {};
  size_t depth = 0;
};

class ExecutorClient {
 public:
  virtual void on_answer(Answer answer) = 0;

 protected:
  ~ExecutorClient() = default;
};

// Who is connected. Owned by the connection; outlives the executor.
struct SessionInfo {
  std::string user;
  std::string database;
  int32_t process_id = 0;
  Settings settings;
};

class Executor {
 public:
  virtual ~Executor() = default;  // not while a call is pending

  // True: this statement is the executor's though it begins like one that the connection answers
  // itself (SHOW …).
  virtual bool claims(const Lexed&, TokenRange) { return false; }

  virtual Answer describe(Statement& statement) = 0;
  // Runs the portal or goes on with it. May be called again after More.
  virtual Answer run(Portal& portal, const RunLimits& limits) = 0;
  // COPY … FROM STDIN: the next bytes; `last`: there are no more.
  virtual Answer feed(Portal& portal, base::Bytes bytes, bool last) = 0;
  // Whatever is kept of a portal or statement is simply destroyed by the connection, unless a call
  // is pending.

  virtual Answer transact(const TransactionStep& step) = 0;
  // In a block, a statement has failed: only Rollback, RollbackTo or Commit (which rolls back) will
  // follow.
  virtual Answer fail_block() = 0;
  // A transaction is open that only transact() ends, though the client may not have said BEGIN.
  virtual bool in_transaction() const = 0;
  // How long the transaction may wait for its client; 0: as long as it likes.
  virtual base::Duration idle_limit() const { return 0; }

  // What is pending is to end soon, with a failure; its answer may come from within this call.
  // Nothing is pending: nothing happens.
  virtual void cancel() = 0;
  virtual Answer discard() = 0;  // DISCARD ALL: forget what the session has made

  const Failure& failure() const { return failure_; }

 protected:
  Failure failure_;
};

}  // namespace weir::pgserver
