#include "executor.h"

#include <cassert>

namespace weir::engine::sqlite {

using pgserver::Isolation;
using pgserver::Portal;
using pgserver::RunLimits;
using pgserver::Statement;
using pgserver::TransactionStep;

namespace {

constexpr base::Duration kHeavyFor = 60 * base::kSecond;
constexpr size_t kCopyBytesMin = 64 * 1024;  // collected before a job is made of them

}  // namespace

SqliteExecutor::SqliteExecutor(Core& core, LoopState& state, pgserver::SessionInfo& session,
                               pgserver::ExecutorClient& client)
    : core_(core),
      state_(state),
      session_(session),
      client_(client),
      timer_(&SqliteExecutor::on_timer, this) {
  view_.info = &session_;
}

SqliteExecutor::~SqliteExecutor() = default;

Answer SqliteExecutor::fail(std::string_view sqlstate, std::string message) {
  failure_ = Failure{std::string(sqlstate), std::move(message)};
  return Answer::Failed;
}

Answer SqliteExecutor::fail(const base::Error& error) {
  return fail(error.code.empty() ? std::string_view("58000") : std::string_view(error.code),
              error.text);
}

void SqliteExecutor::begin_clock() {
  view_.statement_began = pgserver::timestamp_now();
  if (!in_block_ && !writes_) view_.transaction_began = view_.statement_began;
}

// Where reads go on this thread: the transaction's own reader, or the loop's. Null when none can be
// had.
Handle* SqliteExecutor::reading_handle() {
  if (has_snapshot()) return open_snapshot() ? snapshot_.get() : nullptr;
  if (!state_.home) {
    auto lease = core_.readers.take();
    if (!lease) return fail(lease.error()), nullptr;
    state_.home = std::move(*lease);
  }
  return state_.home.get();
}

bool SqliteExecutor::open_snapshot() {
  if (snapshot_) return true;
  auto lease = core_.readers.take();
  if (!lease) return fail(lease.error()), false;
  snapshot_ = std::move(*lease);
  const int code = snapshot_.get()->run_own("BEGIN");
  if (code == SQLITE_OK) return true;
  failure_ = snapshot_.get()->failure(code, {});
  snapshot_ = {};
  return false;
}

bool SqliteExecutor::refuses_write(const Compiled& compiled) {
  const bool read_only =
      in_block_ ? mode_.read_only : session_.settings.is_on("default_transaction_read_only");
  if (!read_only) return false;
  fail("25006", "cannot execute " + compiled.tag.substr(0, compiled.tag.find(" 0")) +
                    " in a read-only transaction");
  return true;
}

// ---------------------------------------------------------------- describe

Answer SqliteExecutor::describe(Statement& statement) {
  const auto compiled = state_.compiled(statement.text);
  if (compiled->refused) {
    failure_ = *compiled->refused;
    return Answer::Failed;
  }
  statement_ = &statement;
  // A table that this transaction has made is seen only where it was made.
  if (writes_) return to_writer(Task::Describe);
  return describe_inline(statement, *compiled);
}

Answer SqliteExecutor::describe_inline(Statement& statement, const Compiled& compiled) {
  const std::vector<uint32_t> given = statement.parameter_types;
  const uint64_t schema = core_.schema.load(std::memory_order_acquire);
  if (const Described* known = state_.described(statement.text, given);
      known && known->schema == schema) {
    statement.parameter_types = known->parameters;
    statement.columns = known->columns;
    statement.described = compiled.verb != Verb::CopyOut;
    return Answer::Done;
  }
  Handle* const handle = reading_handle();
  if (!handle) return Answer::Failed;
  handle->refresh(schema);
  if (Runner(*handle, failure_).describe(statement, compiled) == Answer::Failed)
    return Answer::Failed;
  state_.remember(statement.text, given,
                  Described{schema, statement.parameter_types, statement.columns});
  return Answer::Done;
}

// ---------------------------------------------------------------- run

Answer SqliteExecutor::run(Portal& portal, const RunLimits& limits) {
  if (!portal.kept) {
    auto compiled = state_.compiled(portal.statement->text);
    if (compiled->refused) {
      failure_ = *compiled->refused;
      return Answer::Failed;
    }
    portal.kept = std::make_unique<Cursor>(std::move(compiled), writer_cursors_);
  }
  auto& cursor = static_cast<Cursor&>(*portal.kept);
  portal_ = &portal;
  limits_ = limits;
  if (cursor.compiled->verb == Verb::Nothing) {
    portal.tag = cursor.compiled->tag;
    portal.statement->described = true;
    return Answer::Done;
  }
  if (!cursor.open) begin_clock();
  return route(cursor);
}

Answer SqliteExecutor::route(Cursor& cursor) {
  const Compiled& compiled = *cursor.compiled;
  if (cursor.open) return cursor.on_writer ? to_writer(Task::Run) : run_aside(cursor);
  if (compiled.writes && refuses_write(compiled)) return Answer::Failed;
  if (compiled.writes || writes_) {
    if (has_snapshot() && !open_snapshot()) return Answer::Failed;
    if (!cursor.on_writer) ++writer_cursors_;
    cursor.on_writer = true;
    return to_writer(Task::Run);
  }
  if (compiled.heavy_by_name ||
      compiled.heavy_until.load(std::memory_order_relaxed) > state_.loop.now())
    return run_aside(cursor);
  return run_inline(cursor);
}

// On the loop, for so many steps. Nothing has been sent before it returns, so it can be begun again
// elsewhere.
Answer SqliteExecutor::run_inline(Cursor& cursor) {
  Handle* const handle = reading_handle();
  if (!handle) return Answer::Failed;
  const uint64_t rows = portal_->rows;
  watch_ = Watch{};
  watch_.steps_left = core_.options.read_budget_steps;
  handle->refresh(core_.schema.load(std::memory_order_acquire));
  Runner runner(*handle, failure_);
  handle->begin(watch_, &view_);
  const Answer answer = runner.run(*portal_, limits_);
  handle->end();
  if (runner.needs_writer()) {
    cursor.compiled->writes = true;
    return route(cursor);
  }
  const bool busy = answer == Answer::Failed && failure_.sqlstate == "55P03";
  if (watch_.stopped == Stop::Budget || busy) {
    if (!busy) cursor.compiled->heavy_until = state_.loop.now() + kHeavyFor;
    cursor.statement.release();
    cursor.open = false;
    portal_->batch.clear();
    portal_->rows = rows;
    return run_aside(cursor);
  }
  if (answer == Answer::Failed) note_failure();
  // A statement that goes on later keeps its reader: nobody else's reads shall see its snapshot.
  if (answer == Answer::More && !has_snapshot()) cursor.own = std::move(state_.home);
  return answer;
}

// Another process may have changed the schema: what has been described is to be described anew.
void SqliteExecutor::note_failure() {
  if (failure_.sqlstate == "0A000") core_.schema.fetch_add(1, std::memory_order_release);
}

// On a helper's thread.
Answer SqliteExecutor::run_aside(Cursor& cursor) {
  if (has_snapshot()) {
    if (!open_snapshot()) return Answer::Failed;
    at_ = snapshot_.get();
  } else {
    if (!cursor.own) {
      auto lease = core_.readers.take();
      if (!lease) return fail(lease.error());
      cursor.own = std::move(*lease);
    }
    at_ = cursor.own.get();
  }
  return to_helper();
}

Answer SqliteExecutor::feed(Portal& portal, base::Bytes bytes, bool last) {
  auto& cursor = static_cast<Cursor&>(*portal.kept);
  cursor.copy_bytes.append(bytes);
  if (!last && cursor.copy_bytes.size() < kCopyBytesMin) return Answer::More;
  portal_ = &portal;
  last_feed_ = last;
  return to_writer(Task::Feed);
}

// ---------------------------------------------------------------- transactions

Answer SqliteExecutor::transact(const TransactionStep& step) {
  step_ = step;
  switch (step.kind) {
    case TransactionStep::Kind::Begin:
      if (!in_block_ && !writes_) view_.transaction_began = pgserver::timestamp_now();
      in_block_ = true;
      mode_ = step.mode;
      return Answer::Done;
    case TransactionStep::Kind::Commit:
    case TransactionStep::Kind::Rollback: return finish_transaction();
    case TransactionStep::Kind::Savepoint:
      if (writes_) return to_writer(Task::Step);
      savepoints_ = step.depth + 1;
      return Answer::Done;
    case TransactionStep::Kind::Release:
      if (writes_) return to_writer(Task::Step);
      savepoints_ = step.depth;
      return Answer::Done;
    case TransactionStep::Kind::RollbackTo:
      if (lost_)
        return fail("25P02", "the transaction has been rolled back as a whole; ROLLBACK ends it");
      if (writes_) return to_writer(Task::Step);
      savepoints_ = step.depth + 1;
      return Answer::Done;
  }
  return Answer::Done;
}

Answer SqliteExecutor::finish_transaction() {
  in_block_ = false;
  lost_ = false;
  mode_ = {};
  if (writes_) return to_writer(Task::Step);
  snapshot_ = {};  // it has only read
  savepoints_ = 0;
  return Answer::Done;
}

// Without a savepoint to go back to, others may write from now on.
Answer SqliteExecutor::fail_block() {
  if (savepoints_ > 0 && !lost_) return Answer::Done;
  if (!writes_) {
    snapshot_ = {};
    return Answer::Done;
  }
  step_ = {};
  step_.kind = TransactionStep::Kind::Rollback;
  return to_writer(Task::Step);
}

base::Duration SqliteExecutor::idle_limit() const {
  const base::Duration own = session_.settings.duration("idle_in_transaction_session_timeout");
  const base::Duration limit = writes_ ? core_.options.writer_idle_timeout : 0;
  if (own == 0 || limit == 0) return std::max(own, limit);
  return std::min(own, limit);
}

void SqliteExecutor::cancel() {
  cancelled_.store(true, std::memory_order_relaxed);
  const bool withdrawn = (place_ == Place::Writer && core_.writer.withdraw(*this)) ||
                         (place_ == Place::Helper && core_.helpers.withdraw(*this));
  if (!withdrawn) return;
  place_ = Place::None;
  timer_.drop();
  failure_ = Failure{"57014", "canceling statement due to user request"};
  client_.on_answer(Answer::Failed);
}

}  // namespace weir::engine::sqlite
