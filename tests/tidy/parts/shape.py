"""How long and how wide things are."""

import re

from .findings import Finding, rule

FUNCTION_LINES, FUNCTION_LINES_MAX = 60, 70
FILE_LINES, FILE_LINES_MAX = 400, 500
PARAMETERS_MAX = 4
COLUMNS = 100
MACRO = re.compile(r"^[A-Z][A-Z0-9_]+$")
BOOL = re.compile(r"^(?:const\s+)?bool\b(?!\s*[*&(])")
# Generated tables, by path.
LONG_FILES = ()
CODE = (".cpp", ".h", ".py", ".sh", ".c")


def is_program(source):
    return source.path.endswith(CODE) or source.text.startswith("#!")


@rule("function-length")
def function_length(tree):
    """60 lines are the aim, 70 the end."""
    for source in tree.cpp():
        for function in source.outline.functions:
            lines = function.line_last - function.line + 1
            if not function.has_body or lines <= FUNCTION_LINES:
                continue
            if not source.is_excused("function-length", function.line):
                yield Finding(source.path, function.line, f"{function.name} has {lines} lines",
                              is_warning=lines <= FUNCTION_LINES_MAX)


@rule("file-length")
def file_length(tree):
    """400 lines are the aim, 500 the end."""
    for source in tree:
        if is_program(source) and source.line_count > FILE_LINES and source.path not in LONG_FILES:
            yield Finding(source.path, 1, f"{source.line_count} lines", source.line_count <= FILE_LINES_MAX)


@rule("parameters")
def parameters(tree):
    """More than 4 parameters want a struct with named fields. A definition repeats its declaration: said once."""
    said = set()
    for source in sorted(tree.cpp(), key=lambda s: not s.path.endswith(".h")):
        for function in source.outline.functions:
            name, count = function.name.split("::")[-1], len(function.parameters)
            if count <= PARAMETERS_MAX or MACRO.match(name) or (name, count) in said:
                continue
            said.add((name, count))
            if not source.is_excused("parameters", function.line):
                yield Finding(source.path, function.line, f"{function.name} takes {count} parameters")


@rule("adjacent-bools")
def adjacent_bools(tree):
    """f(true, false) says nothing."""
    said = set()
    for source in sorted(tree.cpp(), key=lambda s: not s.path.endswith(".h")):
        for function in source.outline.functions:
            flags = [bool(BOOL.match(p)) for p in function.parameters]
            key = (function.name.split("::")[-1], len(flags))
            if any(a and b for a, b in zip(flags, flags[1:])) and key not in said:
                said.add(key)
                yield Finding(source.path, function.line, f"{function.name} has two bools side by side")


@rule("line-length")
def line_length(tree):
    """100 columns; a line that is one long word, such as an address, may be longer."""
    for source in tree.cpp():
        long = [number for number, line in enumerate(source.lines, 1)
                if len(line) > COLUMNS and len(line.split()) > 2 and not is_raw_text(source, number)]
        if long:
            yield Finding(source.path, long[0], f"{len(long)} lines of more than {COLUMNS} columns")


def is_raw_text(source, number):
    """Inside a raw string, where a line cannot be broken."""
    return 'R"' in source.text and source.code.split("\n")[number - 1].strip(' "') == "" \
        and source.comments.split("\n")[number - 1].strip() == ""


@rule("whitespace")
def whitespace(tree):
    """No tabs in C++, no blanks at the end, a newline at the end."""
    for source in tree:
        if not (is_program(source) or source.path.endswith((".md", ".cmake", ".yaml", ".json", "CMakeLists.txt"))):
            continue
        for number, line in enumerate(source.lines, 1):
            if line != line.rstrip() and not source.path.endswith(".md"):
                yield Finding(source.path, number, "blanks at the end")
            if "\t" in line and source.is_cpp:
                yield Finding(source.path, number, "a tab")
        if source.text and not source.text.endswith("\n"):
            yield Finding(source.path, len(source.lines), "no newline at the end")
