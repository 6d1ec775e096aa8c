"""The parser's middle: SELECT and what it reads from."""

from . import nodes as n
from .expressions import Expressions
from .lexer import RESERVED

ALIAS_STOPS = {"WHERE", "GROUP", "ORDER", "UNION", "FROM", "INTO", "HAVING", "FOR", "OPTION"}


class Selects(Expressions):
    def select(self):
        cores = [(self.core(), True)]
        while self.accept("UNION"):
            everything = self.accept("ALL")
            cores.append((self.core(), everything))
        order, offset, fetch = [], None, None
        if self.accept("ORDER", "BY"):
            order = self.comma_list(self.order_item)
            if self.accept("OFFSET"):
                offset = self.expression()
                self._one_of("ROW", "ROWS")
                if self.accept("FETCH"):
                    self._one_of("NEXT", "FIRST")
                    fetch = self.expression()
                    self._one_of("ROW", "ROWS")
                    self.expect("ONLY")
        if self.accept("OPTION"):
            self.skip_brackets()
        return n.Select(cores, order, offset, fetch)

    def _one_of(self, *words):
        if not any(self.accept(word) for word in words):
            self.fail()

    def skip_brackets(self):
        """Hints, which change nothing here."""
        self.expect("(")
        depth = 1
        while depth:
            if self.word is None:
                self.fail()
            depth += {"(": 1, ")": -1}.get(self.peek(), 0)
            self.at += 1

    def order_item(self):
        expression = self.expression()
        descending = self.accept("DESC")
        if not descending:
            self.accept("ASC")
        return expression, descending

    def core(self):
        if self.accept("("):
            found = self.core()
            self.expect(")")
            return found
        self.expect("SELECT")
        core = n.Core([], None)
        if self.accept("DISTINCT"):
            core.distinct = True
        else:
            self.accept("ALL")
        core.top = self.top()
        core.items = self.comma_list(self.item)
        if self.accept("INTO"):
            core.into = self.names()
        if self.accept("FROM"):
            core.source = self.sources()
        if self.accept("WHERE"):
            core.where = self.condition()
        if self.accept("GROUP", "BY"):
            core.group = self.comma_list(self.expression)
        if self.accept("HAVING"):
            core.having = self.condition()
        return core

    def top(self):
        if not self.accept("TOP"):
            return None
        return self.in_brackets(self.expression) if self.peek() == "(" else self.primary()

    def item(self):
        if self.accept("*"):
            return n.Star(None)
        if self.is_name() and self.peek(1) == "." and self.peek(2) == "*":
            qualifier = self.name()
            self.at += 2
            return n.Star(qualifier)
        if self.word and self.word.kind == "variable" and self.peek(1) == "=":
            target = self.take("variable").text
            self.at += 1
            return n.Item(self.expression(), "", target)
        if self.is_name() and self.peek(1) == "=":
            name = self.name()
            self.at += 1
            return n.Item(self.expression(), name)
        expression = self.expression()
        name = self.alias(ALIAS_STOPS)
        if name is None:
            name = expression.parts[-1] if isinstance(expression, n.Column) else ""
        return n.Item(expression, name)

    def alias(self, stops=ALIAS_STOPS):
        if self.accept("AS"):
            if self.word and self.word.kind == "text":
                return self.take("text").value
            return self.name()
        word = self.word
        if word is not None and word.kind == "text":
            return self.take("text").value
        if self.is_name() and self.peek() not in stops and self.peek() not in RESERVED:
            if self.peek() in ("GO", "THROW", "DISABLE", "ENABLE") and word.kind == "name":
                return None
            return self.name()
        return None

    # --- FROM -------------------------------------------------------------------------------

    def sources(self):
        left = self.joined()
        while self.accept(","):
            left = n.Join("CROSS", left, self.joined(), None)
        return left

    def joined(self):
        left = self.source()
        while True:
            kind = self._join_kind()
            if kind is None:
                return left
            right = self.source()
            condition = None
            if kind != "CROSS":
                self.expect("ON")
                condition = self.condition()
            left = n.Join(kind, left, right, condition)

    def _join_kind(self):
        if self.accept("CROSS", "JOIN"):
            return "CROSS"
        if self.accept("JOIN") or self.accept("INNER", "JOIN"):
            return "INNER"
        if self.accept("LEFT", "JOIN") or self.accept("LEFT", "OUTER", "JOIN"):
            return "LEFT"
        return None

    def source(self):
        if self.peek() == "(":
            if self.peek(1) not in ("SELECT", "VALUES"):
                return self.in_brackets(self.joined)
            return self.derived()
        if self.word and self.word.kind == "variable":
            parts = [self.take("variable").text]
        else:
            parts = self.names()
        if self.peek() == "(" and parts[-1].upper() != "WITH":
            self.fail()
        alias = self.alias()
        self.hints()
        return n.TableSource(parts, alias)

    def hints(self):
        if self.peek() == "WITH" and self.peek(1) == "(":
            self.at += 1
            self.skip_brackets()

    def derived(self):
        self.expect("(")
        inner = self.values() if self.peek() == "VALUES" else self.select()
        self.expect(")")
        self.accept("AS")
        alias, names = self.name(), None
        if self.accept("("):
            names = self.comma_list(self.name)
            self.expect(")")
        return n.Derived(inner, alias, names)

    def values(self):
        self.expect("VALUES")
        return n.Values(self.comma_list(
            lambda: self.in_brackets(lambda: self.comma_list(self.value_or_default))))

    def value_or_default(self):
        return None if self.accept("DEFAULT") else self.expression()
