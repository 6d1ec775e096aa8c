#include "sql_text.h"

#include "sql_text_set.h"

namespace weir::tds {

namespace {

// ---------------------------------------------------------------- calls

struct KnownProcedure {
  std::string_view name;
  Keeps keeps;
  bool ends_server = false;
};

constexpr std::string_view kCursorProcedures = "SP_CURSOR";  // and what follows

// Those of which more is known than of any other.
constexpr KnownProcedure kProcedures[] = {
    {"SP_BINDSESSION", Keeps::Setting, true}, {"SP_EXECUTE", Keeps::Prepared},
    {"SP_GETAPPLOCK", Keeps::Lock},           {"SP_PREPARE", Keeps::Prepared},
    {"SP_PREPEXEC", Keeps::Prepared},         {"SP_PREPEXECRPC", Keeps::Prepared},
    {"SP_SETAPPROLE", Keeps::Context, true},  {"SP_SET_SESSION_CONTEXT", Keeps::Context},
    {"SP_UNPREPARE", Keeps::Prepared},        {"SP_XML_PREPAREDOCUMENT", Keeps::Cursor},
};

void note_call(SqlTraits& traits, Bytes name) {
  traits.transaction = traits.leaves = true;
  if (!starts_folded(name, "SP_")) return;
  if (starts_folded(name, kCursorProcedures)) return traits.keep(Keeps::Cursor);
  for (const KnownProcedure& known : kProcedures) {
    if (!equals_folded(name, known.name)) continue;
    traits.ends_server |= known.ends_server;
    return traits.keep(known.keeps);
  }
}

// ---------------------------------------------------------------- statements

class Scanner {
 public:
  Scanner(Bytes utf16, Runs runs) : tokens_(utf16), runs_(runs), sets_(tokens_, traits_, runs) {}

  SqlTraits scan();

 private:
  void begin();
  void step();
  bool on_create_or_alter(Keyword keyword);
  void on_begin();
  void on_declare();
  void on_execute(Tokens::Before before);
  void on_call();
  void on_call_of(Bytes name);
  void on_if();
  void on_other(Keyword keyword);
  bool is_owned_by_transaction();
  void impersonate();
  void note_tables();

