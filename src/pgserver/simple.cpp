// Simple Query: one or more statements in one message, in one transaction unless they say otherwise
// (PostgreSQL's manual, 55.2.2.1 "Multiple Statements in a Simple Query").
#include "connection.h"

namespace weir::pgserver {

void Connection::on_query(base::Bytes body) {
  in_simple_ = true;
  skips_to_sync_ = false;
  postgres::BodyReader reader(body);
  auto script = std::make_unique<Script>();
  script->text = reader.text();
  if (!reader.at_end()) {
    const Failure fatal{"08P01", "invalid message format"};
    return end(&fatal);
  }
  forget_portal("");
  if (!is_utf8(script->text)) return fail("22021", "invalid byte sequence for encoding \"UTF8\"");
  script->lexed = lex(script->text);
  failing_text_ = script->text;
  failing_base_ = 0;
  if (script->lexed.error) {
    // The text has to stay until the position has been counted.
    script_ = std::move(script);
    const SyntaxError error = *script_->lexed.error;
    return fail(Failure{error.sqlstate, error.message, {}, {}, error.at});
  }
  script->parts = split_statements(script->lexed);
  set_deadline();
  if (script->parts.empty()) {
    postgres::MessageBuilder(out_, 'I');
    return ready();
  }
  script_ = std::move(script);
}

void Connection::next_in_script() {
  if (script_->next < script_->parts.size()) return run_part(script_->parts[script_->next++]);
  finish_script();
}

void Connection::finish_script() {
  if (block_.is_none() && executor_->in_transaction())
    return call(After::ScriptCommit, executor_->transact({TransactionStep::Kind::Commit}));
  after_script_commit(Answer::Done);
}

void Connection::run_part(TokenRange part) {
  const Lexed& lexed = script_->lexed;
  const size_t begin = lexed.tokens[part.first].begin;
  failing_text_ = script_->text;
  failing_base_ = 0;
  std::optional<SessionStatement> session;
  if (!executor_->claims(lexed, part)) {
    SessionParse parse = parse_session_statement(lexed, part);
    if (parse.error && !block_.is_failed())
      return fail(Failure{parse.error->sqlstate, parse.error->message, {}, {}, parse.error->at});
    session = std::move(parse.statement);
  }
  if (refused_in_failed_block(session)) return;
  if (session) return run_session(*session);
  failing_base_ = begin;
  auto bound = std::make_shared<Bound>();
  bound->portal.statement = std::make_shared<Statement>();
  bound->portal.statement->text =
      script_->text.substr(begin, lexed.tokens[part.last - 1].end - begin);
  running_ = Running{std::move(bound), UINT64_MAX, true, false, false};
}

}  // namespace weir::pgserver
