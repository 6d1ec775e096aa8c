#include "runner.h"

#include <weir/pgserver/types.h>

#include "infer.h"

namespace weir::engine::sqlite {

using pgserver::Parameter;
using pgserver::Portal;
using pgserver::Statement;
using pgserver::Value;
using pgserver::ValueKind;

Value value_of(sqlite3_stmt* statement, int column) {
  Value value;
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL: break;
    case SQLITE_INTEGER:
      value.kind = ValueKind::Integer;
      value.integer = sqlite3_column_int64(statement, column);
      break;
    case SQLITE_FLOAT:
      value.kind = ValueKind::Real;
      value.real = sqlite3_column_double(statement, column);
      break;
    default: {
      const bool blob = sqlite3_column_type(statement, column) == SQLITE_BLOB;
      value.kind = blob ? ValueKind::Blob : ValueKind::Text;
      const auto* bytes =
          blob ? static_cast<const char*>(sqlite3_column_blob(statement, column))
               : reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      value.bytes = {bytes ? bytes : "",
                     bytes ? static_cast<size_t>(sqlite3_column_bytes(statement, column)) : 0};
    }
  }
  return value;
}

bool Runner::fail(int code, const Compiled& compiled) {
  failure_ = handle_.failure(code, compiled.text);
  return false;
}

// ---------------------------------------------------------------- describe

Answer Runner::describe(Statement& statement, const Compiled& compiled) {
  statement.described = true;
  const bool asks = compiled.verb == Verb::Select || compiled.verb == Verb::Insert ||
                    compiled.verb == Verb::Update || compiled.verb == Verb::Delete ||
                    compiled.verb == Verb::Explain;
  if (!asks) {
    statement.parameter_types.resize(
        std::max<size_t>(statement.parameter_types.size(), compiled.parameters),
        pgserver::oid::kText);
    statement.described = compiled.verb != Verb::CopyOut;
    return Answer::Done;
  }
  Prepared prepared = handle_.prepare(compiled.sql.back(), compiled.text, failure_);
  if (!prepared) return Answer::Failed;
  Inference inference(compiled, handle_.db(), statement.parameter_types);
  statement.parameter_types = inference.parameters();
  statement.columns = inference.columns(prepared.get(), false);
  return Answer::Done;
}

// ---------------------------------------------------------------- run

Answer Runner::run(Portal& portal, const pgserver::RunLimits& limits) {
  auto& cursor = static_cast<Cursor&>(*portal.kept);
  Statement& statement = *portal.statement;
  if (cursor.compiled->verb == Verb::CopyIn) return begin_copy(portal, cursor);
  if (!cursor.open && !open(portal, cursor)) return Answer::Failed;
  sqlite3_stmt* const running = cursor.statement.get();
  const bool copies = cursor.compiled->verb == Verb::CopyOut;
  const uint64_t begin = portal.rows;
  for (;;) {
    const int code = sqlite3_step(running);
    if ((code == SQLITE_ROW || code == SQLITE_DONE) && !statement.described &&
        !describe_run(statement, cursor, code))
      return Answer::Failed;
    if (code == SQLITE_DONE) {
      finish(portal, cursor);
      return Answer::Done;
    }
    if (code != SQLITE_ROW) return fail(code, *cursor.compiled), Answer::Failed;
    if (!(copies ? append_copy_row(portal, cursor) : append_row(portal, running)))
      return Answer::Failed;
    ++portal.rows;
    if (portal.rows - begin >= limits.rows || portal.batch.size() >= limits.bytes)
      return Answer::More;
  }
}

bool Runner::run_all_but_last(const Compiled& compiled) {
  for (size_t i = 0; i + 1 < compiled.sql.size(); ++i) {
    const Prepared prepared = handle_.prepare(compiled.sql[i], compiled.text, failure_);
    if (!prepared) return false;
    int code = SQLITE_ROW;
    while (code == SQLITE_ROW) code = sqlite3_step(prepared.get());
    if (code != SQLITE_DONE) return fail(code, compiled);
  }
  return true;
}

