"""The matrix: what is in each cell, and how it is written down."""

import datetime
import re

COMMAND = ("WEIR_MATRIX=docs/evidence/matrix.md "
           "/usr/bin/python3 -m pytest tests/integration/test_21_matrix.py")
HEAD = """# Who logs in how, over what

Each cell is a connection that was tried, by a client to weir or by weir to PostgreSQL, on {date}:

    {command}

with {versions}.
{cells} cells, {scripted} of them scripted, {failed} failed.

| in a cell | means |
|---|---|
| `TLS`, `clear` | logged in as the right user, over that |
| `refused` | refused, and the text said why (the texts are at the end) |
| `unclear` | refused, but the client lost the text, which came as an alert of TLS 1.3 |
| `°` | by a scripted client, because this version of the client cannot do it |
| `·` | makes no sense |
| `FAILED` | not what has to be |

weir's certificate is for `localhost`. `verify-ca` asks for 127.0.0.1, which it has to overlook; so
does *wrong name*, where it has to be noticed. *direct TLS*: from the first byte, `verify-full`.
*bound channel*: nothing but SCRAM-SHA-256-PLUS, over TLS. Unix sockets have no TLS: most clients
then forget about it, node-postgres does not; nor does its `prefer` ever come back in clear, nor
weir's own to a server that has TLS.
"""


class Matrix:
    """Tables by their title; each has rows and columns in the order in which cells came."""

    def __init__(self):
        self.tables, self.versions, self.said = {}, {}, {}

    def add(self, title, row, column, mark):
        self.tables.setdefault(title, {}).setdefault(row, {})[column] = mark

    def say(self, who, text):
        """A refusal, in the words that the cell had to find."""
        self.said.setdefault(re.sub(r'"\w+"', '"…"', text), set()).add(who)

    @property
    def marks(self):
        return [mark for rows in self.tables.values() for row in rows.values()
                for mark in row.values()]

    def text(self):
        parts = [self._head()]
        parts += [f"## {title}\n\n{self._table(rows)}" for title, rows in self.tables.items()]
        if self.said:
            parts.append(f"## What refusals say\n\n{self._texts()}")
        return "\n".join(parts)

    def _head(self):
        return HEAD.format(
            command=COMMAND, date=datetime.date.today(), cells=len(self.marks),
            versions=", ".join(f"{name} {version}" for name, version in self.versions.items()),
            scripted=sum("°" in mark for mark in self.marks),
            failed=sum("FAILED" in mark for mark in self.marks))

    @staticmethod
    def _table(rows):
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        cells = [[name, *(row.get(column, "·") for column in columns)]
                 for name, row in rows.items()]
        return markdown(["", *columns], cells)

    def _texts(self):
        return markdown(["text", "seen by"], [
            [f"`{text}`", ", ".join(sorted(by))] for text, by in self.said.items()])


def markdown(head, lines):
    widths = [max(map(len, column)) for column in zip(head, *lines)]

    def line(cells):
        padded = [cell.ljust(width) for cell, width in zip(cells, widths)]
        return f"| {' | '.join(padded)} |\n"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|\n"
    return line(head) + rule + "".join(map(line, lines))
