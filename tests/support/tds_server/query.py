"""SELECT: sources, groups, order. Rows come one at a time where nothing forces them together."""

import dataclasses
import itertools

from . import nodes as n
from . import values
from .errors import SqlError, error
from .evaluate import Bound, Evaluator, Frame, check_count
from .functions import AGGREGATES
from .reply import COMPUTED, IDENTITY, UPDATABLE
from .values import Value, convert
from .views import view


class Result:
    """A column of a result."""

    def __init__(self, name, kind, nullable, target=None):
        self.name, self.type, self.nullable, self.target = name, kind, nullable, target
        self.flags = COMPUTED


def parts_of(node, wanted, stop=()):
    """All nodes of some kinds below a node; below nodes of the kinds `stop` it does not look."""
    if isinstance(node, wanted):
        yield node
    if isinstance(node, stop):
        return
    if isinstance(node, (list, tuple)):
        for one in node:
            yield from parts_of(one, wanted, stop)
    elif isinstance(node, n.Node) and dataclasses.is_dataclass(node):
        for one in dataclasses.fields(node):
            yield from parts_of(getattr(node, one.name), wanted, stop)


def outside_aggregates(node):
    """The columns of an expression that are not inside an aggregate, nor in a subquery."""
    if isinstance(node, n.Column):
        yield node
    elif isinstance(node, (list, tuple)):
        for one in node:
            yield from outside_aggregates(one)
    elif isinstance(node, n.Node) and not isinstance(node, n.Select):
        if not (isinstance(node, n.Call) and node.name in AGGREGATES):
            for one in dataclasses.fields(node):
                yield from outside_aggregates(getattr(node, one.name))


def sort_key(data):
    if data is None:
        return (0, 0)
    if isinstance(data, str):
        return (1, data.lower().rstrip(" "))
    return (1, data.bytes_le if hasattr(data, "bytes_le") else data)


