"""The parser's upper half: statements. A batch is parsed whole before anything of it runs."""

from . import nodes as n
from .lexer import words_of
from .parse_calls import Calls


def parse(text, quoted_names=True):
    """The statements of a batch."""
    return Parser(text, quoted_names).batch()


class Parser(Calls):
    def __init__(self, text, quoted_names=True):
        super().__init__(words_of(text, quoted_names))
        self.text = text
        self.first = True
        self.simple = {
            "SELECT": self.select, "INSERT": self.insert, "UPDATE": self.update,
            "DELETE": self.delete, "TRUNCATE": self.truncate, "CREATE": self.create,
            "ALTER": self.alter, "DROP": self.drop, "BEGIN": self.begin, "COMMIT": self.commit,
            "ROLLBACK": self.rollback, "SAVE": self.save, "SET": self.set, "DECLARE": self.declare,
            "IF": self.if_, "WHILE": self.while_, "PRINT": self.print, "RAISERROR": self.raiserror,
            "THROW": self.throw, "USE": self.use, "WAITFOR": self.waitfor, "RETURN": self.return_,
            "EXEC": self.execute, "EXECUTE": self.execute, "REVERT": self.revert,
            "KILL": self.kill, "OPEN": self.cursor_step, "FETCH": self.fetch,
            "CLOSE": self.cursor_step, "DEALLOCATE": self.cursor_step, "DBCC": self.dbcc,
            "BREAK": lambda: self._word(n.Break), "CONTINUE": lambda: self._word(n.Continue),
        }

    def batch(self):
        found = []
        while self.word is not None:
            if self.accept(";"):
                continue
            found.append(self.statement())
            self.first = False
        return found

    def statement(self):
        line = self.word.line if self.word else 0
        parse_one = self.simple.get(self.peek())
        if parse_one is not None:
            found = parse_one()
        elif self.first and self.is_name():
            found = self.execute_plain()  # a procedure's name may begin a batch without EXEC
        else:
            self.fail()
        found.line = line
        self.accept(";")
        return found

    def _word(self, kind):
        self.at += 1
        return kind()

    # --- transactions -----------------------------------------------------------------------

    def begin(self):
        self.expect("BEGIN")
        if self.peek() == "DISTRIBUTED":
            self.fail()  # there is no coordinator here
        if self.peek() in ("TRAN", "TRANSACTION"):
            self.at += 1
            return n.Begin(self.transaction_name())
        if self.accept("TRY"):
            return self.try_()
        statements = self.until("END")
        self.expect("END")
        return n.Block(statements)

    def transaction_name(self):
        name = None
        if self.word and self.word.kind == "variable":
            name = n.Variable(self.take("variable").text)
        elif self.is_name() and self.peek() not in self.simple:
            name = self.name()
        if self.accept("WITH"):
            self.expect("MARK")
            if self.word and self.word.kind == "text":
                self.at += 1
        return name

    def commit(self):
        self.expect("COMMIT")
        self._transaction_word()
        name = self.transaction_name()
        if self.peek() == "WITH":
            self.fail()
        return n.Commit(name)

    def _transaction_word(self):
        if any(self.accept(word) for word in ("TRAN", "TRANSACTION")):
            return True
        self.accept("WORK")
        return False

    def rollback(self):
        self.expect("ROLLBACK")
        return n.Rollback(self.transaction_name() if self._transaction_word() else None)

    def save(self):
        self.expect("SAVE")
        if not self._transaction_word():
            self.fail()
        return n.Save(self.transaction_name())

    # --- control of flow --------------------------------------------------------------------

    def until(self, *stops):
        found = []
        self.first = False
        while not any(self.peek() == stop for stop in stops):
            if self.word is None:
                self.fail()
            if self.accept(";"):
                continue
            found.append(self.statement())
        return found

    def try_(self):
        body = self.until("END")
        self.expect("END", "TRY")
        self.accept(";")
        self.expect("BEGIN", "CATCH")
        handler = self.until("END")
        self.expect("END", "CATCH")
        return n.Try(body, handler)

    def if_(self):
        self.expect("IF")
        condition = self.condition()
        self.first = False
        then = self.statement()
        otherwise = None
        if self.accept("ELSE"):
            otherwise = self.statement()
        return n.If(condition, then, otherwise)

    def while_(self):
        self.expect("WHILE")
        condition = self.condition()
        self.first = False
        return n.While(condition, self.statement())

    def print(self):
        self.expect("PRINT")
        return n.Print(self.expression())

    def raiserror(self):
        self.expect("RAISERROR", "(")
        message, arguments = self.expression(), []
        self.expect(",")
        severity = self.expression()
        self.expect(",")
        state = self.expression()
        while self.accept(","):
            arguments.append(self.expression())
        self.expect(")")
        options = []
        if self.accept("WITH"):
            options = [one.upper() for one in self.comma_list(self.name)]
        return n.Raise(message, severity, state, arguments, options)

    def throw(self):
        self.expect("THROW")
        if self.word is None or self.peek() in (";", "END") or self.peek() in self.simple:
            return n.Throw(None, None, None)
        number = self.expression()
        self.expect(",")
        message = self.expression()
        self.expect(",")
        return n.Throw(number, message, self.expression())

    def use(self):
        self.expect("USE")
        return n.Use(self.name())

    def waitfor(self):
        self.expect("WAITFOR")
        kind = self.peek()
        if kind not in ("DELAY", "TIME"):
            self.fail()
        self.at += 1
        return n.WaitFor(kind, self.primary())

    def return_(self):
        self.expect("RETURN")
        starts = self.word is not None and (
            self.word.kind in ("integer", "variable", "global", "text") or
            self.peek() in ("-", "(", "NULL", "CASE", "CAST", "ISNULL"))
        return n.Return(self.expression() if starts else None)
