// COPY: rows of the client into a table, and rows of a query as lines.
#include <weir/pgserver/types.h>

#include "infer.h"
#include "runner.h"

namespace weir::engine::sqlite {

using pgserver::Portal;

namespace {

constexpr size_t kRowBytesMax = 16 << 20;

}  // namespace

bool Runner::append_copy_row(Portal& portal, const Cursor& cursor) {
  const CopySpec& spec = cursor.compiled->copy;
  const auto& columns = portal.statement->columns;
  std::string lines;
  if (spec.header && portal.rows == 0) {
    CopyRow names;
    for (const auto& column : columns) names.fields.emplace_back(column.name);
    append_copy_line(lines, spec, names);
  }
  CopyRow row;
  std::string field;
  sqlite3_stmt* const statement = cursor.statement.get();
  for (size_t i = 0; i < columns.size(); ++i) {
    const pgserver::Value value = value_of(statement, static_cast<int>(i));
    if (value.kind == pgserver::ValueKind::Null) {
      row.fields.emplace_back(std::nullopt);
      continue;
    }
    field.clear();
    pgserver::append_field(field, value, columns[i], pgserver::Format::Text);
    row.fields.emplace_back(field.substr(4));
  }
  append_copy_line(lines, spec, row);
  portal.batch.push_back('d');
  base::append_be32(portal.batch, static_cast<uint32_t>(lines.size() + 4));
  portal.batch += lines;
  return true;
}

// ---------------------------------------------------------------- FROM STDIN

Answer Runner::begin_copy(Portal& portal, Cursor& cursor) {
  const Compiled& compiled = *cursor.compiled;
  const CopySpec& spec = compiled.copy;
  std::string names;
  for (const std::string& column : spec.columns)
    names += (names.empty() ? "" : ", ") + pgserver::quoted_identifier(column);
  const std::string table = pgserver::quoted_identifier(spec.table);
  Prepared shape = handle_.prepare("SELECT " + (names.empty() ? "*" : names) + " FROM " + table,
                                   compiled.text, failure_);
  if (!shape) return Answer::Failed;
  const int count = sqlite3_column_count(shape.get());
  std::string places;
  for (int i = 0; i < count; ++i) {
    const char* declared = sqlite3_column_decltype(shape.get(), i);
    cursor.copy_types.push_back(column_of_declaration(declared ? declared : "").type);
    places += (i == 0 ? "?" : ",?") + std::to_string(i + 1);
  }
  const std::string into = names.empty() ? "" : " (" + names + ")";
  cursor.statement = handle_.prepare("INSERT INTO " + table + into + " VALUES (" + places + ")",
                                     compiled.text, failure_);
  if (!cursor.statement) return Answer::Failed;
  cursor.copy = std::make_unique<CopyReader>(spec);
  cursor.open = true;
  portal.copy_columns = static_cast<size_t>(count);
  return Answer::WantsCopy;
}

Answer Runner::feed(Portal& portal, bool last) {
  auto& cursor = static_cast<Cursor&>(*portal.kept);
  cursor.copy->append(cursor.copy_bytes);
  cursor.copy_bytes.clear();
  while (const auto row = cursor.copy->next(last))
    if (!insert_copied(cursor, *row)) return Answer::Failed;
  if (!cursor.copy->failure().empty() || cursor.copy->buffered() > kRowBytesMax) {
    const std::string why =
        cursor.copy->failure().empty() ? "row is too long" : cursor.copy->failure();
    failure_ = Failure{"22P04", why + ", line " + std::to_string(cursor.copy->line() + 1)};
    return Answer::Failed;
  }
  if (!last) return Answer::More;
  portal.tag = "COPY " + std::to_string(cursor.copy_rows);
  cursor.statement.release();
  cursor.open = false;
  return Answer::Done;
}

bool Runner::insert_copied(Cursor& cursor, const CopyRow& row) {
  const std::string line = ", line " + std::to_string(cursor.copy->line());
  if (row.fields.size() != cursor.copy_types.size()) {
    failure_ = Failure{"22P04", (row.fields.size() < cursor.copy_types.size()
                                     ? "missing data for a column"
                                     : "extra data after last expected column") +
                                    line};
    return false;
  }
  sqlite3_stmt* const statement = cursor.statement.get();
  std::vector<pgserver::Parameter> values;
  values.reserve(row.fields.size());
  for (size_t i = 0; i < row.fields.size(); ++i) {
    values.emplace_back();
    if (row.fields[i]) {
      auto value =
          pgserver::read_parameter(*row.fields[i], cursor.copy_types[i], pgserver::Format::Text);
      if (!value) {
        failure_ = Failure{value.error().code, value.error().text + line};
        return false;
      }
      values.back() = std::move(*value);
    }
    if (!bind_one(statement, static_cast<int>(i) + 1, values.back())) return false;
  }
  const int code = sqlite3_step(statement);
  const bool done = code == SQLITE_DONE || fail(code, *cursor.compiled);
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  cursor.copy_rows += done ? 1 : 0;
  return done;
}

}  // namespace weir::engine::sqlite
