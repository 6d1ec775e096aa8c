"""The tree of a batch. Every statement knows its line."""

from dataclasses import dataclass, field


@dataclass
class Node:
    line: int = field(default=0, init=False, compare=False)


def node(*names, **defaults):
    """Declares a node class in one line; used below only."""
    def make(cls):
        cls.__annotations__ = {name: object for name in names} | {
            name: object for name in defaults}
        for name, default in defaults.items():
            if isinstance(default, list):
                setattr(cls, name, field(default_factory=list))
            else:
                setattr(cls, name, default)
        return dataclass(kw_only=False)(cls)
    return make


# --- expressions


@node("value")
class Literal(Node):
    pass


@node("name")
class Variable(Node):
    pass


@node("name")
class Global(Node):
    pass


@node("parts")
class Column(Node):
    """A name of one or more parts."""


@node("operator", "operand")
class Unary(Node):
    pass


@node("operator", "left", "right")
class Binary(Node):
    pass


@node("operand", "negated")
class IsNull(Node):
    pass


@node("operand", "choices", "negated")
class In(Node):
    """`choices` is a list of expressions or a Select."""


@node("operand", "low", "high", "negated")
class Between(Node):
    pass


@node("operand", "pattern", "escape", "negated")
class Like(Node):
    pass


@node("select")
class Exists(Node):
    pass


@node("select")
class Scalar(Node):
    """A subquery as a value."""


@node("operand", "branches", "otherwise")
class Case(Node):
    pass


@node("operand", "type", "style", "tries")
class Cast(Node):
    pass


@node("name", "arguments", star=False, distinct=False)
class Call(Node):
    pass


# --- SELECT


@node("expression", "name", target=None)
class Item(Node):
    """One of the select list; `target` is a variable that is assigned."""


@node("qualifier")
class Star(Node):
    pass


@node("parts", "alias")
class TableSource(Node):
    pass


@node("select", "alias", names=None)
class Derived(Node):
    pass


@node("kind", "left", "right", "condition")
class Join(Node):
    pass


@node("items", "source", where=None, group=[], having=None, distinct=False, top=None, into=None)
class Core(Node):
    """One SELECT without what is behind UNION; `top` is an expression."""


@node("cores", "order", offset=None, fetch=None)
class Select(Node):
    """Cores joined by UNION ALL (True) or UNION (False): [(core, all)]."""


@node("rows")
class Values(Node):
    pass


# --- statements


@node("table", "columns", "source", output=None, top=None)
class Insert(Node):
    """`source` is Values, a Select, an Execute, or None for DEFAULT VALUES."""


@node("table", "assignments", "where", source=None, output=None, top=None)
class Update(Node):
    pass


@node("table", "where", source=None, output=None, top=None)
class Delete(Node):
    pass


@node("table")
class Truncate(Node):
    pass


@node("name", "type", nullable=None, identity=None, key=None, default=None)
class ColumnDefinition(Node):
    pass


@node("table", "columns", "keys")
class CreateTable(Node):
    pass


@node("kind", "names", "if_exists")
class Drop(Node):
    pass


@node("name", "parameters", "body", "text", "alters")
class CreateProcedure(Node):
    pass


@node("name")
class CreateDatabase(Node):
    pass


@node("name", "type", "default", "output")
class ParameterDefinition(Node):
    pass


@node("name")
class Begin(Node):
    pass


@node("name")
class Commit(Node):
    pass


@node("name")
class Rollback(Node):
    pass


@node("name")
class Save(Node):
    pass


@node("names", "value")
class SetOptions(Node):
    """SET ANSI_NULLS, QUOTED_IDENTIFIER ON and all others: names and what they become."""


@node("name", "expression", operator=None)
class SetVariable(Node):
    pass


@node("level")
class SetIsolation(Node):
    pass


@node("variables")
class Declare(Node):
    """[(name, type, initial expression or None)]."""


@node("name", "columns", "keys")
class DeclareTable(Node):
    pass


@node("condition", "then", "otherwise")
class If(Node):
    pass


@node("condition", "body")
class While(Node):
    pass


class Break(Node):
    pass


class Continue(Node):
    pass


@node("statements")
class Block(Node):
    pass


@node("body", "handler")
class Try(Node):
    pass


@node("expression")
class Print(Node):
    pass


@node("message", "severity", "state", "arguments", "options")
class Raise(Node):
    pass


@node("number", "message", "state")
class Throw(Node):
    pass


@node("database")
class Use(Node):
    pass


@node("kind", "expression")
class WaitFor(Node):
    pass


@node("expression")
class Return(Node):
    pass


@node("name", "arguments", "target")
class Execute(Node):
    """[(parameter's name or None, expression or None for DEFAULT, output)]."""


@node("expression")
class ExecuteText(Node):
    pass


@node("kind", "name", "no_revert", cookie=None)
class ExecuteAs(Node):
    pass


@node("cookie")
class Revert(Node):
    pass


@node("table", "columns", "options")
class InsertBulk(Node):
    pass


@node("spid")
class Kill(Node):
    pass


@node("name", "select", "is_global")
class DeclareCursor(Node):
    pass


@node("action", "name", variables=None)
class CursorStep(Node):
    """OPEN, FETCH, CLOSE or DEALLOCATE."""


@node("command", "arguments")
class Dbcc(Node):
    pass
