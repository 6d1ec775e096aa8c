"""Expressions to values. Texts compare without case and without blanks at their ends, as in
SQL_Latin1_General_CP1_CI_AS."""

import re
from decimal import Decimal

from . import nodes as n
from . import values
from .errors import SqlError, error
from .functions import AGGREGATES, FUNCTIONS, globals_of
from .moments import TICKS_PER_DAY, Moment
from .styles import convert_with_style
from .values import MAX, SqlType, Value, convert

COMPARE = {"=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b,
           ">": lambda a, b: a > b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b}


class Bound:
    """A column that expressions can see."""

    def __init__(self, qualifier, name, kind, nullable=True):
        self.qualifier, self.name, self.type, self.nullable = qualifier, name, kind, nullable
        self.flags = 0x20  # computed


class Frame:
    """The columns in sight, and the row that is looked at."""

    def __init__(self, columns=(), row=(), outer=None):
        self.columns, self.row, self.outer = columns, row, outer
        self.found = {}  # parts: index
        self.aggregates = None  # {id of a call: Value} while groups are shown

    def index(self, parts):
        key = tuple(part.lower() for part in parts)
        if key not in self.found:
            self.found[key] = self._search(key)
        return self.found[key]

    def _search(self, key):
        name, qualifier = key[-1], key[-2] if len(key) > 1 else None
        hits = [at for at, one in enumerate(self.columns) if one.name.lower() == name
                and (qualifier is None or (one.qualifier or "").lower() == qualifier)]
        if len(hits) > 1:
            raise SqlError(209, f"Ambiguous column name '{key[-1]}'.")
        return hits[0] if hits else None

    def nulls(self):
        return Frame(self.columns, [None] * len(self.columns), self.outer)