class Query:
    def __init__(self, state):
        self.state = state
        self.evaluator = Evaluator(state, self.rows)

    def rows(self, select, outer=None):
        """(columns, iterator of rows as lists of data)."""
        if isinstance(select, n.Values):
            return self._values(select, outer)
        if len(select.cores) == 1:
            columns, rows = self._core(select.cores[0][0], outer, select.order)
        else:
            columns, rows = self._union(select, outer)
            if select.order:
                rows = self._ordered_outputs(columns, rows, select.order)
        if select.offset is not None:
            start = self._count(select.offset, outer)
            stop = start + self._count(select.fetch, outer) if select.fetch is not None else None
            rows = itertools.islice(rows, start, stop)
        return columns, rows

    def _count(self, node, outer):
        found = self.evaluator.value(node, outer or Frame())
        return max(0, convert(found, values.BIGINT).data or 0)

    def _values(self, node, outer):
        frame = outer or Frame()
        table = [[self.evaluator.value(one, frame) for one in row] for row in node.rows]
        if len({len(row) for row in table}) != 1:
            raise SqlError(10709, "The number of columns for each row in a table value constructor "
                                  "must be the same.")
        columns = []
        for at in range(len(table[0])):
            kind = table[0][at].type
            for row in table[1:]:
                kind = values.wider(kind, row[at].type)
            columns.append(Result("", kind, True))
        return columns, ([convert(one, column.type).data for one, column in zip(row, columns)]
                         for row in table)

    # --- UNION ------------------------------------------------------------------------------

    def _union(self, select, outer):
        parts = [self._core(core, outer, []) for core, _ in select.cores]
        if len({len(columns) for columns, _ in parts}) != 1:
            raise error(205)
        columns = []
        for at, first in enumerate(parts[0][0]):
            kind = first.type
            for others, _ in parts[1:]:
                kind = values.wider(kind, others[at].type)
            columns.append(Result(first.name, kind, True))
        rows = ()
        for (mine, found), (_, everything) in zip(parts, select.cores):
            rows = itertools.chain(rows, self._converted(mine, columns, found))
            if not everything:
                rows = self._distinct(rows)
        return columns, rows

    @staticmethod
    def _converted(mine, columns, rows):
        for row in rows:
            yield [convert(Value(old.type, one), new.type).data
                   for one, old, new in zip(row, mine, columns)]

    @staticmethod
    def _distinct(rows):
        seen = set()
        for row in rows:
            key = tuple(sort_key(one) for one in row)
            if key not in seen:
                seen.add(key)
                yield row

    def _ordered_outputs(self, columns, rows, order):
        frame, found = Frame([Bound(None, one.name, one.type) for one in columns]), []
        for row in rows:
            found.append((row, row))
        return self._sorted(found, order, columns, frame)

    # --- one SELECT -------------------------------------------------------------------------

    def _core(self, core, outer, order):
        frame, rows = self.source(core.source, outer)
        if core.where is not None:
            rows = self._where(core.where, frame, rows)
        calls = list(self._aggregates(core, order))
        if calls or core.group:
            self._check_grouped(core)
            frame.aggregates = {}
            rows = self._groups(core, frame, rows, calls)
        else:
            rows = ((row, None) for row in rows)
        items = self.items(core.items, frame)
        columns = [self.result(one, frame) for one in items]
        out = self._outputs(items, columns, frame, rows)
        if order:
            out = self._sorted(list(out), order, columns, frame)
        else:
            out = (shown for shown, _ in out)
        if core.distinct:
            out = self._distinct(out)
        limits = [self._count(core.top, outer)] if core.top is not None else []
        if self.state.options["ROWCOUNT"]:
            limits.append(self.state.options["ROWCOUNT"])
        return columns, itertools.islice(out, min(limits)) if limits else out

    def _where(self, condition, frame, rows):
        truth = self.evaluator.truth
        for row in rows:
            frame.row = row
            if truth(condition, frame):
                yield row

    def items(self, items, frame):
        found = []
        for one in items:
            if isinstance(one, n.Item):
                found.append(one)
                continue
            columns = [bound for bound in frame.columns if one.qualifier is None or (
                bound.qualifier or "").lower() == one.qualifier.lower()]
            if not columns:
                raise error(4104 if one.qualifier else 102, f"{one.qualifier or ''}*"[-1:])
            found += [n.Item(n.Column([bound.qualifier, bound.name] if bound.qualifier
                                      else [bound.name]), bound.name) for bound in columns]
        return found

    def result(self, item, frame):
        kind, nullable = self.evaluator.describe(item.expression, frame)
        found = Result(item.name, kind, nullable, item.target)
        if isinstance(item.expression, n.Column):
            found.flags = frame.columns[frame.index(item.expression.parts)].flags if (
                frame.index(item.expression.parts) is not None) else COMPUTED
        return found

    def _outputs(self, items, columns, frame, rows):
        value = self.evaluator.value
        for row, aggregates in rows:
            frame.row = row
            if aggregates is not None:
                frame.aggregates = aggregates
            yield [convert(value(item.expression, frame), column.type).data
                   for item, column in zip(items, columns)], (row, aggregates)

    def _sorted(self, found, order, columns, frame):
        for expression, descending in reversed(order):
            at = self.ordinal(expression, columns)

            def key(pair, at=at, expression=expression):
                if at is not None:
                    return sort_key(pair[0][at])
                row, aggregates = pair[1] if isinstance(pair[1], tuple) else (pair[1], None)
                frame.row = row
                frame.aggregates = aggregates if aggregates is not None else frame.aggregates
                return sort_key(self.evaluator.value(expression, frame).data)
            found.sort(key=key, reverse=descending)
        return (shown for shown, _ in found)

    @staticmethod
    def ordinal(expression, columns):
        if isinstance(expression, n.Literal) and expression.value.type == values.INT:
            at = expression.value.data - 1
            if not 0 <= at < len(columns):
                raise SqlError(108, f"The ORDER BY position number {at + 1} is out of range of the "
                                    "number of items in the select list.")
            return at
        if isinstance(expression, n.Column) and len(expression.parts) == 1:
            for at, one in enumerate(columns):
                if one.name.lower() == expression.parts[0].lower():
                    return at
        return None

    # --- groups -----------------------------------------------------------------------------

    @staticmethod
    def _aggregates(core, order):
        for part in (core.items, core.having, order):
            for call in parts_of(part, n.Call, stop=(n.Select,)):
                if call.name in AGGREGATES:
                    check_count(call, len(call.arguments) + call.star, 1, 1)
                    yield call

    @staticmethod
    def _check_grouped(core):
        """Nothing is shown that differs within a group."""
        for item in core.items:
            if isinstance(item, n.Star):
                raise error(8120, "*")
            if item.expression in core.group:
                continue
            for column in outside_aggregates(item.expression):
                if not any(isinstance(one, n.Column) and one.parts[-1].lower() ==
                           column.parts[-1].lower() for one in core.group):
                    raise error(8120, ".".join(column.parts))

    def _groups(self, core, frame, rows, calls):
        groups = {}
        for row in rows:
            frame.row = row
            key = tuple(sort_key(self.evaluator.value(one, frame).data) for one in core.group)
            groups.setdefault(key, []).append(row)
        if not groups and not core.group:
            groups[()] = []
        for members in groups.values():
            aggregates = {id(call): self._aggregate(call, frame, members) for call in calls}
            row = members[0] if members else [None] * len(frame.columns)
            frame.row, frame.aggregates = row, aggregates
            if core.having is None or self.evaluator.truth(core.having, frame):
                yield row, aggregates

    def _aggregate(self, call, frame, members):
        aggregate = AGGREGATES[call.name]
        if call.star:
            return Value(values.INT, len(members))
        kind, _ = self.evaluator.describe(call.arguments[0], frame)
        shown = aggregate.type(kind)
        data = []
        for row in members:
            frame.row = row
            found = convert(self.evaluator.value(call.arguments[0], frame), kind).data
            if found is not None:
                data.append(found)
        if call.distinct:
            data = list({sort_key(one): one for one in data}.values())
        return Value(shown, aggregate.run(data))

    # --- FROM -------------------------------------------------------------------------------

    def source(self, node, outer):
        """(Frame, rows)."""
        if node is None:
            return Frame([], [], outer), iter([[]])
        if isinstance(node, n.TableSource):
            return self._table(node, outer)
        if isinstance(node, n.Derived):
            columns, rows = self.rows(node.select, outer)
            names = node.names or [one.name for one in columns]
            bound = [Bound(node.alias, name, one.type, one.nullable)
                     for name, one in zip(names, columns)]
            return Frame(bound, [], outer), rows
        return self._join(node, outer)

    def _table(self, node, outer):
        qualifier = node.alias or node.parts[-1]
        found = view(self.state, node.parts)
        if found is not None:
            columns, rows = found
        else:
            table = self.state.house.storage.table(self.state, node.parts)
            columns, rows = table.columns, iter(list(table.rows.values()))
        bound = [Bound(qualifier, one.name, one.type, one.nullable) for one in columns]
        for mine, one in zip(bound, columns):
            mine.flags = UPDATABLE | (IDENTITY if one.identity else 0)
        return Frame(bound, [], outer), rows

    def _join(self, node, outer):
        left, left_rows = self.source(node.left, outer)
        right, right_rows = self.source(node.right, outer)
        frame = Frame([*left.columns, *right.columns], [], outer)
        others = list(right_rows)
        return frame, self._joined(node, frame, left_rows, others)

    def _joined(self, node, frame, left_rows, others):
        width = len(frame.columns)
        for one in left_rows:
            hit = False
            for other in others:
                row = [*one, *other]
                frame.row = row
                if node.condition is None or self.evaluator.truth(node.condition, frame):
                    hit = True
                    yield row
            if node.kind == "LEFT" and not hit:
                yield [*one, *([None] * (width - len(one)))]
