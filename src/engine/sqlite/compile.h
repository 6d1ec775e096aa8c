// One PostgreSQL statement as SQLite can run it: what kind it is, its text for SQLite, and what is
// known of its parameters and columns. Made from tokens alone, once for each text; read on any
// thread.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/time.h>
#include <weir/pgserver/executor.h>
#include <weir/pgserver/sql.h>
#include <weir/pgserver/types.h>

namespace weir::engine::sqlite {

using pgserver::Failure;
using pgserver::Lexed;
using pgserver::TokenKind;
using pgserver::TokenRange;

enum class Verb : uint8_t {
  Select,
  Insert,
  Update,
  Delete,
  Define,
  CreateTableAs,
  Explain,
  CopyIn,
  CopyOut,
  Nothing
};

struct TableReference {
  std::string name;
  std::string alias;
};

// One entry of a select list or of RETURNING.
struct Item {
  TokenRange range;   // without its alias
  std::string alias;  // empty: none
  bool star = false;
};

struct CopySpec {
  std::string table;
  std::vector<std::string> columns;
  std::string query;  // COPY (SELECT …) TO, for SQLite
  char delimiter = '\t';
  std::string null = "\\N";
  char quote = '"';
  bool csv = false;
  bool header = false;
};

struct Compiled {
  std::string text;  // as the client wrote it
  Lexed lexed;       // of `text`
  std::optional<Failure> refused;

  Verb verb = Verb::Nothing;
  std::string tag;               // without a count
  std::vector<std::string> sql;  // run in order; only the last may give rows
  bool defines = false;          // changes the schema
  bool heavy_by_name = false;    // calls something that sleeps
  uint32_t parameters = 0;       // the highest $n
  std::vector<TableReference> tables;
  std::vector<Item> items;
  CopySpec copy;

  // Learnt later.
  mutable std::atomic<bool> writes{false};
  mutable std::atomic<base::Time> heavy_until{0};  // was too slow to be run on the loop
};

std::shared_ptr<const Compiled> compile(std::string_view text);

// A type as it is written in a cast or a definition: which tokens, what it is.
struct TypeName {
  size_t end = 0;  // behind its last token
  const pgserver::Type* type = nullptr;
  std::string name;                  // as written, in lower case, for errors
  std::vector<std::string> numbers;  // (10,2)
  bool array = false;
};
std::optional<TypeName> read_type(const Lexed& lexed, size_t begin, size_t end);

// What a column's declared type, as SQLite gives it back, means: "varchar(20)", "timestamptz text".
pgserver::Column column_of_declaration(std::string_view declared);

}  // namespace weir::engine::sqlite
