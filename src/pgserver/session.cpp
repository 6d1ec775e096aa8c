// Statements that the connection carries out itself.
#include "connection.h"

namespace weir::pgserver {

namespace {

constexpr std::string_view kNoBlock = "there is no transaction in progress";

TransactionStep step_of(TransactionStep::Kind kind, size_t depth = 0) {
  TransactionStep step;
  step.kind = kind;
  step.depth = depth;
  return step;
}

}  // namespace

void Connection::run_session(const SessionStatement& statement) {
  session_statement_ = statement;
  if (!statement.warning.empty()) warn("01000", statement.warning);
  switch (statement.verb) {
    case SessionVerb::Begin: return begin_block(statement);
    case SessionVerb::Commit:
    case SessionVerb::Rollback: return end_block(statement);
    case SessionVerb::Savepoint:
    case SessionVerb::RollbackTo:
    case SessionVerb::Release: return savepoint(statement);
    case SessionVerb::SetTransaction:
    case SessionVerb::SetDefaults: return set_transaction(statement);
    case SessionVerb::Set:
    case SessionVerb::SetLocal:
    case SessionVerb::Reset: return set_setting(statement);
    case SessionVerb::Show: return show(statement);
    case SessionVerb::Discard: return discard(statement);
    case SessionVerb::Deallocate: return deallocate(statement);
    case SessionVerb::Nothing: return complete(statement.tag);
  }
}

// ---------------------------------------------------------------- transactions

TransactionMode Connection::wanted_mode(const SessionStatement& statement,
                                        const TransactionMode& base) const {
  return {statement.isolation.value_or(base.isolation),
          statement.read_only.value_or(base.read_only)};
}

void Connection::begin_block(const SessionStatement& statement) {
  if (!block_.is_none()) {
    warn("25001", "there is already a transaction in progress");
    return complete(statement.tag);
  }
  TransactionMode defaults;
  defaults.isolation =
      isolation_of(session_.settings.show("default_transaction_isolation").value_or(""));
  defaults.read_only = session_.settings.is_on("default_transaction_read_only");
  block_.begin(session_.settings, wanted_mode(statement, defaults), implicit_mark_);
  TransactionStep step = step_of(TransactionStep::Kind::Begin);
  step.mode = block_.mode();
  call(After::Session, executor_->transact(step));
}

void Connection::end_block(const SessionStatement& statement) {
  if (block_.is_none()) warn("25P01", kNoBlock);
  const bool commits = statement.verb == SessionVerb::Commit && !block_.is_failed();
  const auto running = std::move(running_);  // outlives its own portal
  running_.reset();
  forget_portals();
  call(After::Session, executor_->transact(step_of(commits ? TransactionStep::Kind::Commit
                                                           : TransactionStep::Kind::Rollback)));
}

void Connection::after_end_of_block(Answer answer) {
  const bool failed = answer == Answer::Failed;
  const bool commits =
      session_statement_.verb == SessionVerb::Commit && !block_.is_failed() && !failed;
  const TransactionMode mode = block_.mode();
  const bool was_block = !block_.is_none();
  if (commits) {
    block_.commit(session_.settings);
  } else {
    block_.roll_back(session_.settings);
    if (!was_block) session_.settings.go_back(implicit_mark_);
  }
  implicit_mark_ = session_.settings.mark();
  if (failed) return fail(executor_->failure());
  complete(commits ? "COMMIT" : "ROLLBACK");
  if (session_statement_.chain && was_block) {
    block_.begin(session_.settings, mode, implicit_mark_);
    TransactionStep step = step_of(TransactionStep::Kind::Begin);
    step.mode = mode;
    call(After::Nothing, executor_->transact(step));
  }
}

void Connection::savepoint(const SessionStatement& statement) {
  const bool saves = statement.verb == SessionVerb::Savepoint;
  if (block_.is_none()) {
    const std::string what = saves                                    ? "SAVEPOINT"
                             : statement.verb == SessionVerb::Release ? "RELEASE SAVEPOINT"
                                                                      : "ROLLBACK TO SAVEPOINT";
    return fail("25P01", what + " can only be used in transaction blocks");
  }
  if (saves) {
    if (block_.depth() >= Block::kSavepointsMax) return fail("53400", "too many savepoints");
    return call(After::Session,
                executor_->transact(step_of(TransactionStep::Kind::Savepoint, block_.depth())));
  }
  const auto depth = block_.find(statement.name);
  if (!depth) return fail("3B001", "savepoint \"" + statement.name + "\" does not exist");
  if (statement.verb == SessionVerb::Release)
    return call(After::Session,
                executor_->transact(step_of(TransactionStep::Kind::Release, *depth)));
  const auto running = std::move(running_);
  running_.reset();
  forget_portals();
  call(After::Session, executor_->transact(step_of(TransactionStep::Kind::RollbackTo, *depth)));
}

void Connection::after_session(Answer answer) {
  const SessionStatement& statement = session_statement_;
  if (statement.verb == SessionVerb::Commit || statement.verb == SessionVerb::Rollback)
    return after_end_of_block(answer);
  if (answer == Answer::Failed) return fail(executor_->failure());
  switch (statement.verb) {
    case SessionVerb::Savepoint: block_.save(statement.name, session_.settings); break;
    case SessionVerb::Release: block_.release(*block_.find(statement.name)); break;
    case SessionVerb::RollbackTo:
      block_.roll_back_to(*block_.find(statement.name), session_.settings);
      break;
    case SessionVerb::Discard: after_discard(); break;
    default: break;
  }
  complete(statement.tag);
}

void Connection::set_transaction(const SessionStatement& statement) {
  Settings& settings = session_.settings;
  if (statement.verb == SessionVerb::SetDefaults) {
    if (statement.isolation)
      (void)settings.set("default_transaction_isolation", isolation_name(*statement.isolation));
    if (statement.read_only)
      (void)settings.set("default_transaction_read_only", *statement.read_only ? "on" : "off");
    return complete(statement.tag);
  }
  if (block_.is_none()) {
    warn("25P01", "SET TRANSACTION can only be used in transaction blocks");
    return complete(statement.tag);
  }
  const TransactionMode mode = wanted_mode(statement, block_.mode());
  if (block_.used() && mode.isolation != block_.mode().isolation)
    return fail("25001", "SET TRANSACTION ISOLATION LEVEL must be called before any query");
  if (block_.used() && block_.mode().read_only && !mode.read_only)
    return fail("25001", "transaction read-write mode must be set before any query");
  block_.change_mode(settings, mode);
  TransactionStep step = step_of(TransactionStep::Kind::Begin);
  step.mode = mode;
  call(After::Session, executor_->transact(step));
}

// ---------------------------------------------------------------- settings

void Connection::set_setting(const SessionStatement& statement) {
  Settings& settings = session_.settings;
  const std::string name = lower_case(statement.name);
  if (statement.verb == SessionVerb::Reset && name.empty()) {
    settings.reset_all();
    return complete(statement.tag);
  }
  const bool gives_value = statement.verb != SessionVerb::Reset && !statement.to_default;
  if (gives_value && (name == "transaction_isolation" || name == "transaction_read_only")) {
    SessionStatement modes = statement;
    modes.verb = SessionVerb::SetTransaction;
    if (name == "transaction_isolation") {
      modes.isolation = isolation_of(lower_case(statement.value));
    } else {
      modes.read_only = read_boolean(statement.value).value_or(true);
    }
    session_statement_ = modes;
    return set_transaction(modes);
  }
  if (statement.verb == SessionVerb::SetLocal && block_.is_none())
    warn("25P01", "SET LOCAL can only be used in transaction blocks");
  const auto error = !gives_value ? settings.reset(name)
                     : statement.verb == SessionVerb::SetLocal
                         ? settings.set_local(name, statement.value)
                         : settings.set(name, statement.value);
  if (error) return fail(error->sqlstate, error->message);
  complete(statement.tag);
}

void Connection::show_columns(const SessionStatement& statement,
                              std::vector<Column>& columns) const {
  if (statement.verb != SessionVerb::Show) return;
  if (statement.name.empty()) {
    columns = {{"name"}, {"setting"}, {"description"}};
    return;
  }
  Column column{statement.name};
  for (const auto& [spelling, value] : session_.settings.reported())
    if (lower_case(spelling) == lower_case(statement.name)) column.name = spelling;
  columns = {column};
}

void Connection::show(const SessionStatement& statement) {
  const Settings& settings = session_.settings;
  const auto value = settings.show(statement.name);
  if (!statement.name.empty() && !value)
    return fail("42704", "unrecognized configuration parameter \"" + statement.name + "\"");
  if (in_simple_) {
    Statement shape;
    show_columns(statement, shape.columns);
    append_row_description(shape, nullptr);
  }
  const auto row = [this](std::initializer_list<std::string_view> fields) {
    postgres::MessageBuilder message(out_, 'D');
    message.int16(static_cast<uint16_t>(fields.size()));
    for (const std::string_view field : fields)
      message.int32(static_cast<uint32_t>(field.size())).raw(field);
  };
  if (statement.name.empty()) {
    for (const auto& [name, setting] : settings.all()) row({name, setting, ""});
  } else {
    row({*value});
  }
  complete(statement.tag);
}

// ---------------------------------------------------------------- what a session has made

void Connection::discard(const SessionStatement& statement) {
  if (statement.value == "plans" || statement.value == "sequences") return complete(statement.tag);
  if (statement.value == "all" && !block_.is_none())
    return fail("25001", "DISCARD ALL cannot run inside a transaction block");
  const auto running = std::move(running_);
  running_.reset();
  if (statement.value == "all") forget_portals();
  call(After::Session, executor_->discard());
}

void Connection::after_discard() {
  if (session_statement_.value != "all") return;
  while (!statements_.empty()) forget_statement(std::string(statements_.begin()->first));
  session_.settings.reset_all();
}

void Connection::deallocate(const SessionStatement& statement) {
  if (statement.name.empty()) {
    while (!statements_.empty()) forget_statement(std::string(statements_.begin()->first));
  } else if (!forget_statement(statement.name)) {
    return fail("26000", "prepared statement \"" + statement.name + "\" does not exist");
  }
  complete(statement.tag);
}

}  // namespace weir::pgserver
