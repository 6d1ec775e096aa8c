// Calls of the executor and what follows from its answers; the end of statements and turns.
#include <cassert>

#include "connection.h"

namespace weir::pgserver {

void Connection::call(After after, Answer answer) {
  after_ = after;
  if (answer == Answer::Pending) {
    state_ = State::Working;
  } else {
    resume(answer);
  }
}

void Connection::on_answer(Answer answer) {
  assert(answer != Answer::Pending);
  if (state_ == State::Ending) {
    if (after_ == After::WindUp) return finish();
    return wind_up();
  }
  if (state_ != State::Working) return;
  state_ = State::Open;
  // The calls that may follow are made before the next message is looked at.
  resume(answer);
  pump();
}

void Connection::resume(Answer answer) {
  const After after = after_;
  after_ = After::Nothing;
  switch (after) {
    case After::Nothing: return;
    case After::Parse: return after_parse(answer);
    case After::Run: return after_run(answer);
    case After::Feed: return after_feed(answer);
    case After::Session: return after_session(answer);
    case After::SyncCommit:
      if (answer == Answer::Failed) append_failure(executor_->failure(), "ERROR");
      return finish_sync();
    case After::ScriptCommit: return after_script_commit(answer);
    case After::Recovery: return after_recovery();
    case After::WindUp: return finish();
  }
}

void Connection::after_parse(Answer answer) {
  auto [name, prepared] = std::move(parsing_);
  parsing_ = {};
  if (answer == Answer::Failed) return fail(executor_->failure());
  kept_bytes_ += prepared->statement->text.size();
  statements_[name] = std::move(prepared);
  postgres::MessageBuilder(out_, '1');
}

void Connection::run_more() {
  if (cancelled_) return fail("57014", "canceling statement due to user request");
  if (loop_.now() >= deadline_)
    return fail("57014", "canceling statement due to statement timeout");
  Bound& bound = *running_->bound;
  RunLimits limits;
  limits.rows = running_->rows_max - std::min(bound.portal.rows, running_->rows_max);
  limits.bytes = core_.options.backlog_bytes;
  limits.deadline = deadline_;
  const bool last = running_->simple ? script_->next == script_->parts.size() : sync_is_next();
  limits.ends_transaction = last && block_.is_none();
  block_.note_statement();
  bound.portal.batch.clear();
  call(After::Run, executor_->run(bound.portal, limits));
}

void Connection::after_run(Answer answer) {
  if (answer == Answer::Failed) return fail(executor_->failure());
  Portal& portal = running_->bound->portal;
  if (answer == Answer::WantsCopy) return begin_copy();
  const Statement& statement = *portal.statement;
  if (!running_->described && statement.copies_out) {
    postgres::MessageBuilder message(out_, 'H');
    message.int8(0).int16(static_cast<uint16_t>(statement.columns.size()));
    for (size_t i = 0; i < statement.columns.size(); ++i) message.int16(0);
  } else if (running_->simple && !running_->described && !statement.columns.empty()) {
    append_row_description(statement, &portal);
  }
  running_->described = true;
  out_ += portal.batch;
  portal.batch.clear();
  if (answer == Answer::Done) {
    if (statement.copies_out) postgres::MessageBuilder(out_, 'c');
    running_->bound->done = true;
    const std::string tag = std::move(portal.tag);
    portal.kept.reset();
    complete(tag);
  } else if (portal.rows >= running_->rows_max) {
    postgres::MessageBuilder(out_, 's');
    running_.reset();
  }
}

void Connection::complete(std::string_view tag) {
  running_.reset();
  postgres::append_command_complete(out_, tag);
}

// ---------------------------------------------------------------- failures

void Connection::append_failure(const Failure& failure, std::string_view severity) {
  postgres::ErrorFields fields;
  fields.severity = severity;
  fields.sqlstate = failure.sqlstate;
  fields.message = failure.message;
  fields.detail = failure.detail;
  fields.hint = failure.hint;
  if (failure.at != std::string::npos && !failing_text_.empty())
    fields.position = std::to_string(character_position(failing_text_, failing_base_ + failure.at));
  postgres::append_error(out_, fields);
}

void Connection::fail(std::string_view sqlstate, std::string message) {
  Failure failure;
  failure.sqlstate = sqlstate;
  failure.message = std::move(message);
  fail(std::move(failure));
}

// A statement has failed: says so, brings the executor to where the client's next message finds it,
// and skips what the protocol says is to be skipped (55.2.3 "Extended Query", 55.2.2 "Simple
// Query").
void Connection::fail(Failure failure) {
  append_failure(failure, "ERROR");
  failing_text_ = {};
  cancelled_ = false;
  running_.reset();
  parsing_ = {};
  forget_portals();
  if (!in_simple_) skips_to_sync_ = true;
  if (!block_.is_none()) {
    const bool open = !block_.is_failed();
    block_.fail();
    return call(After::Recovery, open ? executor_->fail_block() : Answer::Done);
  }
  session_.settings.go_back(implicit_mark_);
  const bool undo = executor_->in_transaction();
  call(After::Recovery,
       undo ? executor_->transact({TransactionStep::Kind::Rollback}) : Answer::Done);
}

void Connection::after_recovery() {
  script_.reset();
  if (in_simple_) ready();
}

// ---------------------------------------------------------------- the end of a turn

void Connection::after_script_commit(Answer answer) {
  if (answer == Answer::Failed) return fail(executor_->failure());
  script_.reset();
  ready();
}

void Connection::ready() {
  in_simple_ = false;
  cancelled_ = false;
  failing_text_ = {};
  deadline_ = base::kNever;
  if (block_.is_none()) {
    forget_portals();
    session_.settings.end_transaction();
    implicit_mark_ = session_.settings.mark();
  }
  report_settings();
  postgres::append_ready(out_, block_.letter());
}

void Connection::set_deadline() {
  if (timeout_mark_ != session_.settings.mark()) {
    timeout_mark_ = session_.settings.mark();
    statement_timeout_ = session_.settings.duration("statement_timeout");
  }
  deadline_ = statement_timeout_ > 0 ? loop_.now() + statement_timeout_ : base::kNever;
}

void Connection::report_settings() {
  if (reported_mark_ == session_.settings.mark()) return;
  reported_mark_ = session_.settings.mark();
  for (auto& [name, value] : session_.settings.reported()) {
    std::string& told = told_[name];
    if (told == value) continue;
    told = value;
    postgres::append_parameter_status(out_, name, value);
  }
}

void Connection::warn(std::string_view sqlstate, std::string_view text) {
  postgres::ErrorFields fields;
  fields.severity = "WARNING";
  fields.sqlstate = sqlstate;
  fields.message = text;
  postgres::append_notice(out_, fields);
}

}  // namespace weir::pgserver