bool Runner::open(Portal& portal, Cursor& cursor) {
  const Compiled& compiled = *cursor.compiled;
  if (compiled.parameters > portal.parameters.size()) {
    failure_ = Failure{"42P02", "there is no parameter $" + std::to_string(compiled.parameters)};
    return false;
  }
  if (!run_all_but_last(compiled)) return false;
  const bool copies = compiled.verb == Verb::CopyOut;
  std::string sql = copies ? compiled.copy.query : compiled.sql.back();
  if (copies && sql.empty()) {
    for (const std::string& column : compiled.copy.columns)
      sql += (sql.empty() ? "SELECT " : ", ") + pgserver::quoted_identifier(column);
    sql = (sql.empty() ? "SELECT *" : sql) + " FROM " +
          pgserver::quoted_identifier(compiled.copy.table);
  }
  Prepared prepared = handle_.prepare(sql, compiled.text, failure_);
  if (!prepared) return false;
  const bool reads =
      sqlite3_stmt_readonly(prepared.get()) != 0 || sqlite3_stmt_isexplain(prepared.get()) != 0;
  if (!reads && !cursor.on_writer) {
    needs_writer_ = true;
    return false;
  }
  if (!bind(prepared.get(), portal)) return false;
  const Statement& statement = *portal.statement;
  if (statement.described &&
      static_cast<size_t>(sqlite3_column_count(prepared.get())) != statement.columns.size()) {
    failure_ = Failure{"0A000", "cached plan must not change result type"};
    return false;
  }
  cursor.statement = std::move(prepared);
  cursor.open = true;
  return true;
}

bool Runner::bind(sqlite3_stmt* statement, const Portal& portal) {
  const int count =
      std::min(sqlite3_bind_parameter_count(statement), static_cast<int>(portal.parameters.size()));
  for (int i = 0; i < count; ++i)
    if (!bind_one(statement, i + 1, portal.parameters[static_cast<size_t>(i)])) return false;
  return true;
}

// Texts and blobs stay where they are: the portal outlives its statement.
bool Runner::bind_one(sqlite3_stmt* statement, int index, const Parameter& value) {
  int code = SQLITE_OK;
  switch (value.kind) {
    case ValueKind::Null: code = sqlite3_bind_null(statement, index); break;
    case ValueKind::Integer: code = sqlite3_bind_int64(statement, index, value.integer); break;
    case ValueKind::Real: code = sqlite3_bind_double(statement, index, value.real); break;
    case ValueKind::Text:
      code = sqlite3_bind_text64(statement, index, value.bytes.data(), value.bytes.size(),
                                 SQLITE_STATIC, SQLITE_UTF8);
      break;
    case ValueKind::Blob:
      code = sqlite3_bind_blob64(statement, index, value.bytes.data(), value.bytes.size(),
                                 SQLITE_STATIC);
      break;
  }
  if (code == SQLITE_OK) return true;
  failure_ = Failure{sqlstate_of(code, ""),
                     std::string("parameter cannot be bound: ") + sqlite3_errstr(code)};
  return false;
}

// The columns become known with the first step, which may have compiled the statement anew.
bool Runner::describe_run(Statement& statement, const Cursor& cursor, int code) {
  statement.described = true;
  if (sqlite3_column_count(cursor.statement.get()) == 0) return true;
  const std::vector<uint32_t> types = statement.parameter_types;
  statement.columns = Inference(*cursor.compiled, handle_.db(), types)
                          .columns(cursor.statement.get(), code == SQLITE_ROW);
  statement.copies_out = cursor.compiled->verb == Verb::CopyOut;
  return true;
}

bool Runner::append_row(Portal& portal, sqlite3_stmt* statement) {
  const auto& columns = portal.statement->columns;
  if (static_cast<size_t>(sqlite3_column_count(statement)) != columns.size()) {
    failure_ = Failure{"0A000", "cached plan must not change result type"};
    return false;
  }
  std::string& out = portal.batch;
  const size_t begin = out.size();
  out.push_back('D');
  out.append(4, '\0');
  base::append_be16(out, static_cast<uint16_t>(columns.size()));
  for (size_t i = 0; i < columns.size(); ++i) {
    const Value value = value_of(statement, static_cast<int>(i));
    if (pgserver::append_field(out, value, columns[i], portal.format_of(i))) continue;
    out.resize(begin);
    failure_ = Failure{"22P03", "a value of column \"" + columns[i].name +
                                    "\" does not fit its type in binary form"};
    return false;
  }
  base::store_be32(out.data() + begin + 1, static_cast<uint32_t>(out.size() - begin - 1));
  return true;
}

void Runner::finish(Portal& portal, Cursor& cursor) {
  const Compiled& compiled = *cursor.compiled;
  portal.tag = compiled.tag;
  const bool rows = compiled.verb == Verb::Select || compiled.verb == Verb::CopyOut;
  const bool changes = compiled.verb == Verb::Insert || compiled.verb == Verb::Update ||
                       compiled.verb == Verb::Delete || compiled.verb == Verb::CreateTableAs;
  if (rows || changes) {
    portal.tag.push_back(' ');
    portal.tag +=
        std::to_string(rows ? portal.rows : static_cast<uint64_t>(sqlite3_changes64(handle_.db())));
  }
  cursor.statement.release();
  cursor.open = false;
  if (compiled.defines) handle_.forget_statements();
}

}  // namespace weir::engine::sqlite
