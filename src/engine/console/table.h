// What a command shows: columns, and rows of values. Values, any thread.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <vector>

#include <weir/pgserver/executor.h>

#include "command.h"

namespace weir::engine::console {

using Cell = pgserver::Parameter;

class Row {
 public:
  Row& text(std::string value) {
    cells_.push_back({pgserver::ValueKind::Text, 0, 0, std::move(value)});
    return *this;
  }
  Row& number(int64_t value) {
    cells_.push_back({pgserver::ValueKind::Integer, value, 0, {}});
    return *this;
  }
  Row& null() {
    cells_.emplace_back();
    return *this;
  }
  const std::vector<Cell>& cells() const { return cells_; }

 private:
  std::vector<Cell> cells_;
};

// SET, in the clothes of a SELECT.
struct Setting {
  std::string name, value;
  bool local = false;
};

struct Table {
  std::vector<pgserver::Column> columns;
  std::vector<Row> rows;
  std::vector<Setting> sets;  // to be done when it is shown
};

// PgBouncer 1.25's columns in its order, then weir's own.
std::vector<pgserver::Column> columns_of(Show what);

// The rows for all but clients and servers, which come from the workers.
std::vector<Row> rows_of(Show what, const AdminView& view, const std::string& version);

// `now` is the steady clock's, `wall_now` microseconds since 2000 (pgserver::timestamp_now()).
struct Clock {
  base::Time now = 0;
  int64_t wall_now = 0;
};
std::vector<Row> client_rows(const AdminPeople& people, const Clock& clock);
std::vector<Row> server_rows(const AdminPeople& people, const Clock& clock);

// SELECT of literals and of the functions that drivers ask for.
base::Result<Table> select_table(std::string_view text, const pgserver::SessionInfo& session);

}  // namespace weir::engine::console
