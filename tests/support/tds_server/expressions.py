"""The parser's lower half: words, names, types and expressions."""

from . import nodes as n
from . import values
from .errors import SqlError, error
from .lexer import RESERVED
from .values import Value

COMPARISONS = {"=", "<>", "!=", "<", ">", "<=", ">=", "!<", "!>"}
SAME = {"!=": "<>", "!<": ">=", "!>": "<="}
NILADIC = {"CURRENT_TIMESTAMP", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER"}


def literal(word):
    kind, data = word.kind, word.value
    if kind == "integer":
        if -2**31 <= data < 2**31:
            return Value(values.INT, data)
        return Value(values.decimal(max(1, len(str(data))), 0), values.Decimal(data))
    if kind == "decimal":
        scale = max(0, -data.as_tuple().exponent)
        digits = max(len(data.as_tuple().digits), scale)
        return Value(values.SqlType("numeric", 0, digits, scale), data)
    if kind == "float":
        return Value(values.FLOAT, data)
    if kind == "money":
        return Value(values.MONEY_TYPE, data)
    if kind == "binary":
        return Value(values.SqlType("varbinary", max(1, min(len(data), 8000))), data)
    wide = word.text[0] in "Nn"
    limit = 4000 if wide else 8000
    size = values.MAX if len(data) > limit else max(1, len(data))
    if not wide:
        data = data.encode("cp1252", "replace").decode("cp1252", "replace")
    return Value(values.SqlType("nvarchar" if wide else "varchar", size), data)


class Expressions:
    def __init__(self, words):
        self.words, self.at = words, 0

    # --- words ------------------------------------------------------------------------------

    @property
    def word(self):
        return self.words[self.at] if self.at < len(self.words) else None

    def peek(self, ahead=0):
        """The upper-case keyword or mark there, or ""."""
        at = self.at + ahead
        if at >= len(self.words):
            return ""
        word = self.words[at]
        return word.upper if word.kind == "name" else word.text if word.kind == "mark" else ""

    def fail(self):
        word = self.words[min(self.at, len(self.words) - 1)] if self.words else None
        if word is None:
            wrong = error(102, "")
        elif self.at < len(self.words) and word.upper in RESERVED:
            wrong = error(156, word.text)
        else:
            wrong = error(102, str(word.value))
        wrong.line = word.line if word else 1
        raise wrong

    def accept(self, *texts):
        """Takes the next words if they are these."""
        if all(self.peek(ahead) == text for ahead, text in enumerate(texts)):
            self.at += len(texts)
            return True
        return False

    def expect(self, *texts):
        for text in texts:
            if not self.accept(text):
                self.fail()

    def take(self, *kinds):
        if self.word is None or self.word.kind not in kinds:
            self.fail()
        self.at += 1
        return self.words[self.at - 1]

    def is_name(self, ahead=0):
        at = self.at + ahead
        if at >= len(self.words):
            return False
        word = self.words[at]
        return word.kind == "quoted" or (word.kind == "name" and word.upper not in RESERVED)

    def name(self):
        if not self.is_name():
            self.fail()
        self.at += 1
        return self.words[self.at - 1].value

    def names(self):
        """a.b..c: parts, an empty one for what is left out."""
        parts = [self.name()]
        while self.accept("."):
            parts.append("" if self.peek() == "." else self.name())
        return parts

    def comma_list(self, one):
        found = [one()]
        while self.accept(","):
            found.append(one())
        return found

    def in_brackets(self, one):
        self.expect("(")
        found = one()
        self.expect(")")
        return found

    def type(self):
        name = self.name()
        if self.accept("."):
            name = self.name()  # sys.nvarchar
        if name.lower() in ("double", "national", "char", "character"):
            while self.peek() in ("PRECISION", "VARYING", "CHARACTER", "CHAR", "TEXT"):
                name = f"{name} {self.name()}"
        arguments = []
        if self.accept("("):
            arguments = self.comma_list(self._type_argument)
            self.expect(")")
        return values.make_type(name, arguments)

    def _type_argument(self):
        if self.accept("MAX"):
            return "max"
        return self.take("integer").value

    # --- expressions ------------------------------------------------------------------------

    def expression(self):
        return self.addition()

    def condition(self):
        left = self.conjunction()
        while self.accept("OR"):
            left = n.Binary("OR", left, self.conjunction())
        return left

    def conjunction(self):
        left = self.negation()
        while self.accept("AND"):
            left = n.Binary("AND", left, self.negation())
        return left

    def negation(self):
        if self.accept("NOT"):
            return n.Unary("NOT", self.negation())
        return self.predicate()

    def predicate(self):
        if self.peek() == "EXISTS":
            self.at += 1
            return n.Exists(self.in_brackets(self.select))
        if self.peek() == "(" and self._is_condition():
            return self.in_brackets(self.condition)
        left = self.expression()
        if self.accept("IS"):
            negated = self.accept("NOT")
            self.expect("NULL")
            return n.IsNull(left, negated)
        negated = self.accept("NOT")
        if self.accept("IN"):
            return n.In(left, self.in_brackets(self._choices), negated)
        if self.accept("BETWEEN"):
            low = self.expression()
            self.expect("AND")
            return n.Between(left, low, self.expression(), negated)
        if self.accept("LIKE"):
            pattern = self.expression()
            escape = self.expression() if self.accept("ESCAPE") else None
            return n.Like(left, pattern, escape, negated)
        if negated or self.peek() not in COMPARISONS:
            self.fail()
        operator = self.take("mark").text
        return n.Binary(SAME.get(operator, operator), left, self.expression())

    def _is_condition(self):
        """Whether the bracket here holds a condition, not a value: tried out."""
        start = self.at
        try:
            self.in_brackets(self.condition)
            return True
        except SqlError:
            return False
        finally:
            self.at = start

    def _choices(self):
        return self.select() if self.peek() == "SELECT" else self.comma_list(self.expression)

    def addition(self):
        left = self.product()
        while self.peek() in ("+", "-", "&", "|", "^"):
            operator = self.take("mark").text
            left = n.Binary(operator, left, self.product())
        return left

    def product(self):
        left = self.unary()
        while self.peek() in ("*", "/", "%"):
            operator = self.take("mark").text
            left = n.Binary(operator, left, self.unary())
        return left

    def unary(self):
        if self.peek() in ("-", "+", "~"):
            operator = self.take("mark").text
            return n.Unary(operator, self.unary())
        found = self.primary()
        while self.accept("COLLATE"):
            self.name()
        return found

    def primary(self):
        word = self.word
        if word is None:
            self.fail()
        if word.kind in ("text", "integer", "decimal", "float", "money", "binary"):
            self.at += 1
            return n.Literal(literal(word))
        if word.kind == "variable":
            self.at += 1
            return n.Variable(word.text)
        if word.kind == "global":
            self.at += 1
            return n.Global(word.text.lower())
        if self.peek() == "(":
            if self.peek(1) == "SELECT":
                return n.Scalar(self.in_brackets(self.select))
            return self.in_brackets(self.expression)
        if self.peek() == "{":
            return self.escape()
        return self.named()

    def escape(self):
        """{fn name(...)} and {ts '...'} as drivers write them."""
        self.expect("{")
        kind = self.name().upper()
        if kind == "FN":
            found = self.primary()
        elif kind in ("TS", "D", "T"):
            found = n.Cast(self.primary(), values.DATETIME, None, False)
        else:
            self.fail()
        self.expect("}")
        return found

    def named(self):
        word = self.peek()
        if word == "NULL":
            self.at += 1
            return n.Literal(values.NULL)
        if word == "CASE":
            return self.case()
        if word in ("CAST", "TRY_CAST", "CONVERT", "TRY_CONVERT") and self.peek(1) == "(":
            return self.cast()
        if word in ("LEFT", "RIGHT") and self.peek(1) == "(":
            self.at += 1
            return n.Call(word, self.in_brackets(lambda: self.comma_list(self.expression)))
        if word in NILADIC and self.peek(1) != "(":
            self.at += 1
            return n.Call(word, [])
        parts = self.names()
        if self.peek() == "(":
            return self.call(parts)
        return n.Column(parts)

    def call(self, parts):
        name = ".".join(parts).upper()
        self.expect("(")
        if self.accept("*"):
            self.expect(")")
            return n.Call(name, [], star=True)
        distinct = self.accept("DISTINCT")
        if name == "IIF":
            first = self.condition()
            self.expect(",")
            then = self.expression()
            self.expect(",")
            otherwise = self.expression()
            self.expect(")")
            return n.Case(None, [(first, then)], otherwise)
        if name in ("DATEADD", "DATEDIFF", "DATEPART", "DATENAME"):
            arguments = [n.Literal(Value(values.varchar(30), self.name()))]
            while self.accept(","):
                arguments.append(self.expression())
        else:
            arguments = [] if self.peek() == ")" else self.comma_list(self.expression)
        self.expect(")")
        return n.Call(name, arguments, distinct=distinct)

    def case(self):
        self.expect("CASE")
        operand = None if self.peek() == "WHEN" else self.expression()
        branches = []
        while self.accept("WHEN"):
            when = self.condition() if operand is None else self.expression()
            self.expect("THEN")
            branches.append((when, self.expression()))
        if not branches:
            self.fail()
        otherwise = self.expression() if self.accept("ELSE") else None
        self.expect("END")
        return n.Case(operand, branches, otherwise)

    def cast(self):
        word = self.name().upper()
        tries = word.startswith("TRY")
        self.expect("(")
        if word.endswith("CAST"):
            operand = self.expression()
            self.expect("AS")
            found = n.Cast(operand, self.type(), None, tries)
        else:
            kind = self.type()
            self.expect(",")
            operand = self.expression()
            style = self.expression() if self.accept(",") else None
            found = n.Cast(operand, kind, style, tries)
        self.expect(")")
        return found
