"""What must not be said."""

import codecs
import re

from .findings import Finding, rule

NO_THROW = ("src/net/", "src/protocol/", "src/pool/", "src/session/", "include/weir/net/",
            "include/weir/protocol/", "include/weir/pool/", "include/weir/session/")
SLEEP = r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep|(?<![.\w>])sleep)\s*\("
TODO = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(\(\w*\))?")
TODO_KINDS = ("(soon)", "(someday)", "(perf)", "(test)")
# Rotated by 13 letters, so that the list does not find itself: who or what wrote the text, where it was written,
# where packages came from, and notes that only their writer understands.
BANNED = """
pynhqr naguebcvp bcranv pungtcg pbcvybg nv-nffvfgnag nv-ntrag nv-frffvba nv-trarengrq ynathntr-zbqry
fho-ntrag fhontrag jbex-frffvba lbhe-oevrs pbjbexre
clcv.bet clgubaubfgrq.bet aczwf.bet aczwf.pbz pengrf.vb cebkl.tbynat.bet qro.qrovna.bet fancfubg.qrovna.bet
negvsnpgbel qrfvta.zq vagresnpr.zq fglyr.zq
"""
BANNED_PATHS = """/jbex/ /ebbg/ funerq/snpgf funerq/orunivbhef"""


def banned_pattern():
    words, paths = (codecs.decode(text, "rot13").split() for text in (BANNED, BANNED_PATHS))
    whole = "|".join(re.escape(word).replace(r"\-", "[ -]") for word in words)
    return re.compile(rf"(?<![\w.])(?:{whole})(?!\w)|(?<!\w)(?:{'|'.join(map(re.escape, paths))})"
                      r"|\bissue #?\d+|/home/[a-z]+/", re.I)


BANNED_PATTERN = banned_pattern()


@rule("banned-words")
def banned_words(tree):
    """The text speaks of the program, not of who wrote it or where."""
    for source in tree:
        for line, found in source.find(BANNED_PATTERN, source.text):
            yield Finding(source.path, line, f"does not belong here: {found.group()!r}")


@rule("no-throw")
def no_throw(tree):
    """net, protocol, pool and session return a Result."""
    for source in tree.cpp(*NO_THROW):
        for line, _ in source.find(r"\bthrow\b"):
            yield Finding(source.path, line, "throw; return a Result")


@rule("no-coroutines")
def no_coroutines(tree):
    """g++ 12.2 frees memory twice on plausible coroutines."""
    for source in tree.cpp():
        for line, found in source.find(r"\bco_(await|return|yield)\b"):
            yield Finding(source.path, line, found.group())


@rule("no-sleep")
def no_sleep(tree):
    """Unit tests and simulations run under a clock of their own."""
    for source in tree.cpp("tests/unit/", "tests/sim/", "tests/support/", "tests/fuzz/"):
        for line, found in source.find(SLEEP):
            if not source.is_excused("no-sleep", line):
                yield Finding(source.path, line, f"{found.group(1)} in a test")


@rule("todo")
def todo(tree):
    """TODO(soon), TODO(someday), TODO(perf), TODO(test): nothing that has to be done now."""
    for source in tree.cpp():
        for line, found in source.find(TODO, source.comments):
            if found.group(1) != "TODO" or found.group(2) not in TODO_KINDS:
                yield Finding(source.path, line, f"{found.group()}: not of a kind that may stay")


GLOBAL_FINE = re.compile(
    r"^(?:inline\s+|static\s+)*(?:constexpr|constinit\s+const|const|using|typedef|extern|friend|static_assert|"
    r"template|namespace|class|struct|union|enum|asm|#)\b")
SINGLETON = re.compile(r"\bstatic\s+[\w:<>]+\s*[&*]\s*(?:get_)?(?:instance|singleton)\s*\(")


@rule("no-globals")
def no_globals(tree):
    """No mutable variable at namespace scope, no singletons, nothing that registers itself."""
    for source in tree.cpp("src/", "include/"):
        for variable in source.outline.variables:
            if not GLOBAL_FINE.match(variable.text) and re.search(r"[\s&*>]\w+\s*(=|\{|\[|\(|$)", variable.text):
                if not source.is_excused("no-globals", source.paragraph(variable.line)):
                    yield Finding(source.path, variable.line, f"a global: {' '.join(variable.text.split())[:60]}")
        for line, _ in source.find(SINGLETON):
            yield Finding(source.path, line, "a singleton")


@rule("header-comment")
def header_comment(tree):
    """A header starts with what the thing is; then #pragma once."""
    for source in tree.cpp("src/", "include/weir/"):
        if not source.path.endswith(".h"):
            continue
        first = next((line for line in source.lines if line.strip()), "")
        if not first.startswith(("//", "/*")):
            yield Finding(source.path, 1, "no comment at the head")
        if not source.find(r"^\s*#\s*pragma once", source.text) and "#pragma once" not in source.text:
            yield Finding(source.path, 1, "no #pragma once")
