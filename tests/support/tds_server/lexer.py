"""T-SQL to words. What is no word is error 102 or 105."""

import re
from decimal import Decimal

from .errors import error

PATTERN = re.compile(r"""
    (?P<space>\s+|--[^\n]*)
  | (?P<comment>/\*)
  | (?P<text>N?'[^']*(?:''[^']*)*')
  | (?P<open>N?')
  | (?P<binary>0x(?:[0-9a-f]|\\\r?\n)*)
  | (?P<float>(?:\d+\.?\d*|\.\d+)e[+-]?\d+)
  | (?P<decimal>\d+\.\d*|\.\d+)
  | (?P<integer>\d+)
  | (?P<money>[$]\d+(?:\.\d*)?)
  | (?P<global>@@\w+)
  | (?P<variable>@[\w@#$]*)
  | (?P<bracket>\[[^\]]*(?:\]\][^\]]*)*\])
  | (?P<quoted>"[^"]*(?:""[^"]*)*")
  | (?P<name>[\w#][\w@#$]*)
  | (?P<mark><>|<=|>=|!=|!<|!>|\+=|-=|\*=|/=|%=|::|[-+*/%&|^~=<>(),.;:{}?])
""", re.X | re.I)
RESERVED = set("""
ADD ALL ALTER AND AS ASC BEGIN BETWEEN BREAK BULK BY CASE CATCH CLOSE COLUMN COMMIT CONSTRAINT
CONTINUE CREATE CROSS CURSOR DATABASE DBCC DEALLOCATE DECLARE DEFAULT DELETE DESC DISTINCT DROP
ELSE END EXCEPT EXEC EXECUTE EXISTS FETCH FOR FROM FULL FUNCTION GROUP HAVING IDENTITY IF IN INNER
INSERT INTERSECT INTO IS JOIN KEY KILL LEFT LIKE NOT NULL OFF ON OPEN OPTION OR ORDER OUTER
PRIMARY PRINT PROC PROCEDURE RAISERROR RECONFIGURE REFERENCES RETURN REVERT RIGHT ROLLBACK SAVE
SELECT SET TABLE THEN TOP TRAN TRANSACTION TRUNCATE UNION UNIQUE UPDATE USE VALUES VIEW WAITFOR
WHEN WHERE WHILE WITH
""".split())


class Word:
    __slots__ = ("kind", "text", "value", "line", "at", "end")

    def __init__(self, kind, text, value, line):
        self.kind, self.text, self.value, self.line = kind, text, value, line
        self.at = self.end = 0

    @property
    def upper(self):
        return self.text.upper() if self.kind == "name" else ""

    def __repr__(self):
        return f"{self.kind}:{self.text[:40]}"


def skip_comment(text, at):
    """Comments nest."""
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if found.group() == "/*" else -1
        if depth == 0:
            return found.end()
    raise error(113)


def value_of(kind, text):
    if kind == "text":
        return text[text.index("'") + 1:-1].replace("''", "'")
    if kind == "binary":
        digits = re.sub(r"\\\r?\n", "", text[2:])
        return bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits)
    if kind == "integer":
        return int(text)
    if kind == "decimal":
        return Decimal(text)
    if kind == "money":
        return Decimal(text[1:])
    if kind == "float":
        return float(text)
    if kind == "bracket":
        return text[1:-1].replace("]]", "]")
    if kind == "quoted":
        return text[1:-1].replace('""', '"')
    return text


def words_of(text, quoted_names):
    """The words; "x" is a name or, with QUOTED_IDENTIFIER OFF, a text."""
    found, at, line = [], 0, 1
    while at < len(text):
        match = PATTERN.match(text, at)
        if not match:
            raise error(102, text[at])
        kind, piece, end = match.lastgroup, match.group(), match.end()
        if kind == "comment":
            end = skip_comment(text, at)
        elif kind == "open":
            raise error(105, text[match.end():][:60])
        elif kind != "space":
            found.append(make_word(kind, piece, line, quoted_names))
            found[-1].at, found[-1].end = at, end
        line += text.count("\n", at, end)
        at = end
    return found


def make_word(kind, piece, line, quoted_names):
    value = value_of(kind, piece)
    if kind == "quoted" and not quoted_names:
        return Word("text", "'" + value, value, line)
    if kind in ("bracket", "quoted"):
        if len(value) > 128:
            raise error(103, value[:128])
        return Word("quoted", value, value, line)
    return Word(kind, piece, value, line)
