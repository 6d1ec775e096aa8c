"""What the protocols have in common."""

import re

from .findings import Finding, rule
from .source import matching

INTERFACES = tuple(f"include/weir/protocol/{name}.h" for name in ("protocol", "dialogues", "relay"))
VIRTUAL = re.compile(r"\bvirtual\s+(?!~)[^;{}()]*?(\w+)\s*\(")
OVERRIDE = re.compile(r"\b(\w+)\s*\([^;{}]*?\)[^;{}()]*?\boverride\b")


def users_of(tree):
    """Name of a member -> the protocols that override it."""
    users = {}
    for source in tree.cpp("src/protocol/"):
        for _, found in source.find(OVERRIDE):
            users.setdefault(found.group(1), set()).add(source.path.split("/")[2])
    return users


def excused_classes(source):
    """Where classes stand that are one protocol's as a whole."""
    for line, found in source.find(r"\b(?:class|struct)\s+\w+[^;{}]*\{"):
        if source.is_excused("shared-interface", line):
            yield found.start(), matching(source.code, found.end() - 1)


@rule("shared-interface")
def shared_interface(tree):
    """What `session` asks of a protocol is answered by two of them, or says whose it is and why."""
    users = users_of(tree)
    for source in tree.cpp(*INTERFACES):
        excused = list(excused_classes(source))
        for line, found in source.find(VIRTUAL):
            name, at = found.group(1), found.start(1)
            of = sorted(users.get(name, ()))
            if len(of) > 1 or source.is_excused("shared-interface", source.line(found.start())):
                continue
            if not any(first < at < last for first, last in excused):
                yield Finding(source.path, line, f"{name}() is used by {of[0] if of else 'no protocol'} alone")
