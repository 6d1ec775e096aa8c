// The statements that concern a session and not its data: transaction control, settings, prepared
// statements, notifications. Recognised here, from tokens; carried out by the connection. Pure
// functions, any thread.
#pragma once

#include <optional>
#include <string>

#include <weir/pgserver/executor.h>
#include <weir/pgserver/sql.h>

namespace weir::pgserver {

enum class SessionVerb : uint8_t {
  Begin,
  Commit,
  Rollback,
  Savepoint,
  RollbackTo,
  Release,
  SetTransaction,
  SetDefaults,  // SET SESSION CHARACTERISTICS AS TRANSACTION
  Set,
  SetLocal,
  Reset,       // name empty: all
  Show,        // name empty: all
  Discard,     // value: all, plans, sequences, temp
  Deallocate,  // name empty: all
  Nothing,     // only its tag
};

struct SessionStatement {
  SessionVerb verb = SessionVerb::Nothing;
  std::string tag;
  std::string name;
  std::string value;
  bool to_default = false;  // SET … TO DEFAULT
  std::optional<Isolation> isolation = {};
  std::optional<bool> read_only = {};
  bool chain = false;   // COMMIT AND CHAIN
  std::string warning;  // goes to the client as a notice
};

struct SessionParse {
  std::optional<SessionStatement> statement;  // absent without an error: not of this kind
  std::optional<SyntaxError> error;
};

SessionParse parse_session_statement(const Lexed& lexed, TokenRange range);

std::string_view isolation_name(Isolation isolation);
Isolation isolation_of(std::string_view name);

}  // namespace weir::pgserver
