#include "session_statements.h"

namespace weir::pgserver {

namespace {

// Walks over the tokens of one statement.
class Parser {
 public:
  Parser(const Lexed& lexed, TokenRange range) : lexed_(lexed), i_(range.first), end_(range.last) {}

  SessionParse run() {
    if (take("begin")) return begin();
    if (take("start")) return take("transaction") ? transaction("START TRANSACTION") : wrong();
    if (take("commit") || take("end")) return commit();
    if (take("abort")) return rollback();
    if (take("rollback")) return rollback();
    if (take("savepoint")) return named(SessionVerb::Savepoint, "SAVEPOINT");
    if (take("release")) return take("savepoint"), named(SessionVerb::Release, "RELEASE");
    if (take("set")) return set();
    if (take("reset")) return reset();
    if (take("show")) return show();
    if (take("discard")) return discard();
    if (take("deallocate")) return deallocate();
    return notification();
  }

 private:
  bool at_end() const { return i_ >= end_; }
  bool peek(std::string_view word) const { return !at_end() && is_word(lexed_, i_, word); }
  bool take(std::string_view word) {
    if (!peek(word)) return false;
    ++i_;
    return true;
  }
  bool take_symbol(std::string_view symbol) {
    if (at_end() || !is_symbol(lexed_, i_, symbol)) return false;
    ++i_;
    return true;
  }
  bool take_equals() {
    if (at_end() || lexed_.tokens[i_].kind != TokenKind::Operator || lexed_.view(i_) != "=")
      return false;
    ++i_;
    return true;
  }
  bool at_name() const {
    return !at_end() && (lexed_.tokens[i_].kind == TokenKind::Word ||
                         lexed_.tokens[i_].kind == TokenKind::QuotedWord);
  }
  std::string take_name() { return identifier_of(lexed_, i_++); }

  SessionParse wrong() const {
    SyntaxError error{"42601", "syntax error at end of input", lexed_.text.size()};
    if (!at_end()) {
      error.message = "syntax error at or near \"" + std::string(lexed_.view(i_)) + "\"";
      error.at = lexed_.tokens[i_].begin;
    }
    return {std::nullopt, error};
  }
  SessionParse done(SessionStatement statement) {
    if (!at_end()) return wrong();
    return {std::move(statement), std::nullopt};
  }
  SessionParse refuse(std::string message) const {
    return {std::nullopt, SyntaxError{"0A000", std::move(message), std::string::npos}};
  }
  static SessionStatement of(SessionVerb verb, std::string tag) {
    SessionStatement statement;
    statement.verb = verb;
    statement.tag = std::move(tag);
    return statement;
  }

  // ISOLATION LEVEL …, READ ONLY, …; false: a syntax error at i_.
  bool modes(SessionStatement& statement) {
    while (!at_end()) {
      take_symbol(",");
      if (take("isolation")) {
        if (!take("level")) return false;
        if (take("serializable")) {
          statement.isolation = Isolation::Serializable;
        } else if (take("repeatable")) {
          if (!take("read")) return false;
          statement.isolation = Isolation::RepeatableRead;
        } else {
          if (!take("read") || (!take("committed") && !take("uncommitted"))) return false;
          statement.isolation = Isolation::ReadCommitted;
        }
      } else if (take("read")) {
        if (peek("only") == peek("write")) return false;
        statement.read_only = peek("only");
        ++i_;
      } else if (take("not")) {
        if (!take("deferrable")) return false;
      } else if (!take("deferrable")) {
        return false;
      }
    }
    return true;
  }

  SessionParse begin() {
    if (!take("work")) take("transaction");
    return transaction("BEGIN");
  }
  SessionParse transaction(std::string tag) {
    SessionStatement statement = of(SessionVerb::Begin, std::move(tag));
    return modes(statement) ? done(std::move(statement)) : wrong();
  }

  bool chain(bool& value) {  // [AND [NO] CHAIN]
    if (!take("and")) return true;
    value = !take("no");
    return take("chain");
  }
  SessionParse commit() {
    if (peek("prepared")) return refuse("two-phase commit is not supported");
    if (!take("work")) take("transaction");
    SessionStatement statement = of(SessionVerb::Commit, "COMMIT");
    return chain(statement.chain) ? done(std::move(statement)) : wrong();
  }
  SessionParse rollback() {
    if (peek("prepared")) return refuse("two-phase commit is not supported");
    if (!take("work")) take("transaction");
    if (take("to")) return take("savepoint"), named(SessionVerb::RollbackTo, "ROLLBACK");
    SessionStatement statement = of(SessionVerb::Rollback, "ROLLBACK");
    return chain(statement.chain) ? done(std::move(statement)) : wrong();
  }
  SessionParse named(SessionVerb verb, std::string tag) {
    if (!at_name()) return wrong();
    SessionStatement statement = of(verb, std::move(tag));
    statement.name = take_name();
    return done(std::move(statement));
  }

  bool setting_name(std::string& name) {
    if (!at_name()) return false;
    name = take_name();
    while (take_symbol(".")) {
      if (!at_name()) return false;
      name += '.' + take_name();
    }
    return true;
  }

  // One or more values with commas between them; strings and names keep their spelling.
  bool values(std::string& out) {
    do {
      if (at_end()) return false;
      std::string value;
      if (lexed_.tokens[i_].kind == TokenKind::Operator &&
          (lexed_.view(i_) == "-" || lexed_.view(i_) == "+")) {
        value = lexed_.view(i_++);
        if (at_end() || lexed_.tokens[i_].kind != TokenKind::Number) return false;
      }
      const TokenKind kind = lexed_.tokens[i_].kind;
      if (kind == TokenKind::String) {
        const auto text = string_of(lexed_, i_);
        if (!text) return false;
        value = *text;
      } else if (kind == TokenKind::QuotedWord) {
        value = lexed_.view(i_);
      } else if (kind == TokenKind::Word || kind == TokenKind::Number) {
        value += lexed_.view(i_);
      } else {
        return false;
      }
      ++i_;
      out += (out.empty() ? "" : ", ") + value;
    } while (take_symbol(","));
    return true;
  }

