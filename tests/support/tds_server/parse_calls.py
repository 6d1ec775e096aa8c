"""The parser: SET, DECLARE, EXECUTE and cursors."""

from . import nodes as n
from .parse_rows import RowStatements
from .values import Value, nvarchar

ISOLATION = {"READ UNCOMMITTED": 1, "READ COMMITTED": 2, "REPEATABLE READ": 3, "SERIALIZABLE": 4,
             "SNAPSHOT": 5}


class Calls(RowStatements):
    def set(self):
        self.expect("SET")
        if self.word and self.word.kind == "variable":
            name = self.take("variable").text
            operator = self.take("mark").text
            expression = self.expression()
            if operator not in ("=", "+=", "-=", "*=", "/=", "%="):
                self.fail()
            if operator != "=":
                expression = n.Binary(operator[0], n.Variable(name), expression)
            return n.SetVariable(name, expression)
        if self.accept("TRANSACTION"):
            self.expect("ISOLATION", "LEVEL")
            words = self.name().upper()
            while self.is_name() and f"{words} {self.peek()}" in ISOLATION:
                words += " " + self.name().upper()
            if words not in ISOLATION:
                self.fail()
            return n.SetIsolation(ISOLATION[words])
        return self.set_options()

    def set_options(self):
        names = [self._option_name()]
        while self.accept(","):
            names.append(self._option_name())
        if "IDENTITY_INSERT" in names[1:]:
            self.fail()
        if names[0] == "IDENTITY_INSERT":
            value = self.names()
            return n.SetOptions(names, (value, self._on_or_off()))
        if names == ["STATISTICS"]:
            names = [f"STATISTICS {self.name().upper()}"]
        if self.peek() in ("ON", "OFF"):
            return n.SetOptions(names, self._on_or_off())
        if self.is_name():
            return n.SetOptions(names, self.name())
        return n.SetOptions(names, self.unary())

    def _option_name(self):
        if self.word is None or self.word.kind != "name":
            self.fail()
        self.at += 1
        return self.words[self.at - 1].upper

    def _on_or_off(self):
        if self.accept("ON"):
            return "ON"
        self.expect("OFF")
        return "OFF"

    def declare(self):
        self.expect("DECLARE")
        if self.is_name():
            return self.declare_cursor()
        if self.word and self.word.kind == "variable" and (
                self.peek(1) == "TABLE" or (self.peek(1) == "AS" and self.peek(2) == "TABLE")):
            name = self.take("variable").text
            self.accept("AS")
            self.expect("TABLE")
            return n.DeclareTable(name, *self.column_list())
        return n.Declare(self.comma_list(self.declared))

    def declared(self):
        name = self.take("variable").text
        self.accept("AS")
        kind = self.type()
        return name, kind, self.expression() if self.accept("=") else None

    # --- procedures -------------------------------------------------------------------------

    def execute(self):
        self.at += 1
        if self.accept("("):
            expression = self.expression()
            self.expect(")")
            return n.ExecuteText(expression)
        if self.accept("AS"):
            return self.execute_as()
        target = None
        if self.word and self.word.kind == "variable" and self.peek(1) == "=":
            target = self.take("variable").text
            self.at += 1
        found = self.execute_plain()
        found.target = target
        return found

    def execute_plain(self):
        name, arguments = ".".join(self.names()), []
        if self.word is not None and self._starts_argument():
            arguments = self.comma_list(self.argument)
        if self.accept("WITH"):
            self.expect("RECOMPILE")
        return n.Execute(name, arguments, None)

    def _starts_argument(self):
        return self.word.kind in ("text", "integer", "decimal", "float", "money", "binary",
                                  "variable", "global", "quoted") or self.peek() in (
            "-", "NULL", "DEFAULT") or (self.is_name() and self.peek() not in self.simple)

    def argument(self):
        name = None
        if self.word and self.word.kind == "variable" and self.peek(1) == "=":
            name = self.take("variable").text
            self.at += 1
        if self.accept("DEFAULT"):
            return name, None, False
        if self.is_name() and self.peek() != "NULL":
            word = self.name()  # a bare word is a text
            return name, n.Literal(Value(nvarchar(max(1, len(word))), word)), False
        expression = self.unary()
        output = self.accept("OUTPUT") or self.accept("OUT")
        return name, expression, output

    def execute_as(self):
        kind = self.name().upper()
        if kind not in ("LOGIN", "USER", "CALLER"):
            self.fail()
        name = None
        if self.accept("="):
            name = self.expression()
        no_revert, cookie = False, None
        if self.accept("WITH"):
            if self.accept("NO", "REVERT"):
                no_revert = True
            else:
                self.expect("COOKIE", "INTO")
                cookie = self.take("variable").text
        return n.ExecuteAs(kind, name, no_revert, cookie)

    def revert(self):
        self.expect("REVERT")
        cookie = None
        if self.accept("WITH"):
            self.expect("COOKIE", "=")
            cookie = self.expression()
        return n.Revert(cookie)

    def kill(self):
        self.expect("KILL")
        return n.Kill(self.unary())

    def dbcc(self):
        self.expect("DBCC")
        command, arguments = self.name().upper(), []
        if self.accept("("):
            if not self.accept(")"):
                arguments = self.comma_list(self.expression)
                self.expect(")")
        if self.accept("WITH"):
            self.comma_list(self.name)
        return n.Dbcc(command, arguments)

    # --- cursors ----------------------------------------------------------------------------

    def declare_cursor(self):
        name = self.name()
        self.accept("INSENSITIVE")
        self.expect("CURSOR")
        words = []
        while self.peek() != "FOR":
            words.append(self.name().upper())
        self.expect("FOR")
        select = self.select()
        if self.accept("FOR"):
            self.expect("READ")
            self.expect("ONLY")
        return n.DeclareCursor(name, select, "LOCAL" not in words)

    def cursor_step(self):
        action = self._any()
        self.accept("GLOBAL")
        return n.CursorStep(action, self.name())

    def fetch(self):
        self.expect("FETCH")
        if self.accept("NEXT"):
            self.expect("FROM")
        else:
            self.accept("FROM")
        self.accept("GLOBAL")
        name, variables = self.name(), None
        if self.accept("INTO"):
            variables = self.comma_list(lambda: self.take("variable").text)
        return n.CursorStep("FETCH", name, variables)
