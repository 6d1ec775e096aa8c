// The messages of a client, one by one (PostgreSQL's manual, 55.7 "Message Formats"), above all
// those of the extended query protocol (55.2.3).
#include "connection.h"

namespace weir::pgserver {

using postgres::BodyReader;
using postgres::MessageBuilder;

// Handles the first message of the input. False: it is not all there yet, or the connection has
// ended.
bool Connection::next_message() {
  const base::Bytes rest = base::Bytes(in_).substr(in_at_);
  auto cut = postgres::cut_message(rest, core_.options.message_bytes_max);
  if (!cut) {
    const bool large = cut.error().kind == base::ErrorKind::TooLarge;
    const Failure fatal{large ? "54000" : "08P01", cut.error().text};
    end(&fatal);
    return false;
  }
  if (cut->consumed == 0) return false;
  in_at_ += cut->consumed;
  dispatch(cut->type, cut->body);
  return true;
}

void Connection::dispatch(char type, base::Bytes body) {
  if (on_copy_message(type, body)) return;
  if (type == 'X') return end(nullptr);
  if (type == 'S') return on_sync();
  if (skips_to_sync_ && type != 'Q') {
    if (std::string_view("PBDECHF").find(type) != std::string_view::npos) return;
  }
  if (deadline_ == base::kNever && type != 'Q') set_deadline();
  switch (type) {
    case 'Q': return skips_to_sync_ ? void() : on_query(body);
    case 'P': return on_parse(body);
    case 'B': return on_bind(body);
    case 'D': return on_describe(body);
    case 'E': return on_execute(body);
    case 'C': return on_close(body);
    case 'H': flush(); return;
    case 'F':
      in_simple_ = true;  // it ends with ReadyForQuery, like a simple Query
      return fail("0A000", "function calls are not supported");
    default: {
      const Failure fatal{"08P01", "invalid frontend message type " +
                                       std::to_string(static_cast<unsigned char>(type))};
      end(&fatal);
    }
  }
}

bool Connection::refused_in_failed_block(const std::optional<SessionStatement>& session) {
  if (!block_.is_failed()) return false;
  if (session && (session->verb == SessionVerb::Commit || session->verb == SessionVerb::Rollback ||
                  session->verb == SessionVerb::RollbackTo))
    return false;
  fail("25P02", "current transaction is aborted, commands ignored until end of transaction block");
  return true;
}

bool Connection::keeps_too_much(size_t more) const {
  return kept_bytes_ + more > core_.options.kept_bytes_max;
}

// ---------------------------------------------------------------- Parse

void Connection::on_parse(base::Bytes body) {
  BodyReader in(body);
  std::string name(in.text());
  auto prepared = std::make_shared<Prepared>();
  prepared->statement = std::make_shared<Statement>();
  Statement& statement = *prepared->statement;
  statement.text = in.text();
  const uint16_t count = in.int16();
  for (uint16_t i = 0; i < count && in.ok(); ++i) statement.parameter_types.push_back(in.int32());
  if (!in.at_end()) return fail("08P01", "invalid message format");
  if (name.empty()) {
    forget_statement(name);
  } else if (statements_.count(name) > 0) {
    return fail("42P05", "prepared statement \"" + name + "\" already exists");
  }
  if (statements_.size() >= core_.options.statements_max || keeps_too_much(statement.text.size()))
    return fail("53400", "too many prepared statements");
  if (!is_utf8(statement.text)) return fail("22021", "invalid byte sequence for encoding \"UTF8\"");

  const Lexed lexed = lex(statement.text);
  failing_text_ = statement.text;
  failing_base_ = 0;
  if (lexed.error)
    return fail(Failure{lexed.error->sqlstate, lexed.error->message, {}, {}, lexed.error->at});
  const auto parts = split_statements(lexed);
  if (parts.size() > 1)
    return fail("42601", "cannot insert multiple commands into a prepared statement");
  prepared->empty = parts.empty();
  if (!parts.empty() && !executor_->claims(lexed, parts[0])) {
    SessionParse parse = parse_session_statement(lexed, parts[0]);
    if (parse.error && !block_.is_failed())
      return fail(Failure{parse.error->sqlstate, parse.error->message, {}, {}, parse.error->at});
    prepared->session = std::move(parse.statement);
  }
  if (!prepared->empty && refused_in_failed_block(prepared->session)) return;
  if (prepared->session) show_columns(*prepared->session, statement.columns);
  Answer answer = Answer::Done;
  parsing_ = {std::move(name), prepared};
  if (!prepared->empty && !prepared->session) {
    const size_t from = lexed.tokens[parts[0].first].begin;
    statement.text = statement.text.substr(from, lexed.tokens[parts[0].last - 1].end - from);
    failing_text_ = statement.text;
    answer = executor_->describe(statement);
  }
  call(After::Parse, answer);
}

// ---------------------------------------------------------------- Bind

void Connection::on_bind(base::Bytes body) {
  BodyReader in(body);
  const std::string portal_name(in.text());
  const std::string_view statement_name = in.text();
  if (!in.ok()) return fail("08P01", "invalid message format");
  const auto found = statements_.find(statement_name);
  if (found == statements_.end()) {
    return fail("26000",
                statement_name.empty()
                    ? "unnamed prepared statement does not exist"
                    : "prepared statement \"" + std::string(statement_name) + "\" does not exist");
  }
  const std::shared_ptr<Prepared> prepared = found->second;
  if (!prepared->empty && refused_in_failed_block(prepared->session)) return;
  if (portal_name.empty()) {
    forget_portal(portal_name);
  } else if (portals_.count(portal_name) > 0) {
    return fail("42P03", "portal \"" + portal_name + "\" already exists");
  }
  if (portals_.size() >= core_.options.portals_max || keeps_too_much(body.size()))
    return fail("53400", "too many portals");
  auto bound = std::make_shared<Bound>();
  bound->prepared = prepared;
  bound->portal.statement = prepared->statement;
  if (!read_parameters(in, *bound, *prepared) || !read_formats(in, *bound, *prepared)) return;
  bound->parameter_bytes = body.size();
  kept_bytes_ += body.size();
  portals_[portal_name] = std::move(bound);
  MessageBuilder(out_, '2');
}

bool Connection::read_parameters(BodyReader& in, Bound& bound, const Prepared& prepared) {
  std::vector<uint16_t> formats;
  const uint16_t format_count = in.int16();
  for (uint16_t i = 0; i < format_count && in.ok(); ++i) formats.push_back(in.int16());
  const uint16_t count = in.int16();
  const auto& types = prepared.statement->parameter_types;
  const auto refuse = [&](std::string_view sqlstate, std::string text) {
    fail(sqlstate, std::move(text));
    return false;
  };
  if (!in.ok()) return refuse("08P01", "invalid message format");
  if (format_count > 1 && format_count != count)
    return refuse("08P01", "bind message has " + std::to_string(format_count) +
                               " parameter formats but " + std::to_string(count) + " parameters");
  if (count != types.size())
    return refuse("08P01", "bind message supplies " + std::to_string(count) +
                               " parameters, but the prepared statement requires " +
                               std::to_string(types.size()));
  for (uint16_t i = 0; i < count; ++i) {
    const uint32_t length = in.int32();
    if (length == 0xffffffff) {
      bound.portal.parameters.emplace_back();
      continue;
    }
    const base::Bytes raw = in.raw(length);
    const uint16_t format = formats.empty() ? 0 : formats[formats.size() == 1 ? 0 : i];
    if (!in.ok()) return refuse("08P01", "insufficient data left in message");
    if (format > 1) return refuse("22023", "unsupported format code: " + std::to_string(format));
    auto value = read_parameter(raw, types[i], static_cast<Format>(format));
    if (!value) return refuse(value.error().code, value.error().text);
    bound.portal.parameters.push_back(std::move(*value));
  }
  return true;
}

bool Connection::read_formats(BodyReader& in, Bound& bound, const Prepared& prepared) {
  const uint16_t count = in.int16();
  for (uint16_t i = 0; i < count && in.ok(); ++i) {
    const uint16_t format = in.int16();
    if (format > 1)
      return fail("22023", "unsupported format code: " + std::to_string(format)), false;
    bound.portal.formats.push_back(static_cast<Format>(format));
  }
  if (!in.at_end()) return fail("08P01", "invalid message format"), false;
  const size_t columns = prepared.statement->columns.size();
  if (count > 1 && count != columns)
    return fail("08P01", "bind message has " + std::to_string(count) +
                             " result formats but query has " + std::to_string(columns) +
                             " columns"),
           false;
  return true;
}

// ---------------------------------------------------------------- Describe

void Connection::append_row_description(const Statement& statement, const Portal* portal) {
  if (statement.columns.empty() || statement.copies_out) {
    MessageBuilder(out_, 'n');
    return;
  }
  MessageBuilder message(out_, 'T');
  message.int16(static_cast<uint16_t>(statement.columns.size()));
  for (size_t i = 0; i < statement.columns.size(); ++i) {
    const Column& column = statement.columns[i];
    const Type* type = find_type(column.type);
    message.text(column.name).int32(0).int16(0).int32(column.type);
    message.int16(static_cast<uint16_t>(type ? type->length : -1))
        .int32(static_cast<uint32_t>(column.modifier));
    message.int16(portal ? static_cast<uint16_t>(portal->format_of(i)) : 0);
  }
}

void Connection::describe_statement(const Prepared& prepared) {
  {
    MessageBuilder message(out_, 't');
    message.int16(static_cast<uint16_t>(prepared.statement->parameter_types.size()));
    for (const uint32_t type : prepared.statement->parameter_types) message.int32(type);
  }
  append_row_description(*prepared.statement, nullptr);
}

void Connection::on_describe(base::Bytes body) {
  BodyReader in(body);
  const auto kind = static_cast<char>(in.int8());
  const std::string_view name = in.text();
  if (!in.at_end() || (kind != 'S' && kind != 'P')) return fail("08P01", "invalid message format");
  if (kind == 'S') {
    const auto found = statements_.find(name);
    if (found == statements_.end())
      return fail("26000", "prepared statement \"" + std::string(name) + "\" does not exist");
    return describe_statement(*found->second);
  }
  const auto found = portals_.find(name);
  if (found == portals_.end())
    return fail("34000", "portal \"" + std::string(name) + "\" does not exist");
  append_row_description(*found->second->portal.statement, &found->second->portal);
}

// ---------------------------------------------------------------- Execute

void Connection::on_execute(base::Bytes body) {
  BodyReader in(body);
  const std::string_view name = in.text();
  const auto rows_max = static_cast<int32_t>(in.int32());
  if (!in.at_end()) return fail("08P01", "invalid message format");
  const auto found = portals_.find(name);
  if (found == portals_.end())
    return fail("34000", "portal \"" + std::string(name) + "\" does not exist");
  const std::shared_ptr<Bound> bound = found->second;
  const Prepared& prepared = *bound->prepared;
  if (prepared.empty) {
    MessageBuilder(out_, 'I');
    return;
  }
  if (refused_in_failed_block(prepared.session)) return;
  failing_text_ = prepared.statement->text;
  failing_base_ = 0;
  if (prepared.session) {
    running_ = Running{bound, UINT64_MAX, false, true, false};
    const SessionStatement session = *prepared.session;
    return run_session(session);
  }
  if (bound->done) {
    if (prepared.statement->columns.empty())
      return fail("55000", "portal \"" + std::string(name) + "\" cannot be run");
    return complete("SELECT 0");
  }
  bound->portal.rows = 0;
  running_ = Running{bound, rows_max > 0 ? static_cast<uint64_t>(rows_max) : UINT64_MAX, false,
                     false, false};
}

// ---------------------------------------------------------------- Close, Sync

bool Connection::forget_statement(const std::string& name) {
  const auto found = statements_.find(name);
  if (found == statements_.end()) return false;
  kept_bytes_ -= std::min(kept_bytes_, found->second->statement->text.size());
  statements_.erase(found);
  return true;
}

void Connection::forget_portal(const std::string& name) {
  const auto found = portals_.find(name);
  if (found == portals_.end()) return;
  kept_bytes_ -= std::min(kept_bytes_, found->second->parameter_bytes);
  portals_.erase(found);
}

void Connection::forget_portals() {
  while (!portals_.empty()) forget_portal(std::string(portals_.begin()->first));
}

void Connection::on_close(base::Bytes body) {
  BodyReader in(body);
  const auto kind = static_cast<char>(in.int8());
  const std::string name(in.text());
  if (!in.at_end() || (kind != 'S' && kind != 'P')) return fail("08P01", "invalid message format");
  if (kind == 'S') {
    forget_statement(name);
  } else {
    forget_portal(name);
  }
  MessageBuilder(out_, '3');
}

bool Connection::sync_is_next() const { return in_at_ < in_.size() && in_[in_at_] == 'S'; }

void Connection::on_sync() {
  skips_to_sync_ = false;
  if (block_.is_none() && executor_->in_transaction()) {
    forget_portals();
    return call(After::SyncCommit, executor_->transact({TransactionStep::Kind::Commit}));
  }
  finish_sync();
}

void Connection::finish_sync() { ready(); }

}  // namespace weir::pgserver
