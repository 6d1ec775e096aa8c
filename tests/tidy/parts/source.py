"""C++ text for the rules: what is code, what is comment, which functions there are."""

import bisect
import functools
import re
from dataclasses import dataclass, field

TOKEN = re.compile(r"""
    (?P<line>//(?:\\\n|[^\n])*)
  | (?P<block>/\*.*?\*/)
  | (?P<raw>(?:u8|[uUL])?R"(?P<tag>[^()\\\s]*)\(.*?\)(?P=tag)")
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<digits>(?<![\w])[0-9][\w.']*)
  | (?P<char>'(?:\\.|[^'\\\n])+')
""", re.X | re.S)
PREPROCESSOR = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
EXCUSE = re.compile(r"//\s*tidy\(([a-z-]+)\):\s*\S")

# What may stand between the parameters of a function and its body or semicolon.
TAIL = re.compile(r"""^\s*(?:(?:const|volatile|override|final|try|&&?|noexcept(?:\s*\([^{}]*\))?
    |requires\b[^{};]*|\[\[[^\]]*\]\]|->\s*[\w:<>,\s&*()\[\]]+?)\s*)*$""", re.X)
INITIALIZERS = re.compile(r"^\s*(?:noexcept(?:\s*\([^()]*\))?\s*|try\s*)*:(?!:)")
NAME = re.compile(r"(~?\w+(?:\s*::\s*~?\w+)*|operator\s*(?:\(\s*\)|\[\s*\]|[^\s\w(]+|\w[\w\s:<>*&]*?))\s*$")
NO_FUNCTION = {"if", "for", "while", "switch", "catch", "return", "decltype", "alignas", "sizeof",
               "static_assert", "noexcept", "requires", "defined", "using", "typedef", "friend"}


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def mask(text, keep_comments=False):
    """The text with literals, and comments unless kept, replaced by blanks of the same length."""
    def replace(found):
        kind = found.lastgroup if found.lastgroup != "tag" else "raw"
        whole = found.group()
        if kind == "digits" or (keep_comments and kind in ("line", "block")):
            return whole
        if kind in ("line", "block"):
            return blank(whole)
        return '"' + blank(whole[1:-1]) + '"'
    return TOKEN.sub(replace, text)


def matching(text, start):
    """The index of the bracket that closes the one at `start`; the end if none does."""
    opening, depth = text[start], 0
    closing = {"(": ")", "{": "}", "[": "]"}[opening]
    for i in range(start, len(text)):
        if text[i] == opening:
            depth += 1
        elif text[i] == closing:
            depth -= 1
            if depth == 0:
                return i
    return len(text)


def without_template_heads(head):
    """Drops `template <...>` and attributes from the left of a declaration."""
    head = head.lstrip()
    while True:
        if head.startswith("[["):
            end = head.find("]]")
            head = head[end + 2:].lstrip() if end >= 0 else ""
        elif re.match(r"template\s*<", head):
            depth, i = 0, head.index("<")
            while i < len(head):
                depth += {"<": 1, ">": -1}.get(head[i], 0)
                i += 1
                if depth == 0:
                    break
            head = head[i:].lstrip()
        else:
            return head


def split_parameters(text):
    """The parameters of a list, split at its own commas only."""
    parts, depth, current = [], 0, ""
    for i, c in enumerate(text):
        if c in "([{" or (c == "<" and not text.startswith("<<", i)):
            depth += 1
        elif c in ")]}" or (c == ">" and text[i - 1:i] != "-"):
            depth -= 1
        if c == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += c
    parts.append(current.strip())
    return [part for part in parts if part and part != "void"]


@dataclass
class Function:
    name: str
    parameters: list
    line: int           # of its first word
    line_last: int      # of its last brace; a declaration: of its semicolon
    has_body: bool


@dataclass
class Variable:
    text: str
    line: int


@dataclass
class Outline:
    functions: list = field(default_factory=list)
    variables: list = field(default_factory=list)    # at namespace scope


def find_signature(head):
    """(name, parameter text, what follows) of a declaration, or None."""
    at = 0
    while True:
        at = head.find("(", at)
        if at < 0:
            return None
        found = NAME.search(head[:at])
        name = re.sub(r"\s", "", found.group(1)) if found else ""
        if name == "operator" or name.endswith("::operator"):     # operator()(...)
            at = matching(head, at) + 1
            again = head.find("(", at)
            end = matching(head, again) if again >= 0 else -1
            return ("operator()", head[again + 1:end], head[end + 1:]) if again >= 0 else None
        end = matching(head, at)
        if name and name.split("::")[-1] not in NO_FUNCTION:
            return name, head[at + 1:end], head[end + 1:]
        at = end + 1


def without_parentheses(text):
    while True:
        shorter = re.sub(r"\([^()]*\)", "", text)
        if shorter == text:
            return text
        text = shorter


def is_function(head):
    """The signature if `head` can stand before a body: `int f(int a) const`, `A::A() : b_(1)`."""
    if re.match(r"(class|struct|union|enum|namespace)\b", head) and not returns_elaborated(head):
        return None
    if re.search(r"(?<![=!<>+\-*/%&|^])=(?!=)", without_parentheses(head)) and "operator" not in head:
        return None
    signature = find_signature(head)
    if not signature:
        return None
    tail = signature[2]
    if TAIL.match(tail) or INITIALIZERS.match(tail):
        return signature
    return None