  SessionParse set() {
    SessionVerb verb = SessionVerb::Set;
    if (take("local")) {
      verb = SessionVerb::SetLocal;
    } else if (take("session")) {
      if (take("characteristics")) return characteristics();
      if (take("authorization")) return authorization();
    }
    if (peek("transaction")) return transaction_modes();
    if (peek("constraints")) return refuse("SET CONSTRAINTS is not supported");
    SessionStatement statement = of(verb, "SET");
    if (take("time")) {
      if (!take("zone")) return wrong();
      statement.name = "timezone";
      statement.to_default = take("local");
    } else if (take("names")) {
      statement.name = "client_encoding";
    } else if (peek("role") && i_ + 1 < end_ && !is_word(lexed_, i_ + 1, "to") &&
               lexed_.view(i_ + 1) != "=") {
      ++i_;
      statement.name = "role";
    } else {
      if (!setting_name(statement.name)) return wrong();
      if (!take("to") && !take_equals()) return wrong();
    }
    if (!statement.to_default && take("default")) statement.to_default = true;
    if (!statement.to_default && !values(statement.value)) return wrong();
    return done(std::move(statement));
  }

  SessionParse characteristics() {
    if (!take("as") || !take("transaction")) return wrong();
    SessionStatement statement = of(SessionVerb::SetDefaults, "SET");
    return modes(statement) ? done(std::move(statement)) : wrong();
  }
  SessionParse authorization() {
    if (take("default")) return done(of(SessionVerb::Nothing, "SET"));
    return refuse("SET SESSION AUTHORIZATION is not supported");
  }
  SessionParse transaction_modes() {
    take("transaction");
    if (peek("snapshot")) return refuse("SET TRANSACTION SNAPSHOT is not supported");
    SessionStatement statement = of(SessionVerb::SetTransaction, "SET");
    return modes(statement) ? done(std::move(statement)) : wrong();
  }

  SessionParse reset() {
    SessionStatement statement = of(SessionVerb::Reset, "RESET");
    if (take("all")) return done(std::move(statement));
    if (take("session"))
      return take("authorization") ? done(of(SessionVerb::Nothing, "RESET")) : wrong();
    if (take("time")) {
      if (!take("zone")) return wrong();
      statement.name = "timezone";
    } else if (!setting_name(statement.name)) {
      return wrong();
    }
    return done(std::move(statement));
  }

  SessionParse show() {
    SessionStatement statement = of(SessionVerb::Show, "SHOW");
    if (take("all")) return done(std::move(statement));
    if (take("time")) {
      if (!take("zone")) return wrong();
      statement.name = "timezone";
    } else if (take("transaction")) {
      if (!take("isolation") || !take("level")) return wrong();
      statement.name = "transaction_isolation";
    } else if (take("session")) {
      if (!take("authorization")) return wrong();
      statement.name = "session_authorization";
    } else if (!setting_name(statement.name)) {
      return wrong();
    }
    return done(std::move(statement));
  }

  SessionParse discard() {
    for (const std::string_view what : {"all", "plans", "sequences", "temp", "temporary"}) {
      if (!take(what)) continue;
      SessionStatement statement = of(SessionVerb::Discard, "DISCARD ");
      statement.value = what == "temporary" ? "temp" : what;
      for (const char c : statement.value) statement.tag.push_back(static_cast<char>(c & ~0x20));
      return done(std::move(statement));
    }
    return wrong();
  }

  SessionParse deallocate() {
    take("prepare");
    SessionStatement statement = of(SessionVerb::Deallocate, "DEALLOCATE");
    if (take("all")) {
      statement.tag = "DEALLOCATE ALL";
    } else {
      if (!at_name()) return wrong();
      statement.name = take_name();
    }
    return done(std::move(statement));
  }

  SessionParse notification() {
    if (take("unlisten")) {
      if (at_name()) {
        take_name();
      } else if (!at_end() && lexed_.view(i_) == "*") {
        ++i_;
      } else {
        return wrong();
      }
      return done(of(SessionVerb::Nothing, "UNLISTEN"));
    }
    if (take("listen")) {
      if (!at_name()) return wrong();
      take_name();
      SessionStatement statement = of(SessionVerb::Nothing, "LISTEN");
      statement.warning = "this server sends no notifications";
      return done(std::move(statement));
    }
    if (take("notify")) {
      if (!at_name()) return wrong();
      take_name();
      if (take_symbol(",") && (at_end() || lexed_.tokens[i_++].kind != TokenKind::String))
        return wrong();
      SessionStatement statement = of(SessionVerb::Nothing, "NOTIFY");
      statement.warning = "this server sends no notifications";
      return done(std::move(statement));
    }
    return {};
  }

  const Lexed& lexed_;
  size_t i_;
  size_t end_;
};

}  // namespace

SessionParse parse_session_statement(const Lexed& lexed, TokenRange range) {
  return Parser(lexed, range).run();
}

std::string_view isolation_name(Isolation isolation) {
  switch (isolation) {
    case Isolation::ReadCommitted: return "read committed";
    case Isolation::RepeatableRead: return "repeatable read";
    case Isolation::Serializable: return "serializable";
  }
  return {};
}

Isolation isolation_of(std::string_view name) {
  if (name == "serializable") return Isolation::Serializable;
  return name == "repeatable read" ? Isolation::RepeatableRead : Isolation::ReadCommitted;
}

}  // namespace weir::pgserver