class Evaluator:
    def __init__(self, state, select_rows):
        self.state = state
        self.select_rows = select_rows  # runs a subquery: (select, frame) -> (columns, rows)
        self.kinds = {
            n.Literal: lambda node, frame: node.value, n.Variable: self._variable,
            n.Global: lambda node, frame: globals_of(self.state, node.name),
            n.Column: self._column, n.Unary: self._unary, n.Binary: self._binary,
            n.Cast: self._cast, n.Case: self._case, n.Call: self._call, n.Scalar: self._scalar}

    def value(self, node, frame):
        return self.kinds[type(node)](node, frame)

    def describe(self, node, frame):
        """(type, whether it may be NULL) without any row."""
        empty = frame.nulls()
        empty.aggregates = {} if frame.aggregates is not None else None
        if isinstance(node, n.Column):
            bound = self._bound(node, frame)
            return bound.type, bound.nullable
        if isinstance(node, n.Case):
            parts = [one for _, one in node.branches] + ([node.otherwise] if node.otherwise else [])
            return self._describe_widest(parts, frame), True
        if isinstance(node, n.Call) and node.name in ("COALESCE", "ISNULL"):
            parts = node.arguments if node.name == "COALESCE" else node.arguments[:1]
            return self._describe_widest(parts, frame), True
        try:
            found = self.value(node, empty)
        except SqlError:
            return values.INT, True
        return found.type, not (isinstance(node, n.Literal) and found.data is not None)

    def _describe_widest(self, parts, frame):
        found = None
        for one in parts:
            if isinstance(one, n.Literal) and one.value.untyped:
                continue
            kind = self.describe(one, frame)[0]
            found = kind if found is None else values.wider(found, kind)
        return found or values.INT

    # --- leaves -----------------------------------------------------------------------------

    def _variable(self, node, frame):
        found = self.state.variables.get(node.name.lower())
        if found is None:
            raise error(137, node.name)
        return found

    def _bound(self, node, frame):
        while frame is not None:
            at = frame.index(node.parts)
            if at is not None:
                return frame.columns[at]
            frame = frame.outer
        raise error(207, node.parts[-1]) if len(node.parts) == 1 else error(
            4104, ".".join(node.parts))

    def _column(self, node, frame):
        here = frame
        while here is not None:
            at = here.index(node.parts)
            if at is not None:
                return Value(here.columns[at].type, here.row[at])
            here = here.outer
        return self._bound(node, frame)

    def _scalar(self, node, frame):
        columns, rows = self.select_rows(node.select, frame)
        if len(columns) != 1:
            raise SqlError(116, "Only one expression can be specified in the select list when the "
                                "subquery is not introduced with EXISTS.")
        found = list(rows)
        if len(found) > 1:
            raise error(512)
        return Value(columns[0].type, found[0][0] if found else None)

    # --- operators --------------------------------------------------------------------------

    def _unary(self, node, frame):
        operand = self.value(node.operand, frame)
        if node.operator == "+" or operand.data is None:
            return operand
        if node.operator == "~":
            return Value(operand.type, 1 - operand.data if operand.type.name == "bit"
                         else ~operand.data)
        if not values.is_number(operand.type):
            raise error(402, operand.type, operand.type, "minus")
        if operand.type.name == "numeric" and operand.data == 2**31 and not operand.type.scale:
            return Value(values.INT, -2**31)
        return Value(operand.type, -operand.data)

    def _binary(self, node, frame):
        left, right = self.value(node.left, frame), self.value(node.right, frame)
        if node.operator == "+" and self._are_texts(left, right):
            return self._concatenate(left, right)
        if left.type.name in values.DATES or right.type.name in values.DATES:
            return self._move_date(node.operator, left, right)
        kind = values.common_type(left, right)
        if values.is_text(kind) or not values.is_number(kind):
            raise error(402, left.type, right.type, node.operator)
        if kind.name == "bit":
            kind = values.TINYINT
        kind = self._result_type(node.operator, kind, left.type, right.type)
        if left.data is None or right.data is None:
            return Value(kind, None)
        return self._calculate(node.operator, kind, left, right)

    @staticmethod
    def _are_texts(left, right):
        fine = [values.is_text(one.type) or one.untyped or isinstance(one.data, bytes)
                or one.type.name in values.BINARIES for one in (left, right)]
        return all(fine) and not (left.untyped and right.untyped)

    def _concatenate(self, left, right):
        binary = not any(values.is_text(one.type) for one in (left, right))
        wide = any(one.type.name in values.WIDE for one in (left, right))
        sizes = [0 if one.untyped else one.type.size for one in (left, right)]
        limit = 4000 if wide else 8000
        size = MAX if MAX in sizes else max(1, min(limit, sum(sizes)))
        kind = SqlType("varbinary" if binary else "nvarchar" if wide else "varchar", size)
        if left.data is None or right.data is None:
            if self.state.options["CONCAT_NULL_YIELDS_NULL"] or left.data is right.data:
                return Value(kind, None)
        empty = b"" if binary else ""
        whole = SqlType(kind.name, MAX)
        parts = [empty if one.data is None else convert(one, whole).data for one in (left, right)]
        joined = parts[0] + parts[1]
        return Value(kind, joined if size == MAX else joined[:size])

    @staticmethod
    def _result_type(operator, kind, left, right):
        if kind.name not in values.EXACT:
            return kind
        (p1, s1), (p2, s2) = values.decimal_size(left), values.decimal_size(right)
        if operator in ("+", "-", "%"):
            scale = max(s1, s2)
            precision = max(p1 - s1, p2 - s2) + scale + 1
        elif operator == "*":
            precision, scale = p1 + p2 + 1, s1 + s2
        else:
            scale = max(6, s1 + p2 + 1)
            precision = p1 - s1 + s2 + scale
        if precision > 38:
            scale = max(min(scale, 6), scale - (precision - 38))
            precision = 38
        return SqlType(kind.name, 0, precision, scale)

    @staticmethod
    def _calculate(operator, kind, left, right):
        base = kind
        if kind.name in values.EXACT:
            base = SqlType(kind.name, 0, 38, max(values.decimal_size(left.type)[1],
                                                 values.decimal_size(right.type)[1]))
        a, b = convert(left, base).data, convert(right, base).data
        if operator in ("/", "%") and b == 0:
            raise error(8134)
        if operator in ("&", "|", "^"):
            found = {"&": a & b, "|": a | b, "^": a ^ b}[operator]
        elif operator == "/" and isinstance(a, int):
            found = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        elif operator == "%":
            found = abs(a) % abs(b) * (-1 if a < 0 else 1)
        elif operator == "/" and isinstance(a, Decimal):
            found = values.EXACTLY.divide(a, b)
        else:
            found = {"+": a.__add__, "-": a.__sub__, "*": a.__mul__, "/": getattr(
                a, "__truediv__", None)}[operator](b)
        if kind.name in values.INTEGERS:
            low, high, _ = values.INTEGERS[kind.name]
            if not low <= found <= high:
                raise error(8115, "expression", kind.name)
        return Value(kind, values.to_decimal(Value(kind, found), kind)
                     if isinstance(found, Decimal) else found)

    @staticmethod
    def _move_date(operator, left, right):
        date, other = (left, right) if left.type.name in values.DATES else (right, left)
        if date.type.name not in ("datetime", "smalldatetime") or operator not in ("+", "-"):
            raise error(402, left.type, right.type, "add" if operator == "+" else operator)
        if left.data is None or right.data is None:
            return Value(date.type, None)
        if other.type.name in values.DATES:
            raise error(402, left.type, right.type, "add" if operator == "+" else "subtract")
        days = convert(other, values.FLOAT).data * (-1 if operator == "-" else 1)
        ticks = date.data.days * TICKS_PER_DAY + date.data.ticks + int(days * TICKS_PER_DAY)
        return Value(date.type, Moment(*divmod(ticks, TICKS_PER_DAY)))

    def _cast(self, node, frame):
        operand = self.value(node.operand, frame)
        style = self.value(node.style, frame).data if node.style else None
        try:
            return convert_with_style(operand, node.type, style)
        except SqlError:
            if node.tries:
                return Value(node.type, None)
            raise

    def _case(self, node, frame):
        kind = self.describe(node, frame)[0]
        operand = self.value(node.operand, frame) if node.operand is not None else None
        for when, then in node.branches:
            if operand is None:
                hit = self.truth(when, frame)
            else:
                hit = self.compare("=", operand, self.value(when, frame))
            if hit:
                return convert(self.value(then, frame), kind)
        if node.otherwise is None:
            return Value(kind, None)
        return convert(self.value(node.otherwise, frame), kind)

    def _call(self, node, frame):
        if node.name in AGGREGATES:
            check_count(node, len(node.arguments) + node.star, 1, 1)
            return self._aggregate(node, frame)
        if node.name in ("COALESCE", "ISNULL"):
            kind = self.describe(node, frame)[0]
            for one in node.arguments:
                found = self.value(one, frame)
                if found.data is not None:
                    return convert(found, kind)
            return Value(kind, None)
        function = FUNCTIONS.get(node.name)
        if function is None:
            name = node.name.split(".")
            raise error(195, node.name) if len(name) == 1 else error(
                4121, name[0].lower(), node.name.lower())
        arguments = [self.value(one, frame) for one in node.arguments]
        low, high, run = function
        check_count(node, len(arguments), low, high)
        return run(self.state, *arguments)

    def _aggregate(self, node, frame):
        if frame.aggregates is None:
            raise SqlError(147, "An aggregate may not appear here.", 15)
        if id(node) in frame.aggregates:
            return frame.aggregates[id(node)]
        operand = values.NULL if node.star else self.value(node.arguments[0], frame.nulls())
        return Value(AGGREGATES[node.name].type(operand.type), None)

    # --- conditions -------------------------------------------------------------------------

    def truth(self, node, frame):
        """True, False or None."""
        if isinstance(node, n.Binary):
            if node.operator in COMPARE:
                return self.compare(node.operator, self.value(node.left, frame),
                                    self.value(node.right, frame))
            return self._joined(node, frame)
        if isinstance(node, n.Unary):
            found = self.truth(node.operand, frame)
            return None if found is None else not found
        if isinstance(node, n.IsNull):
            return (self.value(node.operand, frame).data is None) != node.negated
        if isinstance(node, n.Exists):
            _, rows = self.select_rows(node.select, frame)
            return next(iter(rows), None) is not None
        found = self._predicate(node, frame)
        return None if found is None else found != node.negated

    def _joined(self, node, frame):
        left = self.truth(node.left, frame)
        decided = node.operator == "OR"
        if left is decided:
            return decided
        right = self.truth(node.right, frame)
        if right is decided:
            return decided
        return None if left is None or right is None else not decided

    def _predicate(self, node, frame):
        operand = self.value(node.operand, frame)
        if isinstance(node, n.Between):
            low = self.compare(">=", operand, self.value(node.low, frame))
            high = self.compare("<=", operand, self.value(node.high, frame))
            return False if False in (low, high) else None if None in (low, high) else True
        if isinstance(node, n.Like):
            return self._like(node, operand, frame)
        if isinstance(node.choices, n.Select):
            columns, rows = self.select_rows(node.choices, frame)
            choices = [Value(columns[0].type, row[0]) for row in rows]
        else:
            choices = [self.value(one, frame) for one in node.choices]
        found = [self.compare("=", operand, one) for one in choices]
        return True if True in found else None if None in found else False

    def compare(self, operator, left, right):
        if left.data is None or right.data is None:
            if not self.state.options["ANSI_NULLS"] and operator in ("=", "<>"):
                return (left.data is right.data) == (operator == "=")
            return None
        kind = values.common_type(left, right)
        if values.is_text(kind) or kind.name in values.BINARIES:
            kind = SqlType(kind.name, MAX)
        elif kind.name in values.EXACT:
            kind = SqlType(kind.name, 0, 38, kind.scale)
        if kind.name == "sql_variant":
            left, right = (one.data if one.type.name == "sql_variant" else one
                           for one in (left, right))
            return self.compare(operator, left, right)
        a, b = (convert(one, kind).data for one in (left, right))
        if isinstance(a, str):
            a, b = a.lower().rstrip(" "), b.lower().rstrip(" ")
        return COMPARE[operator](a, b)

    def _like(self, node, operand, frame):
        pattern = self.value(node.pattern, frame)
        if operand.data is None or pattern.data is None:
            return None
        escape = self.value(node.escape, frame).data if node.escape else None
        text, like = (convert(one, values.nvarchar(MAX)).data for one in (operand, pattern))
        return re.fullmatch(like_pattern(like, escape), text, re.I | re.S) is not None


def check_count(call, count, low, high):
    if not low <= count <= high:
        raise SqlError(174, f"The {call.name.lower()} function requires {low} argument(s).", 15)


def like_pattern(like, escape):
    out, at = "", 0
    while at < len(like):
        one = like[at]
        if escape and one == escape and at + 1 < len(like):
            at += 1
            out += re.escape(like[at])
        elif one == "%":
            out += ".*"
        elif one == "_":
            out += "."
        elif one == "[" and "]" in like[at:]:
            end = like.index("]", at)
            inside = like[at + 1:end].replace("\\", "\\\\")
            out += f"[{inside}]"
            at = end
        else:
            out += re.escape(one)
        at += 1
    return out