  Tokens tokens_;
  SqlTraits traits_;
  Runs runs_;
  SetReader sets_;
  bool certain_ = true;  // that control comes here
  bool whole_ = false;   // the text has said all that it can
};

SqlTraits Scanner::scan() {
  begin();
  note_tables();
  while (!whole_ && tokens_.now().kind != TokenKind::End) {
    step();
    note_tables();
  }
  if (tokens_.is_unclear()) traits_.be_unclear();
  sets_.end_text();
  return std::move(traits_);
}

// "EXECUTE": a first statement that is a call needs no word in front. CREATE PROCEDURE and its like
// are all of their batch, and what they are made of does not run now.
void Scanner::begin() {
  while (tokens_.take(u';')) {
  }
  const Token first = tokens_.now();
  if (first.is(Keyword::Create) || first.is(Keyword::Alter)) {
    tokens_.advance();
    whole_ = on_create_or_alter(first.keyword);
    return;
  }
  if (!first.is_name() || begins_statement(first.keyword) || first.is(Keyword::With)) return;
  const Bytes name = tokens_.take_name();
  const bool is_label = tokens_.now().is(u':');
  if (!is_label) on_call_of(name);
}

void Scanner::step() {
  const Keyword keyword = tokens_.now().keyword;
  const Tokens::Before before = tokens_.before();
  tokens_.advance();
  switch (keyword) {
    case Keyword::None: return;
    case Keyword::Alter: on_create_or_alter(keyword); return;
    case Keyword::Begin: on_begin(); return;
    case Keyword::Call:
      if (before.sign == u'{' || before.sign == u'=') on_call();
      return;
    case Keyword::Commit:
    case Keyword::Rollback: traits_.transaction = true; return;
    case Keyword::Declare: on_declare(); return;
    case Keyword::Execute: on_execute(before); return;
    case Keyword::If: on_if(); return;
    case Keyword::Set: sets_.on_set(certain_); return;
    case Keyword::SetUser: impersonate(); return;
    case Keyword::Break:
    case Keyword::Continue:
    case Keyword::Goto:
    case Keyword::Return:
    case Keyword::Throw:
    case Keyword::While: certain_ = false; return;
    default: on_other(keyword);
  }
}

// True: a module, whose text is not looked into. ALTER DATABASE name SET … sets nothing here.
bool Scanner::on_create_or_alter(Keyword keyword) {
  if (tokens_.take("OR")) tokens_.take(Keyword::Alter);
  for (const std::string_view kind : {"PROC", "PROCEDURE", "FUNCTION", "TRIGGER", "VIEW"}) {
    if (!tokens_.take(kind)) continue;
    tokens_.take_name();
    return true;
  }
  if (keyword != Keyword::Alter || !tokens_.take("DATABASE")) return false;
  tokens_.take_name();
  tokens_.take(Keyword::Set);
  return false;
}

void Scanner::on_begin() {
  if (tokens_.take("TRAN") || tokens_.take("TRANSACTION")) {
    traits_.transaction = true;
  } else if (tokens_.take("DISTRIBUTED")) {
    traits_.transaction = traits_.leaves = traits_.ends_server = true;
  } else if (tokens_.take("TRY")) {
    certain_ = false;
  }
}

// DECLARE name [INSENSITIVE] [SCROLL] CURSOR [LOCAL|GLOBAL] [option …] FOR …; a variable ends with
// its batch.
void Scanner::on_declare() {
  if (tokens_.take_name().empty()) return;
  for (; tokens_.now().kind == TokenKind::Word && !tokens_.at_border(); tokens_.advance()) {
    if (tokens_.now().is("LOCAL")) return;
    if (tokens_.now().is("FOR")) break;
  }
  traits_.keep(Keeps::Cursor);
}

// GRANT EXECUTE ON … and WITH EXECUTE AS …, of a module or a queue, run nothing.
void Scanner::on_execute(Tokens::Before before) {
  const Token& now = tokens_.now();
  if (now.is("AS")) {
    const bool is_clause =
        before.keyword == Keyword::With || before.sign == u'(' || before.sign == u',';
    if (!is_clause) impersonate();
    return;
  }
  if (now.is("ON") || now.is("TO") || now.is(u',')) return;
  on_call();
}

// [@status =] name …, or a text or a variable that has it.
void Scanner::on_call() {
  const bool is_variable = tokens_.now().kind == TokenKind::Variable;
  if (is_variable) tokens_.advance();
  on_call_of(is_variable && !tokens_.take(u'=') ? Bytes{} : tokens_.take_name());
}

void Scanner::on_call_of(Bytes name) {
  const bool ends_with_transaction =
      equals_folded(name, "SP_GETAPPLOCK") && is_owned_by_transaction();
  note_call(traits_, ends_with_transaction ? Bytes{} : name);
}

// "sp_getapplock": the lock ends with its transaction, unless its third argument says something
// else.
bool Scanner::is_owned_by_transaction() {
  bool is_owned = true;
  for (int place = 1; !tokens_.at_border(); ++place) {
    Token value = tokens_.now();
    bool is_owner = place == 3;
    if (value.kind == TokenKind::Variable) {
      tokens_.advance();
      if (tokens_.take(u'=')) {
        is_owner = equals_folded(value.text, "@LOCKOWNER");
        value = tokens_.now();
      }
    }
    const bool says_so =
        value.kind != TokenKind::Variable && equals_folded(value.text, "TRANSACTION");
    is_owned = is_owned && (!is_owner || says_so);
    while (!tokens_.at_border() && !tokens_.now().is(u',')) tokens_.advance();
    tokens_.take(u',');
  }
  return is_owned;
}

// DROP … IF EXISTS name skips no other statement.
void Scanner::on_if() {
  if (!tokens_.take("EXISTS") || tokens_.now().is(u'(')) certain_ = false;
}

void Scanner::on_other(Keyword keyword) {
  const Token& now = tokens_.now();
  if (keyword == Keyword::Insert && now.is("BULK")) traits_.bulk = true;
  if (keyword == Keyword::Save && (now.is("TRAN") || now.is("TRANSACTION")))
    traits_.transaction = true;
  if (keyword == Keyword::Dbcc && (now.is("TRACEON") || now.is("TRACEOFF")))
    traits_.keep(Keeps::Setting);
  // A key stays open until its session ends; that a reset closes it is not written down anywhere.
  if (keyword == Keyword::Open && (now.is("SYMMETRIC") || now.is("MASTER"))) impersonate();
}

void Scanner::impersonate() {
  traits_.ends_server = true;
  traits_.keep(Keeps::Context);
}

void Scanner::note_tables() {
  if (!tokens_.names_local_table() && !tokens_.names_global_table()) return;
  traits_.leaves = true;
  if (runs_ == Runs::AsBatch || tokens_.names_global_table()) traits_.keep(Keeps::TempTable);
}

}  // namespace

SqlTraits scan_sql(Bytes utf16) { return Scanner(utf16, Runs::AsBatch).scan(); }

SqlTraits scan_called_sql(Bytes utf16) { return Scanner(utf16, Runs::Called).scan(); }

SqlTraits traits_of_call(Bytes name_utf16) {
  SqlTraits traits;
  Tokens tokens(name_utf16);
  note_call(traits, tokens.take_name());
  if (tokens.is_unclear()) traits.be_unclear();
  if (tokens.names_local_table() || tokens.names_global_table()) traits.keep(Keeps::TempTable);
  return traits;
}

SqlTraits traits_of_call(Procedure procedure) {
  SqlTraits traits;
  note_call(traits, {});
  if (procedure >= Procedure::Cursor && procedure <= Procedure::CursorClose)
    traits.keep(Keeps::Cursor);
  else if (procedure != Procedure::Named && procedure != Procedure::ExecuteSql)
    traits.keep(Keeps::Prepared);
  return traits;
}

}  // namespace weir::tds
