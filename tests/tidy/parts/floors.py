"""Who may include whom."""

import re

from .findings import Finding, rule

# A floor, its folder in src, and the floors that it sees.
FLOORS = {
    "base": ("base", ()),
    "net": ("net", ("base",)),
    "pool": ("pool", ("base",)),
    "config": ("config", ("base",)),
    "protocol": ("protocol", ("base",)),
    "postgres": ("protocol/postgres", ("base", "protocol")),
    "redis": ("protocol/redis", ("base", "protocol")),
    "tds": ("protocol/tds", ("base", "protocol")),
    "pgserver": ("pgserver", ("base", "net", "protocol", "postgres")),
    "sqlite": ("engine/sqlite", ("base", "net", "protocol", "postgres", "pgserver")),
    "console": ("engine/console", ("base", "net", "protocol", "postgres", "pgserver")),
    "session": ("session", ("base", "net", "pool", "protocol")),
    "app": ("app", None),      # all
}
NET_ONLY = ("uv.h", "openssl/ssl.h")
IMPURE_HEADERS = re.compile(
    r"^(sys/|netinet/|arpa/|net/|linux/|uv\.h|unistd\.h|poll\.h|fcntl\.h|netdb\.h|signal\.h|time\.h|"
    r"pthread\.h|csignal|ctime|chrono|thread|mutex|shared_mutex|condition_variable|future|semaphore|"
    r"latch|barrier|stop_token|fstream|filesystem|iostream|cstdio|stdio\.h|spdlog/|openssl/ssl\.h|"
    r"weir/base/(log|mailbox|timer)\.h)")
IMPURE_WORDS = re.compile(
    r"\b(getenv|secure_getenv|fopen|fprintf|printf|puts|std::(?:cout|cerr|clog|thread|mutex|ofstream|"
    r"ifstream|chrono)|gettimeofday|clock_gettime|::time|::(?:socket|send|recv|read|write|open)\s*\()")


def floor_of(path):
    """The floor of a file in src or include/weir, and of a unit test."""
    for prefix in ("src/", "include/weir/"):
        if path.startswith(prefix):
            return floor_of_public(path[len(prefix):])
    return None


def floor_of_public(name):
    """'pool/pool.h' -> pool, 'protocol/postgres.h' -> postgres, 'engine/sqlite.h' -> sqlite."""
    parts = name.split("/")
    if parts[0] in ("protocol", "engine") and len(parts) > 1:
        second = parts[1].removesuffix(".h")
        if second in FLOORS and second != "protocol":
            return second
        return "protocol" if parts[0] == "protocol" else None
    return parts[0] if parts[0] in FLOORS else None


def sees(floor, other):
    if floor == other:
        return True
    seen = FLOORS[floor][1]
    return seen is None or other in seen


@rule("floors")
def floors(tree):
    """A header of another floor comes through <weir/...>, and only from below."""
    for source in tree.cpp("src/", "include/weir/"):
        floor = floor_of(source.path)
        if floor is None:
            yield Finding(source.path, 1, "belongs to no floor")
            continue
        for line, kind, name in source.includes:
            if not name.startswith("weir/"):
                continue
            other = floor_of_public(name[len("weir/"):])
            if kind == '"':
                yield Finding(source.path, line, f'"{name}" crosses floors: write <{name}>')
            elif other is None:
                yield Finding(source.path, line, f"<{name}> belongs to no floor")
            elif not sees(floor, other):
                yield Finding(source.path, line, f"{floor} does not stand on {other}: <{name}>")


@rule("unit-floors")
def unit_floors(tree):
    """A unit test looks into its own floor only, and at the public headers below it."""
    for source in tree.cpp("tests/unit/"):
        floor = source.path.split("/")[2]
        if floor not in FLOORS:
            yield Finding(source.path, 1, f"there is no floor {floor}")
            continue
        for line, kind, name in source.includes:
            public = name.startswith("weir/")
            other = floor_of_public(name[5:]) if public else floor_of("src/" + name) if "/" in name else None
            if kind == "<" and not public:
                continue
            if other and not (sees(floor, other) if public else other == floor):
                yield Finding(source.path, line, f"a test of {floor} looks into {other}: {name}")


@rule("quotes")
def quotes(tree):
    """Quotes are for a header of the same folder, without a slash; angles are for all others."""
    for source in tree.cpp("src/", "include/weir/"):
        folder = source.path.rsplit("/", 1)[0]
        for line, kind, name in source.includes:
            if kind == '"' and name.startswith("weir/"):
                continue    # the rule floors speaks
            if kind == '"' and "/" in name:
                yield Finding(source.path, line, f'"{name}": a header in quotes has no slash')
            elif kind == '"' and f"{folder}/{name}" not in tree.sources:
                yield Finding(source.path, line, f'"{name}" is not in this folder')
            elif kind == "<" and f"{folder}/{name}" in tree.sources and folder.startswith("src/"):
                yield Finding(source.path, line, f'<{name}> is of this folder: write "{name}"')


@rule("net-only")
def net_only(tree):
    """libuv and TLS appear in net alone."""
    for source in tree.cpp("src/", "include/"):
        for line, _, name in source.includes:
            if name in NET_ONLY and not source.path.startswith("src/net/"):
                yield Finding(source.path, line, f"only src/net may include <{name}>")


@rule("pure-protocol")
def pure_protocol(tree):
    """protocol/*: no sockets, files, threads, clock, environment or logging."""
    for source in tree.cpp("src/protocol/", "include/weir/protocol"):
        for line, _, name in source.includes:
            if IMPURE_HEADERS.match(name) and not source.is_excused("pure-protocol", line):
                yield Finding(source.path, line, f"a protocol is pure: no <{name}>")
        for line, found in source.find(IMPURE_WORDS):
            if not source.is_excused("pure-protocol", line):
                yield Finding(source.path, line, f"a protocol is pure: no {found.group().strip(' (')}")


def concrete_classes(tree):
    """Public classes that implement an interface: name -> floor."""
    found = {}
    for source in tree.cpp("include/weir/"):
        for _, match in source.find(r"\b(?:class|struct)\s+(\w+)\s+final\s*:\s*(?:public\s+)?[\w:]+"):
            found[match.group(1)] = floor_of(source.path)
    return found


@rule("concrete-classes")
def concrete(tree):
    """Only app and the floor itself name a class that implements an interface."""
    classes = concrete_classes(tree)
    if not classes:
        return
    names = re.compile(r"\b(" + "|".join(classes) + r")\b")
    for source in tree.cpp("src/", "include/weir/"):
        floor = floor_of(source.path)
        for line, found in source.find(names):
            home = classes[found.group()]
            if floor not in (home, "app") and not source.is_excused("concrete-classes", line):
                yield Finding(source.path, line, f"{found.group()} of {home}: only app names concrete classes")


@rule("cmake-floors")
def cmake_floors(tree):
    """CMakeLists.txt shows each floor no more than this table does."""
    text = tree.sources.get("CMakeLists.txt")
    if not text:
        return
    for line, found in text.find(r"weir_floor\((\w+) FOLDER (\S+?)(?: ON ([\w ]+?))?(?=\)|\s+(?:LINK|PRIVATE_LINK))",
                                 text.text):
        name, folder, on = found.group(1), found.group(2), (found.group(3) or "").split()
        if name not in FLOORS or FLOORS[name][0] != folder:
            yield Finding(text.path, line, f"{name} in {folder} is not a floor of this house")
            continue
        for other in on:
            if not sees(name, other):
                yield Finding(text.path, line, f"{name} must not see {other}")