def returns_elaborated(head):
    """`struct Plan plan() {`: a function, although it starts like a class."""
    signature = find_signature(head)
    return bool(signature and TAIL.match(signature[2]) and " " in head[:head.index("(")].strip()
                and not re.match(r"(namespace|enum)\b", head))


class Reader:
    """Walks through declarations; bodies of functions are skipped as a whole."""

    def __init__(self, source):
        self.source, self.code = source, source.bare
        self.outline = Outline()

    def read(self):
        self.scope(0, len(self.code), in_class=False)
        return self.outline

    def scope(self, i, end, in_class):
        start = i
        while i < end:
            c = self.code[i]
            if c == "(" or c == "[":
                i = matching(self.code, i) + 1
            elif c == ";":
                self.statement(start, i, in_class)
                start = i = i + 1
            elif c == ":" and re.match(r"\s*(public|private|protected)\s*$", self.code[start:i]):
                start = i = i + 1
            elif c == "{":
                i, closed = self.brace(start, i, in_class)
                if closed:
                    start = i
            elif c == "}":
                start = i = i + 1
            else:
                i += 1

    def brace(self, start, i, in_class):
        """Where to go on behind the block at `i`, and whether it ended the declaration."""
        close = matching(self.code, i)
        head = without_template_heads(re.sub(r"\{[^{}]*\}", "()", self.code[start:i])).strip()
        if re.match(r"(inline\s+)?namespace\b", head) or re.match(r'extern\s+"\s*"$', head):
            self.scope(i + 1, close, in_class)
            return close + 1, True
        signature = is_function(head)
        if signature and not self.is_member_initializer(head, signature):
            self.add(signature, start, close, has_body=True)
            return close + 1, True
        if re.match(r"(typedef\s+)?(class|struct|union)\b", head):
            self.scope(i + 1, close, in_class=True)
            return close + 1, False
        return close + 1, False      # enum, initializer: its semicolon ends it

    @staticmethod
    def is_member_initializer(head, signature):
        return bool(INITIALIZERS.match(signature[2]) and re.search(r"[\w>]$", head))

    def statement(self, start, end, in_class):
        text = without_template_heads(self.code[start:end]).strip()
        plain = re.sub(r"\s*=\s*(0|default|delete)\s*$", "", text)
        signature = is_function(plain)
        before = plain[:plain.index("(")].strip() if signature else ""
        if signature and (in_class or " " in before or "::" in before):
            self.add(signature, start, end, has_body=False)
        elif text and not in_class:
            self.outline.variables.append(Variable(text, self.line_at(start)))

    def line_at(self, start):
        rest = self.code[start:]
        return self.source.line(start + len(rest) - len(rest.lstrip()))

    def add(self, signature, start, end, has_body):
        name, parameters, _ = signature
        self.outline.functions.append(Function(
            name, split_parameters(parameters), self.line_at(start), self.source.line(end), has_body))


class Source:
    """One file of the tree; its derived texts are made when somebody asks."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.lines = text.split("\n")
        self._starts = [0]
        for line in self.lines[:-1]:
            self._starts.append(self._starts[-1] + len(line) + 1)

    @property
    def line_count(self):
        return len(self.lines) - (1 if self.text.endswith("\n") else 0)

    @property
    def is_cpp(self):
        return self.path.endswith((".cpp", ".h"))

    @functools.cached_property
    def code(self):
        return mask(self.text)

    @functools.cached_property
    def comments(self):
        """Only the comments; all else is blank."""
        kept = mask(self.text, keep_comments=True)
        return "".join(c if c != d or c == "\n" else " " for c, d in zip(kept, self.code))

    @functools.cached_property
    def bare(self):
        """Code without preprocessor lines."""
        return PREPROCESSOR.sub(lambda found: blank(found.group()), self.code)

    @functools.cached_property
    def outline(self):
        return Reader(self).read()

    @functools.cached_property
    def includes(self):
        """(line, '<' or '"', name) of each include."""
        return [(self.line(found.start(1)), found.group(1), found.group(2))
                for found in INCLUDE.finditer(mask_comments(self.text))]

    def line(self, offset):
        return bisect.bisect_right(self._starts, offset)

    def find(self, pattern, text=None):
        """(line, match) of a pattern in the code."""
        where = self.code if text is None else text
        return [(self.line(found.start()), found) for found in re.finditer(pattern, where)]

    def paragraph(self, line):
        """The first line of the run of lines without a blank one that this line is in."""
        while line > 1 and self.lines[line - 2].strip():
            line -= 1
        return line

    def is_excused(self, rule, line):
        """`// tidy(rule): why` on the line or in the comment right above it."""
        here = line - 1
        while 0 <= here < len(self.lines):
            if any(rule == name for name in EXCUSE.findall(self.lines[here])):
                return True
            here -= 1
            if here < 0 or not self.lines[here].lstrip().startswith("//"):
                return False
        return False


def mask_comments(text):
    """Comments blank, literals kept."""
    def replace(found):
        return blank(found.group()) if found.lastgroup in ("line", "block") else found.group()
    return TOKEN.sub(replace, text)
