"""The parser: INSERT, UPDATE, DELETE, CREATE and DROP."""

from . import nodes as n
from .selects import Selects


class RowStatements(Selects):
    def insert(self):
        self.expect("INSERT")
        if self.accept("BULK"):
            return self.insert_bulk()
        top = self.top()
        self.accept("INTO")
        table = self.table_name()
        columns = None
        if self.peek() == "(" and self.peek(1) != "SELECT":
            columns = self.in_brackets(lambda: self.comma_list(self.name))
        self.hints()
        output = self.output()
        if self.peek() == "VALUES":
            return n.Insert(table, columns, self.values(), output, top)
        if self.accept("DEFAULT", "VALUES"):
            return n.Insert(table, columns, None, output, top)
        if self.peek() in ("EXEC", "EXECUTE"):
            return n.Insert(table, columns, self.execute(), output, top)
        return n.Insert(table, columns, self.select(), output, top)

    def table_name(self):
        if self.word and self.word.kind == "variable":
            return [self.take("variable").text]
        return self.names()

    def output(self):
        return self.comma_list(self.item) if self.accept("OUTPUT") else None

    def insert_bulk(self):
        table = self.names()
        columns = []
        if self.accept("("):
            columns = self.comma_list(self.bulk_column)
            self.expect(")")
        options = []
        if self.accept("WITH"):
            self.expect("(")
            while not self.accept(")"):
                options.append(self.name().upper() if self.is_name() else self._any())
        return n.InsertBulk(table, columns, options)

    def _any(self):
        if self.word is None:
            self.fail()
        self.at += 1
        return self.words[self.at - 1].text.upper()

    def bulk_column(self):
        name, kind = self.name(), self.type()
        if self.accept("COLLATE"):
            self.name()
        if not self.accept("NULL"):
            if self.accept("NOT"):
                self.expect("NULL")
        return name, kind

    def update(self):
        self.expect("UPDATE")
        top = self.top()
        table = self.table_name()
        self.hints()
        self.expect("SET")
        assignments = self.comma_list(self.assignment)
        output = self.output()
        source = self.sources() if self.accept("FROM") else None
        where = self.condition() if self.accept("WHERE") else None
        return n.Update(table, assignments, where, source, output, top)

    def assignment(self):
        if self.word and self.word.kind == "variable":
            name = self.take("variable").text
        else:
            name = self.names()[-1]
        operator = self.take("mark").text
        if operator not in ("=", "+=", "-=", "*=", "/=", "%="):
            self.at -= 1
            self.fail()
        value = self.value_or_default()
        if operator != "=":
            value = n.Binary(operator[0], n.Column([name]), value)
        return name, value

    def delete(self):
        self.expect("DELETE")
        top = self.top()
        self.accept("FROM")
        table = self.table_name()
        self.hints()
        output = self.output()
        source = self.sources() if self.accept("FROM") else None
        where = self.condition() if self.accept("WHERE") else None
        return n.Delete(table, where, source, output, top)

    def truncate(self):
        self.expect("TRUNCATE", "TABLE")
        return n.Truncate(self.names())

    # --- definitions ------------------------------------------------------------------------

    def create(self):
        self.expect("CREATE")
        if self.accept("TABLE"):
            table = self.names()
            return n.CreateTable(table, *self.column_list())
        if self.accept("DATABASE"):
            return n.CreateDatabase(self.name())
        alters = self.accept("OR", "ALTER")
        return self.procedure(alters)

    def alter(self):
        self.expect("ALTER")
        return self.procedure(True)

    def column_list(self):
        columns, keys = [], []
        self.expect("(")
        while True:
            if self.peek() in ("PRIMARY", "UNIQUE", "CONSTRAINT"):
                keys.append(self.table_key())
            else:
                columns.append(self.column())
            if not self.accept(","):
                break
        self.expect(")")
        return columns, keys

    def table_key(self):
        name = self.name() if self.accept("CONSTRAINT") else None
        if self.accept("PRIMARY"):
            self.expect("KEY")
        else:
            self.expect("UNIQUE")
        self._clustered()
        columns = self.in_brackets(lambda: self.comma_list(lambda: self.order_item()[0].parts[-1]))
        return name, columns

    def _clustered(self):
        return self.accept("CLUSTERED") or self.accept("NONCLUSTERED")

    def column(self):
        found = n.ColumnDefinition(self.name(), self.type())
        while True:
            if self.accept("NULL"):
                found.nullable = True
            elif self.accept("NOT", "NULL"):
                found.nullable = False
            elif self.accept("IDENTITY"):
                found.identity = self.identity()
            elif self.accept("PRIMARY", "KEY"):
                found.key, found.nullable = "PRIMARY KEY", False
                self._clustered()
            elif self.accept("UNIQUE"):
                found.key = "UNIQUE"
            elif self.accept("DEFAULT"):
                found.default = self.primary() if self.peek() != "-" else self.unary()
            elif self.accept("COLLATE") or self.accept("CONSTRAINT"):
                self.name()
            else:
                return found

    def identity(self):
        if not self.accept("("):
            return 1, 1
        seed = self.take("integer").value
        self.expect(",")
        step = self.take("integer").value
        self.expect(")")
        return seed, step

    def procedure(self, alters):
        if not self.accept("PROC"):
            self.expect("PROCEDURE")
        name, parameters = self.names(), []
        bracket = self.accept("(")
        if self.word and self.word.kind == "variable":
            parameters = self.comma_list(self.parameter)
        if bracket:
            self.expect(")")
        if self.accept("WITH"):
            self.comma_list(self.name)
        self.expect("AS")
        start = self.word.at if self.word else len(self.text)
        self.first = False
        body = self.batch()
        return n.CreateProcedure(name, parameters, body, self.text[start:], alters)

    def parameter(self):
        name = self.take("variable").text
        self.accept("AS")
        kind = self.type()
        default = self.unary() if self.accept("=") else None
        output = self.accept("OUTPUT") or self.accept("OUT")
        self.accept("READONLY")
        return n.ParameterDefinition(name, kind, default, output)

    def drop(self):
        self.expect("DROP")
        kind = self.peek()
        if kind not in ("TABLE", "PROCEDURE", "PROC", "DATABASE"):
            self.fail()
        self.at += 1
        if_exists = self.accept("IF", "EXISTS")
        kind = "PROCEDURE" if kind == "PROC" else kind
        return n.Drop(kind, self.comma_list(self.names), if_exists)
